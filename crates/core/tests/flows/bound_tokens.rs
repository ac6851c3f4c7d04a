//! `flow/guard/possession`: an access token that is bound to a key needs a proof for each request (RFC 9449 section 7). Each
//! test checks a sentence of `docs/apis.md` ("Tokens that are bound to a key").

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::jose::software::{self, SoftwareCrypto};
use vestibule_core::log::LogEvent;
use vestibule_core::oauth::dpop::{self, ALGORITHM, DpopKey, ProvenRequest};
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Answer, TestEnv, settings};

const AUDIENCE: &str = "https://api.example.com";
const INTROSPECT: &str = "https://idp.example/introspect";
const OPAQUE: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const SECOND: Duration = Duration::from_secs(1);

fn accepting(patch: &Value) -> Value {
    let mut settings = settings();
    let mut bearer = json!({ "audience": AUDIENCE });
    bearer.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    settings["providers"][0]["accept_bearer"] = bearer;
    settings["upstreams"] =
        json!([{ "to": "origin", "headers": { "X-User-Email": "email", "X-Token": "access_token" } }]);
    settings
}

fn key(seed: u8) -> DpopKey {
    DpopKey::generate(&mut |bytes| bytes.fill(seed))
}

fn thumbprint(key: &DpopKey) -> String {
    software::public_key(key.private(), ALGORITHM).unwrap().thumbprint()
}

fn claims(world: &TestEnv, confirmation: &Value) -> Value {
    let now = world.now().seconds();
    json!({
        "iss": ISSUER, "sub": "alice-1", "aud": AUDIENCE, "iat": now, "exp": now + 3000, "scope": "api",
        "email": "alice@example.com", "cnf": confirmation,
    })
}

/// A token of alice that is bound to this key.
fn token(world: &TestEnv, key: &DpopKey) -> String {
    let claims = claims(world, &json!({ "jkt": thumbprint(key) }));
    world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims)
}

#[derive(Clone, Copy)]
struct Made<'a> {
    method: &'a str,
    url: &'a str,
    token: &'a str,
    nonce: Option<&'a str>,
    id: &'a str,
}

fn proof(world: &TestEnv, key: &DpopKey, made: Made<'_>) -> String {
    let public = software::public_key(key.private(), ALGORITHM).unwrap();
    let Made { method, url, token, nonce, id } = made;
    let request = ProvenRequest { method, url, access_token: Some(token), nonce };
    let now = world.now();
    world.clock.run(dpop::proof(&SoftwareCrypto, key, &public, request, id, now)).unwrap()
}

fn for_dashboard<'a>(token: &'a str, id: &'a str) -> Made<'a> {
    Made { method: "GET", url: "https://app.example.com/dashboard", token, nonce: None, id }
}

fn send(world: &TestEnv, authorization: &str, proofs: &[&str]) -> Answer {
    let mut headers = vec![("authorization", authorization)];
    headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
    world.send("GET", &format!("{APP}/dashboard?x=1"), &headers, b"")
}

fn bring(world: &TestEnv, token: &str, proof: &str) -> Answer {
    send(world, &format!("DPoP {token}"), &[proof])
}

fn assert_challenged(answer: &Answer, scheme: &str, error: &str, case: &str) {
    assert_eq!(answer.status, 401, "{case}: {answer:?}");
    let challenge = answer.headers.get("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with(&format!("{scheme} error=\"{error}\"")), "{case}: {challenge}");
    assert!(challenge.contains("algs=\"") && challenge.contains("ES256"), "{case}: {challenge}");
    assert!(answer.forwarded.is_none(), "{case}");
}

#[test]
fn a_bound_token_passes_with_a_proof_and_never_as_a_bearer_token() {
    let world = TestEnv::with(accepting(&json!({})));
    let token = token(&world, &key(7));
    let made = proof(&world, &key(7), for_dashboard(&token, "id-1"));
    for scheme in ["Bearer", "bearer"] {
        let answer = send(&world, &format!("{scheme} {token}"), &[&made]);
        assert_challenged(&answer, "Bearer", "invalid_token", scheme);
        assert!(answer.headers.get("www-authenticate").unwrap().contains(", DPoP algs=\""));
    }
    let answer = bring(&world, &token, &made);
    assert_eq!(answer.status, 200, "{answer:?}\n{}", world.log_text());
    let seen = answer.forwarded.unwrap().request.headers;
    assert_eq!(seen.get("x-user-email"), Some("alice@example.com"));
    assert!(!world.log_text().contains(&token) && !world.log_text().contains(&made));
}

