//! What every request passes that is not for an auth route: the first rule that matches says who may.

use serde_json::json;

use crate::flow::{Exchange, forward, pages, with_parameters};
use crate::guard::path::CanonicalPath;
use crate::guard::route::Route;
use crate::hooks::Decision;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::platform::{Level, Platform};
use crate::reply::Reply;
use crate::session::claims::Session;
use crate::session::cookie::Presented;

/// Forwards the request, or says why not.
pub(crate) async fn protect<P: Platform>(
    exchange: &Exchange<'_, P>,
    path: &CanonicalPath,
    body: P::Body,
) -> Reply<P::Upstreamed> {
    let request = exchange.request;
    let decided = exchange.config().rules.decide(request, path);
    let route = Route::new(exchange.config(), &request.url.authority, decided.rule());
    if request.is_preflight() {
        // It carries no credentials and is answered by whoever knows the API's rules; the request that
        // follows is guarded.
        return forward::forward(exchange, path, route, body, None, Vec::new()).await;
    }

    let is_public = decided.is_public();
    let hooks = &exchange.vestibule.hooks;
    let is_asked_for = !is_public || hooks.session_on_public_paths() || route.wants_session();
    let session = if is_asked_for { session(exchange) } else { None };

    let by_rules = decided.decision(session.as_ref().map(Session::claims));
    match hooks.authorized(request, session.as_ref(), by_rules) {
        Decision::Pass => {
            // On a public path nothing is renewed: its responses may be for caches.
            let due = session.as_ref().filter(|_| !is_public);
            let renewed = due.map(|session| exchange.renewal_cookies(session)).unwrap_or_default();
            forward::forward(exchange, path, route, body, session.as_ref(), renewed).await
        }
        Decision::SignIn => Reply::Own(to_sign_in(exchange)),
        Decision::Forbidden => Reply::Own(forbidden(exchange, session.as_ref())),
        Decision::NotFound => Reply::Own(not_found()),
    }
}

fn session<P: Platform>(exchange: &Exchange<'_, P>) -> Option<Session> {
    match exchange.session() {
        Presented::Good(session) => Some(session),
        Presented::Nothing => None,
        Presented::Refused(reason) => {
            exchange.log(Level::Info, "session_refused", &reason);
            None
        }
    }
}

/// The way to sign in: a redirect for a person, 401 with the address for a script.
fn to_sign_in<P: Platform>(exchange: &Exchange<'_, P>) -> Response {
    let request = exchange.request;
    let sign_in = sign_in_url(exchange);
    if is_navigation(request) {
        return Response::redirect(sign_in).with("cache-control", "private, no-store");
    }
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
pub(super) fn sign_in_url<P: Platform>(exchange: &Exchange<'_, P>) -> String {
    let url = &exchange.request.url;
    let return_to = format!("{}{}", url.origin(), url.path_and_query());
    let page = match &exchange.config().pages.sign_in {
        Some(page) => pages::absolute(exchange, page),
        None => exchange.route("signin"),
    };
    with_parameters(&page, &[("callbackUrl", &return_to)])
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
