//! Metrics in the real runtime: the rows that a dataset gets, and `Server-Timing` on a developer's own machine. The harness has its
//! own stand-in for Analytics Engine, with its method.

use std::time::Duration;

use miniflare_test_harness::LogLine;
use serde_json::{Value, json};
use vestibule_test_runtimes::needs;

use crate::test_env::{APP, TestEnv, echo, settings};

const MAX_WAIT: Duration = Duration::from_secs(10);

#[test]
fn a_dataset_gets_a_row_for_what_was_decided_and_one_for_each_endpoint_of_the_provider() {
    needs!(Workers);
    let mut settings = settings();
    settings["metrics"] = json!({ "sink": "analytics" });
    let env = TestEnv::with(settings, |builder| builder.service("APP", echo).sink("AUTH_METRICS"));
    env.signed_in("bob").get(&format!("{APP}/admin/users?token=x")).send().expect_status(403);
    let found = env.logs().wait_until(MAX_WAIT, |lines| {
        let lines: Vec<Value> = lines.iter().filter_map(LogLine::json).collect();
        let rows = || lines.iter().filter_map(|line| line.get("dataset"));
        let decision = rows().find(|row| row["blobs"][2] == "forbidden")?.clone();
        let token = rows().find(|row| row["blobs"][5] == "token")?.clone();
        Some((decision, token))
    });
    let (decision, token) = found.unwrap_or_else(|| panic!("{}", env.logs().text()));
    assert_eq!(decision["indexes"], json!(["decision"]));
    let texts = json!(["decision", "app.example.com", "forbidden", "AUTH.rules[1]", "", "", ""]);
    assert_eq!((&decision["blobs"], &decision["doubles"]), (&texts, &json!([1, 0, 0])));
    assert_eq!((&token["indexes"], &token["blobs"][2]), (&json!(["provider"]), &json!("ok")));
    assert_eq!(token["doubles"][0], 1);
}

#[test]
fn only_a_developers_own_machine_sees_server_timing_also_of_an_upstream() {
    needs!(NoProxy);
    let mut settings = settings();
    settings["metrics"] = json!({ "server_timing": true });
    let env = TestEnv::with(settings, |builder| builder.service("APP", echo));
    let timing = |url: &str| {
        let response = env.client().get(url).send();
        response.header("server-timing").map(str::to_owned)
    };
    let local = timing(&format!("http://{}/about", env.address())).unwrap_or_default();
    assert!(local.starts_with("provider;dur="), "{local:?}");
    assert_eq!(timing(&format!("{APP}/about")), None);
}
