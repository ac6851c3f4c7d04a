//! `flow/pages`: the pages that users see, and that no request can inject anything into them.
//!
//! With `PAGES_FILE` set, [`every_page`] is written there for tests/browser/pages.mjs, which checks the same pages in a
//! browser.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vestibule_core::http::headers::Headers;
use vestibule_core::presets;

use crate::credentials::json_api;
use crate::theme::themed;
use vestibule_core::http::request::RequestUrl;
use vestibule_core::texts::languages::BUILT_IN;
use vestibule_testing::{APP, Answer, Browser, TestEnv, environment, settings};

/// Text that breaks out of a page without escaping.
const MARKUP: &str = r#""'><script>alert(1)</script><b x="&amp;"#;

/// The pictures of a page with a theme.
const THEMED_PICTURES: &str = "https://app.example.com/favicon.ico https://app.example.com/logo.svg \
                               https://cdn.example.net/logo-dark.svg";

/// A malicious or unusual name.
const LONG_NAME: &str =
    "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafe";

#[test]
fn every_pages_csp_allows_only_its_own_style_and_its_forms() {
    for (name, answer) in every_page() {
        let only = |header: &str| {
            let values: Vec<&str> = answer.headers.get_all(header).collect();
            assert_eq!(values.len(), 1, "{name}: {header}: {values:?}");
            values[0].to_owned()
        };
        assert_eq!(only("content-type"), "text/html; charset=utf-8", "{name}");
        assert_eq!(only("cache-control"), "private, no-store", "{name}");
        assert_eq!(only("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(only("x-frame-options"), "DENY", "{name}");
        assert_eq!(only("referrer-policy"), "same-origin", "{name}");

        let style = between(&answer.body, "<style>", "</style>");
        let hash = STANDARD.encode(Sha256::digest(style));
        let has_form = answer.body.contains("<form");
        let form_action = if name.contains("trouble") && !has_form { "'none'" } else { "'self' https:" };
        assert_eq!(
            only("content-security-policy"),
            format!(
                "default-src 'none'; style-src 'sha256-{hash}'; {}img-src {}; form-action {form_action}; base-uri 'none'; \
                 frame-ancestors 'none'",
                script_policy(&answer),
                if name.starts_with("theme") {
                    THEMED_PICTURES
                } else {
                    "https://app.example.com/favicon.ico"
                }
            ),
            "{name}"
        );
        // Each configured preset has its brand colours.
        let own = style.len() - 48 * style.matches(".is-").count();
        assert!(own <= 7 * 1024, "{name}: the style has {} bytes", style.len());
        for forbidden in ["<script", "style=", "javascript:", "<link", "<iframe", "@import", "url("] {
            assert!(!without_script(&answer).contains(forbidden), "{name}: {forbidden}");
        }
        assert!(name.starts_with("theme") || !answer.body.contains("src="), "{name}");
        let attributes = answer.body.split("=\"").filter_map(|before| before.rsplit(' ').next());
        assert_eq!(attributes.filter(|attribute| attribute.starts_with("on")).count(), 0, "{name}");
    }
}

#[test]
fn a_page_on_https_can_redirect_to_a_provider_on_the_developers_machine() {
    for (provider, expected) in [
        (json!({ "id": "acme", "type": "oidc", "issuer": "https://idp.example" }), "'self' https:;"),
        (json!({ "id": "acme", "type": "oidc", "issuer": "http://localhost:9400" }), "'self' https: http:;"),
        (
            json!({
                "id": "acme",
                "type": "oauth2",
                "authorization": "http://127.0.0.1:8080/authorize",
                "token": "http://127.0.0.1:8080/token",
                "userinfo": "http://127.0.0.1:8080/me",
            }),
            "'self' https: http:;",
        ),
    ] {
        let mut settings = settings();
        settings["providers"][0] = provider.clone();
        let world = TestEnv::with(settings);
        let answer = Browser::new().open(&world, &format!("{APP}/auth/signin"));
        let policy = answer.headers.get("content-security-policy").unwrap();
        assert!(policy.contains(&format!("form-action {expected}")), "{provider}: {policy}");
    }
}

#[test]
fn every_page_has_a_language_a_title_one_heading_and_its_landmarks() {
    for (name, answer) in every_page() {
        let tag = name.rsplit_once('~').map_or("en", |(_, tag)| tag);
        let dir = if tag == "ar" { " dir=\"rtl\"" } else { "" };
        assert!(answer.body.starts_with(&format!("<!DOCTYPE html><html lang=\"{tag}\"{dir}>")), "{name}");
        for once in ["<title>", "<h1>", "<main>", "<footer>", "<style>"] {
            assert_eq!(answer.body.matches(once).count(), 1, "{name}: {once}");
        }
        let heading = between(&answer.body, "<h1>", "</h1>");
        let title = between(&answer.body, "<title>", "</title>");
        let site = if name.starts_with("theme") { "Acme &amp; \u{5d0}\u{5d1}" } else { "app.example.com" };
        assert_eq!(title, format!("{heading} · {site}"), "{name}");
    }
}

#[test]
fn cross_site_scripting_every_parameter_of_every_page_is_escaped() {
    for page in ["signin", "signout", "error", "nowhere"] {
        for parameter in ["error", "code", "callbackUrl", "csrfToken", "provider", MARKUP] {
            for value in [MARKUP, &format!("/{MARKUP}"), &format!("{APP}/?q={MARKUP}#{MARKUP}")] {
                let query = [(parameter, value), ("error", "CredentialsSignin")];
                let query = &query[..if parameter == "error" { 1 } else { 2 }];
                let (world, mut browser) = (TestEnv::new(), Browser::new());
                let answer = browser.open(&world, &url(page, query));
                assert!(!without_script(&answer).contains("<script"), "{page} {parameter}: {}", answer.body);
                assert!(!answer.body.contains("<b "), "{page} {parameter}: {}", answer.body);
                assert!(!answer.body.contains(" x=\""), "{page} {parameter}: {}", answer.body);
            }
        }
    }
}

#[test]
fn injected_text_no_page_shows_a_parameter_whatever_its_length_direction_or_number() {
    let long = "x".repeat(20_000);
    for page in ["signin", "signout", "error", "nowhere", "signin/acme", "callback/acme", "csrf"] {
        for parameter in
            ["error", "code", "prompt", "csrf", "callbackUrl", "csrfToken", "state", "provider", "theme"]
        {
            for value in
                ["\u{202e}moc.elpmaxe\u{2066}", "\u{0}\r\nSet-Cookie: a=b", "\u{feff}\u{200b}", &long]
            {
                for query in [&[(parameter, value)][..], &[(parameter, value), (parameter, value)]] {
                    let (world, mut browser) = (TestEnv::new(), Browser::new());
                    let answer = browser.open(&world, &url(page, query));
                    assert!(matches!(answer.status, 200 | 302 | 400), "{page} {parameter}: {answer:?}");
                    let shown: String = answer.headers.iter().map(|(_, value)| value).collect();
                    for text in [&answer.body, &shown] {
                        let is_plain = |c: char| !c.is_control() || c == '\n';
                        let is_directed = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}');
                        assert!(
                            text.chars().all(|c| is_plain(c) && !is_directed(c)),
                            "{page} {parameter}: {text}"
                        );
                        assert!(!text.contains(&long[..5000]), "{page} {parameter}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_return_address_with_quotes_and_brackets_comes_back_unchanged() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let wanted = "/search?q='a'&filter[x]=<b>\"c\"";
    let page = browser.open(&world, &url("signin", &[("callbackUrl", wanted)]));
    let fields = fields(&page.body, "/auth/signin/acme");
    assert_eq!(fields[1].1, format!("{APP}/search?q=%27a%27&filter[x]=%3Cb%3E%22c%22"));
    let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), &as_strs(&fields));
    let request = vestibule_testing::AuthorizationRequest::read(answer.location());
    let answer = browser.open(&world, &world.provider.authorize(&request, "bob"));
    assert_eq!(answer.location(), fields[1].1);
}

#[test]
fn providers_are_listed_in_the_order_of_the_configuration() {
    let provider = |id: &str| json!({ "id": id, "type": "oidc", "issuer": "https://idp.example" });
    let mut settings = settings();
    settings["providers"] = ["zeta", "acme", "middle"].map(provider).into();
    let variables = |name: &str| environment(&name.replace("ZETA", "ACME").replace("MIDDLE", "ACME"));
    let world: TestEnv = TestEnv::in_environment(settings, &variables);
    let listed = Browser::new().fetch(&world, &url("providers", &[])).body;
    let at = |id: &str| listed.find(&format!("\"{id}\":{{")).unwrap_or_else(|| panic!("{id} in {listed}"));
    assert!(at("zeta") < at("acme") && at("acme") < at("middle"), "{listed}");
}

#[test]
fn cross_site_scripting_names_of_providers_and_users_are_escaped() {
    let (world, mut browser) = (TestEnv::with(named(MARKUP)), Browser::new());
    world.provider.alters_answer_at("userinfo", |userinfo| {
        userinfo["name"] = json!(MARKUP);
        userinfo["email"] = json!(format!("{MARKUP}@example.com"));
    });
    let sign_in = browser.open(&world, &url("signin", &[]));
    browser.sign_in(&world, "bob", "/");
    let sign_out = browser.open(&world, &url("signout", &[]));
    let forbidden = browser.open(&world, &format!("{APP}/admin"));
    for answer in [sign_in, sign_out, forbidden] {
        let escaped = "&quot;'&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;b x=&quot;&amp;amp;";
        assert!(answer.body.contains(escaped), "{}", answer.body);
        assert!(!without_script(&answer).contains("<script"), "{}", answer.body);
    }
}

#[test]
fn injected_text_an_unknown_code_is_not_repeated() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.open(&world, &url("signin", &[]));
    for (page, known) in
        [("signin", vec![]), ("signin", vec![("error", "CredentialsSignin")]), ("error", vec![])]
    {
        let parameter = if known.is_empty() { "error" } else { "code" };
        let mut open = |value| {
            let query: Vec<(&str, &str)> = known.iter().copied().chain([(parameter, value)]).collect();
            browser.open(&world, &url(page, &query)).body
        };
        let usual = open("nothing-known");
        for text in
            ["Call-0900-123456-to-unlock", "", "<b>", "configuration", "Configuration ", "constructor"]
        {
            assert_eq!(open(text), usual, "{page} {parameter} {text}");
        }
        assert!(!usual.contains("nothing-known"));
    }
}

#[test]
fn injected_text_no_parameter_turns_the_text_around_or_fills_the_page() {
    let hostile =
        ["\u{202e}moc.elpmaxe", "\u{2066}\u{200f}x", "\0\u{7f}", "\u{feff}\u{fffe}", &"x".repeat(30_000)];
    for page in ["signin", "signout", "error"] {
        for parameter in ["error", "code", "callbackUrl", "ui_locales", "csrfToken"] {
            let (world, mut browser) = (TestEnv::new(), Browser::new());
            let usual = browser.open(&world, &url(page, &[])).body.len();
            for value in hostile {
                let answer = browser.open(&world, &url(page, &[(parameter, value)]));
                let is_foul = |c: char| {
                    matches!(c, '\0' | '\u{7f}' | '\u{200f}' | '\u{202e}' | '\u{2066}' | '\u{feff}')
                };
                assert!(!answer.body.contains(is_foul), "{page} {parameter}: {}", answer.body);
                assert!(answer.body.len() < usual + 2000, "{page} {parameter} {}", value.len());
            }
            let twice = browser.open(&world, &url(page, &[(parameter, "de"), (parameter, "fr")]));
            assert!(
                [200, 400, 500].contains(&twice.status) && twice.body.len() < usual + 2000,
                "{page} {parameter}"
            );
        }
    }
}

#[test]
fn injected_text_an_invalid_host_gets_no_page() {
    for host in ["app.example.com\"><script>", "<b>", "a b"] {
        assert_eq!(RequestUrl::parse(&format!("https://{host}/auth/signin")), None, "{host}");
    }
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let answer = browser.open(&world, "https://[::]]/auth/signin");
    assert_eq!((answer.status, answer.body.as_str()), (400, "\"Bad request.\""));
}

#[test]
fn known_codes_have_a_text() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    for (query, words) in [
        (&[("error", "OAuthCallbackError")][..], "cancelled or refused"),
        (&[("error", "OAuthAccountNotLinked")], "the same account"),
        (&[("error", "MissingCSRF")], "open for too long"),
        (&[("error", "SessionRequired")], "sign in to see this page"),
        (&[("error", "CredentialsSignin")], "Please check that the details you entered are correct"),
        (&[("error", "CredentialsSignin"), ("code", "credentials")], "check that the details"),
        (&[("error", "CredentialsSignin"), ("code", "ACCOUNT_LOCKED")], "This account is locked"),
        (&[("error", "CredentialsSignin"), ("code", "password-expired")], "Your password has expired"),
        (&[("error", "CredentialsSignin"), ("code", "otp_required")], "enter your one-time code"),
        (&[("error", "CredentialsSignin"), ("code", "too_many_requests")], "Too many attempts"),
        (&[("error", "MissingCSRF"), ("code", "locked")], "open for too long"),
    ] {
        let answer = browser.open(&world, &url("signin", query));
        let alert = between(&answer.body, "role=\"alert\">", "</p>");
        assert!(alert.contains(words), "{query:?}: {alert}");
    }
    let answer = browser.open(&world, &url("signin", &[]));
    assert!(!answer.body.contains("role=\"alert\""));
}

#[test]
fn the_error_page_has_a_status_by_the_errors_source_and_links_onward() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    for (code, status) in [
        ("Configuration", 500),
        ("AccessDenied", 403),
        ("Verification", 403),
        ("OAuthCallbackError", 200),
        ("", 200),
    ] {
        let answer = browser.open(&world, &url("error", &[("error", code)]));
        assert_eq!(answer.status, status, "{code}");
        let again =
            format!("{APP}/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com&amp;prompt=select_account");
        assert!(answer.body.contains(&format!("href=\"{again}\"")), "{code}: {}", answer.body);
        assert!(answer.body.contains(&format!("href=\"{APP}/\"")), "{code}");
    }
}

#[test]
fn each_provider_has_a_form_and_a_preset_has_its_brand_colours() {
    let (world, mut browser) = (all_presets(), Browser::new());
    let answer = browser.open(&world, &url("signin", &[]));
    let style = between(&answer.body, "<style>", "</style>");
    let mut coloured = 0;
    for id in presets::ids() {
        let preset = presets::preset(id).unwrap();
        let names: Vec<String> =
            fields(&answer.body, &format!("/auth/signin/{id}")).into_iter().map(|(n, _)| n).collect();
        assert_eq!(names, ["csrfToken", "callbackUrl"], "{id}");
        let name = preset["name"].as_str().unwrap();
        assert!(answer.body.contains(&format!("<bdi>{name}</bdi>")), "{id}");
        let Some(style_of_preset) = preset.get("style") else { continue };
        let rule = format!(".is-{id}{{--brand:{};", style_of_preset["background"].as_str().unwrap());
        assert!(style.contains(&rule), "{rule}");
        coloured += 1;
    }
    assert_eq!(style.matches(".is-").count(), coloured, "what is no preset has no colours of its own");
}

#[test]
fn a_credentials_provider_has_its_fields_in_a_form_that_posts_to_its_callback() {
    let (world, mut browser) = (TestEnv::with(with_form()), Browser::new());
    let answer = browser.open(&world, &url("signin", &[]));
    assert_eq!(fields(&answer.body, "/auth/callback/shop").len(), 2);
    for field in [
        "<label for=\"shop-email\"><bdi>Email address</bdi></label><input id=\"shop-email\" name=\"email\" type=\"email\" \
         autocomplete=\"username\" required>",
        "<label for=\"shop-password\"><bdi>Password</bdi></label><input id=\"shop-password\" name=\"password\" \
         type=\"password\" placeholder=\"&quot;&gt;&lt;b&gt;\" autocomplete=\"current-password\" required>",
        "<label for=\"shop-otp\"><bdi>&lt;b&gt;Code&lt;/b&gt;</bdi><span class=\"soft\"> (optional)</span></label>\
         <input id=\"shop-otp\" name=\"otp\" type=\"text\" autocomplete=\"one-time-code\">",
    ] {
        assert!(answer.body.contains(field), "{field}: {}", answer.body);
    }
    assert!(!answer.body.contains("<b>"));
    assert_eq!(answer.body.matches("<p class=\"or\">or</p>").count(), 2, "{}", answer.body);
    assert!(answer.body.contains("<button type=\"submit\">Sign in</button>"));

    let mut by_name = only_form();
    by_name["providers"][0]["fields"][0] = json!({ "name": "user" });
    let answer = browser.open(&TestEnv::with(by_name), &url("signin", &[]));
    let field =
        "name=\"user\" type=\"text\" autocomplete=\"username\" autocapitalize=\"none\" required autofocus>";
    assert!(answer.body.contains(field), "{}", answer.body);
}

#[test]
fn an_error_about_credentials_describes_the_fields() {
    let (world, mut browser) = (TestEnv::with(with_form()), Browser::new());
    for (error, described) in [("CredentialsSignin", 3), ("OAuthCallbackError", 0)] {
        let answer = browser.open(&world, &url("signin", &[("error", error)]));
        assert_eq!(answer.body.matches("aria-describedby=\"error\"").count(), described, "{error}");
        assert_eq!(answer.body.matches("id=\"error\"").count(), 1, "{error}");
    }
}

#[test]
fn the_sign_in_page_names_another_host_in_the_return_address() {
    let mut shared = settings();
    shared["trusted_hosts"] = json!(["*.example.com"]);
    let (world, mut browser) = (TestEnv::with(shared), Browser::new());
    let mut lead = |return_to| {
        let answer = browser.open(&world, &url("signin", &[("callbackUrl", return_to)]));
        answer
            .body
            .contains("class=\"lead\"")
            .then(|| between(&answer.body, "<strong>", "</strong>").to_owned())
    };
    assert_eq!(lead("https://shop.example.com/cart"), Some("shop.example.com".to_owned()));
    assert_eq!(lead("/cart"), None);
    assert_eq!(lead("https://evil.example/"), None);
}

#[test]
fn a_user_who_cancels_the_sign_out_goes_back() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let answer = browser.open(&world, &url("signout", &[("callbackUrl", "/dashboard?a=1&b=2")]));
    assert!(answer.body.contains(&format!("href=\"{APP}/dashboard?a=1&amp;b=2\">Cancel")), "{}", answer.body);
    assert!(answer.body.contains("<bdi>bob</bdi>") && answer.body.contains("<bdi>bob@example.com</bdi>"));
}

#[test]
fn a_sign_in_with_a_different_account_leads_back_to_the_forbidden_page() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let wanted = format!("{APP}/admin/users?page=2&sort=name");
    let answer = browser.open(&world, &wanted);
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("<bdi>bob@example.com</bdi>"));

    let leave = fields(&answer.body, "/auth/signout");
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &as_strs(&leave));
    assert_eq!(browser.session(&world), Value::Null);
    let sign_in = answer.location().to_owned();
    let page = browser.open(&world, &sign_in);
    let answer =
        browser.post(&world, &format!("{APP}/auth/signin/acme"), &as_strs(&fields(&page.body, "acme")));
    let request = vestibule_testing::AuthorizationRequest::read(answer.location());
    // Otherwise the provider's single sign-on would bring back the same account.
    assert_eq!(request.params["prompt"], "select_account");
    let answer = browser.open(&world, &world.provider.authorize(&request, "alice"));
    assert_eq!(answer.location(), wanted);
    assert!(browser.open(&world, &wanted).forwarded.is_some());
}

