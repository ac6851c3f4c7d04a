//! An isolate whose operations fail as a script says, and which can crash.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::http::response::Response;
use vestibule_core::jose::crypto::WithCrypto;
use vestibule_core::log::{DataPoint, Line};
use vestibule_core::platform::{
    Background, BodyError, Clock, Forward, ForwardError, Forwarder, HttpClient, Limit, Lock, Log, Random,
    RateLimit, Sinks, Store, StoreError, Unicode,
};
use vestibule_core::time::Timestamp;
use vestibule_testing::FakePlatform;

/// What can go wrong with one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// It fails and has no effect.
    Lost,
    /// It has its effect, and its answer is lost.
    AnswerLost,
    /// The store refuses the write.
    Rejected,
    /// It takes almost as long as it may.
    Slow,
    /// The isolate crashes before it.
    Crash,
    /// The isolate crashes after it.
    CrashAfter,
}

/// What an isolate asks of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operation {
    Read,
    Write,
    Call,
    /// A request to the provider's token endpoint.
    Token,
}

impl Operation {
    /// What can go wrong with it.
    pub(crate) fn faults(self) -> &'static [Fault] {
        match self {
            Self::Read => &[Fault::Lost, Fault::Slow, Fault::Crash],
            Self::Write => &[
                Fault::Lost,
                Fault::AnswerLost,
                Fault::Rejected,
                Fault::Slow,
                Fault::Crash,
                Fault::CrashAfter,
            ],
            Self::Call | Self::Token => {
                &[Fault::Lost, Fault::AnswerLost, Fault::Slow, Fault::Crash, Fault::CrashAfter]
            }
        }
    }

    /// How long a slow one takes longer: less than the timeout.
    fn delay(self) -> Duration {
        match self {
            Self::Read | Self::Write | Self::Call => Duration::from_millis(2_500),
            Self::Token => Duration::from_secs(8),
        }
    }
}

/// What goes wrong in a run, and what happened in it.
#[derive(Default)]
pub(crate) struct Script {
    /// The number of an operation, and what goes wrong with it.
    pub(crate) faults: Vec<(u16, Fault)>,
    /// The operations so far, in the order in which they began.
    pub(crate) operations: RefCell<Vec<(u8, Operation)>>,
    /// How often each isolate was given tokens by the provider, and how often it published some.
    pub(crate) granted: RefCell<[u8; 8]>,
    pub(crate) published: RefCell<[u8; 8]>,
}

impl Script {
    fn begin(&self, isolate: u8, operation: Operation) -> Option<Fault> {
        let mut operations = self.operations.borrow_mut();
        let number = operations.len();
        operations.push((isolate, operation));
        let fault = self.faults.iter().find(|(at, _)| usize::from(*at) == number);
        fault.map(|(_, fault)| *fault).filter(|fault| operation.faults().contains(fault))
    }

    /// Whether tokens that the provider gave were never published.
    pub(crate) fn lost_tokens(&self) -> bool {
        let published = self.published.borrow();
        self.granted.borrow().iter().zip(published.iter()).any(|(granted, published)| granted > published)
    }
}

/// The runtime of one isolate.
#[derive(Clone)]
pub(crate) struct IsolatePlatform {
    pub(crate) inner: FakePlatform,
    pub(crate) number: u8,
    pub(crate) script: Rc<Script>,
    pub(crate) has_crashed: Rc<Cell<bool>>,
}

impl IsolatePlatform {
    /// Runs an operation, with what the script says goes wrong.
    async fn perform<T, E>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, E>>,
        error: impl Fn(Fault) -> E,
    ) -> Result<T, E> {
        let Some(fault) = self.script.begin(self.number, operation) else { return work.await };
        match fault {
            Fault::Lost | Fault::Rejected => Err(error(fault)),
            Fault::AnswerLost => {
                drop(work.await);
                Err(error(fault))
            }
            Fault::Slow => {
                self.inner.sleep(operation.delay()).await;
                work.await
            }
            Fault::Crash => self.crash().await,
            Fault::CrashAfter => {
                drop(work.await);
                self.crash().await
            }
        }
    }

    async fn crash<T>(&self) -> T {
        self.has_crashed.set(true);
        pending().await
    }

    /// The result of `work`, which ends without one when the isolate crashes.
    pub(crate) async fn until_crash<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = Some(Box::pin(work));
        poll_fn(|context| {
            if !self.has_crashed.get()
                && let Some(running) = &mut work
                && let Poll::Ready(value) = running.as_mut().poll(context)
            {
                return Poll::Ready(Some(value));
            }
            if !self.has_crashed.get() {
                return Poll::Pending;
            }
            work = None;
            Poll::Ready(None)
        })
        .await
    }
}

