//! Everything Vestibule does to the world, as traits: the clock, the random source, the network, the stores, the log.
//!
//! A flow is a function of its request, the configuration and what a [`Platform`] answers, so a test with
//! a scripted platform is deterministic, and another runtime costs one implementation.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use serde_json::json;
use thiserror::Error;

use crate::guard::headers::EdgeFields;
use crate::log::{ErrorSource, Line, LogEvent, Record, RequestDetails};
use crate::outcome::Outcome;
use crate::upstream::Target;
use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::crypto::Crypto;
use vestibule_oidc::time::Timestamp;

/// The runtime around a request: the sum of what it is asked for, by concern. Whatever implements the parts is one.
///
/// Futures need not be `Send`: nothing here moves them between threads.
///
/// A clone is the same runtime around the same request, for work that has to end even where the request does
/// not ([`Background::run_to_completion`]), so it is cheap and owns what it holds.
pub trait Platform:
    Clock + Random + Log + Crypto + HttpClient + Store + Lock + Forwarder + Background + Clone + 'static
{
}

impl<T> Platform for T where
    T: Clock + Random + Log + Crypto + HttpClient + Store + Lock + Forwarder + Background + Clone + 'static
{
}

/// Time, as it passes.
#[allow(async_fn_in_trait, reason = "no executor of ours moves these futures between threads")]
pub trait Clock {
    /// The time, in milliseconds since 1970. It may stand still while nothing is waited for, and go back where a clock
    /// is set.
    fn now(&self) -> Timestamp;

    /// Waits, at least so long. A future that is dropped stops waiting.
    async fn sleep(&self, time: Duration);
}

/// The random source.
pub trait Random {
    /// Fills `bytes` from a cryptographically secure source, which does not fail.
    fn fill_random(&self, bytes: &mut [u8]);
}

/// The operator's log.
pub trait Log {
    /// Writes one line, with its level where the runtime's log has levels. A line that cannot be written is lost.
    fn log(&self, line: &Line);
}

/// The requests that are not the client's but ours: to providers.
#[allow(async_fn_in_trait, reason = "no executor of ours moves these futures between threads")]
pub trait HttpClient {
    /// Sends a request and reads the response whole, within the time and the number of bytes that the request says.
    /// Redirects are not followed: the response is the redirect.
    ///
    /// A future that is dropped may have sent the request or not; its response is lost.
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError>;
}

/// A store that all processes share. It is eventually consistent: a write is seen at once where it was made, in other
/// locations up to a minute later; so long may also be remembered that a value was not there. There is no
/// compare-and-swap.
#[allow(async_fn_in_trait, reason = "no executor of ours moves these futures between threads")]
pub trait Store {
    /// Reads a value; `None` where there is none, or its lifetime is over.
    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Writes a value, which is gone after `lifetime`: a minute or more, in whole seconds. [`StoreError::Busy`] where the
    /// same key was written a moment ago, about a second.
    ///
    /// A future that is dropped may have written the value or not.
    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError>;

    /// The name of the location that this runs in, the same for all that see each other's writes at once.
    fn location(&self) -> String;
}

/// Locks, one for each name, each with a memory that lasts.
#[allow(async_fn_in_trait, reason = "no executor of ours moves these futures between threads")]
pub trait Lock {
    /// Hands `call` to the one lock of that name and brings its answer. A lock answers one call after the other, by
    /// [`lease::lock::serve`](crate::lease::lock::serve), and remembers before it answers.
    ///
    /// A future that is dropped, or fails, may have been answered or not: the same call may be made again.
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError>;
}

/// The way of the client's requests to the servers behind.
#[allow(async_fn_in_trait, reason = "no executor of ours moves these futures between threads")]
pub trait Forwarder: Log {
    /// An incoming request's body, not read yet.
    type Body;
    /// An upstream's response, its body not read yet.
    type UpstreamResponse;

    /// Reads a whole body of at most `limit` bytes. A future that is dropped has read a part of it, and the rest is lost.
    async fn read_body(&self, body: Self::Body, limit: usize) -> Result<Vec<u8>, BodyError>;

