//! FAPI 2.0: the Security Profile, and Message Signing. The provider checks that requests are pushed (and signed), that the
//! client authenticates by its key, and that each use of a token is proven.

use miniflare_test_harness::Request;
use serde_json::{Value, json};

use super::with;
use crate::env::{APP, Env, claims, expire, session, sign_in};
use crate::provider::{HOST, Provider, Signature, key, now, spoiled};

/// The Security Profile.
pub fn security_profile() -> Value {
    json!({ "profile": "fapi2", "scope": "openid profile email offline_access" })
}

/// The Security Profile and Message Signing: requests and responses are signed.
pub fn message_signing() -> Value {
    with(&security_profile(), &json!({ "request_object": true, "response_mode": "jwt" }))
}

pub fn happy_path(keys: &Value) {
    let env = Env::strict(keys);
    env.provider.demands_nonces_at("token");
    env.provider.demands_nonces_at("resource");
    let browser = env.signs_in();
    let asked: Vec<String> = env.requests_to(HOST).iter().map(line).collect();
    let expected = [
        "GET /.well-known/openid-configuration",
        "POST /par",
        "GET /authorize",
        // The first proof has no nonce yet.
        "POST /token",
        "POST /token",
        "GET /jwks",
        "GET /userinfo",
        "GET /userinfo",
    ];
    // A signed response needs the keys before the token does.
    let keys_first = |asked: &[String]| {
        let mut asked = asked.to_vec();
        asked.sort();
        asked
    };
    assert_eq!(keys_first(&asked), keys_first(&expected.map(str::to_owned)));
    // The application is another origin, and has a nonce of its own; the next request has it at once.
    let known = env.requests_to_service("APP").len();
    browser.get(&format!("{APP}/dashboard?page=2")).send().expect_status(200);
    assert_eq!(env.requests_to_service("APP").len(), known + 1);
}

pub fn no_dpop_nonce(keys: &Value) {
    let env = Env::strict(keys);
    let browser = env.signs_in();
    let reply =
        browser.post(&format!("{APP}/orders?x=1")).header("origin", APP).json(&json!({ "n": 1 })).send();
    assert_eq!(reply.expect_status(200).json()["body"], json!({ "n": 1 }).to_string());
    assert_eq!((env.count("token"), env.count("userinfo"), env.requests_to_service("APP").len()), (1, 1, 2));
}

pub fn issuer_mismatch(keys: &Value) {
    let control = Env::strict(keys);
    control.signs_in();
    let env = Env::strict(keys);
    env.provider.puts("discovery", "issuer", json!("https://suite.example/another"));
    let page = sign_in(&env.client(), "");
    assert_eq!(page.url, format!("{APP}/auth/error?error=Configuration"));
    assert_eq!((env.count("pushed"), env.count("authorization")), (0, 0));
    env.logged("auth_error", "calls itself");
}

pub fn invalid_iss(keys: &Value) {
    refused(keys, "\"iss\"", |provider| {
        provider.puts("id_token", "iss", json!("https://suite.example/another"));
    });
}

pub fn missing_iss(keys: &Value) {
    refused(keys, "\"iss\"", |provider| provider.omits("id_token", "iss"));
}

pub fn invalid_aud(keys: &Value) {
    refused(keys, "\"aud\"", |provider| provider.puts("id_token", "aud", json!("another-client")));
}

pub fn missing_aud(keys: &Value) {
    refused(keys, "\"aud\" is missing", |provider| provider.omits("id_token", "aud"));
}

pub fn invalid_secondary_aud(keys: &Value) {
    let several = json!([crate::provider::CLIENT_ID, "another-client"]);
    refused(keys, "\"azp\" is missing", |provider| provider.puts("id_token", "aud", several));
}

pub fn valid_aud_as_array(keys: &Value) {
    let env = Env::strict(keys);
    env.provider.puts("id_token", "aud", json!([crate::provider::CLIENT_ID]));
    env.signs_in();
}

pub fn null_alg(keys: &Value) {
    id_token_text(keys, Signature::None);
}

/// RS256, with a key that is published.
pub fn alternate_alg(keys: &Value) {
    id_token_text(keys, Signature::honest("RSA", "RS256"));
}

pub fn expired_exp(keys: &Value) {
    refused(keys, "\"exp\"", |provider| provider.puts("id_token", "exp", json!(now() - 300)));
}

pub fn missing_exp(keys: &Value) {
    refused(keys, "\"exp\" is missing", |provider| provider.omits("id_token", "exp"));
}

pub fn invalid_nonce(keys: &Value) {
    refused(keys, "\"nonce\"", |provider| provider.puts("id_token", "nonce", json!("of-another-sign-in")));
}

pub fn missing_nonce(keys: &Value) {
    refused(keys, "\"nonce\" is missing", |provider| provider.omits("id_token", "nonce"));
}

pub fn invalid_response_iss(keys: &Value) {
    response_refused(keys, "iss", |provider| {
        provider.puts("authorization_response", "iss", json!("https://suite.example/another"));
    });
}

pub fn removed_response_iss(keys: &Value) {
    response_refused(keys, "iss", |provider| provider.omits("authorization_response", "iss"));
}

pub fn invalid_state(keys: &Value) {
    no_transaction(keys, |provider| {
        provider.puts("authorization_response", "state", json!("another-state-of-nobody"));
    });
}

