//! `flow/guard/token_exchange`: an upstream gets a token of its own, for which the provider exchanges the session's.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::{ErrorSource, LogEvent};
use vestibule_testing::dpop::{Nonces, Proof};
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Answer, Browser, TestEnv, environment, settings};

use crate::refresh::{EXPIRED, SECOND, Sent, bearer, sent};
use crate::refresh_trouble::cut_off;

const TOKEN_ENDPOINT: &str = "https://idp.example/token";
const ORDERS: &str = "exchanged-1-for-orders";

/// The default settings with a token for the audience `orders`, and in a rule one for `stock`.
fn exchanging() -> Value {
    let mut settings = settings();
    settings["upstreams"][0]["authorization"] =
        json!({ "exchange": { "audience": "orders", "scope": "read" } });
    let stock = json!({
        "match": "/stock", "access": "signed-in",
        "authorization": { "exchange": { "resource": "urn:example:stock" } },
    });
    settings["rules"].as_array_mut().unwrap().push(stock);
    settings
}

fn signed_in_with(settings: Value) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"));
    (world, browser)
}

fn signed_in() -> (TestEnv, Browser) {
    signed_in_with(exchanging())
}

fn api(world: &TestEnv, browser: &mut Browser) -> Answer {
    browser.fetch(world, &format!("{APP}/api"))
}

fn exchanges(world: &TestEnv) -> usize {
    world.provider.exchanges.requests().len()
}

/// Lets what goes on after the responses end.
fn settle(world: &TestEnv) {
    world.clock.run(world.clock.sleep(SECOND));
}

