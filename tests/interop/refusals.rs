//! Walks in which nobody gets a session: each is a positive control away from a sign-in that works.

use serde_json::Value;

use crate::browser::{sign_in, walk_through_sign_in};
use crate::env::Env;
use crate::program::APP;

/// Who refuses consent, with `button`, comes back to the sign-in page, which says so. Who then gives it is signed in.
pub fn who_refuses_consent_has_no_session(env: &Env, button: (&str, &str)) {
    let browser = env.client();
    let page = walk_through_sign_in(&browser, "bob", Some(button));
    assert!(page.url.starts_with(&format!("{APP}/auth/signin?")), "{}", page.url);
    assert!(page.url.contains("error=OAuthCallbackError"), "{}", page.url);
    assert_eq!(env.shown(&browser), Value::Null);
    sign_in(&browser, "bob");
    assert_eq!(env.shown(&browser)["user"]["email"], "bob@example.com");
}

/// Who was disabled stays at the provider's login form.
pub fn who_is_disabled_cannot_sign_in(env: &Env) {
    let browser = env.client();
    env.control("disable?user=bob");
    let page = walk_through_sign_in(&browser, "bob", None);
    assert!(page.url.starts_with(&env.at_the_provider("/")), "{}", page.url);
    assert_eq!(env.shown(&browser), Value::Null);
    sign_in(&browser, "ada");
    assert_eq!(env.shown(&browser)["user"]["email"], "ada@example.com");
}

/// The provider has another secret for the client: the person comes back from it to an error page, without a session.
pub fn with_a_wrong_secret_nobody_signs_in(env: &Env) {
    let browser = env.client();
    env.control("secret");
    let page = walk_through_sign_in(&browser, "bob", None);
    assert!(page.url.starts_with(&format!("{APP}/auth/")), "{}", page.url);
    assert!(page.url.contains("error=Configuration"), "{}", page.url);
    assert_eq!(env.shown(&browser), Value::Null);
}
