//! The languages of the pages: which one a person gets, the configuration's own texts, and what no one can inject.

use serde_json::{Value, json};
use vestibule_core::texts::Text;
use vestibule_core::texts::languages::{BUILT_IN, built_in};
use vestibule_testing::credentials_api::{EMAIL, PASSWORD};
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, TestEnv, settings};

use crate::credentials::json_api;

fn open(world: &TestEnv, page: &str, accept_language: &str) -> Answer {
    world.send(
        "GET",
        &format!("{APP}{page}"),
        &[("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("accept-language", accept_language)],
        b"",
    )
}

fn language_of(answer: &Answer) -> String {
    let (_, rest) = answer.body.split_once("<html lang=\"").unwrap_or_else(|| panic!("no page: {answer:?}"));
    rest.split('"').next().unwrap().to_owned()
}

fn says(answer: &Answer, tag: &str, text: Text) -> bool {
    answer.body.contains(text.of(built_in(tag).unwrap()))
}

#[test]
fn every_page_speaks_the_browsers_language() {
    let world = TestEnv::new();
    for (tag, _) in BUILT_IN {
        for (page, texts) in [
            ("/auth/signin", &[Text::SignInTitle][..]),
            ("/auth/signin?error=CredentialsSignin&code=account_locked", &[Text::AccountLocked]),
            ("/auth/signout", &[Text::SignOut, Text::SignOutQuestion, Text::Cancel]),
            (
                "/auth/signout?error=SignOutIncomplete",
                &[Text::SignedOutTitle, Text::SignOutIncomplete, Text::GoOn],
            ),
            (
                "/auth/error?error=Configuration",
                &[Text::OurFaultTitle, Text::OurFault, Text::SignInAgain, Text::Home],
            ),
            ("/auth/error?error=AccessDenied", &[Text::DeniedTitle, Text::Denied]),
            ("/auth/error?error=Verification", &[Text::DeadLinkTitle, Text::DeadLink]),
            ("/auth/error?error=nothing-known", &[Text::ErrorTitle, Text::SignInFailed]),
            (
                "/auth/error?error=ReturnAddressTooLong",
                &[Text::LinkTooLongTitle, Text::ReturnAddressTooLong, Text::SignIn],
            ),
            ("/auth/signin?error=SignInExpired", &[Text::SignInExpired]),
            ("/auth/signin?error=MissingCSRF", &[Text::PageTooOld]),
            ("/auth/signout?error=MissingCSRF", &[Text::PageTooOld, Text::SignOutQuestion]),
            ("/auth/nowhere", &[Text::BadLinkTitle, Text::BadLink, Text::Home]),
        ] {
            let answer = open(&world, page, tag);
            assert_eq!(language_of(&answer), tag, "{page}");
            assert_eq!(answer.headers.get("content-language"), Some(tag), "{page}");
            for text in texts {
                assert!(says(&answer, tag, *text), "{tag} {page} {}: {}", text.key(), answer.body);
            }
        }
    }
}

#[test]
fn the_sign_in_page_has_a_text_for_each_error_and_one_for_all_others() {
    let world = TestEnv::new();
    let of_api = |code: &str| format!("CredentialsSignin&code={code}");
    let errors = [
        (
            &["OAuthCallbackError", "OAuthCallback", "OAuthSignin", "Signin", "Callback"][..],
            Text::SignInRefused,
        ),
        (&["OAuthAccountNotLinked"], Text::AccountNotLinked),
        (&["AccessDenied"], Text::SignInDenied),
        (&["SessionRequired"], Text::SessionRequired),
        (&["RefreshTokenError"], Text::SessionEnded),
        (&["SignInExpired"], Text::SignInExpired),
        (&["MissingCSRF"], Text::PageTooOld),
        (&["Configuration", "accessdenied", "nothing-known"], Text::SignInFailed),
        (&["CredentialsSignin"], Text::CredentialsWrong),
    ];
    let codes = [
        (
            &["locked", "account_locked", "disabled", "account_disabled", "ACCOUNT-LOCKED"][..],
            Text::AccountLocked,
        ),
        (&["expired", "password_expired", "credentials_expired"], Text::PasswordExpired),
        (&["unverified", "email_not_verified", "email_unverified"], Text::EmailUnconfirmed),
        (&["otp_required", "mfa_required"], Text::CodeRequired),
        (&["otp_invalid", "invalid_otp", "mfa_invalid"], Text::CodeWrong),
        (&["rate_limited", "too_many_attempts", "too_many_requests"], Text::TooManyAttempts),
        (&["credentials", "other"], Text::CredentialsWrong),
    ];
    let errors =
        errors.iter().flat_map(|(errors, text)| errors.iter().map(|error| ((*error).to_owned(), *text)));
    let codes = codes.iter().flat_map(|(codes, text)| codes.iter().map(|code| (of_api(code), *text)));
    let all: Vec<(String, Text)> = errors.chain(codes).collect();
    for (error, text) in &all {
        let answer = open(&world, &format!("/auth/signin?error={error}"), "en");
        assert!(says(&answer, "en", *text), "{error} {}: {}", text.key(), answer.body);
        let mut others = all.iter().filter(|(_, other)| other != text);
        assert!(!others.any(|(_, other)| says(&answer, "en", *other)), "{error}: {}", answer.body);
    }
}

#[test]
fn the_403_page_speaks_the_browsers_language() {
    let (world, mut bob) = (TestEnv::new(), Browser::new());
    bob.sign_in(&world, "bob", "/");
    let cookies = bob.cookie_header();
    for (tag, _) in BUILT_IN {
        let headers = [
            ("accept", "text/html"),
            ("sec-fetch-mode", "navigate"),
            ("accept-language", tag),
            ("cookie", cookies.as_str()),
        ];
        // `ui_locales` is the app's own parameter here.
        let answer = world.send("GET", &format!("{APP}/admin?ui_locales=xx"), &headers, b"");
        assert_eq!((answer.status, language_of(&answer).as_str()), (403, tag));
        for text in [Text::ForbiddenTitle, Text::Forbidden, Text::OtherAccount, Text::SignedInAs] {
            assert!(says(&answer, tag, text), "{tag} {}", text.key());
        }
    }
}

#[test]
fn a_page_about_trouble_speaks_the_browsers_language() {
    let world = TestEnv::new();
    world.forwarder.is_down.set(true);
    let send = |method: &str, address: &str, tag: &str| {
        let headers = [
            ("accept", "text/html"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "same-origin"),
            ("accept-language", tag),
        ];
        world.send(method, address, &headers, b"")
    };
    for (tag, _) in BUILT_IN {
        for (method, texts) in [
            ("GET", &[Text::MomentTitle, Text::Unreachable, Text::TryAgain, Text::Home][..]),
            ("POST", &[Text::MomentTitle, Text::NotArrived, Text::Home]),
        ] {
            let answer = send(method, &format!("{APP}/about"), tag);
            assert_eq!((answer.status, language_of(&answer).as_str()), (502, tag), "{method}");
            for text in texts {
                assert!(says(&answer, tag, *text), "{tag} {method} {}: {}", text.key(), answer.body);
            }
        }
    }
}

#[test]
fn ui_locales_stay_through_an_accident() {
    let world = TestEnv::new();
    for (page, expected) in [
        ("/auth/signin/acme?ui_locales=fr", "/auth/signin?ui_locales=fr&callbackUrl="),
        ("/auth/callback/acme?ui_locales=fr&state=x&code=y", "/auth/signin?ui_locales=fr&callbackUrl="),
    ] {
        let answer = open(&world, page, "de");
        assert!(answer.location().starts_with(&format!("{APP}{expected}")), "{page}: {}", answer.location());
        assert_eq!(language_of(&Browser::new().open(&world, answer.location())), "fr", "{page}");
    }
    let old = Browser::new().post(&world, &format!("{APP}/auth/signout?ui_locales=fr"), &[]);
    assert!(
        old.location().starts_with(&format!("{APP}/auth/signout?ui_locales=fr&error=MissingCSRF")),
        "{old:?}"
    );

    let mut settings = settings();
    settings["pages"] = json!({ "straight_to_provider": true });
    let straight = open(&TestEnv::with(settings), "/auth/signin?ui_locales=fr-CA", "de");
    assert_eq!(AuthorizationRequest::read(straight.location()).params["ui_locales"], "fr-CA");
}

#[test]
fn the_language_is_the_first_preferred_one_that_is_there() {
    let world = TestEnv::new();
    for (ui_locales, accept_language, expected) in [
        ("", "", "en"),
        ("", "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", "it;q=0.9, fr-CA;q=0.8, en;q=0.7", "fr"),
        ("", "pt-BR", "pt"),
        ("", "zh, ko", "en"),
        ("", "en;q=0.1, ja;q=0.2", "ja"),
        ("ui_locales=es", "de", "es"),
        ("ui_locales=it%20fr-CA+en", "de", "fr"),
        ("ui_locales=it", "de", "de"),
        ("ui_locales=es&ui_locales=fr", "de", "de"),
        ("ui_locales=", "de", "de"),
    ] {
        let answer = open(&world, &format!("/auth/signin?{ui_locales}"), accept_language);
        assert_eq!(language_of(&answer), expected, "{ui_locales} {accept_language}");
    }
}

#[test]
fn ui_locales_stay_through_a_failed_sign_in_and_reach_the_provider() {
    let mut settings = json_api();
    settings["providers"].as_array_mut().unwrap().push(self::settings()["providers"][0].clone());
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    let page = browser.open(&world, &format!("{APP}/auth/signin?ui_locales=fr-CA"));
    assert_eq!(language_of(&page), "fr");
    let action = format!("{APP}/auth/callback/credentials?ui_locales=fr-CA");
    assert!(page.body.contains(&format!("action=\"{action}\"")), "{}", page.body);

    let csrf = browser.csrf(&world);
    let fields = [("csrfToken", csrf.as_str()), ("email", EMAIL), ("password", "wrong")];
    let refused = browser.post(&world, &action, &fields);
    let expected = "/auth/signin?ui_locales=fr-CA&error=CredentialsSignin&code=";
    assert!(refused.location().starts_with(&format!("{APP}{expected}")), "{}", refused.location());
    assert_eq!(language_of(&browser.open(&world, refused.location())), "fr");

    let begun =
        browser.post(&world, &format!("{APP}/auth/signin/acme?ui_locales=fr-CA"), &[("csrfToken", &csrf)]);
    assert_eq!(AuthorizationRequest::read(begun.location()).params["ui_locales"], "fr-CA");
    let accepted = [("csrfToken", csrf.as_str()), ("email", EMAIL), ("password", PASSWORD)];
    assert!(!browser.post(&world, &action, &accepted).location().contains("ui_locales"));
}

#[test]
fn injected_text_hostile_languages_are_ignored() {
    let world = TestEnv::new();
    let usual = open(&world, "/auth/signin", "").body;
    let reset = |body: &str| body.split("name=\"csrfToken\" value=\"").next().unwrap().to_owned();
    for hostile in [
        "\"><script>alert(1)</script>",
        "de\" onload=\"x",
        "../../de",
        "\u{202e}ed",
        "de_DE",
        "x-klingon-\"",
        "constructor",
        "%00",
        "xx",
        "i-default",
        "*",
    ] {
        let parameter: String = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect();
        for answer in [
            open(&world, "/auth/signin", hostile),
            open(&world, &format!("/auth/signin?ui_locales={parameter}"), ""),
        ] {
            assert_eq!(language_of(&answer), "en", "{hostile}");
            let page = crate::pages::without_script(&answer);
            assert!(!page.contains("<script") && !page.contains("onload"), "{hostile}");
        }
        let answer = open(&world, "/auth/signin", hostile);
        assert_eq!(reset(&answer.body), reset(&usual), "{hostile}");
    }
    for long in ["de,".repeat(20_000), "a".repeat(60_000), "a-".repeat(30_000)] {
        assert_eq!(open(&world, &format!("/auth/signin?ui_locales={long}"), &long).status, 200);
    }
}

#[test]
fn the_configuration_chooses_the_languages() {
    let mut german = settings();
    german["languages"] = json!(["de", "fr"]);
    let world = TestEnv::with(german);
    for (accept_language, expected) in [("en", "de"), ("", "de"), ("fr", "fr"), ("ja, fr;q=0.1", "fr")] {
        assert_eq!(language_of(&open(&world, "/auth/signin", accept_language)), expected);
    }
}

#[test]
fn the_configurations_texts_come_before_the_built_in_ones() {
    let mut settings = settings();
    settings["texts"] = json!({
        "de": { "sign_in_with": "Los geht’s mit {provider}!", "sign_in_title": "<b>Hallo</b> & Willkommen" },
        "ar": { "sign_in_title": "تسجيل الدخول", "sign_in_with": "تسجيل الدخول باستخدام {provider}" },
    });
    let world = TestEnv::with(settings);
    let german = open(&world, "/auth/signin", "de").body;
    assert!(german.contains("Los geht’s mit <bdi>Acme</bdi>!"), "{german}");
    // Markup is text.
    assert!(german.contains("<h1>&lt;b&gt;Hallo&lt;/b&gt; &amp; Willkommen</h1>"), "{german}");

    let arabic = open(&world, "/auth/signin", "ar-EG,en").body;
    assert!(arabic.contains("<html lang=\"ar\" dir=\"rtl\">"), "{arabic}");
    assert!(arabic.contains("تسجيل الدخول باستخدام <bdi>Acme</bdi>"), "{arabic}");
    assert!(open(&world, "/auth/signout", "ar").body.contains("Sign out"), "what is missing is in English");
}

#[test]
fn labels_are_in_the_language_of_the_page() {
    let mut settings = json_api();
    settings["providers"][0]["fields"] = json!([
        { "name": "email", "type": "email" },
        { "name": "password", "type": "password" },
        { "name": "code", "autocomplete": "one-time-code", "required": false },
        { "name": "company", "label": { "en": "Company", "de": "Firma" }, "placeholder": { "de": "GmbH & Co." }, "required": false },
    ]);
    settings["providers"][0]["login"]["body"] =
        json!({ "email": "{email}", "password": "{password}", "otp": "{code}", "company": "{company}" });
    let world = TestEnv::with(settings);
    for (tag, labels) in [
        ("de", ["E-Mail-Adresse", "Passwort", "Einmalcode", "Firma"]),
        ("ja", ["メールアドレス", "パスワード", "ワンタイムコード", "Company"]),
        ("en", ["Email address", "Password", "One-time code", "Company"]),
    ] {
        let page = open(&world, "/auth/signin", tag).body;
        for label in labels {
            assert!(page.contains(&format!("<bdi>{label}</bdi>")), "{tag} {label}: {page}");
        }
        assert!(page.contains("placeholder=\"GmbH &amp; Co.\""));
    }
}

#[test]
fn the_json_for_scripts_is_in_no_language() {
    let world = TestEnv::new();
    let answer = |tag| -> (u16, Value) {
        let answer = world.send("GET", &format!("{APP}/dashboard"), &[("accept-language", tag)], b"");
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    };
    assert_eq!(answer("de"), answer("ja"));
}
