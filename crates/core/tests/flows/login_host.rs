//! `login_url`: one host signs users in for all hosts of its domain, and for a Worker that shares only the secret.

mod attacks;
mod outside;
mod previews;
mod renewal;
pub mod visitor;

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testing::{AuthorizationRequest, TestEnv, settings};

use self::visitor::{Site, Visitor};
use crate::credentials::json_api;

pub const AUTH: &str = "https://auth.example.com";
pub const APP: &str = "https://app.example.com";
pub const SHOP: &str = "https://shop.example.com";
pub const DOCS: &str = "https://docs.example.com";
pub const SESSION: &str = "__Secure-authjs.session-token";
pub const TICKET: &str = "__Secure-authjs.ticket";

/// The settings of the Worker that signs users in, on all its hosts.
pub fn of_the_login_host() -> Value {
    let mut shared = settings();
    shared["login_url"] = json!(AUTH);
    shared["cookies"] = json!({ "domain": "example.com" });
    shared
}

/// The settings of a Worker without providers.
pub fn of_the_docs() -> Value {
    let mut alone = of_the_login_host();
    for key in ["providers", "claims"] {
        alone.as_object_mut().unwrap().remove(key);
    }
    alone
}

pub fn site() -> Site {
    with(of_the_login_host())
}

pub fn with(settings: Value) -> Site {
    let login = TestEnv::with(settings);
    let docs = login.isolate(of_the_docs(), "there");
    Site { login, docs }
}

/// A user who signed in on the app.
pub fn signed_in(site: &Site) -> Visitor {
    let mut visitor = Visitor::new();
    let answer = visitor.ask(site, APP, "/");
    let arrived = visitor.follow_on(site, APP, answer);
    assert_eq!((arrived.url.as_str(), arrived.answer.status), ("https://app.example.com/", 200));
    visitor
}

#[test]
fn a_navigation_is_redirected_to_the_login_host_and_comes_back_to_the_same_page() {
    let site = site();
    for origin in [APP, SHOP, DOCS, "https://a.b.example.com", "https://app.example.com:8443"] {
        let mut visitor = Visitor::new();
        let page = format!("{origin}/a%20b/%C3%A4?x=1&y=%2F%3F&&z=a+b&callbackUrl=%2F");
        let answer = visitor.open(&site, &page);
        let (sign_in, query) = answer.location().split_once('?').unwrap();
        assert_eq!((answer.status, sign_in), (302, "https://auth.example.com/auth/signin"), "{origin}");
        let params = AuthorizationRequest::read(answer.location()).params;
        assert_eq!(params["callbackUrl"], page);
        assert_eq!(params.len(), 1, "{query}");

        let location = answer.location().to_owned();
        let shown = visitor.open(&site, &location);
        assert_eq!(shown.status, 200);
        assert!(shown.body.contains("to continue to"), "it says for whom");
        let there = visitor.ask(&site, AUTH, &page);
        let arrived = visitor.follow_on(&site, AUTH, there);
        assert_eq!((arrived.url, arrived.answer.status), (page.clone(), 200));
        assert_eq!(
            arrived.answer.forwarded.unwrap().request.headers.get("x-user-email"),
            Some("bob@example.com")
        );
    }
}

#[test]
fn the_choice_whether_the_session_stays_goes_with_the_sign_in_to_the_login_host() {
    for (persistent, fields, stays) in [
        (json!("ask"), &[("persistent", "false")][..], false),
        (json!("ask"), &[("persistent", "true")], true),
        (json!("ask"), &[], true),
        (json!(true), &[("persistent", "false")], true),
        (json!(false), &[("persistent", "true")], false),
    ] {
        let mut settings = of_the_login_host();
        settings["session"]["persistent"] = persistent.clone();
        // The docs have no key of their own for it.
        let site = with(settings);
        // A token that does not expire, so that the docs can renew the session.
        site.login.provider.alters_answer_at("token", |answer| {
            answer
                .as_object_mut()
                .unwrap()
                .retain(|name, _| !matches!(&**name, "expires_in" | "refresh_token"));
        });
        let mut visitor = Visitor::new();
        let csrf = visitor.csrf(&site, DOCS);
        let mut all = vec![("csrfToken", csrf.as_str()), ("callbackUrl", "/page")];
        all.extend_from_slice(fields);
        let form = [("sec-fetch-mode", "navigate")];
        let answer = visitor.post(&site, &format!("{DOCS}/auth/signin/acme"), &all, &form);
        let arrived = visitor.follow_on(&site, DOCS, answer);
        assert_eq!(arrived.url, format!("{DOCS}/page"), "{:?}", arrived.trail);
        assert!(
            arrived.trail.iter().all(|url| !url.starts_with("https://idp.") || !url.contains("persistent"))
        );
        site.login.pass(Duration::from_hours(25));
        for origin in [DOCS, APP] {
            let mut copy = visitor.clone();
            let answer = copy.fetch(&site, &format!("{origin}/auth/session"));
            let renewed: Vec<&str> = answer
                .headers
                .get_all("set-cookie")
                .filter(|cookie| cookie.starts_with(SESSION) && !cookie.contains("Max-Age=0"))
                .collect();
            assert!(!renewed.is_empty(), "{origin}: {answer:?}");
            assert!(renewed.iter().all(|cookie| cookie.contains("Expires=") == stays), "{renewed:?}");
        }
    }
}

