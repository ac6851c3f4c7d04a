//! Requests that pages of other origins make a browser send: with a session, as preflights, and to server functions.

use serde_json::{Value, json};
use vestibule_core::http::response::Response;
use vestibule_testing::{APP, Answer, Browser, TestEnv, environment, settings};

const SIBLING: &str = "https://blog.example.com";

fn with(change: impl FnOnce(&mut Value)) -> (TestEnv, Browser) {
    let mut settings = settings();
    change(&mut settings);
    let env = TestEnv::in_environment(settings, &|name| match name {
        "AUTH_VERIFY_SECRET" => Some("a-secret-that-the-proxy-knows-0123456789".to_owned()),
        other => environment(other),
    });
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/");
    (env, browser)
}

/// A form's POST by a page of that origin, in which the user signed in.
fn post(env: &TestEnv, browser: &mut Browser, path: &str, headers: &[(&str, &str)]) -> Answer {
    browser.send(env, "POST", &format!("{APP}{path}"), headers, b"to=mallory")
}

#[test]
fn cross_site_request_forgery_a_sibling_s_form_and_its_websocket_reach_no_upstream_with_a_session() {
    let (env, mut alice) = with(|settings| settings["cookies"] = json!({ "domain": "example.com" }));
    for headers in [
        &[("origin", SIBLING), ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate")][..],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        &[("origin", "null"), ("sec-fetch-site", "same-site")],
        &[("origin", SIBLING)],
        &[("sec-fetch-site", "same-site")],
    ] {
        let answer = post(&env, &mut alice, "/transfer", headers);
        assert_eq!((answer.status, answer.forwarded.is_none()), (403, true), "{headers:?}");
        let is_page = headers.contains(&("sec-fetch-mode", "navigate"));
        let words = if is_page { "did not come from a page of this site" } else { "trusted_origins" };
        assert!(answer.body.contains(words), "{}", answer.body);
        let websocket = [headers, &[("upgrade", "websocket"), ("connection", "upgrade")]].concat();
        let answer = alice.send(&env, "GET", &format!("{APP}/socket"), &websocket, b"");
        assert_eq!((answer.status, answer.forwarded.is_none()), (403, true), "{headers:?}");
    }
    assert!(env.log_text().contains("cross_origin_rejected") && env.log_text().contains(SIBLING));
    // A link is safe, and so is what the own pages and no browser at all send.
    let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    assert!(alice.send(&env, "GET", &format!("{APP}/dashboard"), &link, b"").forwarded.is_some());
    for headers in [&[("origin", APP), ("sec-fetch-site", "same-origin")][..], &[("origin", APP)], &[]] {
        let forwarded = post(&env, &mut alice, "/transfer", headers).forwarded.expect("it is forwarded");
        assert_eq!(
            forwarded.request.headers.get("authorization"),
            Some("Bearer access-alice"),
            "{headers:?}"
        );
    }
}

#[test]
fn cross_site_request_forgery_a_trusted_origin_and_a_rule_that_allows_it_may_send_requests() {
    let sibling = [("origin", SIBLING), ("sec-fetch-site", "same-site")];
    for trusted in [SIBLING, "https://*.example.com"] {
        let (env, mut alice) = with(|settings| settings["trusted_origins"] = json!([trusted]));
        assert!(post(&env, &mut alice, "/transfer", &sibling).forwarded.is_some(), "{trusted}");
        let other = [("origin", "http://blog.example.com"), ("sec-fetch-site", "cross-site")];
        assert_eq!(post(&env, &mut alice, "/transfer", &other).status, 403, "{trusted}");
    }
    let rule = json!({ "match": "/webhook", "access": "signed-in", "cross_origin": "allow" });
    let (env, mut alice) = with(|settings| settings["rules"].as_array_mut().unwrap().insert(0, rule));
    assert!(post(&env, &mut alice, "/webhook", &sibling).forwarded.is_some());
    assert_eq!(post(&env, &mut alice, "/transfer", &sibling).status, 403);
}

#[test]
fn cross_site_request_forgery_another_name_of_a_page_does_not_take_its_check_away() {
    let sibling = [("origin", SIBLING), ("sec-fetch-site", "same-site")];
    let rules = json!([
        { "match": "/transfer", "access": "signed-in" },
        { "match": "/:path*", "access": "signed-in", "cross_origin": "allow" },
    ]);
    let (env, mut alice) = with(|settings| settings["rules"] = rules);
    assert!(post(&env, &mut alice, "/webhook", &sibling).forwarded.is_some());
    assert!(post(&env, &mut alice, "/Webhook;x=1", &sibling).forwarded.is_some());
    for path in ["/transfer", "/Transfer", "/transfer;x=1", "/transfer.json", "/index.php/transfer"] {
        assert_eq!(post(&env, &mut alice, path, &sibling).status, 403, "{path}");
        assert!(post(&env, &mut alice, path, &[("origin", APP)]).forwarded.is_some(), "{path}");
    }
}

#[test]
fn cross_site_request_forgery_a_public_path_is_forwarded_without_the_user() {
    let (env, mut alice) = with(|settings| settings["upstreams"][0]["forward_session"] = json!(true));
    let own = post(&env, &mut alice, "/about", &[("origin", APP)]).forwarded.unwrap();
    assert!(own.request.headers.contains("authorization"));
    assert!(own.request.headers.joined("cookie").contains("authjs.session-token"));
    let sibling = post(&env, &mut alice, "/about", &[("origin", SIBLING)]).forwarded.unwrap();
    for name in ["authorization", "x-user-email", "x-user-roles"] {
        assert!(!sibling.request.headers.contains(name), "{name}");
    }
    assert!(!sibling.request.headers.joined("cookie").contains("session-token"));
}

#[test]
fn cross_site_request_forgery_a_request_without_a_session_is_answered_as_ever() {
    let env = TestEnv::new();
    let answer =
        post(&env, &mut Browser::new(), "/transfer", &[("origin", SIBLING), ("accept", "text/html")]);
    assert_eq!(answer.status, 302);
}

#[test]
fn cross_site_request_forgery_our_own_forms_are_ours_alone() {
    let (env, mut alice) = with(|_| {});
    let token = alice.csrf(&env);
    let body = format!("csrfToken={token}");
    let form = ("content-type", "application/x-www-form-urlencoded");
    for route in ["signout", "signin/acme", "session"] {
        let url = format!("{APP}/auth/{route}");
        let answer = alice.send(&env, "POST", &url, &[form, ("origin", SIBLING)], body.as_bytes());
        assert_eq!(answer.status, 403, "{route}");
    }
    assert_eq!(alice.session(&env)["user"]["email"], "alice@example.com");
    let url = format!("{APP}/auth/signout");
    let answer = alice.send(&env, "POST", &url, &[form, ("origin", APP)], body.as_bytes());
    assert_eq!(answer.status, 302);
}

#[test]
fn cross_site_request_forgery_a_proxy_that_asks_gets_the_same_answer() {
    let (env, mut alice) = with(|settings| settings["verify"] = json!({ "headers": "x-forwarded" }));
    let mut ask = |method: &str, headers: &[(&str, &str)]| {
        let of_proxy = [
            ("x-vestibule-verify", "a-secret-that-the-proxy-knows-0123456789"),
            ("x-forwarded-method", method),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.example.com"),
            ("x-forwarded-uri", "/transfer"),
        ];
        alice.send(&env, "GET", &format!("{APP}/auth/verify"), &[&of_proxy[..], headers].concat(), b"").status
    };
    assert_eq!(ask("POST", &[("origin", APP)]), 204);
    assert_eq!(ask("POST", &[("origin", SIBLING)]), 403);
    assert_eq!(ask("GET", &[("origin", SIBLING)]), 204);
    assert_eq!(ask("GET", &[("origin", SIBLING), ("upgrade", "websocket")]), 403);
    // A proxy that does not pass the method asks about any.
    let (env, mut alice) = with(|_| {});
    let url = format!("{APP}/auth/verify");
    assert_eq!(alice.send(&env, "GET", &url, &[("origin", SIBLING)], b"").status, 403);
    assert_eq!(alice.send(&env, "GET", &url, &[], b"").status, 204);
}

#[test]
fn behind_a_proxy_that_ends_tls_the_configured_origin_is_the_own_one() {
    let (env, mut alice) = with(|settings| settings["origin"] = json!(APP));
    let inside = "http://10.0.0.7:8080";
    let cookies = alice.cookie_header();
    let headers = [("cookie", cookies.as_str()), ("origin", APP), ("sec-fetch-site", "same-origin")];
    let answer = env.send("POST", &format!("{inside}/transfer"), &headers, b"");
    assert!(answer.forwarded.is_some(), "{}", answer.status);
    let sign_in = env.send("GET", &format!("{inside}/dashboard"), &[("accept", "text/html")], b"");
    assert!(sign_in.location().starts_with(&format!("{APP}/auth/signin?")), "{}", sign_in.location());
    assert_eq!(alice.open(&env, &format!("{APP}/dashboard")).status, 200);
}

#[test]
fn preflight_as_a_way_in_nothing_but_cors_goes_in_and_comes_out_of_a_guarded_path() {
    let (env, mut alice) = with(|_| {});
    let head = Response::empty(200)
        .with("access-control-allow-origin", "https://app.example")
        .with("vary", "Origin")
        .with("allow", "GET, POST")
        .with("set-cookie", "app=1")
        .with("x-secret", "1")
        .with_body("what the handler says");
    env.forwarder.head.replace(head);
    let preflight = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
        ("cookie", "app=session"),
        ("authorization", "Bearer x"),
    ];
    let answer = alice.send(&env, "OPTIONS", &format!("{APP}/admin/run?now=1"), &preflight, b"a body");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    for (name, is_there) in [("access-control-allow-origin", true), ("vary", true), ("allow", true)] {
        assert_eq!(answer.headers.contains(name), is_there, "{name}");
    }
    assert!(!answer.headers.contains("set-cookie") && !answer.headers.contains("x-secret"));
    let sent = (0..).map_while(|number| env.forwarder.request(number)).last().unwrap();
    assert_eq!((sent.request.url.query.as_deref(), sent.body.len()), (None, 0));
    for name in ["cookie", "authorization", "x-user-email"] {
        assert!(!sent.request.headers.contains(name), "{name}");
    }
    // On a public path it is a request like any other that is nobody's.
    let answer = alice.send(&env, "OPTIONS", &format!("{APP}/about?q=1"), &preflight, b"");
    assert_eq!(answer.forwarded.unwrap().request.url.query.as_deref(), Some("q=1"));
}

