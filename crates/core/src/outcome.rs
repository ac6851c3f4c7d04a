//! What [`crate::Vestibule::handle`] gives back for the platform to send.

use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::response::Response;

/// The answer to a request.
#[derive(Debug)]
pub enum Outcome<U> {
    /// Vestibule's own.
    Response(Response),
    /// The upstream's, to be streamed through as it is, but for these cookies.
    Forwarded {
        /// As the platform got it.
        response: U,
        /// To be added. Where there are any, the platform also makes the response
        /// `Cache-Control: private, no-store`: the next person must not get them from a cache.
        cookies: Vec<SetCookie>,
    },
}
