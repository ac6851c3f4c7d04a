//! The end of sessions, here and at the provider.

use miniflare_test_harness::{Client, ClientResponse};
use serde_json::{Value, json};

use crate::env::{APP, Env, session, sign_out};
use crate::provider::{AFTER_LOGOUT, HOST, ISSUER, Provider};

fn env() -> Env {
    Env::new(&json!({ "logout": true }))
}

pub fn rp_init_logout() {
    let env = env();
    let browser = env.signs_in();
    let left = leaves(&browser);
    let page = arrives(&browser, &left);
    assert_eq!((page.status, page.url.as_str()), (200, "https://app.example.com/public"));
    // The address to which the browser comes back is the same, wherever it is going.
    let browser = env.signs_in();
    let csrf = crate::env::csrf(&browser);
    let form = [("csrfToken", csrf.as_str()), ("callbackUrl", "/public?to=another#place")];
    let other =
        browser.post(&format!("{APP}/auth/signout")).navigation().form(&form).send().expect_status(302);
    assert_eq!(other.location_query("post_logout_redirect_uri").as_deref(), Some(AFTER_LOGOUT));
    assert_ne!(other.location_query("state"), left.location_query("state"));
    assert_eq!(arrives(&browser, &other).url, "https://app.example.com/public?to=another#place");
}

pub fn rp_init_logout_other_state() {
    leads_home_only(|provider| provider.puts("logout_response", "state", json!("another-state-of-nobody")));
}

pub fn rp_init_logout_no_state() {
    leads_home_only(|provider| provider.omits("logout_response", "state"));
}

fn leads_home_only(flaw: impl FnOnce(&Provider)) {
    let env = env();
    let control = env.signs_in();
    let page = arrives(&control, &leaves(&control));
    assert_eq!(page.url, "https://app.example.com/public");

    flaw(&env.provider);
    let browser = env.signs_in();
    let page = arrives(&browser, &leaves(&browser));
    let back =
        page.redirects.iter().find(|reply| reply.url.starts_with(AFTER_LOGOUT)).expect("it comes back");
    assert_eq!((back.status, back.location()), (302, APP));
    assert_eq!(session(&browser), Value::Null);
    env.logged("logout_return_rejected", "state");
}

/// Signs out: the session has ended before the browser leaves.
pub(super) fn leaves(browser: &Client) -> ClientResponse {
    let copy = browser.fork();
    let left = sign_out(browser).expect_status(302);
    assert!(left.location().starts_with(&format!("{ISSUER}/end-session?")), "{}", left.location());
    for client in [browser, &copy] {
        assert_eq!(session(client), Value::Null, "the session has ended, and so have its copies");
    }
    left
}

/// Goes to the provider, and comes back.
pub(super) fn arrives(browser: &Client, left: &ClientResponse) -> ClientResponse {
    let at_provider = browser.get(left.location()).navigation().send().expect_status(302);
    let page = browser
        .get(at_provider.location())
        .navigation()
        .cross_site()
        .follow_within(&["app.example.com", HOST]);
    let mut page = page.send();
    page.redirects.insert(0, at_provider);
    page
}
