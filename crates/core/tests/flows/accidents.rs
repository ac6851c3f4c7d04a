//! The accidents of a person's day: each ends at a page that says what happened, with a button that works, or where the
//! person wanted to go. Scripts keep the answers of Auth.js.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::session::transaction;
use vestibule_testing::credentials_api::EMAIL;
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, TestEnv, settings};

use crate::credentials::{json_api, sign_in};

fn worlds() -> [TestEnv; 2] {
    let mut v4 = settings();
    v4["dialect"] = json!("next-auth-v4");
    [TestEnv::new(), TestEnv::with(v4)]
}

/// The answer is the sign-in page, which says these words and leads to `wanted`.
fn assert_sign_in_page(world: &TestEnv, browser: &mut Browser, answer: &Answer, words: &str, wanted: &str) {
    let page = browser.open(world, answer.location());
    assert_eq!(page.status, 200, "{answer:?}");
    assert!(page.body.contains("<h1>Sign in</h1>") && page.body.contains(words), "{words}: {}", page.body);
    assert!(!page.body.contains("our side"), "{}", page.body);
    assert!(
        page.body.contains(&format!("name=\"callbackUrl\" value=\"{wanted}\"")),
        "{wanted}: {}",
        page.body
    );
    // The button works.
    assert_eq!(browser.sign_in(world, "bob", wanted).location(), wanted);
}

#[test]
fn a_callback_that_is_opened_again_goes_on_to_where_the_person_wanted() {
    for world in worlds() {
        let mut browser = Browser::new();
        let request = browser.begin(&world, "/dashboard?tab=1");
        let callback = world.provider.authorize(&request, "bob");
        browser.open(&world, &callback);
        for again in [callback.clone(), format!("{APP}/auth/callback/acme"), format!("{APP}/auth/callback")] {
            let answer = browser.open(&world, &again);
            assert_eq!(answer.location(), format!("{APP}/dashboard?tab=1"), "{again}");
        }
        assert_eq!(browser.session(&world)["user"]["name"], "bob");
    }
}

#[test]
fn a_callback_from_the_history_or_a_bookmark_leads_to_the_sign_in_page() {
    for world in worlds() {
        for callback in [
            "callback/acme?code=x&state=y&iss=https%3A%2F%2Fidp.example",
            "callback/acme",
            "callback",
            "callback/an-old-provider?code=x&state=y",
        ] {
            let mut browser = Browser::new();
            let answer = browser.open(&world, &format!("{APP}/auth/{callback}"));
            assert_sign_in_page(&world, &mut browser, &answer, "it was finished before", APP);
        }
    }
}

#[test]
fn after_too_long_at_the_provider_the_person_signs_in_again_and_comes_to_the_page_they_wanted() {
    for world in worlds() {
        let mut browser = Browser::new();
        let wanted = format!("{APP}/dashboard?tab=1");
        let request = browser.begin(&world, &wanted);
        let callback = world.provider.authorize(&request, "bob");
        world.pass(transaction::LIFETIME + Duration::from_mins(1));
        let answer = browser.open(&world, &callback);
        assert_sign_in_page(&world, &mut browser, &answer, "took too long", &wanted);
    }
}

#[test]
fn a_code_that_a_cancelled_request_has_used_leads_to_the_sign_in_page() {
    for world in worlds() {
        let mut browser = Browser::new();
        let wanted = format!("{APP}/dashboard");
        let request = browser.begin(&world, &wanted);
        let callback = world.provider.authorize(&request, "bob");
        // Its answer does not arrive: the person has pressed the key twice.
        browser.clone().open(&world, &callback);
        let answer = browser.open(&world, &callback);
        assert_sign_in_page(&world, &mut browser, &answer, "it was finished before", &wanted);
    }
}

