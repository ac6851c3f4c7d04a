//! `flow/health`: what a load balancer and a monitor learn. Each test checks a sentence of `docs/operating.md` ("Health").

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, Answer, RUNTIME, TestEnv, environment, settings};

const MONITOR: &str = "the-secret-of-the-monitor-of-these-tests";
const DISCOVERY: &str = "https://idp.example/.well-known/openid-configuration";

fn with_monitor(name: &str) -> Option<String> {
    if name == "AUTH_HEALTH_SECRET" { Some(MONITOR.to_owned()) } else { environment(name) }
}

/// A site whose store of revocations, and lease, are this one.
fn site(store: &str) -> Value {
    let mut settings = settings();
    settings["revocation"] = json!({ "store": store });
    settings["refresh"] = json!({ "lease": store });
    settings
}

fn details(world: &TestEnv, secret: &str) -> Answer {
    let authorization = format!("Bearer {secret}");
    world.send("GET", &format!("{APP}/auth/health/details"), &[("authorization", &authorization)], b"")
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
}

fn statuses(answer: &Answer) -> [Value; 5] {
    let found = json_of(answer);
    let status = |pointer: &str| found.pointer(pointer).cloned().unwrap_or_default();
    [
        status("/status"),
        status("/configuration/status"),
        status("/store/status"),
        status("/lock/status"),
        status("/providers/acme/status"),
    ]
}

#[test]
fn a_load_balancer_learns_that_the_configuration_loads_and_nothing_else() {
    let mut settings = site("kv");
    settings["cookies"] = json!({ "domain": "example.com" });
    let world = TestEnv::with(settings);
    world.store.is_down.set(true);
    world.provider.goes_down("discovery");
    for (method, host) in [
        ("GET", "https://app.example.com"),
        ("HEAD", "https://app.example.com"),
        ("GET", "http://10.0.0.7"),
        ("GET", "https://elsewhere.example.net:8443"),
    ] {
        let answer = world.send(method, &format!("{host}/auth/health?x=1"), &[("cookie", "a=b")], b"");
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ok"}"#), "{method} {host}");
        assert_eq!(answer.headers.get("cache-control"), Some("no-store"));
        assert_eq!(answer.headers.get_all("set-cookie").count(), 0);
    }
    assert_eq!((world.store.reads.get(), world.store.calls.get(), world.fetches(DISCOVERY)), (0, 0, 0));
    assert_eq!(world.log_text(), "");
    assert_eq!(world.send("POST", &format!("{APP}/auth/health"), &[], b"").status, 400);
}

#[test]
fn a_monitor_with_the_secret_learns_how_each_part_is() {
    for (store, expected) in [("kv", ["ok", "unused"]), ("durable-object", ["unused", "ok"])] {
        let world = TestEnv::in_environment(site(store), &with_monitor);
        let answer = details(&world, MONITOR);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers.get("cache-control"), Some("no-store"));
        assert_eq!(statuses(&answer), ["ok", "ok", expected[0], expected[1], "ok"].map(Value::from));
        assert_eq!(world.store.writes.get(), 0, "a check writes nothing");
        assert_eq!(world.log_text(), "");
    }
}

#[test]
fn what_fails_is_named_with_its_problem() {
    for store in ["kv", "durable-object"] {
        let world = TestEnv::in_environment(site(store), &with_monitor);
        world.store.is_down.set(true);
        let answer = details(&world, MONITOR);
        assert_eq!(answer.status, 503, "{store}");
        let failing = if store == "kv" { ["failing", "unused"] } else { ["unused", "failing"] };
        assert_eq!(statuses(&answer), ["failing", "ok", failing[0], failing[1], "ok"].map(Value::from));
        world.store.is_down.set(false);
        assert_eq!(details(&world, MONITOR).status, 200);
    }
    for (place, said) in [("discovery", "discovery gave no answer"), ("jwks", "jwks gave no answer")] {
        let world = TestEnv::in_environment(site("kv"), &with_monitor);
        world.provider.goes_down(place);
        let answer = details(&world, MONITOR);
        assert_eq!(statuses(&answer), ["failing", "ok", "ok", "unused", "failing"].map(Value::from));
        let problem = json_of(&answer)["providers"]["acme"]["problem"].clone();
        assert!(problem.as_str().unwrap().contains(said), "{problem}");
    }
}

#[test]
fn the_store_and_the_lock_are_checked_for_whatever_is_kept_there() {
    let all = |revocation: &str, lease: &str, tokens: &str| {
        let mut settings = settings();
        settings["revocation"] = json!({ "store": revocation });
        settings["refresh"] = json!({ "lease": lease });
        settings["session"]["tokens"] = json!(tokens);
        settings
    };
    for (settings, expected) in [
        (all("none", "none", "cookie"), ["unused", "unused"]),
        (all("kv", "none", "cookie"), ["failing", "unused"]),
        (all("none", "kv", "cookie"), ["failing", "unused"]),
        (all("none", "none", "store"), ["failing", "unused"]),
        (all("durable-object", "none", "cookie"), ["unused", "failing"]),
        (all("none", "durable-object", "cookie"), ["unused", "failing"]),
    ] {
        let world = TestEnv::in_environment(settings.clone(), &with_monitor);
        world.store.is_down.set(true);
        let answer = details(&world, MONITOR);
        assert_eq!(statuses(&answer)[2..4], expected.map(Value::from), "{settings}");
    }
}

