//! A Worker that shares only the secret: it guards and forwards, and the login host refreshes expired tokens.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testing::provider::FakeProvider;
use vestibule_testing::{Answer, AuthorizationRequest, TestEnv};

use super::visitor::{Site, Visitor};
use super::{APP, AUTH, DOCS, of_the_docs, signed_in, site};

const OVER: Duration = Duration::from_secs(3600 + 5);
const PAGE: &str = "https://docs.example.com/page?x=1&y=%2F";
const RENEWAL: &str = "__Host-authjs.renewal";

fn bearer(answer: &Answer) -> Option<&str> {
    answer.forwarded.as_ref()?.request.headers.get("authorization")?.strip_prefix("Bearer ")
}

fn ended() -> (Site, Visitor) {
    let site = site();
    let visitor = signed_in(&site);
    site.login.pass(OVER);
    (site, visitor)
}

fn renewals(site: &Site) -> u32 {
    site.login.provider.grants.given.get()
}

#[test]
fn a_host_without_providers_opens_sessions_guards_and_forwards_tokens() {
    let site = site();
    let mut visitor = signed_in(&site);
    let answer = visitor.open(&site, PAGE);
    assert_eq!((answer.status, bearer(&answer)), (200, Some("access-bob")));
    assert_eq!(answer.forwarded.unwrap().request.headers.get("x-user-email"), Some("bob@example.com"));
    assert_eq!(visitor.fetch(&site, &format!("{DOCS}/admin/x")).status, 403);
    assert_eq!(visitor.fetch(&site, &format!("{DOCS}/auth/providers")).body, "{}");
    assert_eq!(visitor.session(&site, DOCS)["access_token"], "access-bob");
    // A day later this host reseals the cookie, for all hosts.
    site.login.pass(Duration::from_hours(25));
    let shown = visitor.fetch(&site, &format!("{DOCS}/auth/session"));
    assert_eq!(shown.status, 200);
}

#[test]
fn an_expired_token_is_refreshed_by_a_redirect_through_the_login_host_and_back() {
    let (site, mut visitor) = ended();
    let arrived = visitor.follow(&site, PAGE);
    assert_eq!((arrived.url.as_str(), bearer(&arrived.answer)), (PAGE, Some("access-bob~1")));
    let [_, renew, back] = arrived.trail.as_slice() else { panic!("{:?}", arrived.trail) };
    assert!(renew.starts_with(
        "https://auth.example.com/auth/renew?callbackUrl=https%3A%2F%2Fdocs.example.com%2Fpage"
    ));
    assert_eq!(back, PAGE);
    assert_eq!(renewals(&site), 1);
    assert_eq!(visitor.cookie(&site, DOCS, RENEWAL), None, "it is forgotten at once");
    // The same happens when the next token has expired, and not earlier.
    assert_eq!(visitor.follow(&site, PAGE).trail.len(), 1);
    site.login.pass(OVER);
    assert_eq!(bearer(&visitor.follow(&site, PAGE).answer), Some("access-bob~2"));
}

