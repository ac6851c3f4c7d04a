//! `flow/session/frontchannel_logout`: a provider's logout page ends sessions by a frame. Where a test is a module of the
//! OpenID Foundation's conformance suite, its name ends with the module's. Each test checks a sentence of `docs/logout.md`.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, Answer, Browser, TestEnv};

use crate::backchannel_logout::{STORES, is_in, signed_in, with_second_client};
use crate::revocation::site;

const SESSION: &str = "__Secure-authjs.session-token";
const GOOD: &str = "iss=https%3A%2F%2Fidp.example&sid=at-the-provider";
const FRAME: [(&str, &str); 3] =
    [("sec-fetch-dest", "iframe"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "cross-site")];

fn listening(store: &str) -> Value {
    let mut settings = site(store);
    settings["providers"][0]["frontchannel_logout"] = json!(true);
    settings
}

fn world(store: &str) -> TestEnv {
    let world = TestEnv::with(listening(store));
    world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("at-the-provider"));
    world
}

fn url(query: &str) -> String {
    format!("{APP}/auth/frontchannel-logout?{query}")
}

/// What a frame of another site sends: no `Lax` cookie.
fn framed(world: &TestEnv, query: &str) -> Answer {
    let mut headers = FRAME.to_vec();
    headers.push(("cf-connecting-ip", "203.0.113.7"));
    world.send("GET", &url(query), &headers, b"")
}

#[test]
fn a_frame_without_a_cookie_ends_the_session_everywhere_oidcc_client_test_rp_frontchannel_rpinitlogout() {
    for store in STORES {
        let world = world(store);
        let (bob, other) = (signed_in(&world, "bob"), world.isolate(listening(store), "here"));
        world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("another-session"));
        let elsewhere = signed_in(&world, "bob");
        let answer = framed(&world, GOOD);
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{store}");
        assert_eq!(answer.headers.get("cache-control"), Some("no-cache, no-store"));
        let policy = "default-src 'none'; base-uri 'none'; frame-ancestors https://idp.example";
        assert_eq!(answer.headers.get("content-security-policy"), Some(policy));
        assert!(
            answer.headers.get("x-frame-options").is_none() && answer.headers.get("set-cookie").is_none()
        );
        for place in [&world, &other] {
            assert_eq!([&bob, &elsewhere].map(|browser| is_in(place, browser)), [false, true], "{store}");
        }
        // The sign-in after it has another session at the provider.
        assert!(is_in(&other, &signed_in(&world, "bob")), "{store}");
    }
}

#[test]
fn the_cookie_is_removed_where_the_frame_brings_it_and_it_matches() {
    let world = world("kv");
    let mut bob = signed_in(&world, "bob");
    let foreign = "iss=https%3A%2F%2Fidp.example&sid=another-session";
    bob.send(&world, "GET", &url(foreign), &FRAME, b"");
    assert!(bob.cookie(SESSION).is_some() && is_in(&world, &bob));
    let answer = bob.send(&world, "GET", &url(GOOD), &FRAME, b"");
    assert_eq!((answer.status, bob.cookie(SESSION)), (200, None));
    assert_eq!(answer.headers.get_all("cache-control").collect::<Vec<_>>(), ["no-cache, no-store"]);
}

#[test]
fn a_request_that_is_no_logout_of_this_provider_ends_nothing() {
    let world = world("kv");
    let bob = signed_in(&world, "bob");
    for query in [
        "",
        "sid=at-the-provider",
        "iss=https%3A%2F%2Fidp.example",
        "iss=https%3A%2F%2Fidp.example&sid=",
        "iss=https%3A%2F%2Fidp.example%2F&sid=at-the-provider",
        "iss=https%3A%2F%2Fevil.example&sid=at-the-provider",
        "iss=https%3A%2F%2Fidp.example&sid=at-the-provider&sid=at-the-provider",
        "iss=https%3A%2F%2Fidp.example&iss=https%3A%2F%2Fidp.example&sid=at-the-provider",
        "iss=https%3A%2F%2Fidp.example&sid=a%00b",
    ] {
        let answer = framed(&world, query);
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.headers.get("content-security-policy").unwrap().ends_with("frame-ancestors 'none'"));
    }
    let long = format!("iss=https%3A%2F%2Fidp.example&sid={}", "s".repeat(513));
    assert_eq!(framed(&world, &long).status, 400);
    assert!(is_in(&world, &bob));
    assert_eq!(world.store.writes.get(), 0);
    assert!(!world.logged(LogEvent::FrontchannelLogoutRejected).is_empty());
}