#[test]
fn a_script_gets_the_login_hosts_sign_in_address() {
    let site = site();
    let answer = Visitor::new().fetch(&site, &format!("{APP}/api?q=1"));
    assert_eq!((answer.status, answer.headers.get("location")), (401, None));
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let sign_in =
        "https://auth.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fapi%3Fq%3D1";
    assert_eq!(body, json!({ "error": "unauthorized", "signInUrl": sign_in }));
}

#[test]
fn a_sign_in_or_sign_out_on_one_host_applies_to_all_hosts() {
    let site = site();
    for out_on in [AUTH, APP, SHOP, DOCS] {
        // The same for a session of several cookies.
        site.login.provider.alters_answer_at("userinfo", |u| u["roles"] = json!(vec!["x".repeat(100); 60]));
        let mut visitor = signed_in(&site);
        for origin in [AUTH, APP, SHOP, DOCS, "https://example.com"] {
            assert_eq!(visitor.session(&site, origin)["user"]["name"], "bob", "{origin}");
            assert_eq!(visitor.open(&site, &format!("{origin}/private")).status, 200, "{origin}");
        }
        let csrf = visitor.csrf(&site, out_on);
        let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", "https://shop.example.com/about")];
        let answer = visitor.post(&site, &format!("{out_on}/auth/signout"), &fields, &[]);
        assert_eq!(answer.location(), "https://shop.example.com/about");
        assert!(!visitor.jar.iter().any(|cookie| cookie.name.contains("session")), "{out_on}");
        for origin in [AUTH, APP, SHOP, DOCS, "https://example.com"] {
            assert_eq!(visitor.session(&site, origin), Value::Null, "{origin}");
            assert_eq!(visitor.open(&site, &format!("{origin}/private")).status, 302, "{origin}");
        }
    }
}

#[test]
fn a_sign_in_form_on_any_host_leads_to_the_provider_without_another_click() {
    let site = site();
    for origin in [APP, SHOP, DOCS] {
        let mut visitor = Visitor::new();
        let csrf = visitor.csrf(&site, origin);
        let return_to = format!("{origin}/other?tab=1&name=caf%C3%A9#part");
        let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", return_to.as_str())];
        let form =
            format!("{origin}/auth/signin/acme?login_hint=b%26b%40example.com&prompt=login&state=mine&x=y");
        let answer = visitor.post(&site, &form, &fields, &[("sec-fetch-mode", "navigate")]);
        assert_eq!(answer.status, 302);
        assert!(answer.location().starts_with("https://auth.example.com/auth/signin/acme?"), "{answer:?}");
        assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));

        let arrived = visitor.follow_on(&site, origin, answer);
        assert_eq!((arrived.url, arrived.answer.status), (return_to, 200));
        let [_, _, provider, callback, _] = arrived.trail.as_slice() else { panic!("{:?}", arrived.trail) };
        let params = AuthorizationRequest::read(provider).params;
        assert_eq!(params["redirect_uri"], "https://auth.example.com/auth/callback/acme");
        assert_eq!((params["login_hint"].as_str(), params["prompt"].as_str()), ("b&b@example.com", "login"));
        assert_ne!(params["state"], "mine");
        assert!(!params.contains_key("x"));
        assert!(callback.starts_with("https://auth.example.com/auth/callback/acme?"));
        assert_eq!(visitor.session(&site, APP)["user"]["name"], "bob");
        for kind in ["ticket", "transaction"] {
            assert!(!visitor.jar.iter().any(|cookie| cookie.name.contains(kind)), "{kind} is done with");
        }
    }
}

