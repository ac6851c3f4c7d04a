//! Which answer each kind of client gets: a navigation, a script, a WebSocket, a prefetch, a HEAD request.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

const NAVIGATION: [(&str, &str); 2] = [("sec-fetch-mode", "navigate"), ("accept", "text/html")];

/// The header fields by which browsers and Next.js mark a prefetch.
const PREFETCH: [(&str, &str); 6] = [
    ("sec-purpose", "prefetch"),
    ("sec-purpose", "prefetch;prerender"),
    ("purpose", "prefetch"),
    ("x-moz", "prefetch"),
    ("next-router-prefetch", "1"),
    ("x-middleware-prefetch", "1"),
];

fn get(world: &TestEnv, path: &str, headers: &[(&str, &str)]) -> Answer {
    world.send("GET", &format!("{APP}{path}"), headers, b"")
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn a_navigation_is_redirected_and_a_script_gets_401_with_the_sign_in_address() {
    let world = TestEnv::new();
    let redirected: [&[(&str, &str)]; 6] = [
        &NAVIGATION,
        &[("sec-fetch-mode", "navigate"), ("accept", "*/*")],
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        // A browser without Fetch Metadata.
        &[("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")],
        &[("accept", "application/json;q=0.5, TEXT/HTML")],
        &[("accept", "text/html"), ("user-agent", "kube-probe/1.0")],
    ];
    for headers in redirected {
        let answer = get(&world, "/dashboard?a=%2F&b=c%26d", headers);
        assert_eq!(answer.status, 302, "{headers:?}");
        assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
    }
    let header_sets: [&[(&str, &str)]; 8] = [
        &[],
        &[("accept", "*/*")],
        &[("accept", "application/json")],
        &[("sec-fetch-mode", "cors"), ("accept", "text/html")],
        &[("sec-fetch-mode", "same-origin"), ("accept", "text/html")],
        &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script"), ("accept", "text/html")],
        &[("accept", "text/html, */*; q=0.01"), ("x-requested-with", "XMLHttpRequest")],
        &[("sec-fetch-mode", "navigate"), ("upgrade", "websocket"), ("connection", "upgrade")],
    ];
    for headers in header_sets {
        let answer = get(&world, "/dashboard?a=%2F&b=c%26d", headers);
        assert_eq!(answer.status, 401, "{headers:?}");
        assert_eq!(answer.headers.get("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.headers.get("content-type"), Some("application/json"));
        assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
        assert_eq!(
            json(&answer),
            json!({
                "error": "unauthorized",
                "signInUrl": "https://app.example.com/auth/signin?callbackUrl=\
                              https%3A%2F%2Fapp.example.com%2Fdashboard%3Fa%3D%252F%26b%3Dc%2526d",
            })
        );
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
        let answer = world.send(method, &format!("{APP}/dashboard"), &NAVIGATION, b"");
        assert_eq!(answer.status, 401, "{method}");
    }
}

#[test]
fn a_user_without_the_required_claims_gets_403_as_a_page_or_as_json() {
    let (world, mut bob) = (TestEnv::new(), Browser::new());
    bob.sign_in(&world, "bob", "/");
    let page = bob.send(&world, "GET", &format!("{APP}/admin"), &NAVIGATION, b"");
    assert_eq!((page.status, page.headers.get("content-type")), (403, Some("text/html; charset=utf-8")));
    assert_eq!(page.headers.get("cache-control"), Some("private, no-store"));
    for headers in [&[("accept", "application/json")][..], &[("upgrade", "websocket")], &[PREFETCH[0]]] {
        let answer = bob.send(&world, "GET", &format!("{APP}/admin"), headers, b"");
        assert_eq!((answer.status, answer.body.as_str()), (403, "{\"error\":\"forbidden\"}"), "{headers:?}");
        assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
    }
}

#[test]
fn a_prefetch_gets_neither_a_redirect_nor_a_cookie() {
    let world = TestEnv::new();
    for said in PREFETCH {
        for mode in [("sec-fetch-mode", "navigate"), ("sec-fetch-mode", "no-cors")] {
            let answer = get(&world, "/dashboard", &[mode, ("accept", "text/html"), said]);
            assert_eq!(answer.status, 401, "{said:?}");
            assert!(!answer.headers.contains("set-cookie") && answer.forwarded.is_none(), "{said:?}");
        }
        // A public path is served.
        assert!(get(&world, "/about", &[said]).forwarded.is_some(), "{said:?}");
    }
}

#[test]
fn a_prefetch_refreshes_no_token() {
    for said in PREFETCH {
        let (world, mut bob) = (TestEnv::new(), Browser::new());
        bob.sign_in(&world, "bob", "/");
        let token = "https://idp.example/token";
        let before = world.fetches(token);
        // Within the leeway: the token is still valid, but needs a refresh.
        world.pass(Duration::from_secs(3600 - 30));
        let ahead = bob.send(&world, "GET", &format!("{APP}/dashboard"), &[said], b"");
        let sent = ahead.forwarded.expect("it passes").request.headers;
        assert_eq!(sent.get("authorization"), Some("Bearer access-bob"), "{said:?}");
        assert!(!ahead.headers.contains("set-cookie"), "{said:?}");
        // The token has expired.
        world.pass(Duration::from_mins(1));
        let ahead = bob.send(&world, "GET", &format!("{APP}/dashboard"), &[said], b"");
        assert_eq!((ahead.status, ahead.forwarded.is_none()), (503, true), "{said:?}");
        assert_eq!(ahead.headers.get("cache-control"), Some("private, no-store"));
        assert_eq!(world.fetches(token), before, "{said:?}");
        // A request with an effect refreshes it, even if it claims to be a prefetch.
        let posted = bob.send(&world, "POST", &format!("{APP}/dashboard"), &[said], b"");
        assert!(posted.forwarded.is_some() && world.fetches(token) == before + 1, "{said:?}");
    }
}

#[test]
fn head_is_answered_like_get_on_pages_and_on_auth_routes() {
    let (world, mut alice) = (TestEnv::new(), Browser::new());
    alice.sign_in(&world, "alice", "/");
    for route in ["session", "csrf", "providers", "signin", "signout", "error"] {
        let url = format!("{APP}/auth/{route}");
        let (get, head) = (
            alice.clone().send(&world, "GET", &url, &NAVIGATION, b""),
            alice.clone().send(&world, "HEAD", &url, &NAVIGATION, b""),
        );
        assert_eq!(head.status, get.status, "{route}");
        assert_eq!(head.headers.get("content-type"), get.headers.get("content-type"), "{route}");
    }
    let anonymous = world.send("HEAD", &format!("{APP}/dashboard"), &NAVIGATION, b"");
    assert_eq!(anonymous.status, 302);
    assert_eq!(world.send("HEAD", &format!("{APP}/dashboard"), &[], b"").status, 401);
    let passed = alice.send(&world, "HEAD", &format!("{APP}/dashboard"), &[], b"").forwarded.unwrap();
    assert_eq!(passed.request.method.as_str(), "HEAD");
}

#[test]
fn a_head_request_to_the_callback_does_not_use_the_code_up() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let request = browser.begin(&world, "/dashboard");
    let callback = world.provider.authorize(&request, "alice");
    let looked = browser.send(&world, "HEAD", &callback, &NAVIGATION, b"");
    assert!(looked.status == 400 && !looked.headers.contains("set-cookie"), "{looked:?}");
    assert_eq!(browser.open(&world, &callback).location(), format!("{APP}/dashboard"));
    assert_eq!(browser.session(&world)["user"]["email"], "alice@example.com");
}

#[test]
fn cached_answers_a_personal_response_never_enters_a_shared_cache() {
    let mut all = settings();
    all["rules"] = json!([
        { "match": "/about", "access": "public" },
        { "match": "/same-for-all", "access": "signed-in", "to": "origin" },
        { "match": "/asserted", "access": "signed-in", "to": "origin", "assertion": true },
    ]);
    let (world, mut alice) = (TestEnv::with(all), Browser::new());
    alice.sign_in(&world, "alice", "/");
    for (path, personal) in
        [("/dashboard", true), ("/asserted", true), ("/same-for-all", false), ("/about", true)]
    {
        assert_eq!(
            alice.open(&world, &format!("{APP}{path}")).forwarded.unwrap().personal,
            personal,
            "{path}"
        );
    }

    let mut opens_itself = settings();
    opens_itself["upstreams"] = json!([{ "to": "origin", "forward_session": true }]);
    let (world, mut alice) = (TestEnv::with(opens_itself), Browser::new());
    alice.sign_in(&world, "alice", "/");
    assert!(alice.open(&world, &format!("{APP}/dashboard")).forwarded.unwrap().personal);
}

#[test]
fn path_confusion_a_number_sign_in_a_path_does_not_begin_a_fragment() {
    let (world, mut bob) = (TestEnv::new(), Browser::new());
    bob.sign_in(&world, "bob", "/");
    // `%23` may be part of the path or may end it: the request must pass in both readings.
    for path in ["/admin%23/about", "/admin%2523x", "/admin%23", "/admin/%23", "/admin%3f/about"] {
        let answer = bob.open(&world, &format!("{APP}{path}"));
        assert!(
            answer.forwarded.is_none() && [400, 403].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
    }
    let anonymous = get(&world, "/about%23/../dashboard", &NAVIGATION);
    assert!(anonymous.forwarded.is_none());
}
