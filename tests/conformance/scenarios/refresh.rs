//! Refresh tokens. The session's access token is made to have ended.

use miniflare_test_harness::{Client, Request};
use serde_json::json;

use crate::env::{APP, Env, claims, expire, session};
use crate::provider::email;

/// With everything that gives a refresh token. userinfo is asked, because the ID token has no name.
fn env() -> Env {
    Env::new(&json!({ "scope": "openid profile email offline_access" }))
}

pub fn refresh_token() {
    let env = env();
    let browser = env.signs_in();
    assert_eq!(env.count("token"), 1);
    let before = claims(&browser);
    expire(&browser);
    let reply = browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
    let refresh = env.requests("token").pop().unwrap();
    assert_eq!((env.count("token"), refresh.form("grant_type").as_deref()), (2, Some("refresh_token")));
    assert_eq!(refresh.form("refresh_token").as_deref(), before["refresh_token"].as_str());
    let new = forwarded(&env);
    assert_eq!(new.as_deref(), Some("Bearer access-token-2"));
    let asked = env.requests("userinfo").pop().unwrap();
    assert_eq!((env.count("userinfo"), asked.header("authorization")), (2, new.as_deref()));
    assert!(reply.set_cookie("__Secure-authjs.session-token").is_some());
    let after = claims(&browser);
    assert_eq!(
        (after["sid"].clone(), &after["access_token"]),
        (before["sid"].clone(), &json!("access-token-2"))
    );
    assert_ne!(after["refresh_token"], before["refresh_token"]);
    // The next request needs no other.
    browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
    assert_eq!((env.count("token"), session(&browser)["user"]["email"].clone()), (2, json!(email("alice"))));
}

pub fn invalid_issuer() {
    refused("iss", "https://suite.example/another");
}

pub fn invalid_sub() {
    refused("sub", "subject-of-mallory");
}

/// Refreshes once as a control; then the refreshed ID token has this claim.
fn refused(claim: &'static str, value: &'static str) {
    let env = env();
    let browser = env.signs_in();
    expire(&browser);
    browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
    assert_eq!(forwarded(&env).as_deref(), Some("Bearer access-token-2"));

    env.provider.puts("refreshed_id_token", claim, json!(value));
    expire(&browser);
    let known = env.requests_to_service("APP").len();
    let reply = browser.get(&format!("{APP}/dashboard")).send();
    assert!([401, 503].contains(&reply.status), "{}", reply.status);
    assert_eq!((env.count("token"), env.requests_to_service("APP").len()), (3, known));
    // Neither the tokens nor their user reach the session.
    assert_eq!(env.count("userinfo"), 2, "nothing is asked with the new token");
    assert_not_mallory(&browser);
    env.logged("refresh_failed", &format!("\"{claim}\""));
}

fn assert_not_mallory(browser: &Client) {
    let claims = claims(browser);
    assert_ne!(claims["access_token"], json!("access-token-3"));
    assert_eq!(claims["sub"], json!("subject-of-alice"));
}

/// The access token that the application got last.
fn forwarded(env: &Env) -> Option<String> {
    let last: Request = env.requests_to_service("APP").pop()?;
    last.header("authorization").map(str::to_owned)
}
