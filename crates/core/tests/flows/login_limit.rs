//! `flow/signin/login_limit`: how many sign-in forms reach the API. Each test checks a sentence of `docs/credentials.md`
//! ("Guessing passwords").

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::log::LogEvent;
use vestibule_testing::credentials_api::{EMAIL, PASSWORD};
use vestibule_testing::{APP, Answer, Browser, RUNTIME, TestEnv, environment, settings};

use crate::credentials::json_api;

const CALLBACK: &str = "https://app.example.com/auth/callback/credentials";
const GUESSER: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.9";

/// The tight and the loose limit of the runtime; without them this process counts, up to the same numbers.
const LIMITERS: [Option<(u32, u32)>; 2] = [None, Some((10, 100))];

fn world(limits: Option<(u32, u32)>) -> TestEnv {
    let world = TestEnv::with(json_api());
    world.store.login_limits.set(limits);
    world
}

/// Sends the form from this address.
fn attempt(world: &TestEnv, address: &str, email: &str, password: &str) -> Answer {
    let mut browser = Browser::new();
    let csrf = browser.csrf(world);
    let fields = [
        ("csrfToken", csrf.as_str()),
        ("callbackUrl", "/dashboard"),
        ("email", email),
        ("password", password),
    ];
    browser.post_with(world, CALLBACK, &fields, &[("cf-connecting-ip", address)])
}

/// How many of these attempts reach the API.
fn reaching(world: &TestEnv, attempts: impl IntoIterator<Item = (String, String)>) -> usize {
    let before = logins(world);
    for (address, email) in attempts {
        attempt(world, &address, &email, "a guess");
    }
    logins(world) - before
}

fn logins(world: &TestEnv) -> usize {
    world.api.requests("/sign-in").len()
}

fn signs_in(world: &TestEnv, address: &str) -> bool {
    let answer = attempt(world, address, EMAIL, PASSWORD);
    answer.headers.get("location") == Some(&format!("{APP}/dashboard"))
}

#[test]
fn of_300_guesses_at_a_password_ten_reach_the_api_and_the_owner_signs_in_from_elsewhere() {
    for limits in LIMITERS {
        let world = world(limits);
        let guesses = (0..300).map(|_| (GUESSER.to_owned(), EMAIL.to_owned()));
        assert_eq!(reaching(&world, guesses), 10, "{limits:?}");
        assert!(!signs_in(&world, GUESSER), "the right password is no exception: {limits:?}");
        assert!(signs_in(&world, ELSEWHERE), "{limits:?}");
        let lines = world.logged(LogEvent::LoginLimited);
        assert_eq!(lines.len(), 291, "{limits:?}");
        assert!(lines[0].message().contains("one account from one address"), "{}", lines[0].message());
        assert!(!world.log_text().contains(EMAIL) && !world.log_text().contains(GUESSER));
    }
}

#[test]
fn an_account_is_counted_again_after_a_minute() {
    let world = world(None);
    reaching(&world, (0..20).map(|_| (GUESSER.to_owned(), EMAIL.to_owned())));
    assert!(!signs_in(&world, GUESSER));
    world.pass(Duration::from_mins(1));
    assert!(signs_in(&world, GUESSER));
}

#[test]
fn an_office_behind_one_address_signs_in_although_one_of_it_guesses() {
    for limits in LIMITERS {
        let world = world(limits);
        reaching(&world, (0..300).map(|_| (GUESSER.to_owned(), "mallory@example.com".to_owned())));
        let office = (0..80).map(|n| (GUESSER.to_owned(), format!("user-{n}@example.com")));
        assert_eq!(reaching(&world, office), 80, "{limits:?}");
        assert!(signs_in(&world, GUESSER), "{limits:?}");
    }
}

