//! `flow/signin/callback`: the authorization response, and everything that can be wrong with it.
use serde_json::{Value, json};
use vestibule_core::log::{ErrorSource, Level, LogEvent};
use vestibule_testing::{APP, AuthorizationRequest, Browser, FakeProvider, TestEnv, environment, settings};

type Bend = fn(&AuthorizationRequest, String) -> String;

const SESSION: &str = "__Secure-authjs.session-token";
const ERROR: &str = "https://app.example.com/auth/error?error=Configuration";
const EXPIRED: &str =
    "https://app.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com&error=SignInExpired";

#[test]
fn after_the_callback_the_user_is_signed_in_and_back_at_the_return_address() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let answer = browser.sign_in(&world, "alice", "/dashboard?tab=1&x=%2F");
    assert_eq!((answer.status, answer.location()), (302, "https://app.example.com/dashboard?tab=1&x=%2F"));
    assert!(browser.cookie(SESSION).is_some());
    assert!(!browser.cookie_names().iter().any(|name| name.contains("transaction")));
    assert_eq!(
        browser.session(&world),
        json!({
            "user": { "name": "alice", "email": "alice@example.com", "roles": ["admin", "user"] },
            "access_token": "access-alice",
            "expires": "2026-12-21T19:40:00.000Z",
        })
    );
}

#[test]
fn a_response_that_sets_the_session_is_never_cached() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let answer = browser.sign_in(&world, "bob", "/");
    assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
    let cookie = answer.headers.get_all("set-cookie").find(|cookie| cookie.starts_with(SESSION)).unwrap();
    assert!(
        cookie.ends_with("; Path=/; Expires=Mon, 21 Dec 2026 19:40:00 GMT; HttpOnly; Secure; SameSite=Lax"),
        "{cookie}"
    );
}

#[test]
fn a_callback_works_once() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let request = browser.begin(&world, "/");
    let callback = world.provider.authorize(&request, "bob");
    browser.open(&world, &callback);
    let session = browser.cookie(SESSION).unwrap().to_owned();
    let codes = world.fetches("https://idp.example/token");
    assert_eq!(browser.open(&world, &callback).location(), format!("{APP}/"), "the person is signed in");
    assert_eq!(world.fetches("https://idp.example/token"), codes);
    assert_eq!(browser.cookie(SESSION), Some(session.as_str()), "what was good stays");
}

#[test]
fn login_csrf_missing_browser_binding_a_callback_of_another_browser_is_rejected() {
    let (world, mut attacker, mut victim) = (TestEnv::new(), Browser::new(), Browser::new());
    let request = attacker.begin(&world, "/");
    let callback = world.provider.authorize(&request, "mallory");
    assert_eq!(victim.open(&world, &callback).location(), EXPIRED);
    assert_eq!(victim.cookie(SESSION), None);
    assert!(world.log_text().contains("this browser has no open sign-in for the callback"));
}

#[test]
fn provider_mix_up_a_response_of_another_issuer_is_rejected() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    for (from, to) in [
        ("&iss=https%3A%2F%2Fidp.example", "&iss=https%3A%2F%2Fother.example"),
        ("&iss=https%3A%2F%2Fidp.example", ""),
    ] {
        let request = browser.begin(&world, "/");
        let callback = world.provider.authorize(&request, "bob").replace(from, to);
        assert_eq!(browser.open(&world, &callback).location(), ERROR, "{callback}");
    }
    assert_eq!(world.fetches("https://idp.example/token"), 0, "the code is not sent anywhere");
}

#[test]
fn provider_mix_up_a_transaction_is_valid_for_its_own_provider_only() {
    let mut with_two = settings();
    with_two["providers"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "id": "other", "type": "oidc", "name": "Other", "issuer": "https://idp.example" }));
    let world = TestEnv::in_environment(with_two, &|name| match name {
        "AUTH_OTHER_ID" => Some("vestibule".to_owned()),
        "AUTH_OTHER_SECRET" => Some("other-secret".to_owned()),
        other => environment(other),
    });
    let mut browser = Browser::new();
    let request = browser.begin(&world, "/");
    let callback = world.provider.authorize(&request, "bob").replace("/callback/acme", "/callback/other");
    assert!(browser.open(&world, &callback).location().contains("error=SignInExpired"));
    assert_eq!(browser.cookie(SESSION), None);
    assert!(
        world
            .log_text()
            .contains("the callback is for provider other, but the sign-in was started with acme")
    );
}

