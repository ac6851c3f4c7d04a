//! The audit log in the real runtime: its lines in the console, and at an HTTP endpoint that works, or does not. The harness
//! has neither Queues nor Analytics Engine of the platform; its own stand-ins have their methods.

use std::time::{Duration, Instant};

use miniflare_test_harness::{Client, Harness, LogLine, Request, Response};
use serde_json::{Value, json};
use vestibule_test_runtimes::needs;

use crate::test_env::{APP, TestEnv, echo, settings};

const COLLECTOR: &str = "logs.example.com";
const MAX_WAIT: Duration = Duration::from_secs(10);

/// A site with these sinks, whose endpoint answers with this status.
fn site(sinks: &Value, status: u16) -> TestEnv {
    let mut settings = settings();
    settings["audit"] = json!({ "sinks": sinks });
    TestEnv::with(settings, |builder| {
        builder
            .service("APP", echo)
            .secret("AUTH_AUDIT_SECRET", "the-secret-of-the-collector-of-these-tests")
            .host(COLLECTOR, move |_| Response::json(&json!({})).with_status(status))
    })
}

fn is_refused(browser: &Client) {
    browser.get(&format!("{APP}/admin/users?token=x")).send().expect_status(403);
}

/// The lines that the endpoint has, once it has one of this event.
fn lines_with(harness: &Harness, event: &str) -> Vec<Value> {
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        let texts: Vec<String> = harness.requests_to(COLLECTOR).iter().map(Request::text).collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        if lines.iter().any(|line| line["event"] == event) {
            return lines;
        }
        assert!(Instant::now() < deadline, "no {event} in {lines:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_endpoint_and_the_console_get_the_same_lines_and_no_request_waits() {
    let env = site(&json!(["log", "https://logs.example.com/vestibule"]), 204);
    let browser = env.signed_in("bob");
    is_refused(&browser);
    let lines = lines_with(&env, "access_refused");
    let line = |event: &str| lines.iter().find(|line| line["event"] == event).unwrap();
    let refused = line("access_refused");
    assert_eq!((&refused["rule"], &refused["audit"]), (&json!("AUTH.rules[1]"), &json!("refusal")));
    assert_eq!(refused["path"], "/admin/users");
    assert_eq!(
        (&refused["subject"], refused["subject"].as_str().unwrap().len()),
        (&line("signed_in")["subject"], 22)
    );
    for request in env.requests_to(COLLECTOR) {
        let authorization = request.header("authorization");
        assert_eq!(authorization, Some("Bearer the-secret-of-the-collector-of-these-tests"));
    }
    let console = env.logs().wait_until(MAX_WAIT, |lines| {
        lines.iter().filter_map(LogLine::json).find(|line| line["event"] == "access_refused").map(|_| ())
    });
    assert!(console.is_some(), "{}", env.logs().text());
}

#[test]
fn a_queue_gets_each_line_as_a_message_and_a_dataset_as_a_row() {
    needs!(Workers);
    let mut settings = settings();
    settings["audit"] = json!({ "sinks": ["queue", "analytics"] });
    let env = TestEnv::with(settings, |builder| {
        builder.service("APP", echo).sink("AUTH_AUDIT").sink("AUTH_ANALYTICS")
    });
    is_refused(&env.signed_in("bob"));
    let found = env.logs().wait_until(MAX_WAIT, |lines| {
        let lines: Vec<Value> = lines.iter().filter_map(LogLine::json).collect();
        let sent = |name: &'static str| lines.iter().filter_map(move |line| line.get(name));
        let messages = sent("queue").filter_map(Value::as_array).flatten();
        let message =
            messages.into_iter().find(|message| message["body"]["event"] == "access_refused")?.clone();
        let row = sent("dataset").find(|row| row["indexes"] == json!(["access_refused"]))?.clone();
        Some((message, row))
    });
    let (message, row) = found.unwrap_or_else(|| panic!("{}", env.logs().text()));
    assert_eq!(message["contentType"], "json");
    assert_eq!(message["body"]["rule"], "AUTH.rules[1]");
    assert_eq!((&row["blobs"][0], &row["blobs"][6]), (&json!("refusal"), &json!("AUTH.rules[1]")));
    assert_eq!((row["blobs"].as_array().unwrap().len(), &row["doubles"]), (13, &json!([1])));
    assert!(!env.logs().contains("could not be sent"), "{}", env.logs().text());
}

#[test]
fn an_endpoint_that_answers_500_and_a_queue_that_is_not_bound_are_named_and_stop_no_request() {
    needs!(Workers);
    let env = site(&json!(["queue", "https://logs.example.com/vestibule"]), 500);
    let browser = env.signed_in("bob");
    for _ in 0..20 {
        is_refused(&browser);
    }
    let named = env.logs().wait_until(MAX_WAIT, |lines| {
        let messages: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
        let has = |text: &str| messages.iter().any(|message| message.contains(text));
        (has("could not be sent to https://logs.example.com: status 500")
            && has("could not be sent to the queue: there is no Queue binding named AUTH_AUDIT")
            && has("AUTH.audit.sinks: \\\"queue\\\" needs a Queue bound as AUTH_AUDIT, which is missing"))
        .then_some(())
    });
    assert!(named.is_some(), "{}", env.logs().text());
    let requests = env.requests_to(COLLECTOR).len();
    assert!(requests <= 4, "{requests} requests to an endpoint that fails");
}
