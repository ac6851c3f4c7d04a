//! The Durable Object that holds one session's lease: [`object::serve`] with a memory that lasts.

#![allow(missing_docs, reason = "the macro's methods have no place for words")]

use std::time::Duration;

use worker::wasm_bindgen::JsValue;
use worker::{DurableObject, Env, Request, RequestInit, Response, State, Stub, durable_object};

use crate::lease::object;
use crate::time::Timestamp;

/// Where an object keeps what it remembers.
const REMEMBERED: &str = "lease";

/// An object hears only from its own Worker; the address means nothing.
const ADDRESS: &str = "https://lease/";

/// One session's lease. Bind it as `AUTH_LEASE`, as a class that is backed by SQLite.
#[durable_object(alarm)]
#[derive(Debug)]
pub struct RefreshLease {
    state: State,
}

impl DurableObject for RefreshLease {
    fn new(state: State, _: Env) -> Self {
        Self { state }
    }

    /// Between reading and writing nothing is awaited but the object's own storage, so no other call comes between.
    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let call = request.text().await?;
        let storage = self.state.storage();
        let remembered: Option<String> = storage.get(REMEMBERED).await?;
        let now = Timestamp::from_millis(worker::Date::now().as_millis());
        let served = object::serve(remembered.as_deref(), &call, now)?;
        if let Some((remember, until)) = served.remember {
            storage.put(REMEMBERED, &remember).await?;
            // A second later, so that nothing is forgotten that still counts.
            storage.set_alarm(until.since(now) + Duration::from_secs(1)).await?;
        }
        Response::ok(served.answer)
    }

    /// Everything it knew is over; unless the alarm comes late, and something else was to be remembered since.
    async fn alarm(&self) -> worker::Result<Response> {
        let storage = self.state.storage();
        let remembered: Option<String> = storage.get(REMEMBERED).await?;
        let now = Timestamp::from_millis(worker::Date::now().as_millis());
        match remembered.and_then(|remembered| object::ends_after(&remembered, now)) {
            Some(until) => storage.set_alarm(until.since(now) + Duration::from_secs(1)).await?,
            None => storage.delete_all().await?,
        }
        Response::ok("")
    }
}

/// Hands `call` to an object, and its answer back.
pub(super) async fn ask(object: &Stub, call: &str) -> worker::Result<String> {
    let mut init = RequestInit::new();
    init.with_method(worker::Method::Post).with_body(Some(JsValue::from_str(call)));
    let request = Request::new_with_init(ADDRESS, &init)?;
    let mut response = object.fetch_with_request(request).await?;
    if response.status_code() != 200 {
        return Err(worker::Error::from(format!("the lease object answered {}", response.status_code())));
    }
    response.text().await
}
