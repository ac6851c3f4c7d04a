//! A request that may pass goes on to its upstream, with what the upstream is to know of the person.

use crate::flow::Exchange;
use crate::guard::path::CanonicalPath;
use crate::guard::route::Route;
use crate::http::cookie::SetCookie;
use crate::http::response::Response;
use crate::platform::{ForwardError, Level, Platform};
use crate::reply::Reply;
use crate::session::claims::Session;

/// Sends the request on. `renewed` are cookies for the browser, added to the upstream's response.
pub(crate) async fn forward<P: Platform>(
    exchange: &Exchange<'_, P>,
    path: &CanonicalPath,
    route: Route<'_>,
    body: P::Body,
    session: Option<&Session>,
    renewed: Vec<SetCookie>,
) -> Reply<P::Upstreamed> {
    let mut request = exchange.request.clone();
    path.as_forwarded().clone_into(&mut request.url.path);
    let identity = route.identity(session.map(Session::claims));
    request.headers =
        route.outgoing(exchange.config(), &exchange.vestibule.guarded, exchange.request, &identity);
    match exchange.platform.forward(route.target, request, body).await {
        Ok(response) => Reply::Forwarded { response, cookies: renewed },
        Err(error) => {
            let level = match error {
                ForwardError::NoBinding(_) => Level::Error,
                ForwardError::Unreachable(_) => Level::Warn,
            };
            exchange.log(level, "forward_failed", &error.to_string());
            let status = if level == Level::Error { 500 } else { 502 };
            let answer = Response::json(status, &serde_json::json!({ "error": "upstream_unavailable" }));
            Reply::Own(answer.with("cache-control", "no-store"))
        }
    }
}
