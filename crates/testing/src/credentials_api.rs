//! An API that signs users in, in the three forms that such APIs have: several tokens in JSON, one JWT with all claims,
//! and cookies. It has one user, Ada, whose password begins with `hunter2-correct`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::http::form::Params;
use vestibule_core::http::headers::Headers;
use vestibule_core::time::Timestamp;

use crate::http::Server;

/// Its origin.
pub const ORIGIN: &str = "https://api.example";
/// The name that Ada signs in with.
pub const EMAIL: &str = "ada@example.com";
/// Her password.
pub const PASSWORD: &str = "hunter2-correct \"{email}\" & ü";

/// The API, and the requests that it got.
#[derive(Default)]
pub struct FakeApi {
    seen: RefCell<Vec<RecordedRequest>>,
    scripted: RefCell<BTreeMap<&'static str, Result<FetchResponse, FetchError>>>,
    rotation: Cell<u32>,
    /// How many refreshes were granted. Only the newest refresh token is valid.
    refreshes: Cell<u32>,
    newest: RefCell<String>,
    device: RefCell<String>,
}

/// A request that the API got.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// The URL without [`ORIGIN`].
    pub path: String,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: String,
}

impl RecordedRequest {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }
}

impl FakeApi {
    /// An API without requests so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on `path` gives this answer.
    pub fn answers(&self, path: &'static str, status: u16, fields: &[(&str, &str)], body: &str) {
        let headers = fields.iter().copied().collect();
        let answer = FetchResponse { status, headers, body: body.as_bytes().to_vec() };
        self.scripted.borrow_mut().insert(path, Ok(answer));
    }

    /// From now on `path` answers with this JSON.
    pub fn answers_json(&self, path: &'static str, status: u16, body: &Value) {
        self.answers(path, status, &[("content-type", "application/json")], &body.to_string());
    }

    /// From now on `path` gives no answer.
    pub fn fails(&self, path: &'static str, error: FetchError) {
        self.scripted.borrow_mut().insert(path, Err(error));
    }

    /// From now on `path` answers correctly again.
    pub fn recovers(&self, path: &str) {
        self.scripted.borrow_mut().remove(path);
    }

    /// The access token of the last refresh.
    pub fn newest(&self) -> String {
        self.newest.borrow().clone()
    }

    /// How many refreshes were granted.
    pub fn refreshes(&self) -> u32 {
        self.refreshes.get()
    }

    /// Every request to `path` so far.
    pub fn requests(&self, path: &str) -> Vec<RecordedRequest> {
        self.seen.borrow().iter().filter(|seen| seen.path == path).cloned().collect()
    }

    /// How many requests it got.
    pub fn count(&self) -> usize {
        self.seen.borrow().len()
    }
}

impl Server for FakeApi {
    fn answer(&self, request: &FetchRequest, now: Timestamp) -> Result<FetchResponse, FetchError> {
        let path = request
            .url
            .strip_prefix(ORIGIN)
            .unwrap_or_else(|| panic!("unexpected request to {}", request.url));
        let seen = RecordedRequest {
            method: request.method.as_str().to_owned(),
            path: path.to_owned(),
            headers: request.headers.clone(),
            body: String::from_utf8(request.body.clone()).expect("a body in UTF-8"),
        };
        self.seen.borrow_mut().push(seen.clone());
        if let Some(scripted) = self.scripted.borrow().get(path) {
            return scripted.clone();
        }
        let (status, cookies, body) = match path {
            "/sign-in" => Self::tokens(&seen),
            "/form" => Self::form(&seen),
            "/me" => Self::me(&seen),
            "/v2/login" => Self::one_token(&seen, now),
            "/auth/login" => self.cookies(&seen),
            "/users/me" => self.cookies_again(&seen),
            "/refresh" => self.refreshed_tokens(&seen),
            "/v2/refresh" => self.refreshed_token(&seen, now),
            "/auth/refresh" => self.refreshed_cookies(&seen),
            other => panic!("unexpected request to {other}"),
        };
        let mut headers: Headers =
            [("content-type", "application/json; charset=utf-8")].into_iter().collect();
        for cookie in cookies {
            headers.append("set-cookie", cookie);
        }
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(&body).unwrap() };
        Ok(FetchResponse { status, headers, body })
    }
}

impl FakeApi {
    /// Login with a JSON body; answers with two tokens.
    fn tokens(seen: &RecordedRequest) -> (u16, Vec<String>, Value) {
        let body = seen.json();
        if body["email"] != EMAIL || body["password"] != PASSWORD {
            return (401, vec![], json!({ "error": "invalid_credentials", "message": "No such user" }));
        }
        let answer = json!({
            "accessToken": "access-ada", "refreshToken": "refresh-ada", "expiresIn": 3600, "plan": "pro",
        });
        (200, vec![], answer)
    }

    /// Login with a form.
    fn form(seen: &RecordedRequest) -> (u16, Vec<String>, Value) {
        assert_eq!(seen.headers.get("content-type"), Some("application/x-www-form-urlencoded"));
        let form = Params::from_urlencoded(seen.body.as_bytes());
        assert_eq!(form.one("username"), Ok(Some(EMAIL)));
        assert_eq!(form.one("password"), Ok(Some(PASSWORD)));
        assert_eq!(form.one("grant_type"), Ok(Some("password")));
        (200, vec![], json!({ "accessToken": "access-ada", "expiresIn": "60" }))
    }

