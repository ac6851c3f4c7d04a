//! What `session.tokens` refuses and advises at start, and how large the cookies are.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::lease::kind::LeaseKind;
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, Browser, RUNTIME, TestEnv, environment, settings};

use super::{SESSION, api, kept_in, signed_in};

/// A change to valid settings.
type Change = fn(&mut Value);

fn errors(settings: Value) -> String {
    Config::load(settings, &environment, &RUNTIME).err().map(|errors| errors.to_string()).unwrap_or_default()
}

#[test]
fn without_tokens_nothing_may_need_one_and_the_message_names_the_key() {
    let none = || {
        let mut settings = kept_in("none");
        settings["session"]["expose"] = json!({});
        settings["upstreams"] = json!([{ "to": "https://upstream.example" }]);
        settings
    };
    assert_eq!(errors(none()), "");
    let cases: [(Change, &str); 9] = [
        (|s| s["session"]["expose"] = json!({ "token": "access_token" }), "AUTH.session.expose.token"),
        (|s| s["session"]["expose"] = json!({ "end": "expires_at" }), "AUTH.session.expose.end"),
        (|s| s["upstreams"][0]["authorization"] = json!("access_token"), "AUTH.upstreams[0].authorization"),
        (
            |s| s["upstreams"][0]["headers"] = json!({ "X-T": "JWT {access_token}" }),
            "AUTH.upstreams[0].headers.X-T",
        ),
        (|s| s["upstreams"][0]["cookies"] = json!({ "t": "access_token" }), "AUTH.upstreams[0].cookies.t"),
        (|s| s["rules"][0]["authorization"] = json!("access_token"), "AUTH.rules[0].authorization"),
        (|s| s["claims"]["copy"] = json!("account.access_token"), "AUTH.claims.copy"),
        (|s| s["claims"]["id"] = json!("account.id_token"), "AUTH.claims.id"),
        (|s| s["session"]["tokens"] = json!("nowhere"), "AUTH.session.tokens"),
    ];
    for (change, place) in cases {
        let mut settings = none();
        change(&mut settings);
        let errors = errors(settings);
        assert!(errors.contains(place), "{place}: {errors}");
    }
    // Where the tokens are in the store, all of it may stay.
    let mut stored = kept_in("store");
    stored["claims"]["id"] = json!("account.id_token");
    assert_eq!(errors(stored), "");
}

#[test]
fn what_leads_to_the_tokens_leaves_the_session_in_no_way() {
    for change in [
        |s: &mut Value| s["session"]["expose"] = json!({ "x": "token_entry.key" }),
        |s: &mut Value| s["upstreams"][0]["headers"] = json!({ "X-T": "token_entry" }),
        |s: &mut Value| s["claims"]["token_entry"] = json!("profile.x"),
    ] {
        let mut settings = kept_in("store");
        change(&mut settings);
        assert!(errors(settings).contains("token"), "refused");
    }
}

#[test]
fn a_refresh_that_sends_the_access_token_needs_one_where_the_provider_confirms_its_users() {
    let mut settings = crate::upstream_cookies::backend();
    settings["session"] = json!({ "tokens": "none", "revalidate": "15m" });
    settings["upstreams"] = json!([{ "to": "https://upstream.example" }]);
    assert_eq!(errors(settings.clone()), "");
    settings["providers"][0]["refresh"]["cookies"] = json!({ "a": "{access_token}", "r": "{refresh_token}" });
    assert!(errors(settings.clone()).contains("AUTH.providers[0].refresh"));
    settings["session"].as_object_mut().unwrap().remove("revalidate");
    assert_eq!(errors(settings), "");
}

#[test]
fn the_store_has_to_be_there() {
    let load = |settings| Config::load(settings, &environment, &RUNTIME).unwrap();
    let refused = load(kept_in("store")).check_tokens(&RUNTIME, &|_| false).err().unwrap().to_string();
    assert!(refused.contains("AUTH.session.tokens") && refused.contains("AUTH_KV"), "{refused}");
    assert!(load(kept_in("store")).check_tokens(&RUNTIME, &|kind| kind == LeaseKind::Store).is_ok());
    assert!(load(settings()).check_tokens(&RUNTIME, &|_| false).is_ok());
}

