//! `flow/guard/assertion`: the signed token that an upstream gets, and the keys that verify it.

use std::time::Duration;

use p256::ecdsa::signature::Verifier;
use serde_json::{Value, json};
use vestibule_core::jose::base64url;
use vestibule_testing::{APP, Browser, Forwarded, SECRET, TestEnv, environment, settings};

const HEADER: &str = "x-vestibule-assertion";

/// The settings with an upstream that wants an assertion.
fn asserted(assertion: &Value) -> Value {
    let mut settings = settings();
    settings["upstreams"][0]["assertion"] = assertion.clone();
    settings
}

fn signed_in(settings: Value, user: &str) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, user, "/");
    (world, browser)
}

/// The only assertion of a forwarded request.
fn only(forwarded: &Forwarded) -> String {
    let all: Vec<&str> = forwarded.request.headers.get_all(HEADER).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].to_owned()
}

/// The published keys.
fn keys(world: &TestEnv) -> Vec<Value> {
    let answer = Browser::new().fetch(world, &format!("{APP}/auth/jwks.json"));
    assert_eq!((answer.status, answer.headers.get("set-cookie")), (200, None));
    assert_eq!(answer.headers.get("content-type"), Some("application/jwk-set+json"));
    let set: Value = serde_json::from_str(&answer.body).unwrap();
    set["keys"].as_array().unwrap().clone()
}

/// The header and the claims, if one of the published keys verifies the token.
fn checked(world: &TestEnv, token: &str) -> Option<(Value, Value)> {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = input.split_once('.').unwrap();
    let read = |part: &str| serde_json::from_slice::<Value>(&base64url::decode(part).unwrap()).unwrap();
    let (header, claims) = (read(header), read(claims));
    let key = keys(world).into_iter().find(|key| key["kid"] == header["kid"])?;
    let key = json!({ "kty": key["kty"], "crv": key["crv"], "x": key["x"], "y": key["y"] });
    let key = p256::PublicKey::from_jwk_str(&key.to_string()).unwrap();
    let signature = p256::ecdsa::Signature::from_slice(&base64url::decode(signature).unwrap()).unwrap();
    p256::ecdsa::VerifyingKey::from(key).verify(input.as_bytes(), &signature).ok()?;
    Some((header, claims))
}

#[test]
fn an_upstream_can_verify_which_user_a_request_is_from() {
    let (world, mut alice) = signed_in(asserted(&json!(true)), "alice");
    let forwarded = alice.fetch(&world, &format!("{APP}/dashboard")).forwarded.unwrap();
    let token = only(&forwarded);
    let (header, mut claims) = checked(&world, &token).unwrap();
    assert_eq!((header["alg"].as_str(), header["typ"].as_str()), (Some("ES256"), Some("JWT")));
    let now = world.now().seconds();
    let id = claims["jti"].take();
    assert_eq!(base64url::decode(id.as_str().unwrap()).unwrap().len(), 16);
    assert_eq!(
        claims,
        json!({
            "iss": "https://app.example.com/auth",
            "aud": "https://upstream.example",
            "sub": "alice-1",
            "provider": "acme",
            "name": "alice",
            "email": "alice@example.com",
            "roles": ["admin", "user"],
            "iat": now,
            "exp": now + 60,
            "jti": null,
        })
    );
    let secrets = ["access-alice", SECRET];
    let text = claims.to_string() + &header.to_string();
    assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");

    let next = only(&alice.fetch(&world, &format!("{APP}/dashboard")).forwarded.unwrap());
    assert_ne!(checked(&world, &next).unwrap().1["jti"], id);
}

