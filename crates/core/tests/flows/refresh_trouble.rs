//! `flow/refresh` under faults: processes that are killed, stores that fail, wrong clocks, nonsensical responses. Each
//! test checks a point of `docs/refresh.md`.

use std::future::poll_fn;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::rotation::Rotation;
use vestibule_testing::store::WriteLimit;
use vestibule_testing::{APP, Browser, TestEnv};

use crate::refresh::{
    EXPIRED, EXPIRING, LEASES, SECOND, Sent, bearer, given, sent, signed_in, signed_in_at_strict,
    signed_in_with, with_lease, with_strict,
};

/// How long after the sign-in the access token is valid for two seconds more.
const TWO_SECONDS_BEFORE_THE_END: Duration = Duration::from_secs(3598);

/// Sends a request whose process is killed after so long.
pub fn cut_off(world: &TestEnv, cookies: &str, after: Duration) {
    world.jobs.dies_after.set(Some(after));
    let mut dead = sent(world, cookies, Duration::ZERO);
    world.clock.run(async {
        let mut later = Box::pin(world.clock.sleep(after + SECOND / 10));
        poll_fn(|context| {
            assert!(dead.as_mut().poll(context).is_pending());
            later.as_mut().poll(context)
        })
        .await;
    });
    std::mem::forget(dead);
}

/// How many refreshes were granted, and how many were refused.
pub fn grants(world: &TestEnv) -> (u32, u32) {
    (given(world), world.provider.grants.refused.get())
}

#[test]
fn with_a_valid_token_no_request_waits_long_for_a_slow_provider() {
    for lease in LEASES {
        let (world, browser) = signed_in(lease, EXPIRING);
        let cookies = browser.cookie_header();
        world.http.token_time.set(SECOND * 9);
        let begun = world.clock.now();
        let first = async {
            let answer = sent(&world, &cookies, Duration::ZERO).await;
            (answer, world.clock.now() - begun)
        };
        // The refresh goes on to its end, although no request waits for it.
        let (answer, took) = world.clock.run(first);
        assert_eq!((answer.status, bearer(&answer)), (200, Some("access-bob")), "{lease}");
        assert!(took < 4000, "{lease}: {took} ms");
        assert!(!answer.headers.contains("set-cookie"), "{lease}");
        let late = world.all([sent(&world, &cookies, SECOND)]);
        assert_eq!(bearer(&late[0]), Some("access-bob~1"), "{lease}");
        assert_eq!(grants(&world), (1, 0), "{lease}");
    }
}

#[test]
fn a_request_whose_token_ends_while_it_waits_for_an_early_refresh_gets_the_new_one() {
    for lease in LEASES {
        let (world, browser) = signed_in(lease, TWO_SECONDS_BEFORE_THE_END);
        let cookies = browser.cookie_header();
        world.http.token_time.set(SECOND * 9);
        let at = |millis: u64| sent(&world, &cookies, Duration::from_millis(millis));
        let answers = world.all([at(0), at(500), at(1500), at(3000)]);
        let tokens: Vec<_> = answers.iter().map(|answer| (answer.status, bearer(answer))).collect();
        let (old, new) = ((200, Some("access-bob")), (200, Some("access-bob~1")));
        assert_eq!(tokens, [new, old, old, new], "{lease}");
        assert_eq!(grants(&world), (1, 0), "{lease}");
    }
}

#[test]
fn a_request_whose_token_ends_while_the_provider_fails_is_not_forwarded_without_one() {
    for lease in LEASES {
        let (world, browser) = signed_in(lease, TWO_SECONDS_BEFORE_THE_END);
        let cookies = browser.cookie_header();
        world.http.token_time.set(SECOND * 9);
        world.provider.goes_down("token");
        let answers = world.all([sent(&world, &cookies, Duration::ZERO)]);
        assert_eq!((answers[0].status, answers[0].forwarded.is_none()), (503, true), "{lease}");
    }
}

