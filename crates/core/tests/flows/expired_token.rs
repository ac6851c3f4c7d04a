//! An access token that has expired and that no one can renew: it is never forwarded, shown or handed out.

use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::log::LogEvent;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::time::Timestamp;
use vestibule_testing::{APP, Answer, Browser, SECRET, TestEnv, environment, settings};

const SESSION: &str = "__Secure-authjs.session-token";
const EXPIRED: Duration = Duration::from_secs(3600 + 5);
const TOKEN: &str = "access-bob";

/// Bob, whom the provider gave no refresh token, with these settings.
fn signed_in(settings: Value) -> (TestEnv, Browser) {
    signed_in_where(settings, &environment)
}

fn signed_in_where(settings: Value, environment: &dyn Fn(&str) -> Option<String>) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::in_environment(settings, environment), Browser::new());
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    browser.sign_in(&world, "bob", "/");
    (world, browser)
}

fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.forwarded.as_ref()?.request.headers.get(name)
}

/// Everything that the upstream got, as text.
fn forwarded(answer: &Answer) -> String {
    format!("{:?}", answer.forwarded.as_ref().map(|forwarded| &forwarded.request.headers))
}

/// The claims of the session that the upstream opens.
fn opened(world: &TestEnv, answer: &Answer) -> Map<String, Value> {
    claims_in(world, field(answer, "cookie").unwrap())
}

/// The claims of the session in these cookies.
fn claims_in(world: &TestEnv, cookies: &str) -> Map<String, Value> {
    let sealed = cookies.split("; ").find_map(|pair| pair.strip_prefix(SESSION)?.strip_prefix('=')).unwrap();
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    seal::open(&keys, Dialect::AuthJsV5, SESSION, sealed, world.now()).unwrap()
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn where_the_upstream_needs_the_token_a_script_gets_401_and_nothing_is_forwarded() {
    let mut copied = settings();
    copied["claims"]["api"] = json!("account.access_token");
    copied["upstreams"] =
        json!([{ "to": "https://upstream.example", "headers": { "X-Api": "api", "X-Name": "name" } }]);
    let mut of_a_rule = settings();
    of_a_rule["upstreams"] = json!([{ "to": "https://upstream.example" }]);
    of_a_rule["rules"] =
        json!([{ "match": "/api", "access": "signed-in", "headers": { "X-Token": "access_token" } }]);
    for settings in [settings(), copied, of_a_rule] {
        let (world, mut browser) = signed_in(settings);
        let answer = browser.fetch(&world, &format!("{APP}/api"));
        assert!(forwarded(&answer).contains(TOKEN), "while it is valid");
        world.pass(EXPIRED);
        for method in ["GET", "POST", "DELETE"] {
            let script = [("sec-fetch-mode", "cors"), ("referer", "https://app.example.com/page")];
            let answer = browser.send(&world, method, &format!("{APP}/api"), &script, b"");
            assert_eq!((answer.status, answer.forwarded.is_none()), (401, true));
            let sign_in = format!("{APP}/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fpage");
            assert_eq!(json_of(&answer), json!({ "error": "token_expired", "signInUrl": sign_in }));
            assert_eq!(answer.headers.get("www-authenticate"), Some("Bearer error=\"invalid_token\""));
            assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
        }
        assert_eq!(world.store.reads.get(), 0);
    }
}

#[test]
fn a_token_is_forwarded_until_the_moment_it_ends_and_not_from_then_on() {
    let second = Duration::from_secs(1);
    let (world, mut browser) = signed_in(settings());
    let claims = claims_in(&world, &browser.cookie_header());
    let end = Timestamp::from_seconds(claims["expires_at"].as_u64().unwrap());
    world.pass(end.minus(second).since(world.now()));
    for address in [format!("{APP}/api"), format!("{APP}/about")] {
        let answer = browser.fetch(&world, &address);
        assert_eq!(field(&answer, "authorization"), Some("Bearer access-bob"), "{answer:?}");
    }
    world.pass(second);
    assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 401);
    assert_eq!(field(&browser.open(&world, &format!("{APP}/about")), "authorization"), None);
}

#[test]
fn a_prefetch_with_an_expired_token_begins_no_sign_in() {
    let (world, mut browser) = signed_in(settings());
    world.pass(EXPIRED);
    let prefetch = [("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch")];
    let answer = browser.send(&world, "GET", &format!("{APP}/page"), &prefetch, b"");
    assert_eq!((answer.status, answer.headers.contains("set-cookie")), (503, false));
}