#[test]
fn the_proof_is_for_this_hop_so_upstreams_get_neither_it_nor_the_token() {
    for authorization in [Value::Null, json!("access_token")] {
        let mut settings = accepting(&json!({}));
        if !authorization.is_null() {
            settings["upstreams"][0]["authorization"] = authorization.clone();
        }
        let world = TestEnv::with(settings);
        let token = token(&world, &key(7));
        let answer = bring(&world, &token, &proof(&world, &key(7), for_dashboard(&token, "id-1")));
        let seen = answer.forwarded.expect("it passes").request.headers;
        assert_eq!(seen.get("x-user-email"), Some("alice@example.com"));
        for name in ["authorization", "dpop", "x-token"] {
            assert_eq!(seen.get(name), None, "{name} {authorization}");
        }
    }
}

#[test]
fn a_request_without_a_proof_for_exactly_it_is_refused() {
    let world = TestEnv::with(accepting(&json!({})));
    let token = token(&world, &key(7));
    let good = for_dashboard(&token, "id-1");
    let other_token = self::token(&world, &key(9));
    for (case, made) in [
        ("another method", Made { method: "POST", ..good }),
        ("another path", Made { url: "https://app.example.com/", ..good }),
        ("another host", Made { url: "https://evil.example/dashboard", ..good }),
        ("another scheme", Made { url: "http://app.example.com/dashboard", ..good }),
        ("another token", Made { token: &other_token, ..good }),
        ("no identifier", Made { id: "", ..good }),
    ] {
        let answer = bring(&world, &token, &proof(&world, &key(7), made));
        assert_challenged(&answer, "DPoP", "invalid_dpop_proof", case);
    }
    let made = proof(&world, &key(7), good);
    for (case, proofs) in [
        ("none", vec![]),
        ("two", vec![made.as_str(), &made]),
        ("none that is one", vec!["rubbish"]),
        ("the token itself", vec![token.as_str()]),
        ("empty", vec![""]),
    ] {
        let answer = send(&world, &format!("DPoP {token}"), &proofs);
        assert_challenged(&answer, "DPoP", "invalid_dpop_proof", case);
    }
    // Too old, or of a clock that is ahead.
    world.pass(SECOND * 61);
    assert_challenged(&bring(&world, &token, &made), "DPoP", "invalid_dpop_proof", "old");
    assert_eq!(bring(&world, &token, &proof(&world, &key(7), for_dashboard(&token, "id-2"))).status, 200);
}

#[test]
fn a_client_that_changes_keys_needs_a_token_for_the_new_key() {
    let world = TestEnv::with(accepting(&json!({})));
    let (old, new) = (token(&world, &key(7)), token(&world, &key(9)));
    let with = |token: &str, seed, id| {
        bring(&world, token, &proof(&world, &key(seed), for_dashboard(token, id))).status
    };
    assert_eq!(with(&old, 7, "1"), 200);
    let answer = bring(&world, &old, &proof(&world, &key(9), for_dashboard(&old, "2")));
    assert_challenged(&answer, "DPoP", "invalid_token", "another key");
    assert_eq!((with(&new, 9, "3"), with(&old, 7, "4"), with(&new, 7, "5")), (200, 200, 401));
    // One key cannot use up the proofs of another.
    assert_eq!((with(&old, 7, "same"), with(&new, 9, "same")), (200, 200));
}

#[test]
fn a_token_that_is_bound_otherwise_or_not_at_all_is_refused_with_a_proof() {
    let world = TestEnv::with(accepting(&json!({})));
    let certificate = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
    for confirmation in [
        json!(null),
        json!({}),
        json!({ "x5t#S256": certificate }),
        json!({ "jkt": thumbprint(&key(7)), "x5t#S256": certificate }),
        json!({ "jkt": [thumbprint(&key(7))] }),
        json!({ "jkt": "x" }),
        json!("x"),
    ] {
        let header = json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" });
        let token = world.provider.signed(&header, &claims(&world, &confirmation));
        let answer = bring(&world, &token, &proof(&world, &key(7), for_dashboard(&token, "id-1")));
        assert_challenged(&answer, "DPoP", "invalid_token", &confirmation.to_string());
        let bearer = send(&world, &format!("Bearer {token}"), &[]);
        assert_eq!(bearer.status, if confirmation.is_null() { 200 } else { 401 }, "{confirmation}");
    }
}

