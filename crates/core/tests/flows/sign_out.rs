//! `flow/session/sign_out`: the end of a session.

use serde_json::{Value, json};

use vestibule_core::config::Config;
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, Browser, TestEnv, environment, settings};

const SESSION: &str = "__Secure-authjs.session-token";

#[test]
fn after_a_sign_out_no_session_cookie_is_left() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", "/about")];
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &fields);
    assert_eq!(answer.location(), format!("{APP}/about"));
    assert_eq!(browser.cookie(SESSION), None);
    assert_eq!(browser.session(&world), Value::Null);
}

#[test]
fn logout_that_can_be_forged_without_the_csrf_token_the_session_stays() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[]);
    let asked_again =
        format!("{APP}/auth/signout?error=MissingCSRF&callbackUrl=https%3A%2F%2Fapp.example.com%2F");
    assert_eq!(answer.location(), asked_again);
    let answer = browser.open(&world, &asked_again);
    assert_eq!(answer.status, 200, "GET only asks");
    assert!(answer.body.contains("open for too long"), "{}", answer.body);
    assert_eq!(browser.session(&world)["user"]["name"], "bob");
}

#[test]
fn a_sign_out_does_not_end_at_a_page_of_vestibule_that_a_sign_in_left_behind() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/auth/form");
    let page = browser.open(&world, &format!("{APP}/auth/signout")).body;
    assert!(!page.contains("/auth/form"), "{page}");
    assert!(page.contains(&format!("name=\"callbackUrl\" value=\"{APP}\"")), "{page}");
    // Unless the link says so.
    let page = browser.open(&world, &format!("{APP}/auth/signout?callbackUrl=/auth/form")).body;
    assert!(page.contains(&format!("value=\"{APP}/auth/form\"")), "{page}");
    let page = browser.open(&world, &format!("{APP}/auth/signout?callbackUrl=/about")).body;
    assert!(page.contains(&format!("value=\"{APP}/about\"")), "{page}");
    let page = browser.open(&world, &format!("{APP}/auth/signout")).body;
    assert!(page.contains(&format!("value=\"{APP}/about\"")), "{page}");
}

/// Settings with which the provider's session ends, too.
fn with_logout(logout: &Value) -> Value {
    let mut settings = settings();
    settings["providers"][0]["logout"] = logout.clone();
    settings
}

/// Signs in and out again: the redirect's address, and whether the browser has no session.
fn in_and_out(world: &TestEnv, return_to: &str) -> String {
    let mut browser = Browser::new();
    browser.sign_in(world, "bob", "/");
    let csrf = browser.csrf(world);
    let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", return_to)];
    let answer = browser.post(world, &format!("{APP}/auth/signout"), &fields);
    assert_eq!(browser.session(world), Value::Null);
    answer.location().to_owned()
}

#[test]
fn with_logout_configured_the_providers_session_ends_too() {
    let end = "https://idp.example/logout?client_id=vestibule&post_logout_redirect_uri=https%3A%2F%2Fapp.example.com";
    let world = TestEnv::with(with_logout(&json!(true)));
    world
        .provider
        .alters_answer_at("discovery", |d| d["end_session_endpoint"] = json!("https://idp.example/logout"));
    assert_eq!(in_and_out(&world, "/about"), format!("{end}%2Fabout"));
    assert_eq!(in_and_out(&world, "https://evil.example/"), end, "no open redirect by way of the provider");
    let world = TestEnv::with(with_logout(&json!("https://idp.example/bye?tenant=a")));
    assert!(in_and_out(&world, "/").starts_with("https://idp.example/bye?tenant=a&client_id=vestibule&"));
    let world = TestEnv::with(with_logout(&json!(false)));
    assert_eq!(in_and_out(&world, "/about"), format!("{APP}/about"));
}

#[test]
fn the_provider_gets_a_registered_address_to_come_back_to_and_not_the_page_that_was_left() {
    let fields_of = |logout: &Value, page: &str| {
        let (world, mut browser) = (TestEnv::with(with_logout(logout)), Browser::new());
        browser.sign_in(&world, "bob", "/orders?page=2");
        browser.open(&world, &format!("{APP}{page}")).body
    };
    let end = json!("https://idp.example/bye");
    let back = |address: &str| format!("name=\"callbackUrl\" value=\"{address}\"");
    let page = fields_of(&end, "/auth/signout");
    assert!(page.contains(&back(APP)), "{page}");
    let page = fields_of(&end, "/auth/signout?callbackUrl=/bye");
    assert!(page.contains(&back(&format!("{APP}/bye"))), "{page}");
    let page = fields_of(&json!(false), "/auth/signout");
    assert!(page.contains(&back(&format!("{APP}/orders?page=2"))), "{page}");
}

