//! A complete sign-in with an independent implementation of a provider: oidc-provider, run by `demo/provider.mjs`.

use miniflare_test_harness::{Client, ClientResponse, Harness};
use serde_json::{Value, json};

use crate::node::{Running, Script};
use crate::test_env::{SECRET, echo, session, worker};

const ISSUER: &str = "https://idp.example";
const HOSTS: [&str; 2] = ["https://app.example.com", "https://shop.example.org"];
/// A client secret with characters that have to be encoded in `Authorization: Basic` (RFC 6749 section 2.3.1).
const CLIENT_SECRET: &str = "a+secret/with%every&kind=of:character, \"~ \\";

/// The client authentication methods, each with a client of the provider that uses it.
const METHODS: [(&str, &str); 3] =
    [("basic", "client_secret_basic"), ("post", "client_secret_post"), ("public", "none")];

#[test]
fn a_user_signs_in_uses_the_application_and_signs_out() {
    let (harness, _provider) = start();
    for (host, (id, method)) in HOSTS.into_iter().zip(METHODS).chain([(HOSTS[0], METHODS[2])]) {
        let browser = harness.client();
        let before = harness.requests_to_service("APP").len();
        let page = sign_in(&harness, &browser, host, id, "alice", "/admin/users?tab=%C3%A4&x=1");
        let wanted = format!("{host}/admin/users?tab=%C3%A4&x=1");
        assert_eq!((page.status, page.url.as_str()), (200, wanted.as_str()), "{method}: {}", page.text());

        let shown = session(&browser, host);
        assert_eq!(shown["user"]["name"], "Alice Example", "{method}");
        assert_eq!(shown["user"]["email"], "alice@example.com");
        assert_eq!(shown["user"]["roles"], json!(["admin", "user"]));
        let token = shown["access_token"].as_str().unwrap();
        let got = harness.requests_to_service("APP");
        assert_eq!(got.len(), before + 1, "no request was forwarded before the sign-in");
        let got = got.last().unwrap();
        assert_eq!(got.url(), wanted);
        assert_eq!(got.header_all("authorization"), [format!("Bearer {token}")]);
        assert_eq!(got.header_all("x-user-email"), ["alice@example.com"]);
        assert_eq!(got.header_all("x-user-roles"), ["admin,user"]);
        assert_eq!(got.header("cookie"), None, "our cookies are not forwarded");
        let me =
            harness.client().get(&format!("{ISSUER}/me")).header("authorization", &format!("Bearer {token}"));
        assert_eq!(me.send().expect_status(200).json()["email"], "alice@example.com");

        assert_cookies_are_for_this_host_and_https(&page, &browser, host);
        sign_out(&browser, host);
        assert_eq!(session(&browser, host), Value::Null);
        let again = browser.get(&format!("{host}/admin/users")).navigation().send().expect_status(302);
        assert!(
            again.location().starts_with(&format!("{host}/auth/signin?callbackUrl=")),
            "{}",
            again.location()
        );
        assert_eq!(harness.requests_to_service("APP").len(), before + 1);
    }
    let log = harness.logs().text();
    for secret in [SECRET, CLIENT_SECRET, "eyJ"] {
        assert!(!log.contains(secret), "the log contains {secret:?}:\n{log}");
    }
    harness.assert_no_unknown_requests();
}

#[test]
fn a_user_without_the_role_is_denied_and_stays_signed_in() {
    let (harness, _provider) = start();
    let browser = harness.client();
    let page = sign_in(&harness, &browser, HOSTS[0], "basic", "bob", "/admin");
    assert_eq!((page.status, page.url), (403, format!("{}/admin", HOSTS[0])));
    assert!(harness.requests_to_service("APP").is_empty());
    let script = browser.get(&format!("{}/admin", HOSTS[0])).send().expect_status(403);
    assert_eq!(script.json(), json!({ "error": "forbidden" }));
    browser.get(&format!("{}/dashboard", HOSTS[0])).navigation().send().expect_status(200);
    assert_eq!(session(&browser, HOSTS[0])["user"]["email"], "bob@example.com");
    // Another host does not get the cookies of the first one.
    assert_eq!(session(&browser, HOSTS[1]), Value::Null);
}

#[test]
fn a_wrong_password_or_a_cancelled_login_does_not_sign_in() {
    let (harness, _provider) = start();
    let browser = harness.client();
    let login = to_login_page(&harness, &browser, HOSTS[0], "basic", "/dashboard");
    let form = [("email", "alice@example.com"), ("password", "wrong")];
    let refused = browser.post(&login.url).navigation().form(&form).follow().send();
    assert_eq!(refused.status, 401);
    let cancelled = browser.post(&login.url).navigation().form(&[("cancel", "yes")]).follow().send();
    assert_eq!(cancelled.url, format!("{}/auth/signin?error=OAuthCallbackError", HOSTS[0]));
    assert_eq!(session(&browser, HOSTS[0]), Value::Null);
    // The second attempt succeeds.
    let page = sign_in(&harness, &browser, HOSTS[0], "basic", "alice", "/dashboard");
    assert_eq!((page.status, page.url), (200, format!("{}/dashboard", HOSTS[0])));
}

