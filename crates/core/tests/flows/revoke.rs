//! `flow/session/revoke`: the operators' route. Each test checks a sentence of `docs/sessions.md` ("Revoking sessions").

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, Answer, Browser, TestEnv, environment};

use crate::revocation::{OPERATOR, site, with_operator};

const STORES: [&str; 2] = ["kv", "durable-object"];
const EVERYTHING: &str = "an-operators-own-secret-of-32-characters-for-everything";

fn world(store: &str) -> TestEnv {
    TestEnv::in_environment(site(store), &with_operator)
}

fn revoke(world: &TestEnv, secret: &str, body: &Value) -> Answer {
    revoke_raw(world, &[("authorization", &format!("Bearer {secret}"))], body.to_string().as_bytes())
}

fn revoke_raw(world: &TestEnv, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    world.send("POST", &format!("{APP}/auth/revoke"), headers, body)
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
}

fn signed_in(world: &TestEnv, user: &str) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(world, user, "/");
    browser
}

fn is_in(world: &TestEnv, browser: &Browser) -> bool {
    browser.clone().fetch(world, &format!("{APP}/api")).status == 200
}

fn bob() -> Value {
    json!({ "provider": "acme", "sub": "bob-1" })
}

#[test]
fn an_operator_ends_all_sessions_of_a_user() {
    for store in STORES {
        let world = world(store);
        let (one, two, alice) =
            (signed_in(&world, "bob"), signed_in(&world, "bob"), signed_in(&world, "alice"));
        let answer = revoke(&world, OPERATOR, &json!({ "user": bob() }));
        assert_eq!((answer.status, &json_of(&answer)["revoked"]), (200, &json!(true)), "{store}");
        assert_eq!(answer.headers.get("cache-control"), Some("private, no-cache, no-store"));
        let other = world.isolate(site(store), "here");
        for place in [&world, &other] {
            assert_eq!(
                [&one, &two, &alice].map(|browser| is_in(place, browser)),
                [false, false, true],
                "{store}"
            );
        }
        let lines = world.logged(LogEvent::SessionsRevokedByOperator);
        assert_eq!(lines.len(), 1, "{store}");
        let id = json_of(&answer)["id"].as_str().unwrap().to_owned();
        assert!(lines[0].message().contains(&id), "the line names what the answer names: {store}");
        assert!(!world.log_text().contains("bob"), "{}", world.log_text());
        // Signing in again helps.
        assert!(is_in(&world, &signed_in(&world, "bob")), "{store}");
    }
}

#[test]
fn the_name_of_a_fact_tells_users_apart_and_is_the_one_in_the_store() {
    let world = world("kv");
    let named = |body: &Value| json_of(&revoke(&world, OPERATOR, body))["id"].as_str().unwrap().to_owned();
    let (first, alice) = (named(&json!({ "user": bob() })), {
        named(&json!({ "user": { "provider": "acme", "sub": "alice-1" } }))
    });
    world.pass(Duration::from_secs(2));
    assert_eq!((named(&json!({ "user": bob() })), first == alice), (first.clone(), false));
    for id in [first, alice] {
        assert!(world.store.keys("").iter().any(|key| key.contains(&id) && !id.is_empty()), "{id}");
    }
}

#[test]
fn an_operator_ends_one_session_and_leaves_the_users_others() {
    for store in STORES {
        let world = world(store);
        let (one, two) = (signed_in(&world, "bob"), signed_in(&world, "bob"));
        let sid = crate::credentials::sealed(&world, &one)["sid"].clone();
        let body = json!({ "session": { "sid": sid, "provider": "acme", "sub": "bob-1" } });
        assert_eq!(revoke(&world, OPERATOR, &body).status, 200, "{store}");
        let other = world.isolate(site(store), "here");
        for place in [&world, &other] {
            assert_eq!([&one, &two].map(|browser| is_in(place, browser)), [false, true], "{store}");
        }
        // A lock is named by the user, so it cannot be found without one.
        let answer = revoke(&world, OPERATOR, &json!({ "session": { "sid": sid } }));
        assert_eq!(answer.status, if store == "kv" { 200 } else { 400 }, "{store}");
    }
}

