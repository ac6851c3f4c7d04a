//! Cookies in a browser that keeps them for hosts and domains: names of your own, several cookies of
//! one name, and what signing out reaches.

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::test_env::{APP, TestEnv, csrf, echo, email, session, settings_with, sign_in};

const SESSION: &str = "__Secure-authjs.session-token";
const SHOP: &str = "https://shop.example.com";

/// The application behind a Worker with `[vars.AUTH.cookies]`.
fn with_cookies(cookies: &Value) -> TestEnv {
    TestEnv::with(settings_with(&json!({ "cookies": cookies })), |builder| builder.service("APP", echo))
}

/// The values of the cookies of that name that the browser would send.
fn values(browser: &Client, url: &str, name: &str) -> Vec<String> {
    browser.cookies(url).into_iter().filter(|(n, _)| n == name).map(|(_, value)| value).collect()
}

fn sign_out(browser: &Client, app: &str) {
    let csrf = csrf(browser, app);
    let form = [("csrfToken", csrf.as_str()), ("callbackUrl", "/about")];
    browser.post(&format!("{app}/auth/signout")).navigation().form(&form).send().expect_status(302);
}

#[test]
fn shadowing_cookies_of_another_host_hide_no_session() {
    let env = TestEnv::new();
    let browser = env.client();
    // They are older, and one has a longer path: the browser sends both first.
    browser.set_cookie(SHOP, &format!("{SESSION}=planted; Domain=example.com; Path=/; Secure"));
    browser.set_cookie(SHOP, &format!("{SESSION}.0=planted; Domain=example.com; Path=/; Secure"));
    browser.set_cookie(SHOP, &format!("{SESSION}=deep; Domain=example.com; Path=/dashboard; Secure"));
    let page = sign_in(&browser, "alice", "/about");
    assert_eq!((page.status, page.url.as_str()), (200, "https://app.example.com/about"));
    assert_eq!(values(&browser, &format!("{APP}/dashboard"), SESSION)[0], "deep");
    assert_eq!(email(&browser), "alice@example.com");
    browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
    let got = env.requests_to_service("APP").pop().unwrap();
    assert_eq!((got.header("x-user-email"), got.header("cookie")), (Some("alice@example.com"), None));
}

#[test]
fn shadowing_cookies_of_another_user_sign_no_one_in_until_the_next_sign_in() {
    let env = TestEnv::new();
    let (browser, thief) = (env.signed_in("alice"), env.signed_in("bob"));
    let planted = thief.cookie(APP, SESSION).unwrap();
    browser.set_cookie(SHOP, &format!("{SESSION}={planted}; Domain=example.com; Path=/; Secure"));
    assert_eq!(values(&browser, APP, SESSION).len(), 2);
    let answer = browser.get(&format!("{APP}/dashboard")).navigation().send().expect_status(302);
    assert!(answer.location().starts_with(&format!("{APP}/auth/signin?callbackUrl=")));
    assert_eq!(values(&browser, APP, SESSION), [""; 0], "both are removed");
    env.logs().wait_for("session_cookies_conflict", std::time::Duration::from_secs(5));
    sign_in(&browser, "alice", "/about");
    assert_eq!(email(&browser), "alice@example.com");
}

#[test]
fn signing_out_reaches_the_cookies_of_a_former_cookies_domain() {
    let shared = with_cookies(&json!({ "domain": "example.com" }));
    let domain_cookie = shared.signed_in("alice").cookie(APP, SESSION).unwrap();
    // The key was removed: another deployment with the same secret.
    let env = TestEnv::new();
    let browser = env.client();
    browser.set_cookie(APP, &format!("{SESSION}={domain_cookie}; Domain=example.com; Path=/; Secure"));
    assert_eq!(email(&browser), "alice@example.com");
    sign_in(&browser, "alice", "/about");
    assert_eq!(values(&browser, APP, SESSION).len(), 2);
    assert_eq!(email(&browser), "alice@example.com");
    sign_out(&browser, APP);
    for host in [APP, SHOP] {
        assert_eq!(values(&browser, host, SESSION), [""; 0]);
        assert_eq!(session(&browser, host), Value::Null);
    }
    // The key was set: the host's own cookie is the former one.
    let own = env.signed_in("alice").cookie(APP, SESSION).unwrap();
    let browser = shared.client();
    browser.set_cookie(APP, &format!("{SESSION}={own}; Path=/; Secure"));
    assert_eq!(email(&browser), "alice@example.com");
    sign_out(&browser, APP);
    assert_eq!(values(&browser, APP, SESSION), [""; 0]);
}

#[test]
fn with_a_prefix_an_auth_js_behind_the_worker_keeps_its_cookies() {
    let env = with_cookies(&json!({ "prefix": "acme" }));
    let browser = env.client();
    let app_cookies = [SESSION, "__Secure-next-auth.session-token", "__Secure-authjs.callback-url"];
    for name in app_cookies {
        browser.set_cookie(APP, &format!("{name}=theirs; Path=/; Secure"));
    }
    browser.set_cookie(APP, "__Host-authjs.csrf-token=theirs; Path=/; Secure");
    assert_eq!(email(&browser), "");
    sign_in(&browser, "alice", "/about");
    assert_eq!(email(&browser), "alice@example.com");
    assert_eq!(values(&browser, APP, "__Secure-acme.session-token").len(), 1);
    browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
    let got = env.requests_to_service("APP").pop().unwrap();
    for name in app_cookies {
        assert_eq!(got.cookie(name), Some("theirs"), "{name}");
    }
    assert_eq!(got.cookie("__Host-authjs.csrf-token"), Some("theirs"));
    assert!(!got.header("cookie").unwrap().contains("acme."));
    sign_out(&browser, APP);
    assert_eq!(email(&browser), "");
    assert_eq!(values(&browser, APP, SESSION), ["theirs"]);
}

#[test]
fn shadowing_cookies_with_host_prefix_another_host_cannot_set_a_session() {
    let env = with_cookies(&json!({ "host_prefix": true }));
    let (browser, thief) = (env.signed_in("alice"), env.signed_in("bob"));
    let name = "__Host-authjs.session-token";
    let planted = thief.cookie(APP, name).unwrap();
    for attributes in ["Domain=example.com; Path=/; Secure", "Path=/; Secure"] {
        browser.set_cookie(SHOP, &format!("{name}={planted}; {attributes}"));
        browser.set_cookie(SHOP, &format!("{SESSION}={planted}; {attributes}"));
    }
    assert_eq!(values(&browser, APP, name).len(), 1);
    assert_eq!(email(&browser), "alice@example.com");
    sign_out(&browser, APP);
    assert_eq!(email(&browser), "");
}
