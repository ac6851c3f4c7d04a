//! The built Worker with a provider and an application around it, and what every test does with them.

use std::ops::Deref;
use std::sync::Arc;

use miniflare_test_harness::{Client, Harness, HarnessBuilder, Reply, Request, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::idp::{self, Idp};
use crate::repository::root;

pub const SECRET: &str = "a-secret-for-sessions-that-no-log-may-hold";
pub const APP: &str = "https://app.example.com";

/// A running Worker. When it goes, its whole log is looked through: for what must never be in one, and for
/// exceptions that nobody caught.
pub struct TestEnv {
    harness: Harness,
    pub idp: Arc<Idp>,
}

impl Deref for TestEnv {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.harness
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The log is what tells why.
            eprintln!("the Worker logged:\n{}", self.harness.logs().text());
            return;
        }
        self.assert_the_log_is_clean();
    }
}

/// What stands around the Worker in a test.
pub type Surround = fn(HarnessBuilder) -> HarnessBuilder;

/// `wrangler.toml` with the Worker that `cargo xtask build` made.
pub fn worker() -> HarnessBuilder {
    let built = root().join("build/index.js");
    assert!(built.exists(), "there is no {}: run `cargo xtask build` first", built.display());
    Harness::from_wrangler(root().join("wrangler.toml"))
}

/// The configuration that tests begin from.
pub fn settings() -> Value {
    json!({
        "providers": [{ "id": "acme", "type": "oidc", "name": "Acme", "issuer": idp::ISSUER }],
        "claims": { "roles": "profile.roles" },
        "session": { "expose": { "access_token": "access_token", "user.roles": "roles" } },
        "rules": [
            { "match": ["/", "/about", "/public/:path*"], "access": "public" },
            { "match": "/admin/:path*", "require": { "roles": ["admin"] } },
        ],
        "upstreams": [{
            "to": "service:APP",
            "authorization": "access_token",
            "headers": { "X-User-Email": "email", "X-User-Name": "name", "X-User-Roles": "roles" },
        }],
    })
}

/// The settings with an RFC 7396 patch.
pub fn settings_with(patch: &Value) -> Value {
    let mut settings = settings();
    for (key, value) in patch.as_object().expect("an object") {
        settings[key] = value.clone();
    }
    settings
}

impl TestEnv {
    /// In front of an application that tells what it got.
    pub fn new() -> Self {
        Self::with(settings(), |builder| builder.service("APP", echo))
    }

    /// With these settings, and what else `surround` puts there.
    pub fn with(settings: Value, surround: impl FnOnce(HarnessBuilder) -> HarnessBuilder) -> Self {
        let idp = Idp::new();
        let provider = Arc::clone(&idp);
        let builder = worker()
            .var("AUTH", settings)
            .secret("AUTH_SECRET", SECRET)
            .secret("AUTH_ACME_ID", idp::CLIENT_ID)
            .secret("AUTH_ACME_SECRET", idp::CLIENT_SECRET)
            .host(idp::HOST, move |request| provider.answer(request));
        let harness = surround(builder).start().expect("the Worker starts");
        Self { harness, idp }
    }

    /// A browser in which `user` has signed in.
    pub fn signed_in(&self, user: &str) -> Client {
        let browser = self.client();
        let page = sign_in(&browser, user, "/about");
        assert_eq!((page.status, page.url.as_str()), (200, "https://app.example.com/about"));
        browser
    }

    /// How often the provider was asked for this path.
    pub fn asked(&self, path: &str) -> usize {
        self.requests_to(idp::HOST).iter().filter(|request| request.path() == path).count()
    }

    fn assert_the_log_is_clean(&self) {
        let log = self.harness.logs().text();
        let confidential = self.idp.confidential();
        for word in confidential.iter().map(String::as_str).chain([SECRET]) {
            assert!(!log.contains(word), "the log holds {word:?}:\n{log}");
        }
        assert!(!log.contains("eyJ"), "the log holds a token:\n{log}");
        let lines = self.harness.logs().lines();
        let exceptions: Vec<_> = lines.iter().filter(|line| line.from_runtime).collect();
        assert!(exceptions.is_empty(), "the runtime complains: {exceptions:#?}");
    }
}

/// Signs in as a person does, and gives what the browser shows at the end.
pub fn sign_in(browser: &Client, user: &str, return_to: &str) -> Reply {
    begin(browser, APP, user, return_to).follow().send()
}

/// The form of the sign-in page, about to be sent.
pub fn begin(browser: &Client, app: &str, user: &str, return_to: &str) -> RequestBuilder {
    let csrf = csrf(browser, app);
    browser
        .post(&format!("{app}/auth/signin/acme?login_hint={user}"))
        .navigation()
        .form(&[("csrfToken", &csrf), ("callbackUrl", return_to)])
}

/// Who is signed in, by e-mail address; an empty text for nobody.
pub fn email(browser: &Client) -> String {
    session(browser, APP)["user"]["email"].as_str().unwrap_or_default().to_owned()
}

/// A csrf token of this browser's.
pub fn csrf(browser: &Client, app: &str) -> String {
    let reply = browser.get(&format!("{app}/auth/csrf")).send().expect_status(200);
    reply.json()["csrfToken"].as_str().expect("a csrf token").to_owned()
}

/// `GET /auth/session`.
pub fn session(browser: &Client, app: &str) -> Value {
    browser.get(&format!("{app}/auth/session")).send().expect_status(200).json()
}

/// An application that tells what it got.
pub fn echo(request: &Request) -> Response {
    Response::json(&json!({
        "method": request.method,
        "url": request.url(),
        "target": request.target,
        "headers": request.headers,
        "body": request.text(),
    }))
}
