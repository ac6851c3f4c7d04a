//! Helpers that the tests of this module share.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::http::client::FetchResponse;
use crate::http::url::Url;
use crate::oauth::authorize::AuthorizationRequest;
use crate::oauth::discovery::{self, Issuer, ProviderMetadata};
use crate::oauth::pkce::Verifier;
use crate::secret::Secret;

/// The result of a future that never waits.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits"),
    }
}

/// A response.
pub(super) fn response(status: u16, content_type: &str, body: &str) -> FetchResponse {
    FetchResponse {
        status,
        headers: [("content-type", content_type)].into_iter().collect(),
        body: body.as_bytes().to_vec(),
    }
}

/// A response in JSON.
pub(super) fn json_response(status: u16, body: &Value) -> FetchResponse {
    response(status, "application/json; charset=utf-8", &body.to_string())
}

/// The metadata of `https://idp.example`. `iss_supported` is whether it says that the provider sends `iss`.
pub(super) fn metadata(iss_supported: bool) -> ProviderMetadata {
    let document = json!({
        "issuer": "https://idp.example",
        "authorization_endpoint": "https://idp.example/authorize",
        "token_endpoint": "https://idp.example/token",
        "jwks_uri": "https://idp.example/jwks",
        "authorization_response_iss_parameter_supported": iss_supported,
    });
    discovery::parse(&Issuer::plain("https://idp.example"), &json_response(200, &document)).unwrap()
}

/// What an act makes of an authorization request with these further parameters.
pub(super) fn with_request<T>(
    endpoint: &str,
    parameters: &[(&str, &str)],
    act: impl FnOnce(&AuthorizationRequest<'_>) -> T,
) -> T {
    let parameters: Vec<_> = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    act(&AuthorizationRequest {
        endpoint: &Url::parse(endpoint).unwrap(),
        client_id: "gid",
        client_id_param: "client_id",
        response_type: "code",
        response_mode: None,
        fragment: None,
        redirect_uri: "https://app.example.com/auth/callback/google",
        parameters: &parameters,
        scope: Some("openid profile email"),
        verifier: Verifier::restore("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").as_ref(),
        state: &Secret::new("s t&a=te"),
        nonce: Some(&Secret::new("n~é")),
        dpop_jkt: None,
    })
}

/// Any JSON value, mixed with the member names and values that the parsers look for.
pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| serde_json::Number::from_f64(f).map_or(Value::Null, Value::Number)),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![Just("https://idp.example"), Just("bearer"), Just("client"), Just("EC"), Just("1e999")]
            .prop_map(Value::from),
    ];
    let name = prop_oneof![
        ".{0,6}",
        prop_oneof![
            Just("issuer"),
            Just("keys"),
            Just("kty"),
            Just("error"),
            Just("access_token"),
            Just("token_type"),
            Just("expires_in"),
            Just("sub"),
            Just("aud"),
            Just("exp"),
            Just("iat")
        ]
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
