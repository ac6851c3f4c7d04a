//! The userinfo endpoint (OpenID Connect Core 1.0 section 5.3).

use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use crate::oauth::exchange::{self, AnswerError};
use crate::oauth::id_token::VerifiedIdToken;
use crate::platform::{FetchRequest, FetchResponse};
use crate::secret::Secret;

/// As for the token endpoint: it is the last of the requests that a person waits for.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A profile with a few thousand groups in it.
const LIMIT: usize = 256 * 1024;

/// The request for the claims about who signed in (OpenID Connect Core 1.0 section 5.3.1, RFC 6750 section
/// 2.1). `access_token` is one that [`token::parse`](crate::oauth::token::parse) has read, so it fits a header.
pub fn request(endpoint: &Url, access_token: &Secret) -> FetchRequest {
    let mut request = exchange::get(endpoint.as_str(), TIMEOUT, LIMIT);
    request.headers.set("authorization", format!("Bearer {}", access_token.expose()));
    request
}

/// Reads the claims (OpenID Connect Core 1.0 section 5.3.2). Their `sub` must be the id_token's (section
/// 5.3.4): the access token may have been swapped for another person's.
pub fn parse(
    response: &FetchResponse,
    id_token: &VerifiedIdToken,
) -> Result<Map<String, Value>, UserinfoError> {
    let claims = exchange::successful_object(response)?;
    match claims.get("sub") {
        Some(Value::String(subject)) if subject == id_token.subject() => Ok(claims),
        Some(Value::String(_)) => Err(UserinfoError::SubjectMismatch),
        _ => Err(UserinfoError::SubjectMissing),
    }
}

/// Why a userinfo response cannot be used. The provider is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UserinfoError {
    /// There is no JSON object in the answer.
    #[error("userinfo: {0}")]
    Answer(#[from] AnswerError),
    /// `sub` is absent or no string.
    #[error("userinfo: \"sub\" is missing or not a string")]
    SubjectMissing,
    /// The claims are about somebody else.
    #[error("userinfo: \"sub\" is not the id_token's: these claims are about somebody else")]
    SubjectMismatch,
}

impl UserinfoError {
    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Answer(answer) if answer.is_temporary())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::id_token::verified_for_tests;
    use crate::oauth::testing::{any_json, json_response, response};

    fn read(body: &Value) -> Result<Map<String, Value>, UserinfoError> {
        parse(&json_response(200, body), &verified_for_tests("248289761001"))
    }

    #[test]
    fn the_access_token_goes_in_the_header() {
        let endpoint = Url::parse("https://server.example.com/userinfo?schema=openid").unwrap();
        let request = request(&endpoint, &Secret::new("SlAV32hkKG"));
        assert_eq!(request.url, "https://server.example.com/userinfo?schema=openid");
        assert_eq!(request.headers.get("authorization"), Some("Bearer SlAV32hkKG"));
        assert!(request.body.is_empty());
    }

    #[test]
    fn the_same_subjects_claims_are_read() {
        let claims = read(&json!({"sub": "248289761001", "email": "janedoe@example.com"})).unwrap();
        assert_eq!(claims["email"], "janedoe@example.com");
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_another_subjects_claims_are_refused() {
        for (sub, error) in [
            (json!("248289761002"), UserinfoError::SubjectMismatch),
            (json!("24828976100"), UserinfoError::SubjectMismatch),
            (json!("248289761001 "), UserinfoError::SubjectMismatch),
            (json!(""), UserinfoError::SubjectMismatch),
            (json!(248_289_761_001_u64), UserinfoError::SubjectMissing),
            (json!(["248289761001"]), UserinfoError::SubjectMissing),
            (json!(null), UserinfoError::SubjectMissing),
        ] {
            assert_eq!(read(&json!({"sub": sub, "email": "x"})), Err(error), "{sub}");
        }
        assert_eq!(read(&json!({"email": "x"})), Err(UserinfoError::SubjectMissing));
    }

    #[test]
    fn a_signed_answer_and_an_error_are_named() {
        let id_token = verified_for_tests("248289761001");
        let signed = parse(&response(200, "application/jwt", "a.b.c"), &id_token).unwrap_err();
        assert_eq!(
            signed.to_string(),
            "userinfo: the provider answered with content type \"application/jwt\", not with application/json"
        );
        let body = json!({"sub": "248289761001"});
        for (status, temporary) in [(401, false), (403, false), (302, false), (500, true), (429, true)] {
            let error = parse(&json_response(status, &body), &id_token).unwrap_err();
            assert_eq!(error.is_temporary(), temporary, "{status}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_parser_panic(body in any_json()) {
            let _ = read(&body);
            let _ = read(&json!({"sub": body}));
        }
    }
}
