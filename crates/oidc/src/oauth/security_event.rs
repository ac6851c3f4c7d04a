//! The checks of a security event token (RFC 8417) that a transmitter pushes (RFC 8935), and what it says: the events of
//! CAEP 1.0 that end sessions, and those of the OpenID Shared Signals Framework 1.0 about the stream itself.
//!
//! It is no logout token: the transmitter has an issuer and keys of its own, the token has no `exp`, and its `iat` may be
//! long ago, because a transmitter keeps events for a receiver that is away. It may come twice. That changes nothing: it ends
//! sessions that began before the event, and no later one.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::jose::jws::{self, VerifiedPayload};
use crate::jose::times::LEEWAY;
use crate::oauth::access_token;
use crate::oauth::id_token::{self, ClaimError};
use crate::oauth::logout_token::identifier;
use crate::oauth::subject_id::{self, SubjectId, SubjectIdError};
use crate::time::Timestamp;

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CREDENTIAL_CHANGE: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";

/// The events about the stream. The names with `sse` are those of the framework's drafts.
const VERIFICATION: [&str; 2] = [
    "https://schemas.openid.net/secevent/ssf/event-type/verification",
    "https://schemas.openid.net/secevent/sse/event-type/verification",
];
const STREAM_UPDATED: [&str; 2] = [
    "https://schemas.openid.net/secevent/ssf/event-type/stream-updated",
    "https://schemas.openid.net/secevent/sse/event-type/stream-updated",
];

/// The most events in one token. A token of the framework has one.
const MAX_EVENTS: usize = 16;

/// The values that a token must match.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The transmitter's issuer.
    pub issuer: &'a str,
    /// The audiences of which it needs one.
    pub audiences: &'a [String],
}

/// A token whose signature and claims are both verified. Only [`verify`] creates one.
#[derive(Clone, Debug)]
pub struct VerifiedSecurityEvent {
    events: Vec<SecurityEvent>,
    subject: Option<SubjectId>,
}

impl VerifiedSecurityEvent {
    /// What happened.
    pub fn events(&self) -> &[SecurityEvent] {
        &self.events
    }

