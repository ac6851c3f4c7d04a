//! The limits of sign-in forms with the runtime's own rate limiters and Unicode tables, and without them.

use miniflare_test_harness::{Client, ClientResponse, Response};
use serde_json::json;
use vestibule_test_runtimes::needs;

use crate::test_env::{APP, TestEnv, csrf};

/// An API that refuses every password. `are_bound` says whether the Worker has its two rate limiters.
fn env(are_bound: bool) -> TestEnv {
    let settings = json!({
        "providers": [{
            "id": "api",
            "type": "credentials",
            "fields": [{ "name": "email", "type": "email" }, { "name": "password", "type": "password" }],
            "login": { "url": "https://api.example/login", "access_token": "body.token" },
            "user": { "id": "body.id" },
        }],
    });
    TestEnv::with(settings, |builder| {
        let builder = builder.host("api.example", |_| Response::json(&json!({})).with_status(401));
        if are_bound {
            builder.rate_limit("AUTH_LOGIN_LIMIT", 5, 60).rate_limit("AUTH_LOGIN_LIMIT_LOOSE", 20, 60)
        } else {
            builder
        }
    })
}

fn guess(browser: &Client, csrf: &str, address: &str, email: &str) -> ClientResponse {
    let form = [("csrfToken", csrf), ("email", email), ("password", "a guess")];
    let request = browser.post(&format!("{APP}/auth/callback/api")).header("cf-connecting-ip", address);
    request.navigation().form(&form).send()
}

#[test]
fn the_bound_limiters_count_accounts_and_addresses_and_the_log_does_not_advise_them() {
    needs!(Workers);
    let env = env(true);
    let browser = env.client();
    let token = csrf(&browser, APP);
    let spellings =
        ["ada@example.com", "ADA@example.com", "\u{ff41}da@example.com", "a\u{301}da@example.com"];
    let mut statuses = Vec::new();
    for n in 0..12 {
        statuses.push(guess(&browser, &token, "203.0.113.7", spellings[n % spellings.len()]).status);
    }
    // The limiter counts by the clock's minutes, one of which may end meanwhile.
    let sent = env.requests_to("api.example").len();
    assert!((5..=10).contains(&sent), "{sent}: {statuses:?}");
    let stopped = guess(&browser, &token, "203.0.113.7", "ada@example.com");
    if stopped.status == 429 {
        assert_eq!(stopped.header("retry-after"), Some("60"));
        assert!(stopped.text().contains("Too many attempts"));
    }
    assert_eq!(guess(&browser, &token, "198.51.100.9", "ada@example.com").status, 302);
    assert!(!env.logs().text().contains("AUTH_LOGIN_LIMIT"));
}

#[test]
fn without_limiters_the_isolate_counts_and_the_log_advises_them() {
    needs!(Workers);
    let env = env(false);
    let browser = env.client();
    let token = csrf(&browser, APP);
    for n in 0..40 {
        guess(&browser, &token, &format!("2001:db8:1:2::{n:x}"), "ada@example.com");
    }
    let sent = env.requests_to("api.example").len();
    assert!((10..=20).contains(&sent), "{sent}");
    env.logs().wait_for("AUTH_LOGIN_LIMIT", std::time::Duration::from_secs(5));
}
