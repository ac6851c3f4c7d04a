//! `POST /global-token-revocation`: a provider revokes everything that a user has here
//! (draft-parecki-oauth-global-token-revocation; Okta's Universal Logout).
//!
//! The caller's JWT is signed for this purpose and for this site. All sessions of the user end that began before its `iat`.

use serde_json::json;

use crate::flow::RequestContext;
use crate::flow::attempts::WINDOW;
use crate::flow::session::strangers::{self, NotAccepted, RETRY_AFTER, UnprovenError, named_transmitters};
use crate::flow::session::transmitted_subject::UnknownSubjectError;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::revocation::subject::{Subject, User};
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::jws;
use vestibule_oidc::oauth::revocation_request::{self, Expected, VerifiedCaller};
use vestibule_oidc::oauth::subject_id::SubjectId;
use vestibule_oidc::oauth::transmitter::EventTransmitter;

/// The largest body, in bytes.
const MAX_BODY: usize = 4 * 1024;

/// Why a request is rejected, and what the log says. The sender learns the answer's status only.
struct RejectedError {
    why: NotAccepted<u16>,
    record: Record,
}

impl<P: Platform> RequestContext<'_, P> {
    /// Revokes what the user of the body has. 204 only after that was stored.
    pub(crate) async fn revoke_globally(&self, body: P::Body) -> Response {
        let answer = match self.proven_revocation(body).await {
            Ok(revocations) => {
                let mut is_stored = true;
                for (transmitter, caller, user) in revocations {
                    let at = caller.issued_at().min(self.platform.now());
                    let (subject, what) = (Subject::User(user), "a global token revocation");
                    is_stored &= self.end_for_provider(&transmitter.provider, subject, what, at).await;
                }
                if is_stored { Response::empty(204) } else { refused(&NotAccepted::Unavailable(RETRY_AFTER)) }
            }
            Err(RejectedError { why, record }) => {
                self.log(record);
                refused(&why)
            }
        };
        answer.with("cache-control", "no-store")
    }

    /// Who calls, and the user whom the body names, for each transmitter that has signed the caller's JWT: usually one.
    async fn proven_revocation(
        &self,
        body: P::Body,
    ) -> Result<Vec<(&EventTransmitter, VerifiedCaller, User)>, RejectedError> {
        let Some(token) = self.bearer_secret() else {
            return Err(RejectedError::new(
                401,
                "the caller's JWT must be sent as `Authorization: Bearer`, once",
            ));
        };
        let proven = self
            .verified_by_transmitters(self.calling_transmitters(token)?, token)
            .await
            .map_err(|(transmitter, error)| RejectedError::unproven(transmitter, error))?;
        let mut callers = Vec::new();
        for (transmitter, payload) in proven {
            let caller = revocation_request::verify(&payload, &expected(transmitter), self.now)
                .map_err(|error| RejectedError::new(401, &error.to_string()).of(transmitter))?;
            callers.push((transmitter, caller));
        }
        let subject = self.revoked_subject(body).await;
        let subject = subject.map_err(|rejected| match callers.first() {
            Some((transmitter, _)) => rejected.of(transmitter),
            None => rejected,
        })?;
        let (mut revocations, mut rejected) = (Vec::new(), None);
        for (transmitter, caller) in callers {
            match self.named_user(transmitter, &subject) {
                Ok(user) => revocations.push((transmitter, caller, user)),
                Err(error) => rejected = Some(error),
            }
        }
        // The user of one transmitter's provider may be unknown to that of another one.
        match rejected {
            Some(error) if revocations.is_empty() => Err(error),
            _ => Ok(revocations),
        }
    }

    /// The transmitters whose JWT this could be, before its signature is verified.
    fn calling_transmitters(&self, token: &str) -> Result<Vec<&EventTransmitter>, RejectedError> {
        let unverified = jws::decode_unverified(token);
        let Some(claims) = unverified.as_object() else {
            return Err(RejectedError::new(401, "the caller's token is not a JWT"));
        };
        let callers = self.config().transmitters().filter(|transmitter| transmitter.may_revoke);
        let check = |transmitter: &_| revocation_request::precheck(claims, &expected(transmitter), self.now);
        named_transmitters(callers, claims, check).map_err(|rejected| match rejected {
            Some((transmitter, error)) => RejectedError::new(401, &error.to_string()).of(transmitter),
            None => RejectedError::new(401, "the issuer of the caller's JWT may not revoke"),
        })
    }

    async fn revoked_subject(&self, body: P::Body) -> Result<SubjectId, RejectedError> {
        if self.request.media_type() != "application/json" {
            return Err(RejectedError::new(400, "the body must be application/json"));
        }
        let body = self.platform.read_body(body, MAX_BODY).await;
        let body = body.map_err(|error| RejectedError::new(400, &error.to_string()))?;
        revocation_request::subject(&body).map_err(|error| RejectedError::new(400, &error.to_string()))
    }

    fn named_user(&self, transmitter: &EventTransmitter, subject: &SubjectId) -> Result<User, RejectedError> {
        self.transmitted_user(transmitter, subject).map_err(|error| {
            // Nobody here can tell whether a user exists. That of another issuer does not.
            let status = if error == UnknownSubjectError::OtherIssuer { 404 } else { 400 };
            RejectedError::new(status, &error.to_string()).of(transmitter)
        })
    }
}

impl RejectedError {
    fn new(status: u16, reason: &str) -> Self {
        let message = format_args!("a global token revocation was rejected: {reason}");
        let record = Record::new(LogEvent::GlobalRevocationRejected, message);
        Self { why: NotAccepted::Invalid(status), record }
    }

    fn unproven(transmitter: &EventTransmitter, error: UnprovenError) -> Self {
        match error {
            UnprovenError::Rejected(error) => Self::new(401, &error.to_string()),
            UnprovenError::NotOpened(error) => Self::new(401, &error.to_string()),
            UnprovenError::Unavailable(error) => {
                let why = NotAccepted::Unavailable(strangers::retry_after(&error));
                let record = Self::new(503, &error.to_string()).record.caused_by(error.error_source());
                Self { why, record }
            }
            UnprovenError::TooMany => {
                let reason = "too many forged tokens from one address";
                Self { why: NotAccepted::TooMany, ..Self::new(429, reason) }
            }
        }
        .of(transmitter)
    }

    fn of(self, transmitter: &EventTransmitter) -> Self {
        Self { record: self.record.provider(&transmitter.provider), ..self }
    }
}

fn expected(transmitter: &EventTransmitter) -> Expected<'_> {
    Expected { issuer: &transmitter.issuer, audiences: &transmitter.audiences }
}

fn refused(why: &NotAccepted<u16>) -> Response {
    let answer = |status, error| Response::json(status, &json!({ "error": error }));
    match why {
        NotAccepted::Invalid(status @ 401) => {
            answer(*status, "invalid_token").with("www-authenticate", "Bearer error=\"invalid_token\"")
        }
        NotAccepted::Invalid(status @ 404) => answer(*status, "not_found"),
        NotAccepted::Invalid(status) => answer(*status, "invalid_request"),
        NotAccepted::TooMany => {
            answer(429, "too_many_requests").with("retry-after", WINDOW.as_secs().to_string())
        }
        NotAccepted::Unavailable(retry_after) => {
            answer(503, "temporarily_unavailable").with("retry-after", retry_after.to_string())
        }
    }
}
