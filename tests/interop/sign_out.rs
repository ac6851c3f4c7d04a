//! Walks through the sign-out, from a browser in which somebody has signed in.

use miniflare_test_harness::Client;

use crate::browser::{begin_sign_in, expect_signed_out, sign_out};
use crate::form::Form;
use crate::program::APP;

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
