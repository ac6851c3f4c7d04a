//! Requests that no honest client sends. They are answered quickly, with 4xx or with a page and never with 500, and a valid
//! session stays valid after each of them.

use std::time::{Duration, Instant};

use miniflare_test_harness::{Client, RawResponse, SCHEME_HEADER};
use serde_json::json;
use vestibule_test_runtimes::part_needs;

use crate::test_env::{APP, TestEnv, csrf, email, sign_in};

const MAX_WAIT: Duration = Duration::from_secs(5);

/// Every auth route.
const ROUTES: [&str; 10] = [
    "/auth/csrf",
    "/auth/providers",
    "/auth/session",
    "/auth/signin",
    "/auth/signin/acme",
    "/auth/signout",
    "/auth/error",
    "/auth/callback/acme",
    "/auth/callback",
    "/auth/unknown",
];

#[test]
fn too_many_too_large_or_invalid_cookies_do_not_end_a_session() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    let session = browser.cookie(APP, "__Secure-authjs.session-token").unwrap();
    let csrf = browser.cookie(APP, "__Host-authjs.csrf-token").unwrap();
    let many = (0..300).map(|n| format!("c{n}={n}")).collect::<Vec<_>>().join("; ");
    let chunks =
        (0..200).map(|n| format!("__Secure-authjs.session-token.{n}=x")).collect::<Vec<_>>().join("; ");
    let attempts =
        (0..200).map(|n| format!("__Host-authjs.transaction.{n}=x")).collect::<Vec<_>>().join("; ");
    // One character of the authentication tag is changed.
    let (body, end) = session.split_at(session.len() - 5);
    let damaged = format!("{body}{}{}", if end.starts_with('A') { 'B' } else { 'A' }, &end[1..]);
    for cookie in [
        format!("big={}", "a".repeat(100_000)),
        format!("__Secure-authjs.session-token={}", "a".repeat(100_000)),
        format!("__Host-authjs.csrf-token={}", "%7C".repeat(30_000)),
        many,
        chunks,
        attempts,
        "__Secure-authjs.session-token=%zz%".to_owned(),
        "__Secure-authjs.session-token=%00%ff%fe".to_owned(),
        "__Secure-authjs.session-token=a.b.c.d.e".to_owned(),
        "__Secure-authjs.session-token=.....".to_owned(),
        "__Secure-authjs.session-token=\u{e9}\u{1f980}".to_owned(),
        format!("__Secure-authjs.session-token={damaged}"),
        format!("__Host-authjs.transaction.x={session}"),
        format!("__Secure-authjs.session-token={csrf}"),
        "__Secure-authjs.callback-url=https://evil.example/%0d%0aset-cookie:a=1".to_owned(),
        "__Secure-authjs.callback-url=%ff%00//".to_owned(),
        "__Host-authjs.csrf-token=|".to_owned(),
        ";;;===;;; =; a".to_owned(),
    ] {
        let shown = &cookie[..cookie.len().min(60)];
        for path in [
            "/auth/session",
            "/auth/signin",
            "/auth/csrf",
            "/auth/callback/acme?code=a&state=x",
            "/dashboard",
        ] {
            let request = browser.get(&format!("{APP}{path}")).navigation().header("cookie", &cookie);
            let reply = bounded(shown, || request.clone().without_cookies().send());
            assert!([200, 302, 431].contains(&reply.status), "{shown} {path}: {}", reply.status);
            let location = reply.header("location").unwrap_or_default();
            assert!(location.is_empty() || location.starts_with(APP), "{shown} {path}: {location}");
            if path == "/auth/session" && reply.status == 200 {
                assert_eq!(reply.text(), "null", "{shown}");
            }
        }
    }
    assert_eq!(email(&browser), "alice@example.com");
}

#[test]
fn a_session_is_found_among_invalid_cookies() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    for n in 0..150 {
        browser.set_cookie(APP, &format!("rubbish{n}=%zz\u{e9}; Path=/"));
    }
    assert_eq!(email(&browser), "alice@example.com");
    let session = browser.cookie(APP, "__Secure-authjs.session-token").unwrap();
    let cookie =
        format!("__Secure-authjs.session-token=a.b.c.d.e; __Secure-authjs.session-token.0={session}");
    let request = browser.get(&format!("{APP}/auth/session")).header("cookie", &cookie).without_cookies();
    assert_eq!(request.send().expect_status(200).json()["user"]["email"], "alice@example.com");
}

