//! RFC 10017, section 6.1: what a backend for a browser-based application has to do.

mod cookies;

pub use self::cookies::{
    cookies_domain, cookies_encrypted, cookies_http_only, cookies_path, cookies_prefix, cookies_same_site,
    cookies_secure,
};

use std::time::Duration;

use miniflare_test_harness::{ClientResponse, Request};
use serde_json::{Value, json};
use vestibule_test_runtimes::part_needs;

use crate::env::{APP, COOKIE, Env, csrf, echo, expire, session, settings, sign_in, sign_out};
use crate::provider::HOST;

const SIBLING: &str = "https://blog.example.com";
const MAX_WAIT: Duration = Duration::from_secs(5);

/// With refresh tokens, and with a logout at the provider, which has cookies of its own.
fn offline() -> Value {
    json!({ "scope": "openid profile email offline_access", "logout": true })
}

pub fn confidential_client() {
    // The provider's endpoints refuse a client that does not authenticate.
    let env = Env::new(&offline());
    let browser = env.signs_in();
    expire(&browser);
    browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
    sign_out(&browser);
    env.wait_for_requests(HOST, 8, MAX_WAIT);
    for (place, count) in [("token", 2), ("revocation", 1)] {
        let requests = env.requests(place);
        assert_eq!(requests.len(), count, "{place}");
        assert!(requests.iter().all(|request| request.header("authorization").is_some()), "{place}");
    }
}

pub fn authorization_code_grant() {
    let env = Env::new(&json!({}));
    env.signs_in();
    let request = env.requests("authorization").remove(0);
    assert_eq!(request.query("response_type").as_deref(), Some("code"));
    assert_eq!(request.query("code_challenge_method").as_deref(), Some("S256"));
    assert!(env.requests("token")[0].form("code_verifier").is_some());
    for response_type in ["token", "id_token", "id_token token"] {
        let settings = settings(&json!({ "response_type": response_type }));
        if part_needs!(Answers500) {
            let env = Env::with(settings, |builder| builder);
            env.client().get(&format!("{APP}/auth/signin")).send().expect_status(500);
            env.logged("configuration_invalid", "response_type");
        } else {
            let why = Env::refused(settings);
            assert!(why.contains("response_type"), "{why}");
        }
    }
}

