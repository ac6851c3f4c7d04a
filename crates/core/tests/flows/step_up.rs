//! `flow/signin/step_up`: a rule asks for `acr`, `amr` or `max_age` (RFC 9470).

use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule_core::config::Config;
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::log::LogEvent;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::texts::Text;
use vestibule_core::texts::languages::BUILT_IN;
use vestibule_testing::provider::{FakeProvider, ISSUER};
use vestibule_testing::{
    APP, Answer, AuthorizationRequest, Browser, RUNTIME, SECRET, TestEnv, environment, settings,
};

use crate::credentials::{json_api, sign_in_as_ada};
use crate::identity::sealed;
use crate::login_host::visitor::{Site, Visitor};
use crate::login_host::{AUTH, DOCS, of_the_docs, of_the_login_host};

const SESSION: &str = "__Secure-authjs.session-token";
const PAGE: &str = "https://app.example.com/secure/page?x=1";
const DATA: &str = "https://app.example.com/secure/data";
const OWN: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("origin", APP)];
const MINUTE: Duration = Duration::from_mins(1);

/// The default settings with this rule for `/secure`.
pub fn with_rule(rule: &Value) -> Value {
    let mut settings = settings();
    let mut all = json!({ "match": "/secure/:path*", "access": "signed-in" });
    for (key, value) in rule.as_object().unwrap() {
        all[key] = value.clone();
    }
    settings["rules"].as_array_mut().unwrap().push(all);
    settings
}

fn world(rule: &Value) -> TestEnv {
    TestEnv::with(with_rule(rule))
}

/// From now on ID tokens have these claims, too; `auth_time` is so many seconds before `iat`.
fn id_tokens_have(world: &TestEnv, claims: &Value) {
    let claims = claims.clone();
    world.provider.alters_answer_at("id_token", move |token| {
        for (name, value) in claims.as_object().unwrap() {
            token[name] = match name.as_str() {
                "auth_time" => json!(token["iat"].as_u64().unwrap() - value.as_u64().unwrap()),
                _ => value.clone(),
            };
        }
    });
}

fn signed_in(world: &TestEnv) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(world, "bob", "/");
    browser
}

fn claims(world: &TestEnv, browser: &Browser) -> Map<String, Value> {
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    seal::open(&keys, Dialect::AuthJsV5, SESSION, browser.cookie(SESSION).unwrap(), world.now()).unwrap()
}

/// The authorization request of a step-up that a navigation to `url` begins.
fn sent_to_provider(world: &TestEnv, browser: &mut Browser, url: &str) -> AuthorizationRequest {
    let answer = browser.open(world, url);
    assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
    assert!(answer.forwarded.is_none());
    let request = AuthorizationRequest::read(answer.location());
    assert_eq!(request.endpoint, "https://idp.example/authorize", "{}", answer.location());
    request
}

/// The browser comes back from the provider, where `user` is.
fn comes_back(world: &TestEnv, browser: &mut Browser, request: &AuthorizationRequest, user: &str) -> Answer {
    let callback = world.provider.authorize(request, user);
    browser.open(world, &callback)
}

fn assert_page(answer: &Answer, text: &str) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains(text), "{}", answer.body);
    assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
    assert!(!answer.headers.contains("location"));
}

/// The pages of this flow.
pub fn every_page() -> Vec<(&'static str, Answer)> {
    let page = |token: Value, user: &str| {
        let world = world(&json!({ "acr": "gold" }));
        let mut browser = signed_in(&world);
        let request = sent_to_provider(&world, &mut browser, PAGE);
        id_tokens_have(&world, &token);
        comes_back(&world, &mut browser, &request, user)
    };
    let world = world(&json!({ "acr": "gold" }));
    let mut browser = signed_in(&world);
    let form = browser.post_with(&world, &format!("{APP}/secure/save"), &[("title", "x")], &OWN);
    let mut settings = json_api();
    settings["rules"] = json!([{ "match": "/secure/:path*", "acr": "gold" }]);
    let (api, mut ada) = (TestEnv::with(settings), Browser::new());
    sign_in_as_ada(&api, &mut ada);
    vec![
        ("step-up-not-given", page(json!({}), "bob")),
        ("step-up-other-user", page(json!({ "acr": "gold" }), "mallory")),
        ("step-up-impossible", ada.open(&api, PAGE)),
        ("step-up-form", form),
    ]
}

const NOT_GIVEN: &str = "it was not confirmed";
const OTHER_USER: &str = "You confirmed a different account";
const IMPOSSIBLE: &str = "than your account can give here";

