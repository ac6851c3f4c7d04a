//! Scripts of other origins in front of the built Worker: what the responses let them read.

use miniflare_test_harness::{Client, ClientResponse, Response};
use serde_json::json;

use crate::test_env::{TestEnv, echo, settings_with};

const API: &str = "https://api.example.com";
const TRUSTED: &str = "https://app.example.com";
const WITH_TOKEN: &str = "https://shop.example.com";

fn env() -> TestEnv {
    let settings = settings_with(&json!({
        "cookies": { "domain": "example.com" },
        "trusted_origins": [TRUSTED, WITH_TOKEN],
        "token_origins": [WITH_TOKEN],
    }));
    TestEnv::with(settings, |builder| {
        builder.service("APP", |request| match request.path() {
            "/open" => {
                Response::json(&json!({})).header("access-control-allow-origin", "https://app.own.example")
            }
            _ => echo(request),
        })
    })
}

fn fetch(browser: &Client, method: &str, origin: &str, path: &str) -> ClientResponse {
    let request = browser.request(method, &format!("{API}{path}")).header("origin", origin);
    let request = request.header("sec-fetch-site", "same-site").header("sec-fetch-mode", "cors");
    match method {
        "OPTIONS" => request.header("access-control-request-method", "GET").send(),
        _ => request.header("x-vestibule-token", "1").send(),
    }
}

fn reader(reply: &ClientResponse) -> Option<&str> {
    reply.header("access-control-allow-origin")
}

#[test]
fn cross_origin_reads_trusted_pages_read_our_own_responses_and_nothing_of_the_app() {
    let env = env();
    let (nobody, alice) = (env.client(), env.signed_in("alice"));
    let denied = fetch(&nobody, "GET", TRUSTED, "/data");
    assert_eq!((denied.status, reader(&denied)), (401, Some(TRUSTED)));
    assert_eq!(denied.header("access-control-allow-credentials"), Some("true"));
    assert!(denied.header("vary").is_some_and(|vary| vary.contains("Origin")));
    assert!(
        denied.json()["signInUrl"]
            .as_str()
            .unwrap()
            .ends_with("callbackUrl=https%3A%2F%2Fapp.example.com%2F")
    );

    for path in ["/auth/session", "/auth/csrf"] {
        assert_eq!(reader(&fetch(&alice, "GET", TRUSTED, path)), Some(TRUSTED), "{path}");
        let preflight = fetch(&nobody, "OPTIONS", TRUSTED, path);
        assert_eq!((preflight.status, reader(&preflight)), (204, Some(TRUSTED)), "{path}");
    }
    for path in ["/auth/session", "/auth/csrf", "/auth/token", "/data"] {
        for origin in ["https://evil.example", "https://blog.example.com", "null"] {
            assert_eq!(reader(&fetch(&nobody, "GET", origin, path)), None, "{origin} {path}");
        }
    }
    // The app's own responses pass as they are.
    assert_eq!(reader(&fetch(&alice, "GET", TRUSTED, "/data")), None);
    assert_eq!(reader(&fetch(&alice, "GET", TRUSTED, "/open")), Some("https://app.own.example"));
}

#[test]
fn token_leaks_only_token_origins_read_the_access_token() {
    let env = env();
    let alice = env.signed_in("alice");
    let session = fetch(&alice, "GET", TRUSTED, "/auth/session").json();
    assert_eq!(session["user"]["email"], "alice@example.com");
    assert!(session["access_token"].is_null(), "{session}");
    assert_eq!(fetch(&alice, "GET", TRUSTED, "/auth/token").status, 403);

    let session = fetch(&alice, "GET", WITH_TOKEN, "/auth/session").json();
    assert!(session["access_token"].is_string(), "{session}");
    let token = fetch(&alice, "GET", WITH_TOKEN, "/auth/token");
    assert_eq!((token.status, reader(&token)), (200, Some(WITH_TOKEN)));
    assert_eq!(token.json()["access_token"], session["access_token"]);
}
