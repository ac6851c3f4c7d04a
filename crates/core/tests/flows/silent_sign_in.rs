//! `flow/signin/silent`: new tokens for the same user without a question (`prompt=none`).

use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::log::LogEvent;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_testing::provider::FakeProvider;
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, SECRET, TestEnv, settings};

const SESSION: &str = "__Secure-authjs.session-token";
const PAGE: &str = "https://app.example.com/page?x=1";
const SIGN_IN: &str =
    "https://app.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fpage%3Fx%3D1";
const EXPIRED: Duration = Duration::from_secs(3600 + 5);

/// Bob, signed in without a refresh token, after his access token expired.
fn ended_with(settings: Value) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    browser.sign_in(&world, "bob", "/");
    world.pass(EXPIRED);
    (world, browser)
}

fn ended() -> (TestEnv, Browser) {
    ended_with(settings())
}

/// The authorization request of the silent sign-in.
fn sent_to_provider(world: &TestEnv, browser: &mut Browser) -> AuthorizationRequest {
    let answer = browser.open(world, PAGE);
    assert_eq!(answer.status, 302);
    assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
    let request = AuthorizationRequest::read(answer.location());
    assert_eq!(request.endpoint, "https://idp.example/authorize");
    request
}

fn bearer(answer: &Answer) -> Option<&str> {
    answer.forwarded.as_ref()?.request.headers.get("authorization")
}

fn claims(world: &TestEnv, browser: &Browser) -> Map<String, Value> {
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    seal::open(&keys, Dialect::AuthJsV5, SESSION, browser.cookie(SESSION).unwrap(), world.now()).unwrap()
}

#[test]
fn the_user_gets_a_new_token_without_a_question_and_comes_back_to_the_page() {
    let (world, mut browser) = ended();
    let before = claims(&world, &browser);
    let request = sent_to_provider(&world, &mut browser);
    assert_eq!(request.params["prompt"], "none");
    assert_eq!(request.params["login_hint"], "bob@example.com");
    let callback = world.provider.authorize(&request, "bob");
    assert_eq!(browser.open(&world, &callback).location(), PAGE);
    let answer = browser.open(&world, PAGE);
    assert_eq!(bearer(&answer), Some("Bearer access-bob"));
    assert!(browser.cookie_names().iter().all(|name| !name.contains("renewal")), "the marker is forgotten");

    // It is the same session: what ends it does not begin anew.
    let after = claims(&world, &browser);
    assert_eq!(after["sid"], before["sid"]);
    assert_eq!(after["signed_in_at"], before["signed_in_at"]);
    assert!(after["revalidated_at"].as_u64() > before["signed_in_at"].as_u64());
    assert_eq!(after["generation"], json!(1));
    assert!(after["expires_at"].as_u64() > before["expires_at"].as_u64());
    world.pass(EXPIRED);
    sent_to_provider(&world, &mut browser);
}

#[test]
fn configured_parameters_stay_except_a_question() {
    let mut settings = settings();
    settings["providers"][0]["authorization_params"] =
        json!({ "prompt": "consent", "audience": "https://api.example", "login_hint": "BIS" });
    let (world, mut browser) = ended_with(settings);
    let request = sent_to_provider(&world, &mut browser);
    assert_eq!(request.params["prompt"], "none");
    assert_eq!(request.params["audience"], "https://api.example");
    assert_eq!(request.params["login_hint"], "BIS");
}

#[test]
fn if_the_provider_needs_the_user_the_callback_goes_on_to_the_sign_in_page() {
    for (error, is_logged) in [
        ("login_required", false),
        ("interaction_required", false),
        ("consent_required", false),
        ("account_selection_required", false),
        ("access_denied", true),
        ("invalid_request", true),
        ("server_error", true),
    ] {
        let (world, mut browser) = ended();
        let request = sent_to_provider(&world, &mut browser);
        let answer = browser.open(&world, &FakeProvider::refuse(&request, error));
        assert_eq!((answer.status, answer.location()), (302, SIGN_IN), "{error}");
        let lines = world.logged(LogEvent::AuthorizationErrorResponse);
        assert_eq!(lines.len(), usize::from(is_logged), "{error}");
        assert_eq!(browser.session(&world)["user"]["name"], "bob", "the session stays");
        // There the user signs in as ever.
        let location = answer.location().to_owned();
        assert_eq!(browser.open(&world, &location).status, 200);
        browser.sign_in(&world, "bob", PAGE);
        assert_eq!(bearer(&browser.open(&world, PAGE)), Some("Bearer access-bob"));
    }
}

#[test]
fn a_silent_sign_in_cannot_loop() {
    // The browser comes back without a valid token: a callback that got lost, a provider whose tokens have expired.
    let (world, mut browser) = ended();
    sent_to_provider(&world, &mut browser);
    assert_eq!(browser.open(&world, PAGE).location(), SIGN_IN);
    let mut sent = 0;
    for tab in 0..50 {
        let answer = browser.open(&world, &format!("{APP}/tab/{tab}"));
        sent += u32::from(answer.location().starts_with("https://idp.example/"));
    }
    assert_eq!(sent, 7);
    // A minute later the marker has expired.
    world.pass(Duration::from_secs(61));
    browser.plant("__Host-authjs.renewal", "");
    sent_to_provider(&world, &mut browser);
}

#[test]
fn login_csrf_a_silent_sign_in_makes_no_one_another_user() {
    let (world, mut browser) = ended();
    let request = sent_to_provider(&world, &mut browser);
    let callback = world.provider.authorize(&request, "mallory");
    assert_eq!(browser.open(&world, &callback).location(), SIGN_IN);
    assert_eq!(claims(&world, &browser)["sub"], "bob-1");
}

