//! The provider confirms users from time to time, also where nothing needs the access token: a disabled person and changed
//! claims are noticed, and a provider that is down signs no one out. Each test checks a sentence of `docs/refresh.md`
//! ("Asking again").

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::rotation::Rotation;
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

use crate::credentials::sealed;
use crate::refresh::{LEASES, given, sent};

const TOKEN: &str = "https://idp.example/token";
const USERINFO: &str = "https://idp.example/userinfo";
const SECOND: Duration = Duration::from_secs(1);
const QUARTER: Duration = Duration::from_mins(15);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A site where nothing needs the access token.
fn site(session: Value, lease: &str) -> Value {
    let mut settings = settings();
    settings["session"] = session;
    settings["refresh"] = json!({ "lease": lease });
    settings["upstreams"] = json!([{
        "to": "https://upstream.example",
        "headers": { "X-User-Email": "email", "X-User-Roles": "roles" },
    }]);
    settings
}

/// A user who is signed in there.
fn signed_in(session: Value, lease: &str, user: &str) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::with(site(session, lease)), Browser::new());
    browser.sign_in(&world, user, "/");
    world.http.token_time.set(Duration::from_millis(200));
    (world, browser)
}

fn every_quarter() -> Value {
    json!({ "revalidate": "15m" })
}

fn fetch(world: &TestEnv, browser: &mut Browser) -> Answer {
    browser.fetch(world, &format!("{APP}/api"))
}

fn open(world: &TestEnv, browser: &mut Browser) -> Answer {
    browser.open(world, &format!("{APP}/page"))
}

fn roles(answer: &Answer) -> Option<&str> {
    answer.forwarded.as_ref()?.request.headers.get("x-user-roles")
}

#[test]
fn a_disabled_person_loses_the_session_within_revalidate() {
    for lease in LEASES {
        for asks in [fetch, open] {
            let (world, mut browser) = signed_in(every_quarter(), lease, "bob");
            world.provider.grants.revoke("bob");
            world.pass(QUARTER.checked_sub(SECOND).unwrap());
            assert_eq!((asks(&world, &mut browser).status, world.fetches(TOKEN)), (200, 1), "{lease}");
            world.pass(2 * SECOND);
            let denied = asks(&world, &mut browser).status;
            assert!(matches!(denied, 401 | 302), "{lease}: {denied}");
            assert_eq!(fetch(&world, &mut browser).status, 401, "{lease}");
            assert_eq!(browser.session(&world)["error"], "RefreshTokenError", "{lease}");
            assert_eq!(world.fetches(TOKEN), 2, "{lease}: it is asked once");
        }
    }
}

#[test]
fn changed_claims_are_noticed_where_nothing_needs_the_token() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(every_quarter(), lease, "alice");
        let admin = |browser: &mut Browser| browser.fetch(&world, &format!("{APP}/admin")).status;
        assert_eq!(admin(&mut browser), 200, "{lease}");
        world.provider.alters_answer_at("userinfo", |claims| claims["roles"] = json!(["user"]));
        world.pass(QUARTER);
        assert_eq!(admin(&mut browser), 403, "{lease}: the request waits for the answer");
        assert_eq!(roles(&fetch(&world, &mut browser)), Some("user"), "{lease}");
        // The rules do not have to let the user pass first.
        world.provider.alters_answer_at("userinfo", |claims| claims["roles"] = json!(["admin"]));
        world.pass(QUARTER);
        assert_eq!(admin(&mut browser), 200, "{lease}: a role that was given back");
        assert_eq!(given(&world), 2, "{lease}");
    }
}

#[test]
fn every_way_to_the_session_asks_the_provider() {
    let mut settings =
        site(json!({ "revalidate": "15m", "expose": { "access_token": "access_token" } }), "kv");
    settings["verify"] = json!({ "headers": "x-forwarded" });
    let ways: [(&str, Vec<(&str, &str)>); 4] = [
        ("/page", vec![]),
        ("/auth/session", vec![]),
        ("/auth/token", vec![("sec-fetch-site", "same-origin"), ("x-vestibule-token", "1")]),
        (
            "/auth/verify",
            vec![
                ("x-vestibule-verify", "00112233445566778899aabbccddeeff"),
                ("x-forwarded-method", "GET"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "app.example.com"),
                ("x-forwarded-uri", "/page"),
            ],
        ),
    ];
    for (path, headers) in ways {
        let world = TestEnv::in_environment(settings.clone(), &|name| match name {
            "AUTH_VERIFY_SECRET" => Some("00112233445566778899aabbccddeeff".to_owned()),
            other => vestibule_testing::environment(other),
        });
        let mut browser = Browser::new();
        browser.sign_in(&world, "bob", "/");
        world.pass(QUARTER);
        let answer = browser.send(&world, "GET", &format!("{APP}{path}"), &headers, b"");
        assert!(matches!(answer.status, 200 | 204), "{path}: {answer:?}");
        assert_eq!(given(&world), 1, "{path}");
        assert!(answer.headers.contains("set-cookie"), "{path}");
        world.pass(QUARTER);
        world.provider.grants.revoke("bob");
        let answer = browser.send(&world, "GET", &format!("{APP}{path}"), &headers, b"");
        assert_eq!(answer.status, if path == "/auth/session" { 200 } else { 401 }, "{path}");
        assert_eq!(fetch(&world, &mut browser).status, 401, "{path}");
    }
}

