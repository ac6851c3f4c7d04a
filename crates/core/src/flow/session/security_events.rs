//! `POST /security-events`: a transmitter pushes a security event token (RFC 8935), and the sessions that it names end.
//!
//! What the event names ends if it began before the event, by the transmitter's clock, which is as good as ours. An event may
//! arrive long after it happened, and twice: neither ends a later session. Events that say nothing of sessions are
//! acknowledged, logged, and change nothing.

use std::fmt::Display;

use serde_json::json;

use crate::flow::RequestContext;
use crate::flow::attempts::WINDOW;
use crate::flow::session::strangers::{
    self, NotAccepted, RETRY_AFTER, Transmitted, UnprovenError, named_transmitters,
};
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::revocation::CLOCK_TOLERANCE;
use crate::revocation::subject::Subject;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::jws::{self, JwsError};
use vestibule_oidc::oauth::security_event::{
    self, Expected, SecurityEvent, SecurityEventError, VerifiedSecurityEvent,
};
use vestibule_oidc::oauth::transmitter::EventTransmitter;
use vestibule_oidc::time::Timestamp;

/// The largest body, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// What the sender of too many forged tokens learns.
const TOO_MANY: Learned = ("access_denied", "too many forged tokens from one address");

/// A code of RFC 8935 section 2.4, and its description.
type Learned<T = &'static str> = (&'static str, T);

/// Why a token is rejected: what the sender learns, and what the log says.
struct RejectedError {
    why: NotAccepted<Learned<String>>,
    record: Box<Record>,
}

impl<P: Platform> RequestContext<'_, P> {
    /// Does what the pushed token says. 202 only after that was stored.
    pub(crate) async fn receive_security_event(&self, body: P::Body) -> Response {
        let answer = match self.proven_event(body).await {
            Ok(events) => {
                let mut is_stored = true;
                for (transmitter, event) in &events {
                    is_stored &= self.apply(transmitter, event).await;
                }
                if is_stored { Response::empty(202) } else { unavailable(RETRY_AFTER) }
            }
            Err(RejectedError { why, record }) => {
                self.log(*record);
                match why {
                    NotAccepted::Invalid((code, description)) => invalid(400, code, &description),
                    NotAccepted::TooMany => {
                        invalid(429, TOO_MANY.0, TOO_MANY.1).with("retry-after", WINDOW.as_secs().to_string())
                    }
                    NotAccepted::Unavailable(retry_after) => unavailable(retry_after),
                }
            }
        };
        answer.with("cache-control", "no-store")
    }

    /// What the token proves, for each transmitter that has signed it: usually one.
    async fn proven_event(
        &self,
        body: P::Body,
    ) -> Result<Vec<(&EventTransmitter, VerifiedSecurityEvent)>, RejectedError> {
        let token = self.event_token(body).await?;
        let proven = self
            .verified_by_transmitters(self.addressing_transmitters(&token)?, &token)
            .await
            .map_err(|(transmitter, error)| RejectedError::unproven(transmitter, error))?;
        let event = |(transmitter, payload): Transmitted<'_>| {
            security_event::verify(&payload, &expected(transmitter), self.now)
                .map_err(|error| RejectedError::claims(&error).of(transmitter))
        };
        proven.into_iter().map(|proven| Ok((proven.0, event(proven)?))).collect()
    }

    /// The body: the token itself (RFC 8935 section 2.1).
    async fn event_token(&self, body: P::Body) -> Result<String, RejectedError> {
        if self.request.media_type() != "application/secevent+jwt" {
            return Err(RejectedError::new("invalid_request", "the body must be application/secevent+jwt"));
        }
        let body = self.platform.read_body(body, MAX_BODY).await;
        let body = body.map_err(|error| RejectedError::new("invalid_request", &error.to_string()))?;
        let token = String::from_utf8(body).ok();
        let token = token.ok_or_else(|| RejectedError::new("invalid_request", "the body is not a JWT"))?;
        Ok(token.trim().to_owned())
    }

    /// The transmitters whose event this could be, before its signature is verified.
    fn addressing_transmitters(&self, token: &str) -> Result<Vec<&EventTransmitter>, RejectedError> {
        let unverified = jws::decode_unverified(token);
        let Some(claims) = unverified.as_object() else {
            return Err(RejectedError::new("invalid_request", "the body is not a JWT"));
        };
        let check = |transmitter: &EventTransmitter| {
            security_event::precheck(claims, &expected(transmitter), self.now)
                .map_err(|error| RejectedError::claims(&error))?;
            self.check_authorization(transmitter)
        };
        named_transmitters(self.config().transmitters(), claims, check).map_err(|rejected| match rejected {
            Some((transmitter, error)) => error.of(transmitter),
            None => RejectedError::new("invalid_issuer", "iss is not accepted"),
        })
    }

    /// Whether the request has the secret of the transmitter, if it has one.
    fn check_authorization(&self, transmitter: &EventTransmitter) -> Result<(), RejectedError> {
        match &transmitter.authorization {
            Some(secret) if !self.bearer_secret().is_some_and(|sent| secret.matches(sent)) => {
                let description = "the Authorization header is not that of the transmitter";
                Err(RejectedError::new("authentication_failed", description))
            }
            _ => Ok(()),
        }
    }

    /// Does what the events say. Returns whether all of it was stored.
    async fn apply(&self, transmitter: &EventTransmitter, event: &VerifiedSecurityEvent) -> bool {
        let mut is_stored = true;
        for happened in event.events() {
            let (subjects, at, what) = match (happened, event.subject()) {
                (SecurityEvent::SessionRevoked(at), Some(subject)) => {
                    (self.transmitted_sessions(transmitter, subject), *at, "session-revoked")
                }
                (SecurityEvent::CredentialChange(at), Some(subject)) => {
                    let user = self.transmitted_user(transmitter, subject);
                    (user.map(|user| vec![Subject::User(user)]), *at, "credential-change")
                }
                _ => {
                    self.log_event_received(transmitter, happened);
                    continue;
                }
            };
            match subjects {
                Ok(subjects) => {
                    for subject in subjects {
                        is_stored &= self.end_by_event(transmitter, subject, at, what).await;
                    }
                }
                Err(error) => {
                    let message =
                        format_args!("the event {what} was acknowledged and ended no session: {error}");
                    let record = Record::new(LogEvent::SecurityEventNotApplied, message);
                    self.log(record.provider(&transmitter.provider));
                }
            }
        }
        is_stored
    }

    async fn end_by_event(
        &self,
        transmitter: &EventTransmitter,
        subject: Subject,
        occurred_at: Timestamp,
        what: &str,
    ) -> bool {
        // A clock that is ahead must not end what has not begun.
        let occurred_at = occurred_at.min(self.platform.now());
        let at = match subject {
            // The provider's clock may be another one. No later session of the provider has this `sid`.
            Subject::ProviderSession { .. } => occurred_at.plus(CLOCK_TOLERANCE),
            _ => occurred_at,
        };
        self.end_for_provider(&transmitter.provider, subject, what, at).await
    }

    fn log_event_received(&self, transmitter: &EventTransmitter, event: &SecurityEvent) {
        let message = match event {
            SecurityEvent::Verification { state: Some(state) } => {
                format!("the transmitter verified the stream, with the state {state:?}")
            }
            SecurityEvent::Verification { state: None } => "the transmitter verified the stream".to_owned(),
            SecurityEvent::StreamUpdated { status } => format!("the stream of events is now {status:?}"),
            SecurityEvent::Other(name) => format!("an event that ends no session here: {name:?}"),
            SecurityEvent::SessionRevoked(_) | SecurityEvent::CredentialChange(_) => return,
        };
        let record = Record::new(LogEvent::SecurityEventReceived, message);
        self.log(record.provider(&transmitter.provider));
    }
}

