//! A runtime whose work for one request is measured: what was asked of the store and of providers, and what was decided.
//!
//! What a request did is added up, and written at its end in one go, so that it costs few points. Without
//! `[vars.AUTH.metrics]` there is nothing but one branch at each operation.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::{
    Background, BodyError, Clock, Forward, ForwardError, Forwarder, HttpClient, Limit, Lock, Log, Platform,
    Random, RateLimit, Sinks, Store, StoreError, Unicode,
};
use crate::log::{DataPoint, Line, LogEvent, Measured, MetricsConfig, Record};
use crate::outcome::Outcome;
use crate::platform::meter::Meter;
use vestibule_oidc::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::crypto::WithCrypto;
use vestibule_oidc::time::Timestamp;

/// The runtime of one request, with what it did.
#[derive(Clone)]
pub(crate) struct Metered<P> {
    inner: P,
    meter: Option<Rc<Meter>>,
}

impl<P: Platform> Metered<P> {
    /// `is_local` says whether the request was sent to the developer's own machine: no one else learns how long something took.
    pub(crate) fn new(
        inner: P,
        config: MetricsConfig,
        has_failed: &Rc<Cell<bool>>,
        is_local: impl FnOnce() -> bool,
    ) -> Self {
        let shows_time = config.server_timing && is_local();
        let meter = Meter::new(config.has_dataset, shows_time, has_failed).map(Rc::new);
        Self { inner, meter }
    }

    /// The request ends with the value, also if no one waits for its response.
    pub(crate) fn request(&self) -> RequestEnd<'_, P> {
        RequestEnd(self)
    }

    fn watch(&self, operation: &'static str) -> Option<Watch<'_, P>> {
        Watch::begin(&self.inner, self.meter.as_deref(), Operation::Store(operation))
    }

    fn write(&self) {
        let Some(meter) = &self.meter else { return };
        let points = meter.take_points();
        if points.is_empty() {
            return;
        }
        if let Err(error) = self.inner.write_metrics(&points)
            && !meter.has_failed.replace(true)
        {
            let message = format_args!("metrics could not be written: {error}");
            self.inner.log(&Record::new(LogEvent::MetricsNotWritten, message).outside_requests());
        }
    }
}

/// The end of a request: writes its points.
pub(crate) struct RequestEnd<'a, P: Platform>(&'a Metered<P>);

impl<P: Platform> Drop for RequestEnd<'_, P> {
    fn drop(&mut self) {
        if let Some(meter) = &self.0.meter {
            meter.has_ended.set(true);
            self.0.write();
        }
    }
}

/// Measures one operation until its end. That no one waits for its end is an outcome, too: the watch is then dropped.
pub(crate) struct Watch<'a, C: Clock> {
    clock: &'a C,
    meter: &'a Meter,
    begun: Timestamp,
    operation: Operation<'a>,
    outcome: &'static str,
}

/// What takes time.
enum Operation<'a> {
    Store(&'static str),
    Provider { provider: &'a str, endpoint: &'static str },
}

impl<'a, C: Clock> Watch<'a, C> {
    fn begin(clock: &'a C, meter: Option<&'a Meter>, operation: Operation<'a>) -> Option<Self> {
        meter.map(|meter| Self { clock, meter, begun: clock.now(), operation, outcome: ABANDONED })
    }
}

impl<C: Clock> Drop for Watch<'_, C> {
    fn drop(&mut self) {
        let outcome = self.outcome;
        let measured = match self.operation {
            Operation::Store(operation) => Measured::Store { operation, outcome },
            Operation::Provider { provider, endpoint } => {
                Measured::Provider { provider: provider.to_owned(), endpoint, outcome }
            }
        };
        let time = self.clock.now().since(self.begun);
        self.meter.count(measured, u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }
}

/// Begins to measure a request to an endpoint of a provider, which [`answered`] ends.
pub(crate) fn watch_provider<'a, P: Platform>(
    platform: &'a P,
    provider: &'a str,
    endpoint: &'static str,
) -> Option<Watch<'a, P>> {
    Watch::begin(platform, platform.meter(), Operation::Provider { provider, endpoint })
}

/// Ends the measurement of a request to a provider with its answer.
pub(crate) fn answered<C: Clock>(
    watch: Option<Watch<'_, C>>,
    answer: Result<FetchResponse, FetchError>,
) -> Result<FetchResponse, FetchError> {
    if let Some(mut watch) = watch {
        watch.outcome = match &answer {
            Ok(answer) if answer.status < 400 => "ok",
            Ok(answer) if answer.status < 500 => "refused",
            Ok(_) => "failed",
            Err(FetchError::Timeout(_)) => "timeout",
            Err(FetchError::TooLarge(_)) => "too_large",
            Err(FetchError::Connection(_)) => "unreachable",
        };
    }
    answer
}

/// Ends the measurement of an operation of the store with its result.
fn stored<C: Clock, T>(watch: Option<Watch<'_, C>>, result: Result<T, StoreError>) -> Result<T, StoreError> {
    if let Some(mut watch) = watch {
        watch.outcome = match &result {
            Ok(_) => "ok",
            Err(StoreError::Missing(_)) => "missing",
            Err(StoreError::Busy) => "busy",
            Err(StoreError::Failed(_)) => "failed",
        };
    }
    result
}

