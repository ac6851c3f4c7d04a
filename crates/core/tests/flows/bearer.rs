//! `flow/guard/bearer`: a client without a browser sends the provider's access token.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use vestibule_core::guard::decision::Decision;
use vestibule_core::hooks::{Hooks, SignIn, SignInAnswer, TokenOccasion};
use vestibule_core::http::request::Request;
use vestibule_core::log::LogEvent;
use vestibule_core::session::claims::Session;
use vestibule_testing::FakeProvider;
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

const AUDIENCE: &str = "https://api.example.com";
const JWKS: &str = "https://idp.example/jwks";

fn accepting(patch: &Value) -> Value {
    let mut settings = settings();
    settings["providers"][0]["accept_bearer"] = json!({ "audience": AUDIENCE });
    for (key, value) in patch.as_object().unwrap() {
        settings[key] = value.clone();
    }
    settings
}

fn world() -> TestEnv {
    TestEnv::with(accepting(&json!({})))
}

fn claims(world: &TestEnv, user: &str) -> Value {
    let roles = if user == "alice" { json!(["admin", "user"]) } else { json!(["user"]) };
    json!({
        "iss": ISSUER,
        "sub": format!("{user}-1"),
        "aud": AUDIENCE,
        "iat": world.now().seconds(),
        "exp": world.now().seconds() + 300,
        "scope": "api",
        "email": format!("{user}@example.com"),
        "roles": roles,
    })
}

fn header() -> Value {
    json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" })
}

fn token(world: &TestEnv, user: &str) -> String {
    world.provider.signed(&header(), &claims(world, user))
}

/// The provider's token with other claims: `null` removes one.
fn token_with(world: &TestEnv, patch: &Value) -> String {
    let mut claims = claims(world, "alice");
    for (name, value) in patch.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    world.provider.signed(&header(), &claims)
}

fn ask(world: &TestEnv, path: &str, authorization: &str) -> Answer {
    world.send("GET", &format!("{APP}{path}"), &[("authorization", authorization)], b"")
}

fn bring(world: &TestEnv, path: &str, token: &str) -> Answer {
    ask(world, path, &format!("Bearer {token}"))
}

fn assert_refused(answer: &Answer, status: u16, error: &str, case: &str) {
    assert_eq!(answer.status, status, "{case}: {answer:?}");
    let challenge = answer.headers.get("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with(&format!("Bearer error=\"{error}\"")), "{case}: {challenge}");
    assert_eq!(answer.body, format!("{{\"error\":\"{error}\"}}"), "{case}");
    assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"), "{case}");
    assert!(answer.forwarded.is_none() && !answer.headers.contains("set-cookie"), "{case}");
}

#[test]
fn a_token_passes_the_same_rules_as_a_session() {
    let world = world();
    for (user, path, status) in [
        ("alice", "/dashboard", 200),
        ("bob", "/dashboard", 200),
        ("alice", "/admin", 200),
        ("bob", "/admin", 403),
        ("bob", "/admin;x", 403),
        ("bob", "/%61dmin", 403),
    ] {
        let token = token(&world, user);
        for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
            let answer = ask(&world, path, &format!("{scheme} {token}"));
            assert_eq!(answer.status, status, "{user} {path} {scheme}");
            if status == 403 {
                assert_refused(&answer, 403, "insufficient_scope", path);
                continue;
            }
            assert!(!answer.headers.contains("set-cookie"));
            let seen = answer.forwarded.unwrap().request.headers;
            assert_eq!(seen.get("authorization"), Some(format!("Bearer {token}").as_str()));
            assert_eq!(seen.get("x-user-email"), Some(format!("{user}@example.com").as_str()));
            assert_eq!(seen.get("x-user-roles"), Some(if user == "alice" { "admin,user" } else { "user" }));
        }
    }
    assert_eq!((world.fetches(JWKS), world.fetches("https://idp.example/token")), (1, 0));
}

