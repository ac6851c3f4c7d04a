//! Tokens in the store, and other Workers: members of a login host, preview hosts, an API that renews its own cookies.

use std::time::Duration;

use serde_json::json;
use vestibule_core::log::LogEvent;
use vestibule_testing::credentials_api::jwt;
use vestibule_testing::{APP as SITE, Answer, Browser, TestEnv};

use super::{claims, entries};
use crate::credentials::sign_in_as_ada;
use crate::login_host::visitor::{Site, Visitor};
use crate::login_host::{APP, AUTH, DOCS, of_the_docs, of_the_login_host, signed_in, with};

const EXPIRED: Duration = Duration::from_secs(3605);

fn bearer(answer: &Answer) -> Option<&str> {
    answer.forwarded.as_ref()?.request.headers.get("authorization")?.strip_prefix("Bearer ")
}

fn stored() -> serde_json::Value {
    let mut settings = of_the_login_host();
    settings["session"]["tokens"] = json!("store");
    settings
}

#[test]
fn a_member_worker_with_the_same_store_finds_the_tokens_without_a_setting_of_its_own() {
    let site = with(stored());
    let mut visitor = signed_in(&site);
    // The default of the store's delays: another location.
    site.login.store.visible_after.set(Some(0));
    site.login.pass(Duration::from_mins(2));
    let answer = visitor.open(&site, &format!("{DOCS}/api"));
    assert_eq!(bearer(&answer), Some("access-bob"));
    // After its end, the login host refreshes it.
    site.login.pass(EXPIRED);
    let arrived = visitor.follow(&site, &format!("{DOCS}/api"));
    assert_eq!(arrived.url, format!("{DOCS}/api"));
    assert!(arrived.trail.iter().any(|url| url.starts_with(&format!("{AUTH}/auth/renew"))));
    assert_eq!(bearer(&arrived.answer), Some("access-bob~1"));
}

#[test]
fn a_member_worker_without_the_store_serves_what_needs_no_token() {
    let mut plain = of_the_docs();
    plain["upstreams"] =
        json!([{ "to": "https://upstream.example", "headers": { "X-User-Email": "email" } }]);
    plain["session"]["expose"] = json!({ "user.roles": "roles" });
    let login = TestEnv::with(stored());
    let docs = login.isolate(plain, "there");
    let site = Site { login, docs };
    let mut visitor = signed_in(&site);
    site.login.store.is_missing.set(true);
    let answer = visitor.open(&site, &format!("{DOCS}/page"));
    assert_eq!((answer.status, answer.forwarded.is_some()), (200, true));
    let alone = Site { docs: site.login.isolate(of_the_docs(), "there"), login: site.login };
    assert_eq!(visitor.open(&alone, &format!("{DOCS}/api")).status, 503);
    assert_eq!(alone.login.logged(LogEvent::TokensUnavailable).len(), 1);
    assert_eq!(visitor.session(&alone, APP)["user"]["name"], "bob");
}

#[test]
fn a_preview_host_gets_the_access_token_and_never_what_leads_to_the_refresh_token() {
    const PREVIEW: &str = "https://pr-1.preview.example.dev";
    for preview_storage in ["store", "cookie"] {
        let mut login = stored();
        login["preview_hosts"] = json!(["*.preview.example.dev"]);
        let mut docs = of_the_docs();
        docs["preview_hosts"] = json!(["*.preview.example.dev"]);
        docs["session"]["tokens"] = json!(preview_storage);
        let login = TestEnv::with(login);
        let site = Site { docs: login.isolate(docs, "here"), login };
        let page = format!("{}/page", PREVIEW.replace("pr-1", "docs-1"));
        let mut visitor = Visitor::new();
        let arrived = visitor.follow(&site, &page);
        let return_to =
            vestibule_testing::AuthorizationRequest::read(&arrived.url).params["callbackUrl"].clone();
        let answer = visitor.ask(&site, AUTH, &return_to);
        let arrived = visitor.follow_on(&site, AUTH, answer);
        assert_eq!((arrived.url.as_str(), bearer(&arrived.answer)), (page.as_str(), Some("access-bob")));
        let count = if preview_storage == "store" { 2 } else { 1 };
        assert_eq!(entries(&site.login).len(), count, "{preview_storage}");
        // Of the two, only that of the login host has a refresh token.
        let own = visitor.jar.iter().find(|cookie| cookie.name == "__Host-authjs.session-token").unwrap();
        let keys = vestibule_core::jose::kdf::Keyring::new(vec![vestibule_core::secret::Secret::new(
            vestibule_testing::SECRET,
        )]);
        let opened = vestibule_core::session::seal::open(
            &keys.unwrap(),
            vestibule_core::session::dialect::Dialect::AuthJsV5,
            &own.name,
            &own.value,
            site.login.now(),
        );
        let opened = opened.unwrap();
        assert!(!opened.contains_key("refresh_token"));
        let holds = opened.get("token_entry").map(|entry| entry["holds"].clone());
        let expected = (preview_storage == "store").then(|| json!(["access_token"]));
        assert_eq!(holds, expected);
    }
}

#[test]
fn an_api_that_renews_its_own_cookies_renews_the_entry() {
    let token = |n: u32| jwt(&json!({ "sub": "c-1", "n": n }));
    let set = |n: u32| {
        [
            format!("access_token={}; Path=/; Max-Age=900; HttpOnly", token(n)),
            format!("refresh_token=refresh-{n}; Path=/auth/refresh; HttpOnly"),
        ]
    };
    let mut settings = crate::upstream_cookies::backend();
    settings["session"]["tokens"] = json!("store");
    let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
    let first = set(1);
    let fields: Vec<(&str, &str)> = first.iter().map(|field| ("set-cookie", field.as_str())).collect();
    world.api.answers("/auth/login", 204, &fields, "");
    assert_eq!(sign_in_as_ada(&world, &mut browser).status, 302);
    let sent = |answer: &Answer| answer.forwarded.as_ref()?.request.headers.get("cookie").map(str::to_owned);
    let fetch = |world: &TestEnv, browser: &mut Browser| browser.fetch(world, &format!("{SITE}/api"));
    let other = world.isolate(settings.clone(), "here");
    assert_eq!(sent(&fetch(&other, &mut browser)), Some(format!("access_token={}", token(1))));
    *world.forwarder.set_cookies.borrow_mut() = set(2).to_vec();
    fetch(&other, &mut browser);
    world.forwarder.set_cookies.borrow_mut().clear();
    let session = claims(&world, &browser);
    assert_eq!((&session["generation"], session.contains_key("access_token")), (&json!(1), false));
    let fresh = world.isolate(settings, "here");
    assert_eq!(sent(&fetch(&fresh, &mut browser)), Some(format!("access_token={}", token(2))));
    for text in world.store.contents() {
        assert!(!text.contains("refresh-2") && !text.contains(&token(2)));
    }
}
