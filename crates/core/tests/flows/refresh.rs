//! `flow/refresh`: new tokens for old ones, and no user is logged out by it. Each test checks a point of
//! `docs/refresh.md`.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::{ErrorSource, Level, LogEvent};
use vestibule_core::time::Timestamp;
use vestibule_testing::rotation::Rotation;
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

const SESSION: &str = "__Secure-authjs.session-token";
pub const LEASES: [&str; 3] = ["none", "kv", "durable-object"];
pub const SECOND: Duration = Duration::from_secs(1);
/// How old the token is when it needs a refresh, and when it has expired.
pub const EXPIRING: Duration = Duration::from_secs(3600 - 30);
pub const EXPIRED: Duration = Duration::from_secs(3600 + 5);

pub fn with_lease(lease: &str) -> Value {
    let mut settings = settings();
    settings["refresh"] = json!({ "lease": lease });
    settings
}

/// With a provider that is known to end the sign-in when a refresh token is used twice.
pub fn with_strict(lease: &str) -> Value {
    let mut settings = with_lease(lease);
    settings["providers"][0]["strict_rotation"] = json!(true);
    settings
}

/// A user who signed in so long ago.
pub fn signed_in(lease: &str, ago: Duration) -> (TestEnv, Browser) {
    signed_in_with(with_lease(lease), ago)
}

/// A user who signed in so long ago at a provider that is known to be strict.
pub fn signed_in_at_strict(lease: &str, ago: Duration) -> (TestEnv, Browser) {
    signed_in_with(with_strict(lease), ago)
}

pub fn signed_in_with(settings: Value, ago: Duration) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    world.pass(ago);
    world.http.token_time.set(Duration::from_millis(200));
    (world, browser)
}

pub type Sent<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

/// A script's request with these cookies.
pub fn sent<'a>(world: &'a TestEnv, cookies: &'a str, after: Duration) -> Sent<'a> {
    Box::pin(async move {
        world.clock.sleep(after).await;
        let headers = [("cookie", cookies), ("sec-fetch-mode", "cors")];
        world.sent("GET", &format!("{APP}/api"), &headers, b"").await
    })
}

/// The bearer token that the upstream got.
pub fn bearer(answer: &Answer) -> Option<&str> {
    let forwarded = answer.forwarded.as_ref()?;
    forwarded.request.headers.get("authorization")?.strip_prefix("Bearer ")
}

pub fn given(world: &TestEnv) -> u32 {
    world.provider.grants.given.get()
}

#[test]
fn one_request_refreshes_and_the_others_go_on_with_the_valid_token() {
    for lease in LEASES {
        let (world, browser) = signed_in(lease, EXPIRING);
        let cookies = browser.cookie_header();
        let answers = world.all((0..20).map(|i| sent(&world, &cookies, Duration::from_millis(i))));
        assert_eq!(given(&world), 1, "{lease}");
        assert_eq!(answers.iter().filter(|answer| bearer(answer) == Some("access-bob~1")).count(), 1);
        assert_eq!(answers.iter().filter(|answer| bearer(answer) == Some("access-bob")).count(), 19);
        // The requests that went on write no cookie: it would be older than the one that is coming.
        assert_eq!(answers.iter().filter(|a| a.headers.contains("set-cookie")).count(), 1, "{lease}");
    }
}

#[test]
fn no_refresh_before_the_leeway_or_where_nothing_needs_the_token() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(lease, Duration::from_secs(3600 - 61));
        browser.fetch(&world, &format!("{APP}/api"));
        browser.session(&world);
        world.pass(Duration::from_secs(66));
        let prefetch = [("sec-purpose", "prefetch;prerender"), ("sec-fetch-mode", "navigate")];
        assert_eq!(browser.send(&world, "GET", &format!("{APP}/api"), &prefetch, b"").status, 503);
        let preflight = [("origin", APP), ("access-control-request-method", "PUT")];
        browser.send(&world, "OPTIONS", &format!("{APP}/api"), &preflight, b"");
        browser.open(&world, &format!("{APP}/about"));
        browser.fetch(&world, &format!("{APP}/auth/csrf"));
        assert_eq!(given(&world), 0, "{lease}");
        let store = &world.store;
        assert_eq!((store.reads.get(), store.writes.get(), store.calls.get()), (0, 0, 0), "{lease}");

        let mut without = with_lease(lease);
        without["session"] = json!({});
        without["upstreams"] =
            json!([{ "to": "https://upstream.example", "headers": { "X-Email": "email" } }]);
        let without = world.isolate(without, "here");
        assert_eq!(browser.fetch(&without, &format!("{APP}/api")).status, 200);
        assert_eq!(browser.session(&without)["user"]["name"], "bob");
        assert_eq!((given(&world), store.reads.get(), store.calls.get()), (0, 0, 0), "{lease}");
    }
}

