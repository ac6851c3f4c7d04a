//! A provider that is away, slow, broken or malicious: an error page, a line in the log, and nothing is lost.

use std::time::Duration;

use miniflare_test_harness::Response;
use serde_json::json;

use crate::test_env::{APP, TestEnv, begin, email, settings, sign_in};

const PATIENCE: Duration = Duration::from_secs(5);

/// What a provider does wrong: where, how, and what the log must say.
type Case = (&'static str, fn() -> Response, &'static str);

const FAILURES: [Case; 13] = [
    ("discovery", Response::close, "discovery gave no answer: connection failed"),
    ("discovery", || Response::raw("garbage\r\n\r\n"), "discovery gave no answer: connection failed"),
    ("discovery", || Response::status(503), "status 503"),
    ("discovery", || Response::redirect("https://evil.example/"), "redirects are not followed"),
    ("discovery", || Response::html("<h1>Sign in to this network</h1>"), "content type"),
    ("discovery", || json_text("{"), "is not valid JSON"),
    ("discovery", || json_text("[]"), "not an object"),
    ("discovery", || Response::json(&json!({ "issuer": "https://evil.example" })), "calls itself"),
    ("discovery", || Response::bytes(vec![b' '; 10_000_000]), "larger than 131072 bytes"),
    ("discovery", endless, "larger than 131072 bytes"),
    ("discovery", || deep(), "is not valid JSON"),
    ("discovery", cut_off, "discovery gave no answer: connection failed"),
    ("discovery", || Response::status(204), "status 204"),
];

const LATER_FAILURES: [Case; 10] = [
    ("token", Response::close, "token gave no answer: connection failed"),
    ("token", || Response::redirect("https://evil.example/token"), "redirects are not followed"),
    (
        "token",
        || Response::redirect("https://evil.example/token").with_status(307),
        "redirects are not followed",
    ),
    ("token", || Response::json(&json!({ "error": "invalid_grant" })).with_status(400), "invalid_grant"),
    ("token", || Response::json(&json!({ "access_token": "t" })), "token"),
    ("token", endless, "token gave no answer: the response is larger than"),
    ("jwks", Response::close, "jwks gave no answer: connection failed"),
    ("jwks", || Response::json(&json!({ "keys": [] })), "id_token"),
    ("jwks", || json_text("{\"keys\":"), "key set"),
    ("userinfo", || Response::json(&json!({ "sub": "somebody-else" })), "userinfo"),
];

#[test]
fn a_provider_that_cannot_be_asked_is_an_error_page_and_nothing_is_lost() {
    for (place, answer, cause) in FAILURES {
        let env = TestEnv::new();
        env.idp.replace(place, move |_| answer());
        let browser = env.client();
        let page = sign_in(&browser, "alice", "/dashboard");
        assert_eq!(page.url, format!("{APP}/auth/error?error=Configuration"), "{cause}");
        assert_eq!(page.status, 500);
        let line = env.logs().wait_for("auth_error", PATIENCE);
        assert!(line.message.contains(cause), "{cause:?} is not in {}", line.message);
        assert_eq!((line.level.as_str(), email(&browser).as_str()), ("warn", ""));

        // As soon as the provider is well, the next sign-in works.
        env.idp.mend();
        let page = sign_in(&browser, "alice", "/dashboard");
        assert_eq!((page.status, page.url), (200, format!("{APP}/dashboard")), "{cause}");
        env.assert_no_unknown_requests();
    }
}

#[test]
fn a_provider_that_fails_on_the_way_back_does_not_end_the_session_that_was_there() {
    for (place, answer, cause) in LATER_FAILURES {
        let env = TestEnv::new();
        if place == "jwks" {
            // Somebody is signed in by a key that is not kept.
            env.idp.replace(place, move |_| answer());
            let page = sign_in(&env.client(), "alice", "/dashboard");
            assert_eq!(page.url, format!("{APP}/auth/error?error=Configuration"), "{cause}");
        } else {
            let browser = env.signed_in("bob");
            env.idp.replace(place, move |_| answer());
            let page = sign_in(&browser, "alice", "/dashboard");
            assert_eq!(page.url, format!("{APP}/auth/error?error=Configuration"), "{cause}");
            assert_eq!(email(&browser), "bob@example.com", "{cause}");
        }
        let line = env.logs().wait_for("auth_error", PATIENCE);
        assert!(line.message.contains(cause), "{cause:?} is not in {}", line.message);
        env.assert_no_unknown_requests();
    }
}

