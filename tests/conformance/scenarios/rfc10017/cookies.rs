//! The cookies of a backend for a browser-based application (RFC 10017 section 6.1.3.2).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use miniflare_test_harness::{Client, ClientResponse};
use serde_json::json;

use super::{SIBLING, last, offline};
use crate::env::{APP, COOKIE, Env, csrf, expire, settings, sign_in, sign_out};
use crate::scenarios::form_post;

pub fn cookies_secure() {
    for cookie in all_cookies(&Env::new(&offline())) {
        assert!(has(&cookie, "Secure"), "{cookie}");
    }
}

pub fn cookies_http_only() {
    for cookie in all_cookies(&Env::new(&offline())) {
        assert!(has(&cookie, "HttpOnly"), "{cookie}");
    }
    // With a form post the cookie of the sign-in is `SameSite=None`, and nothing else is different.
    for cookie in all_cookies(&Env::new(&form_post())) {
        assert!(has(&cookie, "HttpOnly") && has(&cookie, "Secure"), "{cookie}");
    }
}

pub fn cookies_same_site() {
    let env = Env::new(&json!({}));
    let all = all_cookies(&env);
    assert!(all.iter().all(|cookie| has(cookie, "SameSite=Lax")), "{all:#?}");
    let browser = env.signs_in();
    let link = browser.get(&format!("{APP}/dashboard")).navigation().cross_site().send();
    assert_eq!((link.status, last(&env).header("x-user")), (200, Some("alice@example.com")));
    let known = env.requests_to_service("APP").len();
    let form = browser.post(&format!("{APP}/dashboard")).navigation().cross_site();
    let refused = form.header("origin", "https://evil.example").form(&[("to", "mallory")]).send();
    assert_ne!(refused.status, 200);
    assert_eq!(env.requests_to_service("APP").len(), known);
}

pub fn cookies_path() {
    for cookie in session_cookies(&Env::new(&offline())) {
        assert!(has(&cookie, "Path=/"), "{cookie}");
    }
}

pub fn cookies_domain() {
    let all = all_cookies(&Env::new(&offline()));
    assert!(all.iter().all(|cookie| attribute(cookie, "Domain").is_none()), "{all:#?}");
    // Shared on purpose: the session, and whose the last one was. What else there is stays on its host.
    let mut shared = settings(&offline());
    shared["cookies"] = json!({ "domain": "example.com" });
    let env = Env::with(shared, |builder| builder);
    for cookie in all_cookies(&env) {
        let is_shared = ["session-token=", "last-user="].iter().any(|name| cookie.contains(name));
        assert_eq!(attribute(&cookie, "Domain").is_some(), is_shared, "{cookie}");
    }
}

pub fn cookies_prefix() {
    let all = all_cookies(&Env::new(&offline()));
    let is_prefixed = |cookie: &String| cookie.starts_with("__Secure-") || cookie.starts_with("__Host-");
    assert!(all.iter().all(is_prefixed), "{all:#?}");
    let mut settings = settings(&offline());
    settings["cookies"] = json!({ "host_prefix": true });
    let env = Env::with(settings, |builder| builder);
    let browser = env.client();
    let page = sign_in(&browser, "");
    assert_eq!((page.status, page.url), (200, format!("{APP}/dashboard")));
    let names: Vec<String> = browser.cookies(APP).into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().any(|name| name == "__Host-authjs.session-token"), "{names:?}");
    // No other host of the domain can set it.
    browser.clear_cookies();
    browser.set_cookie(SIBLING, "__Host-authjs.session-token=planted; Domain=example.com; Path=/; Secure");
    assert_eq!(browser.cookies(APP), []);
}

pub fn cookies_encrypted() {
    let env = Env::new(&offline());
    let browser = env.signs_in();
    let sealed = browser.cookie(APP, COOKIE).unwrap();
    // A JWE in compact serialization (RFC 7516): its other parts are no text.
    let parts: Vec<&str> = sealed.split('.').collect();
    assert_eq!((parts.len(), parts[1]), (5, ""), "encrypted with the key itself");
    let header = decoded(parts[0]);
    assert!(header.contains("\"alg\":\"dir\"") && header.contains("A256CBC-HS512"), "{header}");
    for cookie in browser.cookies(APP) {
        let texts = cookie.1.split(['.', '%']).map(decoded).chain([cookie.1.clone()]);
        for text in texts {
            for secret in env.provider.confidential() {
                assert!(!text.contains(&secret), "{}: {text}", cookie.0);
            }
            assert!(!text.contains("alice"), "{}: {text}", cookie.0);
        }
    }
}

/// Every cookie that is set in a sign-in, a visit, a refresh and a sign-out.
fn all_cookies(env: &Env) -> Vec<String> {
    let browser = env.client();
    let mut replies = Vec::new();
    let mut get = |browser: &Client, path: &str| {
        replies.push(browser.get(&format!("{APP}{path}")).navigation().send());
    };
    get(&browser, "/dashboard");
    get(&browser, "/auth/signin");
    get(&browser, "/auth/csrf");
    let begun = begin(&browser);
    let page = sign_in(&browser, "");
    assert_eq!(page.url, format!("{APP}/dashboard"));
    expire(&browser);
    get(&browser, "/dashboard");
    get(&browser, "/auth/session");
    replies.extend([begun, page, sign_out(&browser)]);
    let flat = replies.iter().flat_map(|reply| reply.redirects.iter().chain([reply]));
    let own = flat.filter(|reply| reply.url.starts_with(APP));
    // What is removed is removed from former domains, too.
    let set = own.flat_map(ClientResponse::set_cookies).filter(|cookie| !has(cookie, "Max-Age=0"));
    let cookies: Vec<String> = set.map(str::to_owned).collect();
    for name in ["session-token", "csrf-token", "transaction"] {
        assert!(cookies.iter().any(|cookie| cookie.contains(name)), "no {name} in {cookies:#?}");
    }
    cookies
}

fn session_cookies(env: &Env) -> Vec<String> {
    let all = all_cookies(env).into_iter();
    all.filter(|cookie| cookie.starts_with("__Secure-authjs.session-token")).collect()
}

/// The answer that begins a sign-in.
fn begin(browser: &Client) -> ClientResponse {
    let csrf = csrf(browser);
    let form = [("csrfToken", csrf.as_str()), ("callbackUrl", "/dashboard")];
    browser.post(&format!("{APP}/auth/signin/suite")).navigation().form(&form).send().expect_status(302)
}

/// Whether the cookie has this attribute.
fn has(cookie: &str, attribute: &str) -> bool {
    cookie.split(';').skip(1).any(|part| part.trim().eq_ignore_ascii_case(attribute))
}

/// The value of an attribute.
fn attribute<'c>(cookie: &'c str, name: &str) -> Option<&'c str> {
    let parts = cookie.split(';').skip(1).filter_map(|part| part.trim().split_once('='));
    parts.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn decoded(text: &str) -> String {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
