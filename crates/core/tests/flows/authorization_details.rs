//! Rich authorization requests (RFC 9396): `authorization_details` as configured, sent, granted and kept.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::requests::client_pem;
use vestibule_testing::{APP, Browser, TestEnv, environment, settings};

fn details() -> Value {
    json!([{ "type": "account_information", "actions": ["list", "read"], "locations": ["https://api.example"] }])
}

fn rich() -> Value {
    let mut settings = settings();
    settings["providers"][0]["authorization_details"] = details();
    settings["claims"]["details"] = json!("account.authorization_details");
    settings["session"]["expose"]["details"] = json!("details");
    settings
}

fn granting(granted: Value) -> (TestEnv, Value) {
    let env = TestEnv::with(rich());
    env.provider.alters_answer_at("token", move |answer| answer["authorization_details"] = granted.clone());
    let mut browser = Browser::new();
    assert_eq!(browser.sign_in(&env, "bob", "/").location(), format!("{APP}/"));
    let session = browser.session(&env);
    (env, session["details"].clone())
}

#[test]
fn the_request_has_the_details_as_json() {
    let (env, mut browser) = (TestEnv::with(rich()), Browser::new());
    let request = browser.begin(&env, "/");
    let sent: Value = serde_json::from_str(&request.params["authorization_details"]).unwrap();
    assert_eq!(sent, details());
}

#[test]
fn a_signed_request_has_the_details_as_an_array() {
    let mut settings = rich();
    settings["providers"][0]["request_object"] = json!(true);
    let env = TestEnv::in_environment(settings, &|name| match name {
        "AUTH_ACME_PRIVATE_KEY" => Some(client_pem(5)),
        other => environment(other),
    });
    env.provider.requests.knows_client_key(&client_pem(5));
    let request = Browser::new().begin(&env, "/");
    assert!(!request.params.contains_key("authorization_details"));
    env.provider.authorize(&request, "bob");
    assert_eq!(env.provider.requests.objects()[0].claims["authorization_details"], details());
}

#[test]
fn what_is_granted_is_in_the_session_where_a_claim_says_so() {
    let granted =
        json!([{ "type": "account_information", "actions": ["read"], "locations": [], "accounts": ["1"] }]);
    let (env, kept) = granting(granted.clone());
    assert_eq!(kept, granted);
    assert!(env.logged(LogEvent::AuthorizationDetailsUnexpected).is_empty());
}

#[test]
fn more_than_was_asked_for_is_logged_and_kept() {
    for granted in [
        json!([{ "type": "account_information", "actions": ["list", "write"], "locations": [] }]),
        json!([{ "type": "payment_initiation" }]),
        json!([{ "type": "account_information" }]),
    ] {
        let (env, kept) = granting(granted.clone());
        assert_eq!(kept, granted);
        assert_eq!(env.logged(LogEvent::AuthorizationDetailsUnexpected).len(), 1, "{granted}");
    }
}

#[test]
fn what_is_no_list_of_details_or_too_long_is_logged_and_not_kept() {
    for granted in [
        json!("account_information"),
        json!({ "type": "account_information" }),
        json!([{ "type": 7 }]),
        json!([{ "type": "account_information", "note": "x".repeat(9000) }]),
    ] {
        let (env, kept) = granting(granted);
        assert_eq!(kept, Value::Null);
        assert_eq!(env.logged(LogEvent::AuthorizationDetailsUnexpected).len(), 1);
    }
}

#[test]
fn a_refresh_that_grants_more_is_logged_too() {
    let env = TestEnv::with(rich());
    let mut browser = Browser::new();
    browser.sign_in(&env, "bob", "/");
    env.provider
        .alters_answer_at("token", |answer| answer["authorization_details"] = json!([{ "type": "admin" }]));
    env.pass(Duration::from_hours(1));
    browser.session(&env);
    assert_eq!(env.logged(LogEvent::AuthorizationDetailsUnexpected).len(), 1);
}

#[test]
fn without_configured_details_none_are_sent_and_none_are_read() {
    let (env, mut browser) = (TestEnv::new(), Browser::new());
    env.provider.alters_answer_at("token", |answer| answer["authorization_details"] = json!("anything"));
    let request = browser.begin(&env, "/");
    assert!(!request.params.contains_key("authorization_details"));
    let callback = env.provider.authorize(&request, "bob");
    browser.open(&env, &callback);
    assert!(env.logged(LogEvent::AuthorizationDetailsUnexpected).is_empty());
}
