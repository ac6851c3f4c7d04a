//! A browser: it keeps cookies, and goes where it is sent.

use std::collections::BTreeMap;

use serde_json::Value;
use vestibule_core::http::form::Params;

use crate::settings::APP;
use crate::test_env::{Answer, TestEnv};

/// A browser with one tab.
#[derive(Clone, Default)]
pub struct Browser {
    jar: BTreeMap<String, String>,
}

impl Browser {
    /// One without cookies.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of the cookie of that name.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.get(name).map(String::as_str)
    }

    /// The names of its cookies.
    pub fn cookie_names(&self) -> Vec<&str> {
        self.jar.keys().map(String::as_str).collect()
    }

    /// Gives it a cookie.
    pub fn plant(&mut self, name: &str, value: &str) {
        self.jar.insert(name.to_owned(), value.to_owned());
    }

    /// A person opens a page.
    pub fn open<P>(&mut self, world: &TestEnv<P>, url: &str) -> Answer {
        self.send(world, "GET", url, &[("sec-fetch-mode", "navigate"), ("accept", "text/html")], b"")
    }

    /// A script asks for data.
    pub fn fetch<P>(&mut self, world: &TestEnv<P>, url: &str) -> Answer {
        self.send(world, "GET", url, &[("sec-fetch-mode", "cors"), ("accept", "application/json")], b"")
    }

    /// A form is sent.
    pub fn post<P>(&mut self, world: &TestEnv<P>, url: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(world, url, fields, &[])
    }

    /// The same with further header fields.
    pub fn post_with<P>(
        &mut self,
        world: &TestEnv<P>,
        url: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut all =
            vec![("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-mode", "navigate")];
        all.extend_from_slice(headers);
        self.send(world, "POST", url, &all, form.as_bytes())
    }

    /// Sends a request with its cookies, and takes those of the answer.
    pub fn send<P>(
        &mut self,
        world: &TestEnv<P>,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let cookies = self.cookie_header();
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        let answer = world.send(method, url, &all, body);
        self.take(&answer);
        answer
    }

    /// Its cookies as a request has them.
    pub fn cookie_header(&self) -> String {
        let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    /// Takes an answer's cookies.
    pub fn take(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("name=value");
            if attributes.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The csrf token of this browser.
    pub fn csrf<P>(&mut self, world: &TestEnv<P>) -> String {
        let answer = self.fetch(world, &format!("{APP}/auth/csrf"));
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        json["csrfToken"].as_str().unwrap().to_owned()
    }

    /// Goes as far as the provider: the authorization request.
    pub fn begin(&mut self, world: &TestEnv, return_to: &str) -> AuthorizationRequest {
        let csrf = self.csrf(world);
        let answer = self.post(
            world,
            &format!("{APP}/auth/signin/acme"),
            &[("csrfToken", &csrf), ("callbackUrl", return_to)],
        );
        AuthorizationRequest::read(answer.location())
    }

    /// Signs in as `user`, and gives what the browser got at the end.
    pub fn sign_in(&mut self, world: &TestEnv, user: &str, return_to: &str) -> Answer {
        let request = self.begin(world, return_to);
        let callback = world.provider.authorize(&request, user);
        self.open(world, &callback)
    }

    /// What `/auth/session` says of it.
    pub fn session<P>(&mut self, world: &TestEnv<P>) -> Value {
        let answer = self.fetch(world, &format!("{APP}/auth/session"));
        assert_eq!(answer.status, 200);
        serde_json::from_str(&answer.body).unwrap()
    }
}

/// What the browser brings to the provider.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// The URL without its query.
    pub endpoint: String,
    /// The query's parameters.
    pub params: BTreeMap<String, String>,
}

impl AuthorizationRequest {
    /// Reads where a browser is sent.
    pub fn read(location: &str) -> Self {
        let (endpoint, query) = location.split_once('?').expect("parameters");
        let params = Params::from_urlencoded(query.as_bytes())
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        Self { endpoint: endpoint.to_owned(), params }
    }
}
