//! An upstream's own token in the real runtime: a burst exchanges once, other isolates find the token in the store, and a
//! provider that fails costs that upstream's requests and no session.

use std::time::Duration;

use miniflare_test_harness::{Harness, Request, Response};
use serde_json::json;
use vestibule_test_runtimes::needs;

use crate::setup::{
    API, APP, MAX_WAIT, a_session, auth_of, fetch, fetch_in_parallel, plant, provider, session, tabs,
    worker_of,
};

const TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The Worker with an upstream that gets a token for `orders`, and a provider that answers so to an exchange.
fn worker(storage: &str, isolates: &[&str], answer: fn(&str) -> Response) -> Harness {
    let of_provider = json!({ "id": "demo", "type": "oidc", "issuer": "https://idp.example" });
    let mut auth = auth_of(&of_provider, "kv");
    auth["session"]["tokens"] = json!(storage);
    auth["upstreams"][0]["authorization"] = json!({ "exchange": { "audience": "orders", "scope": "read" } });
    let builder = provider(worker_of(&of_provider, "kv").var("AUTH", auth), move |request: &Request| {
        answer(&request.text())
    });
    builder.isolates(isolates).start().unwrap()
}

/// The token says for whose token it was exchanged.
fn exchanged(form: &str) -> Response {
    assert!(form.contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"), "{form}");
    assert!(form.contains("&audience=orders&scope=read"), "{form}");
    assert!(form.contains("subject_token=old-token"), "{form}");
    let body = json!({
        "access_token": "for-orders", "issued_token_type": TYPE, "token_type": "Bearer", "expires_in": 600,
        "scope": "read",
    });
    Response::json(&body).delay(Duration::from_millis(300))
}

fn refused(_: &str) -> Response {
    Response::json(&json!({ "error": "invalid_target" })).with_status(400)
}

fn exchanges(harness: &Harness) -> usize {
    harness.requests_to("idp.example").iter().filter(|request| request.path() == "/token").count()
}

#[test]
fn a_burst_exchanges_a_token_once() {
    needs!(OneMemory);
    let harness = worker("cookie", &["FRA"], exchanged);
    let browser = harness.client();
    plant(&browser, &a_session("the-session", "first", 1800));
    for answer in fetch_in_parallel(&harness, tabs(&browser, 30, 1)) {
        assert_eq!((answer.status, answer.text().as_str()), (200, "Bearer for-orders"));
    }
    assert_eq!(exchanges(&harness), 1, "{}", harness.logs().text());
}

#[test]
fn a_refused_exchange_is_503_and_no_logout() {
    let harness = worker("cookie", &["FRA"], refused);
    let browser = harness.client();
    plant(&browser, &a_session("the-session", "first", 1800));
    let answer = browser.get(API).send().expect_status(503);
    assert_eq!(answer.header("retry-after"), Some("60"));
    browser.get(API).send().expect_status(503);
    assert_eq!(exchanges(&harness), 1);
    harness.logs().wait_for("invalid_target", MAX_WAIT);
    assert_eq!(session(&browser)["access_token"], json!("old-token"));
    assert!(!harness.logs().contains("old-token"));
    let shown = browser.get(&format!("{APP}/auth/session")).send().expect_status(200).json();
    assert_eq!(shown["user"]["name"], json!("Somebody"));
    fetch(&harness, &browser).expect_status(503);
}