#[test]
fn while_another_process_refreshes_those_with_a_valid_token_ask_once_and_one_without_it_waits() {
    for lease in ["kv", "durable-object"] {
        let asked = |later: &[u64]| {
            let (world, browser) = signed_in(lease, TWO_SECONDS_BEFORE_THE_END);
            let cookies = browser.cookie_header();
            world.http.token_time.set(SECOND * 3);
            let other = world.isolate(with_lease(lease), "here");
            let first = [sent(&world, &cookies, Duration::ZERO), sent(&other, &cookies, SECOND / 2)];
            let later = later.iter().map(|millis| sent(&other, &cookies, Duration::from_millis(*millis)));
            let answers = world.all(first.into_iter().chain(later));
            let answers: Vec<_> =
                answers.iter().map(|answer| (answer.status, bearer(answer).map(str::to_owned))).collect();
            assert_eq!(grants(&world), (1, 0), "{lease}");
            (answers, world.store.reads.get() + world.store.calls.get())
        };
        let old = (200, Some("access-bob".to_owned()));
        let (answers, once) = asked(&[]);
        assert_eq!(answers[1], old, "{lease}");
        let (answers, again) = asked(&[700, 900]);
        assert_eq!((&answers[2], &answers[3], again), (&old, &old, once), "{lease}");
        let new = (200, Some("access-bob~1".to_owned()));
        let (answers, _) = asked(&[2500]);
        assert_eq!(answers[2], new, "{lease}");
        // What the process has learned for a request with a valid token does not count for one without.
        let (answers, _) = asked(&[1900, 2100]);
        assert_eq!((&answers[2], &answers[3]), (&old, &new), "{lease}");
    }
}

#[test]
fn who_comes_again_when_retry_after_says_refreshes() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        world.provider.answers_raw("token", 503, "text/plain", b"");
        let failed = browser.fetch(&world, &format!("{APP}/api"));
        assert_eq!(failed.status, 503, "{lease}");
        let seconds: u32 = failed.headers.get("retry-after").unwrap().parse().unwrap();
        world.provider.answers_correctly();
        world.pass(SECOND * seconds);
        assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200, "{lease}");
    }
}

/// The provider is asked again at the very moment that an outcome ends.
#[test]
fn an_outcome_holds_until_its_time_comes_and_not_a_millisecond_longer() {
    let (world, mut browser) = signed_in("none", EXPIRED);
    world.provider.answers_raw("token", 503, "text/plain", b"");
    world.store.latency.set([0; 4]);
    assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 503);
    world.provider.answers_correctly();
    let end = world.clock.now() + 5000;
    for (at, status) in [(end - 1, 503), (end, 200)] {
        world.pass(Duration::from_millis(at - world.clock.now()));
        assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, status, "{at}");
    }
}

#[test]
fn a_provider_that_is_down_while_a_token_is_about_to_end_keeps_no_session_from_being_renewed() {
    for lease in LEASES {
        let mut settings = with_lease(lease);
        settings["session"] = json!({ "max_age": "2h", "update_age": "30m" });
        let (world, mut browser) = signed_in_with(settings, EXPIRING);
        world.provider.goes_down("token");
        let answer = browser.fetch(&world, &format!("{APP}/api"));
        assert_eq!((answer.status, bearer(&answer)), (200, Some("access-bob")), "{lease}");
        assert!(answer.headers.contains("set-cookie"), "{lease}");
    }
}

#[test]
fn a_refresh_that_failed_frees_the_lease_for_another_process() {
    for lease in ["kv", "durable-object"] {
        let (world, browser) = signed_in_at_strict(lease, EXPIRED);
        let cookies = browser.cookie_header();
        world.http.token_time.set(SECOND * 2);
        world.provider.goes_down("token");
        assert_eq!(world.all([sent(&world, &cookies, Duration::ZERO)])[0].status, 503, "{lease}");
        world.provider.comes_back();
        world.http.token_time.set(Duration::from_millis(200));
        let other = world.isolate(with_strict(lease), "here");
        let begun = world.clock.now();
        let answers = other.all([sent(&other, &cookies, SECOND)]);
        assert_eq!((answers[0].status, bearer(&answers[0])), (200, Some("access-bob~1")), "{lease}");
        let took = world.clock.now() - begun;
        assert!(took < 5000, "{lease}: {took} ms, and not until the lease would have ended");
    }
}

#[test]
fn who_waits_for_a_lease_goes_on_when_it_is_released() {
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    let cookies = browser.cookie_header();
    let other = world.isolate(with_strict("kv"), "here");
    world.http.token_time.set(SECOND * 5);
    world.provider.goes_down("token");
    let begun = world.clock.now();
    let recovery: Sent<'_> = Box::pin(async {
        world.clock.sleep(Duration::from_millis(6500)).await;
        world.provider.comes_back();
        world.http.token_time.set(Duration::from_millis(200));
        sent(&world, "", Duration::ZERO).await
    });
    let answers =
        world.all([sent(&world, &cookies, Duration::ZERO), sent(&other, &cookies, SECOND), recovery]);
    assert_eq!(answers[0].status, 503);
    assert_eq!((answers[1].status, bearer(&answers[1])), (200, Some("access-bob~1")));
    let took = world.clock.now() - begun;
    assert!(took < 8000, "{took} ms, and not until its patience or the lease would have ended");
}