#[test]
fn a_provider_outage_at_revalidation_signs_no_one_out() {
    type Trouble = fn(&TestEnv);
    let troubles: [(&str, Trouble); 4] = [
        ("no connection", |world| world.provider.goes_down("token")),
        ("503", |world| world.provider.answers_raw("token", 503, "text/html", b"<h1>busy</h1>")),
        ("no answer", |world| world.http.hanging.borrow_mut().push(TOKEN)),
        ("invalid_client", |world| {
            world.provider.answers_raw("token", 401, "application/json", br#"{"error":"invalid_client"}"#);
        }),
    ];
    for lease in LEASES {
        for (what, trouble) in troubles {
            let (world, mut browser) = signed_in(every_quarter(), lease, "bob");
            trouble(&world);
            world.pass(QUARTER);
            let (begun, cookies) = (world.clock.now(), browser.cookie_header());
            let (status, took) = world.clock.run(async {
                let answer = sent(&world, &cookies, Duration::ZERO).await;
                (answer.status, world.clock.now() - begun)
            });
            assert_eq!(status, 200, "{lease}, {what}");
            assert!(took <= 5500, "{lease}, {what}: {took}");
            assert_eq!(open(&world, &mut browser).status, 200, "{lease}, {what}");
            assert_eq!(fetch(&world, &mut browser).status, 200, "{lease}, {what}");
            world.pass(Duration::from_mins(13));
            assert_eq!(fetch(&world, &mut browser).status, 200, "{lease}, {what}");

            // After twice the time nothing passes, and no one is signed out.
            world.pass(Duration::from_mins(3));
            let script = fetch(&world, &mut browser);
            assert_eq!(script.status, 401, "{lease}, {what}");
            assert!(script.body.contains("signInUrl"), "{lease}, {what}: {}", script.body);
            let page = open(&world, &mut browser);
            assert_eq!(page.status, 503, "{lease}, {what}");
            let retry: u64 = page.headers.get("retry-after").unwrap().parse().unwrap();
            assert!((1..=600).contains(&retry), "{lease}, {what}: {retry}");
            assert_eq!(browser.session(&world)["user"]["name"], "bob", "{lease}, {what}");
            assert_eq!(browser.session(&world)["error"], Value::Null, "{lease}, {what}");

            world.provider.comes_back();
            world.provider.answers_correctly();
            world.http.hanging.borrow_mut().clear();
            world.pass(Duration::from_mins(3));
            assert_eq!(open(&world, &mut browser).status, 200, "{lease}, {what}");
            assert_eq!(fetch(&world, &mut browser).status, 200, "{lease}, {what}");
        }
    }
}

#[test]
fn without_a_refresh_token_a_script_passes_until_twice_the_time() {
    let world = TestEnv::with(site(every_quarter(), "none"));
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    world.pass((2 * QUARTER).checked_sub(SECOND).unwrap());
    assert_eq!(fetch(&world, &mut browser).status, 200);
    world.pass(2 * SECOND);
    let answer = fetch(&world, &mut browser);
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("signInUrl"), "{}", answer.body);
    assert_eq!(open(&world, &mut browser).status, 302, "there is nothing to wait for");
    browser.sign_in(&world, "bob", "/");
    assert_eq!(fetch(&world, &mut browser).status, 200);
}