#[test]
fn on_a_public_path_the_request_goes_on_without_the_token() {
    for has_refresh_token in [false, true] {
        let (world, mut browser) = if has_refresh_token {
            let (world, mut browser) = (TestEnv::new(), Browser::new());
            browser.sign_in(&world, "bob", "/");
            (world, browser)
        } else {
            signed_in(settings())
        };
        assert_eq!(
            field(&browser.open(&world, &format!("{APP}/about")), "authorization"),
            Some("Bearer access-bob")
        );
        world.pass(EXPIRED);
        let answer = browser.open(&world, &format!("{APP}/about"));
        assert_eq!(field(&answer, "x-user-email"), Some("bob@example.com"));
        assert_eq!(field(&answer, "authorization"), None, "refresh token: {has_refresh_token}");
    }
}

#[test]
fn the_forwarded_session_opens_without_the_token_and_says_why() {
    let mut settings = settings();
    settings["claims"]["api"] = json!("account.access_token");
    settings["upstreams"] = json!([{ "to": "https://upstream.example", "forward_session": true }]);
    let (world, mut browser) = signed_in(settings);
    assert_eq!(opened(&world, &browser.open(&world, &format!("{APP}/page")))["access_token"], TOKEN);
    world.pass(EXPIRED);
    let preflight = [("origin", APP), ("access-control-request-method", "PUT")];
    for path in ["/page", "/about"] {
        for (method, headers) in [("GET", &[][..]), ("OPTIONS", &preflight)] {
            let before = browser.cookie(SESSION).unwrap().to_owned();
            let answer = browser.send(&world, method, &format!("{APP}{path}"), headers, b"");
            // A preflight carries no session at all.
            if method == "OPTIONS" {
                assert_eq!(field(&answer, "cookie"), None);
                continue;
            }
            let claims = opened(&world, &answer);
            assert_eq!((&claims["sub"], &claims["error"]), (&json!("bob-1"), &json!("AccessTokenExpired")));
            assert!(!format!("{claims:?}").contains(TOKEN), "{method} {path}: {claims:?}");
            assert_eq!(browser.cookie(SESSION), Some(before.as_str()), "the browser's cookie stays");
        }
    }
    // A day later the browser's cookie is sealed again: with everything that it had.
    world.pass(Duration::from_hours(24));
    let answer = browser.open(&world, &format!("{APP}/page"));
    assert_eq!(opened(&world, &answer)["error"], "AccessTokenExpired");
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let own = seal::open(&keys, Dialect::AuthJsV5, SESSION, browser.cookie(SESSION).unwrap(), world.now());
    assert_eq!(own.unwrap().get("error"), None);
}

#[test]
fn where_only_the_page_sees_the_token_the_session_goes_on_without_it() {
    let mut shown = settings();
    shown["upstreams"] = json!([{ "to": "https://upstream.example", "headers": { "X-Email": "email" } }]);
    shown["session"]["updatable"] = json!(["name"]);
    let (world, mut browser) = signed_in(shown);
    assert_eq!(browser.session(&world).get("error"), None);
    world.pass(EXPIRED);
    let expected = json!({
        "user": { "name": "bob", "email": "bob@example.com", "roles": ["user"] },
        "error": "AccessTokenExpired",
        "expires": "2026-12-21T19:40:00.000Z",
    });
    assert_eq!(browser.session(&world), expected);
    let answer = browser.open(&world, &format!("{APP}/page"));
    assert_eq!(field(&answer, "x-email"), Some("bob@example.com"));
    let csrf = browser.csrf(&world);
    let body = json!({ "csrfToken": csrf, "data": { "name": "Rob" } }).to_string();
    let json_type = [("content-type", "application/json")];
    let updated = browser.send(&world, "POST", &format!("{APP}/auth/session"), &json_type, body.as_bytes());
    assert_eq!(
        (&json_of(&updated)["user"]["name"], &json_of(&updated)["error"]),
        (&json!("Rob"), &json!("AccessTokenExpired"))
    );
    assert!(!updated.body.contains(TOKEN));
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let sealed = seal::open(&keys, Dialect::AuthJsV5, SESSION, browser.cookie(SESSION).unwrap(), world.now());
    assert_eq!(sealed.unwrap().get("error"), None, "it is not sealed into the cookie");
}

