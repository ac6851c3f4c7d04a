//! Clients that act for themselves, without a user, and rules on scopes. Each test checks a sentence of `docs/apis.md` ("Users
//! and clients", "Scopes").

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::explain::{access_table, explain};
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::jose::base64url;
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Answer, Browser, RUNTIME, TestEnv, environment, settings};

const AUDIENCE: &str = "https://api.example.com";

fn site(bearer: &Value, rules: Value) -> Value {
    let mut settings = settings();
    let mut accepted = json!({ "audience": AUDIENCE });
    accepted.as_object_mut().unwrap().extend(bearer.as_object().unwrap().clone());
    settings["providers"][0]["accept_bearer"] = accepted;
    settings["rules"] = rules;
    settings["upstreams"] = json!([{
        "to": "https://upstream.example",
        "assertion": true,
        "headers": { "X-User": "sub", "X-Account": "account", "X-Email": "email", "X-Client": "oauth_client", "X-Scope": "scope" },
    }]);
    settings
}

fn rules() -> Value {
    json!([
        { "match": "/about", "access": "public" },
        { "match": "/batch/:path*", "access": "client" },
        { "match": "/both/:path*", "access": "signed-in-or-client" },
        { "match": "/orders/:path*", "access": "signed-in-or-client", "require": { "scope": ["read:orders"] } },
        { "match": "/people/:path*", "require": { "scope": "read:orders" } },
    ])
}

/// A token of alice, or of the client `billing`.
fn token(world: &TestEnv, who: &str, patch: &Value) -> String {
    let now = world.now().seconds();
    let mut claims = json!({
        "iss": ISSUER, "sub": "alice-1", "client_id": "mobile", "aud": AUDIENCE, "iat": now, "exp": now + 300,
        "scope": "openid read:orders", "email": "alice@example.com",
    });
    if who == "billing" {
        (claims["sub"], claims["client_id"], claims["email"]) =
            (json!("billing"), json!("billing"), json!("b@example.com"));
    }
    for (name, value) in patch.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims)
}

fn bring(world: &TestEnv, path: &str, token: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    world.send("GET", &format!("{APP}{path}"), &[("authorization", &authorization)], b"")
}

#[test]
fn a_client_passes_where_a_rule_says_so_and_nowhere_else() {
    let world = TestEnv::with(site(&json!({}), rules()));
    let (alice, billing) = (token(&world, "alice", &json!({})), token(&world, "billing", &json!({})));
    for (path, of_alice, of_billing) in [
        ("/about", 200, 200),
        ("/batch/run", 403, 200),
        ("/both", 200, 200),
        ("/orders/1", 200, 200),
        ("/people/1", 200, 403),
        // No rule: what holds by default is for users.
        ("/dashboard", 200, 403),
    ] {
        assert_eq!(bring(&world, path, &alice).status, of_alice, "{path}: {}", world.log_text());
        let answer = bring(&world, path, &billing);
        assert_eq!(answer.status, of_billing, "{path}");
        if of_billing == 403 {
            let challenge = answer.headers.get("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer error=\"insufficient_scope\""), "{challenge}");
        }
    }
    // A user with a session is no client either.
    let mut browser = Browser::new();
    browser.sign_in(&world, "alice", "/about");
    assert_eq!(browser.fetch(&world, &format!("{APP}/batch/run")).status, 403);
    assert_eq!(browser.fetch(&world, &format!("{APP}/both")).status, 200);
}

