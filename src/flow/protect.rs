//! What every request passes that is not for an auth route: the first rule that matches says who may.

use serde_json::json;

use crate::flow::{Exchange, forward, pages, with_parameters};
use crate::guard::path::CanonicalPath;
use crate::guard::rules::Deny;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::platform::{Level, Platform};
use crate::reply::Reply;
use crate::session::cookie::Presented;

/// Forwards the request, or says why not.
pub(crate) async fn protect<P: Platform>(
    exchange: &Exchange<'_, P>,
    path: &CanonicalPath,
    body: P::Body,
) -> Reply<P::Upstreamed> {
    let request = exchange.request;
    if is_preflight(request) {
        // It carries no credentials and is answered by whoever knows the API's rules; the request that
        // follows is guarded.
        return forward::forward(exchange, path, body, None, Vec::new()).await;
    }

    let decided = exchange.config().rules.decide(&request.url.authority, &request.method, path);
    let is_public = decided.is_public();
    if is_public && !forward::upstream(exchange).is_some_and(super::super::config::Upstream::wants_session) {
        return forward::forward(exchange, path, body, None, Vec::new()).await;
    }

    match exchange.session() {
        Presented::Good(session) if decided.admits(session.claims()) => {
            // On a public path nothing is renewed: its responses may be for caches.
            let renewed = if is_public { Vec::new() } else { exchange.renewal_cookies(&session) };
            forward::forward(exchange, path, body, Some(&session), renewed).await
        }
        _ if is_public => forward::forward(exchange, path, body, None, Vec::new()).await,
        Presented::Good(_) => Reply::Own(lacking_claims(exchange, decided.deny)),
        Presented::Nothing => Reply::Own(signed_out(exchange, decided.deny)),
        Presented::Refused(reason) => {
            exchange.log(Level::Info, "session_refused", &reason);
            Reply::Own(signed_out(exchange, decided.deny))
        }
    }
}

/// The answer to somebody who is not signed in.
fn signed_out<P: Platform>(exchange: &Exchange<'_, P>, deny: Deny) -> Response {
    let request = exchange.request;
    match deny {
        Deny::Forbidden => return forbidden(exchange),
        Deny::NotFound => return not_found(),
        Deny::SignIn => {}
    }
    let return_to = format!("{}{}", request.url.origin(), request.url.path_and_query());
    let sign_in = sign_in_url(exchange, &return_to);
    if is_navigation(request) {
        return Response::redirect(sign_in).with("cache-control", "private, no-store");
    }
    Response::json(401, &json!({ "error": "unauthorized", "signInUrl": sign_in }))
        .with("www-authenticate", "Bearer")
        .with("cache-control", "private, no-store")
}

/// The answer to somebody who is signed in, but not as somebody who may. Never the sign-in page: it would
/// send them back here.
fn lacking_claims<P: Platform>(exchange: &Exchange<'_, P>, deny: Deny) -> Response {
    match deny {
        Deny::NotFound => not_found(),
        Deny::SignIn | Deny::Forbidden => forbidden(exchange),
    }
}

fn forbidden<P: Platform>(exchange: &Exchange<'_, P>) -> Response {
    let answer = if is_navigation(exchange.request) {
        pages::forbidden(exchange)
    } else {
        Response::json(403, &json!({ "error": "forbidden" }))
    };
    answer.with("cache-control", "private, no-store")
}

fn not_found() -> Response {
    Response::json(404, &json!({ "error": "not_found" })).with("cache-control", "private, no-store")
}

fn sign_in_url<P: Platform>(exchange: &Exchange<'_, P>, return_to: &str) -> String {
    let page = match &exchange.config().pages.sign_in {
        Some(page) => pages::absolute(exchange, page),
        None => exchange.route("signin"),
    };
    with_parameters(&page, &[("callbackUrl", return_to)])
}

/// Whether a person waits for a page: a redirect reaches them. A script's request would follow it and get
/// a page where it wants data.
fn is_navigation(request: &Request) -> bool {
    if request.headers.contains("upgrade")
        || !matches!(request.method, Method::Get | Method::Head | Method::Post)
    {
        return false;
    }
    match request.headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => request.headers.get("accept").is_some_and(|accept| accept.contains("text/html")),
    }
}

/// A CORS preflight (Fetch standard section 4.8): `OPTIONS` with an origin and the method that is to come.
fn is_preflight(request: &Request) -> bool {
    request.method == Method::Options
        && request.headers.contains("origin")
        && request.headers.contains("access-control-request-method")
}
