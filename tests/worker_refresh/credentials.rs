//! An API for sign-in with credentials that rotates its refresh tokens and revokes the grant if one is reused. It has three
//! shapes: tokens in the body, a JWT as the only source of the expiry time, and cookies. Users sign in through the form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniflare_test_harness::{Client, Harness, HarnessBuilder, Request, Response};
use serde_json::{Value, json};

use crate::setup::{
    API, APP, MAX_WAIT, STRICT, expire, fetch, fetch_in_parallel, now, session, tabs, worker_of,
};

const ISOLATES: [&str; 4] = ["FRA"; 4];

/// Where the API's responses contain the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Body,
    Jwt,
    Cookies,
}

pub const SHAPES: [Shape; 3] = [Shape::Body, Shape::Jwt, Shape::Cookies];

/// The API.
pub struct Api {
    shape: Shape,
    /// How long a refresh takes.
    delay: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of each user's valid refresh token.
    valid: BTreeMap<String, u32>,
    revoked: BTreeSet<String>,
    given: u32,
    refused: u32,
}

impl Api {
    pub fn new(shape: Shape, delay: Duration) -> Arc<Self> {
        Arc::new(Self { shape, delay, state: Mutex::default() })
    }

    /// The Worker with this API.
    pub fn worker(self: &Arc<Self>, lease: &str) -> HarnessBuilder {
        let api = Arc::clone(self);
        worker_of(&provider(self.shape), lease).host("api.example", move |request| match request.path() {
            "/login" => api.login(request),
            "/refresh" => api.refresh(request),
            other => panic!("unexpected request to {other}"),
        })
    }

    /// The number of accepted refreshes, and of rejected ones.
    pub fn refreshed(&self) -> (u32, u32) {
        let state = self.state.lock().unwrap();
        (state.given, state.refused)
    }

    fn login(&self, request: &Request) -> Response {
        let filled = request.json();
        let name = filled["name"].as_str().unwrap();
        if filled["password"] != format!("password of {name}") {
            return Response::json(&json!({ "error": "no" })).with_status(401);
        }
        let mut state = self.state.lock().unwrap();
        state.valid.insert(name.to_owned(), 0);
        state.revoked.remove(name);
        drop(state);
        self.tokens(name, 0)
    }

    /// Accepts each refresh token once. A reused one revokes the grant.
    fn refresh(&self, request: &Request) -> Response {
        let token = match self.shape {
            Shape::Cookies => request.cookie("refresh_token").map(str::to_owned),
            _ => request.json()["refreshToken"].as_str().map(str::to_owned),
        };
        let token = token.unwrap_or_default();
        let mut state = self.state.lock().unwrap();
        let parsed = token.strip_prefix("refresh-").and_then(|rest| rest.split_once('~'));
        let (name, number) = parsed.expect("a refresh token of this API");
        let number: u32 = number.parse().unwrap();
        if state.revoked.contains(name) || state.valid[name] != number {
            state.revoked.insert(name.to_owned());
            state.refused += 1;
            return Response::json(&json!({ "error": "reused" })).with_status(401);
        }
        state.valid.insert(name.to_owned(), number + 1);
        state.given += 1;
        drop(state);
        self.tokens(name, number + 1).delay(self.delay)
    }

    fn tokens(&self, name: &str, number: u32) -> Response {
        let refresh = format!("refresh-{name}~{number}");
        match self.shape {
            Shape::Body => Response::json(&json!({
                "accessToken": access_token(self.shape, name, number), "refreshToken": refresh,
                "expiresIn": 3600, "user": { "id": name, "name": name },
            })),
            Shape::Jwt => {
                let token = access_token(self.shape, name, number);
                Response::json(&json!({ "accessToken": token, "refreshToken": refresh }))
            }
            Shape::Cookies => {
                let access = access_token(self.shape, name, number);
                Response::json(&json!({ "user": { "id": name, "name": name } }))
                    .header("set-cookie", format!("access_token={access}; Max-Age=3600; Path=/; HttpOnly"))
                    .header("set-cookie", format!("refresh_token={refresh}; Path=/refresh; HttpOnly"))
            }
        }
    }
}

