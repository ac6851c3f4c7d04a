//! A request that may pass goes on to its upstream, with what the upstream is to know of the person.

use crate::flow::admission::Admitted;
use crate::flow::{Exchange, assertion, refresh, with_cookies};
use crate::http::response::Response;
use crate::platform::{Forward, ForwardError, Level, Platform};
use crate::reply::Reply;

/// Sends the request on. Its cookies are for the browser, added to the upstream's response unless the session
/// ended, or went on elsewhere, while the upstream took its time; the upstream sees them as if the browser had
/// them already.
pub(crate) async fn forward<P: Platform>(
    exchange: &Exchange<'_, P>,
    Admitted { route, session, cookies: renewed, is_personal }: Admitted<'_>,
    body: P::Body,
) -> Reply<P::Upstreamed> {
    let session = session.as_ref();
    let identity = match assertion::identity(exchange, &route, session).await {
        Ok(identity) => identity,
        Err(failed) => return Reply::Own(with_cookies(failed, renewed)),
    };
    let (config, guarded) = (exchange.config(), &exchange.vestibule.guarded);
    let changes = route.changes(config, guarded, exchange.request, &identity, &renewed);
    let forward = Forward { target: route.target, request: exchange.request, changes, personal: is_personal };
    match exchange.platform.forward(forward, body).await {
        Ok(response) => {
            let cookies = refresh::still_wanted(exchange, session, renewed).await;
            Reply::Forwarded { response, cookies }
        }
        Err(error) => {
            let level = match error {
                ForwardError::NoBinding(_) => Level::Error,
                ForwardError::Unreachable(_) => Level::Warn,
            };
            exchange.log(level, "forward_failed", &error.to_string());
            let status = if level == Level::Error { 500 } else { 502 };
            let answer = Response::json(status, &crate::json::json!({ "error": "upstream_unavailable" }));
            // Only what would be lost: that the upstream does not answer is no reason for anything else.
            let has_news = session.is_some_and(|session| refresh::has_new_tokens(exchange, session));
            let news = if has_news { renewed } else { Vec::new() };
            let cookies = refresh::still_wanted(exchange, session, news).await;
            Reply::Own(with_cookies(answer.with("cache-control", "private, no-store"), cookies))
        }
    }
}
