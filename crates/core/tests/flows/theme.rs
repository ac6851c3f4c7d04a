//! The theme of the pages: whose site it is. And the form after a refused sign-in, `/favicon.ico` and `/robots.txt`.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::presets::Rgb;
use vestibule_testing::credentials_api::{EMAIL, PASSWORD};
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

use crate::credentials::json_api;

const TYPED: &str = "__Host-authjs.typed";
const SIGN_IN: &str = "https://app.example.com/auth/signin";
const LOGIN: &str = "https://app.example.com/auth/callback/credentials";

pub fn themed(mut settings: Value) -> Value {
    settings["theme"] = json!({
        "name": "Acme & \u{5d0}\u{5d1}",
        "logo": "/logo.svg",
        "logo_dark": "https://cdn.example.net/logo-dark.svg?v=2",
        "accent": "#7c3aed",
        "accent_dark": "#a78bfa",
        "links": {
            "forgot_password": "/forgot-password",
            "sign_up": "/sign-up?from=login",
            "privacy": "https://www.example.org/privacy",
            "support": "mailto:help@example.org",
        },
    });
    settings
}

fn fetch(world: &TestEnv, method: &str, path: &str) -> Answer {
    world.send(method, &format!("{APP}{path}"), &[("sec-fetch-mode", "no-cors")], b"")
}