#[test]
fn preflight_as_a_way_in_it_is_guarded_where_either_its_own_method_or_the_announced_one_is() {
    let (env, mut alice) = with(|settings| {
        settings["rules"] = json!([
            { "match": "/orders", "methods": ["OPTIONS"], "access": "public" },
            { "match": "/form", "methods": ["POST"], "access": "public" },
            { "match": "/open", "methods": ["OPTIONS", "POST"], "access": "public" },
        ]);
    });
    let preflight =
        [("origin", "https://evil.example"), ("access-control-request-method", "POST"), ("cookie", "app=1")];
    for (path, is_guarded) in [("/orders", true), ("/form", true), ("/other", true), ("/open", false)] {
        alice.send(&env, "OPTIONS", &format!("{APP}{path}?now=1"), &preflight, b"");
        let sent = (0..).map_while(|number| env.forwarder.request(number)).last().unwrap();
        assert_eq!(sent.request.url.path, path);
        assert_eq!(sent.request.url.query.is_none(), is_guarded, "{path}");
        assert_eq!(sent.request.headers.contains("cookie"), !is_guarded, "{path}");
    }
}

#[test]
fn functions_behind_paths_a_server_function_on_a_public_path_needs_a_session() {
    let next = |settings: &mut Value| settings["upstreams"][0]["framework"] = json!("nextjs");
    let (env, mut alice) = with(next);
    let calls = [
        &[("next-action", "40a1"), ("origin", APP)][..],
        &[("content-type", "multipart/form-data; boundary=x"), ("origin", APP)],
    ];
    for call in calls {
        let answer = post(&env, &mut Browser::new(), "/about", call);
        assert_eq!((answer.status, answer.forwarded.is_none()), (401, true), "{call:?}");
        assert!(answer.body.contains("server_functions"), "{}", answer.body);
        assert!(post(&env, &mut alice, "/about", call).forwarded.is_some(), "{call:?}");
        // Another page's call is nobody's.
        let foreign = [&call[..1], &[("origin", SIBLING)]].concat();
        assert_eq!(post(&env, &mut alice, "/about", &foreign).status, 401, "{call:?}");
    }
    assert!(post(&env, &mut Browser::new(), "/about", &[]).forwarded.is_some());
    let (env, _) = with(|settings| {
        next(settings);
        settings["rules"][0]["server_functions"] = json!("public");
    });
    assert!(post(&env, &mut Browser::new(), "/about", calls[0]).forwarded.is_some());
    let (env, _) = with(|_| {});
    assert!(post(&env, &mut Browser::new(), "/about", calls[0]).forwarded.is_some());
}