#[test]
fn paths_that_servers_interpret_differently_do_not_reach_the_application() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    for path in [
        "//",
        "//evil.example/",
        "/about//x",
        "/..%2f",
        "/%2e%2e/admin",
        "/public/../admin",
        "/public/%2e%2e%2fadmin",
        "/public/..;/admin",
        "/public\\..\\admin",
        "/public%5c..%5cadmin",
        "/%00",
        "/a%00.html",
        "/%",
        "/%z",
        "/%e9",
        "/%c0%af",
        "/auth/%2e%2e/admin",
        "/auth//session",
        "/auth%2fsession",
    ] {
        let reply = bounded(path, || browser.get(&format!("{APP}{path}")).navigation().send());
        assert_eq!((reply.status, reply.set_cookies().len()), (400, 0), "{path}");
    }
    assert_eq!(env.requests_to_service("APP").len(), 1, "only the page after the sign-in was forwarded");
    env.logs().wait_for("path_rejected", MAX_WAIT);
    assert_eq!(email(&browser), "alice@example.com");
}

/// Whether there is another script on the page than the one of the sign-in page.
fn has_foreign_script(page: &str) -> bool {
    page.contains("<script>alert") || page.matches("<script").count() > 1
}

#[test]
fn very_long_urls_are_answered() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    for (url, allowed) in [
        (format!("{APP}/{}", "a".repeat(40_000)), [400, 414].as_slice()),
        (format!("{APP}/{}", "a/".repeat(8_000)), &[200, 414]),
        (format!("{APP}/x?{}", "a=b&".repeat(8_000)), &[200, 414]),
        (format!("{APP}/auth/session?{}", "a=b&".repeat(8_000)), &[200, 414]),
        (format!("{APP}/auth/signin?callbackUrl=/{}", "%2541".repeat(6_000)), &[302, 400, 414]),
        (format!("{APP}/auth/error?error={}", "%3Cscript%3E".repeat(2_000)), &[200, 414]),
        (format!("{APP}/auth/callback/acme?state={}", "a".repeat(30_000)), &[302, 414]),
        (format!("{APP}/auth/signin/{}", "a".repeat(12_000)), &[302, 400, 414]),
    ] {
        let reply = bounded(&url[..60], || browser.get(&url).navigation().send());
        assert!(allowed.contains(&reply.status), "{}: {}", &url[..60], reply.status);
        assert!(!has_foreign_script(&reply.text()), "{}", &url[..60]);
    }
    assert_eq!(email(&browser), "alice@example.com");
}

#[test]
fn invalid_and_repeated_parameters_are_rejected() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    let token = csrf(&browser, APP);
    for (path, status) in [
        // Who is signed in goes on, and sees the page when they are sent back at once.
        ("/auth/signin?callbackUrl=%zz%", 302),
        ("/auth/signin?callbackUrl=%ff%fe", 200),
        ("/auth/signin?callbackUrl=/a&callbackUrl=/b", 400),
        ("/auth/signin?error=a&error=b", 400),
        ("/auth/signin?error=%3Cscript%3Ealert(1)%3C/script%3E", 200),
        ("/auth/error?error=a&error=b", 400),
        ("/auth/error?error=Configuration", 500),
        ("/auth/session?callbackUrl=a&callbackUrl=b", 400),
        ("/auth/callback/acme?state=a&state=b", 400),
        ("/auth/callback/acme?%&&==&;", 302),
        ("/auth/callback/unknown?state=a", 302),
        ("/auth/callback/acme?code=a", 302),
    ] {
        let reply = bounded(path, || browser.get(&format!("{APP}{path}")).navigation().send());
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
        assert!(!has_foreign_script(&reply.text()), "{path}");
    }
    for path in ["/auth/signin/acme", "/auth/signout", "/auth/session"] {
        for body in [
            format!("csrfToken={token}&csrfToken={token}"),
            format!("csrfToken={token}&callbackUrl=/a&callbackUrl=/b"),
        ] {
            let form = browser
                .post(&format!("{APP}{path}"))
                .body("application/x-www-form-urlencoded", body.as_str());
            let reply = bounded(path, || form.clone().send());
            assert_eq!(reply.status, 400, "{path} {body}");
        }
        for body in ["%zz=%&%00&\u{e9}=\u{ff}", "csrfToken=%ff%fe", "csrfToken=", "&&&&", "=", "csrfToken"] {
            let form = browser.post(&format!("{APP}{path}")).body("application/x-www-form-urlencoded", body);
            let reply = bounded(path, || form.clone().send());
            let expected = if path == "/auth/session" { 400 } else { 302 };
            assert_eq!(reply.status, expected, "{path} {body}");
            if expected == 302 {
                assert_eq!(reply.location(), format!("{APP}/auth/signin?error=MissingCSRF"));
            }
        }
    }
    assert_eq!(email(&browser), "alice@example.com");
}

