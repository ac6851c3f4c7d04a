//! A sign-in that another site begins (OpenID Connect Core 1.0 section 4).

use miniflare_test_harness::{Client, ClientResponse};
use serde_json::{Value, json};

use crate::env::{APP, Env, session};
use crate::provider::{ISSUER, email};

const TARGET: &str = "https://app.example.com/dashboard?from=portal";

pub fn third_party_initiated_login() {
    let env = Env::new(&json!({ "initiate_login": true }));
    // By a link, and by a form.
    for method in ["GET", "POST"] {
        let browser = env.client();
        let page =
            begin(&browser, method, &[("iss", ISSUER), ("login_hint", "bob"), ("target_link_uri", TARGET)]);
        assert_eq!((page.status, page.url.as_str()), (200, TARGET), "{method}");
        assert_eq!(session(&browser)["user"]["email"], json!(email("bob")), "{method}");
        let asked = env.requests("authorization").pop().unwrap();
        assert_eq!(asked.query("login_hint").as_deref(), Some("bob"), "{method}");
    }
    // Who is signed in goes on with that session.
    let alice = env.signs_in();
    let known = env.count("authorization");
    let page = begin(&alice, "GET", &[("iss", ISSUER), ("login_hint", "bob"), ("target_link_uri", TARGET)]);
    assert_eq!((page.url.as_str(), env.count("authorization")), (TARGET, known));
    assert_eq!(session(&alice)["user"]["email"], json!(email("alice")));
    // Another issuer begins nothing.
    for issuer in ["https://evil.example", "https://suite.example/", ""] {
        let browser = env.client();
        let page = begin(&browser, "GET", &[("iss", issuer), ("target_link_uri", TARGET)]);
        assert_eq!((page.status, env.count("authorization")), (400, known), "{issuer}");
    }
    // Another site's address is none that the person comes to.
    for target in ["https://evil.example/x", "//evil.example/x", "javascript:alert(1)"] {
        let browser = env.client();
        let page = begin(&browser, "GET", &[("iss", ISSUER), ("target_link_uri", target)]);
        assert!(page.url.starts_with(APP), "{target}: {}", page.url);
        assert_eq!(session(&browser)["user"]["email"], json!(email("alice")), "{target}");
    }
    // In a frame of that site nothing begins.
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("iss", ISSUER).finish();
    let known = env.count("authorization");
    let frame = env.client().get(&format!("{APP}/auth/initiate-login?{query}")).cross_site();
    let frame = frame.header("sec-fetch-dest", "iframe").header("sec-fetch-mode", "navigate").send();
    assert_eq!((frame.status, env.count("authorization")), (403, known));
    // Where no provider is open for it, there is no such address.
    let closed = Env::new(&json!({}));
    let page = begin(&closed.client(), "GET", &[("iss", ISSUER), ("target_link_uri", TARGET)]);
    assert!(page.status >= 400 && closed.count("authorization") == 0, "{}", page.status);
    assert_eq!(session(&closed.client()), Value::Null);
}

/// The link or form of another site, followed to its end.
fn begin(browser: &Client, method: &str, parameters: &[(&str, &str)]) -> ClientResponse {
    let address = format!("{APP}/auth/initiate-login");
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let request = match method {
        "GET" => browser.get(&format!("{address}?{query}")),
        _ => browser.post(&address).header("origin", "https://portal.example").form(parameters),
    };
    request.navigation().cross_site().follow().send()
}
