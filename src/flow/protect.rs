//! What every request passes that is not for an auth route: the first rule that matches says who may.

use std::time::Duration;

use serde_json::json;

use crate::flow::hosts::{self, Standing};
use crate::flow::refresh::{self, NotReady, Ready};
use crate::flow::{Exchange, forward, pages, renew, with_cookies};
use crate::guard::path::CanonicalPath;
use crate::guard::route::Route;
use crate::hooks::Decision;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::platform::{Level, Platform};
use crate::reply::Reply;
use crate::session::claims::{GRANT_IS_GONE, Session};
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
        return forward::forward(exchange, path, route, body, None, Vec::new(), false).await;
    }

    let is_public = decided.is_public();
    let hooks = &exchange.vestibule.hooks;
    let is_asked_for = !is_public || hooks.session_on_public_paths() || route.wants_session();
    let session = if is_asked_for { session(exchange) } else { None };

    let judge = |session: Option<&Session>| {
        hooks.authorized(request, session, decided.decision(session.map(Session::claims)))
    };
    let mut decision = judge(session.as_ref());
    let mut session = session;
    let mut cookies = Vec::new();
    // On a public path nothing is renewed: its responses may be for caches.
    if decision == Decision::Pass
        && !is_public
        && let Some(good) = session.take()
    {
        match with_token(exchange, route, good).await {
            Ok(ready) => {
                cookies = ready.cookies(exchange);
                cookies.extend(renew::done(exchange).filter(|_| route.wants_token()));
                session = Some(ready.session);
            }
            Err(NotReady::Unavailable(retry)) => return Reply::Own(no_token(retry)),
            Err(NotReady::Elsewhere(login)) => return Reply::Own(renew::send(exchange, &login)),
            Err(NotReady::SignedOut) => decision = judge(None),
            Err(NotReady::Ended(over)) => (decision, cookies) = (judge(None), over.cookies(exchange)),
        }
    }
    let refused = match (decision, exchange.standing) {
        (Decision::Pass, _) => {
            // What is said to one person on a guarded path is nobody else's. A public page that differs from person
            // to person says so itself.
            let personal = !is_public && session.is_some() && route.tells_who();
            return forward::forward(exchange, path, route, body, session.as_ref(), cookies, personal).await;
        }
        (Decision::SignIn | Decision::Forbidden, Standing::Foreign(domain)) => {
            hosts::refuse(exchange, domain)
        }
        (Decision::SignIn, _) => to_sign_in(exchange),
        (Decision::Forbidden, _) => forbidden(exchange, session.as_ref()),
        (Decision::NotFound, _) => not_found(),
    };
    Reply::Own(with_cookies(refused, cookies))
}

/// The session, with an access token that lives where the upstream gets one.
async fn with_token<P: Platform>(
    exchange: &Exchange<'_, P>,
    route: Route<'_>,
    session: Session,
) -> Result<Ready, NotReady> {
    if route.wants_token() {
        return refresh::ready(exchange, session).await;
    }
    Ok(Ready::as_sent(session))
}

/// The access token has ended, and the provider gives no other for now.
pub(crate) fn no_token(retry: Duration) -> Response {
    Response::json(503, &json!({ "error": "temporarily_unavailable" }))
        .with("retry-after", retry.as_secs().max(1).to_string())
        .with("cache-control", "private, no-store")
}

fn session<P: Platform>(exchange: &Exchange<'_, P>) -> Option<Session> {
    match exchange.session() {
        // Its grant is gone: only a new sign-in helps.
        Presented::Good(session) if session.error() == Some(GRANT_IS_GONE) => None,
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
    hosts::sign_in_page(exchange, &hosts::address(exchange))
}

/// Whether a person waits for a page: a redirect reaches them. A script's request would follow it and get
/// a page where it wants data; a browser that asks ahead would keep where it led to, and show that to somebody who
/// has signed in since.
pub(super) fn is_navigation(request: &Request) -> bool {
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