#[test]
fn only_a_frame_may_ask_where_the_browser_says_what_it_loads() {
    let world = world("kv");
    let bob = signed_in(&world, "bob");
    for destination in ["document", "image", "script", "empty", "style", ""] {
        let headers = [("sec-fetch-dest", destination), ("sec-fetch-mode", "no-cors")];
        assert_eq!(world.send("GET", &url(GOOD), &headers, b"").status, 400, "{destination}");
    }
    for method in ["HEAD", "POST", "PUT"] {
        let answer = world.send(method, &url(GOOD), &FRAME, b"");
        assert!(answer.status >= 400, "{method} {answer:?}");
    }
    assert!(is_in(&world, &bob));
    assert_eq!(world.send("GET", &url(GOOD), &[], b"").status, 200, "an older browser says nothing");
    assert!(!is_in(&world, &bob));
}

#[test]
fn requests_are_limited_by_address_and_in_all_but_not_those_that_bring_the_session() {
    for limit in [None, Some(60)] {
        let world = world("kv");
        world.store.rate_limit.set(limit);
        let mut bob = signed_in(&world, "bob");
        let ask = |address: &str, n: u32| {
            let headers = [FRAME[0], FRAME[1], FRAME[2], ("cf-connecting-ip", address)];
            let query = format!("iss=https%3A%2F%2Fidp.example&sid=invented-{n}");
            world.send("GET", &url(&query), &headers, b"").status
        };
        let statuses: Vec<u16> = (0..61).map(|n| ask("203.0.113.7", n)).collect();
        assert!(statuses[..60].iter().all(|status| *status == 200), "{statuses:?}");
        assert_eq!(statuses[60], 429);
        assert_eq!(ask("203.0.113.8", 100), 200, "another address");
        for n in 0..400_u32 {
            ask(&format!("198.51.100.{}", n % 250), n);
        }
        assert!(world.store.writes.get() <= 301, "{}", world.store.writes.get());
        assert_eq!(ask("192.0.2.1", 500), 429, "too many in all");
        assert!(is_in(&world, &bob));
        assert_eq!(bob.send(&world, "GET", &url(GOOD), &FRAME, b"").status, 200);
        world.pass(Duration::from_secs(61));
        assert!(limit.is_some() || ask("203.0.113.7", 501) == 200, "a minute later");
    }
}

#[test]
fn a_logout_that_cannot_be_stored_gets_503() {
    for store in STORES {
        let world = world(store);
        let bob = signed_in(&world, "bob");
        world.store.is_down.set(true);
        assert_eq!(framed(&world, GOOD).status, 503, "{store}");
        world.store.is_down.set(false);
        world.pass(Duration::from_secs(6));
        assert_eq!(framed(&world, GOOD).status, 200, "{store}");
        assert!(!is_in(&world.isolate(listening(store), "here"), &bob), "{store}");
    }
}

#[test]
fn the_issuer_of_a_tenant_counts_where_a_provider_has_many() {
    const TENANT: &str = "https://login.example/11111111-2222-4333-8444-555555555555/v2.0";
    let mut settings = listening("kv");
    settings["providers"][0]["issuer"] = json!("https://login.example/common/v2.0");
    settings["providers"][0]["token_issuer"] = json!("https://login.example/{tid}/v2.0");
    let world = TestEnv::with(settings);
    let ask = |issuer: &str| {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("iss", issuer), ("sid", "at-the-provider")])
            .finish();
        framed(&world, &query)
    };
    let answer = ask(TENANT);
    assert_eq!(answer.status, 200);
    let policy = answer.headers.get("content-security-policy").unwrap();
    assert!(policy.ends_with("frame-ancestors https://login.example"), "{policy}");
    assert_eq!(ask("https://login.example/not-a-tenant/v2.0").status, 400);
}

#[test]
fn a_browser_that_only_shows_the_address_changes_nothing() {
    let world = world("kv");
    let mut bob = signed_in(&world, "bob");
    let headers = [("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), ("accept", "text/html")];
    let answer = bob.send(&world, "GET", &url(GOOD), &headers, b"");
    assert_eq!(answer.status, 400);
    assert!(bob.cookie(SESSION).is_some() && is_in(&world, &bob));
    let _: &Browser = &bob;
}

#[test]
fn the_sessions_of_every_client_at_one_issuer_end() {
    let world = with_second_client(listening("kv"), |_| {});
    // The session is that of the provider that comes second.
    let mut bob = signed_in(&world, "bob");
    assert_eq!(framed(&world, GOOD).status, 200);
    assert!(!is_in(&world, &bob));
    let mut alice = signed_in(&world, "alice");
    let answer = alice.send(&world, "GET", &url(GOOD), &FRAME, b"");
    assert_eq!(answer.status, 200);
    assert!(
        alice.cookie(SESSION).is_none() && bob.send(&world, "GET", &url(GOOD), &FRAME, b"").status == 200
    );
}