#[test]
fn who_is_no_client_is_not_sent_to_sign_in_where_only_clients_pass() {
    let world = TestEnv::with(site(&json!({}), rules()));
    let navigation = [("sec-fetch-mode", "navigate"), ("accept", "text/html")];
    let answer = world.send("GET", &format!("{APP}/batch/run"), &navigation, b"");
    assert_eq!((answer.status, answer.headers.get("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(answer.body, "{\"error\":\"unauthorized\"}");
    let answer = world.send("GET", &format!("{APP}/both"), &navigation, b"");
    assert_eq!(answer.status, 302);
}

#[test]
fn where_no_rule_names_clients_they_count_as_users_as_before_unless_the_provider_is_asked() {
    let plain = || json!([{ "match": "/about", "access": "public" }]);
    for (bearer, status) in [
        (json!({}), 200),
        (json!({ "clients": "signed-in" }), 200),
        (json!({ "clients": "separate" }), 403),
        (json!({ "introspection": true }), 403),
        (json!({ "introspection": true, "clients": "signed-in" }), 200),
    ] {
        let world = TestEnv::with(site(&bearer, plain()));
        let answer = bring(&world, "/dashboard", &token(&world, "billing", &json!({})));
        assert_eq!(answer.status, status, "{bearer}");
        if let Some(forwarded) = answer.forwarded {
            assert_eq!(forwarded.request.headers.get("x-user"), Some("billing"));
            assert_eq!(forwarded.request.headers.get("x-client"), None);
        }
    }
}

#[test]
fn headers_and_the_assertion_say_that_it_is_a_client_and_describe_no_user() {
    let world = TestEnv::with(site(&json!({}), rules()));
    let asserted = |headers: &Headers| -> Value {
        let assertion = headers.get("x-vestibule-assertion").unwrap();
        serde_json::from_slice(&base64url::decode(assertion.split('.').nth(1).unwrap()).unwrap()).unwrap()
    };
    for path in ["/batch/run", "/both", "/about"] {
        let answer = bring(&world, path, &token(&world, "billing", &json!({})));
        let seen = answer.forwarded.unwrap().request.headers;
        for (name, value) in [
            ("x-user", None),
            ("x-account", None),
            ("x-email", None),
            ("x-client", Some("billing")),
            ("x-scope", Some("openid read:orders")),
        ] {
            assert_eq!(seen.get(name), value, "{path} {name}");
        }
        let claims = asserted(&seen);
        assert_eq!((&claims["sub"], &claims["oauth_client"]), (&json!("client:billing"), &json!("billing")));
        assert!(claims.get("email").is_none(), "{claims}");
    }
    let answer = bring(&world, "/both", &token(&world, "alice", &json!({})));
    let seen = answer.forwarded.unwrap().request.headers;
    assert_eq!((seen.get("x-user"), seen.get("x-client")), (Some("alice-1"), None));
    let claims = asserted(&seen);
    assert_eq!((&claims["sub"], claims.get("oauth_client")), (&json!("alice-1"), None));
    // No client can say it by a header field of its own.
    let authorization = format!("Bearer {}", token(&world, "alice", &json!({})));
    let headers = [("authorization", authorization.as_str()), ("X_Client", "billing")];
    let answer = world.send("GET", &format!("{APP}/both"), &headers, b"");
    assert_eq!(answer.forwarded.unwrap().request.headers.get("x-client"), None);
}

#[test]
fn an_opaque_token_without_a_user_is_a_client_s() {
    let world = TestEnv::with(site(&json!({ "introspection": true }), rules()));
    let now = world.now().seconds();
    let known = json!({
        "client_id": "billing", "aud": AUDIENCE, "exp": now + 300, "token_type": "Bearer", "scope": "read:orders",
    });
    world.provider.introspection.knows("opaque", &known);
    for (path, status) in [("/batch/run", 200), ("/orders/1", 200), ("/dashboard", 403)] {
        assert_eq!(bring(&world, path, "opaque").status, status, "{path}: {}", world.log_text());
    }
}

#[test]
fn a_rule_on_scopes_reads_a_text_and_a_list() {
    let world = TestEnv::with(site(&json!({}), rules()));
    for (patch, status) in [
        (json!({}), 200),
        (json!({ "scope": "read:orders" }), 200),
        (json!({ "scope": "write:orders" }), 403),
        (json!({ "scope": "read:orders:all xread:orders" }), 403),
        (json!({ "scope": "" }), 403),
        (json!({ "scope": null }), 403),
        (json!({ "scope": null, "scp": ["openid", "read:orders"] }), 200),
        (json!({ "scope": null, "scp": "openid read:orders" }), 200),
        (json!({ "scope": null, "scp": ["openid read:orders"] }), 200),
        (json!({ "scope": null, "scp": [7] }), 403),
    ] {
        for (who, path) in [("alice", "/people/1"), ("billing", "/orders/1")] {
            assert_eq!(bring(&world, path, &token(&world, who, &patch)).status, status, "{who} {patch}");
        }
    }
    // A session of a browser has no scopes, unless `claims` puts them there.
    let mut browser = Browser::new();
    browser.sign_in(&world, "alice", "/about");
    assert_eq!(browser.fetch(&world, &format!("{APP}/people/1")).status, 403);
    let mut settings = site(&json!({}), rules());
    settings["claims"] = json!({ "scope": "account.scope" });
    settings["rules"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "match": "/mail", "require": { "scope": "email" } }));
    let world = TestEnv::with(settings);
    let mut browser = Browser::new();
    browser.sign_in(&world, "alice", "/about");
    assert_eq!(browser.fetch(&world, &format!("{APP}/mail")).status, 200);
    assert_eq!(browser.fetch(&world, &format!("{APP}/people/1")).status, 403);
}

#[test]
fn a_client_is_not_signed_in_for_another_proxy_that_does_not_say_which_request_it_has() {
    let world = TestEnv::with(site(&json!({}), rules()));
    assert_eq!(bring(&world, "/auth/verify", &token(&world, "alice", &json!({}))).status, 204);
    assert_eq!(bring(&world, "/auth/verify", &token(&world, "billing", &json!({}))).status, 403);
}

#[test]
fn configured_claims_mark_the_tokens_of_clients() {
    let bearer = json!({ "client_claims": { "kind": ["machine"] } });
    let world = TestEnv::with(site(&bearer, rules()));
    let machine = token(&world, "alice", &json!({ "kind": "machine" }));
    assert_eq!(
        (bring(&world, "/batch/run", &machine).status, bring(&world, "/people/1", &machine).status),
        (200, 403)
    );
    let user = token(&world, "alice", &json!({ "kind": "user" }));
    assert_eq!(
        (bring(&world, "/batch/run", &user).status, bring(&world, "/people/1", &user).status),
        (403, 200)
    );
}

fn load(settings: Value) -> Result<Config, String> {
    Config::load(settings, &environment, &RUNTIME).map_err(|errors| errors.to_string())
}

#[test]
fn rules_that_cannot_work_are_mistakes_at_start() {
    let without = |rules: Value| {
        let mut settings = site(&json!({}), rules);
        settings["providers"][0].as_object_mut().unwrap().remove("accept_bearer");
        settings
    };
    let errors = load(without(json!([{ "match": "/x", "access": "client" }]))).map(drop).unwrap_err();
    assert!(errors.starts_with("AUTH.rules[0].access: ") && errors.contains("accept_bearer"), "{errors}");
    for rule in [
        json!({ "match": "/x", "access": "client", "email_domain": "example.com" }),
        json!({ "match": "/x", "access": "client", "require": {} }),
        json!({ "match": "/x", "access": "signed-in", "require": { "scope": "a" } }),
        json!({ "match": "/x", "access": "public", "require": { "scope": "a" } }),
        json!({ "match": "/x", "access": "machine" }),
    ] {
        assert!(load(site(&json!({}), json!([rule]))).is_err(), "{rule}");
    }
    let mut own = site(&json!({}), rules());
    own["claims"] = json!({ "oauth_client": "profile.x" });
    assert!(load(own).is_err());
}

#[test]
fn explain_and_the_table_of_rules_say_whom_a_rule_is_for() {
    let config = load(site(&json!({}), rules())).unwrap_or_else(|errors| panic!("{errors}"));
    let now = vestibule_core::time::Timestamp::from_seconds(1_800_000_000);
    let explained = |path: &str, claims: Value| {
        let url = RequestUrl::parse(&format!("{APP}{path}")).unwrap();
        let request = Request { method: Method::Get, url, headers: Headers::new() };
        explain(&config, &request, claims.as_object(), now).to_string()
    };
    let client = json!({ "oauth_client": "billing", "scope": "read:orders" });
    let text = explained("/batch/run", client.clone());
    assert!(
        text.contains("requires   a client without a user\n") && text.contains("result     pass"),
        "{text}"
    );
    let text = explained("/batch/run", json!({ "sub": "alice" }));
    assert!(text.contains("result     forbidden"), "{text}");
    let text = explained("/orders/1", client.clone());
    assert!(text.contains("for        a signed-in user, or a client without a user\n"), "{text}");
    assert!(text.contains("result     pass"), "{text}");
    let text = explained("/people/1", client);
    assert!(text.contains("result     forbidden"), "{text}");
    let table = access_table(&config);
    let row = |place: &str| table.rows.iter().find(|row| row.rule == place).unwrap();
    let batch = row("AUTH.rules[1]");
    assert_eq!((batch.signed_out, batch.signed_in), ("401", "403"));
    assert_eq!(batch.requires, ["a client without a user"]);
    let orders = row("AUTH.rules[3]");
    assert_eq!((orders.signed_out, orders.signed_in), ("signs in", "403"));
    assert_eq!(orders.requires[0], "a signed-in user, or a client without a user");
}
