//! Rules, `allow`, header fields and assertions depend on proven claims only.

use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule_core::config::Config;
use vestibule_core::jose::base64url;
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_testing::{APP, Answer, Browser, RUNTIME, SECRET, TestEnv, environment, settings};

const SESSION: &str = "__Secure-authjs.session-token";
const ASSERTION: &str = "x-vestibule-assertion";

/// Every place that may depend on an address, for the provider with these further keys.
fn asking(provider: &Value) -> Value {
    let mut all = settings();
    all["claims"]["contact"] = json!("profile.email");
    all["claims"]["everything"] = json!("profile");
    all["rules"] = json!([
        { "match": "/alice", "require": { "email": "alice@example.com" } },
        { "match": "/copy", "require": { "contact": "alice@example.com" } },
        { "match": "/inside", "require": { "everything.email": "alice@example.com" } },
        { "match": "/domain", "email_domain": "example.com" },
        { "match": "/roles", "require": { "everything.roles": "admin" } },
    ]);
    all["upstreams"][0]["assertion"] = json!(true);
    all["upstreams"][0]["headers"] = json!({
        "X-User-Email": "email", "X-Contact": "contact", "X-Inside": "everything.email", "X-Roles": "roles",
    });
    for (key, value) in provider.as_object().unwrap() {
        all["providers"][0][key] = value.clone();
    }
    all
}

/// Alice, of whose address the provider says this.
fn alice(settings: Value, verified: &'static Value) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.provider.alters_answer_at("userinfo", move |claims| {
        if !verified.is_null() {
            claims["email_verified"] = verified.clone();
        }
    });
    browser.sign_in(&world, "alice", "/");
    (world, browser)
}

fn status(world: &TestEnv, browser: &mut Browser, path: &str) -> u16 {
    browser.fetch(world, &format!("{APP}{path}")).status
}

/// The claims of the assertion that a request was forwarded with.
fn asserted(answer: &Answer) -> Value {
    let token = answer.forwarded.as_ref().unwrap().request.headers.get(ASSERTION).expect("an assertion");
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64url::decode(claims).unwrap()).unwrap()
}

/// The names of the header fields that tell about the user.
fn sent(answer: &Answer) -> Vec<&str> {
    let headers = &answer.forwarded.as_ref().unwrap().request.headers;
    let names = ["x-user-email", "x-contact", "x-inside", "x-roles"];
    names.into_iter().filter(|name| headers.contains(name)).collect()
}

fn claims(world: &TestEnv, browser: &Browser) -> Map<String, Value> {
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    seal::open(&keys, Dialect::AuthJsV5, SESSION, browser.cookie(SESSION).unwrap(), world.now()).unwrap()
}

/// A session with exactly these claims.
pub fn sealed(world: &TestEnv, claims: &Value) -> Browser {
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let claims = claims.as_object().unwrap();
    let random = &mut |bytes: &mut [u8]| world.random.fill(bytes);
    let day = Duration::from_hours(24);
    let mut browser = Browser::new();
    browser.plant(SESSION, &seal::seal(&keys, Dialect::AuthJsV5, SESSION, claims, day, world.now(), random));
    browser
}

static TRUE: Value = Value::Bool(true);
static FALSE: Value = Value::Bool(false);
static NOTHING: Value = Value::Null;

#[test]
fn unproven_identity_an_unverified_address_reaches_no_rule_header_field_or_assertion() {
    let (world, mut browser) = alice(asking(&json!({})), &FALSE);
    for path in ["/alice", "/copy", "/inside", "/domain"] {
        assert_eq!(status(&world, &mut browser, path), 403, "{path}");
    }
    assert_eq!(status(&world, &mut browser, "/roles"), 200, "only the address is withheld");
    let answer = browser.fetch(&world, &format!("{APP}/dashboard"));
    assert_eq!(sent(&answer), ["x-roles"]);
    let said = asserted(&answer);
    assert!(!said.to_string().contains("alice@example.com"), "{said}");
    assert_eq!((&said["sub"], &said["provider"]), (&json!("alice-1"), &json!("acme")));

    // The page of its owner sees it, as with Auth.js, and the session knows what was said.
    assert_eq!(browser.session(&world)["user"]["email"], "alice@example.com");
    assert_eq!(claims(&world, &browser)["email_verified"], false);
    let verify = browser.fetch(&world, &format!("{APP}/auth/verify"));
    assert_eq!((verify.status, verify.headers.get("x-user-email")), (204, None));
}

