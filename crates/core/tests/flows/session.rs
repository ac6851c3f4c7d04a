//! `flow/session/show`: what a page sees of the session, and how long the session lasts.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testing::{APP, Browser, TestEnv, settings};

const SESSION: &str = "__Secure-authjs.session-token";
const DAY: Duration = Duration::from_hours(24);

/// The settings without an access token on the page, so that nothing is refreshed for it.
fn without_token() -> Value {
    let mut settings = settings();
    settings["session"]["expose"] = json!({});
    settings
}

#[test]
fn without_a_cookie_there_is_no_session() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    assert_eq!(browser.session(&world), Value::Null);
}

#[test]
fn the_session_response_is_never_cached() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    for _ in 0..2 {
        let answer = browser.fetch(&world, &format!("{APP}/auth/session"));
        let header = |name| answer.headers.get_all(name).collect::<Vec<_>>();
        assert_eq!(header("cache-control"), ["private, no-cache, no-store"]);
        assert_eq!((header("expires"), header("pragma")), (vec!["0"], vec!["no-cache"]));
        assert_eq!(header("content-type"), ["application/json"]);
        browser.sign_in(&world, "bob", "/");
        // Long enough that the next answer reseals the cookie.
        world.pass(DAY);
    }
}

#[test]
fn the_cookie_is_resealed_only_after_update_age() {
    let (world, mut browser) = (TestEnv::with(without_token()), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let first = browser.cookie(SESSION).unwrap().to_owned();
    world.pass(DAY.checked_sub(Duration::from_secs(1)).unwrap());
    browser.session(&world);
    assert_eq!(browser.cookie(SESSION), Some(first.as_str()));
    world.pass(Duration::from_secs(1));
    browser.session(&world);
    assert_ne!(browser.cookie(SESSION), Some(first.as_str()));
}

#[test]
fn a_daily_visit_keeps_a_session_valid_and_thirty_days_without_one_end_it() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    for _ in 0..60 {
        world.pass(DAY);
        assert_eq!(browser.session(&world)["user"]["name"], "bob");
    }
    world.pass(DAY * 30 + Duration::from_secs(16));
    assert_eq!(browser.session(&world), Value::Null);
    assert_eq!(browser.cookie(SESSION), None, "what does not open is cleared away");
}

#[test]
fn absolute_max_age_ends_a_session_however_often_it_is_resealed() {
    let mut short = settings();
    short["session"]["absolute_max_age"] = json!("3d");
    let (world, mut browser) = (TestEnv::with(short), Browser::new());
    browser.sign_in(&world, "bob", "/");
    for _ in 0..2 {
        world.pass(DAY);
        let session = browser.session(&world);
        assert_eq!(
            (&session["user"]["name"], &session["expires"]),
            (&json!("bob"), &json!("2026-11-24T19:40:00.000Z"))
        );
    }
    world.pass(DAY);
    assert_eq!(browser.session(&world), Value::Null);
}

#[test]
fn expires_is_the_time_at_which_the_browsers_cookie_expires() {
    let mut settings = without_token();
    settings["revocation"] = json!({ "store": "none" });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    world.pass(DAY / 2);
    assert_eq!(browser.session(&world)["expires"], "2026-12-21T19:40:00.000Z", "not renewed yet");
    world.pass(DAY / 2);
    assert_eq!(browser.session(&world)["expires"], "2026-12-22T19:40:00.000Z", "renewed");
}

#[test]
fn chunks_without_the_first_one_are_erased() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.plant(&format!("{SESSION}.1"), "the rest");
    assert_eq!(browser.session(&world), Value::Null);
    assert_eq!(browser.cookie(&format!("{SESSION}.1")), None);
}