#[test]
fn an_assertion_has_one_audience_which_is_the_target_unless_configured() {
    let mut all = settings();
    all["rules"] = json!([
        { "match": "/service", "access": "signed-in", "to": "service:API", "assertion": true },
        { "match": "/origin", "access": "signed-in", "to": "origin", "assertion": true },
        { "match": "/named", "access": "signed-in", "assertion": "orders" },
        { "match": "/none", "access": "signed-in", "assertion": false },
        { "match": "/elsewhere", "access": "signed-in", "to": "https://mail.example" },
    ]);
    all["upstreams"][0]["assertion"] = json!(true);
    let (world, mut bob) = signed_in(all, "bob");
    for (url, audience) in [
        ("https://app.example.com/service", Some("service:API")),
        ("https://app.example.com/origin", Some("https://app.example.com")),
        ("https://app.example.com:8443/origin", Some("https://app.example.com:8443")),
        ("https://app.example.com/named", Some("orders")),
        ("https://app.example.com/none", None),
        ("https://app.example.com/elsewhere", None),
        ("https://app.example.com/other", Some("https://upstream.example")),
    ] {
        let forwarded = bob.fetch(&world, url).forwarded.expect(url);
        if audience.is_none() {
            assert!(!forwarded.request.headers.contains(HEADER), "{url}");
            continue;
        }
        let (_, claims) = checked(&world, &only(&forwarded)).expect(url);
        assert_eq!(claims["aud"].as_str(), audience, "{url}");
    }
}

#[test]
fn header_smuggling_a_clients_own_assertion_is_removed_on_every_path() {
    for settings in [asserted(&json!(true)), settings()] {
        let world = TestEnv::with(settings);
        for name in [HEADER, "X-Vestibule-Assertion", "x_vestibule_assertion", "X.Vestibule-ASSERTION"] {
            let fields =
                [(name, "evil"), ("origin", "https://o.example"), ("access-control-request-method", "GET")];
            for (method, path) in [("GET", "/about"), ("OPTIONS", "/dashboard"), ("POST", "/about")] {
                let answer = world.send(method, &format!("{APP}{path}"), &fields, b"");
                let sent = answer.forwarded.expect("it passes").request.headers;
                assert!(sent.iter().all(|(_, value)| value != "evil"), "{method} {path} {name}");
            }
        }
    }
    let (world, mut alice) = signed_in(asserted(&json!(true)), "alice");
    let fields = [(HEADER, "evil"), ("x_vestibule_assertion", "evil"), ("connection", HEADER)];
    let forwarded = alice.send(&world, "GET", &format!("{APP}/dashboard"), &fields, b"").forwarded.unwrap();
    assert!(checked(&world, &only(&forwarded)).is_some());
    assert!(forwarded.request.headers.iter().all(|(_, value)| value != "evil"));
}

#[test]
fn a_public_page_gets_an_assertion_only_for_a_signed_in_user() {
    let (world, mut alice) = signed_in(asserted(&json!(true)), "alice");
    let about = alice.open(&world, &format!("{APP}/about")).forwarded.unwrap();
    assert_eq!(checked(&world, &only(&about)).unwrap().1["sub"], "alice-1");
    let about = Browser::new().open(&world, &format!("{APP}/about")).forwarded.unwrap();
    assert!(!about.request.headers.contains(HEADER));
    let fields = [("origin", "https://o.example"), ("access-control-request-method", "GET")];
    let preflight = alice.send(&world, "OPTIONS", &format!("{APP}/dashboard"), &fields, b"");
    assert!(!preflight.forwarded.unwrap().request.headers.contains(HEADER));
}

#[test]
fn an_assertion_has_the_configured_claims_but_never_a_token_or_replaced_registered_claims() {
    let mut odd = asserted(&json!(true));
    odd["claims"] = json!({ "org": "profile.org" });
    odd["upstreams"][0]["headers"] = json!({
        "X-Token": "access_token", "X-Part": "access_token.sub", "X-Ends": "expires_at", "X-Session": "sid",
        "X-Exp": "exp", "X-Iat": "iat", "X-Nothing": "nothing.there", "X-Org": "org.id",
    });
    let (world, mut alice) = (TestEnv::with(odd), Browser::new());
    world.provider.alters_answer_at("id_token", |claims| claims["org"] = json!({ "id": 7, "secret": true }));
    alice.sign_in(&world, "alice", "/");
    let forwarded = alice.fetch(&world, &format!("{APP}/dashboard")).forwarded.unwrap();
    assert_eq!(forwarded.request.headers.get("x-token"), Some("access-alice"));
    let (_, claims) = checked(&world, &only(&forwarded)).unwrap();
    let now = world.now().seconds();
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now), &json!(now + 60)));
    assert_eq!(claims["org"], json!({ "id": 7 }));
    let mut names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["aud", "email", "exp", "iat", "iss", "jti", "name", "org", "provider", "sid", "sub"]);
}

