//! `flow/audit`: who signed in, who was refused and by which rule, who signed out. Each test checks a sentence of
//! `docs/operating.md` ("The audit log").

mod sinks;

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::{AuditKind, find_subjects, subject_hash};
use vestibule_core::secret::Secret;
use vestibule_testing::credentials_api::EMAIL;
use vestibule_testing::{APP, Browser, RUNTIME, SECRET, TestEnv, environment, settings};

use crate::credentials::json_api;
use crate::refresh::EXPIRED;
use crate::revocation::{OPERATOR, site, with_operator};

const DAY: Duration = Duration::from_hours(24);

/// The lines of the audit log that a stranger finds in the text of the log.
fn lines(world: &TestEnv) -> Vec<Value> {
    let text = world.log_text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get("audit").is_some()).collect()
}

/// The names of those events, in order.
fn events(world: &TestEnv) -> Vec<String> {
    lines(world).iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
}

fn of<'a>(lines: &'a [Value], event: &str) -> &'a Value {
    let found = lines.iter().find(|line| line["event"] == event);
    found.unwrap_or_else(|| panic!("no {event} in {lines:#?}"))
}

fn hash(sub: &str) -> String {
    subject_hash(&Secret::new(SECRET), "acme", sub)
}

fn with_audit(audit: Value) -> Value {
    let mut settings = settings();
    settings["audit"] = audit;
    settings
}

fn signed_in(world: &TestEnv, user: &str) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(world, user, "/");
    browser
}

fn sign_out(world: &TestEnv, browser: &mut Browser) {
    let csrf = browser.csrf(world);
    browser.post(world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
}

/// Nothing is configured. The stranger has the captured lines, the secret, and a list of the users.
#[test]
fn a_stranger_learns_from_the_log_alone_who_was_refused_yesterday_and_by_which_rule() {
    let mut settings = settings();
    settings["rules"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "match": "/reports/:path*", "require": { "sub": ["alice-1"] }, "deny": "not-found" }));
    let world = TestEnv::with(settings);
    let (mut bob, mut alice) = (signed_in(&world, "bob"), signed_in(&world, "alice"));
    assert!(alice.open(&world, &format!("{APP}/admin/users")).forwarded.is_some());
    assert_eq!(bob.open(&world, &format!("{APP}/admin/users?token=of-bob")).status, 403);
    world.pass(DAY);
    let mut bob = signed_in(&world, "bob");
    assert_eq!(bob.fetch(&world, &format!("{APP}/admin/x")).status, 403);
    assert_eq!(bob.open(&world, &format!("{APP}/reports/2026?x=1")).status, 404);
    Browser::new().open(&world, &format!("{APP}/admin/users"));
    let yesterday = world.now().to_rfc3339()[..10].to_owned();
    world.pass(DAY);
    assert_eq!(signed_in(&world, "bob").fetch(&world, &format!("{APP}/admin/later")).status, 403);

    let captured = world.log_text();
    is_kept_for_the_recipe(&captured);
    let mut answer = Vec::new();
    for line in captured.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let is_of_yesterday = line["time"].as_str().is_some_and(|time| time.starts_with(&yesterday));
        if line["audit"] == "refusal" && is_of_yesterday {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            let users = "acme:alice-1\nacme:bob-1\nacme:mallory-1\n";
            let named = find_subjects(&[Secret::new(SECRET)], Some(&text("subject")), users).unwrap();
            answer.push((named[0].subject, text("rule"), text("reason"), text("path"), text("message")));
        }
    }
    let expected = [
        (
            "acme:bob-1",
            "AUTH.rules[1]",
            "forbidden",
            "/admin/x",
            "AUTH.rules[1] requires of the user: roles is \"admin\"",
        ),
        (
            "acme:bob-1",
            "AUTH.rules[2]",
            "not_found",
            "/reports/2026",
            "AUTH.rules[2] requires of the user: sub is \"alice-1\"",
        ),
    ];
    let expected: Vec<_> = expected
        .map(|(user, b, c, d, e)| (user, b.to_owned(), c.to_owned(), d.to_owned(), e.to_owned()))
        .into();
    assert_eq!(answer, expected);
}

/// `tests/npm/behaviour/operating.test.mjs` runs the recipe of the document on these lines. `UPDATE=1` writes them anew.
fn is_kept_for_the_recipe(captured: &str) {
    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows/audit/lines.ndjson");
    let lines = format!("{}\n", captured.trim_end());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, &lines).unwrap();
    }
    assert_eq!(lines, std::fs::read_to_string(FILE).unwrap_or_default());
}