fn sign_out(world: &TestEnv, browser: &mut Browser) {
    let csrf = browser.csrf(world);
    browser.post(world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
}

/// 503 for this upstream only, and the session goes on.
fn assert_unavailable(world: &TestEnv, browser: &mut Browser, answer: &Answer, retry: &str, case: &str) {
    assert_eq!(answer.status, 503, "{case}: {answer:?}");
    assert_eq!(answer.headers.get("retry-after"), Some(retry), "{case}");
    assert!(answer.forwarded.is_none(), "{case}");
    assert!(!browser.session(world).is_null(), "{case}");
}

#[test]
fn an_upstream_gets_a_token_of_its_own_and_never_that_of_the_session() {
    let (world, mut browser) = signed_in();
    for _ in 0..3 {
        let headers = [("authorization", "Bearer forged"), ("x-authorization", "x")];
        let answer = browser.send(&world, "GET", &format!("{APP}/api"), &headers, b"");
        assert_eq!((answer.status, bearer(&answer)), (200, Some(ORDERS)));
        let seen = answer.forwarded.unwrap().request.headers;
        assert!(seen.iter().all(|(_, value)| !value.contains("access-bob")), "{seen:?}");
        assert_eq!(seen.get("x-user-email"), Some("bob@example.com"));
    }
    assert_eq!(exchanges(&world), 1, "the second request has the token of the first");
    let asked_for = |name: &str| world.provider.exchanges.asked_for(name);
    assert_eq!(asked_for("subject_token"), ["access-bob"]);
    assert_eq!(
        (asked_for("audience"), asked_for("scope")),
        (vec!["orders".to_owned()], vec!["read".to_owned()])
    );
    assert_eq!(asked_for("resource"), Vec::<String>::new());
}

#[test]
fn each_target_and_each_session_has_its_own_token() {
    let (world, mut bob) = signed_in();
    let mut alice = Browser::new();
    alice.sign_in(&world, "alice", "/");
    let stock = |browser: &mut Browser| browser.fetch(&world, &format!("{APP}/stock"));
    assert_eq!(bearer(&api(&world, &mut bob)), Some(ORDERS));
    assert_eq!(bearer(&stock(&mut bob)), Some("exchanged-2-for-urnexamplestock"));
    assert_eq!(bearer(&api(&world, &mut alice)), Some("exchanged-3-for-orders"));
    assert_eq!(bearer(&api(&world, &mut bob)), Some(ORDERS));
    assert_eq!(bearer(&stock(&mut bob)), Some("exchanged-2-for-urnexamplestock"));
    assert_eq!(
        world.provider.exchanges.asked_for("subject_token"),
        ["access-bob", "access-bob", "access-alice"]
    );
}

#[test]
fn of_many_requests_one_asks_the_provider() {
    let (world, browser) = signed_in();
    world.http.token_time.set(Duration::from_millis(300));
    let cookies = browser.cookie_header();
    let answers = world.all((0..30).map(|i| sent(&world, &cookies, Duration::from_millis(i * 5))));
    assert_eq!(exchanges(&world), 1);
    assert!(answers.iter().all(|answer| bearer(answer) == Some(ORDERS)));
}

#[test]
fn the_exchange_goes_on_when_its_client_is_gone() {
    let (world, browser) = signed_in();
    world.http.token_time.set(Duration::from_millis(300));
    let cookies = browser.cookie_header();
    world.clock.run(async {
        let mut disconnected = sent(&world, &cookies, Duration::ZERO);
        std::future::poll_fn(|context| {
            let _ = disconnected.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
        drop(disconnected);
        world.clock.sleep(SECOND).await;
    });
    let answers = world.all([sent(&world, &cookies, Duration::ZERO)]);
    assert_eq!((bearer(&answers[0]), exchanges(&world)), (Some(ORDERS), 1));
}

#[test]
fn an_expired_access_token_is_refreshed_before_it_is_exchanged() {
    let (world, mut browser) = signed_in();
    assert_eq!(bearer(&api(&world, &mut browser)), Some(ORDERS));
    world.pass(EXPIRED);
    assert_eq!(bearer(&api(&world, &mut browser)), Some("exchanged-2-for-orders"));
    assert_eq!(bearer(&api(&world, &mut browser)), Some("exchanged-2-for-orders"));
    assert_eq!(world.provider.exchanges.asked_for("subject_token"), ["access-bob", "access-bob~1"]);
}

#[test]
fn a_refresh_brings_a_new_token_also_where_the_old_one_is_valid() {
    let (world, mut browser) = signed_in();
    world.provider.alters_answer_at("exchange", |answer| answer["expires_in"] = json!(86400));
    assert_eq!(bearer(&api(&world, &mut browser)), Some(ORDERS));
    world.pass(Duration::from_secs(3600 - 30));
    assert_eq!(bearer(&api(&world, &mut browser)), Some("exchanged-2-for-orders"));
}

#[test]
fn what_the_provider_refuses_is_that_upstream_s_503_and_never_the_session_s_end() {
    const URN: &str = "urn:ietf:params:oauth:token-type:access_token";
    let good = json!({
        "access_token": "new", "issued_token_type": URN, "token_type": "Bearer", "expires_in": 600, "scope": "read",
    });
    let but = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        (200, body)
    };
    let error = |status: u16, code: &str| (status, json!({ "error": code }));
    let (provider, configuration) = (ErrorSource::Provider, ErrorSource::Configuration);
    for ((status, body), retry, source) in [
        (error(400, "invalid_grant"), "5", provider),
        (error(400, "invalid_request"), "5", provider),
        (error(400, "interaction_required"), "5", provider),
        (error(503, "temporarily_unavailable"), "5", provider),
        (error(429, "slow_down"), "5", provider),
        (error(400, "invalid_target"), "60", configuration),
        (error(400, "invalid_scope"), "60", configuration),
        (error(401, "invalid_client"), "60", configuration),
        (error(400, "unsupported_grant_type"), "60", configuration),
        (but("scope", json!("read admin")), "60", configuration),
        (but("access_token", json!("access-bob")), "60", configuration),
        (but("issued_token_type", json!(null)), "5", provider),
        (but("issued_token_type", json!("urn:ietf:params:oauth:token-type:id_token")), "5", provider),
        (but("token_type", json!("N_A")), "5", provider),
        (but("token_type", json!("DPoP")), "5", provider),
        (but("access_token", json!("")), "5", provider),
        (but("access_token", json!("new\r\nx-user-roles: admin")), "5", provider),
        (but("access_token", json!("x".repeat(16 * 1024 + 1))), "5", provider),
        (but("access_token", json!("x".repeat(64 * 1024))), "5", provider),
        ((200, json!([])), "5", provider),
        ((302, json!({})), "5", provider),
    ] {
        let case = format!("{status} {}", body.to_string().chars().take(200).collect::<String>());
        let (world, mut browser) = signed_in();
        world.provider.answers_raw("exchange", status, "application/json", body.to_string().as_bytes());
        let answer = api(&world, &mut browser);
        assert_unavailable(&world, &mut browser, &answer, retry, &case);
        let logged = world.logged(LogEvent::TokenExchangeFailed);
        assert_eq!(
            logged.iter().map(vestibule_core::log::Line::error_source).collect::<Vec<_>>(),
            [source],
            "{case}"
        );
        assert!(!world.log_text().contains("access-bob"), "{case}");
        assert_eq!(world.fetches(TOKEN_ENDPOINT), 2, "{case}: the sign-in, and the exchange");

        // It is not asked again for a while, and then it is.
        api(&world, &mut browser);
        assert_eq!(world.fetches(TOKEN_ENDPOINT), 2, "{case}");
        world.provider.answers_correctly();
        world.pass(Duration::from_secs(retry.parse().unwrap()));
        assert_eq!((bearer(&api(&world, &mut browser)), exchanges(&world)), (Some(ORDERS), 1), "{case}");
    }
}

#[test]
fn retry_after_counts_and_other_paths_and_upstreams_go_on() {
    let (world, mut browser) = signed_in();
    let body = json!({ "error": "temporarily_unavailable" });
    world.provider.answers_once("exchange", 503, ("retry-after", "40"), &body);
    let answer = api(&world, &mut browser);
    assert_unavailable(&world, &mut browser, &answer, "40", "retry-after");
    assert_eq!(browser.fetch(&world, &format!("{APP}/stock")).status, 200);
    world.pass(Duration::from_secs(39));
    let answer = api(&world, &mut browser);
    assert_unavailable(&world, &mut browser, &answer, "1", "the rest of it");
    world.pass(SECOND);
    assert_eq!(api(&world, &mut browser).status, 200);
}

#[test]
fn a_provider_that_hangs_costs_a_bounded_time() {
    let (world, browser) = signed_in();
    world.http.hanging.borrow_mut().push(TOKEN_ENDPOINT);
    let (cookies, begun) = (browser.cookie_header(), world.clock.now());
    let answers = world.all((0..5).map(|i| sent(&world, &cookies, Duration::from_millis(i))));
    assert!(answers.iter().all(|answer| answer.status == 503 && answer.forwarded.is_none()));
    assert!(world.clock.now() - begun <= 15_100, "{} ms", world.clock.now() - begun);
    assert_eq!(world.fetches(TOKEN_ENDPOINT), 2);
}

#[test]
fn a_token_is_replaced_before_its_end_and_used_until_then_if_that_fails() {
    let (world, mut browser) = signed_in();
    assert_eq!(bearer(&api(&world, &mut browser)), Some(ORDERS));
    world.pass(Duration::from_secs(569));
    assert_eq!((bearer(&api(&world, &mut browser)), exchanges(&world)), (Some(ORDERS), 1));
    world.provider.goes_down("exchange");
    world.pass(SECOND);
    assert_eq!(bearer(&api(&world, &mut browser)), Some(ORDERS));
    assert_eq!(world.logged(LogEvent::TokenExchangeFailed).len(), 1);
    world.pass(Duration::from_secs(30));
    assert_eq!(api(&world, &mut browser).status, 503);
    world.provider.comes_back();
    world.pass(Duration::from_secs(5));
    assert_eq!(bearer(&api(&world, &mut browser)), Some("exchanged-2-for-orders"));
}

#[test]
fn a_token_without_a_lifetime_is_used_for_a_minute() {
    let (world, mut browser) = signed_in();
    world.provider.alters_answer_at("exchange", |answer| answer["expires_in"] = json!(null));
    api(&world, &mut browser);
    world.pass(Duration::from_secs(29));
    assert_eq!((bearer(&api(&world, &mut browser)), exchanges(&world)), (Some(ORDERS), 1));
    world.pass(Duration::from_secs(31));
    assert_eq!(bearer(&api(&world, &mut browser)), Some("exchanged-2-for-orders"));
}

#[test]
fn a_public_path_goes_on_without_a_token_and_never_with_the_session_s() {
    let (world, mut browser) = signed_in();
    let public = |browser: &mut Browser| browser.fetch(&world, &format!("{APP}/about"));
    assert_eq!(bearer(&public(&mut browser)), Some(ORDERS));
    world.pass(Duration::from_mins(10));
    world.provider.goes_down("exchange");
    let answer = public(&mut browser);
    assert_eq!((answer.status, bearer(&answer)), (200, None));
    assert!(!answer.forwarded.unwrap().request.headers.contains("authorization"));
    // Nothing is refreshed there, so nothing is exchanged either.
    world.provider.comes_back();
    world.pass(EXPIRED);
    assert_eq!((bearer(&public(&mut browser)), exchanges(&world)), (None, 1));
    assert_eq!(bearer(&Browser::new().fetch(&world, &format!("{APP}/about"))), None);
}

#[test]
fn a_failed_exchange_loses_no_refreshed_tokens() {
    let (world, mut browser) = signed_in();
    world.pass(EXPIRED);
    world.provider.goes_down("exchange");
    let answer = api(&world, &mut browser);
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains("set-cookie"), "{answer:?}");
    world.provider.comes_back();
    world.pass(Duration::from_secs(5));
    assert_eq!(api(&world, &mut browser).status, 200);
    assert_eq!(world.provider.grants.given.get(), 1);
}

#[test]
fn an_api_client_s_token_is_exchanged_too() {
    let mut settings = exchanging();
    settings["providers"][0]["accept_bearer"] = json!({ "audience": "https://api.example.com" });
    let world = TestEnv::with(settings);
    let token = |user: &str| {
        let claims = json!({
            "iss": ISSUER, "sub": format!("{user}-1"), "aud": "https://api.example.com",
            "iat": world.now().seconds(), "exp": world.now().seconds() + 300,
        });
        world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims)
    };
    let ask = |token: &str| {
        let authorization = format!("Bearer {token}");
        world.send("GET", &format!("{APP}/api"), &[("authorization", &authorization)], b"")
    };
    let (bob, alice) = (token("bob"), token("alice"));
    for (token, expected) in [(&bob, ORDERS), (&alice, "exchanged-2-for-orders"), (&bob, ORDERS)] {
        let answer = ask(token);
        assert_eq!((answer.status, bearer(&answer)), (200, Some(expected)));
    }
    assert_eq!(world.provider.exchanges.asked_for("subject_token"), [bob.clone(), alice]);
    world.provider.answers_raw("exchange", 400, "application/json", br#"{"error":"invalid_grant"}"#);
    world.pass(Duration::from_secs(1));
    let answer = ask(&token("carol"));
    assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("5")));
    assert!(answer.forwarded.is_none());
    assert_eq!(ask("forged.a.b").status, 401, "nothing is exchanged that is not accepted");
}

