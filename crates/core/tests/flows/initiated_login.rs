//! `flow/signin/initiated`: another site sends a person here to sign in (OpenID Connect Core 1.0 section 4).

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::LogEvent;
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, TestEnv, settings};

use crate::login_host::visitor::Visitor;
use crate::login_host::{AUTH, DOCS, of_the_login_host, with};

const ROUTE: &str = "https://app.example.com/auth/initiate-login";

/// What a browser sends with a form of another site.
const FOREIGN: [(&str, &str); 3] =
    [("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document"), ("origin", "https://portal.example")];

fn open() -> Value {
    let mut settings = settings();
    settings["providers"][0]["initiate_login"] = json!(true);
    settings
}

fn world() -> TestEnv {
    TestEnv::with(open())
}

fn address(parameters: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{ROUTE}?{query}")
}

fn sent(world: &TestEnv, browser: &mut Browser, parameters: &[(&str, &str)]) -> Answer {
    browser.open(world, &address(parameters))
}

fn assert_unframed(answer: &Answer) {
    assert_eq!(answer.headers.get("x-frame-options"), Some("DENY"), "{answer:?}");
    assert!(
        answer
            .headers
            .get_all("content-security-policy")
            .any(|policy| policy.contains("frame-ancestors 'none'"))
    );
    assert!(answer.headers.get("cache-control").unwrap().contains("no-store"));
}

#[test]
fn oidcc_client_test_3rd_party_init_login_begins_a_sign_in_and_leads_to_the_target() {
    let world = world();
    let target = format!("{APP}/dashboard?x=1");
    let parameters =
        [("iss", ISSUER), ("login_hint", "bob@example.com"), ("target_link_uri", target.as_str())];
    let mut browser = Browser::new();
    let answer = sent(&world, &mut browser, &parameters);
    assert_unframed(&answer);
    let request = AuthorizationRequest::read(answer.location());
    assert_eq!(request.endpoint, "https://idp.example/authorize");
    assert_eq!(request.params["login_hint"], "bob@example.com");
    assert_eq!(request.params["redirect_uri"], "https://app.example.com/auth/callback/acme");
    for bound in ["state", "nonce", "code_challenge"] {
        assert!(request.params[bound].len() > 20, "{bound}");
    }
    let callback = world.provider.authorize(&request, "bob");
    assert_eq!(browser.open(&world, &callback).location(), target);
    assert_eq!(browser.session(&world)["user"]["name"], "bob");

    // The answer is of no use to another browser.
    let request = AuthorizationRequest::read(sent(&world, &mut Browser::new(), &parameters).location());
    let callback = world.provider.authorize(&request, "mallory");
    let mut victim = Browser::new();
    assert!(victim.open(&world, &callback).location().starts_with("https://app.example.com/auth/signin?"));
    assert_eq!(victim.session(&world), Value::Null);
}

#[test]
fn oidcc_client_test_3rd_party_init_login_by_a_form_of_another_site() {
    let world = world();
    let target = format!("{APP}/dashboard");
    let fields = [("iss", ISSUER), ("login_hint", "bob@example.com"), ("target_link_uri", target.as_str())];
    // The browser sends no session with another site's form. The redirect brings it.
    let answer = Browser::new().post_with(&world, ROUTE, &fields, &FOREIGN);
    assert_unframed(&answer);
    let there = answer.location().to_owned();
    assert!(there.starts_with(&format!("{ROUTE}?iss=https%3A%2F%2Fidp.example&")), "{there}");

    let mut browser = Browser::new();
    let request = AuthorizationRequest::read(browser.open(&world, &there).location());
    assert_eq!(request.params["login_hint"], "bob@example.com");
    let callback = world.provider.authorize(&request, "bob");
    assert_eq!(browser.open(&world, &callback).location(), target);

    // Who is signed in keeps their session.
    let mut alice = Browser::new();
    alice.sign_in(&world, "alice", "/");
    assert_eq!(alice.open(&world, &there).location(), target);
    assert_eq!(alice.session(&world)["user"]["name"], "alice");
}

#[test]
fn login_csrf_a_person_who_is_signed_in_keeps_their_session() {
    let world = world();
    let mut alice = Browser::new();
    alice.sign_in(&world, "alice", "/");
    let target = format!("{APP}/dashboard");
    let parameters =
        [("iss", ISSUER), ("login_hint", "mallory@example.com"), ("target_link_uri", target.as_str())];
    let answer = sent(&world, &mut alice, &parameters);
    assert_eq!((answer.status, answer.location()), (302, target.as_str()));
    assert_unframed(&answer);
    assert_eq!(alice.session(&world)["user"]["name"], "alice");
    assert!(alice.cookie_names().iter().all(|name| !name.contains("transaction")));
}