#[test]
fn a_prefetch_or_a_head_request_begins_no_sign_in_and_keeps_the_ticket() {
    let site = site();
    let mut visitor = Visitor::new();
    let answer = visitor.ask(&site, APP, "/about");
    let there = answer.location().to_owned();
    assert!(there.starts_with("https://auth.example.com/auth/signin/acme?"), "{there}");
    for (method, said, status) in [
        ("GET", ("sec-purpose", "prefetch"), 503),
        ("GET", ("purpose", "prefetch"), 503),
        ("HEAD", ("accept", "*/*"), 400),
    ] {
        let looked = visitor.send(&site, method, &there, &[("sec-fetch-mode", "navigate"), said], b"");
        assert_eq!((looked.status, looked.headers.get("set-cookie")), (status, None), "{method} {said:?}");
    }
    let arrived = visitor.follow_on(&site, APP, answer);
    assert_eq!((arrived.url, arrived.answer.status), (format!("{APP}/about"), 200));
}

/// The requests of both versions of next-auth/react, and how each asks for the address.
const CLIENTS: [(&str, &str, (&str, &str)); 2] =
    [("authjs-v5", "x-auth-return-redirect", ("x", "y")), ("next-auth-v4", "x-nothing", ("json", "true"))];

#[test]
fn authjs_clients_get_the_login_hosts_address_and_sign_in() {
    for (dialect, header, field) in CLIENTS {
        let mut settings = of_the_login_host();
        settings["dialect"] = json!(dialect);
        let site = with(settings);
        let mut visitor = Visitor::new();
        let providers = visitor.fetch(&site, &format!("{APP}/auth/providers"));
        let providers: Value = serde_json::from_str(&providers.body).unwrap();
        assert_eq!(providers["acme"]["signinUrl"], format!("{APP}/auth/signin/acme"));
        assert_eq!(providers["acme"]["callbackUrl"], format!("{AUTH}/auth/callback/acme"));

        let csrf = visitor.csrf(&site, APP);
        let page = format!("{APP}/from?here=1#part");
        let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", page.as_str()), field];
        let headers = [(header, "1"), ("sec-fetch-mode", "cors")];
        let answer = visitor.post(&site, &format!("{APP}/auth/signin/acme?"), &fields, &headers);
        assert_eq!(answer.status, 200, "{dialect}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let url = body["url"].as_str().unwrap();
        assert!(url.starts_with("https://auth.example.com/auth/signin/acme?callbackUrl="), "{url}");
        assert_eq!(body.as_object().unwrap().len(), 1);

        let arrived = visitor.follow(&site, url);
        assert_eq!(arrived.url, page);
        assert_eq!(visitor.session(&site, APP)["user"]["name"], "bob", "{dialect}");
    }
}

#[test]
fn without_a_provider_or_with_an_unknown_one_users_choose_on_the_login_host() {
    let site = site();
    for (origin, route) in
        [(APP, "signin"), (APP, "signin/nobody"), (DOCS, "signin"), (DOCS, "signin/No%20One")]
    {
        let mut visitor = Visitor::new();
        let csrf = visitor.csrf(&site, origin);
        let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", "/x?y=1")];
        let answer = visitor.post(&site, &format!("{origin}/auth/{route}"), &fields, &[]);
        let back = format!("{origin}/x?y=1").replace(':', "%3A").replace('/', "%2F");
        let back = back.replace('?', "%3F").replace('=', "%3D");
        assert_eq!(answer.location(), format!("{AUTH}/auth/signin?callbackUrl={back}"), "{route}");
    }
    // A Worker without providers leaves the decision to the login host, which has no provider with this name either.
    let mut visitor = Visitor::new();
    let csrf = visitor.csrf(&site, DOCS);
    let answer = visitor.post(&site, &format!("{DOCS}/auth/signin/nobody"), &[("csrfToken", &csrf)], &[]);
    let arrived = visitor.follow_on(&site, DOCS, answer);
    assert_eq!(arrived.url, format!("{AUTH}/auth/signin"));
    assert_eq!(arrived.answer.status, 200);
    assert!(arrived.answer.body.contains(DOCS), "from there people come back");
}

#[test]
fn the_sign_in_page_of_any_host_redirects_to_the_login_hosts() {
    let site = site();
    let answer = Visitor::new()
        .open(&site, &format!("{APP}/auth/signin?callbackUrl=/x&error=CredentialsSignin&code=locked"));
    assert_eq!(
        answer.location(),
        "https://auth.example.com/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fx&error=CredentialsSignin\
         &code=locked"
    );
    let mut own = of_the_login_host();
    own["pages"] = json!({ "sign_in": "/login", "sign_out": "/bye", "error": "/oops" });
    let site = with(own);
    let mut visitor = Visitor::new();
    let login = "https://auth.example.com/login?callbackUrl=https%3A%2F%2Fapp.example.com%2Fx";
    assert_eq!(visitor.open(&site, &format!("{APP}/x")).location(), login);
    assert_eq!(visitor.open(&site, &format!("{APP}/auth/signin?callbackUrl=/x")).location(), login);
    assert_eq!(visitor.open(&site, &format!("{APP}/auth/signout")).location(), format!("{AUTH}/bye"));
    let error = visitor.open(&site, &format!("{APP}/auth/error?error=AccessDenied"));
    assert_eq!(error.location(), format!("{AUTH}/oops?error=AccessDenied"));
    let lost = visitor.post(&site, &format!("{APP}/auth/signin/acme"), &[], &[]);
    assert_eq!(lost.location(), format!("{AUTH}/login?error=MissingCSRF"));
    // The configured page is public on its own host only.
    assert_eq!(visitor.open(&site, &format!("{AUTH}/login")).status, 200);
    assert_eq!(visitor.open(&site, &format!("{APP}/login")).status, 302);

    let mut elsewhere = of_the_login_host();
    elsewhere["pages"] = json!({ "sign_in": "https://app.example.com/login" });
    let site = with(elsewhere);
    let answer = visitor.open(&site, &format!("{SHOP}/x"));
    assert_eq!(
        answer.location(),
        "https://app.example.com/login?callbackUrl=https%3A%2F%2Fshop.example.com%2Fx"
    );
    assert_eq!(visitor.open(&site, &format!("{APP}/login")).status, 200);
}

#[test]
fn a_sign_in_with_credentials_works_on_any_host() {
    let mut settings = json_api();
    settings["login_url"] = json!(AUTH);
    settings["cookies"] = json!({ "domain": "example.com" });
    let site = with(settings);
    let mut visitor = Visitor::new();
    let csrf = visitor.csrf(&site, APP);
    let fields = |password| {
        vec![
            ("csrfToken", csrf.as_str()),
            ("email", vestibule_testing::credentials_api::EMAIL),
            ("password", password),
            ("callbackUrl", "/x"),
        ]
    };
    let script = [("x-auth-return-redirect", "1"), ("sec-fetch-mode", "cors")];
    let callback = format!("{APP}/auth/callback/credentials");
    let answer = visitor.post(&site, &callback, &fields("wrong"), &script);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(body["url"].as_str().unwrap().contains("error=CredentialsSignin"), "{body}");
    assert_eq!(visitor.session(&site, SHOP), Value::Null);

    let answer =
        visitor.post(&site, &callback, &fields(vestibule_testing::credentials_api::PASSWORD), &script);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body, json!({ "url": format!("{APP}/x") }));
    for origin in [APP, SHOP, AUTH, DOCS] {
        assert!(visitor.session(&site, origin).is_object(), "{origin}");
    }
    // The form is on the login host's page.
    let csrf = visitor.csrf(&site, SHOP);
    let answer =
        visitor.post(&site, &format!("{SHOP}/auth/signin/credentials"), &[("csrfToken", &csrf)], &[]);
    assert!(answer.location().starts_with(&format!("{AUTH}/auth/signin?callbackUrl=")), "{answer:?}");
    assert_eq!(visitor.post(&site, &format!("{DOCS}/auth/callback/credentials"), &[], &[]).status, 302);
}

