//! From a request to its flow: the one dispatcher.

use std::time::Duration;

use serde_json::json;

use crate::error::{ClientError, Error};
use crate::flow::host_role::HostRole;
use crate::flow::session::update::Update;
use crate::flow::vestibule::Vestibule;
use crate::flow::{RequestContext, RouteParams, responses};
use crate::guard::path::CanonicalPath;
use crate::log::{LogEvent, Record};
use crate::outcome::Outcome;
use crate::platform::Platform;
use crate::session::dialect::Dialect;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::{Method, Request};
use vestibule_oidc::http::response::Response;

/// How large the body of an auth route may be: room for every field of a form, and for a provider's form
/// post; nothing that a person fills in is larger.
const BODY_LIMIT: usize = 64 * 1024;

impl Vestibule {
    /// Answers one request: an auth route below `base_path`, or a page that the rules guard.
    ///
    /// `request` is the head as it arrived, `body` what of it the platform has not read yet.
    pub async fn handle<P: Platform>(
        &self,
        platform: &P,
        request: Request,
        body: P::Body,
    ) -> Outcome<P::UpstreamResponse> {
        let Some(context) = RequestContext::new(self, platform, &request) else {
            return Outcome::Response(bad_request());
        };
        let path = match CanonicalPath::new(&request.url.path) {
            Ok(path) => path,
            Err(refused) => {
                context.log(Record::new(LogEvent::PathRejected, refused));
                return Outcome::Response(bad_request());
            }
        };
        match path.below(&self.config.base_path) {
            // What another proxy goes by is told to no client in another way.
            Some(route) if route == ["verify"] => Outcome::Response(context.verify().await),
            Some(route) => Outcome::Response(context.auth(&route, body).await),
            None => match context.sign_in_of_v4_client(&path) {
                Some(redirect) => Outcome::Response(redirect),
                None => context.protect(&path, body).await,
            },
        }
    }
}