#[test]
fn a_person_is_sent_to_the_sessions_provider_and_comes_back_to_the_address() {
    let world = world(&json!({ "acr": ["gold", "platinum"], "max_age": "15m" }));
    let mut browser = signed_in(&world);
    let before = claims(&world, &browser);
    let request = sent_to_provider(&world, &mut browser, PAGE);
    assert_eq!(request.params["acr_values"], "gold platinum");
    assert_eq!(request.params["max_age"], "900");
    assert_eq!(request.params["login_hint"], "bob@example.com");
    assert!(!request.params.contains_key("prompt") && !request.params.contains_key("claims"));

    id_tokens_have(&world, &json!({ "acr": "gold", "amr": ["pwd", "otp"], "auth_time": 3 }));
    assert_eq!(comes_back(&world, &mut browser, &request, "bob").location(), PAGE);
    assert!(browser.open(&world, PAGE).forwarded.is_some());
    assert!(browser.fetch(&world, DATA).forwarded.is_some());

    // It is the same session: what ends it does not begin anew.
    let after = claims(&world, &browser);
    for same in ["sid", "sub", "provider", "signed_in_at"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!((&after["acr"], &after["amr"]), (&json!("gold"), &json!(["pwd", "otp"])));
    assert_eq!(after["auth_time"], json!(world.now().seconds() - 3));
    assert!(world.logged(LogEvent::StepUpFailed).is_empty());

    // A quarter of an hour later, and a minute for clocks that differ, it is asked again.
    world.pass(MINUTE * 15);
    assert!(browser.open(&world, PAGE).forwarded.is_some());
    world.pass(MINUTE * 2);
    sent_to_provider(&world, &mut browser, PAGE);
}

#[test]
fn who_shows_enough_is_not_asked_and_other_pages_ask_for_nothing() {
    for (rule, token, passes) in [
        (json!({ "acr": "gold" }), json!({ "acr": "gold" }), true),
        (json!({ "acr": "gold" }), json!({ "acr": "silver" }), false),
        (json!({ "acr": "gold" }), json!({}), false),
        (json!({ "amr": "otp" }), json!({ "amr": ["pwd", "otp"] }), true),
        (json!({ "amr": ["otp", "pwd"] }), json!({ "amr": ["pwd", "otp"] }), true),
        (json!({ "amr": ["otp", "hwk"] }), json!({ "amr": ["pwd", "otp"] }), false),
        (json!({ "amr": "otp" }), json!({ "amr": "otp" }), false),
        (json!({ "max_age": "5m" }), json!({ "auth_time": 299 }), true),
        (json!({ "max_age": "5m" }), json!({ "auth_time": 400 }), false),
        (json!({ "max_age": "5m" }), json!({}), false),
        (json!({ "acr": "gold", "max_age": "5m" }), json!({ "acr": "gold" }), false),
    ] {
        let world = world(&rule);
        id_tokens_have(&world, &token);
        let mut browser = signed_in(&world);
        let answer = browser.open(&world, PAGE);
        assert_eq!(answer.forwarded.is_some(), passes, "{rule} {token}: {answer:?}");
        assert!(passes || answer.location().starts_with("https://idp.example/authorize?"));
        assert!(browser.open(&world, &format!("{APP}/other")).forwarded.is_some());
    }
}

#[test]
fn a_rule_that_only_asks_for_step_up_is_for_signed_in_users() {
    let mut settings = settings();
    settings["rules"].as_array_mut().unwrap().push(json!({ "match": "/secure/:path*", "acr": "gold" }));
    let world = TestEnv::with(settings);
    let answer = Browser::new().open(&world, PAGE);
    assert!(
        answer.location().starts_with("https://app.example.com/auth/signin?"),
        "who is signed out signs in"
    );
    let answer = Browser::new().fetch(&world, DATA);
    assert_eq!((answer.status, answer.headers.get("www-authenticate")), (401, Some("Bearer")));
    sent_to_provider(&world, &mut signed_in(&world), PAGE);
}

#[test]
fn who_may_not_pass_is_not_asked_to_prove_more() {
    for (deny, status) in [("sign-in", 403), ("forbidden", 403), ("not-found", 404)] {
        let mut settings =
            with_rule(&json!({ "acr": "gold", "deny": deny, "require": { "roles": "admin" } }));
        settings["rules"]
            .as_array_mut()
            .unwrap()
            .last_mut()
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove("access");
        let world = TestEnv::with(settings);
        let mut bob = signed_in(&world);
        assert_eq!(bob.open(&world, PAGE).status, status);
        let mut alice = Browser::new();
        alice.sign_in(&world, "alice", "/");
        sent_to_provider(&world, &mut alice, PAGE);
    }
}

#[test]
fn the_strictest_of_all_readings_of_a_path_counts() {
    let mut settings = with_rule(&json!({ "acr": "gold", "max_age": "1h" }));
    settings["rules"].as_array_mut().unwrap().insert(
        0,
        json!({ "match": "/secure;x/:path*", "access": "signed-in", "amr": "otp", "max_age": "5m" }),
    );
    let world = TestEnv::with(settings);
    let mut browser = signed_in(&world);
    let request = sent_to_provider(&world, &mut browser, &format!("{APP}/secure;x/page"));
    assert_eq!((&*request.params["acr_values"], &*request.params["max_age"]), ("gold", "300"));
}

#[test]
fn a_script_a_websocket_and_a_prefetch_get_401_with_what_is_missing() {
    let world = world(&json!({ "acr": ["gold", "platinum"], "amr": "otp", "max_age": "15m" }));
    let mut browser = signed_in(&world);
    for headers in [
        &[("sec-fetch-mode", "cors"), ("referer", PAGE)][..],
        &[
            ("sec-fetch-mode", "websocket"),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("origin", APP),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch"), ("accept", "text/html")],
    ] {
        let answer = browser.send(&world, "GET", DATA, headers, b"");
        assert_eq!(answer.status, 401, "{headers:?}: {answer:?}");
        assert_eq!(
            answer.headers.get("www-authenticate"),
            Some(
                "Bearer error=\"insufficient_user_authentication\", \
                 error_description=\"a different or a more recent authentication is required\", \
                 acr_values=\"gold platinum\", max_age=\"900\""
            )
        );
        assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["error"], "insufficient_user_authentication");
        assert_eq!((&body["acr_values"], &body["max_age"]), (&json!("gold platinum"), &json!(900)));
        assert_eq!(body["amr"], json!(["otp"]));
        assert!(
            body["signInUrl"].as_str().unwrap().starts_with("https://app.example.com/auth/step-up?request=")
        );
        assert!(answer.forwarded.is_none() && !answer.headers.contains("set-cookie"));
    }
    // Each challenge has only what the rule asks for.
    let other = TestEnv::with(with_rule(&json!({ "max_age": "1m" })));
    let answer = signed_in(&other).fetch(&other, DATA);
    let challenge = answer.headers.get("www-authenticate").unwrap();
    assert!(challenge.ends_with("required\", max_age=\"60\"") && !challenge.contains("acr"), "{challenge}");
}

#[test]
fn the_address_that_a_script_gets_leads_to_the_provider_and_back_to_the_page() {
    let world = world(&json!({ "acr": "gold" }));
    let mut browser = signed_in(&world);
    let headers = [("sec-fetch-mode", "cors"), ("referer", "https://app.example.com/app")];
    let answer = browser.send(&world, "GET", DATA, &headers, b"");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let there = body["signInUrl"].as_str().unwrap().to_owned();
    world.pass(MINUTE * 59);
    let prefetch = [("sec-purpose", "prefetch"), ("sec-fetch-mode", "navigate")];
    assert_eq!(browser.send(&world, "GET", &there, &prefetch, b"").status, 503);
    let answer = browser.open(&world, &there);
    let request = AuthorizationRequest::read(answer.location());
    assert_eq!(
        (&*request.endpoint, &*request.params["acr_values"]),
        ("https://idp.example/authorize", "gold")
    );
    id_tokens_have(&world, &json!({ "acr": "gold" }));
    let back = comes_back(&world, &mut browser, &request, "bob");
    assert_eq!(back.location(), "https://app.example.com/app");
    assert!(browser.fetch(&world, DATA).forwarded.is_some());

    // Who has proven it meanwhile goes on, who is signed out signs in, and an old or altered address leads home.
    world.pass(MINUTE);
    browser.plant("__Host-authjs.renewal", "");
    let fresh = signed_in(&world).send(&world, "GET", DATA, &headers, b"");
    assert!(fresh.forwarded.is_some());
    id_tokens_have(&world, &json!({ "acr": "silver" }));
    let answer = signed_in(&world).send(&world, "GET", DATA, &headers, b"");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let there = body["signInUrl"].as_str().unwrap().to_owned();
    assert_eq!(browser.open(&world, &there).location(), "https://app.example.com/app");
    let signed_out = Browser::new().open(&world, &there);
    assert!(signed_out.location().starts_with("https://app.example.com/auth/signin?callbackUrl="));
    for wrong in [
        format!("{there}x"),
        format!("{APP}/auth/step-up"),
        format!("{APP}/auth/step-up?request="),
        format!("{APP}/auth/step-up?request={}", browser.cookie(SESSION).unwrap()),
    ] {
        assert_eq!(browser.open(&world, &wrong).location(), APP, "{wrong}");
    }
    world.pass(MINUTE * 61);
    assert_eq!(browser.open(&world, &there).location(), APP);
    assert!(!world.logged(LogEvent::StepUpFailed).is_empty());
}

#[test]
fn a_provider_that_answers_without_it_gets_a_page_and_no_second_try() {
    for (rule, token) in [
        (json!({ "acr": "gold" }), json!({ "acr": "silver" })),
        (json!({ "acr": "gold" }), json!({})),
        (json!({ "amr": "otp" }), json!({ "amr": ["pwd"] })),
        (json!({ "max_age": "5m" }), json!({ "auth_time": 3600 })),
        (json!({ "max_age": "5m" }), json!({})),
        (json!({ "acr": "gold", "max_age": "5m" }), json!({ "acr": "gold", "auth_time": 3600 })),
        (json!({ "acr": "gold", "amr": "otp" }), json!({ "acr": "gold" })),
    ] {
        let world = world(&rule);
        let mut browser = signed_in(&world);
        let before = browser.cookie(SESSION).unwrap().to_owned();
        let request = sent_to_provider(&world, &mut browser, PAGE);
        id_tokens_have(&world, &token);
        let answer = comes_back(&world, &mut browser, &request, "bob");
        assert_page(&answer, NOT_GIVEN);
        assert!(
            answer.body.contains("href=\"https://app.example.com/secure/page?x=1\""),
            "a click tries again"
        );
        assert_eq!(world.logged(LogEvent::StepUpFailed).len(), 1, "{rule}: {}", world.log_text());

        // The session that was good before stays good for everything else.
        assert_eq!(browser.cookie(SESSION), Some(before.as_str()), "{rule}");
        assert!(browser.open(&world, &format!("{APP}/other")).forwarded.is_some());
        assert_eq!(browser.session(&world)["user"]["name"], "bob");
        assert_eq!(browser.fetch(&world, DATA).status, 401);
        // Only a person's click goes there again.
        sent_to_provider(&world, &mut browser, PAGE);
    }
}

#[test]
fn unproven_identity_only_the_id_token_shows_how_the_provider_authenticated_the_user() {
    let world = world(&json!({ "acr": "gold" }));
    let mut browser = signed_in(&world);
    let request = sent_to_provider(&world, &mut browser, PAGE);
    world.provider.alters_answer_at("userinfo", |claims| claims["acr"] = json!("gold"));
    assert_page(&comes_back(&world, &mut browser, &request, "bob"), NOT_GIVEN);
    assert_eq!(browser.fetch(&world, DATA).status, 401);
}

#[test]
fn a_refusal_at_the_provider_is_a_page() {
    for error in
        ["access_denied", "login_required", "unmet_authentication_requirements", "interaction_required"]
    {
        let world = world(&json!({ "acr": "gold" }));
        let mut browser = signed_in(&world);
        let before = browser.cookie(SESSION).unwrap().to_owned();
        let request = sent_to_provider(&world, &mut browser, PAGE);
        let answer = browser.open(&world, &FakeProvider::refuse(&request, error));
        assert_page(&answer, NOT_GIVEN);
        assert_eq!(browser.cookie(SESSION), Some(before.as_str()));
        let lines = world.logged(LogEvent::StepUpFailed);
        assert_eq!(lines.len(), 1);
        assert!(world.log_text().contains(error), "{}", world.log_text());
    }
}

#[test]
fn a_step_up_cannot_loop() {
    // The browser comes back without the session: a callback that got lost, or a cookie that it does not keep.
    let world = world(&json!({ "acr": "gold", "max_age": "1m" }));
    id_tokens_have(&world, &json!({ "acr": "gold", "auth_time": 0 }));
    let mut browser = signed_in(&world);
    world.pass(MINUTE * 3);
    let old = browser.cookie(SESSION).unwrap().to_owned();
    let request = sent_to_provider(&world, &mut browser, PAGE);
    assert_eq!(comes_back(&world, &mut browser, &request, "bob").location(), PAGE);
    browser.plant(SESSION, &old);
    assert_page(&browser.open(&world, PAGE), NOT_GIVEN);
    assert_page(&browser.open(&world, PAGE), NOT_GIVEN);
    let mut sent = 0;
    for tab in 0..50 {
        let answer = browser.open(&world, &format!("{APP}/secure/{tab}"));
        sent += u32::from(answer.status == 302);
    }
    assert_eq!(sent, 7);
    // A minute later the marker has expired.
    world.pass(Duration::from_secs(61));
    browser.plant("__Host-authjs.renewal", "");
    sent_to_provider(&world, &mut browser, PAGE);
}

#[test]
fn login_csrf_a_step_up_makes_no_one_another_user() {
    let world = world(&json!({ "acr": "gold" }));
    let mut browser = signed_in(&world);
    let before = browser.cookie(SESSION).unwrap().to_owned();
    let request = sent_to_provider(&world, &mut browser, PAGE);
    id_tokens_have(&world, &json!({ "acr": "gold" }));
    let answer = comes_back(&world, &mut browser, &request, "mallory");
    assert_page(&answer, OTHER_USER);
    assert!(answer.body.contains("prompt=select_account"), "who wants to change the account can");
    assert_eq!(browser.cookie(SESSION), Some(before.as_str()));
    assert_eq!(world.logged(LogEvent::StepUpFailed).len(), 1);
}

#[test]
fn logout_that_can_be_undone_a_step_up_does_not_bring_back_a_session() {
    // The user signs out in another tab meanwhile.
    let world = world(&json!({ "acr": "gold" }));
    let mut browser = signed_in(&world);
    let request = sent_to_provider(&world, &mut browser, PAGE);
    let csrf = browser.csrf(&world);
    browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    id_tokens_have(&world, &json!({ "acr": "gold" }));
    let answer = comes_back(&world, &mut browser, &request, "bob");
    assert!(answer.location().starts_with("https://app.example.com/auth/signin?"));
    assert_eq!(browser.cookie(SESSION), None);
    // Or signs in as another user.
    let mut browser = signed_in(&world);
    browser.plant("__Host-authjs.renewal", "");
    id_tokens_have(&world, &json!({ "acr": "silver" }));
    browser.sign_in(&world, "bob", "/");
    let request = sent_to_provider(&world, &mut browser, PAGE);
    browser.sign_in(&world, "alice", "/");
    id_tokens_have(&world, &json!({ "acr": "gold" }));
    let answer = comes_back(&world, &mut browser, &request, "bob");
    assert!(answer.location().starts_with("https://app.example.com/auth/signin?"));
    assert_eq!(claims(&world, &browser)["sub"], "alice-1");
    assert_eq!(claims(&world, &browser).get("acr"), Some(&json!("silver")));
}

#[test]
fn a_posted_response_keeps_the_user_although_the_browser_sends_no_session() {
    let mut settings = with_rule(&json!({ "acr": "gold" }));
    settings["providers"][0]["response_mode"] = json!("form_post");
    let world = TestEnv::with(settings);
    let posted = |browser: &mut Browser, request: &AuthorizationRequest, user: &str| {
        browser.post_response(&world, request, user, false)
    };
    let mut browser = Browser::new();
    let request = browser.begin(&world, "/");
    posted(&mut browser, &request, "bob");
    let before = browser.cookie(SESSION).unwrap().to_owned();
    let request = sent_to_provider(&world, &mut browser, PAGE);
    id_tokens_have(&world, &json!({ "acr": "silver" }));
    assert_page(&posted(&mut browser, &request, "bob"), NOT_GIVEN);
    id_tokens_have(&world, &json!({ "acr": "gold" }));
    browser.plant("__Host-authjs.renewal", "");
    let request = sent_to_provider(&world, &mut browser, PAGE);
    assert_page(&posted(&mut browser, &request, "mallory"), OTHER_USER);
    assert_eq!(browser.cookie(SESSION), Some(before.as_str()));
    browser.plant("__Host-authjs.renewal", "");
    let request = sent_to_provider(&world, &mut browser, PAGE);
    assert_eq!(posted(&mut browser, &request, "bob").location(), PAGE);
    assert!(browser.open(&world, PAGE).forwarded.is_some());

    // Who has signed out meanwhile, as this process knows, is not signed in by it.
    id_tokens_have(&world, &json!({ "acr": "silver" }));
    let request = browser.begin(&world, "/");
    posted(&mut browser, &request, "bob");
    browser.plant("__Host-authjs.renewal", "");
    let request = sent_to_provider(&world, &mut browser, PAGE);
    let csrf = browser.csrf(&world);
    browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    id_tokens_have(&world, &json!({ "acr": "gold" }));
    let answer = posted(&mut browser, &request, "bob");
    assert!(answer.location().starts_with("https://app.example.com/auth/signin?"), "{answer:?}");
    assert_eq!(browser.cookie(SESSION), None);
}

#[test]
fn login_csrf_a_posted_step_up_replaces_no_session_of_another_user() {
    let mut settings = with_rule(&json!({ "acr": "gold" }));
    settings["providers"][0]["response_mode"] = json!("form_post");
    let world = TestEnv::with(settings);
    // The provider is of the same site, so the browser sends every cookie with its form.
    let posted = |browser: &mut Browser, request: &AuthorizationRequest, user: &str| {
        browser.post_response(&world, request, user, true)
    };
    let mut browser = Browser::new();
    let request = browser.begin(&world, "/");
    posted(&mut browser, &request, "bob");
    let step_up = sent_to_provider(&world, &mut browser, PAGE);
    // Somebody else signs in with this browser before the step-up ends.
    let request = browser.begin(&world, "/");
    posted(&mut browser, &request, "alice");
    id_tokens_have(&world, &json!({ "acr": "gold" }));
    let answer = posted(&mut browser, &step_up, "bob");
    assert!(answer.location().starts_with("https://app.example.com/auth/signin?"), "{answer:?}");
    assert_eq!(claims(&world, &browser)["sub"], "alice-1");
    // The user's own session is the one that goes on.
    let request = browser.begin(&world, "/");
    id_tokens_have(&world, &json!({ "acr": "silver" }));
    posted(&mut browser, &request, "bob");
    let sid = claims(&world, &browser)["sid"].clone();
    browser.plant("__Host-authjs.renewal", "");
    let step_up = sent_to_provider(&world, &mut browser, PAGE);
    id_tokens_have(&world, &json!({ "acr": "gold" }));
    assert_eq!(posted(&mut browser, &step_up, "bob").location(), PAGE);
    assert_eq!((&claims(&world, &browser)["sub"], &claims(&world, &browser)["sid"]), (&json!("bob-1"), &sid));
}

#[test]
fn an_access_token_shows_its_own_authentication() {
    let mut settings = with_rule(&json!({ "acr": "gold", "max_age": "5m" }));
    settings["providers"][0]["accept_bearer"] = json!({ "audience": "https://api.example.com" });
    let world = TestEnv::with(settings);
    let now = world.now().seconds();
    let bring = |acr: &Value, auth_time: &Value| {
        let claims = json!({
            "iss": ISSUER, "sub": "bob-1", "aud": "https://api.example.com", "iat": now, "exp": now + 300,
            "acr": acr, "auth_time": auth_time,
        });
        let token =
            world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims);
        let authorization = format!("Bearer {token}");
        // Also if it looks like a navigation: no browser sends such a token by itself.
        let headers = [
            ("authorization", authorization.as_str()),
            ("sec-fetch-mode", "navigate"),
            ("accept", "text/html"),
        ];
        world.send("GET", DATA, &headers, b"")
    };
    assert!(bring(&json!("gold"), &json!(now - 60)).forwarded.is_some());
    for (acr, auth_time) in [
        (json!("silver"), json!(now)),
        (json!("gold"), json!(now - 3600)),
        (json!("gold"), Value::Null),
        (Value::Null, json!(now)),
    ] {
        let answer = bring(&acr, &auth_time);
        assert_eq!(answer.status, 401, "{acr} {auth_time}");
        let challenge = answer.headers.get("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer error=\"insufficient_user_authentication\","), "{challenge}");
        assert!(challenge.ends_with("acr_values=\"gold\", max_age=\"300\""), "{challenge}");
        assert!(!answer.body.contains("signInUrl") && !answer.headers.contains("set-cookie"));
    }
}