#[test]
fn a_process_refreshes_once_and_every_request_gets_the_tokens() {
    for lease in LEASES {
        let (world, browser) = signed_in(lease, EXPIRED);
        let cookies = browser.cookie_header();
        let answers = world.all((0..50).map(|i| sent(&world, &cookies, Duration::from_millis(i * 3))));
        assert_eq!((given(&world), world.provider.grants.refused.get()), (1, 0), "{lease}");
        for answer in &answers {
            assert_eq!((answer.status, bearer(answer)), (200, Some("access-bob~1")), "{lease}");
            assert!(answer.headers.contains("set-cookie"));
        }
        // A late request with the old cookie gets the new tokens, too.
        let late = world.all([sent(&world, &cookies, SECOND)]);
        assert_eq!((late[0].status, bearer(&late[0]), given(&world)), (200, Some("access-bob~1"), 1));
        assert!(world.store.writes.get() <= 3, "{lease}: {} writes", world.store.writes.get());
    }
}

#[test]
fn the_slot_of_a_dead_leader_is_taken_over_and_no_request_hangs() {
    for lease in LEASES {
        let (world, browser) = signed_in(lease, EXPIRED);
        let cookies = browser.cookie_header();
        world.jobs.dies_after.set(Some(Duration::ZERO));
        let mut dead = sent(&world, &cookies, Duration::ZERO);
        world.clock.run(async {
            let mut later = Box::pin(world.clock.sleep(Duration::from_millis(50)));
            poll_fn(|context| {
                assert!(dead.as_mut().poll(context).is_pending());
                later.as_mut().poll(context)
            })
            .await;
        });
        // A process that is killed runs no destructors.
        std::mem::forget(dead);
        let begun = world.clock.now();
        let answers = world.all((0..5).map(|i| sent(&world, &cookies, Duration::from_millis(i))));
        assert!(world.clock.now() - begun < 20_000, "{lease}: {} ms", world.clock.now() - begun);
        assert!(answers.iter().all(|answer| bearer(answer) == Some("access-bob~1")), "{lease}");
        assert_eq!(given(&world), 1, "{lease}");
    }
}

#[test]
fn a_client_that_hangs_up_frees_the_slot_and_no_token_is_lost() {
    for lease in LEASES {
        let (world, browser) = signed_in(lease, EXPIRED);
        let cookies = browser.cookie_header();
        let mut hung_up = sent(&world, &cookies, Duration::ZERO);
        world.clock.run(async {
            let mut later = Box::pin(world.clock.sleep(Duration::from_millis(50)));
            poll_fn(|context| {
                assert!(hung_up.as_mut().poll(context).is_pending());
                later.as_mut().poll(context)
            })
            .await;
            // The browser goes away during the refresh.
            drop(hung_up);
        });
        assert_eq!(given(&world), 1, "{lease}: what was begun was ended");
        let late = world.all([sent(&world, &cookies, SECOND)]);
        assert_eq!((bearer(&late[0]), given(&world)), (Some("access-bob~1"), 1), "{lease}");
        // No other response brings the browser its new cookie.
        assert!(late[0].headers.contains("set-cookie"), "{lease}");
        if lease != "none" {
            let other = world.isolate(with_lease(lease), "here");
            let late = world.all([sent(&other, &cookies, SECOND)]);
            assert_eq!((bearer(&late[0]), given(&world)), (Some("access-bob~1"), 1), "{lease}");
        }
    }
}

#[test]
fn a_late_request_with_the_old_cookie_leaves_the_new_one_to_those_that_waited_where_only_the_lock_knows() {
    for (lease, revocation, is_left) in
        [("durable-object", "none", true), ("durable-object", "kv", false), ("kv", "none", false)]
    {
        let what = format!("{lease}, {revocation}");
        let mut settings = with_lease(lease);
        settings["revocation"] = json!({ "store": revocation });
        let (world, browser) = signed_in_with(settings, EXPIRED);
        let cookies = browser.cookie_header();
        let first = world.all([sent(&world, &cookies, Duration::ZERO)]);
        assert!(first[0].headers.contains("set-cookie"), "{what}");
        let calls = world.store.calls.get();
        for (after, is_set) in [(1, !is_left), (3, !is_left), (2, true)] {
            let late = world.all([sent(&world, &cookies, SECOND * after)]);
            assert_eq!((late[0].status, bearer(&late[0])), (200, Some("access-bob~1")), "{what}");
            assert_eq!(late[0].headers.contains("set-cookie"), is_set, "{what}, {after} seconds later");
            assert!(is_set || world.store.calls.get() == calls, "{what}: the lock was asked");
        }
        assert_eq!(given(&world), 1, "{what}");
    }
}