#[test]
fn claims_can_be_read_from_a_bearer_token_by_every_root() {
    let world = TestEnv::with(accepting(&json!({
        "claims": {
            "a": "access_token.deep.role", "b": "id_token.deep.role", "c": "profile.deep.role",
            "d": "user.id", "e": "account.provider", "f": "account.scope", "g": "login.x",
        },
        "upstreams": [{ "to": "origin", "headers": {
            "X-A": "a", "X-B": "b", "X-C": "c", "X-D": "d", "X-E": "e", "X-F": "f", "X-G": "g", "X-Sid": "sid",
            "X-Sub": "sub", "X-Provider": "provider",
        } }],
        "rules": [{ "match": "/staff", "email_domain": "example.com" }],
    })));
    let token = token_with(&world, &json!({ "deep": { "role": "r" } }));
    let seen = bring(&world, "/x", &token).forwarded.unwrap().request.headers;
    for (name, value) in [
        ("x-a", Some("r")),
        ("x-b", Some("r")),
        ("x-c", Some("r")),
        ("x-d", Some("alice-1")),
        ("x-e", Some("acme")),
        ("x-f", Some("api")),
        ("x-g", None),
        ("x-sid", None),
        ("x-sub", Some("alice-1")),
        ("x-provider", Some("acme")),
    ] {
        assert_eq!(seen.get(name), value, "{name}");
    }
    // This upstream gets no token from us, so the client's own header stays.
    assert_eq!(seen.get("authorization"), Some(format!("Bearer {token}").as_str()));

    for (patch, status) in [
        (json!({}), 200),
        (json!({ "email_verified": true }), 200),
        (json!({ "email_verified": false }), 403),
        (json!({ "email_verified": "true" }), 200),
        (json!({ "email_verified": "yes" }), 403),
        (json!({ "email": "alice@evil.example" }), 403),
        (json!({ "email": null }), 403),
    ] {
        assert_eq!(bring(&world, "/staff", &token_with(&world, &patch)).status, status, "{patch}");
    }
    assert!(world.logged(LogEvent::ClaimMissing).is_empty(), "{}", world.log_text());
}

#[test]
fn bearer_tokens_not_fully_checked_every_required_claim_is_verified() {
    let world = world();
    let now = world.now().seconds();
    for good in [
        json!({ "aud": [AUDIENCE] }),
        json!({ "aud": ["other", AUDIENCE, "vestibule"] }),
        json!({ "exp": now - 59 }),
        json!({ "exp": now + 1, "nbf": now + 59, "iat": now + 59 }),
        json!({ "iat": null, "nbf": null, "scope": null }),
        json!({ "typ": "Bearer" }),
        json!({ "token_use": "access" }),
        json!({ "azp": "another-client", "client_id": "another-client" }),
    ] {
        assert_eq!(bring(&world, "/dashboard", &token_with(&world, &good)).status, 200, "{good}");
    }
    let many: Vec<String> = (0..40).map(|n| format!("{n}")).chain([AUDIENCE.to_owned()]).collect();
    for bad in [
        json!({ "iss": null }),
        json!({ "iss": "https://idp.example/" }),
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": [ISSUER] }),
        json!({ "aud": null }),
        json!({ "aud": "vestibule" }),
        json!({ "aud": "https://api.example.com/" }),
        json!({ "aud": "HTTPS://api.example.com" }),
        json!({ "aud": [] }),
        json!({ "aud": ["other"] }),
        json!({ "aud": [AUDIENCE, 7] }),
        json!({ "aud": many }),
        json!({ "aud": { "0": AUDIENCE } }),
        json!({ "exp": null }),
        json!({ "exp": now - 61 }),
        json!({ "exp": "9999999999" }),
        json!({ "exp": -1 }),
        json!({ "exp": 1e300 }),
        json!({ "nbf": now + 120 }),
        json!({ "nbf": "soon" }),
        json!({ "iat": now + 120 }),
        json!({ "iat": "now" }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 7 }),
        json!({ "sub": "a\u{0}b" }),
        json!({ "sub": "a".repeat(256) }),
        // Bound to a key (RFC 7800), whose possession is not proven here.
        json!({ "cnf": { "jkt": "x" } }),
        json!({ "cnf": {} }),
    ] {
        let answer = bring(&world, "/dashboard", &token_with(&world, &bad));
        assert_refused(&answer, 401, "invalid_token", &bad.to_string());
    }
    let expired = bring(&world, "/dashboard", &token_with(&world, &json!({ "exp": now - 61 })));
    assert!(expired.headers.get("www-authenticate").unwrap().contains("has expired"));
}

