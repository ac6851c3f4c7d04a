//! `preview_hosts`: hosts of another domain, which get sessions of their own from the login host.

mod attacks;

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;
use vestibule_core::log::LogEvent;
use vestibule_core::time::Timestamp;
use vestibule_testing::credentials_api::{EMAIL, PASSWORD};
use vestibule_testing::{Answer, AuthorizationRequest, TestEnv};

use super::visitor::{Arrived, Site, Visitor};
use super::{APP, AUTH, SESSION, of_the_docs, of_the_login_host};
use crate::credentials::json_api;
use crate::identity::sealed;

const PREVIEW: &str = "https://pr-1.preview.example.dev";
const OTHER: &str = "https://pr-2.preview.example.dev";
/// Served by the Worker that shares only the secret.
const OF_DOCS: &str = "https://docs-1.preview.example.dev";
/// The session's cookie on a preview host.
const OWN_SESSION: &str = "__Host-authjs.session-token";
const NONCE: &str = "__Host-authjs.preview.";
const OVER: Duration = Duration::from_secs(3600 + 5);
const HOUR: Duration = Duration::from_hours(1);

fn with_previews(mut settings: Value) -> Value {
    settings["preview_hosts"] = json!(["*.preview.example.dev"]);
    settings
}

fn with(settings: Value) -> Site {
    let login = TestEnv::with(with_previews(settings));
    let docs = login.isolate(with_previews(of_the_docs()), "there");
    Site { login, docs }
}

fn site() -> Site {
    with(of_the_login_host())
}

/// Opens a page of a preview host, and signs in on the login host's page if it comes to that.
fn open_and_sign_in(site: &Site, visitor: &mut Visitor, page: &str) -> Arrived {
    let mut arrived = visitor.follow(site, page);
    if arrived.url.starts_with(&format!("{AUTH}/auth/signin")) {
        let return_to = AuthorizationRequest::read(&arrived.url).params["callbackUrl"].clone();
        let answer = visitor.ask(site, AUTH, &return_to);
        let signed_in = visitor.follow_on(site, AUTH, answer);
        arrived.trail.extend(signed_in.trail);
        arrived = Arrived { trail: arrived.trail, ..signed_in };
    }
    arrived
}

fn signed_in(site: &Site) -> Visitor {
    let mut visitor = Visitor::new();
    let arrived = open_and_sign_in(site, &mut visitor, &format!("{PREVIEW}/page"));
    assert_eq!((arrived.url.as_str(), arrived.answer.status), ("https://pr-1.preview.example.dev/page", 200));
    visitor
}

fn bearer(answer: &Answer) -> Option<&str> {
    answer.forwarded.as_ref()?.request.headers.get("authorization")?.strip_prefix("Bearer ")
}

