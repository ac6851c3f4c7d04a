//! `flow/session/backchannel_logout`: a provider ends sessions by a logout token. Where a test is a module of the OpenID
//! Foundation's conformance suite for relying parties, its name ends with the module's. Each test checks a sentence of
//! `docs/logout.md`.

use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::encryption::{decryption_key, encrypted};
use vestibule_testing::store::WriteLimit;
use vestibule_testing::{
    APP, Answer, AuthorizationRequest, Browser, FakeProvider, RUNTIME, TestEnv, environment,
};

use crate::credentials::sealed;
use crate::revocation::{site, with_operator};

pub const STORES: [&str; 2] = ["kv", "durable-object"];
pub const ISSUER: &str = "https://idp.example";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const FORM: &str = "application/x-www-form-urlencoded";
const SECOND: Duration = Duration::from_secs(1);

/// A site whose provider sends logout tokens.
fn listening(store: &str) -> Value {
    let mut settings = site(store);
    settings["providers"][0]["backchannel_logout"] = json!(true);
    settings
}

fn world(store: &str) -> TestEnv {
    let world = TestEnv::with(listening(store));
    world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("at-the-provider"));
    world
}

pub fn signed_in(world: &TestEnv, user: &str) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(world, user, "/");
    browser
}

pub fn is_in(world: &TestEnv, browser: &Browser) -> bool {
    browser.clone().fetch(world, &format!("{APP}/api")).status == 200
}

/// The claims of a good logout token of now, for this session of Bob's.
fn claims(world: &TestEnv) -> Value {
    let now = world.now().seconds();
    json!({
        "iss": ISSUER,
        "aud": "vestibule",
        "iat": now,
        "exp": now + 120,
        "jti": "logout-1",
        "sub": "bob-1",
        "sid": "at-the-provider",
        "events": { EVENT: {} },
    })
}

fn signed(world: &TestEnv, claims: &Value) -> String {
    world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "logout+jwt" }), claims)
}

fn send(world: &TestEnv, content_type: &str, body: &str) -> Answer {
    let headers = [("content-type", content_type), ("cf-connecting-ip", "203.0.113.7")];
    world.send("POST", &format!("{APP}/auth/backchannel-logout"), &headers, body.as_bytes())
}

fn log_out(world: &TestEnv, token: &str) -> Answer {
    send(world, FORM, &format!("logout_token={token}"))
}

/// A logout token with this flaw gets 400, and ends nothing. Without the flaw it ends the session: the positive control.
fn flaw_is_rejected(flawed: impl Fn(&TestEnv) -> String) {
    let world = world("kv");
    let browser = signed_in(&world, "bob");
    let answer = log_out(&world, &flawed(&world));
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
    assert_eq!((answer.status, &body["error"]), (400, &json!("invalid_request")), "{answer:?}");
    assert!(body["error_description"].is_string(), "{answer:?}");
    assert_eq!(answer.headers.get("cache-control"), Some("no-store"));
    assert!(is_in(&world, &browser) && is_in(&world.isolate(listening("kv"), "here"), &browser));
    assert_eq!(world.logged(LogEvent::LogoutTokenRejected).len(), 1, "{}", world.log_text());
    assert!(!world.log_text().contains("bob"), "{}", world.log_text());
    assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 200);
    assert!(!is_in(&world, &browser));
}

fn with_claims(change: impl Fn(&mut Value)) -> impl Fn(&TestEnv) -> String {
    move |world| {
        let mut claims = claims(world);
        change(&mut claims);
        signed(world, &claims)
    }
}

#[test]
fn a_logout_token_ends_the_session_everywhere_oidcc_client_test_rp_backchannel_rpinitlogout() {
    for store in STORES {
        let world = world(store);
        let (bob, other) = (signed_in(&world, "bob"), world.isolate(listening(store), "here"));
        let answer = log_out(&world, &signed(&world, &claims(&world)));
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{store}");
        assert_eq!(answer.headers.get("cache-control"), Some("no-store"), "{store}");
        assert!(!is_in(&world, &bob) && !is_in(&other, &bob), "{store}");
        let lines = world.logged(LogEvent::SessionsEndedByProvider);
        assert_eq!(lines.len(), 1, "{store}");
        assert!(!world.log_text().contains("bob-1") && !world.log_text().contains("at-the-provider"));
    }
}

#[test]
fn by_sid_alone_that_session_ends_and_by_sub_alone_all_of_the_user() {
    for store in STORES {
        for (left_out, ends_other) in [("sub", false), ("sid", true)] {
            let world = world(store);
            let one = signed_in(&world, "bob");
            world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("another-session"));
            let (two, alice) = (signed_in(&world, "bob"), signed_in(&world, "alice"));
            let mut claims = claims(&world);
            claims.as_object_mut().unwrap().remove(left_out);
            assert_eq!(log_out(&world, &signed(&world, &claims)).status, 200);
            let other = world.isolate(listening(store), "here");
            for place in [&world, &other] {
                let in_now = [&one, &two, &alice].map(|browser| is_in(place, browser));
                assert_eq!(in_now, [false, !ends_other, true], "{store}, without {left_out}");
            }
        }
    }
}

#[test]
fn by_both_only_the_session_of_the_sid_ends() {
    let world = world("kv");
    let one = signed_in(&world, "bob");
    world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("another-session"));
    let two = signed_in(&world, "bob");
    assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 200);
    assert_eq!([&one, &two].map(|browser| is_in(&world, browser)), [false, true]);
}