#[test]
fn plain_http_is_redirected_to_https_if_the_login_host_uses_https() {
    let site = site();
    for origin in ["http://app.example.com", "http://auth.example.com"] {
        let answer = Visitor::new().open(&site, &format!("{origin}/x?y=1"));
        let back = format!("{origin}/x?y=1").replace("http:", "https:");
        assert!(answer.location().starts_with("https://auth.example.com/auth/signin?"), "{answer:?}");
        assert_eq!(AuthorizationRequest::read(answer.location()).params["callbackUrl"], back);
    }
}

#[test]
fn in_development_names_below_localhost_share_a_session() {
    let mut settings = of_the_login_host();
    settings["login_url"] = json!("http://auth.site.localhost:8787");
    settings["cookies"] = json!({ "domain": "site.localhost" });
    let site = with(settings);
    let app = "http://app.site.localhost:8787";
    let mut visitor = Visitor::new();
    let sign_in = visitor.open(&site, &format!("{app}/x"));
    assert!(sign_in.location().starts_with("http://auth.site.localhost:8787/auth/signin?"), "{sign_in:?}");
    let answer = visitor.ask(&site, app, "/x");
    let arrived = visitor.follow_on(&site, app, answer);
    assert_eq!((arrived.url, arrived.answer.status), (format!("{app}/x"), 200));
    assert_eq!(visitor.session(&site, "http://site.localhost:9000")["user"]["name"], "bob");
    let beside = visitor.open(&site, "http://localhost:8787/x");
    assert!(beside.location().starts_with("http://localhost:8787/auth/signin?"), "{beside:?}");
}

