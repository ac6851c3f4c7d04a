//! A Worker that shares only the secret: it guards and forwards, and where the token has ended the login host renews.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testing::{Answer, TestEnv};

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
fn it_opens_sessions_guards_and_forwards_tokens_without_any_provider() {
    let site = site();
    let mut visitor = signed_in(&site);
    let answer = visitor.open(&site, PAGE);
    assert_eq!((answer.status, bearer(&answer)), (200, Some("access-bob")));
    assert_eq!(answer.forwarded.unwrap().request.headers.get("x-user-email"), Some("bob@example.com"));
    assert_eq!(visitor.fetch(&site, &format!("{DOCS}/admin/x")).status, 403);
    assert_eq!(visitor.fetch(&site, &format!("{DOCS}/auth/providers")).body, "{}");
    assert_eq!(visitor.session(&site, DOCS)["access_token"], "access-bob");
    // A day later the cookie is renewed here, too, for all hosts.
    site.login.pass(Duration::from_hours(25));
    let shown = visitor.fetch(&site, &format!("{DOCS}/auth/session"));
    assert_eq!(shown.status, 200);
}

#[test]
fn a_person_whose_token_has_ended_goes_through_the_login_host_and_notices_nothing() {
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
    // The same again when that one has ended, and no detour before.
    assert_eq!(visitor.follow(&site, PAGE).trail.len(), 1);
    site.login.pass(OVER);
    assert_eq!(bearer(&visitor.follow(&site, PAGE).answer), Some("access-bob~2"));
}

#[test]
fn a_script_is_told_what_to_do_and_gets_no_token_that_has_ended() {
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
    // Where the provider is known, the same host renews.
    let answer = visitor.fetch(&site, &format!("{APP}/api"));
    assert_eq!(bearer(&answer), Some("access-bob~1"));
    assert_eq!(bearer(&visitor.fetch(&site, &format!("{DOCS}/api"))), Some("access-bob~1"));
}

#[test]
fn what_a_form_sends_and_what_is_fetched_in_advance_goes_nowhere() {
    let (site, mut visitor) = ended();
    let form = visitor.post(&site, PAGE, &[("a", "b")], &[("sec-fetch-mode", "navigate")]);
    assert_eq!((form.status, form.headers.get("location")), (503, None));
    assert_eq!(form.headers.get("retry-after"), Some("1"));
    let early = [("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch")];
    assert_eq!(visitor.send(&site, "GET", PAGE, &early, b"").status, 503);
    assert_eq!(renewals(&site), 0);
}

#[test]
fn whatever_the_login_host_does_nobody_goes_in_circles() {
    // It sends the browser back, and nothing has changed: its own page does not know the session.
    let (site, mut visitor) = ended();
    let there = visitor.open(&site, PAGE).location().to_owned();
    assert!(there.starts_with(AUTH));
    let back = visitor.open(&site, PAGE);
    assert_eq!((back.status, back.headers.get("location")), (503, None));
    assert_eq!(back.headers.get("retry-after"), Some("60"));
    assert!(site.login.log_text().contains("sent the browser back without a valid access token"));
    // Another tab has its own way there, but not without end.
    let mut sent = 0;
    for tab in 0..50 {
        sent += u32::from(visitor.open(&site, &format!("{DOCS}/tab/{tab}")).status == 302);
    }
    assert_eq!(sent, 7);
    // A minute later it may be better.
    site.login.pass(Duration::from_secs(61));
    let arrived = visitor.follow(&site, PAGE);
    assert_eq!((arrived.url.as_str(), bearer(&arrived.answer)), (PAGE, Some("access-bob~1")));
}

#[test]
fn a_provider_that_is_down_is_waited_for_at_the_login_host() {
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
fn where_the_grant_is_gone_people_sign_in_again_and_come_back() {
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
fn who_is_not_signed_in_at_the_login_host_signs_in_there() {
    let site = site();
    for cookie in ["", "__Secure-authjs.session-token=x"] {
        let url = format!("{AUTH}/auth/renew?callbackUrl={DOCS}/x");
        let answer = site.login.send("GET", &url, &[("cookie", cookie)], b"");
        assert_eq!(
            answer.location(),
            format!("{AUTH}/auth/signin?callbackUrl=https%3A%2F%2Fdocs.example.com%2Fx")
        );
    }
    // The route is the login host's alone, and there is none without one.
    for (world, origin) in [(&site.login, APP), (&site.docs, DOCS), (&TestEnv::new(), APP)] {
        assert_eq!(world.send("GET", &format!("{origin}/auth/renew"), &[], b"").status, 400);
    }
}

#[test]
fn a_session_that_nothing_can_renew_goes_on_as_it_is() {
    let site = site();
    let mut visitor = Visitor::new();
    site.login.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
    });
    let asked = visitor.ask(&site, APP, "/");
    visitor.follow_on(&site, APP, asked);
    site.login.pass(OVER);
    for page in [PAGE, "https://app.example.com/page"] {
        let answer = visitor.open(&site, page);
        assert_eq!(
            (answer.status, bearer(&answer)),
            (200, Some("access-bob")),
            "as on a host of the login host's"
        );
    }
}

#[test]
fn logout_that_can_be_undone_signed_out_there_is_known_to_a_refresh_elsewhere_where_the_store_is_shared() {
    let (site, mut visitor) = ended();
    let mut kept = visitor.clone();
    let csrf = visitor.csrf(&site, DOCS);
    visitor.post(&site, &format!("{DOCS}/auth/signout"), &[("csrfToken", &csrf)], &[]);
    // What is written in one place is seen in another within a minute.
    site.login.pass(Duration::from_mins(1));
    assert_eq!(kept.fetch(&site, &format!("{APP}/api")).status, 401);
    let arrived = kept.follow(&site, PAGE);
    assert!(arrived.url.starts_with(&format!("{AUTH}/auth/signin?")), "{:?}", arrived.trail);
}

#[test]
fn a_worker_without_providers_has_nothing_to_advise() {
    let config = vestibule_core::config::Config::load(
        of_the_docs(),
        &vestibule_testing::environment,
        &vestibule_testing::RUNTIME,
    )
    .unwrap();
    let config = config.check_lease(&vestibule_testing::RUNTIME, &|_| false).unwrap();
    assert_eq!(config.advice(&vestibule_testing::RUNTIME), Vec::<String>::new());
}
