//! Answers in the form that Auth.js's clients expect: the answer to a failed auth route, and a redirect's address as
//! JSON for a script.

use serde_json::{Value, json};

use crate::error::{ClientError, Error, ErrorPage, ProviderError};
use crate::flow::hosts::with_parameters;
use crate::flow::responses::{self, with_cookies};
use crate::flow::{RequestContext, RouteParams};
use crate::platform::Platform;
use crate::session::dialect::Dialect;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::authorize::AuthorizationResponseError;

impl<P: Platform> RequestContext<'_, P> {
    /// The answer to an auth route that failed: usually a redirect to a page, with the error's code as a parameter.
    pub(crate) fn failure(&self, route: &[&str], params: &RouteParams, error: &Error) -> Response {
        if let Error::Client(ClientError::CrossOrigin(_)) = error {
            return responses::cross_origin();
        }
        let answer = match self.config().dialect {
            Dialect::AuthJsV5 => self.failure_v5(route, params, error),
            Dialect::NextAuthV4 => self.failure_v4(route, params, error),
        };
        if error.is_rate_limited() { self.too_many_attempts(params, answer) } else { answer }
    }

    fn failure_v5(&self, route: &[&str], params: &RouteParams, error: &Error) -> Response {
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
        let page =
            own.as_ref().map_or_else(|| self.in_language(self.route(default)), |page| self.page_url(page));
        let mut parameters = error.parameters();
        parameters.extend(self.misunderstood_account(route, params, error));
        let page = with_parameters(&page, &parameters);
        let (url, cookies) = self.keep_wanted(page, route, params, error, Vec::new());
        match self.redirect_format(&params.form) {
            RedirectFormat::Redirect => with_cookies(Response::redirect(url), cookies),
            RedirectFormat::JsonByHeader => Response::json(200, &json!({ "url": url })),
            RedirectFormat::JsonByField => {
                Response::json(self.status_v4(route, error), &json!({ "url": url }))
            }
        }
    }

    fn failure_v4(&self, route: &[&str], params: &RouteParams, error: &Error) -> Response {
        if let Error::Client(
            ClientError::UnknownAction { .. } | ClientError::UnsupportedAction(_) | ClientError::PlainLink,
        ) = error
        {
            let method = self.request.method.as_str();
            let text = format!("Error: This action with HTTP {method} is not supported by NextAuth.js");
            return Response::empty(400).with("content-type", "text/plain;charset=UTF-8").with_body(text);
        }
        if error.is_bad_request() {
            return Response::json(400, &json!("Bad request."));
        }
        // The browser needs a CSRF token and the return address to try again.
        let form = self.form_context(&params.query, Some(&params.form));
        let cookies = form.map(|form| form.cookies).unwrap_or_default();
        if self.is_update(route) {
            return with_cookies(Response::json(400, &json!({})), cookies);
        }
        let url = match (error, route) {
            (Error::Client(ClientError::MissingCsrf(_)), ["signout"]) => {
                with_parameters(&self.in_language(self.route("signout")), &[("csrf", "true")])
            }
            (Error::Client(ClientError::MissingCsrf(_)), _) => {
                with_parameters(&self.in_language(self.route("signin")), &[("csrf", "true")])
            }
            (Error::Client(ClientError::Credentials { provider, .. }), _) => {
                let mut parameters = vec![("error", error.code()), ("provider", provider.as_str())];
                // next-auth 4 has no such code, and a page that knows none ignores it.
                parameters.extend(error.api_code().map(|code| ("code", code)));
                with_parameters(&self.in_language(self.route("error")), &parameters)
            }
            (_, route) if self.is_login(route) => {
                with_parameters(&self.in_language(self.route("error")), &[("error", error.code())])
            }
            // The error page redirects to the sign-in page where the user can try again.
            _ => {
                let mut parameters = vec![("error", code_v4(route, error))];
                parameters.extend(self.misunderstood_account(route, params, error));
                with_parameters(&self.in_language(self.route("error")), &parameters)
            }
        };
        let (url, cookies) = self.keep_wanted(url, route, params, error, cookies);
        let mut answer = self.as_client_wants(params, with_cookies(Response::redirect(url), cookies));
        if self.redirect_format(&params.form) == RedirectFormat::JsonByField {
            answer.status = self.status_v4(route, error);
        }
        answer
    }

    /// The status of a failure for v4's client, which reads from it whether credentials were accepted. Everything else
    /// it reads from the address.
    fn status_v4(&self, route: &[&str], error: &Error) -> u16 {
        match error {
            Error::Client(ClientError::MissingCsrf(_)) => 200,
            _ if !self.is_login(route) => 200,
            Error::Client(ClientError::AccessDenied) => 403,
            _ => 401,
        }
    }

    /// Whether the request sends credentials. An OAuth provider's callback is a GET.
    fn is_login(&self, route: &[&str]) -> bool {
        self.request.method == Method::Post && matches!(route, ["callback", _])
    }

    /// Whether the request updates the session. Only scripts do that, so a redirect to a page would not help.
    fn is_update(&self, route: &[&str]) -> bool {
        self.request.method == Method::Post && route == ["session"]
    }

    /// The response in the format that this client wants: a redirect, or the redirect's address as JSON.
    pub(crate) fn as_client_wants(&self, params: &RouteParams, mut response: Response) -> Response {
        let format = self.redirect_format(&params.form);
        let Some(location) = response.headers.get("location") else { return response };
        let body = match format {
            RedirectFormat::Redirect => return response,
            RedirectFormat::JsonByHeader | RedirectFormat::JsonByField => {
                Response::json(200, &json!({ "url": location }))
            }
        };
        if format == RedirectFormat::JsonByField {
            response.headers.remove("location");
        }
        response.status = body.status;
        response.body = body.body;
        response.with("content-type", "application/json")
    }

    /// Whether a script sent this form, which gets a redirect's address as JSON.
    pub(crate) fn is_sent_by_script(&self, form: &Params) -> bool {
        self.redirect_format(form) != RedirectFormat::Redirect
    }

    fn redirect_format(&self, form: &Params) -> RedirectFormat {
        if self.request.headers.contains("x-auth-return-redirect") {
            RedirectFormat::JsonByHeader
        } else if form.one("json") == Ok(Some("true")) {
            RedirectFormat::JsonByField
        } else {
            RedirectFormat::Redirect
        }
    }
}

/// next-auth 4's code for an error. It names the step that failed, not the cause.
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

/// How a client wants to get a redirect. Both dialects understand the clients of both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RedirectFormat {
    /// A browser: as a redirect.
    Redirect,
    /// v5's client sends the header `X-Auth-Return-Redirect`, and reads the address from a JSON body.
    JsonByHeader,
    /// v4's client sends the form field `json=true`, and reads the address from a JSON body.
    JsonByField,
}
