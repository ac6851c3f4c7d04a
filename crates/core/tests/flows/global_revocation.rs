//! `flow/session/global_revocation`: a provider revokes everything that a user has here. Each test checks a sentence of
//! `docs/logout.md`.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, Answer, FakeProvider, TestEnv, environment};

use crate::backchannel_logout::{ISSUER, STORES, is_in, signed_in};
use crate::revocation::site;

const URL: &str = "https://app.example.com/auth/global-token-revocation";

fn listening(store: &str) -> Value {
    let mut settings = site(store);
    settings["event_transmitters"] = json!([{ "audience": URL, "global_token_revocation": true }]);
    settings
}

fn caller(world: &TestEnv) -> Value {
    let now = world.now().seconds();
    json!({ "iss": ISSUER, "sub": "vestibule", "aud": URL, "jti": "1", "iat": now, "nbf": now, "exp": now + 300 })
}

fn signed(world: &TestEnv, claims: &Value) -> String {
    let header = json!({ "alg": "ES256", "kid": "key-1", "typ": "global-token-revocation+jwt" });
    world.provider.signed(&header, claims)
}

fn bob() -> Value {
    json!({ "sub_id": { "format": "iss_sub", "iss": ISSUER, "sub": "bob-1" } })
}

fn revoke(world: &TestEnv, token: &str, body: &Value) -> Answer {
    let headers = [("authorization", &*format!("Bearer {token}")), ("content-type", "application/json")];
    world.send("POST", URL, &headers, body.to_string().as_bytes())
}

#[test]
fn a_caller_that_proves_itself_ends_all_sessions_of_the_user() {
    for store in STORES {
        let world = TestEnv::with(listening(store));
        let (one, two, alice) =
            (signed_in(&world, "bob"), signed_in(&world, "bob"), signed_in(&world, "alice"));
        let answer = revoke(&world, &signed(&world, &caller(&world)), &bob());
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{store}");
        let other = world.isolate(listening(store), "here");
        for place in [&world, &other] {
            let in_now = [&one, &two, &alice].map(|browser| is_in(place, browser));
            assert_eq!(in_now, [false, false, true], "{store}");
        }
        assert!(is_in(&other, &signed_in(&world, "bob")), "who signs in again is in: {store}");
        assert!(!world.log_text().contains("bob-1"), "{}", world.log_text());
    }
}

#[test]
fn a_recorded_jwt_ends_no_session_that_began_after_it() {
    let world = TestEnv::with(listening("kv"));
    let token = signed(&world, &caller(&world));
    world.pass(Duration::from_mins(2));
    let later = signed_in(&world, "bob");
    assert_eq!(revoke(&world, &token, &bob()).status, 204);
    assert!(is_in(&world, &later));
}

#[test]
fn a_caller_that_does_not_prove_itself_gets_401() {
    let world = TestEnv::with(listening("kv"));
    let browser = signed_in(&world, "bob");
    let changed = |claim: &str, value: Value| {
        let mut claims = caller(&world);
        claims[claim] = value;
        signed(&world, &claims)
    };
    let now = world.now().seconds();
    let good = caller(&world);
    let with_header = |header: Value| world.provider.signed(&header, &good);
    let typ = "global-token-revocation+jwt";
    for token in [
        changed("iss", json!("https://evil.example")),
        changed("aud", json!(APP)),
        changed("aud", json!("vestibule")),
        changed("exp", json!(now - 60)),
        changed("exp", json!(null)),
        changed("iat", json!(now + 61)),
        changed("iat", json!(now - 661)),
        changed("jti", json!(null)),
        with_header(json!({ "alg": "ES256", "kid": "key-1" })),
        with_header(json!({ "alg": "ES256", "kid": "key-1", "typ": "JWT" })),
        with_header(json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" })),
        FakeProvider::forged(&json!({ "alg": "ES256", "kid": "key-1", "typ": typ }), &good),
        FakeProvider::forged(&json!({ "alg": "ES256", "kid": "x", "typ": typ }), &good),
        "not.a.jwt".to_owned(),
        String::new(),
    ] {
        let answer = revoke(&world, &token, &bob());
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.headers.get("www-authenticate").unwrap().starts_with("Bearer"));
    }
    let body = bob().to_string();
    let token = format!("Bearer {}", signed(&world, &good));
    for headers in [
        vec![],
        vec![("authorization", "Basic dmVzdGlidWxl")],
        vec![("authorization", token.as_str()), ("authorization", token.as_str())],
    ] {
        assert_eq!(world.send("POST", URL, &headers, body.as_bytes()).status, 401, "{headers:?}");
    }
    assert!(is_in(&world, &browser));
    assert!(!world.logged(LogEvent::GlobalRevocationRejected).is_empty());
}

#[test]
fn a_body_that_names_no_one_clearly_gets_400_and_a_user_of_others_404() {
    let world = TestEnv::with(listening("kv"));
    let browser = signed_in(&world, "bob");
    let token = signed(&world, &caller(&world));
    for (status, body) in [
        (400, json!({})),
        (400, json!({ "sub_id": "bob-1" })),
        (400, json!({ "sub_id": { "format": "iss_sub", "iss": ISSUER } })),
        (400, json!({ "sub_id": { "format": "email", "email": "bob@example.com" } })),
        (400, json!({ "subject": { "format": "opaque", "id": "bob-1" } })),
        (404, json!({ "sub_id": { "format": "iss_sub", "iss": "https://another.example", "sub": "bob-1" } })),
    ] {
        let answer = revoke(&world, &token, &body);
        let error = if status == 404 { "not_found" } else { "invalid_request" };
        assert!(answer.status == status && answer.body.contains(error), "{body}: {}", answer.body);
    }
    let twice = r#"{"sub_id":{"format":"opaque","id":"bob-1"},"sub_id":{"format":"opaque","id":"bob-1"}}"#;
    let bearer = format!("Bearer {token}");
    for (content_type, body) in [
        ("application/json", twice.to_owned()),
        ("application/json", "x".repeat(5000)),
        ("application/x-www-form-urlencoded", bob().to_string()),
    ] {
        let headers = [("authorization", bearer.as_str()), ("content-type", content_type)];
        assert_eq!(world.send("POST", URL, &headers, body.as_bytes()).status, 400, "{content_type}");
    }
    assert!(is_in(&world, &browser));
    assert_eq!(world.store.writes.get(), 0);
}

