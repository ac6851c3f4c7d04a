//! `flow/guard/upstream_cookies`, `flow/refresh/upstream` and the texts that upstreams get: a backend that reads its tokens
//! from cookies, and sets them again.

use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::log::{Line, LogEvent};
use vestibule_testing::credentials_api::jwt;
use vestibule_testing::{APP, Answer, Browser, TestEnv, environment, settings};

use crate::credentials::{sealed, sign_in_as_ada};

const KEY: &str = "k-4711";

fn with_key(name: &str) -> Option<String> {
    if name == "AUTH_TEMPLATE_API_KEY" { Some(KEY.to_owned()) } else { environment(name) }
}

/// An access token of Ada's.
fn token(n: u32) -> String {
    token_of("c-1", n)
}

fn token_of(user: &str, n: u32) -> String {
    jwt(&json!({ "sub": user, "n": n }))
}

/// A backend whose login answers with the cookies `access_token`, a JWT, and `refresh_token`.
pub fn backend() -> Value {
    json!({
        "session": { "expose": { "access_token": "access_token" } },
        "providers": [{
            "id": "credentials",
            "type": "credentials",
            "fields": [{ "name": "email", "type": "email" }, { "name": "password", "type": "password" }],
            "login": {
                "url": "https://api.example/auth/login",
                "access_token": "cookie.access_token",
                "refresh_token": "cookie.refresh_token",
            },
            "user": { "id": "access_token.sub" },
            "refresh": {
                "url": "https://api.example/auth/refresh",
                "cookies": { "refresh_token": "{refresh_token}" },
            },
        }],
        "rules": [{ "match": "/about", "access": "public" }],
        "upstreams": [{
            "to": "https://upstream.example",
            "cookies": { "access_token": "access_token" },
        }],
    })
}

fn signed_in(settings: Value) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::in_environment(settings, &with_key), Browser::new());
    let (access, refresh) = (set_access(1), set_refresh(1));
    let cookies = [("set-cookie", access.as_str()), ("set-cookie", refresh.as_str())];
    world.api.answers("/auth/login", 204, &cookies, "");
    assert_eq!(sign_in_as_ada(&world, &mut browser).status, 302);
    (world, browser)
}

fn set_access(n: u32) -> String {
    format!("access_token={}; Path=/; Max-Age=900; HttpOnly", token(n))
}

fn set_refresh(n: u32) -> String {
    format!("refresh_token=refresh-{n}; Path=/auth/refresh; HttpOnly")
}

fn upstream_sets(world: &TestEnv, fields: &[&str]) {
    *world.forwarder.set_cookies.borrow_mut() = fields.iter().map(|field| (*field).to_owned()).collect();
}

fn fetch(world: &TestEnv, browser: &mut Browser) -> Answer {
    browser.fetch(world, &format!("{APP}/api"))
}

/// The `Cookie` field that the upstream got.
fn carried(answer: &Answer) -> Option<String> {
    answer.forwarded.as_ref()?.request.headers.get("cookie").map(str::to_owned)
}

fn cookie_with(n: u32) -> String {
    format!("access_token={}", token(n))
}

fn dropped(world: &TestEnv) -> Vec<String> {
    world.logged(LogEvent::UpstreamCookieDropped).iter().map(|line| Line::message(line).to_owned()).collect()
}

