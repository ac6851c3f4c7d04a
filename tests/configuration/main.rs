//! Whole configurations: which ones load and with which values, and which ones are refused with which messages.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "these are tests"
)]

mod credentials;
mod init;
mod refused;
#[path = "../support/repository.rs"]
mod repository;

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use vestibule::runtime::{RUNTIME, binding};
use vestibule_core::config::error::ConfigErrors;
use vestibule_core::config::{Config, Provider, ProviderKind};

use vestibule_core::credentials::provider::CredentialsProvider;
use vestibule_core::data::DataPath;
use vestibule_core::guard::decision::{Decision, DefaultAccess};
use vestibule_core::guard::path::CanonicalPath;
use vestibule_core::guard::readings::PathReadings;
use vestibule_core::guard::rules::{Deny, RuleDecisions};
use vestibule_core::http::headers::Headers;
use vestibule_core::http::origin::Origin;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::http::url::Url;
use vestibule_core::lease::kind::LeaseKind;
use vestibule_core::oauth::provider::{ClientAuthMethod, OAuthProvider};
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::policy::Persistence;
use vestibule_core::upstream::Target;
use vestibule_core::upstream::bearer_token::BearerToken;
use vestibule_core::upstream::value::UpstreamValue;

/// The secrets and variables that are set, unless a test sets others.
const SECRETS: [(&str, &str); 4] = [
    ("AUTH_SECRET", "the-session-secret-of-the-tests"),
    ("AUTH_OKTA_ID", "client-of-okta"),
    ("AUTH_OKTA_SECRET", "clientsecret-of-okta"),
    ("AUTH_OKTA_ISSUER", "https://okta.example/oauth2/default"),
];

/// Loads `auth` with [`SECRETS`] and `env`: an object in which a string sets a variable and `null` unsets it.
fn load(auth: Value, env: &Value) -> Result<Config, ConfigErrors> {
    Config::load(
        auth,
        &|name| match env.get(name) {
            Some(value) => value.as_str().map(str::to_owned),
            None => SECRETS.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        },
        &RUNTIME,
    )
}

/// Loads `auth`, with the provider `okta` where it has no `providers`.
fn load_with_okta(mut auth: Value, env: &Value) -> Result<Config, ConfigErrors> {
    if let Some(table) = auth.as_object_mut() {
        table.entry("providers").or_insert(json!([{ "id": "okta" }]));
    }
    load(auth, env)
}

/// A configuration with a value in every table.
fn full() -> Value {
    json!({
        "base_path": "/auth",
        "dialect": "authjs-v5",
        "default_access": "signed-in",
        "login_url": "https://auth.example.com",
        "trusted_hosts": ["*.example.com"],
        "cookies": { "domain": "example.com" },
        "session": {
            "max_age": "30d",
            "update_age": "1d",
            "absolute_max_age": "90d",
            "expose": { "access_token": "access_token", "user.roles": "roles" },
        },
        "claims": { "roles": "profile.realm_access.roles" },
        "providers": [
            { "id": "okta", "scope": "openid profile email offline_access" },
            { "id": "acme", "type": "oidc", "name": "Acme", "issuer": "https://login.acme.example" },
        ],
        "refresh": { "lease": "kv", "leeway": "60s" },
        "rules": [
            { "match": ["/", "/about", "/_next/:path*"], "access": "public" },
            { "match": "/admin/:path*", "require": { "roles": ["admin"] }, "deny": "forbidden" },
        ],
        "upstreams": [{
            "host": "app.example.com",
            "to": "service:APP",
            "authorization": "access_token",
            "headers": { "X-User-Email": "email", "X-User-Roles": "roles" },
        }],
        "pages": { "sign_in": "/login" },
    })
}

fn acme() -> Value {
    json!({ "AUTH_ACME_ID": "client-of-acme", "AUTH_ACME_SECRET": "clientsecret-of-acme" })
}

fn oauth(provider: &Provider) -> &OAuthProvider {
    match &provider.kind {
        ProviderKind::OAuth(oauth) => oauth,
        ProviderKind::Credentials(_) => panic!("{} is not an OAuth provider", provider.id),
    }
}

fn path(text: &str) -> DataPath {
    DataPath::parse(text).unwrap()
}

fn decided<'a>(config: &'a Config, path: &str) -> RuleDecisions<'a> {
    decided_on(config, "app.example.com", path)
}

