//! The userinfo endpoint.

use std::sync::Arc;

use miniflare_test_harness::Response;
use serde_json::{Value, json};

use super::with;
use crate::env::{Env, session, settings};
use crate::provider::{Bearer, CLIENT_ID, ISSUER, Provider, Signature, claims_of, email, spoiled};

pub fn bearer_header(keys: &Value) {
    let env = Env::new(keys);
    env.provider.takes_the_token_from(Bearer::Header);
    env.signs_in();
    let asked = env.requests("userinfo").remove(0);
    assert_eq!((asked.method.as_str(), asked.text().as_str()), ("GET", ""));
}

pub fn bearer_body(keys: &Value) {
    let body = json!({
        "method": "POST",
        "content_type": "form",
        "body": { "access_token": "{access_token}" },
        "send_access_token": false,
    });
    let env = Env::new(&with(keys, &json!({ "userinfo": body })));
    env.provider.takes_the_token_from(Bearer::Body);
    env.signs_in();
}

pub fn invalid_sub(keys: &Value) {
    let env = Env::new(keys);
    env.signs_in();
    env.provider.puts("userinfo", "sub", json!("subject-of-mallory"));
    env.refuses_late("the claims are about another user");
    env.provider.omits("userinfo", "sub");
    env.refuses_late("\"sub\" is missing");
}

pub fn scope_claims(keys: &Value) {
    let scope = "openid profile email address phone";
    let mut settings = settings(&with(keys, &json!({ "scope": scope })));
    settings["claims"] = json!({ "country": "profile.address.country", "phone": "profile.phone_number" });
    settings["session"] = json!({ "expose": { "user.country": "country", "user.phone": "phone" } });
    let env = Env::with(settings, |builder| builder);
    let user = session(&env.signs_in())["user"].clone();
    assert_eq!(env.requests("authorization")[0].query("scope").as_deref(), Some(scope));
    let expected =
        json!({ "name": "alice", "email": email("alice"), "country": "PT", "phone": "+351 21 000 0000" });
    assert_eq!(user, expected);
}

pub fn signed() {
    let env = Env::new(&json!({ "userinfo": { "signed_response": true } }));
    let jwt = |provider: &Arc<Provider>, claims: Value, is_spoiled: bool| {
        let signer = Arc::clone(provider);
        provider.answers("userinfo", move |request| {
            assert!(request.header("authorization").unwrap().starts_with("Bearer access-token-"));
            let token = signer.signed(&claims);
            let token = if is_spoiled { spoiled(&token) } else { token };
            Response::bytes(token).header("content-type", "application/jwt")
        });
    };
    let mut claims = claims_of("alice", "profile email");
    (claims["iss"], claims["aud"]) = (json!(ISSUER), json!(CLIENT_ID));
    jwt(&env.provider, claims.clone(), false);
    env.signs_in();
    jwt(&env.provider, claims.clone(), true);
    env.refuses_late("signature");
    claims["sub"] = json!("subject-of-mallory");
    jwt(&env.provider, claims.clone(), false);
    env.refuses_late("the claims are about another user");
    // What is not signed is no signed response.
    env.provider.answers("userinfo", |_| Response::json(&claims_of("alice", "profile email")));
    env.refuses_late("suite");
}

pub fn aggregated_claims(keys: &Value) {
    let env = with_claims_of_others(keys);
    let other = Signature::honest("stranger", "RS256");
    let token = other.sign(&json!({
        "iss": "https://claims.example",
        "phone_number": "+1 555 0100",
        "email": "mallory@example.com",
        "credit_score": 650,
    }));
    env.provider.changes("userinfo", move |claims| {
        claims["_claim_names"] = json!({ "phone_number": "src1", "email": "src1", "credit_score": "src1" });
        claims["_claim_sources"] = json!({ "src1": { "JWT": token } });
    });
    assert_only_the_providers_claims(&env);
}

pub fn distributed_claims(keys: &Value) {
    let env = with_claims_of_others(keys);
    env.provider.changes("userinfo", |claims| {
        claims["_claim_names"] = json!({ "phone_number": "src1", "email": "src1", "credit_score": "src1" });
        claims["_claim_sources"] = json!({
            "src1": { "endpoint": "https://claims.example/claims", "access_token": "for-the-claims" }
        });
    });
    // If the other server were asked, the end of the test would find an unknown request.
    assert_only_the_providers_claims(&env);
}

/// A site that reads the claims that others have.
fn with_claims_of_others(keys: &Value) -> Env {
    let mut settings = settings(keys);
    settings["claims"] = json!({ "phone": "profile.phone_number", "score": "profile.credit_score" });
    settings["session"] = json!({ "expose": { "user.phone": "phone", "user.score": "score" } });
    Env::with(settings, |builder| builder)
}

fn assert_only_the_providers_claims(env: &Env) {
    let user = session(&env.signs_in())["user"].clone();
    assert_eq!(user, json!({ "name": "alice", "email": email("alice") }));
}
