//! One login for several hosts, with a real OpenID provider. One Worker serves all hosts, with one of them as its
//! `login_url`. Another Worker serves `docs`; both share only the secret.

use std::time::{Duration, SystemTime};

use miniflare_test_harness::{Client, ClientResponse, Harness, Request, Response};
use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::time::Timestamp;

use crate::node::{Running, Script};
use crate::test_env::{SECRET, csrf, echo, session, worker};
use crate::whole_way::submit;

const ISSUER: &str = "https://idp.example";
const AUTH: &str = "https://auth.example.com";
const APP: &str = "https://app.example.com";
const SHOP: &str = "https://shop.example.com";
const DOCS: &str = "https://docs.example.com";
const EVERYWHERE: [&str; 4] = [AUTH, APP, SHOP, DOCS];
const SESSION: &str = "__Secure-authjs.session-token";
const CLIENT_SECRET: &str = "a-client-secret-that-no-log-may-hold";

/// The site. A browser reaches the first Worker at every host except `docs` and the provider.
struct Site {
    login: Harness,
    docs: Harness,
    _provider: Running,
}

#[test]
fn a_sign_in_and_a_sign_out_on_one_host_apply_to_all_hosts() {
    let site = Site::start();
    let browser = site.login.client();
    let wanted = format!("{APP}/admin/users?tab=%C3%A4&x=1&y=%2F");
    let page = browser.get(&wanted).navigation().follow().send().expect_status(200);
    assert!(page.url.starts_with("https://auth.example.com/auth/signin?callbackUrl="), "{}", page.url);
    let page = sign_in_there(&browser, &page);
    assert_eq!((page.status, page.url.as_str()), (200, wanted.as_str()), "{}", site.login.logs().text());
    assert_eq!(page.redirects.iter().filter(|reply| reply.url.contains("/auth/callback/")).count(), 1);

    for host in EVERYWHERE {
        assert_eq!(session(&browser, host)["user"]["email"], "alice@example.com", "{host}");
        browser.get(&format!("{host}/private")).navigation().send().expect_status(200);
    }
    let token = session(&browser, DOCS)["access_token"].as_str().unwrap().to_owned();
    let seen = site.docs.requests_to_service("APP");
    assert_eq!(seen.last().unwrap().header_all("authorization"), [format!("Bearer {token}")]);
    assert_eq!(seen.last().unwrap().header("cookie"), None, "our cookies are not forwarded");
    assert_eq!(seen.last().unwrap().header_all("x-user-email"), ["alice@example.com"]);

    let page = browser.get(&format!("{DOCS}/auth/signout")).navigation().send().expect_status(200);
    submit(&browser, &page, &format!("{DOCS}/auth/signout")).send().expect_status(302);
    for host in EVERYWHERE {
        assert_eq!(session(&browser, host), Value::Null, "{host}");
        let answer = browser.get(&format!("{host}/private")).navigation().send().expect_status(302);
        assert!(answer.location().starts_with("https://auth.example.com/auth/signin?callbackUrl="), "{host}");
    }
    site.assert_logs();
}

#[test]
fn a_sign_in_form_on_any_host_leads_to_the_provider_and_back_without_another_page() {
    let site = Site::start();
    for host in [APP, DOCS] {
        let browser = site.login.client();
        let login = ask(&browser, host, "/page?x=1").follow().send().expect_status(200);
        assert!(login.url.starts_with(&format!("{ISSUER}/interaction/")), "{host}: {}", login.url);
        let hops: Vec<&str> = login.redirects.iter().map(|reply| reply.url.as_str()).collect();
        assert!(hops[1].starts_with("https://auth.example.com/auth/signin/demo?callbackUrl="), "{hops:?}");
        let page = at_the_provider(&browser, &login);
        assert_eq!((page.status, page.url), (200, format!("{host}/page?x=1")));

        // The handoff works only in this browser, and only once.
        let begun = hops[1].to_owned();
        for other in [site.login.client(), browser] {
            let answer = other.get(&begun).navigation().send().expect_status(302);
            assert!(
                answer.location().starts_with("https://auth.example.com/auth/signin?"),
                "{}",
                answer.location()
            );
        }
    }
    site.assert_logs();
}

