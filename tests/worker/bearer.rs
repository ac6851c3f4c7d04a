//! Clients that bring the provider's access token, checked by the platform's cryptography or by Rust's.

use std::time::{SystemTime, UNIX_EPOCH};

use miniflare_test_harness::Reply;
use serde_json::{Value, json};

use crate::idp;
use crate::signer::Signing;
use crate::world::{APP, World, echo, settings};

const AUDIENCE: &str = "https://api.example.com";

fn world(key: &'static str, alg: &'static str) -> World {
    let mut settings = settings();
    settings["providers"][0]["accept_bearer"] = json!({ "audience": AUDIENCE });
    let world = World::with(settings, |builder| builder.service("APP", echo));
    world.idp.sign_with(Signing::honest(key, alg), &[key]);
    world
}

fn claims() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    json!({
        "iss": idp::ISSUER, "sub": "alice-1", "aud": AUDIENCE, "iat": now, "exp": now + 300, "scope": "api",
        "email": "alice@example.com", "roles": ["user"],
    })
}

fn bring(world: &World, path: &str, token: &str) -> Reply {
    let request = world.client().get(&format!("{APP}{path}"));
    request.header("authorization", &format!("Bearer {token}")).send()
}

#[test]
fn tokens_of_every_algorithm_pass_and_flipped_ones_do_not() {
    for (key, alg) in [
        ("RSA", "RS256"),
        ("RSA", "RS512"),
        ("RSA", "PS256"),
        ("P-256", "ES256"),
        ("P-384", "ES384"),
        ("Ed25519", "EdDSA"),
    ] {
        let world = world(key, alg);
        let token = Signing::honest(key, alg).sign(&claims());
        let reply = bring(&world, "/dashboard", &token).expect_status(200);
        assert!(reply.set_cookies().is_empty());
        let got = world.requests_to_service("APP").pop().unwrap();
        assert_eq!(got.header_all("authorization"), [format!("Bearer {token}")], "{alg}");
        assert_eq!(got.header_all("x-user-email"), ["alice@example.com"], "{alg}");

        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (first, rest) = signature.split_at(1);
        let flipped = format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" });
        let reply = bring(&world, "/dashboard", &flipped).expect_status(401);
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer error=\"invalid_token\""));

        let reply = bring(&world, "/admin", &token).expect_status(403);
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer error=\"insufficient_scope\""));
        assert_eq!((world.asked("/jwks"), world.requests_to_service("APP").len()), (1, 1), "{alg}");
    }
}

#[test]
fn algorithm_and_key_confusion_passes_with_nothing() {
    let world = world("RSA", "RS256");
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
        assert_eq!(bring(&world, "/dashboard", &token).status, 401, "{case}");
    }
    let mut id_token = claims();
    id_token["nonce"] = json!("n");
    let id_token = Signing::honest("RSA", "RS256").sign(&id_token);
    assert_eq!(bring(&world, "/dashboard", &id_token).status, 401);
    assert!(world.requests_to_service("APP").is_empty());
    world.assert_no_unknown_requests();
}

#[test]
fn a_provider_without_keys_is_503_and_asked_once() {
    let world = world("RSA", "RS256");
    world.idp.replace("jwks", |_| miniflare_test_harness::Response::status(500));
    let token = Signing::honest("RSA", "RS256").sign(&claims());
    for _ in 0..5 {
        let reply = bring(&world, "/dashboard", &token).expect_status(503);
        assert_eq!(reply.header("retry-after"), Some("5"));
    }
    assert_eq!(world.asked("/jwks"), 1);
    bring(&world, "/about", &token).expect_status(200);
}

#[test]
fn id_token_as_access_token_nothing_but_a_mark_of_access_tokens_passes() {
    let world = world("RSA", "RS256");
    let mut id_token = claims();
    id_token.as_object_mut().unwrap().remove("scope");
    for (typ, status) in [(json!("JWT"), 401), (json!("at+jwt"), 200)] {
        let header = json!({ "alg": "RS256", "kid": "RSA", "typ": typ });
        let token = Signing { key: "RSA", alg: "RS256", header }.sign(&id_token);
        assert_eq!(bring(&world, "/dashboard", &token).status, status, "{typ}");
    }
}

#[test]
fn unproven_identity_an_unverified_address_is_not_sent_on() {
    let world = world("RSA", "RS256");
    for (verified, told) in [(json!(true), &["alice@example.com"][..]), (json!(false), &[])] {
        let mut claims = claims();
        claims["email_verified"] = verified.clone();
        let token = Signing::honest("RSA", "RS256").sign(&claims);
        bring(&world, "/dashboard", &token).expect_status(200);
        let got = world.requests_to_service("APP").pop().unwrap();
        assert_eq!(got.header_all("x-user-email"), told, "{verified}");
    }
}
