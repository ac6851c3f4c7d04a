//! What an upstream gets: paths, header values, and responses that no shared cache may have a part in.

use serde_json::{Map, Value, json};
use vestibule_core::hooks::{DefaultSession, Hooks, TokenOccasion};
use vestibule_core::log::{Line, LogEvent};
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

fn with(change: impl FnOnce(&mut Value)) -> (TestEnv, Browser) {
    let mut settings = settings();
    change(&mut settings);
    let (env, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&env, "alice", "/");
    (env, browser)
}

fn first_rule(settings: &mut Value, rule: Value) {
    settings["rules"].as_array_mut().unwrap().insert(0, rule);
}

fn path_of(answer: &Answer) -> Option<&str> {
    answer.forwarded.as_ref().map(|forwarded| forwarded.request.url.path.as_str())
}

/// docs/migrating.md, from oauth2-proxy and mod_auth_openidc.
#[test]
fn header_smuggling_fields_of_other_proxies_say_who_the_user_is_and_never_what_a_client_sent() {
    let names = [
        "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-Forwarded-Groups",
        "X-Forwarded-Preferred-Username",
        "X-Forwarded-Access-Token",
        "X-Auth-Request-User",
        "OIDC_CLAIM_sub",
    ];
    let fields: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), json!("sub"))).collect();
    let (env, alice) = with(|settings| settings["upstreams"][0]["headers"] = json!(fields));
    let forged: Vec<(&str, &str)> = names.iter().map(|name| (*name, "evil")).collect();
    for (path, mut browser, expected) in
        [("/dashboard", alice, Some("alice-1")), ("/about", Browser::new(), None)]
    {
        let answer = browser.send(&env, "GET", &format!("{APP}{path}"), &forged, b"");
        let sent = answer.forwarded.unwrap().request.headers;
        for name in names {
            let name = name.to_ascii_lowercase();
            let values: Vec<&str> = sent.get_all(&name).collect();
            assert_eq!(values, expected.as_slice(), "{path}: {name}");
        }
    }
}

#[test]
fn header_smuggling_no_client_says_what_gateways_and_networks_say() {
    let (env, mut alice) = with(|settings| settings["edge_headers"] = json!(["Cf-Ipcity"]));
    let forged = [
        "True-Client-IP",
        "X-Client-IP",
        "Client_IP",
        "X-Cluster-Client-IP",
        "X-Original-Forwarded-For",
        "X-ProxyUser-Ip",
        "Cf-Access-Jwt-Assertion",
        "Cf-Access-Authenticated-User-Email",
        "Cf-Cert-Verified",
        "X-Override-URL",
        "X-Rewrite-URI",
        "X_Original_URI",
        "X-HTTP-Host-Override",
        "X-Host",
        "X-Forwarded",
        "Forwarded",
        "X-Envoy-External-Address",
        "X-Amzn-Oidc-Data",
        "X-Auth-Request-Email",
        "X-Forwarded-User",
        "X-Forwarded-Groups",
        "Remote-User",
        "X-WebAuth-User",
        "cf_ipcity",
    ];
    let mut headers: Vec<(&str, &str)> = forged.iter().map(|name| (*name, "evil")).collect();
    headers.extend([("cf-ray", "8f1"), ("cf-ipcountry", "CH"), ("cf-ipcity", "Bern"), ("x-request-id", "1")]);
    for (path, mut browser) in [("/dashboard", alice.clone()), ("/about", Browser::new())] {
        let answer = browser.send(&env, "GET", &format!("{APP}{path}"), &headers, b"");
        let forwarded = answer.forwarded.unwrap().request;
        let evil: Vec<_> = forwarded.headers.iter().filter(|(_, value)| value.contains("evil")).collect();
        assert!(evil.is_empty(), "{path}: {evil:?}");
        for (name, value) in
            [("cf-ray", "8f1"), ("cf-ipcountry", "CH"), ("cf-ipcity", "Bern"), ("x-request-id", "1")]
        {
            assert_eq!(forwarded.headers.get(name), Some(value), "{path}");
        }
    }
    let preflight =
        [("origin", APP), ("access-control-request-method", "POST"), ("x-auth-request-email", "evil")];
    let answer = alice.send(&env, "OPTIONS", &format!("{APP}/dashboard"), &preflight, b"");
    assert!(!answer.forwarded.unwrap().request.headers.contains("x-auth-request-email"));
}

