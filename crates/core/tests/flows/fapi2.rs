//! `profile = "fapi2"`, against the client modules of the FAPI 2.0 Security Profile's conformance plan: the name of a
//! module is the end of a test's name.

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::requests::{client_jwk, client_pem};
use vestibule_testing::{APP, Answer, Browser, FakeProvider, TestEnv, environment, settings};

const SESSION: &str = "__Secure-authjs.session-token";
const ERROR: &str = "https://app.example.com/auth/error?error=Configuration";

fn strict() -> Value {
    let mut settings = settings();
    settings["providers"][0]["profile"] = json!("fapi2");
    settings["session"] = json!({ "expose": { "user.roles": "roles" } });
    settings
}

/// A provider that follows the profile.
fn strict_env(settings: Value) -> TestEnv {
    let env = TestEnv::in_environment(settings, &|name| match name {
        "AUTH_ACME_PRIVATE_KEY" => Some(client_pem(5)),
        "AUTH_ACME_SECRET" => None,
        other => environment(other),
    });
    env.provider.requests.knows_client_key(&client_pem(5));
    env.provider.dpop.binds_tokens();
    publish(&env, |_| {});
    env
}

fn publish(env: &TestEnv, change: fn(&mut Value)) {
    env.provider.alters_answer_at("discovery", move |document| {
        document["pushed_authorization_request_endpoint"] = json!("https://idp.example/par");
        document["require_pushed_authorization_requests"] = json!(true);
        document["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]);
        document["dpop_signing_alg_values_supported"] = json!(["ES256", "PS256"]);
        change(document);
    });
}

fn signed_in(env: &TestEnv) -> bool {
    let mut browser = Browser::new();
    let answer = browser.sign_in(env, "alice", "/");
    answer.location() == format!("{APP}/") && browser.cookie(SESSION).is_some()
}

/// After the positive control the provider's ID tokens are changed, and no one is signed in.
fn refuses_id_token(change: impl Fn(&mut Value) + 'static) {
    let env = strict_env(strict());
    assert!(signed_in(&env), "the positive control: {}", env.log_text());
    env.provider.alters_answer_at("id_token", change);
    refuses(&env);
}

fn refuses(env: &TestEnv) {
    let mut browser = Browser::new();
    let answer = browser.sign_in(env, "alice", "/");
    assert_eq!((answer.location(), browser.cookie(SESSION)), (ERROR, None));
}

/// The answer to an authorization response that was bent on its way.
fn bent(bend: impl Fn(String) -> String) -> (TestEnv, Answer) {
    let env = strict_env(strict());
    assert!(signed_in(&env), "the positive control: {}", env.log_text());
    let codes = env.fetches("https://idp.example/token");
    let mut browser = Browser::new();
    let request = browser.begin(&env, "/");
    let callback = bend(env.provider.authorize(&request, "alice"));
    let answer = browser.open(&env, &callback);
    assert_eq!(browser.cookie(SESSION), None);
    assert_eq!(env.fetches("https://idp.example/token"), codes, "the code is sent nowhere");
    (env, answer)
}

fn without(name: &'static str) -> impl Fn(&mut Value) {
    move |claims| {
        claims.as_object_mut().unwrap().remove(name);
    }
}

#[test]
fn fapi2_client_test_happy_path() {
    let env = strict_env(strict());
    let mut browser = Browser::new();
    let request = browser.begin(&env, "/dashboard");
    let names: Vec<&str> = request.params.keys().map(String::as_str).collect();
    assert_eq!(names, ["client_id", "request_uri"], "only the reference is in the browser");
    let body = &env.provider.requests.bodies()[0];
    assert_eq!(body.one("code_challenge_method"), Ok(Some("S256")));
    assert_eq!(body.one("response_type"), Ok(Some("code")));
    assert!(body.one("dpop_jkt").unwrap().is_some(), "the code is bound to the session's key");
    let callback = env.provider.authorize(&request, "alice");
    assert_eq!(browser.open(&env, &callback).location(), format!("{APP}/dashboard"));
    let assertions = env.provider.requests.assertions();
    assert_eq!(assertions.len(), 2, "at the endpoint for requests, and at the token endpoint");
    for assertion in &assertions {
        assert_eq!(assertion.claims["aud"], "https://idp.example", "the issuer alone, as a string");
        assert_eq!(assertion.header["alg"], "ES256");
        assert_eq!(assertion.header["kid"], client_jwk(&client_pem(5)).thumbprint());
    }
    let proofs = env.provider.dpop.proofs();
    assert!(proofs.iter().any(|(place, _)| *place == "token"), "the token is bound");
    assert_eq!(browser.session(&env)["user"]["name"], "alice");
}

#[test]
fn fapi2_client_test_discovery_issuer_mismatch() {
    let env = strict_env(strict());
    publish(&env, |document| document["issuer"] = json!("https://idp.example/other"));
    let mut browser = Browser::new();
    let csrf = browser.csrf(&env);
    let answer = browser.post(&env, &format!("{APP}/auth/signin/acme"), &[("csrfToken", &csrf)]);
    assert_eq!(answer.location(), ERROR);
    assert!(env.provider.requests.bodies().is_empty());
}

#[test]
fn fapi2_client_test_invalid_iss() {
    refuses_id_token(|token| token["iss"] = json!("https://idp.example/1"));
}

#[test]
fn fapi2_client_test_invalid_aud() {
    refuses_id_token(|token| token["aud"] = json!("another"));
}

#[test]
fn fapi2_client_test_invalid_secondary_aud() {
    refuses_id_token(|token| token["aud"] = json!(["vestibule", "another"]));
}

#[test]
fn fapi2_client_test_invalid_null_alg() {
    let env = strict_env(strict());
    assert!(signed_in(&env));
    env.provider.alters_answer_at("id_token_header", |header| header["alg"] = json!("none"));
    refuses(&env);
}

#[test]
fn fapi2_client_test_invalid_alternate_alg() {
    for alg in ["RS256", "RS512", "PS512", "ES384", "HS256"] {
        let env = strict_env(strict());
        publish(&env, |document| {
            document["id_token_signing_alg_values_supported"] =
                json!(["ES256", "RS256", "RS512", "PS512", "ES384", "HS256"]);
        });
        assert!(signed_in(&env));
        env.provider.alters_answer_at("id_token_header", move |header| header["alg"] = json!(alg));
        refuses(&env);
        assert!(!env.log_text().contains("the token's signature is wrong"), "{alg}: {}", env.log_text());
    }
}

#[test]
fn fapi2_client_test_invalid_expired_exp() {
    refuses_id_token(|token| token["exp"] = json!(token["iat"].as_u64().unwrap() - 300));
}

#[test]
fn fapi2_client_test_invalid_missing_exp() {
    refuses_id_token(without("exp"));
}

#[test]
fn fapi2_client_test_invalid_missing_aud() {
    refuses_id_token(without("aud"));
}

#[test]
fn fapi2_client_test_invalid_missing_iss() {
    refuses_id_token(without("iss"));
}

#[test]
fn fapi2_client_test_invalid_nonce() {
    refuses_id_token(|token| token["nonce"] = json!("another"));
}

#[test]
fn fapi2_client_test_invalid_missing_nonce() {
    refuses_id_token(without("nonce"));
}

#[test]
fn fapi2_client_test_valid_aud_as_array() {
    let env = strict_env(strict());
    env.provider.alters_answer_at("id_token", |token| token["aud"] = json!(["vestibule"]));
    assert!(signed_in(&env));
}

#[test]
fn fapi2_client_test_invalid_authorization_response_iss() {
    let (_, answer) =
        bent(|url| url.replace("iss=https%3A%2F%2Fidp.example", "iss=https%3A%2F%2Fother.example"));
    assert_eq!(answer.location(), ERROR);
}

#[test]
fn fapi2_client_test_remove_authorization_response_iss() {
    let (env, answer) = bent(|url| url.replace("&iss=https%3A%2F%2Fidp.example", ""));
    assert_eq!(answer.location(), ERROR);
    assert!(env.logged(LogEvent::AuthError)[0].message().contains("\"iss\" is missing"));
    // Also where the metadata do not say that it is sent.
    let env = strict_env(strict());
    publish(&env, |document| document["authorization_response_iss_parameter_supported"] = json!(false));
    let mut browser = Browser::new();
    let request = browser.begin(&env, "/");
    let callback = env.provider.authorize(&request, "alice").replace("&iss=https%3A%2F%2Fidp.example", "");
    assert_eq!(browser.open(&env, &callback).location(), ERROR);
}

#[test]
fn fapi2_client_test_invalid_state() {
    let (_, answer) = bent(|url| url.replace("&state=", "&state=x"));
    assert!(answer.location().contains("error=SignInExpired"), "{answer:?}");
}

#[test]
fn fapi2_client_test_missing_state() {
    let (_, answer) = bent(|url| url.replace("&state=", "&other="));
    assert!(answer.location().contains("error=SignInExpired"), "{answer:?}");
}

#[test]
fn fapi2_client_test_token_endpoint_response_without_expires_in() {
    let env = strict_env(strict());
    env.provider.alters_answer_at("token", without("expires_in"));
    assert!(signed_in(&env));
}

#[test]
fn fapi2_client_test_token_type_case_insensitivity() {
    for kind in ["DPoP", "dpop", "DPOP", "dPoP"] {
        let env = strict_env(strict());
        env.provider.alters_answer_at("token", move |answer| answer["token_type"] = json!(kind));
        assert!(signed_in(&env), "{kind}");
    }
}

#[test]
fn a_bearer_token_is_refused() {
    let env = strict_env(strict());
    env.provider.alters_answer_at("token", |answer| answer["token_type"] = json!("Bearer"));
    refuses(&env);
}

#[test]
fn a_provider_that_publishes_no_endpoint_for_pushed_requests_is_a_mistake() {
    let env = strict_env(strict());
    publish(&env, |document| document["pushed_authorization_request_endpoint"] = Value::Null);
    let mut browser = Browser::new();
    let csrf = browser.csrf(&env);
    let answer = browser.post(&env, &format!("{APP}/auth/signin/acme"), &[("csrfToken", &csrf)]);
    assert_eq!(answer.location(), ERROR);
    assert_eq!(env.logged(LogEvent::AuthError).len(), 1);
}

#[test]
fn with_signed_requests_and_responses_the_profile_for_message_signing_is_reached() {
    let mut settings = strict();
    settings["providers"][0]["request_object"] = json!(true);
    settings["providers"][0]["response_mode"] = json!("jwt");
    let env = strict_env(settings);
    assert!(signed_in(&env), "{}", env.log_text());
    let object = &env.provider.requests.objects()[0];
    assert_eq!(object.claims["response_mode"], "jwt");
    assert!(object.claims["dpop_jkt"].is_string(), "{}", object.claims);
    // RS256 signs nothing in this profile, although the provider's key set may have such keys.
    let mut browser = Browser::new();
    let request = browser.begin(&env, "/");
    env.provider.authorize(&request, "alice");
    let forged = FakeProvider::forged(&json!({ "alg": "RS256" }), &json!({ "state": "x" }));
    let answer = browser.open(&env, &format!("{APP}/auth/callback/acme?response={forged}"));
    assert!(answer.location().contains("error="), "{answer:?}");
}
