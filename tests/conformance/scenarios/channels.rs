//! Sessions that the provider ends: by logout tokens, by frames of its logout page.

use std::time::{Duration, Instant};

use miniflare_test_harness::{Client, ClientResponse};
use serde_json::{Value, json};
use vestibule_test_runtimes::part_needs;

use super::logout::{arrives, leaves};
use crate::env::{APP, Env, session};
use crate::provider::{CLIENT_SECRET, ISSUER, LOGOUT_EVENT, Signature, now, sid, subject};

/// So long another instance may not know what one has learnt: `revocation.interval` is ten seconds.
const MAX_WAIT: Duration = Duration::from_secs(20);

fn backchannel() -> Env {
    Env::new(&json!({ "logout": true, "backchannel_logout": true }))
}

fn frontchannel() -> Env {
    Env::new(&json!({ "logout": true, "frontchannel_logout": true }))
}

pub fn backchannel_logout() {
    let env = backchannel();
    let (leaving, elsewhere, bob) = (env.signs_in(), env.signs_in(), env.signs_in_as("bob"));
    let left = leaves(&leaving);
    // The provider tells it before it sends the browser back.
    let answer = tell(&env, &env.provider.logout_token("alice", |_| {})).expect_status(200);
    assert!(answer.header("cache-control").is_some_and(|field| field.contains("no-store")), "{answer:?}");
    assert_ended(&elsewhere);
    assert_goes_on(&bob, "bob");
    assert_eq!(arrives(&leaving, &left).url, "https://app.example.com/public");
}

pub fn alg_none() {
    flawed(|env| env.provider.logout_token_signed(&Signature::None, "alice", |_| {}));
}

pub fn no_event() {
    flawed(|env| env.provider.logout_token("alice", |claims| without(claims, "events")));
}

pub fn with_nonce() {
    flawed(|env| env.provider.logout_token("alice", |claims| claims["nonce"] = json!("a-nonce")));
}

/// HS256 with the client secret, where ID tokens are signed with RS256.
pub fn wrong_alg() {
    assert!(!CLIENT_SECRET.is_empty());
    flawed(|env| env.provider.logout_token_signed(&Signature::ClientSecret, "alice", |_| {}));
}

pub fn wrong_aud() {
    flawed(|env| env.provider.logout_token("alice", |claims| claims["aud"] = json!("another-client")));
}

pub fn wrong_event() {
    let other = "http://schemas.openid.net/event/another";
    flawed(|env| env.provider.logout_token("alice", |claims| claims["events"] = json!({ other: {} })));
    flawed(|env| env.provider.logout_token("alice", |claims| claims["events"] = json!({ LOGOUT_EVENT: "" })));
}

pub fn wrong_iss() {
    let other = "https://suite.example/another";
    flawed(|env| env.provider.logout_token("alice", |claims| claims["iss"] = json!(other)));
}

pub fn by_sub_alone() {
    let env = backchannel();
    let (alice, bob) = (env.signs_in(), env.signs_in_as("bob"));
    let token = env.provider.logout_token("alice", |claims| without(claims, "sid"));
    tell(&env, &token).expect_status(200);
    assert_ended(&alice);
    assert_goes_on(&bob, "bob");
}

pub fn by_sid_alone() {
    let env = backchannel();
    let (alice, bob) = (env.signs_in(), env.signs_in_as("bob"));
    let token = env.provider.logout_token("alice", |claims| without(claims, "sub"));
    tell(&env, &token).expect_status(200);
    assert_ended(&alice);
    assert_goes_on(&bob, "bob");
}

pub fn neither_sub_nor_sid() {
    flawed(|env| {
        env.provider.logout_token("alice", |claims| {
            without(claims, "sub");
            without(claims, "sid");
        })
    });
}

pub fn stale() {
    flawed(|env| {
        env.provider.logout_token("alice", |claims| {
            (claims["iat"], claims["exp"]) = (json!(now() - 7200), json!(now() - 7000));
        })
    });
    flawed(|env| {
        env.provider.logout_token("alice", |claims| {
            (claims["iat"], claims["exp"]) = (json!(now() - 7200), json!(now() + 7000));
        })
    });
}

