//! What has to hold behind every proxy.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use miniflare_test_harness::tungstenite::client::IntoClientRequest;
use miniflare_test_harness::tungstenite::http::HeaderValue;
use miniflare_test_harness::tungstenite::{self, HandshakeError, Message, WebSocket};

use crate::browser::Browser;
use crate::configuration::{Proxy, SECRET};
use crate::exchange;
use crate::http2;
use crate::site::{self, LOGIN, Site};

/// The origin of the app.
const APP: &str = "https://app.example.com";

const NAVIGATION: (&str, &str) = ("sec-fetch-mode", "navigate");
const SCRIPT: (&str, &str) = ("accept", "application/json");

pub fn the_rules_decide(site: &Site) {
    let before = site.app.requests();
    let answer = site.ask("GET", "/dashboard?x=1&y=%20", &[NAVIGATION], "");
    let sign_in = "https://auth.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard%3Fx%3D1%26y%3D%2520";
    assert_eq!((answer.status, answer.all("location")), (302, vec![sign_in]), "{answer:?}");
    for method in ["GET", "POST", "DELETE", "OPTIONS"] {
        let answer = site.ask(method, "/dashboard", &[SCRIPT], "");
        assert_eq!((answer.status, answer.all("location").len()), (401, 0), "{method}: {answer:?}");
    }
    assert_eq!(site.app.requests(), before, "{:?}", site.app.targets());
    let public = site.ask("GET", "/about", &[], "");
    assert_eq!(public.status, 200, "{public:?}");
    for name in ["x-user-email:", "x-user-roles:", "authorization:"] {
        assert!(!public.body.contains(name), "{}", public.body);
    }

    let (alice, bob) = (site.signed_in("alice").cookies(), site.signed_in("bob").cookies());
    let form = ("content-type", "application/x-www-form-urlencoded");
    let answer =
        site.ask("POST", "/dashboard/x%20y?x=%2F", &[("cookie", &alice), ("origin", APP), form], "a=1&b=2");
    assert_eq!(answer.status, 200, "{answer:?}");
    for part in [
        "request=POST /dashboard/x%20y?x=%2F HTTP/1.1\n",
        "x-user-email: alice@example.com\n",
        "x-user-roles: admin,user\n",
        "authorization: Bearer access-token-of-alice-",
        "body=a=1&b=2\n",
    ] {
        assert!(answer.body.contains(part), "{part}: {}", answer.body);
    }
    assert!(!answer.body.contains(SECRET), "the app learns the secret: {}", answer.body);
    assert_eq!(answer.all("set-cookie"), ["of-app=1"]);
    assert_eq!(answer.all("cache-control"), ["public, max-age=60"]);
    for (method, path, cookie, status) in [
        ("GET", "/admin/x", &alice, 200),
        ("GET", "/admin/x", &bob, 403),
        ("POST", "/admin/x", &bob, 403),
        ("HEAD", "/dashboard", &bob, 200),
        ("DELETE", "/dashboard", &bob, 200),
    ] {
        let answer = site.ask(method, path, &[("cookie", cookie), NAVIGATION], "");
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
}

pub fn header_smuggling(site: &Site) {
    let bob = site.signed_in("bob").cookies();
    for header in [
        ("x-original-url", "https://app.example.com/about"),
        ("x-original-uri", "/about"),
        ("x-original-method", "OPTIONS"),
        ("x-vestibule-verify", SECRET),
        ("x-vestibule-verify", "guessed"),
        ("x-forwarded-method", "OPTIONS"),
        ("x-forwarded-uri", "/about"),
        ("x-forwarded-host", "open.example.com"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-prefix", "/about"),
        ("x-envoy-original-path", "/about"),
        ("x-envoy-original-host", "open.example.com"),
        ("x-rewrite-url", "/about"),
        ("x-auth-return-redirect", "1"),
        ("x-http-method-override", "OPTIONS"),
        ("connection", "close, x-forwarded-uri, x-forwarded-method, x-original-url, x-vestibule-verify"),
        ("connection", "close, cookie, x-user-email, authorization"),
    ] {
        for (path, cookie) in [("/dashboard", ""), ("/admin", bob.as_str())] {
            let before = site.app.requests();
            let answer = site.ask("GET", path, &[header, ("cookie", cookie), SCRIPT], "");
            assert!([400, 401, 403].contains(&answer.status), "{header:?} {path}: {answer:?}");
            assert_eq!(site.app.requests(), before, "{header:?} {path}");
        }
    }
    for header in [
        ("x-user-email", "root@example.com"),
        ("X-USER-EMAIL", "root@example.com"),
        ("x_user_email", "root@example.com"),
        ("x.user.email", "root@example.com"),
        ("x-user-roles", "root"),
        ("x_user_roles", "root"),
        ("authorization", "Bearer root"),
        ("x-vestibule-set-cookie-1", "root=1"),
        ("x-vestibule-cache-control", "root"),
        ("x-vestibule-assertion", "root"),
    ] {
        for (path, cookie) in [("/about", ""), ("/dashboard", bob.as_str())] {
            for more in
                [("accept", "*/*"), ("connection", "close, x-user-email, x-user-roles, authorization")]
            {
                let answer = site.ask("GET", path, &[header, more, ("cookie", cookie)], "");
                let is_refused = [400, 403].contains(&answer.status);
                assert!(is_refused || answer.status == 200, "{header:?} {path}: {answer:?}");
                // Nothing that the app got, and nothing for the browser.
                let fields = answer.body.lines().filter(|line| !line.starts_with("connection:"));
                assert!(!fields.collect::<String>().contains("root"), "{header:?} {path}: {answer:?}");
                assert!(
                    !format!("{:?}", answer.all("set-cookie")).contains("root"),
                    "{header:?}: {answer:?}"
                );
            }
        }
    }
}

pub fn path_confusion(site: &Site) {
    let bob = site.signed_in("bob").cookies();
    let before = site.app.requests();
    for path in [
        "/admin",
        "/%61dmin",
        "/admin;x",
        "/admin/",
        "/admin?/about",
        "/admin%23.css",
        "/about/../admin",
        "/public/%2e%2e/admin",
        "/public/.%2e/admin",
        "/public/..%2fadmin",
        "//admin",
        "/public/..;/admin",
        "/public/%2e%2e%2fadmin",
        "/public/./../admin",
        "/public\\..\\admin",
        "/public/%5c../admin",
        "/public%2f..%2fadmin",
        "/admin/..%2fadmin",
        "/../admin",
        "/../../admin",
        "http://app.example.com/admin",
    ] {
        for cookie in ["", bob.as_str()] {
            let answer = site.ask("GET", path, &[("cookie", cookie), SCRIPT], "");
            assert!([400, 401, 403, 404].contains(&answer.status), "{path}: {answer:?}");
        }
    }
    // What leads to pages of the Worker, if something asks about it without care.
    for path in [
        "/../session",
        "/../../auth/session",
        "/..%2fsession",
        "/%2e%2e/csrf",
        "/..;/session",
        "/auth/session",
        "/auth/signin",
        "/auth/verify",
        "/auth/verify/about",
        "/auth/../auth/verify/about",
        "/_vestibule",
    ] {
        let answer = site.ask("GET", path, &[SCRIPT], "");
        assert!([400, 401, 403, 404].contains(&answer.status), "{path}: {answer:?}");
    }
    // Of another host than the site's Caddy answers with an empty page.
    let answer = site.ask("GET", "http://open.example.com/admin", &[("cookie", &bob), SCRIPT], "");
    assert!(answer.status >= 400 || answer.body.is_empty(), "{answer:?}");
    for path in ["/%00", "/%zz", "*", "admin"] {
        let answer = site.ask("GET", path, &[("cookie", &bob), SCRIPT], "");
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    assert_eq!(site.app.requests(), before, "{:?}", site.app.targets());
}

pub fn other_origins(site: &Site) {
    let bob = site.signed_in("bob").cookies();
    let mut socket = websocket(site, &bob, APP).expect("a WebSocket");
    assert_eq!(socket.read().unwrap(), Message::text("bob@example.com"));
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
    socket.close(None).ok();

    let before = site.app.requests();
    assert_eq!(websocket(site, "", APP).unwrap_err(), 401);
    for origin in
        ["https://evil.example", "https://blog.example.com", "http://app.example.com.evil.example", "null"]
    {
        assert_eq!(websocket(site, &bob, origin).unwrap_err(), 403, "{origin}");
        for method in ["POST", "PUT", "DELETE"] {
            let answer = site.ask(method, "/dashboard", &[("cookie", &bob), ("origin", origin)], "a=1");
            assert_eq!(answer.status, 403, "{method} of {origin}: {answer:?}");
        }
    }
    for site_says in ["cross-site", "same-site"] {
        let headers = [("cookie", bob.as_str()), ("sec-fetch-site", site_says)];
        assert_eq!(site.ask("POST", "/dashboard", &headers, "a=1").status, 403, "{site_says}");
    }
    assert_eq!(site.app.requests(), before, "{:?}", site.app.targets());
    // A preflight has no credentials, and the app answers it.
    let preflight = [("origin", "https://other.example"), ("access-control-request-method", "POST")];
    assert_eq!(site.ask("OPTIONS", "/dashboard", &preflight, "").status, 200);
}

/// Opens a WebSocket to `/dashboard`; an error is the status of the answer.
fn websocket(site: &Site, cookie: &str, origin: &str) -> Result<WebSocket<TcpStream>, u16> {
    let mut request = "ws://app.example.com/dashboard".into_client_request().expect("a request");
    for (name, value) in [("cookie", cookie), ("origin", origin)] {
        if !value.is_empty() {
            request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a value"));
        }
    }
    let stream = TcpStream::connect(site.at.proxy).expect("the proxy listens");
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

pub fn updated_session(site: &Site) {
    for (padding, at_least) in [(10, 1), (6000, 2)] {
        site.decider.pad(padding);
        let mut browser = site.signed_in("alice");
        let answer = site.ask("GET", "/dashboard", &[("cookie", &browser.cookies())], "");
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut set = answer.all("set-cookie");
        let of_app = set.len();
        set.retain(|cookie| *cookie != "of-app=1");
        assert_eq!(set.len() + 1, of_app, "the app's own cookie is lost: {answer:?}");
        assert!(set.len() >= at_least, "{set:?}");
        assert!(set.iter().all(|cookie| cookie.starts_with("__Secure-authjs.session-token")), "{set:?}");
        // Traefik cannot change another field because of a cookie.
        if site.proxy != Proxy::Traefik {
            assert_eq!(answer.all("cache-control"), ["private, no-store"], "{answer:?}");
        }
        let before = browser.cookies();
        for cookie in &set {
            browser.keep(cookie);
        }
        assert_ne!(browser.cookies(), before, "the session is a new one");
        let answer = site.ask("GET", "/dashboard", &[("cookie", &browser.cookies())], "");
        assert!(answer.body.contains("x-user-email: alice@example.com"), "{answer:?}");
    }
}

pub fn without_an_answer(site: &Site) {
    let alice = site.signed_in("alice").cookies();
    let ask = |path| site.ask("GET", path, &[("cookie", &alice), NAVIGATION], "").status;
    assert_eq!(ask("/dashboard"), 200);
    let before = site.app.requests();
    site.tap.cut();
    for path in ["/about", "/dashboard"] {
        let status = ask(path);
        assert!([403, 500, 502, 503].contains(&status), "{path}: {status}");
    }
    assert_eq!(site.app.requests(), before);
    site.tap.restore();
    wait_until("it asks again", || ask("/dashboard") == 200);
}

pub fn signed_out(site: &Site) {
    let mut browser = site.signed_in("alice");
    let (copy, other) = (browser.cookies(), site.signed_in("alice").cookies());
    let ask = |cookie: &str| site.ask("GET", "/dashboard", &[("cookie", cookie), SCRIPT], "").status;
    assert_eq!((ask(&copy), ask(&other)), (200, 200));
    browser.sign_out(site.decider.address(), LOGIN);
    assert_eq!(browser.cookies(), "");
    wait_until("the copy of the session is refused", || ask(&copy) == 401);
    let before = site.app.requests();
    assert_eq!((ask(&copy), site.app.requests()), (401, before));
    assert_eq!(ask(&other), 200, "another session of the same user");
}

pub fn large_bodies(site: &Site) {
    let alice = site.signed_in("alice").cookies();
    let body = "0123456789".repeat(30_000);
    let signed_in = [("cookie", alice.as_str()), ("origin", APP), ("content-type", "text/plain")];
    let answer = site.ask("POST", "/dashboard", &signed_in, &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains(&format!("body={body}\n")), "{} bytes", answer.body.len());
    let before = site.app.requests();
    let refused = exchange::ask(site.at.proxy, "POST", "/dashboard", &[("origin", APP), SCRIPT], &body);
    // A proxy that does not read the body may close the connection before it is sent.
    assert!(refused.is_none_or(|answer| answer.status == 401));
    assert_eq!(site.app.requests(), before);
}

pub fn http2(site: &Site) {
    let bob = site.signed_in("bob").cookies();
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        http2::ask(site.at.http2, method, path, headers, body)
    };
    let before = site.app.requests();
    assert_eq!(ask("GET", "/dashboard", &[SCRIPT], "").status, 401);
    let answer = ask("GET", "/dashboard", &[NAVIGATION], "");
    assert_eq!(answer.status, 302);
    assert!(answer.location.starts_with("https://auth.example.com/auth/signin?"), "{answer:?}");
    let signed_in = [("cookie", "a=1"), ("cookie", bob.as_str()), ("origin", APP)];
    assert_eq!(ask("GET", "/admin/x", &signed_in, "").status, 403);
    assert_eq!(ask("GET", "/about/../admin", &signed_in, "").status / 100, 4);
    assert_eq!(site.app.requests(), before, "{:?}", site.app.targets());
    // A browser sends each cookie in a field of its own (RFC 9113 section 8.2.3).
    let body = "b".repeat(100_000);
    let answer = ask("POST", "/dashboard", &[&signed_in[..], &[("x-user-email", "root@x")]].concat(), &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("x-user-email: bob@example.com\n"), "{answer:?}");
    assert!(!answer.body.contains("root@x") && answer.body.contains(&format!("body={body}\n")));
}

pub fn own_host(site: &Site) {
    let at = site.at.proxy;
    let signed_out = site.ask("GET", "/dashboard", &[NAVIGATION], "");
    assert!(
        signed_out.all("location")[0].starts_with("https://app.example.com/auth/signin?"),
        "{signed_out:?}"
    );
    let mut browser = Browser::default();
    browser.sign_in(&site.decider, at, site::APP, "alice");
    let session = browser.all_cookies();
    let answer = site.ask("GET", "/dashboard", &[("cookie", &session)], "");
    assert!(answer.body.contains("x-user-email: alice@example.com\n"), "{answer:?}");
    let shown = site.ask("GET", "/auth/session", &[("cookie", &session)], "");
    assert!(shown.body.contains("alice@example.com"), "{shown:?}");
    for secret in ["", "guessed", SECRET] {
        let question = [
            ("x-vestibule-verify", secret),
            ("x-forwarded-method", "GET"),
            ("x-forwarded-uri", "/about"),
            ("x-original-method", "GET"),
            ("x-original-url", "https://app.example.com/about"),
        ];
        assert_eq!(site.ask("GET", "/auth/verify", &question, "").status, 403, "a client asks by itself");
    }
    browser.sign_out(at, site::APP);
    assert_eq!(site.ask("GET", "/dashboard", &[("cookie", &browser.all_cookies()), SCRIPT], "").status, 401);
    wait_until("the copy of the session is refused", || {
        site.ask("GET", "/dashboard", &[("cookie", &session), SCRIPT], "").status == 401
    });
    let before = site.app.requests();
    for path in [
        "/auth/../dashboard",
        "/auth/..%2fdashboard",
        "/auth/%2e%2e/dashboard",
        "/auth;/dashboard",
        "//auth/x",
    ] {
        let answer = site.ask("GET", path, &[SCRIPT], "");
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    assert_eq!(site.app.requests(), before, "{:?}", site.app.targets());
}

/// Waits until this holds.
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < site::MAX_START, "not so: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