#[test]
fn a_proof_is_used_once_where_the_lock_knows_it() {
    let mut settings = accepting(&json!({}));
    settings["refresh"] = json!({ "lease": "durable-object" });
    let world = TestEnv::with(settings.clone());
    let other = world.isolate(settings, "elsewhere");
    let token = token(&world, &key(7));
    let made = proof(&world, &key(7), for_dashboard(&token, "id-1"));
    assert_eq!(bring(&world, &token, &made).status, 200);
    for place in [&world, &other] {
        assert_challenged(&bring(place, &token, &made), "DPoP", "invalid_dpop_proof", "replayed");
    }
    assert_eq!(bring(&other, &token, &proof(&world, &key(7), for_dashboard(&token, "id-2"))).status, 200);
    assert!(world.logged(LogEvent::ProofReplaysUnseen).is_empty());
    // What the lock does not say is not taken for new.
    world.store.is_down.set(true);
    let answer = bring(&world, &token, &proof(&world, &key(7), for_dashboard(&token, "id-3")));
    assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("5")));
}

#[test]
fn a_proof_that_let_nothing_pass_because_the_lock_failed_can_be_sent_again() {
    let mut settings = accepting(&json!({}));
    settings["refresh"] = json!({ "lease": "durable-object" });
    let world = TestEnv::with(settings);
    let token = token(&world, &key(7));
    let made = proof(&world, &key(7), for_dashboard(&token, "id-1"));
    world.store.is_down.set(true);
    assert_eq!([(); 2].map(|()| bring(&world, &token, &made).status), [503, 503]);
    world.store.is_down.set(false);
    assert_eq!([(); 2].map(|()| bring(&world, &token, &made).status), [200, 401]);
}

#[test]
fn without_a_lock_each_process_knows_its_own_proofs_and_the_log_says_so_once() {
    let world = TestEnv::with(accepting(&json!({})));
    let other = world.isolate(accepting(&json!({})), "elsewhere");
    let token = token(&world, &key(7));
    let made = proof(&world, &key(7), for_dashboard(&token, "id-1"));
    assert_eq!((bring(&world, &token, &made).status, bring(&world, &token, &made).status), (200, 401));
    assert_eq!((bring(&other, &token, &made).status, bring(&other, &token, &made).status), (200, 401));
    for n in 2..6 {
        let made = proof(&world, &key(7), for_dashboard(&token, &n.to_string()));
        assert_eq!(bring(&world, &token, &made).status, 200);
    }
    // Once in each of the two processes, which share the log here.
    assert_eq!(world.logged(LogEvent::ProofReplaysUnseen).len(), 2, "{}", world.log_text());
}

#[test]
fn a_proof_needs_the_newest_nonce_where_that_is_configured() {
    let patch = json!({ "dpop_nonce": true });
    let world = TestEnv::with(accepting(&patch));
    let other = world.isolate(accepting(&patch), "elsewhere");
    let token = token(&world, &key(7));
    let mut number = 0;
    let mut with = |place: &TestEnv, nonce: Option<&str>| {
        number += 1;
        let id = format!("id-{number}");
        let made = Made { nonce, ..for_dashboard(&token, &id) };
        bring(place, &token, &proof(&world, &key(7), made))
    };
    let answer = with(&world, None);
    assert_challenged(&answer, "DPoP", "use_dpop_nonce", "no nonce");
    let nonce = answer.headers.get("dpop-nonce").expect("a nonce").to_owned();
    assert_challenged(&with(&world, Some("made-up")), "DPoP", "use_dpop_nonce", "made up");
    assert_eq!(with(&world, Some(&nonce)).status, 200);
    assert_eq!(with(&other, Some(&nonce)).status, 200, "every process knows it");
    world.pass(SECOND * 61);
    let answer = with(&world, Some(&nonce));
    assert_challenged(&answer, "DPoP", "use_dpop_nonce", "old");
    let newer = answer.headers.get("dpop-nonce").unwrap().to_owned();
    assert_ne!(newer, nonce);
    assert_eq!(with(&world, Some(&newer)).status, 200);
    assert!(world.logged(LogEvent::ProofReplaysUnseen).is_empty());
}