#[test]
fn the_forbidden_page_ignores_the_parameters_of_the_apps_own_address() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let query = "callbackUrl=https%3A%2F%2Fevil.example&callbackUrl=x&error=y&csrfToken=z";
    let answer = browser.open(&world, &format!("{APP}/admin?{query}"));
    assert_eq!(answer.status, 403);
    let fields = fields(&answer.body, "/auth/signout");
    assert_eq!(fields[0].1, browser.csrf(&world));
    assert!(
        fields[1]
            .1
            .starts_with(&format!("{APP}/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fadmin"))
    );
}

#[test]
fn the_address_of_a_post_is_not_a_return_address() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let answer = browser.post(&world, &format!("{APP}/admin/delete"), &[("id", "1")]);
    assert_eq!(answer.status, 403);
    let page = format!("{APP}/auth/signin?prompt=select_account");
    assert_eq!(fields(&answer.body, "/auth/signout")[1].1, page);
}

#[test]
fn a_rule_that_forbids_anonymous_users_still_shows_a_sign_in_link() {
    let (world, mut browser) = (TestEnv::with(forbidding()), Browser::new());
    let answer = browser.open(&world, &format!("{APP}/secret?x=1"));
    assert_eq!(answer.status, 403);
    assert!(!answer.body.contains("<form") && !answer.headers.contains("set-cookie"));
    let sign_in = format!("{APP}/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fsecret%3Fx%3D1");
    assert!(answer.body.contains(&format!("href=\"{sign_in}\"")), "{}", answer.body);
}

