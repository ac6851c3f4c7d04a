//! The checks of an ID token's claims (OpenID Connect Core 1.0 section 3.1.3.7).
//!
//! jwt-compact compares `exp`, `nbf` and `iat` with the clock (`jose/times.rs`). The other claims are checked here:
//! `iss`, `aud`, `azp`, `nonce`, `auth_time` and `at_hash` bind a token to one provider, one client and one sign-in.

use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};
use thiserror::Error;

use crate::jose::base64url;
use crate::jose::jws::{Algorithm, VerifiedPayload};
use crate::jose::times::{self, LEEWAY};
use crate::oauth::exchange::excerpt;
use crate::oauth::identifier::is_identifier;
use crate::secret::{Secret, constant_time_eq};
use crate::time::Timestamp;

/// "MUST NOT exceed 255 ASCII characters in length" (OpenID Connect Core 1.0 section 2).
const SUBJECT_LIMIT: usize = 255;
/// A token with more audiences is rejected: it is not meant for this client.
pub(super) const AUDIENCE_LIMIT: usize = 32;

/// No session lasts longer than ten years. A later `session_expiry` is most likely in milliseconds.
const MAX_SESSION_SECONDS: u64 = 10 * 366 * 24 * 60 * 60;

/// The values that the ID token of one sign-in must match.
#[derive(Debug)]
pub struct Expected<'a> {
    /// The provider's issuer.
    pub issuer: &'a str,
    /// Our `client_id`.
    pub client_id: &'a str,
    /// The `nonce` of the authorization request; `None` for a provider that does not repeat it.
    pub nonce: Option<&'a Secret>,
    /// The access token from the same response.
    pub access_token: &'a Secret,
    /// The `max_age` of the authorization request, if it had one.
    pub max_age: Option<Duration>,
}

/// Verifies the claims of an ID token at the time `now` (OpenID Connect Core 1.0 sections 2, 3.1.3.7 and 3.1.3.8). Its
/// signature is already verified.
pub fn verify(
    payload: VerifiedPayload,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedIdToken, IdTokenError> {
    let algorithm = payload.algorithm();
    check(payload.into_claims(), algorithm, expected, now)
}

/// Verifies the claims of an ID token that came with refreshed tokens (OpenID Connect Core 1.0 section 12.2): the same
/// issuer, the same subject if that is known, and still for this client. No `nonce` is checked, because no sign-in
/// requested the token. Its signature is already verified, or the TLS connection to the token endpoint takes its place.
///
/// `None` if the token belongs to the session, but is not valid at the time `now`: some providers send that of the
/// sign-in again, whose claims are out of date.
pub fn verify_refreshed(
    claims: Map<String, Value>,
    issuer: &str,
    client_id: &str,
    subject: Option<&str>,
    now: Timestamp,
) -> Result<Option<VerifiedIdToken>, IdTokenError> {
    check_issuer(claims.get("iss"), issuer).map_err(IdTokenError::Issuer)?;
    let several = check_audience(claims.get("aud"), client_id).map_err(IdTokenError::Audience)?;
    check_authorized_party(claims.get("azp"), several, client_id).map_err(IdTokenError::AuthorizedParty)?;
    match (text(claims.get("sub")).map_err(IdTokenError::Subject)?, subject) {
        // The log does not say who either of them is.
        (found, Some(subject)) if found != subject => {
            return Err(IdTokenError::Subject(ClaimError::OtherUser));
        }
        _ => {}
    }
    let is_current = check_expiration(claims.get("exp"), now).is_ok()
        && check_issued_at(claims.get("iat"), now).is_ok()
        && check_not_before(claims.get("nbf"), now).is_ok();
    let subject = self::subject(claims.get("sub")).ok().filter(|_| is_current);
    Ok(subject.map(|subject| VerifiedIdToken { subject, claims }))
}

/// When a session that an ID token with these claims creates must end: `session_expiry`, in seconds since 1970 (OpenID
/// Connect Enterprise Extensions 1.0; IPSIE SL1 OpenID Connect Profile section 3.2). `None` if the token does not say
/// it. It may be in the past.
pub fn session_expiry(claims: &Map<String, Value>, now: Timestamp) -> Result<Option<Timestamp>, ClaimError> {
    let Some(value) = claims.get("session_expiry").filter(|value| !value.is_null()) else { return Ok(None) };
    let time =
        value.as_u64().filter(|seconds| *seconds > 0 && *seconds <= now.seconds() + MAX_SESSION_SECONDS);
    let time = time
        .ok_or(ClaimError::Malformed("a whole number of seconds since 1970, at most ten years from now"))?;
    Ok(Some(Timestamp::from_seconds(time)))
}

/// Verifies that the claims of a token repeat a parameter of the authorization request: one of `names` must be `value`.
/// If `value` is `*`, any value is accepted.
pub fn verify_param_claims(
    claims: &Map<String, Value>,
    value: &str,
    names: &[String],
) -> Result<(), ParamClaimError> {
    let found = |claim: &String| claims.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty());
    if names.iter().filter_map(found).any(|found| value == "*" || found == value) {
        return Ok(());
    }
    let claim = names.iter().find(|claim| found(claim).is_some()).or(names.first());
    let claim = claim.cloned().unwrap_or_default();
    let error = match claims.get(&claim) {
        Some(found) => other(found, value),
        None => ClaimError::Missing,
    };
    Err(ParamClaimError { claim, error })
}

