//! Who gets which answer: a person, a script, a WebSocket, a browser that asks ahead, a client that only looks.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

const NAVIGATION: [(&str, &str); 2] = [("sec-fetch-mode", "navigate"), ("accept", "text/html")];

/// Every way in which a browser or Next.js says that it asks ahead of time.
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
fn a_person_is_redirected_and_a_script_gets_401_with_the_address_to_sign_in() {
    let world = TestEnv::new();
    let redirected: [&[(&str, &str)]; 6] = [
        &NAVIGATION,
        &[("sec-fetch-mode", "navigate"), ("accept", "*/*")],
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        // Browsers before Fetch Metadata.
        &[("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")],
        &[("accept", "application/json;q=0.5, TEXT/HTML")],
        &[("accept", "text/html"), ("user-agent", "kube-probe/1.0")],
    ];
    for headers in redirected {
        let answer = get(&world, "/dashboard?a=%2F&b=c%26d", headers);
        assert_eq!(answer.status, 302, "{headers:?}");
        assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));
    }
    let told: [&[(&str, &str)]; 8] = [
        &[],
        &[("accept", "*/*")],
        &[("accept", "application/json")],
        &[("sec-fetch-mode", "cors"), ("accept", "text/html")],
        &[("sec-fetch-mode", "same-origin"), ("accept", "text/html")],
        &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script"), ("accept", "text/html")],
        &[("accept", "text/html, */*; q=0.01"), ("x-requested-with", "XMLHttpRequest")],
        &[("sec-fetch-mode", "navigate"), ("upgrade", "websocket"), ("connection", "upgrade")],
    ];
    for headers in told {
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
fn who_lacks_the_claims_gets_a_page_or_json_and_403() {
    let (world, mut bob) = (TestEnv::new(), Browser::new());
    bob.sign_in(&world, "bob", "/");
    let page = bob.send(&world, "GET", &format!("{APP}/admin"), &NAVIGATION, b"");
    assert_eq!((page.status, page.headers.get("content-type")), (403, Some("text/html; charset=utf-8")));
    assert_eq!(page.headers.get("cache-control"), Some("private, no-store"));
    for headers in [&[("accept", "application/json")][..], &[("upgrade", "websocket")], &[PREFETCH[0]]] {
        let told = bob.send(&world, "GET", &format!("{APP}/admin"), headers, b"");
        assert_eq!((told.status, told.body.as_str()), (403, "{\"error\":\"forbidden\"}"), "{headers:?}");
        assert_eq!(told.headers.get("cache-control"), Some("private, no-store"));
    }
}

#[test]
fn a_browser_that_asks_ahead_gets_no_redirect_that_it_would_keep_and_no_cookie() {
    let world = TestEnv::new();
    for said in PREFETCH {
        for mode in [("sec-fetch-mode", "navigate"), ("sec-fetch-mode", "no-cors")] {
            let answer = get(&world, "/dashboard", &[mode, ("accept", "text/html"), said]);
            assert_eq!(answer.status, 401, "{said:?}");
            assert!(!answer.headers.contains("set-cookie") && answer.forwarded.is_none(), "{said:?}");
        }
        // Where everybody may go it is served.
        assert!(get(&world, "/about", &[said]).forwarded.is_some(), "{said:?}");
    }
}

#[test]
fn a_browser_that_asks_ahead_renews_no_token() {
    for said in PREFETCH {
        let (world, mut bob) = (TestEnv::new(), Browser::new());
        bob.sign_in(&world, "bob", "/");
        let token = "https://idp.example/token";
        let before = world.fetches(token);
        // Within the leeway: it lives, and is due.
        world.pass(Duration::from_secs(3600 - 30));
        let ahead = bob.send(&world, "GET", &format!("{APP}/dashboard"), &[said], b"");
        let sent = ahead.forwarded.expect("it passes").request.headers;
        assert_eq!(sent.get("authorization"), Some("Bearer access-bob"), "{said:?}");
        assert!(!ahead.headers.contains("set-cookie"), "{said:?}");
        // It has ended.
        world.pass(Duration::from_mins(1));
        let ahead = bob.send(&world, "GET", &format!("{APP}/dashboard"), &[said], b"");
        assert_eq!((ahead.status, ahead.forwarded.is_none()), (503, true), "{said:?}");
        assert_eq!(ahead.headers.get("cache-control"), Some("private, no-store"));
        assert_eq!(world.fetches(token), before, "{said:?}");
        // What is more than a look renews it, whatever it says of itself.
        let posted = bob.send(&world, "POST", &format!("{APP}/dashboard"), &[said], b"");
        assert!(posted.forwarded.is_some() && world.fetches(token) == before + 1, "{said:?}");
    }
}

#[test]
fn head_is_get_on_pages_and_on_auth_routes() {
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
    let nobody = world.send("HEAD", &format!("{APP}/dashboard"), &NAVIGATION, b"");
    assert_eq!(nobody.status, 302);
    assert_eq!(world.send("HEAD", &format!("{APP}/dashboard"), &[], b"").status, 401);
    let passed = alice.send(&world, "HEAD", &format!("{APP}/dashboard"), &[], b"").forwarded.unwrap();
    assert_eq!(passed.request.method.as_str(), "HEAD");
}

#[test]
fn looking_whether_the_callback_is_there_does_not_use_the_code_up() {
    let (world, mut browser) = (TestEnv::new(), Browser::new());
    let request = browser.begin(&world, "/dashboard");
    let callback = world.provider.authorize(&request, "alice");
    let looked = browser.send(&world, "HEAD", &callback, &NAVIGATION, b"");
    assert!(looked.status == 400 && !looked.headers.contains("set-cookie"), "{looked:?}");
    assert_eq!(browser.open(&world, &callback).location(), format!("{APP}/dashboard"));
    assert_eq!(browser.session(&world)["user"]["email"], "alice@example.com");
}

#[test]
fn cached_answers_what_is_said_to_one_person_passes_shared_caches_by() {
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
fn path_confusion_a_number_sign_in_a_path_begins_nothing() {
    let (world, mut bob) = (TestEnv::new(), Browser::new());
    bob.sign_in(&world, "bob", "/");
    // `%23` is a character of the path to some, and the end of it to others: both readings have to let it pass.
    for path in ["/admin%23/about", "/admin%2523x", "/admin%23", "/admin/%23", "/admin%3f/about"] {
        let answer = bob.open(&world, &format!("{APP}{path}"));
        assert!(
            answer.forwarded.is_none() && [400, 403].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
    }
    let nobody = get(&world, "/about%23/../dashboard", &NAVIGATION);
    assert!(nobody.forwarded.is_none());
}
