//! `flow/signin/credentials`: a sign-in with your own API, in its usual forms, and every answer that it may give.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::http::client::FetchError;
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::log::{Level, LogEvent};
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_testing::credentials_api::{EMAIL, PASSWORD, jwt};
use vestibule_testing::{APP, Answer, Browser, SECRET, TestEnv};

const SESSION: &str = "__Secure-authjs.session-token";
const CALLBACK: &str = "https://app.example.com/auth/callback/credentials";
const ERROR: &str = "https://app.example.com/auth/error?error=Configuration";
const NO_CSRF: &str = "https://app.example.com/auth/signin?error=MissingCSRF";

fn refused(code: &str) -> String {
    format!("https://app.example.com/auth/signin?error=CredentialsSignin&code={code}")
}

/// A login and a profile request with JSON; the login answers with two tokens.
pub fn json_api() -> Value {
    json!({
        "providers": [{
            "id": "credentials",
            "type": "credentials",
            "fields": [
                { "name": "email", "label": "Email", "type": "email" },
                { "name": "password", "label": "Password", "type": "password" },
                { "name": "code", "label": "One-time code", "autocomplete": "one-time-code", "required": false },
            ],
            "login": {
                "url": "https://api.example/sign-in",
                "body": { "email": "{email}", "password": "{password}", "otp": "{code}",
                          "device": { "kind": "web", "tags": ["{ email }", 1, true, null] } },
                "access_token": "body.accessToken",
                "refresh_token": "body.refreshToken",
                "expires_in": "body.expiresIn",
                "error": "body.error",
            },
            "profile": { "url": "https://api.example/me" },
            "user": { "id": "profile.id", "name": "{profile.firstName} {profile.lastName}",
                      "email": "profile.email", "image": "profile.avatar" },
            "refresh": { "url": "https://api.example/refresh", "body": { "refreshToken": "{refresh_token}" } },
        }],
        "claims": { "profile": "profile", "roles": "profile.roles", "city": "profile.address.city",
                    "plan": "login.plan" },
        "session": { "expose": { "access_token": "access_token", "user.roles": "roles" } },
        "upstreams": [{ "to": "https://upstream.example", "authorization": "access_token" }],
    })
}

/// GraphQL: the login answers with one JWT, and errors have the status 200.
pub fn token_api() -> Value {
    json!({
        "providers": [{
            "id": "credentials",
            "type": "credentials",
            "fields": [{ "name": "email", "type": "email" }, { "name": "password", "type": "password" }],
            "login": {
                "url": "https://api.example/v2/login",
                "headers": { "X-Client": "web {email}" },
                "body": {
                    "query": "mutation($input:Login!){login(input:$input){token refreshToken}} {viewer}",
                    "variables": { "input": { "name": "{email}", "password": "{password}" } },
                },
                "access_token": "body.data.token",
                "refresh_token": "body.data.refreshToken",
                "refresh_expires_at": "body.data.refreshTokenExpires",
                "error": "body.errors.0.code",
                "refused_errors": ["E_LOGIN.1", "E_REUSED"],
            },
            "user": { "id": "access_token.user.uuid", "name": "access_token.user.displayName" },
        }],
        "claims": { "groups": "access_token.user.groups" },
    })
}

/// The tokens are in cookies.
pub fn cookie_api() -> Value {
    json!({
        "providers": [{
            "id": "credentials",
            "type": "credentials",
            "name": "Our API",
            "fields": [{ "name": "email", "type": "email" }, { "name": "password", "type": "password" }],
            "login": {
                "url": "https://api.example/auth/login",
                "access_token": "cookie.access_token",
                "refresh_token": "cookie.refresh_token",
                "error": "body.code",
            },
            "profile": { "url": "https://api.example/users/me" },
            "user": { "id": "profile.data.id", "name": "profile.data.name" },
            "refresh": {
                "url": "https://api.example/auth/refresh",
                "cookies": { "refresh_token": "{refresh_token}", "device": "{cookie.device}" },
            },
        }],
    })
}

