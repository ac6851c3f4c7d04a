//! `flow/guard/protect`: which requests pass, and what the upstream gets.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::upstream::Target;
use vestibule_testing::{APP, Browser, TestEnv, settings};

const NAVIGATION: [(&str, &str); 2] = [("sec-fetch-mode", "navigate"), ("accept", "text/html")];

fn signed_in(user: &str) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, user, "/");
    (world, browser)
}

#[test]
fn a_public_page_is_open_to_everyone() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    for path in ["/", "/about", "/static/a/b.css", "/static"] {
        let answer = browser.open(&world, &format!("{APP}{path}?q=%2F"));
        let forwarded = answer.forwarded.expect(path);
        assert_eq!(
            (forwarded.request.url.path.as_str(), forwarded.request.url.query.as_deref()),
            (path, Some("q=%2F"))
        );
        assert_eq!(forwarded.target, Target::Url("https://upstream.example".parse().unwrap()));
        assert!(!forwarded.request.headers.contains("authorization"));
    }
}

#[test]
fn a_navigation_without_a_session_is_redirected_to_sign_in_with_its_exact_address() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let wanted = format!("{APP}/dashboard/a%20b?x=1&y=%26%2F&z=%C3%A9");
    let answer = browser.open(&world, &wanted);
    assert_eq!(answer.status, 302);
    assert!(answer.forwarded.is_none());
    let sign_in = answer.location().to_owned();
    assert!(sign_in.starts_with(&format!("{APP}/auth/signin?callbackUrl=https%3A%2F%2F")), "{sign_in}");

    let page = browser.open(&world, &sign_in);
    let field = |name: &str| {
        let rest = page.body.split(&format!("name=\"{name}\" value=\"")).nth(1).expect(name);
        rest.split('"').next().unwrap().replace("&amp;", "&")
    };
    let fields = [("csrfToken", field("csrfToken")), ("callbackUrl", field("callbackUrl"))];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), &fields);
    let request = vestibule_testing::AuthorizationRequest::read(answer.location());
    let answer = browser.open(&world, &world.provider.authorize(&request, "bob"));
    assert_eq!(answer.location(), wanted);
}

#[test]
fn a_script_without_a_session_gets_401_and_no_redirect() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    for headers in [
        &[("sec-fetch-mode", "cors"), ("accept", "text/html")][..],
        &[("accept", "application/json")],
        &[],
        &[("sec-fetch-mode", "navigate"), ("upgrade", "websocket")],
        &[("sec-fetch-mode", "websocket")],
    ] {
        let answer = browser.send(&world, "GET", &format!("{APP}/dashboard"), headers, b"");
        assert_eq!(answer.status, 401, "{headers:?}");
        assert!(answer.headers.contains("www-authenticate"));
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert!(body["signInUrl"].as_str().unwrap().starts_with(&format!("{APP}/auth/signin?callbackUrl=")));
    }
}

#[test]
fn a_signed_in_user_without_the_claims_gets_403_and_no_sign_in_loop() {
    let (world, mut bob) = signed_in("bob");
    for path in ["/admin", "/admin/", "/admin/users/1", "/%61dmin"] {
        let answer = bob.open(&world, &format!("{APP}{path}"));
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("does not have access to this page"));
        assert_eq!(bob.fetch(&world, &format!("{APP}{path}")).body, "{\"error\":\"forbidden\"}");
    }
    let (world, mut alice) = signed_in("alice");
    assert!(alice.open(&world, &format!("{APP}/admin/users/1")).forwarded.is_some());
}

#[test]
fn the_upstream_gets_the_sessions_user_and_not_the_clients_own_headers() {
    let (world, mut alice) = signed_in("alice");
    let crooked = [
        ("Authorization", "Bearer forged"),
        ("X-User-Email", "root@example.com"),
        ("x_user_email", "root@example.com"),
        ("X-User_Roles", "root"),
        ("x-middleware-subrequest", "middleware"),
        ("x-forwarded-host", "evil.example"),
        ("connection", "x-user-email, x-user-roles"),
        ("x-harmless", "stays"),
    ];
    let headers: Vec<(&str, &str)> = crooked.into_iter().chain(NAVIGATION).collect();
    let answer = alice.send(&world, "POST", &format!("{APP}/dashboard"), &headers, b"some body");
    let forwarded = answer.forwarded.unwrap();
    let seen = |name: &str| forwarded.request.headers.get_all(name).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(seen("authorization"), ["Bearer access-alice"]);
    assert_eq!(seen("x-user-email"), ["alice@example.com"]);
    assert_eq!(seen("x-user-roles"), ["admin,user"]);
    assert_eq!(seen("x-harmless"), ["stays"]);
    assert_eq!(seen("x-forwarded-host"), ["app.example.com"]);
    for name in ["x_user_email", "x-user_roles", "x-middleware-subrequest"] {
        assert!(seen(name).is_empty(), "{name}");
    }
    assert!(!seen("connection").join(",").contains("x-user"));
    assert_eq!(forwarded.body, b"some body");
}