#[test]
fn who_cancels_at_the_provider_keeps_the_page_they_wanted_in_each_tab() {
    for world in worlds() {
        let mut browser = Browser::new();
        let first = browser.begin(&world, "/first");
        browser.begin(&world, "/second");
        let mut answer =
            browser.open(&world, &vestibule_testing::FakeProvider::refuse(&first, "access_denied"));
        if answer.location().contains("/auth/error?") {
            answer = browser.open(&world, answer.location());
        }
        let wanted = format!("{APP}/first");
        assert_sign_in_page(&world, &mut browser, &answer, "cancelled or refused", &wanted);
    }
}

#[test]
fn a_plain_link_to_a_provider_or_to_the_base_path_shows_the_sign_in_page() {
    for world in worlds() {
        for link in ["/signin/acme?callbackUrl=/x", "/signin/nobody?callbackUrl=/x", "?callbackUrl=/x"] {
            let mut browser = Browser::new();
            let mut answer = browser.open(&world, &format!("{APP}/auth{link}"));
            if answer.status == 302 {
                answer = browser.open(&world, answer.location());
            }
            assert!(answer.status == 200 && answer.body.contains("<h1>Sign in</h1>"), "{link}: {answer:?}");
            assert!(answer.body.contains(&format!("value=\"{APP}/x\"")), "{link}: {}", answer.body);
            browser.sign_in(&world, "bob", "/");
            let answer = browser.open(&world, &format!("{APP}/auth{link}"));
            assert_eq!(answer.location(), format!("{APP}/x"), "{link}");
        }
    }
}

#[test]
fn an_address_that_does_not_exist_gets_a_page_and_a_script_the_answer_of_auth_js() {
    for world in worlds() {
        for link in
            ["typo", "session/x", "verify-request", "signin/acme/x", "csrf?callbackUrl=/a&callbackUrl=/b"]
        {
            let mut browser = Browser::new();
            let page = browser.open(&world, &format!("{APP}/auth/{link}"));
            assert_eq!(page.status, 400, "{link}");
            assert!(page.body.contains("<h1>This link does not work</h1>"), "{link}: {}", page.body);
            assert!(page.body.contains("href=\"/\""), "{}", page.body);
            let script = browser.fetch(&world, &format!("{APP}/auth/{link}"));
            assert!(!script.body.contains("<h1>"), "{link}: {}", script.body);
        }
        let (mut person, path) = (Browser::new(), format!("{APP}/a/..%2fb"));
        let page = person.open(&world, &path);
        assert_eq!((page.status, page.headers.get("content-type")), (400, Some("text/html; charset=utf-8")));
        assert_eq!(person.fetch(&world, &path).body, "\"Bad request.\"");
    }
}

#[test]
fn the_sign_in_page_sends_who_is_signed_in_on_and_is_shown_to_who_comes_back_at_once() {
    for world in worlds() {
        let mut browser = Browser::new();
        browser.sign_in(&world, "bob", "/");
        for query in ["?callbackUrl=/dashboard", "?callbackUrl=/dashboard&error=SessionRequired"] {
            let page = format!("{APP}/auth/signin{query}");
            let answer = browser.open(&world, &page);
            assert_eq!(answer.location(), format!("{APP}/dashboard"));
            // The page sent the person here again, so a redirect would never end.
            let answer = browser.open(&world, &page);
            assert!(answer.body.contains("<bdi>bob</bdi>") && answer.body.contains("Continue"), "{answer:?}");
            assert!(answer.body.contains("Sign in with"), "and there is another way: {}", answer.body);
            world.pass(Duration::from_secs(61));
            browser.plant("__Host-authjs.renewal", "");
            browser.plant("__Host-next-auth.renewal", "");
        }
        // An error is read first, and a script wants the page.
        let answer = browser.open(&world, &format!("{APP}/auth/signin?error=OAuthCallbackError"));
        assert_eq!(answer.status, 200);
        assert_eq!(browser.fetch(&world, &format!("{APP}/auth/signin?callbackUrl=/other")).status, 200);
        // A session that the provider has ended is none.
        world.pass(Duration::from_hours(1));
        world.provider.answers_raw("token", 400, "application/json", br#"{"error":"invalid_grant"}"#);
        assert_eq!(browser.session(&world)["error"], "RefreshTokenError");
        assert_eq!(browser.open(&world, &format!("{APP}/auth/signin?callbackUrl=/more")).status, 200);
    }
}

#[test]
fn a_page_that_was_open_over_night_keeps_the_address() {
    for world in worlds() {
        let mut browser = Browser::new();
        let wanted = format!("{APP}/dashboard?tab=1");
        let form = [("csrfToken", "of yesterday"), ("callbackUrl", wanted.as_str())];
        let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), &form);
        assert_sign_in_page(&world, &mut browser, &answer, "open for too long", &wanted);
        // In another tab the person has signed in meanwhile.
        let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), &form);
        assert_eq!(answer.location(), wanted);
        // Who wants to sign out is asked again.
        let form = [("csrfToken", "of yesterday"), ("callbackUrl", "/about")];
        let answer = browser.post(&world, &format!("{APP}/auth/signout"), &form);
        let page = browser.open(&world, answer.location());
        assert!(page.body.contains("open for too long") && page.body.contains("sign out?"), "{}", page.body);
        assert!(page.body.contains(&format!("value=\"{APP}/about\"")), "{}", page.body);
        assert_eq!(browser.session(&world)["user"]["name"], "bob");
    }
}

