//! `flow/refresh` with a lease in KV, in several locations: under both readings of KV's documentation, with its limits,
//! and with everything that can go wrong in between. Each test checks a point of `docs/refresh.md`.

use std::time::Duration;

use vestibule_core::log::LogEvent;
use vestibule_testing::rotation::Rotation;
use vestibule_testing::store::{KvReading, WriteLimit};
use vestibule_testing::{Answer, Browser, TestEnv};

use crate::refresh::{
    EXPIRED, SECOND, bearer, given, sent, signed_in, signed_in_at_strict, with_lease, with_strict,
};
use crate::refresh_trouble::{cut_off, grants};

/// Four locations, two of which read through the same regional cache.
const PLACES: [&str; 4] = ["here", "there", "west/one", "west/two"];
const READINGS: [KvReading; 2] = [KvReading::Delayed, KvReading::FreshFirstReads];
const LIMITS: [WriteLimit; 3] = [WriteLimit::Off, WriteLimit::InLocation, WriteLimit::Everywhere];
const GRACE: Rotation = Rotation::Grace(10_000);
const MINUTE: Duration = Duration::from_mins(1);

/// What a test of locations varies.
#[derive(Clone, Copy, Debug)]
struct Setting {
    rotation: Rotation,
    reading: KvReading,
    write_limit: WriteLimit,
}

/// Every setting in which a burst is promised to succeed.
fn settings() -> impl Iterator<Item = Setting> {
    [Rotation::None, GRACE].into_iter().flat_map(|rotation| {
        READINGS.into_iter().flat_map(move |reading| {
            LIMITS.into_iter().map(move |write_limit| Setting { rotation, reading, write_limit })
        })
    })
}

/// A user whose access token has expired.
fn expired(setting: Setting) -> (TestEnv, Browser) {
    let (world, browser) = signed_in("kv", EXPIRED);
    world.provider.grants.rotation.set(setting.rotation);
    world.store.reading.set(setting.reading);
    world.store.write_limit.set(setting.write_limit);
    (world, browser)
}

/// Two processes in each of the four locations.
fn processes(world: &TestEnv) -> Vec<TestEnv> {
    (0..8).map(|number| world.isolate(with_lease("kv"), PLACES[number % 4])).collect()
}

/// Twenty requests within 0.4 s, in all four locations.
fn burst(world: &TestEnv, others: &[TestEnv], cookies: &str) -> Vec<Answer> {
    let requests = (0..20).map(|number| {
        let after = Duration::from_millis(number as u64 * 19);
        sent(&others[number * 3 % others.len()], cookies, after)
    });
    world.all(requests)
}

/// The test fails unless all have a new token.
fn assert_all_refreshed(answers: &[Answer], what: &str) {
    for answer in answers {
        assert_eq!(answer.status, 200, "{what}");
        assert!(bearer(answer).is_some_and(|token| token.starts_with("access-bob~")), "{what}: {answer:?}");
    }
}

#[test]
fn every_request_of_a_burst_over_four_locations_gets_a_new_token() {
    for setting in settings() {
        let (world, browser) = expired(setting);
        let cookies = browser.cookie_header();
        let others = processes(&world);
        let begun = world.clock.now();
        let answers = burst(&world, &others, &cookies);
        assert_all_refreshed(&answers, &format!("{setting:?}"));
        assert!(world.clock.now() - begun < 8000, "{setting:?}: {} ms", world.clock.now() - begun);
        assert_eq!(grants(&world).1, 0, "{setting:?}");
        // One grant for each location, except where processes see no lease and may not write one.
        let is_blind = setting.reading == KvReading::Delayed && setting.write_limit == WriteLimit::Everywhere;
        assert!(given(&world) <= if is_blind { 8 } else { 4 }, "{setting:?}: {} grants", given(&world));
        let not_stored = world.logged(LogEvent::RefreshedTokensNotStored);
        assert!(not_stored.is_empty() || is_blind, "{setting:?}");

        // A day later the old cookie finds the new tokens everywhere.
        world.pass(MINUTE * 30);
        let before = given(&world);
        let late: Vec<TestEnv> = PLACES.map(|place| world.isolate(with_lease("kv"), place)).into();
        assert_all_refreshed(&world.all(late.iter().map(|late| sent(late, &cookies, SECOND))), "late");
        assert_eq!(given(&world), before, "{setting:?}");
    }
}