#[test]
fn unproven_identity_a_verified_address_is_seen_also_where_the_provider_says_so_as_text() {
    static TEXT: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| json!("true"));
    for verified in [&TRUE, &*TEXT] {
        let (world, mut browser) = alice(asking(&json!({})), verified);
        for (path, expected) in [("/alice", 200), ("/copy", 200), ("/inside", 200), ("/domain", 200)] {
            assert_eq!(status(&world, &mut browser, path), expected, "{verified} {path}");
        }
        let answer = browser.fetch(&world, &format!("{APP}/dashboard"));
        assert_eq!(sent(&answer), ["x-user-email", "x-contact", "x-inside", "x-roles"]);
        assert_eq!(asserted(&answer)["email"], "alice@example.com");
        assert_eq!(claims(&world, &browser)["email_verified"], true);
    }
}

#[test]
fn unproven_identity_an_address_without_a_statement_passes_email_domain_only_at_a_provider_without_a_preset()
{
    for (provider, domain) in [(json!({}), 200), (json!({ "preset": "okta" }), 403)] {
        let (world, mut browser) = alice(asking(&provider), &NOTHING);
        for (path, expected) in [("/alice", 200), ("/copy", 200), ("/inside", 200), ("/domain", domain)] {
            assert_eq!(status(&world, &mut browser, path), expected, "{provider} {path}");
        }
        assert!(!claims(&world, &browser).contains_key("email_verified"));
        // A host that does not know the provider does not know that either.
        let mut other =
            asking(&json!({ "id": "other", "client_id": "x", "token_endpoint_auth_method": "none" }));
        other["upstreams"] = json!([{ "to": "origin" }]);
        let other = world.isolate(other, "elsewhere");
        assert_eq!(status(&other, &mut browser, "/domain"), 403);
    }
}

#[test]
fn unproven_identity_an_accepted_unverified_address_does_not_pass_email_domain() {
    let (world, mut browser) = alice(asking(&json!({ "unverified_email": "accept" })), &FALSE);
    for (path, expected) in [("/alice", 200), ("/copy", 200), ("/inside", 200), ("/domain", 403)] {
        assert_eq!(status(&world, &mut browser, path), expected, "{path}");
    }
    let answer = browser.fetch(&world, &format!("{APP}/dashboard"));
    assert_eq!(asserted(&answer)["email"], "alice@example.com");
    // The same session, after the operator took it back.
    let strict = world.isolate(asking(&json!({})), "elsewhere");
    assert_eq!(status(&strict, &mut browser, "/alice"), 403);
}

#[test]
fn unproven_identity_the_configured_default_applies_without_a_statement() {
    for (email_verified, said, domain, address) in [
        (json!(true), &NOTHING, 200, 200),
        (json!(false), &NOTHING, 403, 403),
        (json!(["profile.checked", false]), &TRUE, 403, 403),
        (json!(["profile.email_verified", false]), &TRUE, 200, 200),
        (json!(["profile.email_verified", false]), &NOTHING, 403, 403),
        (json!(["profile.email_verified", true]), &NOTHING, 200, 200),
        (json!(["profile.email_verified", true]), &FALSE, 403, 403),
    ] {
        let case = format!("{email_verified} {said}");
        let (world, mut browser) = alice(asking(&json!({ "email_verified": email_verified })), said);
        assert_eq!(status(&world, &mut browser, "/domain"), domain, "{case}");
        assert_eq!(status(&world, &mut browser, "/alice"), address, "{case}");
    }
}

