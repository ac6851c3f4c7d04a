//! `platform/metered` and `flow/guard/metrics`: what is counted of a request, and what a developer sees of its time. Each test
//! checks a sentence of `docs/metrics.md`.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::guard::decision::Decision;
use vestibule_core::hooks::{DefaultSession, Hooks};
use vestibule_core::http::request::Request;
use vestibule_core::log::{DataPoint, LogEvent, METRIC_NUMBERS, METRIC_TEXTS};
use vestibule_core::session::claims::Session;
use vestibule_testing::{APP, Browser, RUNTIME, TestEnv, environment, settings};

use crate::refresh::{EXPIRED, SECOND};

const LOCAL: &str = "http://localhost:8787";

fn with_metrics(metrics: Value) -> Value {
    let mut settings = settings();
    settings["metrics"] = metrics;
    settings
}

/// A site whose metrics go to a dataset.
fn site() -> TestEnv {
    with_dataset(with_metrics(json!({ "sink": "analytics" })))
}

fn with_dataset(settings: Value) -> TestEnv {
    let world = TestEnv::with(settings);
    world.sinks.are_bound.set(true);
    world
}

fn signed_in(world: &TestEnv, user: &str) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(world, user, "/");
    world.sinks.metrics.borrow_mut().clear();
    browser
}

/// What was written since the last time, the points of each request apart.
fn written(world: &TestEnv) -> Vec<Vec<DataPoint>> {
    std::mem::take(&mut *world.sinks.metrics.borrow_mut())
}

fn text<'a>(point: &'a DataPoint, column: &str) -> &'a str {
    let at = METRIC_TEXTS.iter().position(|(name, _)| *name == column).unwrap();
    &point.texts[at]
}

fn number(point: &DataPoint, column: &str) -> f64 {
    let at = METRIC_NUMBERS.iter().position(|(name, _)| *name == column).unwrap();
    point.numbers[at]
}

/// The rule and the outcome of the only decision.
fn decision(points: &[DataPoint]) -> (&str, &str) {
    let mut of_guard = points.iter().filter(|point| point.index == "decision");
    let point = of_guard.next().unwrap();
    assert!(of_guard.next().is_none() && text(point, "metric") == "decision", "{points:?}");
    (text(point, "rule"), text(point, "outcome"))
}

fn of<'a>(points: &'a [DataPoint], metric: &str, column: &str, value: &str) -> &'a DataPoint {
    let found = points.iter().find(|point| point.index == metric && text(point, column) == value);
    found.unwrap_or_else(|| panic!("no {metric} with {value} in {points:#?}"))
}

#[test]
fn nothing_is_counted_unless_the_configuration_says_so() {
    for metrics in [json!({}), json!({ "sink": "none" })] {
        let world = with_dataset(with_metrics(metrics));
        let mut bob = Browser::new();
        bob.sign_in(&world, "bob", "/");
        world.pass(EXPIRED);
        assert!(bob.fetch(&world, &format!("{APP}/api")).forwarded.is_some());
        assert_eq!(written(&world), [] as [Vec<DataPoint>; 0]);
    }
}

#[test]
fn each_request_to_the_application_has_a_decision_with_its_rule_and_outcome() {
    let world = site();
    let mut bob = signed_in(&world, "bob");
    for (path, rule, outcome) in [
        ("/about?x=1", "AUTH.rules[0]", "admitted"),
        ("/admin/users?token=secret", "AUTH.rules[1]", "forbidden"),
        ("/anything", "AUTH.default_access", "admitted"),
    ] {
        bob.fetch(&world, &format!("{APP}{path}"));
        let written = written(&world);
        assert_eq!(written.len(), 1, "the points of a request are written together");
        assert_eq!(decision(&written[0]), (rule, outcome));
        let point = of(&written[0], "decision", "host", "app.example.com");
        assert_eq!(point.numbers, [1.0, 0.0, 0.0]);
        let all = format!("{written:?}");
        assert!(!["bob", "users", "about", "secret"].iter().any(|word| all.contains(word)), "{all}");
    }
    Browser::new().fetch(&world, &format!("{APP}/admin/x"));
    assert_eq!(decision(&written(&world)[0]), ("AUTH.rules[1]", "sign_in"));
    let headers = [("authorization", "Bearer not-a-token")];
    world.send("GET", &format!("{APP}/api"), &headers, b"");
    assert_eq!(
        text(of(&written(&world).concat(), "decision", "metric", "decision"), "rule"),
        "AUTH.default_access"
    );
    // Vestibule's own routes decide nothing, and a health check asks nobody.
    world.send("GET", &format!("{APP}/auth/health"), &[], b"");
    assert!(written(&world).is_empty());
}