#[test]
fn session_confusion_no_other_kind_of_token_is_accepted_as_an_access_token() {
    let world = world();
    for (typ, is_good) in [
        (json!("at+jwt"), true),
        (json!("AT+JWT"), true),
        (json!("application/at+jwt"), true),
        (json!("JWT"), true),
        (json!("jwt"), true),
        (json!("logout+jwt"), false),
        (json!("dpop+jwt"), false),
        (json!("secevent+jwt"), false),
        (json!("id+jwt"), false),
        (json!("JOSE"), false),
        (json!(""), false),
        (json!(7), false),
        (json!(null), true),
    ] {
        let mut header = header();
        header["typ"] = typ.clone();
        let answer = bring(&world, "/dashboard", &world.provider.signed(&header, &claims(&world, "alice")));
        assert_eq!(answer.status, if is_good { 200 } else { 401 }, "{typ}");
    }
    for other in [
        json!({ "nonce": "n" }),
        json!({ "at_hash": "h" }),
        json!({ "c_hash": "h" }),
        json!({ "s_hash": "h" }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }),
        json!({ "typ": "ID" }),
        json!({ "typ": "Refresh" }),
        json!({ "typ": "Offline" }),
        json!({ "typ": "DPoP" }),
        json!({ "typ": ["Bearer"] }),
        json!({ "token_use": "id" }),
    ] {
        let answer = bring(&world, "/dashboard", &token_with(&world, &other));
        assert_refused(&answer, 401, "invalid_token", &other.to_string());
    }

    // The tokens that the browser got at the sign-in.
    let id_token = json!({ "iss": ISSUER, "sub": "alice-1", "aud": "vestibule", "exp": 9_999_999_999_u64 });
    let header = json!({ "alg": "ES256", "kid": "key-1" });
    let id_token = world.provider.signed(&header, &id_token);
    assert_refused(&bring(&world, "/dashboard", &id_token), 401, "invalid_token", "id_token");
    let mut alice = Browser::new();
    alice.sign_in(&world, "alice", "/");
    let cookie = alice.cookie("__Secure-authjs.session-token").unwrap();
    assert_refused(&bring(&world, "/dashboard", cookie), 401, "invalid_token", "session");

    // With an audience that ID tokens have, too, more is required.
    let mut ours = settings();
    ours["providers"][0]["accept_bearer"] = json!({ "audience": "vestibule" });
    let world = TestEnv::with(ours);
    let ours = |patch: Value, header: &Value| {
        let mut claims = claims(&world, "alice");
        claims["aud"] = json!("vestibule");
        claims["scope"] = json!(null);
        for (name, value) in patch.as_object().unwrap() {
            claims[name] = value.clone();
        }
        bring(&world, "/dashboard", &world.provider.signed(header, &claims)).status
    };
    assert_eq!(ours(json!({}), &header), 401);
    assert_eq!(ours(json!({ "scope": "openid" }), &header), 200);
    assert_eq!(ours(json!({ "typ": "Bearer" }), &header), 200);
    assert_eq!(ours(json!({}), &self::header()), 200);
}

