//! Refreshing in the real runtime: the built Worker, a provider that revokes a grant whose refresh token is used
//! twice, and browsers that send everything at once or hang up.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong"
)]

mod provider;

use std::time::Duration;

use miniflare_test_harness::{Client, Harness, HarnessBuilder, Request, Response};
use serde_json::{Map, Value, json};
use vestibule::config::Dialect;
use vestibule::jose::kdf::Keyring;
use vestibule::secret::Secret;
use vestibule::session::seal;
use vestibule::time::Timestamp;

use crate::provider::{Provider, root};

const SECRET: &str = "a-secret-for-sessions-that-no-log-may-hold";
const APP: &str = "https://app.example.com";
const COOKIE: &str = "__Secure-authjs.session-token";
const PATIENCE: Duration = Duration::from_secs(20);

/// The Worker that `cargo xtask build` made, in front of an application that tells the token it got.
fn worker(issuer: &str, lease: &str) -> HarnessBuilder {
    let auth = json!({
        "providers": [{ "id": "demo", "type": "oidc", "issuer": issuer, "scope": "openid offline_access" }],
        "session": { "expose": { "access_token": "access_token" } },
        "upstreams": [{ "to": "service:APP", "authorization": "access_token" }],
        "refresh": { "lease": lease },
    });
    let built = root().join("build/index.js");
    assert!(built.exists(), "there is no {}: run `cargo xtask build` first", built.display());
    let worker = Harness::from_wrangler(root().join("wrangler.toml"))
        .var("AUTH", auth)
        .secret("AUTH_SECRET", SECRET)
        .secret("AUTH_DEMO_ID", "vestibule")
        .secret("AUTH_DEMO_SECRET", "development-only-client-secret")
        .service("APP", |request: &Request| {
            Response::text(request.header("authorization").unwrap_or("nothing"))
        });
    if lease == "durable-object" { worker.durable_object("AUTH_LEASE", "RefreshLease") } else { worker }
}

fn keys() -> Keyring {
    Keyring::new(vec![Secret::new(SECRET)]).unwrap()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_seconds(since.as_secs())
}

/// What is sealed in a browser's session.
fn session(browser: &Client) -> Map<String, Value> {
    let sealed = browser.cookie(APP, COOKIE).expect("somebody is signed in");
    seal::open(&keys(), Dialect::AuthJsV5, COOKIE, &sealed, now()).unwrap()
}

/// Gives a browser that session.
fn plant(browser: &Client, claims: &Map<String, Value>) {
    let mut dice = 1_u8;
    let mut random = |bytes: &mut [u8]| {
        for byte in bytes {
            dice = dice.wrapping_mul(5).wrapping_add(77);
            *byte = dice;
        }
    };
    let day = Duration::from_hours(24);
    let sealed = seal::seal(&keys(), Dialect::AuthJsV5, COOKIE, claims, day, now(), &mut random);
    browser.set_cookie(APP, &format!("{COOKIE}={sealed}; Path=/; Secure; HttpOnly"));
}

/// Somebody who is signed in, and whose access token has just ended.
fn with_an_expired_token(world: &Harness) -> Client {
    let browser = world.client();
    provider::sign_in(&browser, APP);
    let mut claims = session(&browser);
    claims.insert("expires_at".to_owned(), (now().seconds() - 1).into());
    plant(&browser, &claims);
    browser
}

fn fifty_at_once(lease: &str) {
    let provider = Provider::start(APP);
    let world = worker(provider.issuer(), lease).start().unwrap();
    let browser = with_an_expired_token(&world);
    let before = session(&browser);

    let answers: Vec<(u16, String, bool)> = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..50)
            .map(|_| {
                // Each with the cookies of before.
                let tab = browser.fork();
                scope.spawn(move || {
                    let reply = tab.get(&format!("{APP}/api")).send();
                    (reply.status, reply.text(), reply.set_cookie(COOKIE).is_some())
                })
            })
            .collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });
    let old = format!("Bearer {}", before["access_token"].as_str().unwrap());
    let (_, new, _) = &answers[0];
    assert_ne!(*new, old);
    for (status, token, sets_cookie) in &answers {
        assert_eq!((*status, token, sets_cookie), (200, new, &true), "{}", world.logs().text());
    }
    assert_eq!(provider.refreshed(), (1, 0), "one grant, none refused");

    let next = browser.get(&format!("{APP}/api")).send().expect_status(200);
    assert_eq!(next.text(), *new, "an answer that got lost is found again");
    let after = session(&browser);
    assert_eq!((&after["generation"], &after["sid"]), (&json!(1), &before["sid"]));
    assert_ne!(after["refresh_token"], before["refresh_token"]);

    // And the tokens that were left behind work: another round with them.
    let mut claims = after;
    claims.insert("expires_at".to_owned(), (now().seconds() - 1).into());
    plant(&browser, &claims);
    browser.get(&format!("{APP}/api")).send().expect_status(200);
    assert_eq!(provider.refreshed(), (2, 0));
}

