//! An upstream whose address leads back to the deployment: the first request says so.

use serde_json::{Value, json};
use vestibule_core::log::{ErrorSource, LogEvent};
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

const HOPS: &str = "vestibule-hops";

fn with(change: impl FnOnce(&mut Value)) -> TestEnv {
    let mut settings = settings();
    change(&mut settings);
    TestEnv::with(settings)
}

/// The list with which the request was forwarded.
fn hops(answer: &Answer) -> String {
    let forwarded = answer.forwarded.as_ref().expect("the request was forwarded");
    forwarded.request.headers.get(HOPS).expect("it says where it was").to_owned()
}

#[test]
fn a_request_that_comes_back_is_refused_and_the_log_names_the_upstream() {
    for (to, named) in [("origin", "\"origin\""), ("https://app.example.com", "\"https://app.example.com\"")]
    {
        let world = with(|settings| settings["upstreams"] = json!([{ "to": to }]));
        let url = format!("{APP}/about?a=1");
        let mut browser = Browser::new();
        let passed = hops(&browser.send(&world, "GET", &url, &[], b""));
        let page = browser.send(&world, "GET", &url, &[(HOPS, &passed), ("sec-fetch-mode", "navigate")], b"");
        assert!(page.status == 508 && page.forwarded.is_none());
        assert!(page.body.contains("leads in a circle") && !page.body.contains("upstream"), "{}", page.body);
        let script = browser.send(&world, "GET", &url, &[(HOPS, &passed), ("sec-fetch-mode", "cors")], b"");
        assert_eq!((script.status, script.body.as_str()), (508, r#"{"error":"forwarding_loop"}"#));
        let lines = world.logged(LogEvent::ForwardingLoop);
        assert_eq!(lines.len(), 2);
        assert!(world.log_text().contains(named.trim_matches('"')), "{}", world.log_text());
        assert!(lines.iter().all(|line| line.error_source() == ErrorSource::Configuration));
    }
}

#[test]
fn on_a_developers_machine_the_page_says_what_to_write() {
    let world = with(|settings| settings["upstreams"] = json!([{ "to": "origin" }]));
    let url = "http://localhost:8787/about";
    let mut browser = Browser::new();
    let passed = hops(&browser.send(&world, "GET", url, &[], b""));
    let page = browser.send(&world, "GET", url, &[(HOPS, &passed), ("sec-fetch-mode", "navigate")], b"");
    assert_eq!(page.status, 508);
    assert!(page.body.contains("http://localhost:3000"), "{}", page.body);
}

#[test]
fn an_app_may_call_its_own_site_with_the_header_fields_that_it_received() {
    let world = with(|_| {});
    let mut browser = Browser::new();
    browser.sign_in(&world, "alice", "/");
    let passed = hops(&browser.send(&world, "GET", &format!("{APP}/dashboard"), &[], b""));
    for (method, path) in [("GET", "/dashboard?page=2"), ("GET", "/about"), ("HEAD", "/dashboard")] {
        let called = browser.send(&world, method, &format!("{APP}{path}"), &[(HOPS, &passed)], b"");
        assert!(hops(&called).starts_with(&passed), "{method} {path}");
    }
}

#[test]
fn a_loop_of_preflights_ends_too() {
    let world = with(|_| {});
    let url = format!("{APP}/dashboard");
    let preflight = [("origin", APP), ("access-control-request-method", "POST")];
    let mut browser = Browser::new();
    let passed = hops(&browser.send(&world, "OPTIONS", &url, &preflight, b""));
    let back = [preflight[0], preflight[1], (HOPS, passed.as_str())];
    assert_eq!(browser.send(&world, "OPTIONS", &url, &back, b"").status, 508);
}
