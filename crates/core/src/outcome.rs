//! The result of [`crate::Vestibule::handle`], which the platform sends to the client.

use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::response::Response;

/// The response to a request.
#[derive(Debug)]
pub enum Outcome<U> {
    /// A response of Vestibule itself.
    Response(Response),
    /// The upstream's response, which the platform streams to the client unchanged, except for the cookies.
    Forwarded {
        /// The response, as the platform received it.
        response: U,
        /// Cookies to add to the response. If there are any, the platform also sets
        /// `Cache-Control: private, no-store`, so that another user does not get them from a cache.
        cookies: Vec<SetCookie>,
        /// Whether the platform sets `Cache-Control: private, no-store` although there are no cookies, so that not even the
        /// browser keeps the response.
        no_store: bool,
    },
}