fn query(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[test]
fn a_visitor_signs_in_on_the_login_host_and_comes_back_to_the_same_page() {
    let site = site();
    for host in [PREVIEW, OF_DOCS, "https://pr-1.preview.example.dev:8443", "https://a.b.preview.example.dev"]
    {
        let mut visitor = Visitor::new();
        let page = format!("{host}/a%20b/%C3%A4?x=1&y=%2F%3F&&z=a+b&callbackUrl=%2F#part");
        let without_fragment = page.trim_end_matches("#part");
        let arrived = open_and_sign_in(&site, &mut visitor, without_fragment);
        assert_eq!(
            (arrived.url.as_str(), arrived.answer.status),
            (without_fragment, 200),
            "{:#?}",
            arrived.trail
        );
        let forwarded = arrived.answer.forwarded.as_ref().unwrap();
        assert_eq!(forwarded.request.headers.get("x-user-email"), Some("bob@example.com"));
        assert_eq!(bearer(&arrived.answer), Some("access-bob"));
        assert_eq!(forwarded.request.headers.get("cookie"), None, "no cookie of ours reaches the app");
        assert_eq!(visitor.session(&site, host)["user"]["name"], "bob");

        let session = visitor.jar.iter().find(|cookie| cookie.name == OWN_SESSION).expect("a session");
        assert!(session.host_only && host.contains(&session.domain), "{}", session.domain);
        assert!(!visitor.jar.iter().any(|cookie| cookie.name.starts_with(NONCE)), "the nonce is done with");
        // The steps, each without a page: the guarded page, the own sign-in route, the login host; and back.
        let routes: Vec<&str> = arrived.trail.iter().map(|url| url.split('?').next().unwrap()).collect();
        assert_eq!(routes[1], format!("{host}/auth/signin"));
        assert_eq!(routes[2], format!("{AUTH}/auth/preview"));
        assert_eq!(routes[3], format!("{AUTH}/auth/signin"));
        assert_eq!(routes[routes.len() - 2], format!("{host}/auth/preview/callback"));
    }
}

#[test]
fn the_sign_in_page_says_for_which_preview_it_is() {
    let site = site();
    let shown = Visitor::new().follow(&site, &format!("{PREVIEW}/page"));
    assert!(shown.answer.body.contains("<strong>pr-1.preview.example.dev</strong>"), "{}", shown.answer.body);
    for other in ["https://evil.example/", "https://app.example.com/", ""] {
        let preview =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("callbackUrl", other).finish();
        let return_to = format!("/auth/preview?{preview}");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("callbackUrl", &return_to)
            .finish();
        let shown = Visitor::new().open(&site, &format!("{AUTH}/auth/signin?{query}"));
        assert!(shown.status == 200 && !shown.body.contains("<strong>"), "{other}: {}", shown.body);
    }
}

#[test]
fn who_is_signed_in_at_the_login_host_sees_no_page_on_the_way() {
    let site = site();
    let mut visitor = super::signed_in(&site);
    for host in [PREVIEW, OTHER, OF_DOCS] {
        let arrived = visitor.follow(&site, &format!("{host}/page?x=1"));
        assert_eq!((arrived.url, arrived.answer.status), (format!("{host}/page?x=1"), 200));
        assert_eq!(arrived.trail.len(), 5, "{:#?}", arrived.trail);
        assert_eq!(visitor.follow(&site, &format!("{host}/next")).trail.len(), 1);
    }
    // Each host has a session of its own, and so have the site's hosts.
    assert_eq!(visitor.jar.iter().filter(|cookie| cookie.name == OWN_SESSION).count(), 3);
    assert_eq!(visitor.session(&site, APP)["user"]["name"], "bob");
}

#[test]
fn who_wants_another_account_on_a_preview_host_is_asked_for_it_by_the_provider() {
    let site = site();
    for is_signed_in in [true, false] {
        let mut visitor = if is_signed_in { super::signed_in(&site) } else { Visitor::new() };
        let page = format!("{PREVIEW}/auth/signin?callbackUrl=/page&prompt=select_account&ui_locales=fr");
        let shown = visitor.follow(&site, &page);
        assert!(shown.url.starts_with(&format!("{AUTH}/auth/signin?")), "{:#?}", shown.trail);
        assert_eq!(query(&shown.url, "prompt"), "select_account");
        assert!(shown.answer.body.contains("lang=\"fr\""), "{}", shown.answer.body);
        assert_eq!(shown.answer.body.contains("<bdi>bob</bdi>"), is_signed_in);
        assert!(shown.answer.body.contains("name=\"switchAccount\" value=\"true\""));
        // After signing in, the way back asks for nothing more.
        let answer = visitor.ask(&site, AUTH, &query(&shown.url, "callbackUrl"));
        let arrived = visitor.follow_on(&site, AUTH, answer);
        assert_eq!((arrived.url, arrived.answer.status), (format!("{PREVIEW}/page"), 200));
        // `signIn("acme", {}, { prompt: "login" })` of next-auth/react.
        let csrf = visitor.csrf(&site, PREVIEW);
        let address = format!("{PREVIEW}/auth/signin/acme?prompt=login");
        let answer = visitor.post(&site, &address, &[("csrfToken", &csrf)], &[]);
        let shown = visitor.follow_on(&site, PREVIEW, answer);
        assert!(shown.url.starts_with(&format!("{AUTH}/auth/signin?")), "{:#?}", shown.trail);
    }
}

#[test]
fn who_comes_to_the_login_host_without_a_preview_host_gets_a_page_that_leads_home() {
    let site = site();
    for address in ["", "?callbackUrl=https%3A%2F%2Fother.example%2F&challenge=x"] {
        let page = Visitor::new().open(&site, &format!("{AUTH}/auth/preview{address}"));
        assert_eq!(page.status, 403);
        assert!(page.body.contains(&format!("href=\"{AUTH}/\"")), "{}", page.body);
    }
}

#[test]
fn a_script_and_a_form_get_the_own_sign_in_address() {
    let site = site();
    let mut visitor = Visitor::new();
    let answer = visitor.fetch(&site, &format!("{PREVIEW}/api?q=1"));
    let there =
        format!("{PREVIEW}/auth/signin?callbackUrl=https%3A%2F%2Fpr-1.preview.example.dev%2Fapi%3Fq%3D1");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, body), (401, json!({ "error": "unauthorized", "signInUrl": there })));

    // `signIn("acme")` of next-auth/react.
    let csrf = visitor.csrf(&site, PREVIEW);
    let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", "/from?x=1")];
    let headers = [("x-auth-return-redirect", "1"), ("sec-fetch-mode", "cors")];
    for route in ["signin/acme", "signin"] {
        let answer = visitor.post(&site, &format!("{PREVIEW}/auth/{route}"), &fields, &headers);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let url = body["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{AUTH}/auth/preview?callbackUrl=")), "{url}");
        assert_eq!(query(url, "callbackUrl"), format!("{PREVIEW}/from?x=1"));
    }
    let mut other = visitor.clone();
    let answer = visitor.post(
        &site,
        &format!("{PREVIEW}/auth/signin/acme"),
        &fields,
        &[("sec-fetch-mode", "navigate")],
    );
    let location = answer.location().to_owned();
    assert_eq!(answer.headers.get("referrer-policy"), Some("no-referrer"));
    let arrived = open_and_sign_in(&site, &mut visitor, &location);
    assert_eq!(arrived.url, format!("{PREVIEW}/from?x=1"));
    // Without the csrf token the form does nothing.
    let answer = other.post(&site, &format!("{PREVIEW}/auth/signin/acme"), &[("csrfToken", "x")], &[]);
    assert_eq!(answer.location(), format!("{PREVIEW}/auth/signin?error=MissingCSRF"));
}