#[test]
fn a_refresh_keeps_the_authentication_unless_the_new_id_token_says_another() {
    for (refreshed, expected) in [
        (json!({}), json!({ "acr": "gold", "amr": ["otp"], "auth_time": 0 })),
        (json!({ "acr": "silver" }), json!({ "acr": "silver", "amr": ["otp"], "auth_time": 0 })),
        // Another authentication, which says nothing of acr and amr.
        (json!({ "auth_time": 100 }), json!({ "auth_time": 100 })),
        (json!({ "auth_time": 100, "acr": "gold" }), json!({ "auth_time": 100, "acr": "gold" })),
        (json!({ "auth_time": "now", "amr": 1 }), json!({ "acr": "gold", "amr": ["otp"], "auth_time": 0 })),
    ] {
        let world = world(&json!({ "acr": "gold", "max_age": "30m" }));
        id_tokens_have(&world, &json!({ "acr": "gold", "amr": ["otp"], "auth_time": 0 }));
        let mut browser = signed_in(&world);
        let begun = world.now().seconds();
        let said = refreshed.clone();
        world.provider.alters_answer_at("refreshed_id_token", move |token| {
            for (name, value) in said.as_object().unwrap() {
                token[name] = match value.as_u64().filter(|_| name == "auth_time") {
                    Some(later) => json!(begun + later),
                    None => value.clone(),
                };
            }
        });
        world.pass(Duration::from_secs(3600 + 5));
        assert!(browser.open(&world, &format!("{APP}/other")).forwarded.is_some());
        let after = claims(&world, &browser);
        assert_eq!(after["generation"], json!(1), "it was refreshed: {}", world.log_text());
        for name in ["acr", "amr", "auth_time"] {
            let expected = match expected.get(name).and_then(Value::as_u64) {
                Some(later) => Some(json!(begun + later)),
                None => expected.get(name).cloned(),
            };
            assert_eq!(after.get(name), expected.as_ref(), "{refreshed}: {name}");
        }
        // The time of a refresh is not the time of an authentication.
        let request = sent_to_provider(&world, &mut browser, PAGE);
        assert_eq!(request.params["max_age"], "1800");
    }
}

