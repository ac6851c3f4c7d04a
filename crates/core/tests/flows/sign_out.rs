//! `flow/session/sign_out`: the end of a session.

use serde_json::{Value, json};

use vestibule_testing::{APP, Browser, TestEnv, settings};

const SESSION: &str = "__Secure-authjs.session-token";

#[test]
fn after_a_sign_out_no_session_cookie_is_left() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", "/about")];
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &fields);
    assert_eq!(answer.location(), format!("{APP}/about"));
    assert_eq!(browser.cookie(SESSION), None);
    assert_eq!(browser.session(&world), Value::Null);
}

#[test]
fn logout_that_can_be_forged_without_the_csrf_token_the_session_stays() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[]);
    let asked_again =
        format!("{APP}/auth/signout?error=MissingCSRF&callbackUrl=https%3A%2F%2Fapp.example.com%2F");
    assert_eq!(answer.location(), asked_again);
    let answer = browser.open(&world, &asked_again);
    assert_eq!(answer.status, 200, "GET only asks");
    assert!(answer.body.contains("open for too long"), "{}", answer.body);
    assert_eq!(browser.session(&world)["user"]["name"], "bob");
}

#[test]
fn a_sign_out_does_not_end_at_a_page_of_vestibule_that_a_sign_in_left_behind() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    browser.sign_in(&world, "bob", "/auth/form");
    let page = browser.open(&world, &format!("{APP}/auth/signout")).body;
    assert!(!page.contains("/auth/form"), "{page}");
    assert!(page.contains(&format!("name=\"callbackUrl\" value=\"{APP}\"")), "{page}");
    // Unless the link says so.
    let page = browser.open(&world, &format!("{APP}/auth/signout?callbackUrl=/auth/form")).body;
    assert!(page.contains(&format!("value=\"{APP}/auth/form\"")), "{page}");
    let page = browser.open(&world, &format!("{APP}/auth/signout?callbackUrl=/about")).body;
    assert!(page.contains(&format!("value=\"{APP}/about\"")), "{page}");
    let page = browser.open(&world, &format!("{APP}/auth/signout")).body;
    assert!(page.contains(&format!("value=\"{APP}/about\"")), "{page}");
}

#[test]
fn a_sign_out_erases_all_chunks_and_host_only_cookies_of_an_earlier_configuration() {
    let mut shared = settings();
    shared["cookies"] = json!({ "domain": "example.com" });
    let (world, mut browser) = (TestEnv::with(shared), Browser::new());
    world.provider.alters_answer_at("userinfo", |u| u["roles"] = json!(vec!["x".repeat(100); 60]));
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    for name in [format!("{SESSION}.0"), format!("{SESSION}.1")] {
        let expired: Vec<&str> = answer
            .headers
            .get_all("set-cookie")
            .filter(|cookie| cookie.starts_with(&format!("{name}=;")))
            .collect();
        assert_eq!(expired.len(), 3, "{expired:?}");
        assert_eq!(expired.iter().filter(|cookie| cookie.contains("Domain=example.com")).count(), 1);
        assert_eq!(expired.iter().filter(|cookie| !cookie.contains("Domain=")).count(), 1);
    }
}

#[test]
fn a_sign_out_whose_write_the_store_refuses_says_so_and_is_stored_later() {
    let mut settings = settings();
    settings["revocation"] = json!({ "store": "kv" });
    let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
    let elsewhere = world.isolate(settings, "here");
    browser.sign_in(&world, "bob", "/");
    let (mut copy, csrf) = (browser.clone(), browser.csrf(&world));
    // The write, and its repetition while the user waits. The store has no such fact: its limit is another one.
    world.store.refuses_writes.set(("revoked/", 2));
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", csrf.as_str())]);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("could not be ended"), "{}", answer.body);
    assert_eq!(copy.session(&elsewhere), Value::Null, "it was stored after the response");
}
