//! `pages.straight_to_provider`: one provider, and no click on the way to it.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, TestEnv, environment, settings};

use crate::credentials::json_api;
use crate::login_host::visitor::{Site, Visitor};
use crate::login_host::{APP as MEMBER, AUTH, DOCS, of_the_docs, of_the_login_host};

const PROVIDER: &str = "https://idp.example/authorize?";

fn straight() -> Value {
    let mut settings = settings();
    settings["pages"] = json!({ "straight_to_provider": true });
    settings
}

#[test]
fn a_person_goes_to_the_only_provider_at_once_and_comes_back_to_the_page() {
    let (world, mut browser) = (TestEnv::with(straight()), Browser::new());
    let wanted = format!("{APP}/dashboard?tab=1");
    let denied = browser.open(&world, &wanted);
    let there = browser.open(&world, denied.location());
    assert!(there.location().starts_with(PROVIDER), "{there:?}");
    assert_eq!(there.headers.get("cache-control"), Some("private, no-store"));
    let request = AuthorizationRequest::read(there.location());
    let answer = browser.open(&world, &world.provider.authorize(&request, "bob"));
    assert_eq!(answer.location(), wanted);
    assert!(browser.open(&world, &wanted).forwarded.is_some());
    // Without the key there is a click.
    let page = Browser::new().open(&TestEnv::new(), &format!("{APP}/auth/signin"));
    assert_eq!(page.status, 200);
}

#[test]
fn after_a_sign_out_nobody_is_signed_in_again_before_they_ask_for_it() {
    let (world, mut browser) = (TestEnv::with(straight()), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let form = [("csrfToken", csrf.as_str()), ("callbackUrl", "/dashboard")];
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &form);
    assert_eq!(answer.location(), format!("{APP}/dashboard"));
    for _ in 0..3 {
        let denied = browser.open(&world, &format!("{APP}/dashboard"));
        let page = browser.open(&world, denied.location());
        assert!(page.status == 200 && page.body.contains("Sign in with"), "{page:?}");
        world.pass(Duration::from_hours(1));
    }
    // Who signs in has asked for it, so the next time there is no click again.
    browser.sign_in(&world, "bob", "/");
    assert!(!browser.cookie_names().iter().any(|name| name.contains("signed-out")));
    let kept = browser.clone();
    assert!(kept.cookie("__Secure-authjs.session-token").is_some());
}

#[test]
fn a_sign_in_whose_answer_is_posted_takes_a_sign_out_back_too() {
    let mut settings = straight();
    settings["providers"][0]["response_mode"] = json!("form_post");
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    let request = browser.begin(&world, "/");
    // The browser sends no `Lax` cookies with it, so nothing shows that someone has signed out.
    let answer = browser.post_response(&world, &request, "bob", false);
    assert_eq!(answer.status, 302, "{answer:?}");
    let mut set = answer.headers.get_all("set-cookie");
    assert!(set.any(|cookie| cookie.contains("signed-out=;") && cookie.contains("Max-Age=0")), "{answer:?}");
}

#[test]
fn the_page_is_shown_where_a_person_has_something_to_read_or_to_choose() {
    for query in [
        "error=AccessDenied",
        "error=SignInExpired",
        "error=MissingCSRF",
        "csrf=true",
        "prompt=select_account",
    ] {
        let (world, mut browser) = (TestEnv::with(straight()), Browser::new());
        let page = browser.open(&world, &format!("{APP}/auth/signin?callbackUrl=/x&{query}"));
        assert_eq!(page.status, 200, "{query}");
    }
    let (world, mut browser) = (TestEnv::with(straight()), Browser::new());
    let answer = browser.open(&world, &format!("{APP}/auth/signin?error=SessionRequired&callbackUrl=/x"));
    assert!(answer.location().starts_with(PROVIDER), "next-auth 4 says so of every page: {answer:?}");
}

#[test]
fn scripts_prefetches_and_frames_begin_no_sign_in() {
    let world = TestEnv::with(straight());
    let page = format!("{APP}/auth/signin?callbackUrl=/x");
    for headers in [
        &[("sec-fetch-mode", "cors")][..],
        &[("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch")],
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        &[],
    ] {
        let answer = world.send("GET", &page, headers, b"");
        assert_eq!(answer.status, 200, "{headers:?}");
    }
    let head = world.send("HEAD", &page, &[("sec-fetch-mode", "navigate")], b"");
    assert_eq!(head.status, 200);
    let navigation = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    assert_eq!(world.send("GET", &page, &navigation, b"").status, 302);
}

#[test]
fn a_browser_that_comes_back_without_a_session_sees_the_page_instead_of_a_redirect_loop() {
    let (world, mut browser) = (TestEnv::with(straight()), Browser::new());
    let page = format!("{APP}/auth/signin?callbackUrl=/dashboard");
    assert!(browser.open(&world, &page).location().starts_with(PROVIDER));
    assert_eq!(browser.open(&world, &page).status, 200);
    // A browser that keeps no cookie at all comes back with a callback that belongs to nothing.
    let callback = Browser::new().open(&world, &format!("{APP}/auth/callback/acme?code=x&state=y"));
    assert_eq!(Browser::new().open(&world, callback.location()).status, 200);
    // While the provider is down there is a page with a button.
    world.provider.goes_down("discovery");
    assert_eq!(Browser::new().open(&TestEnv::with(straight()), &page).status, 302);
    world.pass(Duration::from_hours(2));
    let down = TestEnv::with(straight());
    down.provider.goes_down("discovery");
    assert_eq!(Browser::new().open(&down, &page).status, 200);
}

