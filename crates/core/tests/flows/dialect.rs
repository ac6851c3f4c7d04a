//! The two dialects of Auth.js: what each one answers, and how a session changes from one to the other.

use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_testing::{APP, Answer, Browser, SECRET, TestEnv, settings};

use crate::credentials::json_api;

const V5: &str = "__Secure-authjs.session-token";
const V4: &str = "__Secure-next-auth.session-token";
const DAY: Duration = Duration::from_hours(24);

fn v4_settings() -> Value {
    let mut settings = settings();
    settings["dialect"] = json!("next-auth-v4");
    settings
}

fn v4() -> TestEnv {
    TestEnv::with(v4_settings())
}

/// A session as Auth.js itself makes it, without Vestibule's claims.
fn of_authjs(world: &TestEnv, dialect: Dialect, claims: &Value) -> String {
    let salt = if dialect == Dialect::AuthJsV5 { V5 } else { "" };
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let claims: Map<String, Value> = claims.as_object().unwrap().clone();
    seal::seal(&keys, dialect, salt, &claims, DAY * 30, world.now(), &mut |bytes| world.random.fill(bytes))
}

fn ada() -> Value {
    json!({ "name": "Ada", "email": "ada@example.com", "picture": null, "sub": "1" })
}

fn sessions(browser: &Browser) -> Vec<&str> {
    browser.cookie_names().into_iter().filter(|name| name.contains("session-token")).collect()
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[test]
fn the_cookies_of_v4_have_next_auths_names() {
    let (world, mut browser) = (v4(), Browser::new());
    browser.sign_in(&world, "bob", "/dashboard");
    assert_eq!(
        browser.cookie_names(),
        [
            "__Host-next-auth.csrf-token",
            "__Secure-next-auth.callback-url",
            "__Secure-next-auth.last-user",
            V4
        ]
    );
    assert!(browser.cookie(V4).unwrap().starts_with("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0.."));
    assert_eq!(browser.session(&world)["user"]["name"], "bob");
    assert_eq!(browser.open(&world, &format!("{APP}/dashboard")).status, 200);
}

#[test]
fn without_a_session_v4_answers_an_empty_object() {
    let (world, mut browser) = (v4(), Browser::new());
    assert_eq!(browser.session(&world), json!({}));
    browser.plant(V4, "junk");
    assert_eq!(browser.session(&world), json!({}));
    assert_eq!(browser.cookie(V4), None);
}

#[test]
fn a_session_that_authjs_sealed_works_unchanged() {
    for (dialect, name, settings) in
        [(Dialect::AuthJsV5, V5, settings()), (Dialect::NextAuthV4, V4, v4_settings())]
    {
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.plant(name, &of_authjs(&world, dialect, &ada()));
        let session = browser.session(&world);
        assert_eq!(session["user"], json!({ "name": "Ada", "email": "ada@example.com", "image": null }));
        let answer = browser.open(&world, &format!("{APP}/dashboard"));
        let seen = answer.forwarded.expect("it passes").request;
        assert_eq!(seen.headers.get("x-user-email"), Some("ada@example.com"));
        assert_eq!(seen.headers.get("authorization"), None, "there is no access token in it");
        world.pass(DAY);
        let before = browser.cookie(name).unwrap().to_owned();
        browser.session(&world);
        assert_ne!(browser.cookie(name), Some(before.as_str()), "it is renewed like any other");
    }
}

#[test]
fn changing_the_dialect_keeps_every_session() {
    for (old, old_name, new, new_name) in [(v4(), V4, TestEnv::new(), V5), (TestEnv::new(), V5, v4(), V4)] {
        let mut browser = Browser::new();
        browser.sign_in(&old, "bob", "/");
        let before = browser.session(&old);

        // A script's request, before the first request to the session route.
        let mut by_session = browser.clone();
        assert_eq!(by_session.session(&new)["user"], before["user"]);
        assert_eq!(sessions(&by_session), [new_name], "the other one is gone in the same response");

        let answer = browser.open(&new, &format!("{APP}/dashboard"));
        assert_eq!(answer.status, 200);
        assert_eq!(sessions(&browser), [new_name], "a page will do too");
        let first = browser.cookie(new_name).unwrap().to_owned();
        browser.session(&new);
        assert_eq!(browser.cookie(new_name), Some(first.as_str()), "once is enough");
        assert_eq!(sessions(&browser), [new_name]);
        assert!(browser.cookie(old_name).is_none());
    }
}

#[test]
fn a_chunked_session_changes_its_dialect_with_all_chunks() {
    let (old, new, mut browser) = (v4(), TestEnv::new(), Browser::new());
    old.provider.alters_answer_at("userinfo", |u| u["roles"] = json!(vec!["x".repeat(100); 60]));
    browser.sign_in(&old, "bob", "/");
    assert_eq!(sessions(&browser), [format!("{V4}.0"), format!("{V4}.1"), format!("{V4}.2")]);
    assert_eq!(browser.session(&new)["user"]["roles"].as_array().unwrap().len(), 60);
    assert_eq!(sessions(&browser), [format!("{V5}.0"), format!("{V5}.1"), format!("{V5}.2")]);
}

#[test]
fn the_configured_dialects_cookie_comes_first_and_an_invalid_one_does_not_hide_the_other() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let grace = json!({ "name": "Grace", "sub": "2" });
    browser.plant(V5, &of_authjs(&world, Dialect::AuthJsV5, &ada()));
    browser.plant(V4, &of_authjs(&world, Dialect::NextAuthV4, &grace));
    assert_eq!(browser.session(&world)["user"]["name"], "Ada");
    browser.plant(V5, "junk");
    assert_eq!(browser.session(&world)["user"]["name"], "Grace");
    assert_eq!(sessions(&browser), [V5]);
    assert_eq!(browser.session(&world)["user"]["name"], "Grace", "it was written over the junk");
}

