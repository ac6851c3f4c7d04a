//! ID tokens with signatures of every algorithm, verified by the platform's cryptography, and forged ones.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::signer::Signing;
use crate::test_env::{TestEnv, email, sign_in};

/// All algorithms, each with a key.
const ALGORITHMS: [(&str, &str); 9] = [
    ("RSA", "RS256"),
    ("RSA", "RS384"),
    ("RSA", "RS512"),
    ("RSA", "PS256"),
    ("RSA", "PS384"),
    ("RSA", "PS512"),
    ("P-256", "ES256"),
    ("P-384", "ES384"),
    ("Ed25519", "EdDSA"),
];

#[test]
fn an_id_token_of_every_algorithm_is_accepted() {
    for (key, alg) in ALGORITHMS {
        let env = TestEnv::new();
        env.idp.sign_with(Signing::honest(key, alg), &[key]);
        let browser = env.client();
        let page = sign_in(&browser, "alice", "/dashboard");
        assert_eq!((page.status, page.url.as_str()), (200, "https://app.example.com/dashboard"), "{alg}");
        assert_eq!(email(&browser), "alice@example.com", "{alg}");
    }
}

#[test]
fn an_id_token_with_a_flipped_bit_is_rejected() {
    for (key, alg) in ALGORITHMS {
        let env = TestEnv::new();
        env.idp.sign_with(Signing::honest(key, alg), &[key]);
        env.idp.change("id_token_text", |token| *token = json!(flipped(token.as_str().unwrap())));
        assert_sign_in_fails(&env, "signature", alg);
    }
}

#[test]
fn an_id_token_signed_with_an_unpublished_key_is_rejected() {
    for kid in ["RSA", "stranger"] {
        let env = TestEnv::new();
        let header = json!({ "alg": "RS256", "kid": kid });
        env.idp.sign_with(Signing { key: "stranger", alg: "RS256", header }, &["RSA"]);
        assert_sign_in_fails(&env, "id_token", kid);
    }
}

#[test]
fn algorithm_confusion_an_id_token_with_a_wrong_algorithm_or_key_is_rejected() {
    for (case, key, alg, claimed) in [
        ("another hash", "RSA", "RS512", "RS256"),
        ("PSS declared as PKCS #1", "RSA", "PS256", "RS256"),
        ("PKCS #1 declared as PSS", "RSA", "RS256", "PS256"),
        ("an RSA signature declared as ECDSA", "RSA", "RS256", "ES256"),
        ("an ECDSA signature declared as RSA", "P-256", "ES256", "RS256"),
        ("another curve", "P-384", "ES384", "ES256"),
        ("an ECDSA signature declared as HMAC", "P-256", "ES256", "HS256"),
        ("an RSA signature declared as HMAC", "RSA", "RS256", "HS256"),
        ("the algorithm none", "RSA", "RS256", "none"),
    ] {
        let env = TestEnv::new();
        let header = json!({ "alg": claimed, "kid": key });
        env.idp.sign_with(Signing { key, alg, header }, &[key]);
        assert_sign_in_fails(&env, "id_token", case);
    }
}

#[test]
fn an_id_token_without_a_signature_is_rejected() {
    for end in ["", "."] {
        let env = TestEnv::new();
        env.idp.change("id_token_text", move |token| {
            let unsigned = token.as_str().unwrap().rsplit_once('.').unwrap().0.to_owned();
            *token = json!(unsigned + end);
        });
        assert_sign_in_fails(&env, "id_token", end);
    }
}

#[test]
fn an_rsa_key_of_1024_bits_is_rejected() {
    let env = TestEnv::new();
    env.idp.sign_with(Signing::honest("weak", "RS256"), &["weak"]);
    assert_sign_in_fails(&env, "id_token", "weak");
}

#[test]
fn a_key_in_the_token_s_header_is_ignored() {
    let env = TestEnv::new();
    let header = json!({
        "alg": "RS256",
        "kid": "stranger",
        "jwk": crate::signer::public_key("stranger"),
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x5u",
    });
    env.idp.sign_with(Signing { key: "stranger", alg: "RS256", header }, &["RSA"]);
    assert_sign_in_fails(&env, "id_token", "jwk");
    env.assert_no_unknown_requests();
}

#[test]
fn an_id_token_with_claims_for_another_sign_in_is_rejected() {
    for (claim, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!("another-client")),
        ("nonce", json!("another-sign-in")),
        ("nonce", Value::Null),
        ("exp", json!(1)),
        ("exp", Value::Null),
        ("sub", Value::Null),
    ] {
        let env = TestEnv::new();
        let case = format!("{claim} {value}");
        env.idp.change("id_token", move |claims| match &value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value.clone(),
        });
        assert_sign_in_fails(&env, claim, &case);
    }
}

#[test]
fn an_unknown_key_of_an_id_token_is_asked_for_at_once_and_once_for_each_token() {
    let env = TestEnv::new();
    env.signed_in("alice");
    assert_eq!(env.count_requests("/jwks"), 1);
    // The cached keys are only a second old.
    env.idp.sign_with(Signing::honest("RSA", "RS256"), &["RSA"]);
    let page = sign_in(&env.client(), "alice", "/about");
    assert_eq!((page.url.as_str(), env.count_requests("/jwks")), ("https://app.example.com/about", 2));
    // A key that the provider does not publish.
    env.idp.sign_with(Signing::honest("stranger", "RS256"), &["RSA"]);
    let page = sign_in(&env.client(), "alice", "/about");
    assert_eq!(page.url, "https://app.example.com/auth/error?error=Configuration");
    assert_eq!(env.count_requests("/jwks"), 3);
}

/// Asserts that the sign-in ends on the error page, that the log has the reason, and that nothing reaches the application.
fn assert_sign_in_fails(env: &TestEnv, cause: &str, what: &str) {
    let browser = env.client();
    let page = sign_in(&browser, "alice", "/dashboard");
    assert_eq!(page.url, "https://app.example.com/auth/error?error=Configuration", "{what}");
    assert_eq!(page.status, 500, "{what}: the error page has status 500");
    assert_eq!(email(&browser), "", "{what}");
    let line = env.logs().wait_for("auth_error", Duration::from_secs(5));
    let event = line.json().unwrap();
    assert_eq!((line.level.as_str(), &event["error_source"]), ("warn", &json!("provider")), "{what}");
    assert!(event["message"].as_str().unwrap().contains(cause), "{what}: {event}");
    assert_eq!(env.requests_to_service("APP").len(), 0, "{what}");
}

/// The token with one flipped bit in its signature.
fn flipped(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
