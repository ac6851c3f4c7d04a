//! The interface to the runtime, as traits: the clock, the random source, the network, the stores and the log.
//!
//! A flow depends only on its request, the configuration and the [`Platform`]. So a test with a scripted platform is
//! deterministic, and another runtime needs only another implementation of these traits.

mod meter;
mod metered;
mod waiting;

use std::time::Duration;

use serde_json::json;
use thiserror::Error;

use crate::guard::headers::EdgeFields;
use crate::log::{DataPoint, ErrorSource, Line, LogEvent, Record, RequestDetails};
use crate::outcome::Outcome;
pub use crate::platform::meter::Meter;
pub(crate) use crate::platform::metered::{Metered, answered, watch_provider};
pub use crate::platform::waiting::join_all;
pub(crate) use crate::platform::waiting::{answered_within, within};
use crate::upstream::path_prefix::PathPrefix;
use crate::upstream::{Target, upstream_path, upstream_path_and_query};
use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::crypto::Crypto;
use vestibule_oidc::time::Timestamp;

/// The runtime of a request: all traits of this module. A type that implements them is a platform.
///
/// Futures need not be `Send`: the core does not move them between threads.
///
/// A clone is the same runtime for the same request. It is for work that must finish even if the request ends early
/// ([`Background::run_to_completion`]), so cloning is cheap and a clone owns its data.
pub trait Platform:
    Clock
    + Random
    + Log
    + Crypto
    + HttpClient
    + Store
    + Lock
    + RateLimit
    + Sinks
    + Unicode
    + Forwarder
    + Background
    + Clone
    + 'static
{
}

impl<T> Platform for T where
    T: Clock
        + Random
        + Log
        + Crypto
        + HttpClient
        + Store
        + Lock
        + RateLimit
        + Sinks
        + Unicode
        + Forwarder
        + Background
        + Clone
        + 'static
{
}

/// The clock.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait Clock {
    /// The current time, in milliseconds since 1970. It may stand still between two awaits, and go back when the
    /// clock is set.
    fn now(&self) -> Timestamp;

    /// Waits for at least `time`. Dropping the future stops waiting.
    async fn sleep(&self, time: Duration);
}

/// The random source.
pub trait Random {
    /// Fills `bytes` from a cryptographically secure source. It cannot fail.
    fn fill_random(&self, bytes: &mut [u8]);
}

/// The operator's log.
pub trait Log {
    /// Writes one line, with its level where the runtime's log has levels. A line that cannot be written is lost.
    fn log(&self, line: &Line);
}

/// Where lines of the audit log go besides the log, and metrics. The operator chooses which of them there are.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait Sinks {
    /// Sends messages to the queue, each a JSON object: at most 100, of 256 kB together. [`StoreError::Missing`] if there is no
    /// queue.
    ///
    /// If the future is dropped, they may have been sent or not.
    async fn send_to_queue(&self, messages: &[String]) -> Result<(), StoreError>;

    /// Adds rows to the dataset, at most 25 in one request. It does not wait until they are stored. [`StoreError::Missing`] if
    /// there is no dataset.
    fn write_points(&self, points: &[DataPoint]) -> Result<(), StoreError>;

    /// Adds rows to the dataset of metrics, as [`write_points`](Self::write_points) does to its own: at most 20 of one request.
    fn write_metrics(&self, _points: &[DataPoint]) -> Result<(), StoreError> {
        Err(StoreError::Missing("dataset of metrics"))
    }

    /// What this request is measured by. A runtime has none: the core puts its own around it where the operator wants metrics.
    fn meter(&self) -> Option<&Meter> {
        None
    }
}

/// The HTTP client for Vestibule's own requests, to providers.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait HttpClient {
    /// Sends a request and reads the whole response, within the request's timeout and maximum number of bytes. A
    /// redirect is not followed but returned.
    ///
    /// If the future is dropped, the request may have been sent or not; the response is lost.
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError>;
}

/// A key-value store that all processes share. It is eventually consistent: a write is visible at once in its own
/// location, and up to a minute later in others. A read that found nothing may be remembered for as long. There is no
/// compare-and-swap.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait Store {
    /// Reads a value. `None` if there is none, or if its lifetime has ended.
    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Reads several values at once: one for each key, in the order of the keys. At most 100 keys.
    async fn read_store_many(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError>;

    /// Writes a value that expires after `lifetime`, which is at least a minute and in whole seconds. It may fail with
    /// [`StoreError::Busy`] if the same key was written less than about a second ago, or if there are too many writes in
    /// total.
    ///
    /// If the future is dropped, the value may have been written or not.
    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError>;

    /// Deletes a value; that there is none is no error. It is gone at once in this location, and up to a minute later in
    /// others.
    ///
    /// If the future is dropped, the value may have been deleted or not.
    async fn delete_store(&self, key: &str) -> Result<(), StoreError>;

    /// The name of the current location. Processes with the same name see each other's writes at once.
    fn location(&self) -> String;

    /// Whether the documents of providers are stored here, too, because a process may be as short as one request. Where
    /// processes remember them, it would only cost reads and writes.
    fn stores_documents(&self) -> bool {
        false
    }
}