#[test]
fn sessions_share_nothing_even_with_equal_tokens() {
    for lease in LEASES {
        let world = TestEnv::with(with_lease(lease));
        // A provider that gives every user the same refresh token.
        world.provider.alters_answer_at("token", |answer| answer["refresh_token"] = json!("refresh-alice"));
        let mut browsers = [Browser::new(), Browser::new()];
        browsers[0].sign_in(&world, "alice", "/");
        browsers[1].sign_in(&world, "bob", "/");
        world.provider.grants.rotation.set(Rotation::None);
        world.provider.answers_correctly();
        world.pass(EXPIRED);
        world.http.token_time.set(Duration::from_millis(200));
        let cookies = browsers.each_ref().map(Browser::cookie_header);
        let answers = world.all(cookies.iter().map(|cookies| sent(&world, cookies, Duration::ZERO)));
        // Alice gets her own tokens. The response for Bob has Alice's ID token, so it is rejected.
        assert!(bearer(&answers[0]).is_some_and(|token| token.starts_with("access-alice~")), "{lease}");
        assert_eq!((answers[1].status, bearer(&answers[1])), (503, None), "{lease}");
        assert_eq!(given(&world), 2, "{lease}: each asked for itself");
    }
}

#[test]
fn another_process_uses_the_tokens_that_the_lease_holder_published() {
    for lease in ["kv", "durable-object"] {
        let (world, browser) = signed_in(lease, EXPIRED);
        let others: Vec<TestEnv> = (0..3).map(|_| world.isolate(with_lease(lease), "here")).collect();
        let cookies = browser.cookie_header();
        let first = [sent(&world, &cookies, Duration::ZERO)];
        let rest = others.iter().map(|other| sent(other, &cookies, Duration::from_millis(90)));
        let answers = world.all(first.into_iter().chain(rest));
        assert_eq!((given(&world), world.provider.grants.refused.get()), (1, 0), "{lease}");
        for answer in &answers {
            assert_eq!((answer.status, bearer(answer)), (200, Some("access-bob~1")), "{lease}");
        }
    }
}

#[test]
fn an_old_cookie_finds_the_tokens_of_every_later_refresh() {
    for lease in ["kv", "durable-object"] {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        let yesterday = browser.cookie_header();
        for _ in 0..3 {
            assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200);
            world.pass(EXPIRED * 2);
        }
        // A new process, with a cookie of three generations ago.
        let other = world.isolate(with_lease(lease), "here");
        let answers = world.all([sent(&other, &yesterday, Duration::ZERO)]);
        assert_eq!((answers[0].status, bearer(&answers[0])), (200, Some("access-bob~4")), "{lease}");
        assert_eq!(world.provider.grants.refused.get(), 0, "{lease}");
    }
}

#[test]
fn the_stored_tokens_are_unreadable_without_the_secret() {
    for lease in ["kv", "durable-object"] {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        browser.fetch(&world, &format!("{APP}/api"));
        let contents = format!("{:?}", world.store.contents());
        assert!(!contents.contains("access-bob") && !contents.contains("refresh-bob"), "{contents}");
        assert!(contents.contains("eyJ"), "the successor is there, sealed");
        // As a session cookie it does not open.
        let sealed: String = contents.split('"').find(|part| part.starts_with("eyJ")).unwrap().to_owned();
        let mut thief = Browser::new();
        thief.plant(SESSION, sealed.trim_end_matches('\\'));
        assert_eq!(thief.session(&world), Value::Null);
        assert!(!world.log_text().contains("-bob"), "{}", world.log_text());
    }
}

