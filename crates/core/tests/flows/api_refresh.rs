//! `flow/refresh` with a credentials API, in its three forms. The API accepts only the newest refresh token. Each test
//! checks a point of `docs/refresh.md`.

use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::http::client::FetchError;
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, Answer, Browser, TestEnv};

use crate::credentials::{cookie_api, json_api, sealed, sign_in_as_ada, token_api};

const LEASES: [&str; 3] = ["none", "kv", "durable-object"];
const PAGE: &str = "https://app.example.com/page?q=1";

/// A form of API: its settings, the path of its refresh, and the lifetime of its tokens.
struct Shape {
    name: &'static str,
    settings: Value,
    path: &'static str,
    life: Duration,
}

impl Shape {
    fn all() -> [Self; 4] {
        [Self::json(), Self::token(), Self::cookies(), Self::cookies_alone()]
    }

    fn json() -> Self {
        Self { name: "tokens", settings: json_api(), path: "/refresh", life: Duration::from_hours(1) }
    }

    fn token() -> Self {
        let mut settings = token_api();
        settings["providers"][0]["refresh"] = json!({
            "url": "https://api.example/v2/refresh",
            "body": {
                "query": "mutation($t:String!){renewed(token:$t){token next}}",
                "variables": { "token": "{refresh_token}" },
            },
            "access_token": "body.data.renewed.token",
            "refresh_token": "body.data.renewed.next",
            "refresh_expires_at": "body.data.renewed.refreshTokenExpires",
        });
        Self { name: "one token", settings, path: "/v2/refresh", life: Duration::from_mins(15) }
    }

    fn cookies() -> Self {
        let (settings, life) = (cookie_api(), Duration::from_mins(15));
        Self { name: "cookies", settings, path: "/auth/refresh", life }
    }

    /// The refresh token is one of the API's cookies.
    fn cookies_alone() -> Self {
        let mut shape = Self { name: "cookies alone", ..Self::cookies() };
        let provider = &mut shape.settings["providers"][0];
        provider["login"].as_object_mut().unwrap().remove("refresh_token");
        provider["refresh"]["cookies"]["refresh_token"] = json!("{cookie.refresh_token}");
        shape
    }

    fn with_lease(&self, lease: &str) -> Value {
        let mut settings = self.settings.clone();
        settings["refresh"] = json!({ "lease": lease });
        settings["session"] = json!({ "expose": { "access_token": "access_token" } });
        settings["upstreams"] =
            json!([{ "to": "https://upstream.example", "authorization": "access_token" }]);
        settings
    }

    /// Ada, who signed in so long ago.
    fn signed_in(&self, lease: &str, ago: Duration) -> (TestEnv, Browser) {
        let (world, mut browser) = (TestEnv::with(self.with_lease(lease)), Browser::new());
        sign_in_as_ada(&world, &mut browser);
        world.pass(ago);
        world.http.token_time.set(Duration::from_millis(200));
        (world, browser)
    }

    fn refresh_time(&self) -> Duration {
        self.life.saturating_sub(Duration::from_secs(30))
    }

    fn over(&self) -> Duration {
        self.life + Duration::from_secs(5)
    }
}

type Sent<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

fn sent<'a>(world: &'a TestEnv, cookies: &'a str, after: u64) -> Sent<'a> {
    Box::pin(async move {
        world.clock.sleep(Duration::from_millis(after)).await;
        let headers = [("cookie", cookies), ("sec-fetch-mode", "cors")];
        world.sent("GET", &format!("{APP}/api"), &headers, b"").await
    })
}

fn bearer(answer: &Answer) -> Option<String> {
    let field = answer.forwarded.as_ref()?.request.headers.get("authorization")?;
    field.strip_prefix("Bearer ").map(str::to_owned)
}

fn fetch(world: &TestEnv, browser: &mut Browser) -> Answer {
    browser.fetch(world, &format!("{APP}/api"))
}