fn decided_on<'a>(config: &'a Config, host: &str, path: &str) -> RuleDecisions<'a> {
    let url = RequestUrl::parse(&format!("https://{host}{path}")).unwrap();
    let request = Request { method: Method::Get, url, headers: Headers::new() };
    config.rules.decide(&request, &CanonicalPath::new(path).unwrap(), &PathReadings::default()).unwrap()
}

#[test]
fn a_value_for_an_upstream_is_a_path_or_a_text_with_a_brace() {
    let value = |written: &str| {
        let upstream = json!({ "to": "origin", "headers": { "X-A": written }, "cookies": { "a": written } });
        let env = json!({ "AUTH_TEMPLATE_KEY_2": "hunter2", "KEY_2": "other" });
        let config = load_with_okta(json!({ "upstreams": [upstream] }), &env).unwrap();
        let upstream = &config.upstreams[0];
        assert_eq!(upstream.headers[0].1, upstream.cookies[0].1);
        assert!(!format!("{config:?}").contains("hunter2"));
        upstream.headers[0].1.clone()
    };
    for (written, of) in [
        ("sub", "sub"),
        ("profile.\"a.b\".0", "profile.\"a.b\".0"),
        ("\"{sub}\"", "\"{sub}\""),
        ("secret.KEY_2", "secret.KEY_2"),
        ("{profile.\"a.b\"}", "profile.\"a.b\""),
    ] {
        assert_eq!(value(written), UpstreamValue::Claim(path(of)), "{written}");
    }
    for (written, paths) in [
        ("JWT {access_token}", &["access_token"][..]),
        ("{sub}:{provider}", &["sub", "provider"]),
        (" {sub}", &["sub"]),
    ] {
        let value = value(written);
        assert_eq!(value.paths().iter().map(ToString::to_string).collect::<Vec<_>>(), paths, "{written}");
        assert!(value.as_claim().is_none() && !value.has_secret());
    }
    let secret = value("{secret.KEY_2}");
    assert!(secret.has_secret() && !secret.is_of_session());
}

#[test]
fn a_secret_can_be_in_the_header_fields_and_bodies_of_a_providers_requests() {
    let provider = json!({
        "id": "acme",
        "type": "oauth2",
        "authorization": "https://acme.example/a",
        "token": {
            "url": "https://acme.example/t",
            "headers": { "X-Key": "v1 {secret.KEY} {other}" },
            "params": { "key": "{secret.KEY}", "code": "{code}" },
        },
        "userinfo": {
            "url": "https://acme.example/u",
            "method": "POST",
            "headers": { "X-Key": "{secret.KEY}" },
            "body": { "key": "{secret.KEY}", "token": "{access_token}", "query": "{ viewer { id } }" },
        },
    });
    let mut env = acme();
    env["AUTH_TEMPLATE_KEY"] = json!("hunter2 {code}");
    let config = load(json!({ "providers": [provider] }), &env).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let acme = oauth(&config.providers[0]);
    let (name, value) = &acme.token.headers[0];
    assert_eq!((name.as_str(), value.expose()), ("x-key", "v1 hunter2 {code} {other}"));
    let of_code = |_: &DataPath| Some(json!("the code"));
    let params: Vec<String> = acme.token.params.iter().map(|(_, value)| value.text(&of_code)).collect();
    assert_eq!(params, ["the code", "hunter2 {code}"]);
    let userinfo = &acme.userinfo.request.as_ref().unwrap().rest;
    let texts: Vec<String> = userinfo.templates().map(|template| template.text(&of_code)).collect();
    assert_eq!(texts, ["hunter2 {code}", "hunter2 {code}", "{ viewer { id } }", "the code"]);
}

#[test]
fn cookies_are_named_by_default_and_by_every_prefix_of_letters_digits_and_dashes() {
    let naming = |cookies: Value| {
        let config = load_with_okta(json!({ "cookies": cookies }), &json!({})).unwrap();
        (config.cookie_naming.prefix.clone(), config.cookie_naming.host_prefix)
    };
    assert_eq!(naming(json!({})), (None, false));
    assert_eq!(naming(json!({ "host_prefix": true })), (None, true));
    assert_eq!(naming(json!({ "host_prefix": false, "domain": "example.com" })), (None, false));
    for prefix in ["a", "acme", "Acme-2_x", "authjs2", "_acme", "a2345678901234567890123456789012"] {
        assert_eq!(naming(json!({ "prefix": prefix })), (Some(prefix.to_owned()), false));
    }
    let both = json!({ "prefix": "acme", "domain": "example.com" });
    assert_eq!(naming(both), (Some("acme".to_owned()), false));
}