#[test]
fn the_store_keeps_it_for_other_processes_sealed_by_the_session_s_key() {
    let mut settings = exchanging();
    settings["session"]["tokens"] = json!("store");
    let (world, mut browser) = signed_in_with(settings.clone());
    assert_eq!(bearer(&api(&world, &mut browser)), Some(ORDERS));
    settle(&world);
    let names = world.store.keys("exchanged/");
    assert_eq!(names.len(), 1);
    assert!(world.store.contents().iter().all(|text| !text.contains(ORDERS) && !text.contains("access-bob")));

    let elsewhere = world.isolate(settings.clone(), "here");
    assert_eq!(bearer(&api(&elsewhere, &mut browser)), Some(ORDERS));
    assert_eq!(exchanges(&world), 1);

    // What someone else writes there is none.
    world.store.garbles("exchanged/", "garbage");
    let another = world.isolate(settings.clone(), "here");
    assert_eq!(bearer(&api(&another, &mut browser)), Some("exchanged-2-for-orders"));
    settle(&world);

    sign_out(&world, &mut browser);
    assert_eq!(world.store.keys("exchanged/"), Vec::<String>::new());
}

#[test]
fn a_store_that_fails_costs_an_exchange_and_nothing_else() {
    let mut settings = exchanging();
    settings["session"]["tokens"] = json!("store");
    let (world, mut browser) = signed_in_with(settings.clone());
    world.store.is_down.set(true);
    assert_eq!(bearer(&api(&world, &mut browser)), Some(ORDERS));
    settle(&world);
    world.store.is_down.set(false);
    assert_eq!(world.store.keys("exchanged/"), Vec::<String>::new());
    let elsewhere = world.isolate(settings, "here");
    assert_eq!(bearer(&api(&elsewhere, &mut browser)), Some("exchanged-2-for-orders"));
}