#[test]
fn requests_that_come_at_once_cost_one_grant_and_all_have_the_answer() {
    for lease in LEASES {
        let (world, browser) = signed_in(every_quarter(), lease, "bob");
        let isolates: Vec<TestEnv> = match lease {
            "none" => Vec::new(),
            _ => (0..2).map(|_| world.isolate(site(every_quarter(), lease), "here")).collect(),
        };
        world.provider.alters_answer_at("userinfo", |claims| claims["roles"] = json!(["editor"]));
        world.pass(QUARTER);
        let cookies = browser.cookie_header();
        let first = (0..10).map(|i| sent(&world, &cookies, Duration::from_millis(i * 3)));
        let rest = isolates.iter().map(|isolate| sent(isolate, &cookies, Duration::from_millis(120)));
        let answers = world.all(first.chain(rest));
        for answer in &answers {
            assert_eq!((answer.status, roles(answer)), (200, Some("editor")), "{lease}");
        }
        assert_eq!((given(&world), world.provider.grants.refused.get()), (1, 0), "{lease}");
    }
}

#[test]
fn nothing_is_asked_on_public_paths_by_prefetches_or_by_preflights() {
    let (world, mut browser) = signed_in(json!({ "revalidate": "15m", "update_age": "1h" }), "kv", "bob");
    for passed in [QUARTER, HOUR] {
        world.pass(passed);
        browser.open(&world, &format!("{APP}/about"));
        browser.fetch(&world, &format!("{APP}/auth/csrf"));
        let preflight = [("origin", APP), ("access-control-request-method", "PUT")];
        browser.send(&world, "OPTIONS", &format!("{APP}/api"), &preflight, b"");
        let prefetch = [("sec-purpose", "prefetch"), ("sec-fetch-mode", "navigate")];
        let answer = browser.send(&world, "GET", &format!("{APP}/page"), &prefetch, b"");
        assert_eq!(answer.status, if passed == QUARTER { 200 } else { 503 });
        assert!(!answer.headers.contains("set-cookie"));
    }
    assert_eq!((world.fetches(TOKEN), world.store.reads.get()), (1, 0));
}

#[test]
fn a_session_is_confirmed_once_in_the_time_and_never_in_a_loop() {
    let (world, mut browser) = signed_in(json!({ "revalidate": "1m", "update_age": "0s" }), "kv", "bob");
    world.provider.alters_answer_at("token", |answer| answer["expires_in"] = json!(0));
    for minute in 1..=5 {
        world.pass(Duration::from_mins(1));
        for _ in 0..5 {
            assert_eq!(fetch(&world, &mut browser).status, 200);
        }
        assert_eq!(given(&world), minute);
    }
}

#[test]
fn without_the_key_the_provider_is_asked_with_the_sessions_renewal() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(json!({}), lease, "alice");
        world.provider.alters_answer_at("userinfo", |claims| claims["roles"] = json!(["user"]));
        world.pass(DAY.checked_sub(HOUR).unwrap());
        assert_eq!(roles(&fetch(&world, &mut browser)), Some("admin,user"), "{lease}");
        assert_eq!(given(&world), 0, "{lease}");
        world.pass(HOUR);
        assert_eq!(roles(&fetch(&world, &mut browser)), Some("user"), "{lease}");
        assert_eq!(given(&world), 1, "{lease}");
        assert_eq!(roles(&fetch(&world, &mut browser)), Some("user"), "{lease}");
        world.provider.grants.revoke("alice");
        world.pass(DAY);
        assert_eq!(browser.session(&world)["error"], "RefreshTokenError", "{lease}");
        assert_eq!(open(&world, &mut browser).status, 302, "{lease}");
    }
}

#[test]
fn a_provider_that_is_down_for_an_hour_keeps_no_session_from_being_renewed() {
    let session = json!({ "max_age": "90m", "update_age": "30m" });
    let (world, mut browser) = signed_in(session, "kv", "bob");
    world.provider.goes_down("token");
    for _ in 0..6 {
        world.pass(HOUR);
        assert_eq!(fetch(&world, &mut browser).status, 200);
        assert_eq!(browser.session(&world)["user"]["name"], "bob");
    }
    world.provider.comes_back();
    world.pass(HOUR);
    assert_eq!((fetch(&world, &mut browser).status, given(&world)), (200, 1));
}

#[test]
fn nobody_is_renewed_for_ever_without_the_providers_word() {
    let session = json!({ "max_age": "3d", "update_age": "1d" });
    let (world, mut browser) = signed_in(session, "kv", "bob");
    world.provider.goes_down("token");
    world.pass(DAY + HOUR);
    assert!(fetch(&world, &mut browser).headers.contains("set-cookie"), "an outage of less than a day");
    world.pass(DAY + HOUR);
    let renewed = sealed(&world, &browser)["exp"].clone();
    let answer = fetch(&world, &mut browser);
    assert_eq!((answer.status, answer.headers.contains("set-cookie")), (200, false));
    let shown = browser.session(&world);
    assert_eq!(sealed(&world, &browser)["exp"], renewed);
    assert!(shown["expires"].as_str().is_some());
    world.pass(2 * DAY);
    assert_eq!(fetch(&world, &mut browser).status, 401, "max_age after the last renewal");
}

