//! One isolate, with the demo's provider and with a slow provider.

use std::time::Duration;

use miniflare_test_harness::{Client, Harness, HarnessBuilder, Response};
use serde_json::json;
use vestibule_test_runtimes::{needs, part_needs};

use crate::provider::{self, Provider};
use crate::setup::{
    API, APP, COOKIE, MAX_WAIT, STRICT, a_session, expire, fetch, fetch_in_parallel, plant, session, tabs,
    worker,
};

fn fifty_at_once(lease: &str) {
    let provider = Provider::start(APP);
    let harness = worker(provider.issuer(), lease).start().unwrap();
    let browser = harness.client();
    provider::sign_in(&browser, APP);
    expire(&browser);
    let before = session(&browser);

    // All requests have the cookies from before the refresh.
    let answers = fetch_in_parallel(&harness, tabs(&browser, 50, 1));
    let new = answers[0].text();
    assert_ne!(new, format!("Bearer {}", before["access_token"].as_str().unwrap()));
    for answer in &answers {
        assert_eq!((answer.status, answer.text()), (200, new.clone()), "{}", harness.logs().text());
        assert!(answer.set_cookie(COOKIE).is_some());
    }
    assert_eq!(provider.refreshed(), (1, 0), "one refresh, no rejection");

    let next = fetch(&harness, &browser).expect_status(200);
    assert_eq!(next.text(), new, "a request with the old cookies finds the refreshed tokens");
    let after = session(&browser);
    assert_eq!((&after["generation"], &after["sid"]), (&json!(1), &before["sid"]));
    assert_ne!(after["refresh_token"], before["refresh_token"]);

    // The published tokens are valid: they are refreshed again.
    expire(&browser);
    fetch(&harness, &browser).expect_status(200);
    assert_eq!(provider.refreshed(), (2, 0));
}

#[test]
fn fifty_parallel_requests_use_a_refresh_token_once_with_kv() {
    fifty_at_once("kv");
}

#[test]
fn fifty_parallel_requests_use_a_refresh_token_once_with_a_durable_object() {
    fifty_at_once("durable-object");
}

/// Adds a provider that takes 1.5 seconds for a refresh.
fn slow_provider(builder: HarnessBuilder) -> HarnessBuilder {
    crate::setup::provider(builder, |_| {
        let tokens = json!({
            "access_token": "new-token", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "next",
        });
        Response::json(&tokens).delay(Duration::from_millis(1500))
    })
}

fn browser_with_expired_token(harness: &Harness) -> Client {
    let browser = harness.client();
    plant(&browser, &a_session("the-session", "first", -1));
    browser
}

fn used(harness: &Harness) -> usize {
    harness.requests_to("idp.example").iter().filter(|request| request.path() == "/token").count()
}

#[test]
fn a_refresh_completes_after_the_browser_has_disconnected() {
    for lease in STRICT {
        let harness = slow_provider(worker("https://idp.example", lease)).start().unwrap();
        let browser = browser_with_expired_token(&harness);
        let impatient = browser.fork().timeout(Duration::from_millis(400));
        assert!(impatient.get(API).try_send().is_err(), "the browser disconnected");
        harness.wait_for_requests("idp.example", 2, MAX_WAIT);
        if lease == "kv" && part_needs!(OpenStore) {
            harness.kv("AUTH_KV").wait_until(MAX_WAIT, |kv| {
                kv.keys().iter().any(|key| key.starts_with("next/")).then_some(())
            });
        }
        // With the old cookie, because the browser did not receive a new one.
        let reply = fetch(&harness, &browser).expect_status(200);
        assert_eq!((reply.text().as_str(), used(&harness)), ("Bearer new-token", 1), "{lease}");
    }
}

#[test]
fn a_session_that_is_signed_out_during_a_refresh_stays_signed_out() {
    for (lease, isolate) in STRICT.into_iter().flat_map(|lease| [(lease, 0), (lease, 1)]) {
        let builder = worker("https://idp.example", lease).isolates(&["FRA", "FRA"]);
        let harness = slow_provider(builder).start().unwrap();
        let browser = browser_with_expired_token(&harness);
        let csrf = browser.get(&format!("{APP}/auth/csrf")).send().json()["csrfToken"].clone();
        let tab = browser.fork();
        let late = std::thread::scope(|scope| {
            let late = scope.spawn(|| tab.get(API).send());
            harness.wait_for_requests("idp.example", 2, MAX_WAIT);
            let form = [("csrfToken", csrf.as_str().unwrap())];
            let other = browser.clone().at(isolate);
            other.post(&format!("{APP}/auth/signout")).form(&form).send().expect_status(302);
            late.join().unwrap()
        });
        assert_eq!((late.status, late.set_cookie(COOKIE)), (401, None), "{lease}, isolate {isolate}");
    }
}

#[test]
fn a_worker_without_the_binding_of_its_lease_names_it_in_the_log() {
    needs!(Workers);
    for (lease, binding) in [("kv", "AUTH_KV"), ("durable-object", "AUTH_LEASE")] {
        let harness = worker("https://idp.example", lease).without_binding(binding).start().unwrap();
        harness.client().get(API).send().expect_status(500);
        let line = harness.logs().wait_for("AUTH.refresh.lease", MAX_WAIT);
        assert!(line.message.contains(binding), "{}", line.message);
    }
}
