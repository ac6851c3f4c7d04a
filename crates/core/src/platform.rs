//! Everything Vestibule does to the world, in one trait: the clock, the dice, the network, the log.
//!
//! A flow is a function of its request, the configuration and what a [`Platform`] answers, so a test with
//! a scripted platform is deterministic, and another runtime costs one implementation.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::reply::Reply;
use crate::upstream::Target;
use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_oidc::http::request::Request;
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::crypto::Crypto;
use vestibule_oidc::time::Timestamp;

/// The runtime around a request. Futures need not be `Send`: a Worker's isolate has one thread.
///
/// A clone is the same runtime around the same request, for work that has to end even where the request does
/// not ([`Platform::to_the_end`]), so it is cheap and owns what it holds.
#[allow(async_fn_in_trait, reason = "no executor of ours moves these futures between threads")]
pub trait Platform: Crypto + Clone + 'static {
    /// An incoming request's body, not read yet.
    type Body;
    /// An upstream's response, its body not read yet.
    type Upstreamed;

    /// The time.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` from a cryptographically secure source.
    fn fill_random(&self, bytes: &mut [u8]);

    /// Writes one line to the operator's log.
    fn log(&self, level: Level, event: &Value);

    /// Reads a whole body of at most `limit` bytes.
    async fn read_body(&self, body: Self::Body, limit: usize) -> Result<Vec<u8>, BodyError>;

    /// Asks a provider. Redirects are not followed, the response is read whole.
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError>;

    /// Sends a request on, its body streamed, and hands back the response, its body streamed. Redirects
    /// are not followed: they are the browser's. One to the target's own origin leads to the one that was asked
    /// ([`Target::location`]).
    ///
    async fn forward(&self, forward: Forward<'_>, body: Self::Body)
    -> Result<Self::Upstreamed, ForwardError>;

    /// [`forward`](Self::forward), where whatever the upstream answers is for the client as it is: a platform that can
    /// hand it over before it is there need not come back.
    async fn pass_on(&self, forward: Forward<'_>, body: Self::Body) -> Reply<Self::Upstreamed> {
        match self.forward(forward, body).await {
            Ok(response) => Reply::Forwarded { response, cookies: Vec::new() },
            Err(error) => {
                self.log(error.level(), &error.log());
                Reply::Own(error.answer())
            }
        }
    }

    /// Waits.
    async fn sleep(&self, time: Duration);

    /// Does `job` to its end, also where the client of this request goes away meanwhile, and answers what it
    /// came to. Where the request is cut off, the job goes on and nobody hears the answer.
    async fn to_the_end<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T;

    /// Where this runs. What is written to the store is seen at once in the same place, and later in others.
    fn location(&self) -> String;

    /// Reads from the shared store: eventually consistent, and what was not there may be remembered.
    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Writes to the shared store; the value is gone after `lifetime`, which is a minute or more.
    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError>;

    /// Hands `call` to the one lease object of that name, which answers by
    /// [`lease::lock::serve`](crate::lease::lock::serve).
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError>;
}

/// A name that nobody can guess: 128 bits, base64url.
pub(crate) fn random_id<P: Platform>(platform: &P) -> String {
    let mut bytes = [0; 16];
    platform.fill_random(&mut bytes);
    base64url::encode(&bytes)
}

/// What `job` comes to, where it does so within `time`. Pinned by the caller, so that it is not compiled again for
/// each kind of job.
pub(crate) async fn within<P: Platform, T>(
    platform: &P,
    time: Duration,
    mut job: Pin<&mut (dyn Future<Output = T> + '_)>,
) -> Option<T> {
    let mut late = pin!(platform.sleep(time));
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
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Somebody sent something wrong; no action is needed.
    Info,
    /// Something outside failed; it may need a look.
    Warn,
    /// It will not work until somebody acts.
    Error,
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
    /// The configuration names a binding that the Worker does not have, or that takes no requests.
    #[error("there is no service or assets binding named {0}")]
    NoBinding(String),
    /// The upstream gave no answer; the platform's own words.
    #[error("the upstream gave no answer: {0}")]
    Unreachable(String),
}

/// Why the shared store, or a lease object, did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The Worker has no binding of that name.
    #[error("there is no binding named {0}")]
    NoBinding(&'static str),
    /// The same key was written a moment ago.
    #[error("the key was written a moment ago")]
    Busy,
    /// Anything else; the platform's own words.
    #[error("{0}")]
    Failed(String),
}