#[test]
fn a_large_session_is_split_into_cookies_and_a_small_one_after_it_erases_them() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    world.provider.alters_answer_at("userinfo", |u| u["roles"] = json!(vec!["x".repeat(100); 60]));
    browser.sign_in(&world, "bob", "/");
    assert!(browser.cookie(&format!("{SESSION}.1")).is_some() && browser.cookie(SESSION).is_none());
    assert_eq!(browser.session(&world)["user"]["roles"].as_array().unwrap().len(), 60);

    world.provider.alters_answer_at("userinfo", |u| u["roles"] = json!(["user"]));
    browser.sign_in(&world, "bob", "/");
    let names: Vec<&str> =
        browser.cookie_names().into_iter().filter(|name| name.starts_with(SESSION)).collect();
    assert_eq!(names, [SESSION]);
    assert_eq!(browser.session(&world)["user"]["roles"], json!(["user"]));
}

#[test]
fn session_confusion_no_other_sealed_value_opens_as_a_session() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.begin(&world, "/");
    let transaction =
        browser.cookie_names().iter().find(|name| name.contains("transaction")).unwrap().to_string();
    let sealed = browser.cookie(&transaction).unwrap().to_owned();
    let mut forger = Browser::new();
    forger.plant(SESSION, &sealed);
    assert_eq!(forger.session(&world), Value::Null);
    let answer = forger.open(&world, &format!("{APP}/dashboard"));
    assert!(answer.forwarded.is_none() && answer.status == 302);
}

#[test]
fn crash_by_input_an_invalid_cookie_is_no_session() {
    let world = TestEnv::new();
    for junk in [
        "",
        "%",
        "%zz",
        "a.b.c.d.e",
        "....",
        &"x".repeat(100_000),
        "\u{fffd}",
        "eyJhbGciOiJkaXIifQ....",
        "null",
    ] {
        let mut browser = Browser::new();
        browser.plant(SESSION, junk);
        browser.plant("__Host-authjs.csrf-token", junk);
        browser.plant("__Secure-authjs.callback-url", junk);
        assert_eq!(browser.session(&world), Value::Null, "{}", &junk[..junk.len().min(20)]);
    }
}

#[test]
fn a_session_sealed_with_an_older_secret_stays_valid() {
    let with_old = |new: &'static str, old: Option<&'static str>| {
        TestEnv::in_environment(without_token(), &move |name| match name {
            "AUTH_SECRET_1" => old.map(|_| new.to_owned()),
            "AUTH_SECRET" => Some(old.unwrap_or(new).to_owned()),
            other => vestibule_testing::environment(other),
        })
    };
    let old_secret = "the secret of last year, long enough";
    let mut browser = Browser::new();
    browser.sign_in(&with_old(old_secret, None), "bob", "/");
    let rotated = with_old("the secret of this year, long enough", Some(old_secret));
    assert_eq!(browser.session(&rotated)["user"]["name"], "bob");
    rotated.pass(DAY);
    // This provider knows the refresh token, too.
    rotated.provider.grants.begin("bob");
    browser.session(&rotated);
    let only_new = with_old("the secret of this year, long enough", None);
    assert_eq!(browser.session(&only_new)["user"]["name"], "bob", "renewed with the new secret");
}

#[test]
fn subdomains_of_the_cookie_domain_share_the_session() {
    let mut shared = settings();
    shared["cookies"] = json!({ "domain": "example.com" });
    let (world, mut browser) = (TestEnv::with(shared), Browser::new());
    let answer = browser.sign_in(&world, "bob", "https://shop.example.com/cart");
    assert_eq!(answer.location(), "https://shop.example.com/cart", "a subdomain is a good return address");
    for cookie in answer.headers.get_all("set-cookie") {
        let is_shared = cookie.starts_with(SESSION) || cookie.starts_with("__Secure-authjs.last-user=");
        assert_eq!(cookie.contains("; Domain=example.com"), is_shared, "{cookie}");
    }
    let session = browser.fetch(&world, "https://shop.example.com/auth/session");
    assert!(session.body.contains("bob@example.com"));
}