pub fn replayed() {
    let env = backchannel();
    let before = env.signs_in();
    let token = env.provider.logout_token("alice", |_| {});
    tell(&env, &token).expect_status(200);
    assert_ended(&before);
    // Both times are in seconds, and of the provider's clock.
    let second = now();
    while now() == second {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let after = env.signs_in();
    tell(&env, &token).expect_status(200);
    assert_goes_on(&after, "alice");
}

pub fn before_the_cookie() {
    let env = backchannel();
    let browser = env.client();
    // The provider ends its session while the code is exchanged: the browser has no session yet.
    let token = env.provider.logout_token("alice", |claims| {
        (claims["iat"], claims["exp"]) = (json!(now() + 2), json!(now() + 120));
    });
    tell(&env, &token).expect_status(200);
    crate::env::sign_in(&browser, "");
    assert_ended(&browser);
}

pub fn frontchannel_by_us() {
    let env = frontchannel();
    let (leaving, elsewhere, bob) = (env.signs_in(), env.signs_in(), env.signs_in_as("bob"));
    let left = leaves(&leaving);
    framed(&leaving, ISSUER, &sid("alice")).expect_status(200);
    assert_ended(&elsewhere);
    assert_goes_on(&bob, "bob");
    assert_eq!(arrives(&leaving, &left).url, "https://app.example.com/public");
}

pub fn frontchannel_by_provider() {
    let env = frontchannel();
    let (alice, bob) = (env.signs_in(), env.signs_in_as("bob"));
    // Another issuer, no issuer, no session: nothing ends.
    for (issuer, session) in
        [("https://suite.example/another", &*sid("alice")), ("", &*sid("alice")), (ISSUER, "")]
    {
        let answer = framed(&alice, issuer, session);
        assert_eq!(answer.status, 400, "{issuer} {session}");
        assert_goes_on(&alice, "alice");
    }
    // The frame is another site's: the browser sends no session with it.
    let answer = framed(&alice, ISSUER, &sid("alice")).expect_status(200);
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.contains(&format!("frame-ancestors {ISSUER}")), "{policy}");
    assert!(answer.header("cache-control").is_some_and(|field| field.contains("no-store")));
    assert_ended(&alice);
    assert_goes_on(&bob, "bob");
    // Not in a frame it does nothing.
    let link = bob.get(&logout_address(ISSUER, &sid("bob"))).navigation().cross_site().send();
    assert_eq!(link.status, 400);
    assert_goes_on(&bob, "bob");
}

/// A logout token with this flaw gets 400 and ends nothing, after one without it.
fn flawed(token: impl FnOnce(&Env) -> String) {
    let env = backchannel();
    let (alice, bob) = (env.signs_in(), env.signs_in_as("bob"));
    tell(&env, &env.provider.logout_token("bob", |_| {})).expect_status(200);
    assert_ended(&bob);
    let answer = tell(&env, &token(&env)).expect_status(400);
    assert!(answer.header("cache-control").is_some_and(|field| field.contains("no-store")), "{answer:?}");
    assert!(answer.json()["error"].is_string());
    assert_goes_on(&alice, "alice");
    env.logged("logout_token_rejected", "");
}

/// The provider's request.
fn tell(env: &Env, token: &str) -> ClientResponse {
    env.client().post(&format!("{APP}/auth/backchannel-logout")).form(&[("logout_token", token)]).send()
}

/// What a browser sends for the frame of the provider's logout page.
fn framed(browser: &Client, issuer: &str, session: &str) -> ClientResponse {
    let request = browser.get(&logout_address(issuer, session)).cross_site();
    request.header("sec-fetch-dest", "iframe").header("sec-fetch-mode", "navigate").send()
}

fn logout_address(issuer: &str, session: &str) -> String {
    let mut address = url::Url::parse(&format!("{APP}/auth/frontchannel-logout")).unwrap();
    for (name, value) in [("iss", issuer), ("sid", session)] {
        if !value.is_empty() {
            address.query_pairs_mut().append_pair(name, value);
        }
    }
    address.into()
}

fn without(claims: &mut Value, name: &str) {
    claims.as_object_mut().unwrap().remove(name);
}

pub(super) fn assert_ended(browser: &Client) {
    if !part_needs!(OneMemory) {
        let deadline = Instant::now() + MAX_WAIT;
        while session(browser) != Value::Null && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    assert_eq!(session(browser), Value::Null);
    assert_eq!(browser.get(&format!("{APP}/dashboard")).send().status, 401);
}

pub(super) fn assert_goes_on(browser: &Client, user: &str) {
    assert_eq!(session(browser)["user"]["name"], user);
    assert!(subject(user).ends_with(user));
}
