//! The built Worker with the provider of the suite and an application, and what the modules do with a browser.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use miniflare_test_harness::{
    Client, ClientResponse, Harness, HarnessBuilder, LogLine, Request, Response, StartError,
};
use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::time::Timestamp;
use vestibule_test_runtimes::vestibule;
use vestibule_testing::FakeRandom;

use crate::clean_log::assert_clean;
use crate::provider::{
    self, CALLBACK, CLIENT_ID, CLIENT_SECRET, HOST, ISSUER, Provider, Signature, email, now,
};

pub const APP: &str = "https://app.example.com";
pub const COOKIE: &str = "__Secure-authjs.session-token";

const SECRET: &str = "a-secret-for-sessions-that-no-log-may-hold";
const MAX_WAIT: Duration = Duration::from_secs(5);

/// A running Worker with the provider. Dropping it checks the whole log: it must contain no confidential text and no
/// uncaught exception.
pub struct Env {
    harness: Harness,
    pub provider: Arc<Provider>,
}

impl Deref for Env {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.harness
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The log often explains the failure.
            eprintln!("the Worker's log:\n{}", self.harness.logs().text());
            return;
        }
        let confidential = self.provider.confidential();
        assert_clean(&self.harness, confidential.iter().map(String::as_str).chain([SECRET]));
        self.harness.assert_no_unknown_requests();
    }
}

/// The configuration, in which the provider has these keys, too.
pub fn settings(provider: &Value) -> Value {
    let mut keys = json!({ "id": "suite", "type": "oidc", "issuer": ISSUER, "client_id": CLIENT_ID });
    keys.as_object_mut().unwrap().extend(provider.as_object().expect("an object").clone());
    json!({
        "providers": [keys],
        "claims": { "nickname": "profile.nickname" },
        "session": { "expose": { "access_token": "access_token", "user.nickname": "nickname" } },
        "rules": [{ "match": "/public", "access": "public" }],
        "upstreams": [{ "to": "service:APP", "authorization": "access_token", "headers": { "X-User": "email" } }],
    })
}

impl Env {
    /// With a provider that has these keys in the configuration, too.
    pub fn new(provider: &Value) -> Self {
        Self::with(settings(provider), |builder| builder)
    }

    /// With a provider that follows FAPI 2.0, and an application that checks the proof of each request. The provider has
    /// these keys, too. With Message Signing requests are signed.
    pub fn strict(keys: &Value) -> Self {
        let is_signed = keys["request_object"] == true;
        let vectors: Value =
            serde_json::from_str(include_str!("../../crates/oidc/tests/vectors/private-keys.json"))
                .expect("JSON");
        let private_key = vectors["P-256"]["pem"].as_str().expect("a key");
        let mut settings = settings(keys);
        // A bound token is of no use to a page.
        settings["session"] = json!({});
        let env = Self::start(settings, |builder, provider| {
            builder
                .without_binding("AUTH_SUITE_SECRET")
                .secret("AUTH_SUITE_PRIVATE_KEY", private_key)
                .service("APP", move |request| {
                    provider.refuses_at_resource(request).unwrap_or_else(|| echo(request))
                })
        });
        let published = env.client().get(&format!("{APP}/auth/client-keys.json")).send().expect_status(200);
        let keys = published.json()["keys"].as_array().expect("keys").clone();
        env.provider.becomes_strict(keys, is_signed);
        env.provider.signs(Signature::honest("P-256", "ES256"));
        env.provider.publishes(vec![provider::key("P-256")]);
        env
    }

    /// With this configuration, and what `surround` adds.
    pub fn with(settings: Value, surround: impl FnOnce(HarnessBuilder) -> HarnessBuilder) -> Self {
        Self::start(settings, |builder, _| surround(builder))
    }

    /// Why a server of its own does not start with this configuration.
    pub fn refused(settings: Value) -> String {
        let builder = vestibule().var("AUTH", settings).secret("AUTH_SECRET", SECRET);
        match builder.secret("AUTH_SUITE_SECRET", CLIENT_SECRET).service("APP", echo).start() {
            Err(StartError::Runtime { output, .. }) => output,
            Err(error) => panic!("{error:?}"),
            Ok(_) => panic!("it starts"),
        }
    }

    fn start(
        settings: Value,
        surround: impl FnOnce(HarnessBuilder, Arc<Provider>) -> HarnessBuilder,
    ) -> Self {
        let provider = Provider::new();
        let answering = Arc::clone(&provider);
        let builder = vestibule()
            .var("AUTH", settings)
            .secret("AUTH_SECRET", SECRET)
            .secret("AUTH_SUITE_SECRET", CLIENT_SECRET)
            .host(HOST, move |request| answering.answer(request))
            .service("APP", echo);
        let harness = surround(builder, Arc::clone(&provider)).start().expect("the Worker starts");
        Self { harness, provider }
    }

    /// Alice signs in, in a new browser: she comes to where she was going, and it is her session.
    pub fn signs_in(&self) -> Client {
        self.signs_in_as("alice")
    }

