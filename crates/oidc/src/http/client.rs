//! Requests that Vestibule itself sends, and their responses, as data.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::http::headers::Headers;
use crate::http::request::Method;
use crate::time::Timestamp;

/// A request to a provider.
#[derive(Clone)]
pub struct FetchRequest {
    /// The method.
    pub method: Method,
    /// Absolute URL, checked to be `https` (`http` on loopback).
    pub url: String,
    /// Header fields.
    pub headers: Headers,
    /// Body; empty for GET.
    pub body: Vec<u8>,
    /// The whole response must arrive within this time.
    pub timeout: Duration,
    /// The maximum size of the response's body, in bytes.
    pub limit: usize,
}

/// A provider's response with its whole body.
#[derive(Clone)]
pub struct FetchResponse {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// Body.
    pub body: Vec<u8>,
}

impl FetchResponse {
    /// How long to wait before the next request: `Retry-After`, in seconds or as a date (RFC 9110 section 10.2.3).
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let value = self.headers.get("retry-after")?.trim();
        if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
            // A number that does not fit is limited by the caller.
            return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
        }
        Timestamp::parse_cookie_date(value).map(|at| at.since(now))
    }
}

impl fmt::Debug for FetchRequest {
    /// Leaves out header fields and body: they contain the client secret, codes and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FetchResponse {
    /// Leaves out header fields and body: they contain tokens and claims.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why there is no response from a provider.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    /// The response took too long.
    #[error("no response within {}s", .0.as_secs())]
    Timeout(Duration),
    /// The response is larger than allowed.
    #[error("the response is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection could not be made, or it broke. The text is the platform's own message.
    #[error("connection failed: {0}")]
    Connection(String),
}