#[test]
fn header_smuggling_clients_cannot_set_our_headers_even_on_public_paths_and_preflights() {
    let (world, mut anonymous) = (TestEnv::new(), Browser::new());
    let forged =
        [("X-User-Email", "root@example.com"), ("X_USER_ROLES", "admin"), ("authorization", "Bearer x")];
    let answer = anonymous.send(&world, "GET", &format!("{APP}/about"), &forged, b"");
    let preflight: Vec<(&str, &str)> = forged
        .into_iter()
        .chain([("origin", "https://other.example"), ("access-control-request-method", "POST")])
        .chain([("X-HTTP-Method-Override", "DELETE")])
        .collect();
    let preflight = anonymous.send(&world, "OPTIONS", &format!("{APP}/dashboard"), &preflight, b"");
    for answer in [answer, preflight] {
        let seen = answer.forwarded.expect("it passes").request.headers;
        for name in
            ["x-user-email", "x_user_roles", "x-user-roles", "authorization", "x-http-method-override"]
        {
            assert!(!seen.contains(name), "{name}");
        }
    }
}

#[test]
fn only_a_genuine_preflight_passes() {
    let (world, mut anonymous) = (TestEnv::new(), Browser::new());
    let url = format!("{APP}/dashboard");
    for headers in
        [&[][..], &[("origin", "https://other.example")], &[("access-control-request-method", "POST")]]
    {
        let answer = anonymous.send(&world, "OPTIONS", &url, headers, b"");
        assert!(answer.forwarded.is_none() && answer.status == 401, "{headers:?}");
    }
}

#[test]
fn the_upstream_gets_the_apps_cookies_but_not_vestibules() {
    let (world, mut alice) = signed_in("alice");
    alice.plant("theme", "dark");
    alice.plant("__Secure-authjs.session-token.9", "odd");
    let answer = alice.open(&world, &format!("{APP}/dashboard"));
    assert_eq!(answer.forwarded.unwrap().request.headers.get("cookie"), Some("theme=dark"));

    let mut anonymous = Browser::new();
    anonymous.begin(&world, "/");
    let answer = anonymous.open(&world, &format!("{APP}/about"));
    assert!(!answer.forwarded.unwrap().request.headers.contains("cookie"));
}

#[test]
fn forward_session_passes_the_sealed_cookie_to_the_upstream() {
    let mut opened = settings();
    opened["upstreams"][0]["forward_session"] = json!(true);
    let (world, mut alice) = (TestEnv::with(opened), Browser::new());
    alice.sign_in(&world, "alice", "/");
    let cookie = alice.open(&world, &format!("{APP}/dashboard")).forwarded.unwrap();
    let cookie = cookie.request.headers.get("cookie").unwrap().to_owned();
    assert!(cookie.contains("__Secure-authjs.session-token=") && !cookie.contains("csrf"), "{cookie}");
}

#[test]
fn path_confusion_a_path_that_servers_read_differently_is_rejected() {
    let (world, mut alice) = signed_in("alice");
    for path in [
        "/static/..%2fadmin",
        "/static/%2e%2e/admin",
        "/static/../admin",
        "//admin",
        "/static//admin",
        "/static\\..\\admin",
        "/static/%5c../admin",
        "/static/.%00/admin",
        "/static/%zz",
        "/static/;/../admin",
        "/static/..;/admin",
        "/static/%ff",
    ] {
        let answer = alice.open(&world, &format!("{APP}{path}"));
        assert!(answer.status == 400 && answer.forwarded.is_none(), "{path}: {}", answer.status);
    }
}

#[test]
fn skip_rules_that_see_the_query_patterns_match_the_path_only() {
    let (world, mut anonymous) = (TestEnv::new(), Browser::new());
    for url in ["/dashboard?/about", "/dashboard?x=/static/a.css", "/dashboard?#/about"] {
        assert!(anonymous.open(&world, &format!("{APP}{url}")).forwarded.is_none(), "{url}");
    }
}