#[test]
fn every_page_is_written_for_the_browser_tests() {
    let pages = every_page();
    assert!(pages.iter().all(|(name, answer)| !answer.body.is_empty() && !name.is_empty()));
    let Ok(file) = std::env::var("PAGES_FILE") else { return };
    let pages: Vec<Value> = pages
        .into_iter()
        .map(|(name, answer)| {
            let headers: Headers = answer.headers;
            let headers: Vec<(&str, &str)> =
                headers.iter().filter(|(name, _)| *name != "set-cookie").collect();
            json!({ "name": name, "status": answer.status, "headers": headers, "body": answer.body })
        })
        .collect();
    std::fs::write(file, serde_json::to_string(&pages).unwrap()).unwrap();
}

/// Every page in each of its variants, with the longest and most unusual content that it may have.
fn every_page() -> Vec<(String, Answer)> {
    let mut pages: Vec<(String, Answer)> =
        pages_in_english().into_iter().map(|(name, answer)| (name.to_owned(), answer)).collect();
    let world = TestEnv::with(with_arabic(themed(with_form())));
    let form = TestEnv::with(with_arabic(themed(only_form())));
    let mut bob = Browser::new();
    bob.sign_in(&world, "bob", "/");
    let open = |world: &TestEnv, cookies: &str, address: &str, tag: &str| {
        let headers = [("accept-language", tag), ("sec-fetch-mode", "navigate"), ("cookie", cookies)];
        world.send("GET", address, &headers, b"")
    };
    for tag in BUILT_IN.map(|(tag, _)| tag).into_iter().chain(["ar"]) {
        let of_bob = |page: &str| open(&world, &bob.cookie_header(), &format!("{APP}{page}"), tag);
        let refused = [("error", "CredentialsSignin"), ("code", "email_unverified")];
        for (name, answer) in [
            (
                "theme-sign-in",
                open(
                    &world,
                    "",
                    &format!("{APP}/auth/signin?callbackUrl=https%3A%2F%2Fshop.example.com%2F"),
                    tag,
                ),
            ),
            ("theme-sign-in-again", of_bob("/auth/signin?prompt=select_account")),
            ("theme-expired", open(&world, "", &url("signin", &[("error", "SignInExpired")]), tag)),
            ("theme-trouble-400", of_bob("/auth/nowhere")),
            ("theme-form", open(&form, "", &url("signin", &refused), tag)),
            ("theme-sign-out", of_bob("/auth/signout")),
            ("theme-incomplete", of_bob("/auth/signout?error=SignOutIncomplete")),
            ("theme-error", of_bob("/auth/error?error=Configuration")),
            ("theme-forbidden", of_bob("/admin")),
        ] {
            pages.push((format!("{name}~{tag}"), answer));
        }
    }
    pages
}