fn start() -> (Harness, Running) {
    let clients: Vec<Value> = METHODS
        .iter()
        .map(|(id, method)| {
            let redirect_uris: Vec<_> =
                HOSTS.iter().map(|host| format!("{host}/auth/callback/{id}")).collect();
            let mut client = json!({
                "client_id": format!("client-{id}"),
                "token_endpoint_auth_method": method,
                "redirect_uris": redirect_uris,
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
            });
            if *method != "none" {
                client["client_secret"] = json!(CLIENT_SECRET);
            }
            client
        })
        .collect();
    let environment = [("DEMO_ISSUER", ISSUER), ("DEMO_CLIENTS", &json!(clients).to_string())];
    let mut script = Script::start("demo/provider.mjs", &["0"], &environment);
    let ready = script.read_line();
    let port: u16 =
        ready.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_else(|| panic!("{ready}"));

    let providers: Vec<Value> = METHODS
        .iter()
        .map(|(id, method)| {
            json!({
                "id": id, "type": "oidc", "issuer": ISSUER,
                "scope": "openid profile email offline_access",
                "token_endpoint_auth_method": method,
            })
        })
        .collect();
    let mut builder = worker().host_at("idp.example", ([127, 0, 0, 1], port).into()).service("APP", echo);
    for (id, method) in METHODS {
        let id = id.to_ascii_uppercase();
        builder = builder.secret(&format!("AUTH_{id}_ID"), &format!("client-{}", id.to_ascii_lowercase()));
        if method != "none" {
            builder = builder.secret(&format!("AUTH_{id}_SECRET"), CLIENT_SECRET);
        }
    }
    let auth = json!({
        "providers": providers,
        "claims": { "roles": "profile.roles" },
        "session": { "expose": { "access_token": "access_token", "user.roles": "roles" } },
        "rules": [
            { "match": "/about", "access": "public" },
            { "match": "/admin/:path*", "require": { "roles": ["admin"] } },
        ],
        "upstreams": [{
            "to": "service:APP",
            "authorization": "access_token",
            "headers": { "X-User-Email": "email", "X-User-Roles": "roles" },
        }],
    });
    let harness = builder.var("AUTH", auth).secret("AUTH_SECRET", SECRET).start().expect("the Worker starts");
    (harness, script.ignore_output())
}

/// Signs in like a user: from a protected page through the sign-in page and the provider's form back to the page.
fn sign_in(
    harness: &Harness,
    browser: &Client,
    host: &str,
    provider: &str,
    user: &str,
    path: &str,
) -> ClientResponse {
    let login = to_login_page(harness, browser, host, provider, path);
    let email = format!("{user}@example.com");
    browser.post(&login.url).navigation().form(&[("email", &email), ("password", user)]).follow().send()
}

fn to_login_page(
    harness: &Harness,
    browser: &Client,
    host: &str,
    provider: &str,
    path: &str,
) -> ClientResponse {
    let page = browser.get(&format!("{host}{path}")).navigation().follow().send();
    assert_eq!(page.status, 200, "{}", harness.logs().text());
    let action = format!("{host}/auth/signin/{provider}");
    let login = submit(browser, &page, &action).follow().send().expect_status(200);
    assert!(login.url.starts_with(&format!("{ISSUER}/interaction/")), "{}", login.url);
    login
}

fn sign_out(browser: &Client, host: &str) {
    let page = browser
        .get(&format!("{host}/auth/signout?callbackUrl=/about"))
        .navigation()
        .send()
        .expect_status(200);
    let done = submit(browser, &page, &format!("{host}/auth/signout")).send().expect_status(302);
    assert_eq!(done.location(), format!("{host}/about"));
    let expired = done
        .set_cookie("__Secure-authjs.session-token")
        .or_else(|| done.set_cookie("__Secure-authjs.session-token.0"));
    assert!(expired.unwrap().contains("Max-Age=0"), "{:?}", done.set_cookies());
}

/// The request that the page's form with this action sends, with its hidden fields.
pub fn submit(
    browser: &Client,
    page: &ClientResponse,
    action: &str,
) -> miniflare_test_harness::RequestBuilder {
    let html = page.text();
    let begin = html
        .find(&format!("action=\"{action}\""))
        .unwrap_or_else(|| panic!("the page has no form with the action {action}: {html}"));
    let form = html[begin..].split("</form>").next().unwrap();
    let hidden = |name: &str| {
        let (_, rest) = form.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.replace("&amp;", "&").replace("&quot;", "\"")
    };
    let fields = [("csrfToken", &*hidden("csrfToken")), ("callbackUrl", &*hidden("callbackUrl"))];
    browser.post(action).navigation().form(&fields)
}

fn assert_cookies_are_for_this_host_and_https(page: &ClientResponse, browser: &Client, host: &str) {
    for reply in page.redirects.iter().filter(|reply| reply.url.starts_with(host)) {
        assert_eq!(reply.header("cache-control"), Some("private, no-store"), "{}", reply.url);
        for cookie in reply.set_cookies() {
            assert!(
                cookie.starts_with("__Secure-authjs.") || cookie.starts_with("__Host-authjs."),
                "{cookie}"
            );
            for attribute in ["; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert!(!cookie.contains("Domain="), "{cookie}");
        }
    }
    let names: Vec<_> = browser.cookies(host).into_iter().map(|(name, _)| name).collect();
    assert!(
        !names.iter().any(|name| name.contains("transaction")),
        "the transaction's cookie is deleted: {names:?}"
    );
    let other = HOSTS.into_iter().find(|other| *other != host).unwrap();
    assert_eq!(browser.cookies(other), []);
}