#[test]
fn a_token_that_arrives_before_the_browser_has_its_cookie_still_ends_that_session() {
    for store in STORES {
        for left_out in ["sub", "sid"] {
            let world = world(store);
            let mut browser = Browser::new();
            let request = browser.begin(&world, "/");
            let callback = world.provider.authorize(&request, "bob");
            // The ID token has the time of the provider's clock, which is some seconds behind.
            let issued = world.now().seconds() - 5;
            world.provider.alters_answer_at("id_token", move |claims| {
                claims["sid"] = json!("at-the-provider");
                claims["iat"] = json!(issued);
            });
            let mut claims = claims(&world);
            claims["iat"] = json!(issued + 1);
            claims.as_object_mut().unwrap().remove(left_out);
            let elsewhere = world.isolate(listening(store), "here");
            assert_eq!(log_out(&elsewhere, &signed(&world, &claims)).status, 200, "{store}");
            browser.open(&world, &callback);
            assert!(!is_in(&world, &browser) && !is_in(&elsewhere, &browser), "{store}, without {left_out}");
        }
    }
}

#[test]
fn who_signs_in_within_the_second_of_the_logout_is_signed_in_after_one_more_visit_to_the_provider() {
    for store in STORES {
        for left_out in ["sub", "sid"] {
            let world = world(store);
            let mut claims = claims(&world);
            claims.as_object_mut().unwrap().remove(left_out);
            assert_eq!(log_out(&world, &signed(&world, &claims)).status, 200, "{store}");
            let (mut browser, begun) = (Browser::new(), world.now());
            let request = browser.begin(&world, "/wanted?x=1");
            let again = browser.open(&world, &world.provider.authorize(&request, "bob"));
            let address = again.location();
            assert!(address.starts_with(ISSUER), "{store}, without {left_out}: {again:?}");
            assert!(world.now() >= begun.plus(SECOND), "the provider could give the same second again");
            assert!(!is_in(&world, &browser) && world.logged(LogEvent::SignedIn).is_empty());
            let done =
                browser.open(&world, &world.provider.authorize(&AuthorizationRequest::read(address), "bob"));
            assert_eq!(done.location(), format!("{APP}/wanted?x=1"), "{store}, without {left_out}");
            let elsewhere = world.isolate(listening(store), "here");
            assert!(is_in(&world, &browser) && is_in(&elsewhere, &browser), "{store}, without {left_out}");
        }
    }
}

#[test]
fn a_provider_that_issues_tokens_of_before_the_logout_is_asked_twice_and_no_more() {
    let world = world("kv");
    assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 200);
    let issued = world.now().seconds() - 5;
    world.provider.alters_answer_at("id_token", move |claims| {
        claims["sid"] = json!("at-the-provider");
        claims["iat"] = json!(issued);
    });
    let mut browser = Browser::new();
    let request = browser.begin(&world, "/");
    let again = browser.open(&world, &world.provider.authorize(&request, "bob"));
    let request = AuthorizationRequest::read(again.location());
    let end = browser.open(&world, &world.provider.authorize(&request, "bob"));
    assert!(end.location().starts_with(&format!("{APP}/auth/signin?")), "{end:?}");
    assert_eq!(world.logged(LogEvent::SessionRevoked).len(), 1, "{}", world.log_text());
    assert!(!is_in(&world, &browser));
}

#[test]
fn a_later_sign_in_under_the_same_sid_stays_good_by_the_providers_clock() {
    for store in STORES {
        for left_out in ["sub", "sid"] {
            let world = world(store);
            let first = signed_in(&world, "bob");
            // The provider's clock is ahead of ours.
            let ahead = world.now().seconds() + 50;
            let mut claims = claims(&world);
            claims["iat"] = json!(ahead);
            claims["exp"] = json!(ahead + 120);
            claims.as_object_mut().unwrap().remove(left_out);
            assert_eq!(log_out(&world, &signed(&world, &claims)).status, 200, "{store}");
            assert!(!is_in(&world, &first), "{store}");
            world.provider.alters_answer_at("id_token", move |claims| {
                claims["sid"] = json!("at-the-provider");
                claims["iat"] = json!(ahead + 1);
            });
            let second = signed_in(&world, "bob");
            let other = world.isolate(listening(store), "here");
            assert!(is_in(&world, &second) && is_in(&other, &second), "{store}, without {left_out}");
        }
    }
}

#[test]
fn a_replayed_jti_ends_nothing_more_and_writes_nothing_more() {
    let world = world("kv");
    let token = signed(&world, &claims(&world));
    assert_eq!(log_out(&world, &token).status, 200);
    let writes = world.store.writes.get();
    world.pass(SECOND * 2);
    let later = signed_in(&world, "bob");
    let written_by_sign_in = world.store.writes.get() - writes;
    for place in [&world, &world.isolate(listening("kv"), "here")] {
        assert_eq!(log_out(place, &token).status, 200);
        assert!(is_in(place, &later));
    }
    assert_eq!(world.store.writes.get() - writes, written_by_sign_in);
}

#[test]
fn the_session_is_ended_also_where_its_sub_is_not_the_providers() {
    for store in STORES {
        let mut settings = listening(store);
        settings["providers"][0]["user"] = json!({ "id": "profile.email" });
        let world = TestEnv::with(settings);
        let bob = signed_in(&world, "bob");
        assert_eq!(sealed(&world, &bob)["sub"], "bob@example.com");
        let mut claims = claims(&world);
        claims.as_object_mut().unwrap().remove("sid");
        assert_eq!(log_out(&world, &signed(&world, &claims)).status, 200, "{store}");
        assert!(!is_in(&world, &bob), "{store}");
    }
}