#[test]
fn one_address_tries_a_hundred_accounts_and_no_more() {
    for limits in LIMITERS {
        let world = world(limits);
        let sprayed = (0..300).map(|n| (GUESSER.to_owned(), format!("user-{n}@example.com")));
        assert_eq!(reaching(&world, sprayed), 100, "{limits:?}");
        let last = world.logged(LogEvent::LoginLimited);
        assert!(last[0].message().contains("from one address;"), "{}", last[0].message());
        assert!(signs_in(&world, ELSEWHERE), "{limits:?}");
    }
}

#[test]
fn an_account_is_tried_a_hundred_times_from_all_addresses_and_others_sign_in() {
    for limits in LIMITERS {
        let world = world(limits);
        let many = (0..300).map(|n| (format!("203.0.{}.{}", n / 100, n % 100), EMAIL.to_owned()));
        assert_eq!(reaching(&world, many), 100, "{limits:?}");
        assert_eq!(reaching(&world, [(ELSEWHERE.to_owned(), "bob@example.com".to_owned())]), 1, "{limits:?}");
    }
}

#[test]
fn the_addresses_of_one_ipv6_network_count_as_one() {
    for limits in LIMITERS {
        let world = world(limits);
        let one_network = (0..300).map(|n| (format!("2001:db8:1:2:{n:x}::{n:x}"), EMAIL.to_owned()));
        assert_eq!(reaching(&world, one_network), 10, "{limits:?}");
        assert!(signs_in(&world, "2001:db8:1:3::1"), "{limits:?}");
    }
}

#[test]
fn the_spellings_of_a_name_count_as_one() {
    let spellings = [
        "ada@example.com",
        "ADA@EXAMPLE.COM",
        "Ada@Example.Com",
        " ada@example.com",
        "ada@example.com\t",
        "\u{ff41}\u{ff44}\u{ff41}@example.com",
        "a\u{301}da@example.com",
        "\u{e1}da@example.com",
        "ad\u{200b}a@example.com",
        "a\u{ad}da@example.com",
        "\u{1d41a}da@example.com",
        "ada@example\u{ff0e}com",
    ];
    for limits in LIMITERS {
        let world = world(limits);
        let attempts = (0..300).map(|n| (GUESSER.to_owned(), spellings[n % spellings.len()].to_owned()));
        assert_eq!(reaching(&world, attempts), 10, "{limits:?}");
    }
    let world = world(None);
    let other_letters = [("strasse", "stra\u{df}e"), ("\u{3c3}\u{3c2}", "\u{3a3}\u{3a3}"), ("I", "\u{130}")];
    for (one, other) in other_letters {
        reaching(&world, (0..10).map(|_| (GUESSER.to_owned(), one.to_owned())));
        assert_eq!(reaching(&world, [(GUESSER.to_owned(), other.to_owned())]), 0, "{one} {other}");
    }
}

#[test]
fn a_character_that_is_not_seen_makes_no_other_account_and_one_that_is_seen_does() {
    let unseen = [
        '\u{300}',
        '\u{36f}',
        '\u{ad}',
        '\u{200b}',
        '\u{200f}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{206f}',
        '\u{fe00}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{7f}',
        '\u{2029}',
        '\u{61c}',
        '\u{115f}',
        '\u{1160}',
        '\u{17b4}',
        '\u{17b5}',
        '\u{180b}',
        '\u{180e}',
        '\u{180f}',
        '\u{1ab0}',
        '\u{1aff}',
        '\u{1dc0}',
        '\u{1dff}',
        '\u{20d0}',
        '\u{20ff}',
        '\u{3164}',
        '\u{fe20}',
        '\u{fe2f}',
        '\u{ffa0}',
        '\u{fff0}',
        '\u{fff8}',
        '\u{1bca0}',
        '\u{1d173}',
        '\u{1d17a}',
        '\u{e0001}',
        '\u{e0100}',
        '\u{e0fff}',
    ];
    let seen =
        ['\u{2ff}', '\u{370}', '\u{2010}', '\u{2030}', '\u{2070}', '\u{fe10}', '\u{fefe}', '\u{ff00}', '_'];
    let world = world(None);
    let name = |inserted: char| (GUESSER.to_owned(), format!("ad{inserted}a@example.com"));
    reaching(&world, (0..10).map(|_| (GUESSER.to_owned(), EMAIL.to_owned())));
    for character in unseen {
        assert_eq!(reaching(&world, [name(character)]), 0, "{character:?}");
    }
    for character in seen {
        assert_eq!(reaching(&world, [name(character)]), 1, "{character:?}");
    }
}

