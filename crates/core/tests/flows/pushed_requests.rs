//! Pushed authorization requests (RFC 9126): the provider gets the request itself, and the browser a reference.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vestibule_core::log::{ErrorSource, LogEvent};
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

const PAR: &str = "https://idp.example/par";
const ERROR: &str = "https://app.example.com/auth/error?error=Configuration";

fn pushing(value: Value) -> Value {
    let mut settings = settings();
    settings["providers"][0]["pushed_authorization_requests"] = value;
    settings
}

/// The provider's metadata have the endpoint.
fn publishes(env: &TestEnv, is_required: bool) {
    env.provider.alters_answer_at("discovery", move |document| {
        document["pushed_authorization_request_endpoint"] = json!(PAR);
        document["require_pushed_authorization_requests"] = json!(is_required);
    });
}

fn begun(env: &TestEnv, browser: &mut Browser, query: &str) -> Answer {
    let csrf = browser.csrf(env);
    browser.post(env, &format!("{APP}/auth/signin/acme{query}"), &[("csrfToken", &csrf)])
}

#[test]
fn a_provider_that_requires_it_gets_the_request_and_the_browser_a_reference() {
    let env = TestEnv::new();
    publishes(&env, true);
    let mut browser = Browser::new();
    let answer = begun(&env, &mut browser, "?login_hint=a%40b.c&prompt=login&max_age=60");
    assert_eq!(
        answer.location(),
        "https://idp.example/authorize?client_id=vestibule\
         &request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A1"
    );
    let bodies = env.provider.requests.bodies();
    let pushed: BTreeMap<&str, &str> = bodies[0].iter().collect();
    let names: Vec<&str> = pushed.keys().copied().collect();
    assert_eq!(
        names,
        [
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "login_hint",
            "max_age",
            "nonce",
            "prompt",
            "redirect_uri",
            "response_type",
            "scope",
            "state"
        ]
    );
    assert_eq!((pushed["login_hint"], pushed["prompt"], pushed["max_age"]), ("a@b.c", "login", "60"));
    assert_eq!(pushed["redirect_uri"], format!("{APP}/auth/callback/acme"));
    assert_eq!(bodies[0].iter().count(), names.len(), "no parameter is there twice");
}

#[test]
fn a_sign_in_with_a_pushed_request_ends_like_any_other() {
    let env = TestEnv::new();
    publishes(&env, true);
    let mut browser = Browser::new();
    assert_eq!(browser.sign_in(&env, "alice", "/dashboard").location(), format!("{APP}/dashboard"));
    assert_eq!(browser.session(&env)["user"]["name"], "alice");
}

#[test]
fn requests_are_pushed_where_the_metadata_require_it_or_the_configuration_says_so() {
    for (configured, is_required, is_pushed) in [
        (Value::Null, false, false),
        (Value::Null, true, true),
        (json!(true), false, true),
        (json!(false), true, false),
        (json!(PAR), false, true),
    ] {
        let env = TestEnv::with(pushing(configured.clone()));
        publishes(&env, is_required);
        Browser::new().begin(&env, "/");
        assert_eq!(env.fetches(PAR), usize::from(is_pushed), "{configured} {is_required}");
    }
}

#[test]
fn each_redirect_pushes_a_request_of_its_own_and_is_never_cached() {
    let env = TestEnv::with(pushing(json!(PAR)));
    let mut browser = Browser::new();
    let first = begun(&env, &mut browser, "");
    let second = begun(&env, &mut browser, "");
    assert_ne!(first.location(), second.location());
    for answer in [first, second] {
        assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
    }
    let bodies = env.provider.requests.bodies();
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(bodies[0].one(name), bodies[1].one(name), "{name}");
    }
}

#[test]
fn a_provider_without_the_endpoint_is_a_mistake_of_the_configuration() {
    let env = TestEnv::with(pushing(json!(true)));
    assert_eq!(begun(&env, &mut Browser::new(), "").location(), ERROR);
    let logged = &env.logged(LogEvent::AuthError)[0];
    assert_eq!(logged.error_source(), ErrorSource::Configuration);
    assert!(env.log_text().contains(
        "provider acme publishes no pushed_authorization_request_endpoint: set pushed_authorization_requests"
    ));
}

