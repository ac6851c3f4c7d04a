//! Requests that pages of other origins make a browser send, at the built Worker: with a session, as preflights, and to
//! server functions; and paths that are refused before any rule. What exactly is decided, the tests of the core say.

use std::time::Duration;

use miniflare_test_harness::{Client, ClientResponse, Request, Response};
use serde_json::{Value, json};
use vestibule_test_runtimes::part_needs;

use crate::test_env::{APP, TestEnv, echo, session, settings, settings_with};

const SIBLING: &str = "https://blog.example.com";

/// What a browser says about a request that this page began.
fn of_page(origin: &str) -> [(&str, &str); 2] {
    [("origin", origin), ("sec-fetch-site", if origin == APP { "same-origin" } else { "same-site" })]
}

fn post(browser: &Client, path: &str, headers: &[(&str, &str)]) -> ClientResponse {
    let request = browser.post(&format!("{APP}{path}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    request.body("", "to=mallory").send()
}

/// What the application received since it had received `known` requests.
fn received(env: &TestEnv, known: usize) -> Vec<Request> {
    env.requests_to_service("APP").split_off(known)
}

fn with(patch: &Value) -> (TestEnv, Client, usize) {
    let env = TestEnv::with(settings_with(patch), |builder| builder.service("APP", echo));
    let alice = env.signed_in("alice");
    let known = env.requests_to_service("APP").len();
    (env, alice, known)
}

#[test]
fn cross_site_request_forgery_only_pages_of_the_own_origin_and_trusted_ones_may_post_with_a_session() {
    let (env, alice, known) = with(&json!({ "trusted_origins": ["https://shop.example.com"] }));
    for headers in
        [&of_page(SIBLING)[..], &of_page(SIBLING)[..1], &of_page(SIBLING)[1..], &[("origin", "null")]]
    {
        let reply = post(&alice, "/transfer", headers).expect_status(403);
        assert_eq!(reply.json()["error"], "cross_origin", "{headers:?}");
    }
    assert!(received(&env, known).is_empty());
    env.logs().wait_for("cross_origin_rejected", Duration::from_secs(5));
    for headers in [&of_page(APP)[..], &of_page("https://shop.example.com"), &[]] {
        let body = post(&alice, "/transfer", headers).expect_status(200).json();
        assert_eq!((&body["body"], &body["method"]), (&json!("to=mallory"), &json!("POST")), "{headers:?}");
    }
    // A link is not a form.
    let link = alice.get(&format!("{APP}/dashboard")).header("sec-fetch-site", "cross-site");
    link.header("sec-fetch-mode", "navigate").send().expect_status(200);
    // On a public path it is anonymous.
    post(&alice, "/about", &of_page(SIBLING)).expect_status(200);
    let forwarded = received(&env, known).pop().expect("it is forwarded");
    assert_eq!((forwarded.header("x-user-email"), forwarded.header("authorization")), (None, None));
}

#[test]
fn cross_site_request_forgery_our_own_forms_are_ours_alone() {
    let (_env, alice, _) = with(&json!({}));
    for route in ["signout", "signin/acme", "session"] {
        post(&alice, &format!("/auth/{route}"), &of_page(SIBLING)).expect_status(403);
    }
    assert_eq!(session(&alice, APP)["user"]["email"], "alice@example.com");
}

#[test]
fn cross_site_request_forgery_a_sibling_opens_no_websocket_with_a_session() {
    let (env, alice, known) = with(&json!({}));
    let open = |headers: &[(&str, &str)]| {
        let request = alice.get(&format!("{APP}/socket"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.websocket().expect("an answer")
    };
    for headers in [&of_page(SIBLING)[..], &of_page(SIBLING)[..1]] {
        let refused = open(headers).expect_err("it is refused");
        assert_eq!((refused.status, &refused.json()["error"]), (403, &json!("cross_origin")));
    }
    assert!(received(&env, known).is_empty());
    // The application answers the own page's, in its way.
    if part_needs!(WebSockets) {
        assert_eq!(open(&of_page(APP)).expect_err("no WebSocket").status, 200);
    }
}

#[test]
fn preflight_as_a_way_in_nothing_but_cors_goes_in_and_comes_out() {
    let application = |_: &Request| {
        Response::text("what the handler says")
            .header("access-control-allow-origin", "https://app.example")
            .header("access-control-max-age", "600")
            .header("vary", "Origin")
            .header("set-cookie", "app=1")
            .header("x-secret", "1")
    };
    let env = TestEnv::with(settings(), |builder| builder.service("APP", application));
    let alice = env.signed_in("alice");
    let known = env.requests_to_service("APP").len();
    alice.set_cookie(APP, "app=session; path=/");
    let reply = alice
        .request("OPTIONS", &format!("{APP}/admin/run?now=1"))
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .header("authorization", "Bearer of-the-client")
        .body("text/plain", "a body")
        .send()
        .expect_status(200);
    assert_eq!(reply.text(), "");
    for name in ["access-control-allow-origin", "access-control-max-age", "vary"] {
        assert!(reply.header(name).is_some(), "{name}");
    }
    assert_eq!((reply.header("set-cookie"), reply.header("x-secret")), (None, None));
    let sent = received(&env, known).pop().expect("the application is asked");
    assert_eq!(
        (sent.method.as_str(), sent.target.as_str(), sent.text().as_str()),
        ("OPTIONS", "/admin/run", "")
    );
    for name in ["cookie", "authorization", "x-user-email"] {
        assert_eq!(sent.header(name), None, "{name}");
    }
}

#[test]
fn functions_behind_paths_a_server_function_on_a_public_path_needs_a_session() {
    let mut patch = json!({ "upstreams": settings()["upstreams"] });
    patch["upstreams"][0]["framework"] = json!("nextjs");
    let (env, alice, known) = with(&patch);
    let call = [("next-action", "40a1"), ("origin", APP)];
    let reply = post(&env.client(), "/about", &call).expect_status(401);
    assert!(reply.text().contains("server_functions"), "{}", reply.text());
    assert!(received(&env, known).is_empty());
    post(&alice, "/about", &call).expect_status(200);
    post(&env.client(), "/about", &call[1..]).expect_status(200);
}

#[test]
fn path_confusion_our_own_routes_are_answered_by_no_upstream_under_another_name() {
    let (env, alice, known) = with(&json!({ "default_access": "public" }));
    for path in ["/Auth/session", "/AUTH/signin", "/auth;x/session", "/%2561uth/session"] {
        alice.get(&format!("{APP}{path}")).send().expect_status(404);
    }
    assert!(received(&env, known).is_empty());
}

#[test]
fn work_bombs_a_path_that_would_cost_too_much_gets_414() {
    let rules: Vec<Value> = (0..60)
        .map(|n| json!({ "match": format!("/:a*/:b*/:c*/x{n}"), "require": { "roles": ["admin"] } }))
        .chain([json!({ "match": "/about", "access": "public" })])
        .collect();
    let (env, alice, known) = with(&json!({ "rules": rules }));
    let reply = alice.get(&format!("{APP}/{}", "a/".repeat(8_000))).send().expect_status(414);
    assert_eq!(reply.json()["error"], "uri_too_long");
    assert!(received(&env, known).is_empty());
    alice.get(&format!("{APP}/a/b/c")).send().expect_status(200);
}