#[test]
fn who_waits_for_a_strict_providers_tokens_reads_no_more_than_where_a_token_may_be_used_again() {
    let reads = |settings: fn(&str) -> Value| {
        let (world, browser) = signed_in_with(settings("kv"), EXPIRED);
        let cookies = browser.cookie_header();
        let other = world.isolate(settings("kv"), "here");
        world.http.token_time.set(SECOND * 3);
        let before = world.store.reads.get();
        let answers = world.all([sent(&world, &cookies, Duration::ZERO), sent(&other, &cookies, SECOND / 2)]);
        assert_eq!(bearer(&answers[1]), Some("access-bob~1"));
        world.store.reads.get() - before
    };
    assert_eq!(reads(with_strict), reads(with_lease));
}

/// What becomes of the tokens where a write takes so long once the lease is held: how many keys are written, and the
/// milliseconds until the process that refreshes and one that waits for it have them.
fn with_slow_writes(write_time: Duration) -> (u64, u64) {
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    let cookies = browser.cookie_header();
    let other = world.isolate(with_strict("kv"), "here");
    let (writes, begun) = (world.store.writes.get(), world.clock.now());
    let slow = Box::pin(async {
        world.clock.sleep(SECOND / 5).await;
        let [cached, uncached, _, call] = world.store.latency.get();
        let write = u64::try_from(write_time.as_millis()).unwrap();
        world.store.latency.set([cached, uncached, write, call]);
        sent(&world, "", Duration::ZERO).await
    });
    let both = [sent(&world, &cookies, Duration::ZERO), sent(&other, &cookies, SECOND / 2)];
    let mut answers = world.all(both.into_iter().chain([slow as Sent<'_>]));
    answers.truncate(2);
    assert_eq!(grants(&world), (1, 0), "{write_time:?}");
    for answer in &answers {
        assert_eq!((answer.status, bearer(answer)), (200, Some("access-bob~1")), "{write_time:?}");
    }
    (world.store.writes.get() - writes, world.clock.now() - begun)
}

#[test]
fn tokens_that_were_written_too_late_for_those_who_wait_are_written_for_them_again() {
    let (writes, took) = with_slow_writes(SECOND * 2);
    assert!(writes <= 4, "the lease, and the tokens three times at most: {writes}");
    assert!(took < 8000, "{took} ms, and not until the patience of the one who waits has ended");
}

#[test]
fn tokens_that_arrive_before_anyone_looks_for_them_are_written_once() {
    for millis in [40, 200, 300, 400] {
        assert_eq!(with_slow_writes(Duration::from_millis(millis)).0, 2, "{millis} ms");
    }
}

#[test]
fn tokens_that_the_store_refuses_three_times_are_not_written_again() {
    for (refusals, is_lost) in [(2, false), (3, true)] {
        let (world, browser) = signed_in("kv", EXPIRED);
        world.store.refuses_writes.set(("next/", refusals));
        let answers = world.all([sent(&world, &browser.cookie_header(), Duration::ZERO)]);
        assert_eq!(bearer(&answers[0]), Some("access-bob~1"));
        let is_logged = !world.logged(LogEvent::RefreshedTokensNotStored).is_empty();
        assert_eq!((is_logged, world.store.refuses_writes.get().1), (is_lost, 0), "{refusals}");
    }
}

#[test]
fn a_refresh_that_fails_at_once_keeps_the_lease_so_that_the_provider_has_a_pause() {
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    let cookies = browser.cookie_header();
    world.store.write_limit.set(WriteLimit::Off);
    world.provider.goes_down("token");
    let before = world.store.writes.get();
    assert_eq!(world.all([sent(&world, &cookies, Duration::ZERO)])[0].status, 503);
    assert_eq!(world.store.writes.get() - before, 1, "the lease is written, and not released");
}

#[test]
fn a_leader_that_waits_for_another_processes_lease_keeps_its_slot() {
    for lease in ["kv", "durable-object"] {
        let (world, browser) = signed_in_at_strict(lease, EXPIRED);
        let cookies = browser.cookie_header();
        // One process acquires the lease, and is killed before it reaches the provider.
        world.http.token_time.set(Duration::from_hours(1));
        let evicted = world.isolate(with_strict(lease), "here");
        cut_off(&evicted, &cookies, Duration::from_millis(200));
        assert_eq!(given(&world), 0, "{lease}");
        // Another process waits for the end of that lease, while further requests arrive.
        world.http.token_time.set(Duration::from_secs(5));
        let waiting = world.isolate(with_strict(lease), "here");
        let times = [0, 14_900, 15_100, 15_300, 15_600, 16_500, 17_500].map(Duration::from_millis);
        let answers = waiting.all(times.map(|after| sent(&waiting, &cookies, after)));
        assert_eq!(grants(&world), (1, 0), "{lease}: one of them went");
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 503), "{lease}: {}", answer.status);
        }
        let late = world.all([sent(&world, &cookies, SECOND)]);
        assert_eq!((late[0].status, bearer(&late[0])), (200, Some("access-bob~1")), "{lease}");
    }
}

