//! `session.tokens`: the tokens are in the cookie, in the store under a key that only the cookie has, or nowhere.

mod configuration;
mod elsewhere;
mod nowhere;
mod refreshes;
mod trouble;

use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::log::LogEvent;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_testing::{APP, Answer, Browser, SECRET, TestEnv, settings};

use crate::refresh::bearer;

const SESSION: &str = "__Secure-authjs.session-token";
const DAY: Duration = Duration::from_hours(24);

/// The default settings with the tokens kept there.
fn kept_in(storage: &str) -> Value {
    let mut settings = settings();
    settings["session"]["tokens"] = json!(storage);
    settings
}

/// The same with this lease.
fn with_lease(storage: &str, lease: &str) -> Value {
    let mut settings = kept_in(storage);
    settings["refresh"] = json!({ "lease": lease });
    settings
}

fn signed_in(settings: Value) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    assert_eq!(browser.sign_in(&world, "bob", "/").status, 302);
    (world, browser)
}

/// The sealed session of a browser.
fn sealed(browser: &Browser) -> String {
    if let Some(whole) = browser.cookie(SESSION) {
        return whole.to_owned();
    }
    (0..).map_while(|chunk| browser.cookie(&format!("{SESSION}.{chunk}"))).collect()
}

/// The claims of a browser's session.
fn claims(world: &TestEnv, browser: &Browser) -> Map<String, Value> {
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    seal::open(&keys, Dialect::AuthJsV5, SESSION, &sealed(browser), world.now()).unwrap()
}

fn api(world: &TestEnv, browser: &mut Browser) -> Answer {
    browser.fetch(world, &format!("{APP}/api"))
}

/// The names of the entries in the store.
fn entries(world: &TestEnv) -> Vec<String> {
    world.store.keys("tokens/")
}

fn sign_out(world: &TestEnv, browser: &mut Browser) -> Answer {
    let csrf = browser.csrf(world);
    browser.post(world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)])
}

/// No token is in the store as it is, and none but the access token in what the browser got.
fn no_token_is_readable(world: &TestEnv) {
    for text in world.store.contents().iter().chain([&world.log_text()]) {
        for token in ["access-bob", "refresh-bob", "access-alice", "refresh-alice"] {
            assert!(!text.contains(token), "{text}");
        }
    }
}

#[test]
fn a_sign_in_writes_one_entry_and_its_cookie_has_no_token() {
    let mut settings = kept_in("store");
    settings["claims"]["id_token"] = json!("account.id_token");
    settings["claims"]["copy"] = json!("account.access_token");
    let (world, mut browser) = signed_in(settings.clone());
    assert_eq!((entries(&world).len(), world.store.writes.get(), world.store.reads.get()), (1, 1, 0));
    let claims = claims(&world, &browser);
    for token in ["access_token", "refresh_token", "id_token", "copy"] {
        assert!(!claims.contains_key(token), "{token}");
    }
    assert_eq!(claims["expires_at"], json!(world.now().seconds() + 3600));
    assert_eq!(claims["token_entry"]["holds"], json!(["access_token", "copy", "id_token", "refresh_token"]));
    no_token_is_readable(&world);
    let (sealed, expires_in) = world.store.value(&entries(&world)[0]).unwrap();
    assert!(!sealed.contains("bob"));
    // As long as the session can last.
    let longest = u64::try_from((90 * DAY + Duration::from_mins(1)).as_millis()).unwrap();
    assert!((longest - 2000..=longest).contains(&expires_in), "{expires_in}");

    // The process that wrote it reads nothing, any other one reads it once.
    assert_eq!(bearer(&api(&world, &mut browser)), Some("access-bob"));
    assert_eq!(world.store.reads.get(), 0);
    let other = world.isolate(settings, "here");
    for _ in 0..5 {
        assert_eq!(bearer(&api(&other, &mut browser)), Some("access-bob"));
        assert_eq!(browser.session(&other)["access_token"], "access-bob");
    }
    assert_eq!(world.store.reads.get(), 1);
}

#[test]
fn many_requests_at_once_read_the_entry_once() {
    let (world, browser) = signed_in(kept_in("store"));
    let other = world.isolate(kept_in("store"), "here");
    let cookies = browser.cookie_header();
    let answers =
        other.all((0..20).map(|i| crate::refresh::sent(&other, &cookies, Duration::from_millis(i))));
    assert!(answers.iter().all(|answer| bearer(answer) == Some("access-bob")));
    assert_eq!(world.store.reads.get(), 1);
}

#[test]
fn a_request_that_needs_no_token_reads_nothing() {
    let mut without = kept_in("store");
    without["session"]["expose"] = json!({ "user.roles": "roles" });
    without["upstreams"][0].as_object_mut().unwrap().remove("authorization");
    without["upstreams"][0]["forward_session"] = json!(true);
    let (world, mut browser) = signed_in(without.clone());
    let other = world.isolate(without, "here");
    let answer = api(&other, &mut browser);
    let headers = &answer.forwarded.as_ref().unwrap().request.headers;
    assert_eq!((answer.status, headers.get("x-user-email")), (200, Some("bob@example.com")));
    assert_eq!(browser.session(&other)["user"]["roles"], json!(["user"]));
    browser.open(&other, &format!("{APP}/about"));
    // Nor does it refresh a token that no one would see.
    world.pass(Duration::from_secs(3605));
    assert_eq!(api(&other, &mut browser).status, 200);
    assert_eq!((world.store.reads.get(), crate::refresh::given(&world)), (0, 0));
}

