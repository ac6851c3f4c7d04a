//! `flow/guard/introspection`: the provider says what a client's access token is (RFC 7662). Each test checks a sentence of
//! `docs/apis.md` ("Tokens that are no JWTs").

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::log::LogEvent;
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Answer, FakeProvider, RUNTIME, TestEnv, environment, settings};

const AUDIENCE: &str = "https://api.example.com";
const INTROSPECT: &str = "https://idp.example/introspect";
const SECOND: Duration = Duration::from_secs(1);
const TOKEN: &str = "mF_9.B5f-4.1JqM";

fn asking(patch: &Value) -> Value {
    let mut settings = settings();
    let mut bearer = json!({ "audience": AUDIENCE, "introspection": true });
    bearer.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    settings["providers"][0]["accept_bearer"] = bearer;
    settings
}

fn world() -> TestEnv {
    TestEnv::with(asking(&json!({})))
}

fn claims(world: &TestEnv) -> Value {
    let now = world.now().seconds();
    json!({
        "iss": ISSUER, "sub": "alice-1", "aud": AUDIENCE, "iat": now, "exp": now + 300, "scope": "api",
        "client_id": "mobile", "token_type": "Bearer", "email": "alice@example.com", "roles": ["admin", "user"],
    })
}

/// The claims with others: `null` removes one.
fn claims_with(world: &TestEnv, patch: &Value) -> Value {
    let mut claims = claims(world);
    for (name, value) in patch.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn bring(world: &TestEnv, path: &str, token: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    world.send("GET", &format!("{APP}{path}"), &[("authorization", &authorization)], b"")
}

fn introspections(world: &TestEnv) -> usize {
    world.fetches(INTROSPECT)
}

#[test]
fn an_opaque_token_passes_the_rules_and_is_asked_about_once_in_a_while() {
    let world = world();
    world.provider.introspection.knows(TOKEN, &claims(&world));
    for path in ["/dashboard", "/admin", "/dashboard"] {
        let answer = bring(&world, path, TOKEN);
        assert_eq!(answer.status, 200, "{answer:?}\n{}", world.log_text());
        let seen = answer.forwarded.unwrap().request.headers;
        assert_eq!(seen.get("authorization"), Some(&*format!("Bearer {TOKEN}")));
        assert_eq!(seen.get("x-user-email"), Some("alice@example.com"));
        assert_eq!(seen.get("x-user-roles"), Some("admin,user"));
    }
    assert_eq!(introspections(&world), 1);
    let request = world.provider.introspection.requests().pop().unwrap();
    assert!(request.headers.get("authorization").unwrap().starts_with("Basic "));
    assert_eq!(request.headers.get("accept"), Some("application/json"));
    assert_eq!(request.body, format!("token={TOKEN}&token_type_hint=access_token").into_bytes());
    // What it said counts for a minute; then a token that was revoked meanwhile is refused.
    world.pass(SECOND * 59);
    assert_eq!((bring(&world, "/dashboard", TOKEN).status, introspections(&world)), (200, 1));
    world.provider.introspection.forgets(TOKEN);
    world.pass(SECOND);
    assert_eq!((bring(&world, "/dashboard", TOKEN).status, introspections(&world)), (401, 2));
    assert!(!world.log_text().contains(TOKEN), "{}", world.log_text());
}

#[test]
fn an_answer_never_counts_past_the_end_of_the_token_and_not_at_all_where_that_is_configured() {
    let world = world();
    world
        .provider
        .introspection
        .knows(TOKEN, &claims_with(&world, &json!({ "exp": world.now().seconds() + 5 })));
    assert_eq!(bring(&world, "/dashboard", TOKEN).status, 200);
    world.pass(SECOND * 5);
    world.provider.introspection.forgets(TOKEN);
    assert_eq!((bring(&world, "/dashboard", TOKEN).status, introspections(&world)), (401, 2));

    let world = TestEnv::with(asking(&json!({ "introspection_cache": "0s" })));
    world.provider.introspection.knows(TOKEN, &claims(&world));
    for _ in 0..3 {
        assert_eq!(bring(&world, "/dashboard", TOKEN).status, 200);
    }
    assert_eq!(introspections(&world), 3);
}

#[test]
fn a_token_that_is_not_active_is_refused_and_not_asked_about_for_ten_seconds() {
    let world = world();
    for _ in 0..3 {
        let answer = bring(&world, "/dashboard", TOKEN);
        assert_eq!(answer.status, 401);
        let challenge = answer.headers.get("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
    }
    assert_eq!(introspections(&world), 1);
    world.provider.introspection.knows(TOKEN, &claims(&world));
    assert_eq!(bring(&world, "/dashboard", TOKEN).status, 401);
    world.pass(SECOND * 10);
    assert_eq!((bring(&world, "/dashboard", TOKEN).status, introspections(&world)), (200, 2));
    // A public page is for everyone, whatever the token is.
    assert_eq!(bring(&world, "/about", "another").status, 200);
}

#[test]
fn many_requests_with_one_token_ask_once() {
    let world = world();
    world.provider.introspection.knows(TOKEN, &claims(&world));
    world.http.document_time.set(Duration::from_millis(300));
    let (url, authorization) = (format!("{APP}/dashboard"), format!("Bearer {TOKEN}"));
    let headers = [("authorization", authorization.as_str())];
    let answers = world.all((0..20).map(|_| {
        let sent: std::pin::Pin<Box<dyn Future<Output = Answer>>> =
            Box::pin(world.sent("GET", &url, &headers, b""));
        sent
    }));
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(introspections(&world), 1);
}

#[test]
fn introspection_that_lies_every_claim_is_verified() {
    let world = world();
    let now = world.now().seconds();
    let status = |token: &str, patch: &Value| {
        world.provider.introspection.knows(token, &claims_with(&world, patch));
        bring(&world, "/dashboard", token).status
    };
    for (n, good) in [
        json!({}),
        json!({ "iss": null }),
        json!({ "aud": ["other", AUDIENCE] }),
        json!({ "token_type": "bearer" }),
        json!({ "token_type": null }),
        json!({ "token_type": null, "scope": null, "token_use": "access_token" }),
        json!({ "iat": null, "nbf": now + 59 }),
        json!({ "scope": null, "scp": ["api"] }),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(status(&format!("good-{n}"), good), 200, "{good}: {}", world.log_text());
    }
    for (n, bad) in [
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": "https://idp.example/" }),
        json!({ "iss": 7 }),
        json!({ "aud": null }),
        json!({ "aud": "vestibule" }),
        json!({ "aud": [] }),
        json!({ "exp": null }),
        json!({ "exp": now - 61 }),
        json!({ "exp": "9999999999" }),
        json!({ "nbf": now + 120 }),
        json!({ "iat": now + 120 }),
        json!({ "sub": null, "client_id": null }),
        // Of a user whom the provider does not name by an identifier.
        json!({ "sub": null, "username": "alice" }),
        json!({ "sub": "" }),
        json!({ "token_type": "refresh_token" }),
        json!({ "token_type": "N_A" }),
        json!({ "token_type": null, "scope": null }),
        json!({ "typ": "Refresh" }),
        json!({ "token_use": "refresh_token" }),
        json!({ "nonce": "n" }),
        json!({ "cnf": { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } }),
        json!({ "cnf": {} }),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(status(&format!("bad-{n}"), bad), 401, "{bad}");
    }
}

#[test]
fn an_answer_that_says_nothing_plain_is_the_provider_s_failure_and_never_a_reason_to_pass() {
    let world = world();
    let good = claims_with(&world, &json!({ "active": true }));
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    for (status, media_type, body) in [
        (200, "application/json", with("active", json!("true"))),
        (200, "application/json", with("active", json!(1))),
        (200, "application/json", with("active", json!(null))),
        (200, "application/json", with("token", json!("another-token"))),
        (200, "application/json", with("access_token", json!("another-token"))),
        (200, "text/html", good.clone()),
        (200, "application/json", json!([good])),
        (201, "application/json", good.clone()),
        (302, "application/json", good.clone()),
        (400, "application/json", good.clone()),
        (401, "application/json", json!({ "error": "invalid_client" })),
        (500, "application/json", good.clone()),
        (200, "application/json", with("x", json!("x".repeat(64 * 1024)))),
    ] {
        world.provider.answers_raw("introspection", status, media_type, body.to_string().as_bytes());
        let answer = bring(&world, "/dashboard", TOKEN);
        assert_eq!(
            (answer.status, answer.headers.get("retry-after")),
            (503, Some("5")),
            "{status} {media_type}"
        );
        assert!(answer.forwarded.is_none());
        world.pass(SECOND * 5);
    }
    world.provider.answers_correctly();
    world.provider.introspection.knows(TOKEN, &claims(&world));
    assert_eq!(bring(&world, "/dashboard", TOKEN).status, 200);
}

#[test]
fn a_provider_that_is_down_or_hangs_gives_503_and_is_left_alone_for_a_while() {
    let world = world();
    let known = "known-before";
    world.provider.introspection.knows(known, &claims(&world));
    assert_eq!(bring(&world, "/dashboard", known).status, 200);
    world.provider.goes_down("introspection");
    for n in 0..20 {
        assert_eq!(bring(&world, "/dashboard", &format!("token-{n}")).status, 503);
        assert_eq!(bring(&world, "/dashboard", known).status, 200, "what is known still counts");
    }
    assert_eq!(introspections(&world), 2);
    assert!(world.logged(LogEvent::BearerTokenRejected).len() >= 20);
    world.provider.comes_back();
    world.pass(SECOND * 5);
    world.provider.introspection.knows(TOKEN, &claims(&world));
    assert_eq!(bring(&world, "/dashboard", TOKEN).status, 200);

    let world = self::world();
    world.http.hanging.borrow_mut().push(INTROSPECT);
    let before = world.now();
    assert_eq!(bring(&world, "/dashboard", TOKEN).status, 503);
    assert_eq!(world.now().since(before), SECOND * 5);
    world.provider.goes_down("discovery");
    let world = self::world();
    world.provider.goes_down("discovery");
    assert_eq!(bring(&world, "/dashboard", TOKEN).status, 503);
}

#[test]
fn work_bombs_a_token_that_the_provider_will_not_read_keeps_no_other_from_being_asked_about() {
    let world = world();
    world.provider.introspection.knows(TOKEN, &claims(&world));
    for (n, (status, error)) in
        [(400, json!({ "error": "invalid_request" })), (400, json!({})), (413, json!("too large"))]
            .into_iter()
            .enumerate()
    {
        let (odd, before) = (format!("odd-{n}"), introspections(&world));
        world.provider.answers_raw("introspection", status, "application/json", error.to_string().as_bytes());
        assert_eq!((bring(&world, "/dashboard", &odd).status, introspections(&world)), (503, before + 1));
        // It is not asked about again at once.
        assert_eq!((bring(&world, "/dashboard", &odd).status, introspections(&world)), (503, before + 1));
        world.provider.answers_correctly();
        assert_eq!(bring(&world, "/dashboard", TOKEN).status, 200, "{status}");
        world.pass(Duration::from_mins(2));
        world.provider.introspection.knows(TOKEN, &claims(&world));
        assert_eq!(bring(&world, "/dashboard", &odd).status, 401);
    }
    // Who sends many of them is stopped.
    world.provider.answers_raw("introspection", 400, "application/json", b"{}");
    let before = introspections(&world);
    for n in 0..150 {
        let token = format!("Bearer t-{n}");
        let headers = [("authorization", token.as_str()), ("cf-connecting-ip", "192.0.2.1")];
        assert_eq!(world.send("GET", &format!("{APP}/dashboard"), &headers, b"").status, 503);
    }
    assert_eq!(introspections(&world), before + 101);
}

#[test]
fn a_token_that_cannot_be_one_costs_the_provider_nothing() {
    let world = world();
    let foreign = FakeProvider::forged(
        &json!({ "alg": "ES256", "kid": "k", "typ": "at+jwt" }),
        &json!({ "iss": "https://evil.example", "sub": "a", "aud": AUDIENCE, "exp": 9_999_999_999_u64 }),
    );
    let of_this = FakeProvider::forged(&json!({ "alg": "ES256", "kid": "key-1" }), &claims(&world));
    let (long, longest) = ("x".repeat(16 * 1024 + 1), "x".repeat(100_000));
    for token in ["", "a b", "a\"b", "a,b", "é", &long, &longest, &foreign, &of_this] {
        assert_eq!(bring(&world, "/dashboard", token).status, 401, "{token:.40}");
    }
    assert_eq!(introspections(&world), 0);
    // 16 KiB are not too long.
    bring(&world, "/dashboard", &"x".repeat(16 * 1024));
    assert_eq!(introspections(&world), 1);
}

#[test]
fn a_jwt_is_verified_by_its_signature_as_before() {
    let world = world();
    let token =
        world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims(&world));
    assert_eq!(bring(&world, "/dashboard", &token).status, 200);
    assert_eq!(introspections(&world), 0);
}

#[test]
fn work_bombs_an_address_that_sends_many_unknown_tokens_is_stopped() {
    let world = world();
    let bring = |token: &str, address: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str()), ("cf-connecting-ip", address)];
        world.send("GET", &format!("{APP}/dashboard"), &headers, b"").status
    };
    let statuses: Vec<u16> = (0..150).map(|n| bring(&format!("t-{n}"), "192.0.2.1")).collect();
    assert_eq!((statuses[0], statuses[100], statuses[101], statuses[149]), (401, 401, 503, 503));
    assert_eq!(introspections(&world), 101);
    // Another address is not, and neither is what is known already.
    world.provider.introspection.knows(TOKEN, &claims(&world));
    assert_eq!((bring(TOKEN, "198.51.100.7"), bring(TOKEN, "192.0.2.1")), (200, 200));
    world.pass(SECOND * 60);
    world.provider.introspection.knows("t-x", &claims(&world));
    assert_eq!(bring("t-x", "192.0.2.1"), 200);
}

