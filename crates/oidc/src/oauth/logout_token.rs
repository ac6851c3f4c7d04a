//! The checks of a logout token (OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6), with which a provider ends
//! sessions without the browser.
//!
//! The same token may arrive twice, because a provider repeats a request that was not answered, or because someone
//! recorded it. That changes nothing: it ends the sessions that began before its `iat`, and no later one. So its `jti` is
//! required, but not remembered.

use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::jose::jws::{self, VerifiedPayload};
use crate::jose::times::LEEWAY;
use crate::oauth::id_token::{self, ClaimError};
use crate::oauth::identifier;
use crate::time::Timestamp;

/// The member of `events` that makes a token a logout token.
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How long ago a logout token may have been issued, whatever its `exp` says. Providers are asked to let it live for two
/// minutes (section 2.4); the rest is for one that repeats its request.
pub const MAX_AGE: Duration = Duration::from_mins(10);

/// The longest `sid` and `jti`, in bytes.
const ID_LIMIT: usize = 512;

/// The values that a logout token must match.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The provider's issuer.
    pub issuer: &'a str,
    /// Our `client_id`.
    pub client_id: &'a str,
}

/// The claims of a logout token whose signature and claims are both verified. Only [`verify`] creates one.
#[derive(Clone)]
pub struct VerifiedLogoutToken {
    issued_at: Timestamp,
    ended: Ended,
}

/// Which of the provider's sessions have ended.
#[derive(Clone, PartialEq, Eq)]
pub enum Ended {
    /// The one with this `sid`.
    Session(String),
    /// All sessions of the user with this `sub`, because the token names no session.
    User(String),
}

impl VerifiedLogoutToken {
    /// `iat`, by the provider's clock.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Which of the provider's sessions have ended. A token with `sid` and `sub` is about one session of that user.
    pub fn ended(&self) -> &Ended {
        &self.ended
    }
}

/// Prints neither the user nor the session.
impl std::fmt::Debug for VerifiedLogoutToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedLogoutToken").field("issued_at", &self.issued_at).finish_non_exhaustive()
    }
}

/// Prints neither the user nor the session.
impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Session(_) => "Session",
            Self::User(_) => "User",
        })
    }
}