#[test]
fn identity_through_a_shared_cache_goes_on_no_path() {
    let personal = |env: &TestEnv, browser: &mut Browser, path: &str| {
        browser.fetch(env, &format!("{APP}{path}")).forwarded.unwrap().personal
    };
    let (env, mut alice) = with(|_| {});
    assert!(personal(&env, &mut alice, "/dashboard") && personal(&env, &mut alice, "/about"));
    assert!(!personal(&env, &mut Browser::new(), "/about"), "no one is named");
    for (key, value) in [
        ("authorization", json!("access_token")),
        ("headers", json!({ "X-User": "sub" })),
        ("assertion", json!(true)),
        ("forward_session", json!(true)),
    ] {
        let upstream = json!({ "to": "https://upstream.example", key: value });
        let (env, mut alice) = with(|settings| settings["upstreams"] = json!([upstream]));
        assert!(personal(&env, &mut alice, "/about") && personal(&env, &mut alice, "/dashboard"), "{key}");
        assert!(!personal(&env, &mut Browser::new(), "/about"), "{key}");
    }
    // An upstream that is told nothing answers everyone alike.
    let (env, mut alice) =
        with(|settings| settings["upstreams"] = json!([{ "to": "https://upstream.example" }]));
    assert!(!personal(&env, &mut alice, "/about") && !personal(&env, &mut alice, "/dashboard"));
    // A session that cannot be opened here may be one that the upstream opens.
    let (env, mut alice) = with(|settings| {
        settings["upstreams"] = json!([{ "to": "https://upstream.example", "forward_session": true }]);
    });
    let other = [("cookie", "a=1; __Secure-authjs.session-token.0=x")];
    let answer = Browser::new().send(&env, "GET", &format!("{APP}/about"), &other, b"");
    assert!(answer.forwarded.unwrap().personal);
    // Another page's request is forwarded without the user, and nothing of it is personal.
    let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let answer = alice.send(&env, "POST", &format!("{APP}/about"), &foreign, b"");
    assert!(!answer.forwarded.unwrap().request.headers.joined("cookie").contains("session-token"));
}

#[test]
fn cached_answers_of_a_rule_that_says_so_are_kept_by_no_browser() {
    let rule = json!({ "match": "/account/:path*", "access": "signed-in", "cache": "no-store" });
    let (env, mut alice) = with(|settings| first_rule(settings, rule));
    for path in ["/account", "/account/a", "/account/a.json"] {
        let answer = alice.open(&env, &format!("{APP}{path}"));
        assert!(answer.forwarded.is_some());
        assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"), "{path}");
    }
    // Another name of the page, too.
    let answer = alice.open(&env, &format!("{APP}/Account"));
    assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
    let answer = alice.open(&env, &format!("{APP}/dashboard"));
    assert!(answer.forwarded.is_some() && !answer.headers.contains("cache-control"));
}

/// An app whose sessions have claims that are not easily header values.
struct OddClaims;

impl Hooks for OddClaims {
    type Profile = Value;
    type Session = DefaultSession;

    async fn token(&self, claims: &mut Map<String, Value>, _: TokenOccasion<'_, Value>) {
        claims.insert("groups".to_owned(), json!(["Sales, EMEA", "100%"]));
        claims.insert("town".to_owned(), json!("Zürich"));
        claims.insert("note".to_owned(), json!("secret-a\nsecret-b"));
        claims.insert("org".to_owned(), json!({ "id": 7 }));
    }
}

#[test]
fn header_smuggling_values_are_encoded_as_the_upstream_reads_them() {
    let headers = json!({
        "X-Groups": "groups", "X-Town": "town", "X-Note": "note", "X-Org": "org", "X-Absent": "absent",
    });
    let seen = |encoding: Option<&str>| {
        let mut settings = settings();
        settings["upstreams"][0]["headers"] = headers.clone();
        if let Some(encoding) = encoding {
            settings["upstreams"][0]["header_encoding"] = json!(encoding);
        }
        let (env, mut browser) = (TestEnv::with_hooks(settings, OddClaims), Browser::new());
        browser.sign_in(&env, "alice", "/");
        let request = browser.open(&env, &format!("{APP}/dashboard")).forwarded.unwrap().request;
        let value = |name: &str| request.headers.get(name).map(str::to_owned);
        let values = [value("x-groups"), value("x-town"), value("x-note"), value("x-org"), value("x-absent")];
        (values, env.logged(LogEvent::HeaderNotSent))
    };
    let some = |text: &str| Some(text.to_owned());
    let (values, log) = seen(None);
    assert_eq!(values, [some("Sales%2C EMEA,100%25"), some("Zürich"), None, None, None]);
    let messages: Vec<&str> = log.iter().map(Line::message).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages.iter().any(|message| message.contains("x-note") && message.contains("control characters"))
    );
    assert!(messages.iter().any(|message| message.contains("x-org") && message.contains("an object")));
    assert!(messages.iter().all(|message| !message.contains("secret-")), "no value is logged: {messages:?}");
    let (values, log) = seen(Some("percent"));
    let expected =
        [some("Sales%2C%20EMEA,100%25"), some("Z%C3%BCrich"), some("secret-a%0Asecret-b"), None, None];
    assert_eq!((values, log.len()), (expected, 1));
}

