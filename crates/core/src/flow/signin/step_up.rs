//! Step-up authentication ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)): a rule asks for more than the session shows
//! of how, or how recently, its user authenticated (`acr`, `amr`, `max_age`).
//!
//! A person is sent to the session's provider for it, and comes back to the address; a script learns what is missing. No
//! form begins it, so its result is only ever the session that the browser already has, of the same user. If the provider
//! answers without what was asked, or with another user, the answer is a page: nothing of the session changes, and no one is
//! sent there again by itself.

use std::time::Duration;

use serde_json::Value;

use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error, ProviderError};
use crate::flow::RequestContext;
use crate::flow::hosts::with_parameters;
use crate::flow::responses::{self, with_cookies};
use crate::flow::session::show::revocation_unavailable;
use crate::flow::signin::begin::Purpose;
use crate::flow::signin::create_session::CreatedSession;
use crate::flow::signin::identity::Identity;
use crate::flow::signin::step_up_parameters::parameters;
use crate::log::{ErrorSource, LogEvent, Record};
use crate::platform::Platform;
use crate::revocation::status::RevocationStatus;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use crate::session::step_up::{StepUp, StepUpAttempt, StepUpRequest};
use crate::session::transaction::Transaction;
use crate::texts::Text;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::json;
use vestibule_oidc::oauth::authorize::AuthorizationResponseError;
use vestibule_oidc::oauth::id_token::IdTokenError;
use vestibule_oidc::time::Timestamp;

/// Below `base_path`: where a step-up begins that another host, or a page's script, was told of.
const ROUTE: &str = "step-up";

/// The parameter with the sealed [`StepUpRequest`].
const REQUEST: &str = "request";

/// How long to wait while the provider is unavailable.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A request whose user may pass, and has to step up first.
#[derive(Clone, Debug)]
pub(crate) struct StepUpDenial {
    /// What is asked, of which the session or the token shows too little.
    pub(crate) needed: StepUp,
    /// Whether an access token of the client is all that shows who the user is. A new one is for the client to get.
    pub(crate) is_bearer: bool,
}

/// What came of a step-up at the provider.
pub(super) enum SteppedUp {
    /// The session, with what was asked.
    Session(CreatedSession),
    /// The answer without one.
    Answer(Response),
}