#[test]
fn a_configuration_with_every_table_loads_with_its_values() {
    let config = load(full(), &acme()).unwrap();
    assert_eq!(config.base_path, "/auth");
    assert_eq!(config.dialect, Dialect::AuthJsV5);
    assert_eq!(config.default_access, DefaultAccess::SignedIn);
    assert!(config.trusted_hosts.iter().any(|host| host.matches("app.example.com")));
    assert_eq!(config.login_url.as_ref().map(Origin::as_str), Some("https://auth.example.com"));
    assert!(config.cookie_domain.as_ref().is_some_and(|domain| domain.covers("app.example.com")));

    let day = Duration::from_hours(24);
    assert_eq!((config.session.max_age, config.session.update_age), (day * 30, day));
    assert_eq!(config.session.absolute_max_age, Some(day * 90));
    let exposed = [(path("access_token"), path("access_token")), (path("user.roles"), path("roles"))];
    assert_eq!(config.session.expose, exposed);
    assert_eq!(config.claims, [("roles".to_owned(), path("profile.realm_access.roles"))]);

    let [okta, acme] = config.providers.as_slice() else { panic!("two providers") };
    assert_eq!((okta.id.as_str(), okta.name.as_str()), ("okta", "Okta"));
    assert_eq!(oauth(okta).issuer.as_deref().unwrap(), "https://okta.example/oauth2/default");
    assert_eq!(oauth(okta).client.id, "client-of-okta");
    assert!(oauth(okta).client.secret.as_ref().is_some_and(|secret| secret.matches("clientsecret-of-okta")));
    assert_eq!(oauth(okta).scope.as_deref(), Some("openid profile email offline_access"));
    assert_eq!((acme.id.as_str(), acme.name.as_str()), ("acme", "Acme"));
    assert_eq!(oauth(acme).issuer.as_deref().unwrap(), "https://login.acme.example");
    assert_eq!(oauth(acme).scope.as_deref(), Some("openid profile email"));
    assert_eq!(oauth(acme).client.method, None);

    let [upstream] = config.upstreams.as_slice() else { panic!("one upstream") };
    assert!(upstream.host.as_ref().is_some_and(|host| host.matches("app.example.com")));
    assert_eq!(upstream.target, Target::Service("APP".to_owned()));
    assert_eq!(upstream.authorization, Some(BearerToken::Claim(path("access_token"))));
    let claim = |name: &str, of: &str| (name.to_owned(), UpstreamValue::Claim(path(of)));
    assert_eq!(upstream.headers, [claim("x-user-email", "email"), claim("x-user-roles", "roles")]);
    assert!(!upstream.forward_session);

    assert_eq!(config.pages.sign_in.as_deref(), Some("/login"));
    assert_eq!(config.keys.secrets().count(), 1);
}

#[test]
fn rules_decide_as_written_and_the_sign_in_page_is_public_without_a_rule() {
    let config = load(full(), &acme()).unwrap();
    for path in ["/", "/about", "/_next/static/x.js"] {
        assert!(decided(&config, path).is_public(), "{path}");
    }
    assert!(decided_on(&config, "auth.example.com", "/login").is_public());
    assert!(!decided(&config, "/login").is_public(), "it is a page of the login host");
    let mut everywhere = full();
    everywhere["login_url"] = Value::Null;
    assert!(decided(&load(everywhere, &acme()).unwrap(), "/login").is_public());
    let no_roles = json!({ "sub": "1" });
    let admin = json!({ "sub": "2", "roles": ["user", "admin"] });
    let [no_roles, admin] =
        [&no_roles, &admin].map(|claims| config.proven_claims(claims.as_object().unwrap()));
    let account = decided(&config, "/account");
    assert!(!account.is_public() && account.decision(no_roles.as_ref()) == Decision::Pass);
    let users = decided(&config, "/admin/users");
    assert_eq!(users.decision(admin.as_ref()), Decision::Pass);
    assert_eq!(users.decision(no_roles.as_ref()), Decision::Forbidden);
    let rule = users.rule().unwrap();
    assert_eq!((rule.place.as_str(), rule.deny), ("AUTH.rules[1]", Deny::Forbidden));
}

