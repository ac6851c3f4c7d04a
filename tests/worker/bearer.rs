//! Bearer access tokens of the provider, verified by the platform's cryptography.

use std::time::{SystemTime, UNIX_EPOCH};

use miniflare_test_harness::ClientResponse;
use serde_json::{Value, json};

use crate::idp;
use crate::signer::Signing;
use crate::test_env::{APP, TestEnv, echo, settings};

const AUDIENCE: &str = "https://api.example.com";

fn env(key: &'static str, alg: &'static str) -> TestEnv {
    let mut settings = settings();
    settings["providers"][0]["accept_bearer"] = json!({ "audience": AUDIENCE });
    let env = TestEnv::with(settings, |builder| builder.service("APP", echo));
    env.idp.sign_with(Signing::honest(key, alg), &[key]);
    env
}

fn claims() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    json!({
        "iss": idp::ISSUER, "sub": "alice-1", "aud": AUDIENCE, "iat": now, "exp": now + 300, "scope": "api",
        "email": "alice@example.com", "roles": ["user"],
    })
}

fn bring(env: &TestEnv, path: &str, token: &str) -> ClientResponse {
    let request = env.client().get(&format!("{APP}{path}"));
    request.header("authorization", &format!("Bearer {token}")).send()
}

#[test]
fn tokens_of_every_algorithm_are_accepted_and_modified_ones_are_not() {
    for (key, alg) in [
        ("RSA", "RS256"),
        ("RSA", "RS512"),
        ("RSA", "PS256"),
        ("P-256", "ES256"),
        ("P-384", "ES384"),
        ("Ed25519", "EdDSA"),
    ] {
        let env = env(key, alg);
        let token = Signing::honest(key, alg).sign(&claims());
        let reply = bring(&env, "/dashboard", &token).expect_status(200);
        assert!(reply.set_cookies().is_empty());
        let got = env.requests_to_service("APP").pop().unwrap();
        assert_eq!(got.header_all("authorization"), [format!("Bearer {token}")], "{alg}");
        assert_eq!(got.header_all("x-user-email"), ["alice@example.com"], "{alg}");

        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (first, rest) = signature.split_at(1);
        let flipped = format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" });
        let reply = bring(&env, "/dashboard", &flipped).expect_status(401);
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer error=\"invalid_token\""));

        let reply = bring(&env, "/admin", &token).expect_status(403);
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer error=\"insufficient_scope\""));
        assert_eq!((env.count_requests("/jwks"), env.requests_to_service("APP").len()), (1, 1), "{alg}");
    }
}

#[test]
fn algorithm_confusion_a_token_with_a_wrong_key_or_algorithm_is_rejected() {
    let env = env("RSA", "RS256");
    for (case, key, alg, header) in [
        ("a secret", "RSA", "RS256", json!({ "alg": "HS256", "kid": "RSA" })),
        ("nothing", "RSA", "RS256", json!({ "alg": "none", "kid": "RSA" })),
        ("PSS as PKCS #1", "RSA", "PS256", json!({ "alg": "RS256", "kid": "RSA" })),
        ("a curve", "P-256", "ES256", json!({ "alg": "ES256", "kid": "RSA" })),
        ("a stranger", "stranger", "RS256", json!({ "alg": "RS256", "kid": "RSA" })),
        (
            "a stranger with its key",
            "stranger",
            "RS256",
            json!({ "alg": "RS256", "kid": "x", "jku": "https://evil.example" }),
        ),
        ("another kind", "RSA", "RS256", json!({ "alg": "RS256", "kid": "RSA", "typ": "logout+jwt" })),
        ("critical", "RSA", "RS256", json!({ "alg": "RS256", "kid": "RSA", "crit": ["x"], "x": 1 })),
    ] {
        let token = Signing { key, alg, header }.sign(&claims());
        assert_eq!(bring(&env, "/dashboard", &token).status, 401, "{case}");
    }
    let mut id_token = claims();
    id_token["nonce"] = json!("n");
    let id_token = Signing::honest("RSA", "RS256").sign(&id_token);
    assert_eq!(bring(&env, "/dashboard", &id_token).status, 401);
    assert!(env.requests_to_service("APP").is_empty());
    env.assert_no_unknown_requests();
}

#[test]
fn a_provider_without_keys_gives_503_and_is_requested_once() {
    let env = env("RSA", "RS256");
    env.idp.replace("jwks", |_| miniflare_test_harness::Response::status(500));
    let token = Signing::honest("RSA", "RS256").sign(&claims());
    for _ in 0..5 {
        let reply = bring(&env, "/dashboard", &token).expect_status(503);
        assert_eq!(reply.header("retry-after"), Some("5"));
    }
    assert_eq!(env.count_requests("/jwks"), 1);
    bring(&env, "/about", &token).expect_status(200);
}

#[test]
fn id_token_as_access_token_only_a_token_marked_as_access_token_is_accepted() {
    let env = env("RSA", "RS256");
    let mut id_token = claims();
    id_token.as_object_mut().unwrap().remove("scope");
    for (typ, status) in [(json!("JWT"), 401), (json!("at+jwt"), 200)] {
        let header = json!({ "alg": "RS256", "kid": "RSA", "typ": typ });
        let token = Signing { key: "RSA", alg: "RS256", header }.sign(&id_token);
        assert_eq!(bring(&env, "/dashboard", &token).status, status, "{typ}");
    }
}

#[test]
fn unproven_identity_an_unverified_address_is_not_forwarded() {
    let env = env("RSA", "RS256");
    for (verified, sent) in [(json!(true), &["alice@example.com"][..]), (json!(false), &[])] {
        let mut claims = claims();
        claims["email_verified"] = verified.clone();
        let token = Signing::honest("RSA", "RS256").sign(&claims);
        bring(&env, "/dashboard", &token).expect_status(200);
        let got = env.requests_to_service("APP").pop().unwrap();
        assert_eq!(got.header_all("x-user-email"), sent, "{verified}");
    }
}
