//! The Worker as several isolates, in one location and in several. KV's lag is released by the test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use miniflare_test_harness::{Client, Harness, Request, Response};
use serde_json::json;
use vestibule_testing::rotation::{Grants, Rotation};

use crate::provider::{self, Provider};
use crate::setup::{API, APP, COOKIE, a_session, at_once, expire, fetch, plant, session, tabs, worker};

const FAR: [&str; 4] = ["FRA", "FRA", "IAD", "SIN"];
const NEAR: [&str; 4] = ["FRA"; 4];

/// KV as it is in production, but that its limit of one write a second to a key lasts as long as the test: two
/// isolates of a slow machine may be more than a second apart.
fn limit_writes(harness: &Harness) {
    harness.kv("AUTH_KV").limit_writes(Duration::from_hours(1));
}

fn fifty_over_four_isolates(lease: &str, locations: &[&str; 4]) {
    let provider = Provider::start(APP);
    let harness = worker(provider.issuer(), lease).isolates(locations).start().unwrap();
    if lease == "kv" {
        limit_writes(&harness);
        harness.kv("AUTH_KV").partition_locations();
    }
    let browser = harness.client();
    provider::sign_in(&browser, APP);
    for round in 1..=2 {
        expire(&browser);
        let before = browser.fork();
        let answers = at_once(&harness, tabs(&browser, 50, 4));
        let new = answers[0].text();
        for answer in &answers {
            assert_eq!((answer.status, answer.text()), (200, new.clone()), "{}", harness.logs().text());
            assert!(answer.set_cookie(COOKIE).is_some());
        }
        assert_eq!(provider.refreshed(), (round, 0), "one grant, none refused");
        // The next request, wherever it goes, whether or not its browser got an answer.
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
fn point_4_four_isolates_in_three_locations_use_one_refresh_token_once_with_a_durable_object() {
    fifty_over_four_isolates("durable-object", &FAR);
}

#[test]
fn point_3_four_isolates_of_one_location_use_one_refresh_token_once_with_kv() {
    fifty_over_four_isolates("kv", &NEAR);
}

#[test]
fn point_3_two_locations_that_know_nothing_of_each_other_lose_nobody_where_a_used_token_works() {
    for rotation in [Rotation::None, Rotation::Grace(10_000)] {
        let grants = Arc::new(Mutex::new(Grants::new(rotation)));
        let first = grants.lock().unwrap().begin("ada");
        let behind = Arc::clone(&grants);
        let harness = crate::setup::provider(worker("https://idp.example", "kv"), move |request| {
            renewed(&behind.lock().unwrap(), request)
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
        let answers = at_once(&harness, tabs.clone());
        for answer in &answers {
            assert_eq!(answer.status, 200, "{rotation:?}\n{}", harness.logs().text());
            assert!(answer.text().starts_with("Bearer access-ada~"), "{rotation:?}: {}", answer.text());
        }
        assert_eq!(given(), (2, 0), "{rotation:?}: one for each location");
        // Every tab goes on with what it got, and the browser that got nothing too.
        for tab in tabs.iter().take(4) {
            fetch(&harness, tab).expect_status(200);
            expire(tab);
        }
        assert!(
            at_once(&harness, tabs.into_iter().take(4).collect()).iter().all(|answer| answer.status == 200)
        );
        harness.kv("AUTH_KV").join_locations();
        for isolate in 0..4 {
            fetch(&harness, &browser.fork().at(isolate)).expect_status(200);
        }
        assert_eq!(given().1, 0, "{rotation:?}");
    }
}

/// What a provider's token endpoint answers. Its clock stands still.
fn renewed(grants: &Grants, request: &Request) -> Response {
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

/// A strict provider, and a browser of which one request, and with it the refresh, went to the first of two
/// locations: with its cookies of before and of after.
fn refreshed_far_away() -> (Provider, Harness, Client, Client) {
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
fn point_3_a_successor_that_has_arrived_is_used_in_another_location() {
    let (provider, harness, before, browser) = refreshed_far_away();
    harness.kv("AUTH_KV").join_locations();
    let new = browser.get(API).send().text();
    for answer in at_once(&harness, tabs(&before, 20, 2)) {
        assert_eq!((answer.status, answer.text()), (200, new.clone()));
    }
    assert_eq!(provider.refreshed(), (1, 0));
}

#[test]
fn point_6_a_strict_provider_and_a_successor_that_is_on_its_way_end_the_session_clearly() {
    // What the simulation predicts for two locations within the lag: here is why a Durable Object is advised.
    let (provider, harness, before, browser) = refreshed_far_away();
    let there: Vec<Client> = (0..20).map(|_| before.fork()).collect();
    for answer in at_once(&harness, there) {
        assert_eq!((answer.status, answer.set_cookie(COOKIE)), (401, None), "{}", answer.text());
    }
    assert_eq!(provider.refreshed(), (1, 1), "twenty requests, one refusal");
    let page = before.get(&format!("{APP}/deep?x=1")).navigation().send().expect_status(302);
    assert_eq!(page.location_query("callbackUrl").as_deref(), Some("https://app.example.com/deep?x=1"));
    let shown = before.get(&format!("{APP}/auth/session")).send().expect_status(200).json();
    assert_eq!((&shown["error"], &shown["access_token"]), (&json!("RefreshTokenError"), &json!(null)));
    assert_eq!(provider.refreshed(), (1, 1), "and no loop");

    // The token that the other location got still lives; when it has ended, it is over there too.
    fetch(&harness, &browser).expect_status(200);
    expire(&browser);
    browser.get(API).send().expect_status(401);
    browser.get(&format!("{APP}/page")).navigation().send().expect_status(302);
    assert_eq!(provider.refreshed(), (1, 2));
    // And signing in again is all that it takes, here and there.
    browser.clear_cookies();
    provider::sign_in(&browser, APP);
    for isolate in 0..2 {
        fetch(&harness, &browser.fork().at(isolate)).expect_status(200);
    }
}