/// Hides a page of which no rule says so.
struct Hidden;

impl Hooks for Hidden {
    type Profile = Value;
    type Session = DefaultSession;

    fn authorized(&self, request: &Request, _: Option<&Session>, decided: Decision) -> Decision {
        if request.url.path == "/about" { Decision::NotFound } else { decided }
    }
}

#[test]
fn what_a_hook_denies_is_counted_as_the_hooks() {
    let world = TestEnv::with_hooks(with_metrics(json!({ "sink": "analytics" })), Hidden);
    world.sinks.are_bound.set(true);
    let mut bob = signed_in(&world, "bob");
    assert_eq!(bob.fetch(&world, &format!("{APP}/about")).status, 404);
    assert_eq!(decision(&written(&world)[0]), ("hook", "not_found"));
}

#[test]
fn a_proxy_that_asks_at_verify_gets_a_decision_too() {
    let world = site();
    let mut bob = signed_in(&world, "bob");
    bob.fetch(&world, &format!("{APP}/auth/verify"));
    assert_eq!(decision(&written(&world)[0]), ("verify", "admitted"));
    world.send("GET", &format!("{APP}/auth/verify"), &[], b"");
    assert_eq!(decision(&written(&world)[0]), ("verify", "sign_in"));
}

#[test]
fn a_request_that_refreshes_says_how_it_ended_and_how_long_the_provider_took() {
    let world = site();
    let mut bob = signed_in(&world, "bob");
    world.pass(EXPIRED);
    world.http.token_time.set(Duration::from_millis(200));
    assert!(bob.fetch(&world, &format!("{APP}/api")).forwarded.is_some());
    let written = written(&world);
    assert_eq!(written.len(), 1, "{written:#?}");
    let points = &written[0];
    assert_eq!(decision(points), ("AUTH.default_access", "admitted"));
    assert_eq!(text(of(points, "refresh", "provider", "acme"), "outcome"), "renewed");
    let token = of(points, "provider", "endpoint", "token");
    assert_eq!((text(token, "provider"), text(token, "outcome")), ("acme", "ok"));
    assert_eq!(
        (number(token, "count"), number(token, "total_ms"), number(token, "max_ms")),
        (1.0, 200.0, 200.0)
    );
    assert_eq!(text(of(points, "store", "operation", "write"), "outcome"), "ok");
    let reads = points.iter().filter(|point| text(point, "operation").starts_with("read"));
    assert!(reads.map(|point| number(point, "count")).sum::<f64>() >= 1.0, "{points:#?}");
}

#[test]
fn of_many_requests_that_wait_for_one_refresh_one_counts_it() {
    let world = site();
    let bob = signed_in(&world, "bob");
    world.pass(EXPIRED);
    let cookies = bob.cookie_header();
    world.all((0..20).map(|n| crate::refresh::sent(&world, &cookies, Duration::from_millis(n))));
    let all = written(&world);
    assert!(all.len() >= 20);
    let refreshes: Vec<&DataPoint> = all.iter().flatten().filter(|point| point.index == "refresh").collect();
    let [only] = refreshes.as_slice() else { panic!("{refreshes:?}") };
    assert_eq!((text(only, "outcome"), number(only, "count")), ("renewed", 1.0));
}

