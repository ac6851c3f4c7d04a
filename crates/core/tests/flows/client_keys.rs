//! The client's keys: several, of which the newest signs, and `GET /client-keys.json`.

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_testing::requests::{client_jwk, client_pem};
use vestibule_testing::{APP, Answer, Browser, RUNTIME, TestEnv, environment, settings};

fn with_keys(more: &[(&str, Value)], keys: &'static [(&'static str, u8)]) -> TestEnv {
    let mut settings = settings();
    settings["providers"][0]["token_endpoint_auth_method"] = json!("private_key_jwt");
    for (key, value) in more {
        settings["providers"][0][*key] = value.clone();
    }
    let env = TestEnv::in_environment(settings, &|name| {
        let key = keys.iter().find(|(key, _)| *key == name);
        key.map(|(_, seed)| client_pem(*seed)).or_else(|| environment(name))
    });
    for (_, seed) in keys {
        env.provider.requests.knows_client_key(&client_pem(*seed));
    }
    env
}

fn published(env: &TestEnv) -> (Answer, Vec<Value>) {
    let answer = env.send("GET", &format!("{APP}/auth/client-keys.json"), &[], b"");
    let set: Value = serde_json::from_str(&answer.body).unwrap();
    let keys = set["keys"].as_array().cloned().unwrap_or_default();
    (answer, keys)
}

fn thumbprint(seed: u8) -> Value {
    client_jwk(&client_pem(seed)).thumbprint().into()
}

#[test]
fn the_newest_key_signs_and_the_public_half_of_all_is_published() {
    const KEYS: &[(&str, u8)] =
        &[("AUTH_ACME_PRIVATE_KEY", 5), ("AUTH_ACME_PRIVATE_KEY_1", 6), ("AUTH_ACME_PRIVATE_KEY_2", 8)];
    let env = with_keys(&[], KEYS);
    assert_eq!(Browser::new().sign_in(&env, "bob", "/").location(), format!("{APP}/"));
    let assertion = &env.provider.requests.assertions()[0];
    assert_eq!(assertion.header["kid"], thumbprint(8));
    let (answer, keys) = published(&env);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers.get("content-type"), Some("application/jwk-set+json"));
    assert_eq!(answer.headers.get("cache-control"), Some("public, max-age=300"));
    let kids: Vec<&Value> = keys.iter().map(|key| &key["kid"]).collect();
    assert_eq!(kids, [&thumbprint(8), &thumbprint(6), &thumbprint(5)]);
}

#[test]
fn only_public_members_are_published() {
    let env = with_keys(&[], &[("AUTH_ACME_PRIVATE_KEY", 5)]);
    let (_, keys) = published(&env);
    let names: Vec<&String> = keys[0].as_object().unwrap().keys().collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!((&keys[0]["alg"], &keys[0]["use"]), (&json!("ES256"), &json!("sig")));
}

#[test]
fn without_client_keys_there_is_no_set() {
    let answer = TestEnv::new().send("GET", &format!("{APP}/auth/client-keys.json"), &[], b"");
    assert_eq!((answer.status, answer.headers.get("cache-control")), (404, Some("no-store")));
}

#[test]
fn the_keys_of_clients_and_those_of_assertions_are_two_sets() {
    let env = with_keys(&[], &[("AUTH_ACME_PRIVATE_KEY", 5)]);
    let answer = env.send("GET", &format!("{APP}/auth/jwks.json"), &[], b"");
    assert_eq!(answer.status, 404, "no upstream receives assertions");
}

