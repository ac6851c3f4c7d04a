//! The Worker with several isolates, in one location and in several. The test decides when KV's writes become visible.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use miniflare_test_harness::{Client, Harness, Request, Response};
use serde_json::json;
use vestibule_test_runtimes::{needs, part_needs};
use vestibule_testing::rotation::{Grants, Rotation};

use crate::provider::{self, Provider};
use crate::setup::{
    API, APP, COOKIE, a_session, calls, counting_calls, expire, fetch, fetch_in_parallel, plant, session,
    tabs, worker,
};

const FAR: [&str; 4] = ["FRA", "FRA", "IAD", "SIN"];
const NEAR: [&str; 4] = ["FRA"; 4];

/// Limits the writes to a key like the production service, but for the whole test instead of one second: on a slow machine
/// two isolates may be more than a second apart.
fn limit_writes(harness: &Harness) {
    harness.kv("AUTH_KV").limit_writes(Duration::from_hours(1));
}

fn fifty_over_four_isolates(lease: &str, locations: &[&str; 4]) {
    let provider = Provider::start(APP);
    let (worker, _folder) = counting_calls(worker(provider.issuer(), lease));
    let harness = worker.isolates(locations).start().unwrap();
    if lease == "kv" {
        limit_writes(&harness);
        harness.kv("AUTH_KV").partition_locations();
    }
    let browser = harness.client();
    provider::sign_in(&browser, APP);
    for round in 1..=2 {
        expire(&browser);
        let before = browser.fork();
        let calls_before = calls(&harness);
        let answers = fetch_in_parallel(&harness, tabs(&browser, 50, 4));
        let made = calls(&harness) - calls_before;
        if lease == "durable-object" && part_needs!(OpenStore) {
            // One isolate refreshes, three wait at most.
            assert!((2..=3 + 2).contains(&made), "{made} calls");
        } else {
            assert_eq!(made, 0);
        }
        let new = answers[0].text();
        for answer in &answers {
            assert_eq!((answer.status, answer.text()), (200, new.clone()), "{}", harness.logs().text());
            assert!(answer.set_cookie(COOKIE).is_some());
        }
        assert_eq!(provider.refreshed(), (round, 0), "one refresh, no rejection");
        // A later request with the old cookies gets the refreshed tokens in every isolate.
        for isolate in 0..4 {
            let late = fetch(&harness, &before.fork().at(isolate)).expect_status(200);
            assert_eq!(late.text(), new, "isolate {isolate}");
        }
        assert_eq!(fetch(&harness, &browser).expect_status(200).text(), new);
        assert_eq!(session(&browser)["generation"], json!(round));
    }
    assert_eq!(provider.refreshed(), (2, 0));
}

#[test]
fn four_isolates_in_three_locations_use_a_refresh_token_once_with_a_durable_object() {
    fifty_over_four_isolates("durable-object", &FAR);
}

#[test]
fn four_isolates_in_one_location_use_a_refresh_token_once_with_kv() {
    fifty_over_four_isolates("kv", &NEAR);
}

#[test]
fn partitioned_locations_do_not_end_sessions_if_the_provider_accepts_a_used_token() {
    needs!(Isolates);
    for rotation in [Rotation::None, Rotation::Grace(10_000)] {
        let grants = Arc::new(Mutex::new(Grants::new(rotation)));
        let first = grants.lock().unwrap().begin("ada");
        let behind = Arc::clone(&grants);
        let harness = crate::setup::provider(worker("https://idp.example", "kv"), move |request| {
            refresh_response(&behind.lock().unwrap(), request)
        });
        let harness = harness.isolates(&["FRA", "FRA", "IAD", "IAD"]).start().unwrap();
        limit_writes(&harness);
        harness.kv("AUTH_KV").partition_locations();
        let browser = harness.client();
        plant(&browser, &a_session("the-session", &first, -1));
        let given = || {
            let grants = grants.lock().unwrap();
            (grants.given.get(), grants.refused.get())
        };

        let tabs = tabs(&browser, 50, 4);
        let answers = fetch_in_parallel(&harness, tabs.clone());
        for answer in &answers {
            assert_eq!(answer.status, 200, "{rotation:?}\n{}", harness.logs().text());
            assert!(answer.text().starts_with("Bearer access-ada~"), "{rotation:?}: {}", answer.text());
        }
        assert_eq!(given(), (2, 0), "{rotation:?}: one refresh per location");
        // Every tab continues with its new cookies, and the browser that received none with its old ones.
        for tab in tabs.iter().take(4) {
            fetch(&harness, tab).expect_status(200);
            expire(tab);
        }
        assert!(
            fetch_in_parallel(&harness, tabs.into_iter().take(4).collect())
                .iter()
                .all(|answer| answer.status == 200)
        );
        harness.kv("AUTH_KV").join_locations();
        for isolate in 0..4 {
            fetch(&harness, &browser.fork().at(isolate)).expect_status(200);
        }
        assert_eq!(given().1, 0, "{rotation:?}");
    }
}

/// The four locations of a burst.
const EVERYWHERE: [&str; 4] = ["FRA", "IAD", "SIN", "SYD"];