fn no_token_in(world: &TestEnv) {
    let log = world.log_text();
    for secret in ["eyJ", "refresh-1", "refresh-2", KEY] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn a_backend_that_reads_cookies_gets_the_session_s_tokens_and_the_browser_never_does() {
    let (world, mut browser) = signed_in(backend());
    upstream_sets(&world, &["access_token=; Path=/x; Max-Age=60", "theme=dark; Path=/", "Refresh_Token=r"]);
    let answer = fetch(&world, &mut browser);
    assert_eq!(carried(&answer), Some(cookie_with(1)));
    let to_browser: Vec<_> = answer.headers.get_all("set-cookie").collect();
    assert_eq!(to_browser, ["theme=dark; Path=/"]);
    // No one is signed in: the upstream gets no cookie, and sets none of these either.
    let answer = Browser::new().fetch(&world, &format!("{APP}/about"));
    assert_eq!(carried(&answer), None);
    assert_eq!(answer.headers.get_all("set-cookie").collect::<Vec<_>>(), ["theme=dark; Path=/"]);
    assert_eq!(dropped(&world).len(), 2);
    no_token_in(&world);
}

#[test]
fn header_smuggling_no_client_brings_a_cookie_that_the_upstream_gets_from_the_session() {
    let (world, browser) = signed_in(backend());
    let session = browser.cookie_header();
    let own = [
        "access_token=evil",
        "Access_Token=evil",
        "access.token=evil",
        "access-token=evil",
        "__Host-access_token=evil",
        "__Secure-access_token=evil",
        "%61ccess_token=evil",
        "access_token[x]=evil",
        "=access_token=evil",
        "b=1, access_token=evil",
        "b=1 access_token=evil",
        "access_token=evil; access_token=evil",
        "\"x; access_token=evil\"",
    ];
    for evil in own {
        for cookies in [format!("{evil}; theme=dark; {session}"), format!("theme=dark; {session}; {evil}")] {
            let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "cors")];
            let answer = world.send("GET", &format!("{APP}/api"), &headers, b"");
            let got = carried(&answer).unwrap();
            let got: Vec<&str> = got.split("; ").filter(|pair| !pair.starts_with('"')).collect();
            assert_eq!(got, ["theme=dark", &format!("access_token={}", token(1))], "{evil}");
        }
        // On public paths and in preflights, too.
        let headers = [("cookie", evil)];
        let answer = world.send("GET", &format!("{APP}/about"), &headers, b"");
        assert!(!carried(&answer).unwrap_or_default().contains("access_token"), "{evil}");
        let preflight = [("cookie", evil), ("origin", APP), ("access-control-request-method", "POST")];
        let answer = world.send("OPTIONS", &format!("{APP}/about"), &preflight, b"");
        assert!(!carried(&answer).unwrap_or_default().contains("access_token"), "{evil}");
    }
    // `Connection` removes the client's cookies, and not the session's.
    let headers = [("cookie", session.as_str()), ("connection", "cookie, close"), ("sec-fetch-mode", "cors")];
    let answer = world.send("GET", &format!("{APP}/api"), &headers, b"");
    assert_eq!(carried(&answer), Some(cookie_with(1)));
}

#[test]
fn a_text_is_sent_with_its_claims_and_secrets_and_only_if_it_is_whole() {
    let mut settings = backend();
    settings["upstreams"][0] = json!({
        "to": "https://upstream.example",
        "headers": {
            "Authorization": "JWT {access_token}",
            "X-Api-Key": "{secret.API_KEY}",
            "X-Who": "{provider}/{sub}",
            "X-Mail": "<{email}>",
        },
        "cookies": { "jwt": "{access_token}", "key": "v1.{secret.API_KEY}" },
    });
    let (world, mut browser) = signed_in(settings.clone());
    let own =
        [("authorization", "Bearer evil"), ("x-api-key", "evil"), ("x_api_key", "evil"), ("x-mail", "evil")];
    let headers: Vec<_> = own.into_iter().chain([("sec-fetch-mode", "cors")]).collect();
    let answer = browser.send(&world, "GET", &format!("{APP}/api"), &headers, b"");
    let sent = answer.forwarded.unwrap().request.headers;
    let jwt = format!("JWT {}", token(1));
    for (name, value) in [
        ("authorization", Some(jwt.as_str())),
        ("x-api-key", Some(KEY)),
        ("x-who", Some("credentials/c-1")),
        ("x-mail", None),
        ("x_api_key", None),
    ] {
        assert_eq!(sent.get_all(name).collect::<Vec<_>>(), Vec::from_iter(value), "{name}");
    }
    assert_eq!(sent.get("cookie"), Some(format!("jwt={}; key=v1.{KEY}", token(1)).as_str()));
    // Without a session only what is no one's goes out, and the answer is everyone's.
    let answer = Browser::new().send(&world, "GET", &format!("{APP}/about"), &own, b"");
    let forwarded = answer.forwarded.unwrap();
    let sent = &forwarded.request.headers;
    assert_eq!(
        (sent.get("x-api-key"), sent.get("cookie")),
        (Some(KEY), Some(format!("key=v1.{KEY}").as_str()))
    );
    assert!(!sent.contains("authorization") && !sent.contains("x-who") && !forwarded.personal);
    no_token_in(&world);
    // A rule's own key replaces the text, and its text the upstream's key.
    settings["rules"] = json!([
        { "match": "/a", "access": "signed-in", "authorization": "access_token" },
        { "match": "/b", "access": "signed-in", "headers": { "Authorization": "Token {access_token}" } },
        { "match": "/c", "access": "signed-in", "to": "service:OTHER" },
    ]);
    let (world, mut browser) = signed_in(settings.clone());
    let authorization = |world: &TestEnv, browser: &mut Browser, path: &str| {
        let answer = browser.fetch(world, &format!("{APP}{path}"));
        answer.forwarded.unwrap().request.headers.get("authorization").map(str::to_owned)
    };
    assert_eq!(authorization(&world, &mut browser, "/a"), Some(format!("Bearer {}", token(1))));
    assert_eq!(authorization(&world, &mut browser, "/b"), Some(format!("Token {}", token(1))));
    let answer = browser.fetch(&world, &format!("{APP}/c"));
    let sent = answer.forwarded.unwrap().request.headers;
    assert!(["authorization", "x-api-key", "cookie"].iter().all(|name| !sent.contains(name)));
    settings["upstreams"][0] = json!({ "to": "https://upstream.example", "authorization": "access_token" });
    let (world, mut browser) = signed_in(settings);
    assert_eq!(authorization(&world, &mut browser, "/b"), Some(format!("Token {}", token(1))));
}