#[test]
fn passwords_are_typed_on_the_login_host_only() {
    let mut settings = json_api();
    settings["login_url"] = json!(AUTH);
    settings["cookies"] = json!({ "domain": "example.com" });
    let site = with(settings);
    let mut visitor = Visitor::new();
    let csrf = visitor.csrf(&site, PREVIEW);
    let fields = [("csrfToken", csrf.as_str()), ("email", EMAIL), ("password", PASSWORD)];
    let answer = visitor.post(&site, &format!("{PREVIEW}/auth/callback/credentials"), &fields, &[]);
    assert_eq!(answer.location(), format!("{PREVIEW}/auth/error?error=Configuration"));
    assert_eq!(site.login.api.count(), 0, "the password went nowhere");
    assert_eq!(visitor.session(&site, PREVIEW), Value::Null);

    let arrived = visitor.follow(&site, &format!("{PREVIEW}/page"));
    assert!(arrived.url.starts_with(&format!("{AUTH}/auth/signin")), "{}", arrived.url);
    let csrf = visitor.csrf(&site, AUTH);
    let return_to = query(&arrived.url, "callbackUrl");
    let fields = [
        ("csrfToken", csrf.as_str()),
        ("callbackUrl", return_to.as_str()),
        ("email", EMAIL),
        ("password", PASSWORD),
    ];
    let answer = visitor.post(&site, &format!("{AUTH}/auth/callback/credentials"), &fields, &[]);
    let arrived = visitor.follow_on(&site, AUTH, answer);
    assert_eq!((arrived.url, arrived.answer.status), (format!("{PREVIEW}/page"), 200));
}

#[test]
fn a_sign_out_on_a_preview_host_ends_the_session_on_all_hosts_and_the_other_way_round() {
    for store in ["kv", "durable-object"] {
        for out_on in [PREVIEW, OTHER, APP, AUTH] {
            let mut settings = of_the_login_host();
            settings["revocation"] = json!({ "store": store, "interval": "1s" });
            let site = with(settings);
            site.login.provider.alters_answer_at("discovery", |document| {
                document["revocation_endpoint"] = json!("https://idp.example/revoke");
            });
            let mut visitor = signed_in(&site);
            open_and_sign_in(&site, &mut visitor, &format!("{OTHER}/page"));
            let csrf = visitor.csrf(&site, out_on);
            let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", "/about")];
            let answer = visitor.post(&site, &format!("{out_on}/auth/signout"), &fields, &[]);
            // A preview host's sign-out goes on to the login host, whose cookie it cannot remove.
            let is_preview = out_on == PREVIEW || out_on == OTHER;
            assert_eq!(
                answer.location().starts_with(&format!("{AUTH}/auth/signout/preview?code=")),
                is_preview
            );
            let arrived = visitor.follow_on(&site, out_on, answer);
            assert_eq!(arrived.url, format!("{out_on}/about"), "{:#?}", arrived.trail);
            if is_preview {
                assert_eq!(visitor.cookie(&site, AUTH, SESSION), None);
                let revoked = site.login.provider.revocations.borrow().len();
                assert_eq!(revoked, 1, "the refresh token is revoked");
            }
            site.login.pass(Duration::from_mins(7));
            for host in [PREVIEW, OTHER, APP, AUTH] {
                assert_eq!(visitor.session(&site, host), Value::Null, "{store}, out on {out_on}: {host}");
            }
            // No one is signed in again without a page.
            let arrived = visitor.follow(&site, &format!("{PREVIEW}/page"));
            assert!(arrived.url.starts_with(&format!("{AUTH}/auth/signin")), "{}", arrived.url);
        }
    }
}