pub fn sign_in(world: &TestEnv, browser: &mut Browser, fields: &[(&str, &str)]) -> Answer {
    let csrf = browser.csrf(world);
    let mut all = vec![("csrfToken", csrf.as_str()), ("callbackUrl", "/dashboard")];
    all.extend_from_slice(fields);
    browser.post(world, CALLBACK, &all)
}

pub fn sign_in_as_ada(world: &TestEnv, browser: &mut Browser) -> Answer {
    sign_in(world, browser, &[("email", EMAIL), ("password", PASSWORD)])
}

/// The claims that are sealed in the session.
pub fn sealed(world: &TestEnv, browser: &Browser) -> Value {
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let token = browser.cookie(SESSION).expect("a session");
    Value::Object(seal::open(&keys, Dialect::AuthJsV5, SESSION, token, world.now()).unwrap())
}

#[test]
fn an_api_that_answers_with_tokens_signs_in() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    let answer = sign_in_as_ada(&world, &mut browser);
    assert_eq!((answer.status, answer.location()), (302, "https://app.example.com/dashboard"));
    assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));

    let requests = world.api.requests("/sign-in");
    let [login] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(login.method, "POST");
    assert_eq!(login.headers.get("accept"), Some("application/json"));
    assert!(login.headers.get("user-agent").is_some_and(|agent| agent.starts_with("Vestibule/")));
    assert!(!login.headers.contains("authorization") && !login.headers.contains("cookie"));
    assert_eq!(
        login.json(),
        json!({ "email": EMAIL, "password": PASSWORD,
                "device": { "kind": "web", "tags": ["{ email }", 1, true, null] } })
    );

    let session = sealed(&world, &browser);
    assert_eq!(session["sub"], "17");
    assert_eq!(session["name"], "Ada Lovelace");
    assert_eq!(session["email"], EMAIL);
    assert_eq!(session["picture"], json!(null));
    assert_eq!(session["provider"], "credentials");
    assert_eq!(session["access_token"], "access-ada");
    assert_eq!(session["refresh_token"], "refresh-ada");
    assert_eq!(session["expires_at"], world.now().seconds() + 3600);
    assert_eq!(session["roles"], json!(["admin", "user"]));
    assert_eq!((&session["city"], &session["plan"]), (&json!("London"), &json!("pro")));
    assert_eq!(session["profile"]["address"], json!({ "city": "London" }));
    assert_eq!(
        browser.session(&world),
        json!({
            "user": { "name": "Ada Lovelace", "email": EMAIL, "roles": ["admin", "user"] },
            "access_token": "access-ada",
            "expires": "2026-12-21T19:40:00.000Z",
        })
    );
    let forwarded = browser.open(&world, &format!("{APP}/x")).forwarded.expect("forwarded");
    assert_eq!(forwarded.request.headers.get("authorization"), Some("Bearer access-ada"));
}

#[test]
fn an_api_that_answers_with_one_jwt_signs_in() {
    let (world, mut browser) = (TestEnv::with(token_api()), Browser::new());
    assert_eq!(sign_in_as_ada(&world, &mut browser).location(), "https://app.example.com/dashboard");
    let requests = world.api.requests("/v2/login");
    assert_eq!(requests[0].headers.get("x-client"), Some("web ada@example.com"));
    let query = "mutation($input:Login!){login(input:$input){token refreshToken}} {viewer}";
    assert_eq!(requests[0].json()["query"], query);
    assert_eq!(requests[0].json()["variables"], json!({ "input": { "name": EMAIL, "password": PASSWORD } }));

    let session = sealed(&world, &browser);
    assert_eq!((&session["sub"], &session["name"]), (&json!("u-1"), &json!("Ada")));
    assert_eq!(session["groups"], json!(["a"]));
    assert_eq!(session["expires_at"], world.now().seconds() + 900);
    assert_eq!(session["refresh_expires_at"], world.now().seconds() + 86_400);
    assert_eq!(world.api.count(), 1, "no profile was fetched");
}