#[test]
fn a_refresh_token_stays_where_the_step_up_brings_none() {
    let world = world(&json!({ "acr": "gold" }));
    let mut browser = signed_in(&world);
    let before = claims(&world, &browser);
    let request = sent_to_provider(&world, &mut browser, PAGE);
    id_tokens_have(&world, &json!({ "acr": "gold" }));
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    comes_back(&world, &mut browser, &request, "bob");
    assert_eq!(claims(&world, &browser)["refresh_token"], before["refresh_token"]);
    world.pass(Duration::from_secs(3600 + 5));
    assert!(browser.open(&world, PAGE).forwarded.is_some());
    assert!(world.logged(LogEvent::RefreshTokenMissing).is_empty());
}

#[test]
fn who_signs_in_without_an_id_token_gets_a_page_and_the_log_says_so_at_the_start() {
    let mut settings = json_api();
    settings["rules"] = json!([
        { "match": "/", "access": "public" },
        { "match": "/secure/:path*", "access": "signed-in", "amr": "otp" },
    ]);
    let advice =
        |settings: &Value| Config::load(settings.clone(), &environment, &RUNTIME).unwrap().advice(&RUNTIME);
    let line = "AUTH.rules[1]: acr, amr and max_age are of an ID token, and credentials gives none: its users get 403 there";
    assert!(advice(&settings).iter().any(|advice| advice == line), "{:?}", advice(&settings));
    assert!(!advice(&json_api()).iter().any(|advice| advice.contains("acr")));
    assert!(!advice(&with_rule(&json!({ "acr": "gold" }))).iter().any(|advice| advice.contains("acr")));

    let world = TestEnv::with(settings);
    let mut browser = Browser::new();
    sign_in_as_ada(&world, &mut browser);
    assert_page(&browser.open(&world, PAGE), IMPOSSIBLE);
    let answer = browser.fetch(&world, DATA);
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("insufficient_user_authentication"), "{}", answer.body);
    assert_page(&browser.post_with(&world, &format!("{APP}/secure/save"), &[("a", "b")], &OWN), IMPOSSIBLE);
    assert!(browser.open(&world, &format!("{APP}/other")).forwarded.is_some());
}

