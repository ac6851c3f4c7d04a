//! The functions of `bridge.js`. They are on the hot path: the functions of the crate `worker` that read a request, make a
//! response and forward call JavaScript at least once for each header field (docs/performance.md). Here all header fields
//! are passed as one text ([`header_wire`](vestibule_core::http::header_wire)).

use wasm_bindgen::prelude::*;
use worker::js_sys::Promise;
use worker::web_sys;

#[wasm_bindgen(module = "/src/bridge.js")]
extern "C" {
    /// Writes method, URL and header fields into `buffer`, one per line, in UTF-8. Returns the number of bytes written. If
    /// the buffer is too small, returns minus a sufficient size in bytes; the content of the buffer is then incomplete.
    pub(crate) fn head(request: &web_sys::Request, buffer: &mut [u8]) -> i32;

    /// The header fields in UTF-8, each after a line break.
    pub(crate) fn fields(headers: &web_sys::Headers) -> Vec<u8>;

    /// Makes a response with these header fields.
    #[wasm_bindgen(catch)]
    pub(crate) fn respond(
        status: u16,
        fields: &str,
        body: Option<&str>,
    ) -> Result<web_sys::Response, JsValue>;

    /// Forwards a request. The lines are the name of the binding, the URL, both empty if there is none, and the changes to the
    /// header fields: one text, because each costs a call. Gives a promise of the response, or `None` if there is no such
    /// binding.
    #[wasm_bindgen(catch)]
    pub(crate) fn send(
        env: &JsValue,
        request: &web_sys::Request,
        lines: &str,
        bypass_cache: bool,
    ) -> Result<Option<Promise>, JsValue>;

    /// A promise with the same value; if it is rejected, with the value that `failed` returns for the error and `request`.
    #[wasm_bindgen(js_name = orElse)]
    pub(crate) fn or_else(
        promise: &Promise,
        failed: &Closure<dyn Fn(JsValue, web_sys::Request) -> JsValue>,
        request: &web_sys::Request,
    ) -> JsValue;

    /// Sends messages to the queue of that name: JSON objects, one in a line. Gives a promise, or `None` if there is no such queue.
    #[wasm_bindgen(js_name = sendToQueue, catch)]
    pub(crate) fn send_to_queue(
        env: &JsValue,
        name: &str,
        messages: &str,
    ) -> Result<Option<Promise>, JsValue>;

    /// Writes rows into the dataset of that name: a JSON array. `false` if there is no such dataset.
    #[wasm_bindgen(js_name = writePoints, catch)]
    pub(crate) fn write_points(env: &JsValue, name: &str, rows: &str) -> Result<bool, JsValue>;

    /// Calls `go_on` with the value or the error of the promise, and whether it was fulfilled. Gives a promise of what
    /// `go_on` returns.
    pub(crate) fn settled(promise: &Promise, go_on: JsValue) -> JsValue;
}