#[test]
fn an_api_that_sets_cookies_signs_in_and_gets_them_back() {
    let (world, mut browser) = (TestEnv::with(cookie_api()), Browser::new());
    let answer = sign_in_as_ada(&world, &mut browser);
    assert_eq!(answer.location(), "https://app.example.com/dashboard");
    let login = &world.api.requests("/auth/login")[0];
    assert_eq!(
        login.json(),
        json!({ "email": EMAIL, "password": PASSWORD }),
        "the body where none is written"
    );
    let profile = &world.api.requests("/users/me")[0];
    assert_eq!(profile.headers.get("cookie"), Some("access_token=access-c-1"), "by path and age");
    assert_eq!(profile.headers.get("authorization"), Some("Bearer access-c-1"));

    let session = sealed(&world, &browser);
    assert_eq!(session["sub"], "c-1");
    // The profile's response rotated both cookies.
    assert_eq!(session["access_token"], "access-c-2");
    assert_eq!(session["refresh_token"], "refresh-c-2");
    assert_eq!(session["expires_at"], world.now().seconds() + 900);
    assert_eq!(session["refresh_expires_at"], 1_797_881_690);
    assert_eq!(session["api_cookies"], json!({ "device": "d%3A1" }), "what a refresh will send, and no more");
    let of_the_api = answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("access-c"));
    assert!(!of_the_api, "the API's cookies are not the browser's");
}

#[test]
fn a_form_encoded_login_request_is_sent_as_a_form() {
    let mut settings = json_api();
    settings["providers"][0]["login"] = json!({
        "url": "https://api.example/form",
        "content_type": "form",
        "body": { "grant_type": "password", "username": "{email}", "password": "{password}", "code": "{code}" },
        "access_token": "body.accessToken",
        "expires_in": "body.expiresIn",
    });
    settings["providers"][0].as_object_mut().unwrap().remove("refresh");
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    sign_in_as_ada(&world, &mut browser);
    assert_eq!(sealed(&world, &browser)["expires_at"], world.now().seconds() + 60);
    assert!(!world.api.requests("/form")[0].body.contains("code"));
}

#[test]
fn only_the_configured_fields_are_sent_to_the_api() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    let fields = [("email", EMAIL), ("password", PASSWORD), ("code", "123456"), ("role", "admin")];
    sign_in(&world, &mut browser, &fields);
    let requests = world.api.requests("/sign-in");
    assert_eq!(requests[0].json()["otp"], "123456");
    for foreign in ["role", "csrfToken", "callbackUrl", "dashboard"] {
        assert!(!requests[0].body.contains(foreign), "{foreign}");
    }
}

#[test]
fn a_script_may_send_the_credentials_as_json() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    let csrf = browser.csrf(&world);
    let body =
        json!({ "csrfToken": csrf, "callbackUrl": "/x", "email": EMAIL, "password": PASSWORD, "code": 7 });
    let headers = [("content-type", "application/json"), ("x-auth-return-redirect", "1")];
    let answer = browser.send(&world, "POST", CALLBACK, &headers, body.to_string().as_bytes());
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"url":"https://app.example.com/x"}"#));
    assert_eq!(world.api.requests("/sign-in")[0].json()["otp"], "7");
    assert_eq!(sealed(&world, &browser)["sub"], "17");

    let wrong = json!({ "csrfToken": csrf, "email": EMAIL, "password": "wrong" });
    let answer = browser.send(&world, "POST", CALLBACK, &headers, wrong.to_string().as_bytes());
    let url = refused("invalid_credentials");
    assert_eq!((answer.status, answer.body), (200, json!({ "url": url }).to_string()));
}

#[test]
fn login_csrf_a_post_without_the_csrf_token_is_rejected_before_the_api_is_called() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    browser.csrf(&world);
    let credentials = [("email", EMAIL), ("password", PASSWORD)];
    let other = "f".repeat(64);
    for token in [vec![], vec![("csrfToken", "")], vec![("csrfToken", other.as_str())]] {
        let fields: Vec<_> = token.into_iter().chain(credentials).collect();
        assert_eq!(browser.post(&world, CALLBACK, &fields).location(), NO_CSRF);
    }
    assert_eq!(world.api.count(), 0);
    assert_eq!(browser.cookie(SESSION), None);
}