/// The settings with a language that is written from right to left.
fn with_arabic(mut settings: Value) -> Value {
    settings["trusted_hosts"] = json!(["shop.example.com"]);
    settings["texts"] = json!({ "ar": {
        "sign_in_title": "تسجيل الدخول",
        "sign_in": "تسجيل الدخول",
        "sign_in_with": "تسجيل الدخول باستخدام {provider}",
        "continue_to": "للمتابعة إلى {host}",
        "or": "أو",
        "email_field": "البريد الإلكتروني",
        "password_field": "كلمة المرور",
        "forgot_password": "هل نسيت كلمة المرور؟",
        "sign_up": "إنشاء حساب",
        "privacy": "الخصوصية",
        "support": "مساعدة",
        "sign_out": "تسجيل الخروج",
        "sign_out_question": "هل تريد تسجيل الخروج؟",
        "cancel": "إلغاء",
        "signed_in_as": "الحساب الحالي",
        "forbidden_title": "لا يمكن الوصول",
        "forbidden": "لقد سجلت الدخول، لكن حسابك لا يملك حق الوصول إلى هذه الصفحة.",
        "other_account": "تسجيل الدخول بحساب آخر",
        "home": "الصفحة الرئيسية",
    } });
    settings
}

fn pages_in_english() -> Vec<(&'static str, Answer)> {
    let mut pages = Vec::new();

    let world = TestEnv::new();
    let mut open = |name, page, query: &[(&str, &str)]| {
        pages.push((name, Browser::new().open(&world, &url(page, query))));
    };
    open("sign-in-one", "signin", &[]);
    open("sign-in-error", "signin", &[("error", "OAuthCallbackError")]);
    open("sign-out-nobody", "signout", &[]);
    open("error-configuration", "error", &[("error", "Configuration")]);
    open("error-denied", "error", &[("error", "AccessDenied")]);
    open("error-verification", "error", &[("error", "Verification")]);
    open("error-unknown", "error", &[("error", MARKUP)]);
    open("error-long-link", "error", &[("error", "ReturnAddressTooLong")]);
    open("sign-in-expired", "signin", &[("error", "SignInExpired")]);

    let world = TestEnv::in_environment(json!({ "providers": [{ "id": "google" }] }), &any_secrets);
    pages.push(("sign-in-google", Browser::new().open(&world, &url("signin", &[]))));
    let elsewhere =
        [("callbackUrl", "https://a-rather-long-name-of-a-host.shop.example.com/"), ("error", "Signin")];
    pages.push(("sign-in-many", Browser::new().open(&all_presets(), &url("signin", &elsewhere))));

    let refused = [("error", "CredentialsSignin"), ("code", "otp_invalid")];
    pages.push(("sign-in-form", Browser::new().open(&TestEnv::with(only_form()), &url("signin", &refused))));
    pages.push(("sign-in-form-too", Browser::new().open(&TestEnv::with(with_form()), &url("signin", &[]))));

    let asking = |mut settings: Value| {
        settings["session"] = json!({ "persistent": "ask" });
        TestEnv::with(settings)
    };
    pages.push(("sign-in-ask", Browser::new().open(&asking(only_form()), &url("signin", &refused))));
    pages.push(("sign-in-ask-too", Browser::new().open(&asking(with_form()), &url("signin", &[]))));

    let (world, mut typing) = (TestEnv::with(json_api()), Browser::new());
    pages.push(("sign-in-api", typing.open(&world, &url("signin", &[]))));
    let csrf = typing.csrf(&world);
    let fields = [("csrfToken", csrf.as_str()), ("email", "bob@example.com"), ("password", "wrong")];
    let refused = typing.post(&world, &format!("{APP}/auth/callback/credentials"), &fields);
    pages.push(("sign-in-typed", typing.open(&world, refused.location())));

    let (world, mut bob) = (TestEnv::new(), Browser::new());
    bob.sign_in(&world, "bob", "/");
    pages.push(("sign-out", bob.open(&world, &url("signout", &[]))));
    pages.push(("forbidden", bob.open(&world, &format!("{APP}/admin"))));

    pages.push(("sign-in-again", bob.open(&world, &url("signin", &[("prompt", "select_account")]))));
    bob.open(&world, &url("signin", &[("callbackUrl", "/about")]));
    pages.push(("sign-in-signed-in", bob.open(&world, &url("signin", &[("callbackUrl", "/about")]))));
    pages.push(("sign-out-again", bob.open(&world, &url("signout", &[("error", "MissingCSRF")]))));
    pages.push(("trouble-400", bob.open(&world, &url("typo", &[]))));
    world.forwarder.is_down.set(true);
    pages.push(("trouble-502", bob.open(&world, &format!("{APP}/about"))));
    pages.push(("trouble-502-form", bob.post(&world, &format!("{APP}/dashboard"), &[])));
    world.pass(std::time::Duration::from_secs(3601));
    world.provider.goes_down("token");
    pages.push(("trouble-503", bob.open(&world, &format!("{APP}/dashboard"))));

    let (world, mut long) = (TestEnv::with(named("Acme")), Browser::new());
    world.provider.alters_answer_at("userinfo", |userinfo| {
        userinfo["name"] = json!(LONG_NAME);
        userinfo["email"] = json!(format!("{LONG_NAME}@example.com"));
    });
    long.sign_in(&world, "bob", "/");
    pages.push(("forbidden-long", long.open(&world, &format!("{APP}/admin"))));

    let world = TestEnv::with(forbidding());
    pages.push(("forbidden-nobody", Browser::new().open(&world, &format!("{APP}/secret"))));
    let mut of_a_domain = settings();
    of_a_domain["cookies"] = json!({ "domain": "other.org" });
    let world = TestEnv::with(of_a_domain);
    pages.push(("foreign", Browser::new().open(&world, &url("signin", &[]))));

    let world = TestEnv::with(only_form());
    world.store.login_limits.set(Some((0, 0)));
    let mut guesser = Browser::new();
    let csrf = guesser.csrf(&world);
    let guess = [("csrfToken", csrf.as_str()), ("email", "a@example.com"), ("password", "x")];
    let address = [("cf-connecting-ip", "203.0.113.7")];
    let callback = format!("{APP}/auth/callback/shop");
    pages.push(("too-many-attempts", guesser.post_with(&world, &callback, &guess, &address)));
    pages.extend(crate::kept_form::every_page(MARKUP));
    pages.extend(crate::step_up::every_page());
    pages
}

