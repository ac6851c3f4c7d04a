//! A configuration that is wrong: every request says so in a few words, the log says where, and no secret is told.

use std::time::Duration;

use miniflare_test_harness::{Harness, HarnessBuilder};
use serde_json::{Value, json};

use crate::idp;
use crate::test_env::{APP, SECRET, echo, settings, settings_with, worker};

const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn a_wrong_configuration_answers_500_and_names_the_place() {
    let mut rules = settings();
    rules["rules"][1]["match"] = json!("/admin/(");
    let mut provider = settings();
    provider["providers"][0]["client_secret"] = json!("a secret in the wrong place");
    for (auth, place) in [
        (rules, "AUTH.rules[1].match"),
        (settings_with(&json!({ "ruels": [] })), "AUTH.ruels"),
        (settings_with(&json!({ "default_access": "everybody" })), "AUTH.default_access"),
        (settings_with(&json!({ "secret": "a secret in the wrong place" })), "AUTH.secret"),
        (provider, "AUTH.providers[0].client_secret"),
        (settings_with(&json!({ "providers": [] })), "AUTH.providers"),
        (settings_with(&json!({ "upstreams": [{ "to": "service:" }] })), "AUTH.upstreams[0].to"),
        (json!({}), "AUTH.providers"),
        (json!([]), "AUTH"),
        (json!("{}"), "AUTH.providers"),
        (json!("{"), "AUTH"),
        (json!(7), "AUTH"),
        (Value::Null, "AUTH"),
    ] {
        let harness = complete(auth).start().unwrap();
        assert_every_request_is_refused(&harness, place);
    }
}

#[test]
fn what_is_missing_is_named() {
    for (name, place) in [
        ("AUTH", "AUTH"),
        ("AUTH_SECRET", "AUTH_SECRET"),
        ("AUTH_ACME_ID", "AUTH_ACME_ID"),
        ("AUTH_ACME_SECRET", "AUTH_ACME_SECRET"),
    ] {
        let harness = complete(settings()).without_binding(name).start().unwrap();
        assert_every_request_is_refused(&harness, place);
    }
}

#[test]
fn a_variable_that_is_null_is_missing() {
    for name in ["AUTH", "AUTH_SECRET"] {
        let harness = complete(settings()).without_binding(name).var(name, Value::Null).start().unwrap();
        assert_every_request_is_refused(&harness, name);
    }
}

#[test]
fn a_short_secret_is_refused_and_not_shown() {
    let harness = complete(settings()).secret("AUTH_SECRET", "quite short").start().unwrap();
    assert_every_request_is_refused(&harness, "AUTH_SECRET");
    assert!(!harness.logs().contains("quite short"), "{}", harness.logs().text());
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let auth = settings_with(&json!({ "default_access": "everybody", "ruels": [] }));
    let harness = complete(auth).without_binding("AUTH_ACME_SECRET").start().unwrap();
    for place in ["AUTH.default_access", "AUTH.ruels", "AUTH_ACME_SECRET"] {
        assert_every_request_is_refused(&harness, place);
    }
}

/// A Worker that has everything, with `auth` as its `AUTH`.
fn complete(auth: Value) -> HarnessBuilder {
    worker()
        .var("AUTH", auth)
        .secret("AUTH_SECRET", SECRET)
        .secret("AUTH_ACME_ID", idp::CLIENT_ID)
        .secret("AUTH_ACME_SECRET", idp::CLIENT_SECRET)
        .service("APP", echo)
}

/// The same answer on a public page, a guarded one and an auth route, and again: the isolate lives on.
fn assert_every_request_is_refused(harness: &Harness, place: &str) {
    let browser = harness.client();
    for path in ["/about", "/dashboard", "/auth/session", "/auth/signin", "/%zz", "/about"] {
        let reply = browser.get(&format!("{APP}{path}")).navigation().send().expect_status(500);
        assert_eq!(
            reply.text(),
            "The site's sign-in is not configured correctly. The log says where.",
            "{place} {path}"
        );
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.set_cookies(), [""; 0]);
    }
    let begins = format!("\"event\":\"configuration_invalid\",\"level\":\"error\",\"message\":\"{place}:");
    let named = harness
        .logs()
        .wait_until(PATIENCE, |lines| lines.iter().find(|l| l.message.contains(&begins)).cloned());
    let line = named.unwrap_or_else(|| panic!("{begins} is not in the log:\n{}", harness.logs().text()));
    assert_eq!(line.level, "error");
    assert_eq!(line.json().unwrap()["path"], "/about", "the first request");
    let log = harness.logs().text();
    for secret in [SECRET, idp::CLIENT_SECRET, "a secret in the wrong place"] {
        assert!(!log.contains(secret), "the log holds {secret:?}:\n{log}");
    }
    assert!(harness.requests_to_service("APP").is_empty());
    assert!(harness.logs().lines().iter().all(|line| !line.from_runtime), "{log}");
}