/// Locks by name, each with persistent memory.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait Lock {
    /// Sends `call` to the only lock of this name and returns its answer. A lock handles one call at a time, with
    /// [`lease::lock::serve`](crate::lease::lock::serve), and stores its record before it answers.
    ///
    /// A call may have to wait until another call changes the record, or until a time. While it waits, the lock handles
    /// other calls; [`lease::lock::WaitingCalls`](crate::lease::lock::WaitingCalls) keeps it and says when to answer. So
    /// this future may take as long as the call says, at most ten seconds. If the lock moves or restarts, the future
    /// fails.
    ///
    /// If the future is dropped or fails, the lock may have handled the call or not, and a call that waits is removed, if
    /// the lock learns of it. The same call may be repeated.
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError>;
}

/// Limits how often something is done.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait RateLimit {
    /// Counts one more use by `key`, and says whether it is within this limit, which the operator set. The count may be
    /// that of one location, and approximate. [`StoreError::Missing`] if the operator set none: then the caller counts by
    /// itself.
    ///
    /// If the future is dropped, the use may have been counted or not.
    async fn is_within_limit(&self, limit: Limit, key: &str) -> Result<bool, StoreError>;
}

/// A limit that the operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Of requests to the operators' route, by address.
    Revoke,
    /// Of sign-in forms for one account from one address: tight.
    Login,
    /// Of sign-in forms from one address, and of those for one account: loose.
    LoginLoose,
}

/// Unicode's forms of a text, whose tables a runtime has already.
pub trait Unicode {
    /// The compatibility decomposition of a text (NFKD, Unicode Standard Annex 15).
    fn nfkd(&self, text: &str) -> String;
}

/// Forwards the client's requests to upstreams.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait Forwarder: Log {
    /// The body of an incoming request, not read yet.
    type Body;
    /// An upstream's response, with its body not read yet.
    type UpstreamResponse;

    /// Reads a whole body of at most `limit` bytes. If the future is dropped, the body is lost.
    async fn read_body(&self, body: Self::Body, limit: usize) -> Result<Vec<u8>, BodyError>;

    /// Forwards a request and returns the response; both bodies are streamed. Redirects are not followed: the browser
    /// follows them. A redirect to the target's own origin is changed to the origin of the request
    /// ([`Forward::location`]).
    ///
    /// Dropping the future cancels the request to the upstream, which may have handled it or not.
    async fn forward(
        &self,
        forward: Forward<'_>,
        body: Self::Body,
    ) -> Result<Self::UpstreamResponse, ForwardError>;

    /// Takes those `Set-Cookie` fields out of an upstream's response for whose values `is_taken` is true, and returns them.
    /// The rest of the response stays as it is, with its other cookies. An error if the runtime cannot change the response,
    /// which the client then does not get.
    fn take_set_cookies(
        &self,
        response: Self::UpstreamResponse,
        is_taken: &dyn Fn(&str) -> bool,
    ) -> Result<(Self::UpstreamResponse, Vec<String>), ForwardError>;

    /// The status of an upstream's response.
    fn status(&self, response: &Self::UpstreamResponse) -> u16;

    /// The value of a header field of an upstream's response; several fields of that name are one text with commas between
    /// them (RFC 9110 section 5.3).
    fn field(&self, response: &Self::UpstreamResponse, name: &str) -> Option<String>;

    /// Drops an upstream's response: the rest of its body is not needed.
    fn discard(&self, response: Self::UpstreamResponse);

    /// Whether the request that arrived has a body. `true` where that is not known before the body is read.
    fn has_body(&self, body: &Self::Body) -> bool;

    /// The body of the request that arrived, made once more of the bytes that [`read_body`](Self::read_body) returned. Not
    /// for a GET or a HEAD request with a body. An error if the runtime cannot make it.
    fn body_again(&self, bytes: &[u8]) -> Result<Self::Body, BodyError>;

    /// The response, unless the upstream says that there is nothing at the address (404, 410): its body is then discarded.
    fn unless_missing(&self, response: Self::UpstreamResponse) -> Option<Self::UpstreamResponse> {
        if matches!(self.status(&response), 404 | 410) {
            self.discard(response);
            return None;
        }
        Some(response)
    }

    /// Sends the head of a request without its body and its query, and returns the head of the response: its status and its
    /// header fields. The body of the response is not read.
    ///
    /// If the future is dropped, the request to the upstream ends.
    async fn forward_head(&self, forward: Forward<'_>) -> Result<Response, ForwardError>;

    /// Like [`forward`](Self::forward), if the client gets the upstream's response unchanged. A runtime can implement
    /// this without waiting for the response.
    async fn forward_streaming(
        &self,
        forward: Forward<'_>,
        body: Self::Body,
    ) -> Outcome<Self::UpstreamResponse> {
        let (request, edge) = (forward.request, forward.edge);
        match self.forward(forward, body).await {
            Ok(response) => Outcome::forwarded(response),
            Err(error) => {
                self.log(&error.record().in_request(&RequestDetails::of(request, edge)));
                Outcome::Response(error.answer())
            }
        }
    }
}

