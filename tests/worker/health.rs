//! The health checks with the runtime's own store, and with a configuration that does not load.

use serde_json::json;
use vestibule_test_runtimes::{needs, part_needs};

use crate::test_env::{APP, TestEnv, echo, settings, settings_with, worker};

const MONITOR: &str = "the-secret-of-the-monitor-of-these-tests";

#[test]
fn a_monitor_learns_how_the_store_and_the_provider_are_and_a_load_balancer_only_that_it_works() {
    let env = TestEnv::with(settings(), |builder| {
        builder.service("APP", echo).secret("AUTH_HEALTH_SECRET", MONITOR)
    });
    let client = env.client();
    for url in [format!("{APP}/auth/health"), "https://any.example.net/auth/health".to_owned()] {
        let reply = client.get(&url).send().expect_status(200);
        assert_eq!(reply.text(), r#"{"status":"ok"}"#);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    let url = format!("{APP}/auth/health/details");
    assert_eq!(client.get(&url).send().expect_status(401).text(), "");
    let authorization = format!("Bearer {MONITOR}");
    let reply = client.get(&url).header("authorization", &authorization).send().expect_status(200).json();
    // Revocations are in KV on Workers, and behind a lock elsewhere.
    let (store, lock) = if part_needs!(Workers) { ("ok", "unused") } else { ("unused", "ok") };
    let expected = json!({
        "status": "ok",
        "configuration": { "status": "ok" },
        "store": { "status": store },
        "lock": { "status": lock },
        "providers": { "acme": { "status": "ok" } },
    });
    assert_eq!(reply, expected);
    assert!(env.logs().contains("health_check_rejected"), "{}", env.logs().text());
}

#[test]
fn a_configuration_that_does_not_load_is_not_healthy() {
    needs!(Answers500);
    let harness = worker().var("AUTH", settings_with(&json!({ "ruels": [] }))).start().unwrap();
    harness.client().get(&format!("{APP}/auth/health")).send().expect_status(500);
}