#[test]
fn a_missing_required_field_is_rejected_before_the_api_is_called() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    let long = "x".repeat(5000);
    for fields in [
        vec![],
        vec![("email", EMAIL)],
        vec![("email", EMAIL), ("password", "")],
        vec![("Email", EMAIL), ("password", PASSWORD)],
        vec![("email", EMAIL), ("password", long.as_str())],
        vec![("email", EMAIL), ("password", PASSWORD), ("code", long.as_str())],
    ] {
        assert_eq!(
            sign_in(&world, &mut browser, &fields).location(),
            refused("credentials"),
            "{fields:.30?}"
        );
    }
    for twice in ["email", "password", "code", "callbackUrl"] {
        let fields = [("email", EMAIL), ("password", PASSWORD), ("code", "1"), (twice, "again")];
        assert_eq!(sign_in(&world, &mut browser, &fields).status, 400, "{twice}");
    }
    assert_eq!(world.api.count(), 0);
}

#[test]
fn header_smuggling_a_field_value_cannot_add_a_header() {
    let (world, mut browser) = (TestEnv::with(token_api()), Browser::new());
    for email in ["a\r\nX-Admin: 1", "a\nb", "ä", "a\0"] {
        let answer = sign_in(&world, &mut browser, &[("email", email), ("password", PASSWORD)]);
        assert_eq!(answer.location(), refused("credentials"), "{email:?}");
    }
    assert_eq!(world.api.count(), 0);
}

#[test]
fn a_rejection_has_the_apis_own_code_if_that_is_well_formed() {
    let long = "x".repeat(65);
    for (status, error, code) in [
        (401, json!("invalid_credentials"), "invalid_credentials"),
        (400, json!("E-1.2_x"), "E-1.2_x"),
        (403, json!(1001), "1001"),
        (422, json!(null), "credentials"),
        (401, json!("No such user, sorry"), "credentials"),
        (401, json!(long), "credentials"),
        (401, json!("a&error=AccessDenied"), "credentials"),
        (401, json!("ünknown"), "credentials"),
        (401, json!({ "code": "x" }), "credentials"),
        (200, json!("locked"), "locked"),
        (200, json!({ "code": "x" }), "credentials"),
        (200, json!(true), "true"),
        (404, json!("unknown_user"), "unknown_user"),
        (423, json!("locked"), "locked"),
        (429, json!(null), "rate_limited"),
        (429, json!("slow_down"), "slow_down"),
        // The API repeats the rejected value as its code.
        (401, json!("hunter3"), "credentials"),
        (401, json!("HUNTER3"), "credentials"),
    ] {
        let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
        let body = json!({ "error": error, "accessToken": "access-ada" });
        world.api.answers_json("/sign-in", status, &body);
        let answer = sign_in(&world, &mut browser, &[("email", EMAIL), ("password", "hunter3")]);
        assert_eq!(answer.location(), refused(code), "{status} {error}");
        assert_eq!(browser.cookie(SESSION), None);
        assert_eq!(world.logged(LogEvent::AuthError)[0].level(), Level::Info, "{}", world.log_text());
        assert!(!world.log_text().to_ascii_lowercase().contains("hunter3"));
    }
}

#[test]
fn an_empty_error_counts_as_success() {
    for error in [json!(null), json!(false), json!(0), json!(""), json!([]), json!({})] {
        let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
        let body = json!({ "error": error, "accessToken": "access-ada" });
        world.api.answers_json("/sign-in", 200, &body);
        sign_in_as_ada(&world, &mut browser);
        assert_eq!(sealed(&world, &browser)["sub"], "17", "{error}");
    }
}

#[test]
fn a_rejection_need_not_be_json() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    for (status, code) in [(401, "credentials"), (429, "rate_limited")] {
        world.api.answers("/sign-in", status, &[("content-type", "text/html")], "<h1>No</h1>");
        assert_eq!(sign_in_as_ada(&world, &mut browser).location(), refused(code));
    }
}

#[test]
fn errors_with_status_200_and_rejections_with_422_are_wrong_credentials() {
    for (settings, code) in [(token_api(), "E_LOGIN.1"), (cookie_api(), "locked")] {
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let answer = sign_in(&world, &mut browser, &[("email", EMAIL), ("password", "hunter3")]);
        assert_eq!(answer.location(), refused(code));
        assert!(!world.log_text().contains("hunter3"), "{}", world.log_text());
    }
}