#[test]
fn a_sign_out_on_a_preview_host_deletes_what_the_login_host_has_in_the_store() {
    let mut settings = of_the_login_host();
    settings["session"]["tokens"] = json!("store");
    settings["upstreams"][0]["authorization"] = json!({ "exchange": { "audience": "orders" } });
    let site = with(settings);
    let mut visitor = super::signed_in(&site);
    assert_eq!(visitor.open(&site, &format!("{AUTH}/private")).status, 200);
    site.login.clock.run(site.login.clock.sleep(Duration::from_secs(1)));
    let entries = || site.login.store.keys("exchanged/").len();
    assert_eq!(entries(), 1);
    assert_eq!(open_and_sign_in(&site, &mut visitor, &format!("{PREVIEW}/page")).answer.status, 200);
    let csrf = visitor.csrf(&site, PREVIEW);
    let answer = visitor.post(&site, &format!("{PREVIEW}/auth/signout"), &[("csrfToken", &csrf)], &[]);
    visitor.follow_on(&site, PREVIEW, answer);
    assert_eq!(entries(), 0);
}

#[test]
fn who_signed_out_on_a_preview_host_is_not_signed_in_again_by_another_process() {
    let mut settings = of_the_login_host();
    settings["revocation"] = json!({ "store": "kv", "interval": "5m" });
    let mut site = with(settings.clone());
    let mut visitor = signed_in(&site);
    // The login host's process has just read that the session is good.
    let elsewhere = site.login.isolate(with_previews(settings), "here");
    let first = std::mem::replace(&mut site.login, elsewhere);
    visitor.open(&site, &format!("{AUTH}/private"));
    let elsewhere = std::mem::replace(&mut site.login, first);
    let csrf = visitor.csrf(&site, PREVIEW);
    visitor.post(&site, &format!("{PREVIEW}/auth/signout"), &[("csrfToken", &csrf)], &[]);
    assert!(visitor.cookie(&site, AUTH, SESSION).is_some(), "the script did not follow the redirect");
    site.login.pass(Duration::from_secs(2));
    site.login = elsewhere;
    let arrived = visitor.follow(&site, &format!("{PREVIEW}/page"));
    assert!(arrived.url.starts_with(&format!("{AUTH}/auth/signin")), "{:#?}", arrived.trail);
    assert_eq!(visitor.cookie(&site, AUTH, SESSION), None);
}

#[test]
fn a_sign_out_at_the_provider_goes_through_the_login_host_with_its_hint_and_comes_back_to_the_preview() {
    let mut settings = of_the_login_host();
    settings["providers"][0]["logout"] = json!("https://idp.example/bye");
    for host in [PREVIEW, OF_DOCS] {
        let site = with(settings.clone());
        let mut visitor = Visitor::new();
        open_and_sign_in(&site, &mut visitor, &format!("{host}/page"));
        let csrf = visitor.csrf(&site, host);
        let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", "/about?x=1")];
        let answer = visitor.post(&site, &format!("{host}/auth/signout"), &fields, &[]);
        assert!(!answer.location().contains("idp.example"), "{}", answer.location());
        let answer = visitor.open(&site, answer.location());
        let logout = answer.location();
        assert!(logout.starts_with("https://idp.example/bye?client_id=vestibule&"), "{logout}");
        assert_eq!(query(logout, "post_logout_redirect_uri"), format!("{AUTH}/auth/signout/callback"));
        assert!(query(logout, "id_token_hint").starts_with("ey"), "{logout}");
        assert_eq!(visitor.cookie(&site, AUTH, SESSION), None);
        let back = format!("{AUTH}/auth/signout/callback?state={}", query(logout, "state"));
        assert_eq!(visitor.open(&site, &back).location(), format!("{host}/about?x=1"));
    }
}