#[test]
fn login_csrf_a_person_who_is_signed_in_keeps_their_session_whatever_fails_at_the_moment() {
    for fails in ["the token, for good", "the provider", "the store"] {
        let mut settings = open();
        settings["revocation"] = json!({ "store": "kv", "on_unavailable": "refuse" });
        let world = TestEnv::with(settings);
        if fails == "the token, for good" {
            world.provider.alters_answer_at("token", |answer| {
                answer.as_object_mut().unwrap().remove("refresh_token");
            });
        }
        let mut alice = Browser::new();
        alice.sign_in(&world, "alice", "/");
        world.pass(Duration::from_hours(2));
        match fails {
            "the provider" => world.provider.goes_down("token"),
            "the store" => world.store.is_down.set(true),
            _ => {}
        }
        let target = format!("{APP}/about");
        let parameters = [("iss", ISSUER), ("target_link_uri", target.as_str())];
        let answer = sent(&world, &mut alice, &parameters);
        assert_eq!((answer.status, answer.location()), (302, target.as_str()), "{fails}");
        assert_unframed(&answer);
        world.provider.comes_back();
        world.store.is_down.set(false);
        world.pass(Duration::from_mins(1));
        assert_eq!(alice.session(&world)["user"]["name"], "alice", "{fails}");
    }
}

#[test]
fn open_redirects_only_an_address_of_the_site_is_a_target() {
    let world = world();
    for target in [
        "https://evil.example/",
        "https://app.example.com.evil.example/",
        "//evil.example",
        "javascript:alert(1)",
        "https://app.example.com@evil.example/",
        "\\\\evil.example",
    ] {
        let mut browser = Browser::new();
        let request = AuthorizationRequest::read(
            sent(&world, &mut browser, &[("iss", ISSUER), ("target_link_uri", target)]).location(),
        );
        let callback = world.provider.authorize(&request, "bob");
        assert_eq!(browser.open(&world, &callback).location(), APP, "{target}");
        // The same for who is signed in, and for a form.
        let answer = sent(&world, &mut browser, &[("iss", ISSUER), ("target_link_uri", target)]);
        assert_eq!(answer.location(), APP);
        let form = [("iss", ISSUER), ("target_link_uri", target)];
        let answer = Browser::new().post_with(&world, ROUTE, &form, &FOREIGN);
        assert!(!answer.location().contains("evil"), "{}", answer.location());
    }
    assert_eq!(world.logged(LogEvent::InitiatedLoginInvalid).len(), 18);
    let mut browser = Browser::new();
    let request = AuthorizationRequest::read(sent(&world, &mut browser, &[("iss", ISSUER)]).location());
    let callback = world.provider.authorize(&request, "bob");
    assert_eq!(browser.open(&world, &callback).location(), APP, "no target");
    assert_eq!(world.logged(LogEvent::InitiatedLoginInvalid).len(), 18);
}

#[test]
fn only_exactly_the_issuer_of_a_provider_that_is_open_for_it_is_accepted() {
    let world = world();
    for issuer in [
        "",
        "https://idp.example/",
        "https://IDP.example",
        "https://evil.example",
        "acme",
        "http://idp.example",
    ] {
        let answer = sent(&world, &mut Browser::new(), &[("iss", issuer)]);
        assert_eq!(answer.status, 400, "{issuer}");
        assert!(!answer.headers.contains("location") && !answer.headers.contains("set-cookie"));
        assert_eq!(answer.headers.get("x-frame-options"), Some("DENY"));
        let answer = Browser::new().post_with(&world, ROUTE, &[("iss", issuer)], &FOREIGN);
        assert_eq!(answer.status, 400, "{issuer}");
    }
    assert_eq!(world.logged(LogEvent::InitiatedLoginInvalid).len(), 12);
    assert_eq!(sent(&world, &mut Browser::new(), &[]).status, 400);
    for twice in [[("iss", ISSUER), ("iss", ISSUER)], [("iss", ISSUER), ("iss", "https://evil.example")]] {
        assert_eq!(sent(&world, &mut Browser::new(), &twice).status, 400, "{twice:?}");
    }
    let long = "x".repeat(513);
    assert_eq!(sent(&world, &mut Browser::new(), &[("iss", ISSUER), ("login_hint", &long)]).status, 400);

    // Without the key there is no such route.
    let closed = TestEnv::new();
    assert_eq!(sent(&closed, &mut Browser::new(), &[("iss", ISSUER)]).status, 400);
    assert!(closed.logged(LogEvent::InitiatedLoginInvalid).is_empty());
    let mut settings = settings();
    settings["providers"].as_array_mut().unwrap().push(json!({
        "id": "other", "type": "oidc", "issuer": "https://other.example", "client_id": "c",
        "token_endpoint_auth_method": "none", "initiate_login": true,
    }));
    let other = TestEnv::with(settings);
    assert_eq!(
        sent(&other, &mut Browser::new(), &[("iss", ISSUER)]).status,
        400,
        "only the provider that has it"
    );
}