impl RejectedError {
    fn new(code: &'static str, description: &str) -> Self {
        let message = format_args!("a security event was rejected: {description}");
        let record = Record::new(LogEvent::SecurityEventRejected, message).code(code);
        Self { why: NotAccepted::Invalid((code, description.to_owned())), record: Box::new(record) }
    }

    fn claims(error: &SecurityEventError) -> Self {
        let record = Record::new(LogEvent::SecurityEventRejected, error).code(error.code());
        Self { record: Box::new(record), ..Self::new(error.code(), &error.description()) }
    }

    fn unproven(transmitter: &EventTransmitter, error: UnprovenError) -> Self {
        let record = |message: &dyn Display| {
            let message = format_args!("security event: {message}");
            Box::new(Record::new(LogEvent::SecurityEventRejected, message))
        };
        match error {
            UnprovenError::Rejected(error) => {
                let code = match error {
                    JwsError::Signature
                    | JwsError::UnknownKey
                    | JwsError::KeyMismatch(_)
                    | JwsError::TooManyCandidates(_)
                    | JwsError::Key(_) => "invalid_key",
                    _ => "invalid_request",
                };
                let record = Box::new(record(&error).code(code));
                Self { record, ..Self::new(code, "the signature is not accepted") }
            }
            // Events are not encrypted.
            UnprovenError::NotOpened(error) => Self::new("invalid_key", &error.to_string()),
            UnprovenError::Unavailable(error) => Self {
                why: NotAccepted::Unavailable(strangers::retry_after(&error)),
                record: Box::new(record(&error).caused_by(error.error_source())),
            },
            UnprovenError::TooMany => Self { why: NotAccepted::TooMany, ..Self::new(TOO_MANY.0, TOO_MANY.1) },
        }
        .of(transmitter)
    }

    fn of(self, transmitter: &EventTransmitter) -> Self {
        Self { record: Box::new(self.record.provider(&transmitter.provider)), ..self }
    }
}

fn invalid(status: u16, code: &str, description: &str) -> Response {
    let body = json!({ "err": code, "description": description });
    Response::json(status, &body).with("content-language", "en")
}

/// It could not be stored, or not be verified: the transmitter may try again.
fn unavailable(retry_after: u16) -> Response {
    Response::empty(503).with("retry-after", retry_after.to_string())
}

fn expected(transmitter: &EventTransmitter) -> Expected<'_> {
    Expected { issuer: &transmitter.issuer, audiences: &transmitter.audiences }
}