/// Verifies the claims of a logout token at the time `now` (section 2.6). Its signature is already verified.
pub fn verify(
    payload: &VerifiedPayload,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedLogoutToken, LogoutTokenError> {
    check_type(payload.typ())?;
    read(payload.claims(), expected, now)
}

/// Checks the claims of a token whose signature is not verified yet: one that would be rejected anyway need not cost the
/// verification of a signature. The result proves nothing, so there is none.
pub fn precheck(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<(), LogoutTokenError> {
    read(claims, expected, now).map(drop)
}

/// Why a logout token is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogoutTokenError {
    /// Its header names another type of token (RFC 8725 section 3.11).
    #[error("logout token: \"typ\" is neither logout+jwt nor JWT: it is another kind of token")]
    Type,
    /// `events` is not an object with [`EVENT`], or that is not an object.
    #[error("logout token: \"events\" does not have the event of a back-channel logout")]
    Event,
    /// It has a `nonce`, so it may be an ID token.
    #[error("logout token: it has a \"nonce\", which is forbidden: it may be an ID token")]
    Nonce,
    /// It has neither `sub` nor `sid`.
    #[error("logout token: it has neither \"sub\" nor \"sid\", so it names no session")]
    NamesNoOne,
    /// It was issued more than [`MAX_AGE`] ago. Both times are in seconds since 1970.
    #[error("logout token: \"iat\" is {found}, more than ten minutes before {now}")]
    Stale {
        /// Its value.
        found: u64,
        /// The time of our clock.
        now: u64,
    },
    /// A claim is wrong.
    #[error("logout token: {0:?} {1}")]
    Claim(&'static str, ClaimError),
}

impl LogoutTokenError {
    /// What is wrong, without a value of the token: the sender learns nothing of the configuration.
    pub fn description(&self) -> String {
        match self {
            Self::Type => "typ must be logout+jwt".to_owned(),
            Self::Event => "events must have the event of a back-channel logout".to_owned(),
            Self::Nonce => "nonce is forbidden".to_owned(),
            Self::NamesNoOne => "sub or sid is required".to_owned(),
            Self::Stale { .. } => "iat is too long ago".to_owned(),
            Self::Claim(name, ClaimError::Missing) => format!("{name} is missing"),
            Self::Claim(name, ClaimError::Time { .. }) => format!("{name} is outside the allowed range"),
            Self::Claim(name, _) => format!("{name} is not accepted"),
        }
    }
}

/// The comments are the numbers of the steps of section 2.6.
fn read(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedLogoutToken, LogoutTokenError> {
    let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
    let wrong = |name| move |error| LogoutTokenError::Claim(name, error);
    id_token::check_issuer(get("iss"), expected.issuer).map_err(wrong("iss"))?; // 3
    id_token::check_audience(get("aud"), expected.client_id).map_err(wrong("aud"))?; // 3
    let issued_at = id_token::issued_at(get("iat"), now).map_err(wrong("iat"))?; // 3
    if issued_at.plus(MAX_AGE).plus(LEEWAY) <= now {
        return Err(LogoutTokenError::Stale { found: issued_at.seconds(), now: now.seconds() });
    }
    id_token::check_expiration(get("exp"), now).map_err(wrong("exp"))?; // 3
    let session = optional(get("sid"), identifier).map_err(wrong("sid"))?;
    let subject = optional(get("sub"), id_token::subject).map_err(wrong("sub"))?;
    let ended = match (session, subject) {
        (Some(session), _) => Ended::Session(session),
        (None, Some(subject)) => Ended::User(subject),
        (None, None) => return Err(LogoutTokenError::NamesNoOne), // 4
    };
    let event = get("events").and_then(Value::as_object).and_then(|events| events.get(EVENT));
    if !event.is_some_and(Value::is_object) {
        return Err(LogoutTokenError::Event); // 5
    }
    // The claim is forbidden whatever its value is.
    if claims.contains_key("nonce") {
        return Err(LogoutTokenError::Nonce); // 6
    }
    identifier(get("jti")).map_err(wrong("jti"))?; // 2.4
    Ok(VerifiedLogoutToken { issued_at, ended })
}

/// The type is recommended, not required (section 2.4), and many providers write that of every JWT.
fn check_type(typ: Option<&str>) -> Result<(), LogoutTokenError> {
    let Some(typ) = typ else { return Ok(()) };
    // A media type is case-insensitive, and `application/` may be left out (RFC 7515 section 4.1.9).
    match jws::type_name(typ).as_str() {
        "logout+jwt" | "jwt" => Ok(()),
        _ => Err(LogoutTokenError::Type),
    }
}

fn optional(
    claim: Option<&Value>,
    read: fn(Option<&Value>) -> Result<String, ClaimError>,
) -> Result<Option<String>, ClaimError> {
    match claim {
        None => Ok(None),
        claim => read(claim).map(Some),
    }
}

/// A `sid` or a `jti`.
pub(super) fn identifier(claim: Option<&Value>) -> Result<String, ClaimError> {
    let id = id_token::text(claim)?;
    if !is_identifier(id) {
        return Err(ClaimError::Malformed("1 to 512 bytes without control characters"));
    }
    Ok(id.to_owned())
}

/// Whether a text can be a `sid` or a `jti`: 1 to 512 bytes without control characters.
pub fn is_identifier(text: &str) -> bool {
    identifier::is_identifier(text, ID_LIMIT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::any_json;

    const NOW: u64 = 1_473_000_000;
    const EXPECTED: Expected<'_> = Expected { issuer: "https://server.example.com", client_id: "s6BhdRkqt3" };

    /// The example of section 2.4, with times around `NOW`.
    fn good() -> Value {
        json!({
            "iss": "https://server.example.com",
            "sub": "248289761001",
            "aud": "s6BhdRkqt3",
            "iat": NOW,
            "exp": NOW + 120,
            "jti": "bWJq",
            "sid": "08a5019c-17e1-4977-8f42-65a12843ea02",
            "events": { EVENT: {} },
        })
    }

    fn with(claim: &str, value: Value) -> Value {
        let mut claims = good();
        claims[claim] = value;
        claims
    }

    fn without(claims: &[&str]) -> Value {
        let mut value = good();
        for claim in claims {
            value.as_object_mut().unwrap().remove(*claim);
        }
        value
    }

    fn checked(claims: &Value) -> Result<VerifiedLogoutToken, LogoutTokenError> {
        read(claims.as_object().unwrap(), &EXPECTED, Timestamp::from_seconds(NOW))
    }

    #[test]
    fn a_token_ends_its_session_or_without_one_all_of_the_user() {
        let ended = |claims: &Value| checked(claims).unwrap().ended().clone();
        let session = Ended::Session("08a5019c-17e1-4977-8f42-65a12843ea02".to_owned());
        assert_eq!(ended(&good()), session);
        assert_eq!(ended(&without(&["sub"])), session);
        assert_eq!(ended(&without(&["sid"])), Ended::User("248289761001".to_owned()));
        assert_eq!(ended(&with("sid", json!(null))), Ended::User("248289761001".to_owned()));
        let token = checked(&good()).unwrap();
        assert_eq!(token.issued_at(), Timestamp::from_seconds(NOW));
        // Neither who they are nor the session is printed.
        let printed = format!("{token:?} {:?}", token.ended());
        assert!(printed.starts_with("VerifiedLogoutToken { issued_at: ") && printed.ends_with(" Session"));
        assert!(!printed.contains("08a5019c") && !printed.contains("248289761001"), "{printed}");
        for claims in [
            with("aud", json!(["another", "s6BhdRkqt3"])),
            with("iat", json!(NOW + 60)),
            with("iat", json!(NOW - 660 + 1)),
            with("exp", json!(NOW - 59)),
            with("events", json!({ EVENT: { "more": 1 }, "https://example.com/another": {} })),
        ] {
            assert!(checked(&claims).is_ok(), "{claims}");
        }
    }

    #[test]
    fn a_token_of_every_crooked_kind_is_rejected() {
        let claim = |name| move |error| LogoutTokenError::Claim(name, error);
        let missing = |name| claim(name)(ClaimError::Missing);
        for (claims, error) in [
            (without(&["iss"]), missing("iss")),
            (without(&["aud"]), missing("aud")),
            (without(&["iat"]), missing("iat")),
            (without(&["exp"]), missing("exp")),
            (without(&["jti"]), missing("jti")),
            (without(&["sub", "sid"]), LogoutTokenError::NamesNoOne),
            (without(&["events"]), LogoutTokenError::Event),
            (with("events", json!({})), LogoutTokenError::Event),
            (with("events", json!([EVENT])), LogoutTokenError::Event),
            (with("events", json!(EVENT)), LogoutTokenError::Event),
            (with("events", json!({ EVENT: null })), LogoutTokenError::Event),
            (with("events", json!({ EVENT: true })), LogoutTokenError::Event),
            (with("events", json!({ EVENT: [] })), LogoutTokenError::Event),
            (with("events", json!({ "http://schemas.openid.net/event/other": {} })), LogoutTokenError::Event),
            (with("nonce", json!("n")), LogoutTokenError::Nonce),
            (with("nonce", json!("")), LogoutTokenError::Nonce),
            (with("nonce", json!(null)), LogoutTokenError::Nonce),
            (with("iat", json!(NOW - 660)), LogoutTokenError::Stale { found: NOW - 660, now: NOW }),
        ] {
            assert_eq!(checked(&claims).unwrap_err(), error, "{claims}");
        }
        for (name, values) in [
            ("iss", vec![json!("https://evil.example"), json!("https://server.example.com/"), json!(1)]),
            ("aud", vec![json!("other"), json!([]), json!(["other"]), json!([1]), json!({})]),
            ("iat", vec![json!(NOW + 61), json!("1473000000"), json!(-1), json!(1e300)]),
            ("exp", vec![json!(NOW - 60), json!(NOW.to_string()), json!(true)]),
            ("sid", vec![json!(""), json!(7), json!([]), json!("a\nb"), json!("s".repeat(513))]),
            ("sub", vec![json!(""), json!(7), json!({}), json!("a\r\nb"), json!("s".repeat(256))]),
            ("jti", vec![json!(""), json!(7), json!("j".repeat(513))]),
        ] {
            for value in values {
                let error = checked(&with(name, value.clone())).unwrap_err();
                assert!(
                    matches!(error, LogoutTokenError::Claim(found, _) if found == name),
                    "{name} = {value}"
                );
                assert!(error.description().starts_with(name), "{error:?}");
            }
        }
    }

    #[test]
    fn the_type_is_that_of_a_logout_token_or_of_every_jwt() {
        for typ in [None, Some("logout+jwt"), Some("application/logout+jwt"), Some("LOGOUT+JWT"), Some("JWT")]
        {
            assert_eq!(check_type(typ), Ok(()), "{typ:?}");
        }
        for typ in ["at+jwt", "secevent+jwt", "logout", "", "application/", "id+jwt"] {
            assert_eq!(check_type(Some(typ)), Err(LogoutTokenError::Type), "{typ}");
        }
    }

    #[test]
    fn descriptions_and_debug_output_name_no_one() {
        let token = checked(&good()).unwrap();
        assert!(!format!("{token:?} {:?}", token.ended()).contains("2482"));
        for claims in [with("aud", json!("other")), with("iss", json!("https://evil.example"))] {
            let description = checked(&claims).unwrap_err().description();
            assert!(!description.contains("s6BhdRkqt3") && !description.contains("example"), "{description}");
        }
    }

    proptest! {
        #[test]
        fn no_claims_make_the_check_panic(value in any_json(), claim in 0_usize..9) {
            let names = ["iss", "sub", "aud", "iat", "exp", "jti", "sid", "events", "nonce"];
            let _ = checked(&with(names[claim], value));
        }
    }
}