#[test]
fn a_durable_object_lets_one_process_refresh_in_whatever_location() {
    let (world, browser) = signed_in("durable-object", EXPIRED);
    let places = ["here", "there", "elsewhere"];
    let others: Vec<TestEnv> =
        (0..12).map(|i| world.isolate(with_lease("durable-object"), places[i % 3])).collect();
    let cookies = browser.cookie_header();
    let answers = world.all(others.iter().map(|other| sent(other, &cookies, Duration::ZERO)));
    assert_eq!((given(&world), world.provider.grants.refused.get()), (1, 0));
    assert!(answers.iter().all(|answer| bearer(answer) == Some("access-bob~1")), "{answers:?}");
}

#[test]
fn a_late_response_does_not_write_an_older_generation() {
    for lease in LEASES {
        // A request that needs no refresh yet and renews the cookie, while its upstream is slow.
        let (world, browser) = signed_in_with_update_age(lease);
        let cookies = browser.cookie_header();
        let only_one = world.all([sent(&world, &cookies, Duration::ZERO)]);
        assert!(only_one[0].headers.contains("set-cookie"), "{lease}");

        let (world, browser) = signed_in_with_update_age(lease);
        let cookies = browser.cookie_header();
        let both = [Duration::ZERO, Duration::from_secs(5)];
        let answers = world.all(both.map(|after| sent(&world, &cookies, after)));
        assert_eq!((bearer(&answers[0]), bearer(&answers[1])), (Some("access-bob"), Some("access-bob~1")));
        assert!(!answers[0].headers.contains("set-cookie"), "{lease}: the first answer came too late");
        assert!(answers[1].headers.contains("set-cookie"), "{lease}");
    }
}

/// A minute and two seconds before the token expires, with a session that is resealed with every request.
fn signed_in_with_update_age(lease: &str) -> (TestEnv, Browser) {
    let mut settings = with_lease(lease);
    settings["session"]["update_age"] = json!("0s");
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    world.pass(Duration::from_secs(3600 - 62));
    world.forwarder.upstream_time.set(Duration::from_secs(20));
    (world, browser)
}

#[test]
fn invalid_grant_ends_the_session() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        world.provider.grants.revoke("bob");
        let answer = browser.open(&world, &format!("{APP}/deep?q=1"));
        assert_eq!(answer.status, 302, "{lease}");
        assert!(
            answer
                .location()
                .ends_with("/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdeep%3Fq%3D1")
        );
        assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 401, "{lease}");
        let session = browser.session(&world);
        assert_eq!(
            (&session["error"], &session["access_token"]),
            (&json!("RefreshTokenError"), &Value::Null)
        );
        assert_eq!(session["user"]["name"], "bob");
        // The next requests do not ask the provider again.
        assert_eq!(world.provider.grants.refused.get(), 1, "{lease}");
        world.pass(Duration::from_mins(5));
        assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 401, "{lease}");
        // From now on the cookie says it to every process.
        let refused = world.provider.grants.refused.get();
        let other = world.isolate(with_lease(lease), "here");
        assert_eq!(browser.fetch(&other, &format!("{APP}/api")).status, 401, "{lease}");
        assert_eq!(world.provider.grants.refused.get(), refused, "{lease}");
        browser.sign_in(&world, "bob", "/");
        assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200, "{lease}");
        assert_eq!(browser.session(&world)["error"], Value::Null);
    }
}

#[test]
fn published_tokens_are_looked_for_before_a_session_ends() {
    for lease in ["kv", "durable-object"] {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        world.provider.grants.rotation.set(Rotation::Grace(0));
        let cookies = browser.cookie_header();
        browser.fetch(&world, &format!("{APP}/api"));
        world.pass(SECOND);
        let other = world.isolate(with_lease(lease), "here");
        let answers = world.all([sent(&other, &cookies, Duration::ZERO)]);
        assert_eq!((answers[0].status, bearer(&answers[0])), (200, Some("access-bob~1")), "{lease}");
    }
}

