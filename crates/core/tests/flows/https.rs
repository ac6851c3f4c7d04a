//! `flow/https`: plain http in production, and proxies that end TLS.

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, AuthorizationRequest, Browser, TestEnv, settings};

use crate::login_host::of_the_login_host;

const HTTP: &str = "http://app.example.com";
/// What a browser without Fetch Metadata sends, and every browser over plain http.
const PERSON: [(&str, &str); 1] = [("accept", "text/html,application/xhtml+xml")];

#[test]
fn a_person_who_comes_over_plain_http_goes_to_https() {
    let world = TestEnv::new();
    for path in ["/dashboard?x=1&y=%2F", "/about", "/auth/signin", "/auth/typo"] {
        let answer = world.send("GET", &format!("{HTTP}{path}"), &PERSON, b"");
        assert_eq!((answer.status, answer.location()), (302, &*format!("{APP}{path}")), "{path}");
        assert!(answer.forwarded.is_none());
    }
    // Scripts and forms get their answers, and other deployments stay as they are.
    assert_eq!(world.send("GET", &format!("{HTTP}/dashboard"), &[], b"").status, 401);
    assert_ne!(world.send("POST", &format!("{HTTP}/about"), &PERSON, b"").status, 302);
    for origin in [
        "http://localhost:8787",
        "http://app.localhost",
        "http://192.168.1.5",
        "http://[::1]:8787",
        "http://intranet",
        "http://app.internal",
        "http://app.example.com:8080",
    ] {
        let answer = world.send("GET", &format!("{origin}/about"), &PERSON, b"");
        assert!(answer.forwarded.is_some(), "{origin}: {answer:?}");
    }
}

#[test]
fn behind_a_proxy_that_ends_tls_the_redirect_to_https_is_no_loop() {
    let world = TestEnv::new();
    for sign in [
        ("sec-fetch-mode", "navigate"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=192.0.2.1;proto=https"),
        ("cf-visitor", r#"{"scheme":"https"}"#),
        ("cookie", "a=b; __Host-authjs.csrf-token=x"),
    ] {
        let answer = world.send("GET", &format!("{HTTP}/about"), &[PERSON[0], sign], b"");
        assert!(answer.forwarded.is_some(), "{sign:?}: {answer:?}");
    }
    // If nothing shows it, the cookie of the redirect does: only a browser on https keeps it.
    let answer = world.send("GET", &format!("{HTTP}/about"), &PERSON, b"");
    let cookie = answer.headers.get("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-authjs.https=1;") && cookie.contains("; Secure"), "{cookie}");
    let pair = ("cookie", cookie.split(';').next().unwrap());
    let answer = world.send("GET", &format!("{HTTP}/about"), &[PERSON[0], pair], b"");
    assert!(answer.forwarded.is_some());
    let sent = answer.forwarded.unwrap().request.headers;
    assert_eq!(sent.get("cookie"), None, "the upstream does not get it");
}

#[test]
fn without_origin_the_log_says_that_the_proxy_ends_tls_and_with_it_people_sign_in() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let csrf: Value =
        serde_json::from_str(&browser.fetch(&world, &format!("{HTTP}/auth/csrf")).body).unwrap();
    let form = [("csrfToken", csrf["csrfToken"].as_str().unwrap())];
    let answer = browser.post(&world, &format!("{HTTP}/auth/signin/acme"), &form);
    let request = AuthorizationRequest::read(answer.location());
    assert_eq!(request.params["redirect_uri"], format!("{HTTP}/auth/callback/acme"));
    let lines = world.logged(LogEvent::TlsEndsInFront);
    assert!(lines.len() == 1 && lines[0].message().contains("origin ="), "{lines:?}");

    for arrives_at in ["http://app.example.com", "http://localhost:8787", "http://10.0.0.7:3000"] {
        let mut settings = settings();
        settings["origin"] = json!("https://app.example.com");
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let at = |address: &str| address.replace(APP, arrives_at);
        let denied = browser.open(&world, &at("https://app.example.com/dashboard"));
        assert!(denied.location().starts_with(&format!("{APP}/auth/signin?")), "{denied:?}");
        assert_eq!(browser.open(&world, &at(denied.location())).status, 200);
        let csrf: Value =
            serde_json::from_str(&browser.fetch(&world, &at("https://app.example.com/auth/csrf")).body)
                .unwrap();
        let form = [("csrfToken", csrf["csrfToken"].as_str().unwrap()), ("callbackUrl", "/dashboard")];
        let answer = browser.post(&world, &at("https://app.example.com/auth/signin/acme"), &form);
        let request = AuthorizationRequest::read(answer.location());
        assert_eq!(request.params["redirect_uri"], format!("{APP}/auth/callback/acme"));
        let answer = browser.open(&world, &at(&world.provider.authorize(&request, "bob")));
        assert_eq!(answer.location(), format!("{APP}/dashboard"));
        assert!(browser.cookie("__Secure-authjs.session-token").is_some());
        assert!(browser.open(&world, &at("https://app.example.com/dashboard")).forwarded.is_some());
        assert_eq!(world.logged(LogEvent::TlsEndsInFront).len(), 0);
    }
}

#[test]
fn a_login_url_of_the_same_host_behind_a_proxy_that_ends_tls_never_loops() {
    for (login, arrives_at) in [
        ("https://app.example.com", "http://app.example.com"),
        ("https://app.example.com:8443", "http://app.example.com"),
        ("https://app.example.com", "http://app.example.com:8787"),
        ("https://app.example.com:8443", "http://app.example.com:8787"),
    ] {
        let mut settings = of_the_login_host();
        settings["login_url"] = json!(login);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let at = |address: &str| address.replace(login, arrives_at);
        let denied = browser.open(&world, &format!("{arrives_at}/dashboard"));
        assert!(denied.location().starts_with(&format!("{login}/auth/signin?")), "{denied:?}");
        let page = browser.open(&world, &at(denied.location()));
        assert!(page.status == 200 && page.body.contains("Sign in with"), "{login}: {page:?}");
        let csrf: Value =
            serde_json::from_str(&browser.fetch(&world, &format!("{arrives_at}/auth/csrf")).body).unwrap();
        let wanted = format!("{login}/dashboard");
        let form = [("csrfToken", csrf["csrfToken"].as_str().unwrap()), ("callbackUrl", wanted.as_str())];
        let answer = browser.post(&world, &format!("{arrives_at}/auth/signin/acme"), &form);
        let request = AuthorizationRequest::read(answer.location());
        assert_eq!(request.params["redirect_uri"], format!("{login}/auth/callback/acme"));
        let answer = browser.open(&world, &at(&world.provider.authorize(&request, "bob")));
        assert_eq!(answer.location(), wanted);
        assert!(browser.open(&world, &at(&wanted)).forwarded.is_some(), "{login}");
        // A member behind the same proxy has the session too.
        let member = browser.open(&world, "http://shop.example.com/dashboard");
        assert!(member.forwarded.is_some(), "{member:?}");
    }
}