#[test]
fn what_a_person_types_stays_text_and_no_secret_reaches_the_log() {
    let mut settings = backend();
    settings["providers"][0]["login"]["error"] = json!("body.code");
    settings["providers"][0]["login"]["headers"] = json!({ "X-Api-Key": "{secret.API_KEY}" });
    settings["providers"][0]["login"]["body"] =
        json!({ "email": "{email}", "password": "{password}", "client": { "key": "{secret.API_KEY}" } });
    settings["providers"][0]["refresh"]["headers"] = json!({ "Authorization": "Basic {secret.API_KEY}" });
    let world = TestEnv::in_environment(settings, &with_key);
    let mut browser = Browser::new();
    // An API may repeat what it got.
    world.api.answers_json("/auth/login", 401, &json!({ "code": KEY }));
    let csrf = browser.csrf(&world);
    let typed = "{secret.API_KEY}{password}";
    let fields = [("csrfToken", csrf.as_str()), ("email", typed), ("password", "x")];
    let answer = browser.post(&world, &format!("{APP}/auth/callback/credentials"), &fields);
    assert!(!answer.location().contains(KEY), "{}", answer.location());
    let request = &world.api.requests("/auth/login")[0];
    assert_eq!(request.headers.get("x-api-key"), Some(KEY));
    assert_eq!(request.json(), json!({ "email": typed, "password": "x", "client": { "key": KEY } }));
    no_token_in(&world);
}

#[test]
fn new_tokens_of_the_same_user_become_the_session_s_and_every_process_finds_them() {
    for lease in ["none", "kv", "durable-object"] {
        let mut settings = backend();
        settings["refresh"] = json!({ "lease": lease });
        let (world, mut browser) = signed_in(settings.clone());
        let old = browser.cookie_header();
        upstream_sets(&world, &[&set_access(2), &set_refresh(2)]);
        let answer = fetch(&world, &mut browser);
        assert_eq!(carried(&answer), Some(cookie_with(1)));
        let to_browser: Vec<_> = answer.headers.get_all("set-cookie").collect();
        assert!(to_browser.iter().all(|it| !it.contains("eyJhbGciOiJIUzI1NiJ9") && !it.contains("refresh")));
        let session = sealed(&world, &browser);
        assert_eq!(
            (&session["access_token"], &session["refresh_token"]),
            (&json!(token(2)), &json!("refresh-2"))
        );
        assert_eq!((&session["generation"], &session["sub"]), (&json!(1), &json!("c-1")), "{lease}");
        upstream_sets(&world, &[]);
        assert_eq!(carried(&fetch(&world, &mut browser)), Some(cookie_with(2)));
        assert_eq!(world.logged(LogEvent::UpstreamRefreshed).len(), 1, "{lease}");
        // A browser that missed the answer: its old token has expired, and the new one is found.
        world.pass(Duration::from_secs(890));
        if lease != "none" {
            let other = world.isolate(settings, "here");
            let headers = [("cookie", old.as_str()), ("sec-fetch-mode", "cors")];
            let answer = other.send("GET", &format!("{APP}/api"), &headers, b"");
            assert_eq!(carried(&answer), Some(cookie_with(2)), "{lease}");
            assert_eq!(world.api.requests("/auth/refresh").len(), 0, "{lease}");
        }
        assert_eq!(dropped(&world), Vec::<String>::new());
        no_token_in(&world);
    }
}

