//! `log`: what every line of the operator's log says, and what none may say. [`FakeLog`](vestibule_testing::FakeLog)
//! holds each line of every test against the table of events.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vestibule_core::http::client::FetchError;
use vestibule_core::log::LogEvent;
use vestibule_testing::credentials_api::{EMAIL, PASSWORD};
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Browser, RUNTIME, SECRET, TestEnv, environment, settings};

use crate::credentials::json_api;
use crate::refresh::{EXPIRED, signed_in, with_lease};

/// In the query of every address that is asked for here.
const QUERY: &str = "a-secret-in-a-query";
const VERIFY_SECRET: &str = "what-the-proxy-and-the-worker-share";

/// A browser, and every value that it has or had in a cookie.
#[derive(Default)]
struct Watched {
    browser: Browser,
    confidential: BTreeSet<String>,
}

impl Watched {
    fn of(browser: Browser) -> Self {
        let mut watched = Self { browser, confidential: BTreeSet::new() };
        watched.remember_cookies();
        watched
    }

    fn remember_cookies(&mut self) {
        for cookie in self.browser.cookie_header().split("; ") {
            let value = cookie.split_once('=').map_or("", |(_, value)| value);
            // The csrf cookie is a token, `|`, and a hash.
            self.confidential
                .extend(value.split(['|', '%']).filter(|part| part.len() > 15).map(str::to_owned));
        }
    }

    fn visits(&mut self, world: &TestEnv, path: &str) {
        let separator = if path.contains('?') { '&' } else { '?' };
        self.browser.open(world, &format!("{APP}{path}{separator}x={QUERY}"));
        self.remember_cookies();
    }

    fn signs_in(&mut self, world: &TestEnv) {
        let request = self.browser.begin(world, "/");
        self.remember_cookies();
        self.confidential
            .extend(["state", "nonce", "code_challenge"].map(|name| request.params[name].clone()));
        let callback = world.provider.authorize(&request, "bob");
        self.browser.open(world, &callback);
        self.remember_cookies();
    }

    fn gives_credentials(&mut self, world: &TestEnv, password: &str) {
        let csrf = self.browser.csrf(world);
        self.remember_cookies();
        let fields =
            [("csrfToken", csrf.as_str()), ("email", EMAIL), ("password", password), ("code", "424242")];
        self.browser.post(world, &format!("{APP}/auth/callback/credentials?x={QUERY}"), &fields);
        self.remember_cookies();
    }

    /// That the log has lines of these events, and nothing confidential in any.
    fn assert_log(&self, world: &TestEnv, events: &[LogEvent]) {
        let log = world.log_text();
        for event in events {
            assert!(!world.logged(*event).is_empty(), "no {} in\n{log}", event.name());
        }
        let always = [
            SECRET,
            VERIFY_SECRET,
            QUERY,
            PASSWORD,
            "hunter3",
            "424242",
            "acme-secret",
            "eyJ",
            "access-",
            "refresh-",
            "code-1",
            "code-2",
            "code-3",
        ];
        for secret in self.confidential.iter().map(String::as_str).chain(always) {
            assert!(!log.contains(secret), "{secret} is in\n{log}");
        }
    }
}

