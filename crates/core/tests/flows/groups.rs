//! `flow/signin/groups`: groups that an ID token leaves out because there are too many.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, Browser, TestEnv, environment, settings};

const GROUPS: &str = "https://idp.example/groups";
const HOUR: Duration = Duration::from_hours(1);

fn world(overage: &Value) -> TestEnv {
    let mut settings = settings();
    settings["claims"] = json!({ "groups": "profile.groups" });
    settings["session"] = json!({ "expose": { "user.groups": "groups" } });
    settings["rules"] = json!([
        { "match": "/", "access": "public" },
        { "match": "/admin", "require": { "groups": ["group-b"] } },
    ]);
    if !overage.is_null() {
        settings["providers"][0]["groups_overage"] = overage.clone();
    }
    let world = TestEnv::with(settings);
    world.provider.alters_answer_at("id_token", leave_out);
    world
}

fn leave_out(claims: &mut Value) {
    claims["_claim_names"] = json!({ "groups": "src1" });
    claims["_claim_sources"] = json!({ "src1": { "endpoint": "https://evil.example/getMemberObjects" } });
}

#[test]
fn without_configuration_the_log_says_what_to_do_and_nothing_is_fetched() {
    let (world, mut browser) = (world(&Value::Null), Browser::new());
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"));
    let lines = world.logged(LogEvent::GroupsLeftOut);
    assert_eq!(lines.len(), 1);
    for words in ["app roles", "groups_overage"] {
        assert!(lines[0].message().contains(words), "{}", lines[0]);
    }
    assert_eq!(browser.open(&world, &format!("{APP}/admin")).status, 403);
    assert_eq!(world.fetches(GROUPS), 0);
}

#[test]
fn the_groups_are_fetched_from_the_configured_endpoint_and_rules_see_them() {
    for (overage, expected) in [
        (json!({ "url": GROUPS }), json!(["group-a", "group-b", "group-c"])),
        (json!({ "url": GROUPS, "keep": ["group-b", "group-x"] }), json!(["group-b"])),
    ] {
        let (world, mut browser) = (world(&overage), Browser::new());
        browser.sign_in(&world, "bob", "/");
        assert_eq!(browser.session(&world)["user"]["groups"], expected);
        assert!(browser.open(&world, &format!("{APP}/admin")).forwarded.is_some());
        assert_eq!((world.fetches(GROUPS), world.logged(LogEvent::GroupsLeftOut).len()), (1, 0));
    }
}

#[test]
fn groups_that_the_token_has_are_not_fetched() {
    let (world, mut browser) = (world(&json!({ "url": GROUPS })), Browser::new());
    world.provider.alters_answer_at("id_token", |claims| claims["groups"] = json!(["group-a"]));
    browser.sign_in(&world, "bob", "/");
    assert_eq!(browser.session(&world)["user"]["groups"], json!(["group-a"]));
    assert_eq!(world.fetches(GROUPS), 0);
}

#[test]
fn a_refusal_signs_in_without_groups_and_says_which_scopes_are_missing_and_an_outage_signs_nobody_in() {
    let (world, mut browser) = (world(&json!({ "url": GROUPS })), Browser::new());
    world.provider.answers_raw("groups", 403, "application/json", br#"{"error":{"code":"Forbidden"}}"#);
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"));
    let lines = world.logged(LogEvent::GroupsLeftOut);
    assert!(lines.len() == 1 && lines[0].message().contains("GroupMember.Read.All"), "{lines:?}");
    assert_eq!(browser.open(&world, &format!("{APP}/admin")).status, 403);

    // Without its groups a session would lack rights for days, because of a second.
    let mut browser = Browser::new();
    world.provider.answers_raw("groups", 503, "application/json", b"{}");
    let answer = browser.sign_in(&world, "bob", "/");
    assert_eq!(answer.location(), format!("{APP}/auth/error?error=Configuration"));
    assert_eq!(browser.session(&world), Value::Null);
}

#[test]
fn a_refresh_fetches_the_groups_again_and_keeps_those_of_the_session_during_an_outage() {
    let (world, mut browser) = (world(&json!({ "url": GROUPS })), Browser::new());
    world.provider.alters_answer_at("refreshed_id_token", leave_out);
    browser.sign_in(&world, "bob", "/");
    world.pass(HOUR);
    world.provider.answers_raw("groups", 503, "application/json", b"{}");
    assert!(browser.open(&world, &format!("{APP}/admin")).forwarded.is_some(), "{}", world.log_text());
    world.pass(HOUR);
    world.provider.answers_raw("groups", 200, "application/json", br#"{"value":["group-c"]}"#);
    assert_eq!(browser.open(&world, &format!("{APP}/admin")).status, 403, "{}", world.log_text());
    assert_eq!(browser.session(&world)["user"]["groups"], json!(["group-c"]));
}

#[test]
fn server_side_request_forgery_an_endpoint_must_be_a_complete_url_of_the_configuration() {
    for (overage, words) in [
        (json!({}), "endpoint is missing"),
        (json!({ "url": "http://graph.example/groups" }), "https"),
        (json!({ "url": "/me/getMemberGroups" }), "URL"),
        (json!({ "url": GROUPS, "only": [] }), "unknown key"),
    ] {
        let mut settings = settings();
        settings["providers"][0]["groups_overage"] = overage.clone();
        let errors =
            Config::load(settings, &environment, &vestibule_testing::RUNTIME).unwrap_err().to_string();
        assert!(errors.contains("groups_overage") && errors.contains(words), "{overage}: {errors}");
    }
}