#[test]
fn other_locations_that_see_the_lease_wait_for_its_tokens() {
    for rotation in [Rotation::None, GRACE, Rotation::Strict] {
        for write_limit in LIMITS {
            let reading = KvReading::FreshFirstReads;
            let (world, browser) = expired(Setting { rotation, reading, write_limit });
            let cookies = browser.cookie_header();
            let others = processes(&world);
            // The lease has arrived at the central store when the others look for it.
            let first = [sent(&others[0], &cookies, Duration::ZERO)];
            let rest = (1..20_u32).map(|number| {
                let after = SECOND / 2 + Duration::from_millis(19) * number;
                sent(&others[number as usize % 8], &cookies, after)
            });
            let answers = world.all(first.into_iter().chain(rest));
            assert_all_refreshed(&answers, &format!("{rotation:?}, {write_limit:?}"));
            assert_eq!(grants(&world), (1, 0), "{rotation:?}, {write_limit:?}");
            assert_eq!(world.store.writes.get(), 2, "a lease and the tokens: {rotation:?}, {write_limit:?}");
        }
    }
}

#[test]
fn a_process_that_crashes_before_it_publishes_its_tokens_delays_the_others_and_turns_none_away() {
    // Before it reaches the provider, and after the provider has answered.
    for (crashes_after, used) in [(150, 0), (420, 1)] {
        for setting in settings() {
            let (world, browser) = expired(setting);
            let what = format!("{setting:?}, {crashes_after} ms");
            let cookies = browser.cookie_header();
            // Its first attempt to write the tokens fails, and it does not live to make another.
            world.store.fails.set(("write next/", used));
            cut_off(
                &world.isolate(with_lease("kv"), "there"),
                &cookies,
                Duration::from_millis(crashes_after),
            );
            assert_eq!(given(&world), used, "{what}");
            assert!(world.store.writes.get() == 1, "{what}: only the lease was written");
            assert_all_refreshed(&burst(&world, &processes(&world), &cookies), &what);
            assert_eq!(grants(&world).1, 0, "{what}");
            // Who comes days later finds the tokens of those that took over.
            world.pass(Duration::from_hours(48));
            let before = given(&world);
            let late = world.isolate(with_lease("kv"), "elsewhere");
            assert_eq!(world.all([sent(&late, &cookies, SECOND)])[0].status, 200, "{what}");
            assert!(
                given(&world) <= before + 1 && grants(&world).1 == 0,
                "{what}: only for its own next token"
            );
        }
    }
}

#[test]
fn a_process_that_refreshes_more_slowly_than_others_wait_loses_no_session() {
    for token_time in [3, 5, 8] {
        for setting in settings() {
            let (world, browser) = expired(setting);
            world.http.token_time.set(SECOND * token_time);
            let what = format!("{setting:?}, {token_time} s");
            let cookies = browser.cookie_header();
            assert_all_refreshed(&burst(&world, &processes(&world), &cookies), &what);
            assert_eq!(grants(&world).1, 0, "{what}");
            world.pass(MINUTE * 30);
            let before = given(&world);
            let late = world.isolate(with_lease("kv"), "elsewhere");
            assert_all_refreshed(&world.all([sent(&late, &cookies, SECOND)]), &what);
            assert_eq!(given(&world), before, "{what}");
        }
    }
}

#[test]
fn clocks_that_are_seconds_apart_lose_no_session() {
    for seconds in [1, 3, 30] {
        for ahead in [[0, 1, 0, 1], [1, 0, 1, 0]] {
            for setting in settings() {
                let (world, browser) = expired(setting);
                let cookies = browser.cookie_header();
                let mut others = processes(&world);
                for (number, other) in others.iter_mut().enumerate() {
                    other.platform = other.platform.ahead_by(SECOND * seconds * ahead[number % 4]);
                }
                let what = format!("{setting:?}, {seconds} s, {ahead:?}");
                assert_all_refreshed(&burst(&world, &others, &cookies), &what);
                assert_eq!(grants(&world).1, 0, "{what}");
            }
        }
    }
}