#[test]
fn twenty_requests_over_four_locations_all_get_new_tokens_under_both_readings_of_kv() {
    needs!(Isolates);
    // How late a write is visible in another location that has not read the key before: never during the burst, or soon.
    let delays = [Duration::from_hours(1), Duration::from_millis(200)];
    for rotation in [Rotation::None, Rotation::Grace(10_000)] {
        for delay in delays {
            for write_interval in [Duration::ZERO, Duration::from_secs(1)] {
                let what = format!("{rotation:?}, {delay:?}, {write_interval:?}");
                let grants = Arc::new(Mutex::new(Grants::new(rotation)));
                let first = grants.lock().unwrap().begin("ada");
                let behind = Arc::clone(&grants);
                let harness = crate::setup::provider(worker("https://idp.example", "kv"), move |request| {
                    refresh_response(&behind.lock().unwrap(), request)
                });
                let harness = harness.isolates(&EVERYWHERE).start().unwrap();
                let kv = harness.kv("AUTH_KV");
                kv.remember_reads(Duration::from_hours(1));
                kv.lag_writes(delay);
                kv.limit_writes(write_interval);
                let browser = harness.client();
                plant(&browser, &a_session("the-session", &first, -1));
                let answers = fetch_in_parallel(&harness, tabs(&browser, 20, 4));
                for answer in &answers {
                    assert_eq!(answer.status, 200, "{what}\n{}", harness.logs().text());
                    assert!(answer.text().starts_with("Bearer access-ada~"), "{what}: {}", answer.text());
                }
                let grants = grants.lock().unwrap();
                assert_eq!((answers.len(), grants.refused.get()), (20, 0), "{what}");
            }
        }
    }
}

/// The response of a provider's token endpoint, whose clock stands still.
fn refresh_response(grants: &Grants, request: &Request) -> Response {
    let token = request.form("refresh_token").unwrap_or_default();
    let Some((grant, serial, next)) = grants.refresh(&token, 0) else {
        return Response::json(&json!({ "error": "invalid_grant" })).with_status(400);
    };
    let mut tokens = json!({
        "access_token": format!("access-{grant}~{serial}"), "token_type": "Bearer", "expires_in": 3600,
    });
    if let Some(next) = next {
        tokens["refresh_token"] = json!(next);
    }
    Response::json(&tokens)
}

/// A strict provider, and a browser whose tokens were refreshed in the first of two locations. Gives the browser with its
/// old cookies, in the second location, and with its new cookies.
fn refreshed_in_another_location() -> (Provider, Harness, Client, Client) {
    let provider = Provider::start(APP);
    let harness = worker(provider.issuer(), "kv").isolates(&["FRA", "IAD"]).start().unwrap();
    limit_writes(&harness);
    harness.kv("AUTH_KV").partition_locations();
    let browser = harness.client();
    provider::sign_in(&browser, APP);
    expire(&browser);
    let before = browser.fork().at(1);
    fetch(&harness, &browser).expect_status(200);
    assert_eq!(provider.refreshed(), (1, 0));
    (provider, harness, before, browser)
}

#[test]
fn refreshed_tokens_that_are_visible_are_used_in_another_location() {
    needs!(Isolates);
    let (provider, harness, before, browser) = refreshed_in_another_location();
    harness.kv("AUTH_KV").join_locations();
    let new = browser.get(API).send().text();
    for answer in fetch_in_parallel(&harness, tabs(&before, 20, 2)) {
        assert_eq!((answer.status, answer.text()), (200, new.clone()));
    }
    assert_eq!(provider.refreshed(), (1, 0));
}

#[test]
fn with_a_strict_provider_refreshed_tokens_that_are_not_visible_yet_end_the_session() {
    needs!(Isolates);
    // The simulation predicts this for two locations before a write is visible. It is the reason for advising a Durable
    // Object.
    let (provider, harness, before, browser) = refreshed_in_another_location();
    let there: Vec<Client> = (0..20).map(|_| before.fork()).collect();
    for answer in fetch_in_parallel(&harness, there) {
        assert_eq!((answer.status, answer.set_cookie(COOKIE)), (401, None), "{}", answer.text());
    }
    assert_eq!(provider.refreshed(), (1, 1), "twenty requests, one rejected refresh");
    let page = before.get(&format!("{APP}/deep?x=1")).navigation().send().expect_status(302);
    assert_eq!(page.location_query("callbackUrl").as_deref(), Some("https://app.example.com/deep?x=1"));
    let shown = before.get(&format!("{APP}/auth/session")).send().expect_status(200).json();
    assert_eq!((&shown["error"], &shown["access_token"]), (&json!("RefreshTokenError"), &json!(null)));
    assert_eq!(provider.refreshed(), (1, 1), "no repeated refresh");

    // The access token in the other location is still valid. When it has expired, that session ends too.
    fetch(&harness, &browser).expect_status(200);
    expire(&browser);
    browser.get(API).send().expect_status(401);
    browser.get(&format!("{APP}/page")).navigation().send().expect_status(302);
    assert_eq!(provider.refreshed(), (1, 2));
    // A new sign-in works in both locations.
    browser.clear_cookies();
    provider::sign_in(&browser, APP);
    for isolate in 0..2 {
        fetch(&harness, &browser.fork().at(isolate)).expect_status(200);
    }
}
