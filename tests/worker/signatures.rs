//! ID tokens of every algorithm, checked by the platform's cryptography or by Rust's, and those that lie.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::signer::Signing;
use crate::test_env::{TestEnv, email, sign_in};

/// Every algorithm, with a key for it.
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
fn every_algorithm_signs_in() {
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
fn a_flipped_bit_signs_nobody_in() {
    for (key, alg) in ALGORITHMS {
        let env = TestEnv::new();
        env.idp.sign_with(Signing::honest(key, alg), &[key]);
        env.idp.bend("id_token_text", |token| *token = json!(flipped(token.as_str().unwrap())));
        assert_nobody_signs_in(&env, "signature", alg);
    }
}

#[test]
fn a_stranger_s_signature_signs_nobody_in() {
    for kid in ["RSA", "stranger"] {
        let env = TestEnv::new();
        let header = json!({ "alg": "RS256", "kid": kid });
        env.idp.sign_with(Signing { key: "stranger", alg: "RS256", header }, &["RSA"]);
        assert_nobody_signs_in(&env, "id_token", kid);
    }
}

#[test]
fn algorithm_and_key_confusion_signs_nobody_in() {
    for (case, key, alg, claimed) in [
        ("one hash in the name of another", "RSA", "RS512", "RS256"),
        ("PSS in the name of PKCS #1", "RSA", "PS256", "RS256"),
        ("PKCS #1 in the name of PSS", "RSA", "RS256", "PS256"),
        ("an RSA signature with a curve's name", "RSA", "RS256", "ES256"),
        ("a curve's signature with RSA's name", "P-256", "ES256", "RS256"),
        ("a curve in the name of another", "P-384", "ES384", "ES256"),
        ("a curve's key in the name of a secret", "P-256", "ES256", "HS256"),
        ("an RSA key in the name of a secret", "RSA", "RS256", "HS256"),
        ("an algorithm that says nothing", "RSA", "RS256", "none"),
    ] {
        let env = TestEnv::new();
        let header = json!({ "alg": claimed, "kid": key });
        env.idp.sign_with(Signing { key, alg, header }, &[key]);
        assert_nobody_signs_in(&env, "id_token", case);
    }
}

#[test]
fn a_token_without_a_signature_signs_nobody_in() {
    for end in ["", "."] {
        let env = TestEnv::new();
        env.idp.bend("id_token_text", move |token| {
            let unsigned = token.as_str().unwrap().rsplit_once('.').unwrap().0.to_owned();
            *token = json!(unsigned + end);
        });
        assert_nobody_signs_in(&env, "id_token", end);
    }
}

#[test]
fn an_rsa_key_of_1024_bits_signs_nobody_in() {
    let env = TestEnv::new();
    env.idp.sign_with(Signing::honest("weak", "RS256"), &["weak"]);
    assert_nobody_signs_in(&env, "id_token", "weak");
}

#[test]
fn a_key_that_the_token_brings_along_signs_nobody_in() {
    let env = TestEnv::new();
    let header = json!({
        "alg": "RS256",
        "kid": "stranger",
        "jwk": crate::signer::public_key("stranger"),
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x5u",
    });
    env.idp.sign_with(Signing { key: "stranger", alg: "RS256", header }, &["RSA"]);
    assert_nobody_signs_in(&env, "id_token", "jwk");
    env.assert_no_unknown_requests();
}

#[test]
fn claims_that_are_not_for_this_sign_in_sign_nobody_in() {
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
        env.idp.bend("id_token", move |claims| match &value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value.clone(),
        });
        assert_nobody_signs_in(&env, claim, &case);
    }
}

#[test]
fn a_key_that_nobody_knows_does_not_cost_the_provider_a_request_each_time() {
    let env = TestEnv::new();
    env.signed_in("alice");
    env.idp.sign_with(Signing::honest("RSA", "RS256"), &["RSA"]);
    let browser = env.client();
    // What is known is a second old, so this may be an invented key as well as a new one: it has to wait.
    let page = sign_in(&browser, "alice", "/about");
    assert_eq!(page.url, "https://app.example.com/auth/error?error=Configuration");
    assert_eq!(env.asked("/jwks"), 1);
}

/// The sign-in ends on the error page, the log says why, and nothing reaches the application.
fn assert_nobody_signs_in(env: &TestEnv, cause: &str, what: &str) {
    let browser = env.client();
    let page = sign_in(&browser, "alice", "/dashboard");
    assert_eq!(page.url, "https://app.example.com/auth/error?error=Configuration", "{what}");
    assert_eq!(page.status, 500, "{what}: the page says that something is wrong on our side");
    assert_eq!(email(&browser), "", "{what}");
    let line = env.logs().wait_for("auth_error", Duration::from_secs(5));
    let event = line.json().unwrap();
    assert_eq!((line.level.as_str(), &event["error_source"]), ("warn", &json!("provider")), "{what}");
    assert!(event["message"].as_str().unwrap().contains(cause), "{what}: {event}");
    assert_eq!(env.requests_to_service("APP").len(), 0, "{what}");
}

/// The token with one bit of its signature flipped.
fn flipped(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
