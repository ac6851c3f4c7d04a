//! The answer to an auth route as a client of Auth.js expects it: what it gets in place of what could not be
//! done, and how a script learns where a redirect leads.

use serde_json::{Value, json};

use crate::error::{ClientError, Error, ErrorPage, ProviderError};
use crate::flow::hosts::{self, with_parameters};
use crate::flow::responses::with_cookies;
use crate::flow::{Exchange, Input, Visit};
use crate::http::request::Method;
use crate::http::response::Response;
use crate::oauth::authorize::ResponseRefused;
use crate::platform::Platform;
use crate::session::dialect::Dialect;

/// The answer to a request that could not be served: a page that names the error's code, mostly.
pub(crate) fn failure<P: Platform>(
    exchange: &Exchange<'_, P>,
    route: &[&str],
    input: &Input,
    error: &Error,
) -> Response {
    match exchange.config().dialect {
        Dialect::AuthJsV5 => failure_v5(exchange, route, input, error),
        Dialect::NextAuthV4 => failure_v4(exchange, route, input, error),
    }
}

fn failure_v5<P: Platform>(
    exchange: &Exchange<'_, P>,
    route: &[&str],
    input: &Input,
    error: &Error,
) -> Response {
    if error.is_bad_request() {
        return Response::json(400, &json!("Bad request."));
    }
    if is_update(exchange, route) {
        return Response::json(400, &Value::Null);
    }
    let pages = &exchange.config().pages;
    let (own, default) = match error.page() {
        ErrorPage::SignIn => (&pages.sign_in, "signin"),
        ErrorPage::Error => (&pages.error, "error"),
    };
    let page = own.as_ref().map_or_else(|| exchange.route(default), |page| hosts::absolute(exchange, page));
    let url = with_parameters(&page, &error.parameters());
    match Wants::of(exchange, input) {
        Wants::Redirect => Response::redirect(url),
        Wants::HeaderJson => Response::json(200, &json!({ "url": url })),
        Wants::BodyJson => Response::json(status_v4(exchange, route, error), &json!({ "url": url })),
    }
}

fn failure_v4<P: Platform>(
    exchange: &Exchange<'_, P>,
    route: &[&str],
    input: &Input,
    error: &Error,
) -> Response {
    if let Error::Client(ClientError::UnknownAction { .. } | ClientError::UnsupportedAction(_)) = error {
        let method = exchange.request.method.as_str();
        let text = format!("Error: This action with HTTP {method} is not supported by NextAuth.js");
        return Response::empty(400).with("content-type", "text/plain;charset=UTF-8").with_body(text);
    }
    if error.is_bad_request() {
        return Response::json(400, &json!("Bad request."));
    }
    // Also after a failure the browser has a token to try again with, and the address it wanted to go to.
    let visit = Visit::new(exchange, &input.query, Some(&input.form));
    let cookies = visit.map(|visit| visit.cookies).unwrap_or_default();
    if is_update(exchange, route) {
        return with_cookies(Response::json(400, &json!({})), cookies);
    }
    let url = match (error, route) {
        (Error::Client(ClientError::MissingCsrf(_)), ["signout"]) => {
            with_parameters(&exchange.route("signout"), &[("csrf", "true")])
        }
        (Error::Client(ClientError::MissingCsrf(_)), _) => {
            with_parameters(&exchange.route("signin"), &[("csrf", "true")])
        }
        (Error::Client(ClientError::Credentials { provider, .. }), _) => {
            let parameters = [("error", error.code()), ("provider", provider.as_str())];
            with_parameters(&exchange.route("error"), &parameters)
        }
        (_, route) if is_login(exchange, route) => {
            with_parameters(&exchange.route("error"), &[("error", error.code())])
        }
        // The error page sends whoever may try again on to the sign-in page.
        _ => with_parameters(&exchange.route("error"), &[("error", code_v4(route, error))]),
    };
    let mut answer = as_client_wants(exchange, input, with_cookies(Response::redirect(url), cookies));
    if Wants::of(exchange, input) == Wants::BodyJson {
        answer.status = status_v4(exchange, route, error);
    }
    answer
}

/// The status by which the client of v4 knows whether somebody who gave their credentials is signed in. All else
/// it learns from the address.
fn status_v4<P: Platform>(exchange: &Exchange<'_, P>, route: &[&str], error: &Error) -> u16 {
    match error {
        Error::Client(ClientError::MissingCsrf(_)) => 200,
        Error::Client(ClientError::AccessDenied) if is_login(exchange, route) => 403,
        _ if is_login(exchange, route) => 401,
        _ => 200,
    }
}

/// Whether the request brings credentials: a provider's own callback is a GET.
fn is_login<P: Platform>(exchange: &Exchange<'_, P>, route: &[&str]) -> bool {
    exchange.request.method == Method::Post && matches!(route, ["callback", _])
}

/// next-auth 4's codes say where it went wrong rather than what.
fn code_v4(route: &[&str], error: &Error) -> &'static str {
    match (error, route.first()) {
        (Error::Provider { cause: ProviderError::Authorization(ResponseRefused::Error(_)), .. }, _) => {
            "Callback"
        }
        (Error::Provider { .. }, Some(&"signin")) => "OAuthSignin",
        (Error::Provider { .. } | Error::Client(ClientError::Transaction(_)), _) => "OAuthCallback",
        _ => error.code(),
    }
}

/// `POST /session` is for scripts only: there is nobody to show a page to.
fn is_update<P: Platform>(exchange: &Exchange<'_, P>, route: &[&str]) -> bool {
    exchange.request.method == Method::Post && route == ["session"]
}

/// A redirect as this client wants to hear of it.
pub(crate) fn as_client_wants<P: Platform>(
    exchange: &Exchange<'_, P>,
    input: &Input,
    mut response: Response,
) -> Response {
    let wants = Wants::of(exchange, input);
    let Some(location) = response.headers.get("location") else { return response };
    let body = match wants {
        Wants::Redirect => return response,
        Wants::HeaderJson | Wants::BodyJson => Response::json(200, &json!({ "url": location })),
    };
    if wants == Wants::BodyJson {
        response.headers.remove("location");
    }
    response.status = body.status;
    response.body = body.body;
    response.with("content-type", "application/json")
}

/// How a client wants to hear of a redirect. Either dialect's client is understood in both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// It is a browser.
    Redirect,
    /// The client of v5: with a header it asks for the address, and takes it from the body.
    HeaderJson,
    /// The client of v4: it asks in the body.
    BodyJson,
}

impl Wants {
    fn of<P: Platform>(exchange: &Exchange<'_, P>, input: &Input) -> Self {
        if exchange.request.headers.contains("x-auth-return-redirect") {
            Self::HeaderJson
        } else if input.form.one("json") == Ok(Some("true")) {
            Self::BodyJson
        } else {
            Self::Redirect
        }
    }
}
