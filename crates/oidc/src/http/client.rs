//! Requests that Vestibule makes itself, and their answers, as data.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::http::headers::Headers;
use crate::http::request::Method;

/// A request to a provider.
pub struct FetchRequest {
    /// The method.
    pub method: Method,
    /// Absolute URL, checked to be `https` (`http` on loopback).
    pub url: String,
    /// Header fields.
    pub headers: Headers,
    /// Body; empty for GET.
    pub body: Vec<u8>,
    /// The response has to be there, whole, within this time.
    pub timeout: Duration,
    /// The response's body may have this many bytes.
    pub limit: usize,
}

/// A provider's answer, read whole.
#[derive(Clone)]
pub struct FetchResponse {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// Body.
    pub body: Vec<u8>,
}

impl fmt::Debug for FetchRequest {
    /// Without header fields and body: they hold the client's secret, codes and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FetchResponse {
    /// Without header fields and body: they hold tokens and claims.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why a provider gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    /// It took too long.
    #[error("no answer within {}s", .0.as_secs())]
    Timeout(Duration),
    /// Its answer is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// No connection, or it broke; the platform's own words.
    #[error("connection failed: {0}")]
    Connection(String),
}