#[test]
fn an_address_that_the_browser_has_already_or_that_is_the_usual_one_is_not_kept_again() {
    let world = TestEnv::new();
    let keeps = |browser: &mut Browser, wanted: &str| {
        let form = [("csrfToken", "of yesterday"), ("callbackUrl", wanted)];
        let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), &form);
        answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("callback-url="))
    };
    let mut browser = Browser::new();
    assert!(!keeps(&mut browser, APP));
    assert!(keeps(&mut browser, "/dashboard"));
    assert!(!keeps(&mut browser, "/dashboard"));
    assert!(keeps(&mut browser, "/another"));
}

#[test]
fn a_rejected_password_keeps_the_address() {
    for dialect in ["authjs-v5", "next-auth-v4"] {
        let mut settings = json_api();
        settings["dialect"] = json!(dialect);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.open(&world, &format!("{APP}/auth/signin?callbackUrl=/in-another-tab"));
        let mut answer = sign_in(&world, &mut browser, &[("email", EMAIL), ("password", "wrong")]);
        if answer.location().contains("/auth/error?") {
            answer = browser.open(&world, answer.location());
        }
        let page = browser.open(&world, answer.location());
        assert!(page.body.contains(&format!("value=\"{APP}/dashboard\"")), "{dialect}: {}", page.body);
    }
}

#[test]
fn next_auth_4_s_page_says_why_the_api_refused() {
    let mut settings = json_api();
    settings["dialect"] = json!("next-auth-v4");
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.api.answers_json("/sign-in", 403, &json!({ "error": "locked" }));
    let answer = sign_in(&world, &mut browser, &[("email", EMAIL), ("password", "x")]);
    let error = AuthorizationRequest::read(answer.location()).params;
    assert_eq!((&*error["error"], &*error["code"]), ("CredentialsSignin", "locked"));
    let answer = browser.open(&world, answer.location());
    let page = browser.open(&world, answer.location());
    assert!(page.body.contains("This account is locked"), "{}", page.body);
}

