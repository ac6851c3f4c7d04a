//! Two doors, one lock: an access token that a client sends is held to what a sign-in is held to.

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Answer, Browser, RUNTIME, TestEnv, environment, settings};

const AUDIENCE: &str = "https://api.example.com";

/// The settings with these further keys of the provider, and access tokens accepted.
fn accepting(provider: &Value) -> Value {
    let mut settings = settings();
    settings["providers"][0]["accept_bearer"] = json!({ "audience": AUDIENCE });
    for (key, value) in provider.as_object().unwrap() {
        settings["providers"][0][key] = value.clone();
    }
    settings
}

/// What the provider says about Alice in either token.
fn said(patch: &Value) -> Value {
    let mut claims =
        json!({ "sub": "alice-1", "name": "alice", "email": "alice@example.com", "roles": ["user"] });
    for (name, value) in patch.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// What becomes of a sign-in of which the ID token says this.
fn signs_in(world: &TestEnv, said: Value) -> Option<Answer> {
    world.provider.alters_answer_at("id_token", move |claims| {
        claims.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    });
    let mut browser = Browser::new();
    browser.sign_in(world, "alice", "/");
    let answer = browser.fetch(world, &format!("{APP}/dashboard"));
    answer.forwarded.is_some().then_some(answer)
}

/// What becomes of an access token that says it.
fn brings(world: &TestEnv, said: &Value) -> Answer {
    let mut claims = said.clone();
    let now = world.now().seconds();
    for (name, value) in
        [("iss", json!(ISSUER)), ("aud", json!(AUDIENCE)), ("exp", json!(now + 300)), ("scope", json!("api"))]
    {
        claims[name] = value;
    }
    send(world, &json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims)
}

fn send(world: &TestEnv, header: &Value, claims: &Value) -> Answer {
    let token = world.provider.signed(header, claims);
    let authorization = format!("Bearer {token}");
    world.send("GET", &format!("{APP}/dashboard"), &[("authorization", &authorization)], b"")
}

#[test]
fn two_doors_one_lock_both_ask_the_same() {
    let with_organization = json!({
        "authorization_params": { "organization": "org_1" },
        "authorization_param_claims": { "organization": ["org_id", "org_name"] },
    });
    for (provider, said_of_alice, passes) in [
        (with_organization.clone(), json!({ "org_id": "org_1" }), true),
        (with_organization.clone(), json!({ "org_name": "org_1" }), true),
        (with_organization.clone(), json!({ "org_id": "org_2" }), false),
        (with_organization, json!({}), false),
        (json!({ "user": { "id": "profile.oid" } }), json!({ "oid": "o-1" }), true),
        (json!({ "user": { "id": "profile.oid" } }), json!({}), false),
        (json!({ "user": { "id": "{profile.tid}/{profile.oid}" } }), json!({ "oid": "o-1" }), false),
        (json!({ "allow": { "user.email": "alice@example.com" } }), json!({}), true),
        (
            json!({ "allow": { "user.email": "alice@example.com" } }),
            json!({ "email_verified": false }),
            false,
        ),
        (json!({ "allow": { "profile.hd": "example.com" } }), json!({}), false),
        (json!({ "allow": { "profile.hd": "example.com" } }), json!({ "hd": "example.com" }), true),
    ] {
        let case = format!("{provider} {said_of_alice}");
        let said = said(&said_of_alice);
        let world = TestEnv::with(accepting(&provider));
        assert_eq!(signs_in(&world, said.clone()).is_some(), passes, "sign-in: {case}");
        let answer = brings(&world, &said);
        assert_eq!(answer.forwarded.is_some(), passes, "token: {case}: {answer:?}");
        assert!(passes || matches!(answer.status, 401 | 403), "{case}: {answer:?}");
    }
}

#[test]
fn two_doors_one_lock_both_know_the_same_user() {
    for (provider, said_of_alice) in [
        (json!({}), json!({})),
        (json!({}), json!({ "email_verified": true })),
        (json!({}), json!({ "email_verified": false })),
        (json!({ "email_verified": false }), json!({})),
        (json!({ "email_verified": "id_token.xms_edov" }), json!({ "xms_edov": "1" })),
        (
            json!({ "user": { "id": "profile.oid", "name": "{profile.given} {profile.family}", "email": "profile.upn" } }),
            json!({ "oid": "o-1", "given": "Ada", "family": "Example", "upn": "ada@example.org" }),
        ),
    ] {
        let mut settings = accepting(&provider);
        settings["rules"] = json!([]);
        settings["upstreams"][0]["headers"] = json!({
            "X-Sub": "sub", "X-Name": "name", "X-Email": "email", "X-Verified": "email_verified", "X-Account": "account",
        });
        let world = TestEnv::with(settings);
        let said = said(&said_of_alice);
        let sent = |answer: Answer| {
            let headers = answer.forwarded.unwrap().request.headers;
            let names = ["x-sub", "x-name", "x-email", "x-verified", "x-account"];
            names.map(|name| headers.get(name).map(str::to_owned))
        };
        let at_sign_in = sent(signs_in(&world, said.clone()).expect("a session"));
        assert_eq!(sent(brings(&world, &said)), at_sign_in, "{provider} {said_of_alice}");
        assert!(at_sign_in[0].is_some() && at_sign_in[4].is_some());
    }
}

#[test]
fn id_token_as_access_token_the_audience_shows_nothing() {
    // The audience of another client of the same provider: its ID tokens have it, too.
    let world = TestEnv::with(accepting(&json!({ "accept_bearer": { "audience": "another-client" } })));
    let claims = json!({
        "iss": ISSUER, "sub": "alice-1", "aud": "another-client", "exp": world.now().seconds() + 300,
        "iat": world.now().seconds(), "email": "alice@example.com", "azp": "another-client",
    });
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let plain = json!({ "alg": "ES256", "kid": "key-1", "typ": "JWT" });
    let declared = json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" });
    for (header, claims, status) in [
        (&plain, claims.clone(), 401),
        (&plain, with("scope", Value::Null), 401),
        (&plain, with("scope", json!("api")), 200),
        (&plain, with("scp", json!(["api"])), 200),
        (&plain, with("typ", json!("Bearer")), 200),
        (&plain, with("typ", json!("ID")), 401),
        (&declared, claims.clone(), 200),
        (&declared, with("nonce", json!("n")), 401),
        (&declared, with("at_hash", json!("h")), 401),
    ] {
        assert_eq!(send(&world, header, &claims).status, status, "{header} {claims}");
    }
    assert!(world.log_text().contains("accept_bearer.access_token_claims"), "{}", world.log_text());
}

#[test]
fn id_token_as_access_token_a_claim_of_the_provider_s_own_shows_it() {
    let bearer = json!({ "audience": AUDIENCE, "access_token_claims": { "kind": ["access", 7] } });
    let world = TestEnv::with(accepting(&json!({ "accept_bearer": bearer })));
    let claims = |kind: Value| json!({ "iss": ISSUER, "sub": "a", "aud": AUDIENCE, "exp": world.now().seconds() + 300, "kind": kind });
    let plain = json!({ "alg": "ES256", "kid": "key-1" });
    for (kind, status) in [
        (json!("access"), 200),
        (json!(7), 200),
        (json!(["x", "access"]), 200),
        (json!("id"), 401),
        (json!("7"), 401),
        (json!(null), 401),
        (json!([]), 401),
    ] {
        assert_eq!(send(&world, &plain, &claims(kind.clone())).status, status, "{kind}");
    }
    // A token may show it in both ways.
    let mut twice = claims(json!("access"));
    twice["typ"] = json!("Bearer");
    assert_eq!(send(&world, &plain, &twice).status, 200);
    // What is configured is required, whatever else the token has.
    let declared = json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" });
    assert_eq!(send(&world, &declared, &claims(json!("id"))).status, 401);
}

#[test]
fn two_doors_one_lock_what_a_token_cannot_show_is_a_mistake_at_start() {
    for (claims, provider, rules, place) in [
        (
            json!({}),
            json!({ "allow": { "account.tenant": "a" } }),
            json!([]),
            "AUTH.providers[0].allow.\"account.tenant\"",
        ),
        (
            json!({}),
            json!({ "allow": { "profile.banned": { "not": true } } }),
            json!([]),
            "AUTH.providers[0].allow.\"profile.banned\"",
        ),
        (
            json!({ "banned": "profile.banned" }),
            json!({ "allow": { "user.banned": { "exists": false } } }),
            json!([]),
            "AUTH.providers[0].allow.\"user.banned\"",
        ),
        (
            json!({}),
            json!({ "allow": { "profile.staff": true }, "userinfo": { "fetch": "always" } }),
            json!([]),
            "AUTH.providers[0].allow.\"profile.staff\"",
        ),
        (json!({}), json!({ "user": { "name": "account.name" } }), json!([]), "AUTH.providers[0].user.name"),
        (json!({}), json!({ "emails": { "list": "emails" } }), json!([]), "AUTH.providers[0].emails"),
        (json!({ "tenant": "account.tenant" }), json!({}), json!([]), "AUTH.claims.tenant"),
        (
            json!({ "banned": "profile.banned" }),
            json!({}),
            json!([{ "match": "/x", "require": { "banned": { "not": true } } }]),
            "AUTH.rules[0].require.banned",
        ),
        (
            json!({}),
            json!({}),
            json!([{ "match": "/x", "require": { "email": { "not": "eve@example.com" } } }]),
            "AUTH.rules[0].require.email",
        ),
    ] {
        let mut all = accepting(&provider);
        (all["claims"], all["rules"]) = (claims, rules);
        let errors = Config::load(all.clone(), &environment, &RUNTIME).map(drop).unwrap_err().to_string();
        assert!(errors.starts_with(&format!("{place}: ")) && !errors.contains('\n'), "{place}: {errors}");
        assert!(errors.contains("accept_bearer"), "{errors}");
        // Without the second door, or with what both show, nothing is wrong.
        all["providers"][0].as_object_mut().unwrap().remove("accept_bearer");
        assert!(Config::load(all, &environment, &RUNTIME).is_ok(), "{place}");
    }
    let mut shown = accepting(&json!({ "allow": { "access_token.banned": { "not": true } } }));
    shown["claims"] = json!({ "banned": "access_token.banned", "scope": "account.scope" });
    shown["rules"] = json!([{ "match": "/x", "require": { "banned": { "not": true } } }]);
    assert!(Config::load(shown, &environment, &RUNTIME).is_ok());
}

#[test]
fn two_doors_one_lock_who_someone_is_can_be_read_from_the_access_token_and_the_id_token() {
    let mut settings =
        accepting(&json!({ "user": { "name": "access_token.given", "email": "id_token.upn" } }));
    settings["rules"] = json!([]);
    settings["upstreams"][0]["headers"] = json!({ "X-Name": "name", "X-Email": "email" });
    let world = TestEnv::with(settings);
    let said = said(&json!({ "given": "Ada", "upn": "ada@example.org", "email_verified": true }));
    let access_token = world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1" }), &said);
    world.provider.alters_answer_at("token", move |answer| answer["access_token"] = json!(access_token));
    for answer in [signs_in(&world, said.clone()).expect("a session"), brings(&world, &said)] {
        let headers = answer.forwarded.unwrap().request.headers;
        let user = ["x-name", "x-email"].map(|name| headers.get(name).map(str::to_owned));
        assert_eq!(user.map(Option::unwrap_or_default), ["Ada", "ada@example.org"]);
    }
}