#[test]
fn one_request_refreshes_and_all_others_use_its_tokens() {
    for shape in Shape::all() {
        for lease in LEASES {
            let what = format!("{}, {lease}", shape.name);
            let (world, mut browser) = shape.signed_in(lease, shape.over());
            let first = browser.cookie_header();
            for round in 1..=3_u32 {
                let cookies = browser.cookie_header();
                let answers = world.all((0..10).map(|i| sent(&world, &cookies, i * 3)));
                let newest = world.api.newest();
                for answer in &answers {
                    assert_eq!((answer.status, bearer(answer).as_ref()), (200, Some(&newest)), "{what}");
                }
                // A late request with the old cookie gets the new tokens, too.
                let late = world.all([sent(&world, &cookies, 1000)]);
                assert_eq!(bearer(&late[0]).as_ref(), Some(&newest), "{what}");
                browser.take(&answers[0]);
                assert_eq!(sealed(&world, &browser)["generation"], round, "{what}");
                assert_eq!(bearer(&fetch(&world, &mut browser)).as_ref(), Some(&newest), "{what}");
                let requests = u32::try_from(world.api.requests(shape.path).len()).unwrap();
                assert_eq!((requests, world.api.refreshes()), (round, round), "{what}");
                if round < 3 {
                    world.pass(shape.over());
                }
            }
            if lease != "none" {
                // A new process, with the cookie of three refreshes ago.
                let other = world.isolate(shape.with_lease(lease), "here");
                let late = world.all([sent(&other, &first, 0)]);
                assert_eq!((late[0].status, bearer(&late[0])), (200, Some(world.api.newest())), "{what}");
                assert_eq!(world.api.requests(shape.path).len(), 3, "{what}");
                let stored = format!("{:?}", world.store.contents());
                for secret in ["refresh-ada", "refresh-v2", "refresh-c-", "access-", "d%3A"] {
                    assert!(!stored.contains(secret), "{what}: {stored}");
                }
            }
            let log = world.log_text();
            for secret in ["refresh-ada", "refresh-v2", "refresh-c-", "access-ada", "access-c-", "d%3A"] {
                assert!(!log.contains(secret), "{what}: {log}");
            }
        }
    }
}

#[test]
fn while_the_token_is_valid_other_requests_do_not_wait_for_the_refresh() {
    for shape in Shape::all() {
        for lease in LEASES {
            let (world, browser) = shape.signed_in(lease, shape.refresh_time());
            let (cookies, old) = (browser.cookie_header(), sealed(&world, &browser)["access_token"].clone());
            let answers = world.all((0..10).map(|i| sent(&world, &cookies, i)));
            let with_old = answers.iter().filter(|answer| bearer(answer).as_deref() == old.as_str()).count();
            assert_eq!((with_old, world.api.refreshes()), (9, 1), "{}, {lease}", shape.name);
            assert!(answers.iter().any(|answer| bearer(answer) == Some(world.api.newest())));
        }
    }
}

#[test]
fn the_refresh_request_is_as_configured_and_the_session_gets_the_response() {
    let shape = Shape::json();
    let (world, mut browser) = shape.signed_in("none", shape.over());
    let client = [("cf-connecting-ip", "203.0.113.9"), ("sec-fetch-mode", "cors")];
    browser.send(&world, "GET", &format!("{APP}/api"), &client, b"");
    let requests = &world.api.requests("/refresh")[0];
    assert_eq!(
        (requests.method.as_str(), requests.json()),
        ("POST", json!({ "refreshToken": "refresh-ada" }))
    );
    assert_eq!(requests.headers.get("x-forwarded-for"), Some("203.0.113.9"));
    assert!(!requests.headers.contains("cookie") && !requests.headers.contains("authorization"));
    let session = sealed(&world, &browser);
    assert_eq!(session["refresh_token"], "refresh-ada~1");
    assert_eq!((&session["sub"], &session["plan"]), (&json!("17"), &json!("pro")), "the rest stays");
    assert_eq!(session.get("api_cookies"), None);

    let shape = Shape::token();
    let (world, mut browser) = shape.signed_in("none", shape.over());
    fetch(&world, &mut browser);
    assert_eq!(world.api.requests("/v2/refresh")[0].json()["variables"], json!({ "token": "refresh-v2" }));
    let session = sealed(&world, &browser);
    let now = world.now().seconds();
    assert_eq!(session["refresh_token"], "refresh-v2~1");
    assert!(session["expires_at"].as_u64().is_some_and(|end| (now + 890..=now + 900).contains(&end)));
    let end = session["refresh_expires_at"].as_u64();
    assert!(end.is_some_and(|end| (now + 86_390..=now + 86_400).contains(&end)));

    for shape in [Shape::cookies(), Shape::cookies_alone()] {
        let (world, mut browser) = shape.signed_in("none", shape.over());
        let answer = fetch(&world, &mut browser);
        assert!(!answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("refresh-c")));
        let requests = &world.api.requests("/auth/refresh")[0];
        assert_eq!(requests.headers.get("cookie"), Some("device=d%3A1; refresh_token=refresh-c-2"));
        let session = sealed(&world, &browser);
        assert_eq!(
            (&session["access_token"], &session["api_cookies"]["device"]),
            (&json!("access-c-4"), &json!("d%3A3")),
            "the response with the profile sets newer cookies, as at the sign-in"
        );
        let token = match shape.name {
            "cookies" => &session["refresh_token"],
            _ => &session["api_cookies"]["refresh_token"],
        };
        assert_eq!(token, "refresh-c-4");
    }
}