#[test]
fn algorithm_and_key_confusion_only_tokens_signed_by_the_provider_are_accepted() {
    let world = world();
    let good = token(&world, "alice");
    let claims = claims(&world, "alice");
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let unsigned =
        |header: Value, signature: &str| format!("{}.{}.{signature}", part(&header), part(&claims));
    let own_key = json!({ "alg": "ES256", "kid": "key-1", "jwk": world.provider.public_key() });
    let damaged =
        format!("{signed}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
    for (case, token) in [
        ("none", unsigned(json!({ "alg": "none" }), "")),
        ("none with a signature", unsigned(json!({ "alg": "none", "kid": "key-1" }), signature)),
        ("None", unsigned(json!({ "alg": "nOnE" }), "")),
        ("hmac", unsigned(json!({ "alg": "HS256", "kid": "key-1" }), signature)),
        ("another algorithm", unsigned(json!({ "alg": "RS256", "kid": "key-1" }), signature)),
        ("forged", FakeProvider::forged(&header(), &claims)),
        ("forged, its key in the header", FakeProvider::forged(&own_key, &claims)),
        ("forged, no kid", FakeProvider::forged(&json!({ "alg": "ES256" }), &claims)),
        (
            "forged, keys elsewhere",
            FakeProvider::forged(
                &json!({ "alg": "ES256", "kid": "key-1", "jku": "https://evil.example/jwks", "x5u": "https://evil.example" }),
                &claims,
            ),
        ),
        ("kid of a file", FakeProvider::forged(&json!({ "alg": "ES256", "kid": "../../dev/null" }), &claims)),
        (
            "kid of a query",
            FakeProvider::forged(&json!({ "alg": "ES256", "kid": "x' UNION SELECT 'y" }), &claims),
        ),
        ("crit", world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "crit": ["exp"] }), &claims)),
        ("b64", world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "b64": false }), &claims)),
        ("damaged", damaged),
        ("no signature", format!("{signed}.")),
        ("two parts", signed.to_owned()),
        ("four parts", format!("{good}.AAAA")),
        ("opaque", "access-alice".to_owned()),
        ("five parts", "eyJhbGciOiJkaXIifQ..a.b.c".to_owned()),
        ("nothing", String::new()),
        ("two tokens", format!("{good}, Bearer {good}")),
        ("a space", format!("{good} x")),
        ("a quote", format!("\"{good}\"")),
        ("long", format!("{good}{}", "A".repeat(20_000))),
    ] {
        assert_refused(&bring(&world, "/dashboard", &token), 401, "invalid_token", case);
        // An unknown key is looked for once a minute.
        world.pass(Duration::from_mins(1));
    }
    let good = token(&world, "alice");
    let signature = good.rsplit_once('.').unwrap().1;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap());
    let other = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "root", "exp": 9_999_999_999_u64 });
    let swapped = format!("{}.{}.{signature}", part(&header()), part(&other));
    assert_refused(&bring(&world, "/dashboard", &swapped), 401, "invalid_token", "other content");
    let fields = [("authorization", format!("Bearer {good}")), ("authorization", format!("Bearer {good}"))];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let twice = world.send("GET", &format!("{APP}/dashboard"), &fields, b"");
    assert_refused(&twice, 401, "invalid_token", "two fields");
    assert_eq!(bring(&world, "/dashboard", &good).status, 200);
    let log = world.log_text();
    assert!(!log.contains("eyJ") && !log.contains(signature), "{log}");
}

