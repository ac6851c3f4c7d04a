//! `POST /backchannel-logout`: a provider ends sessions by a logout token (OpenID Connect Back-Channel Logout 1.0).
//!
//! The fact that it stores has the token's `iat`, and sessions are compared with it by the `iat` of their sign-in's ID token:
//! one clock. So a token that arrives before the browser has its cookie still ends that session, a later sign-in under the
//! same `sid` stays, and a token that comes twice changes nothing.

use std::borrow::Cow;
use std::fmt::Display;

use serde_json::json;

use crate::config::Provider;
use crate::flow::RequestContext;
use crate::flow::attempts::WINDOW;
use crate::flow::session::strangers::{self, Cost, NotAccepted, RETRY_AFTER, UnprovenError};
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::revocation::subject::Subject;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::jws;
use vestibule_oidc::oauth::logout_token::{self, Ended, Expected, LogoutTokenError, VerifiedLogoutToken};
use vestibule_oidc::oauth::provider::{OAuthProvider, OpenId};
use vestibule_oidc::time::Timestamp;

/// The largest body, in bytes. A logout token has one or two thousand characters; the rest is for long headers.
const MAX_BODY: usize = 16 * 1024;

/// A logout that a provider has proven.
struct ProvenLogout<'a> {
    provider: &'a Provider,
    token: VerifiedLogoutToken,
}

/// Why a request is rejected: what the sender learns, and what the log says.
struct RejectedError {
    why: NotAccepted<String>,
    record: Record,
    check: Check,
    cost: Cost,
}

/// The check that a token did not pass, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Check {
    Form,
    Encryption,
    Issuer,
    Claims,
    Signature,
}

impl<P: Platform> RequestContext<'_, P> {
    /// Ends what the logout token names. 200 only after that was stored.
    pub(crate) async fn backchannel_logout(&self, body: P::Body) -> Response {
        let answer = match self.proven_logouts(body).await {
            Ok(logouts) => {
                let mut is_stored = true;
                for logout in &logouts {
                    is_stored &= self.end_by_provider(logout).await;
                }
                if is_stored { Response::empty(200) } else { unavailable(RETRY_AFTER) }
            }
            Err(RejectedError { why, record, .. }) => {
                self.log(record);
                match why {
                    NotAccepted::Invalid(description) => invalid(400, &description),
                    NotAccepted::TooMany => {
                        invalid(429, "too many requests").with("retry-after", WINDOW.as_secs().to_string())
                    }
                    NotAccepted::Unavailable(retry_after) => unavailable(retry_after),
                }
            }
        };
        answer.with("cache-control", "no-store")
    }

    /// The logout that the body proves, at each provider of the configuration that is this client of this issuer: usually one.
    /// One that cannot verify the token says nothing about the others.
    async fn proven_logouts(&self, body: P::Body) -> Result<Vec<ProvenLogout<'_>>, RejectedError> {
        let token = self.logout_token(body).await?;
        let (mut logouts, mut rejections) = (Vec::new(), Vec::new());
        for (provider, oauth, openid) in self.config().backchannel_providers() {
            match self.proven_logout(provider, oauth, openid, &token).await {
                Ok(token) => logouts.push(ProvenLogout { provider, token }),
                Err(rejected) => rejections.push(rejected),
            }
        }
        if !logouts.is_empty() {
            // The answer says that it was accepted, so nobody else learns that sessions of these providers may have stayed.
            let unavailable = rejections.into_iter().filter(RejectedError::is_unavailable);
            unavailable.for_each(|rejected| self.log(rejected.record));
            return Ok(logouts);
        }
        let cost = rejections.iter().map(|rejected| rejected.cost).max().unwrap_or_default();
        let rejected = rejections.into_iter().reduce(RejectedError::or);
        let rejected = rejected.unwrap_or_else(|| RejectedError::flaw(Check::Issuer, "iss is not accepted"));
        if cost.counts(rejected.is_unavailable()) {
            self.count_forged().await;
        }
        Err(rejected)
    }

    /// What the token proves at this provider.
    async fn proven_logout(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        openid: &OpenId,
        token: &str,
    ) -> Result<VerifiedLogoutToken, RejectedError> {
        let unproven = |error| RejectedError::unproven(provider, error);
        let signed = self.signed_logout_token(provider, oauth, token).await.map_err(unproven)?;
        // Anyone can encrypt, so a token that was decrypted, and that is not proven, has cost as much as a forged one.
        let was_decrypted = oauth.response_encryption.id_token.is_some();
        let decrypted = |rejected: RejectedError| rejected.after_decryption(was_decrypted);
        precheck(&signed, provider, oauth, openid, self.now).map_err(decrypted)?;
        let verification = self.verify_logout_signature(provider, oauth, &signed);
        let payload = self.unless_stopped(verification).await.map_err(unproven).map_err(decrypted)?;
        logout_token::verify(&payload, &expected(oauth, openid), self.now)
            .map_err(|error| RejectedError::claims(provider, &error))
    }

    /// The signed token, decrypted where the ID tokens of this provider are encrypted (section 2.6, step 1). One that does
    /// not open may be another provider's.
    async fn signed_logout_token<'t>(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        token: &'t str,
    ) -> Result<Cow<'t, str>, UnprovenError> {
        if oauth.response_encryption.id_token.is_none() {
            return Ok(Cow::Borrowed(token));
        }
        self.unless_stopped(self.decrypted_id_token(provider, oauth, token)).await
    }

    /// The parameter `logout_token` of the form. Other parameters are ignored (section 2.5).
    async fn logout_token(&self, body: P::Body) -> Result<String, RejectedError> {
        if self.request.media_type() != "application/x-www-form-urlencoded" {
            return Err(RejectedError::form("the body must be application/x-www-form-urlencoded"));
        }
        let body = self.platform.read_body(body, MAX_BODY).await;
        let body = body.map_err(|error| RejectedError::form(&error.to_string()))?;
        match Params::from_urlencoded(&body).one("logout_token") {
            Ok(Some(token)) => Ok(token.to_owned()),
            Ok(None) => Err(RejectedError::form("logout_token is missing")),
            Err(_) => Err(RejectedError::form("logout_token is given more than once")),
        }
    }

    /// Stores what has ended. Returns whether every process learns of it.
    async fn end_by_provider(&self, logout: &ProvenLogout<'_>) -> bool {
        let ProvenLogout { provider, token } = logout;
        let id = || provider.id.clone();
        let (subject, what) = match token.ended() {
            Ended::Session(sid) => {
                (Subject::ProviderSession { provider: id(), sid: sid.clone() }, "one of its sessions")
            }
            Ended::User(sub) => {
                (Subject::ProviderUser { provider: id(), sub: sub.clone() }, "all sessions of a user")
            }
        };
        self.end_for_provider(&provider.id, subject, what, token.issued_at()).await
    }
}

