//! `flow/session/security_events`: a transmitter pushes security events. Each test checks a sentence of `docs/logout.md`.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::{Answer, FakeProvider, TestEnv, environment};

use crate::backchannel_logout::{ISSUER, STORES, is_in, signed_in};
use crate::credentials::sealed;
use crate::revocation::site;

const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CHANGED: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";
const AUDIENCE: &str = "https://app.example.com/auth/security-events";
const TRANSMITTER: &str = "https://idp.example/events";
const SECOND: Duration = Duration::from_secs(1);

/// A site that a transmitter with an issuer of its own sends events to.
fn listening(store: &str) -> Value {
    let mut settings = site(store);
    settings["event_transmitters"] =
        json!([{ "issuer": TRANSMITTER, "jwks": "https://idp.example/jwks", "audience": AUDIENCE }]);
    settings
}

fn world(store: &str) -> TestEnv {
    let world = TestEnv::with(listening(store));
    world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("at-the-provider"));
    world
}

fn bob() -> Value {
    json!({ "format": "iss_sub", "iss": ISSUER, "sub": "bob-1" })
}

fn claims(world: &TestEnv, event: &str, subject: &Value) -> Value {
    let now = world.now().seconds();
    json!({
        "iss": TRANSMITTER,
        "aud": AUDIENCE,
        "iat": now,
        "jti": "event-1",
        "sub_id": subject,
        "events": { event: { "event_timestamp": now } },
    })
}

fn signed(world: &TestEnv, claims: &Value) -> String {
    world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "secevent+jwt" }), claims)
}

fn push_with(world: &TestEnv, headers: &[(&str, &str)], token: &str) -> Answer {
    let mut all = vec![("cf-connecting-ip", "203.0.113.7"), ("accept", "application/json")];
    all.extend_from_slice(headers);
    world.send("POST", AUDIENCE, &all, token.as_bytes())
}

fn push(world: &TestEnv, token: &str) -> Answer {
    push_with(world, &[("content-type", "application/secevent+jwt")], token)
}

fn code(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
    assert!(body["description"].is_string(), "{answer:?}");
    assert_eq!(answer.headers.get("content-language"), Some("en"));
    body["err"].as_str().unwrap().to_owned()
}

#[test]
fn a_revoked_session_and_a_changed_credential_end_the_users_sessions() {
    for store in STORES {
        for event in [REVOKED, CHANGED] {
            let world = world(store);
            let (one, two, alice) =
                (signed_in(&world, "bob"), signed_in(&world, "bob"), signed_in(&world, "alice"));
            let answer = push(&world, &signed(&world, &claims(&world, event, &bob())));
            assert_eq!((answer.status, answer.body.as_str()), (202, ""), "{store} {event}");
            let other = world.isolate(listening(store), "here");
            for place in [&world, &other] {
                let in_now = [&one, &two, &alice].map(|browser| is_in(place, browser));
                assert_eq!(in_now, [false, false, true], "{store} {event}");
            }
            assert!(!world.log_text().contains("bob-1"), "{}", world.log_text());
            assert!(is_in(&other, &signed_in(&world, "bob")), "who signs in again is in: {store}");
        }
    }
}

#[test]
fn an_event_that_names_one_session_ends_that_one() {
    for store in STORES {
        let session = json!({ "format": "opaque", "id": "at-the-provider" });
        for subject in [json!({ "format": "complex", "user": bob(), "session": session }), session.clone()] {
            let world = world(store);
            let one = signed_in(&world, "bob");
            world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("another-session"));
            let two = signed_in(&world, "bob");
            let token = signed(&world, &claims(&world, REVOKED, &subject));
            assert_eq!(push(&world, &token).status, 202, "{store}");
            let other = world.isolate(listening(store), "here");
            assert_eq!(
                [&one, &two].map(|browser| is_in(&other, browser)),
                [false, true],
                "{store} {subject}"
            );
        }
    }
}