#[test]
fn alg_none_is_rejected_oidcc_client_test_rp_backchannel_rpinitlogout_alg_none() {
    flaw_is_rejected(|world| {
        let signed = signed(world, &claims(world));
        let payload = signed.split('.').nth(1).unwrap();
        // {"alg":"none","typ":"logout+jwt"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoibG9nb3V0K2p3dCJ9.{payload}.")
    });
}

#[test]
fn another_algorithm_is_rejected_oidcc_client_test_rp_backchannel_rpinitlogout_wrong_alg() {
    // {"alg":"HS256","typ":"logout+jwt"}, and an algorithm that this provider's metadata do not have.
    flaw_is_rejected(|world| {
        let signed = signed(world, &claims(world));
        let payload = signed.split('.').nth(1).unwrap();
        format!("eyJhbGciOiJIUzI1NiIsInR5cCI6ImxvZ291dCtqd3QifQ.{payload}.AAAA")
    });
    flaw_is_rejected(|world| {
        world.provider.signed(&json!({ "alg": "RS256", "kid": "key-1" }), &claims(world))
    });
}

#[test]
fn a_token_without_the_event_is_rejected_oidcc_client_test_rp_backchannel_rpinitlogout_no_event() {
    flaw_is_rejected(with_claims(|claims| drop(claims.as_object_mut().unwrap().remove("events"))));
    flaw_is_rejected(with_claims(|claims| claims["events"] = json!({})));
    flaw_is_rejected(with_claims(|claims| claims["events"] = json!([EVENT])));
    flaw_is_rejected(with_claims(|claims| claims["events"] = json!({ EVENT: null })));
}

#[test]
fn another_event_is_rejected_oidcc_client_test_rp_backchannel_rpinitlogout_wrong_event() {
    flaw_is_rejected(with_claims(|claims| {
        claims["events"] = json!({ "http://schemas.openid.net/event/foo": {} });
    }));
}

#[test]
fn a_nonce_is_rejected_oidcc_client_test_rp_backchannel_rpinitlogout_with_nonce() {
    flaw_is_rejected(with_claims(|claims| claims["nonce"] = json!("n-0S6_WzA2Mj")));
}

#[test]
fn another_audience_is_rejected_oidcc_client_test_rp_backchannel_rpinitlogout_wrong_aud() {
    flaw_is_rejected(with_claims(|claims| claims["aud"] = json!("another-client")));
    flaw_is_rejected(with_claims(|claims| claims["aud"] = json!(["another-client"])));
}

#[test]
fn another_issuer_is_rejected_oidcc_client_test_rp_backchannel_rpinitlogout_wrong_iss() {
    flaw_is_rejected(with_claims(|claims| claims["iss"] = json!("https://idp.example/")));
    flaw_is_rejected(with_claims(|claims| claims["iss"] = json!("https://evil.example")));
}

#[test]
fn a_stale_or_future_token_and_one_that_names_no_one_are_rejected() {
    flaw_is_rejected(with_claims(|claims| claims["iat"] = json!(claims["iat"].as_u64().unwrap() - 661)));
    flaw_is_rejected(with_claims(|claims| claims["iat"] = json!(claims["iat"].as_u64().unwrap() + 61)));
    flaw_is_rejected(with_claims(|claims| claims["exp"] = json!(claims["iat"].as_u64().unwrap() - 60)));
    flaw_is_rejected(with_claims(|claims| {
        claims.as_object_mut().unwrap().retain(|name, _| name != "sub" && name != "sid");
    }));
    for required in ["iss", "aud", "iat", "exp", "jti"] {
        flaw_is_rejected(with_claims(|claims| drop(claims.as_object_mut().unwrap().remove(required))));
    }
    flaw_is_rejected(with_claims(|claims| claims["sid"] = json!(["at-the-provider"])));
}

#[test]
fn other_tokens_of_the_provider_end_no_session() {
    // An ID token, an access token, a security event, and a logout token that says that it is something else.
    flaw_is_rejected(|world| {
        let now = world.now().seconds();
        let id_token = json!({
            "iss": ISSUER, "aud": "vestibule", "sub": "bob-1", "sid": "at-the-provider",
            "iat": now, "exp": now + 300, "nonce": "n", "jti": "1",
        });
        world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1" }), &id_token)
    });
    flaw_is_rejected(|world| {
        let now = world.now().seconds();
        let access_token = json!({
            "iss": ISSUER, "aud": "vestibule", "sub": "bob-1", "client_id": "vestibule", "scope": "openid",
            "iat": now, "exp": now + 300, "jti": "1",
        });
        world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &access_token)
    });
    for typ in ["secevent+jwt", "at+jwt"] {
        flaw_is_rejected(|world| {
            world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": typ }), &claims(world))
        });
    }
}

#[test]
fn a_forged_signature_and_an_unknown_key_are_rejected() {
    flaw_is_rejected(|world| {
        FakeProvider::forged(&json!({ "alg": "ES256", "kid": "key-1" }), &claims(world))
    });
    flaw_is_rejected(|world| {
        FakeProvider::forged(&json!({ "alg": "ES256", "kid": "other" }), &claims(world))
    });
    flaw_is_rejected(|world| FakeProvider::forged(&json!({ "alg": "ES256" }), &claims(world)));
    flaw_is_rejected(|world| signed(world, &claims(world)) + "A");
}