#[test]
fn a_refresh_that_fails_says_so_and_what_the_provider_answered() {
    let world = site();
    let mut bob = signed_in(&world, "bob");
    world.pass(EXPIRED);
    world.http.token_time.set(Duration::from_mins(1));
    bob.fetch(&world, &format!("{APP}/api"));
    world.clock.run(world.clock.sleep(SECOND * 30));
    let points = written(&world).concat();
    assert_eq!(text(of(&points, "refresh", "provider", "acme"), "outcome"), "unavailable");
    assert_eq!(text(of(&points, "provider", "endpoint", "token"), "outcome"), "timeout");
    assert_eq!(decision(&points).1, "unavailable");
}

#[test]
fn a_store_that_hangs_is_counted_as_abandoned_with_the_time_that_was_spent() {
    let world = site();
    let mut bob = signed_in(&world, "bob");
    world.pass(EXPIRED);
    world.store.hangs.set(true);
    bob.fetch(&world, &format!("{APP}/api"));
    world.clock.run(world.clock.sleep(SECOND * 30));
    let points = written(&world).concat();
    let abandoned = of(&points, "store", "outcome", "abandoned");
    assert!(number(abandoned, "max_ms") >= 1000.0, "{points:#?}");
}

#[test]
fn hosts_that_anyone_can_make_up_are_one_host() {
    let mut settings = with_metrics(json!({ "sink": "analytics" }));
    settings["cookies"] = json!({ "domain": "example.com" });
    let world = with_dataset(settings);
    for host in ["https://a.example.org", "https://b.example.org"] {
        world.send("GET", &format!("{host}/admin"), &[], b"");
        assert_eq!(text(&written(&world)[0][0], "host"), "outside");
    }
}

#[test]
fn a_dataset_that_is_not_bound_stops_no_request_and_is_named_at_the_start_and_once() {
    let config = with_metrics(json!({ "sink": "analytics" }));
    let world = TestEnv::with(config.clone());
    let mut bob = Browser::new();
    bob.sign_in(&world, "bob", "/");
    for _ in 0..5 {
        assert!(bob.fetch(&world, &format!("{APP}/api")).forwarded.is_some());
    }
    let lines = world.logged(LogEvent::MetricsNotWritten);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].message().contains("there is no dataset of metrics"), "{}", lines[0].message());
    let config = Config::load(config, &environment, &RUNTIME).unwrap();
    let advice = config.metrics_advice(&RUNTIME, false).unwrap();
    assert!(
        advice.starts_with(
            "AUTH.metrics.sink: \"analytics\" needs a dataset of Analytics Engine bound as AUTH_METRICS"
        ),
        "{advice}"
    );
    assert!(config.metrics_advice(&RUNTIME, true).is_none());
}

#[test]
fn server_timing_is_for_a_developers_own_machine_only() {
    let world = TestEnv::with(with_metrics(json!({ "server_timing": true })));
    let timing = |url: &str, headers: &[(&str, &str)]| {
        world.send("GET", url, headers, b"").headers.get("server-timing").map(str::to_owned)
    };
    let nothing = "provider;dur=0;desc=\"0 requests\", store;dur=0;desc=\"0 requests\"";
    for path in ["/about", "/admin/x", "/auth/session"] {
        assert_eq!(timing(&format!("{LOCAL}{path}"), &[]).as_deref(), Some(nothing), "{path}");
        assert_eq!(timing(&format!("{APP}{path}"), &[]), None, "{path}");
        // A client that names another host does not come from this machine.
        for forwarded in
            [("cf-connecting-ip", "203.0.113.7"), ("cf-ray", "8f1c"), ("x-forwarded-for", "203.0.113.7")]
        {
            assert_eq!(timing(&format!("{LOCAL}{path}"), &[forwarded]), None, "{path} {forwarded:?}");
        }
    }
    assert!(written(&world).is_empty());
    let off = TestEnv::new();
    assert!(!off.send("GET", &format!("{LOCAL}/about"), &[], b"").headers.contains("server-timing"));
}