#[test]
fn a_person_gets_a_page_that_tries_again_where_a_script_gets_502_or_503() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    world.forwarder.is_down.set(true);
    for path in ["/about", "/dashboard?x=1"] {
        let page = browser.open(&world, &format!("{APP}{path}"));
        assert_eq!(page.status, 502);
        assert!(page.body.contains("href=\"\">Try again</a>"), "{}", page.body);
        let script = browser.fetch(&world, &format!("{APP}{path}"));
        assert_eq!((script.status, &*script.body), (502, r#"{"error":"upstream_unavailable"}"#));
    }
    let form = browser.post(&world, &format!("{APP}/dashboard"), &[("a", "b")]);
    assert!(form.status == 502 && form.body.contains("send it again"), "{}", form.body);
    assert!(!form.body.contains("Try again"), "a link would lose the form: {}", form.body);
    world.forwarder.is_down.set(false);

    world.pass(Duration::from_secs(3601));
    world.provider.goes_down("token");
    let page = browser.open(&world, &format!("{APP}/dashboard"));
    assert_eq!(page.status, 503);
    assert!(page.headers.contains("retry-after"), "{page:?}");
    assert!(page.body.contains("You are not signed out") && page.body.contains("Try again"), "{}", page.body);
    // A provider may never say that a refresh token is over: there is a way out.
    let again =
        "/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard&amp;prompt=select_account";
    assert!(page.body.contains(&format!("href=\"{again}\">Sign in again</a>")), "{}", page.body);
    let again = browser.open(&world, &format!("{APP}{}", again.replace("&amp;", "&")));
    assert!(again.status == 200 && again.body.contains("/auth/signin/acme\""), "{}", again.body);
    let script = browser.fetch(&world, &format!("{APP}/dashboard"));
    let body: Value = serde_json::from_str(&script.body).unwrap();
    assert_eq!((script.status, &body["error"]), (503, &json!("temporarily_unavailable")));
    world.provider.comes_back();
    world.pass(Duration::from_mins(2));
    assert!(browser.open(&world, &format!("{APP}/dashboard")).forwarded.is_some());
}

#[test]
fn a_page_in_place_of_json_keeps_the_status_and_the_cookies() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    // Within the leeway of the refresh: the new tokens reach the browser although the upstream is down.
    world.pass(Duration::from_secs(3590));
    world.forwarder.is_down.set(true);
    let answer = browser.open(&world, &format!("{APP}/dashboard"));
    assert_eq!(answer.status, 502);
    let cookies: Vec<&str> = answer.headers.get_all("set-cookie").collect();
    assert!(cookies.iter().any(|cookie| cookie.contains("session-token")), "{cookies:?}");
    assert_eq!(answer.headers.get_all("cache-control").collect::<Vec<_>>(), ["private, no-store"]);
    assert_eq!(answer.headers.get_all("content-type").collect::<Vec<_>>(), ["text/html; charset=utf-8"]);
}

#[test]
fn scripts_get_the_answers_of_auth_js_to_the_same_accidents() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let error = format!("{APP}/auth/error?error=Configuration");
    for path in ["callback/acme?code=x&state=y", "signin/acme", "callback"] {
        assert_eq!(browser.fetch(&world, &format!("{APP}/auth/{path}")).location(), error, "{path}");
    }
    let by_client = [("x-auth-return-redirect", "1")];
    let form = [("csrfToken", "old"), ("callbackUrl", "/dashboard")];
    let answer = browser.post_with(&world, &format!("{APP}/auth/signin/acme"), &form, &by_client);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body, json!({ "url": format!("{APP}/auth/signin?error=MissingCSRF") }));
}

#[test]
fn no_address_is_kept_where_nobody_begins_again_at_the_sign_in_page() {
    let mut settings = settings();
    settings["providers"][0]["allow"] = json!({ "user.email": "alice@example.com" });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    let keeps = |answer: &Answer| {
        answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("callback-url="))
            || answer.location().contains("callbackUrl")
    };
    // A person whom the site does not let in comes to the error page.
    let request = browser.begin(&world, "/dashboard");
    browser.open(&world, &format!("{APP}/auth/signin?callbackUrl=/in-another-tab"));
    let answer = browser.open(&world, &world.provider.authorize(&request, "bob"));
    assert!(answer.location().contains("/auth/error?error=AccessDenied") && !keeps(&answer), "{answer:?}");
    // A script knows where it is, also one that reads redirects.
    let headers = [("sec-fetch-mode", "cors"), ("content-type", "application/x-www-form-urlencoded")];
    let form = b"csrfToken=old&callbackUrl=/dashboard";
    let answer = browser.send(&world, "POST", &format!("{APP}/auth/signin/acme"), &headers, form);
    assert!(answer.location().contains("/auth/signin?error=MissingCSRF") && !keeps(&answer), "{answer:?}");
}
