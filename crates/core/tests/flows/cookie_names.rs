//! `cookies.prefix` and `cookies.host_prefix`: how cookies are named, and whose the others are.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vestibule_testing::{APP, Browser, TestEnv, settings};

/// Settings with `[vars.AUTH.cookies]`.
fn with_cookies(cookies: &Value) -> Value {
    let mut settings = settings();
    settings["cookies"] = cookies.clone();
    settings
}

/// All cookies that a sign-in and a sign-out set.
fn names_of(world: &TestEnv, browser: &mut Browser) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    browser.begin(world, "/");
    names.extend(browser.cookie_names().into_iter().map(str::to_owned));
    browser.sign_in(world, "alice", "/");
    names.extend(browser.cookie_names().into_iter().map(str::to_owned));
    names
}

#[test]
fn every_cookie_has_the_configured_prefix_in_both_dialects() {
    for dialect in ["authjs-v5", "next-auth-v4"] {
        let mut settings = with_cookies(&json!({ "prefix": "acme" }));
        settings["dialect"] = json!(dialect);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let names = names_of(&world, &mut browser);
        assert!(names.contains("__Secure-acme.session-token"), "{names:?}");
        for name in &names {
            let bare = name.strip_prefix("__Secure-").or(name.strip_prefix("__Host-"));
            assert!(bare.is_some_and(|bare| bare.starts_with("acme.")), "{dialect}: {name}");
        }
        assert_eq!(browser.session(&world)["user"]["name"], "alice");
    }
}

#[test]
fn with_a_prefix_the_cookies_of_an_auth_js_behind_the_worker_are_not_touched() {
    let app_cookies = [
        "authjs.session-token",
        "__Secure-authjs.session-token",
        "__Secure-authjs.session-token.0",
        "__Secure-next-auth.session-token",
        "__Host-authjs.csrf-token",
        "__Secure-authjs.callback-url",
        "__Secure-authjs.pkce.code_verifier",
        "other.session-token",
    ];
    for forward_session in [false, true] {
        let mut settings = with_cookies(&json!({ "prefix": "acme" }));
        settings["upstreams"][0]["forward_session"] = json!(forward_session);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        for name in app_cookies {
            browser.plant(name, "theirs");
        }
        // Neither read, nor removed by the answer that there is no session.
        assert_eq!(browser.session(&world), Value::Null);
        browser.sign_in(&world, "alice", "/");
        let own = browser.cookie("__Secure-acme.session-token").unwrap().to_owned();

        let forwarded = browser.fetch(&world, &format!("{APP}/dashboard")).forwarded.unwrap();
        let cookies = forwarded.request.headers.get("cookie").unwrap();
        for name in app_cookies {
            assert!(cookies.contains(&format!("{name}=theirs")), "{name}: {cookies}");
        }
        let is_there = cookies.contains(&format!("__Secure-acme.session-token={own}"));
        assert_eq!((is_there, cookies.contains("acme.csrf-token")), (forward_session, false));

        let csrf = browser.csrf(&world);
        let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
        for cookie in answer.headers.get_all("set-cookie") {
            assert!(cookie.contains("acme."), "{cookie}");
        }
        assert_eq!(browser.session(&world), Value::Null);
        assert!(app_cookies.iter().all(|name| browser.cookie(name) == Some("theirs")));
    }
}