impl<P: Platform> RequestContext<'_, P> {
    /// The answer to a request whose user has to step up: a person goes to the provider at once.
    pub(crate) async fn step_up(&self, session: Option<&Session>, denial: &StepUpDenial) -> Response {
        let return_to = self.return_policy().resolve(&self.return_address());
        match (session, return_to) {
            (Some(session), Some(return_to)) if self.signs_users_in() && self.is_sent_to_step_up(denial) => {
                self.begin_step_up(session, &denial.needed, &return_to).await
            }
            _ => self.step_up_response(session, denial),
        }
    }

    /// The same without a cookie of this host: on a host that signs no one in, and for another proxy, which may drop it. A
    /// person goes to the host that signs users in, and from there to the provider.
    pub(crate) fn step_up_response(&self, session: Option<&Session>, denial: &StepUpDenial) -> Response {
        let asked = &denial.needed;
        if denial.is_bearer {
            return responses::insufficient_user_authentication(asked, None);
        }
        if !self.has_way_to_step_up(session) {
            return self.no_step_up();
        }
        let there = self.step_up_address(asked, &self.return_address());
        if !self.is_sent_to_step_up(denial) {
            return responses::insufficient_user_authentication(asked, Some(&there));
        }
        let challenge = responses::step_up_challenge(asked);
        Response::redirect(there)
            .with("www-authenticate", challenge)
            .with("cache-control", "private, no-store")
    }

    /// The address at which the browser begins the step-up, and from which it comes to `return_to`.
    pub(crate) fn step_up_address(&self, asked: &StepUp, return_to: &str) -> String {
        if self.return_policy().is_too_long(return_to) {
            // The page that says so.
            return self.sign_in_page(return_to);
        }
        let request = StepUpRequest { needed: asked.clone(), return_to: return_to.to_owned() };
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let sealed = request.seal(&self.config().keys, self.now, random);
        with_parameters(&self.login_route(ROUTE), &[(REQUEST, &sealed)])
    }

    /// `GET /step-up`: begins the step-up that a host of the site asked for.
    ///
    /// It needs no CSRF token: only hosts of the site seal such a request, and the browser's user stays the same.
    pub(crate) async fn receive_step_up(&self, query: &Params) -> Result<Response, Error> {
        let sealed = query.one(REQUEST).map_err(ClientError::from)?.unwrap_or_default();
        if !self.signs_users_in() {
            let there = with_parameters(&self.login_route(ROUTE), &[(REQUEST, sealed)]);
            return Ok(Response::redirect(there).uncached());
        }
        let policy = self.return_policy();
        let Some(request) = StepUpRequest::open(sealed, &self.config().keys, self.now) else {
            let message = "the address to begin at has expired, or was changed";
            self.log(Record::new(LogEvent::StepUpFailed, message).caused_by(ErrorSource::Client));
            return Ok(Response::redirect(policy.default().as_str()).uncached());
        };
        let return_to = policy.resolve_or_default(&request.return_to);
        let answer = match self.live_session().await {
            Ok(SessionCookie::Valid(session)) if session.error().is_none() && session.names_user() => {
                // Boxed: few requests come here, and the future of every other would have its size.
                Box::pin(self.begin_step_up(&session, &request.needed, &return_to)).await
            }
            Ok(_) => Response::redirect(self.sign_in_page(return_to.as_str())),
            Err(_) => revocation_unavailable(),
        };
        Ok(answer.uncached())
    }

    /// The redirect to the session's provider. A page that comes back from there without what it needs is not sent again
    /// within a minute.
    async fn begin_step_up(&self, session: &Session, asked: &StepUp, return_to: &TrustedUrl) -> Response {
        let Some((provider, subject)) = self.step_up_provider(session).zip(session.subject()) else {
            return self.no_step_up();
        };
        let ProviderKind::OAuth(oauth) = &provider.kind else { return self.no_step_up() };
        let Some(marker) = self.mark_renewal(&step_up_page(return_to.as_str())) else {
            return self.step_up_page(Text::StepUpNotGiven, return_to.as_str());
        };
        if asked.is_met(|name| session.claims().get(name), self.now) {
            // In another tab, a moment ago.
            return with_cookies(Response::redirect(return_to.as_str()), vec![marker]);
        }
        let attempt = StepUpAttempt {
            needed: asked.clone(),
            subject: subject.to_owned(),
            sid: session.sid().map(str::to_owned),
            signed_in_at: session.signed_in_at().map(Timestamp::seconds),
        };
        let purpose = Purpose::StepUp { attempt, is_kept: session.is_persistent() };
        let redirect = match self.metadata(provider, oauth).await {
            Ok(metadata) => {
                let parameters = parameters(&oauth.authorization.params, &metadata, session, asked);
                self.authorization_redirect(provider, oauth, &parameters, return_to, purpose).await
            }
            Err(error) => Err(error),
        };
        match redirect {
            Ok(redirect) => with_cookies(redirect.with("cache-control", "private, no-store"), vec![marker]),
            Err(error) => {
                self.log(error.record());
                responses::token_unavailable(RETRY_AFTER)
            }
        }
    }

    /// The session after the provider answered with what was asked, for the same user. It stays the session that it was.
    pub(super) async fn finish_step_up(
        &self,
        identity: Identity<'_>,
        attempt: &StepUpAttempt,
        return_to: &str,
    ) -> Result<SteppedUp, Error> {
        let provider = identity.provider;
        if identity.subject != attempt.subject {
            let message = "the provider answered with another user than the session's";
            return Ok(SteppedUp::Answer(self.refused_step_up(
                provider,
                message,
                Text::StepUpOtherUser,
                return_to,
            )));
        }
        let id_token =
            identity.sources.iter().find(|(root, _)| *root == "id_token").map(|(_, claims)| claims);
        let claim = |name: &str| id_token.and_then(|claims| claims.get(name));
        let checks = attempt.needed.checks(claim, self.now);
        if let Some(missing) = checks.iter().find(|check| !check.is_met) {
            let message = format!("{}, and the ID token has {}", missing.requirement, missing.found);
            return Ok(SteppedUp::Answer(self.refused_step_up(
                provider,
                &message,
                Text::StepUpNotGiven,
                return_to,
            )));
        }
        let session = self.session_to_confirm(provider, &attempt.subject).await;
        Ok(match session {
            Some(session) => SteppedUp::Session(self.step_up_session(identity, &session).await?),
            // The browser sends no session with another site's form. The user has just signed in there, so this is a sign-in of
            // the same user, unless they have signed out meanwhile. With the form of a provider of this site it does send the
            // session, and that of another user stays.
            None if self.request.method == Method::Post
                && matches!(self.session(), SessionCookie::Absent)
                && !self.was_signed_out(provider, attempt).await =>
            {
                SteppedUp::Session(self.create_session(identity).await?)
            }
            None => SteppedUp::Answer(Response::redirect(self.sign_in_page(return_to))),
        })
    }

    /// The answer to a step-up that failed. Where the provider, or the user there, refused what was asked, it is a page;
    /// other errors are those of any sign-in. Either way the session stays as it is.
    pub(super) fn step_up_failed(
        &self,
        provider: &Provider,
        transaction: &Transaction,
        error: Error,
    ) -> Result<Response, Error> {
        let is_refusal = matches!(
            &error,
            Error::Provider {
                cause: ProviderError::Authorization(AuthorizationResponseError::Error(_))
                    | ProviderError::IdToken(IdTokenError::AuthTime(_)),
                ..
            }
        );
        if transaction.step_up.is_none() || !is_refusal {
            return Err(error);
        }
        Ok(self.refused_step_up(provider, &error.to_string(), Text::StepUpNotGiven, &transaction.return_to))
    }

    fn refused_step_up(&self, provider: &Provider, why: &str, text: Text, return_to: &str) -> Response {
        let id = &provider.id;
        self.log(Record::new(LogEvent::StepUpFailed, format_args!("provider {id}: {why}")).provider(id));
        // The page is no redirect, so a click on it may try again.
        let cookies = self.unmark_renewal(&step_up_page(return_to)).into_iter().collect();
        with_cookies(self.step_up_page(text, return_to), cookies)
    }

    /// 403: the session's provider can show nothing of that kind.
    fn no_step_up(&self) -> Response {
        if self.request.is_navigation() && !self.request.is_prefetch() {
            return self.no_step_up_page();
        }
        responses::no_step_up()
    }

    /// Whether the request is answered with a redirect. A script learns what is missing, and so does a browser that
    /// prefetches: the user may never look at that page.
    fn is_sent_to_step_up(&self, denial: &StepUpDenial) -> bool {
        !denial.is_bearer && self.request.is_navigation() && !self.request.is_prefetch()
    }

    /// Whether the user of this session may be able to prove more. If its provider is not configured here, the host that signs
    /// users in decides. The session of a preview host is a copy, which only a new one of the login host replaces.
    pub(crate) fn has_way_to_step_up(&self, session: Option<&Session>) -> bool {
        let Some(session) = session.filter(|_| !self.is_preview_host()) else { return false };
        let is_known_here = session.provider().is_some_and(|id| self.provider(id).is_some());
        self.step_up_provider(session).is_some() || !is_known_here && !self.signs_users_in()
    }

    /// The session's provider, if it gives ID tokens.
    fn step_up_provider(&self, session: &Session) -> Option<&Provider> {
        let provider = self.provider(session.provider()?)?;
        provider.gives_id_tokens().then_some(provider)
    }

    /// Whether the session of a step-up is known to have ended meanwhile.
    async fn was_signed_out(&self, provider: &Provider, attempt: &StepUpAttempt) -> bool {
        let session = Session::new(json::of(&[
            ("sub", attempt.subject.as_str().into()),
            ("provider", provider.id.as_str().into()),
            ("sid", attempt.sid.as_deref().map_or(Value::Null, Value::from)),
            ("signed_in_at", attempt.signed_in_at.map_or(Value::Null, Value::from)),
        ]));
        matches!(self.revocation_status(&session).await, RevocationStatus::Revoked)
    }
}

/// The name of a page in the marker of pages that were sent away.
fn step_up_page(return_to: &str) -> String {
    format!("step-up {return_to}")
}
