//! The one dispatcher: finds the flow that answers a request.

#[cfg(not(feature = "reference"))]
mod routes;
#[cfg(feature = "reference")]
pub mod routes;

use std::pin::Pin;
use std::time::Duration;

use serde_json::json;

use crate::error::{ClientError, Error};
use crate::flow::cors::ReadableRoute;
use crate::flow::health::health;
use crate::flow::host_role::HostRole;
use crate::flow::pages::configuration::is_development;
use crate::flow::session::update::Update;
use crate::flow::vestibule::Vestibule;
use crate::flow::{RequestContext, RouteParams, responses};
use crate::guard::cross_origin::{self, CrossOriginError, RequestSource};
use crate::guard::path::CanonicalPath;
use crate::handle::routes::{Only, Route};
use crate::log::{LogEvent, Record};
use crate::outcome::Outcome;
use crate::platform::{Meter, Metered, Platform, Sinks};
use crate::session::dialect::Dialect;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::{Method, Request};
use vestibule_oidc::http::response::Response;

/// The largest body, in bytes, that an auth route reads: enough for every field of a sign-in form, and for a
/// provider's form post.
const MAX_BODY: usize = 64 * 1024;

impl Vestibule {
    /// Answers one request. A path below `base_path` is an auth route; the rules guard every other path.
    ///
    /// `request` is the head as it arrived; `body` is the platform's handle to the body, which is not read yet.
    pub async fn handle<P: Platform>(
        &self,
        platform: P,
        request: Request,
        body: P::Body,
    ) -> Outcome<P::UpstreamResponse> {
        let is_development = || is_development(&request, self.config.edge);
        let failed = &self.metrics_failed;
        let platform = Metered::new(platform, self.config.metrics, failed, is_development);
        let _end = platform.request();
        let to_https = self.to_https(&request);
        let request = self.as_sent(request);
        let outcome = self.answer(&platform, &request, to_https, body).await;
        match platform.meter().and_then(Meter::server_timing) {
            Some(value) => outcome.with_server_timing(value),
            None => outcome,
        }
    }

    async fn answer<P: Platform>(
        &self,
        platform: &P,
        request: &Request,
        to_https: Option<Response>,
        body: P::Body,
    ) -> Outcome<P::UpstreamResponse> {
        let Some(context) = RequestContext::new(self, platform, request) else {
            return Outcome::Response(bad_request());
        };
        if context.is_of_envoy() {
            return Outcome::Response(context.forward_auth().await);
        }
        let (rules, base_path) = (&self.config.rules, &self.config.base_path);
        let known = match self.path_memory.path(rules, base_path, request) {
            Ok(known) => known,
            Err(refused) => {
                context.log(Record::new(LogEvent::PathRejected, refused));
                return Outcome::Response(self.for_person(request, bad_request()));
            }
        };
        let path = &known.path;
        let own = path.below(base_path);
        let route = own.as_deref().and_then(|path| context.find_route(&request.method, path));
        match route {
            // Another proxy acts on this answer, so nothing that a client sends may change its form.
            Some(Route::Verify) => return Outcome::Response(context.forward_auth().await),
            // An operator's request is no browser's: it has neither a host of the site nor an origin.
            Some(Route::Revoke) => return Outcome::Response(context.revoke_for_operator(body).await),
            // A load balancer may ask by any name or address.
            Some(Route::Health) => return Outcome::Response(health()),
            Some(Route::HealthDetails) => {
                return Outcome::Response(Box::pin(context.health_details()).await);
            }
            // Nor is a provider's. Boxed: the future of every other request would have the size of these.
            Some(Route::BackchannelLogout) => {
                return Outcome::Response(Box::pin(context.backchannel_logout(body)).await);
            }
            Some(Route::SecurityEvents) => {
                return Outcome::Response(Box::pin(context.receive_security_event(body)).await);
            }
            Some(Route::GlobalTokenRevocation) => {
                return Outcome::Response(Box::pin(context.revoke_globally(body)).await);
            }
            None if own.as_deref().is_some_and(routes::is_of_providers) => {
                return Outcome::Response(responses::not_found());
            }
            _ => {}
        }
        if let Some(redirect) = to_https {
            return Outcome::Response(redirect);
        }
        let outcome = match own {
            Some(path) => Outcome::Response(context.auth_route(route, &path, body).await),
            None => match context.redirect_v4_sign_in(path) {
                Some(redirect) => Outcome::Response(redirect),
                // An upstream could take the path for one of Vestibule's own.
                None if known.may_be_own => Outcome::Response(responses::not_found()),
                None => match context.resource_metadata(path) {
                    Some(metadata) => Outcome::Response(metadata),
                    None => context.protect(&known, body).await,
                },
            },
        };
        match outcome {
            // Only scripts update a session, and they read why it failed.
            Outcome::Response(response) if route != Some(Route::UpdateSession) => {
                Outcome::Response(self.for_person(request, response))
            }
            outcome => outcome,
        }
    }
}

