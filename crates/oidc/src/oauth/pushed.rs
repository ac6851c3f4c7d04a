//! Pushed authorization requests (RFC 9126): the client sends the request to the provider itself, and the browser carries
//! only a reference to it.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::origin::endpoint as parse_endpoint;
use crate::http::url::Url;
use crate::json;
use crate::oauth::authorize::AuthorizationRequest;
use crate::oauth::client::Client;
use crate::oauth::discovery::ProviderMetadata;
use crate::oauth::error_body;
use crate::oauth::exchange::{self, ErrorResponse, HttpResponseError};
use crate::secret::Secret;

/// A person waits for the redirect, as at the token endpoint.
const TIMEOUT: Duration = Duration::from_secs(10);
/// In bytes. A response has two short members, and an error is a few words.
const LIMIT: usize = 16 * 1024;
/// In bytes. A reference is a random text behind a prefix; some providers encrypt the request into it.
const MAX_URI_LEN: usize = 2048;

/// The request that pushes an authorization request (RFC 9126 section 2.1). With a request `object`, the parameters are
/// in it and nowhere else (section 3).
pub fn request(
    endpoint: &Url,
    client: &Client<'_>,
    request: &AuthorizationRequest<'_>,
    object: Option<&Secret>,
) -> FetchRequest {
    let mut pairs = match object {
        Some(object) => vec![("request", object.expose().into())],
        None => request.parameters(),
    };
    pairs.retain(|(name, _)| *name != client.id_param);
    let parameters = pairs.len();
    let authorization = client.authenticate(&mut pairs);
    // `client_id` is a parameter of the request, also where the client authenticates in the header.
    if !pairs.iter().skip(parameters).any(|(name, _)| *name == client.id_param) {
        pairs.push((client.id_param, Cow::Borrowed(client.id)));
    }
    exchange::post_as_client(endpoint, pairs, authorization, TIMEOUT, LIMIT)
}

/// A reference to a pushed request. It can be used once, so it is never stored.
#[derive(Debug, PartialEq, Eq)]
pub struct RequestUri(String);

impl RequestUri {
    /// `request_uri`
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Parses the response (RFC 9126 sections 2.2 and 2.3). Some providers answer with 200 in place of 201.
pub fn parse(
    response: &FetchResponse,
    endpoint: &Url,
    metadata: &ProviderMetadata,
) -> Result<RequestUri, PushedRequestError> {
    if !matches!(response.status, 200 | 201) {
        return Err(refused(response));
    }
    let body = json::unambiguous_object(exchange::json(response)?).ok_or(PushedRequestError::Ambiguous)?;
    if !body.contains_key("request_uri")
        && let Some(error) = error_body::of(&body)
    {
        return Err(PushedRequestError::Rejected { status: response.status, error });
    }
    let uri = body.get("request_uri").and_then(Value::as_str).filter(|uri| !uri.is_empty());
    let uri = uri.ok_or(PushedRequestError::Missing)?;
    if uri.len() > MAX_URI_LEN || !uri.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(PushedRequestError::Malformed);
    }
    if !is_urn(uri) && !is_own_url(uri, endpoint, metadata) {
        return Err(PushedRequestError::Foreign);
    }
    match body.get("expires_in") {
        None | Some(Value::Null) => {}
        Some(lifetime) if lifetime.as_f64().is_some_and(|seconds| seconds > 0.0) => {}
        Some(_) => return Err(PushedRequestError::Expired),
    }
    Ok(RequestUri(uri.to_owned()))
}

