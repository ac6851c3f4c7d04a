//! A store that is down, late, or has something else in it: who needs no token passes, and no one is signed out.

use std::time::Duration;

use serde_json::json;
use vestibule_core::log::{ErrorSource, LogEvent};
use vestibule_testing::{APP, Browser, TestEnv};

use super::{api, claims, entries, kept_in, sealed, signed_in, with_lease};
use crate::refresh::{EXPIRED, SECOND, bearer, given};

/// With a page that no upstream needs a token for, besides `/api`.
fn with_plain_pages() -> serde_json::Value {
    let mut settings = kept_in("store");
    settings["session"]["expose"] = json!({ "access_token": "access_token" });
    settings["upstreams"][0].as_object_mut().unwrap().remove("authorization");
    settings["rules"] = json!([
        { "match": "/about", "access": "public", "authorization": "access_token" },
        { "match": "/api", "access": "signed-in", "authorization": "access_token" },
    ]);
    settings
}

#[test]
fn while_the_store_is_down_only_what_needs_a_token_gets_503() {
    let (world, mut browser) = signed_in(with_plain_pages());
    let cookie = browser.cookie_header();
    let other = world.isolate(with_plain_pages(), "here");
    world.store.is_down.set(true);
    for _ in 0..3 {
        let answer = api(&other, &mut browser);
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains("retry-after"));
    }
    assert_eq!(browser.open(&other, &format!("{APP}/page")).status, 200);
    assert_eq!(browser.open(&other, &format!("{APP}/about")).status, 200, "public: without the token");
    let shown = browser.session(&other);
    assert_eq!((&shown["user"]["name"], shown.get("access_token")), (&json!("bob"), None));
    assert_eq!(shown.get("error"), None);
    assert_eq!(world.logged(LogEvent::TokensUnavailable).len(), 1, "once a minute");
    // It is asked once, and then left alone for some seconds.
    assert_eq!(world.store.reads.get(), 1);
    assert_eq!(browser.cookie_header(), cookie, "no one is signed out");
    // The process that knows the tokens needs no store.
    assert_eq!(bearer(&api(&world, &mut browser)), Some("access-bob"));
    world.store.is_down.set(false);
    world.pass(Duration::from_secs(6));
    assert_eq!(bearer(&api(&other, &mut browser)), Some("access-bob"));
    let about = browser.open(&other, &format!("{APP}/about"));
    assert_eq!(bearer(&about), Some("access-bob"));
}

#[test]
fn a_store_that_never_answers_is_waited_for_three_seconds() {
    let (world, mut browser) = signed_in(kept_in("store"));
    let mut settings = kept_in("store");
    settings["revocation"] = json!({ "store": "none" });
    let other = world.isolate(settings, "here");
    world.store.hangs.set(true);
    let begun = world.clock.now();
    assert_eq!(api(&other, &mut browser).status, 503);
    assert!(world.clock.now() - begun <= 4000);
    world.store.hangs.set(false);
    world.pass(Duration::from_secs(6));
    assert_eq!(bearer(&api(&other, &mut browser)), Some("access-bob"));
}

#[test]
fn a_sign_in_while_the_store_is_down_keeps_the_tokens_in_the_cookie_until_the_next_refresh() {
    let world = TestEnv::with(with_lease("store", "none"));
    world.store.is_down.set(true);
    let mut browser = Browser::new();
    assert_eq!(browser.sign_in(&world, "bob", "/").status, 302);
    assert_eq!(claims(&world, &browser)["access_token"], "access-bob");
    assert_eq!(bearer(&api(&world, &mut browser)), Some("access-bob"));
    world.store.is_down.set(false);
    world.pass(EXPIRED);
    assert_eq!(bearer(&api(&world, &mut browser)), Some("access-bob~1"));
    let claims = claims(&world, &browser);
    assert_eq!((claims.contains_key("access_token"), entries(&world).len()), (false, 1));
    // Its key is none that the secret alone gives, or the session's identifier: the derived one, until the next sign-in.
    assert_eq!(claims["token_entry"]["key"].as_str().unwrap().len(), 44);
}

