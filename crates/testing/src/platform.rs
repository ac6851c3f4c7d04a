//! The fake runtime, put together from its parts.

use std::rc::Rc;
use std::time::Duration;

use unicode_normalization::UnicodeNormalization;
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::http::response::Response;
use vestibule_core::jose::crypto::WithCrypto;
use vestibule_core::log::{DataPoint, Line, RequestDetails};
use vestibule_core::outcome::Outcome;
use vestibule_core::platform::{
    Background, BodyError, Clock, Forward, ForwardError, Forwarder, HttpClient, Limit, Lock, Log, Random,
    RateLimit, Sinks, Store, StoreError, Unicode,
};
use vestibule_core::time::Timestamp;

use crate::clock::FakeClock;
use crate::crypto::FakeCrypto;
use crate::forward::FakeForwarder;
use crate::http::FakeHttp;
use crate::jobs::FakeJobs;
use crate::log::FakeLog;
use crate::random::FakeRandom;
use crate::sinks::FakeSinks;
use crate::store::FakeStore;

/// The time at which every fake clock starts.
const START: Timestamp = Timestamp::from_seconds(1_795_290_000);
/// Separates the store's random numbers from those that a test draws.
const STORE_SEED: u64 = 0x5eed;

/// The runtime of the processes in one location. Clones share their state.
#[derive(Clone)]
pub struct FakePlatform {
    /// The clock. It advances only when everything waits, or when a test advances it.
    pub clock: Rc<FakeClock>,
    /// The random source.
    pub random: Rc<FakeRandom>,
    /// The signatures.
    pub crypto: Rc<FakeCrypto>,
    /// The HTTP client.
    pub http: Rc<FakeHttp>,
    /// The connection to the upstream.
    pub forwarder: Rc<FakeForwarder>,
    /// The shared store and the locks.
    pub store: Rc<FakeStore>,
    /// The background jobs.
    pub jobs: Rc<FakeJobs>,
    /// The operator's log.
    pub log: Rc<FakeLog>,
    /// The sinks of the audit log.
    pub sinks: Rc<FakeSinks>,
    location: Rc<str>,
    /// How far this location's clock is ahead.
    ahead: Duration,
}

impl FakePlatform {
    /// A runtime in the location `here`, whose random numbers come from `seed`.
    pub fn new(seed: u64) -> Self {
        let clock = FakeClock::starting_at(START.millis());
        Self {
            random: Rc::new(FakeRandom::new(seed)),
            crypto: Rc::default(),
            http: Rc::new(FakeHttp::new(Rc::clone(&clock))),
            forwarder: Rc::new(FakeForwarder::new(Rc::clone(&clock))),
            store: Rc::new(FakeStore::new(Rc::clone(&clock), FakeRandom::new(seed ^ STORE_SEED))),
            jobs: Rc::new(FakeJobs::new(Rc::clone(&clock))),
            log: Rc::default(),
            sinks: Rc::default(),
            location: "here".into(),
            ahead: Duration::ZERO,
            clock,
        }
    }

    /// The same runtime in another location.
    #[must_use]
    pub fn at(&self, location: &str) -> Self {
        Self { location: location.into(), ..self.clone() }
    }

    /// The same runtime, whose clock is ahead of the others by so much.
    #[must_use]
    pub fn ahead_by(&self, time: Duration) -> Self {
        Self { ahead: time, ..self.clone() }
    }
}

impl WithCrypto for FakePlatform {
    type Crypto = FakeCrypto;

    fn crypto(&self) -> &FakeCrypto {
        &self.crypto
    }
}

impl Clock for FakePlatform {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now()).plus(self.ahead)
    }

    async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }
}

impl Random for FakePlatform {
    fn fill_random(&self, bytes: &mut [u8]) {
        self.random.fill(bytes);
    }
}

impl Log for FakePlatform {
    fn log(&self, line: &Line) {
        self.log.write(line);
    }
}

impl HttpClient for FakePlatform {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        self.http.fetch(request).await
    }
}

impl Store for FakePlatform {
    fn location(&self) -> String {
        self.location.to_string()
    }

    fn stores_documents(&self) -> bool {
        self.store.has_documents.get()
    }

    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.store.read(&self.location, key).await
    }

    async fn read_store_many(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        self.store.read_many(&self.location, keys).await
    }

    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        self.store.write(&self.location, key, value, lifetime).await
    }

    async fn delete_store(&self, key: &str) -> Result<(), StoreError> {
        self.store.delete(&self.location, key).await
    }
}

impl Lock for FakePlatform {
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        self.store.call_lock(name, call).await
    }
}

impl RateLimit for FakePlatform {
    async fn is_within_limit(&self, limit: Limit, key: &str) -> Result<bool, StoreError> {
        self.store.is_within_limit(limit, key)
    }
}

impl Sinks for FakePlatform {
    async fn send_to_queue(&self, messages: &[String]) -> Result<(), StoreError> {
        self.sinks.send(messages).await
    }

    fn write_points(&self, points: &[DataPoint]) -> Result<(), StoreError> {
        self.sinks.write(points)
    }

    fn write_metrics(&self, points: &[DataPoint]) -> Result<(), StoreError> {
        self.sinks.write_metrics(points)
    }
}

impl Unicode for FakePlatform {
    fn nfkd(&self, text: &str) -> String {
        text.nfkd().collect()
    }
}

impl Forwarder for FakePlatform {
    type Body = Vec<u8>;
    /// The number of the forwarded request that it answers.
    type UpstreamResponse = usize;

    async fn read_body(&self, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, BodyError> {
        if body.len() > limit { Err(BodyError::TooLarge(limit)) } else { Ok(body) }
    }

    async fn forward_head(&self, forward: Forward<'_>) -> Result<Response, ForwardError> {
        self.forwarder.forward_head(forward).await
    }

    fn take_set_cookies(
        &self,
        response: usize,
        is_taken: &dyn Fn(&str) -> bool,
    ) -> Result<(usize, Vec<String>), ForwardError> {
        Ok((response, self.forwarder.take_set_cookies(response, is_taken)))
    }

    async fn forward(&self, forward: Forward<'_>, body: Vec<u8>) -> Result<usize, ForwardError> {
        self.forwarder.forward(forward, body).await
    }

    async fn forward_streaming(&self, forward: Forward<'_>, body: Vec<u8>) -> Outcome<usize> {
        self.forwarder.streamed.set(self.forwarder.streamed.get() + 1);
        let (request, edge) = (forward.request, forward.edge);
        match self.forward(forward, body).await {
            Ok(response) => Outcome::forwarded(response),
            Err(error) => {
                self.log(&error.record().in_request(&RequestDetails::of(request, edge)));
                Outcome::Response(error.answer())
            }
        }
    }

    fn status(&self, response: &usize) -> u16 {
        self.forwarder.status(*response)
    }

    fn field(&self, response: &usize, name: &str) -> Option<String> {
        self.forwarder.field(*response, name)
    }

    fn discard(&self, response: usize) {
        self.forwarder.discarded.borrow_mut().push(response);
    }

    fn has_body(&self, body: &Vec<u8>) -> bool {
        !body.is_empty()
    }

    fn body_again(&self, bytes: &[u8]) -> Result<Vec<u8>, BodyError> {
        Ok(bytes.to_vec())
    }
}

impl Background for FakePlatform {
    async fn run_to_completion<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T {
        self.jobs.run_to_completion(job).await
    }

    fn spawn(&self, job: impl Future<Output = ()> + 'static) {
        // Its result is lost, but the job continues.
        drop(self.clock.spawn(job));
    }
}