#[test]
fn a_script_with_an_expired_token_gets_401_with_the_address_of_the_login_host() {
    let (site, mut visitor) = ended();
    let answer = visitor.fetch(&site, &format!("{DOCS}/api"));
    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers.get("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    let there = format!("{AUTH}/auth/renew?callbackUrl=https%3A%2F%2Fdocs.example.com%2Fapi");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body, json!({ "error": "token_expired", "signInUrl": there }));

    let session = visitor.session(&site, DOCS);
    assert_eq!((&session["user"]["name"], session.get("access_token")), (&json!("bob"), None));
    let own = [("sec-fetch-site", "same-origin"), ("x-vestibule-token", "1")];
    let token = visitor.send(&site, "GET", &format!("{DOCS}/auth/token"), &own, b"");
    assert_eq!(token.status, 401);
    assert!(token.body.contains("\"token_expired\""), "{}", token.body);
    // A host that has the provider's configuration refreshes by itself.
    let answer = visitor.fetch(&site, &format!("{APP}/api"));
    assert_eq!(bearer(&answer), Some("access-bob~1"));
    assert_eq!(bearer(&visitor.fetch(&site, &format!("{DOCS}/api"))), Some("access-bob~1"));
}

#[test]
fn a_form_and_a_prefetch_are_not_redirected_to_the_login_host() {
    let (site, mut visitor) = ended();
    let form = visitor.post(&site, PAGE, &[("a", "b")], &[("sec-fetch-mode", "navigate")]);
    assert_eq!((form.status, form.headers.get("location")), (503, None));
    assert_eq!(form.headers.get("retry-after"), Some("1"));
    let early = [("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch")];
    assert_eq!(visitor.send(&site, "GET", PAGE, &early, b"").status, 503);
    assert_eq!(renewals(&site), 0);
}

#[test]
fn no_answer_of_the_login_host_causes_a_redirect_loop() {
    // It redirects back without a change, as if it did not know the session.
    let (site, mut visitor) = ended();
    let there = visitor.open(&site, PAGE).location().to_owned();
    assert!(there.starts_with(AUTH));
    let back = visitor.open(&site, PAGE);
    assert_eq!((back.status, back.headers.get("location")), (503, None));
    assert_eq!(back.headers.get("retry-after"), Some("60"));
    assert!(site.login.log_text().contains("sent the browser back without a valid access token"));
    // Another page is redirected too, but the number of pages is limited.
    let mut sent = 0;
    for tab in 0..50 {
        sent += u32::from(visitor.open(&site, &format!("{DOCS}/tab/{tab}")).status == 302);
    }
    assert_eq!(sent, 7);
    // A minute later it is tried again.
    site.login.pass(Duration::from_secs(61));
    let arrived = visitor.follow(&site, PAGE);
    assert_eq!((arrived.url.as_str(), bearer(&arrived.answer)), (PAGE, Some("access-bob~1")));
}

#[test]
fn while_the_provider_is_down_the_login_host_answers_503_with_retry_after() {
    let (site, mut visitor) = ended();
    site.login.provider.goes_down("token");
    let arrived = visitor.follow(&site, PAGE);
    assert!(arrived.url.starts_with(&format!("{AUTH}/auth/renew?")), "{:?}", arrived.trail);
    assert_eq!(arrived.answer.status, 503);
    assert!(arrived.answer.headers.contains("retry-after"));
    site.login.provider.comes_back();
    site.login.pass(Duration::from_secs(10));
    let again = visitor.follow(&site, &arrived.url);
    assert_eq!((again.url.as_str(), bearer(&again.answer)), (PAGE, Some("access-bob~1")));
}

#[test]
fn after_invalid_grant_the_user_signs_in_again_and_comes_back() {
    let (site, mut visitor) = ended();
    site.login.provider.answers_raw("token", 400, "application/json", br#"{"error":"invalid_grant"}"#);
    let arrived = visitor.follow(&site, PAGE);
    assert_eq!(arrived.answer.status, 200);
    assert!(
        arrived
            .url
            .starts_with(&format!("{AUTH}/auth/signin?callbackUrl=https%3A%2F%2Fdocs.example.com%2Fpage"))
    );
    site.login.provider.answers_correctly();
    let answer = visitor.ask(&site, AUTH, PAGE);
    let arrived = visitor.follow_on(&site, AUTH, answer);
    assert_eq!((arrived.url.as_str(), arrived.answer.status), (PAGE, 200));
}

#[test]
fn without_a_session_at_the_login_host_the_user_signs_in_there() {
    let site = site();
    for cookie in ["", "__Secure-authjs.session-token=x"] {
        let url = format!("{AUTH}/auth/renew?callbackUrl={DOCS}/x");
        let answer = site.login.send("GET", &url, &[("cookie", cookie)], b"");
        assert_eq!(
            answer.location(),
            format!("{AUTH}/auth/signin?callbackUrl=https%3A%2F%2Fdocs.example.com%2Fx")
        );
    }
    // Only a login host has this route.
    for (world, origin) in [(&site.login, APP), (&site.docs, DOCS), (&TestEnv::new(), APP)] {
        assert_eq!(world.send("GET", &format!("{origin}/auth/renew"), &[], b"").status, 400);
    }
}

/// Bob, signed in without a refresh token, after his access token expired.
fn ended_for_good() -> (Site, Visitor) {
    let site = site();
    let mut visitor = Visitor::new();
    site.login.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    let answer = visitor.ask(&site, APP, "/");
    visitor.follow_on(&site, APP, answer);
    site.login.pass(OVER);
    (site, visitor)
}

#[test]
fn without_a_refresh_token_a_navigation_signs_in_silently_through_the_login_host() {
    for page in [PAGE, "https://app.example.com/page"] {
        let (site, mut visitor) = ended_for_good();
        let arrived = visitor.follow(&site, page);
        assert_eq!((arrived.url.as_str(), bearer(&arrived.answer)), (page, Some("access-bob")));
        let [_, renew, provider, callback, back] = arrived.trail.as_slice() else {
            panic!("{:?}", arrived.trail)
        };
        assert!(renew.starts_with(&format!("{AUTH}/auth/renew?callbackUrl=")), "{renew}");
        assert!(provider.contains("&prompt=none&"), "{provider}");
        assert!(callback.starts_with(&format!("{AUTH}/auth/callback/acme?")), "{callback}");
        assert_eq!(back, page);
        assert_eq!(visitor.session(&site, DOCS)["access_token"], "access-bob");
    }
}

#[test]
fn without_a_refresh_token_a_script_gets_the_login_hosts_address() {
    let (site, mut visitor) = ended_for_good();
    for origin in [DOCS, APP] {
        let answer = visitor.fetch(&site, &format!("{origin}/api"));
        let host = origin.strip_prefix("https://").unwrap();
        let there = format!("{AUTH}/auth/renew?callbackUrl=https%3A%2F%2F{host}%2Fapi");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, body), (401, json!({ "error": "token_expired", "signInUrl": there })));
        let session = visitor.session(&site, origin);
        assert_eq!(
            (session.get("access_token"), &session["error"]),
            (None, &json!("AccessTokenExpired")),
            "{origin}"
        );
    }
}