impl<P: Platform> RequestContext<'_, P> {
    /// Runs an auth route. An error becomes the answer that Auth.js gives in its place.
    async fn auth_route(&self, route: Option<Route>, path: &[&str], body: P::Body) -> Response {
        if let HostRole::Outside(domain) = self.host_role {
            return self.host_outside_site(domain);
        }
        if self.request.is_preflight()
            && let Some(answer) =
                readable(self.find_route(&Method::Get, path)).and_then(|route| self.preflight(route))
        {
            return answer;
        }
        let mut params = RouteParams::from_query(self.request);
        let response = match self.run_flow(route, path, body, &mut params).await {
            Ok(response) => self.as_client_wants(&params, response),
            Err(error) => {
                self.log(error.record());
                // Boxed: few requests fail, and the future of every other would have its size.
                if let Some(response) = Box::pin(self.accident(path, &params, &error)).await {
                    response
                } else {
                    let kept = self.kept_form(&params, &error).into_iter().collect();
                    responses::with_cookies(self.failure(path, &params, &error), kept)
                }
            }
        };
        match readable(route) {
            Some(route) => self.readable_route(route, response),
            None => response,
        }
    }

    /// Runs the flow of an auth route. A form that was read stays in `params`, also where the flow fails.
    async fn run_flow(
        &self,
        route: Option<Route>,
        path: &[&str],
        body: P::Body,
        params: &mut RouteParams,
    ) -> Result<Response, Error> {
        self.reject_cross_origin(route, path)?;
        let provider = path.get(1).copied();
        match route {
            Some(Route::SignInPage) => apart(self.show_sign_in(&params.query)).await,
            // A prefetch must not use up the ticket or the code, and no browser may keep its answer: the real request follows.
            Some(
                Route::ReceiveSignIn
                | Route::GivePreviewSession
                | Route::TakePreviewSession
                | Route::EndPreviewSession
                | Route::SignOutCallback
                | Route::StepUp
                | Route::InitiateLogin,
            ) if self.request.is_prefetch() => Ok(responses::token_unavailable(Duration::from_secs(1))),
            Some(Route::ReceiveSignIn) => {
                apart(self.receive_sign_in(provider.unwrap_or_default(), &params.query)).await
            }
            Some(Route::Callback) => apart(self.callback(provider.unwrap_or_default(), &params.query)).await,
            Some(route @ (Route::SignIn | Route::SignOut | Route::PostedCallback)) => {
                let (query, form) = params.with_form(self.read_form(body).await?);
                match (route, provider) {
                    (Route::PostedCallback, Some(provider)) if self.posts_its_response(provider) => {
                        apart(self.callback(provider, form)).await
                    }
                    (Route::PostedCallback, Some(provider)) => {
                        apart(self.sign_in_by_credentials(provider, query, form)).await
                    }
                    (Route::SignOut, _) => Ok(apart(self.sign_out(query, form)).await?),
                    _ => apart(self.sign_in(provider, query, form)).await,
                }
            }
            Some(Route::SignOutPage) => apart(self.show_sign_out(&params.query)).await,
            Some(Route::SignOutCallback) => Ok(self.finish_provider_logout(&params.query)),
            Some(Route::Session) => self.show_session(&params.query).await,
            Some(Route::UpdateSession) => {
                apart(self.update_session(&params.query, self.read_update(body).await?)).await
            }
            Some(Route::Csrf) => self.csrf_token(&params.query),
            Some(Route::Providers) => Ok(self.list_providers()),
            Some(Route::Token) => apart(self.show_token()).await,
            Some(Route::GivePreviewSession) => apart(self.give_preview_session(&params.query)).await,
            Some(Route::EndPreviewSession) => apart(self.end_preview_session(&params.query)).await,
            Some(Route::TakePreviewSession) => apart(self.take_preview_session(&params.query)).await,
            Some(Route::Renew) => apart(self.refresh_at_login_host(&params.query)).await,
            Some(Route::StepUp) => apart(self.receive_step_up(&params.query)).await,
            Some(Route::InitiateLogin) if self.request.method == Method::Post => {
                let (_, form) = params.with_form(self.read_form(body).await?);
                apart(self.initiate_login(form)).await
            }
            Some(Route::InitiateLogin) => apart(self.initiate_login(&params.query)).await,
            Some(Route::ErrorPage) => self.show_error(&params.query),
            Some(Route::FindKeptForm) => Ok(apart(self.find_kept_form()).await),
            Some(Route::ShowKeptForm) => Ok(apart(self.show_kept_form(body)).await),
            Some(Route::Keys) => Ok(apart(self.jwks()).await),
            Some(Route::ClientKeys) => Ok(apart(self.client_keys()).await),
            Some(Route::ClientLog) => Ok(apart(self.log_client_error(body)).await),
            Some(Route::FrontchannelLogout) => Ok(apart(self.frontchannel_logout(&params.query)).await),
            Some(
                Route::Verify
                | Route::Revoke
                | Route::BackchannelLogout
                | Route::SecurityEvents
                | Route::GlobalTokenRevocation
                | Route::Health
                | Route::HealthDetails,
            )
            | None => Err(unsupported(self.request, path).into()),
        }
    }

    /// Rejects a request that a page of another origin made the browser send, if it does something. A provider's form post
    /// comes from another origin; its transaction proves it.
    fn reject_cross_origin(&self, route: Option<Route>, path: &[&str]) -> Result<(), ClientError> {
        let is_form_post = route == Some(Route::PostedCallback)
            && path.get(1).is_some_and(|provider| self.posts_its_response(provider));
        // Every site may begin a sign-in there.
        let is_initiated = route == Some(Route::InitiateLogin);
        if is_form_post || is_initiated || !cross_origin::may_act(self.request) {
            return Ok(());
        }
        match self.source() {
            RequestSource::Trusted => Ok(()),
            RequestSource::CrossOrigin(origin) => Err(CrossOriginError { origin }.into()),
        }
    }

    /// The route of a path below `base_path`, for a request with this method.
    fn find_route(&self, method: &Method, path: &[&str]) -> Option<Route> {
        routes::find(method, path, |only| match only {
            Only::Everywhere => true,
            Only::LoginHost => self.is_login_host(),
            Only::PreviewHost => self.is_preview_host(),
            Only::NextAuthV4 => self.config().dialect == Dialect::NextAuthV4,
            Only::Operator => self.config().revocation.operator.are_set(),
            Only::Backchannel => self.config().backchannel_providers().next().is_some(),
            Only::Frontchannel => self.config().frontchannel_providers().next().is_some(),
            Only::Transmitter => self.config().transmitters().next().is_some(),
            Only::GlobalRevocation => self.config().transmitters().any(|transmitter| transmitter.may_revoke),
            Only::Monitor => !self.config().health_secrets.is_empty(),
            Only::InitiatedLogin => self.config().has_initiated_login(),
        })
    }

    /// Whether other hosts of the site send users to this one to sign in.
    fn is_login_host(&self) -> bool {
        self.config().login_url.is_some() && matches!(self.host_role, HostRole::Login)
    }

    /// The parameters in a POST's body: a form, or the flat JSON object that scripts send. A body of another media
    /// type has none.
    async fn read_form(&self, body: P::Body) -> Result<Params, ClientError> {
        let is_json = match self.request.media_type().as_str() {
            "application/json" => true,
            "application/x-www-form-urlencoded" => false,
            _ => return Ok(Params::default()),
        };
        let bytes = self.platform.read_body(body, MAX_BODY).await?;
        if is_json {
            return Params::from_json(&bytes).map_err(|_| ClientError::MalformedBody);
        }
        Ok(Params::from_urlencoded(&bytes))
    }

    /// The body of a session update: a JSON object, whose `data` may be nested. A body of another media type updates
    /// nothing.
    async fn read_update(&self, body: P::Body) -> Result<Update, ClientError> {
        if self.request.media_type() != "application/json" {
            return Ok(Update::default());
        }
        let bytes = self.platform.read_body(body, MAX_BODY).await?;
        Update::parse(&bytes).ok_or(ClientError::MalformedBody)
    }

    /// next-auth 4's `useSession({ required: true })` navigates to `/api/auth/signin`, whatever the base path is.
    fn redirect_v4_sign_in(&self, path: &CanonicalPath) -> Option<Response> {
        let is_v4_sign_in = self.config().dialect == Dialect::NextAuthV4
            && self.request.method == Method::Get
            && path.segments() == ["api", "auth", "signin"];
        let query = self.request.url.query.as_deref().map_or(String::new(), |query| format!("?{query}"));
        is_v4_sign_in.then(|| Response::redirect(format!("{}{query}", self.route("signin"))))
    }
}