#[test]
fn a_type_of_every_jwt_and_none_are_accepted() {
    for header in [json!({ "alg": "ES256", "kid": "key-1", "typ": "JWT" }), json!({ "alg": "ES256" })] {
        let world = world("kv");
        let bob = signed_in(&world, "bob");
        assert_eq!(log_out(&world, &world.provider.signed(&header, &claims(&world))).status, 200, "{header}");
        assert!(!is_in(&world, &bob));
    }
}

#[test]
fn a_token_signed_with_the_client_secret_counts_where_id_tokens_are() {
    let mut settings = listening("kv");
    settings["providers"][0]["id_token_signed_response_alg"] = json!("HS256");
    let world = TestEnv::with(settings);
    world.provider.signs_with_the_client_secret();
    let bob = signed_in(&world, "bob");
    assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 400, "not with a key");
    assert!(is_in(&world, &bob));
    let mut claims = claims(&world);
    claims.as_object_mut().unwrap().remove("sid");
    assert_eq!(log_out(&world, &world.provider.signed_with_client_secret(&claims)).status, 200);
    assert!(!is_in(&world, &bob));
}

#[test]
fn a_body_of_any_other_form_is_rejected() {
    let world = world("kv");
    let bob = signed_in(&world, "bob");
    let token = signed(&world, &claims(&world));
    for (content_type, body) in [
        (FORM, String::new()),
        (FORM, format!("token={token}")),
        (FORM, format!("logout_token={token}&logout_token={token}")),
        (FORM, format!("logout_token={token}&%6cogout_token=x")),
        (FORM, "logout_token=".to_owned()),
        (FORM, "logout_token=a.b.c".to_owned()),
        (FORM, format!("logout_token={token}&padding={}", "x".repeat(17 * 1024))),
        (FORM, format!("logout_token={}", "a".repeat(1024 * 1024))),
        ("application/json", json!({ "logout_token": token }).to_string()),
        ("multipart/form-data; boundary=x", format!("logout_token={token}")),
        ("text/plain", format!("logout_token={token}")),
        ("", format!("logout_token={token}")),
    ] {
        let answer = send(&world, content_type, &body);
        assert_eq!(answer.status, 400, "{content_type} {body:.60}");
        assert_eq!(answer.headers.get("cache-control"), Some("no-store"));
    }
    let url = format!("{APP}/auth/backchannel-logout?logout_token={token}");
    assert_eq!(world.send("POST", &url, &[("content-type", FORM)], b"").status, 400);
    assert_eq!(world.send("GET", &url, &[], b"").status, 404);
    assert!(is_in(&world, &bob));
    // Other parameters are ignored, and so are those of the media type.
    let answer = send(&world, &format!("{FORM};charset=UTF-8"), &format!("x=1&logout_token={token}&y=2&y=3"));
    assert_eq!(answer.status, 200);
    assert!(!is_in(&world, &bob));
}

#[test]
fn what_is_rejected_by_its_claims_costs_no_signature_and_no_request_to_the_provider() {
    let world = world("kv");
    for change in [
        |claims: &mut Value| claims["iss"] = json!("https://evil.example"),
        |claims: &mut Value| claims["aud"] = json!("another-client"),
        |claims: &mut Value| claims["iat"] = json!(1),
        |claims: &mut Value| claims["events"] = json!({}),
        |claims: &mut Value| claims["nonce"] = json!("n"),
    ] {
        assert_eq!(log_out(&world, &with_claims(change)(&world)).status, 400);
    }
    assert_eq!(world.crypto.verifications(), 0);
    assert_eq!((world.fetches(&format!("{ISSUER}/jwks")), world.store.writes.get()), (0, 0));
}

#[test]
fn a_flood_of_forged_tokens_costs_bounded_work_and_keeps_no_provider_out() {
    for limit in [None, Some(5)] {
        let world = world("kv");
        world.store.rate_limit.set(limit);
        let bob = signed_in(&world, "bob");
        let verified = world.crypto.verifications();
        let key_sets = world.fetches(&format!("{ISSUER}/jwks"));
        let statuses: Vec<u16> = (0..200)
            .map(|n: u32| {
                let kid = if n.is_multiple_of(2) { "key-1".to_owned() } else { format!("invented-{n}") };
                log_out(
                    &world,
                    &FakeProvider::forged(&json!({ "alg": "ES256", "kid": kid }), &claims(&world)),
                )
                .status
            })
            .collect();
        assert!(statuses.contains(&400) && statuses.ends_with(&[429, 429]), "{statuses:?}");
        assert!(world.crypto.verifications() - verified <= 31, "{limit:?}");
        assert!(world.fetches(&format!("{ISSUER}/jwks")) - key_sets <= 1);
        assert!(is_in(&world, &bob));
        // The provider has another address, and is not counted: many people sign out at once.
        let body = format!("logout_token={}", signed(&world, &claims(&world)));
        let headers = [("content-type", FORM), ("cf-connecting-ip", "198.51.100.1")];
        for _ in 0..100 {
            let url = format!("{APP}/auth/backchannel-logout");
            assert_eq!(world.send("POST", &url, &headers, body.as_bytes()).status, 200);
        }
        assert!(!is_in(&world, &bob));
        world.pass(Duration::from_secs(61));
        assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 200, "a minute later");
    }
}

#[test]
fn a_logout_that_cannot_be_stored_gets_503_and_can_be_repeated() {
    for store in STORES {
        let world = world(store);
        let bob = signed_in(&world, "bob");
        let token = signed(&world, &claims(&world));
        world.store.is_down.set(true);
        let answer = log_out(&world, &token);
        assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("5")), "{store}");
        assert_eq!(answer.headers.get("cache-control"), Some("no-store"));
        world.store.is_down.set(false);
        world.pass(SECOND * 6);
        assert_eq!(log_out(&world, &token).status, 200, "{store}");
        assert!(!is_in(&world.isolate(listening(store), "here"), &bob), "{store}");
    }
}