#[test]
fn a_sign_out_forgets_the_token_and_its_copies_get_none() {
    let (world, mut browser) = signed_in();
    assert_eq!(bearer(&api(&world, &mut browser)), Some(ORDERS));
    let mut copy = browser.clone();
    sign_out(&world, &mut browser);
    let answer = api(&world, &mut copy);
    assert!(answer.status == 401 && answer.forwarded.is_none(), "{answer:?}");
    browser.sign_in(&world, "bob", "/");
    assert_eq!(bearer(&api(&world, &mut browser)), Some("exchanged-2-for-orders"));
}

#[test]
fn an_exchange_that_ends_after_its_session_stores_nothing() {
    let mut settings = exchanging();
    settings["session"]["tokens"] = json!("store");
    let (world, mut browser) = signed_in_with(settings);
    let csrf = browser.csrf(&world);
    let cookies = browser.cookie_header();
    world.http.token_time.set(SECOND);
    let signed_out: Sent<'_> = Box::pin(async {
        world.clock.sleep(Duration::from_millis(500)).await;
        let headers = [("cookie", cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        world
            .sent("POST", &format!("{APP}/auth/signout"), &headers, format!("csrfToken={csrf}").as_bytes())
            .await
    });
    let answers = world.all([sent(&world, &cookies, Duration::ZERO), signed_out]);
    assert_eq!(answers[1].status, 302, "{:?}", answers[1]);
    settle(&world);
    assert_eq!((exchanges(&world), world.store.keys("exchanged/")), (1, Vec::new()));
}

