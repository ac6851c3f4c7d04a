//! ID tokens and userinfo that the provider encrypts for this client (OpenID Connect Core 1.0 sections 2, 5.3.2 and 16.14).

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::log::LogEvent;
use vestibule_testing::encryption::{decryption_key, encrypted, encrypted_as};
use vestibule_testing::{APP, Browser, RUNTIME, TestEnv, environment, settings};

/// How old the token is when it needs a refresh.
const EXPIRING: Duration = Duration::from_secs(3600 - 30);

fn with_key(name: &str) -> Option<String> {
    if name == "AUTH_ACME_DECRYPTION_KEY" { Some(decryption_key()) } else { environment(name) }
}

/// A provider whose ID tokens, or userinfo, are encrypted with this `enc`.
fn world(response: &str, enc: &str) -> TestEnv {
    let mut settings = settings();
    settings["providers"][0][format!("{response}_encrypted_response_alg")] = json!("ECDH-ES");
    settings["providers"][0][format!("{response}_encrypted_response_enc")] = json!(enc);
    TestEnv::in_environment(settings, &with_key)
}

/// From now on, `change` makes the ID token of each answer.
fn id_tokens(env: &TestEnv, change: impl Fn(&str) -> String + 'static) {
    env.provider.alters_answer_at("token", move |answer| {
        if let Some(token) = answer["id_token"].as_str() {
            answer["id_token"] = json!(change(token));
        }
    });
}

fn signs_in(env: &TestEnv) -> bool {
    let mut browser = Browser::new();
    browser.sign_in(env, "alice", "/");
    !browser.session(env).is_null()
}

#[test]
fn an_encrypted_id_token_signs_in_and_refreshes() {
    for enc in ["A128CBC-HS256", "A256CBC-HS512", "A256GCM"] {
        let env = world("id_token", enc);
        id_tokens(&env, move |token| encrypted(enc, token));
        let mut browser = Browser::new();
        browser.sign_in(&env, "alice", "/");
        assert_eq!(browser.session(&env)["user"]["email"], "alice@example.com", "{enc}");
        env.pass(EXPIRING);
        assert_eq!(browser.fetch(&env, &format!("{APP}/dashboard")).status, 200);
        assert!(env.logged(LogEvent::RefreshFailed).is_empty(), "{}", env.log_text());
    }
}

#[test]
fn a_token_that_names_no_key_is_opened_by_each_that_fits_with_a_name_or_without() {
    let mut settings = settings();
    settings["providers"][0]["id_token_encrypted_response_alg"] = json!("ECDH-ES");
    settings["providers"][0]["id_token_encrypted_response_enc"] = json!("A256GCM");
    let named: Value = serde_json::from_str(&decryption_key()).unwrap();
    // An older key without a name stands first.
    let other = json!({ "kty": "EC", "crv": "P-256", "d": "DAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw" });
    let keys = json!({ "keys": [other, named] }).to_string();
    let with_keys = move |name: &str| {
        if name == "AUTH_ACME_DECRYPTION_KEY" { Some(keys.clone()) } else { environment(name) }
    };
    let env = TestEnv::in_environment(settings, &with_keys);
    id_tokens(&env, |token| encrypted_as(&json!({ "alg": "ECDH-ES", "enc": "A256GCM" }), token));
    assert!(signs_in(&env), "{}", env.log_text());
}