#[test]
fn subjects_are_read_in_every_form_that_finds_a_user() {
    let email = json!({ "format": "email", "email": "bob@example.com" });
    for subject in [
        bob(),
        json!({ "format": "iss_sub", "iss": TRANSMITTER, "sub": "bob-1" }),
        json!({ "format": "opaque", "id": "bob-1" }),
        json!({ "format": "aliases", "identifiers": [email, bob()] }),
        json!({ "format": "complex", "user": bob() }),
        json!({ "format": "complex", "user": bob(), "device": { "format": "opaque", "id": "phone" } }),
    ] {
        let world = world("kv");
        let browser = signed_in(&world, "bob");
        assert_eq!(push(&world, &signed(&world, &claims(&world, CHANGED, &subject))).status, 202);
        assert!(!is_in(&world, &browser), "{subject}");
        assert!(world.logged(LogEvent::SecurityEventNotApplied).is_empty());
    }
}

#[test]
fn a_subject_that_finds_no_one_is_acknowledged_and_logged() {
    let email = json!({ "format": "email", "email": "bob@example.com" });
    for subject in [
        email.clone(),
        json!({ "format": "phone_number", "phone_number": "+12065550100" }),
        json!({ "format": "account", "uri": "acct:bob@example.com" }),
        json!({ "format": "iss_sub", "iss": "https://another.example", "sub": "bob-1" }),
        json!({ "format": "aliases", "identifiers": [email] }),
        json!({ "format": "complex", "tenant": { "format": "opaque", "id": "acme" } }),
    ] {
        for event in [REVOKED, CHANGED] {
            let world = world("kv");
            let browser = signed_in(&world, "bob");
            assert_eq!(push(&world, &signed(&world, &claims(&world, event, &subject))).status, 202);
            assert!(is_in(&world, &browser), "{subject}");
            assert_eq!(world.logged(LogEvent::SecurityEventNotApplied).len(), 1);
            assert!(!world.log_text().contains("bob@"), "{}", world.log_text());
        }
    }
}

#[test]
fn the_log_says_of_which_format_a_session_is_that_cannot_be_found() {
    let world = world("kv");
    let browser = signed_in(&world, "bob");
    let subject =
        json!({ "format": "complex", "session": { "format": "email", "email": "bob@example.com" } });
    assert_eq!(push(&world, &signed(&world, &claims(&world, REVOKED, &subject))).status, 202);
    assert!(is_in(&world, &browser));
    let log = world.log_text();
    assert!(log.contains("not by a subject of the format") && !log.contains("bob@"), "{log}");
}

#[test]
fn an_old_event_ends_only_what_began_before_it_happened() {
    for store in STORES {
        let world = world(store);
        let early = signed_in(&world, "bob");
        world.pass(SECOND * 600);
        let happened = world.now().seconds();
        world.pass(SECOND * 600);
        let late = signed_in(&world, "bob");
        world.pass(SECOND * 600);
        // The transmitter kept it for a while, and made it a while later.
        let mut old = claims(&world, REVOKED, &bob());
        old["iat"] = json!(happened + 900);
        old["events"][REVOKED] = json!({ "event_timestamp": happened });
        let token = signed(&world, &old);
        for _ in 0..2 {
            assert_eq!(push(&world, &token).status, 202, "{store}");
        }
        let other = world.isolate(listening(store), "here");
        assert_eq!([&early, &late].map(|browser| is_in(&other, browser)), [false, true], "{store}");
    }
}

#[test]
fn a_transmitters_clock_that_is_ahead_locks_no_one_out() {
    let world = world("kv");
    let mut ahead = claims(&world, REVOKED, &bob());
    let time = world.now().seconds() + 60;
    ahead["iat"] = json!(time);
    ahead["events"][REVOKED] = json!({ "event_timestamp": time });
    assert_eq!(push(&world, &signed(&world, &ahead)).status, 202);
    assert!(is_in(&world, &signed_in(&world, "bob")));
}