#[test]
fn a_configuration_needs_only_a_provider_and_everything_else_has_a_default() {
    let config = load(
        json!({ "providers": [{ "id": "google" }] }),
        &json!({
            "AUTH_GOOGLE_ID": "g", "AUTH_GOOGLE_SECRET": "s"
        }),
    )
    .unwrap();
    assert_eq!((config.base_path.as_str(), config.dialect), ("/auth", Dialect::AuthJsV5));
    // A path that no rule mentions is closed.
    assert!(!decided(&config, "/").is_public());
    assert_eq!(config.session.max_age, Duration::from_hours(30 * 24));
    assert_eq!(config.session.update_age, Duration::from_hours(24));
    assert_eq!(config.session.absolute_max_age, Some(Duration::from_hours(90 * 24)));
    assert_eq!(config.session.persistence, Persistence::Persistent);
    assert_eq!(
        config.providers.first().map(|p| oauth(p).issuer.as_deref().unwrap()),
        Some("https://accounts.google.com")
    );
    assert!(config.upstreams.is_empty() && config.trusted_hosts.is_empty() && config.claims.is_empty());
}

#[test]
fn a_configuration_may_be_a_json_string() {
    let auth = Value::String(full().to_string());
    assert_eq!(load(auth, &acme()).unwrap().providers.len(), 2);
}

#[test]
fn a_public_client_needs_no_secret_and_an_issuer_is_kept_byte_for_byte() {
    let auth = json!({ "providers": [{
        "id": "acme-eu",
        "issuer": "https://Login.Acme.example:443/a%2fb/",
        "client_id": "public",
        "scope": ["openid", "openid  email"],
        "token_endpoint_auth_method": "none",
        "authorization_params": { "audience": "https://api.example.com", "max_age": 60, "x": true },
    }] });
    let config = load(auth, &json!({ "AUTH_ACME_EU_SECRET": "left over" })).unwrap();
    let provider = config.providers.first().unwrap();
    assert_eq!(provider.name, "acme-eu");
    assert_eq!(oauth(provider).issuer.as_deref().unwrap(), "https://Login.Acme.example:443/a%2fb/");
    assert_eq!(oauth(provider).scope.as_deref(), Some("openid email"));
    assert_eq!(oauth(provider).client.method, Some(ClientAuthMethod::None));
    assert!(oauth(provider).client.secret.is_none());
    let params = [("audience", "https://api.example.com"), ("max_age", "60"), ("x", "true")];
    assert_eq!(oauth(provider).authorization.params, params.map(|(k, v)| (k.to_owned(), v.to_owned())));
}

#[test]
fn variables_have_underscores_for_the_dashes_of_an_id_and_a_written_value_wins_over_one() {
    let auth = json!({ "providers": [
        { "id": "acme-eu" },
        { "id": "acme-us", "issuer": "https://us.acme.example", "client_id": "written" },
    ] });
    let config = load(auth, &json!({
        "AUTH_ACME_EU_ID": "eu", "AUTH_ACME_EU_SECRET": "s", "AUTH_ACME_EU_ISSUER": "https://eu.acme.example",
        "AUTH_ACME_US_ID": "us", "AUTH_ACME_US_SECRET": "s", "AUTH_ACME_US_ISSUER": "https://other.example",
    }))
    .unwrap();
    let found: Vec<_> = config
        .providers
        .iter()
        .map(|p| (oauth(p).client.id.as_str(), oauth(p).issuer.as_deref().unwrap()))
        .collect();
    assert_eq!(found, [("eu", "https://eu.acme.example"), ("written", "https://us.acme.example")]);
}

#[test]
fn the_newest_session_secret_comes_first() {
    let env =
        json!({ "AUTH_SECRET_1": "the-first-newer-secret", "AUTH_SECRET_3": "the-newest-of-the-secrets" });
    let config = load_with_okta(json!({}), &env).unwrap();
    let secrets: Vec<&str> = config.keys.secrets().map(Secret::expose).collect();
    assert_eq!(
        secrets,
        ["the-newest-of-the-secrets", "the-first-newer-secret", "the-session-secret-of-the-tests"]
    );
}

#[test]
fn the_default_update_age_is_at_most_max_age() {
    let config = load_with_okta(json!({ "session": { "max_age": 3600 } }), &json!({})).unwrap();
    assert_eq!(config.session.update_age, Duration::from_hours(1));
}

