//! A backend that reads its tokens from cookies and sets them again, in the real runtime.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniflare_test_harness::{Client, HarnessBuilder, Request, Response};
use serde_json::{Value, json};

use crate::test_env::{APP, TestEnv};

const KEY: &str = "key-of-the-backend";

fn token(user: &str, n: u32) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({ "alg": "HS256" })), part(&json!({ "sub": user, "n": n })))
}

fn cookies(response: Response, user: &str, n: u32) -> Response {
    response
        .header("set-cookie", format!("access_token={}; Max-Age=900; Path=/; HttpOnly", token(user, n)))
        .header("set-cookie", format!("refresh_token=refresh-{n}; Path=/auth/refresh; HttpOnly"))
}

fn settings(target: &str) -> Value {
    json!({
        "providers": [{
            "id": "credentials",
            "type": "credentials",
            "fields": [{ "name": "name" }],
            "login": {
                "url": "https://api.example/login",
                "headers": { "X-Api-Key": "{secret.BACKEND_KEY}" },
                "access_token": "cookie.access_token",
                "refresh_token": "cookie.refresh_token",
            },
            "user": { "id": "access_token.sub" },
            "refresh": {
                "url": "https://api.example/auth/refresh",
                "cookies": { "refresh_token": "{refresh_token}" },
            },
        }],
        "session": { "expose": { "access_token": "access_token" } },
        "rules": [{ "match": "/about", "access": "public" }],
        "upstreams": [{
            "to": target,
            "cookies": { "access_token": "access_token" },
            "headers": { "Authorization": "JWT {access_token}", "X-Api-Key": "{secret.BACKEND_KEY}" },
        }],
    })
}

fn sign_in(env: &TestEnv) -> Client {
    let browser = env.client();
    let csrf = browser.get(&format!("{APP}/auth/csrf")).send().json()["csrfToken"].clone();
    let form = [("csrfToken", csrf.as_str().unwrap()), ("callbackUrl", "/about"), ("name", "ada")];
    browser
        .post(&format!("{APP}/auth/callback/credentials"))
        .navigation()
        .form(&form)
        .send()
        .expect_status(302);
    browser
}

/// What the backend does with the next answers: which user's tokens it sets, and their number.
type Sets = Arc<Mutex<Option<(&'static str, u32)>>>;

fn backend(target: &str, sets: &Sets) -> TestEnv {
    let sets = Arc::clone(sets);
    let answer = move |request: &Request| {
        let page = match request.path() {
            "/events" => Response::text("data: 1\n\n").header("content-type", "text/event-stream"),
            "/moved" => Response::redirect("/about"),
            _ => Response::text("page"),
        };
        let page = page.header("set-cookie", "theme=dark; Path=/").header("set-cookie", "lang=de; Path=/");
        match *sets.lock().unwrap() {
            Some((_, 0)) => page.header("set-cookie", "access_token=; Path=/; Max-Age=0"),
            Some((user, n)) => cookies(page, user, n),
            None => page,
        }
    };
    let login = |request: &Request| {
        assert_eq!(request.header("x-api-key"), Some(KEY));
        cookies(Response::text(""), "ada", 1)
    };
    let surround = |builder: HarnessBuilder| {
        let builder = builder.host("api.example", login).secret("AUTH_TEMPLATE_BACKEND_KEY", KEY);
        match target {
            "origin" => builder.origin("app.example.com", answer),
            "service:APP" => builder.service("APP", answer),
            _ => builder.host("upstream.example", answer),
        }
    };
    TestEnv::with(settings(target), surround)
}

fn last(env: &TestEnv, target: &str) -> Request {
    let all = match target {
        "origin" => env.requests_to("app.example.com"),
        "service:APP" => env.requests_to_service("APP"),
        _ => env.requests_to("upstream.example"),
    };
    all.into_iter().next_back().unwrap()
}

#[test]
fn a_backend_that_reads_cookies_gets_them_and_its_new_ones_become_the_session_s() {
    for target in ["origin", "service:APP", "https://upstream.example"] {
        let sets = Sets::default();
        let env = backend(target, &sets);
        let browser = sign_in(&env);
        for own in ["access_token=evil; Path=/", "__Host-access_token=evil; Path=/; Secure", "a=1; Path=/"] {
            browser.set_cookie(APP, own);
        }
        let fetch = |path: &str| {
            let answer = browser.get(&format!("{APP}{path}")).send();
            let got = last(&env, target);
            assert_eq!(got.header("x-api-key"), Some(KEY));
            assert!(!got.header("cookie").unwrap_or_default().contains("evil"), "{target}");
            (answer, got.cookie("access_token").map(str::to_owned))
        };
        let to_browser = |answer: &miniflare_test_harness::ClientResponse| -> Vec<String> {
            let all = answer.header_all("set-cookie");
            all.iter().filter(|it| !it.contains("session-token")).map(|it| (*it).to_owned()).collect()
        };
        let others = ["theme=dark; Path=/", "lang=de; Path=/"];
        for (path, status) in [("/page", 200), ("/events", 200), ("/moved", 302)] {
            // Another user's tokens reach neither the session nor the browser.
            *sets.lock().unwrap() = Some(("eve", 7));
            let (answer, carried) = fetch(path);
            assert_eq!((answer.status, carried), (status, Some(token("ada", 1))), "{target} {path}");
            assert_eq!(to_browser(&answer), others, "{target} {path}");
        }
        *sets.lock().unwrap() = Some(("ada", 2));
        let (answer, _) = fetch("/page");
        assert_eq!(
            (answer.text().as_str(), to_browser(&answer)),
            ("page", others.map(str::to_owned).to_vec())
        );
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
        *sets.lock().unwrap() = None;
        assert_eq!(fetch("/page").1, Some(token("ada", 2)), "{target}");
        assert_eq!(
            last(&env, target).header("authorization"),
            Some(format!("JWT {}", token("ada", 2)).as_str())
        );
        // The backend removes the cookie, which ends the session.
        *sets.lock().unwrap() = Some(("ada", 0));
        fetch("/page");
        let session = browser.get(&format!("{APP}/auth/session")).send().json();
        assert!(session.is_null() || session == json!({}), "{target}: {session}");
        assert_eq!(browser.cookie(APP, "access_token").as_deref(), Some("evil"), "{target}");
        assert!(!env.logs().contains(KEY), "{target}");
    }
}