#[test]
fn a_temporary_failure_does_not_end_the_session() {
    type Trouble = fn(&TestEnv);
    const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
    let troubles: [(Trouble, u64, &str); 10] = [
        (|w| w.api.fails("/refresh", FetchError::Connection("refused".into())), 5, "refresh gave no answer"),
        (|w| w.api.fails("/refresh", FetchError::Timeout(Duration::from_secs(10))), 5, "no response within"),
        (|w| w.api.answers_json("/refresh", 500, &json!({ "error": "x" })), 5, "status 500"),
        (|w| w.api.answers("/refresh", 503, &[("retry-after", "40")], "busy"), 40, "status 503"),
        (|w| w.api.answers("/refresh", 429, &[("retry-after", "40")], "{}"), 40, "status 429"),
        (|w| w.api.answers_json("/refresh", 408, &json!({ "error": "x" })), 5, "status 408"),
        (|w| w.api.answers("/refresh", 302, &[("location", "/login")], ""), 5, "a redirect"),
        (|w| w.api.answers("/refresh", 404, &[], "none"), 5, "status 404"),
        (|w| w.api.answers("/refresh", 200, &JSON, "{refresh-ada"), 5, "is not valid JSON"),
        (
            |w| w.api.answers_json("/refresh", 200, &json!({ "refreshToken": "refresh-ada" })),
            5,
            "refresh: the response has no access token at body.accessToken",
        ),
    ];
    for lease in LEASES {
        for (trouble, retry, log) in troubles {
            let shape = Shape::json();
            let (world, mut browser) = shape.signed_in(lease, shape.refresh_time());
            trouble(&world);
            let answer = fetch(&world, &mut browser);
            assert_eq!(
                (answer.status, bearer(&answer).as_deref()),
                (200, Some("access-ada")),
                "{lease}, {log}"
            );
            world.pass(Duration::from_mins(2));
            let answer = browser.open(&world, PAGE);
            let retry_after = answer.headers.get("retry-after").map(|text| text.parse::<u64>().unwrap());
            assert_eq!(answer.status, 503, "{lease}, {log}");
            assert!(
                retry_after.is_some_and(|seconds| (retry - 1..=retry).contains(&seconds)),
                "{lease}, {log}: {retry_after:?}"
            );
            let session = browser.session(&world);
            assert_eq!(session["user"]["name"], "Ada Lovelace", "{lease}, {log}");
            assert_eq!((&session["error"], &session["access_token"]), (&Value::Null, &Value::Null));
            let (logged, lines) = (world.log_text(), world.logged(LogEvent::RefreshFailed));
            assert!(lines.iter().any(|line| line.message().contains(log)), "{lease}, {log}: {logged}");
            assert!(!logged.contains("refresh-ada"), "{logged}");

            world.api.recovers("/refresh");
            world.pass(Duration::from_mins(2));
            let answer = fetch(&world, &mut browser);
            assert_eq!(
                (answer.status, bearer(&answer).as_deref()),
                (200, Some("access-ada~1")),
                "{lease}, {log}"
            );
        }
    }
}