#[test]
fn skipped_checks_a_response_with_a_malformed_parameter_is_rejected() {
    let world = TestEnv::new();
    let bends: [(&str, Bend); 7] = [
        ("no state", |request, url| url.replace(&format!("&state={}", request.params["state"]), "")),
        ("another state", |request, url| url.replace(&request.params["state"], &"x".repeat(59))),
        ("the state's identifier alone", |request, url| {
            url.replace(&request.params["state"], &request.params["state"][..16])
        }),
        ("a state too many", |request, url| format!("{url}&state={}", request.params["state"])),
        ("a code too many", |_, url| format!("{url}&code=again")),
        ("no code", |_, url| url.replace("code=code-", "kode=code-")),
        ("an issuer too many", |_, url| format!("{url}&iss=https%3A%2F%2Fidp.example")),
    ];
    for (name, bend) in bends {
        let mut browser = Browser::new();
        let request = browser.begin(&world, "/");
        let callback = bend(&request, world.provider.authorize(&request, "bob"));
        let answer = browser.open(&world, &callback);
        let is_refused = |to: &str| to == ERROR || to.contains("error=SignInExpired");
        assert!(answer.status == 400 || is_refused(answer.location()), "{name}: {answer:?}");
        assert_eq!(browser.cookie(SESSION), None, "{name}");
    }
    assert_eq!(world.fetches("https://idp.example/token"), 0);
}

#[test]
fn a_user_who_cancels_at_the_provider_sees_the_sign_in_page_again() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let request = browser.begin(&world, "/");
    let callback = format!(
        "{APP}/auth/callback/acme?error=access_denied&error_description=%3Cb%3Eno&state={}&iss=https%3A%2F%2Fidp.example",
        request.params["state"]
    );
    let answer = browser.open(&world, &callback);
    assert_eq!(answer.location(), format!("{APP}/auth/signin?error=OAuthCallbackError"));
    let lines = world.logged(LogEvent::AuthorizationErrorResponse);
    assert!(lines[0].level() == Level::Info && lines[0].message().contains("access_denied"), "{}", lines[0]);
    let page = browser.open(&world, answer.location());
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("<b>no"), "the provider's words are for the log alone");
}

#[test]
fn an_id_token_with_one_wrong_claim_does_not_sign_in() {
    type Lie = fn(&mut serde_json::Value);
    let lies: [(&str, &str, Lie); 13] = [
        ("another issuer", "id_token", |t| t["iss"] = json!("https://evil.example")),
        ("an issuer with a slash", "id_token", |t| t["iss"] = json!("https://idp.example/")),
        ("another audience", "id_token", |t| t["aud"] = json!("another-client")),
        ("audiences without azp", "id_token", |t| t["aud"] = json!(["vestibule", "another-client"])),
        ("another authorized party", "id_token", |t| t["azp"] = json!("another-client")),
        ("another nonce", "id_token", |t| t["nonce"] = json!("another")),
        ("no nonce", "id_token", |t| {
            t.as_object_mut().unwrap().remove("nonce");
        }),
        ("expired", "id_token", |t| t["exp"] = json!(t["iat"].as_u64().unwrap() - 120)),
        ("no expiry", "id_token", |t| {
            t.as_object_mut().unwrap().remove("exp");
        }),
        ("from the future", "id_token", |t| t["iat"] = json!(t["iat"].as_u64().unwrap() + 3600)),
        ("no subject", "id_token", |t| {
            t.as_object_mut().unwrap().remove("sub");
        }),
        ("another access token's hash", "id_token", |t| t["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("no ID token", "token", |t| {
            t.as_object_mut().unwrap().remove("id_token");
        }),
    ];
    for (name, place, lie) in lies {
        let (world, mut browser) = (TestEnv::new(), Browser::new());
        world.provider.alters_answer_at(place, lie);
        let answer = browser.sign_in(&world, "bob", "/");
        assert_eq!(answer.location(), ERROR, "{name}");
        assert_eq!(browser.cookie(SESSION), None, "{name}");
        let logged = world.logged(LogEvent::AuthError);
        assert!(logged.iter().any(|line| line.error_source() == ErrorSource::Provider), "{name}: {logged:?}");
    }
}