#[test]
fn the_absolute_limit_is_ninety_days_or_max_age_or_what_is_written_or_none() {
    let day = Duration::from_hours(24);
    for (session, limit) in [
        (json!({}), Some(day * 90)),
        (json!({ "max_age": "12h" }), Some(day * 90)),
        (json!({ "max_age": "400d" }), Some(day * 400)),
        (json!({ "absolute_max_age": "none" }), None),
        (json!({ "absolute_max_age": "none", "max_age": "400d" }), None),
        (json!({ "absolute_max_age": "7d" }), Some(day * 7)),
        (json!({ "absolute_max_age": 604_800 }), Some(day * 7)),
        (json!({ "absolute_max_age": "30d", "max_age": "30d" }), Some(day * 30)),
    ] {
        let config = load_with_okta(json!({ "session": session }), &json!({})).unwrap();
        assert_eq!(config.session.absolute_max_age, limit, "{session}");
    }
}

#[test]
fn a_session_is_persistent_or_not_or_the_user_is_asked() {
    for (written, persistence) in [
        (json!(true), Persistence::Persistent),
        (json!(false), Persistence::UntilBrowserCloses),
        (json!("ask"), Persistence::ByUser),
    ] {
        let settings = json!({ "session": { "persistent": written } });
        assert_eq!(load_with_okta(settings, &json!({})).unwrap().session.persistence, persistence);
    }
}

#[test]
fn upstreams_keep_their_order_and_can_have_every_kind_of_target() {
    let auth = json!({ "upstreams": [
        { "host": "a.example.com", "to": "assets:SITE_1", "forward_session": true },
        { "host": "*.example.com", "to": "http://localhost:3000" },
        { "host": "a.b.example.com:8443", "to": "https://origin.example" },
        { "to": "origin" },
    ] });
    let config = load_with_okta(auth, &json!({})).unwrap();
    let targets: Vec<_> = config.upstreams.iter().map(|upstream| upstream.target.clone()).collect();
    assert_eq!(
        targets,
        [
            Target::Service("SITE_1".to_owned()),
            Target::Url(Url::parse("http://localhost:3000").unwrap()),
            Target::Url(Url::parse("https://origin.example").unwrap()),
            Target::Origin,
        ]
    );
    assert!(config.upstreams.first().is_some_and(|upstream| upstream.forward_session));
}

#[test]
fn a_rule_that_can_still_match_after_the_earlier_rules_is_accepted() {
    let auth = json!({ "rules": [
        { "match": "/a", "methods": ["GET", "POST"], "access": "public" },
        { "match": "/a", "methods": ["DELETE", "GET"], "access": "signed-in" },
        { "match": "/a", "host": "b.example", "access": "public" },
        { "match": "/a", "host": "c.example", "access": "public" },
        { "match": ["/a", "/b"], "access": "signed-in" },
        { "match": "/:path*", "access": "public" },
    ] });
    assert!(load_with_okta(auth, &json!({})).is_ok());
}

#[test]
fn a_page_may_be_a_url_of_a_host_that_belongs_to_the_site() {
    for (page, site) in [
        ("https://www.example.com/login?from=app", json!({ "trusted_hosts": "*.example.com" })),
        ("https://example.com", json!({ "cookies": { "domain": "example.com" } })),
        ("http://localhost:3000/login", json!({})),
        ("/login?from=app", json!({})),
        ("/", json!({})),
    ] {
        let mut auth = site;
        auth["pages"] = json!({ "sign_in": page, "error": page, "sign_out": page });
        let config = load_with_okta(auth, &json!({})).unwrap_or_else(|why| panic!("{page}: {why}"));
        assert_eq!(config.pages.sign_in.as_deref(), Some(page));
    }
}

#[test]
fn the_debug_output_of_a_configuration_contains_no_secret() {
    let loaded = format!("{:?}", load(full(), &acme()).unwrap());
    assert!(!loaded.contains("clientsecret") && !loaded.contains("the-session-secret"), "{loaded}");
}

#[test]
fn no_message_quotes_a_secret_that_is_written_in_place_of_a_table() {
    let keys = full().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for key in keys.iter().filter(|key| full()[key.as_str()].is_object() || full()[key.as_str()].is_array()) {
        let mut auth = full();
        auth[key.as_str()] = json!("hunter2hunter2");
        // `trusted_hosts` accepts a string, so a message may quote it.
        if key != "trusted_hosts" {
            assert!(!load(auth, &acme()).unwrap_err().to_string().contains("hunter2"), "{key}");
        }
    }
}