#[test]
fn a_rejected_login_keeps_the_existing_session() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    sign_in_as_ada(&world, &mut browser);
    let before = browser.cookie(SESSION).unwrap().to_owned();
    sign_in(&world, &mut browser, &[("email", EMAIL), ("password", "wrong")]);
    assert_eq!(browser.cookie(SESSION), Some(before.as_str()));
}

#[test]
fn session_fixation_every_login_makes_a_new_session_id() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    sign_in_as_ada(&world, &mut browser);
    let first = sealed(&world, &browser);
    sign_in_as_ada(&world, &mut browser);
    assert_ne!(sealed(&world, &browser)["sid"], first["sid"]);
}

#[test]
fn a_failing_api_is_not_reported_as_a_wrong_password() {
    type Fault = fn(&TestEnv);
    const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
    const HTML: [(&str, &str); 1] = [("content-type", "text/html")];
    let faults: [(&str, Fault, &str); 17] = [
        (
            "login down",
            |w| w.api.fails("/sign-in", FetchError::Connection("refused".into())),
            "login gave no answer",
        ),
        (
            "login slow",
            |w| w.api.fails("/sign-in", FetchError::Timeout(Duration::from_secs(10))),
            "no response within",
        ),
        ("login 500", |w| w.api.answers_json("/sign-in", 500, &json!({ "error": "x" })), "status 500"),
        (
            "login 503",
            |w| w.api.answers("/sign-in", 503, &HTML, "busy"),
            "login: the provider is unavailable",
        ),
        (
            "login 404",
            |w| w.api.answers("/sign-in", 404, &HTML, "none"),
            "login: the provider answered with status 404",
        ),
        ("login 405", |w| w.api.answers_json("/sign-in", 405, &json!({})), "status 405"),
        (
            "login 302",
            |w| w.api.answers("/sign-in", 302, &[("location", "/")], ""),
            "redirects are not followed",
        ),
        (
            "login html",
            |w| w.api.answers("/sign-in", 200, &HTML, "hunter2-token"),
            r#"content type \"text/html\""#,
        ),
        ("login garbage", |w| w.api.answers("/sign-in", 200, &JSON, "{hunter2-token"), "is not valid JSON"),
        ("login empty", |w| w.api.answers("/sign-in", 204, &[], ""), "without a content type"),
        (
            "no token",
            |w| w.api.answers_json("/sign-in", 200, &json!({ "accesToken": "hunter2-token" })),
            "no access token at body.accessToken",
        ),
        (
            "token is no text",
            |w| w.api.answers_json("/sign-in", 200, &json!({ "accessToken": 7 })),
            "no access token",
        ),
        (
            "unfit token",
            |w| w.api.answers_json("/sign-in", 200, &json!({ "accessToken": "hunter2-token\r\nX: y" })),
            "body.accessToken is not a token",
        ),
        ("profile down", |w| w.api.fails("/me", FetchError::TooLarge(7)), "profile gave no answer"),
        (
            "profile 401",
            |w| w.api.answers_json("/me", 401, &json!({})),
            "profile: the provider answered with status 401",
        ),
        (
            "profile html",
            |w| w.api.answers("/me", 200, &HTML, "hunter2-token"),
            "profile: the provider answered with content type",
        ),
        (
            "no id",
            |w| w.api.answers_json("/me", 200, &json!({ "id": {}, "email": "hunter2-token" })),
            "user.id",
        ),
    ];
    for (name, fault, log) in faults {
        let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
        fault(&world);
        assert_eq!(sign_in_as_ada(&world, &mut browser).location(), ERROR, "{name}");
        assert_eq!(browser.cookie(SESSION), None, "{name}");
        let logged = world.log_text();
        assert!(logged.contains(log) && logged.contains("credentials"), "{name}: {logged}");
        assert_eq!(world.logged(LogEvent::AuthError)[0].level(), Level::Warn, "{name}: {logged}");
        assert!(!logged.contains("hunter2"), "{name}: {logged}");
    }
}