#[test]
fn a_temporary_failure_does_not_end_the_session() {
    type Trouble = fn(&TestEnv);
    let troubles: [(&str, Trouble); 6] = [
        ("no connection", |world| world.provider.goes_down("token")),
        ("429", |world| {
            let body = json!({ "error": "slow_down" });
            world.provider.answers_with("token", 429, ("retry-after", "40"), &body);
        }),
        ("503", |world| world.provider.answers_raw("token", 503, "text/html", b"<h1>busy</h1>")),
        ("not JSON", |world| world.provider.answers_raw("token", 200, "text/html", b"<h1>hello</h1>")),
        ("invalid_client", |world| {
            world.provider.answers_raw("token", 401, "application/json", br#"{"error":"invalid_client"}"#);
        }),
        ("the store", |world| world.store.is_down.set(true)),
    ];
    for lease in LEASES {
        for (what, trouble) in troubles.iter().filter(|(what, _)| (*what, lease) != ("the store", "none")) {
            let (world, mut browser) = signed_in(lease, EXPIRING);
            trouble(&world);
            let answer = browser.fetch(&world, &format!("{APP}/api"));
            assert_eq!((answer.status, bearer(&answer)), (200, Some("access-bob")), "{lease}, {what}");
            world.pass(Duration::from_mins(2));
            let answer = browser.open(&world, &format!("{APP}/page"));
            assert_eq!(answer.status, 503, "{lease}, {what}");
            let retry: u64 = answer.headers.get("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&retry), "{lease}, {what}: {retry}");
            let session = browser.session(&world);
            assert_eq!(session["user"]["name"], "bob", "{lease}, {what}");
            assert_eq!(session["access_token"], Value::Null, "no dead token for a page: {lease}, {what}");
            assert!(!world.log_text().contains("access-bob"), "{}", world.log_text());

            world.provider.comes_back();
            world.provider.answers_correctly();
            world.store.is_down.set(false);
            world.pass(Duration::from_mins(3));
            let answer = browser.fetch(&world, &format!("{APP}/api"));
            assert_eq!((answer.status, bearer(&answer)), (200, Some("access-bob~1")), "{lease}, {what}");
        }
    }
}

#[test]
fn retry_after_is_honoured() {
    // The fake clock's time is Sun, 22 Nov 2026 00:00:00 GMT before the sign-in.
    let hour = Timestamp::from_millis(1_795_290_000_000).plus(EXPIRED);
    let (soon, long_ago) = (hour.plus(Duration::from_secs(40)), hour.minus(Duration::from_hours(9)));
    for (value, seconds) in [
        ("40".to_owned(), 40),
        (soon.to_imf_fixdate(), 40),
        (soon.to_imf_fixdate().replace("Sun, ", "Sunday, ").replace(" Nov ", "-Nov-"), 40),
        (long_ago.to_imf_fixdate(), 5),
        ("0".to_owned(), 5),
        ("-40".to_owned(), 5),
        ("1.5".to_owned(), 5),
        ("soon".to_owned(), 5),
        (String::new(), 5),
        ("86400".to_owned(), 600),
        ("99999999999999999999999".to_owned(), 600),
        ("Fri, 31 Dec 9999 23:59:59 GMT".to_owned(), 600),
    ] {
        let (world, mut browser) = signed_in("none", EXPIRED);
        let field = ("retry-after", value.as_str());
        world.provider.answers_with("token", 429, field, &json!({ "error": "slow_down" }));
        let token = "https://idp.example/token";
        let before = world.fetches(token);
        let answer = browser.fetch(&world, &format!("{APP}/api"));
        let retry_after: u64 = answer.headers.get("retry-after").unwrap().parse().unwrap();
        assert!((seconds - 1..=seconds).contains(&retry_after), "{value:?}: {retry_after}");
        world.pass(Duration::from_secs(seconds - 2));
        browser.fetch(&world, &format!("{APP}/api"));
        assert_eq!(world.fetches(token) - before, 1, "{value:?}");
        world.pass(Duration::from_secs(3));
        browser.fetch(&world, &format!("{APP}/api"));
        assert_eq!(world.fetches(token) - before, 2, "{value:?}");
    }
}

#[test]
fn a_wrong_client_secret_is_logged_as_misconfigured_and_ends_no_session() {
    let (world, mut browser) = signed_in("none", EXPIRED);
    world.provider.answers_raw("token", 401, "application/json", br#"{"error":"invalid_client"}"#);
    browser.fetch(&world, &format!("{APP}/api"));
    let lines = world.logged(LogEvent::RefreshMisconfigured);
    let line = lines.first().expect("a line");
    assert_eq!((line.level(), line.error_source()), (Level::Error, ErrorSource::Configuration));
    assert!(line.message().contains("check the client's id, its secret"), "{line}");
}

#[test]
fn a_store_that_hangs_delays_no_request_for_long() {
    for (lease, ago, status) in
        [("kv", EXPIRING, 200), ("durable-object", EXPIRING, 200), ("kv", EXPIRED, 503)]
    {
        let (world, mut browser) = signed_in(lease, ago);
        world.store.hangs.set(true);
        let begun = world.clock.now();
        assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, status, "{lease}");
        assert!(world.clock.now() - begun < 10_000, "{} ms", world.clock.now() - begun);
    }
}

#[test]
fn a_sign_out_during_a_refresh_stays_signed_out() {
    // While the token endpoint works, and while the upstream does; where revocations are stored, and where only the lease
    // learns of the sign-out.
    let cases = [("same", 150), ("same", 1500), ("other", 150), ("other", 1500)];
    for ((isolate, after), are_stored) in cases.into_iter().flat_map(|case| [(case, true), (case, false)]) {
        for lease in LEASES.iter().filter(|lease| (**lease, isolate) != ("none", "other")) {
            let mut settings = with_lease(lease);
            if !are_stored {
                settings["revocation"] = json!({ "store": "none" });
            }
            let (world, mut browser) = signed_in_with(settings.clone(), EXPIRED);
            let csrf = browser.csrf(&world);
            let cookies = browser.cookie_header();
            world.forwarder.upstream_time.set(Duration::from_secs(2));
            let other = world.isolate(settings, "here");
            let signing_out = if isolate == "same" { &world } else { &other };
            let sign_out: Sent<'_> = Box::pin(async {
                world.clock.sleep(Duration::from_millis(after)).await;
                let form = format!("csrfToken={csrf}");
                let headers =
                    [("cookie", cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
                let url = format!("{APP}/auth/signout");
                signing_out.sent("POST", &url, &headers, form.as_bytes()).await
            });
            let answers = world.all([sent(&world, &cookies, Duration::ZERO), sign_out]);
            assert_eq!((answers[1].status, given(&world)), (302, 1), "{lease}");
            browser.take(&answers[1]);
            browser.take(&answers[0]);
            let what = format!("{lease}, {isolate} isolate, {after} ms, stored: {are_stored}");
            assert_eq!(browser.cookie(SESSION), None, "{what}");
        }
    }
}

#[test]
fn a_sign_out_that_only_the_lease_learns_of_ends_no_other_session() {
    for lease in ["kv", "durable-object"] {
        let mut settings = with_lease(lease);
        settings["revocation"] = json!({ "store": "none" });
        let (world, bob) = signed_in_with(settings.clone(), EXPIRED);
        let mut alice = Browser::new();
        alice.sign_in(&world, "alice", "/");
        let csrf = alice.csrf(&world);
        alice.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
        let other = world.isolate(settings, "here");
        let answers = world.all([sent(&other, &bob.cookie_header(), Duration::ZERO)]);
        assert_eq!((answers[0].status, bearer(&answers[0])), (200, Some("access-bob~1")), "{lease}");
    }
}

#[test]
fn who_signed_out_while_the_provider_refused_the_refresh_has_no_session_at_all() {
    let mut settings = with_lease("durable-object");
    settings["revocation"] = json!({ "store": "none" });
    let (world, mut browser) = signed_in_with(settings.clone(), EXPIRED);
    let csrf = browser.csrf(&world);
    let cookies = browser.cookie_header();
    world.provider.grants.revoke("bob");
    let other = world.isolate(settings, "here");
    let sign_out: Sent<'_> = Box::pin(async {
        world.clock.sleep(Duration::from_millis(150)).await;
        let headers = [("cookie", cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let form = format!("csrfToken={csrf}");
        other.sent("POST", &format!("{APP}/auth/signout"), &headers, form.as_bytes()).await
    });
    let answers = world.all([sent(&world, &cookies, Duration::ZERO), sign_out]);
    assert_eq!((answers[0].status, answers[1].status), (401, 302));
    browser.take(&answers[1]);
    browser.take(&answers[0]);
    assert_eq!(browser.cookie(SESSION), None);
}

#[test]
fn a_sign_out_without_a_refresh_token_writes_only_that_the_session_was_revoked() {
    for lease in LEASES {
        let world = TestEnv::with(with_lease(lease));
        world.provider.alters_answer_at("token", |answer| {
            answer.as_object_mut().unwrap().remove("refresh_token");
        });
        let mut browser = Browser::new();
        browser.sign_in(&world, "bob", "/");
        let csrf = browser.csrf(&world);
        browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
        assert_eq!((world.store.writes.get(), world.store.calls.get()), (1, 0), "{lease}");
    }
}

#[test]
fn without_a_new_refresh_token_the_old_one_stays() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        world.provider.grants.rotation.set(Rotation::None);
        for n in 1..=3 {
            let answer = browser.fetch(&world, &format!("{APP}/api"));
            assert_eq!(bearer(&answer), Some(format!("access-bob~{n}").as_str()), "{lease}");
            world.pass(EXPIRED);
        }
    }
}

