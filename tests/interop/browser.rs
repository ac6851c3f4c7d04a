//! What a person does in the browser.

use miniflare_test_harness::{Client, ClientResponse};

use crate::form::Form;
use crate::program::APP;

/// The most pages of a provider in one sign-in.
const MAX_PAGES: usize = 5;

/// Signs somebody in at the provider `real`, whose forms are filled in. The password is the name. Gives the last page.
pub fn sign_in(browser: &Client, name: &str) -> ClientResponse {
    let mut page = begin_sign_in(browser);
    for _ in 0..MAX_PAGES {
        if page.url.starts_with(APP) {
            return page;
        }
        page = submit_login(browser, &page, name);
    }
    panic!("the provider does not return: {}\n{}", page.url, page.text());
}

/// Fills in and sends the form on a page of the provider. Gives the next page.
pub fn submit_login(browser: &Client, page: &ClientResponse, name: &str) -> ClientResponse {
    let form = Form::of(page).unwrap_or_else(|| panic!("no form on {}\n{}", page.url, page.text()));
    fill_in(form, name).submit(browser).follow().send()
}

/// Begins to sign in at the provider `real`, up to its first page.
pub fn begin_sign_in(browser: &Client) -> ClientResponse {
    let form = [("csrfToken", &*csrf(browser)), ("callbackUrl", "/whoami")];
    browser.post(&format!("{APP}/auth/signin/real")).navigation().form(&form).follow().send()
}

/// A login form gets the name and the password; any other is sent as it is.
fn fill_in(mut form: Form, name: &str) -> Form {
    for field in ["login", "user", "username", "password"] {
        if form.has(field) {
            form = form.with(field, name);
        }
    }
    form
}

/// Signs in with the form of the API `real`. Gives the response to the form.
pub fn sign_in_with_password(browser: &Client, name: &str, password: &str) -> ClientResponse {
    let csrf = csrf(browser);
    let form =
        [("csrfToken", &*csrf), ("callbackUrl", "/whoami"), ("username", name), ("password", password)];
    browser.post(&format!("{APP}/auth/callback/real")).navigation().form(&form).send()
}

/// Signs out. Gives the response to the form.
pub fn sign_out(browser: &Client) -> ClientResponse {
    sign_out_to(browser, "/")
}

/// Signs out, to go to a page then.
pub fn sign_out_to(browser: &Client, page: &str) -> ClientResponse {
    send_sign_out(browser, page, &[])
}

/// Signs out in every browser.
pub fn sign_out_everywhere(browser: &Client) -> ClientResponse {
    send_sign_out(browser, "/", &[("everywhere", "true")])
}

fn send_sign_out(browser: &Client, page: &str, more: &[(&str, &str)]) -> ClientResponse {
    let csrf = csrf(browser);
    let form = [&[("csrfToken", &*csrf), ("callbackUrl", page)], more].concat();
    browser.post(&format!("{APP}/auth/signout")).navigation().form(&form).send()
}

/// A page that somebody without a session may not see: they are sent to sign in.
pub fn expect_signed_out(browser: &Client) {
    browser.get(&format!("{APP}/whoami")).send().expect_status(401);
    let page = browser.get(&format!("{APP}/whoami")).navigation().send().expect_status(302);
    assert!(page.location().contains("/auth/signin"), "{}", page.location());
}

fn csrf(browser: &Client) -> String {
    let reply = browser.get(&format!("{APP}/auth/csrf")).send().expect_status(200);
    reply.json()["csrfToken"].as_str().expect("a token").to_owned()
}