#[test]
fn events_about_the_stream_and_unknown_ones_are_acknowledged_and_change_nothing() {
    let world = world("kv");
    let browser = signed_in(&world, "bob");
    let stream = json!({ "format": "opaque", "id": "stream-1" });
    for (event, payload) in [
        ("https://schemas.openid.net/secevent/ssf/event-type/verification", json!({ "state": "VGhpcw==" })),
        ("https://schemas.openid.net/secevent/ssf/event-type/verification", json!({})),
        ("https://schemas.openid.net/secevent/ssf/event-type/stream-updated", json!({ "status": "paused" })),
        ("https://schemas.openid.net/secevent/caep/event-type/token-claims-change", json!({ "claims": {} })),
        ("https://schemas.openid.net/secevent/risc/event-type/account-disabled", json!({ "reason": "x" })),
        ("http://schemas.openid.net/event/backchannel-logout", json!({})),
    ] {
        let mut token = claims(&world, event, &stream);
        token["events"] = json!({ event: payload });
        assert_eq!(push(&world, &signed(&world, &token)).status, 202, "{event}");
        token["sub_id"] = bob();
        assert_eq!(push(&world, &signed(&world, &token)).status, 202, "{event}");
    }
    assert!(is_in(&world, &browser));
    assert_eq!(world.store.writes.get(), 0);
    let lines = world.logged(LogEvent::SecurityEventReceived);
    assert_eq!(lines.len(), 12);
    assert!(lines[0].message().contains("VGhpcw=="), "an operator compares the state");
}

#[test]
fn each_flaw_gets_its_code_and_ends_nothing() {
    let world = world("kv");
    let browser = signed_in(&world, "bob");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims(&world, REVOKED, &bob());
        change(&mut claims);
        signed(&world, &claims)
    };
    let now = world.now().seconds();
    let good = claims(&world, REVOKED, &bob());
    let typed =
        |typ: &str| world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": typ }), &good);
    let payload = signed(&world, &good).split('.').nth(1).unwrap().to_owned();
    for (token, expected) in [
        (changed(&|claims| claims["iss"] = json!("https://evil.example")), "invalid_issuer"),
        (changed(&|claims| claims["iss"] = json!(ISSUER)), "invalid_issuer"),
        (changed(&|claims| claims["aud"] = json!("https://another.example")), "invalid_audience"),
        (changed(&|claims| drop(claims.as_object_mut().unwrap().remove("aud"))), "invalid_audience"),
        (changed(&|claims| claims["iat"] = json!(now + 61)), "invalid_request"),
        (changed(&|claims| drop(claims.as_object_mut().unwrap().remove("jti"))), "invalid_request"),
        (changed(&|claims| claims["exp"] = json!(now + 300)), "invalid_request"),
        (changed(&|claims| drop(claims.as_object_mut().unwrap().remove("sub_id"))), "invalid_request"),
        (changed(&|claims| claims["sub_id"]["email"] = json!("x")), "invalid_request"),
        (changed(&|claims| claims["events"] = json!({})), "invalid_request"),
        (changed(&|claims| claims["events"] = json!({ REVOKED: "now" })), "invalid_request"),
        (typed("JWT"), "invalid_request"),
        (typed("logout+jwt"), "invalid_request"),
        (world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1" }), &good), "invalid_request"),
        (
            FakeProvider::forged(&json!({ "alg": "ES256", "kid": "key-1", "typ": "secevent+jwt" }), &good),
            "invalid_key",
        ),
        (
            FakeProvider::forged(&json!({ "alg": "ES256", "kid": "x", "typ": "secevent+jwt" }), &good),
            "invalid_key",
        ),
        (format!("eyJhbGciOiJub25lIn0.{payload}."), "invalid_request"),
        (format!("eyJhbGciOiJIUzI1NiJ9.{payload}.AAAA"), "invalid_request"),
        (String::new(), "invalid_request"),
        ("a.b.c".to_owned(), "invalid_request"),
        (format!("SET={}", signed(&world, &good)), "invalid_request"),
        ("a".repeat(1024 * 1024), "invalid_request"),
    ] {
        let answer = push(&world, &token);
        assert_eq!(answer.status, 400, "{answer:?} {token:.60}");
        assert_eq!(code(&answer), expected, "{answer:?} {token:.60}");
    }
    for content_type in ["application/json", "application/jwt", "application/x-www-form-urlencoded", ""] {
        let answer = push_with(&world, &[("content-type", content_type)], &signed(&world, &good));
        assert_eq!((answer.status, code(&answer).as_str()), (400, "invalid_request"), "{content_type}");
    }
    assert!(is_in(&world, &browser));
    assert_eq!(world.store.writes.get(), 0);
    assert_eq!(push(&world, &signed(&world, &good)).status, 202, "the positive control");
    assert!(!is_in(&world, &browser));
}

