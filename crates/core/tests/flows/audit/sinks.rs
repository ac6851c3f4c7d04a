//! The ways of lines to the sinks of the audit log, and what a sink that fails costs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::http::client::{FetchRequest, FetchResponse};
use vestibule_core::http::headers::Headers;
use vestibule_core::log::{LogEvent, SinkKind};
use vestibule_testing::http::Server;
use vestibule_testing::{APP, Browser, RUNTIME, TestEnv, environment};

use super::{hash, lines, signed_in, with_audit};

const COLLECTOR: &str = "https://logs.example.com/vestibule?key=of-the-endpoint";
const SECRET_OF_COLLECTOR: &str = "the-secret-of-the-collector-of-these-tests";
const SECOND: Duration = Duration::from_secs(1);

/// An endpoint that answers with a status and a body, and what it was sent.
#[derive(Clone, Default)]
struct Collector {
    status: Rc<Cell<u16>>,
    /// The length of its answers.
    length: Rc<Cell<usize>>,
    requests: Rc<RefCell<Vec<FetchRequest>>>,
}

impl Collector {
    /// An environment in which it gets the lines, besides the provider.
    fn of(audit: Value) -> (Self, TestEnv) {
        let variables = |name: &str| match name {
            "AUTH_AUDIT_SECRET" => Some(SECRET_OF_COLLECTOR.to_owned()),
            name => environment(name),
        };
        let (collector, world) = (Self::default(), TestEnv::in_environment(with_audit(audit), &variables));
        collector.status.set(204);
        let (this, provider, clock) =
            (collector.clone(), Rc::clone(&world.provider), Rc::clone(&world.clock));
        world.http.answer_with(move |request| {
            let answer = if request.url == COLLECTOR {
                this.requests.borrow_mut().push(request);
                Ok(FetchResponse {
                    status: this.status.get(),
                    headers: Headers::default(),
                    body: vec![b' '; this.length.get()],
                })
            } else {
                let now = vestibule_core::time::Timestamp::from_millis(clock.now());
                provider.answer(&request, now)
            };
            std::future::ready(answer)
        });
        (collector, world)
    }

    /// The lines that it has.
    fn lines(&self) -> Vec<Value> {
        let requests = self.requests.borrow();
        let texts = requests.iter().flat_map(|request| str::from_utf8(&request.body).unwrap().lines());
        texts.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Lets the jobs in the background go on.
fn wait(world: &TestEnv, time: Duration) {
    world.clock.run(world.clock.sleep(time));
}

fn is_refused(world: &TestEnv, browser: &mut Browser) {
    assert_eq!(browser.fetch(world, &format!("{APP}/admin/x?y=z")).status, 403);
}

fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

#[test]
fn an_endpoint_gets_the_lines_by_post_with_its_secret() {
    let (collector, world) = Collector::of(json!({ "sinks": COLLECTOR }));
    let mut bob = signed_in(&world, "bob");
    is_refused(&world, &mut bob);
    world.send("GET", &format!("{APP}/a%2fb"), &[], b"");
    wait(&world, SECOND);
    let sent = collector.lines();
    assert_eq!(names(&sent), ["signed_in", "access_refused", "path_rejected"]);
    assert_eq!(sent[1]["subject"], json!(hash("bob-1")));
    for request in collector.requests.borrow().iter() {
        let field = |name: &str| request.headers.get(name).unwrap_or_default().to_owned();
        assert_eq!(request.method.as_str(), "POST");
        assert_eq!(field("content-type"), "application/x-ndjson");
        assert_eq!(field("authorization"), format!("Bearer {SECRET_OF_COLLECTOR}"));
        assert!(request.body.ends_with(b"}\n"));
    }
    // The operator's log has what it always has.
    assert_eq!(names(&lines(&world)), ["path_rejected"]);
}

#[test]
fn an_endpoint_may_answer_with_a_page_of_at_most_64_kib() {
    for (length, failures) in [(64 * 1024, 0), (64 * 1024 + 1, 1)] {
        let (collector, world) = Collector::of(json!({ "sinks": COLLECTOR }));
        collector.length.set(length);
        signed_in(&world, "bob");
        wait(&world, SECOND);
        assert_eq!(world.logged(LogEvent::AuditNotDelivered).len(), failures, "{length}");
    }
}

#[test]
fn a_queue_and_a_dataset_get_them_too_and_the_log_if_it_is_named() {
    let (_, world) = Collector::of(json!({ "sinks": ["log", "queue", "analytics"] }));
    world.sinks.are_bound.set(true);
    let mut bob = signed_in(&world, "bob");
    is_refused(&world, &mut bob);
    wait(&world, SECOND);
    let messages = world.sinks.messages.borrow();
    assert_eq!(*messages, lines(&world), "a message is the line");
    assert_eq!(names(&messages), ["signed_in", "access_refused"]);
    let points = world.sinks.points.borrow();
    let expected = ["refusal", "access_refused", "info", "client", "acme", "", "AUTH.rules[1]", "forbidden"];
    assert_eq!(points[1].texts[..8], expected);
    assert_eq!((&points[1].texts[8], points[1].texts[10].as_str()), (&hash("bob-1"), "/admin/x"));
    assert_eq!((points[1].index.as_str(), &points[1].numbers[..]), ("access_refused", &[1.0][..]));
}

#[test]
fn a_sink_that_never_answers_delays_no_request() {
    let time_of_refusal = |sinks: Value| {
        let (_, world) = Collector::of(json!({ "sinks": sinks, "kinds": "refusal" }));
        world.http.hanging.borrow_mut().push(COLLECTOR);
        world.sinks.hangs.set(true);
        let cookies = signed_in(&world, "bob").cookie_header();
        let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "cors")];
        let url = format!("{APP}/admin/x");
        let before = world.now();
        let time = world.clock.run(async {
            assert_eq!(world.sent("GET", &url, &headers, b"").await.status, 403);
            world.now().since(before)
        });
        (time, world.logged(LogEvent::AuditNotDelivered).len())
    };
    let (time, failures) = time_of_refusal(json!([COLLECTOR, "queue"]));
    assert_eq!((time, failures), (time_of_refusal(json!("none")).0, 2));
}