#[test]
fn a_sign_out_on_a_preview_host_ends_no_other_session_at_the_provider() {
    let mut settings = of_the_login_host();
    settings["providers"][0]["logout"] = json!("https://idp.example/bye");
    let site = with(settings);
    let (mut attacker, mut victim) = (signed_in(&site), signed_in(&site));
    let csrf = attacker.csrf(&site, PREVIEW);
    let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", "/about")];
    let answer = attacker.post(&site, &format!("{PREVIEW}/auth/signout"), &fields, &[]);
    let link = answer.location().to_owned();
    assert_eq!(victim.open(&site, &link).location(), format!("{PREVIEW}/about"));
    assert_eq!(victim.session(&site, AUTH)["user"]["name"], "bob");
    // A browser without a session there is sent to the provider, without a hint.
    let answer = Visitor::new().open(&site, &link);
    assert_eq!(query(answer.location(), "client_id"), "vestibule");
    for hint in ["id_token_hint", "logout_hint"] {
        assert_eq!(query(answer.location(), hint), "");
    }
}

#[test]
fn an_expired_token_is_renewed_by_a_redirect_through_the_login_host_and_back() {
    for host in [PREVIEW, OF_DOCS] {
        let site = site();
        let mut visitor = Visitor::new();
        open_and_sign_in(&site, &mut visitor, &format!("{host}/page"));
        site.login.pass(OVER);
        let script = visitor.fetch(&site, &format!("{host}/api"));
        let body: Value = serde_json::from_str(&script.body).unwrap();
        assert_eq!((script.status, &body["error"]), (401, &json!("token_expired")), "{host}");
        assert!(body["signInUrl"].as_str().unwrap().starts_with(&format!("{host}/auth/signin?")), "{body}");

        let arrived = visitor.follow(&site, &format!("{host}/page?x=1"));
        assert_eq!(arrived.url, format!("{host}/page?x=1"), "{:#?}", arrived.trail);
        assert_eq!(bearer(&arrived.answer), Some("access-bob~1"), "{host}");
        assert_eq!(site.login.provider.grants.given.get(), 1);
        assert_eq!(arrived.trail.len(), 5, "no page is shown");
        assert_eq!(visitor.follow(&site, &format!("{host}/page")).trail.len(), 1);
    }
}

