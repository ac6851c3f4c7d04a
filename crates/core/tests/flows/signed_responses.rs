//! Signed authorization responses (JARM): the parameters of the response are the claims of a JWT, and nothing else counts.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::{ErrorSource, LogEvent};
use vestibule_testing::{APP, Answer, Browser, FakeProvider, TestEnv, settings};

const SESSION: &str = "__Secure-authjs.session-token";
const ERROR: &str = "https://app.example.com/auth/error?error=Configuration";
const HEADER: [(&str, &str); 2] =
    [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://idp.example")];

fn with_mode(mode: &str) -> TestEnv {
    let mut settings = settings();
    settings["providers"][0]["response_mode"] = json!(mode);
    TestEnv::with(settings)
}

/// A sign-in whose response a test bends on its way through the browser.
fn bent(env: &TestEnv, bend: impl Fn(String) -> String) -> (Answer, Browser) {
    let mut browser = Browser::new();
    let request = browser.begin(env, "/");
    let callback = bend(env.provider.authorize(&request, "bob"));
    let answer = browser.open(env, &callback);
    (answer, browser)
}

/// The answer to a sign-in whose signed response has other claims.
fn with_claims(change: impl Fn(&mut Value) + 'static) -> (TestEnv, Answer) {
    let env = with_mode("query.jwt");
    assert_eq!(
        Browser::new().sign_in(&env, "bob", "/").location(),
        format!("{APP}/"),
        "the positive control"
    );
    env.provider.alters_answer_at("response", change);
    let (answer, browser) = bent(&env, |url| url);
    assert_eq!(browser.cookie(SESSION), None);
    (env, answer)
}

fn is_refused_because(said: &str, change: impl Fn(&mut Value) + 'static) {
    let (env, answer) = with_claims(change);
    assert_eq!(answer.location(), ERROR, "{said}");
    let logged = env.logged(LogEvent::AuthError);
    assert!(logged[0].message().contains(said), "{said}: {}", logged[0].message());
    assert_eq!(logged[0].error_source(), ErrorSource::Provider);
    assert_eq!(
        env.fetches("https://idp.example/token"),
        1,
        "the code of the refused response is sent nowhere"
    );
}

fn without(name: &'static str) -> impl Fn(&mut Value) {
    move |claims| {
        claims.as_object_mut().unwrap().remove(name);
    }
}

#[test]
fn a_signed_response_signs_in_in_each_mode() {
    for mode in ["query.jwt", "jwt"] {
        let (env, mut browser) = (with_mode(mode), Browser::new());
        let request = browser.begin(&env, "/dashboard");
        assert_eq!(request.params["response_mode"], mode);
        let callback = env.provider.authorize(&request, "alice");
        assert!(callback.starts_with(&format!("{APP}/auth/callback/acme?response=")), "{callback}");
        assert_eq!(browser.open(&env, &callback).location(), format!("{APP}/dashboard"));
        assert_eq!(browser.session(&env)["user"]["name"], "alice");
    }
}

#[test]
fn a_signed_response_that_is_posted_signs_in() {
    let (env, mut browser) = (with_mode("form_post.jwt"), Browser::new());
    let csrf = browser.csrf(&env);
    let begun = browser.post(&env, &format!("{APP}/auth/signin/acme"), &[("csrfToken", &csrf)]);
    let cookie = begun.headers.get_all("set-cookie").find(|cookie| cookie.contains("transaction")).unwrap();
    assert!(cookie.contains("SameSite=None"), "{cookie}");
    let request = vestibule_testing::AuthorizationRequest::read(begun.location());
    assert_eq!(request.params["response_mode"], "form_post.jwt");
    let callback = env.provider.authorize(&request, "alice");
    let (url, body) = callback.split_once('?').unwrap();
    let answer = browser.send(&env, "POST", url, &HEADER, body.as_bytes());
    assert_eq!(answer.location(), APP);
    assert_eq!(browser.session(&env)["user"]["name"], "alice");
}

#[test]
fn a_plain_response_is_refused_where_a_signed_one_was_asked_for() {
    let env = with_mode("query.jwt");
    for plain in ["code=code-1", "error=access_denied", "code=code-1&iss=https%3A%2F%2Fidp.example"] {
        let mut browser = Browser::new();
        let request = browser.begin(&env, "/");
        let url = format!("{APP}/auth/callback/acme?{plain}&state={}", request.params["state"]);
        assert_eq!(browser.open(&env, &url).location(), ERROR, "{plain}");
        assert_eq!(browser.cookie(SESSION), None);
    }
    assert!(env.log_text().contains("it is not signed, although response_mode asks for that"));
    assert_eq!(env.fetches("https://idp.example/token"), 0);
}

#[test]
fn a_signed_response_is_refused_where_a_plain_one_was_asked_for() {
    let (env, mut browser) = (TestEnv::new(), Browser::new());
    let request = browser.begin(&env, "/");
    let signed = env.provider.signed_response(&request, json!({ "code": "code-1" }));
    let url = format!("{signed}&state={}&iss=https%3A%2F%2Fidp.example&code=code-1", request.params["state"]);
    assert_eq!(browser.open(&env, &url).location(), ERROR);
    let message = env.logged(LogEvent::AuthError)[0].message().to_owned();
    assert!(message.contains("\"response\" is present, although it was not requested"), "{message}");
}

#[test]
fn two_of_anything_in_a_response_are_refused() {
    let env = with_mode("query.jwt");
    let twice = |url: String| {
        let (_, response) = url.split_once('?').unwrap();
        format!("{url}&{response}")
    };
    assert_eq!(bent(&env, twice).0.location(), ERROR);
    for beside in
        ["code=c", "state=s", "iss=https%3A%2F%2Fidp.example", "error=x", "id_token=a.b.c", "access_token=t"]
    {
        let (answer, browser) = bent(&env, |url| format!("{url}&{beside}"));
        assert_eq!(answer.location(), ERROR, "{beside}");
        assert_eq!(browser.cookie(SESSION), None, "{beside}");
        let (answer, _) = bent(&env, |url| url.replace("?response=", &format!("?{beside}&response=")));
        assert_eq!(answer.location(), ERROR, "{beside} before it");
    }
    assert_eq!(env.fetches("https://idp.example/token"), 0);
}

#[test]
fn jarm_without_iss_or_with_a_wrong_one_is_refused() {
    is_refused_because("\"iss\" of the signed response is missing", without("iss"));
    is_refused_because("\"iss\" of the signed response is", |c| c["iss"] = json!("https://other.example"));
    is_refused_because("\"iss\" of the signed response is", |c| c["iss"] = json!("https://idp.example/"));
}

#[test]
fn jarm_without_aud_or_with_a_wrong_one_is_refused() {
    is_refused_because("\"aud\" of the signed response is missing", without("aud"));
    is_refused_because("\"aud\" of the signed response is", |c| c["aud"] = json!("another"));
    is_refused_because("\"aud\" of the signed response is", |c| c["aud"] = json!(["vestibule", "another"]));
}

#[test]
fn jarm_without_exp_or_expired_is_refused() {
    is_refused_because("\"exp\" of the signed response is missing", without("exp"));
    is_refused_because("\"exp\" of the signed response is", |c| {
        c["exp"] = json!(c["exp"].as_u64().unwrap() - 700);
    });
    is_refused_because("\"exp\" of the signed response is", |c| c["exp"] = json!("soon"));
}

#[test]
fn jarm_with_a_wrong_signature_is_refused() {
    let env = with_mode("query.jwt");
    let (answer, browser) = bent(&env, |url| {
        let at = url.len() - 10;
        let other = if url.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{other}{}", &url[..at], &url[at + 1..])
    });
    assert_eq!((answer.location(), browser.cookie(SESSION)), (ERROR, None));
    // Another key with the same name.
    let mut browser = Browser::new();
    let request = browser.begin(&env, "/");
    let claims = json!({
        "iss": "https://idp.example", "aud": "vestibule", "exp": env.now().seconds() + 60,
        "code": "code-1", "state": request.params["state"],
    });
    let forged = FakeProvider::forged(&json!({ "alg": "ES256", "kid": "key-1" }), &claims);
    let url = format!("{APP}/auth/callback/acme?response={forged}");
    assert_eq!(browser.open(&env, &url).location(), ERROR);
    assert_eq!(env.fetches("https://idp.example/token"), 0);
}

#[test]
fn jarm_with_alg_none_is_refused() {
    for alg in ["none", "None", "HS256", "RS256", "ES384"] {
        let env = with_mode("query.jwt");
        env.provider.alters_answer_at("response_header", move |header| header["alg"] = json!(alg));
        let (answer, browser) = bent(&env, |url| url);
        assert_eq!((answer.location(), browser.cookie(SESSION)), (ERROR, None), "{alg}");
        let (answer, _) = bent(&env, |url| url[..=url.rfind('.').unwrap()].to_owned());
        assert_eq!(answer.location(), ERROR, "{alg} without a signature");
    }
}

#[test]
fn only_algorithms_that_the_metadata_name_sign_responses() {
    let env = with_mode("query.jwt");
    env.provider.alters_answer_at("discovery", |document| {
        document["authorization_signing_alg_values_supported"] = json!(["PS256", "RS256"]);
    });
    assert_eq!(bent(&env, |url| url).0.location(), ERROR);
    assert!(env.log_text().contains("signed with ES256, which is not accepted from this provider"));
}

#[test]
fn the_state_in_a_signed_response_is_bound_to_this_browser() {
    let (env, mut mine, mut other) = (with_mode("query.jwt"), Browser::new(), Browser::new());
    let request = other.begin(&env, "/");
    let callback = env.provider.authorize(&request, "mallory");
    let verified = env.crypto.verifications();
    assert!(mine.open(&env, &callback).location().contains("error=SignInExpired"));
    assert_eq!(mine.cookie(SESSION), None);
    // A stranger's response costs no signature.
    assert_eq!(env.crypto.verifications(), verified);
    let (answer, _) = {
        env.provider.alters_answer_at("response", |claims| claims["state"] = json!("x".repeat(59)));
        bent(&env, |url| url)
    };
    assert!(answer.location().contains("error=SignInExpired"), "{answer:?}");
}

#[test]
fn a_response_without_state_or_with_one_that_is_no_text_belongs_to_no_sign_in() {
    for change in [json!(null), json!(7), json!(["s"])] {
        let (_, answer) = with_claims(move |claims| claims["state"] = change.clone());
        assert!(answer.location().contains("error=SignInExpired"), "{answer:?}");
    }
}

#[test]
fn an_error_in_a_signed_response_shows_the_sign_in_page_again() {
    let (env, mut browser) = (with_mode("query.jwt"), Browser::new());
    let request = browser.begin(&env, "/");
    let denied = env.provider.signed_response(&request, json!({ "error": "access_denied" }));
    let answer = browser.open(&env, &denied);
    assert!(
        answer.location().contains("/auth/signin?") || answer.location().contains("OAuthCallbackError"),
        "{answer:?}"
    );
    assert_eq!(env.logged(LogEvent::AuthorizationErrorResponse).len(), 1);
    assert_eq!(browser.cookie(SESSION), None);
}

#[test]
fn a_key_that_is_new_in_a_signed_response_is_fetched() {
    let env = with_mode("query.jwt");
    Browser::new().sign_in(&env, "bob", "/");
    env.pass(Duration::from_secs(61));
    env.provider.rotates_its_key_to("key-2");
    assert_eq!(Browser::new().sign_in(&env, "bob", "/").location(), format!("{APP}/"));
    assert_eq!(env.fetches("https://idp.example/jwks"), 2);
}

#[test]
fn after_the_sign_in_a_signed_response_leads_a_signed_in_person_home() {
    let (env, mut browser) = (with_mode("query.jwt"), Browser::new());
    let request = browser.begin(&env, "/");
    let callback = env.provider.authorize(&request, "bob");
    browser.open(&env, &callback);
    let codes = env.fetches("https://idp.example/token");
    assert_eq!(browser.open(&env, &callback).location(), format!("{APP}/"), "the person is signed in");
    assert_eq!(env.fetches("https://idp.example/token"), codes);
}

#[test]
fn keys_that_cannot_be_fetched_for_a_signed_response_are_the_providers_failure() {
    let env = with_mode("query.jwt");
    Browser::new().sign_in(&env, "bob", "/");
    env.provider.alters_answer_at("response_header", |header| header["kid"] = json!("key-2"));
    env.provider.goes_down("jwks");
    let (answer, browser) = bent(&env, |url| url);
    assert_eq!((answer.location(), browser.cookie(SESSION)), (ERROR, None));
    let logged = env.logged(LogEvent::AuthError);
    assert_eq!(logged[0].error_source(), ErrorSource::Provider, "{}", env.log_text());
}

#[test]
fn who_cancels_comes_to_the_page_that_the_cancelled_sign_in_was_for_in_each_mode() {
    for mode in ["query", "query.jwt"] {
        let (env, mut browser) = (with_mode(mode), Browser::new());
        let first = browser.begin(&env, "/first");
        browser.begin(&env, "/second");
        let denied = if mode == "query" {
            FakeProvider::refuse(&first, "access_denied")
        } else {
            env.provider.signed_response(&first, json!({ "error": "access_denied" }))
        };
        let mut answer = browser.open(&env, &denied);
        if answer.location().contains("/auth/error?") {
            answer = browser.open(&env, answer.location());
        }
        let page = browser.open(&env, answer.location());
        assert!(page.body.contains(&format!("value=\"{APP}/first\"")), "{mode}: {}", page.body);
    }
}