#[test]
fn work_bombs_invented_keys_and_unreachable_providers_cause_few_fetches() {
    let world = world();
    let unknown = |n: u32| {
        let header = json!({ "alg": "ES256", "kid": format!("invented-{n}") });
        FakeProvider::forged(&header, &claims(&world, "alice"))
    };
    for n in [0, 1] {
        let answer = bring(&world, "/dashboard", &unknown(n));
        assert_refused(&answer, 401, "invalid_token", "the keys were fetched for it");
    }
    for n in 2..50 {
        let answer = bring(&world, "/dashboard", &unknown(n));
        assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("60")));
        let answer = bring(&world, "/dashboard", &unknown(1));
        assert_refused(&answer, 401, "invalid_token", "the keys were fetched for this key");
    }
    assert_eq!(world.fetches(JWKS), 2);
    // A new key is fetched; while the set is unavailable, further requests cause no further fetches.
    world.pass(Duration::from_secs(61));
    world.provider.rotates_its_key_to("key-2");
    let newer = world.provider.signed(&json!({ "alg": "ES256", "kid": "key-2" }), &claims(&world, "alice"));
    assert_eq!(bring(&world, "/dashboard", &newer).status, 200);
    assert_eq!(world.fetches(JWKS), 3);
    world.pass(Duration::from_secs(61));
    world.provider.goes_down("jwks");
    for n in 0..50 {
        let answer = bring(&world, "/dashboard", &unknown(n));
        assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("5")));
    }
    assert_eq!(world.fetches(JWKS), 4);
    assert_eq!(bring(&world, "/dashboard", &newer).status, 200);

    let world = self::world();
    world.provider.goes_down("discovery");
    let good = token(&world, "alice");
    for _ in 0..20 {
        let answer = bring(&world, "/dashboard", &good);
        assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("5")));
    }
    assert_eq!(world.fetches("https://idp.example/.well-known/openid-configuration"), 1);
    // A token of an unknown issuer causes no fetch.
    let world = self::world();
    for bad in [json!({ "iss": "https://evil.example" }), json!({ "iss": null })] {
        assert_eq!(bring(&world, "/dashboard", &token_with(&world, &bad)).status, 401);
    }
    assert_eq!(world.fetches("https://idp.example/.well-known/openid-configuration"), 0);

    // A provider that recovers is fetched from again.
    world.provider.goes_down("jwks");
    assert_eq!(bring(&world, "/dashboard", &good).status, 503);
    world.provider.comes_back();
    assert_eq!(bring(&world, "/dashboard", &good).status, 503);
    world.pass(Duration::from_secs(5));
    assert_eq!(bring(&world, "/dashboard", &token(&world, "alice")).status, 200);
}

#[test]
fn many_requests_at_once_in_a_new_process_fetch_the_keys_once_and_all_pass() {
    let world = world();
    let authorization = format!("Bearer {}", token(&world, "alice"));
    let url = format!("{APP}/dashboard");
    let headers = [("authorization", authorization.as_str())];
    let answers = world.all((0..20).map(|_| {
        let sent: std::pin::Pin<Box<dyn Future<Output = Answer>>> =
            Box::pin(world.sent("GET", &url, &headers, b""));
        sent
    }));
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(world.fetches(JWKS), 1);
}