#[test]
fn session_confusion_a_session_of_one_dialect_does_not_open_under_the_name_of_the_other() {
    let world = TestEnv::new();
    for (name, dialect) in [(V5, Dialect::NextAuthV4), (V4, Dialect::AuthJsV5)] {
        let mut browser = Browser::new();
        browser.plant(name, &of_authjs(&world, dialect, &ada()));
        assert_eq!(browser.session(&world), Value::Null, "{name}");
        assert!(sessions(&browser).is_empty(), "what opens nowhere is cleared away");
    }
}

#[test]
fn logout_that_can_be_undone_signing_out_erases_both_dialects() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.plant(V5, &of_authjs(&world, Dialect::AuthJsV5, &ada()));
    for chunk in [".0", ".1"] {
        browser.plant(&format!("{V4}{chunk}"), "part");
    }
    let csrf = browser.csrf(&world);
    browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    assert!(sessions(&browser).is_empty(), "{:?}", sessions(&browser));
}

#[test]
fn stale_claims_signing_in_replaces_the_session_of_the_other_dialect() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.plant(V4, &of_authjs(&world, Dialect::NextAuthV4, &ada()));
    browser.sign_in(&world, "bob", "/");
    assert_eq!(sessions(&browser), [V5]);
    assert_eq!(browser.session(&world)["user"]["name"], "bob");
}

#[test]
fn a_host_only_cookie_of_authjs_does_not_outlive_the_shared_one() {
    let mut shared = settings();
    shared["cookies"] = json!({ "domain": "example.com" });
    let (world, mut browser) = (TestEnv::with(shared), Browser::new());
    browser.plant(V5, &of_authjs(&world, Dialect::AuthJsV5, &ada()));
    let answer = browser.sign_in(&world, "bob", "/");
    let session: Vec<&str> =
        answer.headers.get_all("set-cookie").filter(|cookie| cookie.starts_with(V5)).collect();
    assert_eq!(session.len(), 2, "{session:?}");
    assert!(
        session[0].starts_with(&format!("{V5}=; Max-Age=0; Path=/")),
        "host-only, and first: {session:?}"
    );
    assert!(session[1].contains("; Domain=example.com") && !session[1].contains("Max-Age"), "{session:?}");
}

#[test]
fn the_absolute_age_of_a_session_of_authjs_counts_from_when_it_was_first_seen() {
    let mut short = settings();
    short["session"]["absolute_max_age"] = json!("3d");
    let (world, mut browser) = (TestEnv::with(short), Browser::new());
    browser.plant(V4, &of_authjs(&world, Dialect::NextAuthV4, &ada()));
    for _ in 0..3 {
        assert_eq!(browser.session(&world)["user"]["name"], "Ada");
        world.pass(DAY);
    }
    assert_eq!(browser.session(&world), Value::Null);
}

