//! Responses that several flows share.

use std::time::Duration;

use serde_json::{Value, json};

use crate::session::step_up::StepUp;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::json;
use vestibule_oidc::oauth::dpop_proof;
use vestibule_oidc::time::seconds_to_wait;

/// 401: no one is signed in. The body has the address of the sign-in page.
pub(crate) fn unauthorized(sign_in: &str) -> Response {
    Response::json(401, &json!({ "error": "unauthorized", "signInUrl": sign_in }))
        .with("www-authenticate", "Bearer")
        .with("cache-control", "private, no-store")
}

/// 401: only clients with an access token of their own may pass, so there is nowhere to sign in.
pub(crate) fn clients_only() -> Response {
    Response::json(401, &json!({ "error": "unauthorized" }))
        .with("www-authenticate", "Bearer")
        .with("cache-control", "private, no-store")
}

/// 403: this user may not do this.
pub(crate) fn forbidden() -> Response {
    Response::json(403, &json!({ "error": "forbidden" })).with("cache-control", "private, no-store")
}

/// 404: the rules hide whether the path exists.
pub(crate) fn not_found() -> Response {
    Response::json(404, &json!({ "error": "not_found" })).with("cache-control", "private, no-store")
}

/// 403: a page of another origin made the browser send the request.
pub(crate) fn cross_origin() -> Response {
    let body = json!({
        "error": "cross_origin",
        "message": "A page of another origin sent this request. If it may, add its origin to trusted_origins.",
    });
    Response::json(403, &body).with("cache-control", "private, no-store")
}

/// 401: a server function needs a session, as the page that calls it does.
pub(crate) fn server_function(sign_in: &str) -> Response {
    let body = json!({
        "error": "unauthorized",
        "signInUrl": sign_in,
        "message": "A server function needs a session. The rule key server_functions = \"public\" allows it without.",
    });
    Response::json(401, &body).with("www-authenticate", "Bearer").with("cache-control", "private, no-store")
}

/// 414: the path is too long to be decided about (RFC 9110 section 15.5.15).
pub(crate) fn uri_too_long() -> Response {
    Response::json(414, &json!({ "error": "uri_too_long" })).with("cache-control", "private, no-store")
}

/// Why a request cannot pass with its access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenDenied {
    /// The token is not valid (RFC 6750 section 3.1, `invalid_token`). `is_expired` if a new one would help.
    Invalid { is_expired: bool },
    /// The token is valid, but its user may not do this (`insufficient_scope`).
    Insufficient,
    /// The token has expired and the provider gives no new one at the moment, or the provider's keys are unavailable.
    /// Holds how long to wait before the next request.
    Unavailable(Duration),
    /// The token needs, or has, a proof that the client has the key to which it is bound.
    Unproven(Unproven),
}

/// What is wrong with a token that needs or has a proof (RFC 9449 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unproven {
    /// The token is bound to a key, and was sent as a bearer token.
    Missing,
    /// The token itself. `is_expired` if a new one would help.
    Token { is_expired: bool },
    /// The proof.
    Proof,
    /// The proof does not have our nonce. [`RequestContext::proof_nonce`](crate::flow::RequestContext::proof_nonce) is it.
    Nonce,
}

