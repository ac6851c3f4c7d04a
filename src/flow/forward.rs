//! A request that may pass goes on to its upstream, with what the upstream is to know of the person.

use crate::config::data::DataPath;
use crate::config::{Target, Upstream};
use crate::flow::Exchange;
use crate::guard::headers::{self, Outgoing};
use crate::guard::path::CanonicalPath;
use crate::http::cookie::SetCookie;
use crate::http::request::Method;
use crate::http::response::Response;
use crate::platform::{ForwardError, Level, Platform};
use crate::reply::Reply;
use crate::session::claims::Session;

/// The upstream of this request's host; `None` is the zone's own origin, with nothing added.
pub(crate) fn upstream<'a, P: Platform>(exchange: &Exchange<'a, P>) -> Option<&'a Upstream> {
    let authority = &exchange.request.url.authority;
    exchange
        .config()
        .upstreams
        .iter()
        .find(|upstream| upstream.host.as_ref().is_none_or(|host| host.matches(authority)))
}

/// Sends the request on. `renewed` are cookies for the browser, added to the upstream's response.
pub(crate) async fn forward<P: Platform>(
    exchange: &Exchange<'_, P>,
    path: &CanonicalPath,
    body: P::Body,
    session: Option<&Session>,
    renewed: Vec<SetCookie>,
) -> Reply<P::Upstreamed> {
    let upstream = upstream(exchange);
    let mut request = exchange.request.clone();
    path.as_forwarded().clone_into(&mut request.url.path);
    let outgoing = Outgoing {
        guarded: &exchange.vestibule.guarded,
        sets_authorization: upstream.is_some_and(|upstream| upstream.authorization.is_some()),
        forward_session: upstream.is_some_and(|upstream| upstream.forward_session),
        // A preflight passes unguarded because it does nothing: it must not become another method behind us.
        methods_matter: exchange.request.method == Method::Options
            || exchange.config().rules.distinguishes_methods(),
        set: &identity(upstream, session),
    };
    request.headers = outgoing.headers(exchange.request);
    let target = upstream.map_or(&Target::Origin, |upstream| &upstream.target);
    match exchange.platform.forward(target, request, body).await {
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

/// What the upstream is told about the person: header fields from the session's claims.
fn identity(upstream: Option<&Upstream>, session: Option<&Session>) -> Vec<(String, String)> {
    let (Some(upstream), Some(session)) = (upstream, session) else {
        return Vec::new();
    };
    let text = |from: &DataPath| from.lookup(session.claims()).and_then(headers::field_value);
    let bearer = upstream.authorization.as_ref().and_then(text);
    let bearer = bearer.map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
    let named = upstream.headers.iter().filter_map(|(name, from)| Some((name.clone(), text(from)?)));
    bearer.into_iter().chain(named).collect()
}