#[test]
fn a_session_without_a_refresh_token_is_renewed_as_ever() {
    let world = TestEnv::with(site(json!({}), "kv"));
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    for _ in 0..60 {
        world.pass(DAY);
        assert!(fetch(&world, &mut browser).headers.contains("set-cookie"));
    }
    assert_eq!(world.fetches(TOKEN), 1);
}

#[test]
fn an_update_age_of_zero_asks_once_an_hour() {
    let (world, mut browser) = signed_in(json!({ "update_age": "0s" }), "kv", "bob");
    for _ in 0..24 {
        world.pass(Duration::from_mins(5));
        assert!(fetch(&world, &mut browser).headers.contains("set-cookie"));
    }
    assert_eq!(given(&world), 2);
}

#[test]
fn a_strict_provider_is_not_asked_unasked_without_a_lease() {
    for (lease, grants) in [("none", 0), ("kv", 1), ("durable-object", 1)] {
        let mut settings = site(json!({}), lease);
        settings["providers"][0]["strict_rotation"] = json!(true);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.sign_in(&world, "bob", "/");
        world.pass(DAY);
        assert!(fetch(&world, &mut browser).headers.contains("set-cookie"), "{lease}: it is renewed");
        assert_eq!(given(&world), grants, "{lease}");
    }
}

#[test]
fn a_late_cookie_is_confirmed_by_the_time_of_its_tokens() {
    for lease in ["kv", "durable-object"] {
        let (world, mut browser) = signed_in(every_quarter(), lease, "bob");
        let old = browser.cookie_header();
        world.pass(QUARTER);
        fetch(&world, &mut browser);
        let confirmed = sealed(&world, &browser)["revalidated_at"].clone();
        world.pass(QUARTER / 2);
        let other = world.isolate(site(every_quarter(), lease), "here");
        let answers = world.all([sent(&other, &old, SECOND)]);
        assert_eq!((answers[0].status, given(&world)), (200, 1), "{lease}");
        let mut late = Browser::new();
        late.take(&answers[0]);
        assert_eq!(sealed(&world, &late)["revalidated_at"], confirmed, "{lease}");
        world.pass(QUARTER / 2);
        let answers = world.all([sent(&other, &late.cookie_header(), SECOND)]);
        assert_eq!((answers[0].status, given(&world)), (200, 2), "{lease}");
    }
}

#[test]
fn userinfo_that_fails_at_revalidation_still_confirms_the_user() {
    let (world, mut browser) = signed_in(every_quarter(), "kv", "bob");
    world.provider.goes_down("userinfo");
    for _ in 0..4 {
        world.pass(QUARTER);
        assert_eq!(fetch(&world, &mut browser).status, 200);
    }
    assert_eq!((given(&world), world.logged(LogEvent::ClaimsNotRefreshed).len()), (4, 4));
    assert_eq!(world.fetches(USERINFO), 5);
}

#[test]
fn a_sign_out_during_a_revalidation_stays() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(every_quarter(), lease, "bob");
        world.provider.grants.rotation.set(Rotation::None);
        world.pass(QUARTER);
        let cookies = browser.cookie_header();
        let csrf = browser.csrf(&world);
        let cookies_with_csrf = browser.cookie_header();
        world.http.token_time.set(Duration::from_secs(2));
        let sign_out: crate::refresh::Sent<'_> = Box::pin(async {
            world.clock.sleep(Duration::from_millis(500)).await;
            let form = format!("csrfToken={csrf}");
            let headers = [
                ("cookie", cookies_with_csrf.as_str()),
                ("content-type", "application/x-www-form-urlencoded"),
            ];
            world.sent("POST", &format!("{APP}/auth/signout"), &headers, form.as_bytes()).await
        });
        let answers = world.all([sent(&world, &cookies, Duration::ZERO), sign_out]);
        assert_eq!(answers[0].status, 401, "{lease}");
        assert!(!answers[0].headers.contains("set-cookie"), "{lease}");
    }
}