/// Every preset, and a provider with a name that is long and contains markup.
fn all_presets() -> TestEnv {
    let of_preset =
        |id| json!({ "id": id, "issuer": "https://idp.example", "userinfo": "https://idp.example/me" });
    let mut providers: Vec<Value> = presets::ids().map(of_preset).collect();
    providers.push(json!({ "id": "other", "issuer": "https://idp.example", "name": LONG_NAME }));
    providers
        .push(json!({ "id": "odd", "issuer": "https://idp.example", "name": "<i>مثال</i> & \"Söhne\"" }));
    let settings = json!({ "providers": providers, "trusted_hosts": ["*.shop.example.com"] });
    TestEnv::in_environment(settings, &any_secrets)
}

fn any_secrets(name: &str) -> Option<String> {
    let is_asked_for = !name.contains("REVOKE")
        && !name.contains("HEALTH")
        && ["_ID", "_SECRET", "_TENANT", "_API_KEY"].iter().any(|end| name.ends_with(end));
    environment(name).or_else(|| is_asked_for.then(|| "x".to_owned()))
}

fn only_form() -> Value {
    json!({ "providers": [{
        "id": "shop",
        "type": "credentials",
        "fields": [
            { "name": "email", "type": "email" },
            { "name": "password", "label": "Password", "type": "password", "placeholder": "\"><b>" },
            { "name": "otp", "label": "<b>Code</b>", "autocomplete": "one-time-code", "required": false },
        ],
        "login": { "url": "https://api.example/login", "access_token": "body.token" },
        "user": { "id": "body.id" },
    }] })
}