#[test]
fn a_logout_that_cannot_be_verified_gets_503_and_ends_nothing() {
    let world = world("kv");
    let bob = signed_in(&world, "bob");
    let (fresh, token) = (world.isolate(listening("kv"), "here"), signed(&world, &claims(&world)));
    world.provider.goes_down("discovery");
    assert_eq!(log_out(&fresh, &token).status, 503);
    assert!(is_in(&world, &bob));
    world.provider.comes_back();
    world.pass(SECOND * 6);
    assert_eq!(log_out(&fresh, &token).status, 200);
}

#[test]
fn without_a_store_or_without_the_key_there_is_no_such_route_and_the_start_says_so() {
    let mut without_store = listening("kv");
    without_store["revocation"]["store"] = json!("none");
    for settings in [without_store.clone(), site("kv")] {
        let world = TestEnv::with(settings);
        let bob = signed_in(&world, "bob");
        for path in
            ["backchannel-logout", "frontchannel-logout", "security-events", "global-token-revocation"]
        {
            assert_eq!(world.send("POST", &format!("{APP}/auth/{path}"), &[], b"").status, 404, "{path}");
            assert_eq!(world.send("GET", &format!("{APP}/auth/{path}"), &[], b"").status, 404, "{path}");
        }
        assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 404);
        assert!(is_in(&world, &bob));
    }
    let config = vestibule_core::config::Config::load(without_store, &environment, &RUNTIME).unwrap();
    let advice = config.advice(&RUNTIME).join("\n");
    assert!(advice.contains("provider acme: backchannel_logout has no effect"), "{advice}");
    assert!(advice.contains("/auth/backchannel-logout does not exist"), "{advice}");
}

#[test]
fn what_a_provider_can_end_is_read_only_where_it_is_turned_on() {
    let reads = |settings: Value| {
        let world = TestEnv::with(settings);
        world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("at-the-provider"));
        let bob = signed_in(&world, "bob");
        let claims = sealed(&world, &bob);
        let before = world.store.revocation_reads.get();
        is_in(&world.isolate(site("kv"), "here"), &bob);
        let names = ["provider_sid", "provider_sub"].map(|name| claims.get(name).is_some());
        (names, world.store.revocation_reads.get() - before)
    };
    // The session, its user, and everything.
    assert_eq!(reads(site("kv")), ([false, false], 3));
    // A Worker that only opens the session reads the same, without the provider's configuration.
    assert_eq!(reads(listening("kv")), ([true, true], 5));
    let mut framed = site("kv");
    framed["providers"][0]["frontchannel_logout"] = json!(true);
    assert_eq!(reads(framed), ([true, false], 4));
}

#[test]
fn with_objects_a_session_costs_one_call_more_for_the_providers_session_and_none_for_its_user() {
    let calls = |settings: Value| {
        let world = TestEnv::with(settings);
        world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("at-the-provider"));
        let bob = signed_in(&world, "bob");
        let before = world.store.calls.get();
        is_in(&world.isolate(site("durable-object"), "here"), &bob);
        world.store.calls.get() - before
    };
    assert_eq!((calls(site("durable-object")), calls(listening("durable-object"))), (2, 3));
}

/// An environment with these settings and, as the first provider, another client at the same issuer, which may be changed.
pub(crate) fn with_second_client(mut settings: Value, change: impl FnOnce(&mut Value)) -> TestEnv {
    let mut second = settings["providers"][0].clone();
    second["id"] = json!("second");
    second["client_id"] = json!("another-client");
    change(&mut second);
    settings["providers"].as_array_mut().unwrap().insert(0, second);
    let env = |name: &str| match name {
        "AUTH_SECOND_SECRET" => Some("second-secret".to_owned()),
        "AUTH_SECOND_DECRYPTION_KEY" => Some(decryption_key()),
        name => environment(name),
    };
    let world = TestEnv::in_environment(settings, &env);
    world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("at-the-provider"));
    world
}

#[test]
fn several_clients_at_one_issuer_each_take_their_own_logout_tokens() {
    let world = with_second_client(listening("kv"), |_| {});
    let bob = signed_in(&world, "bob");
    let for_second = with_claims(|claims| claims["aud"] = json!("another-client"))(&world);
    assert_eq!(log_out(&world, &for_second).status, 200);
    assert!(is_in(&world, &bob));
    assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 200);
    assert!(!is_in(&world, &bob));
}

#[test]
fn a_provider_that_cannot_verify_a_logout_token_keeps_it_from_no_other_provider_of_its_issuer() {
    for other_secret in [false, true] {
        let world = with_second_client(listening("kv"), |second| {
            second["client_id"] = json!("vestibule");
            if other_secret {
                second["id_token_signed_response_alg"] = json!("HS256");
            } else {
                second["id_token_signed_response_alg"] = json!("ES384");
            }
        });
        let bob = signed_in(&world, "bob");
        assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 200, "{other_secret}");
        assert!(!is_in(&world, &bob), "{other_secret}");
        assert!(world.logged(LogEvent::LogoutTokenRejected).is_empty(), "{}", world.log_text());
        // What none of them accepts is rejected as that of one provider is.
        let forged = FakeProvider::forged(&json!({ "alg": "ES256", "kid": "key-1" }), &claims(&world));
        let statuses: Vec<u16> = (0..40).map(|_| log_out(&world, &forged).status).collect();
        assert!(statuses.ends_with(&[429; 9]) && statuses[..31] == [400; 31], "{statuses:?}");
    }
}