#[test]
fn server_timing_says_what_the_provider_took() {
    let world = TestEnv::with(with_metrics(json!({ "server_timing": true })));
    world.http.document_time.set(Duration::from_millis(120));
    let mut browser = Browser::new();
    let answer = browser.fetch(&world, &format!("{LOCAL}/auth/csrf"));
    let csrf: Value = serde_json::from_str(&answer.body).unwrap();
    let fields = [("csrfToken", csrf["csrfToken"].as_str().unwrap())];
    let answer = browser.post(&world, &format!("{LOCAL}/auth/signin/acme"), &fields);
    assert!(answer.location().starts_with("https://idp.example"), "{answer:?}");
    let timing = answer.headers.get("server-timing").unwrap_or_default();
    assert!(timing.starts_with("provider;dur=120;desc=\"1 requests\""), "{timing}");
}

#[test]
fn a_configuration_that_would_show_times_to_the_public_is_refused() {
    for key in ["origin", "login_url"] {
        for (origin, is_refused) in [("https://app.example.com", true), (LOCAL, false)] {
            let mut config = with_metrics(json!({ "server_timing": true }));
            config[key] = json!(origin);
            if key == "login_url" {
                config["cookies"] = json!({ "domain": "example.com" });
            }
            let errors = Config::load(config, &environment, &RUNTIME).err().map(|errors| errors.to_string());
            let errors = errors.unwrap_or_default();
            let names_it =
                errors.contains("AUTH.metrics.server_timing: the site is at https://app.example.com");
            assert_eq!(names_it, is_refused, "{errors}");
        }
    }
    for (metrics, place) in [
        (json!({ "sink": "analitics" }), "AUTH.metrics.sink: \"analitics\" is not a known value"),
        (json!({ "sinks": "analytics" }), "AUTH.metrics.sinks"),
    ] {
        let errors = Config::load(with_metrics(metrics), &environment, &RUNTIME).unwrap_err().to_string();
        assert!(errors.contains(place), "{place}: {errors}");
    }
}

#[test]
fn what_is_refused_before_a_rule_is_found_is_counted_without_one() {
    let mut settings = with_metrics(json!({ "sink": "analytics" }));
    settings["upstreams"][0]["strip_prefix"] = json!("/app");
    let world = with_dataset(settings);
    assert_eq!(world.send("GET", &format!("{APP}/other"), &[], b"").status, 404);
    assert_eq!(decision(&written(&world)[0]), ("none", "not_found"));
}

#[test]
fn what_no_rule_refuses_is_counted_at_the_rule_of_the_path() {
    let world = site();
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    let mut alice = signed_in(&world, "alice");
    world.pass(EXPIRED);
    assert_eq!(alice.fetch(&world, &format!("{APP}/admin")).status, 401);
    let written = written(&world);
    let (rule, outcome) = decision(&written[0]);
    assert!(rule == "AUTH.rules[1]" && outcome != "admitted", "{rule} {outcome}");
}

#[test]
fn a_process_that_finds_the_tokens_of_another_one_says_so() {
    let settings = with_metrics(json!({ "sink": "analytics" }));
    let world = with_dataset(settings.clone());
    let mut bob = signed_in(&world, "bob");
    let cookies = bob.cookie_header();
    world.pass(EXPIRED);
    bob.fetch(&world, &format!("{APP}/api"));
    let mut settings = settings;
    settings["refresh"] = json!({ "lease": "kv" });
    let _ = written(&world);
    let other = world.isolate(settings, "here");
    world.all([crate::refresh::sent(&other, &cookies, SECOND)]);
    let points = written(&world).concat();
    assert_eq!(text(of(&points, "refresh", "provider", "acme"), "outcome"), "renewed_elsewhere");
}

#[test]
fn a_response_is_waited_for_only_where_something_is_added_to_it() {
    let world = TestEnv::with(with_metrics(json!({ "server_timing": true })));
    for (site, streamed) in [(LOCAL, 0), (APP, 1)] {
        assert_eq!(world.send("GET", &format!("{site}/about"), &[], b"").status, 200);
        assert_eq!(world.forwarder.streamed.get(), streamed, "{site}");
    }
}