    /// The same for another user.
    pub fn signs_in_as(&self, user: &str) -> Client {
        let browser = self.client();
        let page = sign_in(&browser, &format!("?login_hint={user}"));
        assert_eq!((page.status, page.url.as_str()), (200, "https://app.example.com/dashboard"));
        assert_eq!(session(&browser)["user"]["email"], json!(email(user)));
        browser
    }

    /// From now on a sign-in ends on the error page, with a line in the log that has this text. Nothing reaches the
    /// application, and as nothing of the provider's answer is used, not even userinfo is requested.
    pub fn refuses(&self, cause: &str) {
        let asked = self.count("userinfo");
        self.refuses_late(cause);
        assert_eq!(self.count("userinfo"), asked, "userinfo is requested in spite of {cause}");
    }

    /// The same, and userinfo may have been requested.
    pub fn refuses_late(&self, cause: &str) {
        let forwarded = self.requests_to_service("APP").len();
        let browser = self.client();
        let page = sign_in(&browser, "");
        assert_eq!(
            (page.status, page.url.as_str()),
            (500, "https://app.example.com/auth/error?error=Configuration")
        );
        assert_eq!(session(&browser), Value::Null);
        assert_eq!(self.requests_to_service("APP").len(), forwarded);
        self.logged("auth_error", cause);
    }

    /// Waits for a line of the log about this event, whose message has the text.
    pub fn logged(&self, event: &str, text: &str) -> Value {
        let is_it = |line: &Value| {
            line["event"] == event && line["message"].as_str().is_some_and(|message| message.contains(text))
        };
        let line =
            self.logs().wait_until(MAX_WAIT, |lines| lines.iter().filter_map(LogLine::json).find(is_it));
        line.unwrap_or_else(|| panic!("no {event} with {text:?} in\n{}", self.logs().text()))
    }

    /// The number of requests to this endpoint of the provider.
    pub fn count(&self, place: &str) -> usize {
        self.requests(place).len()
    }

    /// The requests to this endpoint of the provider.
    pub fn requests(&self, place: &str) -> Vec<Request> {
        let path = self.provider.path(place);
        self.requests_to(HOST).into_iter().filter(|request| request.path() == path).collect()
    }
}

/// Signs alice in, and gives the last page. `query` is what the application adds to the address of the form.
pub fn sign_in(browser: &Client, query: &str) -> ClientResponse {
    let csrf = csrf(browser);
    let begun = browser
        .post(&format!("{APP}/auth/signin/suite{query}"))
        .navigation()
        .form(&[("csrfToken", &csrf), ("callbackUrl", "/dashboard")])
        .follow_within(&[HOST, "app.example.com"])
        .send();
    come_back(browser, begun)
}

/// If the page is the provider's form, sends it, as its script does in a browser.
pub fn come_back(browser: &Client, page: ClientResponse) -> ClientResponse {
    let text = page.text();
    if !page.url.starts_with(ISSUER) || !text.contains("<form ") {
        return page;
    }
    let inputs = text.split("<input ").skip(1);
    let attribute = |input: &str, name: &str| {
        let (_, rest) = input.split_once(&format!("{name}=\"")).expect("the attribute");
        rest.split('"').next().expect("its end").to_owned()
    };
    let fields: Vec<(String, String)> =
        inputs.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect();
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(CALLBACK).navigation().cross_site().header("origin", ISSUER).form(&fields).follow().send()
}

/// The CSRF token of this browser.
pub fn csrf(browser: &Client) -> String {
    let reply = browser.get(&format!("{APP}/auth/csrf")).send().expect_status(200);
    reply.json()["csrfToken"].as_str().expect("a csrf token").to_owned()
}

/// The response to `GET /auth/session`.
pub fn session(browser: &Client) -> Value {
    browser.get(&format!("{APP}/auth/session")).send().expect_status(200).json()
}

/// The browser signs out, by the form of the sign-out page.
pub fn sign_out(browser: &Client) -> ClientResponse {
    let csrf = csrf(browser);
    let form = [("csrfToken", csrf.as_str()), ("callbackUrl", "/public")];
    browser.post(&format!("{APP}/auth/signout")).navigation().form(&form).send()
}

/// The claims in a browser's session cookie.
pub fn claims(browser: &Client) -> Map<String, Value> {
    let sealed = browser.cookie(APP, COOKIE).expect("a user is signed in");
    seal::open(&keyring(), Dialect::AuthJsV5, COOKIE, &sealed, timestamp()).expect("it is ours")
}

/// Lets the access token of a browser's session end now.
pub fn expire(browser: &Client) {
    let mut claims = claims(browser);
    claims.insert("expires_at".to_owned(), (now() - 1).into());
    let random = FakeRandom::new(1);
    let day = Duration::from_hours(24);
    let sealed = seal::seal(&keyring(), Dialect::AuthJsV5, COOKIE, &claims, day, timestamp(), &mut |bytes| {
        random.fill(bytes);
    });
    browser.set_cookie(APP, &format!("{COOKIE}={sealed}; Path=/; Secure; HttpOnly"));
}

fn keyring() -> Keyring {
    Keyring::new(vec![Secret::new(SECRET)]).expect("a secret")
}

fn timestamp() -> Timestamp {
    Timestamp::from_seconds(provider::now())
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