#[test]
fn what_the_limiter_learns_is_a_keyed_hash() {
    let world = world(Some((10, 100)));
    attempt(&world, GUESSER, EMAIL, "a guess");
    let keys = world.store.limited_keys();
    assert_eq!(keys.len(), 3, "{keys:?}");
    for key in keys {
        assert!(!key.contains("ada") && !key.contains("203.0.113") && !key.contains("credentials"), "{key}");
    }
}

#[test]
fn a_limiter_that_fails_lets_users_sign_in_and_the_log_says_so_once() {
    let world = world(Some((0, 0)));
    world.store.limiters_fail.set(true);
    for _ in 0..5 {
        assert!(signs_in(&world, GUESSER));
    }
    let lines = world.logged(LogEvent::LoginLimitFailed);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].message().contains("the limiter is down"), "{}", lines[0].message());
    // The process still counts.
    assert_eq!(reaching(&world, (0..300).map(|_| (GUESSER.to_owned(), EMAIL.to_owned()))), 5);
    world.pass(Duration::from_mins(1));
    assert!(signs_in(&world, GUESSER));
    assert_eq!(world.logged(LogEvent::LoginLimitFailed).len(), 2, "once a minute");
}

#[test]
fn a_client_without_an_address_is_limited_by_the_account_alone() {
    let world = world(None);
    let send = |email: &str, password: &str| {
        let mut browser = Browser::new();
        let csrf = browser.csrf(&world);
        let fields = [("csrfToken", csrf.as_str()), ("email", email), ("password", password)];
        browser.post(&world, CALLBACK, &fields).status
    };
    let statuses: Vec<u16> = (0..120).map(|_| send(EMAIL, "a guess")).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 20);
    assert_eq!(send("bob@example.com", "a guess"), 302);
}

#[test]
fn a_form_that_was_not_sent_on_is_not_counted() {
    let world = world(Some((1, 1)));
    let mut browser = Browser::new();
    for fields in [vec![("email", EMAIL), ("password", PASSWORD)], vec![("csrfToken", "x"), ("email", EMAIL)]]
    {
        browser.post_with(&world, CALLBACK, &fields, &[("cf-connecting-ip", GUESSER)]);
    }
    let csrf = browser.csrf(&world);
    let empty = [("csrfToken", csrf.as_str()), ("email", EMAIL), ("password", "")];
    browser.post_with(&world, CALLBACK, &empty, &[("cf-connecting-ip", GUESSER)]);
    assert!(world.store.limited_keys().is_empty());
    assert!(signs_in(&world, GUESSER));
}

#[test]
fn a_form_with_a_tenant_counts_the_tenants_accounts_apart() {
    let mut settings = json_api();
    settings["providers"][0]["fields"] = json!([
        { "name": "tenant", "autocomplete": "organization" },
        { "name": "email", "autocomplete": "section-login username" },
        { "name": "password", "type": "password" },
    ]);
    settings["providers"][0]["login"]["body"] =
        json!({ "tenant": "{tenant}", "email": "{email}", "password": "{password}" });
    let world = TestEnv::with(settings);
    let send = |tenant: &str, email: &str| {
        let mut browser = Browser::new();
        let csrf = browser.csrf(&world);
        let fields =
            [("csrfToken", csrf.as_str()), ("tenant", tenant), ("email", email), ("password", "a guess")];
        browser.post_with(&world, CALLBACK, &fields, &[("cf-connecting-ip", GUESSER)]).status
    };
    assert_eq!((0..11).map(|_| send("one", "ada")).filter(|status| *status == 429).count(), 1);
    assert_ne!(send("two", "ada"), 429);
    assert_ne!(send("one", "bob"), 429);
    assert_eq!(send("One", "ADA"), 429);
}