#[test]
fn without_the_csrf_token_v4_says_csrf_true_and_keeps_the_return_address() {
    let world = v4();
    for (route, location) in [("signin/acme", "signin"), ("signin", "signin"), ("signout", "signout")] {
        let mut browser = Browser::new();
        let answer = browser.post(&world, &format!("{APP}/auth/{route}"), &[("callbackUrl", "/dashboard")]);
        assert_eq!((answer.status, answer.location()), (302, &*format!("{APP}/auth/{location}?csrf=true")));
        assert!(browser.cookie("__Host-next-auth.csrf-token").is_some());
        assert_eq!(
            browser.cookie("__Secure-next-auth.callback-url"),
            Some("https%3A%2F%2Fapp.example.com%2Fdashboard")
        );
    }
    let mut browser = Browser::new();
    let answer = browser.post(&world, &format!("{APP}/auth/session"), &[("data", "x")]);
    assert_eq!((answer.status, json_of(&answer)), (400, json!({})));
}

#[test]
fn provider_errors_have_v4_s_codes() {
    let (world, mut browser) = (v4(), Browser::new());
    let error = |code: &str| format!("{APP}/auth/error?error={code}");

    let request = browser.begin(&world, "/");
    let state = &request.params["state"];
    let cancelled =
        format!("{APP}/auth/callback/acme?error=access_denied&state={state}&iss=https%3A%2F%2Fidp.example");
    let answer = browser.open(&world, &cancelled);
    assert_eq!(answer.location(), error("Callback"));
    let answer = browser.open(&world, answer.location());
    assert_eq!(answer.location(), format!("{APP}/auth/signin?error=Callback"), "one may try again");

    let answer = browser.fetch(&world, &format!("{APP}/auth/callback/acme?code=1"));
    assert_eq!(answer.location(), error("OAuthCallback"));

    let request = browser.begin(&world, "/");
    let callback = world.provider.authorize(&request, "bob");
    world.provider.goes_down("token");
    assert_eq!(browser.open(&world, &callback).location(), error("OAuthCallback"));

    let (world, mut browser) = (v4(), Browser::new());
    world.provider.goes_down("discovery");
    let csrf = browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), &[("csrfToken", &csrf)]);
    assert_eq!(answer.location(), error("OAuthSignin"));
}

#[test]
fn an_unknown_route_gets_v4_s_text() {
    let (world, mut browser) = (v4(), Browser::new());
    for (method, path) in [
        ("GET", "nope"),
        ("PUT", "session"),
        ("DELETE", "signout"),
        ("POST", "csrf"),
        ("GET", "callback/nobody"),
        ("GET", "verify-request"),
    ] {
        let answer = browser.send(&world, method, &format!("{APP}/auth/{path}"), &[], b"");
        assert_eq!(
            (answer.status, answer.body),
            (400, format!("Error: This action with HTTP {method} is not supported by NextAuth.js"))
        );
    }
}

#[test]
fn the_sign_in_page_of_v4_accepts_a_provider_in_its_path() {
    let (world, mut browser) = (v4(), Browser::new());
    assert_eq!(browser.open(&world, &format!("{APP}/auth/signin/acme")).status, 200);
}

#[test]
fn v4_calls_every_provider_oauth() {
    let (world, mut browser) = (v4(), Browser::new());
    assert_eq!(json_of(&browser.fetch(&world, &format!("{APP}/auth/providers")))["acme"]["type"], "oauth");
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    assert_eq!(json_of(&browser.fetch(&world, &format!("{APP}/auth/providers")))["acme"]["type"], "oidc");
}

#[test]
fn both_clients_work_in_both_dialects() {
    for world in [TestEnv::new(), v4()] {
        let mut browser = Browser::new();
        let csrf = browser.csrf(&world);
        let url = format!("{APP}/auth/signout");
        let form = [("csrfToken", csrf.as_str()), ("callbackUrl", "/about")];
        let v5 = browser.post_with(&world, &url, &form, &[("x-auth-return-redirect", "1")]);
        assert_eq!((v5.status, json_of(&v5)), (200, json!({ "url": format!("{APP}/about") })));
        let form = [form[0], form[1], ("json", "true")];
        let v4 = browser.post(&world, &url, &form);
        assert_eq!((v4.status, json_of(&v4)), (200, json!({ "url": format!("{APP}/about") })));
        assert_eq!(v4.headers.get("location"), None);
        for other in ["false", "1", ""] {
            let form = [form[0], form[1], ("json", other)];
            assert_eq!(browser.post(&world, &url, &form).status, 302, "{other}");
        }
    }
}