#[test]
fn the_unmodified_clients_of_auth_js_sign_in_from_any_host() {
    for (client, dialect) in [("next-auth", "authjs-v5"), ("next-auth-v4", "next-auth-v4")] {
        let site = Site::with(&json!({ "dialect": dialect }));
        let address = site.login.address().to_string();
        let mut page = Script::start("tests/worker/react_client.mjs", &[client, &address, "/auth"], &[]);
        assert_eq!(page.read_line(), "ready");

        page.write_line(r#"["demo", {}, { "login_hint": "alice@example.com" }]"#);
        let said: Value = serde_json::from_str(&page.read_line()).unwrap();
        let href = said["href"].as_str().unwrap();
        assert!(
            href.starts_with("https://auth.example.com/auth/signin/demo?callbackUrl="),
            "{client}: {said}"
        );
        assert!(!href.contains('#'), "the client would reload the page: {href}");
        let browser = site.login.client();
        for cookie in said["cookies"].as_array().unwrap() {
            browser.set_cookie(APP, cookie.as_str().unwrap());
        }
        let login = browser.get(href).navigation().follow().send().expect_status(200);
        let page_there = at_the_provider(&browser, &login);
        assert_eq!(page_there.url, "https://app.example.com/from?here=1#part", "{client}");
        assert_eq!(session(&browser, SHOP)["user"]["email"], "alice@example.com", "{client}");

        // Without a provider, the client opens the sign-in page of its own host, which redirects to the login host.
        page.write_line("[]");
        let said: Value = serde_json::from_str(&page.read_line()).unwrap();
        let own = said["href"].as_str().unwrap();
        assert!(own.starts_with("/auth/signin?"), "{client}: {said}");
        let there = browser.get(&format!("{APP}{own}")).navigation().send().expect_status(302);
        let back = there.location_query("callbackUrl");
        assert!(
            there.location().starts_with("https://auth.example.com/auth/signin?"),
            "{}",
            there.location()
        );
        assert_eq!(back.as_deref(), Some("https://app.example.com/from?here=1#part"));
    }
}

#[test]
fn a_worker_without_a_provider_refreshes_tokens_at_the_login_host() {
    let site = Site::start();
    let browser = site.login.client();
    let login = ask(&browser, DOCS, "/").follow().send().expect_status(200);
    assert_eq!(at_the_provider(&browser, &login).status, 200);
    let before = session(&browser, DOCS)["access_token"].as_str().unwrap().to_owned();
    end_access_token(&browser);

    let api = browser.get(&format!("{DOCS}/api")).send().expect_status(401);
    assert_eq!(api.json()["error"], "token_expired");
    assert_eq!(session(&browser, DOCS).get("access_token"), None);
    let seen = site.docs.requests_to_service("APP").len();

    let wanted = format!("{DOCS}/page?x=1&y=%2F");
    let page = browser.get(&wanted).navigation().follow().send().expect_status(200);
    assert_eq!((page.url.as_str(), page.redirects.len()), (wanted.as_str(), 2));
    let after = session(&browser, DOCS)["access_token"].as_str().unwrap().to_owned();
    assert_ne!(before, after);
    let got = site.docs.requests_to_service("APP");
    assert_eq!(got.len(), seen + 1, "no request was forwarded with an expired token");
    assert_eq!(got.last().unwrap().header_all("authorization"), [format!("Bearer {after}")]);
    browser.get(&format!("{DOCS}/api")).send().expect_status(200);
    site.assert_logs();
}

#[test]
fn a_host_outside_the_cookie_domain_gets_no_session() {
    let site = Site::start();
    let browser = site.login.client();
    let login = ask(&browser, APP, "https://other.org/").follow().send();
    let page = at_the_provider(&browser, &login);
    assert_eq!(page.url, format!("{APP}/"), "the return address was rejected");
    let sealed = browser.cookies(APP).into_iter().find(|(name, _)| name.starts_with(SESSION)).unwrap();
    for (path, public) in
        [("/private", false), ("/auth/session", false), ("/auth/signin", false), ("/about", true)]
    {
        let url = format!("https://other.org{path}");
        let carried = format!("{}={}", sealed.0, sealed.1);
        let answer = browser.get(&url).navigation().header("cookie", &carried).send();
        assert_eq!(answer.status, if public { 200 } else { 403 }, "{path}");
        assert_eq!((answer.header("location"), answer.set_cookies().len()), (None, 0), "{path}");
    }
    let seen = site.login.requests_to_service("APP");
    assert_eq!(seen.last().unwrap().header("x-user-email"), None);
    site.login.logs().wait_for("give other.org a deployment of its own", Duration::from_secs(5));
    // An authorization code at the wrong host has no effect either.
    let wrong = browser.get(&format!("{APP}/auth/callback/demo?code=x&state=y")).navigation().send();
    assert_eq!(wrong.expect_status(302).location(), format!("{APP}/auth/error?error=Configuration"));
}

impl Site {
    fn start() -> Self {
        Self::with(&json!({}))
    }

    /// With these additional settings for both Workers.
    fn with(patch: &Value) -> Self {
        let client = json!([{
            "client_id": "vestibule",
            "client_secret": CLIENT_SECRET,
            // Only the login host's redirect URI is ever sent to the provider.
            "redirect_uris": [format!("{AUTH}/auth/callback/demo")],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        }]);
        let environment = [("DEMO_ISSUER", ISSUER), ("DEMO_CLIENTS", &client.to_string())];
        let mut script = Script::start("demo/provider.mjs", &["0"], &environment);
        let ready = script.read_line();
        let port = ready.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let port = port.unwrap_or_else(|| panic!("{ready}"));

        let mut shared = json!({
            "login_url": AUTH,
            "cookies": { "domain": "example.com" },
            "session": { "expose": { "access_token": "access_token" } },
            "rules": [
                { "match": "/about", "access": "public" },
                { "match": "/admin/:path*", "require": { "roles": ["admin"] } },
            ],
            "upstreams": [
                { "to": "service:APP", "authorization": "access_token", "headers": { "X-User-Email": "email" } },
            ],
        });
        shared.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let docs = worker().var("AUTH", shared.clone()).secret("AUTH_SECRET", SECRET).service("APP", echo);
        let docs = docs.without_binding("AUTH_KV").start().expect("the Worker of docs starts");

        shared["providers"] = json!([
            { "id": "demo", "type": "oidc", "issuer": ISSUER, "scope": "openid profile email offline_access" },
        ]);
        shared["claims"] = json!({ "roles": "profile.roles" });
        let login = worker()
            .var("AUTH", shared)
            .secret("AUTH_SECRET", SECRET)
            .secret("AUTH_DEMO_ID", "vestibule")
            .secret("AUTH_DEMO_SECRET", CLIENT_SECRET)
            .host_at("idp.example", ([127, 0, 0, 1], port).into())
            .host("docs.example.com", behind(docs.client()))
            .service("APP", echo);
        let login = login.start().expect("the Worker of the login host starts");
        Self { login, docs, _provider: script.ignore_output() }
    }

    fn assert_logs(&self) {
        for log in [self.login.logs().text(), self.docs.logs().text()] {
            for secret in [SECRET, CLIENT_SECRET, "eyJ"] {
                assert!(!log.contains(secret), "the log contains {secret:?}:\n{log}");
            }
        }
        self.docs.assert_no_unknown_requests();
    }
}

/// A handler that forwards to the other Worker, as a host in the first one's harness.
pub fn behind(worker: Client) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    let is_of_the_connection = |name: &str| {
        ["connection", "content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str())
    };
    move |request| {
        let mut there = worker.request(&request.method, &request.url()).without_cookies();
        for (name, value) in request.headers.iter().filter(|(name, _)| !is_of_the_connection(name)) {
            there = there.header(name, value);
        }
        let reply = there.body("", request.body.clone()).send();
        let fields = reply.headers.into_iter().filter(|(name, _)| !is_of_the_connection(name));
        let answer = Response::bytes(reply.body).with_status(reply.status);
        fields.fold(answer, |answer, (name, value)| answer.header(name, value))
    }
}

/// The request that a sign-in form on `host` sends.
fn ask(browser: &Client, host: &str, return_to: &str) -> miniflare_test_harness::RequestBuilder {
    let csrf = csrf(browser, host);
    let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", return_to)];
    browser.post(&format!("{host}/auth/signin/demo")).navigation().form(&fields)
}

/// Signs alice in from the login host's sign-in page, and gives the page that she requested.
fn sign_in_there(browser: &Client, page: &ClientResponse) -> ClientResponse {
    let login = submit(browser, page, &format!("{AUTH}/auth/signin/demo")).follow().send();
    at_the_provider(browser, &login)
}

fn at_the_provider(browser: &Client, login: &ClientResponse) -> ClientResponse {
    assert!(login.url.starts_with(&format!("{ISSUER}/interaction/")), "{}", login.url);
    let form = [("email", "alice@example.com"), ("password", "alice")];
    browser.post(&login.url).navigation().form(&form).follow().send()
}

/// Replaces the browser's session by one with an expired access token.
fn end_access_token(browser: &Client) {
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let now = Timestamp::from_seconds(since_1970.as_secs());
    let sealed = browser.cookie(APP, SESSION).expect("one cookie holds it");
    let mut claims: Map<String, Value> =
        seal::open(&keys, Dialect::AuthJsV5, SESSION, &sealed, now).expect("a session");
    claims.insert("expires_at".to_owned(), json!(now.seconds() - 1));
    let day = Duration::from_hours(24);
    let sealed = seal::seal(&keys, Dialect::AuthJsV5, SESSION, &claims, day, now, &mut |bytes| bytes.fill(9));
    browser.set_cookie(APP, &format!("{SESSION}={sealed}; Domain=example.com; Path=/; Secure; HttpOnly"));
}