/// A flow whose code is not part of its caller's, because it is called through a pointer. The runtime compiles the code of
/// all flows that are in one function when the first of them runs, which takes milliseconds.
fn apart<'f, T>(flow: impl Future<Output = T> + 'f) -> Pin<Box<dyn Future<Output = T> + 'f>> {
    Box::pin(flow)
}

/// What a script of another origin may read of a route.
fn readable(route: Option<Route>) -> Option<ReadableRoute> {
    match route? {
        Route::Session | Route::Csrf => Some(ReadableRoute::Session),
        Route::Token => Some(ReadableRoute::Token),
        _ => None,
    }
}

/// Why no flow answers the request.
fn unsupported(request: &Request, path: &[&str]) -> ClientError {
    match (&request.method, path) {
        (Method::Get, ["signin", _]) => ClientError::PlainLink,
        (Method::Get | Method::Head | Method::Post, ["callback"]) => {
            ClientError::UnsupportedAction("the callback path has no provider id")
        }
        (Method::Get | Method::Head | Method::Post, ["verify-request"]) => {
            ClientError::UnsupportedAction("sign-in by e-mail is not supported")
        }
        (Method::Get | Method::Head | Method::Post, ["webauthn-options"] | ["webauthn-options", _]) => {
            ClientError::UnsupportedAction("sign-in with a passkey is not supported")
        }
        (Method::Post, ["csrf" | "providers" | "error" | "token"]) => {
            ClientError::UnsupportedAction("this auth route does not support POST")
        }
        _ => ClientError::UnknownAction {
            method: request.method.as_str().to_owned(),
            path: request.url.path.clone(),
        },
    }
}

fn bad_request() -> Response {
    Response::json(400, &json!("Bad request."))
}