#[test]
fn a_session_takes_precedence_and_auth_routes_accept_no_bearer_token() {
    let world = world();
    let mut bob = Browser::new();
    bob.sign_in(&world, "bob", "/");
    let authorization = format!("Bearer {}", token(&world, "alice"));
    for (header, path, status) in [
        (authorization.as_str(), "/dashboard", 200),
        (authorization.as_str(), "/admin", 403),
        ("Bearer rubbish", "/dashboard", 200),
    ] {
        let headers = [("authorization", header), ("accept", "application/json")];
        let answer = bob.send(&world, "GET", &format!("{APP}{path}"), &headers, b"");
        assert_eq!(answer.status, status, "{header} {path}");
        if let Some(forwarded) = answer.forwarded {
            assert_eq!(forwarded.request.headers.get("x-user-email"), Some("bob@example.com"));
            assert_eq!(forwarded.request.headers.get("authorization"), Some("Bearer access-bob"));
        }
    }
    let headers = [("authorization", authorization.as_str())];
    let session = world.send("GET", &format!("{APP}/auth/session"), &headers, b"");
    assert_eq!((session.status, session.body.as_str()), (200, "null"));
    let headers = [
        ("authorization", authorization.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("x-vestibule-token", "1"),
    ];
    assert_eq!(world.send("GET", &format!("{APP}/auth/token"), &headers, b"").status, 401);

    // An invalid cookie does not prevent the use of the token.
    let headers =
        [("authorization", authorization.as_str()), ("cookie", "__Secure-authjs.session-token=rubbish")];
    assert_eq!(world.send("GET", &format!("{APP}/dashboard"), &headers, b"").status, 200);
}

#[test]
fn without_accept_bearer_the_authorization_header_passes_unread() {
    let plain = TestEnv::new();
    let token = token(&plain, "alice");
    let answer = bring(&plain, "/dashboard", &token);
    assert_eq!((answer.status, answer.headers.get("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(plain.fetches(JWKS), 0);

    let mut open = accepting(&json!({}));
    open["upstreams"] = json!([{ "to": "origin" }]);
    let world = TestEnv::with(open);
    for authorization in ["Basic eDp5", "Digest x", "Bearer", "Bearer rubbish", "Negotiate abc"] {
        let answer = ask(&world, "/about", authorization);
        let seen = answer.forwarded.expect("a public page").request.headers;
        assert_eq!(seen.get("authorization"), Some(authorization));
    }
    for authorization in ["Basic eDp5", "Digest x", "Bearerx y"] {
        let answer = ask(&world, "/dashboard", authorization);
        assert_eq!((answer.status, answer.headers.get("www-authenticate")), (401, Some("Bearer")));
    }
    let navigation = [("authorization", "Basic eDp5"), ("sec-fetch-mode", "navigate")];
    assert_eq!(world.send("GET", &format!("{APP}/dashboard"), &navigation, b"").status, 302);
}

#[test]
fn a_public_page_gets_the_tokens_user_and_stays_open_for_invalid_tokens() {
    let world = world();
    let answer = bring(&world, "/about", &token(&world, "alice"));
    let seen = answer.forwarded.unwrap().request.headers;
    assert_eq!(seen.get("x-user-email"), Some("alice@example.com"));
    for token in ["rubbish", token_with(&world, &json!({ "exp": 1 })).as_str()] {
        let seen = bring(&world, "/about", token).forwarded.expect("open").request.headers;
        assert!(!seen.contains("x-user-email") && !seen.contains("authorization"));
    }
    let world = self::world();
    world.provider.goes_down("jwks");
    assert_eq!(bring(&world, "/about", &token(&world, "alice")).status, 200);
}

#[test]
fn a_user_who_may_not_sign_in_does_not_pass_with_a_token_either() {
    let mut few = accepting(&json!({}));
    few["providers"][0]["allow"] = json!({ "user.roles": ["admin"] });
    let world = TestEnv::with(few);
    assert_eq!(bring(&world, "/dashboard", &token(&world, "alice")).status, 200);
    let answer = bring(&world, "/dashboard", &token(&world, "bob"));
    assert_refused(&answer, 403, "insufficient_scope", "allow");
    assert_eq!(bring(&world, "/about", &token(&world, "bob")).status, 200);
}

struct Strict;

impl Hooks for Strict {
    type Profile = Value;
    type Session = vestibule_core::hooks::DefaultSession;

    async fn sign_in(&self, attempt: &SignIn<'_, Value>) -> SignInAnswer {
        match attempt.profile["email"].as_str() {
            Some("bob@example.com") => SignInAnswer::Denied,
            Some("eve@example.com") => SignInAnswer::Redirect("/welcome".to_owned()),
            _ => SignInAnswer::Granted,
        }
    }

    async fn token(&self, claims: &mut serde_json::Map<String, Value>, _: TokenOccasion<'_, Value>) {
        claims.insert("roles".to_owned(), json!(["from-the-hook"]));
    }

    fn authorized(&self, request: &Request, session: Option<&Session>, decided: Decision) -> Decision {
        match (request.url.path.as_str(), session) {
            ("/closed", Some(_)) => Decision::NotFound,
            _ => decided,
        }
    }
}

#[test]
fn the_hooks_run_as_at_a_sign_in() {
    let world = TestEnv::with_hooks(accepting(&json!({})), Strict);
    let answer = bring(&world, "/dashboard", &token(&world, "alice"));
    assert_eq!(answer.forwarded.unwrap().request.headers.get("x-user-roles"), Some("from-the-hook"));
    assert_eq!(bring(&world, "/closed", &token(&world, "alice")).status, 404);
    for user in ["bob", "eve"] {
        let answer = bring(&world, "/dashboard", &token(&world, user));
        assert_refused(&answer, 403, "insufficient_scope", user);
    }
}

#[test]
fn a_preflight_needs_no_token_and_a_websocket_may_send_one() {
    let world = world();
    let authorization = format!("Bearer {}", token(&world, "alice"));
    let preflight = [
        ("authorization", authorization.as_str()),
        ("origin", "https://other.example"),
        ("access-control-request-method", "POST"),
    ];
    let answer = world.send("OPTIONS", &format!("{APP}/dashboard"), &preflight, b"");
    let seen = answer.forwarded.unwrap().request.headers;
    assert!(!seen.contains("authorization") && !seen.contains("x-user-email"));
    let upgrade = [("authorization", authorization.as_str()), ("upgrade", "websocket")];
    assert_eq!(world.send("GET", &format!("{APP}/dashboard"), &upgrade, b"").status, 200);
}

#[test]
fn forward_auth_accepts_the_same_tokens() {
    let world = world();
    let verify = |authorization: &str| ask(&world, "/auth/verify", authorization);
    let good = token(&world, "alice");
    let answer = verify(&format!("Bearer {good}"));
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers.get("authorization"), Some(format!("Bearer {good}").as_str()));
    assert_eq!(answer.headers.get("x-user-email"), Some("alice@example.com"));
    assert!(!answer.headers.contains("set-cookie"));
    let answer = verify("Bearer rubbish");
    assert_eq!(answer.status, 401);
    assert!(answer.headers.get("www-authenticate").unwrap().contains("invalid_token"));
}

#[test]
fn of_one_provider_with_two_clients_the_audience_selects_the_client() {
    let mut two = accepting(&json!({}));
    let mut other = two["providers"][0].clone();
    other["id"] = json!("other");
    other["client_id"] = json!("x");
    other["token_endpoint_auth_method"] = json!("none");
    other["accept_bearer"] = json!({ "audience": ["urn:one", "urn:two"] });
    two["providers"].as_array_mut().unwrap().push(other);
    two["upstreams"][0]["headers"] = json!({ "X-Provider": "provider" });
    let world = TestEnv::with(two);
    for (audience, provider) in [(AUDIENCE, "acme"), ("urn:two", "other")] {
        let token = token_with(&world, &json!({ "aud": audience }));
        let seen = bring(&world, "/dashboard", &token).forwarded.expect(audience).request.headers;
        assert_eq!(seen.get("x-provider"), Some(provider));
    }
    assert_eq!(bring(&world, "/dashboard", &token_with(&world, &json!({ "aud": "urn:three" }))).status, 401);
}

#[test]
fn work_bombs_a_public_page_whose_server_opens_sessions_costs_nothing_where_the_browser_has_none() {
    let mut settings = accepting(&json!({}));
    settings["session"] = json!({});
    settings["upstreams"] = json!([{ "to": "https://upstream.example", "forward_session": true }]);
    let world = TestEnv::with(settings);
    let answer = bring(&world, "/about", &token(&world, "alice"));
    assert!(answer.forwarded.is_some(), "{answer:?}");
    assert_eq!(world.fetches("https://idp.example/jwks"), 0);
}