#[test]
fn fifty_requests_at_once_use_one_refresh_token_once_with_kv() {
    fifty_at_once("kv");
}

#[test]
fn fifty_requests_at_once_use_one_refresh_token_once_with_a_durable_object() {
    fifty_at_once("durable-object");
}

/// A provider of which only the token endpoint is of interest, and that takes its time.
fn slow_provider(builder: HarnessBuilder) -> HarnessBuilder {
    builder.host("idp.example", |request: &Request| match request.path() {
        "/.well-known/openid-configuration" => Response::json(&json!({
            "issuer": "https://idp.example",
            "authorization_endpoint": "https://idp.example/authorize",
            "token_endpoint": "https://idp.example/token",
            "jwks_uri": "https://idp.example/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })),
        "/token" => Response::json(&json!({
            "access_token": "new-token", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "next"
        }))
        .delay(Duration::from_millis(1500)),
        _ => Response::status(404),
    })
}

fn an_expired_session() -> Map<String, Value> {
    let claims = json!({
        "sub": "somebody", "name": "Somebody", "provider": "demo", "sid": "the-session",
        "access_token": "old-token", "refresh_token": "first", "expires_at": now().seconds() - 1,
    });
    claims.as_object().unwrap().clone()
}

fn used(world: &Harness) -> usize {
    world.requests_to("idp.example").iter().filter(|request| request.path() == "/token").count()
}

#[test]
fn a_browser_that_hangs_up_loses_no_token() {
    for lease in ["kv", "durable-object"] {
        let world = slow_provider(worker("https://idp.example", lease)).start().unwrap();
        let browser = world.client();
        plant(&browser, &an_expired_session());
        let impatient = browser.fork().timeout(Duration::from_millis(400));
        assert!(impatient.get(&format!("{APP}/api")).try_send().is_err(), "it hung up");
        world.wait_for_requests("idp.example", 2, PATIENCE);
        if lease == "kv" {
            world.kv("AUTH_KV").wait_until(PATIENCE, |kv| {
                kv.keys().iter().any(|key| key.starts_with("next/")).then_some(())
            });
        }
        // With the cookie of before, as the browser never got another.
        let reply = browser.get(&format!("{APP}/api")).send().expect_status(200);
        assert_eq!((reply.text().as_str(), used(&world)), ("Bearer new-token", 1), "{lease}");
    }
}

#[test]
fn a_sign_out_during_a_refresh_stays_signed_out() {
    for lease in ["kv", "durable-object"] {
        let world = slow_provider(worker("https://idp.example", lease)).start().unwrap();
        let browser = world.client();
        plant(&browser, &an_expired_session());
        let csrf = browser.get(&format!("{APP}/auth/csrf")).send().json()["csrfToken"].clone();
        let tab = browser.fork();
        let late = std::thread::scope(|scope| {
            let late = scope.spawn(|| tab.get(&format!("{APP}/api")).send());
            world.wait_for_requests("idp.example", 2, PATIENCE);
            let form = [("csrfToken", csrf.as_str().unwrap())];
            browser.post(&format!("{APP}/auth/signout")).form(&form).send().expect_status(302);
            late.join().unwrap()
        });
        assert_eq!(late.set_cookie(COOKIE), None, "{lease}");
        assert_eq!(late.status, 401, "{lease}");
    }
}

#[test]
fn a_worker_without_the_binding_that_it_needs_says_which() {
    for (lease, binding) in [("kv", "AUTH_KV"), ("durable-object", "AUTH_LEASE")] {
        let world = worker("https://idp.example", lease).without_binding(binding).start().unwrap();
        world.client().get(&format!("{APP}/api")).send().expect_status(500);
        let line = world.logs().wait_for("AUTH.refresh.lease", PATIENCE);
        assert!(line.message.contains(binding), "{}", line.message);
    }
}