#[test]
fn a_missing_or_invalid_lifetime_does_not_refresh_in_a_loop() {
    for expires_in in [Value::Null, json!(0), json!(-5), json!("soon")] {
        let (world, mut browser) = signed_in("none", EXPIRED);
        let given_as = expires_in.clone();
        world.provider.alters_answer_at("token", move |answer| answer["expires_in"] = given_as.clone());
        for _ in 0..20 {
            assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200);
            world.pass(Duration::from_secs(10));
        }
        assert_eq!(given(&world), 1, "{expires_in}");
        world.pass(Duration::from_mins(10));
        browser.fetch(&world, &format!("{APP}/api"));
        assert_eq!(given(&world), 2, "{expires_in}");
    }
}

#[test]
fn a_token_with_a_lifetime_below_the_leeway_is_not_refreshed_with_every_request() {
    let (world, mut browser) = signed_in("none", EXPIRED);
    world.provider.alters_answer_at("token", |answer| answer["expires_in"] = json!(30));
    for _ in 0..30 {
        assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200);
        world.pass(SECOND);
    }
    assert!(given(&world) <= 3, "{} grants in 30 seconds", given(&world));
}

#[test]
fn a_lifetime_that_ends_before_the_answer_arrives_costs_one_refresh_a_request() {
    for lease in ["none", "kv", "durable-object"] {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        world.provider.alters_answer_at("token", |answer| answer["expires_in"] = json!(1));
        world.http.document_time.set(SECOND * 2);
        world.http.token_time.set(SECOND * 2);
        for request in 1..=3 {
            assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 503, "{lease}");
            assert_eq!(given(&world), request, "{lease}");
            world.pass(SECOND * 5);
        }
        assert_eq!(browser.session(&world)["user"]["name"], "bob", "{lease}");
    }
}