#[test]
fn a_sign_out_on_another_host_of_the_site_is_known_at_the_login_host() {
    let mut settings = of_the_login_host();
    settings["pages"] = json!({ "straight_to_provider": true });
    let login = TestEnv::with(settings);
    let docs = login.isolate(of_the_docs(), "there");
    let (site, mut visitor) = (Site { login, docs }, Visitor::new());
    let page = format!("{AUTH}/auth/signin?callbackUrl={MEMBER}/x");
    assert!(visitor.open(&site, &page).location().starts_with(PROVIDER));
    let csrf = visitor.csrf(&site, MEMBER);
    visitor.post(&site, &format!("{MEMBER}/auth/signout"), &[("csrfToken", &csrf)], &[]);
    let other = format!("{AUTH}/auth/signin?callbackUrl={MEMBER}/y");
    assert_eq!(visitor.open(&site, &other).status, 200);
}

#[test]
fn login_csrf_a_link_of_another_site_signs_nobody_in_as_somebody_else() {
    let (world, mut victim, mut attacker) = (TestEnv::with(straight()), Browser::new(), Browser::new());
    let link = format!(
        "{APP}/auth/signin?callbackUrl=/x&login_hint=mallory&state=s&redirect_uri=https://evil.example"
    );
    let headers =
        [("sec-fetch-mode", "navigate"), ("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document")];
    let there = victim.send(&world, "GET", &link, &headers, b"");
    let request = AuthorizationRequest::read(there.location());
    assert_eq!(request.params["redirect_uri"], format!("{APP}/auth/callback/acme"));
    assert_ne!(request.params["state"], "s");
    assert!(!request.params.contains_key("login_hint"));
    // What the attacker gets from the provider works in the attacker's browser only.
    let of_attacker = attacker.begin(&world, "/");
    let callback = world.provider.authorize(&of_attacker, "mallory");
    let answer = victim.open(&world, &callback);
    assert!(answer.location().contains("SignInExpired"), "{answer:?}");
    assert_eq!(victim.session(&world), Value::Null);
}

#[test]
fn the_key_is_refused_where_there_is_not_exactly_one_way() {
    let two = |mut settings: Value| {
        let other = json!({ "id": "other", "issuer": "https://idp.example", "client_id": "x", "token_endpoint_auth_method": "none" });
        settings["providers"].as_array_mut().unwrap().push(other);
        settings
    };
    let mut own_page = straight();
    own_page["pages"]["sign_in"] = json!("/login");
    let mut api = json_api();
    api["pages"] = json!({ "straight_to_provider": true });
    let mut member = of_the_docs();
    member["pages"] = json!({ "straight_to_provider": true });
    for (settings, words) in [
        (two(straight()), "several providers"),
        (own_page, "pages.sign_in"),
        (api, "form on the sign-in page"),
        (member, "login_url"),
    ] {
        let errors =
            Config::load(settings, &environment, &vestibule_testing::RUNTIME).unwrap_err().to_string();
        assert!(errors.contains("AUTH.pages.straight_to_provider") && errors.contains(words), "{errors}");
    }
}

#[test]
fn the_page_s_languages_replace_the_configured_ones_and_no_other_parameter() {
    let mut settings = straight();
    settings["providers"][0]["authorization_params"] = json!({ "ui_locales": "en", "audience": "api" });
    let world = TestEnv::with(settings);
    for (page, languages) in [("/auth/signin", "en"), ("/auth/signin?ui_locales=fr-CA", "fr-CA")] {
        let there = Browser::new().open(&world, &format!("{APP}{page}"));
        let request = AuthorizationRequest::read(there.location());
        assert_eq!((&*request.params["ui_locales"], &*request.params["audience"]), (languages, "api"));
        assert_eq!(there.location().matches("ui_locales").count(), 1, "{}", there.location());
    }
}

#[test]
fn a_sign_out_is_remembered_only_where_someone_could_be_sent_straight_to_a_provider() {
    let remembers =
        |answer: &Answer| answer.headers.get_all("set-cookie").any(|cookie| cookie.contains(".signed-out=1"));
    for (settings, is_remembered) in [(straight(), true), (settings(), false)] {
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.sign_in(&world, "bob", "/");
        let csrf = browser.csrf(&world);
        let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
        assert_eq!(remembers(&answer), is_remembered, "{answer:?}");
    }
    // Another host of the site does not know what the host does that signs users in.
    let mut settings = of_the_login_host();
    settings["pages"] = json!({ "straight_to_provider": true });
    let login = TestEnv::with(settings);
    let docs = login.isolate(of_the_docs(), "there");
    let (site, mut visitor) = (Site { login, docs }, Visitor::new());
    let csrf = visitor.csrf(&site, DOCS);
    let answer = visitor.post(&site, &format!("{DOCS}/auth/signout"), &[("csrfToken", &csrf)], &[]);
    assert!(remembers(&answer), "{answer:?}");
}