/// The access token of a user with this number.
pub fn access_token(shape: Shape, name: &str, number: u32) -> String {
    if shape != Shape::Jwt {
        return format!("access-{name}~{number}");
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    // Rounded to the hour, so that the token stays the same for some time.
    let end = (now().seconds() / 3600 + 2) * 3600;
    let payload = json!({ "exp": end, "user": { "id": name, "name": name }, "number": number });
    format!("{}.{}.c2ln", part(&json!({ "alg": "HS256" })), part(&payload))
}

/// The configuration of the provider for this API.
pub fn provider(shape: Shape) -> Value {
    let mut provider = json!({
        "id": "demo",
        "type": "credentials",
        "strict_rotation": true,
        "fields": [{ "name": "name" }, { "name": "password", "type": "password" }],
        "login": {
            "url": "https://api.example/login",
            "access_token": "body.accessToken",
            "refresh_token": "body.refreshToken",
        },
        "user": { "id": "login.user.id", "name": "login.user.name" },
        "refresh": { "url": "https://api.example/refresh", "body": { "refreshToken": "{refresh_token}" } },
    });
    match shape {
        Shape::Body => provider["login"]["expires_in"] = json!("body.expiresIn"),
        Shape::Jwt => {
            provider["user"] = json!({ "id": "access_token.user.id", "name": "access_token.user.name" });
        }
        Shape::Cookies => {
            provider["login"]["access_token"] = json!("cookie.access_token");
            provider["login"]["refresh_token"] = json!("cookie.refresh_token");
            provider["refresh"] = json!({
                "url": "https://api.example/refresh", "cookies": { "refresh_token": "{refresh_token}" },
            });
        }
    }
    provider
}

/// Signs a user in through the form.
pub fn sign_in(harness: &Harness, name: &str) -> Client {
    let browser = harness.client();
    let page = browser.get(&format!("{APP}/auth/signin")).navigation().send().expect_status(200);
    assert!(page.text().contains("name=\"password\""), "{}", page.text());
    let csrf = browser.get(&format!("{APP}/auth/csrf")).send().json()["csrfToken"].clone();
    let password = format!("password of {name}");
    let form = [
        ("csrfToken", csrf.as_str().unwrap()),
        ("callbackUrl", "/api"),
        ("name", name),
        ("password", password.as_str()),
    ];
    let signed_in = browser.post(&format!("{APP}/auth/callback/demo")).navigation().form(&form).send();
    assert_eq!(signed_in.expect_status(302).location(), API);
    assert_eq!(session(&browser)["name"], name);
    browser
}

#[test]
fn fifty_parallel_requests_on_four_isolates_refresh_once_at_the_api() {
    for (shape, lease) in SHAPES.into_iter().flat_map(|shape| STRICT.map(|lease| (shape, lease))) {
        fifty(shape, lease);
    }
}

fn fifty(shape: Shape, lease: &str) {
    let api = Api::new(shape, Duration::ZERO);
    let harness = api.worker(lease).isolates(&ISOLATES).start().unwrap();
    harness.kv("AUTH_KV").limit_writes(Duration::from_hours(1));
    let browser = sign_in(&harness, "ada");
    for round in 1..=2 {
        expire(&browser);
        let before = browser.fork();
        let new = format!("Bearer {}", access_token(shape, "ada", round));
        for answer in fetch_in_parallel(&harness, tabs(&browser, 50, 4)) {
            let log = harness.logs();
            assert_eq!(
                (answer.status, answer.text()),
                (200, new.clone()),
                "{shape:?}, {lease}\n{}",
                log.text()
            );
        }
        assert_eq!(api.refreshed(), (round, 0), "{shape:?}, {lease}");
        for isolate in 0..4 {
            assert_eq!(
                fetch(&harness, &before.fork().at(isolate)).expect_status(200).text(),
                new,
                "{shape:?}"
            );
        }
        assert_eq!(fetch(&harness, &browser).expect_status(200).text(), new, "{shape:?}, {lease}");
    }
    assert_eq!(api.refreshed(), (2, 0), "{shape:?}, {lease}");
    for secret in ["refresh-ada", "access-ada", "password of"] {
        assert!(!harness.logs().contains(secret), "{}", harness.logs().text());
    }
}

#[test]
fn a_refresh_at_a_slow_api_completes_after_the_browser_has_disconnected() {
    std::thread::scope(|scope| {
        for (shape, lease) in SHAPES.into_iter().flat_map(|shape| STRICT.map(|lease| (shape, lease))) {
            scope.spawn(move || disconnect(shape, lease));
        }
    });
}

fn disconnect(shape: Shape, lease: &str) {
    let api = Api::new(shape, Duration::from_millis(1500));
    let harness = api.worker(lease).isolates(&["FRA", "FRA"]).start().unwrap();
    let browser = sign_in(&harness, "ada");
    expire(&browser);
    let impatient = browser.fork().timeout(Duration::from_millis(400));
    assert!(impatient.get(API).try_send().is_err(), "the browser disconnected");
    harness.wait_for_requests("api.example", 2, MAX_WAIT);
    // With the old cookies, because the browser did not receive new ones: in the same isolate and in another one.
    for isolate in [1, 0] {
        let reply = fetch(&harness, &browser.fork().at(isolate)).expect_status(200);
        let new = format!("Bearer {}", access_token(shape, "ada", 1));
        assert_eq!((reply.text(), api.refreshed()), (new, (1, 0)), "{shape:?}, {lease}");
    }
}
