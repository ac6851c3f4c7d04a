//! Walks in which the provider refuses: the consent, or the client itself.

use miniflare_test_harness::Client;
use serde_json::Value;

use crate::browser::{begin_sign_in, expect_signed_out, sign_in, submit_login};
use crate::env::{Env, wait_for_the_end_of_the_token};
use crate::form::Form;
use crate::program::APP;

/// Who signs in at the provider and then presses `button` on its page of consent is not signed in here. They see an error, and
/// the next try begins anew.
pub fn a_refused_consent_signs_nobody_in(env: &Env, button: (&str, &str)) {
    let browser = env.client();
    let consent = submit_login(&browser, &begin_sign_in(&browser), "ada");
    assert!(!consent.url.starts_with(APP), "no consent is asked: {}", consent.url);
    let form = Form::of(&consent).unwrap_or_else(|| panic!("no form on {}\n{}", consent.url, consent.text()));
    let answer = form.with(button.0, button.1).submit(&browser).follow().send();
    assert!(answer.url.starts_with(&format!("{APP}/auth/signin?")), "{}", answer.url);
    assert!(answer.url.contains("error=OAuthCallbackError"), "{}", answer.url);
    assert_eq!(env.shown(&browser), Value::Null);
    expect_signed_out(&browser);
    assert!(sign_in(&browser, "ada").url.starts_with(APP));
    env.whoami(&browser).expect_status(200);
}

/// The provider no longer accepts the client, for example because its secret was changed there only. Nobody can sign in;
/// but who is signed in stays so, and gets 503 where a new token is needed.
pub fn a_client_that_is_refused_ends_no_session(env: &Env, browser: &Client) {
    let (other, before) = (env.client(), env.counts().refreshed);
    let answer = sign_in(&other, "ada");
    assert!(answer.url.starts_with(&format!("{APP}/auth/error?error=Configuration")), "{}", answer.url);
    assert_eq!(env.shown(&other), Value::Null);

    wait_for_the_end_of_the_token(browser);
    let reply = env.whoami(browser).expect_status(503);
    assert!(reply.header("retry-after").is_some(), "{:?}", reply.headers);
    let shown = env.shown(browser);
    assert!(shown["user"].is_object() && shown["access_token"].is_null(), "{shown}");
    assert_eq!(env.counts().refreshed, before);
}
