//! Walks that end sessions here: by a sign-out, or by an operator.

use miniflare_test_harness::{Client, ClientResponse};
use serde_json::{Value, json};
use url::Url;

use crate::browser::{begin_sign_in, expect_signed_out, sign_out, sign_out_everywhere, sign_out_to};
use crate::env::{Env, OPERATOR_SECRET, session, tabs, text_in_session, wait_until};
use crate::form::{Form, attribute};
use crate::program::APP;

/// The sign-out ends the session here, in every copy of its cookie, and its refresh token at the provider, whose token
/// endpoint is at `token_endpoint`.
pub fn it_reaches_the_provider_and_every_copy(env: &Env, browser: &Client, token_endpoint: &str) {
    let refresh_token = text_in_session(browser, "refresh_token");
    let begun = env.counts();
    it_reaches_every_copy(env, browser);
    wait_until("the provider has revoked the refresh token", || env.counts().revoked > begun.revoked);
    let grant = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token)];
    let before = env.counts();
    env.post_as_client(token_endpoint, &grant).expect_status(400);
    assert_eq!(env.counts().refused, before.refused + 1);
}

/// The sign-out ends the session here, and in every copy of its cookie.
pub fn it_reaches_every_copy(env: &Env, browser: &Client) {
    let copies = tabs(browser, 4);
    for copy in &copies {
        env.whoami(copy).expect_status(200);
    }
    sign_out(browser).expect_status(302);
    expect_signed_out(browser);
    expect_to_end(env, &copies);
}

/// Somebody who has signed in with two browsers, and signs out everywhere in one of them.
pub fn it_reaches_the_other_browser(env: &Env, browser: &Client, other: &Client) {
    assert_ne!(session(browser)["sid"], session(other)["sid"]);
    let copies = tabs(other, 4);
    for copy in &copies {
        env.whoami(copy).expect_status(200);
    }
    sign_out_everywhere(browser).expect_status(302);
    expect_signed_out(browser);
    expect_to_end(env, &copies);
}

/// An operator ends the sessions of somebody who has signed in with two browsers.
pub fn an_operator_ends_them(env: &Env, browser: &Client, other: &Client) {
    let copies = [tabs(browser, 4), tabs(other, 4)].concat();
    for copy in &copies {
        env.whoami(copy).expect_status(200);
    }
    let sub = text_in_session(browser, "sub");
    let request = env.client().post(&format!("{APP}/auth/revoke"));
    let request = request.header("authorization", &format!("Bearer {OPERATOR_SECRET}"));
    let body = json!({ "user": { "provider": "real", "sub": sub } });
    request.json(&body).send().expect_status(200);
    expect_to_end(env, &copies);
}

/// The person signs out at the provider's page, where `button` is pressed. The logout token that it then sends ends the
/// session here, in every copy, and no other session of the same person.
pub fn a_logout_token_ends_every_copy(
    env: &Env,
    browser: &Client,
    other: &Client,
    page: &str,
    button: (&str, &str),
) {
    let copies = copies_beside(env, browser, other);
    sign_out_there(env, browser, page, button);
    wait_until("the provider has sent a logout token", || !env.logout_tokens().is_empty());
    deliver_the_logout_tokens(env);
    expect_to_end(env, &copies);
    assert_ne!(env.shown(other), Value::Null, "the other session goes on");
}

/// The same where the provider's last page has a frame with the application's address, which ends the session here.
pub fn a_frame_ends_every_copy(
    env: &Env,
    browser: &Client,
    other: &Client,
    page: &str,
    button: (&str, &str),
) {
    let copies = copies_beside(env, browser, other);
    let last = sign_out_there(env, browser, page, button);
    load_the_frames(browser, &last);
    expect_to_end(env, &copies);
    assert_ne!(env.shown(other), Value::Null, "the other session goes on");
}

/// The same where the frame names the person, and not one of their sessions: it ends those of `ended`, too. `other` is someone
/// else.
pub fn a_frame_ends_every_session(env: &Env, browser: &Client, ended: &[Client], other: &Client, page: &str) {
    let copies = [&tabs(browser, 4), ended].concat();
    for copy in copies.iter().chain([other]) {
        env.whoami(copy).expect_status(200);
    }
    let last = browser.get(&env.at_the_provider(page)).navigation().follow().send().expect_status(200);
    load_the_frames(browser, &last);
    expect_to_end(env, &copies);
    assert_ne!(env.shown(other), Value::Null, "the other session goes on");
}

/// Loads the frames of a provider's page, which have an address of the Worker, as a browser does: from another site.
fn load_the_frames(browser: &Client, page: &ClientResponse) {
    let text = page.text();
    let frames: Vec<_> =
        text.split("<iframe").skip(1).filter_map(|rest| attribute(rest.split('>').next()?, "src")).collect();
    assert!(!frames.is_empty(), "no frame on {}\n{text}", page.url);
    for address in frames {
        assert!(address.starts_with(&format!("{APP}/auth/frontchannel-logout?")), "{address}");
        let request = browser.get(&address).cross_site().header("sec-fetch-dest", "iframe");
        request.header("sec-fetch-mode", "navigate").send().expect_status(200);
    }
}