#[test]
fn a_rejected_refresh_token_ends_the_session() {
    let error = json!({ "error": "revoked" });
    for (status, body) in
        [(400, json!({})), (401, json!({})), (403, json!(null)), (404, error.clone()), (200, error)]
    {
        for lease in LEASES {
            let what = format!("{lease}, {status}");
            let shape = Shape::json();
            let (world, mut browser) = shape.signed_in(lease, shape.over());
            world.api.answers_json("/refresh", status, &body);
            let answer = browser.open(&world, PAGE);
            assert_eq!(answer.status, 302, "{what}");
            assert!(
                answer
                    .location()
                    .ends_with("/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fpage%3Fq%3D1")
            );
            assert_eq!(fetch(&world, &mut browser).status, 401, "{what}");
            let session = browser.session(&world);
            assert_eq!(
                (&session["error"], &session["access_token"]),
                (&json!("RefreshTokenError"), &Value::Null)
            );
            assert_eq!(world.api.requests("/refresh").len(), 1, "{what}: not with every request");
            sign_in_as_ada(&world, &mut browser);
            assert_eq!(fetch(&world, &mut browser).status, 200, "{what}");
        }
    }
}

#[test]
fn an_ended_session_keeps_no_tokens_or_cookies_of_the_api() {
    for shape in [Shape::token(), Shape::cookies(), Shape::cookies_alone()] {
        let (world, mut browser) = shape.signed_in("durable-object", shape.over());
        world.api.answers_json(shape.path, 401, &json!({}));
        assert_eq!(fetch(&world, &mut browser).status, 401, "{}", shape.name);
        let session = sealed(&world, &browser);
        assert_eq!(session["error"], "RefreshTokenError", "{}", shape.name);
        for claim in ["access_token", "refresh_token", "expires_at", "refresh_expires_at", "api_cookies"] {
            assert_eq!(session.get(claim), None, "{}", shape.name);
        }
    }
}

#[test]
fn an_expired_refresh_token_is_not_sent() {
    for lease in LEASES {
        let (world, mut browser) = Shape::token().signed_in(lease, Duration::from_secs(86_401));
        assert_eq!(fetch(&world, &mut browser).status, 401, "{lease}");
        assert_eq!(browser.session(&world)["error"], "RefreshTokenError", "{lease}");
        assert_eq!(world.api.requests("/v2/refresh").len(), 0, "{lease}");
    }
}

#[test]
fn the_expiry_of_an_old_refresh_token_does_not_apply_to_the_next_one() {
    let shape = Shape::token();
    let (world, mut browser) = shape.signed_in("none", shape.over());
    let login_end = sealed(&world, &browser)["refresh_expires_at"].clone();
    // The same refresh token keeps its expiry. A new one has none.
    for (next, end) in [(Value::Null, login_end), (json!("refresh-v2-other"), Value::Null)] {
        let token = vestibule_testing::credentials_api::jwt(&json!({ "exp": world.now().seconds() + 900 }));
        let renewed = json!({ "token": token, "next": next });
        world.api.answers_json("/v2/refresh", 200, &json!({ "data": { "renewed": renewed } }));
        assert_eq!(fetch(&world, &mut browser).status, 200);
        assert_eq!(sealed(&world, &browser)["refresh_expires_at"], end, "{next}");
        world.pass(shape.over());
    }
}

#[test]
fn without_a_new_refresh_token_the_old_one_stays_and_a_missing_lifetime_has_a_default() {
    let shape = Shape::json();
    let (world, mut browser) = shape.signed_in("none", shape.over());
    world.api.answers_json("/refresh", 200, &json!({ "accessToken": "again", "expiresIn": 0 }));
    for n in 1..=2 {
        for _ in 0..20 {
            assert_eq!(bearer(&fetch(&world, &mut browser)).as_deref(), Some("again"));
            world.pass(Duration::from_secs(10));
        }
        let requests = world.api.requests("/refresh");
        assert_eq!(requests.len(), n, "ten minutes, not none");
        assert_eq!(requests[n - 1].json(), json!({ "refreshToken": "refresh-ada" }));
        world.pass(Duration::from_mins(10));
    }
}