#[test]
fn where_nothing_needs_the_token_nothing_happens() {
    let mut unused = settings();
    unused["session"] = json!({});
    unused["upstreams"] = json!([{ "to": "https://upstream.example", "headers": { "X-Name": "name" } }]);
    let (world, mut browser) = signed_in(unused);
    world.pass(EXPIRED);
    assert_eq!(field(&browser.open(&world, &format!("{APP}/page")), "x-name"), Some("bob"));
    assert_eq!(browser.session(&world).get("error"), None);
    assert!(world.logged(LogEvent::RefreshTokenMissing).is_empty());
}

#[test]
fn the_route_for_the_token_answers_401_and_where_to_sign_in() {
    let (world, mut browser) = signed_in(settings());
    let own = [
        ("sec-fetch-site", "same-origin"),
        ("x-vestibule-token", "1"),
        ("referer", "https://app.example.com/p"),
    ];
    let token = |browser: &mut Browser| browser.send(&world, "GET", &format!("{APP}/auth/token"), &own, b"");
    assert_eq!(json_of(&token(&mut browser))["access_token"], TOKEN);
    world.pass(EXPIRED);
    let sign_in = format!("{APP}/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fp");
    let answer = token(&mut browser);
    assert_eq!(
        (answer.status, json_of(&answer)),
        (401, json!({ "error": "token_expired", "signInUrl": sign_in }))
    );
}

#[test]
fn another_proxy_is_not_told_the_token() {
    let with_proxy = |name: &str| match name {
        "AUTH_VERIFY_SECRET" => Some("what-the-proxy-and-the-worker-share".to_owned()),
        other => environment(other),
    };
    let mut settings = settings();
    settings["verify"] = json!({ "headers": "x-original" });
    let (world, mut browser) = signed_in_where(settings, &with_proxy);
    let ask = |browser: &mut Browser, mode: &str| {
        let headers = [
            ("x-vestibule-verify", "what-the-proxy-and-the-worker-share"),
            ("x-original-method", "GET"),
            ("x-original-url", "https://app.example.com/page"),
            ("sec-fetch-mode", mode),
        ];
        browser.send(&world, "GET", &format!("{APP}/auth/verify"), &headers, b"")
    };
    assert_eq!(ask(&mut browser, "navigate").headers.get("authorization"), Some("Bearer access-bob"));
    world.pass(EXPIRED);
    let page = ask(&mut browser, "navigate");
    let sign_in = format!("{APP}/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fpage");
    assert_eq!((page.status, page.location()), (401, sign_in.as_str()));
    assert_eq!(ask(&mut browser, "cors").status, 401);

    // Without the secret: the exposed token alone.
    let (world, mut browser) = signed_in(vestibule_testing::settings());
    world.pass(EXPIRED);
    assert_eq!(browser.fetch(&world, &format!("{APP}/auth/verify")).status, 401);
}

#[test]
fn a_token_without_a_known_expiry_is_used() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    world.provider.alters_answer_at("token", |answer| {
        for name in ["refresh_token", "expires_in"] {
            answer.as_object_mut().unwrap().remove(name);
        }
    });
    browser.sign_in(&world, "bob", "/");
    world.pass(Duration::from_hours(24));
    assert_eq!(
        field(&browser.fetch(&world, &format!("{APP}/api")), "authorization"),
        Some("Bearer access-bob")
    );
    assert!(world.logged(LogEvent::RefreshTokenMissing).is_empty(), "it needs none");
}

#[test]
fn a_refresh_token_that_no_one_here_can_use_does_not_keep_the_token_alive() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    world.pass(EXPIRED);
    let mut elsewhere = settings();
    elsewhere["providers"][0]["id"] = json!("other");
    elsewhere["providers"][0]["client_id"] = json!("vestibule");
    let other = TestEnv::in_environment(elsewhere, &|name| match name {
        "AUTH_OTHER_SECRET" => Some("other-secret".to_owned()),
        other => environment(other),
    });
    other.pass(EXPIRED);
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "cors")];
    let answer = other.send("GET", &format!("{APP}/api"), &headers, b"");
    assert_eq!((answer.status, answer.forwarded.is_none()), (401, true));
    // Where the provider is, the token is renewed.
    assert_eq!(
        field(&browser.fetch(&world, &format!("{APP}/api")), "authorization"),
        Some("Bearer access-bob~1")
    );
}