#[test]
fn garbage_in_the_store_counts_as_nothing() {
    for garbage in ["", "null", "{}", "eyJhbGciOiJkaXIifQ.....", "\u{0}\u{fffd}"] {
        for setting in settings() {
            let (world, browser) = expired(setting);
            let what = format!("{setting:?}, {garbage:?}");
            let cookies = browser.cookie_header();
            let others = processes(&world);
            world.all([sent(&others[0], &cookies, Duration::ZERO)]);
            world.store.garbles("next/", garbage);
            world.pass(SECOND);
            // Its own process remembers the tokens; the others do not find them.
            assert_all_refreshed(&burst(&world, &others[1..], &cookies), &what);
            assert_eq!(grants(&world).1, 0, "{what}");
            // Among the garbage are the tokens of those that took over.
            world.pass(MINUTE * 30);
            let before = given(&world);
            let late = world.isolate(with_lease("kv"), "elsewhere");
            assert_all_refreshed(&world.all([sent(&late, &cookies, SECOND)]), &what);
            assert_eq!(given(&world), before, "{what}");

            let (world, browser) = expired(setting);
            let cookies = browser.cookie_header();
            let others = processes(&world);
            cut_off(&others[0], &cookies, SECOND / 5);
            world.store.garbles("lease/", garbage);
            assert_all_refreshed(&burst(&world, &others[1..], &cookies), &what);
        }
    }
}

#[test]
fn who_comes_days_later_reads_the_slots_once_and_refreshes_nothing() {
    for reading in READINGS {
        for place in PLACES {
            let setting = Setting { rotation: GRACE, reading, write_limit: WriteLimit::InLocation };
            let (world, browser) = expired(setting);
            let cookies = browser.cookie_header();
            world.all([sent(&world, &cookies, Duration::ZERO)]);
            world.pass(MINUTE * 30);
            let (reads, writes) = (world.store.reads.get(), world.store.writes.get());
            let late = world.isolate(with_lease("kv"), place);
            let begun = world.clock.now();
            let answers = world.all([sent(&late, &cookies, Duration::ZERO)]);
            assert_eq!(bearer(&answers[0]), Some("access-bob~1"), "{reading:?}, {place}");
            assert!(world.clock.now() - begun < 300, "{} ms", world.clock.now() - begun);
            assert_eq!((given(&world), world.store.writes.get()), (1, writes), "{reading:?}, {place}");
            // The lease, the slots, and whether the user signed out: before the tokens are used, and before the cookie.
            let reads = world.store.reads.get() - reads;
            assert!(reads <= 20, "{reading:?}, {place}: {reads} reads");
        }
    }
}

#[test]
fn a_write_that_the_account_may_not_make_is_no_lease_of_this_location() {
    for setting in settings() {
        // For a moment only: the request tries once more.
        let (world, browser) = expired(setting);
        world.store.refuses_writes.set(("lease/", 1));
        let answers = world.all([sent(&world, &browser.cookie_header(), Duration::ZERO)]);
        assert_all_refreshed(&answers, &format!("{setting:?}"));
        assert!(world.logged(LogEvent::LeaseUnavailable).is_empty(), "{setting:?}");

        // For the rest of the day: the provider accepts a second use, so there is no need for a lease.
        let (world, browser) = expired(setting);
        world.store.refuses_writes.set(("", u32::MAX));
        let begun = world.clock.now();
        let answers = world.all([sent(&world, &browser.cookie_header(), Duration::ZERO)]);
        assert_all_refreshed(&answers, &format!("{setting:?}"));
        assert!(world.clock.now() - begun < 8000, "{setting:?}");
        assert_eq!(world.logged(LogEvent::LeaseUnavailable).len(), 1, "{setting:?}");
        assert_eq!(world.logged(LogEvent::RefreshedTokensNotStored).len(), 1, "{setting:?}");
    }
}

#[test]
fn a_strict_provider_gets_no_refresh_token_without_a_lease() {
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    world.store.refuses_writes.set(("lease/", u32::MAX));
    let answers = world.all([sent(&world, &browser.cookie_header(), Duration::ZERO)]);
    assert_eq!((answers[0].status, answers[0].headers.contains("retry-after")), (503, true));
    assert_eq!((grants(&world), world.logged(LogEvent::LeaseUnavailable).len()), ((0, 0), 1));
    // A second attempt that succeeds gets the lease.
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    world.store.refuses_writes.set(("lease/", 1));
    assert_all_refreshed(&world.all([sent(&world, &browser.cookie_header(), Duration::ZERO)]), "strict");
    assert_eq!(grants(&world), (1, 0));
}