#[test]
fn a_transmitter_with_a_secret_has_to_send_it_before_a_signature_is_verified() {
    const SECRET: &str = "a-transmitters-own-secret-of-32-characters";
    let env = |name: &str| match name {
        "AUTH_ACME_EVENTS_SECRET" => Some(SECRET.to_owned()),
        name => environment(name),
    };
    let world = TestEnv::in_environment(listening("kv"), &env);
    let browser = signed_in(&world, "bob");
    let token = signed(&world, &claims(&world, REVOKED, &bob()));
    let media_type = ("content-type", "application/secevent+jwt");
    let bearer = format!("Bearer {SECRET}");
    let verified = world.crypto.verifications();
    for headers in [
        vec![media_type],
        vec![media_type, ("authorization", "Bearer wrong")],
        vec![media_type, ("authorization", SECRET)],
        vec![media_type, ("authorization", &bearer), ("authorization", &bearer)],
    ] {
        let answer = push_with(&world, &headers, &token);
        assert_eq!((answer.status, code(&answer).as_str()), (400, "authentication_failed"), "{headers:?}");
    }
    assert_eq!(world.crypto.verifications(), verified);
    assert!(is_in(&world, &browser));
    assert_eq!(push_with(&world, &[media_type, ("authorization", &bearer)], &token).status, 202);
    assert!(!is_in(&world, &browser));
}

#[test]
fn keys_come_from_the_configuration_the_provider_or_the_transmitters_metadata() {
    for (transmitter, issuer, keys_of) in [
        (json!({ "audience": AUDIENCE }), ISSUER, "discovery"),
        (json!({ "audience": AUDIENCE, "issuer": TRANSMITTER }), TRANSMITTER, "transmitter"),
        (
            json!({ "audience": AUDIENCE, "issuer": "https://x.example", "jwks": format!("{ISSUER}/jwks") }),
            "https://x.example",
            "jwks",
        ),
    ] {
        let mut settings = site("kv");
        settings["event_transmitters"] = json!([transmitter]);
        let world = TestEnv::with(settings.clone());
        let browser = signed_in(&world, "bob");
        let mut claims = claims(&world, REVOKED, &bob());
        claims["iss"] = json!(issuer);
        let fresh = world.isolate(settings, "here");
        world.provider.goes_down(keys_of);
        assert_eq!(push(&fresh, &signed(&world, &claims)).status, 503, "{keys_of}");
        world.provider.comes_back();
        world.pass(SECOND * 6);
        assert_eq!(push(&fresh, &signed(&world, &claims)).status, 202, "{keys_of}");
        assert!(!is_in(&fresh, &browser), "{keys_of}");
    }
}

#[test]
fn key_confusion_transmitters_of_one_issuer_have_keys_of_their_own() {
    const OTHER: &str = "https://app.example.com/events-of-others";
    // The keys of the one are published. At the address of the other one's are none.
    let elsewhere = "https://idp.example/.well-known/openid-configuration";
    for good in [
        json!({ "issuer": TRANSMITTER, "jwks": "https://idp.example/jwks", "audience": AUDIENCE }),
        json!({ "issuer": TRANSMITTER, "audience": AUDIENCE }),
    ] {
        let mut settings = site("kv");
        let other = json!({ "issuer": TRANSMITTER, "jwks": elsewhere, "audience": OTHER });
        settings["event_transmitters"] = json!([other, good]);
        let world = TestEnv::with(settings);
        let token = |audience: &str| {
            let mut claims = claims(&world, CHANGED, &bob());
            claims["aud"] = json!(audience);
            signed(&world, &claims)
        };
        let browser = signed_in(&world, "bob");
        assert_eq!(push(&world, &token(OTHER)).status, 503, "{good}");
        assert_eq!(push(&world, &token(AUDIENCE)).status, 202, "{good}");
        assert!(!is_in(&world, &browser), "{good}");
        let browser = signed_in(&world, "bob");
        world.pass(SECOND * 11);
        assert_eq!(push(&world, &token(OTHER)).status, 503, "{good}");
        assert!(is_in(&world, &browser), "{good}");
    }
}