#[test]
fn logout_that_can_be_undone_a_silent_sign_in_does_not_bring_back_a_session() {
    // The user signs out in another tab meanwhile.
    let (world, mut browser) = ended();
    let request = sent_to_provider(&world, &mut browser);
    let csrf = browser.csrf(&world);
    browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    let callback = world.provider.authorize(&request, "bob");
    assert_eq!(browser.open(&world, &callback).location(), SIGN_IN);
    assert_eq!(browser.cookie(SESSION), None);

    // Or signs in as another user.
    let (world, mut browser) = ended();
    let request = sent_to_provider(&world, &mut browser);
    browser.sign_in(&world, "alice", "/");
    let callback = world.provider.authorize(&request, "bob");
    assert_eq!(browser.open(&world, &callback).location(), SIGN_IN);
    assert_eq!(claims(&world, &browser)["sub"], "alice-1");
}

#[test]
fn a_token_endpoint_that_fails_shows_no_error_for_a_sign_in_that_no_one_began() {
    let (world, mut browser) = ended();
    let request = sent_to_provider(&world, &mut browser);
    let callback = world.provider.authorize(&request, "bob");
    world.provider.goes_down("token");
    assert_eq!(browser.open(&world, &callback).location(), SIGN_IN);
    assert_eq!(world.logged(LogEvent::AuthError).len(), 1);
}

#[test]
fn what_a_page_changed_stays() {
    let mut settings = settings();
    settings["session"]["updatable"] = json!(["name", "email"]);
    settings["upstreams"][0]["headers"] = json!({});
    let (world, mut browser) = ended_with(settings);
    let csrf = browser.csrf(&world);
    let body =
        json!({ "csrfToken": csrf, "data": { "name": "Rob", "email": "rob@example.com" } }).to_string();
    let json_type = [("content-type", "application/json")];
    browser.send(&world, "POST", &format!("{APP}/auth/session"), &json_type, body.as_bytes());
    let request = sent_to_provider(&world, &mut browser);
    browser.open(&world, &world.provider.authorize(&request, "bob"));
    let after = claims(&world, &browser);
    assert_eq!((&after["name"], &after["email"]), (&json!("Rob"), &json!("rob@example.com")));
    assert_eq!(after["email_verified"], json!(false));
    assert_eq!(after["access_token"], "access-bob");
}

#[test]
fn a_provider_that_cannot_confirm_silently_is_not_asked() {
    // It posts its response: the browser would send no session with it.
    let mut posting = settings();
    posting["providers"][0]["response_mode"] = json!("form_post");
    let (world, mut browser) = ended_with(posting);
    assert_eq!(browser.open(&world, PAGE).location(), SIGN_IN);
    // Its metadata are unavailable.
    let (world, browser) = ended();
    let mut browser = browser;
    let fresh = world.isolate(settings(), "there");
    fresh.provider.goes_down("discovery");
    assert_eq!(browser.open(&fresh, PAGE).location(), SIGN_IN);
    assert_eq!(fresh.logged(LogEvent::AuthError).len(), 1);
    // A form's content would be lost either way: it asks the user.
    fresh.provider.comes_back();
    assert_eq!(browser.post(&world, PAGE, &[("a", "b")]).location(), SIGN_IN);
}

#[test]
fn only_a_page_with_a_valid_token_forgets_that_others_were_sent_away() {
    let mut settings = settings();
    settings["upstreams"][0].as_object_mut().unwrap().remove("authorization");
    settings["rules"] = json!([{ "match": "/page", "access": "signed-in", "authorization": "access_token" }]);
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    for (path, forgets) in [("/picture", false), ("/page", true)] {
        browser.plant("__Host-authjs.renewal", "abcdefghij");
        let answer = browser.fetch(&world, &format!("{APP}{path}"));
        assert_eq!(answer.status, 200);
        let renewals = answer.headers.get_all("set-cookie").filter(|cookie| cookie.contains("renewal"));
        assert_eq!(renewals.count() > 0, forgets, "{path}");
    }
}

#[test]
fn the_provider_says_again_whether_an_address_is_verified_that_no_page_may_change() {
    for (updatable, verified) in [(json!(["name"]), true), (json!(["name", "email"]), false)] {
        let mut settings = settings();
        settings["session"]["updatable"] = updatable.clone();
        settings["upstreams"][0]["headers"] = json!({});
        let (world, mut browser) = ended_with(settings);
        world.provider.alters_answer_at("userinfo", |claims| claims["email_verified"] = json!(true));
        assert_eq!(claims(&world, &browser).get("email_verified"), None);
        let request = sent_to_provider(&world, &mut browser);
        browser.open(&world, &world.provider.authorize(&request, "bob"));
        let after = claims(&world, &browser);
        assert_eq!(after.get("email_verified"), verified.then_some(&json!(true)), "{updatable}");
    }
}

#[test]
fn the_address_is_a_hint_unless_the_configuration_has_one() {
    for (params, hint) in [
        (json!({}), "bob@example.com"),
        (json!({ "audience": "api" }), "bob@example.com"),
        (json!({ "audience": "api", "login_hint": "BIS" }), "BIS"),
    ] {
        let mut settings = settings();
        settings["providers"][0]["authorization_params"] = params.clone();
        let (world, mut browser) = ended_with(settings);
        let answer = browser.open(&world, PAGE);
        assert_eq!(answer.location().matches("login_hint=").count(), 1, "{answer:?}");
        assert_eq!(AuthorizationRequest::read(answer.location()).params["login_hint"], hint, "{params}");
    }
}