#[test]
fn a_provider_that_takes_ten_seconds_for_everything_gets_one_refresh() {
    for lease in ["kv", "durable-object"] {
        let (world, browser) = signed_in_at_strict(lease, EXPIRED);
        let cookies = browser.cookie_header();
        // New processes: metadata, keys and the grant take nine seconds each.
        world.http.document_time.set(Duration::from_secs(9));
        world.http.token_time.set(Duration::from_secs(9));
        let others: Vec<TestEnv> = (0..4).map(|_| world.isolate(with_strict(lease), "here")).collect();
        let times = [0, 4_000, 16_000, 24_000].map(Duration::from_millis);
        let answers = world.all(others.iter().zip(times).map(|(other, after)| sent(other, &cookies, after)));
        assert_eq!(grants(&world), (1, 0), "{lease}");
        assert_eq!(bearer(&answers[0]), Some("access-bob~1"), "{lease}");
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 503), "{lease}: {}", answer.status);
        }
        let late = world.all([sent(&others[3], &cookies, SECOND)]);
        assert_eq!((late[0].status, bearer(&late[0])), (200, Some("access-bob~1")), "{lease}");
    }
}

#[test]
fn a_store_that_fails_once_while_tokens_are_published_loses_nothing() {
    for (lease, part) in [("kv", "write next/"), ("durable-object", "publish")] {
        let (world, browser) = signed_in(lease, EXPIRED);
        let cookies = browser.cookie_header();
        world.store.fails.set((part, 2));
        let other = world.isolate(with_lease(lease), "here");
        let both = [sent(&world, &cookies, Duration::ZERO), sent(&other, &cookies, SECOND / 8)];
        let answers = world.all(both);
        assert_eq!((grants(&world), world.store.fails.get().1), ((1, 0), 0), "{lease}");
        for answer in &answers {
            assert_eq!((answer.status, bearer(answer)), (200, Some("access-bob~1")), "{lease}");
        }
    }
}

#[test]
fn a_lease_written_by_a_wrong_clock_delays_no_request_for_long() {
    let (world, browser) = signed_in("kv", EXPIRED);
    let cookies = browser.cookie_header();
    world.http.token_time.set(Duration::from_hours(1));
    cut_off(&world.isolate(with_lease("kv"), "here"), &cookies, Duration::from_millis(200));
    world.store.leases_end_later(86_400_000);
    world.http.token_time.set(Duration::from_millis(200));
    let other = world.isolate(with_lease("kv"), "here");
    let answers = world.all([sent(&other, &cookies, SECOND * 2)]);
    assert_eq!((answers[0].status, bearer(&answers[0])), (200, Some("access-bob~1")));
}

#[test]
fn a_durable_object_that_moves_during_a_call_is_called_again() {
    for lost in 1..=2 {
        for before in [true, false] {
            let (world, browser) = signed_in("durable-object", EXPIRED);
            let cookies = browser.cookie_header();
            if before {
                world.store.fails.set(("", lost));
            } else {
                world.store.loses_answers.set(lost);
            }
            let others: Vec<TestEnv> =
                (0..3).map(|_| world.isolate(with_lease("durable-object"), "here")).collect();
            let answers = world.all(others.iter().map(|other| sent(other, &cookies, Duration::ZERO)));
            assert_eq!(grants(&world), (1, 0), "{lost} lost, {before}");
            for answer in &answers {
                assert_eq!((answer.status, bearer(answer)), (200, Some("access-bob~1")), "{lost}, {before}");
            }
        }
    }
}

#[test]
fn a_call_that_is_repeated_waits_no_longer_at_the_lock_than_the_first_one_would_have() {
    let (world, mut browser) = signed_in("durable-object", EXPIRED);
    world.store.fails.set(("acquire", 2));
    assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200);
    let texts = world.store.call_texts.borrow();
    let calls = texts.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
    let waits: Vec<u64> = calls
        .filter(|call| call["call"] == "acquire")
        .map(|call| call["wait_for"].as_u64().unwrap())
        .collect();
    // The pauses before the second and the third call count.
    let [first, second, third] = waits.as_slice() else { panic!("{waits:?}") };
    assert!(*first >= 1000 && *second <= first - 100 && *third <= second - 500, "{waits:?}");
}