    /// Sends a request on, its body streamed, and hands back the response, its body streamed. Redirects
    /// are not followed: they are the browser's. One to the target's own origin leads to the one that was asked
    /// ([`Target::location`]).
    ///
    /// A future that is dropped ends the request to the upstream, which may have been answered or not.
    async fn forward(
        &self,
        forward: Forward<'_>,
        body: Self::Body,
    ) -> Result<Self::UpstreamResponse, ForwardError>;

    /// [`forward`](Self::forward), where whatever the upstream answers is for the client as it is: a runtime that can
    /// hand it over before it is there need not come back.
    async fn forward_streaming(
        &self,
        forward: Forward<'_>,
        body: Self::Body,
    ) -> Outcome<Self::UpstreamResponse> {
        let (request, edge) = (forward.request, forward.edge);
        match self.forward(forward, body).await {
            Ok(response) => Outcome::Forwarded { response, cookies: Vec::new() },
            Err(error) => {
                self.log(&error.record().in_request(&RequestDetails::of(request, edge)));
                Outcome::Response(error.answer())
            }
        }
    }
}

/// Work that ends even where its request does not.
#[allow(async_fn_in_trait, reason = "no executor of ours moves these futures between threads")]
pub trait Background {
    /// Does `job` to its end, also where the client of this request goes away meanwhile, and answers what it
    /// came to. Where the future is dropped, the job goes on and nobody hears the answer.
    async fn run_to_completion<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T;
}

/// A name that nobody can guess: 128 bits, base64url.
pub(crate) fn random_id(random: &impl Random) -> String {
    let mut bytes = [0; 16];
    random.fill_random(&mut bytes);
    base64url::encode(&bytes)
}

/// What `job` comes to, where it does so within `time`. Pinned by the caller, so that it is not compiled again for
/// each kind of job.
pub(crate) async fn within<T>(
    clock: &impl Clock,
    time: Duration,
    mut job: Pin<&mut (dyn Future<Output = T> + '_)>,
) -> Option<T> {
    let mut late = pin!(clock.sleep(time));
    std::future::poll_fn(|context| match job.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => late.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// A request on its way to its upstream.
pub struct Forward<'a> {
    /// Where to.
    pub target: &'a Target,
    /// As it came. It goes on with the same method, path and query.
    pub request: &'a Request,
    /// What of its header fields is another for the upstream.
    pub changes: Changes,
    /// Whether the response is one person's: it is neither taken from a shared cache on the way nor put into one.
    pub personal: bool,
    /// The fields in which the network in front says something: the log names the request by one of them.
    pub edge: EdgeFields,
}

/// Why a request's body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// It is larger than allowed.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The client stopped sending.
    #[error("the body ended early")]
    Incomplete,
}

/// Why a request could not be forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForwardError {
    /// The configuration names a service that the runtime does not have, or that takes no requests; what it is called
    /// there.
    #[error(
        "an upstream names a service that does not exist: there is no {0}; add it, or correct the upstream's `to`"
    )]
    NoService(String),
    /// The upstream did not respond; the runtime's own words.
    #[error("the upstream did not respond: {0}")]
    Unreachable(String),
}

impl ForwardError {
    /// What the log says.
    pub fn record(&self) -> Record {
        let error_source = match self {
            Self::NoService(_) => ErrorSource::Configuration,
            Self::Unreachable(_) => ErrorSource::Platform,
        };
        Record::new(LogEvent::ForwardFailed, self).caused_by(error_source)
    }

    /// What the client gets.
    pub fn answer(&self) -> Response {
        let status = match self {
            Self::NoService(_) => 500,
            Self::Unreachable(_) => 502,
        };
        Response::json(status, &json!({ "error": "upstream_unavailable" }))
            .with("cache-control", "private, no-store")
    }
}

/// Why the shared store, or a lock, did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The runtime has none; what it is called there.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// The same key was written a moment ago.
    #[error("the key was written a moment ago")]
    Busy,
    /// Anything else; the runtime's own words.
    #[error("{0}")]
    Failed(String),
}