#[test]
fn a_line_says_who_signed_in_and_out_and_whose_token_was_refreshed() {
    let world = TestEnv::new();
    let mut bob = signed_in(&world, "bob");
    world.pass(EXPIRED);
    assert!(bob.fetch(&world, &format!("{APP}/api")).forwarded.is_some());
    sign_out(&world, &mut bob);
    assert_eq!(events(&world), ["signed_in", "token_refreshed", "signed_out"]);
    for line in lines(&world) {
        assert_eq!(line["subject"], json!(hash("bob-1")), "{line}");
        assert_eq!(line["provider"], json!("acme"), "{line}");
        assert_eq!(line["host"], json!("app.example.com"), "{line}");
    }
    for confidential in ["bob", "eyJ", "access-", "refresh-", "code-", "state", SECRET, "?"] {
        assert!(!world.log_text().contains(confidential), "{confidential}: {}", world.log_text());
    }
}

#[test]
fn many_requests_that_wait_for_one_refresh_are_one_line() {
    let world = TestEnv::new();
    let bob = signed_in(&world, "bob");
    world.pass(EXPIRED);
    let cookies = bob.cookie_header();
    world.all((0..20).map(|n| crate::refresh::sent(&world, &cookies, Duration::from_millis(n))));
    assert_eq!(events(&world), ["signed_in", "token_refreshed"]);
}

#[test]
fn a_line_says_whom_allow_did_not_let_sign_in() {
    let mut settings = settings();
    settings["providers"][0]["allow"] = json!({ "profile.roles": ["admin"] });
    let world = TestEnv::with(settings);
    let mut bob = Browser::new();
    let request = bob.begin(&world, "/");
    bob.open(&world, &world.provider.authorize(&request, "bob"));
    let lines = lines(&world);
    let line = of(&lines, "auth_error");
    assert_eq!((&line["audit"], &line["code"]), (&json!("refusal"), &json!("AccessDenied")));
    assert_eq!(line["subject"], json!(hash("bob-1")));
}

#[test]
fn a_line_says_whose_sessions_an_operator_revoked_and_whose_copy_came_back() {
    for store in ["kv", "durable-object"] {
        let world = TestEnv::in_environment(site(store), &with_operator);
        let mut bob = signed_in(&world, "bob");
        let body = json!({ "user": { "provider": "acme", "sub": "bob-1" } }).to_string();
        let authorization = format!("Bearer {OPERATOR}");
        let headers = [("authorization", authorization.as_str())];
        world.send("POST", &format!("{APP}/auth/revoke"), &headers, body.as_bytes());
        bob.fetch(&world, &format!("{APP}/api"));
        let lines = lines(&world);
        for (event, kind) in [("sessions_revoked_by_operator", "revocation"), ("session_revoked", "refusal")]
        {
            let line = of(&lines, event);
            assert_eq!((&line["audit"], &line["subject"]), (&json!(kind), &json!(hash("bob-1"))), "{store}");
        }
    }
}

#[test]
fn a_step_up_has_a_line_where_it_is_asked_for_and_one_where_it_is_met() {
    let world = TestEnv::with(crate::step_up::with_rule(&json!({ "acr": "gold" })));
    let mut bob = signed_in(&world, "bob");
    let answer = bob.open(&world, &format!("{APP}/secure/page"));
    let request = vestibule_testing::AuthorizationRequest::read(answer.location());
    world.provider.alters_answer_at("id_token", |token| token["acr"] = json!("gold"));
    bob.open(&world, &world.provider.authorize(&request, "bob"));
    assert_eq!(events(&world), ["signed_in", "step_up_required", "stepped_up"]);
    let lines = lines(&world);
    let asked = of(&lines, "step_up_required");
    assert_eq!((&asked["rule"], &asked["reason"]), (&json!("AUTH.rules[2]"), &json!("step_up")));
    assert!(lines.iter().all(|line| line["subject"] == json!(hash("bob-1"))), "{lines:#?}");
}

#[test]
fn too_many_attempts_to_sign_in_have_a_line_each() {
    let world = TestEnv::with(json_api());
    world.store.login_limits.set(Some((2, 2)));
    for _ in 0..4 {
        let mut browser = Browser::new();
        let csrf = browser.csrf(&world);
        let fields = [("csrfToken", csrf.as_str()), ("email", EMAIL), ("password", "a guess"), ("code", "1")];
        browser.post(&world, &format!("{APP}/auth/callback/credentials"), &fields);
    }
    let limited = lines(&world).iter().filter(|line| line["audit"] == "rate-limit").count();
    assert_eq!(limited, 2, "{}", world.log_text());
}