#[test]
fn unproven_identity_allow_does_not_see_an_unverified_address() {
    for allow in ["user.email", "profile.email", "user.contact", "user.everything.email"] {
        for (verified, policy, admitted) in [
            (&FALSE, "withhold", false),
            (&FALSE, "accept", true),
            (&TRUE, "withhold", true),
            (&NOTHING, "withhold", true),
        ] {
            let provider = json!({ "allow": { allow: "alice@example.com" }, "unverified_email": policy });
            let (_, browser) = alice(asking(&provider), verified);
            assert_eq!(browser.cookie(SESSION).is_some(), admitted, "{allow} {verified} {policy}");
        }
    }
}

#[test]
fn unproven_identity_an_address_in_place_of_a_name_is_withheld_with_it() {
    for (verified, sent) in [(&FALSE, None), (&TRUE, Some("alice@example.com"))] {
        let mut all = asking(&json!({ "user": { "name": "profile.email" } }));
        all["upstreams"][0]["headers"] = json!({ "X-Name": "name" });
        let (world, mut browser) = alice(all, verified);
        let answer = browser.fetch(&world, &format!("{APP}/dashboard"));
        assert_eq!(asserted(&answer).get("name").and_then(Value::as_str), sent);
        assert_eq!(answer.forwarded.unwrap().request.headers.get("x-name"), sent);
    }
}

#[test]
fn unproven_identity_a_statement_about_another_address_does_not_count() {
    let provider = json!({ "email_verified": ["id_token.email_verified", "profile.email_verified", false] });
    let world = TestEnv::with(asking(&provider));
    world.provider.alters_answer_at("id_token", |claims| {
        claims["email"] = json!("alice@elsewhere.example");
        claims["email_verified"] = json!(true);
    });
    let mut browser = Browser::new();
    browser.sign_in(&world, "alice", "/");
    assert_eq!(browser.session(&world)["user"]["email"], "alice@example.com");
    assert_eq!(status(&world, &mut browser, "/domain"), 403);
    assert_eq!(claims(&world, &browser)["email_verified"], false);
}

#[test]
fn unproven_identity_an_older_session_counts_as_one_without_a_statement() {
    let world = TestEnv::with(asking(&json!({})));
    let old = json!({ "sub": "alice-1", "provider": "acme", "email": "alice@example.com" });
    let mut browser = sealed(&world, &old);
    assert_eq!(status(&world, &mut browser, "/alice"), 200);
    assert_eq!(status(&world, &mut browser, "/domain"), 200);
    // Unless its provider is known to verify nothing.
    let never = world.isolate(asking(&json!({ "email_verified": false })), "elsewhere");
    for path in ["/alice", "/domain"] {
        assert_eq!(status(&never, &mut browser, path), 403, "{path}");
    }
}

#[test]
fn unproven_identity_an_address_that_a_page_entered_is_not_the_one_that_was_verified() {
    let mut open = settings();
    open["session"]["updatable"] = json!(["email"]);
    open["upstreams"] = json!([{ "to": "origin", "assertion": true }]);
    let (world, mut browser) = alice(open, &TRUE);
    let csrf = browser.csrf(&world);
    let body = json!({ "csrfToken": csrf, "data": { "email": "root@example.com" } }).to_string();
    let headers = [("content-type", "application/json")];
    browser.send(&world, "POST", &format!("{APP}/auth/session"), &headers, body.as_bytes());
    let claims = claims(&world, &browser);
    assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("root@example.com"), &json!(false)));
    assert!(asserted(&browser.fetch(&world, &format!("{APP}/dashboard"))).get("email").is_none());
}

