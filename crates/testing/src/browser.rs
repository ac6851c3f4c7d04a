//! A browser with a cookie jar.

use std::collections::BTreeMap;

use serde_json::Value;
use vestibule_core::http::form::Params;

use crate::settings::APP;
use crate::test_env::{Answer, TestEnv};

/// A browser with one tab.
#[derive(Clone, Default)]
pub struct Browser {
    jar: BTreeMap<String, String>,
    /// The paths of the cookies that have another one than `/`.
    paths: BTreeMap<String, String>,
}

impl Browser {
    /// A browser without cookies.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of the cookie with this name.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.get(name).map(String::as_str)
    }

    /// The names of its cookies.
    pub fn cookie_names(&self) -> Vec<&str> {
        self.jar.keys().map(String::as_str).collect()
    }

    /// Sets a cookie, as an attacker or a test would.
    pub fn plant(&mut self, name: &str, value: &str) {
        self.jar.insert(name.to_owned(), value.to_owned());
    }

    /// Navigates to a page.
    pub fn open<P>(&mut self, world: &TestEnv<P>, url: &str) -> Answer {
        self.send(world, "GET", url, &[("sec-fetch-mode", "navigate"), ("accept", "text/html")], b"")
    }

    /// Sends a script's request for data.
    pub fn fetch<P>(&mut self, world: &TestEnv<P>, url: &str) -> Answer {
        self.send(world, "GET", url, &[("sec-fetch-mode", "cors"), ("accept", "application/json")], b"")
    }

    /// Sends a form.
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

    /// Sends a request with the browser's cookies, and stores those of the answer.
    pub fn send<P>(
        &mut self,
        world: &TestEnv<P>,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let cookies = self.cookies_for(url);
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        let answer = world.send(method, url, &all, body);
        self.take(&answer);
        answer
    }

    /// The value of the `Cookie` header for most pages.
    pub fn cookie_header(&self) -> String {
        self.cookies_for(APP)
    }

    /// The value of the `Cookie` header for this URL (RFC 6265 section 5.1.4).
    pub fn cookies_for(&self, url: &str) -> String {
        let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = after_scheme.find('/').map_or("/", |at| &after_scheme[at..]);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let goes = |name: &String| match self.paths.get(name).map(|of| path.strip_prefix(of.as_str())) {
            None | Some(Some("")) => true,
            Some(below) => below.is_some_and(|rest| rest.starts_with('/')),
        };
        let cookies = self.jar.iter().filter(|(name, _)| goes(name));
        cookies.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Stores an answer's cookies.
    pub fn take(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("name=value");
            let path = attributes.split(';').find_map(|it| it.trim().strip_prefix("Path=")).unwrap_or("/");
            if attributes.contains("Max-Age=0") {
                // A cookie of another path is another cookie.
                if self.paths.get(name).map_or("/", String::as_str) == path {
                    self.jar.remove(name);
                    self.paths.remove(name);
                }
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
                if path == "/" {
                    self.paths.remove(name);
                } else {
                    self.paths.insert(name.to_owned(), path.to_owned());
                }
            }
        }
    }

    /// Fetches this browser's CSRF token.
    pub fn csrf<P>(&mut self, world: &TestEnv<P>) -> String {
        let answer = self.fetch(world, &format!("{APP}/auth/csrf"));
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        json["csrfToken"].as_str().unwrap().to_owned()
    }

    /// Begins a sign-in, and returns the authorization request that the provider gets.
    pub fn begin(&mut self, world: &TestEnv, return_to: &str) -> AuthorizationRequest {
        let csrf = self.csrf(world);
        let answer = self.post(
            world,
            &format!("{APP}/auth/signin/acme"),
            &[("csrfToken", &csrf), ("callbackUrl", return_to)],
        );
        AuthorizationRequest::read(answer.location())
    }

    /// Signs in as `user`, and returns the answer of the callback.
    pub fn sign_in(&mut self, world: &TestEnv, user: &str, return_to: &str) -> Answer {
        let request = self.begin(world, return_to);
        let callback = world.provider.authorize(&request, user);
        self.open(world, &callback)
    }

    /// Lets the provider post its response (`form_post`), and returns the answer. From another site the browser sends no cookies
    /// but those with `SameSite=None`: the transaction's.
    pub fn post_response(
        &mut self,
        world: &TestEnv,
        request: &AuthorizationRequest,
        user: &str,
        is_same_site: bool,
    ) -> Answer {
        let callback = world.provider.authorize(request, user);
        let (url, response) = callback.split_once('?').unwrap();
        let mut sender = self.clone();
        if !is_same_site {
            sender.jar.retain(|name, _| name.contains("transaction"));
        }
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", if is_same_site { "same-site" } else { "cross-site" }),
            ("origin", "https://idp.example"),
        ];
        let answer = sender.send(world, "POST", url, &headers, response.as_bytes());
        self.take(&answer);
        answer
    }

    /// The answer of `/auth/session`.
    pub fn session<P>(&mut self, world: &TestEnv<P>) -> Value {
        let answer = self.fetch(world, &format!("{APP}/auth/session"));
        assert_eq!(answer.status, 200);
        serde_json::from_str(&answer.body).unwrap()
    }
}

/// The authorization request that the browser takes to the provider.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// The URL without its query.
    pub endpoint: String,
    /// The query's parameters.
    pub params: BTreeMap<String, String>,
}

impl AuthorizationRequest {
    /// Reads a redirect to the provider.
    pub fn read(location: &str) -> Self {
        let (endpoint, query) = location.split_once('?').expect("parameters");
        let params = Params::from_urlencoded(query.as_bytes())
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        Self { endpoint: endpoint.to_owned(), params }
    }
}