#[test]
fn tokens_sealed_with_a_removed_secret_are_ignored_and_the_provider_decides() {
    for (rotation, status) in [(Rotation::None, 200), (Rotation::Strict, 401)] {
        let (world, mut browser) = signed_in("durable-object", EXPIRED);
        let before = browser.cookie_header();
        browser.fetch(&world, &format!("{APP}/api"));
        world.store.forgets_its_secret();
        world.provider.grants.rotation.set(rotation);
        let other = world.isolate(with_lease("durable-object"), "here");
        let answers = world.all([sent(&other, &before, SECOND)]);
        assert_eq!(answers[0].status, status, "an end or a token, and no 503 for a week");
    }
}

#[test]
fn retry_after_counts_from_the_time_of_the_response() {
    let (world, browser) = signed_in("none", EXPIRED);
    world.http.token_time.set(SECOND * 9);
    world.provider.goes_down("token");
    let answers = world.all([sent(&world, &browser.cookie_header(), Duration::ZERO)]);
    assert_eq!((answers[0].status, answers[0].headers.get("retry-after")), (503, Some("5")));
}

#[test]
fn a_nonsensical_response_does_not_end_the_session() {
    let tokens = |change: fn(&mut Value)| {
        let mut tokens = json!({
            "access_token": "new", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "next",
        });
        change(&mut tokens);
        tokens
    };
    let remove =
        |name: &'static str| move |answer: &mut Value| drop(answer.as_object_mut().unwrap().remove(name));
    let mut without_token = tokens(|_| {});
    remove("access_token")(&mut without_token);
    let mut without_type = tokens(|_| {});
    remove("token_type")(&mut without_type);
    for answer in [
        without_token,
        without_type,
        tokens(|answer| answer["access_token"] = json!("")),
        tokens(|answer| answer["access_token"] = json!(["new"])),
        tokens(|answer| answer["access_token"] = json!("new\r\nx: y")),
        tokens(|answer| answer["token_type"] = json!("DPoP")),
        tokens(|answer| answer["token_type"] = json!("mac")),
        tokens(|answer| answer["refresh_token"] = json!(7)),
        tokens(|answer| answer["id_token"] = json!("not.a.token")),
        tokens(|answer| answer["id_token"] = json!("eyJhbGciOiJub25lIn0.e30.")),
        json!({ "error": "server_error" }),
        json!({ "error": "temporarily_unavailable" }),
        json!({ "error": 7 }),
        json!({}),
        json!([]),
        json!(null),
        json!("invalid_grant"),
    ] {
        for lease in LEASES {
            let (world, mut browser) = signed_in(lease, EXPIRING);
            let body = serde_json::to_vec(&answer).unwrap();
            world.provider.answers_raw("token", 200, "application/json", &body);
            let living = browser.fetch(&world, &format!("{APP}/api"));
            assert_eq!((living.status, bearer(&living)), (200, Some("access-bob")), "{lease}, {answer}");
            world.pass(Duration::from_mins(2));
            let ended = browser.fetch(&world, &format!("{APP}/api"));
            assert_eq!(ended.status, 503, "{lease}, {answer}");
            assert!(ended.headers.contains("retry-after"), "{lease}, {answer}");
            assert_eq!(browser.session(&world)["user"]["name"], "bob", "{lease}, {answer}");

            world.provider.answers_correctly();
            world.pass(Duration::from_mins(2));
            let well = browser.fetch(&world, &format!("{APP}/api"));
            assert_eq!((well.status, bearer(&well)), (200, Some("access-bob~1")), "{lease}, {answer}");
        }
    }
}

#[test]
fn an_update_of_the_session_while_the_provider_is_down_keeps_the_tokens() {
    for lease in LEASES {
        let mut settings = with_lease(lease);
        settings["session"]["updatable"] = json!(["name"]);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.sign_in(&world, "bob", "/");
        world.pass(EXPIRED);
        let update = |browser: &mut Browser, name: &str| {
            let csrf = browser.csrf(&world);
            let body = json!({ "csrfToken": csrf, "data": { "name": name } }).to_string();
            let headers = [("content-type", "application/json"), ("sec-fetch-mode", "cors")];
            let url = format!("{APP}/auth/session");
            let answer = browser.send(&world, "POST", &url, &headers, body.as_bytes());
            assert_eq!(answer.status, 200, "{lease}");
            serde_json::from_str::<Value>(&answer.body).unwrap()
        };
        world.provider.goes_down("token");
        let seen = update(&mut browser, "Robert");
        assert_eq!(seen["user"]["name"], "Robert", "{lease}");
        assert_eq!(seen["access_token"], Value::Null, "no dead token for a page: {lease}");
        world.provider.comes_back();
        world.pass(SECOND * 10);
        let seen = update(&mut browser, "Rob");
        assert_eq!((&seen["user"]["name"], &seen["access_token"]), (&json!("Rob"), &json!("access-bob~1")));
        // The cookie has the newest tokens, and is written once.
        let session = browser.session(&world);
        assert_eq!(
            (&session["user"]["name"], &session["access_token"]),
            (&json!("Rob"), &json!("access-bob~1"))
        );
        world.provider.grants.revoke("bob");
        world.pass(EXPIRED);
        let seen = update(&mut browser, "Bobby");
        assert_eq!(seen["user"]["name"], "Bobby", "{lease}");
        assert_eq!(seen["access_token"], Value::Null, "{lease}");
    }
}