#[test]
fn without_a_session_a_sign_out_does_not_redirect_to_the_provider() {
    let (world, mut browser) =
        (TestEnv::with(with_logout(&json!("https://idp.example/bye"))), Browser::new());
    let csrf = browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    assert_eq!(answer.location(), APP);
}

#[test]
fn a_provider_without_a_logout_endpoint_does_not_prevent_the_sign_out() {
    let world = TestEnv::with(with_logout(&json!(true)));
    assert_eq!(in_and_out(&world, "/about"), format!("{APP}/about"));
    assert!(world.log_text().contains("provider acme publishes no end_session_endpoint"));
    let (world, mut browser) = (TestEnv::with(with_logout(&json!(true))), Browser::new());
    browser.sign_in(&world, "bob", "/");
    world.provider.goes_down("discovery");
    // No cookie of the session is left.
    let world = world.isolate(with_logout(&json!(true)), "elsewhere");
    let csrf = browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    assert_eq!(answer.location(), format!("{APP}/"));
    assert_eq!(browser.session(&world), Value::Null);
    assert_eq!(world.logged(LogEvent::ProviderLogoutFailed).len(), 1);
}

#[test]
fn an_invalid_logout_endpoint_is_rejected() {
    let oauth2 = json!({
        "id": "acme", "type": "oauth2", "authorization": "https://idp.example/authorize",
        "token": "https://idp.example/token", "userinfo": "https://idp.example/me", "logout": true,
    });
    let api = json!({ "id": "acme", "type": "credentials", "logout": true });
    let of_issuer = |key: &str, value: Value| {
        let mut provider = settings()["providers"][0].clone();
        provider[key] = value;
        provider
    };
    for (provider, said) in [
        (oauth2, "logout: an OAuth 2 provider publishes no logout endpoint; write its URL instead"),
        (api, "logout: only a provider of type"),
        (of_issuer("logout", json!("ftp://idp.example/bye")), "logout: "),
        (of_issuer("logout", json!("/bye")), "logout: "),
        (of_issuer("logout", json!(1)), "logout: expected true, false or a URL, got a number"),
        (of_issuer("logout_redirect_param", json!("client_id")), "cannot be the name of this parameter"),
        (of_issuer("logout_redirect_param", json!("a b")), "cannot be the name of this parameter"),
    ] {
        let errors =
            Config::load(json!({ "providers": [provider] }), &environment, &vestibule_testing::RUNTIME)
                .unwrap_err()
                .to_string();
        assert!(errors.contains(said), "{provider}: {errors}");
    }
}

#[test]
fn a_sign_out_erases_all_chunks_and_host_only_cookies_of_an_earlier_configuration() {
    let mut shared = settings();
    shared["cookies"] = json!({ "domain": "example.com" });
    let (world, mut browser) = (TestEnv::with(shared), Browser::new());
    world.provider.alters_answer_at("userinfo", |u| u["roles"] = json!(vec!["x".repeat(100); 60]));
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    for name in [format!("{SESSION}.0"), format!("{SESSION}.1")] {
        let expired: Vec<&str> = answer
            .headers
            .get_all("set-cookie")
            .filter(|cookie| cookie.starts_with(&format!("{name}=;")))
            .collect();
        assert_eq!(expired.len(), 3, "{expired:?}");
        assert_eq!(expired.iter().filter(|cookie| cookie.contains("Domain=example.com")).count(), 1);
        assert_eq!(expired.iter().filter(|cookie| !cookie.contains("Domain=")).count(), 1);
    }
}

#[test]
fn a_sign_out_whose_write_the_store_refuses_says_so_and_is_stored_later() {
    let mut settings = settings();
    settings["revocation"] = json!({ "store": "kv" });
    let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
    let elsewhere = world.isolate(settings, "here");
    browser.sign_in(&world, "bob", "/");
    let (mut copy, csrf) = (browser.clone(), browser.csrf(&world));
    // The write, and its repetition while the user waits. The store has no such fact: its limit is another one.
    world.store.refuses_writes.set(("revoked/", 2));
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", csrf.as_str())]);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("could not be ended"), "{}", answer.body);
    assert_eq!(copy.session(&elsewhere), Value::Null, "it was stored after the response");
}
