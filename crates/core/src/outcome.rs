//! The result of [`crate::Vestibule::handle`], which the platform sends to the client.

use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::response::Response;

/// The value of `Cache-Control` in an upstream's response that no cache may keep.
pub const NOT_STORED: &str = "private, no-store";

/// The fields to remove from such a response: a cache that finds one of them ignores `Cache-Control` (RFC 9213 section 2.2).
pub const TARGETED_CACHES: [&str; 3] =
    ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];

/// The response to a request.
#[derive(Debug)]
pub enum Outcome<U> {
    /// A response of Vestibule itself.
    Response(Response),
    /// The upstream's response, which the platform streams to the client unchanged, except for the cookies.
    Forwarded {
        /// The response, as the platform received it.
        response: U,
        /// Cookies to add to the response. If there are any, the platform also sets `Cache-Control` to
        /// [`NOT_STORED`] and removes [`TARGETED_CACHES`], so that another user does not get them from a cache.
        cookies: Vec<SetCookie>,
        /// Whether the platform sets `Cache-Control: private, no-store` although there are no cookies, so that not even the
        /// browser keeps the response.
        no_store: bool,
        /// The value of a field `Server-Timing` that the platform adds to the response, in development.
        server_timing: Option<String>,
    },
}

impl<U> Outcome<U> {
    /// The upstream's response, unchanged.
    pub fn forwarded(response: U) -> Self {
        Self::Forwarded { response, cookies: Vec::new(), no_store: false, server_timing: None }
    }

    /// The same, with a field `Server-Timing`.
    pub(crate) fn with_server_timing(mut self, value: String) -> Self {
        match &mut self {
            Self::Response(response) => response.headers.append("server-timing", value),
            Self::Forwarded { server_timing, .. } => *server_timing = Some(value),
        }
        self
    }
}