#[test]
fn return_addresses_never_lead_to_another_site() {
    let env = TestEnv::new();
    for to in [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https://evil.example",
        "https://app.example.com@evil.example",
        "https://app.example.com.evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\t/evil.example",
        "/%0d%0alocation:https://evil.example",
        "https://[",
        "\u{0}",
        "%",
    ] {
        let browser = env.client();
        let page = sign_in(&browser, "alice", to);
        assert!(page.url.starts_with(&format!("{APP}/")), "{to:?} led to {}", page.url);
        assert!(page.status == 200 || page.status == 400, "{to:?}: {}", page.status);
        assert_eq!(email(&browser), "alice@example.com", "{to:?}");
    }
    env.assert_no_unknown_requests();
}

#[test]
fn too_large_and_mislabelled_bodies_are_rejected() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    let token = csrf(&browser, APP);
    let large = format!("csrfToken={token}&x={}", "a".repeat(70_000));
    let deep = format!("{{\"csrfToken\":\"{token}\",\"data\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    for path in ["/auth/signin/acme", "/auth/signout", "/auth/session"] {
        for (content_type, body, refused) in [
            ("application/x-www-form-urlencoded", large.as_str(), true),
            ("application/json", &format!("\"{}\"", "a".repeat(70_000)), true),
            ("application/json", "{", true),
            ("application/json", "{\"csrfToken\":", true),
            ("application/json", "[]", true),
            ("application/json", "null", true),
            ("application/json", "{}{}", true),
            ("application/json", &deep, true),
            ("application/json", &format!("{{\"csrfToken\":\"{token}\",\"csrfToken\":\"{token}\"}}"), true),
            ("application/json", "\u{feff}{}", true),
            ("application/json", "{\"csrfToken\":[1]}", false),
            ("application/json; charset=utf-16", "{\"a\":1}", false),
            ("text/plain", &format!("{{\"csrfToken\":\"{token}\"}}"), false),
            ("text/json", &format!("{{\"csrfToken\":\"{token}\"}}"), false),
            ("multipart/form-data; boundary=x", "--x--", false),
            ("", &format!("csrfToken={token}"), false),
            (";;;", &format!("csrfToken={token}"), false),
            ("application/x-www-form-urlencoded", "", false),
        ] {
            let request = browser.post(&format!("{APP}{path}")).body(content_type, body);
            let reply = bounded(path, || request.clone().send());
            let shown = &body[..body.len().min(60)];
            let expected = if refused || path == "/auth/session" { 400 } else { 302 };
            assert_eq!(reply.status, expected, "{path} {content_type} {shown}: {}", reply.text());
            if reply.status == 302 {
                assert!(reply.location().ends_with("error=MissingCSRF"), "{path} {content_type} {shown}");
            }
        }
    }
    assert_eq!(email(&browser), "alice@example.com");
    env.logs().wait_for("the body is larger than 65536 bytes", MAX_WAIT);
}

#[test]
fn chunked_bodies_are_read_up_to_the_limit() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    let token = csrf(&browser, APP);
    let cookie: Vec<_> = browser.cookies(APP).into_iter().map(|(n, v)| format!("{n}={v}")).collect();
    let head = format!(
        "POST /auth/session HTTP/1.1\r\nHost: app.example.com\r\n{SCHEME_HEADER}: https\r\nCookie: {}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        cookie.join("; ")
    );
    let chunked = |pieces: &[&str]| {
        let body: Vec<_> = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
        let body = body.concat();
        format!("{head}{body}0\r\n\r\n")
    };
    let (first, second) = token.split_at(20);
    let good = raw(&browser, &chunked(&["{\"csrfToken\":\"", first, second, "\"}"]));
    assert_eq!(good.statuses(), [200], "{}", good.text());
    let piece = "a".repeat(10_000);
    let large = raw(&browser, &chunked(&[piece.as_str(); 7]));
    assert_eq!(large.statuses(), [400], "{}", large.text());
    // An incomplete body, and a body with invalid chunks.
    for broken in ["a\r\n{\"cs", "zz\r\n", "-1\r\n", "ffffffffffffffffff\r\n"] {
        let reply = raw_then_close(&env, &format!("{head}{broken}"));
        let is_ours = part_needs!(RawRequests);
        let is_refused = |status: &u16| (400..500).contains(status) || (!is_ours && *status == 500);
        assert!(reply.iter().all(is_refused), "{broken:?}: {reply:?}");
    }
    assert_eq!(email(&browser), "alice@example.com");
}

#[test]
fn head_is_answered_like_get_without_a_body_except_at_the_callback() {
    let env = TestEnv::new();
    for (path, status) in [
        ("/auth/session", 200),
        ("/auth/csrf", 200),
        ("/auth/providers", 200),
        ("/auth/signin", 200),
        ("/auth/callback/acme?code=x&state=y", 400),
        ("/about", 200),
        ("/dashboard", 401),
    ] {
        let head = format!("HEAD {path} HTTP/1.1\r\nHost: app.example.com\r\n{SCHEME_HEADER}: https\r\n");
        let reply = env.client().raw(format!("{head}Connection: close\r\n\r\n").as_bytes(), MAX_WAIT);
        assert_eq!(reply.statuses(), [status], "{path}");
        assert!(reply.text().ends_with("\r\n\r\n"), "{path}: {}", reply.text());
    }
}