#[test]
fn a_refused_write_is_not_covered_by_the_lease_of_a_process_that_crashed_long_ago() {
    for (strict, status) in [(false, 200), (true, 503)] {
        let (world, browser) =
            if strict { signed_in_at_strict("kv", EXPIRED) } else { signed_in("kv", EXPIRED) };
        let cookies = browser.cookie_header();
        let settings = if strict { with_strict("kv") } else { with_lease("kv") };
        // Its lease stays in the store after its end.
        cut_off(&world.isolate(settings.clone(), "here"), &cookies, SECOND / 5);
        assert_eq!(world.store.writes.get(), 1, "the lease was written");
        world.pass(MINUTE);
        world.store.refuses_writes.set(("lease/", u32::MAX));
        let other = world.isolate(settings, "here");
        let begun = world.clock.now();
        let answers = world.all([sent(&other, &cookies, Duration::ZERO)]);
        assert_eq!((answers[0].status, given(&world)), (status, u32::from(!strict)), "strict: {strict}");
        assert!(world.clock.now() - begun < 8000, "strict: {strict}");
        assert_eq!(world.logged(LogEvent::LeaseUnavailable).len(), 1, "strict: {strict}");
    }
}

#[test]
fn no_process_takes_over_a_strict_providers_refresh_before_its_lease_ends() {
    for token_time in [3, 5, 9] {
        let (world, browser) = signed_in_at_strict("kv", EXPIRED);
        world.store.reading.set(KvReading::FreshFirstReads);
        world.http.token_time.set(SECOND * token_time);
        let cookies = browser.cookie_header();
        let others: Vec<TestEnv> =
            (0..8).map(|number| world.isolate(with_strict("kv"), PLACES[number % 4])).collect();
        let first = [sent(&others[0], &cookies, Duration::ZERO)];
        let rest = others[1..].iter().map(|other| sent(other, &cookies, SECOND / 2));
        let answers = world.all(first.into_iter().chain(rest));
        assert_all_refreshed(&answers, &format!("{token_time} s"));
        assert_eq!(grants(&world), (1, 0), "{token_time} s");
    }
    // If that process crashed, another one of its location takes over when the lease has ended. Other locations cannot
    // know that there are no tokens.
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    world.store.reading.set(KvReading::FreshFirstReads);
    let cookies = browser.cookie_header();
    cut_off(&world.isolate(with_strict("kv"), "there"), &cookies, SECOND / 5);
    world.pass(SECOND);
    let [here, there] = ["here", "there"].map(|place| world.isolate(with_strict("kv"), place));
    let answers = world.all([&here, &there].map(|other| sent(other, &cookies, Duration::ZERO)));
    assert_eq!((answers[0].status, answers[1].status, grants(&world)), (503, 200, (1, 0)));
}

#[test]
fn those_who_wait_find_the_tokens_of_a_process_that_succeeds_only_at_its_second_attempt() {
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    world.store.reading.set(KvReading::FreshFirstReads);
    let cookies = browser.cookie_header();
    world.provider.answers_raw("token", 503, "text/plain", b"");
    let [first, other] = ["here", "here"].map(|place| world.isolate(with_strict("kv"), place));
    let failed = world.all([sent(&first, &cookies, Duration::ZERO)]);
    assert_eq!((failed[0].status, grants(&world)), (503, (0, 0)));
    world.provider.answers_correctly();
    // The other one waits for the lease, and has looked at the first slots when the first one tries again.
    let answers =
        world.all([sent(&first, &cookies, SECOND * 5), sent(&other, &cookies, Duration::from_millis(500))]);
    assert_all_refreshed(&answers, "both");
    assert_eq!(grants(&world), (1, 0));
}

#[test]
fn those_who_wait_find_the_tokens_of_a_process_that_reads_the_provider_s_metadata_slowly() {
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    world.store.reading.set(KvReading::FreshFirstReads);
    // It acquires the lease again, because too little of it may be left, and its tokens still come where the others look for
    // them by the lease that they have seen.
    world.http.document_time.set(SECOND * 2);
    let cookies = browser.cookie_header();
    let [first, other] = ["here", "there"].map(|place| world.isolate(with_strict("kv"), place));
    let answers = world
        .all([sent(&first, &cookies, Duration::ZERO), sent(&other, &cookies, Duration::from_millis(500))]);
    assert_all_refreshed(&answers, "both");
    assert_eq!(grants(&world), (1, 0));
}

#[test]
fn a_lease_that_has_ended_delays_no_tokens_of_the_next_one() {
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    world.store.reading.set(KvReading::FreshFirstReads);
    let cookies = browser.cookie_header();
    world.provider.answers_raw("token", 503, "text/plain", b"");
    let [first, other] = ["here", "here"].map(|place| world.isolate(with_strict("kv"), place));
    world.all([sent(&first, &cookies, Duration::ZERO)]);
    world.provider.answers_correctly();
    world.pass(SECOND * 17);
    let begun = world.clock.now();
    let answers = world
        .all([sent(&first, &cookies, Duration::ZERO), sent(&other, &cookies, Duration::from_millis(300))]);
    assert_all_refreshed(&answers, "both");
    assert!(world.clock.now() - begun < 1500, "{} ms", world.clock.now() - begun);
    assert_eq!(grants(&world), (1, 0));
}