#[test]
fn an_update_of_a_session_whose_refresh_token_is_invalid_tells_the_browser() {
    let mut settings = with_lease("durable-object");
    settings["session"]["updatable"] = json!(["name"]);
    let (world, mut browser) = signed_in_with(settings.clone(), EXPIRED);
    world.provider.grants.revoke("bob");
    let (csrf, cookies) = (browser.csrf(&world), browser.cookie_header());
    let answer = &world.all([update(&world, &cookies, &csrf, Duration::ZERO)])[0];
    assert_eq!(answer.status, 200);
    browser.take(answer);
    let asked = world.fetches("https://idp.example/token");
    let session = browser.session(&world.isolate(settings, "elsewhere"));
    assert_eq!(
        (&session["user"]["name"], &session["error"]),
        (&json!("Robert"), &json!("RefreshTokenError"))
    );
    assert_eq!(world.fetches("https://idp.example/token"), asked, "it is asked once");
}

/// A page's update of the session, with these cookies.
fn update<'a>(world: &'a TestEnv, cookies: &'a str, csrf: &'a str, after: Duration) -> Sent<'a> {
    Box::pin(async move {
        world.clock.sleep(after).await;
        let body = json!({ "csrfToken": csrf, "data": { "name": "Robert" } }).to_string();
        let headers =
            [("cookie", cookies), ("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
        world.sent("POST", &format!("{APP}/auth/session"), &headers, body.as_bytes()).await
    })
}

#[test]
fn an_update_keeps_the_tokens_of_a_session_that_another_process_may_have_refreshed() {
    let mut settings = with_lease("none");
    settings["session"]["updatable"] = json!(["name"]);
    let (world, mut browser) = signed_in_with(settings.clone(), EXPIRED);
    world.provider.grants.rotation.set(Rotation::Grace(0));
    let other = world.isolate(settings, "elsewhere");
    let refreshed = world.all([sent(&other, &browser.cookie_header(), Duration::ZERO)]);
    assert_eq!(bearer(&refreshed[0]), Some("access-bob~1"));
    let (csrf, cookies) = (browser.csrf(&world), browser.cookie_header());
    let answer = &world.all([update(&world, &cookies, &csrf, Duration::ZERO)])[0];
    assert_eq!((answer.status, grants(&world)), (200, (1, 1)), "the provider refuses the token here");
    let shown: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&shown["user"]["name"], shown.get("access_token")), (&json!("Robert"), None));
    browser.take(answer);
    // Where the new tokens are known, the same cookie leads to them.
    assert_eq!(bearer(&browser.fetch(&other, &format!("{APP}/api"))), Some("access-bob~1"));
    assert_eq!(browser.session(&other)["user"]["name"], "Robert");
}

#[test]
fn an_update_never_puts_older_tokens_in_place_of_newer_ones() {
    for lease in LEASES {
        // The page does not see the token, and the upstream gets it.
        let mut settings = with_strict(lease);
        settings["session"] = json!({ "updatable": ["name"] });
        for (ago, after) in [(EXPIRED, 0), (EXPIRED, 100), (EXPIRING, 100), (EXPIRED, 5000), (EXPIRING, 5000)]
        {
            let (world, mut browser) = signed_in_with(settings.clone(), ago);
            world.provider.grants.rotation.set(Rotation::Grace(0));
            let csrf = browser.csrf(&world);
            let cookies = browser.cookie_header();
            let update = update(&world, &cookies, &csrf, Duration::from_millis(after));
            let answers = world.all([sent(&world, &cookies, Duration::ZERO), update]);
            assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200], "{lease}");
            // The update's answer comes last.
            for answer in &answers {
                browser.take(answer);
            }
            assert_eq!(browser.session(&world)["user"]["name"], "Robert", "{lease}, {ago:?}, {after}");
            world.pass(Duration::from_mins(5));
            let later = browser.fetch(&world, &format!("{APP}/api"));
            assert_eq!(
                (later.status, bearer(&later)),
                (200, Some("access-bob~1")),
                "{lease}, {ago:?}, {after}"
            );
            assert_eq!(grants(&world), (1, 0), "{lease}, {ago:?}, {after}");
        }
    }
}