#[test]
fn an_endpoint_that_answers_500_for_an_hour_costs_a_bounded_amount_of_work() {
    let (collector, world) = Collector::of(json!({ "sinks": COLLECTOR }));
    let mut bob = signed_in(&world, "bob");
    wait(&world, SECOND);
    collector.requests.borrow_mut().clear();
    collector.status.set(500);
    for _ in 0..600 {
        is_refused(&world, &mut bob);
        is_refused(&world, &mut bob);
        wait(&world, SECOND * 6);
    }
    let requests = collector.requests.borrow().len();
    assert!((55..75).contains(&requests), "{requests} requests in an hour");
    let failures = world.logged(LogEvent::AuditNotDelivered);
    assert!((50..=61).contains(&failures.len()), "{} lines in an hour", failures.len());
    let last = failures.last().unwrap().message();
    assert!(last.contains("https://logs.example.com: status 500; 500 of at most 500 wait"), "{last}");
    assert!(!world.log_text().contains("of-the-endpoint"), "a URL may hold a key");
    // Afterwards the newest lines arrive, once each, with the next request.
    collector.status.set(200);
    collector.requests.borrow_mut().clear();
    wait(&world, SECOND * 61);
    is_refused(&world, &mut bob);
    wait(&world, SECOND);
    assert_eq!(collector.lines().len(), 500);
    is_refused(&world, &mut bob);
    wait(&world, SECOND);
    assert_eq!(collector.lines().len(), 501);
}

#[test]
fn a_failure_that_passes_loses_nothing() {
    let (collector, world) = Collector::of(json!({ "sinks": COLLECTOR }));
    collector.status.set(503);
    signed_in(&world, "bob");
    wait(&world, SECOND);
    collector.status.set(200);
    // Without another request: the job itself tries again.
    wait(&world, SECOND * 3);
    assert_eq!(names(&collector.lines()), ["signed_in", "signed_in"]);
    assert_eq!(world.logged(LogEvent::AuditNotDelivered).len(), 1);
}

#[test]
fn a_dataset_gets_one_batch_of_a_request_and_the_next_one_of_the_next() {
    let (_, world) = Collector::of(json!({ "sinks": "analytics", "kinds": "refusal" }));
    let mut bob = signed_in(&world, "bob");
    for _ in 0..60 {
        is_refused(&world, &mut bob);
    }
    // It was not bound, and is asked again after a minute.
    world.sinks.are_bound.set(true);
    wait(&world, SECOND * 61);
    for rows in [25, 50, 63, 64] {
        is_refused(&world, &mut bob);
        wait(&world, SECOND);
        assert_eq!(world.sinks.points.borrow().len(), rows);
    }
}

#[test]
fn a_sink_that_is_not_bound_is_named_at_the_start_and_once_a_minute() {
    let (_, world) = Collector::of(json!({ "sinks": ["queue", "analytics"] }));
    let mut bob = signed_in(&world, "bob");
    for _ in 0..20 {
        is_refused(&world, &mut bob);
        wait(&world, SECOND);
    }
    assert_eq!(world.logged(LogEvent::AuditNotDelivered).len(), 2, "one for each");
    let config = &with_audit(json!({ "sinks": ["log", "queue", "analytics"] }));
    let config = vestibule_core::config::Config::load(config.clone(), &environment, &RUNTIME).unwrap();
    let advice = config.sink_advice(&RUNTIME, &|kind| kind == SinkKind::Dataset).join("\n");
    assert!(advice.starts_with("AUTH.audit.sinks: \"queue\" needs a Queue bound as AUTH_AUDIT"), "{advice}");
    assert!(!advice.contains("AUTH_ANALYTICS"), "{advice}");
    assert!(config.sink_advice(&RUNTIME, &|_| true).is_empty());
}