#[test]
fn a_report_of_v4_s_client_becomes_one_log_line_of_limited_length() {
    let (world, mut browser) = (v4(), Browser::new());
    let url = format!("{APP}/auth/_log");
    let tail = "x".repeat(5000);
    let message = format!("failed\nINFO forged line\u{202e}{tail}");
    let form =
        [("level", "error"), ("code", "CLIENT_FETCH_ERROR"), ("message", &message), ("stack", "at secret()")];
    let answer = browser.post(&world, &url, &form);
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.headers.iter().count(), 0);
    let log = world.log_text();
    assert!(log.contains("CLIENT_FETCH_ERROR") && log.contains("failed?INFO forged line?xxx"), "{log}");
    assert!(log.len() < 600 && log.lines().count() == 1 && !log.contains("secret"), "{log}");

    assert_eq!(browser.send(&world, "POST", &url, &[], &vec![b'a'; 100_000]).status, 200);
    assert_eq!(browser.send(&world, "POST", &url, &[("content-type", "application/json")], b"{").status, 200);
    assert_eq!(browser.open(&world, &url).status, 400);
    assert_eq!(browser.post(&TestEnv::new(), &url, &form).status, 400, "v5 has no such route");
}

#[test]
fn the_sign_in_address_of_v4_s_client_redirects_to_the_base_path() {
    let world = v4();
    let alias = format!("{APP}/api/auth/signin?error=SessionRequired&callbackUrl=https%3A%2F%2Fx");
    let answer = Browser::new().open(&world, &alias);
    assert_eq!(
        (answer.status, answer.location()),
        (302, &*format!("{APP}/auth/signin?error=SessionRequired&callbackUrl=https%3A%2F%2Fx"))
    );
    let answer = Browser::new().open(&world, &format!("{APP}/api/auth/signin"));
    assert_eq!(answer.location(), format!("{APP}/auth/signin"));

    let other = Browser::new().open(&world, &format!("{APP}/api/auth/session"));
    assert!(other.location().starts_with(&format!("{APP}/auth/signin?callbackUrl=")), "the rules say");
    let v5 = Browser::new().open(&TestEnv::new(), &alias);
    assert!(v5.location().starts_with(&format!("{APP}/auth/signin?callbackUrl=")), "v5 has no such address");

    let mut at_default = v4_settings();
    at_default["base_path"] = json!("/api/auth");
    let answer = Browser::new().open(&TestEnv::with(at_default), &alias);
    assert_eq!(answer.status, 200, "there it is the sign-in page");
}

#[test]
fn v4_s_error_page_ignores_the_case_of_codes() {
    let (world, mut browser) = (v4(), Browser::new());
    for (code, status) in
        [("accessdenied", 403), ("CONFIGURATION", 500), ("Verification", 403), ("other", 200)]
    {
        let answer = browser.open(&world, &format!("{APP}/auth/error?error={code}"));
        assert_eq!(answer.status, status, "{code}");
    }
    let answer = browser.open(&TestEnv::new(), &format!("{APP}/auth/error?error=accessdenied"));
    assert_eq!(answer.status, 200, "v5's does");
}

#[test]
fn v4_s_client_learns_from_the_status_only_whether_credentials_were_accepted() {
    for mut settings in [settings(), v4_settings()] {
        settings["providers"] = json!([settings["providers"][0].clone(), json_api()["providers"][0].clone()]);
        let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
        world.provider.goes_down("discovery");
        let csrf = browser.csrf(&world);
        let form = [("csrfToken", csrf.as_str()), ("json", "true")];
        let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), &form);
        assert!(answer.status == 200 && answer.body.contains("/auth/error?error="), "{answer:?}");
        let form = [form[0], form[1], ("email", "nobody@example.com"), ("password", "wrong")];
        let answer = browser.post(&world, &format!("{APP}/auth/callback/credentials"), &form);
        assert_eq!(answer.status, 401, "{answer:?}");
    }
}

#[test]
fn a_sign_in_with_credentials_that_fails_has_the_same_code_in_both_dialects() {
    for mut settings in [settings(), v4_settings()] {
        settings["providers"] = json_api()["providers"].clone();
        let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
        world.api.answers("/sign-in", 503, &[("content-type", "text/html")], "busy");
        let csrf = browser.csrf(&world);
        let form = [("csrfToken", csrf.as_str()), ("email", "ada@example.com"), ("password", "x")];
        let answer = browser.post(&world, &format!("{APP}/auth/callback/credentials"), &form);
        assert_eq!(answer.location(), format!("{APP}/auth/error?error=Configuration"));
    }
}