#[test]
fn an_event_that_fits_two_transmitters_of_one_issuer_is_tried_with_the_keys_of_both() {
    const OTHER: &str = "https://app.example.com/events-of-others";
    // At this address are no keys.
    let elsewhere = "https://idp.example/.well-known/openid-configuration";
    let wrong = json!({ "issuer": TRANSMITTER, "jwks": elsewhere, "audience": OTHER });
    let right = json!({ "issuer": TRANSMITTER, "jwks": "https://idp.example/jwks", "audience": AUDIENCE });
    for transmitters in [json!([wrong, right]), json!([right, wrong])] {
        let mut settings = site("kv");
        settings["event_transmitters"] = transmitters.clone();
        let world = TestEnv::with(settings);
        let browser = signed_in(&world, "bob");
        let mut claims = claims(&world, CHANGED, &bob());
        claims["aud"] = json!([OTHER, AUDIENCE]);
        assert_eq!(push(&world, &signed(&world, &claims)).status, 202, "{transmitters}");
        assert!(!is_in(&world, &browser), "{transmitters}");
    }
}

#[test]
fn a_flood_of_forged_events_costs_bounded_work_also_where_newer_keys_of_another_transmitter_are_unavailable()
{
    const OTHER: &str = "https://app.example.com/events-of-others";
    let elsewhere = "https://idp.example/.well-known/openid-configuration";
    let mut settings = site("kv");
    settings["event_transmitters"] = json!([
        { "issuer": TRANSMITTER, "jwks": elsewhere, "audience": OTHER },
        { "issuer": TRANSMITTER, "jwks": "https://idp.example/jwks", "audience": AUDIENCE },
    ]);
    let world = TestEnv::with(settings);
    let mut claims = claims(&world, CHANGED, &bob());
    claims["aud"] = json!([OTHER, AUDIENCE]);
    let header = json!({ "alg": "ES256", "kid": "key-1", "typ": "secevent+jwt" });
    let forged = FakeProvider::forged(&header, &claims);
    let statuses: Vec<u16> = (0..100).map(|_| push(&world, &forged).status).collect();
    assert!(statuses.ends_with(&[429]), "{statuses:?}");
    assert!(world.crypto.verifications() <= 31);
}

#[test]
fn an_event_by_a_new_key_is_accepted_right_after_the_keys_were_fetched() {
    let world = world("kv");
    let browser = signed_in(&world, "bob");
    assert_eq!(push(&world, &signed(&world, &claims(&world, CHANGED, &bob()))).status, 202);
    assert!(!is_in(&world, &browser));
    world.provider.rotates_its_key_to("key-2");
    world.pass(SECOND);
    let browser = signed_in(&world, "bob");
    world.pass(SECOND * 6);
    let header = json!({ "alg": "ES256", "kid": "key-2", "typ": "secevent+jwt" });
    let token = world.provider.signed(&header, &claims(&world, CHANGED, &bob()));
    assert_eq!(push(&world, &token).status, 202);
    assert!(!is_in(&world, &browser));
}