pub fn csrf_defense() {
    let env = Env::new(&json!({}));
    let browser = env.signs_in();
    let post = |path: &str, headers: &[(&str, &str)]| {
        let request = browser.post(&format!("{APP}{path}"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.form(&[("to", "mallory")]).send()
    };
    let own = [("origin", APP), ("sec-fetch-site", "same-origin")];
    assert_eq!(post("/transfer", &own).status, 200);
    let known = env.requests_to_service("APP").len();
    // With the cookie, as a page of the same site sends it, or a browser without `SameSite`.
    let foreign: [&[(&str, &str)]; 6] = [
        &[("origin", SIBLING), ("sec-fetch-site", "same-site")],
        &[("origin", SIBLING)],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        &[("origin", "null")],
        &[("origin", "http://app.example.com")],
    ];
    for headers in foreign {
        for path in ["/transfer", "/auth/signout", "/auth/session", "/auth/signin/suite"] {
            assert_eq!(post(path, headers).status, 403, "{path} {headers:?}");
        }
        let socket = browser.get(&format!("{APP}/socket"));
        let socket = headers.iter().fold(socket, |request, (name, value)| request.header(name, value));
        assert_eq!(
            socket.websocket().expect("an answer").expect_err("it is refused").status,
            403,
            "{headers:?}"
        );
    }
    assert_eq!(env.requests_to_service("APP").len(), known);
    // Our own forms need their token, too, also from the own origin.
    post("/auth/signout", &own);
    assert_eq!(session(&browser)["user"]["name"], "alice");
}

pub fn cors() {
    let trusted = "https://shop.example.com";
    let mut settings = settings(&json!({}));
    settings["cookies"] = json!({ "domain": "example.com" });
    settings["trusted_origins"] = json!([trusted]);
    settings["token_origins"] = json!([trusted]);
    let env = Env::with(settings, |builder| builder);
    let browser = env.signs_in();
    let read = |method: &str, path: &str, origin: &str| {
        let request = browser.request(method, &format!("{APP}{path}")).header("origin", origin);
        request.header("sec-fetch-site", "same-site").header("sec-fetch-mode", "cors")
    };
    let allowed = |reply: &ClientResponse| reply.header("access-control-allow-origin").map(str::to_owned);
    for path in ["/auth/session", "/auth/csrf"] {
        let reply = read("GET", path, trusted).send().expect_status(200);
        assert_eq!(allowed(&reply).as_deref(), Some(trusted), "{path}");
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"), "{path}");
        for origin in [SIBLING, "https://evil.example", "null", "https://shop.example.com.evil.example"] {
            assert_eq!(allowed(&read("GET", path, origin).send()), None, "{path} {origin}");
        }
    }
    // The access token needs the static header, which no page sends to another origin without a preflight.
    let token = |origin: &str, field: Option<&str>| {
        let request = read("GET", "/auth/token", origin);
        field.iter().fold(request, |request, value| request.header("x-vestibule-token", value)).send()
    };
    assert!(token(trusted, Some("1")).expect_status(200).json()["access_token"].is_string());
    for (origin, field) in [(trusted, None), (SIBLING, Some("1")), ("https://evil.example", Some("1"))] {
        let reply = token(origin, field);
        assert!(reply.status != 200 && !reply.text().contains("access-token-"), "{origin} {}", reply.status);
    }
    for (origin, expected) in [(trusted, Some(trusted)), (SIBLING, None)] {
        let preflight = read("OPTIONS", "/auth/token", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "x-vestibule-token")
            .send();
        assert_eq!(allowed(&preflight).as_deref(), expected);
    }
}

pub fn proxy_hosts() {
    let env = Env::new(&json!({}));
    let browser = env.signs_in();
    let cookie = format!("{COOKIE}={}", browser.cookie(APP, COOKIE).unwrap());
    for target in [
        "//evil.example/x",
        "/https://evil.example/x",
        "/@evil.example/x",
        "/\\evil.example/x",
        "/x?to=https://evil.example/",
    ] {
        browser.get(&format!("{APP}{target}")).send();
    }
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-original-url", "https://evil.example/x"),
        ("x-rewrite-url", "https://evil.example/x"),
        ("forwarded", "host=evil.example"),
    ] {
        browser.get(&format!("{APP}/dashboard")).header(name, value).send().expect_status(200);
    }
    let absolute = format!(
        "GET https://evil.example/x HTTP/1.1\r\nHost: app.example.com\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    );
    browser.raw(absolute.as_bytes(), MAX_WAIT);
    for request in env.requests_to_service("APP") {
        assert!(!request.host.contains("evil"), "{}", request.url());
    }
    // No other host was asked: the end of the test would find it.
    env.assert_no_unknown_requests();
}

pub fn proxy_paths() {
    let mut settings = settings(&json!({}));
    settings["rules"] = json!([{
        "match": "/api/orders/:path*",
        "access": "signed-in",
        "methods": ["GET"],
        "to": "service:ORDERS",
        "strip_prefix": "/api",
        "authorization": "access_token",
    }]);
    let env = Env::with(settings, |builder| builder.service("ORDERS", echo));
    let browser = env.signs_in();
    let send = |method: &str, path: &str| browser.request(method, &format!("{APP}{path}")).send();
    send("GET", "/api/orders/17").expect_status(200);
    let orders = |env: &Env| env.requests_to_service("ORDERS");
    assert_eq!((orders(&env).len(), orders(&env)[0].target.as_str()), (1, "/orders/17"));
    assert!(orders(&env)[0].header("authorization").is_some());
    // Another method, and a path that is another one, do not reach it.
    for (method, path) in [
        ("POST", "/api/orders/17"),
        ("DELETE", "/api/orders/17"),
        ("GET", "/api/admin"),
        ("GET", "/api/orders/../admin"),
        ("GET", "/api/orders/%2e%2e/admin"),
        ("GET", "/api/orders/..%2fadmin"),
        ("GET", "/api/orders%2f17"),
        ("GET", "/api/orders/x;/../../admin"),
    ] {
        send(method, path);
    }
    for request in orders(&env) {
        assert_eq!(request.method, "GET");
        assert!(
            request.path().starts_with("/orders/") && !request.path().contains(".."),
            "{}",
            request.target
        );
        assert!(!request.path().contains("admin"), "{}", request.target);
    }
}

pub fn refresh_tokens_stay() {
    let mut settings = settings(&offline());
    settings["upstreams"][0]["cookies"] = json!({ "app": "{access_token}" });
    let env = Env::with(settings, |builder| builder);
    let browser = env.client();
    let mut replies = vec![sign_in(&browser, "")];
    for path in ["/auth/session", "/auth/token", "/auth/csrf", "/auth/providers", "/dashboard"] {
        let request = browser.get(&format!("{APP}{path}")).header("x-vestibule-token", "1");
        replies.push(request.send());
    }
    expire(&browser);
    replies.push(browser.get(&format!("{APP}/dashboard")).send().expect_status(200));
    let update = json!({ "csrfToken": csrf(&browser), "data": { "refresh_token": "mine" } });
    replies.push(browser.post(&format!("{APP}/auth/session")).header("origin", APP).json(&update).send());
    replies.push(sign_out(&browser));
    assert_eq!(env.count("token"), 2);
    let flat = replies.iter().flat_map(|reply| reply.redirects.iter().chain([reply]));
    for reply in flat.filter(|reply| reply.url.starts_with(APP)) {
        let all = format!("{:?} {}", reply.headers, reply.text());
        assert!(!all.contains("refresh-token-"), "{}: {all}", reply.url);
    }
    for request in env.requests_to_service("APP") {
        let all = format!("{:?} {} {}", request.headers, request.target, request.text());
        assert!(!all.contains("refresh-token-"), "{all}");
    }
}

pub fn revoked_on_logout() {
    let env = Env::new(&offline());
    let browser = env.signs_in();
    let copy = browser.fork();
    sign_out(&browser);
    assert_eq!(session(&browser), Value::Null);
    let known = env.requests_to(HOST).len();
    let requests = env.wait_for_requests(HOST, known.max(6), MAX_WAIT);
    let revocation = requests.iter().find(|request| request.path() == "/revoke").expect("a revocation");
    assert_eq!(revocation.form("token").as_deref(), Some("refresh-token-1"));
    assert_eq!(revocation.form("token_type_hint").as_deref(), Some("refresh_token"));
    // A copy of the cookie cannot be refreshed.
    expire(&copy);
    let reply = copy.get(&format!("{APP}/dashboard")).send();
    assert_eq!(reply.status, 401);
    assert!(
        env.requests_to_service("APP")
            .iter()
            .all(|request| { request.header("authorization") == Some("Bearer access-token-1") })
    );
}

pub fn session_ends() {
    let env = Env::new(&offline());
    let browser = env.signs_in();
    env.provider.answers("token", |_| {
        miniflare_test_harness::Response::json(&json!({ "error": "invalid_grant" })).with_status(400)
    });
    expire(&browser);
    let reply = browser.get(&format!("{APP}/dashboard")).send();
    let shown = session(&browser);
    assert_eq!((reply.status, &shown["error"]), (401, &json!("RefreshTokenError")));
    assert_eq!(shown.get("access_token"), None);
    let page = browser.get(&format!("{APP}/dashboard")).navigation().send().expect_status(302);
    assert!(page.location().starts_with(&format!("{APP}/auth/signin?")), "{}", page.location());
    env.logged("refresh_token_invalid", "invalid_grant");
}

/// What the application got last.
fn last(env: &Env) -> Request {
    env.requests_to_service("APP").pop().expect("a request")
}