impl<P: Platform> RequestContext<'_, P> {
    /// Runs an auth route, and turns what went wrong into the answer that Auth.js gives.
    async fn auth(&self, route: &[&str], body: P::Body) -> Response {
        if let HostRole::Outside(domain) = self.host_role {
            return self.foreign_host(domain);
        }
        let mut input = RouteParams::of_query(self.request);
        match self.act(route, body, &mut input).await {
            Ok(response) => self.as_client_wants(&input, response),
            Err(error) => {
                self.log(error.record());
                self.failure(route, &input, &error)
            }
        }
    }

    /// Finds the flow. What it reads of the body goes into `input`, also where the flow then fails.
    async fn act(&self, route: &[&str], body: P::Body, input: &mut RouteParams) -> Result<Response, Error> {
        let is_v4 = self.config().dialect == Dialect::NextAuthV4;
        match (as_get(self.request, route), route) {
            (Method::Get, ["csrf"]) => self.csrf_token(&input.query),
            (Method::Get, ["providers"]) => Ok(self.list_providers()),
            (Method::Get, ["session"]) => self.show_session(&input.query).await,
            (Method::Get, ["token"]) => self.show_token().await,
            (Method::Get, ["jwks.json"]) => Ok(self.jwks().await),
            (Method::Get, ["signin"]) => self.show_sign_in(&input.query),
            // Asked for ahead of time, nothing begins, and no browser keeps the answer: the ticket waits for who comes.
            (Method::Get, ["signin", _]) if self.is_login_host() && self.request.is_prefetch() => {
                Ok(responses::no_token(Duration::from_secs(1)))
            }
            (Method::Get, ["signin", provider]) if self.is_login_host() => {
                self.receive_sign_in(provider, &input.query).await
            }
            (Method::Get, ["renew"]) if self.is_login_host() => {
                self.refresh_at_login_host(&input.query).await
            }
            // next-auth 4 reads the provider there as an error, of which its page knows nothing to say.
            (Method::Get, ["signin", _]) if is_v4 => self.show_sign_in(&input.query),
            (Method::Get, ["signout"]) => self.show_sign_out(&input.query),
            (Method::Get, ["error"]) => self.show_error(&input.query),
            (Method::Get, ["callback", provider]) => self.callback(provider, &input.query).await,
            (Method::Post, ["session"]) => {
                self.update_session(&input.query, self.read_update(body).await?).await
            }
            (Method::Post, ["signin" | "signout"] | ["signin" | "callback", _]) => {
                let (query, form) = input.with(self.read_form(body).await?);
                match route {
                    ["callback", provider] if self.takes_form(provider) => {
                        self.callback(provider, form).await
                    }
                    ["callback", provider] => self.sign_in_by_credentials(provider, query, form).await,
                    ["signout"] => Ok(self.sign_out(query, form).await?),
                    _ => self.sign_in(route.get(1).copied(), query, form).await,
                }
            }
            (Method::Post, ["_log"]) if is_v4 => Ok(self.client_log(body).await),
            _ => Err(unsupported(self.request, route).into()),
        }
    }

    /// Whether other hosts send people to this one.
    fn is_login_host(&self) -> bool {
        self.config().login_url.is_some() && matches!(self.host_role, HostRole::Login)
    }

    /// A POST's body: a form, or the flat JSON object that scripts send. A body of another type says nothing.
    async fn read_form(&self, body: P::Body) -> Result<Params, ClientError> {
        let is_json = match media_type(self.request).as_str() {
            "application/json" => true,
            "application/x-www-form-urlencoded" => false,
            _ => return Ok(Params::default()),
        };
        let bytes = self.platform.read_body(body, BODY_LIMIT).await?;
        if is_json {
            return Params::from_json(&bytes).map_err(|_| ClientError::MalformedBody);
        }
        Ok(Params::from_urlencoded(&bytes))
    }

    /// The body of an update: a JSON object whose data may nest. Anything else updates nothing.
    async fn read_update(&self, body: P::Body) -> Result<Update, ClientError> {
        if media_type(self.request) != "application/json" {
            return Ok(Update::default());
        }
        let bytes = self.platform.read_body(body, BODY_LIMIT).await?;
        Update::parse(&bytes).ok_or(ClientError::MalformedBody)
    }

    /// next-auth 4's `useSession({ required: true })` goes there whatever the base path is.
    fn sign_in_of_v4_client(&self, path: &CanonicalPath) -> Option<Response> {
        let is_it = self.config().dialect == Dialect::NextAuthV4
            && self.request.method == Method::Get
            && path.segments() == ["api", "auth", "signin"];
        let query = self.request.url.query.as_deref().map_or(String::new(), |query| format!("?{query}"));
        is_it.then(|| Response::redirect(format!("{}{query}", self.route("signin"))))
    }
}

/// The method; HEAD is GET whose body the platform leaves out (RFC 9110 section 9.3.2). Not at the callback and where a
/// sign-in begins, whose code and ticket are good for one use: what only looks whether an address is there must not use
/// it up.
fn as_get<'a>(request: &'a Request, route: &[&str]) -> &'a Method {
    match (&request.method, route) {
        (Method::Head, ["callback" | "signin", _]) => &Method::Head,
        (Method::Head, _) => &Method::Get,
        (method, _) => method,
    }
}

/// Why a request asks for nothing that there is.
fn unsupported(request: &Request, route: &[&str]) -> ClientError {
    match (as_get(request, route), route) {
        (Method::Get, ["signin", _]) => {
            ClientError::UnsupportedAction("a sign-in with a provider begins with POST")
        }
        (Method::Get | Method::Post, ["callback"]) => {
            ClientError::UnsupportedAction("the callback names no provider")
        }
        (Method::Get | Method::Post, ["verify-request"]) => {
            ClientError::UnsupportedAction("there is no sign-in by e-mail")
        }
        (Method::Get | Method::Post, ["webauthn-options"] | ["webauthn-options", _]) => {
            ClientError::UnsupportedAction("there is no sign-in with a passkey")
        }
        (Method::Post, ["csrf" | "providers" | "error" | "token"]) => {
            ClientError::UnsupportedAction("this auth route does not answer POST")
        }
        _ => ClientError::UnknownAction {
            method: request.method.as_str().to_owned(),
            path: request.url.path.clone(),
        },
    }
}

/// The media type of the body, without parameters, in lower case (RFC 9110 section 8.3.1).
fn media_type(request: &Request) -> String {
    let content_type = request.headers.get("content-type").unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn bad_request() -> Response {
    Response::json(400, &json!("Bad request."))
}