#[test]
fn a_logout_that_one_provider_of_an_issuer_cannot_verify_yet_gets_503_only_if_no_other_one_has_verified_it() {
    let for_both = |second: &mut Value| second["client_id"] = json!("vestibule");
    let world = with_second_client(listening("kv"), for_both);
    let bob = signed_in(&world, "bob");
    // The sign-in has fetched the keys of its own provider only.
    world.provider.goes_down("jwks");
    let forged = FakeProvider::forged(&json!({ "alg": "ES256", "kid": "key-1" }), &claims(&world));
    let verified = world.crypto.verifications();
    let statuses: Vec<u16> = (0..40).map(|_| log_out(&world, &forged).status).collect();
    assert!(statuses.ends_with(&[429; 9]) && statuses[..31] == [503; 31], "{statuses:?}");
    assert!(
        world.crypto.verifications() - verified <= 31,
        "keys that are unavailable make no signature free"
    );
    assert!(is_in(&world, &bob));
    world.pass(SECOND * 61);
    let rejected = world.logged(LogEvent::LogoutTokenRejected).len();
    assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 200);
    assert!(!is_in(&world, &bob));
    let log = world.logged(LogEvent::LogoutTokenRejected);
    assert_eq!(log.len(), rejected + 1, "{}", world.log_text());
    assert!(serde_json::to_string(log.last().unwrap()).unwrap().contains(r#""provider":"second""#));
    let fresh = with_second_client(listening("kv"), for_both);
    fresh.provider.goes_down("jwks");
    assert_eq!(log_out(&fresh, &signed(&fresh, &claims(&fresh))).status, 503);
}

#[test]
fn an_operators_revocation_of_a_user_is_not_undone_by_an_older_logout_token() {
    let world = TestEnv::in_environment(listening("durable-object"), &with_operator);
    let bob = signed_in(&world, "bob");
    let old = with_claims(|claims| {
        claims["iat"] = json!(claims["iat"].as_u64().unwrap() - 300);
        claims.as_object_mut().unwrap().remove("sid");
    })(&world);
    let body = json!({ "user": { "provider": "acme", "sub": "bob-1" } }).to_string();
    let headers = [("authorization", &*format!("Bearer {}", crate::revocation::OPERATOR))];
    assert_eq!(world.send("POST", &format!("{APP}/auth/revoke"), &headers, body.as_bytes()).status, 200);
    assert_eq!(log_out(&world, &old).status, 200);
    assert!(!is_in(&world.isolate(listening("durable-object"), "here"), &bob));
}

/// A logout of all sessions of the user, of this many seconds ago.
fn of_user(world: &TestEnv, seconds_ago: u64) -> String {
    with_claims(|claims| {
        claims["iat"] = json!(claims["iat"].as_u64().unwrap() - seconds_ago);
        claims.as_object_mut().unwrap().remove("sid");
    })(world)
}

#[test]
fn a_session_that_ended_stays_ended_an_older_logout_replaces_no_newer_one_that_cannot_be_read() {
    let world = world("kv");
    let bob = signed_in(&world, "bob");
    let (old, new) = (of_user(&world, 300), of_user(&world, 0));
    assert_eq!(log_out(&world, &new).status, 200);
    world.pass(SECOND * 70);
    let other = world.isolate(listening("kv"), "there");
    other.store.fails.set(("read revoked/", 2));
    assert_eq!(log_out(&other, &old).status, 503);
    world.pass(SECOND * 30);
    assert_eq!(log_out(&other, &old).status, 200);
    world.pass(SECOND * 70);
    assert!(!is_in(&world.isolate(listening("kv"), "elsewhere"), &bob));
}

#[test]
fn a_session_that_ended_stays_ended_two_logouts_at_the_same_time_leave_the_later_one() {
    for new_first in [true, false] {
        let world = world("kv");
        world.store.write_limit.set(WriteLimit::Off);
        let bob = signed_in(&world, "bob");
        let (old, new) = (of_user(&world, 300), of_user(&world, 0));
        let tokens = if new_first { [&new, &old] } else { [&old, &new] };
        let bodies = tokens.map(|token| format!("logout_token={token}"));
        let (url, headers) = (format!("{APP}/auth/backchannel-logout"), [("content-type", FORM)]);
        let answers = world.all(bodies.iter().map(|body| {
            let sent = world.sent("POST", &url, &headers, body.as_bytes());
            Box::pin(sent) as Pin<Box<dyn Future<Output = Answer> + '_>>
        }));
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        world.pass(SECOND * 70);
        assert!(!is_in(&world.isolate(listening("kv"), "elsewhere"), &bob), "{new_first}");
    }
}

#[test]
fn a_bearer_token_that_was_issued_before_the_logout_of_its_user_is_refused() {
    for (claim, value) in [("sub", "alice-1"), ("sid", "at-the-provider")] {
        let mut settings = listening("kv");
        settings["providers"][0]["accept_bearer"] = json!({ "audience": "https://api.example.com" });
        let world = TestEnv::with(settings.clone());
        let access_token = |issued: Value| {
            let claims = json!({
                "iss": ISSUER, "sub": "alice-1", "sid": "at-the-provider", "aud": "https://api.example.com",
                "iat": issued, "exp": world.now().seconds() + 300, "scope": "api",
            });
            world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims)
        };
        let status = |place: &TestEnv, token: &str| {
            let headers = [("authorization", &*format!("Bearer {token}"))];
            place.send("GET", &format!("{APP}/api"), &headers, b"").status
        };
        let before = access_token(json!(world.now().seconds()));
        assert_eq!(status(&world, &before), 200);
        let mut claims = claims(&world);
        claims.as_object_mut().unwrap().retain(|name, _| name != "sub" && name != "sid");
        claims[claim] = json!(value);
        assert_eq!(log_out(&world, &signed(&world, &claims)).status, 200);
        world.pass(SECOND * 20);
        let after = access_token(json!(world.now().seconds()));
        // A time may have a fraction (RFC 7519 section 2).
        let with_fraction =
            access_token(json!(format!("{}.25", world.now().seconds()).parse::<f64>().unwrap()));
        let other = world.isolate(settings, "here");
        for place in [&world, &other] {
            let statuses = [&before, &after, &with_fraction].map(|token| status(place, token));
            assert_eq!(statuses, [401, 200, 200], "{claim}");
        }
    }
}