#[test]
fn another_users_tokens_are_those_of_no_session() {
    let other = format!("access_token={}; Path=/", token_of("c-2", 2));
    let nobody = format!("access_token={}; Path=/", jwt(&json!({ "n": 2 })));
    let cases: [(&[&str], &str); 6] = [
        (&[&other, "refresh_token=r-2"], "another user"),
        (&[&nobody], "shows the session's user"),
        (&["access_token=opaque"], "shows the session's user"),
        (&["access_token=two words"], "not a token"),
        (&["refresh_token=r-2"], "neither have a new access token"),
        (&["ACCESS_TOKEN=x"], "neither have a new access token"),
    ];
    for (fields, why) in cases {
        let (world, mut browser) = signed_in(backend());
        upstream_sets(&world, fields);
        let answer = fetch(&world, &mut browser);
        assert_eq!(answer.headers.get_all("set-cookie").count(), 0, "{fields:?}");
        upstream_sets(&world, &[]);
        assert_eq!(carried(&fetch(&world, &mut browser)), Some(cookie_with(1)), "{fields:?}");
        let reasons = dropped(&world);
        assert!(reasons.len() == 1 && reasons[0].contains(why), "{fields:?}: {reasons:?}");
        no_token_in(&world);
    }
    // A token that the session has already changes nothing, and is no line in the log.
    let (world, mut browser) = signed_in(backend());
    upstream_sets(&world, &[&set_access(1)]);
    assert_eq!(fetch(&world, &mut browser).headers.get_all("set-cookie").count(), 0);
    assert_eq!((dropped(&world).len(), &sealed(&world, &browser)["generation"]), (0, &Value::Null));
}

#[test]
fn where_the_token_says_nothing_the_profile_shows_the_user() {
    let mut settings = backend();
    settings["providers"][0]["profile"] = json!({ "url": "https://api.example/users/me" });
    settings["providers"][0]["user"] = json!({ "id": "profile.id" });
    settings["claims"] = json!({ "roles": "profile.roles" });
    let world = TestEnv::in_environment(settings, &with_key);
    let mut browser = Browser::new();
    let access = set_access(1);
    world.api.answers("/auth/login", 204, &[("set-cookie", &access), ("set-cookie", &set_refresh(1))], "");
    world.api.answers_json("/users/me", 200, &json!({ "id": 7, "roles": ["a"] }));
    sign_in_as_ada(&world, &mut browser);
    upstream_sets(&world, &["access_token=opaque-2; Path=/"]);
    // Another user, or no answer: nothing is known of the token.
    world.api.answers_json("/users/me", 200, &json!({ "id": 8, "roles": ["b"] }));
    fetch(&world, &mut browser);
    world.api.answers_json("/users/me", 500, &json!({}));
    fetch(&world, &mut browser);
    assert_eq!((dropped(&world).len(), &sealed(&world, &browser)["generation"]), (2, &Value::Null));
    world.api.answers_json("/users/me", 200, &json!({ "id": 7, "roles": ["b"] }));
    fetch(&world, &mut browser);
    let requests = world.api.requests("/users/me");
    assert_eq!(requests.last().unwrap().headers.get("authorization"), Some("Bearer opaque-2"));
    let session = sealed(&world, &browser);
    assert_eq!((&session["access_token"], &session["roles"]), (&json!("opaque-2"), &json!(["b"])));
}