#[test]
fn no_silent_sign_in_on_another_host_causes_a_redirect_loop() {
    // The login host sends the browser back without a change, or the provider needs the user.
    let (site, mut visitor) = ended_for_good();
    let there = visitor.open(&site, PAGE).location().to_owned();
    assert!(there.starts_with(&format!("{AUTH}/auth/renew?")));
    let sign_in = format!("{AUTH}/auth/signin?callbackUrl=");
    assert!(visitor.open(&site, PAGE).location().starts_with(&sign_in));
    let provider = visitor.open(&site, &there).location().to_owned();
    let request = AuthorizationRequest::read(&provider);
    let refused = FakeProvider::refuse(&request, "login_required");
    let back = visitor.open(&site, &refused).location().to_owned();
    assert_eq!(back, format!("{sign_in}https%3A%2F%2Fdocs.example.com%2Fpage%3Fx%3D1%26y%3D%252F"));
    assert_eq!(visitor.open(&site, &back).status, 200);
    assert!(visitor.open(&site, &there).location().starts_with(&sign_in), "once a minute");
}

#[test]
fn logout_that_can_be_undone_a_refresh_on_another_host_sees_the_sign_out_in_a_shared_store() {
    let (site, mut visitor) = ended();
    let mut other_browser = visitor.clone();
    let csrf = visitor.csrf(&site, DOCS);
    visitor.post(&site, &format!("{DOCS}/auth/signout"), &[("csrfToken", &csrf)], &[]);
    // A write in one location is visible in another within a minute.
    site.login.pass(Duration::from_mins(1));
    assert_eq!(other_browser.fetch(&site, &format!("{APP}/api")).status, 401);
    let arrived = other_browser.follow(&site, PAGE);
    assert!(arrived.url.starts_with(&format!("{AUTH}/auth/signin?")), "{:?}", arrived.trail);
}

#[test]
fn a_worker_without_providers_logs_no_advice() {
    let config = vestibule_core::config::Config::load(
        of_the_docs(),
        &vestibule_testing::environment,
        &vestibule_testing::RUNTIME,
    )
    .unwrap();
    let config = config.check_lease(&vestibule_testing::RUNTIME, &|_| false).unwrap();
    assert_eq!(config.advice(&vestibule_testing::RUNTIME), Vec::<String>::new());
}

#[test]
fn a_form_that_needs_a_new_token_is_kept_until_the_login_host_has_renewed_it() {
    let (site, mut visitor) = ended();
    let own = [("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin"), ("origin", DOCS)];
    let answer = visitor.post(&site, PAGE, &[("a", "b")], &own);
    assert!(answer.status == 401 && answer.body.contains("data-form="), "{answer:?}");
    let way = format!("{AUTH}/auth/renew?callbackUrl=https%3A%2F%2Fdocs.example.com%2Fauth%2Fform");
    assert!(answer.body.contains(&format!("\"{way}\"")), "{}", answer.body);
    let arrived = visitor.follow(&site, &way);
    assert_eq!((arrived.url, renewals(&site)), (format!("{DOCS}/auth/form"), 1));
}
