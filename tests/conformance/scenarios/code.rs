//! The code flow itself. The provider's endpoints check each request.

use miniflare_test_harness::Request;
use serde_json::{Value, json};

use super::form_post;
use crate::env::{APP, Env, session, sign_in};
use crate::provider::{CLIENT_SECRET, ISSUER};

pub fn happy(keys: &Value) {
    let env = Env::new(keys);
    env.signs_in();
    let asked: Vec<String> = env.requests_to("suite.example").iter().map(line).collect();
    assert_eq!(
        asked,
        [
            "GET /.well-known/openid-configuration",
            "GET /authorize",
            "POST /token",
            "GET /jwks",
            "GET /userinfo"
        ]
    );
    let wants = keys["response_mode"].as_str().map(str::to_owned);
    assert_eq!(env.requests("authorization")[0].query("response_mode"), wants);
}

pub fn client_secret_basic(keys: &Value) {
    let env = Env::new(keys);
    env.signs_in();
    let token = env.requests("token").remove(0);
    assert!(token.header("authorization").unwrap().starts_with("Basic "));
    assert!(!token.text().contains("client_secret") && !token.text().contains(CLIENT_SECRET));
    // The wrong secret is the operator's mistake, and signs no one in.
    let env = Env::with(crate::env::settings(keys), |builder| builder.secret("AUTH_SUITE_SECRET", "another"));
    env.refuses("invalid_client");
}

pub fn form_post_error() {
    let env = Env::new(&form_post());
    env.signs_in();
    env.provider.refuses("login_required");
    let browser = env.client();
    let page = sign_in(&browser, "?prompt=none&max_age=0");
    let asked = env.requests("authorization").pop().unwrap();
    for (name, value) in [("response_mode", "form_post"), ("prompt", "none"), ("max_age", "0")] {
        assert_eq!(asked.query(name).as_deref(), Some(value));
    }
    assert_eq!(page.redirects[0].url, format!("{APP}/auth/callback/suite"));
    assert!(page.url.starts_with(APP) && !page.url.starts_with(ISSUER), "{}", page.url);
    assert!(
        page.url.contains("error=") && page.text().contains("role=\"alert\""),
        "{}: {}",
        page.url,
        page.text()
    );
    assert_eq!((session(&browser), env.count("token")), (json!(null), 1));
    env.logged("authorization_error_response", "login_required");
}

fn line(request: &Request) -> String {
    format!("{} {}", request.method, request.path())
}