#[test]
fn a_transmitters_new_key_is_fetched_at_most_once_a_minute() {
    let world = world("kv");
    let token = |kid: &str| {
        let claims = claims(&world, CHANGED, &bob());
        world.provider.signed(&json!({ "alg": "ES256", "kid": kid, "typ": "secevent+jwt" }), &claims)
    };
    assert_eq!(push(&world, &token("key-1")).status, 202);
    world.pass(SECOND * 61);
    world.provider.rotates_its_key_to("key-2");
    assert_eq!(push(&world, &token("key-2")).status, 202);
    let fetched = world.fetches(&format!("{ISSUER}/jwks"));
    for n in 0..20 {
        let answer = push(&world, &token(&format!("invented-{n}")));
        assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("60")));
    }
    assert_eq!(world.fetches(&format!("{ISSUER}/jwks")), fetched);
}

#[test]
fn an_event_that_cannot_be_stored_gets_503_so_that_it_comes_again() {
    for store in STORES {
        let world = world(store);
        let browser = signed_in(&world, "bob");
        let token = signed(&world, &claims(&world, REVOKED, &bob()));
        world.store.is_down.set(true);
        assert_eq!(push(&world, &token).status, 503, "{store}");
        world.store.is_down.set(false);
        world.pass(SECOND * 6);
        assert_eq!(push(&world, &token).status, 202, "{store}");
        assert!(!is_in(&world.isolate(listening(store), "here"), &browser), "{store}");
    }
}

#[test]
fn an_event_of_several_kib_is_read_and_one_of_more_than_16_is_not() {
    for (length, is_read) in [(11_000, true), (13_000, false)] {
        let world = world("kv");
        let one = signed_in(&world, "bob");
        let mut event = claims(&world, REVOKED, &bob());
        event["reason_admin"] = json!({ "en": "x".repeat(length) });
        let answer = push(&world, &signed(&world, &event));
        assert_eq!((answer.status == 202, is_in(&world, &one)), (is_read, !is_read), "{length}: {answer:?}");
    }
}

#[test]
fn a_flood_of_forged_events_costs_bounded_work() {
    let world = world("kv");
    let header = json!({ "alg": "ES256", "kid": "key-1", "typ": "secevent+jwt" });
    let forged = FakeProvider::forged(&header, &claims(&world, REVOKED, &bob()));
    let statuses: Vec<u16> = (0..100).map(|_| push(&world, &forged).status).collect();
    assert_eq!((statuses[0], statuses[99]), (400, 429));
    assert!(world.crypto.verifications() <= 31);
}

#[test]
fn sessions_know_the_providers_session_where_a_transmitter_may_name_it() {
    let world = world("kv");
    let claims = sealed(&world, &signed_in(&world, "bob"));
    assert_eq!(claims["provider_sid"], "at-the-provider");
    assert!(claims.get("provider_sub").is_none());
}

#[test]
fn an_event_by_a_new_key_gets_503_while_the_keys_are_unavailable() {
    for transmitter in [
        json!({ "audience": AUDIENCE }),
        json!({ "audience": AUDIENCE, "issuer": ISSUER, "jwks": format!("{ISSUER}/jwks") }),
    ] {
        let mut settings = site("kv");
        settings["event_transmitters"] = json!([transmitter]);
        let world = TestEnv::with(settings);
        let browser = signed_in(&world, "bob");
        let token = |kid: &str| {
            let mut claims = claims(&world, CHANGED, &bob());
            claims["iss"] = json!(ISSUER);
            world.provider.signed(&json!({ "alg": "ES256", "kid": kid, "typ": "secevent+jwt" }), &claims)
        };
        let unknown = push(&world, &token("other"));
        assert_eq!((unknown.status, code(&unknown).as_str()), (400, "invalid_key"));
        world.pass(SECOND * 61);
        world.provider.rotates_its_key_to("key-2");
        world.provider.goes_down("jwks");
        assert_eq!(push(&world, &token("key-2")).status, 503, "{transmitter}");
        assert!(is_in(&world, &browser));
        world.provider.comes_back();
        world.pass(SECOND * 6);
        assert_eq!(push(&world, &token("key-2")).status, 202, "{transmitter}");
        assert!(!is_in(&world, &browser), "{transmitter}");
    }
}