#[test]
fn a_sign_out_on_another_host_of_the_cookie_domain_stays() {
    for lease in LEASES {
        let mut settings = with_lease(lease);
        settings["cookies"] = json!({ "domain": "example.com" });
        settings["trusted_hosts"] = json!(["app.example.com", "shop.example.com"]);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.sign_in(&world, "bob", "/");
        world.pass(EXPIRED);
        world.http.token_time.set(Duration::from_millis(200));
        let csrf = browser.csrf(&world);
        let cookies = browser.cookie_header();
        let sign_out: Sent<'_> = Box::pin(async {
            world.clock.sleep(Duration::from_millis(150)).await;
            let form = format!("csrfToken={csrf}");
            let headers =
                [("cookie", cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
            let url = "https://shop.example.com/auth/signout";
            world.sent("POST", url, &headers, form.as_bytes()).await
        });
        let answers = world.all([sent(&world, &cookies, Duration::ZERO), sign_out]);
        assert_eq!((answers[1].status, answers[0].status), (302, 401), "{lease}");
        assert!(!answers[0].headers.contains("set-cookie"), "{lease}");
    }
}

#[test]
fn every_form_of_lifetime_is_read_or_gets_a_minimum() {
    for (expires_in, is_renewed_soon) in [
        (json!("3600"), false),
        (json!(" 3600 "), false),
        (json!(3600.9), false),
        (json!(1e300), false),
        (json!("1e400"), false),
        (json!(u64::MAX), false),
        (json!(0.5), true),
        (json!("-1"), true),
        (json!("NaN"), true),
        (json!([3600]), true),
        (json!(true), true),
    ] {
        let (world, mut browser) = signed_in("none", EXPIRED);
        let given_as = expires_in.clone();
        world.provider.alters_answer_at("token", move |answer| answer["expires_in"] = given_as.clone());
        for _ in 0..20 {
            assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200, "{expires_in}");
            world.pass(SECOND * 10);
        }
        assert_eq!(given(&world), 1, "{expires_in}");
        world.pass(Duration::from_mins(10));
        browser.fetch(&world, &format!("{APP}/api"));
        assert_eq!(given(&world), if is_renewed_soon { 2 } else { 1 }, "{expires_in}");
    }
}

#[test]
fn an_empty_refresh_token_counts_as_absent() {
    for empty in [json!(""), Value::Null] {
        let (world, mut browser) = signed_in("none", EXPIRED);
        world.provider.grants.rotation.set(Rotation::None);
        let given_as = empty.clone();
        world.provider.alters_answer_at("token", move |answer| answer["refresh_token"] = given_as.clone());
        for n in 1..=2 {
            let answer = browser.fetch(&world, &format!("{APP}/api"));
            assert_eq!(bearer(&answer), Some(format!("access-bob~{n}").as_str()), "{empty}");
            world.pass(EXPIRED);
        }
    }
}

#[test]
fn a_session_of_several_cookies_is_renewed_as_a_whole() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        // The new token makes three cookies of one, and the next one makes one of three.
        for (round, length) in [(1, 9000), (2, 10), (3, 5000)] {
            world.provider.alters_answer_at("token", move |answer| {
                answer["access_token"] = json!(format!("{round}{}", "x".repeat(length)));
            });
            let answer = browser.fetch(&world, &format!("{APP}/api"));
            assert_eq!(bearer(&answer).map(str::len), Some(length + 1), "{lease}, {round}");
            let names = browser.cookie_names();
            let cookies = names.iter().filter(|name| name.contains("session-token")).count();
            assert_eq!(cookies > 1, length > 1000, "{lease}, {round}: {names:?}");
            let shown = browser.session(&world)["access_token"].as_str().map(str::len);
            assert_eq!(shown, Some(length + 1), "{lease}, {round}");
            world.pass(EXPIRED);
        }
    }
}