#[test]
fn a_cookie_that_the_session_lacks_is_not_sent_and_no_value_can_add_a_cookie() {
    let mut shape = Shape::json();
    shape.settings["providers"][0]["refresh"] = json!({
        "url": "https://api.example/refresh",
        "cookies": { "r": "{refresh_token}", "device": "{cookie.device}" },
    });
    for (token, cookie) in [("refresh-ada", Some("r=refresh-ada")), ("a;admin=1", None)] {
        let (world, mut browser) = (TestEnv::with(shape.with_lease("none")), Browser::new());
        let login = json!({ "accessToken": "access-ada", "refreshToken": token, "expiresIn": 60 });
        world.api.answers_json("/sign-in", 200, &login);
        world.api.answers_json("/refresh", 200, &json!({ "accessToken": "again" }));
        sign_in_as_ada(&world, &mut browser);
        world.pass(Duration::from_secs(61));
        let status = fetch(&world, &mut browser).status;
        let requests = world.api.requests("/refresh");
        assert_eq!(
            requests.first().map(|requests| requests.headers.get("cookie")),
            cookie.map(Some),
            "{token}"
        );
        assert_eq!(status, if cookie.is_some() { 200 } else { 503 });
        assert!(!world.log_text().contains(token), "{}", world.log_text());
    }
}

#[test]
fn without_a_refresh_token_no_refresh_is_attempted_and_an_expired_token_is_not_forwarded() {
    // No `[refresh]`, and no refresh token.
    let mut without = Shape::json();
    without.settings["providers"][0].as_object_mut().unwrap().remove("refresh");
    let (world, mut browser) = without.signed_in("kv", without.over());
    let answer = fetch(&world, &mut browser);
    assert_eq!((answer.status, answer.forwarded.is_some()), (401, false));
    assert!(answer.body.contains("\"token_expired\""), "{}", answer.body);
    assert_eq!((world.api.count(), world.store.reads.get()), (2, 0));

    let (world, mut browser) = (TestEnv::with(Shape::json().with_lease("kv")), Browser::new());
    world.api.answers_json("/sign-in", 200, &json!({ "accessToken": "access-ada", "expiresIn": 60 }));
    sign_in_as_ada(&world, &mut browser);
    assert_eq!(bearer(&fetch(&world, &mut browser)).as_deref(), Some("access-ada"));
    world.pass(Duration::from_mins(5));
    assert_eq!(fetch(&world, &mut browser).status, 401);
    // An API cannot confirm a user silently: a navigation goes to the sign-in page.
    let page = browser.open(&world, &format!("{APP}/page"));
    assert_eq!(
        page.location(),
        format!("{APP}/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fpage")
    );
    assert_eq!((world.api.count(), world.store.reads.get()), (2, 0));
}

#[test]
fn a_late_response_does_not_write_an_older_generation() {
    for shape in Shape::all() {
        for lease in LEASES {
            let mut settings = shape.with_lease(lease);
            settings["session"]["update_age"] = json!("0s");
            let (world, mut browser) = (TestEnv::with(settings), Browser::new());
            sign_in_as_ada(&world, &mut browser);
            world.pass(shape.life.saturating_sub(Duration::from_secs(62)));
            world.forwarder.upstream_time.set(Duration::from_secs(20));
            let cookies = browser.cookie_header();
            let answers = world.all([sent(&world, &cookies, 0), sent(&world, &cookies, 5000)]);
            let what = format!("{}, {lease}", shape.name);
            assert_ne!(bearer(&answers[0]), bearer(&answers[1]), "{what}");
            assert!(!answers[0].headers.contains("set-cookie"), "{what}: the first answer came too late");
            assert!(answers[1].headers.contains("set-cookie"), "{what}");
        }
    }
}

#[test]
fn a_sign_out_during_a_refresh_stays_signed_out() {
    for shape in Shape::all() {
        for lease in LEASES {
            let (world, mut browser) = shape.signed_in(lease, shape.over());
            let csrf = browser.csrf(&world);
            let cookies = browser.cookie_header();
            let sign_out: Sent<'_> = Box::pin(async {
                world.clock.sleep(Duration::from_millis(150)).await;
                let form = format!("csrfToken={csrf}");
                let headers =
                    [("cookie", cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
                world.sent("POST", &format!("{APP}/auth/signout"), &headers, form.as_bytes()).await
            });
            let answers = world.all([sent(&world, &cookies, 0), sign_out]);
            let what = format!("{}, {lease}", shape.name);
            assert_eq!((answers[0].status, world.api.refreshes()), (401, 1), "{what}");
            assert!(!answers[0].headers.contains("set-cookie"), "{what}");
        }
    }
}