#[test]
fn the_hint_of_a_sign_out_is_the_signed_id_token_and_not_the_encrypted_one() {
    for pause in [Duration::ZERO, EXPIRING] {
        let mut settings = settings();
        settings["providers"][0]["id_token_encrypted_response_alg"] = json!("ECDH-ES");
        settings["providers"][0]["id_token_encrypted_response_enc"] = json!("A256GCM");
        settings["providers"][0]["logout"] = json!("https://idp.example/logout");
        let env = TestEnv::in_environment(settings, &with_key);
        id_tokens(&env, |token| encrypted("A256GCM", token));
        let mut browser = Browser::new();
        browser.sign_in(&env, "alice", "/");
        env.pass(pause);
        assert_eq!(browser.fetch(&env, &format!("{APP}/dashboard")).status, 200);
        let csrf = browser.csrf(&env);
        let answer = browser.post(&env, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
        let (_, hint) = answer.location().split_once("id_token_hint=").expect("a hint");
        assert_eq!(hint.split('&').next().unwrap().split('.').count(), 3, "{hint}");
    }
}

#[test]
fn an_id_token_that_is_not_encrypted_as_configured_is_refused() {
    type Case = (&'static str, fn(&str) -> String);
    let cases: [Case; 8] = [
        ("not encrypted", str::to_owned),
        ("another enc", |token| encrypted("A256CBC-HS512", token)),
        ("compressed", |token| {
            encrypted_as(&json!({ "alg": "ECDH-ES", "enc": "A256GCM", "zip": "DEF" }), token)
        }),
        ("critical", |token| {
            encrypted_as(&json!({ "alg": "ECDH-ES", "enc": "A256GCM", "crit": ["x"], "x": 1 }), token)
        }),
        ("no tag", |token| {
            let token = encrypted("A256GCM", token);
            format!("{}.", token.rsplit_once('.').unwrap().0)
        }),
        ("encrypted twice", |token| encrypted("A256GCM", &encrypted("A256GCM", token))),
        ("not signed", |token| {
            let (header, rest) = token.split_once('.').unwrap();
            assert!(header.len() > 10);
            encrypted("A256GCM", &format!("eyJhbGciOiJub25lIn0.{}.", rest.split_once('.').unwrap().0))
        }),
        ("claims alone", |_| encrypted("A256GCM", r#"{"iss":"https://idp.example","sub":"alice-1"}"#)),
    ];
    for (what, change) in cases {
        let env = world("id_token", "A256GCM");
        id_tokens(&env, change);
        assert!(!signs_in(&env), "{what}");
        assert!(!env.logged(LogEvent::AuthError).is_empty(), "{what}: {}", env.log_text());
    }
    // Nothing says that this client has a key.
    let env = TestEnv::new();
    id_tokens(&env, |token| encrypted("A256GCM", token));
    assert!(!signs_in(&env));
}

#[test]
fn a_forged_id_token_stays_forged_inside_an_encrypted_one() {
    let env = world("id_token", "A256GCM");
    id_tokens(&env, |token| {
        let (signed, _) = token.rsplit_once('.').unwrap();
        encrypted("A256GCM", &format!("{signed}.{}", "A".repeat(86)))
    });
    assert!(!signs_in(&env));
}

#[test]
fn an_encrypted_userinfo_response_has_the_claims_or_a_signed_token() {
    let claims =
        json!({ "sub": "alice-1", "name": "alice", "email": "alice@example.com", "roles": ["admin"] });
    for is_signed in [false, true] {
        let mut settings = settings();
        settings["providers"][0]["userinfo_encrypted_response_alg"] = json!("ECDH-ES");
        settings["providers"][0]["userinfo"] = json!({ "signed_response": is_signed });
        let env = TestEnv::in_environment(settings, &with_key);
        let inside = if is_signed {
            env.provider.signed(&json!({ "alg": "ES256", "kid": "key-1" }), &claims)
        } else {
            claims.to_string()
        };
        let answer = |body: &str| {
            env.provider.answers_raw("userinfo", 200, "application/jwt", body.as_bytes());
            signs_in(&env)
        };
        assert!(answer(&encrypted("A128CBC-HS256", &inside)), "{}", env.log_text());
        assert!(!answer(&encrypted("A256GCM", &inside)), "another enc");
        assert!(!answer(&inside), "not encrypted");
        let mut other: Value = claims.clone();
        other["sub"] = json!("bob-1");
        let other = if is_signed {
            env.provider.signed(&json!({ "alg": "ES256", "kid": "key-1" }), &other)
        } else {
            other.to_string()
        };
        assert!(!answer(&encrypted("A128CBC-HS256", &other)), "of another user");
        if is_signed {
            assert!(!answer(&encrypted("A128CBC-HS256", &claims.to_string())), "not signed");
        }
    }
}

#[test]
fn mistakes_in_the_configuration_of_encryption_are_refused_at_the_start() {
    let refusal = |change: &dyn Fn(&mut Value), key: Option<&str>| {
        let mut settings = settings();
        change(&mut settings["providers"][0]);
        let key = key.map(str::to_owned);
        let env = move |name: &str| {
            if name == "AUTH_ACME_DECRYPTION_KEY" { key.clone() } else { environment(name) }
        };
        Config::load(settings, &env, &RUNTIME).map_or_else(|errors| errors.to_string(), |_| String::new())
    };
    let ecdh = |provider: &mut Value| provider["id_token_encrypted_response_alg"] = json!("ECDH-ES+A256KW");
    let key = decryption_key();
    assert_eq!(refusal(&ecdh, Some(&key)), "");
    assert!(refusal(&ecdh, None).contains("the private key is missing for which the provider encrypts"));
    assert!(refusal(&ecdh, Some("secret")).contains("not a PEM file"));
    let rsa = |provider: &mut Value| provider["id_token_encrypted_response_alg"] = json!("RSA-OAEP-256");
    assert!(refusal(&rsa, Some(&key)).contains("RSA-OAEP-256 needs an RSA key"));
    let rsa1_5 = |provider: &mut Value| provider["id_token_encrypted_response_alg"] = json!("RSA1_5");
    assert!(refusal(&rsa1_5, Some(&key)).contains("RSA1_5"));
    let enc = |provider: &mut Value| provider["userinfo_encrypted_response_enc"] = json!("A256GCM");
    assert!(refusal(&enc, Some(&key)).contains("nothing is encrypted"));
}

#[test]
fn no_message_quotes_a_decryption_key() {
    let env = world("id_token", "A256GCM");
    id_tokens(&env, |token| encrypted("A128CBC-HS256", token));
    assert!(!signs_in(&env));
    let secret = serde_json::from_str::<Value>(&decryption_key()).unwrap()["d"].as_str().unwrap().to_owned();
    assert!(!env.log_text().contains(&secret));
}

#[test]
fn the_public_half_of_the_newest_decryption_key_is_published_for_encryption() {
    let published = |env: &TestEnv| -> Value {
        let answer = env.send("GET", &format!("{APP}/auth/client-keys.json"), &[], b"");
        serde_json::from_str(&answer.body).unwrap()
    };
    let env = world("id_token", "A256GCM");
    let keys = published(&env);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    let key = &keys["keys"][0];
    let names: Vec<&String> = key.as_object().unwrap().keys().collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"], "only public members");
    assert_eq!((&key["use"], &key["alg"], &key["kid"]), (&json!("enc"), &json!("ECDH-ES"), &json!("enc-1")));
    assert_eq!(published(&env), keys);
    assert_eq!(published(&TestEnv::new())["error"], "not_found");

    // The older key still decrypts.
    let newest = json!({ "kty": "EC", "crv": "P-256", "d": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc" });
    let both =
        json!({ "keys": [newest, serde_json::from_str::<Value>(&decryption_key()).unwrap()] }).to_string();
    let mut settings = settings();
    settings["providers"][0]["id_token_encrypted_response_alg"] = json!("ECDH-ES");
    let env = TestEnv::in_environment(settings, &move |name| {
        if name == "AUTH_ACME_DECRYPTION_KEY" { Some(both.clone()) } else { environment(name) }
    });
    let keys = published(&env);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    assert_eq!(
        keys["keys"][0]["kid"].as_str().unwrap().len(),
        43,
        "without a name of its own, its thumbprint"
    );
    id_tokens(&env, |token| encrypted("A128CBC-HS256", token));
    assert!(signs_in(&env), "{}", env.log_text());
}
