//! The Durable Object that holds the lease of one session: [`lock::serve`] with persistent state.

#![allow(missing_docs, reason = "the methods that the macro generates cannot be documented")]

use std::time::Duration;

use worker::wasm_bindgen::JsValue;
use worker::{
    DurableObject, Env, Error, Method, ObjectNamespace, Request, RequestInit, Response, Result, State,
    Storage, durable_object,
};

use crate::clock;
use vestibule_core::lease::lock;
use vestibule_core::time::Timestamp;

/// The storage key of an object's state.
const STATE_KEY: &str = "lease";

/// A request to an object needs a URL. Its value has no meaning, because only this Worker can call the object.
const URL: &str = "https://lease/";

/// The lease of one session. Bind it as `AUTH_LEASE`, as a class with SQLite storage.
#[durable_object(alarm)]
pub struct RefreshLease {
    storage: Storage,
}

impl DurableObject for RefreshLease {
    fn new(state: State, _env: Env) -> Self {
        Self { storage: state.storage() }
    }

    /// Answers one call. Between reading and writing the state only the object's own storage is awaited, so the runtime
    /// delivers no other call in between.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let call = request.text().await?;
        let state = self.state().await?;
        let now = clock::now();
        let served =
            lock::serve(state.as_deref(), &call, now).map_err(|error| Error::RustError(error.to_string()))?;
        if let Some((remember, until)) = served.remember {
            self.storage.put(STATE_KEY, remember).await?;
            self.storage.set_alarm(alarm_after(until, now)).await?;
        }
        Response::ok(served.answer)
    }

    /// Deletes the state once it has expired. If the alarm runs late and a newer state was stored meanwhile, sets the next
    /// alarm.
    async fn alarm(&self) -> Result<Response> {
        let state = self.state().await?;
        let now = clock::now();
        match state.and_then(|state| lock::remembered_until(&state, now)) {
            Some(until) => self.storage.set_alarm(alarm_after(until, now)).await?,
            None => self.storage.delete_all().await?,
        }
        // The runtime ignores the response.
        Response::empty()
    }
}

impl RefreshLease {
    async fn state(&self) -> Result<Option<String>> {
        self.storage.get(STATE_KEY).await
    }
}

/// The time from `now` to the alarm: one second after the state expires, so that the alarm never deletes a state that
/// still counts.
fn alarm_after(until: Timestamp, now: Timestamp) -> Duration {
    until.since(now) + Duration::from_secs(1)
}

/// Sends `call` to the object named `name`, and gives its answer.
pub(crate) async fn send_call(objects: &ObjectNamespace, name: &str, call: &str) -> Result<String> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(JsValue::from_str(call)));
    let request = Request::new_with_init(URL, &init)?;
    let mut response = objects.id_from_name(name)?.get_stub()?.fetch_with_request(request).await?;
    if response.status_code() != 200 {
        return Err(Error::RustError(format!(
            "the Durable Object of the lease answered with status {}",
            response.status_code()
        )));
    }
    response.text().await
}
