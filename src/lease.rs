//! The Durable Object that holds one session's lease: [`object::serve`] with a memory that lasts.

#![allow(missing_docs, reason = "the macro's methods have no place for words")]

use worker::js_sys::Date;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::web_sys;

use crate::bindings::{ObjectState, Storage, Stub, settled};
use crate::{clock, convert};
use vestibule_core::lease::object;
use vestibule_core::time::Timestamp;

/// Where an object keeps what it remembers.
const REMEMBERED: &str = "lease";

/// An object hears only from its own Worker; the address means nothing.
const ADDRESS: &str = "https://lease/";

/// One session's lease. Bind it as `AUTH_LEASE`, as a class that is backed by SQLite.
#[wasm_bindgen]
pub struct RefreshLease {
    storage: Storage,
}

#[wasm_bindgen]
impl RefreshLease {
    #[wasm_bindgen(constructor)]
    pub fn new(state: &ObjectState, _env: &JsValue) -> Self {
        Self { storage: state.storage() }
    }

    /// Between reading and writing nothing is awaited but the object's own storage, so no other call comes between.
    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        let call = settled(request.text()).await?.as_string().unwrap_or_default();
        let remembered = settled(self.storage.get(REMEMBERED)).await?.as_string();
        let now = clock::now();
        let served = object::serve(remembered.as_deref(), &call, now)
            .map_err(|error| convert::error(&error.to_string()))?;
        if let Some((remember, until)) = served.remember {
            settled(self.storage.put(REMEMBERED, &remember)).await?;
            settled(self.storage.set_alarm(alarm_after(until, now))).await?;
        }
        web_sys::Response::new_with_opt_str(Some(&served.answer))
    }

    /// Everything it knew is over; unless the alarm comes late, and something else was to be remembered since.
    pub async fn alarm(&self) -> Result<(), JsValue> {
        let remembered = settled(self.storage.get(REMEMBERED)).await?.as_string();
        let now = clock::now();
        match remembered.and_then(|remembered| object::ends_after(&remembered, now)) {
            Some(until) => settled(self.storage.set_alarm(alarm_after(until, now))).await.map(drop),
            None => settled(self.storage.delete_all()).await.map(drop),
        }
    }
}

/// A second later, so that nothing is forgotten that still counts; in milliseconds since 1970.
fn alarm_after(until: Timestamp, now: Timestamp) -> f64 {
    Date::now() + (until.since(now).as_secs_f64() + 1.0) * 1000.0
}

/// Hands `call` to an object, and its answer back.
pub(crate) async fn ask(object: &Stub, call: &str) -> Result<String, JsValue> {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_body(&JsValue::from_str(call));
    let response: web_sys::Response = settled(object.fetch(ADDRESS, &init)).await?.unchecked_into();
    if response.status() != 200 {
        return Err(convert::error(&format!("the lease object answered {}", response.status())));
    }
    let text = settled(response.text()).await?;
    text.as_string().ok_or_else(|| convert::error("the lease object answered no text"))
}