#[test]
fn a_token_that_cannot_be_renewed_causes_no_redirect_loop() {
    let site = site();
    // Tokens that have expired when they arrive, and no refresh token.
    site.login.provider.alters_answer_at("token", |answer| {
        answer["expires_in"] = json!(1);
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    let mut visitor = Visitor::new();
    open_and_sign_in(&site, &mut visitor, &format!("{PREVIEW}/page"));
    site.login.pass(Duration::from_secs(30));
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = visitor.open(&site, &format!("{PREVIEW}/page"));
        statuses.push(answer.status);
    }
    assert!(statuses.contains(&503), "{statuses:?}");
}

#[test]
fn a_session_ends_after_update_age_and_the_login_host_says_again_who_the_user_is() {
    for (update_age, after) in [("1d", Duration::from_hours(24)), ("0s", HOUR), ("3h", HOUR * 3)] {
        let mut settings = of_the_login_host();
        settings["session"]["update_age"] = json!(update_age);
        // Nothing needs a token, so only the session's end leads back.
        settings["upstreams"][0].as_object_mut().unwrap().remove("authorization");
        settings["session"].as_object_mut().unwrap().remove("expose");
        let site = with(settings);
        let mut visitor = signed_in(&site);
        site.login.pass(after.saturating_sub(Duration::from_mins(1)));
        assert_eq!(visitor.open(&site, &format!("{PREVIEW}/page")).status, 200, "{update_age}");
        site.login.pass(Duration::from_secs(61));
        let arrived = visitor.follow(&site, &format!("{PREVIEW}/page"));
        assert_eq!((arrived.url, arrived.trail.len()), (format!("{PREVIEW}/page"), 5), "{update_age}");
        assert_eq!(arrived.answer.status, 200);
    }
}

#[test]
fn stale_claims_a_change_at_the_provider_reaches_a_preview_host() {
    let site = site();
    let mut visitor = signed_in(&site);
    site.login.provider.alters_answer_at("userinfo", |user| user["roles"] = json!(["auditor"]));
    site.login.pass(Duration::from_hours(25));
    visitor.follow(&site, &format!("{PREVIEW}/page"));
    assert_eq!(visitor.session(&site, PREVIEW)["user"]["roles"], json!(["auditor"]));
}

#[test]
fn several_tabs_at_once_all_arrive() {
    let site = site();
    let mut visitor = super::signed_in(&site);
    let begun: Vec<String> = (0..6)
        .map(|tab| {
            visitor.open(&site, &format!("{PREVIEW}/auth/signin?callbackUrl=/{tab}")).location().to_owned()
        })
        .collect();
    for (tab, address) in begun.iter().enumerate() {
        let arrived = visitor.follow(&site, address);
        assert_eq!((arrived.url, arrived.answer.status), (format!("{PREVIEW}/{tab}"), 200));
    }
}

#[test]
fn a_code_that_is_opened_twice_in_a_signed_in_browser_leads_to_the_page() {
    let site = site();
    let mut visitor = Visitor::new();
    let arrived = open_and_sign_in(&site, &mut visitor, &format!("{PREVIEW}/page?x=1"));
    let callback = arrived.trail[arrived.trail.len() - 2].clone();
    let again = visitor.open(&site, &callback);
    assert_eq!(again.location(), format!("{PREVIEW}/page?x=1"));
    assert!(!again.headers.contains("set-cookie"));
}

#[test]
fn who_takes_longer_than_an_hour_gets_a_page_with_a_button_that_works() {
    let site = site();
    let mut visitor = Visitor::new();
    let page = visitor.follow(&site, &format!("{PREVIEW}/page?x=1"));
    site.login.pass(HOUR * 2);
    let return_to = query(&page.url, "callbackUrl");
    let answer = visitor.ask(&site, AUTH, &return_to);
    let arrived = visitor.follow_on(&site, AUTH, answer);
    assert_eq!(arrived.url, format!("{PREVIEW}/auth/error?error=Verification"));
    assert!(arrived.answer.body.contains("This link no longer works"), "{}", arrived.answer.body);
    let button = format!("{PREVIEW}/auth/signin");
    assert!(arrived.answer.body.contains(&format!("href=\"{button}")), "{}", arrived.answer.body);
    let arrived = visitor.follow(&site, &button);
    assert_eq!((arrived.url, arrived.answer.status), (format!("{PREVIEW}/page?x=1"), 200));
}

#[test]
fn a_prefetch_or_a_head_request_neither_gives_nor_uses_a_code() {
    let site = site();
    let mut visitor = super::signed_in(&site);
    let begun = visitor.open(&site, &format!("{PREVIEW}/auth/signin?callbackUrl=/x")).location().to_owned();
    let code = visitor.open(&site, &begun).location().to_owned();
    for address in [&begun, &code] {
        for (method, said, status) in
            [("GET", ("sec-purpose", "prefetch"), 503), ("HEAD", ("accept", "*/*"), 400)]
        {
            let looked = visitor.send(&site, method, address, &[("sec-fetch-mode", "navigate"), said], b"");
            assert_eq!((looked.status, looked.headers.get("location")), (status, None), "{method} {address}");
        }
    }
    assert_eq!(visitor.open(&site, &code).location(), format!("{PREVIEW}/x"));
}

#[test]
fn the_configured_pages_are_on_the_login_host() {
    let mut settings = of_the_login_host();
    settings["pages"] = json!({ "sign_in": "/login", "sign_out": "/bye", "error": "/oops" });
    let site = with(settings);
    let mut visitor = Visitor::new();
    let arrived = visitor.follow(&site, &format!("{PREVIEW}/x"));
    assert!(arrived.url.starts_with(&format!("{AUTH}/login?callbackUrl=")), "{}", arrived.url);
    let back = query(&arrived.url, "callbackUrl");
    assert!(back.starts_with(&format!("{AUTH}/auth/preview?")), "{back}");
    assert_eq!(visitor.open(&site, &format!("{PREVIEW}/auth/signout")).location(), format!("{AUTH}/bye"));
    let failed = visitor.open(&site, &format!("{PREVIEW}/auth/preview/callback?code=x"));
    assert_eq!(failed.location(), format!("{AUTH}/oops?error=Verification"));
}

#[test]
fn a_long_address_comes_back_exactly_and_one_that_no_return_address_may_have_gets_a_page() {
    let site = site();
    for length in [10, 1500, 2100, 3500] {
        let mut visitor = Visitor::new();
        let page = format!("{PREVIEW}/page?x={}&y=%2F", "a".repeat(length));
        let arrived = open_and_sign_in(&site, &mut visitor, &page);
        assert_eq!(arrived.url, page);
        let longest = arrived.trail.iter().filter(|url| url.starts_with(AUTH)).map(String::len).max();
        assert!(longest.unwrap() < 3000, "what goes through the login host stays short: {longest:?}");
    }
    let long = format!("{OTHER}/page?x={}", "a".repeat(9000));
    let page = Visitor::new().follow(&site, &long);
    assert_eq!(page.url, format!("{OTHER}/auth/error?error=ReturnAddressTooLong"));
}

#[test]
fn a_session_that_does_not_fit_into_a_url_is_said_in_the_log() {
    let site = site();
    site.login.provider.alters_answer_at("userinfo", |user| user["roles"] = json!(vec!["x".repeat(100); 95]));
    let mut visitor = super::signed_in(&site);
    let arrived = visitor.follow(&site, &format!("{PREVIEW}/page"));
    assert_eq!(arrived.url, format!("{AUTH}/auth/error?error=Configuration"));
    assert!(site.login.log_text().contains("keep fewer or smaller claims in the session"));
}

#[test]
fn in_development_a_preview_host_below_localhost_works_over_http() {
    let mut settings = of_the_login_host();
    settings["login_url"] = json!("http://auth.site.localhost:8787");
    settings["cookies"] = json!({ "domain": "site.localhost" });
    settings["preview_hosts"] = json!(["*.preview.localhost"]);
    let login = TestEnv::with(settings);
    let site = Site { docs: login.isolate(of_the_docs(), "there"), login };
    let (auth, preview) = ("http://auth.site.localhost:8787", "http://pr.preview.localhost:8787");
    let mut visitor = Visitor::new();
    let arrived = visitor.follow(&site, &format!("{preview}/page"));
    let return_to = query(&arrived.url, "callbackUrl");
    let answer = visitor.ask(&site, auth, &return_to);
    let arrived = visitor.follow_on(&site, auth, answer);
    assert_eq!((arrived.url, arrived.answer.status), (format!("{preview}/page"), 200));
    assert_eq!(visitor.session(&site, preview)["user"]["name"], "bob");
}

#[test]
fn on_this_machine_a_preview_host_of_a_site_on_https_leads_to_https_and_gives_no_nonce() {
    let mut settings = of_the_login_host();
    settings["preview_hosts"] = json!(["*.preview.localhost"]);
    let login = TestEnv::with(settings);
    let site = Site { docs: login.isolate(of_the_docs(), "there"), login };
    let mut visitor = Visitor::new();
    let answer = visitor.open(&site, "http://pr.preview.localhost/auth/signin?callbackUrl=%2Fpage");
    assert!(answer.location().starts_with("https://pr.preview.localhost/auth/signin"), "{answer:?}");
    assert!(!answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("preview")), "{answer:?}");
    // The address of a form leads nowhere without the form.
    let insecure = "http://pr.preview.localhost";
    let csrf = visitor.csrf(&site, insecure);
    let form = [("csrfToken", csrf.as_str()), ("callbackUrl", "/page")];
    let navigation = [("sec-fetch-mode", "navigate")];
    let answer = visitor.post(&site, &format!("{insecure}/auth/signin/acme"), &form, &navigation);
    let page = "https://pr.preview.localhost/auth/signin?callbackUrl=https%3A%2F%2Fpr.preview.localhost";
    assert_eq!(answer.location(), page);
    // Nobody knows which port has https.
    let answer = visitor.open(&site, "http://pr.preview.localhost:8080/auth/signin?callbackUrl=%2Fpage");
    assert_eq!(answer.headers.get("location"), None);
    assert!(!answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("preview")), "{answer:?}");
    assert_eq!(site.login.logged(LogEvent::PreviewHostRejected).len(), 1);
}