#[test]
fn an_empty_refresh_token_counts_as_absent() {
    let mut shape = Shape::json();
    let answer = json!({ "accessToken": "again", "refreshToken": "", "expiresIn": 60 });
    for token in [json!(""), Value::Null] {
        let (world, mut browser) = shape.signed_in("none", shape.over());
        let mut answer = answer.clone();
        answer["refreshToken"] = token;
        world.api.answers_json("/refresh", 200, &answer);
        assert_eq!(bearer(&fetch(&world, &mut browser)).as_deref(), Some("again"));
        assert_eq!(sealed(&world, &browser)["refresh_token"], "refresh-ada");
    }
    for (alone, emptied) in [(false, "refresh_token"), (true, "refresh_token"), (true, "device")] {
        shape = if alone { Shape::cookies_alone() } else { Shape::cookies() };
        let (world, mut browser) = shape.signed_in("none", shape.over());
        let empty = format!("{emptied}=; Path=/");
        let fields =
            [("set-cookie", "access_token=again; Max-Age=900; Path=/"), ("set-cookie", empty.as_str())];
        world.api.answers(shape.path, 204, &fields, "");
        assert_eq!(bearer(&fetch(&world, &mut browser)).as_deref(), Some("again"));
        world.pass(shape.over());
        fetch(&world, &mut browser);
        let requests = world.api.requests(shape.path);
        assert_eq!(requests.len(), 2);
        assert_eq!(
            requests[0].headers.get("cookie"),
            requests[1].headers.get("cookie"),
            "{alone}, {emptied}"
        );
    }
}

#[test]
fn no_lifetime_causes_a_refresh_loop() {
    for expires_in in [
        json!(-1),
        json!("0"),
        json!("soon"),
        json!(1e300),
        json!("1e9"),
        json!(i64::MAX),
        json!([60]),
        json!({}),
    ] {
        let shape = Shape::json();
        let (world, mut browser) = shape.signed_in("none", shape.over());
        let answer = json!({ "accessToken": "again", "expiresIn": expires_in });
        world.api.answers_json("/refresh", 200, &answer);
        for _ in 0..20 {
            assert_eq!(bearer(&fetch(&world, &mut browser)).as_deref(), Some("again"), "{expires_in}");
            world.pass(Duration::from_secs(10));
        }
        assert_eq!(world.api.requests("/refresh").len(), 1, "{expires_in}");
    }
}

#[test]
fn an_error_code_that_repeats_a_token_or_a_cookie_is_not_logged() {
    let mut shape = Shape::json();
    let provider = &mut shape.settings["providers"][0];
    provider["login"]["refused_errors"] = json!(["revoked"]);
    provider["refresh"] = json!({
        "url": "https://api.example/refresh",
        "body": { "refreshToken": "{refresh_token}", "accessToken": "{access_token}" },
    });
    for (code, is_logged) in [("busy", true), ("refresh-ada", false), ("access-ada", false)] {
        let (world, mut browser) = shape.signed_in("none", shape.over());
        world.api.answers_json("/refresh", 400, &json!({ "error": code }));
        assert_eq!(fetch(&world, &mut browser).status, 503, "{code}");
        let sent = world.api.requests("/refresh")[0].json();
        assert_eq!(sent, json!({ "refreshToken": "refresh-ada", "accessToken": "access-ada" }));
        assert_eq!(world.log_text().contains(code), is_logged, "{code}: {}", world.log_text());
    }
}

