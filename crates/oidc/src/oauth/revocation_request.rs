//! A request to revoke everything that a user has here: Global Token Revocation
//! (draft-parecki-oauth-global-token-revocation), which Okta calls Universal Logout.
//!
//! The caller proves itself by a JWT that it signs for this purpose only, as Okta does it. Its `iat` is the time of the
//! revocation. So a JWT that somebody recorded ends no session that began after it.

use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::jose::jws::{self, VerifiedPayload};
use crate::jose::times::LEEWAY;
use crate::json;
use crate::oauth::access_token;
use crate::oauth::id_token::{self, ClaimError};
use crate::oauth::logout_token::identifier;
use crate::oauth::subject_id::{self, SubjectId, SubjectIdError};
use crate::time::Timestamp;

/// The `typ` of the caller's JWT.
const TYPE: &str = "global-token-revocation+jwt";

/// How long ago the caller's JWT may have been issued, whatever its `exp` says. Okta's live for five minutes.
pub const MAX_AGE: Duration = Duration::from_mins(10);

/// The values that the caller's JWT must match.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The caller's issuer.
    pub issuer: &'a str,
    /// The audiences of which it needs one.
    pub audiences: &'a [String],
}

/// A caller whose JWT is verified. Only [`verify`] creates one.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedCaller {
    issued_at: Timestamp,
}

impl VerifiedCaller {
    /// `iat` of the JWT, by the caller's clock.
    pub fn issued_at(self) -> Timestamp {
        self.issued_at
    }
}

