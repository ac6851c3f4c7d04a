//! A browser, which keeps the cookies of one site.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use crate::decider::Decider;
use crate::exchange::{self, Answer};

/// Its cookies. Those with a domain belong to the whole site, others to the host that set them.
#[derive(Clone, Default)]
pub struct Browser(BTreeMap<String, Cookie>);

#[derive(Clone, PartialEq, Eq)]
struct Cookie {
    value: String,
    is_of_site: bool,
}

impl Browser {
    /// The field `Cookie` that goes to every host of the site.
    pub fn cookies(&self) -> String {
        self.field(|cookie| cookie.is_of_site)
    }

    /// All cookies, for the host that has set those without a domain.
    pub fn all_cookies(&self) -> String {
        self.field(|_| true)
    }

    fn field(&self, is_sent: impl Fn(&Cookie) -> bool) -> String {
        let sent = self.0.iter().filter(|(_, cookie)| is_sent(cookie));
        sent.map(|(name, cookie)| format!("{name}={}", cookie.value)).collect::<Vec<_>>().join("; ")
    }

    /// Keeps a cookie of a response.
    pub fn keep(&mut self, set_cookie: &str) {
        let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
        let (name, value) = pair.split_once('=').expect("a cookie");
        let attributes = attributes.to_ascii_lowercase();
        if attributes.contains("max-age=0") || attributes.contains("1970") {
            // Removes the one of the same kind.
            let is_of_site = attributes.contains("domain=");
            if self.0.get(name).is_some_and(|cookie| cookie.is_of_site == is_of_site) {
                self.0.remove(name);
            }
        } else {
            let cookie = Cookie { value: value.to_owned(), is_of_site: attributes.contains("domain=") };
            self.0.insert(name.to_owned(), cookie);
        }
    }

    fn send(&mut self, at: SocketAddr, host: &str, method: &str, target: &str, form: &str) -> Answer {
        let (cookies, origin) = (self.all_cookies(), format!("https://{host}"));
        let headers = [
            ("host", host),
            ("cookie", cookies.as_str()),
            ("origin", &origin),
            ("accept", "text/html"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "navigate"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let headers = if form.is_empty() { &headers[..headers.len() - 1] } else { &headers[..] };
        let answer = exchange::ask(at, method, target, headers, form);
        let answer = answer.unwrap_or_else(|| panic!("no answer to {method} {target} of {host}"));
        for cookie in answer.all("set-cookie") {
            self.keep(cookie);
        }
        answer
    }

    fn csrf_token(&mut self, at: SocketAddr, host: &str) -> String {
        let answer = self.send(at, host, "GET", "/auth/csrf", "");
        // Perhaps in chunks.
        let json =
            answer.body.find('{').zip(answer.body.rfind('}')).map(|(begin, end)| &answer.body[begin..=end]);
        let value: Value = json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        value["csrfToken"].as_str().unwrap_or_else(|| panic!("no token: {answer:?}")).to_owned()
    }

    /// Signs a user in on this host, which is reached at this address.
    ///
    /// # Panics
    /// If a step of it fails.
    pub fn sign_in(&mut self, decider: &Decider, at: SocketAddr, host: &str, user: &str) {
        let token = self.csrf_token(at, host);
        let form = format!("csrfToken={token}&callbackUrl=https%3A%2F%2Fapp.example.com%2Fabout");
        let begun = self.send(at, host, "POST", &format!("/auth/signin/acme?login_hint={user}"), &form);
        let location = begun.all("location").first().map(|location| (*location).to_owned());
        let location = location.unwrap_or_else(|| panic!("no redirect: {begun:?}"));
        let callback = decider.authorize(&location);
        let target = callback.strip_prefix(&format!("https://{host}"));
        let target = target.unwrap_or_else(|| panic!("another host: {callback}"));
        let done = self.send(at, host, "GET", target, "");
        assert_eq!(done.all("location"), ["https://app.example.com/about"], "{done:?}");
    }

    /// Signs out on this host.
    ///
    /// # Panics
    /// If it fails.
    pub fn sign_out(&mut self, at: SocketAddr, host: &str) {
        let token = self.csrf_token(at, host);
        let done = self.send(at, host, "POST", "/auth/signout", &format!("csrfToken={token}"));
        assert_eq!(done.status, 302, "{done:?}");
    }
}
