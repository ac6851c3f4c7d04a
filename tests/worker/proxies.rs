//! Forward authentication for other proxies: a real nginx with the configuration in docs/proxies.md, and the requests that
//! Traefik and Caddy send.

use std::fs;

use miniflare_test_harness::{Client, ClientResponse, SCHEME_HEADER};
use serde_json::{Value, json};

use crate::nginx::Nginx;
use crate::repository::root;
use crate::test_env::{APP, TestEnv, echo, settings_with};

const SECRET: &str = "0123456789abcdef-of-the-proxy";
const NAVIGATION: (&str, &str) = ("sec-fetch-mode", "navigate");

/// An application, served by nginx itself, that shows the request headers.
const APPLICATION: &str = r#"
server {
    listen unix:SOCKETS/app;
    large_client_header_buffers 4 32k;
    default_type text/plain;
    return 200 "uri=$request_uri\nemail=$http_x_user_email\nroles=$http_x_user_roles\nauthorization=$http_authorization\nsecret=$http_x_vestibule_verify\n";
}
"#;

fn env(headers: &str, patch: &Value) -> TestEnv {
    let mut settings = settings_with(patch);
    settings["verify"] = json!({ "headers": headers });
    TestEnv::with(settings, |builder| builder.service("APP", echo).secret("AUTH_VERIFY_SECRET", SECRET))
}

/// nginx with the configuration in docs/proxies.md, in front of the application.
fn nginx(env: &TestEnv) -> Nginx {
    let page = fs::read_to_string(root().join("docs/proxies.md")).expect("the document");
    let written = page.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let mut servers = written.to_owned();
    for (from, to) in [
        ("listen 443 ssl;", "listen unix:SOCKETS/front;".to_owned()),
        ("ssl_certificate /etc/nginx/app.example.com.pem;", String::new()),
        ("ssl_certificate_key /etc/nginx/app.example.com.key;", String::new()),
        ("http://127.0.0.1:3000", "http://unix:SOCKETS/app".to_owned()),
        ("https://auth.example.com/auth/verify", format!("http://{}/auth/verify", env.address())),
        // A header tells the runtime the scheme. At Cloudflare the scheme comes from TLS.
        (
            "proxy_set_header Host auth.example.com;",
            format!("proxy_set_header Host app.example.com; proxy_set_header {SCHEME_HEADER} https;"),
        ),
        ("THE-SECRET", SECRET.to_owned()),
    ] {
        assert_eq!(servers.matches(from).count(), 1, "{from}");
        servers = servers.replace(from, &to);
    }
    Nginx::start(&(servers + APPLICATION))
}

fn cookies(browser: &Client) -> String {
    let cookies = browser.cookies(APP);
    cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

#[test]
fn nginx_forwards_authorized_requests_with_the_user_s_claims() {
    let env = env("x-original", &json!({}));
    let nginx = nginx(&env);
    let (alice, bob) = (cookies(&env.signed_in("alice")), cookies(&env.signed_in("bob")));

    let answer = nginx.ask("GET", "/dashboard?x=%2F", &[("cookie", &alice), NAVIGATION]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("uri=/dashboard?x=%2F\n"), "{}", answer.body);
    assert!(answer.body.contains("email=alice@example.com\nroles=admin,user\n"), "{}", answer.body);
    assert!(answer.body.contains("authorization=Bearer access-token-of-alice-"), "{}", answer.body);
    assert!(answer.body.contains("secret=\n"), "{}", answer.body);
    assert!(answer.all("set-cookie").is_empty() && answer.all("cache-control").is_empty());

    for (method, path, cookie, status) in [
        ("GET", "/admin/x", &alice, 200),
        ("GET", "/admin/x", &bob, 403),
        ("POST", "/admin/x", &bob, 403),
        ("HEAD", "/dashboard", &bob, 200),
        ("DELETE", "/dashboard", &bob, 200),
        ("GET", "/%61dmin", &bob, 403),
        ("GET", "/admin;x", &bob, 403),
        ("GET", "/admin%23.css", &bob, 403),
    ] {
        let answer = nginx.ask(method, path, &[("cookie", cookie), NAVIGATION]);
        assert_eq!(answer.status, status, "{method} {path}");
    }
}

#[test]
fn nginx_redirects_navigations_to_sign_in_and_answers_scripts_with_401() {
    let env = env("x-original", &json!({}));
    let nginx = nginx(&env);
    let answer = nginx.ask("GET", "/dashboard?x=1&y=%20", &[NAVIGATION]);
    let expected = "https://app.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard%3Fx%3D1%26y%3D%2520";
    assert_eq!((answer.status, answer.all("location")), (302, vec![expected]));
    let answer = nginx.ask("GET", "/dashboard", &[("accept", "application/json")]);
    assert_eq!((answer.status, answer.all("location").len()), (401, 0));
    let answer = nginx.ask("GET", "/about", &[]);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("email=\nroles=\nauthorization=\n"), "{}", answer.body);
}