pub fn missing_state(keys: &Value) {
    no_transaction(keys, |provider| provider.omits("authorization_response", "state"));
}

pub fn without_expires_in(keys: &Value) {
    let env = Env::strict(keys);
    env.provider.omits("token", "expires_in");
    let browser = env.signs_in();
    browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
    assert_eq!(env.count("token"), 1);
}

pub fn token_type_case(keys: &Value) {
    for written in ["dpop", "DPOP", "dPoP"] {
        let env = Env::strict(keys);
        env.provider.puts("token", "token_type", json!(written));
        env.signs_in();
    }
    // A token of another kind is none of these.
    let env = Env::strict(keys);
    env.provider.puts("token", "token_type", json!("Bearer"));
    env.refuses("token_type");
}

pub fn scheme_case(keys: &Value) {
    for written in ["dpop", "DPOP", "dPoP"] {
        let env = Env::strict(keys);
        env.provider.demands_nonces_at("resource");
        env.provider.writes_the_scheme(written);
        env.signs_in();
        assert_eq!(env.count("userinfo"), 2, "{written}");
    }
}

pub fn refresh_token(keys: &Value) {
    let env = Env::strict(keys);
    env.provider.demands_nonces_at("token");
    let browser = env.signs_in();
    let key = claims(&browser)["dpop_key"].clone();
    // Twice, with the refresh token that came before.
    for round in 2..=3 {
        expire(&browser);
        browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
        let last = env.requests_to_service("APP").pop().unwrap();
        assert_eq!(last.header("authorization"), Some(&*format!("DPoP access-token-{round}")));
    }
    let after = claims(&browser);
    assert_eq!((&after["access_token"], &after["dpop_key"]), (&json!("access-token-3"), &key));
}

pub fn jarm_without_iss(keys: &Value) {
    response_refused(keys, "\"iss\"", |provider| provider.omits("jarm", "iss"));
}

pub fn jarm_invalid_iss(keys: &Value) {
    let other = json!("https://suite.example/another");
    response_refused(keys, "\"iss\"", |provider| provider.puts("jarm", "iss", other));
}

pub fn jarm_without_aud(keys: &Value) {
    response_refused(keys, "\"aud\"", |provider| provider.omits("jarm", "aud"));
}

pub fn jarm_invalid_aud(keys: &Value) {
    response_refused(keys, "\"aud\"", |provider| provider.puts("jarm", "aud", json!("another-client")));
}

pub fn jarm_without_exp(keys: &Value) {
    response_refused(keys, "\"exp\"", |provider| provider.omits("jarm", "exp"));
}

pub fn jarm_expired_exp(keys: &Value) {
    response_refused(keys, "\"exp\"", |provider| provider.puts("jarm", "exp", json!(now() - 300)));
}

pub fn jarm_invalid_sig(keys: &Value) {
    response_refused(keys, "signature", |provider| {
        provider.changes("jarm_text", |token| *token = json!(spoiled(token.as_str().unwrap())));
    });
}

pub fn jarm_none(keys: &Value) {
    response_refused(keys, "authorization response", |provider| {
        provider.changes("jarm_text", |token| {
            let payload = token.as_str().unwrap().split('.').nth(1).unwrap().to_owned();
            // {"alg":"none"}
            *token = json!(format!("eyJhbGciOiJub25lIn0.{payload}."));
        });
    });
}

/// An ID token with this flaw is refused, after a sign-in without it.
fn refused(keys: &Value, cause: &str, flaw: impl FnOnce(&Provider)) {
    let env = Env::strict(keys);
    env.signs_in();
    flaw(&env.provider);
    env.refuses(cause);
}

/// An ID token that is signed so is refused. Only the ID token is.
fn id_token_text(keys: &Value, signature: Signature) {
    let env = Env::strict(keys);
    env.provider.publishes(vec![key("P-256"), key("RSA")]);
    env.signs_in();
    env.provider.changes("id_token_text", move |token| {
        let payload = token.as_str().unwrap().split('.').nth(1).unwrap().to_owned();
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, payload).unwrap();
        *token = json!(signature.sign(&serde_json::from_slice(&bytes).unwrap()));
    });
    env.refuses("id_token");
}

/// An authorization response with this flaw is refused, after a sign-in without it: no code is sent on.
fn response_refused(keys: &Value, cause: &str, flaw: impl FnOnce(&Provider)) {
    let env = Env::strict(keys);
    env.signs_in();
    flaw(&env.provider);
    let codes = env.count("token");
    env.refuses(cause);
    assert_eq!(env.count("token"), codes);
}

/// A response that belongs to no sign-in of this browser signs no one in, and no code is sent on.
fn no_transaction(keys: &Value, flaw: impl FnOnce(&Provider)) {
    let env = Env::strict(keys);
    env.signs_in();
    flaw(&env.provider);
    let codes = env.count("token");
    let browser = env.client();
    let page = sign_in(&browser, "");
    assert!(page.url.starts_with(&format!("{APP}/auth/")) && page.url.contains("error="), "{}", page.url);
    assert_eq!((session(&browser), env.count("token")), (Value::Null, codes));
}

fn line(request: &Request) -> String {
    format!("{} {}", request.method, request.path())
}
