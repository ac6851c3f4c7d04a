//! Token revocation (RFC 7009): a user signed out, so the provider may forget the refresh token.
//!
//! Only refresh tokens are revoked. Every provider that has the endpoint must support them (section 2.1), and revoking
//! one also ends the access tokens of the same grant where the provider can. An access token alone expires soon, and
//! most resource servers check it without asking the provider.

use std::borrow::Cow;
use std::time::Duration;

use thiserror::Error;

use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::url::Url;
use crate::oauth::client::Client;
use crate::oauth::error_body;
use crate::oauth::exchange::{self, ErrorResponse, HttpResponseError};
use crate::secret::Secret;

/// No one waits for the response, but a runtime may end work that goes on for long after a request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// In bytes. A successful response has no body, and an error is a few words.
const LIMIT: usize = 16 * 1024;

/// The request that revokes a refresh token (section 2.1).
pub fn request(endpoint: &Url, client: &Client<'_>, refresh_token: &Secret) -> FetchRequest {
    let mut pairs: Vec<(&str, Cow<'_, str>)> =
        vec![("token", refresh_token.expose().into()), ("token_type_hint", "refresh_token".into())];
    let authorization = client.authenticate(&mut pairs);
    exchange::post_as_client(endpoint, pairs, authorization, TIMEOUT, LIMIT)
}

/// Parses the response (section 2.2). A token that the provider does not know is revoked: that is what was wanted, and
/// the specification requires 200 for it. Some providers answer with an error instead.
pub fn parse(response: &FetchResponse) -> Result<(), RevocationError> {
    if let 200..=299 = response.status {
        return Ok(());
    }
    let error = match exchange::lenient(response) {
        Ok(serde_json::Value::Object(body)) => error_body::of(&body),
        _ => None,
    };
    let status = match exchange::check_status(response.status) {
        Err(HttpResponseError::Unavailable(status)) => {
            return Err(RevocationError::Unavailable { status, error });
        }
        Err(HttpResponseError::Status(status)) => status,
        Err(other) => return Err(RevocationError::Response(other)),
        Ok(()) => return Ok(()),
    };
    let Some(error) = error else {
        return Err(RevocationError::Response(HttpResponseError::Status(status)));
    };
    match error.error.as_str() {
        "invalid_token" | "invalid_grant" => Ok(()),
        "unsupported_token_type" => Err(RevocationError::Unsupported(error)),
        "invalid_client" | "unauthorized_client" => Err(RevocationError::InvalidClient(error)),
        _ if error.is_temporary() => Err(RevocationError::Unavailable { status, error: Some(error) }),
        _ => Err(RevocationError::Rejected { status, error }),
    }
}

/// Why a refresh token may not be revoked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RevocationError {
    /// The provider is unavailable or limits requests. The token still exists, and the same request may succeed later
    /// (section 2.2.1).
    #[error("token revocation: the provider is unavailable, status {status}{}", .error.as_ref().map(|e| format!(", {e}")).unwrap_or_default())]
    Unavailable {
        /// The status of the response.
        status: u16,
        /// The provider's error, if there is one.
        error: Option<ErrorResponse>,
    },
    /// `unsupported_token_type`: the provider cannot revoke refresh tokens (section 2.2.1).
    #[error(
        "token revocation: {0}: the provider does not revoke refresh tokens; set token_revocation = false"
    )]
    Unsupported(ErrorResponse),
    /// `invalid_client` or `unauthorized_client`: the configuration is wrong.
    #[error(
        "token revocation: {0}: check that the provider lets this client revoke tokens, and the way it authenticates"
    )]
    InvalidClient(ErrorResponse),
    /// Any other error that the provider names.
    #[error("token revocation: status {status}, {error}")]
    Rejected {
        /// The status of the response.
        status: u16,
        /// The provider's error.
        error: ErrorResponse,
    },
    /// The response is neither a success nor an error of RFC 6749.
    #[error("token revocation: {0}")]
    Response(#[from] HttpResponseError),
}

impl RevocationError {
    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::client::ClientAuthentication;
    use crate::oauth::testing::{any_json, json_response, response};

    fn requested(authentication: ClientAuthentication<'_>) -> (FetchRequest, String) {
        let endpoint = Url::parse("https://idp.example/revoke?tenant=a").unwrap();
        let (id_param, secret_param) = ("client_id", "client_secret");
        let client = Client { id: "s6BhdRkqt3", id_param, secret_param, secret: None, authentication };
        let request = request(&endpoint, &client, &Secret::new("45ghiukldjahdnhzdauz&x"));
        let body = String::from_utf8(request.body.clone()).unwrap();
        (request, body)
    }

    #[test]
    fn the_request_names_the_token_its_type_and_the_client() {
        const TOKEN: &str = "token=45ghiukldjahdnhzdauz%26x&token_type_hint=refresh_token";
        let secret = Secret::new("gX1fBat3bV");
        let (request, body) = requested(ClientAuthentication::Basic(&secret));
        assert_eq!(request.url, "https://idp.example/revoke?tenant=a");
        assert_eq!(request.headers.get("authorization"), Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"));
        assert_eq!(request.headers.get("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(body, TOKEN);
        // Whatever the answer is, no more of it is read.
        assert_eq!(request.limit, 16_384);
        let (request, body) = requested(ClientAuthentication::Post(Cow::Borrowed(&secret)));
        assert!(!request.headers.contains("authorization"));
        assert_eq!(body, format!("{TOKEN}&client_id=s6BhdRkqt3&client_secret=gX1fBat3bV"));
        let (_, body) = requested(ClientAuthentication::None);
        assert_eq!(body, format!("{TOKEN}&client_id=s6BhdRkqt3"));
        let (_, body) = requested(ClientAuthentication::Assertion(Secret::new("a.b.c")));
        assert!(
            body.starts_with(&format!("{TOKEN}&client_id=s6BhdRkqt3&client_assertion_type=urn")),
            "{body}"
        );
        assert!(body.ends_with("&client_assertion=a.b.c"), "{body}");
    }

    #[test]
    fn a_success_needs_no_body_and_an_unknown_token_is_a_success() {
        for good in [
            response(200, "", ""),
            response(200, "text/html", "<p>OK</p>"),
            response(204, "", ""),
            json_response(400, &json!({ "error": "invalid_token" })),
            json_response(400, &json!({ "error": "invalid_grant", "error_description": "used" })),
        ] {
            assert_eq!(parse(&good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn an_error_says_whether_the_request_may_succeed_later() {
        for (status, body, is_temporary, said) in [
            (503, json!({}), true, "the provider is unavailable, status 503"),
            (429, json!({ "error": "slow_down" }), true, "status 429, slow_down"),
            (400, json!({ "error": "temporarily_unavailable" }), true, "status 400, temporarily_unavailable"),
            (400, json!({ "error": "unsupported_token_type" }), false, "set token_revocation = false"),
            (401, json!({ "error": "invalid_client" }), false, "the way it authenticates"),
            (400, json!({ "error": "invalid_request" }), false, "status 400, invalid_request"),
            (404, json!({}), false, "the provider answered with status 404"),
            (302, json!({}), false, "redirects are not followed"),
        ] {
            let error = parse(&json_response(status, &body)).unwrap_err();
            assert_eq!(error.is_temporary(), is_temporary, "{error}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    proptest! {
        #[test]
        fn crash_by_input_no_response_crashes(status in 100u16..600, body in any_json()) {
            let _ = parse(&json_response(status, &body));
        }
    }
}