#[test]
fn server_side_request_forgery_by_discovery_an_issuer_without_https_is_refused() {
    for issuer in
        ["http://169.254.169.254/latest", "http://10.0.0.1", "file:///etc/passwd", "ftp://a.example"]
    {
        let auth = json!({ "providers": [{ "id": "okta", "issuer": issuer }] });
        assert!(load(auth, &json!({})).is_err(), "{issuer}");
    }
}

#[test]
fn a_lease_needs_its_binding_only_where_access_tokens_are_used() {
    let checked = |auth: Value, bound: &'static [&str]| {
        load_with_okta(auth, &json!({}))
            .unwrap()
            .check_lease(&RUNTIME, &|kind| binding(kind).is_none_or(|name| bound.contains(&name)))
    };
    let uses = |lease: &str| {
        json!({
            "refresh": { "lease": lease },
            "upstreams": [{ "to": "origin", "authorization": "access_token" }],
        })
    };
    for (lease, bound, missing) in [
        ("kv", &["AUTH_KV"][..], None),
        ("kv", &["AUTH_LEASE"], Some("AUTH_KV")),
        ("durable-object", &["AUTH_LEASE"], None),
        ("durable-object", &["AUTH_KV"], Some("AUTH_LEASE")),
        ("none", &[], None),
    ] {
        let refused = checked(uses(lease), bound).err().map(|errors| errors.to_string());
        assert_eq!(refused.is_some(), missing.is_some(), "{lease}, {bound:?}: {refused:?}");
        if let (Some(refused), Some(missing)) = (refused, missing) {
            assert!(refused.starts_with("AUTH.refresh.lease: ") && refused.contains(missing), "{refused}");
        }
    }
    for mut auth in [
        json!({ "upstreams": [{ "to": "origin", "forward_session": true }] }),
        json!({ "upstreams": [{ "to": "origin", "headers": { "X-Ends": "expires_at" } }] }),
        json!({ "session": { "expose": { "token": "access_token" } } }),
        json!({ "rules": [{ "match": "/api/:path*", "access": "signed-in", "to": "origin", "authorization": "access_token" }] }),
    ] {
        let without_choice = checked(auth.clone(), &[]).unwrap();
        assert_eq!(without_choice.refresh.lease, LeaseKind::None, "{auth}");
        assert!(
            without_choice.advice(&RUNTIME).iter().any(|advice| advice.contains("bound as AUTH_KV")),
            "{auth}"
        );
        let with_store = checked(auth.clone(), &["AUTH_KV"]).unwrap();
        let advice = with_store.advice(&RUNTIME);
        assert_eq!(with_store.refresh.lease, LeaseKind::Store, "{auth}");
        assert!(advice.iter().all(|advice| !advice.contains("AUTH.refresh.lease")), "{auth}: {advice:?}");
        auth["refresh"] = json!({ "lease": "kv" });
        assert!(checked(auth.clone(), &[]).is_err(), "{auth}");
    }
    for needs_none in [json!({ "upstreams": [{ "to": "origin", "headers": { "X-E": "email" } }] }), json!({})]
    {
        assert!(checked(needs_none, &[]).unwrap().advice(&RUNTIME).is_empty());
    }
}

#[test]
fn a_claim_that_no_sign_in_collects_is_named_where_something_needs_it() {
    let advice = |auth: Value| load_with_okta(auth, &json!({})).unwrap().advice(&RUNTIME);
    let about = |auth: Value| -> Vec<String> {
        advice(auth).into_iter().filter(|advice| advice.contains("no sign-in puts the claim")).collect()
    };
    let rule = json!([{ "match": "/admin", "require": { "roles": ["admin"], "email": "a@example.com" } }]);
    for (auth, place) in [
        (json!({ "rules": rule }), "AUTH.rules[0].require"),
        (
            json!({ "upstreams": [{ "to": "origin", "headers": { "X-R": "roles.0", "X-E": "email" } }] }),
            "AUTH.upstreams[0].headers",
        ),
        (json!({ "session": { "expose": { "user.roles": "roles", "id": "sub" } } }), "AUTH.session.expose"),
    ] {
        let found = about(auth.clone());
        assert_eq!(found.len(), 1, "{auth}: {found:?}");
        assert!(found[0].starts_with(place) && found[0].contains("\"profile.roles\""), "{found:?}");
        for collected in [json!({ "claims": { "roles": "profile.roles" } }), json!({ "providers": [] })] {
            let mut auth = auth.clone();
            if collected.get("providers").is_some() {
                auth["login_url"] = json!("https://login.example.com");
                auth["cookies"] = json!({ "domain": "example.com" });
            }
            auth.as_object_mut().unwrap().extend(collected.as_object().unwrap().clone());
            assert_eq!(about(auth), Vec::<String>::new());
        }
    }
}

