//! Signed authorization responses (JWT Secured Authorization Response Mode for OAuth 2.0, JARM): the parameters of the
//! response are the claims of a JWT.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::http::form::{DuplicateParameterError, Params};
use crate::jose::base64url;
use crate::jose::jws::{JwsError, UnverifiedJws, VerifiedPayload};
use crate::json;
use crate::oauth::id_token::{self, ClaimError};
use crate::time::Timestamp;

/// The parameter that has the JWT.
const RESPONSE: &str = "response";

/// Parameters of a response that is not signed. None may be beside the JWT: a reader could take the wrong one.
const PLAIN: [&str; 8] =
    ["code", "state", "iss", "error", "error_description", "id_token", "access_token", "token_type"];

/// A signed response that is not verified.
pub struct UnverifiedResponse<'a> {
    jws: UnverifiedJws<'a>,
    state: Option<String>,
}

/// Prints neither the code nor `state`.
impl std::fmt::Debug for UnverifiedResponse<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedResponse").field("jws", &self.jws).finish_non_exhaustive()
    }
}

impl<'a> UnverifiedResponse<'a> {
    /// Finds the JWT in the parameters of a response: once, and with no plain parameter beside it. No claim of the JWT
    /// may occur twice.
    pub fn parse(params: &'a Params) -> Result<Self, JarmError> {
        let token = params.one(RESPONSE)?.filter(|token| !token.is_empty()).ok_or(JarmError::NotSigned)?;
        if let Some(name) = PLAIN.iter().find(|plain| params.iter().any(|(name, _)| name == **plain)) {
            return Err(JarmError::Beside(name));
        }
        let jws = UnverifiedJws::parse(token)?;
        let payload = token.split('.').nth(1).and_then(|payload| base64url::decode(payload).ok());
        let claims = payload.as_deref().and_then(json::unambiguous_object).ok_or(JarmError::Ambiguous)?;
        Ok(Self { jws, state: json::string(&claims, "state") })
    }

    /// The token, whose signature must be one of the provider's.
    pub fn jws(&self) -> &UnverifiedJws<'a> {
        &self.jws
    }

    /// `state`, not verified: it only finds the transaction to which the response may belong.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

/// Verifies the claims of a signed response at the time `now` (JARM section 2.4), and returns the parameters in it, which
/// are checked like those of any other response. Its signature is already verified.
pub fn verify(
    payload: VerifiedPayload,
    issuer: &str,
    client_id: &str,
    now: Timestamp,
) -> Result<Params, JarmError> {
    let claims = payload.into_claims();
    id_token::check_issuer(claims.get("iss"), issuer).map_err(JarmError::Issuer)?;
    check_audience(claims.get("aud"), client_id).map_err(JarmError::Audience)?;
    id_token::check_expiration(claims.get("exp"), now).map_err(JarmError::Expiration)?;
    id_token::check_not_before(claims.get("nbf"), now).map_err(JarmError::NotBefore)?;
    if claims.contains_key("iat") {
        id_token::check_issued_at(claims.get("iat"), now).map_err(JarmError::IssuedAt)?;
    }
    parameters(claims)
}

/// The response is for us and for no one else.
fn check_audience(claim: Option<&Value>, client_id: &str) -> Result<(), ClaimError> {
    let only = match claim {
        None | Some(Value::Null) => return Err(ClaimError::Missing),
        Some(Value::Array(all)) => match all.as_slice() {
            [only] => only,
            _ => return Err(ClaimError::Malformed("one audience")),
        },
        Some(only) => only,
    };
    match only.as_str() {
        Some(only) if only == client_id => Ok(()),
        Some(_) => Err(id_token::other(only, client_id)),
        None => Err(ClaimError::Malformed("one audience")),
    }
}

/// The parameters of the response: every claim that is a string. One that has another type and that is read as a
/// parameter is an error.
fn parameters(claims: Map<String, Value>) -> Result<Params, JarmError> {
    let mut params = Vec::new();
    for (name, value) in claims {
        match value {
            Value::String(text) => params.push((name, text)),
            _ => {
                if let Some(name) = PLAIN.iter().find(|plain| **plain == name) {
                    return Err(JarmError::NotText(name));
                }
            }
        }
    }
    Ok(params.into_iter().collect())
}