#[test]
fn a_single_key_signs_without_kid_as_it_always_did_unless_it_has_a_name() {
    let env = with_keys(&[], &[("AUTH_ACME_PRIVATE_KEY", 5)]);
    Browser::new().sign_in(&env, "bob", "/");
    assert_eq!(env.provider.requests.assertions()[0].header, json!({ "alg": "ES256", "typ": "JWT" }));
    assert_eq!(published(&env).1[0]["kid"], thumbprint(5));

    let env = with_keys(&[("key_id", json!("key-a"))], &[("AUTH_ACME_PRIVATE_KEY", 5)]);
    Browser::new().sign_in(&env, "bob", "/");
    assert_eq!(env.provider.requests.assertions()[0].header["kid"], "key-a");
    assert_eq!(published(&env).1[0]["kid"], "key-a");
}

#[test]
fn the_audience_of_an_assertion_is_the_token_endpoint_or_as_configured_the_issuer() {
    for (configured, audience) in [
        (Value::Null, "https://idp.example/token"),
        (json!("token-endpoint"), "https://idp.example/token"),
        (json!("issuer"), "https://idp.example"),
    ] {
        let env = with_keys(&[("client_assertion_audience", configured)], &[("AUTH_ACME_PRIVATE_KEY", 5)]);
        assert_eq!(Browser::new().sign_in(&env, "bob", "/").location(), format!("{APP}/"));
        let assertion = &env.provider.requests.assertions()[0];
        assert_eq!(assertion.claims["aud"], audience, "one audience, as a string");
        assert!(assertion.claims["exp"].as_u64().unwrap() <= env.now().seconds() + 60);
    }
}

#[test]
fn two_keys_of_one_name_are_advised_against_and_one_key_of_two_providers_is_not() {
    for (seed, warns) in [(6, true), (5, false)] {
        let mut settings = settings();
        let other = json!({ "id": "other", "issuer": "https://other.example", "key_id": "key-a", "request_object": true });
        settings["providers"][0]["key_id"] = json!("key-a");
        settings["providers"].as_array_mut().unwrap().push(other);
        let config = Config::load(
            settings,
            &|name| match name {
                "AUTH_ACME_PRIVATE_KEY" => Some(client_pem(5)),
                "AUTH_OTHER_PRIVATE_KEY" => Some(client_pem(seed)),
                "AUTH_OTHER_ID" | "AUTH_OTHER_SECRET" => Some("other".to_owned()),
                other => environment(other),
            },
            &RUNTIME,
        )
        .unwrap();
        let advice = config.advice(&RUNTIME).join("\n");
        assert_eq!(advice.contains("two keys have the key_id"), warns, "{advice}");
    }
}

#[test]
fn a_public_client_sends_its_id_alone() {
    let mut settings = settings();
    settings["providers"][0]["token_endpoint_auth_method"] = json!("none");
    let env =
        TestEnv::in_environment(settings, &|name| environment(name).filter(|_| name != "AUTH_ACME_SECRET"));
    Browser::new().sign_in(&env, "bob", "/");
    assert_eq!(env.fetches("https://idp.example/token"), 1, "{}", env.log_text());
    assert!(!env.log_text().contains("private_key"), "{}", env.log_text());
}

#[test]
fn one_key_of_two_providers_has_the_name_of_each() {
    let mut settings = settings();
    let other = json!({ "id": "other", "issuer": "https://other.example", "key_id": "key-b", "request_object": true });
    settings["providers"][0]["key_id"] = json!("key-a");
    settings["providers"][0]["request_object"] = json!(true);
    settings["providers"].as_array_mut().unwrap().push(other);
    let env = TestEnv::in_environment(settings, &|name| match name {
        "AUTH_ACME_PRIVATE_KEY" | "AUTH_OTHER_PRIVATE_KEY" => Some(client_pem(5)),
        "AUTH_OTHER_ID" | "AUTH_OTHER_SECRET" => Some("other".to_owned()),
        other => environment(other),
    });
    for _ in 0..2 {
        let (_, keys) = published(&env);
        assert_eq!(keys.iter().map(|key| &key["kid"]).collect::<Vec<_>>(), ["key-a", "key-b"]);
        assert!(keys.iter().all(|key| key["x"] == keys[0]["x"]));
    }
}
