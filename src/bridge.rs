//! The functions of `bridge.js`, which are the hot path: `worker`'s own ways of reading a request, answering and sending on
//! cross once or more for each header field (docs/performance.md). Header fields cross as [`lines`](vestibule_core::http::header_wire).

use wasm_bindgen::prelude::*;
use worker::js_sys::Promise;
use worker::web_sys;

#[wasm_bindgen(module = "/src/bridge.js")]
extern "C" {
    /// Writes method, URL and fields, a line each, in UTF-8. Answers how many bytes that are; where there is no room for
    /// as many as it may be, nothing useful is written, and the answer is minus the room that does.
    pub(crate) fn head(request: &web_sys::Request, room: &mut [u8]) -> i32;

    /// The fields, behind a line break each, in UTF-8.
    pub(crate) fn fields(headers: &web_sys::Headers) -> Vec<u8>;

    /// A response with these fields.
    #[wasm_bindgen(catch)]
    pub(crate) fn respond(
        status: u16,
        fields: &str,
        body: Option<&str>,
    ) -> Result<web_sys::Response, JsValue>;

    /// Sends a request on, to another URL where one is given, with these changes to its fields. `None` where there is no
    /// such binding.
    #[wasm_bindgen(catch)]
    pub(crate) fn send(
        env: &JsValue,
        binding: Option<&str>,
        url: Option<&str>,
        request: &web_sys::Request,
        changes: &str,
        past_the_cache: bool,
    ) -> Result<Option<Promise>, JsValue>;

    /// The promise, but what `failed` answers to the error and `request` where it fails.
    #[wasm_bindgen(js_name = orElse)]
    pub(crate) fn or_else(
        promise: &Promise,
        failed: &Closure<dyn Fn(JsValue, web_sys::Request) -> JsValue>,
        request: &web_sys::Request,
    ) -> JsValue;

    /// What `go_on` answers to what becomes of the promise.
    pub(crate) fn settled(promise: &Promise, go_on: JsValue) -> JsValue;
}