#[test]
fn claims_that_a_page_can_update_are_not_in_an_assertion() {
    let mut settings = asserted(&json!(true));
    settings["session"] = json!({ "updatable": ["name"] });
    let (world, mut alice) = signed_in(settings, "alice");
    let forwarded = alice.fetch(&world, &format!("{APP}/dashboard")).forwarded.unwrap();
    let (_, claims) = checked(&world, &only(&forwarded)).unwrap();
    assert_eq!((&claims["name"], &claims["email"]), (&Value::Null, &json!("alice@example.com")));
}

#[test]
fn the_newest_secret_signs_and_the_keys_of_all_are_published() {
    let (old, mut alice) = signed_in(asserted(&json!(true)), "alice");
    let before = only(&alice.fetch(&old, &format!("{APP}/dashboard")).forwarded.unwrap());
    assert_eq!(keys(&old).len(), 1);

    let rotated = |name: &str| match name {
        "AUTH_SECRET_2" => Some("another-32-char-or-longer-secret!!".to_owned()),
        // The same secret under another name.
        "AUTH_SECRET_1" => Some(SECRET.to_owned()),
        name => environment(name),
    };
    let new = TestEnv::in_environment(asserted(&json!(true)), &rotated);
    let after = only(&alice.fetch(&new, &format!("{APP}/dashboard")).forwarded.unwrap());
    let published = keys(&new);
    assert_eq!(published.len(), 2);
    assert!(checked(&new, &before).is_some() && checked(&new, &after).is_some());
    assert!(checked(&old, &before).is_some() && checked(&old, &after).is_none());
    for key in &published {
        let mut members: Vec<&String> = key.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"], "nothing private");
    }
}

#[test]
fn every_process_derives_the_same_keys_and_hosts_differ_only_in_the_issuer() {
    let (world, mut alice) = signed_in(asserted(&json!(true)), "alice");
    let other = world.isolate(asserted(&json!(true)), "elsewhere");
    let forwarded = alice.fetch(&other, "https://www.example.com/dashboard").forwarded.unwrap();
    let (_, claims) = checked(&world, &only(&forwarded)).unwrap();
    assert_eq!(claims["iss"], "https://www.example.com/auth");
}

#[test]
fn an_assertion_has_the_time_at_which_it_is_forwarded() {
    let (world, mut alice) = signed_in(asserted(&json!(true)), "alice");
    world.pass(Duration::from_mins(70));
    world.http.token_time.set(Duration::from_secs(5));
    let forwarded = alice.fetch(&world, &format!("{APP}/dashboard")).forwarded.unwrap();
    let (_, claims) = checked(&world, &only(&forwarded)).unwrap();
    assert_eq!(claims["iat"], world.now().seconds());
}

#[test]
fn without_assertions_the_key_set_is_404() {
    let world = TestEnv::new();
    let answer = Browser::new().fetch(&world, &format!("{APP}/auth/jwks.json"));
    assert_eq!((answer.status, answer.body.as_str()), (404, "{\"error\":\"not_found\"}"));
    let world = TestEnv::with(asserted(&json!(false)));
    assert_eq!(Browser::new().fetch(&world, &format!("{APP}/auth/jwks.json")).status, 404);
}

#[test]
fn the_key_set_may_be_cached_for_minutes() {
    let world = TestEnv::with(asserted(&json!("x")));
    let answer = Browser::new().fetch(&world, &format!("{APP}/auth/jwks.json"));
    assert_eq!(answer.headers.get("cache-control"), Some("public, max-age=300"));
}
