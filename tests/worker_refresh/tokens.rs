//! `session.tokens = "store"` in the real runtime: one entry for each generation, whichever isolate reads it.

use std::time::Duration;

use miniflare_test_harness::Harness;
use serde_json::json;
use vestibule_test_runtimes::{needs, part_needs};

use crate::provider::{self, Provider};
use crate::setup::{API, APP, MAX_WAIT, auth_of, expire, fetch, fetch_in_parallel, session, tabs, worker};

fn entries(harness: &Harness) -> Vec<String> {
    harness.kv("AUTH_KV").keys().into_iter().filter(|key| key.starts_with("tokens/")).collect()
}

fn tokens_in_the_store(lease: &str) {
    let provider = Provider::start(APP);
    let of_provider = json!({
        "id": "demo", "type": "oidc", "issuer": provider.issuer(), "scope": "openid offline_access",
    });
    let mut auth = auth_of(&of_provider, lease);
    auth["session"]["tokens"] = json!("store");
    let worker = worker(provider.issuer(), lease).var("AUTH", auth).isolates(&["FRA"; 4]);
    let harness = worker.start().unwrap();
    let browser = harness.client();
    provider::sign_in(&browser, APP);
    let has_entries = part_needs!(OpenStore);
    assert_eq!(entries(&harness).len(), usize::from(has_entries));
    for generation in 1..=2 {
        let before = session(&browser);
        for token in ["access_token", "refresh_token"] {
            assert!(!before.contains_key(token), "{token}");
        }
        expire(&browser);
        let old = browser.fork();
        let answers = fetch_in_parallel(&harness, tabs(&browser, 40, 4));
        let new = answers[0].text();
        assert!(new.starts_with("Bearer ") && new.len() > "Bearer ".len());
        for answer in &answers {
            assert_eq!((answer.status, answer.text()), (200, new.clone()), "{}", harness.logs().text());
        }
        assert_eq!(provider.refreshed(), (generation, 0), "one refresh, no rejection");
        // Every isolate finds the tokens with the new cookie, and with the old one.
        assert_eq!(fetch(&harness, &browser).expect_status(200).text(), new);
        assert_eq!(session(&browser)["generation"], json!(generation));
        for isolate in 0..4 {
            assert_eq!(fetch(&harness, &browser.fork().at(isolate)).expect_status(200).text(), new);
            assert_eq!(fetch(&harness, &old.fork().at(isolate)).expect_status(200).text(), new);
        }
        if !has_entries {
            continue;
        }
        let kv = harness.kv("AUTH_KV");
        kv.wait_until(MAX_WAIT, |kv| {
            let entries = kv.keys().iter().filter(|key| key.starts_with("tokens/")).count();
            (entries == 2).then_some(())
        });
    }
    for key in entries(&harness) {
        let left = harness.kv("AUTH_KV").time_to_live(&key).unwrap();
        assert!(left > Duration::from_hours(24 * 89), "as long as the session can last: {left:?}");
    }
    let csrf = browser.get(&format!("{APP}/auth/csrf")).send().json()["csrfToken"].clone();
    let form = [("csrfToken", csrf.as_str().unwrap())];
    browser.post(&format!("{APP}/auth/signout")).form(&form).send().expect_status(302);
    assert_eq!(entries(&harness), Vec::<String>::new());
    browser.get(API).send().expect_status(401);
}

#[test]
fn the_store_has_the_tokens_and_four_isolates_refresh_them_once_with_kv() {
    tokens_in_the_store("kv");
}

#[test]
fn the_store_has_the_tokens_and_four_isolates_refresh_them_once_with_a_durable_object() {
    tokens_in_the_store("durable-object");
}

#[test]
fn a_worker_without_the_store_does_not_start() {
    needs!(Workers);
    let provider = json!({ "id": "demo", "type": "oidc", "issuer": "https://idp.example" });
    let mut auth = auth_of(&provider, "none");
    auth["session"]["tokens"] = json!("store");
    let worker = worker("https://idp.example", "none").var("AUTH", auth).without_binding("AUTH_KV");
    let harness = worker.start().unwrap();
    harness.client().get(API).send().expect_status(500);
    let line = harness.logs().wait_for("AUTH.session.tokens", MAX_WAIT);
    assert!(line.message.contains("AUTH_KV"), "{}", line.message);
}