#[test]
fn a_late_response_with_fewer_cookies_breaks_no_session() {
    let (world, mut browser) = signed_in("kv", EXPIRED);
    world.provider.alters_answer_at("token", |answer| answer["access_token"] = json!("x".repeat(5000)));
    let first = browser.fetch(&world, &format!("{APP}/api"));
    let session = browser.session(&world)["user"].clone();
    assert_eq!(session["name"], "bob", "{}", first.status);
    // A chunk that a late response with one more cookie left behind.
    let last = browser.cookie_names().iter().filter(|name| name.contains("session-token")).count();
    browser.plant(&format!("__Secure-authjs.session-token.{last}"), "left-over");
    assert_eq!(browser.session(&world)["user"]["name"], "bob");
}

#[test]
fn nobody_waits_longer_than_twenty_seconds_for_a_refresh_or_asks_the_lock_all_the_while() {
    let (world, browser) = signed_in_at_strict("durable-object", EXPIRED);
    let cookies = browser.cookie_header();
    // One process acquires the lease, and is killed. The next one gets it after fifteen seconds, and takes nine for each of
    // the metadata and the grant.
    world.http.token_time.set(Duration::from_hours(1));
    cut_off(&world.isolate(with_strict("durable-object"), "here"), &cookies, Duration::from_millis(200));
    world.http.document_time.set(SECOND * 9);
    world.http.token_time.set(SECOND * 9);
    let [slow, other] = [(); 2].map(|()| world.isolate(with_strict("durable-object"), "here"));
    let begun = world.clock.now();
    let (cookies, clock) = (&*cookies, &world.clock);
    // The body says when the answer came.
    let timed = |process: &str, after: Duration| -> Sent<'_> {
        let process = if process == "slow" { &slow } else { &other };
        Box::pin(async move {
            let mut answer = sent(process, cookies, after).await;
            answer.body = (clock.now() - begun).to_string();
            answer
        })
    };
    let answers = world.all([timed("slow", Duration::ZERO), timed("slow", SECOND), timed("other", SECOND)]);
    let took = |answer: &vestibule_testing::Answer| answer.body.parse::<u64>().unwrap();
    assert!(took(&answers[0]) > 22_000, "it takes longer than the others wait: {}", took(&answers[0]));
    for waiting in &answers[1..] {
        assert_eq!(waiting.status, 503, "{waiting:?}");
        assert!((20_900..21_500).contains(&took(waiting)), "{waiting:?}");
    }
    // The tokens may be there at any moment.
    assert_eq!(answers[1].headers.get("retry-after"), Some("1"));
    assert!(world.store.calls.get() < 12, "{:#?}", world.store.call_texts.borrow());
}

#[test]
fn an_update_is_not_stored_beside_a_refresh_that_takes_longer_than_it_waits() {
    for lease in LEASES {
        let mut settings = with_strict(lease);
        settings["session"] = json!({ "updatable": ["name"] });
        let (world, mut browser) = signed_in_with(settings, EXPIRING);
        let (csrf, cookies) = (browser.csrf(&world), browser.cookie_header());
        world.http.token_time.set(SECOND * 9);
        let updating = update(&world, &cookies, &csrf, Duration::from_millis(100));
        let answers = world.all([sent(&world, &cookies, Duration::ZERO), updating]);
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 503], "{lease}");
        assert_eq!(answers[1].headers.get("retry-after"), Some("1"), "{lease}");
        assert!(!answers[1].headers.contains("set-cookie"), "{lease}: no cookie with the old tokens");
        world.pass(SECOND * 10);
        let again = &world.all([update(&world, &cookies, &csrf, SECOND * 10)])[0];
        assert_eq!(again.status, 200, "{lease}");
        browser.take(again);
        assert_eq!(browser.session(&world)["user"]["name"], "Robert", "{lease}");
        assert_eq!(bearer(&browser.fetch(&world, &format!("{APP}/api"))), Some("access-bob~1"), "{lease}");
        assert_eq!(grants(&world), (1, 0), "{lease}");
    }
}

#[test]
fn a_request_waits_out_its_last_second() {
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    let cookies = browser.cookie_header();
    world.store.latency.set([0; 4]);
    // One process is killed, and its lease lasts longer than anyone waits.
    world.http.token_time.set(Duration::from_hours(1));
    cut_off(&world.isolate(with_strict("kv"), "here"), &cookies, Duration::from_millis(200));
    world.store.leases_end_later(45_000);
    // In another one a request is killed while it waits. Nine seconds after the next one began, that one takes its place.
    let other = world.isolate(with_strict("kv"), "here");
    let begun = world.clock.now();
    cut_off(&other, &cookies, Duration::from_millis(200));
    world.pass(Duration::from_millis(begun + 6000 - world.clock.now()));
    let (begun, answers) = (world.clock.now(), other.all([sent(&other, &cookies, Duration::ZERO)]));
    assert_eq!((answers[0].status, world.clock.now() - begun), (503, 20_000));
}
