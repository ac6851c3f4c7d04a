//! Another domain that leads to the same Worker: nobody is signed in there, and nobody is sent anywhere from there.

use serde_json::{Value, json};
use vestibule_testing::{Answer, TestEnv, settings};

use super::visitor::{Site, Visitor};
use super::{APP, AUTH, SESSION, of_the_docs, of_the_login_host, signed_in, with};

const FOREIGN: [&str; 5] = [
    "https://other.org",
    "https://notexample.com",
    "https://example.com.other.org",
    "https://vestibule.name.workers.dev",
    "https://app.example.com.",
];

/// With and without a login host, and for a Worker that shares the secret only.
fn sites() -> Vec<Site> {
    let mut without = settings();
    without["cookies"] = json!({ "domain": "example.com" });
    let alone = Site { login: TestEnv::with(of_the_docs()), docs: TestEnv::with(of_the_docs()) };
    vec![with(of_the_login_host()), with(without), alone]
}

fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 403, "{what}: {answer:?}");
    for field in ["location", "set-cookie", "www-authenticate"] {
        assert_eq!(answer.headers.get(field), None, "{what}");
    }
    assert!(answer.headers.get("cache-control").unwrap().contains("no-store"), "{what}");
    assert!(!answer.body.contains("example.com"), "{what}: {}", answer.body);
}

#[test]
fn every_auth_route_refuses_and_says_the_mend() {
    for site in sites() {
        for origin in FOREIGN {
            let mut visitor = Visitor::new();
            for route in [
                "signin",
                "signin/acme",
                "callback/acme?code=1&state=2",
                "session",
                "csrf",
                "providers",
                "token",
                "signout",
                "error",
                "renew",
                "nothing",
            ] {
                for method in ["GET", "POST"] {
                    let what = format!("{method} {origin}/auth/{route}");
                    let url = format!("{origin}/auth/{route}");
                    let headers =
                        [("sec-fetch-mode", "cors"), ("content-type", "application/x-www-form-urlencoded")];
                    let answer = visitor.send(&site, method, &url, &headers, b"csrfToken=x&callbackUrl=/");
                    assert_refused(&answer, &what);
                    assert_eq!(answer.body, r#"{"error":"foreign_host"}"#, "{what}");
                }
            }
            let page = visitor.open(&site, &format!("{origin}/auth/signin"));
            assert_eq!(page.status, 403);
            assert!(page.body.contains("You cannot sign in at this address"), "{}", page.body);
        }
        let log = site.login.log_text();
        assert!(log.contains(r#"other.org is outside of cookies.domain, \"example.com\""#), "{log}");
        assert!(log.contains("give other.org a deployment of its own"), "{log}");
    }
}

#[test]
fn guarded_paths_are_refused_without_a_way_to_sign_in_and_public_ones_are_forwarded() {
    for site in sites() {
        for origin in FOREIGN {
            let mut visitor = Visitor::new();
            assert_eq!(visitor.open(&site, &format!("{origin}/private")).status, 403);
            assert_refused(&visitor.fetch(&site, &format!("{origin}/private?x=1")), origin);
            assert_refused(&visitor.fetch(&site, &format!("{origin}/admin/x")), origin);
            assert_eq!(visitor.open(&site, &format!("{origin}/about")).status, 200, "{origin}");
        }
    }
}

#[test]
fn a_session_of_the_domain_is_none_elsewhere_even_where_somebody_carries_it_there() {
    let site = with(of_the_login_host());
    let visitor = signed_in(&site);
    let session = format!("{SESSION}={}", visitor.cookie(&site, APP, SESSION).unwrap());
    let with_cookie = |url: &str| {
        let headers = [("cookie", session.as_str()), ("sec-fetch-mode", "cors")];
        site.login.send("GET", url, &headers, b"")
    };
    assert_eq!(with_cookie(&format!("{APP}/private")).status, 200, "it is a good one");
    for origin in FOREIGN {
        assert_refused(&with_cookie(&format!("{origin}/private")), origin);
        assert_refused(&with_cookie(&format!("{origin}/auth/session")), origin);
        let public = with_cookie(&format!("{origin}/about"));
        let upstream = public.forwarded.unwrap().request.headers;
        for field in ["x-user-email", "x-user-roles", "authorization", "cookie"] {
            assert_eq!(upstream.get(field), None, "{origin}");
        }
        assert!(!public.headers.contains("set-cookie"));
    }
}

#[test]
fn a_rule_that_forbids_or_hides_says_nothing_else_there() {
    let mut settings = of_the_login_host();
    settings["rules"] = json!([
        { "match": "/forbidden", "access": "signed-in", "deny": "forbidden" },
        { "match": "/hidden", "access": "signed-in", "deny": "not-found" },
    ]);
    let site = with(settings);
    let mut visitor = Visitor::new();
    let page = visitor.open(&site, "https://other.org/forbidden");
    assert!(page.status == 403 && !page.body.contains("/auth/signin"), "{}", page.body);
    assert_eq!(visitor.open(&site, "https://other.org/hidden").status, 404);
}

#[test]
fn a_developer_s_own_machine_is_no_foreign_host_and_keeps_its_session() {
    const HERE: &str = "http://localhost:8787";
    let site = with(of_the_login_host());
    let mut visitor = Visitor::new();
    let answer = visitor.ask(&site, HERE, "/private");
    let arrived = visitor.follow_on(&site, HERE, answer);
    assert_eq!((arrived.url.as_str(), arrived.answer.status), ("http://localhost:8787/private", 200));
    assert!(arrived.trail.iter().all(|url| !url.starts_with(AUTH)), "{:?}", arrived.trail);
    assert_eq!(visitor.session(&site, HERE)["user"]["name"], "bob");
    assert_eq!(visitor.cookies(&site, &format!("{APP}/private")), "", "it is this machine's alone");

    let csrf = visitor.csrf(&site, HERE);
    visitor.post(&site, &format!("{HERE}/auth/signout"), &[("csrfToken", csrf.as_str())], &[]);
    assert_eq!(visitor.session(&site, HERE), Value::Null);

    // Where nobody can sign in, there is nothing to pretend.
    let alone = Site { login: TestEnv::with(of_the_docs()), docs: TestEnv::with(of_the_docs()) };
    assert_refused(&visitor.fetch(&alone, &format!("{HERE}/private")), HERE);
}

#[test]
fn without_a_shared_domain_every_host_is_a_site_of_its_own() {
    let site = with({
        let mut alone = settings();
        alone["cookies"] = Value::Null;
        alone
    });
    let mut visitor = Visitor::new();
    let answer = visitor.open(&site, "https://other.org/private");
    assert!(answer.location().starts_with("https://other.org/auth/signin?"), "{answer:?}");
}