#[test]
fn an_operator_ends_the_sessions_of_a_providers_session() {
    for store in STORES {
        let world = world(store);
        world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("at-the-provider"));
        let one = signed_in(&world, "bob");
        world.pass(Duration::from_secs(5));
        let provider_session = |sid: &str| json!({ "provider_session": { "provider": "acme", "sid": sid } });
        assert_eq!(revoke(&world, OPERATOR, &provider_session("another")).status, 200, "{store}");
        assert!(is_in(&world, &one), "{store}");
        assert_eq!(revoke(&world, OPERATOR, &provider_session("at-the-provider")).status, 200, "{store}");
        let other = world.isolate(site(store), "here");
        assert!(!is_in(&world, &one) && !is_in(&other, &one), "{store}");
    }
}

#[test]
fn everything_needs_its_own_secret_and_a_confirmation() {
    for store in STORES {
        let world = world(store);
        let (one, alice) = (signed_in(&world, "bob"), signed_in(&world, "alice"));
        let everything = json!({ "everything": {}, "confirm": "everything" });
        assert_eq!(revoke(&world, OPERATOR, &everything).status, 401, "{store}");
        assert_eq!(revoke(&world, EVERYTHING, &json!({ "everything": {} })).status, 400, "{store}");
        assert_eq!(revoke(&world, EVERYTHING, &json!({ "user": bob() })).status, 401, "{store}");
        assert!(is_in(&world, &one) && is_in(&world, &alice), "{store}");
        assert_eq!(revoke(&world, EVERYTHING, &everything).status, 200, "{store}");
        let other = world.isolate(site(store), "here");
        assert!([&one, &alice].iter().all(|browser| !is_in(&world, browser) && !is_in(&other, browser)));
        assert!(is_in(&other, &signed_in(&world, "bob")), "{store}");
    }
}

#[test]
fn everything_before_a_time_leaves_later_sessions_and_takes_no_later_time_back() {
    for store in STORES {
        let world = world(store);
        let early = signed_in(&world, "bob");
        world.pass(Duration::from_mins(10));
        let between = world.now().seconds();
        world.pass(Duration::from_mins(10));
        let late = signed_in(&world, "bob");
        let before = |time: u64| json!({ "everything": { "before": time }, "confirm": "everything" });
        assert_eq!(revoke(&world, EVERYTHING, &before(between)).status, 200, "{store}");
        world.pass(Duration::from_secs(2));
        // An earlier time does not bring anything back.
        assert_eq!(revoke(&world, EVERYTHING, &before(between - 3600)).status, 200, "{store}");
        let other = world.isolate(site(store), "here");
        assert_eq!([&early, &late].map(|browser| is_in(&other, browser)), [false, true], "{store}");
        let future = world.now().seconds() + 100;
        assert_eq!(revoke(&world, EVERYTHING, &before(future)).status, 400, "{store}");
    }
}

#[test]
fn two_revocations_of_everything_within_a_second_are_both_kept() {
    let world = world("kv");
    let one = signed_in(&world, "bob");
    let now = world.now().seconds();
    let before = |time: u64| json!({ "everything": { "before": time }, "confirm": "everything" });
    assert_eq!(revoke(&world, EVERYTHING, &before(now - 3600)).status, 200);
    assert_eq!(revoke(&world, EVERYTHING, &before(now)).status, 200);
    assert!(!is_in(&world.isolate(site("kv"), "here"), &one));
}