/// The settings in which the form is between two other providers.
fn with_form() -> Value {
    let mut settings = settings();
    let form = only_form()["providers"][0].clone();
    let after = json!({ "id": "other", "issuer": "https://idp.example", "client_id": "x",
                        "token_endpoint_auth_method": "none" });
    settings["providers"].as_array_mut().unwrap().extend([form, after]);
    settings
}

fn named(name: &str) -> Value {
    let mut named = settings();
    named["providers"][0]["name"] = json!(name);
    named
}

fn forbidding() -> Value {
    let mut forbidding = settings();
    forbidding["rules"] = json!([{ "match": "/secret", "access": "signed-in", "deny": "forbidden" }]);
    forbidding
}

fn url(page: &str, query: &[(&str, &str)]) -> String {
    let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{APP}/auth/{page}?{query}")
}

/// The hidden fields of the form whose action has this suffix, as a browser would send them.
fn fields(body: &str, action: &str) -> Vec<(String, String)> {
    let form = body.split("<form").find(|form| form.contains(&format!("{action}\"")));
    let form = form.unwrap_or_else(|| panic!("no form for {action}: {body}"));
    let unescaped = |text: &str| text.replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&");
    form.split("type=\"hidden\" name=\"")
        .skip(1)
        .map(|field| {
            let (name, rest) = field.split_once("\" value=\"").unwrap();
            (unescaped(name), unescaped(rest.split('"').next().unwrap()))
        })
        .collect()
}