#[test]
fn the_pages_say_whose_site_it_is() {
    let (world, mut browser) = (TestEnv::with(themed(json_api())), Browser::new());
    let page = browser.open(&world, SIGN_IN);
    for part in [
        "<title>Sign in · Acme &amp; \u{5d0}\u{5d1}</title>",
        "<source srcset=\"https://cdn.example.net/logo-dark.svg?v=2\" media=\"(prefers-color-scheme:dark)\">",
        "<img src=\"https://app.example.com/logo.svg\" alt=\"Acme &amp; \u{5d0}\u{5d1}\">",
        "<a class=\"link\" href=\"https://app.example.com/forgot-password\">Forgot your password?</a>",
        "<a class=\"link\" href=\"https://app.example.com/sign-up?from=login\">Create an account</a>",
        "<a class=\"link\" href=\"https://www.example.org/privacy\">Privacy</a>",
        "<a class=\"link\" href=\"mailto:help@example.org\">Help</a>",
        ":root{--accent:#7c3aed;--on-accent:#ffffff;",
        "@media (prefers-color-scheme:dark){:root{--accent:#a78bfa;--on-accent:#000000;",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    let policy = page.headers.get("content-security-policy").unwrap();
    let pictures = "img-src https://app.example.com/favicon.ico https://app.example.com/logo.svg \
                    https://cdn.example.net/logo-dark.svg;";
    assert!(policy.contains(pictures) && policy.starts_with("default-src 'none';"), "{policy}");

    let error = browser.open(&world, &format!("{APP}/auth/error?error=Configuration"));
    assert!(error.body.contains("Privacy") && !error.body.contains("Forgot"), "{}", error.body);
}

#[test]
fn a_name_alone_is_above_the_heading() {
    let mut settings = settings();
    settings["theme"] = json!({ "name": "</title><script>" });
    let page = crate::pages::without_script(&Browser::new().open(&TestEnv::with(settings), SIGN_IN));
    assert!(page.contains("<p class=\"name\"><bdi>&lt;/title&gt;&lt;script&gt;</bdi></p>"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<img"));
}

#[test]
fn the_icon_of_a_page_makes_room_for_the_sites_own_unless_it_warns() {
    let [logo, name] = [json!({ "logo": "/logo.svg" }), json!({ "name": "Acme" })];
    for (theme, has_icon) in [(json!({}), true), (logo, false), (name, false)] {
        let mut settings = settings();
        settings["theme"] = theme.clone();
        let world = TestEnv::with(settings);
        for (page, icon, has_icon) in [
            (SIGN_IN, "icon way", has_icon),
            ("https://app.example.com/auth/error?error=Configuration", "icon bad", true),
        ] {
            let page = Browser::new().open(&world, page);
            assert_eq!(page.body.contains(&format!("<svg class=\"{icon}\"")), has_icon, "{theme} {icon}");
        }
    }
}

#[test]
fn everyone_gets_what_the_pages_show_and_link_to() {
    let world = TestEnv::with(themed(settings()));
    for path in ["/logo.svg", "/forgot-password", "/sign-up?from=mail"] {
        assert!(fetch(&world, "GET", path).forwarded.is_some(), "{path}");
    }
    for path in ["/Logo.svg", "/privacy", "/sign-up/x", "/forgot-password/../x"] {
        assert!(fetch(&world, "GET", path).forwarded.is_none(), "{path}");
    }
}

#[test]
fn the_accent_has_its_own_text_color_on_every_button() {
    for (accent, text) in [("#2563eb", "#ffffff"), ("#c2710c", "#ffffff"), ("#0f9d76", "#000000")] {
        let mut settings = settings();
        settings["theme"] = json!({ "accent": accent });
        let page = Browser::new().open(&TestEnv::with(settings), SIGN_IN).body;
        let color = |color| Rgb::parse(color).unwrap();
        assert!(color(accent).contrast(color(text)) >= 3.0);
        assert!(page.contains(&format!("--accent:{accent};--on-accent:")), "{page}");
    }
}

#[test]
fn the_apps_own_403_page_gets_the_address() {
    let mut with_page = settings();
    with_page["pages"] = json!({ "forbidden": "/no-access" });
    let (world, mut bob) = (TestEnv::with(with_page), Browser::new());
    bob.sign_in(&world, "bob", "/");
    let answer = bob.open(&world, &format!("{APP}/admin?x=1"));
    assert_eq!(answer.status, 302);
    assert_eq!(answer.location(), "/no-access?callbackUrl=https%3A%2F%2Fapp.example.com%2Fadmin%3Fx%3D1");
    assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
    assert!(bob.open(&world, &format!("{APP}{}", answer.location())).forwarded.is_some());
    let script = bob.fetch(&world, &format!("{APP}/admin"));
    assert_eq!((script.status, script.body.as_str()), (403, r#"{"error":"forbidden"}"#));
    // No one is signed in: the page is public, and no redirect leads to it without end.
    assert!(fetch(&world, "GET", "/no-access").forwarded.is_some());
}

#[test]
fn browsers_and_crawlers_get_the_icon_and_the_robots_file_without_signing_in() {
    let world = TestEnv::new();
    for path in ["/favicon.ico", "/favicon.ico?v=2", "/robots.txt"] {
        let answer = fetch(&world, "GET", path);
        assert!(answer.forwarded.is_some(), "{path}: {answer:?}");
    }
    for path in ["/Favicon.ico", "/x/favicon.ico", "/favicon.ico;x", "/robots.txt.bak", "/favicon%2Fico"] {
        assert!(fetch(&world, "GET", path).forwarded.is_none(), "{path}");
    }
}

#[test]
fn a_rule_of_the_configuration_decides_about_the_icon_first() {
    let mut guarded = settings();
    guarded["rules"] = json!([{ "match": "/:path*", "access": "signed-in" }]);
    assert_eq!(fetch(&TestEnv::with(guarded), "GET", "/favicon.ico").status, 401);
}

#[test]
fn a_site_without_an_icon_gets_one_with_its_initial_and_color() {
    let mut named = settings();
    named["theme"] = json!({ "name": "éclair", "accent": "#2563eb" });
    let world = TestEnv::with(named);
    assert!(fetch(&world, "GET", "/favicon.ico").forwarded.is_some(), "the app has one");

    world.forwarder.has_nothing_at("/favicon.ico");
    let answer = fetch(&world, "GET", "/favicon.ico");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers.get("content-type"), Some("image/svg+xml"));
    assert_eq!(answer.headers.get("cache-control"), Some("public, max-age=3600"));
    assert!(answer.body.contains("fill=\"#2563eb\"") && answer.body.contains(">É</text>"), "{}", answer.body);
    assert!(!answer.headers.contains("set-cookie"));

    world.forwarder.has_nothing_at("/robots.txt");
    assert!(
        fetch(&world, "GET", "/robots.txt").forwarded.is_some(),
        "that a file is missing is the app's to say"
    );
    assert!(fetch(&world, "POST", "/favicon.ico").forwarded.is_some());
    let plain = TestEnv::new();
    plain.forwarder.has_nothing_at("/favicon.ico");
    assert!(fetch(&plain, "GET", "/favicon.ico").body.contains("fill=\"#1f5fd6\""));
}

#[test]
fn the_typed_address_stays_after_a_wrong_password_and_the_password_does_not() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    let first = browser.open(&world, SIGN_IN);
    assert!(cursor_is_in(&first, "email") && !first.body.contains("value=\"bob"), "{}", first.body);

    let refused = log_in(&world, &mut browser, "bob+\"x\"@example.com", "hunter2");
    let cookie =
        refused.headers.get_all("set-cookie").find(|field| field.starts_with(TYPED)).unwrap().to_owned();
    assert!(
        cookie.contains("Max-Age=300") && cookie.contains("HttpOnly") && cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(!refused.location().contains("bob") && !cookie.contains("bob"), "{cookie}");

    let page = browser.open(&world, refused.location());
    assert!(page.body.contains("value=\"bob+&quot;x&quot;@example.com\""), "{}", page.body);
    assert!(cursor_is_in(&page, "password"), "{}", page.body);
    assert!(!page.body.contains("hunter2") && !world.log_text().contains("bob+"));

    // Only the page of a refused form shows it, and only for some minutes.
    assert!(!browser.open(&world, SIGN_IN).body.contains("value=\"bob"));
    world.pass(Duration::from_mins(6));
    assert!(!browser.open(&world, refused.location()).body.contains("value=\"bob"));
}

#[test]
fn a_sign_in_forgets_what_was_typed() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    log_in(&world, &mut browser, "bob@example.com", "hunter2");
    assert!(browser.cookie(TYPED).is_some());
    log_in(&world, &mut browser, EMAIL, PASSWORD);
    assert_eq!(browser.cookie(TYPED), None);
    assert!(browser.session(&world)["user"].is_object());
}

#[test]
fn what_is_no_accounts_name_is_not_kept() {
    let long = format!("{}@example.com", "x".repeat(300));
    for address in ["", long.as_str(), "a\nb"] {
        let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
        let refused = log_in(&world, &mut browser, address, "hunter2");
        assert!(refused.location().contains("CredentialsSignin"));
        assert_eq!(browser.cookie(TYPED), None, "{address}");
    }
    // A script has its own form.
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    let csrf = browser.csrf(&world);
    let fields = [("csrfToken", csrf.as_str()), ("email", "bob@example.com"), ("password", "x")];
    browser.post_with(&world, LOGIN, &fields, &[("x-auth-return-redirect", "1")]);
    assert_eq!(browser.cookie(TYPED), None);
}

#[test]
fn cookie_tossing_a_forged_cookie_fills_in_nothing() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    for forged in ["mallory@evil.example", "a.b.c.d.e", ""] {
        browser.plant(TYPED, forged);
        let page = browser.open(&world, &format!("{SIGN_IN}?error=CredentialsSignin&code=credentials"));
        assert!(page.status == 200 && !page.body.contains("mallory"), "{}", page.body);
    }
}

#[test]
fn the_upstream_does_not_get_what_was_typed() {
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    log_in(&world, &mut browser, "bob@example.com", "hunter2");
    let forwarded = browser.open(&world, &format!("{APP}/robots.txt")).forwarded.unwrap();
    let cookies = forwarded.request.headers.get("cookie").unwrap_or_default();
    assert!(!cookies.contains("typed"), "{cookies}");
}

fn log_in(world: &TestEnv, browser: &mut Browser, email: &str, password: &str) -> Answer {
    let csrf = browser.csrf(world);
    browser.post(world, LOGIN, &[("csrfToken", &csrf), ("email", email), ("password", password)])
}

fn cursor_is_in(page: &Answer, field: &str) -> bool {
    let inputs: Vec<&str> = page.body.split("<input").filter(|input| input.contains(" autofocus")).collect();
    assert!(inputs.len() <= 1, "{inputs:?}");
    inputs.iter().any(|input| input.contains(&format!("name=\"{field}\"")))
}

#[test]
fn what_is_under_the_pointer_gets_darker_or_lighter_where_its_text_is_black() {
    let page = Browser::new().open(&TestEnv::with(themed(settings())), SIGN_IN);
    for part in
        ["--on-accent:#ffffff;--shade:rgb(0 0 0/.12)", "--on-accent:#000000;--shade:rgb(255 255 255/.2)"]
    {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
}

#[test]
fn each_icon_is_a_drawing_of_its_own() {
    let drawing = |page: &str| {
        let page = Browser::new().open(&TestEnv::new(), page).body;
        let path = page.split_once("<svg ").unwrap().1.split_once("<path d=\"").unwrap().1;
        path.split_once('"').unwrap().0.to_owned()
    };
    let enter = drawing(SIGN_IN);
    let trouble = drawing("https://app.example.com/auth/error?error=Configuration");
    assert!(enter.starts_with('M') && trouble.starts_with('M') && enter != trouble, "{enter} {trouble}");
}