#[test]
fn an_entry_that_is_not_there_is_waited_for_90_seconds_and_then_the_user_signs_in_again() {
    let (world, mut browser) = signed_in(with_plain_pages());
    world.store.loses("tokens/");
    let other = world.isolate(with_plain_pages(), "here");
    for _ in 0..3 {
        let answer = api(&other, &mut browser);
        assert_eq!(answer.status, 503);
        let wait: u64 = answer.headers.get("retry-after").unwrap().parse().unwrap();
        assert!((1..=10).contains(&wait));
        world.pass(Duration::from_secs(27));
    }
    assert!(world.logged(LogEvent::TokensLost).is_empty());
    assert_eq!(browser.open(&other, &format!("{APP}/page")).status, 200);
    world.pass(Duration::from_secs(10));
    assert_eq!(api(&other, &mut browser).status, 401);
    assert!(browser.open(&other, &format!("{APP}/api")).location().contains("prompt=none"));
    assert_eq!(browser.open(&other, &format!("{APP}/page")).status, 200, "for everything else it stays good");
    assert!(!world.logged(LogEvent::TokensLost).is_empty());
}

#[test]
fn without_its_tokens_a_session_lasts_until_the_provider_has_to_confirm_it() {
    let mut settings = with_plain_pages();
    settings["session"]["revalidate"] = json!("15m");
    let (world, mut browser) = signed_in(settings.clone());
    world.store.loses("tokens/");
    let other = world.isolate(settings, "here");
    let page = |browser: &mut Browser| browser.fetch(&other, &format!("{APP}/page")).status;
    world.pass(Duration::from_mins(20));
    assert_eq!(page(&mut browser), 200);
    world.pass(Duration::from_mins(9));
    assert_eq!(page(&mut browser), 200);
    world.pass(Duration::from_mins(2));
    assert_eq!(page(&mut browser), 401);
    assert_eq!(given(&world), 0);
}

#[test]
fn an_entry_that_another_location_sees_late_is_found_within_the_90_seconds() {
    let world = TestEnv::with(kept_in("store"));
    world.store.visible_after.set(Some(59_000));
    // What Workers are told to remember of a read.
    world.store.cache_time.set(30_000);
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    let other = world.isolate(kept_in("store"), "there");
    let begun = world.clock.now();
    loop {
        let answer = api(&other, &mut browser);
        if answer.status == 200 {
            assert_eq!(bearer(&answer), Some("access-bob"));
            break;
        }
        assert_eq!(answer.status, 503);
        assert!(world.clock.now() - begun < 90_000);
        world.pass(Duration::from_secs(7));
    }
}

#[test]
fn garbage_or_the_entry_of_another_session_in_the_store_is_a_new_sign_in_where_a_token_is_needed() {
    for is_garbage in [true, false] {
        let (world, mut browser) = signed_in(with_plain_pages());
        let of_bob = entries(&world).remove(0);
        let mut alice = Browser::new();
        alice.sign_in(&world, "alice", "/");
        let of_alice = entries(&world).into_iter().find(|name| *name != of_bob).unwrap();
        let planted = if is_garbage { "null".to_owned() } else { world.store.value(&of_alice).unwrap().0 };
        world.pass(2 * SECOND);
        world.store.garbles(&of_bob, &planted);
        let other = world.isolate(with_plain_pages(), "here");
        let answer = api(&other, &mut browser);
        assert_eq!(answer.status, 401, "{is_garbage}");
        assert!(answer.body.contains("token_expired") && answer.forwarded.is_none());
        assert_eq!(world.logged(LogEvent::TokensLost).len(), 1);
        // A person is sent to the provider, who need not ask; nothing else changes.
        let redirect = browser.open(&other, &format!("{APP}/api"));
        assert!(redirect.location().contains("prompt=none"), "{}", redirect.location());
        assert_eq!(browser.open(&other, &format!("{APP}/page")).status, 200);
        let shown = browser.session(&other);
        assert_eq!((&shown["user"]["name"], &shown["error"]), (&json!("bob"), &json!("AccessTokenExpired")));
        assert_eq!(bearer(&api(&other, &mut alice)), Some("access-alice"));
    }
}

#[test]
fn the_cookie_of_one_session_does_not_open_the_entry_of_another() {
    let (world, bob) = signed_in(kept_in("store"));
    let mut alice = Browser::new();
    alice.sign_in(&world, "alice", "/");
    let keys = [&bob, &alice].map(|browser| claims(&world, browser)["token_entry"]["key"].clone());
    assert_ne!(keys[0], keys[1]);
    assert_ne!(sealed(&bob), sealed(&alice));
    assert_eq!(entries(&world).len(), 2);
}

#[test]
fn a_refresh_whose_refresh_token_is_lost_signs_no_one_out() {
    for lease in ["none", "kv", "durable-object"] {
        let mut settings = with_plain_pages();
        settings["refresh"] = json!({ "lease": lease });
        let (world, mut browser) = signed_in(settings.clone());
        world.store.loses("tokens/");
        world.pass(EXPIRED);
        let other = world.isolate(settings, "here");
        assert_eq!(api(&other, &mut browser).status, 401, "{lease}");
        assert_eq!(browser.open(&other, &format!("{APP}/page")).status, 200, "{lease}");
        assert_eq!(given(&world), 0, "{lease}");
        assert!(world.logged(LogEvent::RefreshTokenInvalid).is_empty(), "{lease}");
        assert_eq!(claims(&world, &browser).get("error"), None, "{lease}");
    }
}