#[test]
fn a_login_host_without_providers_is_a_configuration_error() {
    let site = Site { login: TestEnv::with(of_the_docs()), docs: TestEnv::with(of_the_docs()) };
    let arrived = Visitor::new().follow(&site, &format!("{APP}/x"));
    assert_eq!(
        (arrived.url.as_str(), arrived.answer.status),
        ("https://auth.example.com/auth/error?error=Configuration", 500)
    );
    assert!(site.login.log_text().contains("add one to AUTH.providers"), "{}", site.login.log_text());
}

#[test]
fn a_sign_out_on_any_host_sends_the_hint_and_comes_back_by_the_login_host() {
    let mut settings = of_the_login_host();
    settings["providers"][0]["logout"] = json!("https://idp.example/bye");
    for host in [APP, SHOP, AUTH] {
        let site = with(settings.clone());
        let mut visitor = signed_in(&site);
        let csrf = visitor.csrf(&site, host);
        let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", "/about")];
        let answer = visitor.post(&site, &format!("{host}/auth/signout"), &fields, &[]);
        let logout = AuthorizationRequest::read(answer.location()).params;
        assert_eq!(logout["post_logout_redirect_uri"], format!("{AUTH}/auth/signout/callback"), "{host}");
        assert!(logout["id_token_hint"].starts_with("ey"), "{host}");
        assert!(!visitor.jar.iter().any(|cookie| cookie.name.contains("logout-hint")), "{host}");
        let back = format!("{AUTH}/auth/signout/callback?state={}", logout["state"]);
        assert_eq!(visitor.open(&site, &back).location(), format!("{host}/about"));
    }
    // A Worker without the provider's configuration ends the session, and removes the hint that it does not use.
    let site = with(settings);
    let mut visitor = signed_in(&site);
    let csrf = visitor.csrf(&site, DOCS);
    let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", "/about")];
    let answer = visitor.post(&site, &format!("{DOCS}/auth/signout"), &fields, &[]);
    assert_eq!(answer.location(), format!("{DOCS}/about"));
    assert!(!visitor.jar.iter().any(|cookie| cookie.name.contains("logout-hint")));
}

#[test]
fn a_return_address_has_the_scheme_that_the_browser_uses_there() {
    let mut in_development = of_the_login_host();
    in_development["login_url"] = json!("http://auth.site.localhost:8787");
    in_development["cookies"] = json!({ "domain": "site.localhost" });
    for (settings, page, back) in [
        (of_the_login_host(), "http://app.example.com/x", "https://app.example.com/x"),
        (of_the_login_host(), "http://app.example.com:8080/x", "https://app.example.com:8080/x"),
        (in_development, "http://app.site.localhost/x", "http://app.site.localhost/x"),
    ] {
        let answer = Visitor::new().open(&with(settings), page);
        assert_eq!(AuthorizationRequest::read(answer.location()).params["callbackUrl"], back);
    }
}
