//! `flow/guard/resource` and `flow/guard/challenge`: clients that send tokens for exactly one resource of the site.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::log::LogEvent;
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Answer, Browser, RUNTIME, TestEnv, environment, settings};

const RESOURCE: &str = "https://app.example.com/mcp";
const METADATA: &str = "https://app.example.com/.well-known/oauth-protected-resource/mcp";
const INSPECTOR: &str = "https://inspector.example.org";

/// A site with an API for everyone who has a token, and with two resources.
fn site(patch: &Value) -> Value {
    let mut settings = settings();
    settings["providers"][0]["accept_bearer"] = json!({ "audience": "https://api.example.com" });
    settings["resources"] = json!([
        { "resource": RESOURCE, "name": "Tools", "documentation": "https://docs.example.com/mcp", "origins": INSPECTOR },
        { "resource": "https://app.example.com/reports", "scopes": ["reports"], "session": true },
    ]);
    settings["rules"] = json!([
        { "match": "/mcp/open", "access": "public" },
        { "match": "/mcp/admin", "require": { "scope": "tools:admin" } },
        { "match": "/mcp/people", "require": { "roles": "admin" } },
        { "match": "/mcp/fresh", "access": "signed-in", "max_age": "5m" },
        { "match": "/mcp/:path*", "require": { "scope": ["tools:read", "tools:write"] } },
        { "match": "/about", "access": "public" },
    ]);
    for (key, value) in patch.as_object().unwrap() {
        settings[key] = value.clone();
    }
    settings
}

fn env() -> TestEnv {
    TestEnv::with(site(&json!({})))
}

fn token(env: &TestEnv, audience: &Value, scope: &str) -> String {
    let claims = json!({
        "iss": ISSUER, "sub": "alice-1", "aud": audience, "scope": scope,
        "iat": env.now().seconds(), "exp": env.now().seconds() + 300,
    });
    env.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims)
}

fn send(env: &TestEnv, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    env.send(method, &format!("{APP}{path}"), fields, b"")
}

fn post(env: &TestEnv, path: &str, token: &str) -> Answer {
    send(env, "POST", path, &[("authorization", &format!("Bearer {token}"))])
}