#[test]
fn a_profile_too_large_for_cookies_is_an_error_and_is_not_truncated() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    world.api.answers_json("/me", 200, &json!({ "id": 1, "bio": "b".repeat(60_000) }));
    assert_eq!(sign_in_as_ada(&world, &mut browser).location(), ERROR);
    assert!(world.log_text().contains("keep fewer or smaller claims in the session"), "{}", world.log_text());

    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    world.api.answers_json("/me", 200, &json!({ "id": 1, "bio": "b".repeat(270_000) }));
    assert_eq!(sign_in_as_ada(&world, &mut browser).location(), ERROR);
    assert!(world.log_text().contains("larger than 262144 bytes"), "{}", world.log_text());
}

#[test]
fn a_tokens_expiry_is_read_in_every_form_that_apis_use() {
    let now = TestEnv::new().now().seconds();
    let (later, own) = (now + 100, jwt(&json!({ "exp": now + 50 })));
    let rfc = vestibule_core::time::Timestamp::from_seconds(later).to_rfc3339();
    for (key, value, token, expires) in [
        ("expires_in", json!(100), "opaque", Some(later)),
        ("expires_in", json!("100"), "opaque", Some(later)),
        ("expires_in", json!(100.9), "opaque", Some(later)),
        ("expires_in", json!(-5), "opaque", Some(now)),
        ("expires_in", json!(u64::MAX), "opaque", None),
        ("expires_in", json!("soon"), own.as_str(), Some(now + 50)),
        ("expires_in", json!(true), own.as_str(), Some(now + 50)),
        ("expires_in", json!(null), own.as_str(), Some(now + 50)),
        ("expires_in", json!(100), own.as_str(), Some(later)),
        ("expires_at", json!(later), "opaque", Some(later)),
        ("expires_at", json!(later * 1000), "opaque", Some(later)),
        ("expires_at", json!((later * 1000).to_string()), "opaque", Some(later)),
        ("expires_at", json!(rfc), "opaque", Some(later)),
        ("expires_at", json!("tomorrow"), "opaque", None),
        ("other", json!(7), "opaque", None),
        ("other", json!(7), own.as_str(), Some(now + 50)),
        ("other", json!(7), "a.b.c", None),
    ] {
        let mut settings = json_api();
        let login = settings["providers"][0]["login"].as_object_mut().unwrap();
        login.remove("expires_in");
        if key != "other" {
            login.insert(key.to_owned(), json!("body.end"));
        }
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        world.api.answers_json("/sign-in", 200, &json!({ "accessToken": token, "end": value }));
        world.api.answers_json("/me", 200, &json!({ "id": 1 }));
        sign_in_as_ada(&world, &mut browser);
        let found = sealed(&world, &browser).get("expires_at").cloned();
        assert_eq!(found, expires.map(|at| json!(at)), "{key} {value} {token}");
    }
}

#[test]
fn a_token_may_come_in_a_header_field() {
    let mut settings = json_api();
    settings["providers"][0]["login"]["access_token"] = json!("header.Authorization");
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.api.answers("/sign-in", 200, &[("authorization", "Bearer access-ada")], "");
    sign_in_as_ada(&world, &mut browser);
    assert_eq!(sealed(&world, &browser)["access_token"], "access-ada");
}

#[test]
fn a_missing_refresh_token_is_logged_and_the_sign_in_succeeds() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    world.api.answers_json("/sign-in", 200, &json!({ "accessToken": "access-ada" }));
    sign_in_as_ada(&world, &mut browser);
    assert_eq!(sealed(&world, &browser).get("refresh_token"), None);
    assert_eq!(world.log_text().matches("no refresh token at body.refreshToken").count(), 1);
}

#[test]
fn the_profile_request_may_have_a_query() {
    let mut settings = json_api();
    settings["providers"][0]["profile"] = json!({
        "url": "https://api.example/me",
        "method": "POST",
        "headers": { "Authorization": "Token {access_token}", "X-Plan": "{login.plan}" },
        "body": { "query": "query { me { id } }", "variables": { "plan": "{login.plan}", "n": "{login.expiresIn}" } },
    });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.api.answers_json("/me", 200, &json!({ "id": 1 }));
    sign_in_as_ada(&world, &mut browser);
    let requests = &world.api.requests("/me")[0];
    assert_eq!(requests.headers.get_all("authorization").collect::<Vec<_>>(), ["Token access-ada"]);
    assert_eq!(requests.headers.get("x-plan"), Some("pro"));
    let body = json!({ "query": "query { me { id } }", "variables": { "plan": "pro", "n": 3600 } });
    assert_eq!(requests.json(), body);
}

