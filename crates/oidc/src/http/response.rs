//! The answers that Vestibule gives itself.

use serde::Serialize;

use super::headers::Headers;

/// An answer of our own, complete and small.
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
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Headers::new(), body: String::new() }
    }

    /// `value` as JSON. It has strings for names; nothing else can fail.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_string(value).unwrap_or_default();
        Self::empty(status).with("content-type", "application/json").with_body(body)
    }

    /// 302 (RFC 9110 section 15.4.3) to `location`, which must have been checked.
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::empty(302).with("location", location)
    }

    /// The same with one more header field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The same with that body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// The same, never to be cached: what `/session` and `/csrf` answer with.
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