#[test]
fn a_bound_token_is_exchanged_with_the_session_s_key_and_sent_with_a_proof() {
    let mut settings = exchanging();
    settings["providers"][0]["dpop"] = json!(true);
    settings["session"] = json!({ "tokens": "store" });
    let world = TestEnv::with(settings.clone());
    world.provider.dpop.binds_tokens();
    world.provider.dpop.demands("token", Nonces::NewEachTime);
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    let key = world.provider.dpop.proofs()[0].1.thumbprint.clone();
    for world in [&world, &world.isolate(settings, "here")] {
        let forwarded = api(world, &mut browser).forwarded.unwrap();
        let headers = &forwarded.request.headers;
        assert_eq!(headers.get("authorization"), Some(format!("DPoP {ORDERS}").as_str()));
        let proof = Proof::read(headers, "GET", "https://upstream.example/api", Some(ORDERS)).unwrap();
        assert_eq!(proof.thumbprint, key);
        settle(world);
    }
    assert_eq!(exchanges(&world), 1);
    assert!(world.provider.dpop.proofs().iter().all(|(_, proof)| proof.thumbprint == key));

    // A token that is not bound is refused.
    world.provider.alters_answer_at("exchange", |answer| answer["token_type"] = json!("Bearer"));
    let answer = browser.fetch(&world, &format!("{APP}/stock"));
    assert_eq!((answer.status, answer.forwarded.is_none()), (503, true));
    assert!(world.log_text().contains("is not bound to the session's key"));
}

#[test]
fn microsoft_is_asked_on_behalf_of_the_user() {
    let mut settings = exchanging();
    settings["rules"].as_array_mut().unwrap().pop();
    settings["providers"][0]["token_exchange"] = json!("on-behalf-of");
    settings["upstreams"][0]["authorization"] = json!({ "exchange": { "scope": "api://orders/.default" } });
    let (world, mut browser) = signed_in_with(settings);
    world.provider.alters_answer_at("exchange", |answer| {
        answer["scope"] = json!("api://orders/Orders.Read api://orders/Orders.Write");
    });
    assert_eq!(bearer(&api(&world, &mut browser)), Some("exchanged-1-for-apiordersdefault"));
    let asked = world.provider.exchanges.requests();
    let names: Vec<&str> = asked[0].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["grant_type", "assertion", "requested_token_use", "scope"]);
}