#[test]
fn a_subject_of_an_oauth_2_provider_is_named_by_the_issuer_that_its_configuration_states() {
    for (stated, is_ended) in [(ISSUER, true), ("https://another.example", false)] {
        let mut settings = listening("kv");
        settings["providers"] = json!([{
            "id": "acme", "type": "oauth2", "issuer": ISSUER, "authorization": "https://idp.example/authorize",
            "token": "https://idp.example/token", "userinfo": "https://idp.example/userinfo",
            "user": { "id": "profile.sub" },
        }]);
        let world = TestEnv::with(settings);
        let browser = signed_in(&world, "bob");
        let subject = json!({ "format": "iss_sub", "iss": stated, "sub": "bob-1" });
        assert_eq!(push(&world, &signed(&world, &claims(&world, CHANGED, &subject))).status, 202);
        assert_eq!(is_in(&world, &browser), !is_ended, "{stated}: {}", world.log_text());
    }
}

#[test]
fn an_event_ends_the_session_that_it_names_also_by_a_clock_that_is_behind() {
    for store in STORES {
        let world = world(store);
        let one = signed_in(&world, "bob");
        let session = json!({ "format": "opaque", "id": "at-the-provider" });
        let mut behind = claims(&world, REVOKED, &session);
        let time = world.now().seconds() - 5;
        behind["iat"] = json!(time);
        behind["events"][REVOKED] = json!({ "event_timestamp": time });
        assert_eq!(push(&world, &signed(&world, &behind)).status, 202, "{store}");
        let other = world.isolate(listening(store), "here");
        assert_eq!([&world, &other].map(|place| is_in(place, &one)), [false, false], "{store}");
    }
}

#[test]
fn an_event_that_one_transmitter_rejects_comes_again_while_the_keys_of_another_one_are_unavailable() {
    const OTHER: &str = "https://app.example.com/events-of-others";
    // At this address are no keys.
    let elsewhere = "https://idp.example/.well-known/openid-configuration";
    let unavailable = json!({ "issuer": TRANSMITTER, "jwks": elsewhere, "audience": OTHER });
    let rejects = json!({ "issuer": TRANSMITTER, "jwks": "https://idp.example/jwks", "audience": AUDIENCE });
    for transmitters in [json!([unavailable, rejects]), json!([rejects, unavailable])] {
        let mut settings = site("kv");
        settings["event_transmitters"] = transmitters.clone();
        let world = TestEnv::with(settings);
        let mut claims = claims(&world, CHANGED, &bob());
        claims["aud"] = json!([OTHER, AUDIENCE]);
        let token = signed(&world, &claims);
        claims["jti"] = json!("event-2");
        let other = signed(&world, &claims);
        // With the signature of another event.
        let (event, signature) = (token.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
        let answer = push(&world, &format!("{event}.{signature}"));
        assert_eq!(answer.status, 503, "{transmitters}: {answer:?}");
    }
}

#[test]
fn retry_after_is_that_of_the_first_transmitter_whose_keys_are_unavailable() {
    const OTHER: &str = "https://app.example.com/events-of-others";
    // At this address are no keys.
    let elsewhere = "https://idp.example/.well-known/openid-configuration";
    let unavailable = json!({ "issuer": TRANSMITTER, "jwks": elsewhere, "audience": OTHER });
    let published =
        json!({ "issuer": TRANSMITTER, "jwks": "https://idp.example/jwks", "audience": AUDIENCE });
    for (transmitters, retry) in
        [(json!([published, unavailable]), "60"), (json!([unavailable, published]), "5")]
    {
        let mut settings = site("kv");
        settings["event_transmitters"] = transmitters.clone();
        let world = TestEnv::with(settings);
        let mut claims = claims(&world, CHANGED, &bob());
        claims["aud"] = json!([OTHER, AUDIENCE]);
        let by = |kid: &str| {
            let header = json!({ "alg": "ES256", "kid": kid, "typ": "secevent+jwt" });
            push(&world, &world.provider.signed(&header, &claims))
        };
        // The first two fetch the published keys, at first because there are none.
        by("invented-1");
        by("invented-2");
        let answer = by("invented-3");
        assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some(retry)), "{transmitters}");
    }
}