#[test]
fn an_answer_does_not_say_whether_somebody_exists() {
    let world = world("kv");
    signed_in(&world, "bob");
    let known = revoke(&world, OPERATOR, &json!({ "user": bob() }));
    let unknown = revoke(&world, OPERATOR, &json!({ "user": { "provider": "acme", "sub": "nobody-1" } }));
    let elsewhere = revoke(&world, OPERATOR, &json!({ "user": { "provider": "none", "sub": "bob-1" } }));
    for answer in [&unknown, &elsewhere] {
        assert_eq!((answer.status, answer.body.len()), (known.status, known.body.len()));
        assert_eq!(json_of(answer)["revoked"], json_of(&known)["revoked"]);
    }
}

#[test]
fn without_its_secret_the_route_does_not_exist() {
    let world = TestEnv::with(site("kv"));
    for body in [json!({ "user": bob() }), json!({})] {
        let answer = revoke(&world, OPERATOR, &body);
        assert!(matches!(answer.status, 400 | 404), "{answer:?}");
        assert!(!answer.body.contains("revoked"), "{answer:?}");
    }
    let other_method = world.send("GET", &format!("{APP}/auth/revoke"), &[], b"");
    assert!(other_method.status >= 400, "{other_method:?}");
}

#[test]
fn only_the_authorization_field_with_a_current_secret_is_accepted() {
    let both = |name: &str| match name {
        "AUTH_REVOKE_SECRET_1" => Some("the-operators-secret-of-last-month-000".to_owned()),
        name => with_operator(name),
    };
    let world = TestEnv::in_environment(site("kv"), &both);
    let body = json!({ "user": { "provider": "acme", "sub": "x" } }).to_string();
    let bearer = format!("Bearer {OPERATOR}");
    let old = "Bearer the-operators-secret-of-last-month-000";
    for accepted in [bearer.as_str(), old] {
        assert_eq!(revoke_raw(&world, &[("authorization", accepted)], body.as_bytes()).status, 200);
    }
    let cookie = format!("authorization={OPERATOR}; AUTH_REVOKE_SECRET={OPERATOR}");
    let rejected: [&[(&str, &str)]; 8] = [
        &[],
        &[("cookie", &cookie)],
        &[("x-auth-revoke-secret", OPERATOR)],
        &[("authorization", OPERATOR)],
        &[("authorization", &format!("Basic {OPERATOR}"))],
        &[("authorization", "Bearer ")],
        &[("authorization", "Bearer an-operators-own-secret-of-another-site")],
        &[("authorization", &bearer), ("authorization", &bearer)],
    ];
    for headers in rejected {
        let answer = revoke_raw(&world, headers, body.as_bytes());
        assert_eq!(
            (answer.status, answer.headers.get("www-authenticate")),
            (401, Some("Bearer")),
            "{headers:?}"
        );
    }
    assert!(!world.log_text().contains("operators-"), "{}", world.log_text());
}

#[test]
fn what_is_not_one_documented_body_is_rejected_and_revokes_nothing() {
    let world = world("kv");
    let browser = signed_in(&world, "bob");
    let large = json!({ "user": { "provider": "acme", "sub": "x".repeat(5000) } }).to_string();
    for (body, status) in [
        ("", 400),
        ("[]", 400),
        ("{}", 400),
        (
            "{\"user\":{\"provider\":\"acme\",\"sub\":\"bob-1\"},\"user\":{\"provider\":\"acme\",\"sub\":\"bob-1\"}}",
            400,
        ),
        ("{\"user\":{\"provider\":\"acme\"}}", 400),
        ("{\"user\":{\"provider\":\"acme\",\"sub\":\"\"}}", 400),
        ("{\"user\":{\"provider\":\"acme\",\"sub\":7}}", 400),
        ("{\"user\":{\"provider\":\"acme\",\"sub\":\"bob-1\",\"more\":1}}", 400),
        ("{\"session\":{\"sid\":\"s\",\"sub\":\"bob-1\"}}", 400),
        ("{\"everything\":{},\"confirm\":\"yes\"}", 400),
        ("{\"user\":{\"provider\":\"acme\",\"sub\":\"bob-1\"},\"session\":{\"sid\":\"s\"}}", 400),
        (&large, 413),
    ] {
        let headers = [("authorization", &*format!("Bearer {OPERATOR}"))];
        assert_eq!(revoke_raw(&world, &headers, body.as_bytes()).status, status, "{body}");
    }
    assert!(is_in(&world, &browser));
    assert_eq!(world.store.writes.get(), 0);
}