#[test]
fn projects_with_different_prefixes_have_a_session_each_in_one_browser() {
    let named = |prefix: Value| TestEnv::with(with_cookies(&json!({ "prefix": prefix })));
    let (one, two, plain) = (named(json!("one")), named(json!("two")), TestEnv::new());
    let mut browser = Browser::new();
    browser.sign_in(&one, "alice", "/");
    browser.sign_in(&two, "bob", "/");
    assert_eq!(browser.session(&plain), Value::Null);
    browser.sign_in(&plain, "carol", "/");
    for (world, user) in [(&one, "alice"), (&two, "bob"), (&plain, "carol")] {
        assert_eq!(browser.session(world)["user"]["name"], user);
    }
    let csrf = browser.csrf(&two);
    browser.post(&two, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    assert_eq!(browser.session(&two), Value::Null);
    assert_eq!(browser.session(&one)["user"]["name"], "alice");
    assert_eq!(browser.session(&plain)["user"]["name"], "carol");
}

#[test]
fn session_confusion_a_session_moved_to_the_cookie_of_another_prefix_does_not_open() {
    let named = |prefix: &str| TestEnv::with(with_cookies(&json!({ "prefix": prefix })));
    let (one, two, plain) = (named("one"), named("two"), TestEnv::new());
    let mut browser = Browser::new();
    browser.sign_in(&one, "alice", "/");
    let session = browser.cookie("__Secure-one.session-token").unwrap().to_owned();
    for (world, name) in [
        (&two, "__Secure-two.session-token"),
        (&plain, "__Secure-authjs.session-token"),
        (&plain, "__Secure-next-auth.session-token"),
        (&one, "one.session-token"),
        (&one, "__Host-one.session-token"),
    ] {
        let mut thief = Browser::new();
        thief.plant(name, &session);
        assert_eq!(thief.session(world), Value::Null, "{name}");
    }
}

#[test]
fn a_prefix_keeps_the_session_of_next_auth_4_readable_after_the_dialect_was_changed_to_it() {
    let of = |dialect: &str| {
        let mut settings = with_cookies(&json!({ "prefix": "acme" }));
        settings["dialect"] = json!(dialect);
        TestEnv::with(settings)
    };
    let (v5, v4) = (of("authjs-v5"), of("next-auth-v4"));
    let mut browser = Browser::new();
    browser.sign_in(&v5, "alice", "/");
    assert_eq!(browser.session(&v4)["user"]["name"], "alice");
    // The session was renewed in the other dialect, whose key is that of every next-auth 4 with this secret.
    assert_eq!(browser.session(&v4)["user"]["name"], "alice");
    assert_eq!(browser.session(&v5), Value::Null);
}

#[test]
fn shadowing_cookies_with_host_prefix_no_other_host_can_set_a_session() {
    for prefix in [json!(null), json!("acme")] {
        let mut cookies = json!({ "host_prefix": true });
        if prefix.is_string() {
            cookies["prefix"] = prefix.clone();
        }
        let (world, mut browser) = (TestEnv::with(with_cookies(&cookies)), Browser::new());
        let base = prefix.as_str().unwrap_or("authjs");
        // A session of the time before, and what another host of the domain can set.
        let former = format!("__Secure-{base}.session-token");
        let mut before = cookies.clone();
        before["host_prefix"] = json!(false);
        let mut thief = Browser::new();
        thief.sign_in(&TestEnv::with(with_cookies(&before)), "mallory", "/");
        let planted = thief.cookie(&former).unwrap();
        browser.plant(&former, planted);
        assert_eq!(browser.session(&world), Value::Null);
        assert_eq!(browser.cookie(&former), None, "removed");

        browser.plant(&former, planted);
        let answer = browser.sign_in(&world, "alice", "/");
        let name = format!("__Host-{base}.session-token");
        let set: Vec<&str> = answer.headers.get_all("set-cookie").filter(|c| c.starts_with(&name)).collect();
        assert_eq!(set.len(), 1);
        assert!(set[0].contains("; Path=/; ") && set[0].contains("; Secure") && !set[0].contains("Domain"));
        browser.plant(&former, planted);
        assert_eq!(browser.session(&world)["user"]["name"], "alice");
        let forwarded = browser.fetch(&world, &format!("{APP}/dashboard")).forwarded.unwrap();
        assert_eq!(forwarded.request.headers.get("cookie"), None, "neither is forwarded");
        assert!(browser.cookie_names().iter().all(|name| name.starts_with("__Host-") || *name == former));

        let csrf = browser.csrf(&world);
        browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
        assert_eq!((browser.cookie(&name), browser.cookie(&former)), (None, None));
    }
}

#[test]
fn on_http_names_have_no_host_prefix_because_browsers_refuse_it_there() {
    let world = TestEnv::with(with_cookies(&json!({ "host_prefix": true })));
    let answer = world.send("GET", "http://localhost:8787/auth/csrf", &[], b"");
    for cookie in answer.headers.get_all("set-cookie") {
        assert!(cookie.starts_with("authjs.") && !cookie.contains("Secure"), "{cookie}");
    }
}