#[test]
fn nobody_by_that_name_a_session_without_sub_passes_public_paths_only() {
    let mut all = asking(&json!({}));
    all["rules"] = json!([
        { "match": "/about", "access": "public" },
        { "match": "/roles", "require": { "roles": "admin" } },
    ]);
    let world = TestEnv::with(all);
    for sub in [json!(null), json!(""), json!(7)] {
        let claims = json!({
            "sub": sub, "provider": "acme", "email": "alice@example.com", "email_verified": true, "roles": ["admin"],
        });
        let mut browser = sealed(&world, &claims);
        for path in ["/dashboard", "/roles", "/auth/verify"] {
            assert_eq!(status(&world, &mut browser, path), 401, "{sub} {path}");
        }
        let answer = browser.fetch(&world, &format!("{APP}/about"));
        assert!(sent(&answer).is_empty(), "{sub}");
        assert!(!answer.forwarded.unwrap().request.headers.contains(ASSERTION), "{sub}");
    }
}

#[test]
fn nobody_by_that_name_a_session_without_sub_or_with_an_error_is_sent_nowhere_by_the_sign_in_page() {
    let world = TestEnv::new();
    let claims =
        |sub: &str, error: Value| json!({ "sub": sub, "provider": "acme", "name": "bob", "error": error });
    for (claims, goes_on) in [
        (claims("bob-1", Value::Null), true),
        (claims("", Value::Null), false),
        (claims("bob-1", json!("RefreshTokenError")), false),
    ] {
        let answer =
            sealed(&world, &claims).open(&world, &format!("{APP}/auth/signin?callbackUrl=/dashboard"));
        assert_eq!(answer.status, if goes_on { 302 } else { 200 }, "{claims}");
    }
}

#[test]
fn a_session_with_an_error_gives_a_script_no_token() {
    let world = TestEnv::new();
    for (error, status) in [(Value::Null, 200), (json!("RefreshTokenError"), 401)] {
        let claims =
            json!({ "sub": "bob-1", "provider": "acme", "access_token": "access-bob", "error": error });
        let headers = [("sec-fetch-site", "same-origin"), ("x-vestibule-token", "1")];
        let url = format!("{APP}/auth/token");
        let answer = sealed(&world, &claims).send(&world, "GET", &url, &headers, b"");
        assert_eq!((answer.status, answer.body.contains("access-bob")), (status, status == 200), "{claims}");
    }
}

#[test]
fn same_sub_other_provider_rules_header_fields_and_assertions_tell_them_apart() {
    let mut two = settings();
    two["providers"] = json!([
        two["providers"][0].clone(),
        { "id": "other", "issuer": "https://other.example", "client_id": "x", "token_endpoint_auth_method": "none" },
    ]);
    two["rules"] = json!([
        { "match": "/account", "require": { "account": ["acme:7", "other:8"] } },
        { "match": "/both", "require": { "provider": "acme", "sub": "7" } },
    ]);
    two["upstreams"][0]["headers"] = json!({ "X-Account": "account", "X-Sub": "sub" });
    two["upstreams"][0]["assertion"] = json!(true);
    let world = TestEnv::with(two);
    for (provider, expected) in [("acme", 200), ("other", 403)] {
        let mut browser = sealed(&world, &json!({ "sub": "7", "provider": provider, "account": "acme:7" }));
        for path in ["/account", "/both"] {
            assert_eq!(status(&world, &mut browser, path), expected, "{provider} {path}");
        }
        let answer = browser.fetch(&world, &format!("{APP}/dashboard"));
        let said = asserted(&answer);
        assert_eq!((&said["sub"], &said["provider"]), (&json!("7"), &json!(provider)));
        let headers = answer.forwarded.unwrap().request.headers;
        assert_eq!(headers.get("x-account"), Some(format!("{provider}:7").as_str()));
    }
}