#[test]
fn who_writes_what_the_provider_says_in_place_of_a_claim_is_told_how_to_make_it_one() {
    let auth = json!({ "session": { "expose": { "user.login": "profile.preferred_username" } } });
    let advice = load_with_okta(auth, &json!({})).unwrap().advice(&RUNTIME);
    let fix = "add preferred_username = \"profile.preferred_username\" to claims, and write \"preferred_username\" here";
    assert!(advice.len() == 1 && advice[0].contains(fix), "{advice:?}");
}

#[test]
fn a_strict_provider_with_a_lease_that_is_not_strict_gives_one_piece_of_advice() {
    let advice = |lease: &str, provider: Value| {
        let auth = json!({
            "providers": [provider],
            "refresh": { "lease": lease },
            "session": { "expose": { "token": "access_token" } },
        });
        let env = json!({
            "AUTH_KEYCLOAK_ID": "a", "AUTH_KEYCLOAK_SECRET": "b",
            "AUTH_KEYCLOAK_ISSUER": "https://sso.example/realms/a",
            "AUTH_ACME_ID": "a", "AUTH_ACME_SECRET": "b", "AUTH_ACME_ISSUER": "https://acme.example",
        });
        load(auth, &env).unwrap().advice(&RUNTIME)
    };
    let found = advice("kv", json!({ "id": "keycloak" }));
    assert!(
        found.len() == 1 && found[0].contains("keycloak") && found[0].contains("durable-object"),
        "{found:?}"
    );
    assert_eq!(advice("none", json!({ "id": "keycloak" })).len(), 1);
    assert_eq!(advice("kv", json!({ "id": "acme", "strict_rotation": true })).len(), 1);
    for (lease, provider) in [
        ("durable-object", json!({ "id": "keycloak" })),
        ("kv", json!({ "id": "keycloak", "strict_rotation": false })),
        ("kv", json!({ "id": "acme" })),
    ] {
        assert_eq!(advice(lease, provider.clone()), Vec::<String>::new(), "{lease}, {provider}");
    }
}

#[test]
fn header_smuggling_a_header_field_in_two_spellings_is_refused() {
    for (a, b) in [("X-User", "x_user"), ("X_A-B", "x-a_b"), ("X-USER", "x-user")] {
        let auth = json!({ "upstreams": [{ "to": "origin", "headers": { a: "sub", b: "sub" } }] });
        assert!(load_with_okta(auth, &json!({})).is_err(), "{a} {b}");
    }
}

/// Random JSON, with keys and values of a configuration more often than by chance.
fn any_configuration() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "(base_path|dialect|default_access|login_url|trusted_hosts|cookies|session|claims|providers|refresh)",
        "(rules|upstreams|pages|domain|max_age|update_age|expose|id|type|name|issuer|scope|match|access|deny)",
        "(methods|host|require|to|headers|authorization|sign_in|error|client_id|authorization_params|lease)",
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(okta|public|signed-in|origin|service:A|/auth|/:a*|https://a.example/|30d|openid|[a-z./:*({\"@?#-]{0,12})"
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_configuration_makes_loading_panic_and_each_error_is_one_line(auth in any_configuration()) {
        if let Err(errors) = load_with_okta(auth, &json!({})) {
            prop_assert!(errors.iter().next().is_some());
            for error in errors.iter() {
                prop_assert!(!error.to_string().contains('\n'), "{}", error);
            }
        }
    }

    #[test]
    fn no_value_in_place_of_a_table_makes_loading_panic(
        section in 0_usize..13, value in any_configuration()
    ) {
        let mut auth = full();
        if let Some(slot) = auth.as_object_mut().unwrap().values_mut().nth(section) {
            *slot = value;
        }
        let _ = load(auth, &acme());
    }
}

