//! A provider and a credentials API that fail in many ways at the same time, a different one for each session. All sessions
//! stay valid, and work again as soon as the provider does. Also a KV namespace that fails.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use miniflare_test_harness::{Harness, KvFault, Request, Response};
use serde_json::json;
use vestibule_test_runtimes::{needs, part_needs};

use crate::clean_log::assert_clean;
use crate::credentials::{self, Shape};
use crate::setup::{API, APP, COOKIE, a_session, now, plant, provider, worker, worker_of};

/// A failure: its name, the response, and the maximum of `Retry-After` in seconds.
type Failure = (&'static str, fn() -> Response, u64);

const FAILURES: [Failure; 22] = [
    ("hang", Response::hang, 5),
    ("close", Response::close, 5),
    ("500", || Response::status(500), 5),
    ("500 with an OAuth error", || json_text(500, "{\"error\":\"invalid_grant\"}"), 5),
    ("503 as a page", || Response::html("<h1>busy</h1>").with_status(503), 5),
    ("503 with Retry-After", || Response::status(503).header("retry-after", "40"), 40),
    ("429 with seconds", || Response::status(429).header("retry-after", "40"), 40),
    ("429 with a date", || Response::status(429).header("retry-after", date(40)), 40),
    ("429 with a date long ago", || Response::status(429).header("retry-after", date(-4000)), 5),
    ("429 with a word", || Response::status(429).header("retry-after", "later"), 5),
    ("429 for a year", || Response::status(429).header("retry-after", "31536000"), 600),
    ("408", || Response::status(408), 5),
    ("garbage", || Response::raw("garbage\r\n\r\n"), 5),
    ("a page", || Response::html("<h1>Sign in to this network</h1>"), 5),
    ("an empty body", || json_text(200, ""), 5),
    ("half a body", half, 5),
    ("a body without end", endless, 5),
    ("a body that is deep", || json_text(200, &"{\"a\":".repeat(20_000)), 5),
    ("a redirect", || Response::redirect("https://evil.example/"), 5),
    ("tokens as text", || Response::bytes(TOKENS).header("content-type", "text/plain"), 5),
    ("no tokens", || json_text(200, "{}"), 5),
    ("404", || Response::html("<h1>gone</h1>").with_status(404), 5),
];

const TOKENS: &str = "{\"access_token\":\"new\",\"accessToken\":\"new\",\"token_type\":\"Bearer\"}";

#[test]
fn no_failure_of_a_provider_or_an_api_ends_a_session() {
    std::thread::scope(|scope| {
        scope.spawn(a_provider);
        scope.spawn(an_api);
    });
}

fn a_provider() {
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let harness = provider(worker("https://idp.example", "durable-object"), move |request| {
        let token = request.form("refresh_token").unwrap_or_default();
        let tokens =
            json!({ "access_token": format!("new-{token}"), "token_type": "Bearer", "expires_in": 3600 });
        failure(&token, well.load(Ordering::SeqCst)).unwrap_or_else(|| Response::json(&tokens))
    });
    let harness = harness.isolates(&["FRA", "FRA"]).start().unwrap();
    every_session_survives(&harness, &is_well, &[("200 with an error", 5)]);
}

fn an_api() {
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let worker = worker_of(&credentials::provider(Shape::Body), "durable-object");
    let harness = worker.host("api.example", move |request: &Request| {
        let token = request.json()["refreshToken"].as_str().unwrap_or_default().to_owned();
        let tokens = json!({ "accessToken": format!("new-{token}"), "expiresIn": 3600 });
        failure(&token, well.load(Ordering::SeqCst)).unwrap_or_else(|| Response::json(&tokens))
    });
    let harness = harness.isolates(&["FRA", "FRA"]).start().unwrap();
    every_session_survives(&harness, &is_well, &[]);
}

#[test]
fn a_kv_namespace_that_fails_or_hangs_does_not_end_a_session() {
    needs!(OpenStore);
    for fault in [KvFault::Status(500), KvFault::Status(429), KvFault::Close, KvFault::Hang] {
        let harness = provider(worker("https://idp.example", "kv"), |_| {
            Response::json(&json!({ "access_token": "new", "token_type": "Bearer", "expires_in": 3600 }))
        });
        let harness = harness.isolates(&["FRA", "FRA"]).start().unwrap();
        let (living, ended) = (harness.client(), harness.client());
        plant(&living, &a_session("living", "first", 20));
        plant(&ended, &a_session("ended", "first", -1));
        harness.kv("AUTH_KV").fail_reads(1000, fault);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(living.get(API).send().expect_status(200).text(), "Bearer old-token", "{fault:?}");
            });
            let answer = ended.get(API).send().expect_status(503);
            assert!(
                answer.header("retry-after").is_some() && answer.set_cookie(COOKIE).is_none(),
                "{fault:?}"
            );
        });
        harness.kv("AUTH_KV").fail_reads(0, fault);
        for browser in [&living, &ended] {
            let answer = browser.clone().at(1).get(API).send().expect_status(200);
            assert_eq!(answer.text(), "Bearer new", "{fault:?}");
        }
    }
}