#[test]
fn same_sub_other_provider_the_log_advises_against_sub_alone() {
    let with = |providers: usize, require: Value, headers: Value| {
        let mut all = settings();
        all["providers"] = (0..providers)
            .map(|n| {
                json!({ "id": format!("p{n}"), "issuer": "https://idp.example", "client_id": "c",
                             "token_endpoint_auth_method": "none" })
            })
            .collect();
        all["rules"] = json!([{ "match": "/x", "require": require }]);
        all["upstreams"][0] = json!({ "to": "origin", "headers": headers });
        let config = Config::load(all, &environment, &RUNTIME).unwrap_or_else(|errors| panic!("{errors}"));
        config.advice(&RUNTIME)
    };
    let both = "sub is unique for one provider, and there are several: use account (PROVIDER:SUB), or provider and sub \
                together";
    for (require, headers, places) in [
        (
            json!({ "sub": "7" }),
            json!({ "X-Sub": "sub" }),
            &["AUTH.rules[0].require", "AUTH.upstreams[0].headers"][..],
        ),
        (json!({ "sub": "7", "provider": "p0" }), json!({ "X-Sub": "sub", "X-Provider": "provider" }), &[]),
        (json!({ "account": "p0:7" }), json!({ "X-Account": "account" }), &[]),
        (json!({ "roles": "a" }), json!({ "X-Sub": "sub" }), &["AUTH.upstreams[0].headers"]),
    ] {
        let expected: Vec<String> = places.iter().map(|place| format!("{place}: {both}")).collect();
        assert_eq!(with(2, require.clone(), headers.clone()), expected, "{require} {headers}");
        assert!(with(1, require, headers).is_empty(), "one provider");
    }
}

#[test]
fn unproven_identity_the_log_names_providers_whose_users_never_pass_email_domain() {
    let mut all = asking(&json!({ "email_verified": false }));
    all["upstreams"] = json!([{ "to": "origin" }]);
    all["session"] = json!({});
    let config = Config::load(all, &environment, &RUNTIME).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        config.advice(&RUNTIME),
        ["AUTH.rules[3].email_domain: no user of acme passes, because it verifies no e-mail addresses"]
    );
}

#[test]
fn alias_in_a_check_what_a_page_may_change_is_compared_under_its_name_in_the_session() {
    for (updatable, patch, place) in [
        (
            "image",
            json!({ "upstreams": [{ "to": "origin", "headers": { "X-P": "picture" } }] }),
            "AUTH.upstreams[0].headers.X-P",
        ),
        (
            "picture",
            json!({ "upstreams": [{ "to": "origin", "headers": { "X-P": "picture.x" } }] }),
            "AUTH.upstreams[0].headers.X-P",
        ),
        (
            "image",
            json!({ "upstreams": [{ "to": "origin", "authorization": "picture" }] }),
            "AUTH.upstreams[0].authorization",
        ),
        (
            "image",
            json!({ "rules": [{ "match": "/x", "require": { "picture": "p" } }] }),
            "AUTH.rules[0].require.picture",
        ),
        (
            "email",
            json!({ "rules": [{ "match": "/x", "email_domain": "a.example" }] }),
            "AUTH.rules[0].email_domain",
        ),
        (
            "image",
            json!({ "rules": [{ "match": "/x", "access": "signed-in", "headers": { "X-P": "picture" } }] }),
            "AUTH.rules[0].headers.X-P",
        ),
        ("image", json!({ "allow": { "user.image": "p" } }), "AUTH.providers[0].allow.\"user.image\""),
        ("picture", json!({ "allow": { "user.image": "p" } }), "AUTH.providers[0].allow.\"user.image\""),
    ] {
        let mut all = settings();
        all["upstreams"] = json!([{ "to": "origin" }]);
        all["session"]["updatable"] = json!(["theme", updatable]);
        for (key, value) in patch.as_object().unwrap() {
            if key == "allow" { all["providers"][0][key] = value.clone() } else { all[key] = value.clone() }
        }
        let errors = Config::load(all, &environment, &RUNTIME).map(drop).unwrap_err().to_string();
        let expected = format!(
            "AUTH.session.updatable[1]: a page could change \"{updatable}\", which {place} depends on: users could give \
             themselves any value; remove it from one of the two"
        );
        assert_eq!(errors, expected, "{patch}");
    }
    // Neither name lets a page change what it may not, nor is the proof of an address its own.
    let mut all = settings();
    all["session"]["updatable"] = json!(["email_verified"]);
    assert!(Config::load(all, &environment, &RUNTIME).is_err());
}

