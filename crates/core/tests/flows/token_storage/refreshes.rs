//! Refreshes where the tokens are in the store.

use std::time::Duration;

use serde_json::json;
use vestibule_core::log::LogEvent;
use vestibule_testing::rotation::Rotation;
use vestibule_testing::store::KvReading;
use vestibule_testing::{APP, Browser, TestEnv};

use super::{api, claims, entries, no_token_is_readable, sign_out, signed_in, with_lease};
use crate::refresh::{EXPIRED, LEASES, SECOND, Sent, bearer, given, sent};

/// A user whose access token has expired.
fn expired(lease: &str) -> (TestEnv, Browser) {
    let (world, browser) = signed_in(with_lease("store", lease));
    world.pass(EXPIRED);
    world.http.token_time.set(Duration::from_millis(200));
    (world, browser)
}

#[test]
fn many_processes_refresh_once_and_every_cookie_that_they_set_leads_to_the_new_tokens() {
    for lease in ["kv", "durable-object"] {
        let (world, browser) = expired(lease);
        let isolates: Vec<TestEnv> =
            (0..4).map(|_| world.isolate(with_lease("store", lease), "here")).collect();
        let cookies = browser.cookie_header();
        let requests = isolates.iter().flat_map(|isolate| {
            let cookies = &cookies;
            (0..6).map(move |i| -> Sent<'_> { sent(isolate, cookies, Duration::from_millis(i * 7)) })
        });
        let answers = world.all(requests.collect::<Vec<_>>());
        assert_eq!((given(&world), world.provider.grants.refused.get()), (1, 0), "{lease}");
        assert_eq!(entries(&world).len(), 2, "{lease}: one for each generation");
        no_token_is_readable(&world);
        let mut set = 0;
        for answer in &answers {
            assert_eq!((answer.status, bearer(answer)), (200, Some("access-bob~1")), "{lease}");
            let mut browser = browser.clone();
            browser.take(answer);
            if browser.cookie_header() == cookies {
                continue;
            }
            set += 1;
            assert!(!claims(&world, &browser).contains_key("access_token"), "{lease}");
            // The entry was written before any of them got its cookie.
            let fresh = world.isolate(with_lease("store", lease), "here");
            assert_eq!(bearer(&api(&fresh, &mut browser)), Some("access-bob~1"), "{lease}");
        }
        assert!(set > 0 && given(&world) == 1, "{lease}");
    }
}

#[test]
fn processes_of_several_locations_agree_on_one_generation_in_both_readings_of_the_store() {
    for (reading, lease) in [
        (KvReading::FreshFirstReads, "kv"),
        (KvReading::FreshFirstReads, "durable-object"),
        (KvReading::Delayed, "durable-object"),
    ] {
        let (world, browser) = expired(lease);
        world.store.reading.set(reading);
        world.provider.grants.rotation.set(Rotation::Grace(30_000));
        let places = ["west/a", "west/b", "east/a", "south/a"];
        let isolates: Vec<TestEnv> =
            places.iter().map(|place| world.isolate(with_lease("store", lease), place)).collect();
        let cookies = browser.cookie_header();
        let requests = isolates.iter().map(|isolate| sent(isolate, &cookies, Duration::ZERO));
        let answers = world.all(requests.collect::<Vec<_>>());
        // Who has to refresh reads the old entry first. Where it is not visible yet, it waits.
        let good = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(good > 0 || reading == KvReading::Delayed, "{reading:?} {lease}");
        for answer in answers.iter().filter(|answer| answer.status == 200) {
            assert!(
                bearer(answer).is_some_and(|token| token.starts_with("access-bob~")),
                "{reading:?} {lease}"
            );
        }
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 503)), "{reading:?} {lease}");
        // A little later everybody has tokens, and nobody was signed out.
        world.pass(Duration::from_mins(3));
        for isolate in &isolates {
            let answer = api(isolate, &mut browser.clone());
            assert!(bearer(&answer).is_some_and(|it| it.starts_with("access-bob~")), "{reading:?} {lease}");
        }
        assert_eq!(world.provider.grants.refused.get(), 0, "{reading:?} {lease}");
    }
}