/// The part of the policy that allows the page's own script.
fn script_policy(answer: &Answer) -> String {
    let Some((_, script)) = answer.body.rsplit_once("<script>") else { return String::new() };
    let hash = STANDARD.encode(Sha256::digest(script.split_once("</script>").expect("an end").0));
    format!("script-src 'sha256-{hash}'; ")
}

/// The page without its own script, which is the last element and which the policy allows by its hash.
pub fn without_script(answer: &Answer) -> String {
    let policy = script_policy(answer);
    let sent = answer.headers.get("content-security-policy").unwrap_or_default();
    if policy.is_empty() || !sent.contains(&policy) {
        return answer.body.clone();
    }
    let (before, script) = answer.body.rsplit_once("<script>").unwrap();
    format!("{before}{}", script.split_once("</script>").unwrap().1)
}

fn as_strs(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("no {after} in {text}")).0
}

#[test]
fn the_button_of_a_form_says_for_which_api_it_is_where_there_are_several() {
    let mut settings = only_form();
    let sign_in = |settings: &Value| {
        Browser::new().open(&TestEnv::with(settings.clone()), &format!("{APP}/auth/signin")).body
    };
    assert!(sign_in(&settings).contains(">Sign in</button>"), "{}", sign_in(&settings));
    let mut second = settings["providers"][0].clone();
    second["id"] = json!("partners");
    second["name"] = json!("Partners");
    settings["providers"].as_array_mut().unwrap().push(second);
    assert!(
        sign_in(&settings).contains(">Sign in with <bdi>Partners</bdi></button>"),
        "{}",
        sign_in(&settings)
    );
}