impl RejectedError {
    fn form(description: &str) -> Self {
        Self::flaw(Check::Form, description)
    }

    fn flaw(check: Check, description: &str) -> Self {
        let message = format_args!("a logout token was rejected: {description}");
        let record = Record::new(LogEvent::LogoutTokenRejected, message);
        Self { why: NotAccepted::Invalid(description.to_owned()), record, check, cost: Cost::None }
    }

    fn claims(provider: &Provider, error: &LogoutTokenError) -> Self {
        let record = Record::new(LogEvent::LogoutTokenRejected, error).provider(&provider.id);
        Self {
            why: NotAccepted::Invalid(error.description()),
            record,
            check: Check::Claims,
            cost: Cost::None,
        }
    }

    fn unproven(provider: &Provider, error: UnprovenError) -> Self {
        let record = |message: &dyn Display| {
            Record::new(LogEvent::LogoutTokenRejected, format_args!("logout token: {message}"))
                .provider(&provider.id)
        };
        let invalid = |description: &str| NotAccepted::Invalid(description.to_owned());
        let cost = error.cost();
        let check = match error {
            UnprovenError::NotOpened(_) => Check::Encryption,
            _ => Check::Signature,
        };
        let (why, record) = match error {
            UnprovenError::Rejected(error) => (invalid("the signature is not accepted"), record(&error)),
            UnprovenError::NotOpened(error) => (invalid("the encryption is not accepted"), record(&error)),
            UnprovenError::Unavailable(error) => (
                NotAccepted::Unavailable(strangers::retry_after(&error)),
                record(&error).caused_by(error.error_source()),
            ),
            UnprovenError::TooMany => (
                NotAccepted::TooMany,
                record(&"too many forged ones from one address, so its signature was not verified"),
            ),
        };
        Self { why, record, check, cost }
    }

    /// The same, of a token that may have been decrypted before. Keys that are unavailable say nothing against it.
    fn after_decryption(self, was_decrypted: bool) -> Self {
        let is_held_against_it = matches!(self.why, NotAccepted::Invalid(_)) || self.cost > Cost::None;
        if was_decrypted && is_held_against_it { Self { cost: Cost::Work, ..self } } else { self }
    }

    fn is_unavailable(&self) -> bool {
        matches!(self.why, NotAccepted::Unavailable(_))
    }

    /// The one of both that the answer says: that the token may be accepted later, or else what is wrong by the last check.
    fn or(self, other: Self) -> Self {
        let weight = |rejected: &Self| {
            let kind = match rejected.why {
                NotAccepted::Unavailable(_) => 2,
                NotAccepted::TooMany => 1,
                NotAccepted::Invalid(_) => 0,
            };
            (kind, rejected.check)
        };
        if weight(&other) > weight(&self) { other } else { self }
    }
}

/// Whether the provider could have issued this token, before its signature is verified: what would be rejected anyway costs
/// no signature.
fn precheck(
    token: &str,
    provider: &Provider,
    oauth: &OAuthProvider,
    openid: &OpenId,
    now: Timestamp,
) -> Result<(), RejectedError> {
    let unverified = jws::decode_unverified(token);
    let Some(claims) = unverified.as_object() else {
        return Err(RejectedError::form("logout_token is not a JWT"));
    };
    if claims.get("iss").and_then(|issuer| issuer.as_str()) != Some(&openid.issuer) {
        return Err(RejectedError::flaw(Check::Issuer, "iss is not accepted"));
    }
    logout_token::precheck(claims, &expected(oauth, openid), now)
        .map_err(|error| RejectedError::claims(provider, &error))
}

fn expected<'a>(oauth: &'a OAuthProvider, openid: &'a OpenId) -> Expected<'a> {
    Expected { issuer: &openid.issuer, client_id: &oauth.client.id }
}

fn invalid(status: u16, description: &str) -> Response {
    Response::json(status, &json!({ "error": "invalid_request", "error_description": description }))
}

/// It could not be stored, or not be verified: the provider may try again.
fn unavailable(retry_after: u16) -> Response {
    Response::json(503, &json!({ "error": "temporarily_unavailable" }))
        .with("retry-after", retry_after.to_string())
}