#[test]
fn a_request_without_a_session_has_a_line_only_where_the_configuration_wants_it() {
    let visit = |world: &TestEnv| {
        let mut nobody = Browser::new();
        nobody.open(world, &format!("{APP}/dashboard?x=1"));
        nobody.fetch(world, &format!("{APP}/admin/x"));
        nobody.open(world, &format!("{APP}/about"));
    };
    let world = TestEnv::new();
    visit(&world);
    assert_eq!(world.log_text(), "");
    let kinds: Vec<&str> = AuditKind::NAMES.iter().map(|(name, _)| *name).collect();
    let world = TestEnv::with(with_audit(json!({ "kinds": kinds })));
    visit(&world);
    let lines = lines(&world);
    let rules: Vec<&Value> = lines.iter().map(|line| &line["rule"]).collect();
    assert_eq!(rules, [&json!("AUTH.default_access"), &json!("AUTH.rules[1]")]);
    assert!(lines.iter().all(|line| line["event"] == "sign_in_required" && line["audit"] == "anonymous"));
    assert!(lines.iter().all(|line| line.get("subject").is_none()), "{lines:#?}");
}

#[test]
fn kinds_chooses_the_lines_and_none_ends_the_audit_log() {
    for (audit, expected) in [
        (json!({ "kinds": ["refusal"] }), &["access_refused"][..]),
        (json!({ "kinds": "sign-in" }), &["signed_in"]),
        (json!({ "sinks": "none" }), &[]),
    ] {
        let world = TestEnv::with(with_audit(audit));
        let mut bob = signed_in(&world, "bob");
        bob.fetch(&world, &format!("{APP}/admin/x"));
        assert_eq!(events(&world), expected);
    }
    // What the operator's log says of it does not depend on the audit log.
    let world = TestEnv::with(with_audit(json!({ "sinks": "none" })));
    world.send("GET", &format!("{APP}/a%2fb"), &[], b"");
    assert!(world.log_text().contains("path_rejected") && !world.log_text().contains("subject"));
}

#[test]
fn another_proxys_question_has_the_same_line() {
    let mut settings = settings();
    settings["verify"] = json!({ "headers": "x-forwarded" });
    let variables = |name: &str| match name {
        "AUTH_VERIFY_SECRET" => Some("the-secret-of-the-proxy-of-this-test".to_owned()),
        name => environment(name),
    };
    let world = TestEnv::in_environment(settings, &variables);
    let mut bob = signed_in(&world, "bob");
    let headers = [
        ("x-vestibule-verify", "the-secret-of-the-proxy-of-this-test"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-uri", "/admin/users?token=x"),
        ("sec-fetch-mode", "cors"),
    ];
    let answer = bob.send(&world, "GET", &format!("{APP}/auth/verify"), &headers, b"");
    assert_eq!(answer.status, 403);
    let lines = lines(&world);
    let line = of(&lines, "access_refused");
    assert_eq!((&line["rule"], &line["path"]), (&json!("AUTH.rules[1]"), &json!("/admin/users")));
    assert_eq!(line["subject"], json!(hash("bob-1")));
}

#[test]
fn a_mistake_in_the_table_is_named() {
    let env = |name: &str| match name {
        "AUTH_AUDIT_SECRET" => Some(SECRET.to_owned()),
        name => environment(name),
    };
    let mut of_provider = with_audit(json!({ "sinks": "https://logs.example.com/" }));
    of_provider["providers"][0]["id"] = json!("audit");
    let loaded = vestibule_core::config::Config::load(of_provider, &env, &RUNTIME).unwrap_err().to_string();
    assert!(loaded.contains("AUTH.audit.sinks: the client secret of the provider \"audit\""), "{loaded}");
    for (audit, place) in [
        (json!({ "sinks": "qeue" }), "AUTH.audit.sinks: \"qeue\" is neither a known value nor a URL"),
        (
            json!({ "sinks": "http://logs.example.com/" }),
            "AUTH.audit.sinks: \"http://logs.example.com/\": http is",
        ),
        (json!({ "sinks": ["log", "log"] }), "AUTH.audit.sinks[1]: \"log\" is there twice"),
        (json!({ "sinks": ["log", "none"] }), "AUTH.audit.sinks[1]: \"none\" is neither"),
        (json!({ "kinds": ["sign_in"] }), "AUTH.audit.kinds[0]: \"sign_in\" is not a known value"),
        (json!({ "secret": "x" }), "AUTH.audit.secret: secrets must not be written"),
        (
            json!({ "sinks": "https://logs.example.com/" }),
            "AUTH_AUDIT_SECRET: this secret has another purpose",
        ),
        (json!({ "sink": "log" }), "AUTH.audit.sink"),
        (
            json!({ "sinks": ["log", "queue", "analytics", "https://a.example/", "https://b.example/"] }),
            "more than 4",
        ),
    ] {
        let loaded = vestibule_core::config::Config::load(with_audit(audit), &env, &RUNTIME);
        let errors = loaded.unwrap_err().to_string();
        assert!(errors.contains(place), "{place}: {errors}");
    }
}