#[test]
fn a_refresh_with_the_id_token_of_another_user_is_rejected() {
    type Lie = fn(&mut Value);
    let lies: [(&str, Lie); 3] = [
        ("sub", |claims| claims["sub"] = json!("mallory-1")),
        ("iss", |claims| claims["iss"] = json!("https://evil.example")),
        ("aud", |claims| claims["aud"] = json!("somebody-else")),
    ];
    for (claim, lie) in lies {
        let (world, mut browser) = signed_in("none", EXPIRED);
        world.provider.alters_answer_at("refreshed_id_token", lie);
        let answer = browser.fetch(&world, &format!("{APP}/api"));
        assert_eq!((answer.status, bearer(&answer)), (503, None), "{claim}");
        assert!(world.log_text().contains(&format!("\\\"{claim}\\\"")), "{}", world.log_text());
        // The log names users by a hash.
        assert!(
            !["mallory-1", "bob-1"].iter().any(|sub| world.log_text().contains(sub)),
            "{}",
            world.log_text()
        );
        assert_eq!(browser.session(&world)["user"]["name"], "bob", "{claim}");
    }
    let (world, mut browser) = signed_in("none", EXPIRED);
    world.provider.alters_answer_at("id_token_header", |header| header["kid"] = json!("key-9"));
    assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 503, "the signature is invalid");
}

#[test]
fn the_request_that_refreshed_uses_the_new_token_everywhere() {
    for lease in LEASES {
        let mut settings = with_lease(lease);
        settings["upstreams"][0]["forward_session"] = json!(true);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.sign_in(&world, "bob", "/");
        browser.plant("theme", "dark");
        world.pass(EXPIRED);
        let answer = browser.fetch(&world, &format!("{APP}/api"));
        assert_eq!(bearer(&answer), Some("access-bob~1"), "{lease}");
        let forwarded = answer.forwarded.unwrap();
        let cookies = forwarded.request.headers.get("cookie").unwrap();
        let sealed = browser.cookie(SESSION).unwrap();
        assert!(cookies.contains(&format!("{SESSION}={sealed}")), "{cookies}");
        assert!(cookies.contains("theme=dark") && cookies.matches(SESSION).count() == 1, "{cookies}");
        assert_eq!(browser.session(&world)["access_token"], "access-bob~1");
    }
}