#[test]
fn without_a_refresh_token_a_page_asks_the_provider_through_the_browser() {
    let mut settings = site(every_quarter(), "none");
    settings["verify"] = json!({ "headers": "x-forwarded" });
    let world = TestEnv::in_environment(settings, &|name| match name {
        "AUTH_VERIFY_SECRET" => Some("00112233445566778899aabbccddeeff".to_owned()),
        other => vestibule_testing::environment(other),
    });
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    world.pass(QUARTER.checked_sub(SECOND).unwrap());
    assert_eq!(open(&world, &mut browser).status, 200);
    world.pass(2 * SECOND);
    // A proxy that asks may drop the cookie that this needs.
    let asked = [
        ("x-vestibule-verify", "00112233445566778899aabbccddeeff"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-uri", "/page"),
        ("sec-fetch-mode", "navigate"),
        ("accept", "text/html"),
    ];
    let verified = browser.send(&world, "GET", &format!("{APP}/auth/verify"), &asked, b"");
    assert!(matches!(verified.status, 200 | 204), "{verified:?}");
    assert_eq!(fetch(&world, &mut browser).status, 200, "no script is sent there");
    let answer = open(&world, &mut browser);
    assert!(answer.status == 302 && answer.location().contains("prompt=none"), "{answer:?}");
    assert!(answer.forwarded.is_none());
}

#[test]
fn a_request_waits_five_seconds_for_the_confirmation_that_another_one_asks_for() {
    let (world, browser) = signed_in(every_quarter(), "none", "bob");
    world.pass(QUARTER);
    world.http.token_time.set(SECOND * 9);
    let (cookies, took) = (browser.cookie_header(), std::cell::Cell::new(0));
    let second = Box::pin(async {
        let answer = sent(&world, &cookies, SECOND).await;
        took.set(world.clock.now());
        answer
    });
    let begun = world.clock.now();
    let answers = world.all([sent(&world, &cookies, Duration::ZERO), second]);
    assert_eq!((answers[0].status, answers[1].status), (200, 200));
    let took = took.get() - begun;
    assert!((6000..6100).contains(&took), "{took} ms");
}

#[test]
fn a_session_is_renewed_until_the_provider_has_been_silent_for_a_day() {
    let session = json!({ "max_age": "30d", "update_age": "1h" });
    let silent = u64::try_from((DAY + HOUR).as_millis()).unwrap();
    for (after, is_renewed) in [(silent - 1, true), (silent, false)] {
        let (world, mut browser) = signed_in(session.clone(), "none", "bob");
        let confirmed = sealed(&world, &browser)["signed_in_at"].as_u64().unwrap() * 1000;
        world.provider.answers_raw("token", 503, "text/plain", b"");
        world.http.token_time.set(Duration::ZERO);
        world.store.latency.set([0; 4]);
        world.pass(Duration::from_millis(confirmed + after - world.clock.now()));
        assert_eq!(fetch(&world, &mut browser).headers.contains("set-cookie"), is_renewed, "{after}");
    }
}

/// `update()` of a page: it writes the cookie, so it is a renewal.
fn update(world: &TestEnv, browser: &mut Browser) -> Answer {
    let body = json!({ "csrfToken": browser.csrf(world), "data": {} }).to_string();
    let json = [("content-type", "application/json")];
    browser.send(world, "POST", &format!("{APP}/auth/session"), &json, body.as_bytes())
}

#[test]
fn a_page_that_updates_the_session_each_day_does_not_keep_the_provider_from_being_asked() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(json!({}), lease, "bob");
        for _ in 0..6 {
            world.pass(DAY.checked_sub(HOUR).unwrap());
            assert_eq!(update(&world, &mut browser).status, 200, "{lease}");
        }
        assert_eq!(given(&world), 3, "{lease}: each second one came after a day");
        world.provider.grants.revoke("bob");
        for _ in 0..2 {
            world.pass(DAY.checked_sub(HOUR).unwrap());
            update(&world, &mut browser);
        }
        world.pass(HOUR);
        assert_eq!(browser.session(&world)["error"], "RefreshTokenError", "{lease}");
        assert_eq!(fetch(&world, &mut browser).status, 401, "{lease}: a disabled person is out");
    }
}

#[test]
fn an_update_makes_no_session_longer_that_the_provider_has_not_confirmed() {
    let session = json!({ "max_age": "3d", "update_age": "1d", "updatable": ["theme"] });
    let (world, mut browser) = signed_in(session, "kv", "bob");
    world.provider.goes_down("token");
    world.pass(DAY + HOUR);
    let before = sealed(&world, &browser)["exp"].as_u64();
    assert_eq!(update(&world, &mut browser).status, 200);
    let renewed = sealed(&world, &browser)["exp"].as_u64();
    assert!(renewed > before, "an outage of less than a day");
    for _ in 0..2 {
        world.pass(DAY);
        let answer = update(&world, &mut browser);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(sealed(&world, &browser)["exp"].as_u64(), renewed);
        let shown: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(shown["expires"], browser.session(&world)["expires"]);
    }
    world.pass(DAY + HOUR);
    assert!(browser.session(&world).is_null());
}
