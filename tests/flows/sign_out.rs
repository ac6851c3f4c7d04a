//! `flow/sign_out`: the session ends.

use serde_json::{Value, json};

use crate::world::{APP, Browser, World, settings};

const SESSION: &str = "__Secure-authjs.session-token";

#[test]
fn after_signing_out_nothing_is_left() {
    let (world, mut browser) = (World::new(), Browser::new());
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
    let (world, mut browser) = (World::new(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[]);
    assert_eq!(answer.location(), format!("{APP}/auth/signin?error=MissingCSRF"));
    let answer = browser.open(&world, &format!("{APP}/auth/signout"));
    assert_eq!(answer.status, 200, "GET only asks");
    assert_eq!(browser.session(&world)["user"]["name"], "bob");
}

#[test]
fn every_cookie_of_a_chunked_session_goes_also_one_of_before_the_domain_was_shared() {
    let mut shared = settings();
    shared["cookies"] = json!({ "domain": "example.com" });
    let (world, mut browser) = (World::with(shared), Browser::new());
    world.provider.lies_at("userinfo", |u| u["roles"] = json!(vec!["x".repeat(100); 60]));
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    for name in [format!("{SESSION}.0"), format!("{SESSION}.1")] {
        let expired: Vec<&str> = answer
            .headers
            .get_all("set-cookie")
            .filter(|cookie| cookie.starts_with(&format!("{name}=;")))
            .collect();
        assert_eq!(expired.len(), 2, "{expired:?}");
        assert_eq!(expired.iter().filter(|cookie| cookie.contains("Domain=example.com")).count(), 1);
    }
}