#[test]
fn no_parameter_but_the_hint_reaches_the_provider() {
    let mut settings = open();
    settings["providers"][0]["authorization_params"] =
        json!({ "login_hint": "BIS", "audience": "https://api.example" });
    let world = TestEnv::with(settings);
    let hostile = [
        ("iss", ISSUER),
        ("prompt", "none"),
        ("max_age", "0"),
        ("acr_values", "x"),
        ("scope", "openid admin"),
        ("redirect_uri", "https://evil.example/"),
        ("state", "x"),
        ("callbackUrl", "/evil"),
    ];
    let request = AuthorizationRequest::read(sent(&world, &mut Browser::new(), &hostile).location());
    assert_eq!(request.params["login_hint"], "BIS");
    assert_eq!(request.params["audience"], "https://api.example");
    assert_eq!(request.params["scope"], "openid profile email");
    for absent in ["prompt", "max_age", "acr_values", "callbackUrl"] {
        assert!(!request.params.contains_key(absent), "{absent}");
    }
    assert!(!request.params["redirect_uri"].contains("evil") && request.params["state"] != "x");
    let hinted = [("iss", ISSUER), ("login_hint", "bob@example.com")];
    let request = AuthorizationRequest::read(sent(&world, &mut Browser::new(), &hinted).location());
    assert_eq!(request.params["login_hint"], "bob@example.com");
}

#[test]
fn clickjacking_no_frame_and_no_script_begins_a_sign_in() {
    let world = world();
    let url = address(&[("iss", ISSUER)]);
    for dest in ["iframe", "frame", "embed", "object", "image", "empty", "fencedframe"] {
        let headers = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", dest)];
        let answer = Browser::new().send(&world, "GET", &url, &headers, b"");
        assert_eq!(answer.status, 403, "{dest}");
        assert!(!answer.headers.contains("set-cookie"));
    }
    let prefetch =
        [("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch"), ("sec-fetch-dest", "document")];
    assert_eq!(Browser::new().send(&world, "GET", &url, &prefetch, b"").status, 503);
    assert_eq!(Browser::new().send(&world, "HEAD", &url, &[], b"").status, 400);
}

#[test]
fn other_hosts_of_the_site_pass_it_on_to_the_login_host() {
    let mut settings = of_the_login_host();
    settings["providers"][0]["initiate_login"] = json!(true);
    let site = with(settings);
    let mut visitor = Visitor::new();
    let target = format!("{DOCS}/page");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("iss", ISSUER), ("target_link_uri", &target)])
        .finish();
    let arrived = visitor.follow(&site, &format!("https://shop.example.com/auth/initiate-login?{query}"));
    assert_eq!(arrived.url, target, "{:?}", arrived.trail);
    assert!(arrived.trail.get(1).is_some_and(|url| url.starts_with(&format!("{AUTH}/auth/initiate-login?"))));
    assert!(arrived.answer.forwarded.is_some());
}

#[test]
fn a_hint_takes_the_place_of_the_configured_one_and_of_nothing_else() {
    let mut settings = open();
    settings["providers"][0]["authorization_params"] =
        json!({ "login_hint": "BIS", "audience": "https://api.example" });
    let world = TestEnv::with(settings);
    let hinted = [("iss", ISSUER), ("login_hint", "bob@example.com")];
    let answer = sent(&world, &mut Browser::new(), &hinted);
    assert_eq!(answer.location().matches("login_hint=").count(), 1, "{answer:?}");
    let request = AuthorizationRequest::read(answer.location());
    assert_eq!(request.params["login_hint"], "bob@example.com");
    assert_eq!(request.params["audience"], "https://api.example");
}
