//! `flow/provider/token_revocation`: a sign-out revokes the refresh token at the provider (RFC 7009), and the user does
//! not wait for it.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::log::{ErrorSource, LogEvent};
use vestibule_testing::{APP, Answer, Browser, TestEnv, environment, settings};

use crate::refresh::{EXPIRED, LEASES, SECOND, Sent, given, sent, signed_in, with_lease};

const ENDPOINT: &str = "https://idp.example/revoke";

/// An environment whose provider publishes the endpoint, and a browser that signed in.
fn published() -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    world
        .provider
        .alters_answer_at("discovery", |document| document["revocation_endpoint"] = json!(ENDPOINT));
    browser.sign_in(&world, "bob", "/");
    (world, browser)
}

fn with_key(revocation: &Value) -> Value {
    let mut settings = settings();
    settings["providers"][0]["token_revocation"] = revocation.clone();
    settings
}

fn sign_out(world: &TestEnv, browser: &mut Browser) -> Answer {
    let csrf = browser.csrf(world);
    let answer = browser.post(world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    assert_eq!((answer.status, answer.location()), (302, format!("{APP}/").as_str()));
    assert_eq!(browser.session(world), Value::Null);
    answer
}

fn revocations(world: &TestEnv) -> Vec<String> {
    world.provider.revocations.borrow().clone()
}

/// The request for bob's first refresh token.
const OF_BOB: &str = "token=refresh-bob&token_type_hint=refresh_token";

#[test]
fn a_sign_out_revokes_the_refresh_token_at_the_endpoint_that_the_provider_publishes() {
    let (world, mut browser) = published();
    sign_out(&world, &mut browser);
    assert_eq!(revocations(&world), [OF_BOB]);
    assert!(!world.provider.grants.is_valid("bob"));
    assert!(world.logged(LogEvent::TokenRevocationFailed).is_empty());
    sign_out(&world, &mut browser);
    assert_eq!(revocations(&world).len(), 1, "without a session there is nothing to revoke");
}

#[test]
fn the_endpoint_may_be_configured_and_revocation_may_be_switched_off() {
    for (revocation, count) in [(json!(ENDPOINT), 1), (json!(false), 0)] {
        let (world, mut browser) = (TestEnv::with(with_key(&revocation)), Browser::new());
        if count == 0 {
            world.provider.alters_answer_at("discovery", |d| d["revocation_endpoint"] = json!(ENDPOINT));
        }
        browser.sign_in(&world, "bob", "/");
        sign_out(&world, &mut browser);
        assert_eq!(revocations(&world).len(), count, "{revocation}");
        assert_eq!(world.provider.grants.is_valid("bob"), count == 0);
    }
}

#[test]
fn a_provider_without_the_endpoint_is_an_error_only_where_the_configuration_wants_it() {
    for (settings, failed, unknown) in
        [(settings(), 0, 1), (with_key(&json!(true)), 1, 0), (with_key(&json!(false)), 0, 0)]
    {
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.sign_in(&world, "bob", "/");
        sign_out(&world, &mut browser);
        assert_eq!(world.logged(LogEvent::TokenRevocationFailed).len(), failed);
        assert_eq!(world.logged(LogEvent::TokenRevocationUnknown).len(), unknown);
        assert_eq!(world.log_text().contains("publishes no revocation_endpoint"), failed + unknown == 1);
    }
}

#[test]
fn a_session_without_a_refresh_token_revokes_nothing() {
    let (world, mut browser) = (TestEnv::with(with_key(&json!(ENDPOINT))), Browser::new());
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    browser.sign_in(&world, "bob", "/");
    sign_out(&world, &mut browser);
    assert!(revocations(&world).is_empty(), "an access token alone is not revoked");
}

#[test]
fn a_refresh_token_that_the_store_does_not_give_is_missed_only_where_it_would_be_revoked() {
    for (revocation, tokens, has_refresh_token, missed) in [
        (json!(ENDPOINT), "store", true, 1),
        (json!(false), "store", true, 0),
        (json!(ENDPOINT), "store", false, 0),
        (json!(ENDPOINT), "cookie", false, 0),
    ] {
        let mut settings = with_key(&revocation);
        settings["session"]["tokens"] = json!(tokens);
        let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
        if !has_refresh_token {
            world.provider.alters_answer_at("token", |answer| {
                answer.as_object_mut().unwrap().remove("refresh_token");
            });
        }
        browser.sign_in(&world, "bob", "/");
        world.store.garbles("tokens/", "nothing that opens");
        let other = world.isolate(settings, "here");
        let csrf = browser.csrf(&other);
        browser.post(&other, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
        let failed = world.logged(LogEvent::TokenRevocationFailed);
        assert_eq!(failed.len(), missed, "{revocation} {tokens} {has_refresh_token}");
        assert!(failed.iter().all(|line| line.message().contains("cannot be read from the store")));
    }
}

/// Signs out. Returns how long the browser waited for the answer, and how long everything took.
fn time_to_sign_out(world: &TestEnv, browser: &mut Browser) -> (Duration, Duration) {
    let csrf = browser.csrf(world);
    let (cookies, form) = (browser.cookie_header(), format!("csrfToken={csrf}"));
    let begun = world.now();
    let answered = world.clock.run(async {
        let headers = [("cookie", cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let answer = world.sent("POST", &format!("{APP}/auth/signout"), &headers, form.as_bytes()).await;
        assert_eq!(answer.status, 302);
        world.now()
    });
    (answered.since(begun), world.now().since(begun))
}

#[test]
fn no_one_waits_for_the_revocation_or_for_what_it_needs() {
    let (world, mut browser) = (TestEnv::with(with_key(&json!(false))), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let (usual, _) = time_to_sign_out(&world, &mut browser);

    let (world, mut browser) = published();
    world.http.hanging.borrow_mut().push(ENDPOINT);
    let (waited, all) = time_to_sign_out(&world, &mut browser);
    assert_eq!((waited, world.fetches(ENDPOINT)), (usual, 2), "it is retried once");
    assert!(all > waited && all <= SECOND * 30, "a runtime lets it run for so long: {all:?}");
    assert_eq!(world.logged(LogEvent::TokenRevocationFailed).len(), 1);

    let (world, mut browser) = published();
    let other = world.isolate(settings(), "elsewhere");
    other.http.hanging.borrow_mut().push("https://idp.example/.well-known/openid-configuration");
    let (waited, all) = time_to_sign_out(&other, &mut browser);
    assert_eq!(waited, usual);
    assert!(all > waited && all <= SECOND * 30, "{all:?}");
}

#[test]
fn after_a_passing_failure_it_is_tried_once_more_and_only_a_second_failure_is_logged() {
    for (failures, is_revoked) in [(1, true), (2, false)] {
        let (world, mut browser) = published();
        for _ in 0..failures {
            world.provider.answers_once("revocation", 503, ("x-any", "1"), &json!({}));
        }
        sign_out(&world, &mut browser);
        assert_eq!((revocations(&world).len(), world.provider.grants.is_valid("bob")), (2, !is_revoked));
        let lines = world.logged(LogEvent::TokenRevocationFailed);
        assert_eq!(lines.len(), usize::from(!is_revoked));
        assert!(lines.iter().all(|line| line.error_source() == ErrorSource::Provider));
    }
}

#[test]
fn the_providers_retry_after_is_kept_or_there_is_no_second_attempt() {
    for (retry_after, attempts, waited) in [("7", 2, 7), ("0", 2, 2), ("11", 1, 0), ("86400", 1, 0)] {
        let (world, mut browser) = published();
        world.provider.answers_once("revocation", 503, ("retry-after", retry_after), &json!({}));
        let (answered, all) = time_to_sign_out(&world, &mut browser);
        assert_eq!(revocations(&world).len(), attempts, "{retry_after}");
        assert_eq!(all.checked_sub(answered), Some(SECOND * waited), "{retry_after}");
        assert_eq!(world.logged(LogEvent::TokenRevocationFailed).len(), 2 - attempts, "{retry_after}");
    }
}

#[test]
fn a_lasting_error_is_logged_at_once() {
    for (status, error, said) in [
        (400, "unsupported_token_type", "set token_revocation = false"),
        (401, "invalid_client", "invalid_client"),
        (400, "invalid_request", "status 400, invalid_request"),
        (302, "", "redirects are not followed"),
        (404, "", "status 404"),
    ] {
        let (world, mut browser) = published();
        world.provider.answers_once("revocation", status, ("x-any", "1"), &json!({ "error": error }));
        sign_out(&world, &mut browser);
        assert_eq!(revocations(&world).len(), 1, "{error}");
        assert_eq!(world.logged(LogEvent::TokenRevocationFailed).len(), 1, "{error}");
        assert!(world.log_text().contains(said), "{}", world.log_text());
        assert!(!world.log_text().contains("refresh-bob"), "{}", world.log_text());
    }
}

#[test]
fn a_token_that_the_provider_does_not_know_is_revoked() {
    for answer in [json!({ "error": "invalid_token" }), json!({ "error": "invalid_grant" })] {
        let (world, mut browser) = published();
        world.provider.answers_once("revocation", 400, ("x-any", "1"), &answer);
        sign_out(&world, &mut browser);
        assert!(world.logged(LogEvent::TokenRevocationFailed).is_empty());
    }
}

#[test]
fn a_provider_that_is_down_does_not_prevent_the_sign_out() {
    let (world, mut browser) = published();
    world.provider.goes_down("discovery");
    world.provider.goes_down("revocation");
    // Another process, which has not read the metadata yet.
    let other = world.isolate(settings(), "elsewhere");
    sign_out(&other, &mut browser);
    let lines = other.logged(LogEvent::TokenRevocationFailed);
    assert_eq!(lines.len(), 1);
}

#[test]
fn a_refresh_that_ends_after_the_sign_out_revokes_its_new_token() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        let csrf = browser.csrf(&world);
        let cookies = browser.cookie_header();
        let mut settings = with_lease(lease);
        settings["providers"][0]["token_revocation"] = json!(ENDPOINT);
        let world = world.isolate(settings, "here");
        // Revoking the old token comes too early to end the grant.
        world.provider.answers_once("revocation", 503, ("retry-after", "60"), &json!({}));
        let form = format!("csrfToken={csrf}");
        let sign_out: Sent<'_> = Box::pin(async {
            world.clock.sleep(Duration::from_millis(100)).await;
            let headers =
                [("cookie", cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
            world.sent("POST", &format!("{APP}/auth/signout"), &headers, form.as_bytes()).await
        });
        let answers = world.all([sent(&world, &cookies, Duration::ZERO), sign_out]);
        assert_eq!((answers[1].status, given(&world)), (302, 1), "{lease}");
        let new = "token=refresh-bob%7E1&token_type_hint=refresh_token";
        assert!(revocations(&world).iter().any(|body| body == new), "{lease}: {:?}", revocations(&world));
        assert!(!world.provider.grants.is_valid("bob"), "{lease}");
    }
}

#[test]
fn a_sign_out_with_the_old_cookie_after_a_refresh_revokes_the_new_token() {
    for (lease, is_elsewhere) in LEASES.into_iter().flat_map(|lease| [(lease, false), (lease, true)]) {
        if (lease, is_elsewhere) == ("none", true) {
            continue;
        }
        let (world, mut browser) = signed_in(lease, EXPIRED);
        let mut settings = with_lease(lease);
        settings["providers"][0]["token_revocation"] = json!(ENDPOINT);
        let world = world.isolate(settings.clone(), "here");
        // The browser does not see the answer with the new cookie.
        let refreshed = world.all([sent(&world, &browser.cookie_header(), Duration::ZERO)]);
        assert_eq!((refreshed[0].status, given(&world)), (200, 1), "{lease}");
        world.pass(SECOND * 30);
        let other = if is_elsewhere { world.isolate(settings, "here") } else { world };
        sign_out(&other, &mut browser);
        assert_eq!(revocations(&other), ["token=refresh-bob%7E1&token_type_hint=refresh_token"], "{lease}");
        assert!(!other.provider.grants.is_valid("bob"), "{lease}");
    }
}

#[test]
fn an_invalid_revocation_endpoint_is_rejected() {
    let oauth2 = json!({
        "id": "acme", "type": "oauth2", "authorization": "https://idp.example/authorize",
        "token": "https://idp.example/token", "userinfo": "https://idp.example/me", "token_revocation": true,
    });
    let api = json!({ "id": "acme", "type": "credentials", "token_revocation": true });
    let of_issuer = |value: Value| with_key(&value)["providers"][0].clone();
    for (provider, said) in [
        (oauth2, "token_revocation: an OAuth 2 provider publishes no revocation endpoint; write its URL"),
        (api, "token_revocation: only a provider of type"),
        (of_issuer(json!("http://idp.example/revoke")), "token_revocation: "),
        (of_issuer(json!("/revoke")), "token_revocation: "),
        (of_issuer(json!(1)), "token_revocation: expected true, false or a URL, got a number"),
    ] {
        let errors =
            Config::load(json!({ "providers": [provider] }), &environment, &vestibule_testing::RUNTIME)
                .unwrap_err()
                .to_string();
        assert!(errors.contains(said), "{provider}: {errors}");
    }
}

#[test]
fn providers_that_end_the_users_other_sessions_are_not_asked() {
    for (id, is_revoked) in [("google", false), ("line", false), ("okta", true)] {
        let mut provider = json!({ "id": id });
        if id == "okta" {
            provider["issuer"] = json!("https://examples.okta.com");
        }
        let variables = |name: &str| match name {
            "AUTH_SECRET" => environment(name),
            name if name.contains("REVOKE") || name.contains("HEALTH") => None,
            name if name.ends_with("_ID") || name.ends_with("_SECRET") => Some("a-value".to_owned()),
            _ => None,
        };
        let settings = json!({ "providers": [provider] });
        let config = Config::load(settings, &variables, &vestibule_testing::RUNTIME).unwrap();
        let kind = &config.providers.first().unwrap().kind;
        let vestibule_core::config::ProviderKind::OAuth(oauth) = kind else { panic!("{id}") };
        assert_eq!(oauth.token_revocation.is_some(), is_revoked, "{id}");
    }
}