fn store_error(fault: Fault) -> StoreError {
    if fault == Fault::Rejected { StoreError::Busy } else { StoreError::Failed("lost".to_owned()) }
}

impl Store for IsolatePlatform {
    fn location(&self) -> String {
        self.inner.location()
    }

    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.perform(Operation::Read, self.inner.read_store(key), store_error).await
    }

    async fn read_store_many(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        self.perform(Operation::Read, self.inner.read_store_many(keys), store_error).await
    }

    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        let work = async {
            self.inner.write_store(key, value, lifetime).await?;
            if key.starts_with("next/") {
                self.script.published.borrow_mut()[usize::from(self.number)] += 1;
            }
            Ok(())
        };
        self.perform(Operation::Write, work, store_error).await
    }

    async fn delete_store(&self, key: &str) -> Result<(), StoreError> {
        self.perform(Operation::Write, self.inner.delete_store(key), store_error).await
    }
}

impl Lock for IsolatePlatform {
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        let work = async {
            let answer = self.inner.call_lock(name, call).await?;
            if call.contains("\"publish\"") {
                self.script.published.borrow_mut()[usize::from(self.number)] += 1;
            }
            Ok(answer)
        };
        self.perform(Operation::Call, work, store_error).await
    }
}

impl HttpClient for IsolatePlatform {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        if !request.url.ends_with("/token") {
            return self.inner.fetch(request).await;
        }
        let work = async {
            let response = self.inner.fetch(request).await?;
            if response.status == 200 {
                self.script.granted.borrow_mut()[usize::from(self.number)] += 1;
            }
            Ok(response)
        };
        self.perform(Operation::Token, work, |_| FetchError::Connection("lost".to_owned())).await
    }
}

impl Background for IsolatePlatform {
    async fn run_to_completion<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T {
        let own = self.clone();
        match self.inner.clock.spawn(async move { own.until_crash(job).await }).await {
            Some(value) => value,
            None => pending().await,
        }
    }

    fn spawn(&self, job: impl Future<Output = ()> + 'static) {
        let own = self.clone();
        self.inner.spawn(async move {
            own.until_crash(job).await;
        });
    }
}

impl Clock for IsolatePlatform {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    async fn sleep(&self, time: Duration) {
        self.inner.sleep(time).await;
    }
}

impl Random for IsolatePlatform {
    fn fill_random(&self, bytes: &mut [u8]) {
        self.inner.fill_random(bytes);
    }
}

impl Log for IsolatePlatform {
    fn log(&self, line: &Line) {
        self.inner.log(line);
    }
}

impl RateLimit for IsolatePlatform {
    async fn is_within_limit(&self, limit: Limit, key: &str) -> Result<bool, StoreError> {
        self.inner.is_within_limit(limit, key).await
    }
}

impl Sinks for IsolatePlatform {
    async fn send_to_queue(&self, messages: &[String]) -> Result<(), StoreError> {
        self.inner.send_to_queue(messages).await
    }

    fn write_points(&self, points: &[DataPoint]) -> Result<(), StoreError> {
        self.inner.write_points(points)
    }
}

impl Unicode for IsolatePlatform {
    fn nfkd(&self, text: &str) -> String {
        self.inner.nfkd(text)
    }
}

impl WithCrypto for IsolatePlatform {
    type Crypto = FakePlatform;

    fn crypto(&self) -> &FakePlatform {
        &self.inner
    }
}

impl Forwarder for IsolatePlatform {
    type Body = Vec<u8>;
    type UpstreamResponse = usize;

    async fn read_body(&self, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, BodyError> {
        self.inner.read_body(body, limit).await
    }

    async fn forward_head(&self, forward: Forward<'_>) -> Result<Response, ForwardError> {
        self.inner.forward_head(forward).await
    }

    async fn forward(&self, forward: Forward<'_>, body: Vec<u8>) -> Result<usize, ForwardError> {
        self.inner.forward(forward, body).await
    }

    fn take_set_cookies(
        &self,
        response: usize,
        is_taken: &dyn Fn(&str) -> bool,
    ) -> Result<(usize, Vec<String>), ForwardError> {
        self.inner.take_set_cookies(response, is_taken)
    }

    fn status(&self, response: &usize) -> u16 {
        self.inner.status(response)
    }

    fn field(&self, response: &usize, name: &str) -> Option<String> {
        self.inner.field(response, name)
    }

    fn discard(&self, response: usize) {
        self.inner.discard(response);
    }

    fn has_body(&self, body: &Vec<u8>) -> bool {
        self.inner.has_body(body)
    }

    fn body_again(&self, bytes: &[u8]) -> Result<Vec<u8>, BodyError> {
        self.inner.body_again(bytes)
    }
}