#[test]
fn rules_decide_by_claims_of_the_cookie_alone() {
    let mut settings = kept_in("store");
    settings["claims"]["proof"] = json!("account.access_token");
    settings["rules"] = json!([{ "match": "/api", "require": { "proof": { "exists": true } } }]);
    settings["upstreams"] = json!([{ "to": "https://upstream.example" }]);
    let (world, mut browser) = signed_in(settings.clone());
    let other = world.isolate(settings, "here");
    assert_eq!((api(&other, &mut browser).status, world.store.reads.get()), (200, 0));
    assert_eq!(claims(&world, &browser)["proof"], "access-bob");
}

#[test]
fn get_token_gives_the_token_from_the_store() {
    let (world, mut browser) = signed_in(kept_in("store"));
    let other = world.isolate(kept_in("store"), "here");
    let token = |browser: &mut Browser| {
        let headers = [("sec-fetch-site", "same-origin"), ("x-vestibule-token", "1")];
        browser.send(&other, "GET", &format!("{APP}/auth/token"), &headers, b"")
    };
    let answer = token(&mut browser);
    let shown: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &shown["access_token"]), (200, &json!("access-bob")));
    world.store.loses("tokens/");
    let third = world.isolate(kept_in("store"), "here");
    let headers = [("sec-fetch-site", "same-origin"), ("x-vestibule-token", "1")];
    let lost =
        |browser: &mut Browser| browser.send(&third, "GET", &format!("{APP}/auth/token"), &headers, b"");
    assert_eq!(lost(&mut browser).status, 503);
    world.pass(Duration::from_secs(91));
    let answer = lost(&mut browser);
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("token_expired"));
}

#[test]
fn a_sign_out_deletes_the_entry_and_the_one_before_it_and_revokes_the_grant() {
    let mut settings = kept_in("store");
    settings["providers"][0]["token_revocation"] = json!("https://idp.example/revoke");
    let (world, mut browser) = signed_in(settings.clone());
    world.pass(Duration::from_secs(3605));
    assert_eq!(bearer(&api(&world, &mut browser)), Some("access-bob~1"));
    assert_eq!(entries(&world).len(), 2);
    let copy = browser.clone();
    // In a process that has not read the entry.
    let other = world.isolate(settings.clone(), "here");
    assert_eq!(sign_out(&other, &mut browser).status, 302);
    assert_eq!(entries(&world), Vec::<String>::new());
    assert_eq!(*world.provider.revocations.borrow(), ["token=refresh-bob%7E1&token_type_hint=refresh_token"]);
    for isolate in [&other, &world.isolate(settings, "here")] {
        let mut copy = copy.clone();
        assert_eq!(api(isolate, &mut copy).status, 401);
    }
}

#[test]
fn a_process_that_sees_a_revoked_session_deletes_its_entry() {
    let mut settings = kept_in("store");
    settings["revocation"] = json!({ "store": "kv", "interval": "1s" });
    let (world, mut browser) = signed_in(settings.clone());
    let mut copy = browser.clone();
    // The deletion is lost, but not the fact.
    world.store.fails.set(("delete tokens/", 1));
    sign_out(&world, &mut browser);
    assert_eq!((entries(&world).len(), world.logged(LogEvent::TokensNotDeleted).len()), (1, 1));
    world.pass(Duration::from_mins(2));
    let other = world.isolate(settings, "here");
    for _ in 0..3 {
        assert_eq!(api(&other, &mut copy).status, 401);
    }
    world.clock.run(world.clock.sleep(Duration::from_secs(1)));
    assert_eq!((entries(&world).len(), world.store.deletes.get()), (0, 1));
}

#[test]
fn an_update_by_a_page_keeps_the_entry() {
    let mut settings = kept_in("store");
    settings["session"]["updatable"] = json!(["theme"]);
    let (world, mut browser) = signed_in(settings.clone());
    let before = claims(&world, &browser)["token_entry"].clone();
    let other = world.isolate(settings, "here");
    let csrf = browser.csrf(&other);
    let body = json!({ "csrfToken": csrf, "data": { "theme": "dark" } }).to_string();
    let headers = [("content-type", "application/json"), ("origin", APP)];
    let answer = browser.send(&other, "POST", &format!("{APP}/auth/session"), &headers, body.as_bytes());
    let shown: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &shown["access_token"]), (200, &json!("access-bob")));
    let after = claims(&world, &browser);
    assert_eq!((&after["theme"], &after["token_entry"]), (&json!("dark"), &before));
    assert!(!after.contains_key("access_token"));
    assert_eq!(bearer(&api(&world, &mut browser)), Some("access-bob"));
}

#[test]
fn a_renewal_keeps_the_entry_and_writes_none() {
    let mut settings = kept_in("store");
    // A token that never expires here, and no confirmation: only the cookie is renewed.
    settings["providers"][0]["strict_rotation"] = json!(true);
    settings["refresh"] = json!({ "lease": "none" });
    let world = TestEnv::with(settings);
    world.provider.alters_answer_at("token", |answer| answer["expires_in"] = json!(9_999_999));
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    let before = claims(&world, &browser);
    world.pass(DAY + Duration::from_secs(60));
    assert_eq!(bearer(&api(&world, &mut browser)), Some("access-bob"));
    let after = claims(&world, &browser);
    assert!(after["iat"].as_u64() > before["iat"].as_u64());
    assert_eq!((&after["token_entry"], entries(&world).len()), (&before["token_entry"], 1));
}
