//! What the runtime has beside the web's own interfaces, as far as it is used here.
//!
//! The crate `worker` wraps the same with types for everything that can be done with it, which is more of the Worker
//! than all that is done.

#![allow(missing_docs, reason = "the macro's declarations have no place for words")]

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use worker::js_sys::{Function, Object, Promise, Reflect};
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys;

#[wasm_bindgen]
extern "C" {
    /// A Workers KV namespace.
    pub(crate) type Kv;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn get(this: &Kv, key: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn put(this: &Kv, key: &str, value: &str, options: &Object) -> Result<Promise, JsValue>;

    /// A namespace of Durable Objects.
    pub(crate) type Objects;

    #[wasm_bindgen(method, catch, js_name = idFromName)]
    pub(crate) fn id_from_name(this: &Objects, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn get(this: &Objects, id: &JsValue) -> Result<Stub, JsValue>;

    /// A Durable Object, from outside.
    pub(crate) type Stub;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn fetch(this: &Stub, url: &str, init: &web_sys::RequestInit) -> Result<Promise, JsValue>;

    /// A Durable Object, from inside.
    pub type ObjectState;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn storage(this: &ObjectState) -> Storage;

    /// What a Durable Object keeps.
    pub(crate) type Storage;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn get(this: &Storage, key: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn put(this: &Storage, key: &str, value: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    pub(crate) fn set_alarm(this: &Storage, millis: f64) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = deleteAll)]
    pub(crate) fn delete_all(this: &Storage) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(then: &Function, millis: u32) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

/// A member; `None` where there is none.
pub(crate) fn member(of: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(of, &JsValue::from_str(name)).ok().filter(|value| !value.is_undefined())
}

/// A binding of that name, unchecked beyond being an object at all.
pub(crate) fn binding<T: JsCast>(env: &JsValue, name: &str) -> Option<T> {
    member(env, name).filter(JsValue::is_object).map(JsCast::unchecked_into)
}

/// What a call that answers later comes to.
pub(crate) async fn settled(promise: Result<Promise, JsValue>) -> Result<JsValue, JsValue> {
    JsFuture::from(promise?).await
}

/// The runtime's timer. Dropped before its end, it is taken back.
pub(crate) struct Timer {
    id: JsValue,
    ended: JsFuture,
}

impl Timer {
    pub(crate) fn new(time: Duration) -> Self {
        let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let mut id = JsValue::UNDEFINED;
        let ended = Promise::new(&mut |resolve, _| id = set_timeout(&resolve, millis));
        Self { id, ended: JsFuture::from(ended) }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.ended).poll(context).map(drop)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(&self.id);
    }
}
