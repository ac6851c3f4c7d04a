//! What has to hold behind every proxy.

use std::net::TcpStream;

use miniflare_test_harness::tungstenite::client::IntoClientRequest;
use miniflare_test_harness::tungstenite::http::HeaderValue;
use miniflare_test_harness::tungstenite::{self, HandshakeError, Message, WebSocket};
use serde_json::{Value, json};

use crate::configuration::{Proxy, SECRET};
use crate::site::{Site, cookies};
use crate::test_env::APP;

const NAVIGATION: (&str, &str) = ("sec-fetch-mode", "navigate");
const SCRIPT: (&str, &str) = ("accept", "application/json");

pub fn the_rules_decide(proxy: Proxy) {
    let site = Site::behind(proxy, &json!({}));
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

    let (alice, bob) = (cookies(&site.signed_in("alice")), cookies(&site.signed_in("bob")));
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

pub fn header_smuggling(proxy: Proxy) {
    let site = Site::behind(proxy, &json!({}));
    let bob = cookies(&site.signed_in("bob"));
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

pub fn path_confusion(proxy: Proxy) {
    let site = Site::behind(proxy, &json!({}));
    let bob = cookies(&site.signed_in("bob"));
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

pub fn other_origins(proxy: Proxy) {
    let site = Site::behind(proxy, &json!({}));
    let bob = cookies(&site.signed_in("bob"));
    let mut socket = websocket(&site, &bob, APP).expect("a WebSocket");
    assert_eq!(socket.read().unwrap(), Message::text("bob@example.com"));
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
    socket.close(None).ok();

    let before = site.app.requests();
    assert_eq!(websocket(&site, "", APP).unwrap_err(), 401);
    for origin in
        ["https://evil.example", "https://blog.example.com", "http://app.example.com.evil.example", "null"]
    {
        assert_eq!(websocket(&site, &bob, origin).unwrap_err(), 403, "{origin}");
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

pub fn updated_session(proxy: Proxy) {
    for (padding, at_least) in [(10, 1), (6000, 2)] {
        let patch = json!({
            "session": { "update_age": "0s" },
            "claims": { "padding": "profile.padding", "roles": "profile.roles" },
        });
        let site = Site::behind(proxy, &patch);
        let pad = move |value: &mut Value| value["padding"] = json!("p".repeat(padding));
        site.env.idp.change("userinfo", pad);
        let browser = site.signed_in("alice");
        let answer = site.ask("GET", "/dashboard", &[("cookie", &cookies(&browser))], "");
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut set = answer.all("set-cookie");
        let of_app = set.len();
        set.retain(|cookie| *cookie != "of-app=1");
        assert_eq!(set.len() + 1, of_app, "the app's own cookie is lost: {answer:?}");
        assert!(set.len() >= at_least, "{set:?}");
        assert!(set.iter().all(|cookie| cookie.starts_with("__Secure-authjs.session-token")), "{set:?}");
        // Traefik cannot change another field because of a cookie.
        if proxy != Proxy::Traefik {
            assert_eq!(answer.all("cache-control"), ["private, no-store"], "{answer:?}");
        }
        let before = cookies(&browser);
        for cookie in &set {
            browser.set_cookie(APP, cookie);
        }
        assert_ne!(cookies(&browser), before, "the session is a new one");
        let answer = site.ask("GET", "/dashboard", &[("cookie", &cookies(&browser))], "");
        assert!(answer.body.contains("x-user-email: alice@example.com"), "{answer:?}");
    }
}

pub fn without_the_worker(proxy: Proxy) {
    let site = Site::behind(proxy, &json!({}));
    let alice = cookies(&site.signed_in("alice"));
    let Site { at, app, env, program: _program, folder: _folder } = site;
    drop(env);
    let before = app.requests();
    for path in ["/about", "/dashboard"] {
        let answer = crate::exchange::ask(at.proxy, "GET", path, &[("cookie", &alice), NAVIGATION], "");
        let answer = answer.expect("an answer");
        assert!([403, 500, 502, 503].contains(&answer.status), "{path}: {answer:?}");
    }
    assert_eq!(app.requests(), before);
}