#[test]
fn without_an_answer_from_the_profile_the_token_alone_says_whose_it_is() {
    let mut settings = backend();
    settings["providers"][0]["profile"] = json!({ "url": "https://api.example/users/me" });
    settings["claims"] = json!({ "roles": "profile.roles" });
    let world = TestEnv::in_environment(settings, &with_key);
    let mut browser = Browser::new();
    let access = set_access(1);
    world.api.answers("/auth/login", 204, &[("set-cookie", &access), ("set-cookie", &set_refresh(1))], "");
    world.api.answers_json("/users/me", 200, &json!({ "roles": ["a"] }));
    sign_in_as_ada(&world, &mut browser);
    world.api.answers_json("/users/me", 500, &json!({}));
    upstream_sets(&world, &[&format!("access_token={}; Path=/", token_of("c-2", 2))]);
    fetch(&world, &mut browser);
    assert_eq!((dropped(&world).len(), &sealed(&world, &browser)["generation"]), (1, &Value::Null));
    upstream_sets(&world, &[&set_access(2)]);
    fetch(&world, &mut browser);
    let session = sealed(&world, &browser);
    assert_eq!((&session["access_token"], &session["roles"]), (&json!(token(2)), &json!(["a"])));
    assert_eq!(world.logged(LogEvent::ClaimsNotRefreshed).len(), 1);
}

#[test]
fn an_upstream_that_refuses_a_token_at_its_end_ends_no_session() {
    let (world, mut browser) = signed_in(backend());
    // The token ends while the upstream works. Nothing refreshes it meanwhile.
    world.pass(Duration::from_secs(830));
    world.forwarder.upstream_time.set(Duration::from_secs(75));
    upstream_sets(&world, &["access_token=; Max-Age=0; Path=/"]);
    fetch(&world, &mut browser);
    assert_eq!(world.logged(LogEvent::UpstreamSignedOut).len(), 0);
    assert!(dropped(&world)[0].contains("expired when the answer came"));
    // A token that has ended is no renewal.
    let (world, mut browser) = signed_in(backend());
    let ended = jwt(&json!({ "sub": "c-1", "exp": world.now().seconds() - 1 }));
    upstream_sets(&world, &[&format!("access_token={ended}; Path=/")]);
    fetch(&world, &mut browser);
    assert!(dropped(&world)[0].contains("expired already"));
    assert_eq!(sealed(&world, &browser)["access_token"], token(1));
}

#[test]
fn another_users_tokens_an_answer_to_older_tokens_changes_nothing() {
    for lease in ["kv", "durable-object"] {
        let mut settings = backend();
        settings["refresh"] = json!({ "lease": lease });
        let (world, mut browser) = signed_in(settings.clone());
        let old = browser.cookie_header();
        upstream_sets(&world, &[&set_access(2), &set_refresh(2)]);
        fetch(&world, &mut browser);
        world.pass(Duration::from_secs(20));
        let deletion = "access_token=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        for late in [set_access(3), deletion.to_owned()] {
            upstream_sets(&world, &[&late, &set_refresh(3)]);
            for process in [world.isolate(settings.clone(), "here"), world.isolate(settings.clone(), "here")]
            {
                let headers = [("cookie", old.as_str()), ("sec-fetch-mode", "cors")];
                let answer = process.send("GET", &format!("{APP}/api"), &headers, b"");
                assert_eq!(carried(&answer), Some(cookie_with(1)));
                assert_eq!(answer.headers.get_all("set-cookie").count(), 0, "{lease}");
            }
        }
        let reasons = dropped(&world);
        assert!(reasons.len() == 4 && reasons.iter().all(|it| it.contains("newest")), "{lease}: {reasons:?}");
        upstream_sets(&world, &[]);
        assert_eq!(carried(&fetch(&world, &mut browser)), Some(cookie_with(2)), "{lease}");
    }
}

