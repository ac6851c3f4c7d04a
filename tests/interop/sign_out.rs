//! Walks through the sign-out, from a browser in which somebody has signed in.

use miniflare_test_harness::Client;

use crate::browser::{begin_sign_in, expect_signed_out, sign_out};
use crate::env::{Env, text_in_session, wait_until};
use crate::form::Form;
use crate::program::APP;

/// The sign-out ends the session here and in every copy of its cookie, and its refresh token at the provider, whose
/// token endpoint is at `token_endpoint`.
pub fn it_reaches_the_provider_and_every_copy(env: &Env, browser: &Client, token_endpoint: &str) {
    let refresh_token = text_in_session(browser, "refresh_token");
    let copies: Vec<Client> = (0..4).map(|isolate| browser.fork().at(isolate)).collect();
    for copy in &copies {
        env.whoami(copy).expect_status(200);
    }
    let begun = env.counts();
    sign_out(browser).expect_status(302);
    expect_signed_out(browser);

    wait_until("the provider has revoked the refresh token", || env.counts().revoked > begun.revoked);
    let grant = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token)];
    let refused = env.post_as_client(token_endpoint, &grant).expect_status(400).json();
    assert_eq!(refused["error"], "invalid_grant");

    wait_until("every copy is refused", || copies.iter().all(|copy| env.whoami(copy).status == 401));
    for copy in &copies {
        let shown = copy.get(&format!("{APP}/auth/session")).send().expect_status(200).text();
        assert!(!shown.contains("access_token"), "{shown}");
    }
    assert_eq!(env.counts().refreshed, begun.refreshed, "no copy was renewed");
}

/// With `logout = true` the sign-out goes on to the provider, which asks and comes back. `button` is what is pressed there.
/// The next sign-in begins at the provider's login form.
pub fn it_ends_the_providers_session(browser: &Client, button: (&str, &str)) {
    let page = sign_out(browser);
    let asked = browser.get(page.expect_status(302).location()).navigation().follow().send();
    let form = Form::of(&asked).unwrap_or_else(|| panic!("no form on {}\n{}", asked.url, asked.text()));
    let left =
        form.with(button.0, button.1).submit(browser).follow_within(&["127.0.0.1", "localhost"]).send();
    assert_eq!(left.location(), format!("{APP}/"));
    expect_signed_out(browser);
    let login = begin_sign_in(browser);
    assert!(Form::of(&login).is_some_and(|form| form.has("password")), "{}\n{}", login.url, login.text());
}