fn challenge(answer: &Answer) -> &str {
    answer.headers.get("www-authenticate").unwrap_or_default()
}

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn everyone_may_read_the_metadata_of_a_resource() {
    let env = env();
    let path = "/.well-known/oauth-protected-resource/mcp";
    let answer = send(
        &env,
        "GET",
        path,
        &[("origin", "https://anyone.example"), ("mcp-protocol-version", "2025-06-18")],
    );
    assert_eq!(answer.status, 200);
    assert_eq!(
        body(&answer),
        json!({
            "resource": RESOURCE,
            "authorization_servers": [ISSUER],
            "scopes_supported": ["tools:admin", "tools:read", "tools:write"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Tools",
            "resource_documentation": "https://docs.example.com/mcp",
        })
    );
    assert_eq!(answer.headers.get("content-type"), Some("application/json"));
    assert_eq!(answer.headers.get("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.headers.get("cache-control"), Some("public, max-age=300"));
    assert!(!answer.headers.contains("set-cookie"));
    assert_eq!(send(&env, "HEAD", path, &[]).status, 200);

    let fields = [
        ("origin", "https://anyone.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "mcp-protocol-version"),
    ];
    let preflight = send(&env, "OPTIONS", path, &fields);
    assert_eq!(preflight.status, 204);
    for name in ["access-control-allow-origin", "access-control-allow-headers"] {
        assert_eq!(preflight.headers.get(name), Some("*"), "{name}");
    }
    assert_eq!(send(&env, "POST", path, &[]).status, 405);
    let answer = send(&env, "GET", "/.well-known/oauth-protected-resource/reports", &[]);
    assert_eq!(body(&answer)["scopes_supported"], json!(["reports"]));
    assert_eq!(env.fetches("https://idp.example/jwks"), 0);
}

#[test]
fn there_is_no_metadata_for_any_other_path_and_none_on_another_host() {
    let env = env();
    for path in ["", "/", "/other", "/mcp/tools", "/MCP", "/mcp;x", "/%2565", "/auth"] {
        let answer = send(&env, "GET", &format!("/.well-known/oauth-protected-resource{path}"), &[]);
        assert_eq!((answer.status, answer.forwarded.is_none()), (404, true), "{path}");
    }
    // The server of another host may have its own.
    let other =
        env.send("GET", "https://other.example.com/.well-known/oauth-protected-resource/mcp", &[], b"");
    assert_eq!(other.status, 401);
    // Without resources it is a path as any other.
    let answer = send(&TestEnv::new(), "GET", "/.well-known/oauth-protected-resource", &[]);
    assert_eq!((answer.status, challenge(&answer)), (401, "Bearer"));
}

#[test]
fn who_has_no_token_learns_where_to_get_one_and_with_which_scope() {
    let env = env();
    for fields in [&[][..], &[("accept", "text/html"), ("sec-fetch-mode", "navigate")]] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = send(&env, method, "/mcp", fields);
            assert_eq!(answer.status, 401);
            assert_eq!(
                challenge(&answer),
                format!("Bearer resource_metadata=\"{METADATA}\", scope=\"tools:read\"")
            );
            assert!(answer.forwarded.is_none() && !answer.headers.contains("location"));
        }
    }
    let answer = send(&env, "POST", "/mcp/people", &[]);
    assert_eq!(challenge(&answer), format!("Bearer resource_metadata=\"{METADATA}\""));
    // Each scope that is needed, once.
    let both = [
        ("tools:admin", "tools:audit", "tools:admin tools:audit"),
        ("tools:read", "tools:read", "tools:read"),
    ];
    for (scope, scp, asked) in both {
        let rule = json!([{ "match": "/mcp", "require": { "scope": scope, "scp": scp } }]);
        let answer = send(&TestEnv::with(site(&json!({ "rules": rule }))), "POST", "/mcp", &[]);
        assert_eq!(challenge(&answer), format!("Bearer resource_metadata=\"{METADATA}\", scope=\"{asked}\""));
    }
    // Not elsewhere.
    assert_eq!(challenge(&send(&env, "POST", "/other", &[])), "Bearer");
    assert_eq!(challenge(&send(&env, "POST", "/mcpx", &[])), "Bearer");
}

#[test]
fn token_passthrough_a_token_passes_at_the_resource_that_it_was_issued_for_and_nowhere_else() {
    let env = env();
    for (audience, path, status) in [
        (json!(RESOURCE), "/mcp", 200),
        (json!(RESOURCE), "/mcp/tools", 200),
        (json!([RESOURCE]), "/mcp", 200),
        (json!(RESOURCE), "/reports", 401),
        (json!(RESOURCE), "/elsewhere", 401),
        (json!("https://app.example.com/reports"), "/mcp", 401),
        (json!("https://app.example.com/reports"), "/reports", 200),
        (json!("https://api.example.com"), "/mcp", 401),
        (json!("https://api.example.com"), "/elsewhere", 200),
        (json!("https://app.example.com/mcp/"), "/mcp", 401),
        (json!("https://app.example.com"), "/mcp", 401),
        (json!("vestibule"), "/mcp", 401),
        (json!(null), "/mcp", 401),
    ] {
        let token = token(&env, &audience, "tools:read");
        let answer = post(&env, path, &token);
        assert_eq!(answer.status, status, "{audience} at {path}");
        if status == 200 {
            let seen = answer.forwarded.unwrap().request.headers;
            assert_eq!(seen.get("authorization"), Some(format!("Bearer {token}").as_str()));
        } else if path == "/mcp" {
            assert_eq!(
                challenge(&answer),
                format!(
                    "Bearer error=\"invalid_token\", error_description=\"the access token is not valid here\", \
                     resource_metadata=\"{METADATA}\", scope=\"tools:read\""
                )
            );
        }
    }
}

#[test]
fn provider_mix_up_a_resource_takes_no_token_of_another_provider() {
    let mut settings = site(&json!({}));
    let other = json!({
        "id": "other", "type": "oidc", "name": "Other", "issuer": "https://other.example",
        "accept_bearer": { "audience": "https://other-api.example.com" },
    });
    settings["providers"].as_array_mut().unwrap().push(other);
    for resource in settings["resources"].as_array_mut().unwrap() {
        resource["provider"] = json!("acme");
    }
    let env = TestEnv::in_environment(settings, &|name| match name {
        "AUTH_OTHER_ID" | "AUTH_OTHER_SECRET" => Some("of-the-other-provider".to_owned()),
        name => environment(name),
    });
    for audience in [json!(RESOURCE), json!("https://other-api.example.com")] {
        let claims = json!({
            "iss": "https://other.example", "sub": "alice-1", "aud": audience, "scope": "tools:read",
            "iat": env.now().seconds(), "exp": env.now().seconds() + 300,
        });
        let token = env.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims);
        // Nothing is asked of that provider, whose address no server of this test has.
        let answer = post(&env, "/mcp/tools", &token);
        assert_eq!((answer.status, answer.forwarded.is_none()), (401, true), "{audience}");
    }
    let own = token(&env, &json!(RESOURCE), "tools:read");
    assert_eq!(post(&env, "/mcp/tools", &own).status, 200);
}

#[test]
fn token_passthrough_no_token_of_another_audience_reaches_a_public_path_of_a_resource() {
    let env = env();
    assert_eq!(send(&env, "POST", "/mcp/open", &[]).status, 200);
    assert_eq!(post(&env, "/mcp/open", &token(&env, &json!(RESOURCE), "")).status, 200);
    for wrong in [token(&env, &json!("https://api.example.com"), ""), "opaque".to_owned()] {
        let answer = post(&env, "/mcp/open", &wrong);
        assert_eq!((answer.status, answer.forwarded.is_none()), (401, true));
    }
    // As everywhere else.
    assert_eq!(post(&env, "/about", "opaque").status, 200);
}

#[test]
fn path_confusion_a_path_that_some_server_reads_as_one_of_a_resource_takes_no_token() {
    let env = env();
    for path in ["/mcp;x", "/MCP", "/mcp.json", "/index.php/mcp", "/reports;x", "/%256dcp"] {
        for audience in [RESOURCE, "https://api.example.com", "https://app.example.com/reports"] {
            let answer = post(&env, path, &token(&env, &json!(audience), "tools:read"));
            assert_eq!((answer.status, answer.forwarded.is_none()), (401, true), "{audience} at {path}");
        }
    }
}

#[test]
fn without_the_scope_of_the_rule_the_answer_names_it_and_what_the_token_has_already() {
    let env = env();
    let forbidden = |scope: &str| {
        format!(
            "Bearer error=\"insufficient_scope\", error_description=\"the access token is not enough for this\", \
             resource_metadata=\"{METADATA}\", scope=\"{scope}\""
        )
    };
    for (path, granted, status, scope) in [
        ("/mcp", "tools:read", 200, ""),
        ("/mcp", "openid tools:write", 200, ""),
        ("/mcp/admin", "tools:read tools:admin", 200, ""),
        ("/mcp", "tools", 403, "tools:read"),
        ("/mcp", "tools:reader", 403, "tools:read"),
        ("/mcp", "", 403, "tools:read"),
        ("/mcp/admin", "tools:write openid", 403, "tools:admin tools:write"),
    ] {
        let answer = post(&env, path, &token(&env, &json!(RESOURCE), granted));
        assert_eq!(answer.status, status, "{granted:?} at {path}");
        if status == 403 {
            assert_eq!(challenge(&answer), forbidden(scope), "{granted:?} at {path}");
            assert_eq!(body(&answer), json!({ "error": "insufficient_scope" }));
        }
    }
    // No other token of this user is enough, so the client is not sent for one.
    let answer = post(&env, "/mcp/people", &token(&env, &json!(RESOURCE), "tools:admin"));
    assert_eq!((answer.status, challenge(&answer)), (403, ""));
    let answer = post(&env, "/mcp/fresh", &token(&env, &json!(RESOURCE), "tools:admin"));
    assert_eq!(answer.status, 401);
    assert!(challenge(&answer).starts_with("Bearer error=\"insufficient_user_authentication\""));
    assert!(challenge(&answer).ends_with(&format!(", resource_metadata=\"{METADATA}\"")));
}

#[test]
fn while_a_token_cannot_be_verified_the_client_is_asked_for_no_other_one() {
    let env = env();
    env.provider.goes_down("jwks");
    let sent = token(&env, &json!(RESOURCE), "tools:read");
    let answer = post(&env, "/mcp/tools", &sent);
    assert_eq!((answer.status, challenge(&answer)), (503, ""));
    assert!(answer.headers.contains("retry-after"));
    env.provider.comes_back();
    env.pass(Duration::from_mins(2));
    assert_eq!(post(&env, "/mcp/tools", &sent).status, 200);
}

#[test]
fn a_session_passes_at_a_resource_only_where_it_is_configured() {
    let env = env();
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/elsewhere");
    for (path, status) in [("/elsewhere", 200), ("/reports", 200), ("/mcp/tools", 401), ("/mcp", 401)] {
        let answer = browser.send(&env, "GET", &format!("{APP}{path}"), &[], b"");
        assert_eq!(answer.status, status, "{path}");
    }
    // A token comes first: it is what the server of the resource gets.
    let wrong = format!("Bearer {}", token(&env, &json!(RESOURCE), ""));
    let answer = browser.send(&env, "GET", &format!("{APP}/reports"), &[("authorization", &wrong)], b"");
    assert_eq!(answer.status, 401);
    // A person signs in, a script learns both ways.
    let navigation = [("accept", "text/html"), ("sec-fetch-mode", "navigate")];
    assert_eq!(send(&env, "GET", "/reports", &navigation).status, 302);
    let answer = send(&env, "GET", "/reports", &[]);
    assert!(challenge(&answer).contains("/.well-known/oauth-protected-resource/reports\""));
    assert!(body(&answer)["signInUrl"].as_str().is_some());
}

#[test]
fn a_server_that_opens_sessions_itself_gets_none_at_a_resource() {
    let patch = json!({ "upstreams": [{ "to": "https://upstream.example", "forward_session": true }] });
    let env = TestEnv::with(site(&patch));
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/elsewhere");
    let seen = |path: &str, browser: &mut Browser| {
        let answer = browser.send(&env, "GET", &format!("{APP}{path}"), &[], b"");
        answer.forwarded.unwrap().request.headers.joined("cookie")
    };
    assert!(seen("/elsewhere", &mut browser).contains("session-token"));
    assert!(!seen("/mcp/open", &mut browser).contains("session-token"));
}

#[test]
fn dns_rebinding_a_page_that_may_not_call_the_resource_is_refused_with_a_valid_token_too() {
    let env = env();
    let token = format!("Bearer {}", token(&env, &json!(RESOURCE), "tools:read"));
    for (path, origins, status) in [
        ("/mcp", &[][..], 200),
        ("/mcp", &[APP], 200),
        ("/mcp", &[INSPECTOR], 200),
        ("/mcp", &["https://evil.example"], 403),
        ("/mcp", &["null"], 403),
        ("/mcp", &["https://inspector.example.org.evil.example"], 403),
        ("/mcp", &["http://app.example.com"], 403),
        ("/mcp", &[APP, "https://evil.example"], 403),
        ("/mcp/open", &["https://evil.example"], 403),
        ("/mcp;x", &["https://evil.example"], 403),
        ("/elsewhere", &["https://evil.example"], 401),
    ] {
        let mut fields = vec![("authorization", token.as_str())];
        fields.extend(origins.iter().map(|origin| ("origin", *origin)));
        for method in ["GET", "POST"] {
            let answer = send(&env, method, path, &fields);
            assert_eq!(answer.status, status, "{method} {path} {origins:?}");
            assert_eq!(answer.forwarded.is_some(), status == 200);
        }
    }
    assert!(!env.logged(LogEvent::CrossOriginRejected).is_empty());
    let preflight = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
    assert_eq!(send(&env, "OPTIONS", "/mcp", &preflight).status, 403);
}

#[test]
fn dns_rebinding_a_name_that_points_here_and_is_not_configured_reaches_no_path_of_a_resource() {
    let env = env();
    let ask = |env: &TestEnv, host: &str, path: &str, origin: Option<&str>| {
        let fields: Vec<_> = origin.iter().map(|origin| ("origin", *origin)).collect();
        env.send("POST", &format!("{host}{path}"), &fields, b"").status
    };
    let evil = "https://evil.example";
    assert_eq!(ask(&env, evil, "/mcp/open", Some(evil)), 403);
    assert_eq!(ask(&env, evil, "/MCP/open", Some(evil)), 403);
    assert_eq!(ask(&env, evil, "/about", Some(evil)), 200);
    // A client that is no browser, and hosts that the configuration names.
    assert_eq!(ask(&env, evil, "/mcp/open", None), 200);
    let known = TestEnv::with(site(&json!({ "trusted_hosts": ["shop.example.com"] })));
    assert_eq!(ask(&known, "https://shop.example.com", "/mcp/open", Some("https://shop.example.com")), 200);
    // There it is a path as any other.
    assert_eq!(ask(&known, "https://shop.example.com", "/mcp/open", Some(evil)), 200);
}

#[test]
fn dns_rebinding_a_host_that_the_configuration_names_is_no_name_that_points_here() {
    let of_rule = json!([
        { "match": "/mcp/open", "host": "shop.example.org", "access": "public" },
        { "match": "/mcp/open", "access": "public" },
    ]);
    let ask = |patch: &Value, host: &str| {
        let fields = [("origin", "https://evil.example")];
        TestEnv::with(site(patch)).send("POST", &format!("{host}/mcp/open"), &fields, b"").status
    };
    let found = [
        ask(&json!({}), "https://shop.example.org"),
        ask(&json!({ "rules": of_rule }), "https://shop.example.org"),
        ask(&json!({ "rules": of_rule }), "https://other.example.org"),
        ask(&json!({ "cookies": { "domain": "example.com" } }), "https://wiki.example.com"),
        ask(&json!({ "cookies": { "domain": "example.com" } }), "https://wiki.example.org"),
        ask(&json!({}), "http://localhost:8787"),
        ask(&json!({ "origin": "https://site.example.net" }), "https://site.example.net"),
    ];
    assert_eq!(found, [403, 200, 403, 200, 403, 200, 200]);
}

#[test]
fn pages_of_the_configured_origins_may_read_why_they_were_refused() {
    let env = env();
    let answer = send(&env, "POST", "/mcp", &[("origin", INSPECTOR)]);
    assert_eq!((answer.status, answer.headers.get("access-control-allow-origin")), (401, Some(INSPECTOR)));
    assert_eq!(answer.headers.get("access-control-expose-headers"), Some("WWW-Authenticate, Retry-After"));
    assert!(!answer.headers.contains("access-control-allow-credentials"));
    for fields in [&[][..], &[("origin", APP)]] {
        let answer = send(&env, "POST", "/mcp", fields);
        assert!(!answer.headers.contains("access-control-allow-origin"));
        assert_eq!(answer.headers.get("vary"), Some("Origin"));
    }
}

#[test]
fn another_proxy_gets_the_same_answers() {
    let secret = "what-the-proxy-and-the-worker-share";
    let env =
        TestEnv::in_environment(
            site(&json!({ "verify": { "headers": "x-forwarded" } })),
            &|name| match name {
                "AUTH_VERIFY_SECRET" => Some(secret.to_owned()),
                other => environment(other),
            },
        );
    let ask = |token: Option<String>| {
        let authorization = token.map(|token| format!("Bearer {token}"));
        let mut fields = vec![
            ("x-vestibule-verify", secret),
            ("x-forwarded-method", "POST"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.example.com"),
            ("x-forwarded-uri", "/mcp"),
        ];
        fields.extend(authorization.as_deref().map(|authorization| ("authorization", authorization)));
        env.send("GET", &format!("{APP}/auth/verify"), &fields, b"")
    };
    let answer = ask(None);
    assert_eq!(answer.status, 401);
    assert_eq!(challenge(&answer), format!("Bearer resource_metadata=\"{METADATA}\", scope=\"tools:read\""));
    assert_eq!(ask(Some(token(&env, &json!(RESOURCE), "tools:read"))).status, 204);
    assert_eq!(ask(Some(token(&env, &json!("https://api.example.com"), "tools:read"))).status, 401);
}

#[test]
fn the_resource_of_a_whole_host_has_its_url_with_and_without_a_slash() {
    let env = TestEnv::with(site(&json!({ "resources": [{ "resource": APP }], "rules": [] })));
    for (audience, status) in [(APP.to_owned(), 200), (format!("{APP}/"), 200), (format!("{APP}/x"), 401)] {
        assert_eq!(post(&env, "/anything", &token(&env, &json!(audience), "")).status, status, "{audience}");
    }
    let answer = send(&env, "GET", "/.well-known/oauth-protected-resource", &[]);
    assert_eq!(body(&answer)["resource"], APP);
    assert_eq!(
        challenge(&send(&env, "POST", "/anything", &[])),
        format!("Bearer resource_metadata=\"{APP}/.well-known/oauth-protected-resource\"")
    );
}

#[test]
fn a_provider_that_takes_no_resource_names_the_audience_otherwise() {
    let env =
        TestEnv::with(site(&json!({ "resources": [{ "resource": RESOURCE, "audience": "api://tools" }] })));
    for (audience, status) in [("api://tools", 200), (RESOURCE, 401)] {
        assert_eq!(
            post(&env, "/mcp", &token(&env, &json!(audience), "tools:read")).status,
            status,
            "{audience}"
        );
    }
    let answer = send(&env, "GET", "/.well-known/oauth-protected-resource/mcp", &[]);
    assert_eq!(body(&answer)["resource"], RESOURCE);
}

#[test]
fn a_resource_takes_no_tokens_of_every_tenant_and_a_realm_of_such_a_name_is_one_tenant() {
    const OF_EACH: &str = "https://login.example/{tid}/v2.0";
    for (issuer, of_tokens, is_refused) in [
        ("https://login.example/common/v2.0", Some(OF_EACH), true),
        ("https://login.example/organizations/v2.0", Some(OF_EACH), true),
        ("https://login.example/realms/common", None, false),
        ("https://login.example/8a1b/v2.0", Some(OF_EACH), false),
    ] {
        let mut settings = site(&json!({}));
        settings["providers"][0]["issuer"] = json!(issuer);
        settings["providers"][0]["token_issuer"] = of_tokens.map_or(Value::Null, Value::from);
        match Config::load(settings, &environment, &RUNTIME).map(drop) {
            Ok(()) => assert!(!is_refused, "{issuer}"),
            Err(errors) => {
                assert!(is_refused && errors.to_string().contains("issuer for each tenant"), "{errors}");
            }
        }
    }
}

#[test]
fn a_person_whose_session_is_too_old_for_a_resource_authenticates_again() {
    let mut settings = site(&json!({}));
    let rule = json!({ "match": "/reports/fresh", "access": "signed-in", "max_age": "5m" });
    settings["rules"].as_array_mut().unwrap().insert(0, rule);
    let env = TestEnv::with(settings);
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/elsewhere");
    env.pass(std::time::Duration::from_mins(6));
    let answer = browser.open(&env, &format!("{APP}/reports/fresh"));
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(answer.location().starts_with("https://idp.example/authorize"), "{}", answer.location());
}