#[test]
fn algorithm_and_key_confusion_the_token_does_not_choose_how_it_is_verified() {
    for header in [
        json!({ "alg": "none", "kid": "key-1" }),
        json!({ "alg": "HS256", "kid": "key-1" }),
        json!({ "alg": "RS256", "kid": "key-1" }),
        json!({ "alg": "ES384", "kid": "key-1" }),
        json!({ "alg": "ES256", "kid": "another" }),
        json!({ "alg": "ES256", "kid": "key-1", "crit": ["b64"], "b64": false }),
    ] {
        let (world, mut browser) = (TestEnv::new(), Browser::new());
        let bent = header.clone();
        world.provider.alters_answer_at("id_token_header", move |h| *h = bent.clone());
        assert_eq!(browser.sign_in(&world, "bob", "/").location(), ERROR, "{header}");
    }
}

#[test]
fn a_rotated_key_is_fetched_and_an_invented_one_costs_one_fetch_for_each_token() {
    let jwks = "https://idp.example/jwks";
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    assert_eq!(world.fetches(jwks), 1);
    world.provider.rotates_its_key_to("key-2");
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"));
    assert_eq!(world.fetches(jwks), 2);
    world.provider.alters_answer_at("id_token_header", |h| h["kid"] = json!("invented"));
    for n in 3..8 {
        assert_eq!(browser.sign_in(&world, "bob", "/").location(), ERROR);
        assert_eq!(world.fetches(jwks), n);
    }
}

#[test]
fn userinfo_of_another_subject_does_not_sign_in() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    world.provider.alters_answer_at("userinfo", |u| u["sub"] = json!("alice-1"));
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), ERROR);
    assert_eq!(browser.cookie(SESSION), None);
}

#[test]
fn userinfo_is_fetched_only_if_the_id_token_lacks_a_claim() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    world.provider.alters_answer_at("id_token", |t| {
        t["name"] = json!("Bob");
        t["email"] = json!("bob@example.com");
        t["roles"] = json!(["user"]);
    });
    browser.sign_in(&world, "bob", "/");
    assert_eq!(world.fetches("https://idp.example/userinfo"), 0);
    assert_eq!(browser.session(&world)["user"]["name"], "Bob");
}

#[test]
fn stale_claims_a_new_sign_in_replaces_all_claims_of_the_old_session() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "alice", "/");
    world.provider.alters_answer_at("userinfo", |u| {
        u.as_object_mut().unwrap().remove("roles");
    });
    browser.sign_in(&world, "bob", "/");
    let session = browser.session(&world);
    assert_eq!(session["user"], json!({ "name": "bob", "email": "bob@example.com" }));
    assert_eq!(session["access_token"], "access-bob");
    assert!(world.log_text().contains("gave nothing at profile.roles for claim roles"));
}

#[test]
fn a_temporary_provider_failure_keeps_the_attempt_and_the_earlier_session() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let before = browser.cookie(SESSION).unwrap().to_owned();
    let request = browser.begin(&world, "/again");
    let callback = world.provider.authorize(&request, "alice");
    world.provider.goes_down("token");
    assert_eq!(browser.open(&world, &callback).location(), ERROR);
    assert_eq!(browser.cookie(SESSION), Some(before.as_str()));
    world.provider.comes_back();
    assert_eq!(browser.open(&world, &callback).location(), format!("{APP}/again"));
}

#[test]
fn a_signed_answer_of_userinfo_is_verified_also_where_none_is_expected() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let header = json!({ "alg": "ES256", "kid": "key-1" });
    let claims = json!({ "sub": "bob-1", "name": "Bob by userinfo" });
    let answers =
        |token: &str| world.provider.answers_raw("userinfo", 200, "application/jwt", token.as_bytes());
    answers(&FakeProvider::forged(&header, &claims));
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), ERROR);
    answers(&world.provider.signed(&header, &json!({ "sub": "alice-1", "name": "Alice" })));
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), ERROR);
    answers(&world.provider.signed(&header, &claims));
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"), "{}", world.log_text());
    assert_eq!(browser.session(&world)["user"]["name"], "Bob by userinfo");
}

#[test]
fn a_byte_order_mark_in_the_documents_of_a_provider_prevents_no_sign_in() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let mark = |place: &'static str, body: &Value| {
        world.provider.answers_raw(place, 200, "application/json", format!("\u{feff}{body}").as_bytes());
    };
    mark("jwks", &json!({ "keys": [world.provider.public_key()] }));
    mark("userinfo", &json!({ "sub": "bob-1", "name": "Bob" }));
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"), "{}", world.log_text());
}

