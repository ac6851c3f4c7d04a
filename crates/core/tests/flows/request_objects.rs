//! Request objects (RFC 9101): authorization requests that the client signs, in the browser's address or pushed.

use serde_json::{Value, json};
use vestibule_core::log::{ErrorSource, LogEvent};
use vestibule_testing::requests::client_pem;
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, TestEnv, environment, settings};

const ERROR: &str = "https://app.example.com/auth/error?error=Configuration";

fn with_key(name: &str) -> Option<String> {
    if name == "AUTH_ACME_PRIVATE_KEY" { Some(client_pem(5)) } else { environment(name) }
}

fn signing(more: &[(&str, Value)]) -> TestEnv {
    let mut settings = settings();
    settings["providers"][0]["request_object"] = json!(true);
    settings["providers"][0]["token_endpoint_auth_method"] = json!("private_key_jwt");
    for (key, value) in more {
        settings["providers"][0][*key] = value.clone();
    }
    let env = TestEnv::in_environment(settings, &with_key);
    env.provider.requests.knows_client_key(&client_pem(5));
    env
}

fn begun(env: &TestEnv, browser: &mut Browser, query: &str) -> Answer {
    let csrf = browser.csrf(env);
    browser.post(env, &format!("{APP}/auth/signin/acme{query}"), &[("csrfToken", &csrf)])
}

#[test]
fn a_signed_request_has_everything_inside_and_nothing_else_beside_it() {
    let env = signing(&[]);
    let mut browser = Browser::new();
    let answer = begun(&env, &mut browser, "?login_hint=a%40b.c&prompt=login&max_age=60&ui_locales=de");
    let request = AuthorizationRequest::read(answer.location());
    let names: Vec<&str> = request.params.keys().map(String::as_str).collect();
    assert_eq!(names, ["client_id", "request", "response_type", "scope"], "what OpenID Connect demands");
    let callback = env.provider.authorize(&request, "alice");
    let object = &env.provider.requests.objects()[0];
    assert_eq!(object.header, json!({ "alg": "ES256", "typ": "oauth-authz-req+jwt" }));
    let claims = &object.claims;
    assert_eq!((&claims["iss"], &claims["client_id"]), (&json!("vestibule"), &json!("vestibule")));
    assert_eq!(claims["aud"], "https://idp.example");
    assert_eq!((&claims["login_hint"], &claims["prompt"]), (&json!("a@b.c"), &json!("login")));
    assert_eq!((&claims["max_age"], &claims["ui_locales"]), (&json!(60), &json!("de")));
    let now = env.now().seconds();
    assert_eq!(
        (&claims["iat"], &claims["nbf"], &claims["exp"]),
        (&json!(now), &json!(now), &json!(now + 300))
    );
    for name in ["state", "nonce", "code_challenge", "redirect_uri", "jti"] {
        assert!(claims[name].is_string(), "{name} in {claims}");
    }
    env.provider.alters_answer_at("id_token", move |token| token["auth_time"] = json!(now));
    assert_eq!(browser.open(&env, &callback).location(), APP);
}

#[test]
fn a_signed_request_is_pushed_as_a_whole() {
    let env = signing(&[("pushed_authorization_requests", json!("https://idp.example/par"))]);
    let mut browser = Browser::new();
    let request = browser.begin(&env, "/");
    let names: Vec<&str> = request.params.keys().map(String::as_str).collect();
    assert_eq!(names, ["client_id", "request_uri"]);
    let body = &env.provider.requests.bodies()[0];
    let names: Vec<&str> = body.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["request", "client_id", "client_assertion_type", "client_assertion"]);
    let callback = env.provider.authorize(&request, "bob");
    assert_eq!(browser.open(&env, &callback).location(), format!("{APP}/"));
}

#[test]
fn each_request_object_and_each_assertion_has_an_identifier_of_its_own() {
    let env = signing(&[("pushed_authorization_requests", json!("https://idp.example/par"))]);
    for _ in 0..2 {
        assert_eq!(Browser::new().sign_in(&env, "bob", "/").location(), format!("{APP}/"));
    }
    let requests = &env.provider.requests;
    let all = requests.objects().into_iter().chain(requests.assertions());
    let mut ids: Vec<String> = all.map(|jwt| jwt.claims["jti"].to_string()).collect();
    assert_eq!(ids.len(), 6, "two objects, and an assertion at each of two endpoints for each");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[test]
fn no_parameter_of_the_endpoints_address_contradicts_the_signed_request() {
    let env = signing(&[]);
    env.provider.alters_answer_at("discovery", |document| {
        document["authorization_endpoint"] = json!(
            "https://idp.example/authorize?tenant=a&scope=admin&state=x&redirect_uri=https%3A%2F%2Fevil.example\
             &response_type=token&request_uri=https%3A%2F%2Fevil.example&nonce=x"
        );
    });
    let location =
        begun(&env, &mut Browser::new(), "?request=a.b.c&request_uri=urn%3Aevil").location().to_owned();
    assert!(
        !location.contains("evil") && !location.contains("admin") && !location.contains("token&"),
        "{location}"
    );
    let request = AuthorizationRequest::read(&location);
    assert_eq!(request.params["tenant"], "a");
    assert_eq!(request.params["scope"], "openid profile email");
    assert_eq!(request.params["response_type"], "code");
    assert_eq!(location.matches("scope=").count(), 1);
}

#[test]
fn requests_are_signed_where_the_metadata_require_it_or_the_configuration_says_so() {
    for (configured, is_required, is_signed) in [
        (Value::Null, false, false),
        (Value::Null, true, true),
        (json!(true), false, true),
        (json!(false), true, false),
    ] {
        let mut settings = settings();
        settings["providers"][0]["request_object"] = configured.clone();
        let env = TestEnv::in_environment(settings, &with_key);
        env.provider.alters_answer_at("discovery", move |document| {
            document["require_signed_request_object"] = json!(is_required);
        });
        let request = Browser::new().begin(&env, "/");
        assert_eq!(request.params.contains_key("request"), is_signed, "{configured} {is_required}");
    }
}

#[test]
fn a_provider_that_requires_signed_requests_of_a_client_without_a_key_is_a_mistake_of_the_configuration() {
    let env = TestEnv::new();
    env.provider
        .alters_answer_at("discovery", |document| document["require_signed_request_object"] = json!(true));
    assert_eq!(begun(&env, &mut Browser::new(), "").location(), ERROR);
    assert_eq!(env.logged(LogEvent::AuthError)[0].error_source(), ErrorSource::Configuration);
    assert!(env.log_text().contains("provider acme wants signed requests (require_signed_request_object)"));
}

#[test]
fn a_max_age_inside_the_signed_request_is_still_enforced() {
    let env = signing(&[("authorization_params", json!({ "max_age": "30" }))]);
    let mut browser = Browser::new();
    let request = AuthorizationRequest::read(begun(&env, &mut browser, "?max_age=99999").location());
    let callback = env.provider.authorize(&request, "bob");
    assert_eq!(env.provider.requests.objects()[0].claims["max_age"], 30);
    let long_ago = env.now().seconds() - 3600;
    env.provider.alters_answer_at("id_token", move |token| token["auth_time"] = json!(long_ago));
    assert_eq!(browser.open(&env, &callback).location(), ERROR);
}