#[test]
fn unproven_identity_a_configured_address_is_no_more_proven_than_the_configuration_says() {
    let sealed_with = |verified: &str| {
        let mut settings = settings();
        settings["claims"]["email"] = json!("profile.contact");
        settings["claims"]["email_verified"] = json!(verified);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        world.provider.alters_answer_at("userinfo", |claims| {
            claims["email_verified"] = json!(true);
            claims["contact"] =
                if claims["sub"] == "bob-1" { claims["email"].clone() } else { json!("ceo@example.com") };
            claims["contact_verified"] = json!(false);
        });
        ["alice", "bob"].map(|user| {
            browser.sign_in(&world, user, "/");
            claims(&world, &browser).get("email_verified").cloned()
        })
    };
    // The provider's statement is about another address than Alice's contact, and about the same as Bob's.
    assert_eq!(sealed_with("profile.nothing"), [None, Some(json!(true))]);
    assert_eq!(sealed_with("profile.contact_verified"), [Some(json!(false)), Some(json!(false))]);
}

#[test]
fn an_address_in_capitals_is_in_small_letters_everywhere_and_no_spelling_escapes_a_rule() {
    let mut all = asking(&json!({ "allow": { "user.email": "ALICE@example.com" } }));
    all["claims"]["contact"] = json!("id_token.email");
    all["rules"] = json!([
        { "match": "/alice", "require": { "email": "Alice@Example.com" } },
        { "match": "/copy", "require": { "contact": "Alice@Example.COM" } },
        { "match": "/others", "require": { "email": { "not": "Alice@Example.com" } } },
    ]);
    let env = TestEnv::with(all);
    env.provider.alters_answer_at("id_token", |claims| {
        claims["email"] = json!("Alice@Example.COM");
        claims["email_verified"] = json!(true);
    });
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/");
    assert_eq!(browser.session(&env)["user"]["email"], "alice@example.com");
    for (path, status) in [("/alice", 200), ("/copy", 200), ("/others", 403)] {
        let answer = browser.fetch(&env, &format!("{APP}{path}"));
        assert_eq!(answer.status, status, "{path}");
        let sent = answer.forwarded.map(|forwarded| forwarded.request.headers);
        let field = |name| sent.as_ref().and_then(|sent| sent.get(name));
        let expected = (status == 200).then_some("alice@example.com");
        assert_eq!(field("x-user-email"), expected, "{path}");
        assert_eq!(field("x-contact"), expected.map(|_| "Alice@Example.COM"), "{path}");
    }
}

#[test]
fn unproven_identity_only_the_id_token_names_the_providers_session_and_its_times() {
    let mut settings = settings();
    settings["revocation"] = json!({ "store": "kv" });
    settings["providers"][0]["backchannel_logout"] = json!(true);
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.provider.alters_answer_at("id_token", |claims| claims["sid"] = json!("of-the-id-token"));
    world.provider.alters_answer_at("userinfo", |claims| {
        for (name, value) in [("iat", json!(7)), ("sid", json!("of-userinfo")), ("acr", json!("gold"))] {
            claims[name] = value;
        }
    });
    let before = world.now().seconds();
    browser.sign_in(&world, "alice", "/");
    let claims = claims(&world, &browser);
    assert_eq!(claims["roles"], json!(["admin", "user"]), "userinfo was asked");
    assert_eq!(claims["provider_sid"], "of-the-id-token");
    assert!(claims["provider_iat"].as_u64().unwrap() >= before);
    assert_eq!(claims.get("acr"), None);
}
