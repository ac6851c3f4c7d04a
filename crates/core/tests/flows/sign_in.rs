//! `flow/signin`: from the form to the provider.

use std::time::Duration;

use serde_json::Value;
use vestibule_core::log::LogEvent;
use vestibule_core::session::transaction;
use vestibule_testing::{APP, AuthorizationRequest, Browser, TestEnv};

#[test]
fn a_sign_in_redirects_to_the_provider_with_state_nonce_and_pkce() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let request = browser.begin(&world, "/dashboard?tab=1");
    assert_eq!(request.endpoint, "https://idp.example/authorize");
    let sent: Vec<&str> = request.params.keys().map(String::as_str).collect();
    assert_eq!(
        sent,
        [
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "nonce",
            "redirect_uri",
            "response_type",
            "scope",
            "state"
        ]
    );
    assert_eq!(request.params["redirect_uri"], format!("{APP}/auth/callback/acme"));
    assert_eq!(request.params["code_challenge"].len(), 43);
    assert!(request.params["state"].len() >= 43);
    assert_ne!(request.params["nonce"], request.params["state"]);

    let transaction: Vec<&str> =
        browser.cookie_names().into_iter().filter(|name| name.contains("transaction")).collect();
    assert_eq!(transaction, [format!("__Host-authjs.transaction.{}", &request.params["state"][..16])]);
    let sealed = browser.cookie(transaction[0]).unwrap();
    assert!(!sealed.contains(&request.params["state"]), "the cookie is sealed");
}

#[test]
fn a_script_gets_the_providers_address_as_json() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let csrf = browser.csrf(&world);
    let answer = browser.post_with(
        &world,
        &format!("{APP}/auth/signin/acme?"),
        &[("csrfToken", &csrf)],
        &[("x-auth-return-redirect", "1")],
    );
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(body["url"].as_str().unwrap().starts_with("https://idp.example/authorize?"));
}

#[test]
fn without_the_csrf_token_no_sign_in_begins() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let csrf = browser.csrf(&world);
    for fields in [&[][..], &[("csrfToken", "")], &[("csrfToken", "00")], &[("csrf", csrf.as_str())]] {
        let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), fields);
        assert_eq!(answer.location(), format!("{APP}/auth/signin?error=MissingCSRF"));
    }
    let twice = [("csrfToken", csrf.as_str()), ("csrfToken", csrf.as_str())];
    assert_eq!(browser.post(&world, &format!("{APP}/auth/signin/acme"), &twice).status, 400);
    assert_eq!(world.fetches("https://idp.example/.well-known/openid-configuration"), 0);
}

#[test]
fn login_csrf_missing_browser_binding_a_csrf_token_of_another_browser_is_rejected() {
    let (world, mut mine, mut other) = (TestEnv::new(), Browser::new(), Browser::new());
    let other_token = other.csrf(&world);
    mine.csrf(&world);
    let answer = mine.post(&world, &format!("{APP}/auth/signin/acme"), &[("csrfToken", &other_token)]);
    assert_eq!(answer.location(), format!("{APP}/auth/signin?error=MissingCSRF"));
}

#[test]
fn only_harmless_parameters_are_passed_on_to_the_provider() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let csrf = browser.csrf(&world);
    let query = "prompt=login&login_hint=a%40b.c&redirect_uri=https%3A%2F%2Fevil.example&state=x&scope=all&client_id=y";
    let answer = browser.post(&world, &format!("{APP}/auth/signin/acme?{query}"), &[("csrfToken", &csrf)]);
    let request = AuthorizationRequest::read(answer.location());
    assert_eq!(request.params["prompt"], "login");
    assert_eq!(request.params["login_hint"], "a@b.c");
    assert_eq!(request.params["redirect_uri"], format!("{APP}/auth/callback/acme"));
    assert_eq!(request.params["client_id"], "vestibule");
    assert_ne!(request.params["state"], "x");
    assert_ne!(request.params["scope"], "all");
}

