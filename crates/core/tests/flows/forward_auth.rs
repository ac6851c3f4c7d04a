//! `flow/guard/forward_auth`: what other proxies are answered, and how they prove themselves.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testing::{APP, Answer, Browser, TestEnv, environment, settings};

const SECRET: &str = "what-the-proxy-and-the-worker-share";
const VERIFY: &str = "https://app.example.com/auth/verify";
const NAVIGATION: [(&str, &str); 2] = [("sec-fetch-mode", "navigate"), ("accept", "text/html")];
const SCRIPT: [(&str, &str); 2] = [("sec-fetch-mode", "cors"), ("accept", "application/json")];

/// An environment with a proxy that reports the original request in these header fields.
fn believing(headers: &str, patch: &Value) -> TestEnv {
    let mut settings = settings();
    settings["verify"] = json!({ "headers": headers });
    for (key, value) in patch.as_object().unwrap() {
        settings[key] = value.clone();
    }
    with_secret(settings)
}

/// An environment with the proxy's secret.
fn with_secret(settings: Value) -> TestEnv {
    TestEnv::in_environment(settings, &|name| match name {
        "AUTH_VERIFY_SECRET" => Some(SECRET.to_owned()),
        other => environment(other),
    })
}

/// Asks about a request, as Traefik and Caddy do.
fn ask_as_traefik(
    world: &TestEnv,
    browser: &mut Browser,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let fields = [
        ("x-vestibule-verify", SECRET),
        ("x-forwarded-method", method),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-uri", path),
    ];
    let unchanged = fields.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
    let all: Vec<_> =
        unchanged.chain(headers.iter().filter(|(_, value)| !value.is_empty())).copied().collect();
    browser.send(world, "GET", VERIFY, &all, b"")
}

/// Asks about a request, as nginx does.
fn ask_as_nginx(world: &TestEnv, browser: &mut Browser, path: &str, headers: &[(&str, &str)]) -> Answer {
    let url = format!("{APP}{path}");
    let fields =
        [("x-vestibule-verify", SECRET), ("x-original-method", "GET"), ("x-original-url", url.as_str())];
    let all: Vec<_> = fields.iter().chain(headers).copied().collect();
    browser.send(world, "GET", VERIFY, &all, b"")
}

/// Asks about a request, as Envoy does: with its method, and its path below `/auth/verify`.
fn ask_as_envoy(
    world: &TestEnv,
    browser: &mut Browser,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let fields = [
        ("x-vestibule-verify", SECRET),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
    ];
    let unchanged = fields.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
    let all: Vec<_> =
        unchanged.chain(headers.iter().filter(|(_, value)| !value.is_empty())).copied().collect();
    browser.send(world, method, &format!("{VERIFY}{path}"), &all, b"")
}

fn signed_in(world: &TestEnv, user: &str) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(world, user, "/");
    browser
}

fn assert_uncached(answer: &Answer) {
    assert_eq!(answer.headers.get("cache-control"), Some("private, no-cache, no-store"), "{answer:?}");
    assert!(answer.forwarded.is_none());
}

#[test]
fn without_a_trusted_proxy_it_answers_whether_a_user_is_signed_in() {
    let world = TestEnv::new();
    let answer = Browser::new().open(&world, VERIFY);
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("\"signInUrl\":\"https://app.example.com/auth/signin\""), "{}", answer.body);
    assert!(!answer.headers.contains("location") && !answer.headers.contains("set-cookie"));
    assert_uncached(&answer);

    for user in ["alice", "bob"] {
        let mut browser = signed_in(&world, user);
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let answer = browser.send(&world, method, VERIFY, &NAVIGATION, b"");
            assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{method}");
            assert_eq!(answer.headers.get("x-user-email"), Some(format!("{user}@example.com").as_str()));
            assert_uncached(&answer);
        }
    }
}

#[test]
fn without_the_proxy_secret_the_answer_has_no_more_than_the_session_route() {
    let mut hidden = settings();
    hidden["session"]["expose"] = json!({});
    hidden["upstreams"][0]["headers"] =
        json!({ "X-User-Email": "email", "X-User-Roles": "roles", "X-Token": "access_token", "X-Id": "sub" });
    let mut known = hidden.clone();
    known["verify"] = json!({ "headers": "none" });
    for (world, headers) in [
        (TestEnv::with(hidden.clone()), &[][..]),
        (TestEnv::with(hidden.clone()), &[("x-vestibule-verify", SECRET)][..]),
        (with_secret(hidden.clone()), &[("x-vestibule-verify", SECRET)]),
        (with_secret(known), &[]),
    ] {
        let mut alice = signed_in(&world, "alice");
        let answer = alice.send(&world, "GET", VERIFY, headers, b"");
        assert_eq!(answer.status, 204);
        let fields: Vec<_> = answer.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(fields, ["x-user-email", "cache-control", "expires", "pragma"]);
    }

    hidden["verify"] = json!({ "headers": "none" });
    let world = with_secret(hidden);
    let answer =
        signed_in(&world, "alice").send(&world, "GET", VERIFY, &[("x-vestibule-verify", SECRET)], b"");
    assert_eq!(answer.headers.get("authorization"), Some("Bearer access-alice"));
    assert_eq!(answer.headers.get("x-user-roles"), Some("admin,user"));
    assert_eq!(answer.headers.get("x-id"), Some("alice-1"));
}