#[test]
fn the_longest_identifiers_are_taken_and_a_body_of_4_kib() {
    let world = world("kv");
    let id = |length: usize| "x".repeat(length);
    for (provider, sid, spaces, status) in
        [(512, 512, 0, 200), (513, 1, 0, 400), (1, 513, 0, 400), (1, 1, 4096, 200), (1, 1, 4097, 413)]
    {
        let body = json!({ "provider_session": { "provider": id(provider), "sid": id(sid) } });
        let body = format!("{body:<spaces$}", body = body.to_string());
        let headers = [("authorization", &*format!("Bearer {OPERATOR}"))];
        let answer = revoke_raw(&world, &headers, body.as_bytes());
        assert_eq!(answer.status, status, "{provider} {sid} {}: {answer:?}", body.len());
    }
}

#[test]
fn a_store_that_is_down_is_503_and_this_process_goes_by_the_revocation_at_once() {
    for store in STORES {
        let world = world(store);
        let browser = signed_in(&world, "bob");
        world.store.is_down.set(true);
        let answer = revoke(&world, OPERATOR, &json!({ "user": bob() }));
        assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("5")), "{store}");
        assert!(!is_in(&world, &browser), "{store}");
        world.store.is_down.set(false);
        world.pass(Duration::from_secs(2));
        assert_eq!(revoke(&world, OPERATOR, &json!({ "user": bob() })).status, 200, "{store}");
        assert!(!is_in(&world.isolate(site(store), "here"), &browser), "{store}");
    }
}

#[test]
fn a_flood_of_revocations_is_limited_and_each_answer_says_what_holds() {
    for limiter in [None, Some(60)] {
        let world = world("kv");
        world.store.rate_limit.set(limiter);
        let browser = signed_in(&world, "bob");
        let (bearer, body) = (format!("Bearer {OPERATOR}"), json!({ "user": bob() }).to_string());
        let headers = [("authorization", bearer.as_str())];
        let url = format!("{APP}/auth/revoke");
        let answers = world.all((0..100).map(|_| {
            let sent: crate::refresh::Sent<'_> =
                Box::pin(world.sent("POST", &url, &headers, body.as_bytes()));
            sent
        }));
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.first(), Some(&200), "{limiter:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 429 | 503)), "{statuses:?}");
        assert!(statuses.iter().filter(|status| **status == 429).count() >= 30, "{limiter:?}: {statuses:?}");
        assert!(!is_in(&world.isolate(site("kv"), "here"), &browser), "{limiter:?}");
        // The limit is about guessers, too.
        let guess = revoke(&world, "a-guess-at-the-operators-secret-0000", &json!({ "user": bob() }));
        assert_eq!((guess.status, guess.headers.get("retry-after")), (429, Some("60")), "{limiter:?}");
    }
}

#[test]
fn a_deployment_with_another_secret_reads_other_facts() {
    let world = world("kv");
    let browser = signed_in(&world, "bob");
    let another = |name: &str| match name {
        "AUTH_SECRET" => Some("another-secret-of-another-deployment-0000".to_owned()),
        name => environment(name),
    };
    assert_eq!(revoke(&world, OPERATOR, &json!({ "user": bob() })).status, 200);
    let config = vestibule_core::config::Config::load(site("kv"), &another, &vestibule_testing::RUNTIME);
    let stranger = TestEnv {
        vestibule: vestibule_core::Vestibule::new(config.unwrap()),
        ..world.isolate(site("kv"), "here")
    };
    let mut own = Browser::new();
    own.sign_in(&stranger, "bob", "/");
    assert!(is_in(&stranger, &own), "the same user of another deployment");
    assert!(!is_in(&stranger, &browser), "and its sessions are not this one's");
}

