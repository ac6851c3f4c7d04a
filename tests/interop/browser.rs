//! What a person does in the browser.

use miniflare_test_harness::{Client, ClientResponse};

use crate::env::Env;
use crate::form::{Form, LOGIN_FIELDS};
use crate::program::APP;

/// The most pages of a provider in one sign-in.
const MAX_PAGES: usize = 5;

/// A browser in which ada has signed in at the provider `real`.
pub fn signed_in(env: &Env) -> Client {
    signed_in_as(env, "ada")
}

/// A browser in which somebody has signed in at the provider `real`.
pub fn signed_in_as(env: &Env, name: &str) -> Client {
    let browser = env.client();
    sign_in(&browser, name);
    assert_eq!(env.shown(&browser)["user"]["email"], format!("{name}@example.com"));
    browser
}

/// Signs somebody in at the provider `real`, whose forms are filled in. The password is the name. Gives the last page.
pub fn sign_in(browser: &Client, name: &str) -> ClientResponse {
    let page = walk_through_sign_in(browser, name);
    assert!(page.url.starts_with(APP), "the provider does not return: {}\n{}", page.url, page.text());
    page
}

/// The same for somebody whom the provider may not let in: then its page is the last one.
pub fn walk_through_sign_in(browser: &Client, name: &str) -> ClientResponse {
    submit_while(browser, name, |page| !page.url.starts_with(APP) && Form::of(page).is_some())
}

/// Begins to sign in at the provider `real`, and goes through its login. Gives the page after that.
pub fn log_in(browser: &Client, name: &str) -> ClientResponse {
    submit_while(browser, name, |page| Form::of(page).is_some_and(|form| form.is_login()))
}

fn submit_while(browser: &Client, name: &str, goes_on: impl Fn(&ClientResponse) -> bool) -> ClientResponse {
    let mut page = begin_sign_in(browser);
    for _ in 0..MAX_PAGES {
        if !goes_on(&page) {
            break;
        }
        page = submit_login(browser, &page, name);
    }
    page
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
    for field in LOGIN_FIELDS {
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