#[test]
fn trusted_forwarding_headers_are_ignored_without_the_configuration() {
    let world = TestEnv::new();
    let mut bob = signed_in(&world, "bob");
    for header in [
        ("x-forwarded-uri", "/about"),
        ("x-forwarded-uri", "/admin"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-method", "OPTIONS"),
        ("x-original-url", "https://app.example.com/about"),
        ("x-original-uri", "/about"),
        ("x-original-method", "OPTIONS"),
        ("x-rewrite-url", "/about"),
        ("x-http-method-override", "OPTIONS"),
        ("x-auth-return-redirect", "1"),
        ("x-vestibule-verify", SECRET),
        ("user-agent", "kube-probe/1.29"),
        ("authorization", "Bearer x"),
    ] {
        let answer = Browser::new().send(&world, "GET", VERIFY, &[header], b"");
        assert_eq!(answer.status, 401, "{header:?}");
        assert!(!format!("{answer:?}").contains("evil"), "{answer:?}");
        assert_eq!(bob.send(&world, "GET", VERIFY, &[header], b"").status, 204, "{header:?}");
    }
    let preflight = [("origin", "https://other.example"), ("access-control-request-method", "POST")];
    assert_eq!(Browser::new().send(&world, "OPTIONS", VERIFY, &preflight, b"").status, 401);
}

#[test]
fn the_rules_decide_about_the_original_request() {
    let world = believing("x-forwarded", &json!({}));
    let (mut anonymous, mut bob, mut alice) =
        (Browser::new(), signed_in(&world, "bob"), signed_in(&world, "alice"));
    for (path, statuses) in [
        ("/", [204, 204, 204]),
        ("/about?x=/admin", [204, 204, 204]),
        ("/dashboard", [302, 204, 204]),
        ("/dashboard?/about", [302, 204, 204]),
        ("/admin", [302, 403, 204]),
        ("/%61dmin/x", [302, 403, 204]),
        ("/admin;x=1", [302, 403, 204]),
        ("/admin%23.css", [302, 403, 204]),
    ] {
        let browsers = [
            (&mut anonymous, None),
            (&mut bob, Some("Bearer access-bob")),
            (&mut alice, Some("Bearer access-alice")),
        ];
        for ((browser, token), status) in browsers.into_iter().zip(statuses) {
            let answer = ask_as_traefik(&world, browser, "GET", path, &NAVIGATION);
            assert_eq!(answer.status, status, "{path}");
            assert_uncached(&answer);
            assert_eq!(answer.headers.get("authorization"), token.filter(|_| status == 204), "{path}");
        }
    }
    let answer = ask_as_traefik(&world, &mut anonymous, "GET", "/dashboard?x=1", &NAVIGATION);
    assert_eq!(
        answer.location(),
        "https://app.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard%3Fx%3D1"
    );
    let script = ask_as_traefik(&world, &mut anonymous, "GET", "/dashboard", &SCRIPT);
    assert_eq!(script.status, 401);
    assert!(script.body.contains("callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard"), "{}", script.body);
    assert_eq!(ask_as_traefik(&world, &mut bob, "GET", "/admin", &SCRIPT).body, "{\"error\":\"forbidden\"}");

    let answer = ask_as_traefik(&world, &mut alice, "GET", "/admin", &NAVIGATION);
    assert_eq!(answer.headers.get("authorization"), Some("Bearer access-alice"));
    assert_eq!(answer.headers.get("x-user-email"), Some("alice@example.com"));
    assert_eq!(answer.headers.get("x-user-roles"), Some("admin,user"));
}

#[test]
fn nginx_gets_only_statuses_that_auth_request_understands() {
    let world = believing(
        "x-original",
        &json!({ "rules": [
            { "match": "/about", "access": "public" },
            { "match": "/secret", "require": { "roles": ["admin"] }, "deny": "not-found" },
            { "match": "/admin", "require": { "roles": ["admin"] } },
        ] }),
    );
    let (mut anonymous, mut bob) = (Browser::new(), signed_in(&world, "bob"));
    for (path, statuses) in [
        ("/about", [204, 204]),
        ("/dashboard", [401, 204]),
        ("/admin", [401, 403]),
        ("/secret", [403, 403]),
        ("/about/../admin", [403, 403]),
        ("//about", [403, 403]),
        ("/about%2f..%2fadmin", [403, 403]),
        ("/%zz", [403, 403]),
        ("/auth/signin", [403, 403]),
        ("/auth/verify", [403, 403]),
    ] {
        for headers in [NAVIGATION, SCRIPT] {
            for (browser, status) in [&mut anonymous, &mut bob].into_iter().zip(statuses) {
                let answer = ask_as_nginx(&world, browser, path, &headers);
                assert_eq!(answer.status, status, "{path}");
                assert_uncached(&answer);
                let sends = status == 401 && headers == NAVIGATION;
                assert_eq!(answer.headers.contains("location"), sends, "{path}");
            }
        }
    }
    let answer = ask_as_nginx(&world, &mut anonymous, "/dashboard?x=%20", &NAVIGATION);
    assert_eq!(
        answer.location(),
        "https://app.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard%3Fx%3D%2520"
    );

    // The path alone: the host is that of the request itself.
    let fields = [
        ("x-vestibule-verify", SECRET),
        ("x-original-method", "GET"),
        ("x-original-uri", "/admin"),
        ("sec-fetch-mode", "navigate"),
    ];
    assert_eq!(bob.send(&world, "GET", VERIFY, &fields, b"").status, 403);
    assert_eq!(anonymous.send(&world, "GET", VERIFY, &fields, b"").status, 401);
}

#[test]
fn a_request_without_the_proxy_secret_is_rejected() {
    let world = believing("x-forwarded", &json!({}));
    let mut alice = signed_in(&world, "alice");
    let twice = format!("{SECRET}, {SECRET}");
    for headers in [
        &[("x-vestibule-verify", "")][..],
        &[("x-vestibule-verify", "what-the-proxy-and-the-worker-sharf")],
        &[("x-vestibule-verify", &SECRET[..10])],
        &[("x-vestibule-verify", &twice)],
        &[("x-vestibule-verify", SECRET), ("x-vestibule-verify", SECRET)],
        &[("x-vestibule-verify", ""), ("x_vestibule_verify", SECRET)],
    ] {
        for path in ["/about", "/dashboard"] {
            let answer = ask_as_traefik(&world, &mut alice, "GET", path, headers);
            assert_eq!(answer.status, 403, "{headers:?}");
            for name in ["authorization", "x-user-email", "x-user-roles", "set-cookie"] {
                assert!(!answer.headers.contains(name), "{name} {headers:?}");
            }
        }
    }
    // The request of a page's script.
    assert_eq!(alice.fetch(&world, VERIFY).status, 403);
    assert!(world.log_text().contains("AUTH_VERIFY_SECRET in the header X-Vestibule-Verify"));
    assert!(!world.log_text().contains(SECRET));

    let mut known = settings();
    known["verify"] = json!({ "headers": "none" });
    let world = with_secret(known);
    let mut alice = signed_in(&world, "alice");
    let answer = alice.send(&world, "GET", VERIFY, &[("x-vestibule-verify", "guessed")], b"");
    assert_eq!(answer.status, 403);
}

#[test]
fn trusted_forwarding_headers_that_are_incomplete_are_rejected() {
    let world = believing("x-forwarded", &json!({ "default_access": "public", "rules": [] }));
    let mut anonymous = Browser::new();
    assert_eq!(ask_as_traefik(&world, &mut anonymous, "GET", "/x", &[]).status, 204);
    let long = format!("/{}", "a".repeat(20_000));
    for header in [
        ("x-forwarded-method", ""),
        ("x-forwarded-method", "GET, POST"),
        ("x-forwarded-proto", ""),
        ("x-forwarded-proto", "ftp"),
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-host", ""),
        ("x-forwarded-host", "app.example.com, app.example.com"),
        ("x-forwarded-host", "app.example.com/x?"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-host", "app.example.com.evil.example"),
        ("x-forwarded-host", "app.example.com@evil.example"),
        ("x-forwarded-host", "app.example.com%00"),
        ("x-forwarded-host", "app.example.com:99999"),
        ("x-forwarded-uri", ""),
        ("x-forwarded-uri", "x"),
        ("x-forwarded-uri", "/about, /x"),
        ("x-forwarded-uri", "/about#x"),
        ("x-forwarded-uri", "//x"),
        ("x-forwarded-uri", "/../x"),
        ("x-forwarded-uri", "/%2e%2e/x"),
        ("x-forwarded-uri", "/a\\b"),
        ("x-forwarded-uri", "/%zz"),
        ("x-forwarded-uri", "https://app.example.com/x"),
        ("x-forwarded-uri", &long),
    ] {
        let answer = ask_as_traefik(&world, &mut anonymous, "GET", "/x", &[header]);
        assert_eq!(answer.status, 403, "{header:?}");
        assert!(!answer.headers.contains("location"), "{header:?}");
    }
    for name in ["x-forwarded-method", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-uri"] {
        let value = match name {
            "x-forwarded-method" => "GET",
            "x-forwarded-proto" => "https",
            "x-forwarded-host" => "app.example.com",
            _ => "/x",
        };
        let answer = ask_as_traefik(&world, &mut anonymous, "GET", "/x", &[(name, value), (name, value)]);
        assert_eq!(answer.status, 403, "{name} twice");
    }
    // Header fields that the configuration does not name are ignored.
    let fields = [
        ("x-vestibule-verify", SECRET),
        ("x-original-method", "GET"),
        ("x-original-url", "https://app.example.com/x"),
    ];
    assert_eq!(anonymous.send(&world, "GET", VERIFY, &fields, b"").status, 403);
}

#[test]
fn the_original_host_must_be_one_that_a_return_address_may_name() {
    let site = json!({ "trusted_hosts": ["partner.example"], "cookies": { "domain": "example.com" },
        "rules": [{ "match": "/x", "host": "open.example.com", "access": "public" }] });
    let world = believing("x-forwarded", &site);
    let mut anonymous = Browser::new();
    for (host, status) in [
        ("app.example.com", 302),
        ("shop.example.com", 302),
        // A return address may name this host, but it has no session.
        ("partner.example", 403),
        ("open.example.com", 204),
        ("OPEN.example.com", 204),
        ("evil.example", 403),
        ("example.com.evil.example", 403),
        ("notexample.com", 403),
    ] {
        let headers = [("x-forwarded-host", host), ("sec-fetch-mode", "navigate")];
        let answer = ask_as_traefik(&world, &mut anonymous, "GET", "/x", &headers);
        assert_eq!(answer.status, status, "{host}");
    }
    // The request's own host differs from the original one: the rules apply to the original host.
    let fields = [
        ("x-vestibule-verify", SECRET),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-uri", "/x"),
    ];
    let answer = anonymous.send(&world, "GET", "https://open.example.com/auth/verify", &fields, b"");
    assert_eq!(answer.status, 401);
}

#[test]
fn methods_conditions_and_hosts_are_those_of_the_original_request() {
    let rules = json!({ "rules": [
        { "match": "/api/:path*", "methods": ["GET"], "access": "public" },
        { "match": "/preview", "access": "public", "has": [{ "type": "query", "key": "token", "value": "7" }],
          "missing": [{ "type": "header", "key": "X-Robot" }] },
        { "match": "/mail", "access": "signed-in", "to": "https://mail.example", "headers": { "X-Mail": "email" } },
    ] });
    let world = believing("x-forwarded", &rules);
    let mut anonymous = Browser::new();
    let mut status = |method: &str, path: &str, headers: &[(&str, &str)]| {
        ask_as_traefik(&world, &mut anonymous, method, path, headers).status
    };
    assert_eq!(status("GET", "/api/x", &[]), 204);
    assert_eq!(status("HEAD", "/api/x", &[]), 204);
    for method in ["POST", "DELETE", "get", "OPTIONS", "PROPFIND"] {
        assert_eq!(status(method, "/api/x", &[]), 401, "{method}");
    }
    // A rule has methods, and the proxy would pass on a method override.
    assert_eq!(status("GET", "/api/x", &[("x-http-method-override", "DELETE")]), 403);
    assert_eq!(status("GET", "/api/x", &[("x_http_method", "DELETE")]), 403);
    assert_eq!(status("GET", "/preview?token=7", &[]), 204);
    assert_eq!(status("GET", "/preview?token=7", &[("x-robot", "1")]), 401);
    assert_eq!(status("GET", "/preview", &[]), 401);

    let mut alice = signed_in(&world, "alice");
    let answer = ask_as_traefik(&world, &mut alice, "GET", "/mail", &[]);
    assert_eq!(answer.headers.get("x-mail"), Some("alice@example.com"));
    assert!(!answer.headers.contains("authorization") && !answer.headers.contains("x-user-email"));
}

#[test]
fn a_preflight_passes_and_a_websocket_is_not_a_navigation() {
    let world = believing("x-forwarded", &json!({}));
    let mut alice = signed_in(&world, "alice");
    let preflight = [("origin", "https://other.example"), ("access-control-request-method", "POST")];
    let answer = ask_as_traefik(&world, &mut alice, "OPTIONS", "/dashboard", &preflight);
    assert_eq!(answer.status, 204);
    assert!(!answer.headers.contains("authorization") && !answer.headers.contains("x-user-email"));
    let with_override = [&preflight[..], &[("x-http-method-override", "DELETE")]].concat();
    assert_eq!(ask_as_traefik(&world, &mut alice, "OPTIONS", "/dashboard", &with_override).status, 403);

    let mut anonymous = Browser::new();
    for headers in [&[][..], &preflight[..1], &preflight[1..]] {
        assert_eq!(ask_as_traefik(&world, &mut anonymous, "OPTIONS", "/dashboard", headers).status, 401);
    }
    assert_eq!(ask_as_traefik(&world, &mut anonymous, "GET", "/dashboard", &preflight).status, 401);
    for headers in [&[("upgrade", "websocket"), NAVIGATION[0]][..], &[("sec-fetch-mode", "websocket")]] {
        assert_eq!(ask_as_traefik(&world, &mut anonymous, "GET", "/dashboard", headers).status, 401);
    }
    let headers = [("x-forwarded-proto", "wss"), ("upgrade", "websocket")];
    assert_eq!(ask_as_traefik(&world, &mut alice, "GET", "/dashboard", &headers).status, 204);
}

#[test]
fn header_smuggling_fields_that_the_proxy_would_pass_on_in_place_of_ours_are_rejected() {
    let world = believing("x-forwarded", &json!({}));
    let (mut anonymous, mut alice) = (Browser::new(), signed_in(&world, "alice"));
    for header in [
        ("x_user_email", "root@example.com"),
        ("x-user_roles", "root"),
        ("X.User.Email", "root@example.com"),
        ("x_forwarded_host", "evil.example"),
        ("x_forwarded_uri", "/about"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("x_rewrite_url", "/admin"),
        ("x-matched-path", "/admin"),
        ("proxy", "http://evil.example"),
        ("x-middleware-subrequest", "middleware:middleware:middleware"),
        ("x-invoke-path", "/admin"),
        ("x_vestibule_verify", SECRET),
    ] {
        for (browser, path) in [(&mut anonymous, "/about"), (&mut alice, "/dashboard")] {
            let answer = ask_as_traefik(&world, browser, "GET", path, &[header]);
            assert_eq!(answer.status, 403, "{header:?} {path}");
        }
    }
    // The proxy replaces these fields, or they are harmless.
    for header in [
        ("x-user-email", "root@example.com"),
        ("x-user-emails", "1"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-server", "traefik"),
        ("x-real-ip", "192.0.2.1"),
        ("x-middleware-prefetch", "1"),
        ("x-http-method-override", "PATCH"),
    ] {
        let answer = ask_as_traefik(&world, &mut alice, "GET", "/dashboard", &[header]);
        assert_eq!(answer.status, 204, "{header:?}");
        assert_eq!(answer.headers.get_all("x-user-email").collect::<Vec<_>>(), ["alice@example.com"]);
    }
    // The same where the original request is not reported.
    let world = TestEnv::new();
    let mut alice = signed_in(&world, "alice");
    assert_eq!(alice.send(&world, "GET", VERIFY, &[("x_user_email", "root")], b"").status, 403);
}

#[test]
fn no_header_of_the_client_changes_the_form_of_a_denial() {
    let world = believing("x-original", &json!({}));
    for header in [
        ("x-auth-return-redirect", "1"),
        ("x-auth-return-redirect", "true"),
        ("content-type", "application/json"),
        ("x-http-method-override", "OPTIONS"),
        ("authorization", "Bearer access-alice"),
        ("x-user-email", "alice@example.com"),
        ("user-agent", "GoogleHC/1.0"),
    ] {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let fields = [
                ("x-vestibule-verify", SECRET),
                ("x-original-method", "GET"),
                ("x-original-uri", "/admin"),
                NAVIGATION[0],
                header,
            ];
            let answer = Browser::new().send(&world, method, VERIFY, &fields, b"json=true");
            assert_eq!(answer.status, 401, "{header:?} {method}");
        }
    }
}

#[test]
fn the_token_is_refreshed_and_the_proxy_gets_the_cookie() {
    for headers in ["x-forwarded", "x-original"] {
        let world = believing(headers, &json!({}));
        let mut alice = signed_in(&world, "alice");
        let mut ask = |path: &str| match headers {
            "x-original" => ask_as_nginx(&world, &mut alice, path, &[]),
            _ => ask_as_traefik(&world, &mut alice, "GET", path, &[]),
        };
        assert!(!ask("/dashboard").headers.contains("set-cookie"));
        world.pass(Duration::from_hours(1));
        assert!(!ask("/about").headers.contains("set-cookie"), "a public page renews nothing");
        let answer = ask("/dashboard");
        assert_eq!(answer.status, 204);
        assert_eq!(answer.headers.get("authorization"), Some("Bearer access-alice~1"));
        let cookie = answer.headers.get("set-cookie").unwrap();
        assert!(cookie.starts_with("__Secure-authjs.session-token="), "{cookie}");
        assert_eq!(answer.headers.get("x-vestibule-set-cookie-1"), Some(cookie));
        assert_eq!(answer.headers.get("x-vestibule-set-cookie-2"), None);
        assert_uncached(&answer);
        let answer = ask("/dashboard");
        assert!(!answer.headers.contains("set-cookie"));
    }
}

#[test]
fn several_cookies_reach_the_browser_all_or_none() {
    let large = |value: &mut Value| value["padding"] = json!("p".repeat(6000));
    for (headers, plain, numbered) in
        [(Some("x-forwarded"), true, true), (Some("x-original"), false, true), (None, false, false)]
    {
        let claims = json!({ "claims": { "padding": "profile.padding" } });
        let world = if let Some(headers) = headers {
            believing(headers, &claims)
        } else {
            let mut settings = settings();
            settings["claims"] = claims["claims"].clone();
            TestEnv::with(settings)
        };
        world.provider.alters_answer_at("userinfo", large);
        let mut alice = signed_in(&world, "alice");
        world.pass(Duration::from_hours(25));
        let answer = match headers {
            Some("x-original") => ask_as_nginx(&world, &mut alice.clone(), "/dashboard", &[]),
            Some(_) => ask_as_traefik(&world, &mut alice.clone(), "GET", "/dashboard", &[]),
            None => alice.clone().fetch(&world, VERIFY),
        };
        assert_eq!(answer.status, 204);
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").collect();
        assert_eq!(cookies.len() > 1, plain, "{headers:?} {cookies:?}");
        assert_eq!(cookies.is_empty(), !plain, "{headers:?}");
        let in_fields = (1..=16).filter_map(|n| {
            let name = format!("x-vestibule-set-cookie-{n}");
            answer.headers.iter().find(|(this, _)| *this == name).map(|(_, value)| value.to_owned())
        });
        let in_fields: Vec<String> = in_fields.collect();
        assert_eq!(in_fields.len() > 1, numbered, "{headers:?}");
        if plain {
            assert_eq!(cookies, in_fields);
        }
        // Whichever cookies arrived, the browser is still signed in.
        assert_eq!(alice.session(&world)["user"]["email"], "alice@example.com");
    }
}

#[test]
fn after_invalid_grant_it_answers_the_sign_in_address_and_for_a_provider_that_is_down_503() {
    let world = believing("x-original", &json!({}));
    let mut alice = signed_in(&world, "alice");
    world.pass(Duration::from_hours(1));
    world.provider.goes_down("token");
    let answer = ask_as_nginx(&world, &mut alice, "/dashboard", &NAVIGATION);
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains("retry-after"));
    world.provider.comes_back();
    world.pass(Duration::from_mins(1));
    world.provider.answers_raw("token", 400, "application/json", br#"{"error":"invalid_grant"}"#);
    let answer = ask_as_nginx(&world, &mut alice, "/dashboard", &NAVIGATION);
    assert_eq!(answer.status, 401);
    assert!(answer.location().starts_with("https://app.example.com/auth/signin?callbackUrl="));
    assert_eq!(ask_as_nginx(&world, &mut alice, "/about", &NAVIGATION).status, 204);
}

#[test]
fn only_the_trusted_proxy_gets_an_assertion() {
    let mut signed = settings();
    signed["upstreams"][0]["assertion"] = json!(true);
    let world = believing("x-forwarded", &json!({ "upstreams": signed["upstreams"] }));
    let mut alice = signed_in(&world, "alice");
    let answer = ask_as_traefik(&world, &mut alice, "GET", "/dashboard", &[]);
    assert_eq!(answer.headers.get("x-vestibule-assertion").map(|token| token.split('.').count()), Some(3));
    // A client's own field would reach the application if the proxy does not replace it.
    let forged = [("x-vestibule-assertion", "forged")];
    assert_eq!(ask_as_traefik(&world, &mut alice, "GET", "/dashboard", &forged).status, 403);

    let world = TestEnv::with(signed);
    let answer = signed_in(&world, "alice").fetch(&world, VERIFY);
    assert_eq!((answer.status, answer.headers.contains("x-vestibule-assertion")), (204, false));
}

#[test]
fn users_sign_in_at_the_login_host_and_never_outside_its_domain() {
    let site = json!({ "login_url": "https://auth.example.com", "cookies": { "domain": "example.com" },
        "trusted_hosts": ["partner.example"] });
    let world = believing("x-original", &site);
    let mut anonymous = Browser::new();
    let mut ask = |host: &str, path: &str| {
        let url = format!("https://{host}{path}");
        let fields = [
            ("x-vestibule-verify", SECRET),
            ("x-original-method", "GET"),
            ("x-original-url", url.as_str()),
            NAVIGATION[0],
        ];
        anonymous.send(&world, "GET", "https://auth.example.com/auth/verify", &fields, b"")
    };
    let answer = ask("app.example.com", "/dashboard");
    assert_eq!(
        (answer.status, answer.location()),
        (401, "https://auth.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard")
    );
    let answer = ask("partner.example", "/dashboard");
    assert_eq!((answer.status, answer.headers.contains("location")), (403, false));
    assert_eq!(ask("partner.example", "/about").status, 204);
}

#[test]
fn envoy_asks_with_the_original_method_and_path_and_takes_only_200_for_permission() {
    let world = believing("envoy", &json!({}));
    let (mut anonymous, mut bob, mut alice) =
        (Browser::new(), signed_in(&world, "bob"), signed_in(&world, "alice"));
    for (path, statuses) in [
        ("/", [200, 200, 200]),
        ("/about?x=/admin", [200, 200, 200]),
        ("/dashboard", [302, 200, 200]),
        ("/admin", [302, 403, 200]),
        ("/%61dmin/x", [302, 403, 200]),
        ("/admin;x=1", [302, 403, 200]),
        ("/session", [302, 200, 200]),
        ("/auth/session", [403, 403, 403]),
    ] {
        for (browser, status) in [&mut anonymous, &mut bob, &mut alice].into_iter().zip(statuses) {
            let answer = ask_as_envoy(&world, browser, "GET", path, &NAVIGATION);
            assert_eq!(answer.status, status, "{path}");
            assert_uncached(&answer);
        }
    }
    let answer = ask_as_envoy(&world, &mut anonymous, "GET", "/dashboard?x=1", &NAVIGATION);
    assert_eq!(
        answer.location(),
        "https://app.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard%3Fx%3D1"
    );
    for method in ["DELETE", "OPTIONS", "PUT"] {
        let answer = ask_as_envoy(&world, &mut anonymous, method, "/dashboard", &SCRIPT);
        assert_eq!((answer.status, answer.headers.contains("location")), (401, false), "{method}");
    }
    let preflight = [("origin", "https://other.example"), ("access-control-request-method", "POST")];
    assert_eq!(ask_as_envoy(&world, &mut anonymous, "OPTIONS", "/dashboard", &preflight).status, 200);
    let answer = ask_as_envoy(&world, &mut alice, "POST", "/dashboard", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.headers.get("authorization"), Some("Bearer access-alice"));
    assert_eq!(answer.headers.get("x-user-email"), Some("alice@example.com"));
}

#[test]
fn header_smuggling_envoy_is_told_which_fields_of_a_client_to_remove() {
    let world = believing("envoy", &json!({}));
    let removed = |answer: &Answer| {
        let names = answer.headers.get("x-envoy-auth-headers-to-remove").unwrap().to_owned();
        let mut names: Vec<_> = names.split(',').map(ToOwned::to_owned).collect();
        names.sort();
        names
    };
    let forged = [("x-user-email", "root@example.com"), ("authorization", "Basic forged")];
    let answer = ask_as_envoy(&world, &mut Browser::new(), "GET", "/about", &forged);
    assert_eq!(answer.status, 200);
    for name in ["authorization", "dpop", "x-user-email", "x-user-roles", "x-vestibule-verify"] {
        assert!(removed(&answer).iter().any(|removed| removed == name), "{name}: {:?}", removed(&answer));
        assert!(!answer.headers.contains(name), "{name}");
    }
    // Envoy removes after it has set.
    let answer = ask_as_envoy(&world, &mut signed_in(&world, "alice"), "GET", "/dashboard", &forged[..1]);
    for name in ["authorization", "x-user-email", "x-user-roles"] {
        assert!(!removed(&answer).iter().any(|removed| removed == name), "{name}");
        assert!(answer.headers.contains(name), "{name}");
    }
    assert!(removed(&answer).contains(&"dpop".to_owned()));
}

#[test]
fn path_confusion_no_path_that_envoy_asks_with_leads_to_a_page_of_ours() {
    let world = believing("envoy", &json!({}));
    let mut alice = signed_in(&world, "alice");
    for path in [
        "",
        "/",
        "//about",
        "/about/../admin",
        "/../session",
        "/%2e%2e/session",
        "/..%2fsession",
        "/..;/session",
        "/.//session",
    ] {
        let answer = ask_as_envoy(&world, &mut alice, "GET", path, &[]);
        assert_eq!(answer.status, if path == "/" { 200 } else { 403 }, "{path}");
        assert!(answer.body.is_empty() || answer.status == 403, "{path}");
    }
    // Something between Envoy and the Worker has shortened the path.
    let fields = [
        ("x-vestibule-verify", SECRET),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
    ];
    for path in [
        "/auth/session",
        "/auth/csrf",
        "/auth/health",
        "/about",
        "/auth//verify/x",
        "/AUTH/verify/x",
        "/auth/verify",
    ] {
        let answer = alice.send(&world, "GET", &format!("{APP}{path}"), &fields, b"");
        assert_eq!((answer.status, answer.forwarded.is_none()), (403, true), "{path}");
        // A browser's own request.
        assert_eq!(alice.send(&world, "GET", &format!("{APP}/auth/session"), &[], b"").status, 200);
    }
    for header in [
        ("x-vestibule-verify", ""),
        ("x-vestibule-verify", "guessed"),
        ("x-forwarded-host", ""),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-host", "app.example.com, evil.example"),
        ("x-forwarded-proto", ""),
        ("x-forwarded-proto", "https,http"),
    ] {
        let answer = ask_as_envoy(&world, &mut alice, "GET", "/about", &[header]);
        assert_eq!(answer.status, 403, "{header:?}");
    }
    // With another proxy's fields such a path is none of ours.
    let world = believing("x-forwarded", &json!({}));
    let mut alice = signed_in(&world, "alice");
    assert!(ask_as_envoy(&world, &mut alice, "GET", "/about", &[]).status >= 400);
}

#[test]
fn envoy_gets_every_cookie_of_a_refreshed_session_as_set_cookie() {
    let world = believing("envoy", &json!({}));
    let mut alice = signed_in(&world, "alice");
    let answer = ask_as_envoy(&world, &mut alice, "GET", "/dashboard", &[]);
    assert!(!answer.headers.contains("set-cookie") && !answer.headers.contains("x-vestibule-cache-control"));
    world.pass(Duration::from_hours(1));
    let answer = ask_as_envoy(&world, &mut alice, "GET", "/dashboard", &[]);
    assert_eq!(answer.headers.get("authorization"), Some("Bearer access-alice~1"));
    assert!(answer.headers.get("set-cookie").unwrap().starts_with("__Secure-authjs.session-token="));
    assert_eq!(answer.headers.get("x-vestibule-cache-control"), Some("private, no-store"));
    assert!(!answer.headers.contains("x-vestibule-set-cookie-1"));
}

#[test]
fn cross_site_request_forgery_a_websocket_is_refused_although_proxies_leave_upgrade_out_of_what_they_ask() {
    let world = believing("x-forwarded", &json!({ "cookies": { "domain": "example.com" } }));
    let mut alice = signed_in(&world, "alice");
    for handshake in [
        ("upgrade", "websocket"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
        ("sec-fetch-mode", "websocket"),
    ] {
        for (origin, status) in
            [(APP, 204), ("https://evil.example", 403), ("https://blog.example.com", 403), ("null", 403)]
        {
            let headers = [handshake, ("origin", origin)];
            let answer = ask_as_traefik(&world, &mut alice, "GET", "/dashboard", &headers);
            assert_eq!(answer.status, status, "{handshake:?} {origin}");
            assert_eq!(answer.headers.contains("authorization"), status == 204, "{handshake:?} {origin}");
        }
        let answer =
            ask_as_traefik(&world, &mut Browser::new(), "GET", "/dashboard", &[handshake, NAVIGATION[1]]);
        assert_eq!(answer.status, 401, "{handshake:?}: no redirect");
    }
}

#[test]
fn behind_a_proxy_that_ends_tls_a_site_whose_login_url_is_https_is_on_https() {
    let site = json!({ "login_url": "https://auth.example.com", "cookies": { "domain": "example.com" } });
    let world = believing("x-forwarded", &site);
    let mut anonymous = Browser::new();
    let headers = [("x-forwarded-proto", "http"), NAVIGATION[0]];
    let answer = ask_as_traefik(&world, &mut anonymous, "GET", "/dashboard", &headers);
    assert_eq!(
        answer.location(),
        "https://auth.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard"
    );
}

#[test]
fn with_a_cookie_domain_the_session_comes_before_what_removes_cookies_of_the_host() {
    let large = |value: &mut Value| value["padding"] = json!("p".repeat(6000));
    let world = believing(
        "x-original",
        &json!({ "cookies": { "domain": "example.com" }, "claims": { "padding": "profile.padding" } }),
    );
    world.provider.alters_answer_at("userinfo", large);
    let mut alice = signed_in(&world, "alice");
    world.pass(Duration::from_hours(25));
    let answer = ask_as_nginx(&world, &mut alice, "/dashboard", &[]);
    assert_eq!(answer.status, 204);
    let cookies = (1..=16).map(|n| format!("x-vestibule-set-cookie-{n}"));
    let cookies: Vec<&str> = cookies.filter_map(|name| answer.headers.get(&name)).collect();
    let of_domain = cookies.iter().take_while(|cookie| cookie.contains("; Domain=example.com")).count();
    assert!((2..=4).contains(&of_domain) && of_domain < cookies.len(), "{cookies:?}");
    assert!(cookies.iter().skip(of_domain).all(|cookie| cookie.contains("=; Max-Age=0")), "{cookies:?}");
}
