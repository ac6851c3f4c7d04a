//! The responses that Vestibule itself creates.

use serde::Serialize;

use super::headers::Headers;

/// A response of Vestibule itself, small enough to be held in memory.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// Body in UTF-8; empty for a redirect.
    pub body: String,
}

impl Response {
    /// A response without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Headers::new(), body: String::new() }
    }

    /// A response with `value` as JSON. `value` must have strings as keys: nothing else could fail.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_string(value).unwrap_or_default();
        Self::empty(status).with("content-type", "application/json").with_body(body)
    }

    /// A redirect with status 302 (RFC 9110 section 15.4.3) to `location`, which the caller must have checked.
    pub fn redirect(location: impl AsRef<str>) -> Self {
        Self::empty(302).with("location", location)
    }

    /// Adds a header field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// Forbids every cache to store the response, with the header fields of Auth.js's `/session` and `/csrf`.
    #[must_use]
    pub fn uncached(mut self) -> Self {
        for (name, value) in
            [("cache-control", "private, no-cache, no-store"), ("expires", "0"), ("pragma", "no-cache")]
        {
            self.headers.set(name, value);
        }
        self
    }
}