#[test]
fn an_unknown_provider_redirects_to_the_sign_in_page() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let csrf = browser.csrf(&world);
    for path in ["signin/nobody", "signin"] {
        let answer = browser.post(&world, &format!("{APP}/auth/{path}"), &[("csrfToken", &csrf)]);
        assert_eq!(answer.location(), format!("{APP}/auth/signin"));
    }
    let answer = browser.fetch(&world, &format!("{APP}/auth/signin/acme"));
    assert_eq!(answer.location(), format!("{APP}/auth/error?error=Configuration"));
}

#[test]
fn a_provider_that_is_down_leads_to_the_error_page_and_the_log_says_why() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    world.provider.goes_down("discovery");
    let csrf = browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), &[("csrfToken", &csrf)]);
    assert_eq!(answer.location(), format!("{APP}/auth/error?error=Configuration"));
    assert!(world.log_text().contains("provider acme: discovery gave no answer: connection failed"));
}

#[test]
fn metadata_is_fetched_once_an_hour_and_cached_while_the_provider_is_down() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let discovery = "https://idp.example/.well-known/openid-configuration";
    browser.begin(&world, "/");
    browser.begin(&world, "/");
    assert_eq!(world.fetches(discovery), 1);
    world.pass(Duration::from_secs(3601));
    browser.begin(&world, "/");
    assert_eq!(world.fetches(discovery), 2);
    world.pass(Duration::from_secs(3601));
    world.provider.goes_down("discovery");
    browser.begin(&world, "/");
    assert_eq!(world.fetches(discovery), 3);
    assert_eq!(world.logged(LogEvent::ProviderMetadataStale).len(), 1);
}

#[test]
fn sign_ins_in_two_tabs_do_not_disturb_each_other() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let first = browser.begin(&world, "/first");
    let second = browser.begin(&world, "/second");
    let answer = browser.open(&world, &world.provider.authorize(&second, "bob"));
    assert_eq!(answer.location(), format!("{APP}/second"));
    let answer = browser.open(&world, &world.provider.authorize(&first, "bob"));
    assert_eq!(answer.location(), format!("{APP}/first"));
}

#[test]
fn unlimited_state_cookies_a_sixth_attempt_replaces_the_oldest() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let mut begun = Vec::new();
    for _ in 0..7 {
        begun.push(browser.begin(&world, "/"));
        world.pass(Duration::from_secs(1));
    }
    let open = browser.cookie_names().iter().filter(|name| name.contains("transaction")).count();
    assert_eq!(open, 5);
    let answer = browser.open(&world, &world.provider.authorize(&begun[1], "bob"));
    assert!(answer.location().contains("error=SignInExpired"), "{answer:?}");
    let answer = browser.open(&world, &world.provider.authorize(&begun[2], "bob"));
    assert_eq!(answer.location(), format!("{APP}/"));
}

#[test]
fn a_sign_in_attempt_expires_after_fifteen_minutes() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let request = browser.begin(&world, "/");
    let callback = world.provider.authorize(&request, "bob");
    // Auth.js's clock tolerance is 15 seconds.
    world.pass(transaction::LIFETIME + Duration::from_secs(16));
    let answer = browser.open(&world, &callback);
    assert!(answer.location().contains("error=SignInExpired"), "{answer:?}");
    assert_eq!(browser.session(&world), Value::Null);
}

#[test]
fn open_redirect_through_the_return_address_an_untrusted_one_is_replaced_by_the_default() {
    let world = TestEnv::new();
    for foreign in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "https://app.example.com@evil.example/",
        "https://app.example.com.evil.example/",
        "javascript:alert(1)",
        "http://app.example.com/",
        "nonsense",
    ] {
        let mut browser = Browser::new();
        let answer = browser.sign_in(&world, "bob", foreign);
        assert_eq!(answer.location(), APP, "{foreign}");
    }
}
