//! The interface to the runtime, as traits: the clock, the random source, the network, the stores and the log.
//!
//! A flow depends only on its request, the configuration and the [`Platform`]. So a test with a scripted platform is
//! deterministic, and another runtime needs only another implementation of these traits.

mod forwarder;
mod log;
mod meter;
mod metered;
mod waiting;

use std::time::Duration;

use thiserror::Error;

use crate::log::DataPoint;
pub use crate::platform::forwarder::{BodyError, Forward, ForwardError, Forwarder};
pub use crate::platform::log::Log;
pub use crate::platform::meter::Meter;
pub(crate) use crate::platform::metered::{Metered, answered, watch_provider};
pub use crate::platform::waiting::join_all;
#[cfg(test)]
pub(crate) use crate::platform::waiting::ready;
pub(crate) use crate::platform::waiting::{answered_within, within};
use vestibule_oidc::http::client::{FetchError, FetchRequest, FetchResponse};
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