/// A site whose provider encrypts its ID tokens.
fn encrypting() -> TestEnv {
    let mut settings = listening("kv");
    settings["providers"][0]["id_token_encrypted_response_alg"] = json!("ECDH-ES");
    settings["providers"][0]["id_token_encrypted_response_enc"] = json!("A256GCM");
    let with_key = |name: &str| match name {
        "AUTH_ACME_DECRYPTION_KEY" => Some(decryption_key()),
        name => environment(name),
    };
    let world = TestEnv::in_environment(settings, &with_key);
    world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("at-the-provider"));
    world.provider.alters_answer_at("token", |answer| {
        if let Some(token) = answer["id_token"].as_str() {
            answer["id_token"] = json!(encrypted("A256GCM", token));
        }
    });
    world
}

#[test]
fn a_logout_token_is_encrypted_where_id_tokens_are() {
    let world = encrypting();
    let bob = signed_in(&world, "bob");
    let token = signed(&world, &claims(&world));
    let forged = FakeProvider::forged(&json!({ "alg": "ES256", "kid": "key-1" }), &claims(&world));
    for flawed in [
        token.clone(),
        encrypted("A256CBC-HS512", &token),
        encrypted("A256GCM", &forged),
        encrypted("A256GCM", &encrypted("A256GCM", &token)),
        encrypted("A256GCM", &token).rsplit_once('.').unwrap().0.to_owned() + ".",
    ] {
        assert_eq!(log_out(&world, &flawed).status, 400);
    }
    assert!(is_in(&world, &bob));
    // Opening one costs as much as a signature, so who sends many that do not open waits.
    let statuses: Vec<u16> = (0..40).map(|_| log_out(&world, "a.b.c.d.e").status).collect();
    assert!(statuses.ends_with(&[429]), "{statuses:?}");
    // Anyone can encrypt, too: what is inside need not even be signed.
    let of_another = with_claims(|claims| claims["iss"] = json!("https://evil.example"))(&world);
    let with_flaw = with_claims(|claims| claims["nonce"] = json!("n"))(&world);
    let invented = FakeProvider::forged(&json!({ "alg": "ES256", "kid": "invented" }), &claims(&world));
    for inside in ["a.b.c", &of_another, &with_flaw, &invented] {
        world.pass(Duration::from_secs(61));
        let token = encrypted("A256GCM", inside);
        let statuses: Vec<u16> = (0..40).map(|_| log_out(&world, &token).status).collect();
        assert!(statuses.ends_with(&[429; 9]) && !statuses[..31].contains(&429), "{statuses:?}");
    }
    world.pass(Duration::from_secs(61));
    assert_eq!(log_out(&world, &encrypted("A256GCM", &signed(&world, &claims(&world)))).status, 200);
    assert!(!is_in(&world, &bob));
}

#[test]
fn forged_logouts_of_nobody_a_token_that_another_provider_cannot_open_keeps_no_provider_out() {
    let world = with_second_client(listening("kv"), |encrypting| {
        encrypting["issuer"] = json!("https://second.example");
        encrypting["id_token_encrypted_response_alg"] = json!("ECDH-ES");
        encrypting["id_token_encrypted_response_enc"] = json!("A256GCM");
    });
    let bob = signed_in(&world, "bob");
    for n in 0..100 {
        assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 200, "{n}");
    }
    assert!(!is_in(&world, &bob));
    // What nobody proves is counted once, however many cannot open it.
    let statuses: Vec<u16> = (0..40).map(|_| log_out(&world, "a.b.c.d.e").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 31, "{statuses:?}");
    assert!(statuses.ends_with(&[429]), "{statuses:?}");
}

#[test]
fn a_logout_right_after_a_rotation_of_the_keys_is_not_lost() {
    let world = world("kv");
    let bob = signed_in(&world, "bob");
    let signed_by = |kid: &str| {
        world.provider.rotates_its_key_to(kid);
        world.provider.signed(&json!({ "alg": "ES256", "kid": kid, "typ": "logout+jwt" }), &claims(&world))
    };
    let key_sets = || world.fetches(&format!("{ISSUER}/jwks"));
    // The sign-in has fetched the keys in this very moment.
    let fetched = key_sets();
    assert_eq!(log_out(&world, &signed_by("key-2")).status, 200);
    assert!(!is_in(&world, &bob));
    assert_eq!(key_sets(), fetched + 1);
    // Strangers have let the keys be fetched a moment before the next rotation: the provider is told to come again.
    world.pass(SECOND * 61);
    let bob = signed_in(&world, "bob");
    let invented = |n: u32| {
        FakeProvider::forged(&json!({ "alg": "ES256", "kid": format!("invented-{n}") }), &claims(&world))
    };
    assert_eq!(log_out(&world, &invented(0)).status, 400);
    let fetched = key_sets();
    world.pass(SECOND * 10);
    let token = signed_by("key-3");
    for n in 1..100 {
        let answer = log_out(&world, &invented(n));
        assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("50")));
    }
    let answer = log_out(&world, &token);
    assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("50")));
    assert!(is_in(&world, &bob));
    assert_eq!(key_sets(), fetched);
    world.pass(SECOND * 50);
    assert_eq!(log_out(&world, &token).status, 200);
    assert!(!is_in(&world, &bob));
    assert_eq!(key_sets(), fetched + 1);
}