#[test]
fn a_sign_in_without_a_refresh_token_is_logged_with_what_brings_one() {
    for (provider, expected) in [
        (json!({}), "the scope offline_access"),
        (json!({ "scope": "openid offline_access" }), "prompt = \"consent\""),
        (
            json!({ "scope": "openid offline_access", "authorization_params": { "prompt": "consent" } }),
            "the grant type refresh_token",
        ),
        (
            json!({ "refresh_token_needs": { "authorization_params": { "access_type": "offline" } } }),
            "authorization_params = { access_type = \"offline\" }",
        ),
    ] {
        let mut settings = settings();
        for (key, value) in provider.as_object().unwrap() {
            settings["providers"][0][key] = value.clone();
        }
        let (world, _) = signed_in(settings);
        let lines = world.logged(LogEvent::RefreshTokenMissing);
        assert_eq!(lines.len(), 1);
        let expected = expected.replace('"', "\\\"");
        assert!(world.log_text().contains(&expected), "{expected}: {}", world.log_text());
    }
}

#[test]
fn at_start_the_advice_says_what_brings_a_refresh_token() {
    let advice = |provider: Value, is_used: bool| {
        let mut settings = settings();
        settings["providers"] = json!([provider]);
        if !is_used {
            settings["session"] = json!({});
            settings["upstreams"] = json!([]);
        }
        let env = |name: &str| match name {
            "AUTH_SECRET" => environment(name),
            name if name.contains("REVOKE") || name.contains("HEALTH") => None,
            name if name.ends_with("_ID") || name.ends_with("_SECRET") => Some("x".to_owned()),
            _ => None,
        };
        let config =
            vestibule_core::config::Config::load(settings, &env, &vestibule_testing::RUNTIME).unwrap();
        let advice = config.advice(&vestibule_testing::RUNTIME);
        advice.into_iter().filter(|line| line.contains("refresh token comes only")).collect::<Vec<_>>()
    };
    for (provider, expected) in [
        (json!({ "id": "okta", "issuer": "https://acme.okta.com" }), Some("the scope offline_access")),
        (json!({ "id": "okta", "issuer": "https://acme.okta.com", "scope": "openid offline_access" }), None),
        (
            json!({ "id": "google" }),
            Some("authorization_params = { access_type = \"offline\", prompt = \"consent\" }"),
        ),
        (
            json!({ "id": "google", "authorization_params": { "access_type": "offline" } }),
            Some("authorization_params = { prompt = \"consent\" }"),
        ),
        (json!({ "id": "reddit" }), Some("duration = \"permanent\"")),
        (json!({ "id": "auth0", "issuer": "https://acme.eu.auth0.com/" }), None),
        (json!({ "id": "github" }), None),
        (json!({ "id": "acme", "type": "oidc", "issuer": "https://idp.example" }), None),
    ] {
        let lines = advice(provider.clone(), true);
        assert_eq!(lines.len(), usize::from(expected.is_some()), "{provider}: {lines:?}");
        assert!(expected.is_none_or(|expected| lines[0].contains(expected)), "{provider}: {lines:?}");
        assert!(advice(provider, false).is_empty(), "where nothing uses the token");
    }
}

#[test]
fn what_may_bring_a_refresh_token_is_what_the_configuration_does_not_ask_for_yet() {
    for (params, names_consent) in [
        (json!({}), true),
        (json!({ "audience": "api" }), true),
        (json!({ "audience": "api", "prompt": "consent" }), false),
    ] {
        let mut settings = settings();
        settings["providers"][0]["scope"] = json!("openid profile offline_access");
        settings["providers"][0]["authorization_params"] = params.clone();
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        world.provider.alters_answer_at("token", |answer| {
            answer.as_object_mut().unwrap().remove("refresh_token");
        });
        browser.sign_in(&world, "bob", "/");
        let lines = world.logged(LogEvent::RefreshTokenMissing);
        assert!(lines.len() == 1 && lines[0].message().contains("the grant type refresh_token"), "{lines:?}");
        assert_eq!(lines[0].message().contains("prompt = \"consent\""), names_consent, "{params}");
    }
}