#[test]
fn the_log_advises_where_someone_expects_tokens_in_the_cookie() {
    let advice = |settings: Value| {
        let config = Config::load(settings, &environment, &RUNTIME).unwrap();
        (config.advice(&RUNTIME).join("\n"), config.hooks_advice())
    };
    let mut forwards = settings();
    forwards["upstreams"][0]["forward_session"] = json!(true);
    assert!(!advice(forwards.clone()).0.contains("forward_session"));
    assert_eq!(advice(forwards.clone()).1, None);
    forwards["session"]["tokens"] = json!("store");
    let (text, hooks) = advice(forwards.clone());
    assert!(text.contains("AUTH.upstreams[0].forward_session") && !text.contains("same store"), "{text}");
    assert!(hooks.unwrap().contains("hooks"));
    forwards["login_url"] = json!("https://auth.example.com");
    forwards["cookies"] = json!({ "domain": "example.com" });
    assert!(advice(forwards).0.contains("bound to the same store"));
}

/// A provider whose tokens are as large as those of a company with many groups.
fn with_large_tokens(settings: Value) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.provider.alters_answer_at("token", |answer| {
        for (name, length) in [("access_token", 2600), ("refresh_token", 1800)] {
            if let Some(text) = answer[name].as_str().map(str::to_owned) {
                answer[name] = json!(format!("{text}{}", "~".repeat(length)));
            }
        }
    });
    browser.sign_in(&world, "bob", "/");
    (world, browser)
}

fn session_size(browser: &Browser) -> usize {
    let header = browser.cookie_header();
    header.split("; ").filter(|pair| pair.contains("session-token")).map(|pair| pair.len() + 2).sum()
}

#[test]
fn the_cookie_is_small_without_the_tokens_in_it() {
    let mut sizes = Vec::new();
    for storage in ["cookie", "store", "none"] {
        let mut of = [0, 0];
        for (n, is_large) in [false, true].into_iter().enumerate() {
            let mut settings = kept_in(storage);
            if storage == "none" {
                settings["session"]["expose"] = json!({});
                settings["upstreams"] = json!([{ "to": "https://upstream.example" }]);
            }
            let browser = if is_large { with_large_tokens(settings).1 } else { signed_in(settings).1 };
            of[n] = session_size(&browser);
        }
        println!("session.tokens = {storage:?}: {} bytes, with large tokens {} bytes", of[0], of[1]);
        sizes.push(of);
    }
    assert!(sizes[0][1] > 6000, "{sizes:?}");
    // Whatever the size of the tokens.
    assert_eq!(sizes[1][0], sizes[1][1]);
    assert_eq!(sizes[2][0], sizes[2][1]);
    assert!(sizes[1][1] < 1300 && sizes[2][1] < 900, "{sizes:?}");
}

#[test]
fn the_log_says_once_what_to_do_about_large_cookies() {
    let (world, mut browser) = signed_in(settings());
    browser.plant("app", &"x".repeat(9000));
    api(&world, &mut browser);
    assert!(world.logged(LogEvent::CookiesLarge).is_empty(), "another app's cookies are not ours");
    browser.plant("__Secure-authjs.session-token.7", &"x".repeat(8200));
    for _ in 0..3 {
        browser.fetch(&world, &format!("{APP}/api"));
        world.pass(Duration::from_secs(1));
    }
    let lines = world.logged(LogEvent::CookiesLarge);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].message().contains("session.tokens = \"store\""), "{}", lines[0].message());
}

#[test]
fn cookies_are_large_from_eight_kib_on_with_what_separates_them() {
    let logged = |own: &[usize], foreign: usize| {
        let world = TestEnv::with(settings());
        let pair = |name: &str, length: usize| format!("{name}={}", "x".repeat(length - name.len() - 1));
        let mut pairs: Vec<String> =
            own.iter().zip(0..).map(|(length, n)| pair(&format!("{SESSION}.{n}"), *length)).collect();
        if foreign > 0 {
            pairs.push(pair("app", foreign));
        }
        world.send("GET", &format!("{APP}/about"), &[("cookie", &pairs.join("; "))], b"");
        !world.logged(LogEvent::CookiesLarge).is_empty()
    };
    assert!(!logged(&[8191], 0) && logged(&[8192], 0));
    // `; ` after each of them counts, and another app's cookies do not.
    assert!(!logged(&[4094, 4093], 5000) && logged(&[4094, 4094], 5000));
}

#[test]
fn large_cookies_without_a_use_for_their_tokens_need_none() {
    let mut settings = settings();
    settings["session"] = json!({});
    settings["upstreams"] = json!([{ "to": "https://upstream.example" }]);
    let (world, mut browser) = signed_in(settings);
    browser.plant("__Secure-authjs.session-token.7", &"x".repeat(8200));
    api(&world, &mut browser);
    let lines = world.logged(LogEvent::CookiesLarge);
    assert!(lines.len() == 1 && lines[0].message().contains("session.tokens = \"none\""), "{lines:?}");
}
