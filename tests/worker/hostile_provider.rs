//! A provider that is unreachable, slow, faulty or malicious: the user gets an error page, the log has a line, and an
//! existing session stays valid.

use std::time::Duration;

use miniflare_test_harness::Response;
use serde_json::json;

use crate::test_env::{APP, TestEnv, begin, email, settings, sign_in};

const MAX_WAIT: Duration = Duration::from_secs(5);

/// A failure of a provider: the endpoint, its response, and a text that the log has to contain.
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
fn a_failing_discovery_gives_an_error_page_and_the_next_sign_in_works() {
    for (place, answer, cause) in FAILURES {
        let env = TestEnv::new();
        env.idp.replace(place, move |_| answer());
        let browser = env.client();
        let page = sign_in(&browser, "alice", "/dashboard");
        assert_eq!(page.url, format!("{APP}/auth/error?error=Configuration"), "{cause}");
        assert_eq!(page.status, 500);
        let line = env.logs().wait_for("auth_error", MAX_WAIT);
        assert!(line.message.contains(cause), "the log line does not contain {cause:?}: {}", line.message);
        assert_eq!((line.level.as_str(), email(&browser).as_str()), ("warn", ""));

        // As soon as the provider works again, the next sign-in succeeds.
        env.idp.restore();
        let page = sign_in(&browser, "alice", "/dashboard");
        assert_eq!((page.status, page.url), (200, format!("{APP}/dashboard")), "{cause}");
        env.assert_no_unknown_requests();
    }
}

#[test]
fn a_failure_during_the_callback_does_not_end_an_existing_session() {
    for (place, answer, cause) in LATER_FAILURES {
        let env = TestEnv::new();
        if place == "jwks" {
            // The user signed in with a key that is not published any more.
            env.idp.replace(place, move |_| answer());
            let page = sign_in(&env.client(), "alice", "/dashboard");
            assert_eq!(page.url, format!("{APP}/auth/error?error=Configuration"), "{cause}");
        } else {
            let browser = env.signed_in("bob");
            env.idp.replace(place, move |_| answer());
            let page = sign_in(&browser, "alice", "/dashboard");
            // A code that was used already is that of a page which was opened twice: who is signed in goes on.
            let was_used = cause == "invalid_grant";
            let next = if was_used { "dashboard" } else { "auth/error?error=Configuration" };
            assert_eq!(page.url, format!("{APP}/{next}"), "{cause}");
            assert_eq!(email(&browser), "bob@example.com", "{cause}");
        }
        let line = env.logs().wait_for("auth_error", MAX_WAIT);
        assert!(line.message.contains(cause), "the log line does not contain {cause:?}: {}", line.message);
        env.assert_no_unknown_requests();
    }
}

#[test]
fn server_side_request_forgery_endpoints_in_internal_networks_are_rejected() {
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
            env.idp.change("discovery", move |document| document[endpoint] = json!(url));
            let browser = env.client();
            let reply = begin(&browser, APP, "alice", "/dashboard").send().expect_status(302);
            assert_eq!(reply.location(), format!("{APP}/auth/error?error=Configuration"), "{endpoint} {url}");
            env.logs().wait_for(endpoint, MAX_WAIT);
            env.assert_no_unknown_requests();
        }
    }
}

#[test]
fn an_error_of_the_provider_is_shown_without_its_description() {
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
    env.logs().wait_for("access_denied", MAX_WAIT);
    assert_eq!(email(&browser), "bob@example.com");
}

#[test]
fn a_callback_for_another_provider_or_another_browser_is_rejected() {
    let env = TestEnv::new();
    let (victim, attacker) = (env.client(), env.client());
    let begun = begin(&attacker, APP, "alice", "/dashboard").follow_within(&["idp.example"]).send();
    let back = begun.location().to_owned();
    let page = victim.get(&back).navigation().cross_site().follow().send();
    let expired = format!("{APP}/auth/signin?");
    assert!(page.url.starts_with(&expired) && page.url.contains("error=SignInExpired"), "{}", page.url);
    assert_eq!((email(&victim).as_str(), env.count_requests("/token")), ("", 0));

    let mixed = back.replace("iss=https%3A%2F%2Fidp.example", "iss=https%3A%2F%2Fevil.example");
    assert_ne!(mixed, back);
    let page = attacker.get(&mixed).navigation().follow().send();
    assert!(page.url.starts_with(&format!("{APP}/auth/error")), "{}", page.url);
    assert_eq!((email(&attacker).as_str(), env.count_requests("/token")), ("", 0));

    // The correct authorization response is still accepted, once.
    attacker.get(&back).navigation().follow().send().expect_status(200);
    assert_eq!(email(&attacker), "alice@example.com");
    // Opened again, it signs no one in: who is signed in goes on.
    let again = attacker.get(&back).navigation().follow().send();
    assert_eq!((again.url.as_str(), env.count_requests("/token")), (format!("{APP}/dashboard").as_str(), 1));
    assert_eq!(email(&attacker), "alice@example.com");
}

/// This test waits ten seconds, the timeout of a request to a provider.
#[test]
fn a_request_to_a_provider_that_does_not_respond_times_out() {
    let env = TestEnv::new();
    env.idp.replace("discovery", |_| Response::hang());
    let browser = env.client().timeout(Duration::from_secs(25));
    let reply = begin(&browser, APP, "alice", "/dashboard").send().expect_status(302);
    assert_eq!(reply.location(), format!("{APP}/auth/error?error=Configuration"));
    env.logs().wait_for("no response within 10s", MAX_WAIT);
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
    assert_eq!(env.count_requests("/.well-known/openid-configuration"), 0);
}

fn json_text(text: &str) -> Response {
    Response::bytes(text).header("content-type", "application/json")
}

fn deep() -> Response {
    json_text(&format!("{{\"issuer\":{}{}}}", "[".repeat(60_000), "]".repeat(60_000)))
}

/// A JSON body that never ends.
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