/// Work that finishes even if its request ends early.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait Background {
    /// Runs `job` to completion, even if the client of this request disconnects meanwhile, and returns its result. If
    /// the future is dropped, the job continues and its result is lost.
    async fn run_to_completion<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T;

    /// Starts `job`, which runs to completion after the response was sent. No one waits for it.
    fn spawn(&self, job: impl Future<Output = ()> + 'static);
}

/// An unguessable identifier: 128 random bits in base64url.
pub(crate) fn random_id(random: &impl Random) -> String {
    let mut bytes = [0; 16];
    random.fill_random(&mut bytes);
    base64url::encode(&bytes)
}

/// A request to forward to an upstream.
pub struct Forward<'a> {
    /// The server that the request goes to.
    pub target: &'a Target,
    /// The request as it arrived. It is forwarded with the same method and query, and at [`Forward::url`].
    pub request: &'a Request,
    /// The beginning of the request's path that the server does not get.
    pub strip_prefix: Option<&'a PathPrefix>,
    /// The changes to the request's headers.
    pub changes: Changes,
    /// Whether the response is for one user. Then it is neither read from a shared cache on the way nor written to one.
    pub personal: bool,
    /// The fields in which the network in front says something: the log names the request by one of them.
    pub edge: EdgeFields,
}

impl Forward<'_> {
    /// The URL of the request to the server, if it differs from that of the request that arrived.
    pub fn url(&self) -> Option<String> {
        self.target.url(&self.request.url, self.strip_prefix)
    }

    /// The path of the request to the server.
    pub fn path(&self) -> &str {
        upstream_path(&self.request.url, self.strip_prefix)
    }

    /// The same with the query.
    pub fn path_and_query(&self) -> String {
        upstream_path_and_query(&self.request.url, self.strip_prefix)
    }

    /// The `Location` for the browser, if it must differ from the server's.
    pub fn location(&self, location: &str) -> Option<String> {
        self.target.location(location, &self.request.url, self.strip_prefix)
    }
}

/// Why a request's body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// The body is larger than allowed; the limit in bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The client stopped sending.
    #[error("the body ended early")]
    Incomplete,
}

/// Why a request could not be forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForwardError {
    /// The configuration leads to a server that the runtime does not know, or that does not accept requests.
    #[error("there is no {missing}: {fix}")]
    NoServer {
        /// What there is not.
        missing: String,
        /// How to name the server to the runtime, or what else to write.
        fix: String,
    },
    /// The upstream's response has cookies that the client must not get, and they cannot be taken out; the runtime's error
    /// message.
    #[error("the upstream's cookies could not be taken out of its response: {0}")]
    Cookies(String),
    /// There is no proof of possession for the access token; the runtime's error message.
    #[error("the proof for the access token could not be signed: {0}")]
    NoProof(String),
    /// The client stopped sending the body, or sent one that is none; why.
    #[error("the client did not send the whole body: {0}")]
    Incomplete(String),
    /// The upstream did not respond; the runtime's error message.
    #[error("the upstream did not respond: {0}")]
    Unreachable(String),
}

impl ForwardError {
    /// There is no server where requests go without an upstream; `start` is how to name it: ``start the server with …``.
    pub fn no_origin(start: &str) -> Self {
        let missing =
            "server for `to = \"origin\"`, which is also where requests without an upstream go".to_owned();
        Self::NoServer { missing, fix: format!("{start}, or write an upstream that leads elsewhere") }
    }

    /// There is no service of this name; `start` is how to name it.
    pub fn no_service(name: &str, start: &str) -> Self {
        let missing = format!("server for `to = \"service:{name}\"`");
        Self::NoServer { missing, fix: format!("{start}, or correct the upstream's `to`") }
    }

    /// What the log says.
    pub fn record(&self) -> Record {
        let error_source = match self {
            Self::NoServer { .. } => ErrorSource::Configuration,
            Self::Incomplete(_) => ErrorSource::Client,
            Self::Unreachable(_) | Self::Cookies(_) | Self::NoProof(_) => ErrorSource::Platform,
        };
        Record::new(LogEvent::ForwardFailed, self).caused_by(error_source)
    }

    /// The response to the client.
    pub fn answer(&self) -> Response {
        let (status, error) = match self {
            Self::Incomplete(_) => (400, "incomplete_body"),
            Self::NoServer { .. } | Self::NoProof(_) => (500, "upstream_unavailable"),
            Self::Unreachable(_) | Self::Cookies(_) => (502, "upstream_unavailable"),
        };
        Response::json(status, &json!({ "error": error })).with("cache-control", "private, no-store")
    }
}

/// Why an operation on the shared store, or a call to a lock, failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The runtime has no such store or lock; the runtime's description of it.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// The store refuses the write for now: the same key was written a moment ago, or there are too many writes in total.
    #[error("the store refuses the write: too many of this key, or in total")]
    Busy,
    /// Any other failure; the error message.
    #[error("{0}")]
    Failed(String),
}
