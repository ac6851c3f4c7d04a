//! The Durable Object that holds one session's lease: [`lock::serve`] with a memory that lasts.

#![allow(missing_docs, reason = "the macro's methods have no place for words")]

use std::time::Duration;

use worker::wasm_bindgen::JsValue;
use worker::{
    DurableObject, Env, Error, Method, ObjectNamespace, Request, RequestInit, Response, Result, State,
    Storage, durable_object,
};

use crate::clock;
use vestibule_core::lease::lock;
use vestibule_core::time::Timestamp;

/// Where an object keeps what it remembers.
const REMEMBERED: &str = "lease";

/// An object hears only from its own Worker; the address means nothing.
const ADDRESS: &str = "https://lease/";

/// One session's lease. Bind it as `AUTH_LEASE`, as a class that is backed by SQLite.
#[durable_object(alarm)]
pub struct RefreshLease {
    storage: Storage,
}

impl DurableObject for RefreshLease {
    fn new(state: State, _env: Env) -> Self {
        Self { storage: state.storage() }
    }

    /// Between reading and writing nothing is awaited but the object's own storage, so no other call comes between.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let call = request.text().await?;
        let remembered = self.remembered().await?;
        let now = clock::now();
        let served = lock::serve(remembered.as_deref(), &call, now)
            .map_err(|error| Error::RustError(error.to_string()))?;
        if let Some((remember, until)) = served.remember {
            self.storage.put(REMEMBERED, remember).await?;
            self.storage.set_alarm(alarm_after(until, now)).await?;
        }
        Response::ok(served.answer)
    }

    /// Everything it knew is over; unless the alarm comes late, and something else was to be remembered since.
    async fn alarm(&self) -> Result<Response> {
        let remembered = self.remembered().await?;
        let now = clock::now();
        match remembered.and_then(|remembered| lock::remembered_until(&remembered, now)) {
            Some(until) => self.storage.set_alarm(alarm_after(until, now)).await?,
            None => self.storage.delete_all().await?,
        }
        // Nobody reads it.
        Response::empty()
    }
}

impl RefreshLease {
    async fn remembered(&self) -> Result<Option<String>> {
        self.storage.get(REMEMBERED).await
    }
}

/// How long from now the object is to be woken: a second later than it has to be, so that nothing is forgotten that
/// still counts.
fn alarm_after(until: Timestamp, now: Timestamp) -> Duration {
    until.since(now) + Duration::from_secs(1)
}

/// Hands `call` to the object of that name, and its answer back.
pub(crate) async fn ask(objects: &ObjectNamespace, name: &str, call: &str) -> Result<String> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(JsValue::from_str(call)));
    let request = Request::new_with_init(ADDRESS, &init)?;
    let mut response = objects.id_from_name(name)?.get_stub()?.fetch_with_request(request).await?;
    if response.status_code() != 200 {
        return Err(Error::RustError(format!("the lease object answered {}", response.status_code())));
    }
    response.text().await
}