#[test]
fn header_smuggling_through_nginx_a_client_cannot_set_identity_or_forwarded_headers() {
    let env = env("x-original", &json!({}));
    let nginx = nginx(&env);
    let bob = cookies(&env.signed_in("bob"));
    for header in [
        ("x-original-url", "https://app.example.com/about"),
        ("x-original-uri", "/about"),
        ("x-original-method", "OPTIONS"),
        ("x-vestibule-verify", "guessed"),
        ("x-forwarded-uri", "/about"),
        ("x-auth-return-redirect", "1"),
        ("host", "open.example.com"),
    ] {
        assert_eq!(nginx.ask("GET", "/dashboard", &[header]).status, 401, "{header:?}");
        let answer = nginx.ask("GET", "/admin", &[header, ("cookie", &bob)]);
        assert_eq!(answer.status, 403, "{header:?}");
    }
    for header in [
        ("x-user-email", "root@example.com"),
        ("x_user_email", "root@example.com"),
        ("authorization", "Bearer forged"),
        ("x-user-roles", "root"),
    ] {
        for (path, cookie) in [("/about", ""), ("/dashboard", bob.as_str())] {
            let answer = nginx.ask("GET", path, &[header, ("cookie", cookie)]);
            assert_eq!(answer.status, 200, "{header:?} {path}: {answer:?}");
            assert!(!answer.body.contains("root") && !answer.body.contains("forged"), "{}", answer.body);
        }
    }
    let preflight = [("origin", "https://other.example"), ("access-control-request-method", "POST")];
    assert_eq!(nginx.ask("OPTIONS", "/dashboard", &preflight).status, 200);
    assert_eq!(nginx.ask("OPTIONS", "/dashboard", &preflight[..1]).status, 401);
}