#[test]
fn a_bearer_token_of_a_user_who_was_revoked_is_refused_until_there_is_a_newer_one() {
    for store in STORES {
        let mut settings = site(store);
        settings["providers"][0]["accept_bearer"] = json!({ "audience": "https://api.example.com" });
        let world = TestEnv::in_environment(settings.clone(), &with_operator);
        let token = |world: &TestEnv| {
            let now = world.now().seconds();
            world.provider.signed(
                &json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }),
                &json!({
                    "iss": vestibule_testing::provider::ISSUER, "sub": "bob-1", "aud": "https://api.example.com",
                    "iat": now, "exp": now + 3600, "email": "bob@example.com", "roles": ["user"],
                }),
            )
        };
        let status = |world: &TestEnv, token: &str| {
            let headers = [("authorization", &*format!("Bearer {token}"))];
            world.send("GET", &format!("{APP}/api"), &headers, b"").status
        };
        let old = token(&world);
        assert_eq!(status(&world, &old), 200, "{store}");
        world.pass(Duration::from_secs(20));
        assert_eq!(revoke(&world, OPERATOR, &json!({ "user": bob() })).status, 200, "{store}");
        let other = world.isolate(settings.clone(), "here");
        assert_eq!((status(&world, &old), status(&other, &old)), (401, 401), "{store}");
        world.pass(Duration::from_secs(20));
        assert_eq!(status(&world, &token(&world)), 200, "{store}");
    }
}

#[test]
fn a_bearer_token_that_outlives_sessions_stays_revoked() {
    for store in STORES {
        let mut settings = site(store);
        settings["providers"][0]["accept_bearer"] = json!({ "audience": "https://api.example.com" });
        settings["session"] = json!({ "max_age": "1h", "update_age": "5m" });
        let world = TestEnv::in_environment(settings.clone(), &with_operator);
        let now = world.now().seconds();
        let token = world.provider.signed(
            &json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }),
            &json!({
                "iss": vestibule_testing::provider::ISSUER, "sub": "bob-1", "aud": "https://api.example.com",
                "iat": now, "exp": now + 30 * 86_400, "email": "bob@example.com", "roles": ["user"],
            }),
        );
        let status = || {
            let isolate = world.isolate(settings.clone(), "here");
            let headers = [("authorization", &*format!("Bearer {token}"))];
            isolate.send("GET", &format!("{APP}/api"), &headers, b"").status
        };
        assert_eq!(status(), 200, "{store}");
        world.pass(Duration::from_mins(2));
        assert_eq!(revoke(&world, OPERATOR, &json!({ "user": bob() })).status, 200, "{store}");
        for hours in [23, 24, 24, 600] {
            world.pass(Duration::from_hours(hours));
            assert_eq!(status(), 401, "{store}");
        }
    }
}

#[test]
fn rate_limits_by_one_ipv6_address_guesses_of_one_network_are_counted_together() {
    for limiter in [None, Some(60)] {
        let world = world("kv");
        world.store.rate_limit.set(limiter);
        let guess = |address: &str| {
            let headers = [
                ("authorization", "Bearer a-guess-at-the-operators-secret-0000"),
                ("cf-connecting-ip", address),
            ];
            let body = json!({ "user": bob() }).to_string();
            world.send("POST", &format!("{APP}/auth/revoke"), &headers, body.as_bytes()).status
        };
        let statuses: Vec<u16> = (0..100).map(|n| guess(&format!("2001:db8:1:2::{n:x}"))).collect();
        assert!(statuses.ends_with(&[429, 429]) && statuses.starts_with(&[401, 401]), "{statuses:?}");
        assert_eq!(guess("2001:db8:1:3::1"), 401, "another network");
    }
}