#[test]
fn the_api_gets_the_clients_address_as_cloudflare_reports_it() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    let csrf = browser.csrf(&world);
    let fields = [("csrfToken", csrf.as_str()), ("email", EMAIL), ("password", PASSWORD)];
    for (sent, expected) in
        [("203.0.113.9", Some("203.0.113.9")), ("2001:db8::1", Some("2001:db8::1")), ("x, y", None)]
    {
        let headers = [("cf-connecting-ip", sent), ("x-forwarded-for", "6.6.6.6")];
        browser.post_with(&world, CALLBACK, &fields, &headers);
        for path in ["/sign-in", "/me"] {
            assert_eq!(
                world.api.requests(path).last().unwrap().headers.get("x-forwarded-for"),
                expected,
                "{sent}"
            );
        }
    }
}

#[test]
fn no_password_appears_in_a_log_a_session_or_an_answer() {
    for settings in [json_api(), token_api(), cookie_api()] {
        for password in [PASSWORD, "hunter2-wrong"] {
            let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
            let answer = sign_in(&world, &mut browser, &[("email", EMAIL), ("password", password)]);
            assert!(!format!("{answer:?}").contains("hunter2"), "{answer:?}");
            assert!(!world.log_text().contains("hunter2"), "{}", world.log_text());
            if browser.cookie(SESSION).is_some() {
                assert!(!sealed(&world, &browser).to_string().contains("hunter2"));
                for token in ["access-ada", "refresh-ada", "access-c", "refresh-c", "refresh-v2"] {
                    assert!(!world.log_text().contains(token), "{}", world.log_text());
                }
            }
        }
    }
}

#[test]
fn only_a_post_to_its_own_callback_reaches_the_api() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    let csrf = browser.csrf(&world);
    let get = browser.fetch(&world, &format!("{CALLBACK}?csrfToken={csrf}&email=a&password=b"));
    assert_eq!((get.status, get.location()), (302, ERROR));
    let fields = [("csrfToken", csrf.as_str()), ("email", EMAIL), ("password", PASSWORD)];
    let sign_in = browser.post(&world, &format!("{APP}/auth/signin/credentials"), &fields);
    assert_eq!((sign_in.status, sign_in.location()), (302, "https://app.example.com/auth/signin"));
    let script = [("sec-fetch-mode", "cors"), ("content-type", "application/x-www-form-urlencoded")];
    let body = format!("csrfToken={csrf}&email=a&password=b");
    let unknown =
        browser.send(&world, "POST", &format!("{APP}/auth/callback/nobody"), &script, body.as_bytes());
    assert_eq!((unknown.status, unknown.location()), (302, ERROR));
    // Parameters of the query are not fields.
    let in_query = format!("{CALLBACK}?email={EMAIL}&password=b");
    let answer = browser.post(&world, &in_query, &[("csrfToken", &csrf)]);
    assert_eq!(answer.location(), refused("credentials"));
    assert_eq!(world.api.count(), 0);
}

#[test]
fn a_rejection_redirects_to_the_sites_own_page_with_its_code() {
    let mut settings = json_api();
    settings["pages"] = json!({ "sign_in": "/login" });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    let answer = sign_in(&world, &mut browser, &[("email", EMAIL), ("password", "wrong")]);
    let page = "https://app.example.com/login?error=CredentialsSignin&code=invalid_credentials";
    assert_eq!(answer.location(), page);
}

#[test]
fn the_provider_is_listed_and_its_form_is_shown() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    let listed: Value =
        serde_json::from_str(&browser.fetch(&world, &format!("{APP}/auth/providers")).body).unwrap();
    assert_eq!(
        listed,
        json!({ "credentials": {
            "id": "credentials", "name": "Credentials", "type": "credentials",
            "signinUrl": "https://app.example.com/auth/signin/credentials",
            "callbackUrl": CALLBACK,
        } })
    );
    let page = browser.open(&world, &format!("{APP}/auth/signin")).body;
    for part in [
        r#"action="https://app.example.com/auth/callback/credentials""#,
        r#"name="csrfToken""#,
        r#"name="callbackUrl""#,
        r#"name="email" type="email""#,
        r#"autocomplete="username""#,
        r#"name="password" type="password""#,
        r#"autocomplete="current-password""#,
        r#"autocomplete="one-time-code""#,
        ">One-time code<",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(page.matches(" required").count(), 2, "the code is optional");
}