/// A login whose answer says until when its refresh token, or its cookies, can be used.
fn ending(mut shape: Shape) -> (TestEnv, Browser, Shape) {
    shape.settings["providers"][0]["login"]["refresh_expires_in"] = json!("body.left");
    let (world, mut browser) = (TestEnv::with(shape.with_lease("none")), Browser::new());
    let cookies = [
        ("set-cookie", "access_token=access-1; Max-Age=900"),
        ("set-cookie", "refresh_token=refresh-1"),
        ("set-cookie", "device=device-1"),
        ("content-type", "application/json"),
    ];
    world.api.answers("/auth/login", 200, &cookies, r#"{"left":86400}"#);
    world.api.answers_json("/users/me", 200, &json!({ "data": { "id": "c-1", "name": "Ada" } }));
    sign_in_as_ada(&world, &mut browser);
    world.pass(shape.over());
    (world, browser, shape)
}

#[test]
fn an_expiry_is_that_of_the_refresh_token_or_where_there_is_none_of_the_cookies() {
    for (shape, new, stays) in [
        // The refresh token is the same, and only a cookie beside it is new.
        (Shape::cookies(), "device=device-2", true),
        (Shape::cookies(), "refresh_token=refresh-2", false),
        (Shape::cookies_alone(), "refresh_token=refresh-2", false),
        (Shape::cookies_alone(), "theme=dark", true),
    ] {
        let (world, mut browser, shape) = ending(shape);
        let end = sealed(&world, &browser)["refresh_expires_at"].clone();
        assert!(end.is_u64(), "{}", shape.name);
        let cookies = [("set-cookie", "access_token=access-2; Max-Age=900"), ("set-cookie", new)];
        world.api.answers(shape.path, 204, &cookies, "");
        assert_eq!(bearer(&fetch(&world, &mut browser)).as_deref(), Some("access-2"), "{}", shape.name);
        let after = sealed(&world, &browser)["refresh_expires_at"].clone();
        assert_eq!(after, if stays { end } else { Value::Null }, "{}, {new}", shape.name);
    }
}

#[test]
fn an_error_code_that_repeats_a_cookie_of_the_session_is_not_logged_either() {
    for (code, is_logged) in [("busy", true), ("device-1", false), ("refresh-1", false)] {
        let mut shape = Shape::cookies();
        shape.settings["providers"][0]["login"]["refused_errors"] = json!(["revoked"]);
        let (world, mut browser, shape) = ending(shape);
        world.api.answers_json(shape.path, 400, &json!({ "code": code }));
        assert_eq!(fetch(&world, &mut browser).status, 503, "{code}");
        assert_eq!(world.log_text().contains(code), is_logged, "{code}: {}", world.log_text());
    }
}

#[test]
fn a_session_with_cookies_but_without_the_refresh_token_that_the_request_needs_is_not_refreshed() {
    let shape = Shape::cookies();
    let (world, mut browser) = (TestEnv::with(shape.with_lease("kv")), Browser::new());
    let cookies = [("set-cookie", "access_token=access-1; Max-Age=900"), ("set-cookie", "device=device-1")];
    world.api.answers("/auth/login", 204, &cookies, "");
    world.api.answers_json("/users/me", 200, &json!({ "data": { "id": "c-1", "name": "Ada" } }));
    sign_in_as_ada(&world, &mut browser);
    assert_eq!(sealed(&world, &browser)["api_cookies"], json!({ "device": "device-1" }));
    world.pass(shape.over());
    let answer = fetch(&world, &mut browser);
    assert!(answer.status == 401 && answer.body.contains("\"token_expired\""), "{answer:?}");
    assert_eq!(world.api.requests(shape.path).len(), 0);
    // Nor can its user be confirmed, so for as long as someone comes it is renewed.
    for _ in 0..40 {
        world.pass(Duration::from_hours(24));
        assert_eq!(browser.session(&world)["user"]["name"], "Ada");
    }
}

#[test]
fn another_user_whom_an_api_names_after_a_refresh_does_not_become_the_sessions() {
    for user in [json!({ "id": "profile.id" }), json!({ "id": "login.id" })] {
        let is_said = user["id"] == "profile.id";
        let mut shape = Shape::json();
        shape.settings["providers"][0]["user"] = user;
        shape.settings["rules"] = json!([{ "match": "/admin", "require": { "roles": ["root"] } }]);
        let (world, mut browser) = (TestEnv::with(shape.with_lease("none")), Browser::new());
        let login = json!({ "accessToken": "access-ada", "refreshToken": "refresh-ada", "expiresIn": 3600, "id": 17 });
        world.api.answers_json("/sign-in", 200, &login);
        sign_in_as_ada(&world, &mut browser);
        world.api.answers_json("/me", 200, &json!({ "id": 18, "roles": ["root"] }));
        world.pass(shape.over());
        // Where only the login says who the user is, the profile is that of the session's user.
        assert_eq!(fetch(&world, &mut browser).status, if is_said { 401 } else { 200 });
        let status = browser.fetch(&world, &format!("{APP}/admin")).status;
        assert_eq!(status, if is_said { 401 } else { 200 });
        let session = sealed(&world, &browser);
        assert_eq!(session["sub"], "17");
        assert_eq!(session.get("roles") == Some(&json!(["root"])), !is_said, "{session}");
    }
}