    fn me(seen: &RecordedRequest) -> (u16, Vec<String>, Value) {
        let token = seen.headers.get("authorization").and_then(|token| token.strip_prefix("Bearer "));
        if token.and_then(|token| token.split('~').next()) != Some("access-ada") {
            return (401, vec![], json!({ "error": "unauthorized" }));
        }
        let profile = json!({
            "id": 17, "firstName": "Ada", "lastName": "Lovelace", "email": EMAIL, "avatar": null,
            "roles": ["admin", "user"], "address": { "city": "London" },
        });
        (200, vec![], profile)
    }

    /// Login that answers with one JWT. Errors come with the status 200.
    fn one_token(seen: &RecordedRequest, now: Timestamp) -> (u16, Vec<String>, Value) {
        let input = seen.json()["variables"]["input"].clone();
        if input["password"] != PASSWORD {
            let errors =
                json!([{ "code": "E_LOGIN.1", "message": format!("{} is wrong", input["password"]) }]);
            return (200, vec![], json!({ "errors": errors, "data": null }));
        }
        let payload = json!({
            "exp": now.seconds() + 900, "user": { "uuid": "u-1", "displayName": "Ada", "groups": ["a"] },
        });
        let answer = json!({
            "errors": [],
            "data": { "token": jwt(&payload), "refreshToken": "refresh-v2",
                      "refreshTokenExpires": now.millis() + 86_400_000 },
        });
        (200, vec![], answer)
    }

    /// Login that answers with both tokens in cookies, and an empty body.
    fn cookies(&self, seen: &RecordedRequest) -> (u16, Vec<String>, Value) {
        if seen.json()["password"] != PASSWORD {
            return (422, vec![], json!({ "code": "locked" }));
        }
        let mut cookies = self.rotate();
        self.device.replace("d%3A1".to_owned());
        cookies.push("device=d%3A1; Path=/auth; HttpOnly".to_owned());
        cookies.push("old=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT".to_owned());
        (204, cookies, Value::Null)
    }

    fn cookies_again(&self, seen: &RecordedRequest) -> (u16, Vec<String>, Value) {
        if seen.headers.get("cookie") != Some(&format!("access_token=access-c-{}", self.rotation.get())) {
            return (401, vec![], json!({}));
        }
        let cookies = self.rotate();
        self.newest.replace(format!("access-c-{}", self.rotation.get()));
        (200, cookies, json!({ "data": { "id": "c-1", "name": "Ada" } }))
    }

    /// Accepts only the newest refresh token, and returns the number of the next one.
    fn grant(&self, token: Option<&str>, first: &str) -> Option<u32> {
        let number = self.refreshes.get();
        let live = if number == 0 { first.to_owned() } else { format!("{first}~{number}") };
        (token == Some(&live)).then(|| {
            self.refreshes.set(number + 1);
            number + 1
        })
    }

    fn refreshed_tokens(&self, seen: &RecordedRequest) -> (u16, Vec<String>, Value) {
        let Some(n) = self.grant(seen.json()["refreshToken"].as_str(), "refresh-ada") else {
            return (401, vec![], json!({ "error": "refresh_token_reused" }));
        };
        self.newest.replace(format!("access-ada~{n}"));
        let answer = json!({
            "accessToken": self.newest(), "refreshToken": format!("refresh-ada~{n}"), "expiresIn": 3600,
        });
        (200, vec![], answer)
    }

    fn refreshed_token(&self, seen: &RecordedRequest, now: Timestamp) -> (u16, Vec<String>, Value) {
        let Some(n) = self.grant(seen.json()["variables"]["token"].as_str(), "refresh-v2") else {
            return (200, vec![], json!({ "errors": [{ "code": "E_REUSED" }], "data": null }));
        };
        self.newest.replace(jwt(&json!({ "exp": now.seconds() + 900, "n": n, "user": { "uuid": "u-1" } })));
        let renewed = json!({ "token": self.newest(), "next": format!("refresh-v2~{n}"),
                              "refreshTokenExpires": now.millis() + 86_400_000 });
        (200, vec![], json!({ "errors": [], "data": { "renewed": renewed } }))
    }

    fn refreshed_cookies(&self, seen: &RecordedRequest) -> (u16, Vec<String>, Value) {
        let live =
            format!("device={}; refresh_token=refresh-c-{}", self.device.borrow(), self.rotation.get());
        if seen.headers.get("cookie") != Some(&live) {
            return (403, vec![], json!({}));
        }
        self.refreshes.set(self.refreshes.get() + 1);
        let mut cookies = self.rotate();
        let n = self.rotation.get();
        self.newest.replace(format!("access-c-{n}"));
        self.device.replace(format!("d%3A{n}"));
        cookies.push(format!("device=d%3A{n}; Path=/auth; HttpOnly"));
        (204, cookies, Value::Null)
    }

    fn rotate(&self) -> Vec<String> {
        let n = self.rotation.get() + 1;
        self.rotation.set(n);
        vec![
            format!("access_token=access-c-{n}; Max-Age=900; Path=/; HttpOnly; Secure; SameSite=Strict"),
            format!(
                "refresh_token=refresh-c-{n}; path=/auth/refresh; expires=Mon, 21-Dec-2026 19:34:50 GMT; httponly"
            ),
        ]
    }
}

/// A JWT with this payload. Its signature is not valid, and Vestibule does not verify it.
pub fn jwt(payload: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap());
    format!("{}.{}.c2ln", part(&json!({ "alg": "HS256" })), part(payload))
}