#[test]
fn user_agent_or_health_check_bypass_no_header_bypasses_the_guard() {
    let (world, mut anonymous) = (TestEnv::new(), Browser::new());
    for header in [
        ("user-agent", "kube-probe/1.29"),
        ("x-original-url", "/about"),
        ("x-rewrite-url", "/about"),
        ("x-forwarded-uri", "/about"),
        ("x-forwarded-host", "public.example"),
        ("x-http-method-override", "OPTIONS"),
        ("x-middleware-subrequest", "middleware:middleware:middleware:middleware:middleware"),
        ("authorization", "Bearer x"),
    ] {
        let answer = anonymous.send(&world, "GET", &format!("{APP}/dashboard"), &[header], b"");
        assert!(answer.forwarded.is_none() && answer.status == 401, "{header:?}");
    }
}

#[test]
fn a_session_is_resealed_while_forwarding_and_that_response_is_not_cached() {
    let (world, mut bob) = signed_in("bob");
    let answer = bob.open(&world, &format!("{APP}/dashboard"));
    assert!(!answer.headers.contains("set-cookie"));
    world.pass(Duration::from_hours(24));
    let answer = bob.open(&world, &format!("{APP}/dashboard"));
    assert!(answer.headers.get("set-cookie").unwrap().starts_with("__Secure-authjs.session-token="));
    assert!(!bob.open(&world, &format!("{APP}/dashboard")).headers.contains("set-cookie"));
}

#[test]
fn the_first_rule_that_matches_decides() {
    let mut rules = settings();
    rules["rules"] = json!([
        { "match": "/api/health", "access": "public" },
        { "match": "/api/:path*", "methods": ["GET"], "access": "public", "host": "open.example.com" },
        { "match": "/secret/:path*", "access": "signed-in", "deny": "not-found" },
        { "match": "/api/:path*", "require": { "roles": ["admin"] }, "deny": "forbidden" },
    ]);
    rules["default_access"] = json!("public");
    let (world, mut anonymous) = (TestEnv::with(rules), Browser::new());
    let mut status = |method: &str, url: &str| anonymous.send(&world, method, url, &NAVIGATION, b"").status;
    assert_eq!(status("GET", "https://app.example.com/api/health"), 200);
    assert_eq!(status("GET", "https://app.example.com/api/users"), 403);
    assert_eq!(status("GET", "https://open.example.com/api/users"), 200);
    assert_eq!(status("HEAD", "https://open.example.com/api/users"), 200);
    assert_eq!(status("POST", "https://open.example.com/api/users"), 403);
    assert_eq!(status("GET", "https://app.example.com/secret/1"), 404);
    assert_eq!(status("GET", "https://app.example.com/anything"), 200);
}

#[test]
fn requests_go_to_the_upstream_of_their_host() {
    let mut hosts = settings();
    hosts["upstreams"] = json!([
        { "host": "api.example.com", "to": "service:API", "authorization": "access_token" },
        { "host": "*.example.com", "to": "assets:ASSETS" },
        { "to": "origin" },
    ]);
    let (world, mut browser) = (TestEnv::with(hosts), Browser::new());
    let targets = [
        ("api.example.com", Target::Service("API".to_owned())),
        ("app.example.com", Target::Service("ASSETS".to_owned())),
        ("example.org", Target::Origin),
        ("api.example.com:8443", Target::Service("API".to_owned())),
    ];
    // What is remembered of a host counts for its next request, and for no other host's.
    for (host, target) in targets.iter().chain(&targets[..1]).chain(targets.iter().rev()) {
        assert_eq!(browser.open(&world, &format!("https://{host}/about")).forwarded.unwrap().target, *target);
    }
}

#[test]
fn an_upstream_without_an_answer_is_502_and_the_session_stays() {
    let (world, mut bob) = signed_in("bob");
    world.forwarder.is_down.set(true);
    assert_eq!(bob.open(&world, &format!("{APP}/dashboard")).status, 502);
    world.forwarder.is_down.set(false);
    assert_eq!(bob.open(&world, &format!("{APP}/dashboard")).status, 200);
}

