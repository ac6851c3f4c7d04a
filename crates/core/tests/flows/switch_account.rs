//! A sign-in with another account: the provider's single sign-on must not bring back the same one.

use serde_json::{Value, json};
use vestibule_testing::{APP, AuthorizationRequest, Browser, FakeProvider, TestEnv, environment, settings};

/// Sends the form of the only provider on a page.
fn press(world: &TestEnv, browser: &mut Browser, page: &str) -> AuthorizationRequest {
    let page = browser.open(world, page);
    let mut fields = Vec::new();
    for field in page.body.split("type=\"hidden\" name=\"").skip(1) {
        let (name, rest) = field.split_once("\" value=\"").unwrap();
        fields.push((name, rest.split('"').next().unwrap()));
    }
    let answer = browser.post(world, &format!("{APP}/auth/signin/acme"), &fields);
    AuthorizationRequest::read(answer.location())
}

#[test]
fn sign_in_again_on_the_error_page_asks_the_provider_for_the_account() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    for code in ["AccessDenied", "Configuration"] {
        let page =
            browser.open(&world, &format!("{APP}/auth/error?error={code}&callbackUrl=/dashboard")).body;
        let link = page.split("a class=\"button\" href=\"").nth(1).unwrap().split('"').next().unwrap();
        let request = press(&world, &mut browser, &link.replace("&amp;", "&"));
        assert_eq!(request.params["prompt"], "select_account", "{code}");
        let answer = browser.open(&world, &world.provider.authorize(&request, "bob"));
        assert_eq!(answer.location(), format!("{APP}/dashboard"), "{code}");
    }
}

#[test]
fn after_a_refusal_the_sign_in_page_asks_for_the_account_and_otherwise_it_does_not() {
    for (query, prompt) in [
        ("", None),
        ("?error=MissingCSRF", None),
        ("?error=SignInExpired", None),
        ("?error=OAuthCallbackError", Some("select_account")),
        ("?error=OAuthAccountNotLinked", Some("select_account")),
        ("?prompt=select_account", Some("select_account")),
        ("?prompt=anything", Some("select_account")),
    ] {
        let (world, mut browser) = (TestEnv::new(), Browser::new());
        let request = press(&world, &mut browser, &format!("{APP}/auth/signin{query}"));
        assert_eq!(request.params.get("prompt").map(String::as_str), prompt, "{query}");
    }
}

#[test]
fn a_provider_that_does_not_know_the_parameter_is_asked_without_it_at_the_next_attempt() {
    for dialect in ["authjs-v5", "next-auth-v4"] {
        let mut settings = settings();
        settings["dialect"] = json!(dialect);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let mut page = format!("{APP}/auth/signin?callbackUrl=/dashboard&prompt=select_account");
        for (error, prompt) in [
            ("access_denied", Some("select_account")),
            ("invalid_request", Some("select_account")),
            ("access_denied", None),
            ("invalid_request", Some("select_account")),
        ] {
            let request = press(&world, &mut browser, &page);
            assert_eq!(request.params.get("prompt").map(String::as_str), prompt, "{dialect}: {error}");
            page = browser.open(&world, &FakeProvider::refuse(&request, error)).location().to_owned();
            while let answer = browser.open(&world, &page)
                && answer.status == 302
            {
                page = answer.location().to_owned();
            }
        }
        let request = press(&world, &mut browser, &page);
        assert_eq!(request.params.get("prompt"), None, "{dialect}");
        let answer = browser.open(&world, &world.provider.authorize(&request, "bob"));
        assert_eq!(answer.location(), format!("{APP}/dashboard"), "{dialect}");
    }
}

#[test]
fn a_provider_that_refuses_another_request_leads_to_auth_js_s_addresses() {
    for (dialect, address) in [
        ("authjs-v5", "/auth/signin?error=OAuthCallbackError"),
        ("next-auth-v4", "/auth/error?error=Callback"),
    ] {
        let mut settings = settings();
        settings["dialect"] = json!(dialect);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let request = press(&world, &mut browser, &format!("{APP}/auth/signin"));
        let answer = browser.open(&world, &FakeProvider::refuse(&request, "invalid_request"));
        assert_eq!(answer.location(), format!("{APP}{address}"), "{dialect}");
    }
}

#[test]
fn who_is_signed_in_sees_the_page_if_they_want_another_account() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let page = browser.open(&world, &format!("{APP}/auth/signin?callbackUrl=/x&prompt=select_account"));
    assert!(page.status == 200 && page.body.contains("<bdi>bob</bdi>"), "{page:?}");
    assert!(!page.body.contains("Continue"), "{}", page.body);
}

#[test]
fn each_provider_is_asked_in_its_own_way() {
    for (written, expected) in [
        (json!({}), json!({ "prompt": "select_account" })),
        (json!({ "switch_account_params": { "prompt": "login" } }), json!({ "prompt": "login" })),
        (
            json!({ "switch_account_params": { "prompt": "", "force_login": "1" } }),
            json!({ "force_login": "1" }),
        ),
        (
            json!({ "authorization_params": { "prompt": "consent", "audience": "api" } }),
            json!({ "prompt": "select_account", "audience": "api" }),
        ),
        (json!({ "preset": "okta" }), json!({ "prompt": "login" })),
        (json!({ "preset": "keycloak" }), json!({ "prompt": "login" })),
        (json!({ "preset": "google" }), json!({ "prompt": "select_account" })),
        (json!({ "preset": "azure-ad-b2c" }), json!({ "prompt": "login" })),
    ] {
        let mut settings = settings();
        let provider = settings["providers"][0].as_object_mut().unwrap();
        provider.extend(written.as_object().unwrap().clone());
        let world = TestEnv::in_environment(settings, &environment);
        let request = press(&world, &mut Browser::new(), &format!("{APP}/auth/signin?prompt=select_account"));
        let sent: Vec<(&String, &String)> = request
            .params
            .iter()
            .filter(|(name, _)| ["prompt", "force_login", "audience"].contains(&name.as_str()))
            .collect();
        let expected: Vec<(&String, &Value)> = expected.as_object().unwrap().iter().collect();
        assert_eq!(sent.len(), expected.len(), "{written}: {sent:?}");
        for (name, value) in sent {
            assert!(expected.contains(&(name, &json!(value))), "{written}: {name}={value}");
        }
    }
}

#[test]
fn the_sites_own_page_is_told_that_another_account_is_wanted() {
    let mut own = settings();
    own["pages"] = json!({ "sign_in": "/login" });
    let (world, mut browser) = (TestEnv::with(own), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let page = browser.open(&world, &format!("{APP}/admin")).body;
    assert!(
        page.contains("/login?callbackUrl=https%3A%2F%2Fapp.example.com%2Fadmin&amp;prompt=select_account")
    );
    let answer = browser.open(&world, &format!("{APP}/auth/signin?callbackUrl=/x&prompt=select_account"));
    assert!(answer.location().ends_with("&prompt=select_account"), "{answer:?}");
}