#[test]
fn trusted_hosts_are_return_addresses_and_nothing_more() {
    let mut settings = of_the_login_host();
    settings["trusted_hosts"] = json!(["*.partner.example"]);
    let site = with(settings);
    let mut visitor = super::signed_in(&site);
    assert_eq!(visitor.open(&site, "https://www.partner.example/private").status, 403);
    let begun = visitor.open(&site, &format!("{PREVIEW}/auth/signin")).location().to_owned();
    let for_partner = begun.replace("pr-1.preview.example.dev", "www.partner.example");
    let answer = visitor.open(&site, &for_partner);
    assert_eq!((answer.status, answer.headers.get("location")), (403, None));
    // And a preview host is no return address of the site's own hosts.
    let query = "callbackUrl=https%3A%2F%2Fpr-1.preview.example.dev%2Fx";
    visitor.open(&site, &format!("{AUTH}/auth/signin?{query}"));
    let return_to = visitor.cookie(&site, AUTH, "__Secure-authjs.callback-url");
    assert_eq!(return_to.as_deref(), Some("https%3A%2F%2Fauth.example.com"));
}

/// When the fake clock began, for claims that a test seals itself.
fn now(site: &Site) -> Timestamp {
    site.login.now()
}

#[test]
fn a_rule_that_asks_for_more_is_met_by_what_the_login_hosts_session_shows() {
    for (acr, status) in [("gold", 200), ("silver", 403)] {
        let mut settings = of_the_login_host();
        settings["rules"].as_array_mut().unwrap().push(json!({ "match": "/secure/:path*", "acr": "gold" }));
        let site = with(settings);
        site.login.provider.alters_answer_at("id_token", move |token| token["acr"] = json!(acr));
        let mut visitor = signed_in(&site);
        let answer = visitor.open(&site, &format!("{PREVIEW}/secure/page"));
        assert_eq!(answer.status, status, "{acr}: {answer:?}");
        let script = visitor.fetch(&site, &format!("{PREVIEW}/secure/data"));
        assert_eq!(script.status, status, "{acr}: {script:?}");
    }
}