#[test]
fn a_token_without_the_name_of_its_key_is_no_reason_to_reject_it_either() {
    let world = world("kv");
    let bob = signed_in(&world, "bob");
    let nameless = json!({ "alg": "ES256", "typ": "logout+jwt" });
    assert_eq!(log_out(&world, &FakeProvider::forged(&nameless, &claims(&world))).status, 400);
    let verified = world.crypto.verifications();
    // Each costs a signature, so they are counted as forged.
    let statuses: Vec<u16> =
        (0..40).map(|_| log_out(&world, &FakeProvider::forged(&nameless, &claims(&world))).status).collect();
    assert_eq!((statuses[0], statuses[39]), (503, 429), "{statuses:?}");
    assert!(world.crypto.verifications() - verified <= 31);
    world.pass(SECOND * 61);
    assert_eq!(log_out(&world, &world.provider.signed(&nameless, &claims(&world))).status, 200);
    assert!(!is_in(&world, &bob));
    // A wrong algorithm does not become right by another key.
    let fetched = world.fetches(&format!("{ISSUER}/jwks"));
    world.pass(SECOND * 61);
    let other = FakeProvider::forged(&json!({ "alg": "RS512" }), &claims(&world));
    assert_eq!((log_out(&world, &other).status, world.fetches(&format!("{ISSUER}/jwks"))), (400, fetched));
}

#[test]
fn a_logout_by_a_new_key_gets_503_while_the_keys_are_unavailable_and_ends_the_session_later() {
    let world = world("kv");
    let bob = signed_in(&world, "bob");
    assert_eq!(log_out(&world, "a.b.c").status, 400);
    world.pass(Duration::from_secs(61));
    world.provider.rotates_its_key_to("key-2");
    let header = json!({ "alg": "ES256", "kid": "key-2", "typ": "logout+jwt" });
    let token = world.provider.signed(&header, &claims(&world));
    world.provider.goes_down("jwks");
    for _ in 0..40 {
        let answer = log_out(&world, &token);
        assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("5")));
    }
    assert!(is_in(&world, &bob));
    // A key that is known is as good as before, and a forged signature is none.
    let forged = FakeProvider::forged(&json!({ "alg": "ES256", "kid": "key-1" }), &claims(&world));
    assert_eq!(log_out(&world, &forged).status, 400);
    world.provider.comes_back();
    world.pass(SECOND * 6);
    assert_eq!(log_out(&world, &token).status, 200);
    assert!(!is_in(&world, &bob));
}

#[test]
fn where_logout_tokens_are_encrypted_a_plain_one_costs_nothing_and_a_forged_one_counts_once() {
    let world = encrypting();
    let plain = signed(&world, &claims(&world));
    for _ in 0..100 {
        assert_eq!(log_out(&world, &plain).status, 400);
    }
    let forged = FakeProvider::forged(&json!({ "alg": "ES256", "kid": "key-1" }), &claims(&world));
    let forged = encrypted("A256GCM", &forged);
    let statuses: Vec<u16> = (0..40).map(|_| log_out(&world, &forged).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 31, "{statuses:?}");
}

#[test]
fn a_logout_token_of_several_kib_is_read() {
    let world = world("kv");
    let bob = signed_in(&world, "bob");
    let mut claims = claims(&world);
    claims["more"] = json!("x".repeat(11_000));
    assert_eq!(log_out(&world, &signed(&world, &claims)).status, 200);
    assert!(!is_in(&world, &bob));
}

#[test]
fn the_second_visit_to_the_provider_asks_no_question_that_was_answered() {
    let mut settings = listening("kv");
    settings["providers"][0]["authorization_params"] = json!({ "prompt": "consent", "audience": "api" });
    let world = TestEnv::with(settings);
    world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("at-the-provider"));
    assert_eq!(log_out(&world, &signed(&world, &claims(&world))).status, 200);
    let mut browser = Browser::new();
    let request = browser.begin(&world, "/");
    assert_eq!(request.params["prompt"], "consent");
    let again = browser.open(&world, &world.provider.authorize(&request, "bob"));
    let request = AuthorizationRequest::read(again.location());
    assert_eq!((request.params.get("prompt"), request.params["audience"].as_str()), (None, "api"));
}

#[test]
fn where_logout_tokens_are_encrypted_ever_new_names_of_keys_cost_bounded_work() {
    let world = encrypting();
    let statuses: Vec<u16> = (0..40)
        .map(|n| {
            let header = json!({ "alg": "ES256", "kid": format!("invented-{n}") });
            log_out(&world, &encrypted("A256GCM", &FakeProvider::forged(&header, &claims(&world)))).status
        })
        .collect();
    assert!(statuses.contains(&503), "newer keys were fetched a moment ago: {statuses:?}");
    assert!(statuses.ends_with(&[429; 9]) && !statuses[..31].contains(&429), "{statuses:?}");
}