#[test]
fn a_provider_that_went_down_is_seen_within_a_minute_and_asked_no_more_than_that() {
    let world = TestEnv::in_environment(site("kv"), &with_monitor);
    for _ in 0..10 {
        assert_eq!(details(&world, MONITOR).status, 200);
    }
    assert_eq!(world.fetches(DISCOVERY), 1);
    world.provider.goes_down("discovery");
    world.pass(Duration::from_secs(61));
    assert_eq!(details(&world, MONITOR).status, 503);
    // Sign-ins go on with the copy.
    world.provider.comes_back();
    world.pass(Duration::from_secs(6));
    assert_eq!(details(&world, MONITOR).status, 200);
}

#[test]
fn a_part_that_hangs_holds_the_answer_up_for_four_seconds_at_most() {
    for store in ["kv", "durable-object"] {
        let world = TestEnv::in_environment(site(store), &with_monitor);
        world.store.hangs.set(true);
        let before = world.now();
        let answer = details(&world, MONITOR);
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("no answer within"), "{}", answer.body);
        assert!(world.now().since(before) <= Duration::from_secs(4), "{store}");
    }
}

#[test]
fn without_the_secret_the_details_tell_nothing() {
    let world = TestEnv::with(site("kv"));
    assert_eq!(details(&world, MONITOR).status, 400, "without a secret there is no such route");
    let world = TestEnv::in_environment(site("kv"), &with_monitor);
    let url = format!("{APP}/auth/health/details");
    let right = format!("Bearer {MONITOR}");
    for headers in [
        &[][..],
        &[("authorization", "Bearer wrong")],
        &[("authorization", MONITOR)],
        &[("authorization", &right), ("authorization", &right)],
    ] {
        let answer = world.send("GET", &url, headers, b"");
        assert_eq!((answer.status, answer.body.as_str()), (401, ""));
        assert_eq!(answer.headers.get("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(world.logged(LogEvent::HealthCheckRejected).len(), 4);
    assert_eq!((world.store.reads.get(), world.fetches(DISCOVERY)), (0, 0), "a stranger costs no work");
    assert!(!world.log_text().contains(MONITOR));
}

#[test]
fn who_guesses_the_secret_has_thirty_attempts_a_minute() {
    let world = TestEnv::in_environment(site("kv"), &with_monitor);
    let url = format!("{APP}/auth/health/details");
    let guess = |address: &str, secret: &str| {
        let authorization = format!("Bearer {secret}");
        let headers = [("cf-connecting-ip", address), ("authorization", authorization.as_str())];
        world.send("GET", &url, &headers, b"").status
    };
    let statuses: Vec<u16> = (0..40).map(|n| guess("203.0.113.9", &format!("guess-{n}"))).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 31);
    assert_eq!(guess("203.0.113.9", MONITOR), 429, "also where the next guess is right");
    assert_eq!(guess("203.0.113.10", MONITOR), 200, "others are not in its way");
    world.pass(Duration::from_secs(61));
    assert_eq!(guess("203.0.113.9", MONITOR), 200);
}

#[test]
fn the_client_secret_of_a_provider_named_health_opens_nothing() {
    let mut settings = site("kv");
    settings["providers"][0]["id"] = json!("health");
    let env = |name: &str| match name {
        "AUTH_HEALTH_ID" => environment("AUTH_ACME_ID"),
        "AUTH_HEALTH_SECRET" => Some(MONITOR.to_owned()),
        "AUTH_HEALTH_SECRET_1" => Some("the-monitors-own-secret-of-these-tests".to_owned()),
        name => environment(name),
    };
    let world = TestEnv::in_environment(settings, &env);
    assert_eq!(details(&world, MONITOR).status, 401);
    assert_eq!(details(&world, "the-monitors-own-secret-of-these-tests").status, 200);
}

#[test]
fn the_secret_is_no_other_secret() {
    for (other, value) in [
        ("AUTH_SECRET", vestibule_testing::SECRET),
        ("AUTH_REVOKE_SECRET", "an-operators-own-secret-of-32-characters"),
    ] {
        let env = |name: &str| match name {
            "AUTH_HEALTH_SECRET" => Some(value.to_owned()),
            name if name == other => Some(value.to_owned()),
            name => environment(name),
        };
        let errors =
            vestibule_core::config::Config::load(site("kv"), &env, &RUNTIME).unwrap_err().to_string();
        assert!(errors.contains("AUTH_HEALTH_SECRET") && !errors.contains(value), "{errors}");
    }
}

#[test]
fn who_has_guessed_too_often_is_told_when_to_come_again() {
    let world = TestEnv::in_environment(site("kv"), &with_monitor);
    let answers: Vec<Answer> = (0..40).map(|n| details(&world, &format!("guess-{n}"))).collect();
    for answer in &answers {
        let fields = ["retry-after", "www-authenticate"].map(|name| answer.headers.contains(name));
        let expected = if answer.status == 429 { [true, false] } else { [false, true] };
        assert_eq!(fields, expected, "{answer:?}");
    }
    assert_eq!(answers[39].status, 429);
}
