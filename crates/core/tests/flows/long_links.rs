//! `flow/signin`: links that are too long for one cookie, and links that are too long to come back to.

use std::time::Duration;

use serde_json::json;
use vestibule_core::http::return_to::MAX_LENGTH;
use vestibule_testing::{APP, AuthorizationRequest, Browser, TestEnv, settings};

use crate::credentials::json_api;

const TOO_LONG: &str = "https://app.example.com/auth/error?error=ReturnAddressTooLong";

/// A link with a path and query of this many bytes, as a browser sends it.
fn link(bytes: usize) -> String {
    let start = "/search?q=%C3%A4&filter[x]=1&next=%2Fa%2Fb&list=";
    format!("{start}{}", "a%20b&".repeat(bytes).get(..bytes - start.len()).unwrap())
}

/// The bytes of all cookies of open sign-ins in a request.
fn transaction_bytes(browser: &Browser) -> usize {
    let header = browser.cookie_header();
    header.split("; ").filter(|pair| pair.contains("transaction")).map(|pair| pair.len() + 2).sum()
}

#[test]
fn a_link_of_up_to_four_kilobytes_as_encoded_comes_back_exactly() {
    for bytes in [100, 2500, 2560, 2700, 3000, 4000, MAX_LENGTH] {
        let (world, mut browser) = (TestEnv::new(), Browser::new());
        let wanted = format!("{APP}{}", link(bytes));
        let denied = browser.open(&world, &wanted);
        let page = browser.open(&world, denied.location());
        assert_eq!(page.status, 200, "{bytes}");
        let answer = browser.sign_in(&world, "bob", &wanted);
        assert_eq!(answer.location(), wanted, "{bytes}");
        assert!(browser.session(&world)["user"].is_object(), "{bytes}");
        assert_eq!(transaction_bytes(&browser), 0, "every cookie of the sign-in is removed");
    }
}

#[test]
fn no_cookie_is_larger_than_browsers_keep_and_all_open_sign_ins_stay_below_eight_kilobytes() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let mut begun = Vec::new();
    for bytes in [100, MAX_LENGTH, 100, 3000, 100, 100, 100, MAX_LENGTH, 100, MAX_LENGTH] {
        let wanted = format!("{APP}{}", link(bytes));
        begun.push((browser.begin(&world, &wanted), wanted));
        world.pass(Duration::from_secs(1));
        for pair in browser.cookie_header().split("; ") {
            assert!(pair.len() <= 4096, "{} bytes: {pair:.60}", pair.len());
        }
        assert!(transaction_bytes(&browser) <= 8 * 1024, "{}", transaction_bytes(&browser));
        // The newest one always works.
        let (request, wanted) = begun.last().unwrap();
        let answer = browser.clone().open(&world, &world.provider.authorize(request, "bob"));
        assert_eq!(answer.location(), wanted);
    }
}

#[test]
fn a_long_link_does_not_leave_the_address_of_another_page_in_the_browser() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let csrf = browser.csrf(&world);
    browser.open(&world, &format!("{APP}/auth/signin?callbackUrl=/other"));
    let wanted = format!("{APP}{}", link(MAX_LENGTH));
    let encoded: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    browser.open(&world, &format!("{APP}/auth/signin?callbackUrl={encoded}"));
    assert_eq!(browser.cookie("__Secure-authjs.callback-url"), None);
    // The address is kept in the page's own address instead.
    let form = [("csrfToken", "old"), ("callbackUrl", wanted.as_str())];
    let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), &form);
    let page = AuthorizationRequest::read(answer.location());
    assert_eq!((&*page.params["error"], &*page.params["callbackUrl"]), ("MissingCSRF", &*wanted));
    let form = [("csrfToken", csrf.as_str()), ("callbackUrl", wanted.as_str())];
    assert_eq!(browser.post(&world, &format!("{APP}/auth/signin/acme"), &form).status, 302);
}

#[test]
fn a_longer_link_gets_a_page_that_says_so_before_anyone_signs_in() {
    for settings in [settings(), json_api()] {
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let wanted = format!("{APP}{}", link(MAX_LENGTH + 1));
        let encoded: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
        assert_eq!(browser.open(&world, &wanted).location(), TOO_LONG);
        let page = browser.open(&world, &format!("{APP}/auth/signin?callbackUrl={encoded}"));
        assert_eq!(page.location(), TOO_LONG);
        let page = browser.open(&world, TOO_LONG);
        assert_eq!(page.status, 200);
        assert!(page.body.contains("<h1>This link is too long</h1>"), "{}", page.body);
        assert!(page.body.contains("/auth/signin?callbackUrl="), "there is a way to sign in");
        let csrf = browser.csrf(&world);
        for path in ["signin/acme", "signin"] {
            let form = [("csrfToken", csrf.as_str()), ("callbackUrl", wanted.as_str())];
            assert_eq!(browser.post(&world, &format!("{APP}/auth/{path}"), &form).location(), TOO_LONG);
        }
    }
    let (world, mut browser) = (TestEnv::with(json_api()), Browser::new());
    let wanted = format!("{APP}{}", link(MAX_LENGTH + 1));
    let csrf = browser.csrf(&world);
    let fields = [
        ("csrfToken", csrf.as_str()),
        ("callbackUrl", wanted.as_str()),
        ("email", "ada@example.com"),
        ("password", "x"),
    ];
    let answer = browser.post(&world, &format!("{APP}/auth/callback/credentials"), &fields);
    assert_eq!((answer.location(), world.api.count()), (TOO_LONG, 0));
    // The site's own page is told by its code.
    let mut own = settings();
    own["pages"] = json!({ "error": "/trouble" });
    let answer = Browser::new().open(&TestEnv::with(own), &wanted);
    assert_eq!(answer.location(), format!("{APP}/trouble?error=ReturnAddressTooLong"));
}
