//! Invalid configurations: every request is answered with a short message, the log names the key, and neither contains a
//! secret.

use std::time::Duration;

use miniflare_test_harness::{Harness, HarnessBuilder, StartError};
use serde_json::{Value, json};
use vestibule_test_runtimes::part_needs;

use crate::idp;
use crate::test_env::{APP, SECRET, echo, settings, settings_with, worker};

const MAX_WAIT: Duration = Duration::from_secs(5);

#[test]
fn an_invalid_configuration_is_answered_with_500_and_the_log_names_the_key() {
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
        is_refused(complete(auth), place);
    }
}

#[test]
fn a_missing_variable_or_binding_is_named_in_the_log() {
    for (name, place) in [
        ("AUTH", "AUTH"),
        ("AUTH_SECRET", "AUTH_SECRET"),
        ("AUTH_ACME_ID", "AUTH_ACME_ID"),
        ("AUTH_ACME_SECRET", "AUTH_ACME_SECRET"),
    ] {
        is_refused(complete(settings()).without_binding(name), place);
    }
}

#[test]
fn a_variable_that_is_null_counts_as_missing() {
    for name in ["AUTH", "AUTH_SECRET"] {
        is_refused(complete(settings()).without_binding(name).var(name, Value::Null), name);
    }
}

#[test]
fn a_short_secret_is_rejected_and_not_logged() {
    let log = is_refused(complete(settings()).secret("AUTH_SECRET", "quite short"), "AUTH_SECRET");
    assert!(!log.contains("quite short"), "{log}");
}

#[test]
fn all_errors_of_a_configuration_are_logged_together() {
    let auth = settings_with(&json!({ "default_access": "everybody", "ruels": [] }));
    let log = is_refused(complete(auth).without_binding("AUTH_ACME_SECRET"), "AUTH.ruels");
    for place in ["AUTH.default_access", "AUTH.ruels", "AUTH_ACME_SECRET"] {
        assert!(log.contains(place), "{place}: {log}");
    }
}

/// A Worker with all secrets and bindings, and `auth` as its `AUTH`.
fn complete(auth: Value) -> HarnessBuilder {
    worker()
        .var("AUTH", auth)
        .secret("AUTH_SECRET", SECRET)
        .secret("AUTH_ACME_ID", idp::CLIENT_ID)
        .secret("AUTH_ACME_SECRET", idp::CLIENT_SECRET)
        .service("APP", echo)
}

/// Asserts that nothing is served, and that the log, which it gives, says why: it names `place`, and no secret.
fn is_refused(builder: HarnessBuilder, place: &str) -> String {
    let log = match builder.start() {
        Ok(harness) => {
            assert_every_request_is_refused(&harness, place);
            harness.logs().text()
        }
        // A server of its own does not start.
        Err(StartError::Runtime { output, .. }) if !part_needs!(Answers500) => {
            assert!(output.contains(place), "{place}: {output}");
            output
        }
        Err(error) => panic!("{error:?}"),
    };
    for secret in [SECRET, idp::CLIENT_SECRET, "a secret in the wrong place"] {
        assert!(!log.contains(secret), "the log contains {secret:?}:\n{log}");
    }
    log
}

/// Asserts the same response on a public page, a protected page and an auth route, and also for a second request in the
/// same isolate.
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
        .wait_until(MAX_WAIT, |lines| lines.iter().find(|l| l.message.contains(&begins)).cloned());
    let line = named.unwrap_or_else(|| {
        panic!("the log has no line that begins with {begins}:\n{}", harness.logs().text())
    });
    assert_eq!(line.level, "error");
    assert_eq!(line.json().unwrap()["path"], "/about", "the first request");
    assert!(harness.requests_to_service("APP").is_empty());
    assert!(harness.logs().lines().iter().all(|line| !line.from_runtime), "{}", harness.logs().text());
}