#[test]
fn a_form_that_needs_a_step_up_is_kept_and_shown_after_it() {
    let world = world(&json!({ "acr": "gold" }));
    let mut browser = signed_in(&world);
    let answer = browser.post_with(&world, &format!("{APP}/secure/save"), &[("title", "x")], &OWN);
    assert_eq!(answer.status, 401);
    let challenge = answer.headers.get("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    assert!(answer.body.contains("What you sent was not accepted yet"), "{}", answer.body);
    let part = |name: &str| {
        let rest = answer.body.split_once(&format!("data-{name}=\"")).unwrap().1;
        rest.split('"').next().unwrap().replace("&amp;", "&")
    };
    let (sealed, there) = (part("form"), part("then"));
    let request = AuthorizationRequest::read(browser.open(&world, &there).location());
    id_tokens_have(&world, &json!({ "acr": "gold" }));
    assert_eq!(comes_back(&world, &mut browser, &request, "bob").location(), format!("{APP}/auth/form"));
    let shown = browser.post_with(&world, &format!("{APP}/auth/form"), &[("form", &sealed)], &OWN);
    assert_eq!(shown.status, 200);
    assert!(shown.body.contains("before you confirmed that it is you"), "{}", shown.body);
    assert!(shown.body.contains("name=\"title\" value=\"x\""));
    let sent = browser.post_with(&world, &format!("{APP}/secure/save"), &[("title", "x")], &OWN);
    assert!(sent.forwarded.is_some());
    // A form of another site is not kept, and is not the user's.
    let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    let answer = browser.post_with(&world, &format!("{APP}/secure/save"), &[("title", "x")], &foreign);
    assert_eq!(answer.status, 403);
}

#[test]
fn configured_parameters_stay_and_what_is_asked_is_essential_where_the_provider_knows_claims() {
    let mut settings = with_rule(&json!({ "acr": ["gold"], "amr": "otp", "max_age": "15m" }));
    settings["providers"][0]["authorization_params"] = json!({
        "prompt": "select_account", "audience": "https://api.example", "login_hint": "BIS", "max_age": "300",
        "claims": { "userinfo": { "roles": null }, "id_token": { "locale": null } },
    });
    let world = TestEnv::with(settings);
    id_tokens_have(&world, &json!({ "auth_time": 0 }));
    let request = sent_to_provider(&world, &mut signed_in(&world), PAGE);
    assert!(!request.params.contains_key("prompt"), "the user is known");
    assert_eq!(request.params["audience"], "https://api.example");
    assert_eq!(request.params["login_hint"], "BIS");
    assert_eq!(request.params["max_age"], "300", "the shorter one");
    let claims: Value = serde_json::from_str(&request.params["claims"]).unwrap();
    assert_eq!(
        claims,
        json!({
            "userinfo": { "roles": null },
            "id_token": {
                "locale": null,
                "acr": { "essential": true, "values": ["gold"] },
                "amr": { "essential": true },
                "auth_time": { "essential": true },
            },
        })
    );

    let world = TestEnv::with(with_rule(&json!({ "max_age": "15m" })));
    world.provider.alters_answer_at("discovery", |answer| answer["claims_parameter_supported"] = json!(true));
    id_tokens_have(&world, &json!({ "acr": "silver" }));
    let request = sent_to_provider(&world, &mut signed_in(&world), PAGE);
    assert_eq!(request.params["claims"], r#"{"id_token":{"auth_time":{"essential":true}}}"#);
    assert_eq!(request.params["acr_values"], "silver", "it does not come back with less than it had");
}

#[test]
fn the_pages_speak_the_browsers_language() {
    let world = world(&json!({ "acr": "gold" }));
    for (tag, texts) in BUILT_IN {
        let mut browser = signed_in(&world);
        let headers = [("sec-fetch-mode", "navigate"), ("accept", "text/html"), ("accept-language", tag)];
        let answer = browser.send(&world, "GET", PAGE, &headers, b"");
        let request = AuthorizationRequest::read(answer.location());
        let callback = world.provider.authorize(&request, "bob");
        let answer = browser.send(&world, "GET", &callback, &headers, b"");
        assert_eq!((answer.status, answer.headers.get("content-language")), (403, Some(tag)));
        for text in [Text::StepUpTitle, Text::StepUpNotGiven, Text::TryAgain, Text::Home] {
            assert!(answer.body.contains(text.of(texts)), "{tag} {}: {}", text.key(), answer.body);
        }
    }
}

#[test]
fn a_provider_that_is_unavailable_costs_no_session() {
    let world = world(&json!({ "acr": "gold" }));
    let mut browser = signed_in(&world);
    let fresh = world.isolate(with_rule(&json!({ "acr": "gold" })), "there");
    fresh.provider.goes_down("discovery");
    let answer = browser.open(&fresh, PAGE);
    assert_eq!((answer.status, answer.headers.get("retry-after")), (503, Some("5")));
    assert!(answer.body.contains("You are not signed out"), "{}", answer.body);
    fresh.provider.comes_back();
    sent_to_provider(&fresh, &mut browser, PAGE);
    // The token endpoint fails after the user has proven it.
    browser.plant("__Host-authjs.renewal", "");
    let request = sent_to_provider(&world, &mut browser, PAGE);
    let callback = world.provider.authorize(&request, "bob");
    world.provider.goes_down("token");
    assert!(browser.open(&world, &callback).location().starts_with("https://app.example.com/auth/error?"));
    assert_eq!(browser.session(&world)["user"]["name"], "bob");
}

#[test]
fn other_hosts_of_the_site_send_a_person_through_the_login_host_and_back() {
    let rule = json!({ "match": "/secure/:path*", "access": "signed-in", "acr": "gold" });
    let (mut login, mut docs) = (of_the_login_host(), of_the_docs());
    login["rules"].as_array_mut().unwrap().push(rule.clone());
    docs["rules"].as_array_mut().unwrap().push(rule);
    let login = TestEnv::with(login);
    let docs = login.isolate(docs, "there");
    let site = Site { login, docs };
    for origin in [DOCS, "https://shop.example.com"] {
        let mut visitor = Visitor::new();
        site.login.provider.answers_correctly();
        let answer = visitor.ask(&site, AUTH, "/");
        visitor.follow_on(&site, AUTH, answer);
        let page = format!("{origin}/secure/a%20b?x=1&y=%2F");
        let answer = visitor.open(&site, &page);
        assert_eq!(answer.status, 302, "{origin}");
        assert!(answer.location().starts_with("https://auth.example.com/auth/step-up?request="), "{origin}");
        // The provider does not give it: the page is the end.
        let arrived = visitor.follow_on(&site, &page, answer);
        assert_eq!(arrived.answer.status, 403, "{:?}", arrived.trail);
        assert!(visitor.open(&site, &format!("{origin}/other")).forwarded.is_some());
        // It gives it: the person is back.
        id_tokens_have(&site.login, &json!({ "acr": "gold" }));
        let arrived = visitor.follow(&site, &page);
        assert_eq!(
            (arrived.url.as_str(), arrived.answer.status),
            (page.as_str(), 200),
            "{:?}",
            arrived.trail
        );
        assert!(arrived.answer.forwarded.is_some());
        let script = visitor.fetch(&site, &format!("{origin}/secure/data"));
        assert!(script.forwarded.is_some());
    }
}

#[test]
fn another_proxy_gets_the_way_to_the_step_up_or_what_is_missing() {
    for (headers, status) in [("x-forwarded", 302), ("x-original", 401)] {
        let mut settings = with_rule(&json!({ "acr": "gold", "max_age": "15m" }));
        settings["verify"] = json!({ "headers": headers });
        let world = TestEnv::in_environment(settings, &|name| match name {
            "AUTH_VERIFY_SECRET" => Some("what-the-proxy-and-the-worker-share".to_owned()),
            other => environment(other),
        });
        let mut browser = signed_in(&world);
        let ask = |browser: &mut Browser, path: &str, mode: &str| {
            let url = format!("{APP}{path}");
            let mut fields = vec![
                ("x-vestibule-verify", "what-the-proxy-and-the-worker-share"),
                ("sec-fetch-mode", mode),
                ("accept", "text/html"),
            ];
            fields.extend(if headers == "x-original" {
                vec![("x-original-method", "GET"), ("x-original-url", url.as_str())]
            } else {
                vec![
                    ("x-forwarded-method", "GET"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "app.example.com"),
                    ("x-forwarded-uri", path),
                ]
            });
            browser.send(&world, "GET", &format!("{APP}/auth/verify"), &fields, b"")
        };
        let answer = ask(&mut browser, "/secure/page?x=1", "navigate");
        assert_eq!(answer.status, status, "{headers}: {answer:?}");
        let challenge = answer.headers.get("www-authenticate").unwrap().to_owned();
        assert!(challenge.starts_with("Bearer error=\"insufficient_user_authentication\""), "{challenge}");
        let there = answer.location().to_owned();
        assert!(there.starts_with("https://app.example.com/auth/step-up?request="), "{there}");
        // A proxy may drop cookies, so none is needed of this answer.
        assert!(!answer.headers.contains("set-cookie"));
        let request = AuthorizationRequest::read(browser.open(&world, &there).location());
        id_tokens_have(&world, &json!({ "acr": "gold", "auth_time": 0 }));
        assert_eq!(comes_back(&world, &mut browser, &request, "bob").location(), PAGE);
        assert_eq!(ask(&mut browser, "/secure/page?x=1", "navigate").status, 204);

        let mut other = Browser::new();
        id_tokens_have(&world, &json!({}));
        other.sign_in(&world, "bob", "/");
        let script = ask(&mut other, "/secure/data", "cors");
        assert_eq!(script.status, 401, "{headers}");
        assert!(script.headers.get("www-authenticate").unwrap().ends_with("max_age=\"900\""));
        assert!(!script.headers.contains("location"));
    }
}

#[test]
fn a_step_up_keeps_the_end_that_the_provider_set_unless_it_sets_another() {
    for (said, is_kept) in [(None, true), (Some(2 * 3600), false)] {
        let world = world(&json!({ "acr": "gold" }));
        let now = world.now().seconds();
        id_tokens_have(&world, &json!({ "session_expiry": now + 3600 }));
        let mut browser = signed_in(&world);
        let request = sent_to_provider(&world, &mut browser, PAGE);
        let mut claims_then = json!({ "acr": "gold" });
        if let Some(seconds) = said {
            claims_then["session_expiry"] = json!(now + seconds);
        }
        world.provider.answers_correctly();
        id_tokens_have(&world, &claims_then);
        comes_back(&world, &mut browser, &request, "bob");
        let end = if is_kept { now + 3600 } else { now + 7200 };
        assert_eq!(claims(&world, &browser)["ends_at"], end, "{said:?}");
    }
}

/// The address of a step-up that a script of this browser learns.
fn address_for_script(world: &TestEnv, browser: &mut Browser) -> String {
    let answer = browser.fetch(world, DATA);
    assert_eq!(answer.status, 401, "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["signInUrl"].as_str().unwrap().to_owned()
}

#[test]
fn nobody_by_that_name_a_session_without_sub_or_with_an_error_begins_no_step_up() {
    let world = world(&json!({ "acr": "gold" }));
    let there = address_for_script(&world, &mut signed_in(&world));
    for (sub, error, begins) in [
        (json!("bob-1"), Value::Null, true),
        (json!(""), Value::Null, false),
        (Value::Null, Value::Null, false),
        (json!("bob-1"), json!("RefreshTokenError"), false),
    ] {
        let claims = json!({ "sub": sub, "provider": "acme", "name": "bob", "error": error });
        let answer = sealed(&world, &claims).open(&world, &there);
        let start =
            if begins { "https://idp.example/authorize?" } else { "https://app.example.com/auth/signin?" };
        assert!(answer.location().starts_with(start), "{claims}: {answer:?}");
    }
}

#[test]
fn who_has_no_way_to_a_step_up_is_told_so_on_every_host() {
    // On the host that signs users in, no provider has the session's name.
    let world = world(&json!({ "acr": "gold" }));
    let removed = json!({ "sub": "bob-1", "provider": "removed" });
    assert_page(&sealed(&world, &removed).open(&world, PAGE), IMPOSSIBLE);
    assert_eq!(sealed(&world, &removed).fetch(&world, DATA).status, 403);
    // Another host knows the provider, which gives no ID tokens.
    let mut settings = json_api();
    settings["rules"] = json!([{ "match": "/secure/:path*", "acr": "gold" }]);
    settings["login_url"] = json!("https://auth.example.com");
    settings["cookies"] = json!({ "domain": "example.com" });
    let world = TestEnv::with(settings);
    for (provider, status) in [("credentials", 403), ("of-the-login-host", 401)] {
        let claims = json!({ "sub": "17", "provider": provider });
        assert_eq!(sealed(&world, &claims).fetch(&world, DATA).status, status, "{provider}");
    }
}

#[test]
fn a_configured_prompt_stays_unless_it_asks_for_nobody_or_for_another_account() {
    for (prompt, stays) in [("login", true), ("consent", true), ("select_account", false), ("none", false)] {
        let mut settings = with_rule(&json!({ "acr": "gold" }));
        settings["providers"][0]["authorization_params"] = json!({ "prompt": prompt });
        let world = TestEnv::with(settings);
        let request = sent_to_provider(&world, &mut signed_in(&world), PAGE);
        assert_eq!(request.params.get("prompt").map(String::as_str), stays.then_some(prompt));
    }
}