#[test]
fn server_side_request_forgery_endpoints_inside_are_refused() {
    for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
        for url in [
            "http://idp.example/x",
            "http://127.0.0.1/x",
            "https://127.0.0.1/x",
            "https://[::1]/x",
            "https://localhost/x",
            "https://169.254.169.254/latest/meta-data",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "ftp://idp.example/x",
            "file:///etc/passwd",
            "//idp.example/x",
            "https://user:password@idp.example/x",
        ] {
            let env = TestEnv::new();
            env.idp.bend("discovery", move |document| document[endpoint] = json!(url));
            let browser = env.client();
            let reply = begin(&browser, APP, "alice", "/dashboard").send().expect_status(302);
            assert_eq!(reply.location(), format!("{APP}/auth/error?error=Configuration"), "{endpoint} {url}");
            env.logs().wait_for(endpoint, PATIENCE);
            env.assert_no_unknown_requests();
        }
    }
}

#[test]
fn an_error_of_the_provider_is_shown_on_the_sign_in_page_without_its_words() {
    let env = TestEnv::new();
    let browser = env.signed_in("bob");
    let begun = begin(&browser, APP, "alice", "/dashboard").send().expect_status(302);
    let state = begun.location_query("state").unwrap();
    let back = format!(
        "{APP}/auth/callback/acme?error=access_denied&error_description=%3Cscript%3Ehello&iss=https://idp.example&state={state}"
    );
    let page = browser.get(&back).navigation().follow().send().expect_status(200);
    assert_eq!(page.url, format!("{APP}/auth/signin?error=OAuthCallbackError"));
    assert!(!page.text().contains("hello"), "{}", page.text());
    env.logs().wait_for("access_denied", PATIENCE);
    assert_eq!(email(&browser), "bob@example.com");
}

#[test]
fn an_answer_of_another_provider_or_another_browser_signs_nobody_in() {
    let env = TestEnv::new();
    let (victim, attacker) = (env.client(), env.client());
    let begun = begin(&attacker, APP, "alice", "/dashboard").follow_within(&["idp.example"]).send();
    let back = begun.location().to_owned();
    let page = victim.get(&back).navigation().cross_site().follow().send();
    assert!(page.url.starts_with(&format!("{APP}/auth/error")), "{}", page.url);
    assert_eq!((email(&victim).as_str(), env.asked("/token")), ("", 0));

    let mixed = back.replace("iss=https%3A%2F%2Fidp.example", "iss=https%3A%2F%2Fevil.example");
    assert_ne!(mixed, back);
    let page = attacker.get(&mixed).navigation().follow().send();
    assert!(page.url.starts_with(&format!("{APP}/auth/error")), "{}", page.url);
    assert_eq!((email(&attacker).as_str(), env.asked("/token")), ("", 0));

    // The honest answer still counts, once.
    attacker.get(&back).navigation().follow().send().expect_status(200);
    assert_eq!(email(&attacker), "alice@example.com");
    let again = attacker.get(&back).navigation().follow().send();
    assert!(again.url.starts_with(&format!("{APP}/auth/error")), "{}", again.url);
    assert_eq!(email(&attacker), "alice@example.com");
}

/// The one test here that waits: ten seconds, which is what a provider may take.
#[test]
fn a_provider_that_does_not_answer_is_given_up_on() {
    let env = TestEnv::new();
    env.idp.replace("discovery", |_| Response::hang());
    let browser = env.client().timeout(Duration::from_secs(25));
    let reply = begin(&browser, APP, "alice", "/dashboard").send().expect_status(302);
    assert_eq!(reply.location(), format!("{APP}/auth/error?error=Configuration"));
    env.logs().wait_for("no response within 10s", PATIENCE);
}

#[test]
fn the_sign_in_page_and_public_pages_need_no_provider() {
    let env = TestEnv::with(settings(), |builder| {
        builder.service("APP", crate::test_env::echo).host("idp.example", |_| Response::close())
    });
    let browser = env.client();
    for path in ["/about", "/auth/signin", "/auth/providers", "/auth/session", "/auth/signout", "/auth/csrf"]
    {
        browser.get(&format!("{APP}{path}")).navigation().send().expect_status(200);
    }
    assert_eq!(env.asked("/.well-known/openid-configuration"), 0);
}

fn json_text(text: &str) -> Response {
    Response::bytes(text).header("content-type", "application/json")
}

fn deep() -> Response {
    json_text(&format!("{{\"issuer\":{}{}}}", "[".repeat(60_000), "]".repeat(60_000)))
}

/// JSON that never ends.
fn endless() -> Response {
    let piece = format!("\"{}\",", "a".repeat(16 * 1024));
    Response::stream(move |body| {
        use std::io::Write;
        body.write_all(b"[")?;
        loop {
            body.write_all(piece.as_bytes())?;
        }
    })
    .header("content-type", "application/json")
}

fn cut_off() -> Response {
    Response::raw(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"issuer\":",
    )
}
