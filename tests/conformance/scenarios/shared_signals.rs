//! Security events that a transmitter pushes (RFC 8935, CAEP, the Shared Signals Framework).

use miniflare_test_harness::{Client, ClientResponse};
use serde_json::{Value, json};

use super::channels::{assert_ended, assert_goes_on};
use crate::env::{Env, settings};
use crate::provider::{EVENTS_URL, ISSUER, Signature, TRANSMITTER, now, sid, subject};

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CREDENTIAL_CHANGE: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
const STREAM_UPDATED: &str = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated";

fn env() -> Env {
    let mut settings = settings(&json!({}));
    settings["event_transmitters"] = json!([{
        "issuer": TRANSMITTER,
        "audience": EVENTS_URL,
        "jwks": format!("{ISSUER}/transmitter-keys"),
    }]);
    Env::with(settings, |builder| builder)
}

pub fn verification() {
    let env = env();
    let alice = env.signs_in();
    let stream = json!({ "format": "opaque", "id": "the-stream" });
    let token = env.provider.event_token(VERIFICATION, &json!({ "state": "as-asked-for" }), |claims| {
        claims["sub_id"] = stream.clone();
    });
    acknowledged(&push(&env, &token));
    env.logged("security_event_received", "as-asked-for");
    assert_goes_on(&alice, "alice");
}

pub fn unsolicited_verification() {
    let env = env();
    let token = env.provider.event_token(VERIFICATION, &json!({}), |claims| {
        claims["sub_id"] = json!({ "format": "opaque", "id": "the-stream" });
    });
    acknowledged(&push(&env, &token));
    env.logged("security_event_received", "verified the stream");
}

pub fn supported_events() {
    for event in [SESSION_REVOKED, CREDENTIAL_CHANGE] {
        let env = env();
        let (alice, again, bob) = (env.signs_in(), env.signs_in(), env.signs_in_as("bob"));
        let members = json!({
            "event_timestamp": now(),
            "credential_type": "password",
            "change_type": "update",
            "initiating_entity": "policy",
        });
        let token = env.provider.event_token(event, &members, |_| {});
        acknowledged(&push(&env, &token));
        for browser in [&alice, &again] {
            assert_ended(browser);
        }
        assert_goes_on(&bob, "bob");
        // It comes once more: a later session goes on.
        until(now() + 2);
        let later = env.signs_in();
        acknowledged(&push(&env, &token));
        assert_goes_on(&later, "alice");
    }
}

pub fn caep_interop() {
    // One session of a user, by the complex subject of the profile.
    let env = env();
    let (alice, bob) = (env.signs_in(), env.signs_in_as("bob"));
    let token = env.provider.event_token(SESSION_REVOKED, &json!({ "event_timestamp": now() }), |claims| {
        claims["sub_id"] = json!({
            "format": "complex",
            "user": { "format": "iss_sub", "iss": ISSUER, "sub": subject("alice") },
            "session": { "format": "opaque", "id": sid("alice") },
        });
    });
    acknowledged(&push(&env, &token));
    assert_ended(&alice);
    assert_goes_on(&bob, "bob");
    // Events that mean nothing here are acknowledged, and change nothing.
    let other = "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change";
    for (event, members) in [(other, json!({})), (STREAM_UPDATED, json!({ "status": "paused" }))] {
        let token = env.provider.event_token(event, &members, |claims| {
            claims["sub_id"] = json!({ "format": "iss_sub", "iss": ISSUER, "sub": subject("bob") });
        });
        acknowledged(&push(&env, &token));
        assert_goes_on(&bob, "bob");
    }
}

pub fn flawed() {
    let env = env();
    let alice = env.signs_in();
    let event = |change: &dyn Fn(&mut Value)| {
        env.provider.event_token(SESSION_REVOKED, &json!({ "event_timestamp": now() }), change)
    };
    let signed = |signature: Signature| {
        let claims = json!({
            "iss": TRANSMITTER, "aud": EVENTS_URL, "iat": now(), "jti": "another",
            "sub_id": { "format": "iss_sub", "iss": ISSUER, "sub": subject("alice") },
            "events": { SESSION_REVOKED: { "event_timestamp": now() } },
        });
        signature.with_type("secevent+jwt").sign(&claims)
    };
    for (code, token) in [
        ("invalid_issuer", event(&|claims| claims["iss"] = json!(ISSUER))),
        ("invalid_audience", event(&|claims| claims["aud"] = json!("https://app.example.com/another"))),
        ("invalid_request", event(&|claims| claims["exp"] = json!(now() + 60))),
        ("invalid_request", event(&|claims| drop(claims.as_object_mut().unwrap().remove("jti")))),
        ("invalid_request", event(&|claims| drop(claims.as_object_mut().unwrap().remove("sub_id")))),
        ("invalid_request", event(&|claims| claims["events"] = json!({}))),
        // The provider's key is not the transmitter's, and `none` is no algorithm.
        ("invalid_key", signed(Signature::honest("RSA", "RS256"))),
        ("invalid_request", signed(Signature::None)),
        ("invalid_request", "not.a.token".to_owned()),
    ] {
        let answer = push(&env, &token).expect_status(400);
        assert_eq!(answer.json()["err"], code, "{}", answer.text());
        assert_goes_on(&alice, "alice");
    }
    // A logout token is another kind of token.
    push(&env, &env.provider.logout_token("alice", |_| {})).expect_status(400);
    assert_goes_on(&alice, "alice");
    acknowledged(&push(&env, &event(&|_| {})));
    assert_ended(&alice);
}

/// RFC 8935 section 2.2.
fn acknowledged(answer: &ClientResponse) {
    assert_eq!((answer.status, answer.text().as_str()), (202, ""), "{answer:?}");
}

fn push(env: &Env, token: &str) -> ClientResponse {
    let transmitter: Client = env.client();
    let request = transmitter.post(EVENTS_URL).header("accept", "application/json");
    request.body("application/secevent+jwt", token).send()
}

fn until(second: u64) {
    while now() < second {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