#[test]
fn microsofts_shared_issuers_accept_any_tenant_and_the_issuer_of_a_tenant_only_its_own() {
    for (tenant, accepts_any) in [
        (json!(null), true),
        (json!("common"), true),
        (json!("organizations"), true),
        (json!("consumers"), true),
        (json!("6babcaad-604b-40ac-a9d7-9fd97c0b779f"), false),
        (json!("contoso.onmicrosoft.com"), false),
    ] {
        let providers = json!([{ "id": "microsoft-entra-id", "client_id": "c", "tenant": tenant }]);
        let env = json!({ "AUTH_MICROSOFT_ENTRA_ID_SECRET": "s" });
        let config = load(json!({ "providers": providers }), &env).unwrap();
        let openid = oauth(&config.providers[0]).openid.as_ref().unwrap();
        assert_eq!(openid.accepts_any_tenant(), accepts_any, "{tenant}");
    }
}

#[test]
fn no_provider_is_needed_where_login_url_names_another_host() {
    let shared = json!({ "login_url": "https://auth.example.com", "cookies": { "domain": "example.com" } });
    let config = load(shared, &json!({})).unwrap();
    assert!(config.providers.is_empty());
    let local =
        json!({ "login_url": "http://auth.app.localhost:8787", "cookies": { "domain": "app.localhost" } });
    assert!(load(local, &json!({})).is_ok(), "http on this machine");
}

#[test]
fn preview_hosts_are_names_of_ones_own_outside_the_cookie_domain() {
    let with = |hosts: Value, more: Value| {
        let mut auth = json!({
            "login_url": "https://app.example.com",
            "cookies": { "domain": "app.example.com" },
            "preview_hosts": hosts,
        });
        auth.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        load(auth, &json!({})).unwrap()
    };
    let config = with(
        json!([
            "*.preview.example.dev",
            "*.site.pages.dev",
            "*.acme.workers.dev",
            "one.pages.dev",
            "*.localhost",
            "localhost"
        ]),
        json!({}),
    );
    assert_eq!(config.preview_hosts.len(), 6);
    // A host of the same registrable domain is another host, too, if the session is not shared with it.
    assert_eq!(with(json!(["*.preview.example.com", "*.example.com"]), json!({})).preview_hosts.len(), 2);
    assert!(load_with_okta(json!({}), &json!({})).unwrap().preview_hosts.is_empty());

    let advises = |config: Config| {
        config.advice(&RUNTIME).iter().any(|advice| advice.starts_with("AUTH.preview_hosts: for a minute"))
    };
    let hosts = || json!(["*.preview.example.dev"]);
    assert!(advises(with(hosts(), json!({}))), "nothing remembers that a code was used");
    assert!(!advises(with(hosts(), json!({ "refresh": { "lease": "kv" } }))), "the operator chose it");
    assert!(!advises(with(hosts(), json!({ "refresh": { "lease": "durable-object" } }))));
    assert!(!advises(with(hosts(), json!({ "revocation": { "store": "durable-object" } }))));
    assert!(!advises(with(json!([]), json!({}))));
}

#[test]
fn a_redirect_to_the_origin_of_the_target_is_rewritten_to_the_origin_of_the_request() {
    let target = Target::Url("https://backend.example.net:8443".parse().unwrap());
    let requested = RequestUrl::parse("https://app.example.com/x?y").unwrap();
    for (location, changed) in [
        ("https://backend.example.net:8443/a?b#c", Some("https://app.example.com/a?b#c")),
        ("https://backend.example.net:8443", Some("https://app.example.com")),
        ("https://backend.example.net:8443?a", Some("https://app.example.com?a")),
        ("//backend.example.net:8443/a", Some("https://app.example.com/a")),
        ("https://backend.example.net:8443//evil.example", Some("https://app.example.com//evil.example")),
        ("/a", None),
        ("a", None),
        ("", None),
        ("https://backend.example.net/a", None),
        ("http://backend.example.net:8443/a", None),
        ("https://backend.example.net:84430/a", None),
        ("https://backend.example.net:8443@evil.example/", None),
        ("https://backend.example.net:8443.evil.example/", None),
        ("https://backend.example.net:8443\\@evil.example/", None),
        ("https://other.example/https://backend.example.net:8443/", None),
    ] {
        assert_eq!(target.location(location, &requested, None).as_deref(), changed, "{location}");
    }
    for same in [Target::Origin, Target::Service("APP".to_owned())] {
        assert_eq!(same.location("https://backend.example.net:8443/a", &requested, None), None);
    }
}
