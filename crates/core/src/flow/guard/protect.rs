//! What every request passes that is not for an auth route: the first rule that matches says who may.

use std::time::Duration;

use serde_json::json;

use crate::flow::guard::admission::{self, Refusal, Refused};
use crate::flow::guard::bearer::TokenRefused;
use crate::flow::guard::forward;
use crate::flow::hosts::{self, Standing};
use crate::flow::session::renew;
use crate::flow::{Exchange, pages, with_cookies};
use crate::guard::path::CanonicalPath;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::platform::Platform;
use crate::reply::Reply;
use crate::session::claims::Session;

/// Forwards the request, or says why not.
pub(crate) async fn protect<P: Platform>(
    exchange: &Exchange<'_, P>,
    path: &CanonicalPath,
    body: P::Body,
) -> Reply<P::Upstreamed> {
    match admission::admit(exchange, path).await {
        Ok(admitted) => forward::forward(exchange, admitted, body).await,
        Err(refused) => Reply::Own(refusal(exchange, refused)),
    }
}

/// What a client gets who may not pass.
pub(crate) fn refusal<P: Platform>(exchange: &Exchange<'_, P>, refused: Refused) -> Response {
    let answer = match (refused.why, exchange.standing) {
        (Refusal::SignIn | Refusal::Forbidden, Standing::Foreign(domain)) => hosts::refuse(exchange, domain),
        (Refusal::SignIn, _) => to_sign_in(exchange),
        (Refusal::Forbidden, _) => forbidden(exchange, refused.session.as_ref()),
        (Refusal::NotFound, _) => not_found(),
        (Refusal::Elsewhere(login), _) => renew::send(exchange, &login),
        (Refusal::Token(why), _) => of_token(why),
    };
    with_cookies(answer, refused.cookies)
}

/// What a client gets whose access token does not do (RFC 6750 section 3).
pub(crate) fn of_token(why: TokenRefused) -> Response {
    let (status, error, description) = match why {
        TokenRefused::Unavailable(retry) => return no_token(retry),
        TokenRefused::Invalid { is_expired: true } => (401, "invalid_token", "the access token has expired"),
        TokenRefused::Invalid { is_expired: false } => {
            (401, "invalid_token", "the access token is not valid here")
        }
        TokenRefused::Insufficient => (403, "insufficient_scope", "the access token is not enough for this"),
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

/// The way to sign in: a redirect for a person, 401 with the address for a script.
fn to_sign_in<P: Platform>(exchange: &Exchange<'_, P>) -> Response {
    let request = exchange.request;
    let sign_in = sign_in_url(exchange);
    if is_navigation(request) {
        return Response::redirect(sign_in).with("cache-control", "private, no-store");
    }
    unauthorized(&sign_in)
}

/// Nobody is signed in; where one can be.
pub(crate) fn unauthorized(sign_in: &str) -> Response {
    Response::json(401, &json!({ "error": "unauthorized", "signInUrl": sign_in }))
        .with("www-authenticate", "Bearer")
        .with("cache-control", "private, no-store")
}

fn forbidden<P: Platform>(exchange: &Exchange<'_, P>, session: Option<&Session>) -> Response {
    if is_navigation(exchange.request) {
        return pages::forbidden(exchange, session);
    }
    Response::json(403, &json!({ "error": "forbidden" })).with("cache-control", "private, no-store")
}

fn not_found() -> Response {
    Response::json(404, &json!({ "error": "not_found" })).with("cache-control", "private, no-store")
}

/// The sign-in page, from which one comes back to what was asked for.
pub(crate) fn sign_in_url<P: Platform>(exchange: &Exchange<'_, P>) -> String {
    hosts::sign_in_page(exchange, &hosts::address(exchange))
}

/// Whether a person waits for a page: a redirect reaches them. A script's request would follow it and get
/// a page where it wants data; a browser that asks ahead would keep where it led to, and show that to somebody who
/// has signed in since.
pub(crate) fn is_navigation(request: &Request) -> bool {
    if request.headers.contains("upgrade")
        || request.is_prefetch()
        || !matches!(request.method, Method::Get | Method::Head | Method::Post)
    {
        return false;
    }
    if let Some(mode) = request.headers.get("sec-fetch-mode") {
        return mode == "navigate";
    }
    let accepts_html = |accept: &str| accept.to_ascii_lowercase().contains("text/html");
    !request.headers.contains("x-requested-with") && request.headers.get("accept").is_some_and(accepts_html)
}
