//! The answer to an auth route as a client of Auth.js expects it: what it gets in place of what could not be
//! done, and how a script learns where a redirect leads.

use serde_json::{Value, json};

use crate::error::{ClientError, Error, ErrorPage, ProviderError};
use crate::flow::hosts::with_parameters;
use crate::flow::responses::{self, with_cookies};
use crate::flow::{RequestContext, RouteParams};
use crate::platform::Platform;
use crate::session::dialect::Dialect;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::authorize::AuthorizationResponseError;

impl<P: Platform> RequestContext<'_, P> {
    /// The answer to a request that could not be served: a page that names the error's code, mostly.
    pub(crate) fn failure(&self, route: &[&str], input: &RouteParams, error: &Error) -> Response {
        if let Error::Client(ClientError::CrossOrigin(_)) = error {
            return responses::cross_origin();
        }
        match self.config().dialect {
            Dialect::AuthJsV5 => self.failure_v5(route, input, error),
            Dialect::NextAuthV4 => self.failure_v4(route, input, error),
        }
    }

    fn failure_v5(&self, route: &[&str], input: &RouteParams, error: &Error) -> Response {
        if error.is_bad_request() {
            return Response::json(400, &json!("Bad request."));
        }
        if self.is_update(route) {
            return Response::json(400, &Value::Null);
        }
        let pages = &self.config().pages;
        let (own, default) = match error.page() {
            ErrorPage::SignIn => (&pages.sign_in, "signin"),
            ErrorPage::Error => (&pages.error, "error"),
        };
        let page = own.as_ref().map_or_else(|| self.route(default), |page| self.page_url(page));
        let url = with_parameters(&page, &error.parameters());
        match self.wants(input) {
            Wants::Redirect => Response::redirect(url),
            Wants::HeaderJson => Response::json(200, &json!({ "url": url })),
            Wants::BodyJson => Response::json(self.status_v4(route, error), &json!({ "url": url })),
        }
    }

    fn failure_v4(&self, route: &[&str], input: &RouteParams, error: &Error) -> Response {
        if let Error::Client(ClientError::UnknownAction { .. } | ClientError::UnsupportedAction(_)) = error {
            let method = self.request.method.as_str();
            let text = format!("Error: This action with HTTP {method} is not supported by NextAuth.js");
            return Response::empty(400).with("content-type", "text/plain;charset=UTF-8").with_body(text);
        }
        if error.is_bad_request() {
            return Response::json(400, &json!("Bad request."));
        }
        // Also after a failure the browser has a token to try again with, and the address it wanted to go to.
        let form = self.form_context(&input.query, Some(&input.form));
        let cookies = form.map(|form| form.cookies).unwrap_or_default();
        if self.is_update(route) {
            return with_cookies(Response::json(400, &json!({})), cookies);
        }
        let url = match (error, route) {
            (Error::Client(ClientError::MissingCsrf(_)), ["signout"]) => {
                with_parameters(&self.route("signout"), &[("csrf", "true")])
            }
            (Error::Client(ClientError::MissingCsrf(_)), _) => {
                with_parameters(&self.route("signin"), &[("csrf", "true")])
            }
            (Error::Client(ClientError::Credentials { provider, .. }), _) => {
                let parameters = [("error", error.code()), ("provider", provider.as_str())];
                with_parameters(&self.route("error"), &parameters)
            }
            (_, route) if self.is_login(route) => {
                with_parameters(&self.route("error"), &[("error", error.code())])
            }
            // The error page sends whoever may try again on to the sign-in page.
            _ => with_parameters(&self.route("error"), &[("error", code_v4(route, error))]),
        };
        let mut answer = self.as_client_wants(input, with_cookies(Response::redirect(url), cookies));
        if self.wants(input) == Wants::BodyJson {
            answer.status = self.status_v4(route, error);
        }
        answer
    }

    /// The status by which the client of v4 knows whether somebody who gave their credentials is signed in. All else
    /// it learns from the address.
    fn status_v4(&self, route: &[&str], error: &Error) -> u16 {
        match error {
            Error::Client(ClientError::MissingCsrf(_)) => 200,
            Error::Client(ClientError::AccessDenied) if self.is_login(route) => 403,
            _ if self.is_login(route) => 401,
            _ => 200,
        }
    }

    /// Whether the request brings credentials: a provider's own callback is a GET.
    fn is_login(&self, route: &[&str]) -> bool {
        self.request.method == Method::Post && matches!(route, ["callback", _])
    }

    /// `POST /session` is for scripts only: there is nobody to show a page to.
    fn is_update(&self, route: &[&str]) -> bool {
        self.request.method == Method::Post && route == ["session"]
    }

    /// A redirect as this client wants to hear of it.
    pub(crate) fn as_client_wants(&self, input: &RouteParams, mut response: Response) -> Response {
        let wants = self.wants(input);
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

    fn wants(&self, input: &RouteParams) -> Wants {
        if self.request.headers.contains("x-auth-return-redirect") {
            Wants::HeaderJson
        } else if input.form.one("json") == Ok(Some("true")) {
            Wants::BodyJson
        } else {
            Wants::Redirect
        }
    }
}

/// next-auth 4's codes say where it went wrong rather than what.
fn code_v4(route: &[&str], error: &Error) -> &'static str {
    match (error, route.first()) {
        (
            Error::Provider {
                cause: ProviderError::Authorization(AuthorizationResponseError::Error(_)), ..
            },
            _,
        ) => "Callback",
        (Error::Provider { .. }, Some(&"signin")) => "OAuthSignin",
        (Error::Provider { .. } | Error::Client(ClientError::Transaction(_)), _) => "OAuthCallback",
        _ => error.code(),
    }
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
