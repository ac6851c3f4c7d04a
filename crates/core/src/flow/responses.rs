//! Answers that several flows give.

use std::time::Duration;

use serde_json::json;

use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::response::Response;

/// Nobody is signed in; where one can be.
pub(crate) fn unauthorized(sign_in: &str) -> Response {
    Response::json(401, &json!({ "error": "unauthorized", "signInUrl": sign_in }))
        .with("www-authenticate", "Bearer")
        .with("cache-control", "private, no-store")
}

/// Whoever it is, they may not.
pub(crate) fn forbidden() -> Response {
    Response::json(403, &json!({ "error": "forbidden" })).with("cache-control", "private, no-store")
}

/// Nobody needs to know whether there is something.
pub(crate) fn not_found() -> Response {
    Response::json(404, &json!({ "error": "not_found" })).with("cache-control", "private, no-store")
}

/// A page of another origin made the browser send the request.
pub(crate) fn cross_origin() -> Response {
    let body = json!({
        "error": "cross_origin",
        "message": "A page of another origin sent this request. If it may, its origin belongs in trusted_origins.",
    });
    Response::json(403, &body).with("cache-control", "private, no-store")
}

/// A server function needs a session, as the page does on which it is called.
pub(crate) fn server_function(sign_in: &str) -> Response {
    let body = json!({
        "error": "unauthorized",
        "signInUrl": sign_in,
        "message": "A server function needs a session. The rule key server_functions = \"public\" allows it without.",
    });
    Response::json(401, &body).with("www-authenticate", "Bearer").with("cache-control", "private, no-store")
}

/// The path is too long to be decided about (RFC 9110 section 15.5.15).
pub(crate) fn uri_too_long() -> Response {
    Response::json(414, &json!({ "error": "uri_too_long" })).with("cache-control", "private, no-store")
}

/// Why an access token does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenDenied {
    /// It is wrong (RFC 6750 section 3.1, `invalid_token`); whether the next one may do.
    Invalid { is_expired: bool },
    /// It is somebody's who may not.
    Insufficient,
    /// It has ended and the provider gives no other for now, or its keys cannot be had; when to come back.
    Unavailable(Duration),
}

/// What a client gets whose access token does not do (RFC 6750 section 3).
pub(crate) fn of_token(why: TokenDenied) -> Response {
    let (status, error, description) = match why {
        TokenDenied::Unavailable(retry) => return no_token(retry),
        TokenDenied::Invalid { is_expired: true } => (401, "invalid_token", "the access token has expired"),
        TokenDenied::Invalid { is_expired: false } => {
            (401, "invalid_token", "the access token is not valid here")
        }
        TokenDenied::Insufficient => (403, "insufficient_scope", "the access token is not enough for this"),
    };
    let challenge = format!("Bearer error=\"{error}\", error_description=\"{description}\"");
    Response::json(status, &json!({ "error": error }))
        .with("www-authenticate", challenge)
        .with("cache-control", "private, no-store")
}

/// The access token has ended, and the provider gives no other for now.
pub(crate) fn no_token(retry: Duration) -> Response {
    Response::json(503, &json!({ "error": "temporarily_unavailable" }))
        .with("retry-after", retry.as_secs().max(1).to_string())
        .with("cache-control", "private, no-store")
}

/// Adds `cookies` to a response. One that sets a cookie must not be kept by any cache: the next person
/// would get it.
pub(crate) fn with_cookies(mut response: Response, cookies: Vec<SetCookie>) -> Response {
    for cookie in cookies {
        response.headers.append("set-cookie", cookie.to_string());
    }
    if response.headers.contains("set-cookie") && !response.headers.contains("cache-control") {
        response.headers.set("cache-control", "private, no-store");
    }
    response
}
