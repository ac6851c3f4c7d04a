//! Tests `X-Vestibule-Assertion` with an upstream in Node.js that checks it with the library `jose`.

use serde_json::{Value, json};

use crate::node::Script;
use crate::test_env::{APP, TestEnv, echo, settings};

const SECRET_BEFORE: &str = "the-secret-of-last-year-that-no-log-may-hold";

/// Settings with an upstream that gets assertions.
fn asserted(to: &str) -> Value {
    let mut settings = settings();
    settings["upstreams"][0]["to"] = json!(to);
    settings["upstreams"][0]["assertion"] = json!(true);
    settings
}

/// The assertion in the upstream's last request.
fn token(env: &TestEnv) -> String {
    let got = env.requests_to_service("APP").pop().unwrap();
    let all = got.header_all("x-vestibule-assertion");
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].to_owned()
}

/// The result of `jose` for a token.
fn check(script: &mut Script, env: &TestEnv, token: &str, issuer: &str, audience: &str) -> Value {
    let keys = format!("http://{}/auth/jwks.json", env.address());
    script.write_line(
        &json!({ "keys": keys, "token": token, "issuer": issuer, "audience": audience }).to_string(),
    );
    serde_json::from_str(&script.read_line()).unwrap()
}

#[test]
fn an_upstream_in_node_verifies_an_assertion_with_the_published_keys() {
    let env = TestEnv::with(asserted("service:APP"), |builder| builder.service("APP", echo));
    let mut jose = Script::start("tests/worker/upstream.mjs", &[], &[]);
    let browser = env.signed_in("alice");
    browser
        .get(&format!("{APP}/dashboard"))
        .header("x_vestibule_assertion", "evil")
        .send()
        .expect_status(200);
    let token = token(&env);
    let (issuer, audience) = ("https://app.example.com/auth", "service:APP");
    let checked = check(&mut jose, &env, &token, issuer, audience);
    let claims = &checked["claims"];
    assert_eq!(claims["email"], "alice@example.com", "{checked}");
    assert_eq!(claims["roles"], json!(["admin", "user"]));
    assert_eq!((&claims["provider"], claims["sub"].is_string()), (&json!("acme"), true));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
    let text = claims.to_string();
    assert!(!env.idp.confidential().iter().any(|secret| text.contains(secret.as_str())), "{text}");

    for (issuer, audience) in [(issuer, "service:OTHER"), ("https://evil.example/auth", audience)] {
        let refused = check(&mut jose, &env, &token, issuer, audience);
        assert_eq!(refused["error"], "ERR_JWT_CLAIM_VALIDATION_FAILED");
    }
    let (head, rest) = token.split_at(token.len() - 20);
    let bent = format!("{head}{}{}", if rest.starts_with('A') { 'B' } else { 'A' }, &rest[1..]);
    let refused = check(&mut jose, &env, &bent, issuer, audience);
    assert_eq!(refused["error"], "ERR_JWS_SIGNATURE_VERIFICATION_FAILED");

    let public = env.client().get(&format!("{APP}/about")).header("X-Vestibule-Assertion", "evil");
    public.send().expect_status(200);
    assert_eq!(env.requests_to_service("APP").pop().unwrap().header("x-vestibule-assertion"), None);
}

#[test]
fn assertions_of_the_old_and_the_new_secret_are_verified_after_a_rotation() {
    let with = |secrets: &[(&str, &str)]| {
        TestEnv::with(asserted("service:APP"), |builder| {
            secrets
                .iter()
                .fold(builder.service("APP", echo), |builder, (name, secret)| builder.secret(name, secret))
        })
    };
    let mut jose = Script::start("tests/worker/upstream.mjs", &[], &[]);
    let before = with(&[("AUTH_SECRET", SECRET_BEFORE)]);
    before.signed_in("bob").get(&format!("{APP}/x")).send().expect_status(200);
    let old = token(&before);
    let after = with(&[("AUTH_SECRET", SECRET_BEFORE), ("AUTH_SECRET_1", crate::test_env::SECRET)]);
    after.signed_in("bob").get(&format!("{APP}/x")).send().expect_status(200);
    let new = token(&after);
    let (issuer, audience) = ("https://app.example.com/auth", "service:APP");
    let kids: Vec<Value> = [&old, &new]
        .into_iter()
        .map(|token| check(&mut jose, &after, token, issuer, audience)["header"]["kid"].clone())
        .collect();
    assert!(kids[0].is_string() && kids[1].is_string() && kids[0] != kids[1], "{kids:?}");
    assert_eq!(check(&mut jose, &before, &new, issuer, audience)["error"], "ERR_JWKS_NO_MATCHING_KEY");
}

#[test]
fn the_published_keys_contain_no_private_key() {
    let env = TestEnv::with(asserted("service:APP"), |builder| builder.service("APP", echo));
    let reply = env.client().get(&format!("{APP}/auth/jwks.json")).send().expect_status(200);
    assert_eq!(reply.header("content-type"), Some("application/jwk-set+json"));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    let keys = reply.json();
    let members: Vec<&String> = keys["keys"][0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    let again = env.client().get(&format!("{APP}/auth/jwks.json")).send().expect_status(200);
    assert_eq!(again.json(), keys);
    let head = env.client().request("HEAD", &format!("{APP}/auth/jwks.json")).send().expect_status(200);
    assert_eq!(head.header("content-type"), Some("application/jwk-set+json"));

    let none = TestEnv::new();
    none.client().get(&format!("{APP}/auth/jwks.json")).send().expect_status(404);
}

#[test]
fn the_helpers_for_javascript_verify_the_workers_assertions() {
    let env = TestEnv::with(asserted("service:APP"), |builder| builder.service("APP", echo));
    env.signed_in("alice").get(&format!("{APP}/dashboard")).send().expect_status(200);
    let (token, issuer) = (token(&env), "https://app.example.com/auth");
    let mut helper = Script::start("tests/worker/helper.mjs", &[], &[]);
    let user = check(&mut helper, &env, &token, issuer, "service:APP");
    assert_eq!((&user["email"], &user["provider"]), (&json!("alice@example.com"), &json!("acme")), "{user}");
    assert_eq!(user["claims"], json!({ "roles": ["admin", "user"] }));
    assert_eq!(user["account"], format!("acme:{}", user["sub"].as_str().unwrap()));
    let refused = check(&mut helper, &env, &token, issuer, "service:OTHER");
    assert_eq!(refused["error"], "wrong_audience", "{refused}");
    let refused = check(&mut helper, &env, &token, "https://evil.example/auth", "service:APP");
    assert_eq!(refused["error"], "wrong_issuer", "{refused}");

    // The same key and another user.
    let (head, rest) = token.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    env.signed_in("bob").get(&format!("{APP}/dashboard")).send().expect_status(200);
    let other = self::token(&env);
    let payload = other.split('.').nth(1).unwrap();
    let refused = check(&mut helper, &env, &format!("{head}.{payload}.{signature}"), issuer, "service:APP");
    assert_eq!(refused["error"], "wrong_signature", "{refused}");
}