#[test]
fn no_secret_of_a_sign_in_is_in_the_log_whatever_the_provider_does() {
    let world = TestEnv::new();
    let mut bob = Watched::default();
    for place in ["discovery", "token", "jwks", "userinfo"] {
        world.provider.goes_down(place);
        bob.signs_in_where_possible(&world, place);
        world.provider.comes_back();
    }
    world.provider.answers_raw("token", 400, "application/json", br#"{"error":"invalid_grant"}"#);
    bob.signs_in(&world);
    world.provider.answers_raw("token", 200, "text/html", b"<p>access-bob refresh-bob</p>");
    bob.signs_in(&world);
    world.provider.answers_correctly();
    world.provider.alters_answer_at("id_token", |token| token["nonce"] = json!("another"));
    bob.signs_in(&world);
    world.provider.alters_answer_at("userinfo", |user| user["roles"] = json!(vec!["x".repeat(100); 600]));
    bob.signs_in(&world);
    let request = bob.browser.begin(&world, "/");
    let state = &request.params["state"];
    bob.visits(&world, &format!("/auth/callback/acme?error=access_denied&iss={ISSUER}&state={state}"));
    bob.visits(&world, "/auth/callback/acme?code=code-1&state=unknown");
    bob.browser.post(&world, &format!("{APP}/auth/signin/acme"), &[("csrfToken", QUERY)]);
    bob.assert_log(&world, &[LogEvent::AuthError, LogEvent::AuthorizationErrorResponse]);
}

impl Watched {
    /// Without metadata a sign-in does not even begin.
    fn signs_in_where_possible(&mut self, world: &TestEnv, place: &str) {
        if place == "discovery" {
            let csrf = self.browser.csrf(world);
            self.browser.post(world, &format!("{APP}/auth/signin/acme"), &[("csrfToken", &csrf)]);
            self.remember_cookies();
        } else {
            self.signs_in(world);
        }
    }
}

#[test]
fn no_password_is_in_the_log_whatever_the_api_does() {
    let world = TestEnv::with(json_api());
    let mut ada = Watched::default();
    let wrong = json!({ "error": "hunter3", "accessToken": "access-ada", "refreshToken": "refresh-ada" });
    world.api.answers_json("/sign-in", 401, &wrong);
    ada.gives_credentials(&world, "hunter3");
    world.api.answers_json("/sign-in", 200, &json!({ "refreshToken": "refresh-ada", "password": "hunter3" }));
    ada.gives_credentials(&world, "hunter3");
    world.api.fails("/sign-in", FetchError::Connection("refused".to_owned()));
    ada.gives_credentials(&world, "hunter3");
    world.api.answers_json("/sign-in", 200, &json!({ "accessToken": "access-ada" }));
    ada.gives_credentials(&world, PASSWORD);
    ada.assert_log(&world, &[LogEvent::AuthError, LogEvent::RefreshTokenMissing]);
}

#[test]
fn no_token_of_a_refresh_is_in_the_log_whatever_the_provider_and_the_store_do() {
    let invalid_grant = br#"{"error":"invalid_grant"}"#.as_slice();
    let invalid_client = br#"{"error":"invalid_client"}"#.as_slice();
    let neither = br#"{"access_token":"","refresh_token":"refresh-bob~1"}"#.as_slice();
    for (status, body, event) in [
        (400, invalid_grant, LogEvent::RefreshTokenInvalid),
        (401, invalid_client, LogEvent::RefreshMisconfigured),
        (200, neither, LogEvent::RefreshFailed),
    ] {
        for lease in ["none", "kv", "durable-object"] {
            let (world, browser) = signed_in(lease, EXPIRED);
            let mut bob = Watched::of(browser);
            world.provider.answers_raw("token", status, "application/json", body);
            bob.visits(&world, "/api");
            bob.assert_log(&world, &[event]);
        }
    }
    for (part, times, event) in [
        ("lease/", 1000, LogEvent::LeaseUnavailable),
        ("write next/", 1000, LogEvent::RefreshedTokensNotStored),
    ] {
        let (world, browser) = signed_in("kv", EXPIRED);
        let mut bob = Watched::of(browser);
        world.store.fails.set((part, times));
        bob.visits(&world, "/api");
        bob.assert_log(&world, &[event]);
    }
}

#[test]
fn no_cookie_token_or_query_of_a_guarded_request_is_in_the_log() {
    let mut settings = with_lease("none");
    settings["providers"][0]["accept_bearer"] = json!({ "audience": "https://api.example.com" });
    settings["verify"] = json!({ "headers": "x-forwarded" });
    let environment = |name: &str| match name {
        "AUTH_VERIFY_SECRET" => Some(VERIFY_SECRET.to_owned()),
        name => environment(name),
    };
    let world = TestEnv::in_environment(settings, &environment);
    let mut bob = Watched::default();
    bob.signs_in(&world);
    for path in ["/a/../b", "/a%2fb", "/a//b"] {
        bob.visits(&world, path);
    }
    world.forwarder.is_down.set(true);
    bob.visits(&world, "/about");
    bob.visits(&world, "/private");
    world.forwarder.is_down.set(false);
    for headers in [[("x-vestibule-verify", VERIFY_SECRET)], [("x-vestibule-verify", &VERIFY_SECRET[1..])]] {
        bob.browser.send(&world, "GET", &format!("{APP}/auth/verify?x={QUERY}"), &headers, b"");
    }
    let claims =
        json!({ "iss": ISSUER, "aud": "https://other.example.com", "sub": "1", "exp": 9_999_999_999_u64 });
    let token = world.provider.signed(&json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" }), &claims);
    for token in [token.as_str(), "access-bob", "a b"] {
        let bearer = format!("Bearer {token}");
        world.send("GET", &format!("{APP}/private?x={QUERY}"), &[("authorization", &bearer)], b"");
    }
    let session = "__Secure-authjs.session-token";
    let sealed = bob.browser.cookie(session).expect("a session").to_owned();
    bob.browser.plant(session, &sealed[..sealed.len() - 5]);
    bob.remember_cookies();
    bob.visits(&world, "/private");
    bob.visits(&world, "/auth/session");
    bob.assert_log(
        &world,
        &[
            LogEvent::PathRejected,
            LogEvent::ForwardFailed,
            LogEvent::ForwardAuthRejected,
            LogEvent::BearerTokenRejected,
            LogEvent::SessionCookieInvalid,
        ],
    );
}

#[test]
fn every_line_names_the_request_without_its_query() {
    let world = TestEnv::new();
    let id = RUNTIME.edge.request_id.expect("a runtime whose network numbers requests");
    let headers =
        [(id, "8f00-MUC"), ("cookie", "__Secure-authjs.session-token=x"), ("sec-fetch-mode", "cors")];
    world.provider.goes_down("discovery");
    world.forwarder.is_down.set(true);
    for (path, event) in [
        ("/private/a%20b", LogEvent::SessionCookieInvalid),
        ("/auth/session", LogEvent::SessionCookieInvalid),
        ("/auth/nothing", LogEvent::AuthError),
        ("/a//b", LogEvent::PathRejected),
        ("/about", LogEvent::ForwardFailed),
    ] {
        world.send("GET", &format!("https://App.example.com{path}?x={QUERY}"), &headers, b"");
        let line = world.logged(event).pop().expect("a line").to_string();
        let line: Value = serde_json::from_str(&line).unwrap();
        let request = (&line["host"], &line["path"], &line["request_id"]);
        assert_eq!(request, (&json!("app.example.com"), &json!(path), &json!("8f00-MUC")), "{line}");
    }
    // What is fetched for a request is logged with it, too.
    let mut browser = Browser::new();
    world.provider.comes_back();
    browser.sign_in(&world, "bob", "/");
    world.pass(std::time::Duration::from_hours(2));
    world.provider.goes_down("discovery");
    browser.begin(&world, "/");
    let line = world.logged(LogEvent::ProviderMetadataStale).pop().expect("a line").to_string();
    assert!(
        line.contains(r#""provider":"acme""#) && line.contains(r#""path":"/auth/signin/acme""#),
        "{line}"
    );
    let lines = world.log_text();
    assert!(!lines.contains(QUERY) && !lines.contains('?'), "{lines}");
}

#[test]
fn a_request_id_that_could_mislead_is_left_out() {
    let world = TestEnv::with(settings());
    let id = RUNTIME.edge.request_id.expect("a runtime whose network numbers requests");
    let long = "x".repeat(65);
    for value in ["", "a b", "\"},{\"event\":\"forged", "ä", long.as_str()] {
        world.send("GET", &format!("{APP}/a//b"), &[(id, value)], b"");
        let line = world.logged(LogEvent::PathRejected).pop().expect("a line").to_string();
        assert!(!line.contains("request_id"), "{value}: {line}");
    }
}