#[test]
fn the_endpoint_is_that_of_the_metadata_or_the_configured_one() {
    let without = |value: &mut Value| {
        value.as_object_mut().unwrap().remove("introspection_endpoint");
    };
    let world = world();
    world.provider.alters_answer_at("discovery", without);
    world.provider.introspection.knows(TOKEN, &claims(&world));
    assert_eq!(bring(&world, "/dashboard", TOKEN).status, 503);
    assert!(world.log_text().contains("accept_bearer.introspection"), "{}", world.log_text());
    let world = TestEnv::with(asking(&json!({ "introspection": INTROSPECT })));
    world.provider.alters_answer_at("discovery", without);
    world.provider.introspection.knows(TOKEN, &claims(&world));
    assert_eq!(bring(&world, "/dashboard", TOKEN).status, 200);
}

#[test]
fn a_signed_answer_is_verified_and_any_other_refused_where_it_must_be_signed() {
    let offered = |value: &mut Value| value["introspection_signing_alg_values_supported"] = json!(["ES256"]);
    let header = json!({ "alg": "ES256", "kid": "key-1", "typ": "token-introspection+jwt" });
    let media_type = "application/token-introspection+jwt";
    for patch in [json!({}), json!({ "introspection_signed_response": true })] {
        let world = TestEnv::with(asking(&patch));
        world.provider.alters_answer_at("discovery", offered);
        let mut inside = claims_with(&world, &json!({ "exp": world.now().seconds() + 100_000 }));
        inside["active"] = json!(true);
        let signed = |changed: Value| {
            let mut claims = json!({
                "iss": ISSUER, "aud": "vestibule", "iat": world.now().seconds(), "token_introspection": inside,
            });
            claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
            claims
        };
        let status = |header: &Value, claims: &Value| {
            let jwt = world.provider.signed(header, claims);
            world.provider.answers_raw("introspection", 200, media_type, jwt.as_bytes());
            world.pass(SECOND * 61);
            bring(&world, "/dashboard", TOKEN).status
        };
        assert_eq!(status(&header, &signed(json!({}))), 200, "{}", world.log_text());
        assert!(world.fetches(INTROSPECT) == 1);
        assert_eq!(status(&header, &signed(json!({ "aud": [AUDIENCE] }))), 200);
        assert_eq!(status(&header, &signed(json!({ "token_introspection": { "active": false } }))), 401);
        for claims in [
            json!({ "iss": "https://evil.example" }),
            json!({ "iss": null }),
            json!({ "aud": "other" }),
            json!({ "aud": null }),
            json!({ "iat": null }),
            json!({ "iat": world.now().seconds() + 100_000 }),
            json!({ "token_introspection": null }),
            json!({ "token_introspection": { "active": "true" } }),
        ] {
            assert_eq!(status(&header, &signed(claims.clone())), 503, "{claims}");
        }
        for typ in [json!("JWT"), json!("at+jwt"), json!(null)] {
            let header = json!({ "alg": "ES256", "kid": "key-1", "typ": typ });
            assert_eq!(status(&header, &signed(json!({}))), 503, "{typ}");
        }
        let forged = FakeProvider::forged(&header, &signed(json!({})));
        world.provider.answers_raw("introspection", 200, media_type, forged.as_bytes());
        world.pass(SECOND * 61);
        assert_eq!(bring(&world, "/dashboard", TOKEN).status, 503);
        world.provider.answers_raw("introspection", 200, "application/json", inside.to_string().as_bytes());
        world.pass(SECOND * 61);
        let plain = if patch == json!({}) { 200 } else { 503 };
        assert_eq!(bring(&world, "/dashboard", TOKEN).status, plain, "{patch}");
    }
}