#[test]
fn a_refresh_whose_refresh_token_cannot_be_read_is_tried_again() {
    let (world, mut browser) = signed_in(with_lease("store", "none"));
    world.pass(EXPIRED);
    let other = world.isolate(with_lease("store", "none"), "here");
    world.store.fails.set(("read tokens/", 1));
    assert_eq!((api(&other, &mut browser).status, given(&world)), (503, 0));
    world.pass(Duration::from_secs(6));
    assert_eq!((bearer(&api(&other, &mut browser)), given(&world)), (Some("access-bob~1"), 1));
}

#[test]
fn a_worker_without_the_store_says_what_is_missing() {
    let (world, mut browser) = signed_in(kept_in("store"));
    let other = world.isolate(kept_in("cookie"), "here");
    world.store.is_missing.set(true);
    assert_eq!(api(&other, &mut browser).status, 503);
    let lines = world.logged(LogEvent::TokensUnavailable);
    assert_eq!(lines[0].error_source(), ErrorSource::Configuration);
    world.store.is_missing.set(false);
    world.pass(Duration::from_secs(6));
    // Where it is bound, the cookie leads to the tokens, whatever this Worker's own configuration says.
    assert_eq!(bearer(&api(&other, &mut browser)), Some("access-bob"));
}

#[test]
fn a_session_whose_tokens_are_lost_is_renewed_for_a_while_as_where_the_provider_does_not_answer() {
    let (world, mut browser) = signed_in(with_plain_pages());
    world.store.loses("tokens/");
    let other = world.isolate(with_plain_pages(), "here");
    world.pass(super::DAY);
    let answer = browser.fetch(&other, &format!("{APP}/page"));
    assert_eq!((answer.status, answer.headers.contains("set-cookie")), (200, true));
    assert_eq!(claims(&world, &browser).get("error"), None);
}

#[test]
fn an_entry_that_begins_later_than_a_clock_could_be_wrong_is_not_on_its_way() {
    for (seconds, status) in [(60, 503), (120, 401)] {
        let (world, mut browser) = signed_in(with_plain_pages());
        world.store.loses("tokens/");
        world.clock.set_back(Duration::from_secs(seconds));
        let other = world.isolate(with_plain_pages(), "here");
        assert_eq!(api(&other, &mut browser).status, status, "{seconds} s");
    }
}

#[test]
fn who_is_signed_in_without_their_tokens_goes_on_to_where_a_link_would_have_led() {
    let mut settings = kept_in("store");
    settings["session"].as_object_mut().unwrap().remove("expose");
    settings["upstreams"][0].as_object_mut().unwrap().remove("authorization");
    let (world, mut browser) = signed_in(settings.clone());
    world.store.loses("tokens/");
    let other = world.isolate(settings, "here");
    world.pass(super::DAY);
    let answer = browser.open(&other, &format!("{APP}/auth/signin/acme?callbackUrl=/dashboard"));
    assert_eq!(answer.location(), format!("{APP}/dashboard"));
}

#[test]
fn a_session_whose_page_needs_a_token_that_is_lost_and_has_expired_is_not_renewed_by_showing_it() {
    let (world, mut browser) = signed_in(with_plain_pages());
    world.store.loses("tokens/");
    let other = world.isolate(with_plain_pages(), "here");
    world.pass(super::DAY);
    let answer = browser.fetch(&other, &format!("{APP}/auth/session"));
    assert!(answer.body.contains("\"bob\"") && !answer.headers.contains("set-cookie"), "{answer:?}");
}

#[test]
fn an_entry_of_a_clock_that_is_exactly_ninety_seconds_ahead_may_be_on_its_way() {
    for (later, status) in [(0, 503), (1, 401)] {
        let (world, mut browser) = signed_in(with_plain_pages());
        world.store.loses("tokens/");
        world.store.latency.set([0; 4]);
        let begins = claims(&world, &browser)["token_entry"]["at"].as_u64().unwrap() * 1000;
        world.clock.set_back(Duration::from_millis(world.clock.now() - begins + 90_000 + later));
        let other = world.isolate(with_plain_pages(), "here");
        assert_eq!(api(&other, &mut browser).status, status, "{later} ms");
    }
}