/// Verifies the claims of a caller's JWT at the time `now`. Its signature is already verified.
pub fn verify(
    payload: &VerifiedPayload,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedCaller, CallerError> {
    check_type(payload.typ())?;
    read(payload.claims(), expected, now)
}

/// Checks the claims of a JWT whose signature is not verified yet: one that would be rejected anyway need not cost the
/// verification of a signature. The result proves nothing, so there is none.
pub fn precheck(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<(), CallerError> {
    read(claims, expected, now).map(drop)
}

/// Whom a request is about: the `sub_id` of its body. Other members are ignored.
pub fn subject(body: &[u8]) -> Result<SubjectId, RequestError> {
    let members = json::unambiguous_object(body).ok_or(RequestError::NotAnObject)?;
    let subject = members.get("sub_id").ok_or(RequestError::NoSubject)?;
    Ok(subject_id::parse(subject)?)
}

/// Why a caller's JWT is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallerError {
    /// Its header names another type of token (RFC 8725 section 3.11).
    #[error("global token revocation: the JWT's \"typ\" is not {TYPE}")]
    Type,
    /// It was issued more than [`MAX_AGE`] ago. Both times are in seconds since 1970.
    #[error("global token revocation: the JWT's \"iat\" is {found}, more than ten minutes before {now}")]
    Stale {
        /// Its value.
        found: u64,
        /// The time of our clock.
        now: u64,
    },
    /// A claim is wrong.
    #[error("global token revocation: the JWT's {0:?} {1}")]
    Claim(&'static str, ClaimError),
}

/// Why a request's body is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// It is not a JSON object, or has a name twice.
    #[error("the body must be a JSON object without duplicate names")]
    NotAnObject,
    /// It has no `sub_id`.
    #[error("the body has no sub_id")]
    NoSubject,
    /// Its `sub_id` is no subject identifier.
    #[error(transparent)]
    Subject(#[from] SubjectIdError),
}

fn read(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedCaller, CallerError> {
    let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
    let wrong = |name| move |error| CallerError::Claim(name, error);
    id_token::check_issuer(get("iss"), expected.issuer).map_err(wrong("iss"))?;
    access_token::audience(get("aud"), expected.audiences).map_err(wrong("aud"))?;
    let issued_at = id_token::issued_at(get("iat"), now).map_err(wrong("iat"))?;
    if issued_at.plus(MAX_AGE).plus(LEEWAY) <= now {
        return Err(CallerError::Stale { found: issued_at.seconds(), now: now.seconds() });
    }
    id_token::check_expiration(get("exp"), now).map_err(wrong("exp"))?;
    id_token::check_not_before(get("nbf"), now).map_err(wrong("nbf"))?;
    identifier(get("jti")).map_err(wrong("jti"))?;
    Ok(VerifiedCaller { issued_at })
}

fn check_type(typ: Option<&str>) -> Result<(), CallerError> {
    if jws::type_name(typ.unwrap_or_default()) == TYPE { Ok(()) } else { Err(CallerError::Type) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::subject_id::SimpleId;
    use crate::oauth::testing::any_json;

    const NOW: u64 = 1_700_000_000;

    fn with(claim: &str, value: Value) -> Value {
        let mut claims = json!({
            "iss": "https://org.okta.example",
            "sub": "0oa1",
            "aud": "https://app.example.com/auth/global-token-revocation",
            "jti": "abc",
            "nbf": NOW - 300,
            "iat": NOW - 10,
            "exp": NOW + 290,
        });
        claims[claim] = value;
        claims
    }

    fn checked(claims: &Value) -> Result<VerifiedCaller, CallerError> {
        let audiences = ["https://app.example.com/auth/global-token-revocation".to_owned()];
        let expected = Expected { issuer: "https://org.okta.example", audiences: &audiences };
        let (claims, now) = (claims.as_object().unwrap(), Timestamp::from_seconds(NOW));
        let read = read(claims, &expected, now);
        // Before the signature is verified, the same is refused.
        assert_eq!(precheck(claims, &expected, now).err(), read.clone().err());
        read
    }

    #[test]
    fn a_jwt_for_this_purpose_proves_the_caller_and_no_other_does() {
        let caller = checked(&with("x", json!(1))).unwrap();
        assert_eq!(caller.issued_at(), Timestamp::from_seconds(NOW - 10));
        for (claim, values) in [
            ("iss", vec![json!("https://evil.example"), json!(null)]),
            ("aud", vec![json!("https://app.example.com"), json!(null), json!([])]),
            ("iat", vec![json!(NOW + 61), json!(null), json!("1")]),
            ("exp", vec![json!(NOW - 60), json!(null)]),
            ("nbf", vec![json!(NOW + 61), json!("x")]),
            ("jti", vec![json!(null), json!("")]),
        ] {
            for value in values {
                let error = checked(&with(claim, value.clone())).unwrap_err();
                assert!(matches!(error, CallerError::Claim(name, _) if name == claim), "{claim} = {value}");
            }
        }
        assert!(matches!(checked(&with("iat", json!(NOW - 660))), Err(CallerError::Stale { .. })));
        assert_eq!(check_type(Some("Global-Token-Revocation+JWT")), Ok(()));
        for typ in [None, Some("JWT"), Some("at+jwt"), Some("secevent+jwt")] {
            assert_eq!(check_type(typ), Err(CallerError::Type), "{typ:?}");
        }
    }

    #[test]
    fn a_body_names_one_subject() {
        let opaque = SubjectId::Simple(SimpleId::Opaque("a".to_owned()));
        assert_eq!(subject(br#"{"sub_id":{"format":"opaque","id":"a"},"reason":"x"}"#), Ok(opaque));
        for (body, error) in [
            ("", RequestError::NotAnObject),
            ("[]", RequestError::NotAnObject),
            (r#"{"sub_id":{"format":"opaque","id":"a"},"sub_id":1}"#, RequestError::NotAnObject),
            ("{}", RequestError::NoSubject),
            (r#"{"sub_id":"a"}"#, RequestError::Subject(SubjectIdError::NotAnObject)),
            (r#"{"sub_id":{"format":"opaque"}}"#, RequestError::Subject(SubjectIdError::Members)),
        ] {
            assert_eq!(subject(body.as_bytes()), Err(error), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_claims_make_the_check_panic(value in any_json(), claim in 0_usize..6) {
            let names = ["iss", "aud", "iat", "exp", "nbf", "jti"];
            let _ = checked(&with(names[claim], value));
        }
    }
}