/// Copies of a session, beside which the same person has another one.
fn copies_beside(env: &Env, browser: &Client, other: &Client) -> Vec<Client> {
    let copies = tabs(browser, 4);
    for copy in copies.iter().chain([other]) {
        env.whoami(copy).expect_status(200);
    }
    assert_ne!(session(browser)["provider_sid"], session(other)["provider_sid"]);
    copies
}

/// Signs out at the provider's page, where `button` is pressed. Gives its last page.
fn sign_out_there(env: &Env, browser: &Client, page: &str, button: (&str, &str)) -> ClientResponse {
    let asked = browser.get(&env.at_the_provider(page)).navigation().follow().send();
    let form = Form::of(&asked).unwrap_or_else(|| panic!("no form on {}\n{}", asked.url, asked.text()));
    form.with(button.0, button.1).submit(browser).follow().send()
}

/// The provider offers neither back-channel nor front-channel logout: who signs out at its page `page` is asked to log in
/// again at the next sign-in, and the session here goes on. Gives this in words.
pub fn the_provider_tells_nobody(env: &Env, browser: &Client, page: &str) -> String {
    let metadata = browser.get(&env.at_the_provider("/.well-known/openid-configuration")).send().json();
    for way in ["backchannel", "frontchannel"] {
        assert_eq!(metadata[format!("{way}_logout_supported")], Value::Null, "{metadata}");
    }
    browser.get(&env.at_the_provider(page)).navigation().follow().send();
    env.whoami(browser).expect_status(200);
    let login = begin_sign_in(browser);
    assert!(Form::of(&login).is_some_and(|form| form.is_login()), "{}\n{}", login.url, login.text());
    "it offers neither back-channel nor front-channel logout, and the session here goes on".to_owned()
}

/// Takes the logout tokens that the provider has sent to the Worker, which the provider cannot reach.
pub fn deliver_the_logout_tokens(env: &Env) {
    for token in env.logout_tokens() {
        let request = env.client().post(&format!("{APP}/auth/backchannel-logout"));
        request.form(&[("logout_token", &token)]).send().expect_status(200);
    }
}

/// No isolate knows who the copies are any more, once it has read what was revoked; nor does it renew their tokens.
pub fn expect_to_end(env: &Env, copies: &[Client]) {
    wait_until("every copy has ended", || copies.iter().all(|copy| env.shown(copy) == Value::Null));
    // Tokens may still be revoked in the background.
    let renewals = || (env.counts().refreshed, env.counts().refused);
    let ended = renewals();
    copies.iter().for_each(expect_signed_out);
    assert_eq!(renewals(), ended, "nothing was renewed");
}

/// With `logout = true` the sign-out goes on to the provider, which does not ask again, because it gets the ID token as a
/// hint; and comes back to the page that was asked for. The next sign-in begins at the provider's login form.
pub fn it_ends_the_providers_session(browser: &Client) {
    let within = ["127.0.0.1", "localhost"];
    let left = sign_out_to(browser, "/goodbye");
    let logout = Url::parse(left.expect_status(302).location()).expect("the provider's address");
    // The session here has ended before the browser leaves.
    expect_signed_out(browser);
    // Without the hint the provider asks, or refuses. Nothing is answered.
    let mut unnamed = logout.clone();
    let kept = logout.query_pairs().filter(|(name, _)| name != "id_token_hint");
    unnamed.query_pairs_mut().clear().extend_pairs(kept);
    assert_ne!(unnamed, logout);
    let asked = browser.get(unnamed.as_str()).navigation().follow_within(&within).send();
    let is_asked = Form::of(&asked).is_some() && !sends_itself(&asked);
    assert!(is_asked || asked.status == 400, "{}\n{}", asked.url, asked.text());

    let mut there = browser.get(logout.as_str()).navigation().follow_within(&within).send();
    if let Some(form) = Form::of(&there) {
        assert!(sends_itself(&there), "it asks: {}\n{}", there.url, there.text());
        there = form.submit(browser).follow_within(&within).send();
    }
    if !there.url.starts_with(APP) {
        there = browser.get(there.location()).navigation().send();
    }
    assert!(there.url.starts_with(&format!("{APP}/auth/signout/callback?")), "{}", there.url);
    assert_eq!(there.expect_status(302).location(), format!("{APP}/goodbye"));
    expect_signed_out(browser);
    let login = begin_sign_in(browser);
    assert!(Form::of(&login).is_some_and(|form| form.is_login()), "{}\n{}", login.url, login.text());
}

/// Whether a page's form is sent without a click, perhaps only when its frames have had their time.
fn sends_itself(page: &ClientResponse) -> bool {
    ["onload=\"document.forms[0].submit()\"", "\"activeTimer\":1"]
        .iter()
        .any(|sign| page.text().contains(sign))
}