/// The failure for the session with this refresh token, or `None` if it has none or the provider works again.
fn failure(token: &str, is_well: bool) -> Option<Response> {
    if is_well {
        return None;
    }
    let name = token.replace('_', " ");
    if name == "200 with an error" {
        return Some(json_text(200, "{\"error\":\"server_error\"}"));
    }
    let found = FAILURES.iter().find(|(failure, ..)| *failure == name);
    Some(found.unwrap_or_else(|| panic!("there is no failure named {name:?}")).1())
}

fn every_session_survives(harness: &Harness, is_well: &AtomicBool, own: &[(&str, u64)]) {
    let failures = FAILURES.iter().map(|(name, _, retry)| (*name, *retry)).chain(own.iter().copied());
    let browsers: Vec<_> = failures
        .map(|(name, retry)| {
            let token = name.replace(' ', "_");
            let (living, ended) = (harness.client(), harness.client());
            plant(&living, &a_session(&format!("living {name}"), &token, 20));
            plant(&ended, &a_session(&format!("ended {name}"), &token, -1));
            (name, retry, living, ended)
        })
        .collect();
    // In parallel, because one of them takes ten seconds, the timeout of a request to a provider.
    std::thread::scope(|scope| {
        for (name, retry, living, ended) in &browsers {
            scope.spawn(move || {
                let answer = living.get(API).send();
                assert_eq!((answer.status, answer.text().as_str()), (200, "Bearer old-token"), "{name}");
                assert_eq!(answer.set_cookie(COOKIE), None, "{name}");
            });
            scope.spawn(move || {
                let answer = ended.get(API).send();
                assert_eq!(
                    (answer.status, answer.set_cookie(COOKIE)),
                    (503, None),
                    "{name}: {}",
                    answer.text()
                );
                let retry_after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                assert!(
                    (1..=*retry).contains(&retry_after) && retry_after + 5 > *retry.min(&600),
                    "{name}: {retry_after}"
                );
                let shown = ended.get(&format!("{APP}/auth/session")).send().expect_status(200);
                assert_eq!(shown.json()["user"]["name"], "Somebody", "{name}");
                assert_eq!(
                    shown.json()["access_token"],
                    json!(null),
                    "{name}: an expired token is not exposed"
                );
                assert_eq!(shown.json()["error"], json!(null), "{name}");
            });
        }
    });
    harness.assert_no_unknown_requests();
    assert_clean(harness, ["old-token", "TROUBLE"]);

    // In an isolate that is not waiting for `Retry-After`.
    if !part_needs!(Isolates) {
        return;
    }
    is_well.store(true, Ordering::SeqCst);
    for (name, _, _, ended) in &browsers {
        let answer = ended.clone().at(1).get(API).send();
        let new = format!("Bearer new-{}", name.replace(' ', "_"));
        assert_eq!((answer.status, answer.text()), (200, new), "{name}\n{}", harness.logs().text());
        assert!(answer.set_cookie(COOKIE).is_some(), "{name}");
    }
}

fn json_text(status: u16, text: &str) -> Response {
    Response::bytes(text).header("content-type", "application/json").with_status(status)
}

fn date(ahead: i64) -> String {
    vestibule_core::time::Timestamp::from_seconds(now().seconds().saturating_add_signed(ahead))
        .to_imf_fixdate()
}

fn half() -> Response {
    Response::raw(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"access_token\":",
    )
}

fn endless() -> Response {
    let piece = format!("\"{}\",", "a".repeat(16 * 1024));
    Response::stream(move |body| {
        body.write_all(b"[")?;
        loop {
            body.write_all(piece.as_bytes())?;
        }
    })
    .header("content-type", "application/json")
}