#[test]
fn the_token_route_gives_a_fresh_token_if_the_session_exposes_it() {
    let (world, mut browser) = signed_in("kv", EXPIRED);
    let url = format!("{APP}/auth/token");
    let own = [("sec-fetch-site", "same-origin"), ("x-vestibule-token", "1")];
    for wrong in [&own[..1], &own[1..], &[("sec-fetch-site", "cross-site"), own[1]]] {
        assert_eq!(browser.send(&world, "GET", &url, wrong, b"").status, 403);
    }
    assert_eq!(given(&world), 0);
    let answer = browser.send(&world, "GET", &url, &own, b"");
    let token: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &token["access_token"]), (200, &json!("access-bob~1")));
    assert_eq!(token["expires_at"], json!(world.clock.now() / 1000 + 3600));
    assert_eq!(Browser::new().send(&world, "GET", &url, &own, b"").status, 401);

    let mut hidden = settings();
    hidden["session"] = json!({});
    let hidden = world.isolate(hidden, "here");
    assert_ne!(browser.send(&hidden, "GET", &url, &own, b"").status, 200);
}

#[test]
fn new_tokens_are_written_even_if_the_upstream_fails() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        world.forwarder.is_down.set(true);
        assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 502, "{lease}");
        assert_eq!(browser.session(&world)["access_token"], "access-bob~1", "{lease}");
        assert_eq!(given(&world), 1, "{lease}");
    }
}

/// How a session is refreshed where only the lock knows who signed out, in no time.
fn at_the_lock_in_no_time(ago: Duration) -> (TestEnv, Browser) {
    let mut settings = with_lease("durable-object");
    settings["revocation"] = json!({ "store": "none" });
    let (world, browser) = signed_in_with(settings, ago);
    world.store.latency.set([0; 4]);
    world.http.token_time.set(Duration::ZERO);
    (world, browser)
}

#[test]
fn the_request_that_refreshed_gets_the_cookie_and_the_lock_is_asked_again_only_after_a_slow_answer() {
    for (upstream_time, calls) in [(0, 2), (999, 2), (1000, 3), (5000, 3)] {
        let (world, browser) = at_the_lock_in_no_time(EXPIRED);
        world.forwarder.upstream_time.set(Duration::from_millis(upstream_time));
        let cookies = browser.cookie_header();
        let answers = world.all([sent(&world, &cookies, Duration::ZERO)]);
        assert_eq!(bearer(&answers[0]), Some("access-bob~1"), "{upstream_time}");
        assert!(answers[0].headers.contains("set-cookie"), "{upstream_time}");
        assert_eq!(world.store.calls.get(), calls, "{upstream_time}: {:?}", world.store.call_texts);
    }
}

#[test]
fn five_seconds_after_a_refresh_the_old_cookie_is_replaced() {
    for (after, is_set) in [(4999, false), (5000, true)] {
        let (world, browser) = at_the_lock_in_no_time(EXPIRED);
        let cookies = browser.cookie_header();
        world.all([sent(&world, &cookies, Duration::ZERO)]);
        let late = world.all([sent(&world, &cookies, Duration::from_millis(after))]);
        assert_eq!(
            (late[0].headers.contains("set-cookie"), bearer(&late[0])),
            (is_set, Some("access-bob~1"))
        );
    }
}

#[test]
fn the_lock_is_not_asked_for_a_cookie_that_is_renewed_without_new_tokens() {
    let mut settings = with_lease("durable-object");
    settings["revocation"] = json!({ "store": "none" });
    settings["session"]["update_age"] = json!("0s");
    let (world, mut browser) = signed_in_with(settings, SECOND * 60);
    world.forwarder.upstream_time.set(SECOND * 3);
    assert!(browser.fetch(&world, &format!("{APP}/api")).headers.contains("set-cookie"));
    assert_eq!(world.store.calls.get(), 0);
    // An upstream that fails needs no cookie that only renews the session.
    world.forwarder.is_down.set(true);
    let failed = browser.fetch(&world, &format!("{APP}/api"));
    assert_eq!((failed.status, failed.headers.contains("set-cookie")), (502, false));
}

#[test]
fn a_token_is_not_forwarded_at_the_very_moment_of_its_end() {
    for lease in ["none", "durable-object"] {
        let (world, mut browser) = signed_in(lease, Duration::ZERO);
        world.store.latency.set([0; 4]);
        world.http.token_time.set(Duration::ZERO);
        let end = crate::credentials::sealed(&world, &browser)["expires_at"].as_u64().unwrap() * 1000;
        world.pass(Duration::from_millis(end - world.clock.now()));
        world.provider.goes_down("token");
        let answer = browser.fetch(&world, &format!("{APP}/api"));
        assert_eq!((answer.status, answer.forwarded.is_none()), (503, true), "{lease}");
    }
}
