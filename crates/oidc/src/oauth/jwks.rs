//! The provider's keys (OpenID Connect Discovery 1.0 section 3 `jwks_uri`, RFC 7517 section 5).

use std::time::Duration;

use thiserror::Error;

use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::url::Url;
use crate::jose::jwk::{JwkSet, JwkSetError};
use crate::oauth::exchange::{self, HttpResponseError};

/// The same as for the discovery document: a user waits, and the key set is a static file.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of the response in bytes. Key sets of a dozen keys with certificate chains (`x5c`) have about 40 kB.
const LIMIT: usize = 256 * 1024;

/// The request for the key set at this address.
pub fn request(url: &Url) -> FetchRequest {
    exchange::get(url.as_str(), TIMEOUT, LIMIT)
}

/// Parses the provider's key set (RFC 7517 section 5). Keys that cannot verify a signature are skipped.
pub fn parse(response: &FetchResponse) -> Result<JwkSet, JwksError> {
    exchange::check_status(response.status)?;
    Ok(JwkSet::parse(exchange::json(response)?)?)
}

/// Why a provider's key set cannot be used. The error is the provider's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JwksError {
    /// The response is not successful JSON.
    #[error("key set: {0}")]
    Response(#[from] HttpResponseError),
    /// The JSON is not a key set.
    #[error("key set: {0}")]
    Set(#[from] JwkSetError),
}

impl JwksError {
    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Response(error) if error.is_temporary())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::{any_json, json_response, metadata, response};

    #[test]
    fn the_request_is_sent_to_the_jwks_uri_of_the_metadata() {
        let request = request(metadata(false).jwks_uri().unwrap());
        assert_eq!(request.limit, 262_144);
        assert_eq!(request.url, "https://idp.example/jwks");
        assert_eq!(request.headers.get("accept"), Some("application/json"));
    }

    #[test]
    fn keys_are_read_from_both_media_types_and_unusable_keys_are_skipped() {
        let set = json!({"keys": [
            {"kty": "oct", "k": "AAAA"},
            // RFC 8037 appendix A.2.
            {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"},
            7,
        ]});
        for media_type in ["application/json", "application/jwk-set+json; charset=utf-8"] {
            let keys = parse(&response(200, media_type, &set.to_string())).unwrap();
            assert_eq!(keys.keys().map(|key| key.kid()).collect::<Vec<_>>(), [Some("a")]);
        }
    }

    #[test]
    fn a_response_that_is_not_a_key_set_is_rejected() {
        for body in [json!({}), json!({"keys": null}), json!({"keys": {}}), json!({"keys": 1}), json!(null)] {
            assert!(matches!(parse(&json_response(200, &body)), Err(JwksError::Set(_))), "{body}");
        }
        let empty = "{\"keys\":[]}";
        for (status, media_type, error, temporary) in [
            (503, "application/json", HttpResponseError::Unavailable(503), true),
            (404, "application/json", HttpResponseError::Status(404), false),
            (301, "application/json", HttpResponseError::Redirect(301), false),
            (200, "text/html", HttpResponseError::MediaType("text/html".to_owned()), false),
        ] {
            let refused = parse(&response(status, media_type, empty)).unwrap_err();
            assert_eq!((refused.is_temporary(), refused), (temporary, JwksError::Response(error)));
        }
    }

    proptest! {
        #[test]
        fn no_response_makes_the_parser_panic(body in any_json()) {
            let _ = parse(&json_response(200, &body));
            let _ = parse(&json_response(200, &json!({"keys": [body]})));
        }
    }
}
