//! What every request passes that is not for an auth route: the first rule that matches says who may.

use serde_json::json;

use crate::flow::guard::admission::{self, Refusal, Refused};
use crate::flow::guard::forward;
use crate::flow::responses::{self, with_cookies};
use crate::flow::session::renew;
use crate::flow::standing::Standing;
use crate::flow::{Exchange, hosts, pages};
use crate::guard::path::CanonicalPath;
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
        (Refusal::SignIn | Refusal::Forbidden, Standing::Foreign(domain)) => pages::foreign(exchange, domain),
        (Refusal::SignIn, _) => to_sign_in(exchange),
        (Refusal::Forbidden, _) => forbidden(exchange, refused.session.as_ref()),
        (Refusal::NotFound, _) => not_found(),
        (Refusal::Elsewhere(login), _) => renew::send(exchange, &login),
        (Refusal::Token(why), _) => responses::of_token(why),
    };
    with_cookies(answer, refused.cookies)
}

/// The way to sign in: a redirect for a person, 401 with the address for a script.
fn to_sign_in<P: Platform>(exchange: &Exchange<'_, P>) -> Response {
    let request = exchange.request;
    let sign_in = hosts::sign_in_url(exchange);
    if request.is_navigation() {
        return Response::redirect(sign_in).with("cache-control", "private, no-store");
    }
    responses::unauthorized(&sign_in)
}

fn forbidden<P: Platform>(exchange: &Exchange<'_, P>, session: Option<&Session>) -> Response {
    if exchange.request.is_navigation() {
        return pages::forbidden(exchange, session);
    }
    Response::json(403, &json!({ "error": "forbidden" })).with("cache-control", "private, no-store")
}

fn not_found() -> Response {
    Response::json(404, &json!({ "error": "not_found" })).with("cache-control", "private, no-store")
}