/// No one waited for it any more.
const ABANDONED: &str = "abandoned";

impl<P: Platform> Sinks for Metered<P> {
    async fn send_to_queue(&self, messages: &[String]) -> Result<(), StoreError> {
        self.inner.send_to_queue(messages).await
    }

    fn write_points(&self, points: &[DataPoint]) -> Result<(), StoreError> {
        self.inner.write_points(points)
    }

    fn write_metrics(&self, points: &[DataPoint]) -> Result<(), StoreError> {
        self.inner.write_metrics(points)
    }

    fn meter(&self) -> Option<&Meter> {
        self.meter.as_deref()
    }
}

impl<P: Platform> Store for Metered<P> {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn stores_documents(&self) -> bool {
        self.inner.stores_documents()
    }

    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError> {
        stored(self.watch("read"), self.inner.read_store(key).await)
    }

    async fn read_store_many(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        stored(self.watch("read_many"), self.inner.read_store_many(keys).await)
    }

    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        stored(self.watch("write"), self.inner.write_store(key, value, lifetime).await)
    }

    async fn delete_store(&self, key: &str) -> Result<(), StoreError> {
        stored(self.watch("delete"), self.inner.delete_store(key).await)
    }
}

impl<P: Platform> Lock for Metered<P> {
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        stored(self.watch("lock"), self.inner.call_lock(name, call).await)
    }
}

impl<P: Platform> Background for Metered<P> {
    async fn run_to_completion<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T {
        if self.meter.is_none() {
            return self.inner.run_to_completion(job).await;
        }
        self.inner.run_to_completion(self.clone().then_write(job)).await
    }

    fn spawn(&self, job: impl Future<Output = ()> + 'static) {
        if self.meter.is_none() {
            return self.inner.spawn(job);
        }
        self.inner.spawn(self.clone().then_write(job));
    }
}

impl<P: Platform> Metered<P> {
    /// Runs a job. If its request has ended before, the job writes its own points.
    async fn then_write<T>(self, job: impl Future<Output = T>) -> T {
        let result = job.await;
        if self.meter.as_ref().is_some_and(|meter| meter.has_ended.get()) {
            self.write();
        }
        result
    }
}

impl<P: Platform> Clock for Metered<P> {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    async fn sleep(&self, time: Duration) {
        self.inner.sleep(time).await;
    }
}

impl<P: Platform> Random for Metered<P> {
    fn fill_random(&self, bytes: &mut [u8]) {
        self.inner.fill_random(bytes);
    }
}

impl<P: Platform> Log for Metered<P> {
    fn log(&self, line: &Line) {
        self.inner.log(line);
    }
}

impl<P: Platform> HttpClient for Metered<P> {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        self.inner.fetch(request).await
    }
}

impl<P: Platform> RateLimit for Metered<P> {
    async fn is_within_limit(&self, limit: Limit, key: &str) -> Result<bool, StoreError> {
        self.inner.is_within_limit(limit, key).await
    }
}

impl<P: Platform> Unicode for Metered<P> {
    fn nfkd(&self, text: &str) -> String {
        self.inner.nfkd(text)
    }
}

impl<P: Platform> WithCrypto for Metered<P> {
    type Crypto = P;

    fn crypto(&self) -> &P {
        &self.inner
    }
}

impl<P: Platform> Forwarder for Metered<P> {
    type Body = P::Body;
    type UpstreamResponse = P::UpstreamResponse;

    async fn read_body(&self, body: P::Body, limit: usize) -> Result<Vec<u8>, BodyError> {
        self.inner.read_body(body, limit).await
    }

    async fn forward(
        &self,
        forward: Forward<'_>,
        body: P::Body,
    ) -> Result<P::UpstreamResponse, ForwardError> {
        self.inner.forward(forward, body).await
    }

    fn take_set_cookies(
        &self,
        response: P::UpstreamResponse,
        is_taken: &dyn Fn(&str) -> bool,
    ) -> Result<(P::UpstreamResponse, Vec<String>), ForwardError> {
        self.inner.take_set_cookies(response, is_taken)
    }

    fn status(&self, response: &P::UpstreamResponse) -> u16 {
        self.inner.status(response)
    }

    fn field(&self, response: &P::UpstreamResponse, name: &str) -> Option<String> {
        self.inner.field(response, name)
    }

    fn discard(&self, response: P::UpstreamResponse) {
        self.inner.discard(response);
    }

    fn has_body(&self, body: &P::Body) -> bool {
        self.inner.has_body(body)
    }

    fn body_again(&self, bytes: &[u8]) -> Result<P::Body, BodyError> {
        self.inner.body_again(bytes)
    }

    fn unless_missing(&self, response: P::UpstreamResponse) -> Option<P::UpstreamResponse> {
        self.inner.unless_missing(response)
    }

    async fn forward_head(&self, forward: Forward<'_>) -> Result<Response, ForwardError> {
        self.inner.forward_head(forward).await
    }

    async fn forward_streaming(&self, forward: Forward<'_>, body: P::Body) -> Outcome<P::UpstreamResponse> {
        self.inner.forward_streaming(forward, body).await
    }
}