#[test]
fn revocations_of_the_user_apply_to_opaque_tokens() {
    let mut settings = crate::revocation::site("kv");
    settings["providers"][0]["accept_bearer"] = json!({ "audience": AUDIENCE, "introspection": true });
    let world = TestEnv::in_environment(settings, &crate::revocation::with_operator);
    world.provider.introspection.knows(TOKEN, &claims(&world));
    assert_eq!(bring(&world, "/api", TOKEN).status, 200);
    world.pass(SECOND * 20);
    let body = json!({ "user": { "provider": "acme", "sub": "alice-1" } }).to_string();
    let headers = [("authorization", &*format!("Bearer {}", crate::revocation::OPERATOR))];
    assert_eq!(world.send("POST", &format!("{APP}/auth/revoke"), &headers, body.as_bytes()).status, 200);
    assert_eq!(bring(&world, "/api", TOKEN).status, 401);
    world.pass(SECOND * 20);
    world.provider.introspection.knows("newer", &claims(&world));
    assert_eq!(bring(&world, "/api", "newer").status, 200);
}

#[test]
fn what_cannot_work_is_a_mistake_at_start() {
    let load = |settings: Value| {
        Config::load(settings, &environment, &RUNTIME).map(drop).map_err(|errors| errors.to_string())
    };
    assert_eq!(load(asking(&json!({}))), Ok(()));
    for (patch, place) in [
        (json!({ "introspection": "http://idp.example/introspect" }), "introspection"),
        (json!({ "introspection_cache": "11m" }), "introspection_cache"),
        (json!({ "introspection": false, "introspection_cache": "1m" }), "introspection_cache"),
        (
            json!({ "introspection": false, "introspection_signed_response": true }),
            "introspection_signed_response",
        ),
        (json!({ "client_claims": {} }), "client_claims"),
        (json!({ "client_claims": { "kind": [] } }), "client_claims.kind"),
    ] {
        let errors = load(asking(&patch)).unwrap_err();
        assert!(
            errors.starts_with(&format!("AUTH.providers[0].accept_bearer.{place}: ")),
            "{patch}: {errors}"
        );
    }
    let mut public = asking(&json!({}));
    public["providers"][0]["token_endpoint_auth_method"] = json!("none");
    assert!(load(public).unwrap_err().contains("does not authenticate"));
    let mut two = asking(&json!({}));
    let mut other = two["providers"][0].clone();
    (other["id"], other["client_id"], other["client_secret"]) = (json!("other"), json!("x"), json!(null));
    other.as_object_mut().unwrap().remove("client_secret");
    two["providers"].as_array_mut().unwrap().push(other);
    let errors = load(two).unwrap_err();
    assert!(errors.contains("one provider would get the tokens of another"), "{errors}");
}

#[test]
fn who_finds_a_token_being_asked_about_waits_as_long_as_the_provider_may_take_and_asks_nothing() {
    let world = world();
    world.provider.introspection.knows(TOKEN, &claims(&world));
    // The first request is killed while the provider is asked, and never says so.
    world.http.document_time.set(Duration::ZERO);
    assert_eq!(bring(&world, "/about", "warms.the-documents").status, 200);
    let asked = introspections(&world);
    world.http.hanging.borrow_mut().push(INTROSPECT);
    let authorization = format!("Bearer {TOKEN}");
    let headers = [("authorization", authorization.as_str())];
    let url = format!("{APP}/dashboard");
    let mut dead = Box::pin(world.sent("GET", &url, &headers, b""));
    world.clock.run(std::future::poll_fn(|context| {
        assert!(dead.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    }));
    std::mem::forget(dead);
    assert_eq!(introspections(&world), asked + 1);
    let begun = world.clock.now();
    let answer = world.send("GET", &url, &headers, b"");
    assert_eq!((answer.status, world.clock.now() - begun), (503, 5000));
    assert_eq!(introspections(&world), asked + 1);
}