#[test]
fn path_confusion_with_ambiguous_slashes_one_rule_decides_about_every_reading() {
    let rules = json!([
        { "match": "/health", "access": "public" },
        { "match": "/api/:path*", "access": "signed-in", "to": "service:API" },
        { "match": "/:path*", "host": "app.example.com", "require": { "roles": ["admin"] }, "ambiguous_slashes": "allow" },
    ]);
    let (env, mut alice) = with(|settings| settings["rules"] = rules);
    let paths = [
        "/api/v4/projects/group%2Fproject",
        "/@scope%2fname",
        "/api/queues/%2F/orders",
        "//health",
        "/health%2F",
        "/a//b///",
        "/a%252Fb",
    ];
    for path in paths {
        let answer = alice.open(&env, &format!("{APP}{path}"));
        assert_eq!(path_of(&answer), Some(path));
        // Not even of a public or a wider rule's path.
        let mut nobody = Browser::new();
        let answer = nobody.open(&env, &format!("{APP}{path}"));
        assert_eq!((answer.status, answer.forwarded.is_none()), (302, true), "{path}");
        assert!(
            answer.location().starts_with(&format!("{APP}/auth/signin?callbackUrl=https%3A%2F%2F")),
            "{path}"
        );
        let mut bob = Browser::new();
        bob.sign_in(&env, "bob", "/health");
        assert_eq!(bob.open(&env, &format!("{APP}{path}")).status, 403, "{path}");
    }
    // The return address is exact, and leads nowhere else.
    let mut browser = Browser::new();
    let wanted = format!("{APP}//evil.example/a%2Fb?x=1");
    assert_eq!(browser.sign_in(&env, "alice", &wanted).location(), wanted);
    assert_eq!(browser.sign_in(&env, "alice", "//evil.example/a").location(), APP);
    for path in ["/a%2F..%2Fb", "/a/..%2fhealth", "/a%5cb", "/%2e%2e%2Fa", "/a%2F%00", "/a%252F..%252Fb"] {
        let answer = alice.open(&env, &format!("{APP}{path}"));
        assert_eq!((answer.status, answer.forwarded.is_none()), (400, true), "{path}");
    }
    for path in ["//auth/session", "/auth%2Fsession", "/auth//signin", "/%2Fauth"] {
        let answer = alice.open(&env, &format!("{APP}{path}"));
        assert_eq!((answer.status, answer.forwarded.is_none()), (404, true), "{path}");
    }
    // Another host has no such rule.
    let answer = alice.open(&env, "https://other.example.com/a%2Fb");
    assert_eq!((answer.status, answer.forwarded.is_none()), (400, true));
}

#[test]
fn path_confusion_a_stripped_prefix_is_whole_segments_and_nothing_else_reaches_the_upstream() {
    let rules = json!([
        { "match": "/api/admin/:path*", "require": { "roles": ["nobody"] }, "to": "service:API", "strip_prefix": "/api" },
        { "match": "/api/:path*", "access": "signed-in", "to": "service:API", "strip_prefix": "/api" },
    ]);
    let (env, mut alice) = with(|settings| {
        settings["rules"] = rules;
        settings["upstreams"][0]["locales"] = json!(["de"]);
    });
    for (path, stripped) in [
        ("/api/orders/a%20b;x=1", "/orders/a%20b;x=1"),
        ("/api", "/"),
        ("/api/", "/"),
        ("/%61pi/x/", "/x/"),
        ("/dashboard", "/dashboard"),
    ] {
        let answer = alice.open(&env, &format!("{APP}{path}?q=%2F"));
        assert_eq!(path_of(&answer), Some(stripped), "{path}");
        assert_eq!(answer.forwarded.unwrap().request.url.query.as_deref(), Some("q=%2F"));
    }
    // The server reads the path without its prefix: these are its names for /admin.
    for path in
        ["/api/admin", "/api/de/admin", "/api/index.php/admin", "/api/admin.json", "/API/admin", "/api/Admin"]
    {
        let answer = alice.open(&env, &format!("{APP}{path}"));
        assert_eq!((answer.status, answer.forwarded.is_none()), (403, true), "{path}");
    }
    let (env, mut alice) = with(|settings| settings["upstreams"][0]["strip_prefix"] = json!("/shop"));
    assert_eq!(path_of(&alice.open(&env, &format!("{APP}/shop/cart"))), Some("/cart"));
    for path in ["/cart", "/shopping", "/shop;x/cart", "/SHOP/cart", "/"] {
        let answer = alice.open(&env, &format!("{APP}{path}"));
        assert_eq!((answer.status, answer.forwarded.is_none()), (404, true), "{path}");
    }
    // A preflight's path loses it, too.
    let preflight = [("origin", "https://a.example"), ("access-control-request-method", "POST")];
    let answer = alice.send(&env, "OPTIONS", &format!("{APP}/shop/cart"), &preflight, b"");
    assert_eq!(path_of(&answer), Some("/cart"));
}