#[test]
fn allow_can_deny_a_user_whom_the_api_accepts() {
    let mut settings = json_api();
    settings["providers"][0]["allow"] = json!({ "profile.roles": ["owner"] });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    let denied = "https://app.example.com/auth/error?error=AccessDenied";
    assert_eq!(sign_in_as_ada(&world, &mut browser).location(), denied);
    assert_eq!(browser.cookie(SESSION), None);
}

#[test]
fn users_without_a_part_of_the_identifier_cannot_sign_in() {
    let mut settings = json_api();
    settings["providers"][0]["user"]["id"] = json!("{profile.realm}-{profile.id}");
    for (profile, subject) in [
        (json!({ "realm": "r", "id": 1 }), Some("r-1")),
        (json!({ "realm": "r" }), None),
        (json!({ "realm": "", "id": 1 }), None),
        (json!({ "realm": null, "id": 1 }), None),
        (json!({}), None),
        (json!([]), None),
    ] {
        let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
        world.api.answers_json("/me", 200, &profile);
        let answer = sign_in_as_ada(&world, &mut browser);
        match subject {
            Some(subject) => {
                let session = sealed(&world, &browser);
                assert_eq!((&session["sub"], &session["name"]), (&json!(subject), &json!(null)), "{profile}");
            }
            None => assert_eq!(answer.location(), ERROR, "{profile}"),
        }
    }
}

#[test]
fn next_auth_4_s_client_recognizes_a_rejection_by_its_status() {
    for (dialect, refused, without_csrf) in [
        ("authjs-v5", refused("invalid_credentials"), NO_CSRF),
        (
            "next-auth-v4",
            "https://app.example.com/auth/error?error=CredentialsSignin&provider=credentials\
             &code=invalid_credentials"
                .to_owned(),
            "https://app.example.com/auth/signin?csrf=true",
        ),
    ] {
        let mut settings = json_api();
        settings["dialect"] = json!(dialect);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let mut sign_in = |password| {
            let fields = [("email", EMAIL), ("password", password), ("json", "true")];
            let answer = sign_in(&world, &mut browser, &fields);
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            (answer.status, body["url"].as_str().unwrap().to_owned(), answer.headers.contains("location"))
        };
        assert_eq!(sign_in("wrong"), (401, refused, false), "{dialect}");
        assert_eq!(
            sign_in(PASSWORD),
            (200, "https://app.example.com/dashboard".to_owned(), false),
            "{dialect}"
        );
        // Without the CSRF token nothing was rejected, and the address leads to the form.
        let fields = [("email", EMAIL), ("password", PASSWORD), ("json", "true")];
        let answer = Browser::new().post(&world, CALLBACK, &fields);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, body["url"].as_str()), (200, Some(without_csrf)), "{dialect}");
    }
}

#[test]
fn next_auth_4_s_client_recognizes_a_user_who_is_not_allowed_by_its_status() {
    for dialect in ["authjs-v5", "next-auth-v4"] {
        let mut settings = json_api();
        settings["dialect"] = json!(dialect);
        settings["providers"][0]["allow"] = json!({ "profile.roles": ["owner"] });
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let csrf = browser.csrf(&world);
        let fields =
            [("csrfToken", csrf.as_str()), ("email", EMAIL), ("password", PASSWORD), ("json", "true")];
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let script = [("sec-fetch-mode", "cors"), ("content-type", "application/x-www-form-urlencoded")];
        let answer = browser.send(&world, "POST", CALLBACK, &script, form.as_bytes());
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let denied = "https://app.example.com/auth/error?error=AccessDenied";
        assert_eq!((answer.status, body["url"].as_str()), (403, Some(denied)), "{dialect}");
    }
}
