//! From a request to its flow: the one dispatcher.

#[cfg(not(feature = "reference"))]
mod routes;
#[cfg(feature = "reference")]
pub mod routes;

use std::time::Duration;

use serde_json::json;

use crate::error::{ClientError, Error};
use crate::flow::session::update::Update;
use crate::flow::standing::Standing;
use crate::flow::vestibule::Vestibule;
use crate::flow::{Exchange, Input, responses};
use crate::guard::path::CanonicalPath;
use crate::handle::routes::{Only, Route};
use crate::platform::{Level, Platform};
use crate::reply::Reply;
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
    ) -> Reply<P::Upstreamed> {
        let Some(exchange) = Exchange::new(self, platform, &request) else {
            return Reply::Own(bad_request());
        };
        let path = match CanonicalPath::new(&request.url.path) {
            Ok(path) => path,
            Err(refused) => {
                exchange.log(Level::Info, "path_refused", &refused.to_string());
                return Reply::Own(bad_request());
            }
        };
        match path.below(&self.config.base_path) {
            Some(path) => Reply::Own(match exchange.find_route(&path) {
                // A proxy acts by this answer: it is given in no other form, whatever a client asks for.
                Some(Route::Verify) => exchange.verify().await,
                route => exchange.auth(route, &path, body).await,
            }),
            None => match exchange.sign_in_of_v4_client(&path) {
                Some(redirect) => Reply::Own(redirect),
                None => exchange.protect(&path, body).await,
            },
        }
    }
}

impl<P: Platform> Exchange<'_, P> {
    /// Runs an auth route, and turns what went wrong into the answer that Auth.js gives.
    async fn auth(&self, route: Option<Route>, path: &[&str], body: P::Body) -> Response {
        if let Standing::Foreign(domain) = self.standing {
            return self.foreign_host(domain);
        }
        let mut input = Input::of_query(self.request);
        match self.act(route, path, body, &mut input).await {
            Ok(response) => self.as_client_wants(&input, response),
            Err(error) => {
                self.platform.log(error.level(), &error.log());
                self.failure(path, &input, &error)
            }
        }
    }

    /// Runs the flow of a route. What it reads of the body goes into `input`, also where the flow then fails.
    async fn act(
        &self,
        route: Option<Route>,
        path: &[&str],
        body: P::Body,
        input: &mut Input,
    ) -> Result<Response, Error> {
        let provider = path.get(1).copied();
        match route {
            Some(Route::SignInPage) => self.show_sign_in(&input.query),
            // Asked for ahead of time, nothing begins, and no browser keeps the answer: the ticket waits for who comes.
            Some(Route::ReceiveSignIn) if self.request.is_prefetch() => {
                Ok(responses::no_token(Duration::from_secs(1)))
            }
            Some(Route::ReceiveSignIn) => {
                self.receive_sign_in(provider.unwrap_or_default(), &input.query).await
            }
            Some(Route::Callback) => self.callback(provider.unwrap_or_default(), &input.query).await,
            Some(route @ (Route::SignIn | Route::SignOut | Route::PostedCallback)) => {
                let (query, form) = input.with(self.read_form(body).await?);
                match (route, provider) {
                    (Route::PostedCallback, Some(provider)) if self.takes_form(provider) => {
                        self.callback(provider, form).await
                    }
                    (Route::PostedCallback, Some(provider)) => {
                        self.sign_in_by_credentials(provider, query, form).await
                    }
                    (Route::SignOut, _) => Ok(self.sign_out(query, form).await?),
                    _ => self.sign_in(provider, query, form).await,
                }
            }
            Some(Route::SignOutPage) => self.show_sign_out(&input.query),
            Some(Route::Session) => self.show_session(&input.query).await,
            Some(Route::UpdateSession) => {
                self.update_session(&input.query, self.read_update(body).await?).await
            }
            Some(Route::Csrf) => self.csrf_token(&input.query),
            Some(Route::Providers) => Ok(self.list_providers()),
            Some(Route::Token) => self.show_token().await,
            Some(Route::Renew) => self.renew(&input.query).await,
            Some(Route::ErrorPage) => self.show_error(&input.query),
            Some(Route::Keys) => Ok(self.jwks().await),
            Some(Route::ClientLog) => Ok(self.client_log(body).await),
            Some(Route::Verify) | None => Err(unsupported(self.request, path).into()),
        }
    }

    /// The route of a path below `base_path`.
    fn find_route(&self, path: &[&str]) -> Option<Route> {
        routes::find(&self.request.method, path, |only| match only {
            Only::Everywhere => true,
            Only::LoginHost => self.is_login_host(),
            Only::NextAuthV4 => self.config().dialect == Dialect::NextAuthV4,
        })
    }

    /// Whether other hosts send people to this one.
    fn is_login_host(&self) -> bool {
        self.config().login_url.is_some() && matches!(self.standing, Standing::SignsIn)
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

/// Why a request asks for nothing that there is.
fn unsupported(request: &Request, route: &[&str]) -> ClientError {
    match (&request.method, route) {
        (Method::Get, ["signin", _]) => {
            ClientError::UnsupportedAction("a sign-in with a provider begins with POST")
        }
        (Method::Get | Method::Head | Method::Post, ["callback"]) => {
            ClientError::UnsupportedAction("the callback names no provider")
        }
        (Method::Get | Method::Head | Method::Post, ["verify-request"]) => {
            ClientError::UnsupportedAction("there is no sign-in by e-mail")
        }
        (Method::Get | Method::Head | Method::Post, ["webauthn-options"] | ["webauthn-options", _]) => {
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