#[test]
fn a_removed_token_ends_the_session_in_every_copy() {
    for deletion in [
        "access_token=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "access_token=gone; Max-Age=0; Path=/",
        "access_token=; Max-Age=-1",
    ] {
        for lease in ["none", "kv", "durable-object"] {
            let mut settings = backend();
            settings["refresh"] = json!({ "lease": lease });
            let (world, mut browser) = signed_in(settings);
            let copy = browser.clone();
            upstream_sets(&world, &[deletion, "refresh_token=; Max-Age=0; Path=/auth/refresh"]);
            fetch(&world, &mut browser);
            assert!(!browser.cookie_names().iter().any(|name| name.contains("session-token")), "{deletion}");
            assert_eq!(world.logged(LogEvent::UpstreamSignedOut).len(), 1);
            upstream_sets(&world, &[]);
            assert_eq!(fetch(&world, &mut copy.clone()).status, 401, "{deletion}, {lease}");
        }
    }
    // On a public path, too: an app's own sign-out is often there.
    let (world, mut browser) = signed_in(backend());
    upstream_sets(&world, &["access_token=; Max-Age=0"]);
    browser.fetch(&world, &format!("{APP}/about"));
    assert_eq!(world.logged(LogEvent::UpstreamSignedOut).len(), 1);
    // Without an end it is no deletion, and a request of another page's carries no tokens.
    let (world, mut browser) = signed_in(backend());
    upstream_sets(&world, &["access_token="]);
    fetch(&world, &mut browser);
    upstream_sets(&world, &["access_token=; Max-Age=0"]);
    let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let answer = browser.send(&world, "POST", &format!("{APP}/about"), &foreign, b"");
    assert_eq!(carried(&answer), None);
    assert_eq!((dropped(&world).len(), world.logged(LogEvent::UpstreamSignedOut).len()), (2, 0));
}

type Sent<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

fn sent<'a>(process: &'a TestEnv, cookies: &'a str, after: Duration) -> Sent<'a> {
    Box::pin(async move {
        process.clock.sleep(after).await;
        let headers = [("cookie", cookies), ("sec-fetch-mode", "cors")];
        process.sent("GET", &format!("{APP}/api"), &headers, b"").await
    })
}

/// A request to a slow upstream, whose answer sets `fields`, comes back while another request refreshes: in the same
/// process, or in another one. The API answers that refresh with `refresh`.
fn race(
    lease: &str,
    in_same_process: bool,
    fields: &[&str],
    refresh: (u16, &[(&str, &str)]),
) -> (TestEnv, Vec<Answer>, Browser) {
    let mut settings = backend();
    settings["refresh"] = json!({ "lease": lease });
    let (world, mut browser) = signed_in(settings.clone());
    world.pass(Duration::from_secs(830));
    world.api.answers("/auth/refresh", refresh.0, refresh.1, "");
    world.http.token_time.set(Duration::from_millis(400));
    world.forwarder.upstream_time.set(Duration::from_secs(15));
    upstream_sets(&world, fields);
    let (first, other) = (world.isolate(settings.clone(), "here"), world.isolate(settings, "here"));
    let second = if in_same_process { &first } else { &other };
    let cookies = browser.cookie_header();
    let slow = sent(&first, &cookies, Duration::ZERO);
    let quick: Sent<'_> = Box::pin(async {
        second.clock.sleep(Duration::from_millis(14_800)).await;
        upstream_sets(second, &[]);
        sent(second, &cookies, Duration::ZERO).await
    });
    let answers = world.all([slow, quick]);
    for answer in &answers {
        browser.take(answer);
    }
    upstream_sets(&world, &[]);
    world.forwarder.upstream_time.set(Duration::ZERO);
    (world, answers, browser)
}

#[test]
fn no_session_is_lost_where_an_upstream_and_a_refresh_race() {
    for lease in ["none", "kv", "durable-object"] {
        for in_same_process in [true, false] {
            let what = format!("{lease}, {in_same_process}");
            if lease == "none" && !in_same_process {
                continue;
            }
            // The upstream's tokens have replaced the old ones, so the refresh is refused.
            let (access, refresh) = (set_access(2), set_refresh(2));
            let (world, answers, mut browser) =
                race(lease, in_same_process, &[&access, &refresh], (401, &[]));
            assert_eq!(world.api.requests("/auth/refresh").len(), 1, "{what}");
            assert!(answers.iter().all(|answer| answer.status == 200), "{what}: {answers:?}");
            assert_eq!(carried(&fetch(&world, &mut browser)), Some(cookie_with(2)), "{what}");
            assert_eq!(sealed(&world, &browser)["refresh_token"], "refresh-2", "{what}");
            no_token_in(&world);
        }
    }
}