#[test]
fn an_update_needs_the_csrf_token() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let url = format!("{APP}/auth/session");
    let json = [("content-type", "application/json")];
    let answer = browser.send(&world, "POST", &url, &json, b"{\"data\":{}}");
    assert_eq!((answer.status, answer.body.as_str()), (400, "null"));
    let csrf = browser.csrf(&world);
    let body = json!({ "csrfToken": csrf, "data": { "name": "Mallory", "roles": ["admin"] } }).to_string();
    let answer = browser.send(&world, "POST", &url, &json, body.as_bytes());
    let session: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &session["user"]["name"]), (200, &json!("bob")));
}

#[test]
fn an_update_of_a_session_that_nobody_refreshes_waits_for_nobody() {
    let mut settings = settings();
    settings["session"]["updatable"] = json!(["name"]);
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let body = json!({ "csrfToken": csrf, "data": { "name": "Robert" } }).to_string();
    let begun = world.now();
    let headers = [("content-type", "application/json")];
    let answer = browser.send(&world, "POST", &format!("{APP}/auth/session"), &headers, body.as_bytes());
    assert!(answer.status == 200 && world.now() < begun.plus(Duration::from_secs(1)), "{answer:?}");
    assert_eq!(browser.session(&world)["user"]["name"], "Robert");
}

#[test]
fn an_answer_that_refuses_renews_no_session_and_one_that_passes_does() {
    let mut settings = settings();
    settings["verify"] = json!({ "headers": "x-forwarded" });
    settings["rules"].as_array_mut().unwrap().extend([
        json!({ "match": "/hidden", "require": { "roles": ["admin"] }, "deny": "not-found" }),
        json!({ "match": "/proven", "access": "signed-in", "amr": ["otp"] }),
    ]);
    let verify_secret = "the-secret-of-the-proxy";
    let world = TestEnv::in_environment(settings, &|name| match name {
        "AUTH_VERIFY_SECRET" => Some(verify_secret.to_owned()),
        other => vestibule_testing::environment(other),
    });
    // A refresh would bring a cookie.
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
        answer["expires_in"] = json!(30 * 86_400);
    });
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    world.pass(DAY);
    let writes = |answer: &vestibule_testing::Answer| {
        answer.headers.get_all("set-cookie").any(|cookie| cookie.starts_with(SESSION))
    };
    let asked = |browser: &mut Browser, path: &str| {
        let fields = [
            ("x-vestibule-verify", verify_secret),
            ("x-forwarded-method", "GET"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.example.com"),
            ("x-forwarded-uri", path),
        ];
        browser.send(&world, "GET", &format!("{APP}/auth/verify"), &fields, b"")
    };
    for (path, status) in [("/admin/x", 403), ("/hidden", 404), ("/proven", 401)] {
        let answer = browser.fetch(&world, &format!("{APP}{path}"));
        assert_eq!((answer.status, writes(&answer)), (status, false), "{path}");
        let answer = browser.open(&world, &format!("{APP}{path}"));
        assert!(answer.status >= 302 && !writes(&answer), "{path}: {answer:?}");
        let answer = asked(&mut browser, path);
        assert!(answer.status >= 302 && !writes(&answer), "{path}: {answer:?}");
    }
    let mut copy = browser.clone();
    assert!(writes(&asked(&mut copy, "/dashboard")));
    assert!(writes(&browser.fetch(&world, &format!("{APP}/dashboard"))));
}

#[test]
fn an_answer_that_refuses_brings_the_new_tokens_of_a_refresh() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    world.pass(DAY);
    let answer = browser.fetch(&world, &format!("{APP}/admin/x"));
    assert_eq!(answer.status, 403);
    assert_eq!(world.fetches("https://idp.example/token"), 2);
    assert!(answer.headers.get_all("set-cookie").any(|cookie| cookie.starts_with(SESSION)));
}