/// A claim does not repeat a parameter of the authorization request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{claim:?} {error}")]
pub struct ParamClaimError {
    /// The name of the claim.
    pub claim: String,
    /// What is wrong with it.
    pub error: ClaimError,
}

/// The claims of an ID token whose signature and claims are both verified. Only [`verify`] and [`verify_refreshed`]
/// create one.
#[derive(Clone)]
pub struct VerifiedIdToken {
    subject: String,
    claims: Map<String, Value>,
}

impl VerifiedIdToken {
    /// `sub`, unique for its issuer: what [`is_subject`] accepts.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// All claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// Prints the names of the claims only: the values are personal data.
impl std::fmt::Debug for VerifiedIdToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedIdToken")
            .field("claims", &self.claims.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The claim of an ID token that is rejected, and why. The error is the provider's, with two exceptions: a replayed
/// token also fails the check of `nonce`, and our own clock may be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdTokenError {
    /// `iss`
    #[error("id_token: \"iss\" {0}")]
    Issuer(ClaimError),
    /// `sub`
    #[error("id_token: \"sub\" {0}")]
    Subject(ClaimError),
    /// `aud`
    #[error("id_token: \"aud\" {0}")]
    Audience(ClaimError),
    /// `azp`
    #[error("id_token: \"azp\" {0}")]
    AuthorizedParty(ClaimError),
    /// `exp`
    #[error("id_token: \"exp\" {0}")]
    Expiration(ClaimError),
    /// `iat`
    #[error("id_token: \"iat\" {0}")]
    IssuedAt(ClaimError),
    /// `nbf`
    #[error("id_token: \"nbf\" {0}")]
    NotBefore(ClaimError),
    /// `nonce`
    #[error("id_token: \"nonce\" {0}")]
    Nonce(ClaimError),
    /// `auth_time`
    #[error("id_token: \"auth_time\" {0}")]
    AuthTime(ClaimError),
    /// `at_hash`
    #[error("id_token: \"at_hash\" {0}")]
    AccessTokenHash(ClaimError),
    /// `session_expiry` has passed: the provider says that a session that this token creates is over. Both times are in
    /// seconds since 1970.
    #[error(
        "id_token: \"session_expiry\" is {found}, and it is {now}: the provider says that the session is over"
    )]
    SessionOver {
        /// Its value.
        found: u64,
        /// The time of our clock.
        now: u64,
    },
    /// A claim that must repeat a parameter of the authorization request.
    #[error("id_token: {0}")]
    ParamClaim(#[from] ParamClaimError),
}