#[test]
fn an_upstream_that_knows_only_the_old_tokens_undoes_no_refresh() {
    for lease in ["none", "kv", "durable-object"] {
        for in_same_process in [true, false] {
            for field in [set_access(3), "access_token=; Max-Age=0; Path=/".to_owned()] {
                let what = format!("{lease}, {in_same_process}, {field}");
                if lease == "none" && !in_same_process {
                    continue;
                }
                let (access, refresh) = (set_access(2), set_refresh(2));
                let cookies = [("set-cookie", access.as_str()), ("set-cookie", refresh.as_str())];
                let (world, _, mut browser) = race(lease, in_same_process, &[&field], (204, &cookies));
                assert_eq!(dropped(&world).len(), 1, "{what}");
                assert_eq!(carried(&fetch(&world, &mut browser)), Some(cookie_with(2)), "{what}");
                assert_eq!(sealed(&world, &browser)["refresh_token"], "refresh-2", "{what}");
            }
        }
    }
}

#[test]
fn a_proxy_that_asks_is_refused_where_the_upstream_gets_cookies() {
    let mut settings = backend();
    settings["verify"] = json!({ "headers": "x-forwarded" });
    let environment = |name: &str| match name {
        "AUTH_VERIFY_SECRET" => Some("proxy-secret-of-32-characters!!!".to_owned()),
        name => with_key(name),
    };
    let world = TestEnv::in_environment(settings, &environment);
    let headers = [
        ("x-vestibule-verify", "proxy-secret-of-32-characters!!!"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-uri", "/about"),
    ];
    let answer = world.send("GET", &format!("{APP}/auth/verify"), &headers, b"");
    assert_eq!(answer.status, 403);
    let lines = world.logged(LogEvent::ForwardAuthRejected);
    assert!(lines[0].message().contains("the upstream gets cookies"), "{:?}", lines[0].message());
}

#[test]
fn a_secret_goes_to_the_upstream_and_to_no_page_that_asks() {
    let mut settings = settings();
    settings["upstreams"][0]["headers"] = json!({ "X-Api-Key": "{secret.API_KEY}", "X-Mix": "{email} {secret.API_KEY}", "X-Mail": "<{email}>" });
    let (world, mut browser) = (TestEnv::in_environment(settings, &with_key), Browser::new());
    browser.sign_in(&world, "alice", "/");
    let answer = browser.fetch(&world, &format!("{APP}/auth/verify"));
    assert_eq!((answer.status, answer.headers.get("x-mail")), (204, Some("<alice@example.com>")));
    assert!(!answer.headers.contains("x-api-key") && !answer.headers.contains("x-mix"));
    let sent = browser.fetch(&world, &format!("{APP}/dashboard")).forwarded.unwrap().request.headers;
    assert_eq!(sent.get("x-mix"), Some(format!("alice@example.com {KEY}").as_str()));
}

#[test]
fn a_cookie_that_a_refresh_sends_is_new_where_its_value_is_another_one_and_not_empty() {
    let mut settings = backend();
    settings["providers"][0]["refresh"]["cookies"]["device"] = json!("{cookie.device}");
    for (set, is_new) in [("device=d-1", false), ("device=", false), ("device=d-2", true)] {
        let (world, mut browser) = (TestEnv::in_environment(settings.clone(), &with_key), Browser::new());
        let (access, refresh) = (set_access(1), set_refresh(1));
        let cookies =
            ["device=d-1; Path=/", access.as_str(), refresh.as_str()].map(|set| ("set-cookie", set));
        world.api.answers("/auth/login", 204, &cookies, "");
        sign_in_as_ada(&world, &mut browser);
        upstream_sets(&world, &[&access, &format!("{set}; Path=/")]);
        fetch(&world, &mut browser);
        let session = sealed(&world, &browser);
        let (device, generation) = if is_new { ("d-2", json!(1)) } else { ("d-1", Value::Null) };
        assert_eq!(
            (&session["api_cookies"]["device"], &session["generation"]),
            (&json!(device), &generation)
        );
    }
}

#[test]
fn another_users_tokens_an_answer_that_does_not_name_the_user_changes_nothing() {
    let mut settings = backend();
    settings["providers"][0]["user"] = json!({ "id": "login.id" });
    let (world, mut browser) = (TestEnv::in_environment(settings, &with_key), Browser::new());
    let (access, refresh) = (set_access(1), set_refresh(1));
    let cookies = [("set-cookie", &*access), ("set-cookie", &*refresh), ("content-type", "application/json")];
    world.api.answers("/auth/login", 200, &cookies, r#"{"id":"c-1"}"#);
    assert_eq!(sign_in_as_ada(&world, &mut browser).status, 302);
    upstream_sets(&world, &[&set_access(2), &set_refresh(2)]);
    fetch(&world, &mut browser);
    upstream_sets(&world, &[]);
    assert_eq!(carried(&fetch(&world, &mut browser)), Some(cookie_with(1)));
    assert_eq!((dropped(&world).len(), &sealed(&world, &browser)["sub"]), (1, &json!("c-1")));
}

#[test]
fn an_upstream_that_got_no_token_gives_the_session_none() {
    let (world, mut browser) = signed_in(backend());
    world.pass(Duration::from_secs(901));
    upstream_sets(&world, &[&set_access(2), &set_refresh(2)]);
    let answer = browser.open(&world, &format!("{APP}/about"));
    assert_eq!((carried(&answer), answer.headers.get_all("set-cookie").count()), (None, 0));
    assert_eq!(sealed(&world, &browser)["generation"], Value::Null);
    assert_eq!(dropped(&world).len(), 1, "{}", world.log_text());
}

#[test]
fn a_refresh_token_that_an_upstream_has_replaced_is_not_sent_however_late_the_lock_answers() {
    let mut settings = backend();
    settings["refresh"] = json!({ "lease": "durable-object" });
    let (world, mut browser) = signed_in(settings);
    world.pass(Duration::from_secs(830));
    let (access, refresh) = (set_access(2), set_refresh(2));
    world.forwarder.upstream_time.set(Duration::from_secs(15));
    upstream_sets(&world, &[&access, &refresh]);
    world.api.answers("/auth/refresh", 401, &[], "");
    let cookies = browser.cookie_header();
    let quick: Sent<'_> = Box::pin(async {
        world.clock.sleep(Duration::from_millis(14_800)).await;
        upstream_sets(&world, &[]);
        // The upstream's answer comes while the lock takes this long.
        let [cached, read, write, _] = world.store.latency.get();
        world.store.latency.set([cached, read, write, 1500]);
        sent(&world, &cookies, Duration::ZERO).await
    });
    let answers = world.all([sent(&world, &cookies, Duration::ZERO), quick]);
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        browser.take(answer);
    }
    assert_eq!(world.api.requests("/auth/refresh").len(), 0, "the token was used up by the upstream");
    upstream_sets(&world, &[]);
    assert_eq!(carried(&fetch(&world, &mut browser)), Some(cookie_with(2)));
}

#[test]
fn an_upstream_that_gets_no_cookies_of_the_session_sets_cookies_of_any_name() {
    let mut settings = backend();
    settings["upstreams"][0] = json!({ "to": "https://upstream.example", "authorization": "access_token" });
    let (world, mut browser) = signed_in(settings);
    world.pass(Duration::from_secs(850));
    let (access, refresh) = (set_access(2), set_refresh(2));
    let cookies = [("set-cookie", access.as_str()), ("set-cookie", refresh.as_str())];
    world.api.answers("/auth/refresh", 204, &cookies, "");
    let own = ["access_token=of-the-app; Path=/", "refresh_token=of-the-app; Path=/"];
    upstream_sets(&world, &own);
    // Also where the session has a new cookie.
    let answer = fetch(&world, &mut browser);
    let set: Vec<&str> = answer.headers.get_all("set-cookie").collect();
    assert!(set.len() > 2 && set.starts_with(&own), "{set:?}");
    assert_eq!(dropped(&world), [""; 0]);
}