#[test]
fn path_confusion_through_nginx_the_original_path_is_decided_and_not_the_normalized_one() {
    let env = env("x-original", &json!({}));
    let nginx = nginx(&env);
    let bob = cookies(&env.signed_in("bob"));
    for path in [
        "/about/../admin",
        "/public/%2e%2e/admin",
        "/public/..%2fadmin",
        "//admin",
        "/public//admin",
        "/public/..;/admin",
        "/public/%2e%2e%2fadmin",
        "/public/./admin",
        "/public\\..\\admin",
        "/public/%5c../admin",
    ] {
        let answer = nginx.ask("GET", path, &[("cookie", &bob)]);
        assert_eq!(answer.status, 403, "{path}");
    }
    // nginx itself rejects these.
    for path in ["/%00", "/%zz", "/..", "/../admin"] {
        let answer = nginx.ask("GET", path, &[("cookie", &bob)]);
        assert!([400, 403].contains(&answer.status), "{path}: {}", answer.status);
    }
    for path in ["/_vestibule", "/auth/signin", "/auth/verify"] {
        let answer = nginx.ask("GET", path, &[("cookie", &bob)]);
        assert!([403, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
}

#[test]
fn nginx_passes_an_updated_session_to_the_browser_in_one_or_several_cookies() {
    for (padding, at_least) in [(10, 1), (6000, 2)] {
        let env = env(
            "x-original",
            &json!({ "session": { "update_age": "0s" }, "claims": { "padding": "profile.padding", "roles": "profile.roles" } }),
        );
        let pad = move |value: &mut Value| value["padding"] = json!("p".repeat(padding));
        env.idp.change("userinfo", pad);
        let nginx = nginx(&env);
        let browser = env.signed_in("alice");
        let answer = nginx.ask("GET", "/dashboard", &[("cookie", &cookies(&browser))]);
        assert_eq!(answer.status, 200, "{answer:?}");
        let renewed = answer.all("set-cookie");
        assert!(renewed.len() >= at_least, "{renewed:?}");
        assert!(renewed.iter().all(|cookie| cookie.starts_with("__Secure-authjs.session-token")));
        assert_eq!(answer.all("cache-control"), ["private, no-store"]);
        for cookie in &renewed {
            browser.set_cookie(APP, cookie);
        }
        let answer = nginx.ask("GET", "/dashboard", &[("cookie", &cookies(&browser))]);
        assert!(answer.body.contains("email=alice@example.com"), "{answer:?}");
    }
}

#[test]
fn a_proxy_without_the_secret_is_rejected() {
    let env = env("x-original", &json!({}));
    let browser = env.signed_in("alice");
    for secret in ["", "wrong", &SECRET[1..]] {
        let request = browser.get(&format!("{APP}/auth/verify")).header("x-vestibule-verify", secret);
        let request =
            request.header("x-original-method", "GET").header("x-original-url", &format!("{APP}/about"));
        let reply = request.send().expect_status(403);
        assert_eq!(reply.header("authorization"), None);
    }
    assert!(!env.logs().contains(SECRET));
}

/// The request that Traefik 3 sends, with `trustForwardHeader` off.
fn traefik(browser: &Client, method: &str, host: &str, uri: &str, accept: &str) -> ClientResponse {
    let request = browser
        .get(&format!("{APP}/auth/verify"))
        .header("user-agent", "Mozilla/5.0")
        .header("accept", accept)
        .header("accept-encoding", "gzip")
        .header("x-forwarded-for", "192.0.2.7")
        .header("x-forwarded-host", host)
        .header("x-forwarded-method", method)
        .header("x-forwarded-port", "443")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-server", "9f2b0c1d")
        .header("x-forwarded-uri", uri)
        .header("x-real-ip", "192.0.2.7")
        .header("x-vestibule-verify", SECRET);
    request.send()
}

#[test]
fn traefik_and_caddy_get_the_response_for_the_browser() {
    const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let env = env("x-forwarded", &json!({}));
    let (nobody, bob, alice) = (env.client(), env.signed_in("bob"), env.signed_in("alice"));
    for (browser, method, uri, accept, status) in [
        (&nobody, "GET", "/about?x=1", PAGE, 204),
        (&nobody, "GET", "/dashboard?x=1", PAGE, 302),
        (&nobody, "GET", "/dashboard", "*/*", 401),
        (&nobody, "DELETE", "/dashboard", PAGE, 401),
        (&bob, "GET", "/dashboard", PAGE, 204),
        (&bob, "GET", "/admin", PAGE, 403),
        (&alice, "POST", "/admin", PAGE, 204),
        (&alice, "GET", "/about/../admin", PAGE, 403),
        (&alice, "GET", "//admin", PAGE, 403),
        (&alice, "GET", "/auth/signin", PAGE, 403),
    ] {
        let reply = traefik(browser, method, "app.example.com", uri, accept);
        assert_eq!(reply.status, status, "{method} {uri}");
        assert_eq!(reply.header("cache-control"), Some("private, no-cache, no-store"), "{method} {uri}");
        if status == 302 {
            let expected = "https://app.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fdashboard%3Fx%3D1";
            assert_eq!(reply.location(), expected);
        }
    }
    assert_eq!(traefik(&alice, "GET", "evil.example", "/about", PAGE).status, 403);
    let reply = traefik(&alice, "GET", "app.example.com", "/dashboard", PAGE);
    assert_eq!(reply.header_all("x-user-email"), ["alice@example.com"]);
    assert!(
        reply.header("authorization").is_some_and(|value| value.starts_with("Bearer access-token-of-alice"))
    );

    // Caddy's forward_auth for a script's request.
    let caddy = alice
        .get(&format!("{APP}/auth/verify"))
        .header("x-forwarded-for", "192.0.2.7")
        .header("x-forwarded-host", "app.example.com")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-uri", "/dashboard?a=b")
        .header("via", "1.1 Caddy")
        .header("x-vestibule-verify", SECRET);
    assert_eq!(caddy.clone().send().header_all("x-user-roles"), ["admin,user"]);
    // A client's own field in addition to the proxy's: the runtime joins them.
    let doubled = caddy.header("x-forwarded-uri", "/about").send();
    assert_eq!(doubled.status, 403);
    assert_eq!(env.requests_to_service("APP").len(), 2, "only the pages after the two sign-ins");
}

#[test]
fn forwarded_headers_are_ignored_if_forward_auth_is_not_configured() {
    let env = TestEnv::new();
    let (nobody, bob) = (env.client(), env.signed_in("bob"));
    for (name, value) in [
        ("x-forwarded-uri", "/about"),
        ("x-original-url", "https://app.example.com/about"),
        ("x-forwarded-host", "evil.example"),
        ("x-vestibule-verify", SECRET),
        ("x-auth-return-redirect", "1"),
    ] {
        let request =
            |browser: &Client| browser.get(&format!("{APP}/auth/verify")).header(name, value).send();
        let reply = request(&nobody).expect_status(401);
        assert!(!reply.text().contains("evil"), "{}", reply.text());
        let reply = request(&bob).expect_status(204);
        assert_eq!(reply.header_all("x-user-email"), ["bob@example.com"]);
    }
}
