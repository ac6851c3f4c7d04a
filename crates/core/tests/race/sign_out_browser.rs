//! The browsers in a race with a sign-out, and the holders of copies.

use std::cell::RefCell;

use serde_json::Value;
use vestibule_testing::{APP, Answer, Browser, TestEnv};

pub const COOKIE: &str = "__Secure-authjs.session-token";

/// A browser's cookie, or a copy of it.
pub struct Holder {
    /// Which of the race's sessions it is of.
    pub session: usize,
    pub original: String,
    pub newest: RefCell<String>,
    pub is_thief: bool,
}

impl Holder {
    /// A browser with this cookie.
    pub fn new(session: usize, cookie: String) -> Self {
        Self { session, original: cookie.clone(), newest: RefCell::new(cookie), is_thief: false }
    }

    /// Someone who has a copy.
    pub fn stolen(&self) -> Self {
        Self {
            session: self.session,
            original: self.original.clone(),
            newest: self.newest.clone(),
            is_thief: true,
        }
    }

    /// Stores the cookie of an answer. A thief keeps what the answer removes.
    pub fn take(&self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.split_once(';').map_or(cookie, |(pair, _)| pair);
            let value = pair.strip_prefix(COOKIE).and_then(|rest| rest.strip_prefix('='));
            if let Some(value) = value.filter(|value| !self.is_thief || !value.is_empty()) {
                value.clone_into(&mut self.newest.borrow_mut());
            }
        }
    }
}

/// The browser's token for forms.
pub async fn csrf(isolate: &TestEnv, browser: &mut Browser) -> String {
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "cors")];
    let answer = isolate.sent("GET", &format!("{APP}/auth/csrf"), &headers, b"").await;
    browser.take(&answer);
    let json: Value = serde_json::from_str(&answer.body).unwrap();
    json["csrfToken"].as_str().unwrap().to_owned()
}

/// Sends a form.
pub async fn post(isolate: &TestEnv, browser: &mut Browser, path: &str, form: &str) -> Answer {
    let cookies = browser.cookie_header();
    let headers = [
        ("cookie", cookies.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-mode", "navigate"),
    ];
    let answer = isolate.sent("POST", &format!("{APP}{path}"), &headers, form.as_bytes()).await;
    browser.take(&answer);
    answer
}