/// The response to a request with such a token (RFC 6750 section 3).
pub(crate) fn token_denied(denied: TokenDenied) -> Response {
    let (status, error, description) = match denied {
        TokenDenied::Unavailable(retry) => return token_unavailable(retry),
        TokenDenied::Invalid { is_expired: true }
        | TokenDenied::Unproven(Unproven::Token { is_expired: true }) => {
            (401, "invalid_token", "the access token has expired")
        }
        TokenDenied::Invalid { is_expired: false } => {
            (401, "invalid_token", "the access token is not valid here")
        }
        TokenDenied::Insufficient => (403, "insufficient_scope", "the access token is not enough for this"),
        TokenDenied::Unproven(Unproven::Missing) => {
            (401, "invalid_token", "the access token is bound to a key, and is accepted with a proof only")
        }
        TokenDenied::Unproven(Unproven::Token { is_expired: false }) => {
            (401, "invalid_token", "the access token is not valid here, or not bound to the key of the proof")
        }
        TokenDenied::Unproven(Unproven::Proof) => {
            (401, "invalid_dpop_proof", "the request has no valid proof that was not used before")
        }
        TokenDenied::Unproven(Unproven::Nonce) => {
            (401, "use_dpop_nonce", "the proof needs the nonce of this response")
        }
    };
    let challenge = format!("error=\"{error}\", error_description=\"{description}\"");
    let challenge = match denied {
        TokenDenied::Unproven(Unproven::Missing) => {
            format!("Bearer {challenge}, DPoP algs=\"{}\"", dpop_proof::algorithms())
        }
        TokenDenied::Unproven(_) => format!("DPoP {challenge}, algs=\"{}\"", dpop_proof::algorithms()),
        _ => format!("Bearer {challenge}"),
    };
    Response::json(status, &json!({ "error": error }))
        .with("www-authenticate", challenge)
        .with("cache-control", "private, no-store")
}

/// 401: the user has to authenticate again, or in another way
/// ([RFC 9470 section 3](https://www.rfc-editor.org/rfc/rfc9470#section-3)). `there` is where a browser does that.
pub(crate) fn insufficient_user_authentication(asked: &StepUp, there: Option<&str>) -> Response {
    let amr = Some(&asked.amr).filter(|amr| !amr.is_empty());
    let body = json::of(&[
        ("error", INSUFFICIENT_USER_AUTHENTICATION.into()),
        ("acr_values", asked.acr_values().into()),
        ("amr", amr.map_or(Value::Null, |amr| json!(amr))),
        ("max_age", asked.max_age.map(|age| age.as_secs()).into()),
        ("signInUrl", there.into()),
    ]);
    Response::json(401, &body)
        .with("www-authenticate", step_up_challenge(asked))
        .with("cache-control", "private, no-store")
}

/// The challenge of that answer.
pub(crate) fn step_up_challenge(asked: &StepUp) -> String {
    let acr_values = asked.acr_values().map(|values| format!(", acr_values=\"{values}\""));
    let max_age = asked.max_age.map(|age| format!(", max_age=\"{}\"", age.as_secs()));
    format!(
        "Bearer error=\"{INSUFFICIENT_USER_AUTHENTICATION}\", \
         error_description=\"a different or a more recent authentication is required\"{}{}",
        acr_values.unwrap_or_default(),
        max_age.unwrap_or_default()
    )
}

/// 403: the same is required, and the provider of this session never shows it.
pub(crate) fn no_step_up() -> Response {
    let body = json!({
        "error": INSUFFICIENT_USER_AUTHENTICATION,
        "message": "The provider of this session does not say how and when it authenticated the user.",
    });
    Response::json(403, &body).with("cache-control", "private, no-store")
}

/// The error code of RFC 9470 section 3.
const INSUFFICIENT_USER_AUTHENTICATION: &str = "insufficient_user_authentication";

/// 503: there is no valid access token at the moment. `retry` becomes `Retry-After`, at least one second.
pub(crate) fn token_unavailable(retry: Duration) -> Response {
    Response::json(503, &json!({ "error": "temporarily_unavailable" }))
        .with("retry-after", seconds_to_wait(retry).to_string())
        .with("cache-control", "private, no-store")
}

/// Adds `cookies` to a response. No cache may store a response that sets a cookie: the next user would get the cookie.
pub(crate) fn with_cookies(mut response: Response, cookies: Vec<SetCookie>) -> Response {
    for cookie in cookies {
        response.headers.append("set-cookie", cookie.to_string());
    }
    if response.headers.contains("set-cookie") && !response.headers.contains("cache-control") {
        response.headers.set("cache-control", "private, no-store");
    }
    response
}