#[test]
fn a_proxy_that_proves_itself_gets_the_token_and_no_page_does() {
    const VERIFY: &str = "https://app.example.com/auth/verify";
    let mut settings = exchanging();
    settings["verify"] = json!({ "headers": "x-forwarded" });
    let secret = "what-the-proxy-and-the-worker-share";
    let with_secret = |name: &str| match name {
        "AUTH_VERIFY_SECRET" => Some(secret.to_owned()),
        other => environment(other),
    };
    let world = TestEnv::in_environment(settings.clone(), &with_secret);
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    let fields = [
        ("x-vestibule-verify", secret),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-uri", "/api"),
    ];
    let answer = browser.send(&world, "GET", VERIFY, &fields, b"");
    assert_eq!(
        (answer.status, answer.headers.get("authorization")),
        (204, Some(&*format!("Bearer {ORDERS}")))
    );
    world.pass(Duration::from_mins(10));
    world.provider.goes_down("exchange");
    let answer = browser.send(&world, "GET", VERIFY, &fields, b"");
    assert_eq!((answer.status, answer.headers.get("authorization")), (503, None));

    settings.as_object_mut().unwrap().remove("verify");
    let world = TestEnv::with(settings);
    browser.sign_in(&world, "bob", "/");
    let answer = browser.fetch(&world, VERIFY);
    assert_eq!((answer.status, answer.headers.get("authorization"), exchanges(&world)), (204, None, 0));
}

#[test]
fn a_preflight_and_a_path_that_forwards_something_else_exchange_nothing() {
    let mut settings = exchanging();
    settings["rules"].as_array_mut().unwrap().push(json!({
        "match": "/own", "access": "signed-in", "authorization": "access_token",
    }));
    settings["rules"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "match": "/elsewhere", "access": "signed-in", "to": "origin" }));
    let (world, mut browser) = signed_in_with(settings);
    assert_eq!(bearer(&browser.fetch(&world, &format!("{APP}/own"))), Some("access-bob"));
    assert_eq!(bearer(&browser.fetch(&world, &format!("{APP}/elsewhere"))), None);
    let preflight = [("origin", APP), ("access-control-request-method", "GET")];
    browser.send(&world, "OPTIONS", &format!("{APP}/api"), &preflight, b"");
    assert_eq!(exchanges(&world), 0);
}

#[test]
fn a_token_that_ends_soon_is_not_stored_and_none_where_the_store_keeps_no_tokens() {
    for (tokens, lifetime, is_stored) in
        [("store", 119, false), ("store", 120, true), ("store", 121, true), ("cookie", 600, false)]
    {
        let mut settings = exchanging();
        settings["session"]["tokens"] = json!(tokens);
        settings["revocation"] = json!({ "store": "none" });
        let (world, mut browser) = signed_in_with(settings);
        world.store.latency.set([0; 4]);
        world.provider.alters_answer_at("exchange", move |answer| answer["expires_in"] = json!(lifetime));
        assert_eq!(bearer(&api(&world, &mut browser)), Some(ORDERS));
        settle(&world);
        assert_eq!(world.store.keys("exchanged/").len(), usize::from(is_stored), "{tokens} {lifetime}");
    }
}

#[test]
fn who_waits_for_the_exchange_of_a_request_that_was_killed_waits_a_bounded_time() {
    let (world, browser) = signed_in();
    let cookies = browser.cookie_header();
    world.http.token_time.set(Duration::from_hours(1));
    cut_off(&world, &cookies, Duration::from_millis(200));
    world.http.token_time.set(Duration::from_millis(200));
    let begun = world.clock.now();
    let answers = world.all([sent(&world, &cookies, Duration::ZERO)]);
    assert_eq!((answers[0].status, answers[0].headers.get("retry-after")), (503, Some("1")));
    assert!(world.clock.now() - begun <= 15_100, "{} ms", world.clock.now() - begun);
    // Later it counts as gone.
    let answers = world.all([sent(&world, &cookies, SECOND * 11)]);
    assert_eq!(bearer(&answers[0]), Some(ORDERS));
}
