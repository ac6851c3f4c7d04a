//! A browser: its cookies, and the walk through a sign-in.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::http::{self, Message};
use crate::provider::Provider;

/// A browser at one server.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
    /// The origin of the site, if that is not its address.
    pub(crate) origin: Option<&'static str>,
}

impl Browser {
    /// A request of this browser.
    pub(crate) fn request(&self, address: SocketAddr, method: &str, target: &str) -> Message {
        let origin = self.origin_at(address);
        let request = Message::request(method, target)
            .with("host", origin.rsplit('/').next().unwrap())
            .with("accept", "text/html")
            .with("sec-fetch-site", "same-origin")
            .with("origin", origin.clone());
        if self.cookies.is_empty() { request } else { request.with("cookie", self.cookie()) }
    }

    fn origin_at(&self, address: SocketAddr) -> String {
        self.origin.map_or_else(|| format!("http://{address}"), str::to_owned)
    }

    pub(crate) fn cookie(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    pub(crate) fn get(&mut self, address: SocketAddr, target: &str) -> Message {
        let request = self.request(address, "GET", target);
        self.send(address, &request)
    }

    pub(crate) fn post(&mut self, address: SocketAddr, target: &str, form: &str) -> Message {
        let request = self.request(address, "POST", target);
        let request = request.with("content-type", "application/x-www-form-urlencoded").with_body(form);
        self.send(address, &request)
    }

    pub(crate) fn send(&mut self, address: SocketAddr, request: &Message) -> Message {
        let response = http::send(address, request);
        self.keep(&response);
        response
    }

    /// Keeps the cookies of a response.
    pub(crate) fn keep(&mut self, response: &Message) {
        for cookie in response.all("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let attributes = attributes.to_ascii_lowercase();
            if attributes.contains("max-age=0") || attributes.contains("1970") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn csrf(&mut self, address: SocketAddr) -> String {
        let token = self.get(address, "/auth/csrf").value();
        token["csrfToken"].as_str().unwrap().to_owned()
    }

    /// Signs in at the provider.
    pub(crate) fn sign_in(&mut self, address: SocketAddr, provider: &Provider) {
        let token = self.csrf(address);
        let begun =
            self.post(address, "/auth/signin/demo", &format!("csrfToken={token}&callbackUrl=%2Fpage"));
        let location = begun.field("location").unwrap_or_else(|| panic!("{begun:?} {}", begun.text()));
        let callback = provider.authorize(location);
        let target = callback.strip_prefix(&self.origin_at(address)).unwrap_or_else(|| panic!("{callback}"));
        let done = self.get(address, target);
        assert_eq!(done.status(), 302, "{done:?} {}", done.text());
        assert!(done.field("location").unwrap().ends_with("/page"), "{done:?}");
    }

    /// Signs out everywhere.
    pub(crate) fn sign_out(&mut self, address: SocketAddr) {
        let done = self.try_sign_out(address);
        assert_eq!(done.status(), 302, "{done:?} {}", done.text());
    }

    /// Signs out, at least here.
    pub(crate) fn try_sign_out(&mut self, address: SocketAddr) -> Message {
        let token = self.csrf(address);
        self.post(address, "/auth/signout", &format!("csrfToken={token}"))
    }

    /// A browser that signed in.
    pub(crate) fn signed_in(address: SocketAddr, provider: &Provider) -> Self {
        let mut browser = Self::default();
        browser.sign_in(address, provider);
        browser
    }
}
