//! `renew = "at-end"`: a provider that ends the old access token when it gives a new one.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testing::{APP, Answer, Browser, TestEnv};

use crate::refresh::{LEASES, Sent, bearer, given, with_lease};

const LIFETIME: Duration = Duration::from_hours(1);

fn at_end(lease: &str) -> Value {
    let mut settings = with_lease(lease);
    settings["providers"][0]["renew"] = json!("at-end");
    settings
}

/// Bob, whose token ends in so long, and the time at which the provider answers the first refresh.
fn signed_in(settings: Value, left: Duration) -> (TestEnv, Browser, Rc<Cell<u64>>) {
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    world.pass(LIFETIME.checked_sub(left).unwrap());
    world.http.token_time.set(Duration::from_millis(200));
    let renewed = Rc::new(Cell::new(0));
    let (clock, seen) = (Rc::clone(&world.platform.clock), Rc::clone(&renewed));
    world.provider.alters_answer_at("token", move |_| {
        if seen.get() == 0 {
            seen.set(clock.now());
        }
    });
    (world, browser, renewed)
}

/// A script's request, and when its upstream got it.
fn sent<'a>(world: &'a TestEnv, cookies: &'a str, after: Duration, at: &'a Cell<u64>) -> Sent<'a> {
    Box::pin(async move {
        world.clock.sleep(after).await;
        let headers = [("cookie", cookies), ("sec-fetch-mode", "cors")];
        let answer = world.sent("GET", &format!("{APP}/api"), &headers, b"").await;
        at.set(world.clock.now());
        answer
    })
}

/// Requests every 100 ms, from three seconds before the token's end to a second after it, on two processes.
fn around_the_end(lease: &str) -> (Vec<(u64, Answer)>, u64, u64, TestEnv) {
    let (world, browser, renewed) = signed_in(at_end(lease), Duration::from_secs(3));
    let end = world.clock.now() + 3000;
    let other = world.isolate(at_end(lease), "here");
    let cookies = browser.cookie_header();
    let times: Vec<Cell<u64>> = (0..40).map(|_| Cell::new(0)).collect();
    let requests = (0..40_u64).zip(&times).map(|(n, at)| {
        let world = if n % 2 == 0 { &world } else { &other };
        sent(world, &cookies, Duration::from_millis(n * 100), at)
    });
    let answers = world.all(requests);
    let answers = times.iter().map(Cell::get).zip(answers).collect();
    (answers, end, renewed.get(), world)
}

#[test]
fn a_provider_that_ends_the_old_access_token_is_asked_just_before_the_end_and_requests_wait_for_the_new_one()
{
    for lease in ["kv", "durable-object"] {
        let (answers, end, renewed, world) = around_the_end(lease);
        assert_eq!((given(&world), world.provider.grants.refused.get()), (1, 0), "{lease}");
        // Some of them end the refresh token together with the access token.
        assert!((end - 1000..end).contains(&renewed), "{lease}: {renewed} {end}");
        for (at, answer) in &answers {
            assert_eq!(answer.status, 200, "{lease}");
            // No upstream gets the old token in the second before the provider ends it, or later.
            let is_old = bearer(answer) == Some("access-bob");
            assert_eq!(is_old, *at < end - 2000, "{lease}: at {at}, end {end}, renewed {renewed}");
        }
        let waited = answers.iter().filter(|(at, _)| (renewed..renewed + 1500).contains(at)).count();
        assert!(waited >= 10, "{lease}: {waited} waited");
    }
}

#[test]
fn a_provider_that_ends_the_old_access_token_is_not_asked_ahead_of_the_end() {
    for lease in LEASES {
        let (world, mut browser, _) = signed_in(at_end(lease), Duration::from_secs(3));
        for url in ["/api", "/auth/session"] {
            browser.fetch(&world, &format!("{APP}{url}"));
        }
        assert_eq!((given(&world), world.store.reads.get(), world.store.calls.get()), (0, 0, 0), "{lease}");
        // The same provider without the setting.
        let early = world.isolate(with_lease(lease), "here");
        browser.fetch(&early, &format!("{APP}/api"));
        assert_eq!(given(&world), 1, "{lease}");
    }
}

#[test]
fn a_provider_that_ends_the_old_access_token_counts_its_time_from_the_request() {
    // The answer takes eight seconds, so the new token ends eight seconds before one hour after the answer.
    let (world, mut browser, _) = signed_in(at_end("kv"), Duration::ZERO);
    world.http.token_time.set(Duration::from_secs(8));
    assert_eq!(bearer(&browser.fetch(&world, &format!("{APP}/api"))), Some("access-bob~1"));
    world.http.token_time.set(Duration::ZERO);
    world.pass(LIFETIME.checked_sub(Duration::from_secs(10)).unwrap());
    let answer = browser.fetch(&world, &format!("{APP}/api"));
    assert_eq!((bearer(&answer), given(&world)), (Some("access-bob~2"), 2));
}

#[test]
fn a_prefetch_in_the_last_second_waits_for_no_renewal() {
    let (world, mut browser, _) = signed_in(at_end("kv"), Duration::from_millis(500));
    let prefetch = [("sec-purpose", "prefetch"), ("sec-fetch-mode", "navigate")];
    assert_eq!(browser.send(&world, "GET", &format!("{APP}/page"), &prefetch, b"").status, 503);
    assert_eq!(given(&world), 0);
}

#[test]
fn a_session_that_is_renewed_while_its_token_is_good_brings_no_new_token() {
    for (renewal, requests) in [("at-end", 0), ("early", 1)] {
        let mut settings = with_lease("kv");
        settings["providers"][0]["renew"] = json!(renewal);
        settings["session"]["update_age"] = json!("10m");
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        world.provider.alters_answer_at("token", |answer| answer["expires_in"] = json!(4 * 3600));
        browser.sign_in(&world, "bob", "/");
        world.pass(LIFETIME * 2);
        assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200);
        assert_eq!(given(&world), requests, "{renewal}");
    }
}
