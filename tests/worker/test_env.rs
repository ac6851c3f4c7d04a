//! The test environment: the built Worker with a provider and an application, and the actions that many tests share.

use std::ops::Deref;
use std::sync::Arc;

use miniflare_test_harness::{
    Client, ClientResponse, Harness, HarnessBuilder, Request, RequestBuilder, Response,
};
use serde_json::{Value, json};
use vestibule_test_runtimes::vestibule;

use crate::clean_log::assert_clean;
use crate::idp::{self, Idp};

pub const SECRET: &str = "a-secret-for-sessions-that-no-log-may-hold";
pub const APP: &str = "https://app.example.com";

/// A running Worker with its provider. Dropping it checks the whole log: it must contain no confidential text and no
/// uncaught exception.
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
            // The log often explains the failure.
            eprintln!("the Worker's log:\n{}", self.harness.logs().text());
            return;
        }
        self.assert_the_log_is_clean();
    }
}

/// Adds hosts and bindings to a Worker.
pub type Surround = fn(HarnessBuilder) -> HarnessBuilder;

/// Vestibule with the configuration in `wrangler.toml`.
pub fn worker() -> HarnessBuilder {
    vestibule()
}

/// The configuration that most tests use.
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

/// The settings with these top-level keys replaced.
pub fn settings_with(patch: &Value) -> Value {
    let mut settings = settings();
    for (key, value) in patch.as_object().expect("an object") {
        settings[key] = value.clone();
    }
    settings
}

impl TestEnv {
    /// With an application that returns the request it received.
    pub fn new() -> Self {
        Self::with(settings(), |builder| builder.service("APP", echo))
    }

    /// With these settings, and the hosts and bindings that `surround` adds.
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

    /// A new browser in which `user` has signed in.
    pub fn signed_in(&self, user: &str) -> Client {
        let browser = self.client();
        let page = sign_in(&browser, user, "/about");
        assert_eq!((page.status, page.url.as_str()), (200, "https://app.example.com/about"));
        browser
    }

    /// The number of requests to this path of the provider.
    pub fn count_requests(&self, path: &str) -> usize {
        self.requests_to(idp::HOST).iter().filter(|request| request.path() == path).count()
    }

    fn assert_the_log_is_clean(&self) {
        let confidential = self.idp.confidential();
        assert_clean(&self.harness, confidential.iter().map(String::as_str).chain([SECRET]));
    }
}

/// Signs in through the sign-in page, and gives the last page.
pub fn sign_in(browser: &Client, user: &str, return_to: &str) -> ClientResponse {
    begin(browser, APP, user, return_to).follow().send()
}

/// The request that the sign-in page's form sends.
pub fn begin(browser: &Client, app: &str, user: &str, return_to: &str) -> RequestBuilder {
    let csrf = csrf(browser, app);
    browser
        .post(&format!("{app}/auth/signin/acme?login_hint={user}"))
        .navigation()
        .form(&[("csrfToken", &csrf), ("callbackUrl", return_to)])
}

/// The e-mail address of the signed-in user; empty if no user is signed in.
pub fn email(browser: &Client) -> String {
    session(browser, APP)["user"]["email"].as_str().unwrap_or_default().to_owned()
}

/// The CSRF token of this browser.
pub fn csrf(browser: &Client, app: &str) -> String {
    let reply = browser.get(&format!("{app}/auth/csrf")).send().expect_status(200);
    reply.json()["csrfToken"].as_str().expect("a csrf token").to_owned()
}

/// The response to `GET /auth/session`.
pub fn session(browser: &Client, app: &str) -> Value {
    browser.get(&format!("{app}/auth/session")).send().expect_status(200).json()
}

/// An application that returns the request it received.
pub fn echo(request: &Request) -> Response {
    Response::json(&json!({
        "method": request.method,
        "url": request.url(),
        "target": request.target,
        "headers": request.headers,
        "body": request.text(),
    }))
}
