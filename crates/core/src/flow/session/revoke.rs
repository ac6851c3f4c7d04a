//! `POST /revoke`: an operator revokes a session, the sessions of a user or of a provider's session, or everything.
//!
//! It exists only where its secret is set. The secret is sent in `Authorization`, which no browser adds by itself, so
//! neither a cookie nor a page of another site can use it. An answer never says whether a session or a user exists.

use serde::Deserialize;
use serde_json::json;

use crate::flow::RequestContext;
use crate::flow::attempts::{self, network_of};
use crate::log::{LogEvent, Record};
use crate::platform::{BodyError, Limit, Platform};
use crate::revocation::kind::RevocationStore;
use crate::revocation::subject::{Subject, User};
use vestibule_oidc::http::response::Response;
use vestibule_oidc::json;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// The largest body, in bytes.
const MAX_BODY: usize = 4 * 1024;

/// The longest identifier, in bytes: that of a subject in OpenID Connect, with room for other providers'.
const MAX_ID: usize = 512;

/// How many requests one address may send in [`attempts::WINDOW`], where the runtime does not count them.
const MAX_REQUESTS: u32 = 60;

/// What `confirm` must say to revoke everything.
const CONFIRM: &str = "everything";

/// The body of a request: one of its members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    user: Option<UserBody>,
    session: Option<SessionBody>,
    provider_session: Option<ProviderSessionBody>,
    everything: Option<EverythingBody>,
    confirm: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserBody {
    provider: String,
    sub: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionBody {
    sid: String,
    provider: Option<String>,
    sub: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderSessionBody {
    provider: String,
    sid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EverythingBody {
    /// Seconds since 1970. Sessions that began before it end. Without it, all sessions do.
    before: Option<u64>,
}

/// What is to be revoked.
struct Revocation {
    subject: Subject,
    /// Whose session it is.
    user: Option<User>,
    at: Timestamp,
}

/// Why a request is rejected: the status, the error's code for the client, and the reason for the operator.
struct RejectedError {
    status: u16,
    code: &'static str,
    reason: String,
}

impl<P: Platform> RequestContext<'_, P> {
    /// Revokes what the body says.
    pub(crate) async fn revoke_for_operator(&self, body: P::Body) -> Response {
        let answer = match self.operators_revocation(body).await {
            Ok(revocation) => self.revoke_and_report(revocation).await,
            Err(rejected) => {
                self.log(Record::new(LogEvent::RevokeRejected, &rejected.reason));
                let answer = Response::json(rejected.status, &json!({ "error": rejected.code }));
                match rejected.status {
                    401 => answer.with("www-authenticate", "Bearer"),
                    429 => answer.with("retry-after", attempts::WINDOW.as_secs().to_string()),
                    _ => answer,
                }
            }
        };
        answer.uncached()
    }

    async fn operators_revocation(&self, body: P::Body) -> Result<Revocation, RejectedError> {
        // Guessing costs a guesser its attempts, so the count comes before the comparison.
        let client = self.client_address().map_or_else(|| "unknown".to_owned(), network_of);
        if !self.is_within_limit(&client).await {
            return Err(RejectedError::new(429, "too_many_requests", "too many requests from one address"));
        }
        let sent = self.bearer_secret().ok_or_else(|| {
            RejectedError::new(
                401,
                "unauthorized",
                "the secret must be sent as `Authorization: Bearer SECRET`, once",
            )
        })?;
        let operator = &self.config().revocation.operator;
        // Both lists are compared in full, so that the time does not say which one has the secret.
        let (may_revoke_one, may_revoke_everything) =
            (contains(&operator.one, sent), contains(&operator.everything, sent));
        if !may_revoke_one && !may_revoke_everything {
            return Err(RejectedError::new(401, "unauthorized", "the secret is not AUTH_REVOKE_SECRET"));
        }
        let bytes = self.platform.read_body(body, MAX_BODY).await.map_err(|error| match error {
            BodyError::TooLarge(_) => RejectedError::new(413, "too_large", &error.to_string()),
            BodyError::Incomplete => RejectedError::new(400, "invalid_request", &error.to_string()),
        })?;
        let (revocation, is_everything) = self.parsed(&bytes)?;
        match (is_everything, may_revoke_one, may_revoke_everything) {
            (true, _, false) => {
                let reason =
                    "revoking everything needs AUTH_REVOKE_ALL_SECRET in place of AUTH_REVOKE_SECRET";
                Err(RejectedError::new(401, "unauthorized", reason))
            }
            (false, false, _) => {
                let reason = "AUTH_REVOKE_ALL_SECRET revokes everything only: use AUTH_REVOKE_SECRET";
                Err(RejectedError::new(401, "unauthorized", reason))
            }
            _ => Ok(revocation),
        }
    }

    /// What the body says, and whether that is everything.
    fn parsed(&self, bytes: &[u8]) -> Result<(Revocation, bool), RejectedError> {
        let invalid = |reason: &str| RejectedError::new(400, "invalid_request", reason);
        let Some(members) = json::unambiguous_object(bytes) else {
            return Err(invalid("the body must be a JSON object without duplicate names"));
        };
        let body: Body = serde_json::from_value(members.into())
            .map_err(|error| invalid(&format!("the body is not as documented: {error}")))?;
        let at = self.platform.now();
        let of = |subject, user| Ok((Revocation { subject, user, at }, false));
        let id = |name: &str, id: String| {
            if (1..=MAX_ID).contains(&id.len()) {
                return Ok(id);
            }
            Err(invalid(&format!("{name} must have 1 to {MAX_ID} bytes")))
        };
        match (body.user, body.session, body.provider_session, body.everything) {
            (Some(user), None, None, None) => {
                let user = User { provider: id("provider", user.provider)?, sub: id("sub", user.sub)? };
                of(Subject::User(user), None)
            }
            (None, Some(session), None, None) => {
                let user = match (session.provider, session.sub) {
                    (Some(provider), Some(sub)) => {
                        Some(User { provider: id("provider", provider)?, sub: id("sub", sub)? })
                    }
                    (None, None) if self.config().revocation.store == RevocationStore::Lock => {
                        let reason = "with revocation.store = \"durable-object\" a session needs its provider and sub, too";
                        return Err(invalid(reason));
                    }
                    (None, None) => None,
                    _ => return Err(invalid("a session needs both provider and sub, if it has them")),
                };
                of(Subject::Session(id("sid", session.sid)?), user)
            }
            (None, None, Some(session), None) => of(
                Subject::ProviderSession {
                    provider: id("provider", session.provider)?,
                    sid: id("sid", session.sid)?,
                },
                None,
            ),
            (None, None, None, Some(everything)) => {
                if body.confirm.as_deref() != Some(CONFIRM) {
                    return Err(invalid("revoking everything needs \"confirm\": \"everything\""));
                }
                let before = everything.before.map_or(at, Timestamp::from_seconds);
                if before > at {
                    return Err(invalid("everything.before must not be in the future"));
                }
                Ok((Revocation { subject: Subject::Everything, user: None, at: before }, true))
            }
            _ => Err(invalid("the body must have one of user, session, provider_session and everything")),
        }
    }

    async fn revoke_and_report(&self, Revocation { subject, user, at }: Revocation) -> Response {
        let kind = match &subject {
            Subject::Session(_) => "a session",
            Subject::User(_) | Subject::ProviderUser { .. } => "the sessions of a user",
            Subject::ProviderSession { .. } => "the sessions of a provider's session",
            Subject::Everything => "everything",
        };
        // The log and the answer have the same name for it, and neither is personal data.
        let id = self.fact_id(&subject);
        let named = self.subject_revoked(&subject, user.as_ref());
        let is_stored = self.revoke(&[subject], user, at).await;
        let outcome = if is_stored { "and it was stored" } else { "but it could not be stored" };
        let message = format_args!("an operator revoked {kind} ({id}), {outcome}");
        self.log(Record::new(LogEvent::SessionsRevokedByOperator, message).subject(named));
        if is_stored {
            return Response::json(200, &json!({ "revoked": true, "id": id }));
        }
        Response::json(503, &json!({ "error": "temporarily_unavailable" })).with("retry-after", "5")
    }

    async fn is_within_limit(&self, client: &str) -> bool {
        let within = self.platform.is_within_limit(Limit::Revoke, &format!("revoke {client}")).await;
        // A limiter that fails lets the request pass: the secret still protects the route.
        within.unwrap_or_else(|_| {
            self.vestibule.revoke_attempts.count(client, MAX_REQUESTS, self.platform.now())
        })
    }

    /// The secret in `Authorization: Bearer`, if the request has exactly one such field.
    pub(crate) fn bearer_secret(&self) -> Option<&str> {
        let mut fields = self.request.headers.get_all("authorization");
        let (field, None) = (fields.next()?, fields.next()) else { return None };
        let (scheme, secret) = field.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
    }
}

/// Whether it is one of the secrets. All of them are compared, so that the time does not say which.
pub(crate) fn contains(secrets: &[Secret], sent: &str) -> bool {
    secrets.iter().fold(false, |found, secret| secret.matches(sent) | found)
}

impl RejectedError {
    fn new(status: u16, code: &'static str, reason: &str) -> Self {
        Self { status, code, reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_of_the_list_opens_also_one_that_is_in_it_twice() {
        let secrets = ["old", "new", "new"].map(Secret::new);
        for (sent, opens) in [("old", true), ("new", true), ("ne", false), ("", false)] {
            assert_eq!(contains(&secrets, sent), opens, "{sent}");
        }
    }
}