#[test]
fn a_store_that_is_too_slow_for_every_slot_is_given_the_tokens_three_times() {
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    let [cached, uncached, _, call] = world.store.latency.get();
    world.store.latency.set([cached, uncached, 1200, call]);
    let answers = world.all([sent(&world, &browser.cookie_header(), Duration::ZERO)]);
    assert_all_refreshed(&answers, "slow");
    assert_eq!((world.store.writes.get(), grants(&world)), (4, (1, 0)), "a lease, and the tokens");
}

#[test]
fn a_refused_write_is_no_lease_where_another_process_has_just_written_one() {
    let (world, browser) = signed_in_at_strict("kv", EXPIRED);
    world.store.reading.set(KvReading::FreshFirstReads);
    world.store.write_limit.set(WriteLimit::InLocation);
    let cookies = browser.cookie_header();
    let [first, other] = ["here", "here"].map(|place| world.isolate(with_strict("kv"), place));
    // Both find no lease, and the second may not write one so soon after the first.
    let answers = world
        .all([sent(&first, &cookies, Duration::ZERO), sent(&other, &cookies, Duration::from_millis(20))]);
    assert_all_refreshed(&answers, "both");
    assert_eq!(grants(&world), (1, 0));
}

#[test]
fn who_waits_reads_the_lease_again_only_where_the_refresh_takes_longer_than_the_others_are_to_wait() {
    // The second and third time the tokens are under the slot of seven seconds: the one before it, this one, and the lease.
    for (token_time, reads) in [(3000, 12), (4100, 15), (6000, 15)] {
        let (world, browser) = signed_in_at_strict("kv", EXPIRED);
        world.store.reading.set(KvReading::FreshFirstReads);
        world.http.token_time.set(Duration::from_millis(token_time));
        let cookies = browser.cookie_header();
        let [first, other] = ["here", "there"].map(|place| world.isolate(with_strict("kv"), place));
        let answers = world.all([
            sent(&first, &cookies, Duration::ZERO),
            sent(&other, &cookies, Duration::from_millis(500)),
        ]);
        assert_all_refreshed(&answers, "both");
        assert_eq!(world.store.reads.get(), reads, "{token_time} ms");
    }
}

#[test]
fn a_used_token_ends_no_session_while_the_tokens_of_another_location_may_be_on_their_way() {
    let (world, browser) = signed_in("kv", EXPIRED);
    // A provider that rejects a second use and revokes nothing.
    world.provider.grants.rotation.set(Rotation::Grace(0));
    world.store.reading.set(KvReading::FreshFirstReads);
    let cookies = browser.cookie_header();
    world.all([sent(&world.isolate(with_lease("kv"), "there"), &cookies, Duration::ZERO)]);
    world.store.garbles("next/", "not visible here yet");
    world.pass(SECOND * 20);
    let answers = world.all([sent(&world, &cookies, Duration::ZERO)]);
    assert_eq!(
        (answers[0].status, grants(&world)),
        (503, (1, 1)),
        "it was refused, and may still be renewed"
    );
    world.pass(MINUTE * 3);
    let answers = world.all([sent(&world, &cookies, Duration::ZERO)]);
    assert_eq!((answers[0].status, grants(&world)), (401, (1, 2)));
}

#[test]
fn two_locations_that_refresh_at_once_both_go_on_if_the_provider_only_rejects_the_second() {
    for offset in [10, 20, 60, 120] {
        let (world, browser) = signed_in("kv", EXPIRED);
        world.provider.grants.rotation.set(Rotation::Grace(0));
        world.store.reading.set(KvReading::FreshFirstReads);
        let cookies = browser.cookie_header();
        let [here, there] = ["here", "there"].map(|place| world.isolate(with_lease("kv"), place));
        let first = sent(&here, &cookies, Duration::ZERO);
        let answers = world.all([first, sent(&there, &cookies, Duration::from_millis(offset))]);
        assert_eq!((bearer(&answers[0]), bearer(&answers[1])), (Some("access-bob~1"), Some("access-bob~1")));
        assert_eq!(given(&world), 1, "{offset} ms");
    }
}