#[test]
fn an_old_cookie_finds_the_newest_tokens() {
    for lease in ["kv", "durable-object"] {
        let (world, mut browser) = expired(lease);
        let old = browser.clone();
        for n in 1..=3 {
            assert_eq!(
                bearer(&api(&world, &mut browser)),
                Some(format!("access-bob~{n}").as_str()),
                "{lease}"
            );
            world.pass(EXPIRED);
        }
        assert_eq!(bearer(&api(&world, &mut browser)), Some("access-bob~4"), "{lease}");
        assert_eq!(entries(&world).len(), 2, "{lease}: older ones are deleted");
        for isolate in [&world, &world.isolate(with_lease("store", lease), "here")] {
            let mut old = old.clone();
            assert_eq!(bearer(&api(isolate, &mut old)), Some("access-bob~4"), "{lease}");
            assert_eq!(claims(&world, &old)["generation"], json!(4));
            // And from then on it is like any other.
            let fresh = world.isolate(with_lease("store", lease), "here");
            assert_eq!(bearer(&api(&fresh, &mut old)), Some("access-bob~4"), "{lease}");
        }
        assert_eq!((given(&world), world.provider.grants.refused.get()), (4, 0), "{lease}");
    }
}

#[test]
fn a_process_that_dies_between_the_entry_and_the_cookie_costs_no_one_the_session() {
    for lease in LEASES {
        for millis in (0..900).step_by(60) {
            let (world, browser) = expired(lease);
            world.provider.grants.rotation.set(Rotation::Grace(120_000));
            let cookies = browser.cookie_header();
            world.jobs.dies_after.set(Some(Duration::from_millis(millis)));
            let mut dead = sent(&world, &cookies, Duration::ZERO);
            world.clock.run(async {
                let mut later = Box::pin(world.clock.sleep(Duration::from_millis(millis + 100)));
                std::future::poll_fn(|context| {
                    let _ = dead.as_mut().poll(context);
                    later.as_mut().poll(context)
                })
                .await;
            });
            std::mem::forget(dead);
            let other = world.isolate(with_lease("store", lease), "here");
            let answers = world.all([sent(&other, &cookies, 20 * SECOND)]);
            let token = bearer(&answers[0]);
            assert!(
                token.is_some_and(|it| it.starts_with("access-bob~")),
                "{lease} {millis}: {:?}",
                answers[0]
            );
            let mut browser = browser.clone();
            browser.take(&answers[0]);
            let fresh = world.isolate(with_lease("store", lease), "here");
            assert_eq!(bearer(&api(&fresh, &mut browser)), token, "{lease} {millis}");
        }
    }
}

#[test]
fn two_processes_that_refresh_at_once_leave_two_entries_and_two_good_cookies() {
    // Without a lease nothing keeps them from it, and the provider accepts it.
    let (world, browser) = expired("none");
    world.provider.grants.rotation.set(Rotation::Grace(30_000));
    let other = world.isolate(with_lease("store", "none"), "there");
    let cookies = browser.cookie_header();
    let answers = world.all([sent(&world, &cookies, Duration::ZERO), sent(&other, &cookies, Duration::ZERO)]);
    assert_eq!((given(&world), entries(&world).len()), (2, 3));
    world.pass(Duration::from_mins(2));
    for answer in &answers {
        let mut browser = browser.clone();
        browser.take(answer);
        assert_eq!(claims(&world, &browser)["generation"], json!(1));
        let fresh = world.isolate(with_lease("store", "none"), "elsewhere");
        assert_eq!(bearer(&api(&fresh, &mut browser)), bearer(answer));
    }
}