#[test]
fn rules_can_test_headers_cookies_and_parameters_and_later_rules_still_apply() {
    let mut rules = settings();
    rules["rules"] = json!([
        { "match": "/preview/:path*", "access": "public",
          "has": [{ "type": "query", "key": "token", "value": "\\d+" }],
          "missing": [{ "type": "cookie", "key": "no-preview" }, { "type": "header", "key": "X-Robot" }] },
        { "match": "/((?!api).*)\\.(css|js)", "access": "public" },
        { "match": "/user/:id(\\d+)", "require": { "roles": { "not": "admin" }, "email": { "exists": true } } },
        { "match": "/staff", "email_domain": ["Example.com"] },
    ]);
    let (world, mut anonymous) = (TestEnv::with(rules), Browser::new());
    let mut status = |url: &str, headers: &[(&str, &str)]| {
        anonymous.send(&world, "GET", &format!("{APP}{url}"), headers, b"").status
    };
    assert_eq!(status("/preview/x?token=7", &[]), 200);
    assert_eq!(status("/preview/x?token=x", &[]), 401);
    assert_eq!(status("/preview/x", &[]), 401);
    assert_eq!(status("/preview/x?token=7", &[("x-robot", "1")]), 401);
    assert_eq!(status("/preview/x?token=7", &[("cookie", "a=1; no-preview=1")]), 401);
    assert_eq!(status("/a/b.css", &[]), 200);
    assert_eq!(status("/api/b.css", &[]), 401);
    assert_eq!(status("/user/7", &[]), 401);

    for (user, status) in [("alice", 403), ("bob", 200)] {
        let mut browser = Browser::new();
        browser.sign_in(&world, user, "/");
        assert_eq!(browser.open(&world, &format!("{APP}/user/7")).status, status, "{user}");
        assert_eq!(browser.open(&world, &format!("{APP}/staff")).status, 200, "{user}");
    }
}

#[test]
fn email_parsing_an_unverified_address_matches_no_email_domain() {
    let with = |claims: Value| {
        let mut rules = settings();
        rules["claims"] = claims;
        rules["rules"] = json!([{ "match": "/staff", "email_domain": ["example.com"] }]);
        TestEnv::with(rules)
    };
    for (verified, status) in [
        (json!(true), 200),
        // The site's own provider says nothing about verification, and its addresses are trusted.
        (Value::Null, 200),
        (json!(false), 403),
        (json!("true"), 200),
        (json!("yes"), 403),
        (json!(1), 403),
    ] {
        let world = with(json!({}));
        let said = verified.clone();
        world.provider.alters_answer_at("userinfo", move |user| user["email_verified"] = said.clone());
        let mut browser = Browser::new();
        browser.sign_in(&world, "bob", "/");
        assert_eq!(browser.open(&world, &format!("{APP}/staff")).status, status, "{verified}");
    }
    let world = with(json!({ "email_verified": "profile.checked" }));
    world.provider.alters_answer_at("userinfo", |user| {
        user["email_verified"] = json!(false);
        user["checked"] = json!(true);
    });
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    assert_eq!(browser.open(&world, &format!("{APP}/staff")).status, 200, "the configuration says where");
}

#[test]
fn a_rule_can_choose_another_upstream_and_its_headers() {
    let mut rules = settings();
    rules["rules"] = json!([
        { "match": "/api/:path*", "access": "signed-in", "to": "service:API" },
        { "match": "/mail/:path*", "access": "signed-in", "to": "https://mail.example", "headers": { "X-Mail": "email" } },
        { "match": "/plain", "access": "signed-in", "headers": {} },
    ]);
    let (world, mut alice) = (TestEnv::with(rules), Browser::new());
    alice.sign_in(&world, "alice", "/");
    let forged = [
        ("x-mail", "root@example.com"),
        ("X_Mail", "root@example.com"),
        ("x-user-email", "root@example.com"),
    ];
    for (path, target, authorization, user, mail) in [
        ("/api/x", Target::Service("API".to_owned()), None, None, None),
        (
            "/mail",
            Target::Url("https://mail.example".parse().unwrap()),
            None,
            None,
            Some("alice@example.com"),
        ),
        (
            "/plain",
            Target::Url("https://upstream.example".parse().unwrap()),
            Some("Bearer access-alice"),
            None,
            None,
        ),
        (
            "/other",
            Target::Url("https://upstream.example".parse().unwrap()),
            Some("Bearer access-alice"),
            Some("alice@example.com"),
            None,
        ),
    ] {
        let forwarded =
            alice.send(&world, "GET", &format!("{APP}{path}"), &forged, b"").forwarded.expect(path);
        assert_eq!(forwarded.target, target, "{path}");
        let headers = &forwarded.request.headers;
        assert_eq!(headers.get("authorization"), authorization, "{path}");
        assert_eq!(headers.get("x-user-email"), user, "{path}");
        assert_eq!(headers.get("x-mail"), mail, "{path}");
        assert!(!headers.contains("x_mail"), "{path}");
    }
}

#[test]
fn work_bombs_a_huge_path_is_rejected_before_any_work() {
    let (world, mut anonymous) = (TestEnv::new(), Browser::new());
    for path in [
        "/%2e%2e;".repeat(131_072),
        "/".repeat(1 << 20),
        format!("/_next/data/B/{}x", "a%2541;b%23/".repeat(1000)),
    ] {
        let answer = anonymous.send(&world, "GET", &format!("{APP}{path}"), &NAVIGATION, b"");
        assert_eq!(answer.status, 400);
    }
}