#[test]
fn times_with_a_fraction_of_an_id_token_are_kept_as_whole_seconds() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    world.provider.alters_answer_at("id_token", |token| {
        let at = token["iat"].as_f64().unwrap() - 0.75;
        token["iat"] = json!(at);
        token["auth_time"] = json!(at);
    });
    browser.sign_in(&world, "bob", "/");
    let claims = crate::credentials::sealed(&world, &browser);
    for claim in ["provider_iat", "auth_time"] {
        assert_eq!(claims[claim], json!(world.now().seconds() - 1), "{claim}");
    }
}

#[test]
fn a_provider_that_answers_garbage_leads_to_the_error_page() {
    for (place, status, media_type, body) in [
        ("token", 200, "text/html", "<h1>Sign in to the wifi</h1>"),
        ("token", 200, "application/json", "{"),
        ("token", 200, "application/json", "[]"),
        ("token", 200, "application/json", "{\"access_token\":1}"),
        ("token", 500, "application/json", "{}"),
        ("token", 302, "text/plain", ""),
        ("jwks", 200, "application/json", "{\"keys\":{}}"),
        ("jwks", 404, "text/plain", "no"),
        ("userinfo", 200, "application/json", "null"),
        ("userinfo", 200, "application/jwt", "a.b.c"),
        ("userinfo", 401, "text/plain", ""),
    ] {
        let (world, mut browser) = (TestEnv::new(), Browser::new());
        world.provider.answers_raw(place, status, media_type, body.as_bytes());
        let answer = browser.sign_in(&world, "bob", "/");
        assert_eq!(answer.location(), ERROR, "{place} {status} {body}");
        assert!(world.log_text().contains("provider acme"), "{place} {status} {body}: {}", world.log_text());
    }
}

#[test]
fn no_token_reaches_the_log() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "alice", "/");
    world.provider.alters_answer_at("id_token", |t| t["aud"] = json!("another"));
    browser.sign_in(&world, "alice", "/");
    world.provider.answers_raw("token", 400, "application/json", b"{\"error\":\"invalid_client\"}");
    browser.sign_in(&world, "alice", "/");
    let log = world.log_text();
    assert!(!log.is_empty());
    for secret in
        ["access-alice", "refresh-alice", "acme-secret", "code-1", "code-2", vestibule_testing::SECRET]
    {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn a_session_too_large_for_cookies_is_a_clear_error() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    world.provider.alters_answer_at("userinfo", |u| u["roles"] = json!(vec!["x".repeat(100); 600]));
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), ERROR);
    assert!(world.log_text().contains("keep fewer or smaller claims in the session"));
}

#[test]
fn stale_claims_a_posted_answer_leaves_no_piece_of_a_larger_session() {
    let mut settings = settings();
    settings["providers"][0]["response_mode"] = json!("form_post");
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.provider.alters_answer_at("userinfo", |user| user["roles"] = json!(vec!["x".repeat(100); 50]));
    let request = browser.begin(&world, "/");
    browser.post_response(&world, &request, "alice", false);
    assert!(browser.cookie(&format!("{SESSION}.1")).is_some(), "{:?}", browser.cookie_names());
    world.provider.answers_correctly();
    let request = browser.begin(&world, "/");
    browser.post_response(&world, &request, "bob", false);
    let names = browser.cookie_names();
    let of_session: Vec<&&str> = names.iter().filter(|name| name.starts_with(SESSION)).collect();
    assert_eq!(of_session, [&SESSION]);
    assert_eq!(browser.session(&world)["user"]["name"], "bob");
}

#[test]
fn userinfo_is_fetched_for_what_the_configuration_reads_there_and_for_nothing_else() {
    for (claim, fetches) in [("profile.roles", 1), ("account.roles", 0)] {
        let mut settings = settings();
        settings["claims"]["roles"] = json!(claim);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        world.provider.alters_answer_at("id_token", |token| {
            token["name"] = json!("Bob");
            token["email"] = json!("bob@example.com");
        });
        browser.sign_in(&world, "bob", "/");
        assert_eq!(world.fetches("https://idp.example/userinfo"), fetches, "{claim}");
    }
}