#[test]
fn an_answer_without_a_reference_or_with_a_foreign_one_sends_the_browser_nowhere() {
    for (status, body) in [
        (201, json!({})),
        (201, json!({ "expires_in": 60 })),
        (201, json!({ "request_uri": "", "expires_in": 60 })),
        (201, json!({ "request_uri": 7, "expires_in": 60 })),
        (201, json!({ "request_uri": ["urn:a:b"], "expires_in": 60 })),
        (201, json!({ "request_uri": "https://evil.example/request", "expires_in": 60 })),
        (201, json!({ "request_uri": "http://idp.example/request", "expires_in": 60 })),
        (201, json!({ "request_uri": "javascript:alert(1)", "expires_in": 60 })),
        (201, json!({ "request_uri": "urn:a:b\r\nset-cookie: a=b", "expires_in": 60 })),
        (201, json!({ "request_uri": format!("urn:a:{}", "b".repeat(3000)), "expires_in": 60 })),
        (201, json!({ "request_uri": "urn:a:b", "expires_in": 0 })),
        (201, json!({ "request_uri": "urn:a:b", "expires_in": "soon" })),
        (204, json!({ "request_uri": "urn:a:b", "expires_in": 60 })),
        (302, json!({ "request_uri": "urn:a:b", "expires_in": 60 })),
        (201, json!([])),
    ] {
        let env = TestEnv::with(pushing(json!(PAR)));
        env.provider.answers_raw("par", status, "application/json", body.to_string().as_bytes());
        let mut browser = Browser::new();
        assert_eq!(begun(&env, &mut browser, "").location(), ERROR, "{status} {body}");
        assert!(!browser.cookie_names().iter().any(|name| name.contains("transaction")), "{status} {body}");
        let logged = &env.logged(LogEvent::AuthError)[0];
        assert_eq!(logged.error_source(), ErrorSource::Provider, "{status} {body}");
    }
}

#[test]
fn an_answer_with_two_references_sends_the_browser_nowhere() {
    let env = TestEnv::with(pushing(json!(PAR)));
    let twice = br#"{"request_uri":"urn:a:b","expires_in":60,"request_uri":"urn:a:c"}"#;
    env.provider.answers_raw("par", 201, "application/json", twice);
    assert_eq!(begun(&env, &mut Browser::new(), "").location(), ERROR);
}

#[test]
fn an_answer_with_status_200_counts_as_well() {
    let env = TestEnv::with(pushing(json!(PAR)));
    let body = json!({ "request_uri": "https://idp.example/requests/1", "expires_in": 90 });
    env.provider.answers_raw("par", 200, "application/json", body.to_string().as_bytes());
    assert_eq!(
        begun(&env, &mut Browser::new(), "").location(),
        "https://idp.example/authorize?client_id=vestibule&request_uri=https%3A%2F%2Fidp.example%2Frequests%2F1"
    );
}

#[test]
fn the_log_has_the_providers_reason_for_refusing_a_request() {
    for (status, body, said) in [
        (
            400,
            json!({ "error": "invalid_request", "error_description": "no such scope" }),
            "invalid_request (no such scope)",
        ),
        (401, json!({ "error": "invalid_client" }), "check the client's id, its secret or key"),
        (429, json!({}), "the provider is unavailable, status 429"),
        (503, json!({ "error": "temporarily_unavailable" }), "status 503, temporarily_unavailable"),
    ] {
        let env = TestEnv::with(pushing(json!(PAR)));
        env.provider.answers_raw("par", status, "application/json", body.to_string().as_bytes());
        assert_eq!(begun(&env, &mut Browser::new(), "").location(), ERROR);
        let log = env.log_text();
        assert!(log.contains("provider acme: pushed authorization request: ") && log.contains(said), "{log}");
        assert!(!log.contains("acme-secret"), "{log}");
    }
}

#[test]
fn while_the_endpoint_gives_no_answer_the_sign_in_page_is_shown_instead_of_an_error() {
    let mut settings = pushing(json!(PAR));
    settings["pages"] = json!({ "straight_to_provider": true });
    let env = TestEnv::with(settings);
    let mut browser = Browser::new();
    assert!(browser.open(&env, &format!("{APP}/auth/signin")).location().contains("request_uri="));
    env.provider.goes_down("par");
    let page = Browser::new().open(&env, &format!("{APP}/auth/signin"));
    assert_eq!(page.status, 200);
    assert!(env.log_text().contains("pushed authorization request gave no answer"));
}

#[test]
fn what_a_sign_in_asks_for_cannot_name_a_request_of_its_own() {
    let env = TestEnv::with(pushing(json!(PAR)));
    let query = "?request_uri=urn%3Aevil%3A1&request=a.b.c&client_id=evil&login_hint=x";
    let answer = begun(&env, &mut Browser::new(), query);
    assert!(!answer.location().contains("evil"), "{}", answer.location());
    let bodies = env.provider.requests.bodies();
    assert_eq!(bodies[0].one("client_id"), Ok(Some("vestibule")));
    assert_eq!((bodies[0].one("request"), bodies[0].one("request_uri")), (Ok(None), Ok(None)));
}
