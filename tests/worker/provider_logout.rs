//! A provider ends sessions, in the real runtime: a logout token (OpenID Connect Back-Channel Logout 1.0) with the facts in
//! KV and in Durable Objects, and a frame of its logout page.

use std::time::{Duration, SystemTime};

use miniflare_test_harness::{Client, ClientResponse};
use serde_json::{Value, json};

use crate::idp;
use crate::signer::Signing;
use crate::test_env::{APP, TestEnv, echo, email, settings_with};

const SID: &str = "a-session-at-the-provider";

/// A site that the provider's logout reaches, with its facts in this store.
fn site(store: &str) -> TestEnv {
    let mut settings = settings_with(&json!({ "revocation": { "store": store, "interval": "1s" } }));
    settings["providers"][0]["backchannel_logout"] = json!(true);
    settings["providers"][0]["frontchannel_logout"] = json!(true);
    let env = TestEnv::with(settings, |builder| {
        builder.service("APP", echo).durable_object("AUTH_LEASE", "RefreshLease")
    });
    env.idp.change("id_token", |claims| claims["sid"] = json!(SID));
    env
}

fn logout_claims() -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    json!({
        "iss": idp::ISSUER,
        "aud": idp::CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": "a-logout",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    })
}

fn log_out(env: &TestEnv, claims: &Value, signing: &Signing) -> ClientResponse {
    let token = signing.sign(claims);
    let provider = env.client();
    provider.post(&format!("{APP}/auth/backchannel-logout")).form(&[("logout_token", &token)]).send()
}

fn signing() -> Signing {
    let header = json!({ "alg": "ES256", "kid": "P-256", "typ": "logout+jwt" });
    Signing { key: "P-256", alg: "ES256", header }
}

/// After the interval of a second, what was read before no longer counts.
fn email_after_the_interval(browser: &Client) -> String {
    std::thread::sleep(Duration::from_millis(1100));
    email(browser)
}

#[test]
fn a_logout_token_ends_a_session_by_sid_and_by_sub_with_either_store() {
    for store in ["kv", "durable-object"] {
        for (claim, value) in [("sid", SID), ("sub", "bob-1")] {
            let env = site(store);
            let (bob, alice) = (env.signed_in("bob"), env.signed_in("alice"));
            assert_eq!(email(&bob), "bob@example.com");
            let mut claims = logout_claims();
            claims[claim] = json!(value);
            let mut flawed = claims.clone();
            flawed["nonce"] = json!("n");
            let answer = log_out(&env, &flawed, &signing()).expect_status(400);
            assert_eq!(answer.json()["error"], "invalid_request");
            assert_eq!(email_after_the_interval(&bob), "bob@example.com", "{store} {claim}");
            let answer = log_out(&env, &claims, &signing()).expect_status(200);
            assert_eq!((answer.text().as_str(), answer.header("cache-control")), ("", Some("no-store")));
            assert_eq!(email_after_the_interval(&bob), "", "{store} {claim}");
            let others = if claim == "sub" { "alice@example.com" } else { "" };
            assert_eq!(email(&alice), others, "the provider has one session here: {store} {claim}");
        }
    }
}

#[test]
fn a_token_that_another_key_signed_ends_nothing() {
    let env = site("kv");
    let bob = env.signed_in("bob");
    let mut claims = logout_claims();
    claims["sid"] = json!(SID);
    // A key that the provider does not publish, under the name of one that it does.
    let forged = Signing { key: "P-384", alg: "ES384", header: json!({ "alg": "ES384", "kid": "P-256" }) };
    log_out(&env, &claims, &forged).expect_status(400);
    assert_eq!(email_after_the_interval(&bob), "bob@example.com");
}

#[test]
fn a_frame_of_the_providers_logout_page_ends_the_session() {
    let env = site("kv");
    let bob = env.signed_in("bob");
    let url = format!("{APP}/auth/frontchannel-logout?iss=https%3A%2F%2Fidp.example&sid={SID}");
    let frame = env.client();
    let answer = frame.get(&url).header("sec-fetch-dest", "iframe").send().expect_status(200);
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.ends_with("frame-ancestors https://idp.example"), "{policy}");
    assert_eq!(email_after_the_interval(&bob), "");
}