#[test]
fn nobody_by_that_name_a_session_without_sub_or_with_an_error_reaches_no_other_host() {
    let site = site();
    let arrived = Visitor::new().follow(&site, &format!("{PREVIEW}/page"));
    let preview = arrived.trail.iter().find(|url| url.starts_with(&format!("{AUTH}/auth/preview?"))).unwrap();
    let renewal = &format!("{AUTH}/auth/renew?callbackUrl={APP}/x");
    for (sub, error, goes_on) in [
        (json!("bob-1"), Value::Null, true),
        (Value::Null, Value::Null, false),
        (json!(""), Value::Null, false),
        (json!("bob-1"), json!("RefreshTokenError"), false),
    ] {
        let claims = json!({ "sub": sub, "provider": "acme", "name": "bob", "error": error });
        let cookies = sealed(&site.login, &claims).cookie_header();
        let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "navigate"), ("accept", "text/html")];
        for url in [preview, renewal] {
            let answer = site.login.send("GET", url, &headers, b"");
            let signs_in = answer.location().starts_with(&format!("{AUTH}/auth/signin?callbackUrl="));
            assert_eq!(signs_in, !goes_on, "{claims}: {answer:?}");
        }
    }
}

#[test]
fn only_the_way_to_a_preview_host_is_called_one_on_the_sign_in_page() {
    let site = site();
    for (start, is_way) in [
        (format!("{AUTH}/auth/preview"), true),
        ("/auth/preview".to_owned(), true),
        (format!("{AUTH}/auth/other"), false),
        ("/".to_owned(), false),
        (format!("{APP}/auth/preview"), false),
    ] {
        let encoded = |name: &str, value: &str| {
            url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
        };
        let return_to = format!("{start}?{}", encoded("callbackUrl", &format!("{PREVIEW}/page")));
        let page = format!("{AUTH}/auth/signin?{}", encoded("callbackUrl", &return_to));
        let shown = Visitor::new().open(&site, &page);
        assert_eq!(shown.status, 200, "{start}");
        assert_eq!(shown.body.contains("<strong>pr-1.preview.example.dev</strong>"), is_way, "{start}");
    }
}

#[test]
fn an_address_of_exactly_two_kib_goes_through_the_login_host_and_a_longer_one_does_not() {
    let site = site();
    let request = |letters: usize| {
        let page = format!("{PREVIEW}/auth/signin?callbackUrl=/{}", "a".repeat(letters));
        Visitor::new().open(&site, &page).location().to_owned()
    };
    let shortest = request(1).len();
    for (length, goes) in [(2048, true), (2049, false)] {
        let address = request(length - shortest + 1);
        assert_eq!(query(&address, "callbackUrl").ends_with('a'), goes, "{address}");
        assert_eq!(address.len() == length, goes, "{address}");
    }
}