#[test]
fn a_form_with_a_secret_alone_is_limited_by_the_address() {
    let mut settings = json_api();
    settings["providers"][0]["fields"] = json!([{ "name": "password", "type": "password" }]);
    settings["providers"][0]["login"]["body"] = json!({ "password": "{password}" });
    let world = TestEnv::with(settings);
    let statuses: Vec<u16> = (0..120).map(|n| attempt(&world, GUESSER, "", &n.to_string()).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 20);
    assert_ne!(attempt(&world, ELSEWHERE, "", "1").status, 429);
}

#[test]
fn a_navigation_gets_a_page_with_429_and_a_script_what_the_clients_of_auth_js_read() {
    for dialect in ["authjs-v5", "next-auth-v4"] {
        let mut settings = json_api();
        settings["dialect"] = json!(dialect);
        let world = TestEnv::with(settings);
        world.store.login_limits.set(Some((0, 0)));
        let page = attempt(&world, GUESSER, EMAIL, PASSWORD);
        assert_eq!((page.status, page.headers.get("retry-after")), (429, Some("60")), "{dialect}");
        assert_eq!(page.headers.get("cache-control"), Some("private, no-store"));
        assert!(page.body.contains("Too many attempts") && !page.body.contains(EMAIL), "{}", page.body);
        let back = "/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard";
        assert!(page.body.contains(back), "{}", page.body);

        let mut browser = Browser::new();
        let csrf = browser.csrf(&world);
        let json_field =
            [("csrfToken", csrf.as_str()), ("json", "true"), ("email", EMAIL), ("password", PASSWORD)];
        let by_field = browser.post(&world, CALLBACK, &json_field);
        let by_header =
            browser.post_with(&world, CALLBACK, &json_field[..], &[("x-auth-return-redirect", "1")]);
        for answer in [by_field, by_header] {
            assert_eq!((answer.status, answer.headers.get("retry-after")), (429, Some("60")), "{dialect}");
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            let url = body["url"].as_str().unwrap();
            assert!(url.contains("error=CredentialsSignin"), "{dialect}: {url}");
            if dialect == "authjs-v5" {
                assert!(url.ends_with("/auth/signin?error=CredentialsSignin&code=rate_limited"), "{url}");
            }
        }
        assert_eq!(world.api.count(), 0, "{dialect}");
    }
}

#[test]
fn an_apps_own_sign_in_page_gets_the_user_back_with_the_code() {
    let mut settings = json_api();
    settings["pages"] = json!({ "sign_in": "/login" });
    let world = TestEnv::with(settings);
    world.store.login_limits.set(Some((0, 0)));
    let answer = attempt(&world, GUESSER, EMAIL, PASSWORD);
    assert_eq!(answer.location(), format!("{APP}/login?error=CredentialsSignin&code=rate_limited"));
    assert_eq!((answer.status, answer.headers.get("retry-after")), (302, Some("60")));
}

#[test]
fn the_log_advises_to_bind_limiters_where_there_is_a_form_and_none_is_bound() {
    let advice = |settings, are_bound| {
        let config = Config::load(settings, &environment, &RUNTIME).unwrap();
        config.login_limit_advice(&RUNTIME, are_bound)
    };
    let text = advice(json_api(), false).expect("advice");
    assert!(text.contains("AUTH_LOGIN_LIMIT") && text.contains("docs/credentials.md"), "{text}");
    assert_eq!(advice(json_api(), true), None);
    assert_eq!(advice(settings(), false), None);
}