#[test]
fn methods_that_a_route_does_not_support_are_rejected() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    for route in ROUTES {
        // HEAD is allowed wherever a GET changes nothing.
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "TRACE"] {
            let reply = bounded(route, || browser.request(method, &format!("{APP}{route}")).send());
            assert!((400..500).contains(&reply.status), "{method} {route}: {}", reply.status);
            assert_eq!(reply.set_cookies(), [""; 0], "{method} {route}");
        }
    }
    for route in
        ["/auth/csrf", "/auth/providers", "/auth/error", "/auth/callback/acme", "/auth/unknown", "/auth"]
    {
        let reply = bounded(route, || browser.post(&format!("{APP}{route}")).form(&[("a", "b")]).send());
        assert!([302, 400].contains(&reply.status), "{route}: {}", reply.status);
    }
    assert_eq!(email(&browser), "alice@example.com");
}

#[test]
fn invalid_hosts_are_rejected() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    for host in [
        "",
        "app.example.com:99999",
        "app.example.com:443:443",
        "app.example.com, evil.example",
        "user@app.example.com",
        "app.example.com/evil",
        "app.example.com?evil",
        "app.example.com#evil",
        "[::1",
        "%61pp.example.com",
        "app.example.com.",
        "\u{e9}.example.com",
        "app_underscore.example.com",
        "APP.EXAMPLE.COM",
        "a..b",
        "..",
        "-",
    ] {
        for path in ["/auth/signin", "/dashboard", "/auth/session"] {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\n{SCHEME_HEADER}: https\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
            );
            let reply = raw(&browser, &request);
            let statuses = reply.statuses();
            let is_ours = host.is_ascii() || part_needs!(RawRequests);
            assert!(
                matches!(statuses.as_slice(), [200 | 302 | 400..=499]) || (!is_ours && statuses == [500]),
                "Host {host:?} {path}: {statuses:?}\n{}",
                reply.text()
            );
        }
    }
    if !part_needs!(RawRequests) {
        return;
    }
    // Two `Host` headers, none, and the absolute form of the request target.
    for (head, allowed) in [
        ("GET /auth/session HTTP/1.1\r\nHost: a.example\r\nHost: b.example", [400].as_slice()),
        ("GET /auth/session HTTP/1.1", &[400]),
        ("GET https://evil.example/auth/signin HTTP/1.1\r\nHost: app.example.com", &[200, 400]),
        ("GET * HTTP/1.1\r\nHost: app.example.com", &[400]),
        ("GET auth/session HTTP/1.1\r\nHost: app.example.com", &[400]),
        ("OPTIONS * HTTP/1.1\r\nHost: app.example.com", &[400, 401]),
    ] {
        let reply = raw(&browser, &format!("{head}\r\n{SCHEME_HEADER}: https\r\nConnection: close\r\n\r\n"));
        let statuses = reply.statuses();
        assert!(statuses.len() == 1 && allowed.contains(&statuses[0]), "{head}: {}", reply.text());
    }
    assert_eq!(email(&browser), "alice@example.com");
}

#[test]
fn cross_site_request_forgery_a_forged_post_from_another_site_has_no_effect() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    for path in ["/auth/signout", "/auth/signin/acme", "/auth/session"] {
        for form in [&[][..], &[("csrfToken", "0")], &[("csrfToken", &"0".repeat(64))]] {
            let reply = browser
                .post(&format!("{APP}{path}"))
                .cross_site()
                .header("origin", "https://evil.example")
                .form(form)
                .send();
            assert_eq!(reply.status, 403, "{path}");
            let text =
                browser.post(&format!("{APP}{path}")).cross_site().json(&json!({ "csrfToken": "0" })).send();
            assert_eq!(text.status, 403, "{path}");
        }
    }
    assert_eq!(email(&browser), "alice@example.com");
}

fn raw(browser: &Client, request: &str) -> RawResponse {
    bounded(&request[..request.len().min(60)], || browser.raw(request.as_bytes(), MAX_WAIT))
}

/// Sends a request and then closes the sending side. Gives the statuses of the responses.
fn raw_then_close(env: &TestEnv, request: &str) -> Vec<u16> {
    use std::io::{Read, Write};
    let mut connection = env.connect();
    connection.set_read_timeout(Some(MAX_WAIT)).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    connection.shutdown(std::net::Shutdown::Write).unwrap();
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).ok();
    RawResponse { bytes, closed: true }.statuses()
}

/// Asserts that `act` does not take long, and gives its result.
fn bounded<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = act();
    let took = begin.elapsed();
    assert!(took < MAX_WAIT, "{what} took {took:?}");
    result
}