#[test]
fn a_bound_opaque_token_needs_a_proof_too_and_a_wrong_one_costs_the_provider_nothing() {
    let world = TestEnv::with(accepting(&json!({ "introspection": true })));
    let mut known = claims(&world, &json!({ "jkt": thumbprint(&key(7)) }));
    known["token_type"] = json!("DPoP");
    world.provider.introspection.knows(OPAQUE, &known);
    let wrong = Made { method: "POST", ..for_dashboard(OPAQUE, "id-1") };
    assert_eq!(bring(&world, OPAQUE, &proof(&world, &key(7), wrong)).status, 401);
    assert_eq!(world.fetches(INTROSPECT), 0);
    let made = proof(&world, &key(7), for_dashboard(OPAQUE, "id-2"));
    assert_eq!((bring(&world, OPAQUE, &made).status, bring(&world, OPAQUE, &made).status), (200, 401));
    assert_challenged(&send(&world, &format!("Bearer {OPAQUE}"), &[]), "Bearer", "invalid_token", "bearer");
    assert_eq!(bring(&world, OPAQUE, &proof(&world, &key(9), for_dashboard(OPAQUE, "id-3"))).status, 401);
    assert_eq!(world.fetches(INTROSPECT), 1);
}

#[test]
fn without_accept_bearer_the_scheme_passes_unread_and_a_public_page_is_open() {
    let mut settings = accepting(&json!({}));
    settings["providers"][0].as_object_mut().unwrap().remove("accept_bearer");
    let plain = TestEnv::with(settings);
    let answer = send(&plain, "DPoP x", &["y"]);
    assert_eq!((answer.status, answer.headers.get("www-authenticate")), (401, Some("Bearer")));
    let world = TestEnv::with(accepting(&json!({})));
    let headers = [("authorization", "DPoP x"), ("dpop", "y")];
    let answer = world.send("GET", &format!("{APP}/about"), &headers, b"");
    assert_eq!(answer.status, 200);
}

#[test]
fn a_claim_that_is_the_token_is_sent_only_of_a_token_that_needs_no_proof() {
    let mut settings = accepting(&json!({}));
    settings["claims"] = json!({ "sent": "account.access_token" });
    settings["upstreams"] = json!([{ "to": "origin", "headers": { "X-Sent": "sent" } }]);
    let world = TestEnv::with(settings);
    let bound = token(&world, &key(7));
    let answer = bring(&world, &bound, &proof(&world, &key(7), for_dashboard(&bound, "id-1")));
    assert_eq!(answer.forwarded.expect("it passes").request.headers.get("x-sent"), None);
    let header = json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" });
    let plain = world.provider.signed(&header, &claims(&world, &Value::Null));
    let answer = send(&world, &format!("Bearer {plain}"), &[]);
    assert_eq!(answer.forwarded.expect("it passes").request.headers.get("x-sent"), Some(plain.as_str()));
}

#[test]
fn a_nonce_is_good_for_half_a_minute_and_from_a_clock_that_is_half_a_minute_ahead() {
    let world = TestEnv::with(accepting(&json!({ "dpop_nonce": true })));
    let token = token(&world, &key(7));
    let mut number = 0;
    let mut with = |nonce: Option<&str>| {
        number += 1;
        let id = format!("id-{number}");
        bring(&world, &token, &proof(&world, &key(7), Made { nonce, ..for_dashboard(&token, &id) }))
    };
    let given = |answer: &Answer| answer.headers.get("dpop-nonce").unwrap().to_owned();
    let nonce = given(&with(None));
    for _ in 0..3 {
        world.pass(SECOND * 10);
        assert_eq!(with(Some(&nonce)).status, 200);
    }
    world.pass(SECOND * 60);
    let ahead = given(&with(None));
    world.clock.set_back(SECOND * 30);
    assert_eq!(with(Some(&ahead)).status, 200);
    world.clock.set_back(SECOND * 30);
    assert_eq!(with(Some(&ahead)).status, 401);
}