#[test]
fn a_sign_out_during_a_refresh_leaves_no_entry() {
    for lease in ["kv", "durable-object"] {
        let (world, browser) = expired(lease);
        world.http.token_time.set(2 * SECOND);
        let cookies = browser.cookie_header();
        let other = world.isolate(with_lease("store", lease), "here");
        let csrf = {
            let mut browser = browser.clone();
            let csrf = browser.csrf(&other);
            (csrf, browser.cookie_header())
        };
        let form = format!("csrfToken={}", csrf.0);
        let signing_out: Sent<'_> = Box::pin(async {
            world.clock.sleep(SECOND).await;
            let headers =
                [("cookie", csrf.1.as_str()), ("content-type", "application/x-www-form-urlencoded")];
            other.sent("POST", &format!("{APP}/auth/signout"), &headers, form.as_bytes()).await
        });
        let answers = world.all([sent(&world, &cookies, Duration::ZERO), signing_out]);
        assert_eq!((answers[0].status, answers[1].status), (401, 302), "{lease}");
        world.clock.run(world.clock.sleep(5 * SECOND));
        assert_eq!(entries(&world), Vec::<String>::new(), "{lease}");
    }
}

#[test]
fn a_refresh_costs_one_write_and_one_deletion_more() {
    let (with_cookie, mut browser) = signed_in(with_lease("cookie", "kv"));
    with_cookie.pass(EXPIRED);
    api(&with_cookie, &mut browser);
    let (world, mut browser) = expired("kv");
    let before = (world.store.writes.get(), world.store.reads.get());
    api(&world, &mut browser);
    assert_eq!(world.store.writes.get() - before.0, with_cookie.store.writes.get() + 1);
    assert_eq!(world.store.reads.get() - before.1, with_cookie.store.reads.get());
    assert_eq!(world.store.deletes.get(), 0, "there is none before the first one");
    world.pass(EXPIRED);
    api(&world, &mut browser);
    world.clock.run(world.clock.sleep(SECOND));
    assert_eq!(world.store.deletes.get(), 1);
}

#[test]
fn where_the_new_entry_cannot_be_written_the_cookie_takes_the_tokens_until_the_next_refresh() {
    for lease in LEASES {
        let (world, mut browser) = expired(lease);
        let old = browser.clone();
        world.store.fails.set(("write tokens/", 1));
        assert_eq!(bearer(&api(&world, &mut browser)), Some("access-bob~1"), "{lease}");
        assert_eq!(world.logged(LogEvent::TokensNotStored).len(), 1, "{lease}");
        let held = claims(&world, &browser);
        assert_eq!(
            (&held["access_token"], held.contains_key("token_entry")),
            (&json!("access-bob~1"), false)
        );
        let other = world.isolate(with_lease("store", lease), "here");
        assert_eq!(bearer(&api(&other, &mut browser)), Some("access-bob~1"), "{lease}");
        world.pass(EXPIRED);
        assert_eq!(bearer(&api(&other, &mut browser)), Some("access-bob~2"), "{lease}");
        assert!(!claims(&world, &browser).contains_key("access_token"), "{lease}");
        if lease != "none" {
            // Over both kinds of generations.
            let fresh = world.isolate(with_lease("store", lease), "here");
            assert_eq!(bearer(&api(&fresh, &mut old.clone())), Some("access-bob~2"), "{lease}");
        }
    }
}

#[test]
fn a_silent_sign_in_leaves_an_entry_of_the_same_session() {
    let (world, mut browser) = signed_in(with_lease("store", "none"));
    world.store.loses("tokens/");
    world.pass(Duration::from_mins(2));
    let fresh = world.isolate(with_lease("store", "none"), "here");
    let before = claims(&world, &browser);
    let redirect = browser.open(&fresh, &format!("{APP}/api"));
    assert!(redirect.location().contains("prompt=none"), "{}", redirect.location());
    let request = vestibule_testing::AuthorizationRequest::read(redirect.location());
    let callback = world.provider.authorize(&request, "bob");
    assert_eq!(browser.open(&fresh, &callback).location(), format!("{APP}/api"));
    let after = claims(&world, &browser);
    assert_eq!((&after["sid"], after["generation"].as_u64()), (&before["sid"], Some(1)));
    assert_eq!(bearer(&api(&fresh, &mut browser)), Some("access-bob"));
    assert_eq!(sign_out(&fresh, &mut browser).status, 302);
    assert_eq!(entries(&world), Vec::<String>::new());
}