/// What is wrong with a claim.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClaimError {
    /// It is required.
    #[error("is missing")]
    Missing,
    /// It does not have the type or the range that its definition requires.
    #[error("is not {0}")]
    Malformed(&'static str),
    /// It names another issuer, audience or subject.
    #[error("is {found}, not {expected:?}")]
    Other {
        /// Its value.
        found: String,
        /// The expected value.
        expected: String,
    },
    /// It names another user than the session's, of whom neither is logged.
    #[error("names another user than the session's")]
    OtherUser,
    /// It differs from a value that must not be logged.
    #[error("does not belong to this sign-in")]
    Mismatch,
    /// A time that must be in the future has passed, or a time that must have passed is in the future. Both times are
    /// in seconds since the epoch.
    #[error("is {found}, which is outside the allowed range at {now} (60 s clock skew)")]
    Time {
        /// Its value.
        found: u64,
        /// The time of our clock.
        now: u64,
    },
}

/// The checks in the order of OpenID Connect Core 1.0 section 3.1.3.7. The comments are the numbers of its steps.
fn check(
    claims: Map<String, Value>,
    algorithm: Option<Algorithm>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedIdToken, IdTokenError> {
    check_issuer(claims.get("iss"), expected.issuer).map_err(IdTokenError::Issuer)?; // 2
    let several = check_audience(claims.get("aud"), expected.client_id).map_err(IdTokenError::Audience)?; // 3
    check_authorized_party(claims.get("azp"), several, expected.client_id)
        .map_err(IdTokenError::AuthorizedParty)?; // 4, 5
    check_expiration(claims.get("exp"), now).map_err(IdTokenError::Expiration)?; // 9
    check_issued_at(claims.get("iat"), now).map_err(IdTokenError::IssuedAt)?; // 10
    check_not_before(claims.get("nbf"), now).map_err(IdTokenError::NotBefore)?;
    if let Some(nonce) = expected.nonce {
        check_nonce(claims.get("nonce"), nonce).map_err(IdTokenError::Nonce)?; // 11
    }
    check_auth_time(claims.get("auth_time"), expected.max_age, now).map_err(IdTokenError::AuthTime)?; // 13
    check_access_token_hash(claims.get("at_hash"), algorithm, expected.access_token)
        .map_err(IdTokenError::AccessTokenHash)?; // 3.1.3.8
    let subject = subject(claims.get("sub")).map_err(IdTokenError::Subject)?;
    Ok(VerifiedIdToken { subject, claims })
}

pub(super) fn check_issuer(claim: Option<&Value>, issuer: &str) -> Result<(), ClaimError> {
    match text(claim)? {
        found if found == issuer => Ok(()),
        found => Err(other(&Value::from(found), issuer)),
    }
}

/// Checks that `client_id` is an audience. Returns whether there are several audiences.
pub(super) fn check_audience(claim: Option<&Value>, client_id: &str) -> Result<bool, ClaimError> {
    const WANTED: ClaimError = ClaimError::Malformed("a string or a list of at most 32 strings");
    match claim {
        None | Some(Value::Null) => Err(ClaimError::Missing),
        Some(Value::String(one)) if one == client_id => Ok(false),
        Some(Value::Array(all)) => {
            if all.is_empty() || all.len() > AUDIENCE_LIMIT || !all.iter().all(Value::is_string) {
                return Err(WANTED);
            }
            if !all.iter().any(|one| one == client_id) {
                return Err(other(&Value::from(all.clone()), client_id));
            }
            Ok(all.len() > 1)
        }
        Some(found @ Value::String(_)) => Err(other(found, client_id)),
        Some(_) => Err(WANTED),
    }
}

/// A token with several audiences must name us in `azp`; for a token for us alone, `azp` is optional.
fn check_authorized_party(claim: Option<&Value>, required: bool, client_id: &str) -> Result<(), ClaimError> {
    match text(claim) {
        Ok(found) if found == client_id => Ok(()),
        Ok(found) => Err(other(&Value::from(found), client_id)),
        Err(ClaimError::Missing) if !required => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn check_expiration(claim: Option<&Value>, now: Timestamp) -> Result<Timestamp, ClaimError> {
    let exp = numeric_date(claim)?;
    if times::is_expired(exp, now) { Err(time_error(exp, now)) } else { Ok(exp) }
}

pub(super) fn check_issued_at(claim: Option<&Value>, now: Timestamp) -> Result<(), ClaimError> {
    issued_at(claim, now).map(drop)
}

/// `iat`, which must not be in the future.
pub(super) fn issued_at(claim: Option<&Value>, now: Timestamp) -> Result<Timestamp, ClaimError> {
    let iat = numeric_date(claim)?;
    if times::is_ahead(iat, now) { Err(time_error(iat, now)) } else { Ok(iat) }
}

pub(super) fn check_not_before(claim: Option<&Value>, now: Timestamp) -> Result<(), ClaimError> {
    match numeric_date(claim) {
        Ok(nbf) if times::is_ahead(nbf, now) => Err(time_error(nbf, now)),
        Ok(_) | Err(ClaimError::Missing) => Ok(()),
        Err(error) => Err(error),
    }
}

fn check_nonce(claim: Option<&Value>, nonce: &Secret) -> Result<(), ClaimError> {
    let found = text(claim)?;
    if !nonce.is_empty() && nonce.matches(found) { Ok(()) } else { Err(ClaimError::Mismatch) }
}

/// Checks how long ago the user authenticated, if the request limited that.
fn check_auth_time(
    claim: Option<&Value>,
    max_age: Option<Duration>,
    now: Timestamp,
) -> Result<(), ClaimError> {
    match (numeric_date(claim), max_age) {
        (Err(ClaimError::Missing) | Ok(_), None) => Ok(()),
        (Ok(at), Some(max_age)) if at.plus(max_age).plus(LEEWAY) >= now && at <= now.plus(LEEWAY) => Ok(()),
        (Ok(at), Some(_)) => Err(time_error(at, now)),
        (Err(error), _) => Err(error),
    }
}

/// Checks `at_hash`, the left half of the access token's hash, with the hash function of the signature's algorithm
/// (OpenID Connect Core 1.0 section 3.1.3.6). The claim is optional in the code flow.
fn check_access_token_hash(
    claim: Option<&Value>,
    algorithm: Option<Algorithm>,
    access_token: &Secret,
) -> Result<(), ClaimError> {
    let found = match text(claim) {
        Ok(found) => found,
        Err(ClaimError::Missing) => return Ok(()),
        Err(error) => return Err(error),
    };
    let token = access_token.expose().as_bytes();
    let expected = match algorithm {
        // `None` is HS256, a signature with a shared secret.
        None | Some(Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256) => {
            left_half(&Sha256::digest(token))
        }
        Some(Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384) => left_half(&Sha384::digest(token)),
        // Ed25519 is defined with SHA-512 (RFC 8032 section 5.1).
        Some(Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::EdDsa) => left_half(&Sha512::digest(token)),
    };
    if constant_time_eq(expected.as_bytes(), found.as_bytes()) { Ok(()) } else { Err(ClaimError::Mismatch) }
}

fn left_half(hash: &[u8]) -> String {
    base64url::encode(hash.get(..hash.len() / 2).unwrap_or_default())
}

/// Whether a text can be a user's identifier: 1 to 255 bytes without control characters, and without white space at an end, which
/// others would trim, so that it became another user's.
pub fn is_subject(text: &str) -> bool {
    is_identifier(text, SUBJECT_LIMIT) && text.trim() == text
}

pub(super) fn subject(claim: Option<&Value>) -> Result<String, ClaimError> {
    let subject = text(claim)?;
    if !is_subject(subject) {
        let wanted = "1 to 255 bytes without control characters, and without white space at an end";
        return Err(ClaimError::Malformed(wanted));
    }
    Ok(subject.to_owned())
}

pub(super) fn text(claim: Option<&Value>) -> Result<&str, ClaimError> {
    match claim {
        None | Some(Value::Null) => Err(ClaimError::Missing),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(ClaimError::Malformed("a string")),
    }
}

/// The time of a claim that is a NumericDate (RFC 7519 section 2), which may have a fraction; `None` if it is not one.
pub fn time_of(claim: Option<&Value>) -> Option<Timestamp> {
    numeric_date(claim).ok()
}

/// Parses a NumericDate (RFC 7519 section 2), which may have a fraction. jwt-compact would drop the fraction.
pub(super) fn numeric_date(claim: Option<&Value>) -> Result<Timestamp, ClaimError> {
    /// The end of the year 9999, later than any plausible expiration. Larger values could overflow sums.
    const END: f64 = 253_402_300_799.0;
    match claim {
        None | Some(Value::Null) => Err(ClaimError::Missing),
        Some(value) => value
            .as_f64()
            .filter(|seconds| (0.0..=END).contains(seconds))
            .map(Timestamp::from_fractional_seconds)
            .ok_or(ClaimError::Malformed("a number of seconds since 1970")),
    }
}

pub(super) fn other(found: &Value, expected: &str) -> ClaimError {
    ClaimError::Other { found: excerpt(&found.to_string(), 300), expected: excerpt(expected, 300) }
}

fn time_error(found: Timestamp, now: Timestamp) -> ClaimError {
    ClaimError::Time { found: found.seconds(), now: now.seconds() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::any_json;

    const NOW: u64 = 1_311_281_000;
    const CLIENT: &str = "s6BhdRkqt3";
    const ALGORITHMS: [Algorithm; 9] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ];

    /// The example of OpenID Connect Core 1.0 section 2, with times around `NOW`.
    fn good() -> Value {
        json!({
            "iss": "https://server.example.com",
            "sub": "24400320",
            "aud": CLIENT,
            "nonce": "n-0S6_WzA2Mj",
            "exp": NOW + 300,
            "iat": NOW,
            "auth_time": NOW - 10,
            "acr": "urn:mace:incommon:iap:silver",
        })
    }

    fn with(claim: &str, value: Value) -> Value {
        let mut claims = good();
        claims[claim] = value;
        claims
    }

    fn without(claim: &str) -> Value {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(claim);
        claims
    }

    fn check_all(
        claims: &Value,
        algorithm: Algorithm,
        access_token: &str,
        max_age: Option<u64>,
    ) -> Result<VerifiedIdToken, IdTokenError> {
        let expected = Expected {
            issuer: "https://server.example.com",
            client_id: CLIENT,
            nonce: Some(&Secret::new("n-0S6_WzA2Mj")),
            access_token: &Secret::new(access_token),
            max_age: max_age.map(Duration::from_secs),
        };
        let claims = claims.as_object().cloned().unwrap_or_default();
        check(claims, Some(algorithm), &expected, Timestamp::from_seconds(NOW))
    }

    fn checked(claims: &Value) -> Result<VerifiedIdToken, IdTokenError> {
        check_all(claims, Algorithm::Rs256, "token", None)
    }

    #[test]
    fn a_valid_id_token_gives_its_subject_and_claims() {
        let token = checked(&good()).unwrap();
        assert_eq!(token.subject(), "24400320");
        assert_eq!(token.claims()["acr"], "urn:mace:incommon:iap:silver");
        let printed = format!("{token:?}");
        assert!(printed.contains("acr") && !printed.contains("24400320"), "{printed}");
    }

    #[test]
    fn claims_that_the_specification_allows_are_accepted() {
        for claims in [
            with("aud", json!([CLIENT])),
            with("azp", json!(CLIENT)),
            with("exp", json!(NOW - 59)),
            with("exp", json!(1_311_281_000.5)),
            with("iat", json!(NOW + 60)),
            with("iat", json!(1)),
            with("nbf", json!(NOW + 60)),
            with("nbf", json!(null)),
            with("sub", json!("s".repeat(255))),
            with("sub", json!("auth0|5f7c\u{e4}")),
            without("auth_time"),
            with("acr", json!({"any": ["thing"]})),
        ] {
            assert!(checked(&claims).is_ok(), "{claims}");
        }
        let mut many = with("aud", json!(vec![CLIENT; AUDIENCE_LIMIT]));
        many["azp"] = json!(CLIENT);
        assert!(checked(&many).is_ok(), "{many}");
        let mut several = with("aud", json!(["https://api.example.com", CLIENT]));
        several["azp"] = json!(CLIENT);
        assert!(checked(&several).is_ok());
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "it is one table")]
    fn provider_mix_up_and_skipped_checks_the_error_names_the_rejected_claim() {
        type Variant = fn(ClaimError) -> IdTokenError;
        let cases: [(&str, Variant, Vec<Value>); 10] = [
            (
                "iss",
                IdTokenError::Issuer,
                vec![
                    json!("https://server.example.com/"),
                    json!("https://SERVER.example.com"),
                    json!("server.example.com"),
                    json!("https://evil.example"),
                    json!(""),
                    json!(["https://server.example.com"]),
                    json!(null),
                ],
            ),
            (
                "sub",
                IdTokenError::Subject,
                vec![
                    json!(""),
                    json!("s".repeat(256)),
                    json!("é".repeat(128)),
                    json!("a\r\nb"),
                    json!("\u{0}"),
                    json!(24_400_320),
                    json!(["x"]),
                    json!(null),
                ],
            ),
            (
                "aud",
                IdTokenError::Audience,
                vec![
                    json!("other"),
                    json!(""),
                    json!("S6BHDRKQT3"),
                    json!(format!("{CLIENT} other")),
                    json!([]),
                    json!(["other"]),
                    json!([[CLIENT]]),
                    json!([CLIENT, 1]),
                    json!(vec![CLIENT; 33]),
                    json!({"0": CLIENT}),
                    json!(true),
                    json!(null),
                ],
            ),
            (
                "azp",
                IdTokenError::AuthorizedParty,
                vec![json!("other"), json!(""), json!([CLIENT]), json!(1)],
            ),
            (
                "exp",
                IdTokenError::Expiration,
                vec![
                    json!(NOW - 60),
                    json!(0),
                    json!(-1),
                    json!(1e300),
                    json!(u64::MAX),
                    json!((NOW + 300).to_string()),
                    json!(true),
                    json!(null),
                ],
            ),
            (
                "iat",
                IdTokenError::IssuedAt,
                vec![
                    json!(NOW + 61),
                    json!(1_311_281_060.5),
                    json!(-1),
                    json!("1311281000"),
                    json!([NOW]),
                    json!(null),
                ],
            ),
            (
                "nbf",
                IdTokenError::NotBefore,
                vec![json!(NOW + 61), json!(u64::MAX), json!("0"), json!(false), json!(-5)],
            ),
            (
                "nonce",
                IdTokenError::Nonce,
                vec![
                    json!(""),
                    json!("n-0S6_WzA2M"),
                    json!("n-0S6_WzA2MjX"),
                    json!("N-0S6_WZA2MJ"),
                    json!(["n-0S6_WzA2Mj"]),
                    json!(0),
                    json!(null),
                ],
            ),
            ("auth_time", IdTokenError::AuthTime, vec![json!("1311280969"), json!(-1), json!({})]),
            (
                "at_hash",
                IdTokenError::AccessTokenHash,
                vec![json!(""), json!("AAAAAAAAAAAAAAAAAAAAAA"), json!(1), json!([])],
            ),
        ];
        for (claim, variant, values) in cases {
            for value in values {
                let error = checked(&with(claim, value.clone())).unwrap_err();
                let expected = variant(ClaimError::Missing);
                assert_eq!(
                    std::mem::discriminant(&error),
                    std::mem::discriminant(&expected),
                    "{claim} = {value}: {error}"
                );
            }
        }
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_required_claims_are_required() {
        for (claim, error) in [
            ("iss", IdTokenError::Issuer(ClaimError::Missing)),
            ("sub", IdTokenError::Subject(ClaimError::Missing)),
            ("aud", IdTokenError::Audience(ClaimError::Missing)),
            ("exp", IdTokenError::Expiration(ClaimError::Missing)),
            ("iat", IdTokenError::IssuedAt(ClaimError::Missing)),
            ("nonce", IdTokenError::Nonce(ClaimError::Missing)),
        ] {
            assert_eq!(checked(&without(claim)).unwrap_err(), error);
        }
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_a_token_for_several_audiences_must_name_us_in_azp() {
        let several = with("aud", json!([CLIENT, "other"]));
        assert_eq!(checked(&several).unwrap_err(), IdTokenError::AuthorizedParty(ClaimError::Missing));
        let mut others = several;
        others["azp"] = json!("other");
        assert!(matches!(checked(&others), Err(IdTokenError::AuthorizedParty(ClaimError::Other { .. }))));
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_an_empty_expected_nonce_matches_nothing() {
        let expected = Expected {
            issuer: "https://server.example.com",
            client_id: CLIENT,
            nonce: Some(&Secret::default()),
            access_token: &Secret::new("token"),
            max_age: None,
        };
        let claims = with("nonce", json!("")).as_object().cloned().unwrap();
        let error =
            check(claims, Some(Algorithm::Rs256), &expected, Timestamp::from_seconds(NOW)).unwrap_err();
        assert_eq!(error, IdTokenError::Nonce(ClaimError::Mismatch));
    }

    #[test]
    fn max_age_requires_a_recent_auth_time() {
        let check_age = |claims: &Value, max_age| check_all(claims, Algorithm::Rs256, "token", Some(max_age));
        assert!(check_age(&with("auth_time", json!(NOW - 360)), 300).is_ok());
        assert!(check_age(&with("auth_time", json!(NOW - 60)), 0).is_ok());
        assert!(check_age(&with("auth_time", json!(1)), u64::MAX).is_ok());
        for (claims, max_age) in [
            (with("auth_time", json!(NOW - 361)), 300),
            (with("auth_time", json!(NOW - 61)), 0),
            (with("auth_time", json!(0)), 300),
            (with("auth_time", json!(NOW + 61)), 300),
        ] {
            assert!(
                matches!(check_age(&claims, max_age), Err(IdTokenError::AuthTime(ClaimError::Time { .. }))),
                "{claims}"
            );
        }
        assert_eq!(
            check_age(&without("auth_time"), 300).unwrap_err(),
            IdTokenError::AuthTime(ClaimError::Missing)
        );
        assert!(checked(&with("auth_time", json!(0))).is_ok());
    }

    /// The access token and the `at_hash` for RS256 are from OpenID Connect Core 1.0 appendix A.3. The hashes of the
    /// other two lengths were computed with `openssl dgst -binary | head -c` from the same token.
    #[test]
    fn provider_mix_up_and_skipped_checks_at_hash_binds_the_access_token() {
        const TOKEN: &str = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        for algorithm in ALGORITHMS {
            let right = match algorithm.name() {
                "EdDSA" => AT_HASH_512,
                name if name.ends_with("256") => "77QmUPtjPfzWtF2AnpK9RQ",
                name if name.ends_with("384") => AT_HASH_384,
                _ => AT_HASH_512,
            };
            let claims = with("at_hash", json!(right));
            assert!(check_all(&claims, algorithm, TOKEN, None).is_ok(), "{algorithm:?}");
            let cut = right.get(..right.len() - 1).unwrap().to_owned();
            for (claims, token) in [
                (claims.clone(), "another"),
                (claims.clone(), ""),
                (with("at_hash", json!(cut)), TOKEN),
                (with("at_hash", json!(format!("{right}=="))), TOKEN),
                (with("at_hash", json!(format!("{right}A"))), TOKEN),
            ] {
                assert_eq!(
                    check_all(&claims, algorithm, token, None).unwrap_err(),
                    IdTokenError::AccessTokenHash(ClaimError::Mismatch)
                );
            }
        }
    }

    const AT_HASH_384: &str = "jtAeDp945y1dDqU3nkIVGNZP1HjH_MFs";
    const AT_HASH_512: &str = "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM";

    #[test]
    fn session_expiry_is_a_whole_number_of_seconds_since_1970() {
        let at = Timestamp::from_seconds;
        let read = |value: Value| session_expiry(with("session_expiry", value).as_object().unwrap(), at(NOW));
        assert_eq!(session_expiry(good().as_object().unwrap(), at(NOW)), Ok(None));
        assert_eq!(read(Value::Null), Ok(None));
        let now = NOW;
        // Ten years of at most 366 days.
        for time in [1, now - 1, now, now + 1, now + 316_224_000] {
            assert_eq!(read(json!(time)), Ok(Some(Timestamp::from_seconds(time))));
        }
        for wrong in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!(now.to_string()),
            json!("2026-11-29T00:00:00Z"),
            json!(true),
            json!([now]),
            json!({}),
            json!(now * 1000),
            json!(u64::MAX),
            json!(1e300),
        ] {
            assert!(matches!(read(wrong.clone()), Err(ClaimError::Malformed(_))), "{wrong}");
        }
    }

    #[test]
    fn a_claim_must_repeat_the_requested_value() {
        let names = ["org_id".to_owned(), "org_name".to_owned()];
        for (claims, value, is_good) in [
            (json!({ "org_id": "org_1" }), "org_1", true),
            (json!({ "org_id": "org_1", "org_name": "acme" }), "acme", true),
            (json!({ "org_id": "org_1" }), "*", true),
            (json!({ "org_id": "org_2" }), "org_1", false),
            (json!({ "org_id": "ORG_1" }), "org_1", false),
            (json!({ "org_id": ["org_1"] }), "org_1", false),
            (json!({ "org_id": "" }), "*", false),
            (json!({}), "org_1", false),
            (json!({}), "*", false),
        ] {
            let verified = verify_param_claims(claims.as_object().unwrap(), value, &names);
            assert_eq!(verified.is_ok(), is_good, "{claims} {value}");
        }
        let refused = verify_param_claims(json!({ "org_id": "org_2" }).as_object().unwrap(), "org_1", &names)
            .unwrap_err();
        assert_eq!(refused.to_string(), "\"org_id\" is \"org_2\", not \"org_1\"");
    }

    #[test]
    fn errors_show_the_values_that_an_operator_needs_and_no_nonce() {
        for (claims, text) in [
            (
                with("iss", json!("https://evil.example\n")),
                "id_token: \"iss\" is \"https://evil.example\\n\", not \"https://server.example.com\"",
            ),
            (with("aud", json!(["a", "b"])), "id_token: \"aud\" is [\"a\",\"b\"], not \"s6BhdRkqt3\""),
            (
                with("exp", json!(NOW - 100)),
                "id_token: \"exp\" is 1311280900, which is outside the allowed range at 1311281000 (60 s \
                 clock skew)",
            ),
            (with("nonce", json!("sesame")), "id_token: \"nonce\" does not belong to this sign-in"),
            (with("sub", json!(1)), "id_token: \"sub\" is not a string"),
            (
                with("sub", json!("bob ")),
                "id_token: \"sub\" is not 1 to 255 bytes without control characters, and without white space at an end",
            ),
        ] {
            assert_eq!(checked(&claims).unwrap_err().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn no_claims_make_the_check_panic(value in any_json(), claim in 0_usize..11) {
            let _ = checked(&value);
            let names = ["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "auth_time", "at_hash", "acr"];
            let _ = check_all(&with(names[claim], value), Algorithm::EdDsa, "token", Some(1));
        }

        #[test]
        fn a_token_is_accepted_only_between_its_times(iat in 0_i64..2000, lifetime in 0_i64..2000) {
            let issued = 1_311_280_000 + iat;
            let mut claims = with("iat", json!(issued));
            claims["exp"] = json!(issued + lifetime);
            let now = i64::try_from(NOW).unwrap();
            prop_assert_eq!(checked(&claims).is_ok(), issued <= now + 60 && now < issued + lifetime + 60);
        }
    }
}