#[test]
fn path_confusion_our_own_routes_are_answered_by_no_upstream_under_another_name() {
    let (env, mut alice) = with(|settings| settings["default_access"] = json!("public"));
    for path in ["/Auth/session", "/AUTH/signin", "/auth;x/session", "/%2561uth/session"] {
        let answer = alice.open(&env, &format!("{APP}{path}"));
        assert_eq!((answer.status, answer.forwarded.is_none()), (404, true), "{path}");
    }
    assert!(alice.open(&env, &format!("{APP}/authors")).forwarded.is_some());
}

#[test]
fn work_bombs_a_path_that_would_cost_too_much_gets_414() {
    let rules: Vec<Value> = (0..60)
        .map(|n| json!({ "match": format!("/:a*/:b*/:c*/x{n}"), "require": { "roles": ["admin"] } }))
        .collect();
    let (env, mut alice) = with(|settings| settings["rules"] = json!(rules));
    let answer = alice.open(&env, &format!("{APP}/{}", "a/".repeat(8_000)));
    assert_eq!((answer.status, answer.forwarded.is_none()), (414, true));
    assert!(alice.open(&env, &format!("{APP}/a/b/c")).forwarded.is_some());
}

#[test]
fn cross_site_request_forgery_an_access_token_does_not_bring_the_session_cookies_along() {
    let (env, mut alice) = with(|settings| {
        settings["upstreams"][0]["forward_session"] = json!(true);
        settings["providers"][0]["accept_bearer"] = json!({ "audience": "https://api.example.com" });
    });
    let now = env.now().seconds();
    let claims = json!({
        "iss": "https://idp.example", "sub": "bob-1", "aud": "https://api.example.com",
        "iat": now, "exp": now + 60, "email": "bob@example.com", "email_verified": true, "scope": "read",
    });
    let token = env.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims);
    let token = format!("Bearer {token}");
    let answer = post(&env, &mut alice, "/transfer", &[("origin", SIBLING), ("authorization", &token)]);
    let forwarded = answer.forwarded.unwrap_or_else(|| panic!("{}: {}", answer.status, env.log_text()));
    assert!(!forwarded.request.headers.joined("cookie").contains("session-token"));
    assert_eq!(forwarded.request.headers.get("x-user-email"), Some("bob@example.com"));
}