/// Why a signed authorization response is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JarmError {
    /// A parameter occurs twice.
    #[error("authorization response: {0}")]
    Duplicate(#[from] DuplicateParameterError),
    /// There is no JWT, although one was requested.
    #[error(
        "authorization response: it is not signed, although response_mode asks for that: \"response\" is missing"
    )]
    NotSigned,
    /// A parameter of a response that is not signed is beside the JWT.
    #[error("authorization response: {0:?} is beside the signed \"response\"")]
    Beside(&'static str),
    /// The JWT is malformed, or its signature is not one of the provider's.
    #[error("authorization response: {0}")]
    Signature(#[from] JwsError),
    /// The claims are not a JSON object, or one of them occurs twice.
    #[error(
        "authorization response: the claims of \"response\" are not a JSON object in which each name is once"
    )]
    Ambiguous,
    /// A claim that is a parameter of the response is not a string.
    #[error("authorization response: {0:?} in the signed response is not a string")]
    NotText(&'static str),
    /// `iss`
    #[error("authorization response: \"iss\" of the signed response {0}")]
    Issuer(ClaimError),
    /// `aud`
    #[error("authorization response: \"aud\" of the signed response {0}")]
    Audience(ClaimError),
    /// `exp`
    #[error("authorization response: \"exp\" of the signed response {0}")]
    Expiration(ClaimError),
    /// `nbf`
    #[error("authorization response: \"nbf\" of the signed response {0}")]
    NotBefore(ClaimError),
    /// `iat`
    #[error("authorization response: \"iat\" of the signed response {0}")]
    IssuedAt(ClaimError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::jose::jws;
    use crate::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn token(header: &Value, claims: &str) -> String {
        let header = base64url::encode(header.to_string().as_bytes());
        format!("{header}.{}.c2lnbmF0dXJl", base64url::encode(claims.as_bytes()))
    }

    fn found(query: &str) -> Result<Option<String>, JarmError> {
        let params = Params::from_urlencoded(query.as_bytes());
        UnverifiedResponse::parse(&params).map(|response| response.state().map(str::to_owned))
    }

    fn claims() -> Value {
        json!({ "iss": "https://idp.example", "aud": "gid", "exp": 1_000_060, "code": "c", "state": "s" })
    }

    fn verified(claims: &Value) -> Result<Vec<(String, String)>, JarmError> {
        let secret = Secret::new("any");
        let payload = jws::verify_hs256(&jws::sign_hs256(claims, &secret), &secret).unwrap();
        let params = verify(payload, "https://idp.example", "gid", NOW)?;
        Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn the_state_of_a_response_is_readable_before_its_signature_is_verified() {
        let token = token(&json!({ "alg": "ES256" }), r#"{"state":"s","code":"c"}"#);
        assert_eq!(found(&format!("response={token}")), Ok(Some("s".to_owned())));
        let params = Params::from_urlencoded(format!("response={token}").as_bytes());
        let printed = format!("{:?}", UnverifiedResponse::parse(&params).unwrap());
        assert!(printed.starts_with("UnverifiedResponse { jws: "), "{printed}");
        assert!(!printed.contains(&token) && !printed.contains("state"), "{printed}");
        assert_eq!(found(&format!("response={token}&session_state=x")), Ok(Some("s".to_owned())));
    }

    #[test]
    fn a_response_with_two_of_anything_is_rejected() {
        let good = token(&json!({ "alg": "ES256" }), r#"{"state":"s"}"#);
        let twice = found(&format!("response={good}&response={good}"));
        assert!(matches!(twice, Err(JarmError::Duplicate(_))), "{twice:?}");
        for name in PLAIN {
            assert_eq!(found(&format!("response={good}&{name}=x")), Err(JarmError::Beside(name)));
            assert_eq!(found(&format!("{name}=&response={good}")), Err(JarmError::Beside(name)));
        }
        let doubled = token(&json!({ "alg": "ES256" }), r#"{"state":"s","state":"t"}"#);
        assert_eq!(found(&format!("response={doubled}")), Err(JarmError::Ambiguous));
        let doubled = token(&json!({ "alg": "ES256" }), r#"{"code":"s","code":"s"}"#);
        assert_eq!(found(&format!("response={doubled}")), Err(JarmError::Ambiguous));
    }

    #[test]
    fn a_plain_response_is_rejected() {
        for query in ["", "code=c&state=s", "response=", "error=access_denied&state=s"] {
            assert_eq!(found(query), Err(JarmError::NotSigned), "{query}");
        }
    }

    #[test]
    fn algorithm_and_key_confusion_an_unsigned_or_symmetric_response_is_rejected() {
        for alg in ["none", "None", "HS256", "dir"] {
            let token = token(&json!({ "alg": alg }), r#"{"state":"s"}"#);
            assert_eq!(
                found(&format!("response={token}")),
                Err(JarmError::Signature(JwsError::Algorithm)),
                "{alg}"
            );
        }
        let encrypted = found("response=a.b.c.d.e");
        assert_eq!(encrypted, Err(JarmError::Signature(JwsError::NotCompact)));
    }

    #[test]
    fn the_parameters_in_a_verified_response_are_its_strings() {
        let mut claims = claims();
        claims["session_state"] = json!({ "a": 1 });
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            verified(&claims).unwrap(),
            [pair("aud", "gid"), pair("code", "c"), pair("iss", "https://idp.example"), pair("state", "s")]
        );
        claims["aud"] = json!(["gid"]);
        assert!(verified(&claims).is_ok());
    }

    #[test]
    fn a_response_of_another_issuer_for_another_client_or_of_another_time_is_rejected() {
        for (name, value) in [
            ("iss", json!(null)),
            ("iss", json!("https://other.example")),
            ("iss", json!("https://idp.example/")),
            ("aud", json!(null)),
            ("aud", json!("other")),
            ("aud", json!(["other"])),
            ("aud", json!(["gid", "other"])),
            ("aud", json!([])),
            ("aud", json!({ "gid": 1 })),
            ("exp", json!(null)),
            ("exp", json!("1000060")),
            ("exp", json!(999_000)),
            ("nbf", json!(1_000_900)),
            ("iat", json!(1_000_900)),
            ("code", json!(7)),
            ("state", json!(["s"])),
            ("error", json!(null)),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            assert!(verified(&claims).is_err(), "{name}: {value}");
        }
        for name in ["iss", "aud", "exp"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            assert!(verified(&claims).is_err(), "without {name}");
        }
    }

    proptest! {
        #[test]
        fn crash_by_input_no_response_crashes(response in ".{0,60}", claims in ".{0,60}") {
            let _ = found(&format!("response={response}"));
            let _ = found(&format!("response={}", token(&json!({ "alg": "ES256" }), &claims)));
        }
    }
}