/// Whether a reference is `urn:NAMESPACE:NAME` (RFC 8141 section 2).
fn is_urn(uri: &str) -> bool {
    let mut parts = uri.splitn(3, ':');
    let (Some(scheme), Some(namespace), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let is_namespace = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    scheme.eq_ignore_ascii_case("urn")
        && !namespace.is_empty()
        && namespace.bytes().all(is_namespace)
        && !name.is_empty()
}

/// Whether a reference is an address of the provider. At another one, somebody else could replace the request.
fn is_own_url(uri: &str, endpoint: &Url, metadata: &ProviderMetadata) -> bool {
    let Ok(url) = parse_endpoint(uri) else { return false };
    let issuer = metadata.issuer().and_then(|issuer| Url::parse(issuer).ok());
    let own = [Some(endpoint), Some(metadata.authorization_endpoint()), issuer.as_ref()];
    own.into_iter().flatten().any(|own| own.origin() == url.origin())
}

fn refused(response: &FetchResponse) -> PushedRequestError {
    let error = exchange::object(response).ok().as_ref().and_then(error_body::of);
    match (exchange::check_status(response.status), error) {
        (Err(HttpResponseError::Unavailable(status)), error) => {
            PushedRequestError::Unavailable { status, error }
        }
        (Err(HttpResponseError::Status(status)), Some(error)) => match error.error.as_str() {
            "invalid_client" | "unauthorized_client" => PushedRequestError::InvalidClient(error),
            _ if error.is_temporary() => PushedRequestError::Unavailable { status, error: Some(error) },
            _ => PushedRequestError::Rejected { status, error },
        },
        (Err(other), _) => PushedRequestError::Response(other),
        (Ok(()), _) => PushedRequestError::Missing,
    }
}

/// Why an authorization request could not be pushed. The error is the provider's, or the configuration's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PushedRequestError {
    /// The provider is unavailable or limits requests: the same request may succeed later.
    #[error("pushed authorization request: the provider is unavailable, status {status}{}", .error.as_ref().map(|e| format!(", {e}")).unwrap_or_default())]
    Unavailable {
        /// The status of the response.
        status: u16,
        /// The provider's error, if there is one.
        error: Option<ErrorResponse>,
    },
    /// `invalid_client` or `unauthorized_client`: the configuration is wrong.
    #[error(
        "pushed authorization request: {0}: check the client's id, its secret or key, and the way it authenticates"
    )]
    InvalidClient(ErrorResponse),
    /// Any other error that the provider names: a parameter that it does not accept, a request object that it cannot
    /// verify.
    #[error("pushed authorization request: status {status}, {error}")]
    Rejected {
        /// The status of the response.
        status: u16,
        /// The provider's error.
        error: ErrorResponse,
    },
    /// The response is neither a success nor an error of RFC 6749.
    #[error("pushed authorization request: {0}")]
    Response(#[from] HttpResponseError),
    /// The body is not a JSON object, or has a member twice.
    #[error(
        "pushed authorization request: the provider's response is not a JSON object in which each name is once"
    )]
    Ambiguous,
    /// There is no `request_uri`.
    #[error("pushed authorization request: \"request_uri\" is missing in the provider's response")]
    Missing,
    /// `request_uri` is too long, or not made of visible ASCII.
    #[error(
        "pushed authorization request: \"request_uri\" is longer than {MAX_URI_LEN} bytes, or has characters that no URI has"
    )]
    Malformed,
    /// `request_uri` is neither a URN nor an address of the provider.
    #[error(
        "pushed authorization request: \"request_uri\" is neither a URN nor an https address of the provider"
    )]
    Foreign,
    /// `expires_in` is not a positive number: the reference is not valid.
    #[error("pushed authorization request: \"expires_in\" is not a positive number of seconds")]
    Expired,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::client::ClientAuthentication;
    use crate::oauth::testing::{any_json, json_response, metadata, response, with_request};

    fn endpoint() -> Url {
        Url::parse("https://push.idp.example/par?tenant=a").unwrap()
    }

    fn read(response: &FetchResponse) -> Result<String, PushedRequestError> {
        parse(response, &endpoint(), &metadata(true)).map(|uri| uri.as_str().to_owned())
    }

    fn pushed(authentication: ClientAuthentication<'_>, object: Option<&str>) -> (FetchRequest, String) {
        let (id_param, secret_param) = ("client_id", "client_secret");
        let client = Client { id: "gid", id_param, secret_param, secret: None, authentication };
        let object = object.map(Secret::new);
        let parameters = [("login_hint", "a@example.com")];
        let request = with_request("https://idp.example/authorize?x=1", &parameters, |authorization| {
            request(&endpoint(), &client, authorization, object.as_ref())
        });
        let body = String::from_utf8(request.body.clone()).unwrap();
        (request, body)
    }

    #[test]
    fn a_pushed_request_has_every_parameter_once_and_authenticates_the_client() {
        let secret = Secret::new("s3cret");
        for (authentication, header, added) in [
            (ClientAuthentication::Basic(&secret), Some("Basic Z2lkOnMzY3JldA=="), "&client_id=gid"),
            (ClientAuthentication::Post(Cow::Borrowed(&secret)), None, "&client_id=gid&client_secret=s3cret"),
            (
                ClientAuthentication::Assertion(Secret::new("a.b.c")),
                None,
                "&client_id=gid&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
                 &client_assertion=a.b.c",
            ),
            (ClientAuthentication::None, None, "&client_id=gid"),
        ] {
            let (request, body) = pushed(authentication, None);
            assert_eq!(request.url, "https://push.idp.example/par?tenant=a");
            assert_eq!((request.headers.get("authorization"), request.limit), (header, 16_384));
            assert_eq!(
                body,
                format!(
                    "response_type=code&redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback%2Fgoogle\
                     &login_hint=a%40example.com&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
                     &code_challenge_method=S256&scope=openid+profile+email&state=s+t%26a%3Dte&nonce=n%7E%C3%A9{added}"
                )
            );
        }
    }

    #[test]
    fn a_pushed_request_object_has_no_parameter_beside_it() {
        let secret = Secret::new("s3cret");
        let (_, body) = pushed(ClientAuthentication::Basic(&secret), Some("a.b.c"));
        assert_eq!(body, "request=a.b.c&client_id=gid");
    }

    #[test]
    fn a_reference_is_a_urn_or_an_address_of_the_provider() {
        for uri in [
            "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c",
            "URN:example:1",
            "https://idp.example/requests/1",
            "https://push.idp.example/requests/1?a=b",
        ] {
            for status in [200, 201] {
                let body = json!({ "request_uri": uri, "expires_in": 60 });
                assert_eq!(read(&json_response(status, &body)).as_deref(), Ok(uri));
            }
        }
        let longest = format!("urn:a:{}", "a".repeat(MAX_URI_LEN - 6));
        assert_eq!(
            read(&json_response(201, &json!({ "request_uri": longest, "expires_in": 0.5 }))),
            Ok(longest)
        );
        let without_lifetime = json_response(201, &json!({ "request_uri": "urn:a:b" }));
        assert_eq!(read(&without_lifetime).as_deref(), Ok("urn:a:b"));
    }

    #[test]
    fn an_odd_or_foreign_reference_is_rejected() {
        for (body, error) in [
            (json!({}), PushedRequestError::Missing),
            (json!({ "request_uri": null }), PushedRequestError::Missing),
            (json!({ "request_uri": "" }), PushedRequestError::Missing),
            (json!({ "request_uri": 7 }), PushedRequestError::Missing),
            (json!({ "request_uri": ["urn:a:b"] }), PushedRequestError::Missing),
            (json!({ "request_uri": "urn:" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "urn:a" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "urn:a:" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "urn::b" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "tag:a:b" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "urn://:" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "urn://evil.example:443/" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "6esc_11ACC5bwc014ltc14eY22c" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "https://evil.example/requests/1" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "https://idp.example@evil.example/1" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "https://idp.example.evil.example/1" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "http://idp.example/requests/1" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "https://idp.example/#1" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "javascript:alert(1)" }), PushedRequestError::Foreign),
            (json!({ "request_uri": "urn:a:b c" }), PushedRequestError::Malformed),
            (json!({ "request_uri": "urn:a:b\r\nset-cookie: x" }), PushedRequestError::Malformed),
            (json!({ "request_uri": "urn:é" }), PushedRequestError::Malformed),
            (json!({ "request_uri": format!("urn:{}", "a".repeat(2048)) }), PushedRequestError::Malformed),
            (json!({ "request_uri": "urn:a:b", "expires_in": 0 }), PushedRequestError::Expired),
            (json!({ "request_uri": "urn:a:b", "expires_in": -60 }), PushedRequestError::Expired),
            (json!({ "request_uri": "urn:a:b", "expires_in": "60" }), PushedRequestError::Expired),
        ] {
            assert_eq!(read(&json_response(201, &body)), Err(error), "{body}");
        }
        let twice = r#"{"request_uri":"urn:a:b","request_uri":"urn:a:c","expires_in":60}"#;
        assert_eq!(read(&response(201, "application/json", twice)), Err(PushedRequestError::Ambiguous));
        assert_eq!(read(&response(201, "application/json", "[]")), Err(PushedRequestError::Ambiguous));
        let page = read(&response(201, "text/html", r#"{"request_uri":"urn:a:b"}"#));
        assert!(matches!(page, Err(PushedRequestError::Response(HttpResponseError::MediaType(_)))));
    }

    #[test]
    fn an_error_of_the_provider_is_named() {
        for (status, body, said) in [
            (
                400,
                json!({ "error": "invalid_request", "error_description": "no" }),
                "status 400, invalid_request (no)",
            ),
            (400, json!({ "error": "invalid_authorization_details" }), "invalid_authorization_details"),
            (401, json!({ "error": "invalid_client" }), "the way it authenticates"),
            (400, json!({ "error": "temporarily_unavailable" }), "the provider is unavailable, status 400"),
            (201, json!({ "error": "invalid_request_object" }), "status 201, invalid_request_object"),
            (405, json!({}), "the provider answered with status 405"),
            (413, json!({ "error": "invalid_request" }), "status 413, invalid_request"),
            (429, json!({ "error": "slow_down" }), "the provider is unavailable, status 429, slow_down"),
            (503, json!({}), "the provider is unavailable, status 503"),
            (302, json!({ "request_uri": "urn:a:b" }), "redirects are not followed"),
            (204, json!({}), "status 204"),
        ] {
            let error = read(&json_response(status, &body)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert_eq!(error.contains("unavailable"), said.contains("unavailable"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn crash_by_input_no_response_crashes(status in 100u16..600, body in any_json()) {
            let _ = read(&json_response(status, &body));
            let _ = read(&json_response(201, &json!({ "request_uri": body, "expires_in": 60 })));
        }
    }
}