    /// Whom it is about. Present where an event ends sessions.
    pub fn subject(&self) -> Option<&SubjectId> {
        self.subject.as_ref()
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityEvent {
    /// A session ended, or all of a user, at this time by the transmitter's clock (CAEP 1.0 section 3.1).
    SessionRevoked(Timestamp),
    /// A user's credential changed at this time by the transmitter's clock (CAEP 1.0 section 3.3).
    CredentialChange(Timestamp),
    /// The transmitter, or an operator there, tests the stream (Shared Signals Framework 1.0 section 8.1.4).
    Verification {
        /// What the operator gave to the transmitter, to recognize the event.
        state: Option<String>,
    },
    /// The stream has another state (Shared Signals Framework 1.0 section 8.1.5).
    StreamUpdated {
        /// `enabled`, `paused` or `disabled`.
        status: String,
    },
    /// Any other event, by its name.
    Other(String),
}

/// Verifies the claims of a token at the time `now` (RFC 8417 section 2.2, Shared Signals Framework 1.0 section 4). Its
/// signature is already verified.
pub fn verify(
    payload: &VerifiedPayload,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedSecurityEvent, SecurityEventError> {
    check_type(payload.typ())?;
    read(payload.claims(), expected, now)
}

/// Checks the claims of a token whose signature is not verified yet: one that would be rejected anyway need not cost the
/// verification of a signature. The result proves nothing, so there is none.
pub fn precheck(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<(), SecurityEventError> {
    read(claims, expected, now).map(drop)
}

/// Why a token is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SecurityEventError {
    /// Its header does not say that it is a security event token, which the Shared Signals Framework requires: it may be
    /// another kind of token.
    #[error("security event: \"typ\" is not secevent+jwt")]
    Type,
    /// It has an `exp`, which the Shared Signals Framework forbids: it may be another kind of token.
    #[error("security event: it has an \"exp\", which is forbidden: it is another kind of token")]
    Expires,
    /// `events` is not an object with one event or a few, each an object.
    #[error("security event: \"events\" is not an object with events")]
    Events,
    /// It does not say whom it is about.
    #[error("security event: \"sub_id\": {0}")]
    Subject(#[from] SubjectIdError),
    /// It does not say whom it is about.
    #[error("security event: \"sub_id\" is missing")]
    NoSubject,
    /// A claim is wrong.
    #[error("security event: {0:?} {1}")]
    Claim(&'static str, ClaimError),
}

impl SecurityEventError {
    /// The code of RFC 8935 section 2.4.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Claim("iss", _) => "invalid_issuer",
            Self::Claim("aud", _) => "invalid_audience",
            _ => "invalid_request",
        }
    }

    /// What is wrong, without a value of the token or of the configuration.
    pub fn description(&self) -> String {
        match self {
            Self::Type => "typ must be secevent+jwt".to_owned(),
            Self::Expires => "exp is forbidden".to_owned(),
            Self::Events => "events must be an object with events".to_owned(),
            Self::Subject(error) => error.to_string(),
            Self::NoSubject => "sub_id is missing".to_owned(),
            Self::Claim(name, ClaimError::Missing) => format!("{name} is missing"),
            Self::Claim(name, _) => format!("{name} is not accepted"),
        }
    }
}

fn read(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedSecurityEvent, SecurityEventError> {
    let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
    let wrong = |name| move |error| SecurityEventError::Claim(name, error);
    id_token::check_issuer(get("iss"), expected.issuer).map_err(wrong("iss"))?;
    access_token::audience(get("aud"), expected.audiences).map_err(wrong("aud"))?;
    let issued_at = id_token::issued_at(get("iat"), now).map_err(wrong("iat"))?;
    identifier(get("jti")).map_err(wrong("jti"))?;
    if claims.contains_key("exp") {
        return Err(SecurityEventError::Expires);
    }
    let members = get("events").and_then(Value::as_object).ok_or(SecurityEventError::Events)?;
    if !(1..=MAX_EVENTS).contains(&members.len()) {
        return Err(SecurityEventError::Events);
    }
    let occurred_at = |event: &Map<String, Value>| {
        let time = event_timestamp(event).or_else(|| id_token::time_of(get("toe")));
        // No event happens after its token was made. A time that makes no sense ends more sessions, not fewer.
        time.filter(|time| *time <= issued_at.plus(LEEWAY)).unwrap_or(issued_at)
    };
    let mut events = Vec::new();
    for (name, event) in members {
        let event = event.as_object().ok_or(SecurityEventError::Events)?;
        events.push(self::event(name, event, occurred_at(event)));
    }
    let ends_sessions = |event: &SecurityEvent| {
        matches!(event, SecurityEvent::SessionRevoked(_) | SecurityEvent::CredentialChange(_))
    };
    // Of an event that is unknown here, the subject may have any form.
    let subject = if events.iter().any(ends_sessions) {
        Some(subject_id::parse(get("sub_id").ok_or(SecurityEventError::NoSubject)?)?)
    } else {
        None
    };
    Ok(VerifiedSecurityEvent { events, subject })
}

fn event(name: &str, event: &Map<String, Value>, occurred_at: Timestamp) -> SecurityEvent {
    let text = |member: &str| {
        let text = event.get(member).and_then(Value::as_str);
        text.map(|text| text.chars().filter(|c| !c.is_control()).take(128).collect::<String>())
    };
    match name {
        SESSION_REVOKED => SecurityEvent::SessionRevoked(occurred_at),
        CREDENTIAL_CHANGE => SecurityEvent::CredentialChange(occurred_at),
        name if VERIFICATION.contains(&name) => SecurityEvent::Verification { state: text("state") },
        name if STREAM_UPDATED.contains(&name) => {
            SecurityEvent::StreamUpdated { status: text("status").unwrap_or_default() }
        }
        other => SecurityEvent::Other(other.chars().filter(|c| !c.is_control()).take(256).collect()),
    }
}

/// `event_timestamp` (CAEP 1.0 section 2): seconds since 1970, and in its first drafts milliseconds.
fn event_timestamp(event: &Map<String, Value>) -> Option<Timestamp> {
    /// In seconds, the year 5138; in milliseconds, 1973.
    const MILLISECONDS: u64 = 100_000_000_000;
    match event.get("event_timestamp").and_then(Value::as_u64) {
        Some(millis) if millis >= MILLISECONDS => Some(Timestamp::from_millis(millis)),
        _ => id_token::time_of(event.get("event_timestamp")),
    }
}

/// Shared Signals Framework 1.0 section 4.1.2, RFC 8417 section 2.3.
fn check_type(typ: Option<&str>) -> Result<(), SecurityEventError> {
    match jws::type_name(typ.unwrap_or_default()).as_str() {
        "secevent+jwt" => Ok(()),
        _ => Err(SecurityEventError::Type),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::subject_id::SimpleId;
    use crate::oauth::testing::any_json;

    const NOW: u64 = 1_615_305_000;

    fn good() -> Value {
        json!({
            "iss": "https://tr.example.com",
            "jti": "24c63fb56e5a2d77a6b512616ca9fa24",
            "iat": NOW - 86_400,
            "aud": "https://sp.example.com/caep",
            "sub_id": { "format": "opaque", "id": "dMTlD|1600802906337.16" },
            "events": { SESSION_REVOKED: { "event_timestamp": NOW - 86_500, "reason_admin": { "en": "x" } } },
        })
    }

    fn with(claim: &str, value: Value) -> Value {
        let mut claims = good();
        claims[claim] = value;
        claims
    }

    fn checked(claims: &Value) -> Result<VerifiedSecurityEvent, SecurityEventError> {
        let audiences = ["https://sp.example.com/caep".to_owned(), "other".to_owned()];
        let expected = Expected { issuer: "https://tr.example.com", audiences: &audiences };
        read(claims.as_object().unwrap(), &expected, Timestamp::from_seconds(NOW))
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn an_event_says_what_happened_to_whom_and_when() {
        let verified = checked(&good()).unwrap();
        assert_eq!(verified.events(), [SecurityEvent::SessionRevoked(at(NOW - 86_500))]);
        let id = SimpleId::Opaque("dMTlD|1600802906337.16".to_owned());
        assert_eq!(verified.subject(), Some(&SubjectId::Simple(id)));
        let event = |event: Value| checked(&with("events", event)).unwrap().events()[0].clone();
        for (time, occurred_at) in [
            (json!((NOW - 90_000) * 1000), at(NOW - 90_000)),
            (json!(NOW - 86_400), at(NOW - 86_400)),
            (json!(NOW - 86_400 + 60), at(NOW - 86_400 + 60)),
            (json!(NOW - 86_400 + 61), at(NOW - 86_400)),
            (json!("yesterday"), at(NOW - 86_400)),
            (json!(-1), at(NOW - 86_400)),
            (json!(null), at(NOW - 86_400)),
        ] {
            let changed = event(json!({ CREDENTIAL_CHANGE: { "event_timestamp": time } }));
            assert_eq!(changed, SecurityEvent::CredentialChange(occurred_at), "{time}");
        }
        let mut with_toe = with("toe", json!(NOW - 100_000));
        with_toe["events"] = json!({ SESSION_REVOKED: {} });
        assert_eq!(checked(&with_toe).unwrap().events(), [SecurityEvent::SessionRevoked(at(NOW - 100_000))]);
        for prefix in ["ssf", "sse"] {
            let name =
                |event: &str| format!("https://schemas.openid.net/secevent/{prefix}/event-type/{event}");
            assert_eq!(
                event(json!({ name("verification"): { "state": "VGhpcw==" } })),
                SecurityEvent::Verification { state: Some("VGhpcw==".to_owned()) }
            );
            assert_eq!(
                event(json!({ name("stream-updated"): { "status": "paused" } })),
                SecurityEvent::StreamUpdated { status: "paused".to_owned() }
            );
        }
        let risc = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
        assert_eq!(event(json!({ risc: { "reason": "hijacking" } })), SecurityEvent::Other(risc.to_owned()));
    }

    #[test]
    fn a_token_of_every_crooked_kind_is_rejected_with_the_code_of_its_flaw() {
        for (claim, code, values) in [
            ("iss", "invalid_issuer", vec![json!("https://evil.example"), json!(null), json!(1)]),
            ("aud", "invalid_audience", vec![json!("another"), json!(null), json!([]), json!([1])]),
            ("iat", "invalid_request", vec![json!(NOW + 61), json!(null), json!("1"), json!(-1)]),
            ("jti", "invalid_request", vec![json!(null), json!(""), json!(1)]),
            ("exp", "invalid_request", vec![json!(NOW + 60), json!(null)]),
            (
                "events",
                "invalid_request",
                vec![
                    json!(null),
                    json!({}),
                    json!([]),
                    json!(SESSION_REVOKED),
                    json!({ SESSION_REVOKED: true }),
                    json!({ SESSION_REVOKED: null }),
                ],
            ),
            (
                "sub_id",
                "invalid_request",
                vec![json!(null), json!("a"), json!({}), json!({ "format": "iss_sub" })],
            ),
        ] {
            for value in values {
                let error = checked(&with(claim, value.clone())).unwrap_err();
                assert_eq!(error.code(), code, "{claim} = {value}");
                let description = error.description();
                let named = if claim == "sub_id" { "sub" } else { claim };
                assert!(description.contains(named), "{claim} = {value}: {description}");
                assert!(!description.contains("example"), "{description}");
            }
        }
        let many: Map<String, Value> = (0..17).map(|n| (format!("urn:{n}"), json!({}))).collect();
        assert_eq!(checked(&with("events", many.into())).unwrap_err(), SecurityEventError::Events);
    }

    #[test]
    fn an_unknown_event_may_be_about_anything() {
        let mut claims = with("events", json!({ "urn:example:coffee": {} }));
        claims["sub_id"] = json!(7);
        assert_eq!(checked(&claims).unwrap().subject(), None);
    }

    #[test]
    fn the_type_must_be_that_of_a_security_event() {
        for typ in ["secevent+jwt", "application/secevent+jwt", "SECEVENT+JWT"] {
            assert_eq!(check_type(Some(typ)), Ok(()), "{typ}");
        }
        for typ in [None, Some("JWT"), Some("logout+jwt"), Some("at+jwt"), Some("")] {
            assert_eq!(check_type(typ), Err(SecurityEventError::Type), "{typ:?}");
        }
    }

    proptest! {
        #[test]
        fn no_claims_make_the_check_panic(value in any_json(), claim in 0_usize..8) {
            let names = ["iss", "aud", "iat", "jti", "exp", "toe", "events", "sub_id"];
            let _ = checked(&with(names[claim], value.clone()));
            let _ = checked(&with("events", json!({ SESSION_REVOKED: value })));
        }
    }
}