#[test]
fn a_caller_of_several_transmitters_revokes_the_user_of_the_one_whose_provider_has_it() {
    const TRANSMITTER: &str = "https://transmitter.example";
    let mut settings = site("kv");
    let mut second = settings["providers"][0].clone();
    second["id"] = json!("second");
    second["client_id"] = json!("another-client");
    second["issuer"] = json!("https://second.example");
    settings["providers"].as_array_mut().unwrap().push(second);
    let transmitter = |provider: &str, audience: &str| {
        json!({
            "issuer": TRANSMITTER, "jwks": "https://idp.example/jwks", "audience": audience,
            "provider": provider, "global_token_revocation": true,
        })
    };
    settings["event_transmitters"] = json!([transmitter("acme", URL), transmitter("second", "other")]);
    let world = TestEnv::in_environment(settings, &|name: &str| match name {
        "AUTH_SECOND_SECRET" => Some("second-secret".to_owned()),
        name => environment(name),
    });
    let browser = signed_in(&world, "bob");
    let mut claims = caller(&world);
    claims["iss"] = json!(TRANSMITTER);
    claims["aud"] = json!([URL, "other"]);
    let token = signed(&world, &claims);
    let of_nobody =
        json!({ "sub_id": { "format": "iss_sub", "iss": "https://third.example", "sub": "bob-1" } });
    assert_eq!(revoke(&world, &token, &of_nobody).status, 404);
    assert!(is_in(&world, &browser));
    assert_eq!(revoke(&world, &token, &bob()).status, 204);
    assert!(!is_in(&world, &browser));
}

#[test]
fn a_transmitter_without_the_key_may_not_revoke() {
    let mut settings = listening("kv");
    settings["event_transmitters"][0]["global_token_revocation"] = json!(false);
    let world = TestEnv::with(settings);
    let browser = signed_in(&world, "bob");
    assert_eq!(revoke(&world, &signed(&world, &caller(&world)), &bob()).status, 404);
    assert!(is_in(&world, &browser));
}

#[test]
fn a_caller_that_cannot_be_verified_gets_503_and_ends_nothing() {
    let world = TestEnv::with(listening("kv"));
    let browser = signed_in(&world, "bob");
    let token = signed(&world, &caller(&world));
    // A process that does not know the provider's keys yet.
    let fresh = world.isolate(listening("kv"), "here");
    world.provider.answers_raw("jwks", 500, "text/plain", b"down");
    let answer = revoke(&fresh, &token, &bob());
    assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("5")));
    assert!(answer.body.contains("temporarily_unavailable"), "{}", answer.body);
    assert!(is_in(&world, &browser));
}

#[test]
fn a_flood_of_forged_callers_costs_bounded_work_and_keeps_the_provider_in() {
    let world = TestEnv::with(listening("kv"));
    let browser = signed_in(&world, "bob");
    let verified = world.crypto.verifications();
    let header = json!({ "alg": "ES256", "kid": "key-1", "typ": "global-token-revocation+jwt" });
    let forged = FakeProvider::forged(&header, &caller(&world));
    let answers: Vec<Answer> = (0..100).map(|_| revoke(&world, &forged, &bob())).collect();
    let last = answers.last().unwrap();
    assert_eq!((answers[0].status, last.status), (401, 429));
    assert!(last.headers.get("retry-after").is_some() && last.body.contains("too_many_requests"), "{last:?}");
    assert!(world.crypto.verifications() - verified < 100);
    assert!(is_in(&world, &browser));
    // The provider has another address.
    let bearer = format!("Bearer {}", signed(&world, &caller(&world)));
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("cf-connecting-ip", "198.51.100.1"),
    ];
    assert_eq!(world.send("POST", URL, &headers, bob().to_string().as_bytes()).status, 204);
    assert!(!is_in(&world, &browser));
}

#[test]
fn a_revocation_that_cannot_be_stored_gets_503() {
    for store in STORES {
        let world = TestEnv::with(listening(store));
        let browser = signed_in(&world, "bob");
        let token = signed(&world, &caller(&world));
        world.store.is_down.set(true);
        assert_eq!(revoke(&world, &token, &bob()).status, 503, "{store}");
        world.store.is_down.set(false);
        world.pass(Duration::from_secs(6));
        assert_eq!(revoke(&world, &token, &bob()).status, 204, "{store}");
        assert!(!is_in(&world.isolate(listening(store), "here"), &browser), "{store}");
    }
}

#[test]
fn a_body_of_4_kib_is_read_and_no_longer_one() {
    for (length, status) in [(4096, 204), (4097, 400)] {
        let world = TestEnv::with(listening("kv"));
        let browser = signed_in(&world, "bob");
        let bearer = format!("Bearer {}", signed(&world, &caller(&world)));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = format!("{:<length$}", bob().to_string());
        assert_eq!(world.send("POST", URL, &headers, body.as_bytes()).status, status, "{length}");
        assert_eq!(is_in(&world, &browser), status != 204, "{length}");
    }
}
