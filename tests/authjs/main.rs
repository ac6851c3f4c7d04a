//! Vestibule beside the real Auth.js: the built Worker and Auth.js's own code get the same requests, and every
//! difference between their answers is one that `deliberate.rs` explains. `docs/authjs-differences.md` is written
//! by this test (`UPDATE_DOCS=1`), which fails where the file is out of date.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong"
)]

mod aspects;
mod browser;
mod cases;
mod deliberate;

mod reference;
mod report;
#[path = "../support/repository.rs"]
mod repository;
mod site;

use std::collections::BTreeSet;

use miniflare_test_harness::{Client, Harness, Response};
use serde_json::{Value, json};
use vestibule_core::session::dialect::Dialect;

use crate::aspects::{Aspects, aspects};
use crate::browser::{Answer, Browser, Sent};
use crate::cases::{Case, cases};
use crate::reference::Reference;
use crate::report::Report;
use crate::repository::root;
use crate::site::{SECRET, Site};

/// One aspect of one answer in which the two sides differ.
pub struct Difference<'a> {
    /// Which dialect, on which scheme.
    pub site: Site,
    /// The story that it is part of.
    pub case: &'a Case,
    /// The request, as Vestibule got it.
    pub sent: &'a Sent,
    /// The aspect's name.
    pub aspect: &'a str,
    /// This aspect of Auth.js's answer.
    pub authjs: Option<&'a str>,
    /// This aspect of Vestibule's.
    pub vestibule: Option<&'a str>,
    /// All of their answer, and all of vestibule.
    pub all: (&'a Aspects, &'a Aspects),
}

#[test]
fn vestibule_answers_as_authjs_does_but_where_it_says_otherwise() {
    let mut reference = Reference::start();
    let mut report = Report::default();
    for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
        let secure = Site { dialect, secure: true };
        let workers = [false, true].map(|has_pages| worker(secure, has_pages, &reference));
        for site in [secure, Site { secure: false, ..secure }] {
            let mut names = BTreeSet::new();
            for case in cases(site).into_iter().filter(|case| site.secure || is_worth_http(&case.name)) {
                assert!(names.insert(case.name.clone()), "two cases are called {}", case.name);
                let client = workers[usize::from(case.has_pages)].client();
                compare(site, &case, &client, &mut reference, &mut report);
            }
        }
        for worker in &workers {
            worker.assert_no_unknown_requests();
        }
    }
    report.finish(&root().join("docs/authjs-differences.md"));
}

/// A session goes from Auth.js to Vestibule on the day of a migration, and back when it is called off.
#[test]
fn either_side_goes_on_with_the_session_of_the_other() {
    let mut reference = Reference::start();
    for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
        let site = Site { dialect, secure: true };
        let worker = worker(site, false, &reference);
        let client = worker.client();
        let all = cases(site);
        let signed_in =
            all.iter().find(|case| case.name == "story: signed in").expect("the story of signing in");
        let (mut authjs_browser, mut vestibule_browser) =
            (Browser::new(site, signed_in), Browser::new(site, signed_in));
        for step in &signed_in.steps {
            let authjs = reference.ask(site, false, &authjs_browser.prepare(step));
            authjs_browser.receive(&authjs);
            let vestibule = ask(&client, &vestibule_browser.prepare(step));
            vestibule_browser.receive(&vestibule);
        }
        let session = signed_in.steps.last().expect("it ends with the session");
        for turn in ["first", "after it was written by the other side"] {
            let authjs = reference.ask(site, false, &vestibule_browser.prepare(session));
            let vestibule = ask(&client, &authjs_browser.prepare(session));
            let user = |answer: &Answer| serde_json::from_str::<Value>(&answer.body).unwrap()["user"].take();
            let ada =
                json!({ "name": "ada", "email": "ada@example.com", "image": "https://img.example/ada" });
            assert_eq!(user(&authjs), ada, "{dialect:?}, {turn}: Auth.js with a session of Vestibule's");
            assert_eq!(user(&vestibule), ada, "{dialect:?}, {turn}: Vestibule with a session of Auth.js's");
            vestibule_browser.receive(&authjs);
            authjs_browser.receive(&vestibule);
        }
    }
}

/// On `http` the cookies have other names; one case of each kind shows it.
fn is_worth_http(name: &str) -> bool {
    ["csrf (http)", "session: good (http)", "session in chunks (http)", "story: signed in (http)"]
        .contains(&name)
        || name.starts_with("story: in, update")
}

/// Plays the case on both sides, and reports what differs.
fn compare(site: Site, case: &Case, client: &Client, reference: &mut Reference, report: &mut Report) {
    let (mut authjs_browser, mut vestibule_browser) = (Browser::new(site, case), Browser::new(site, case));
    for step in &case.steps {
        let authjs_sent = authjs_browser.prepare(step);
        let sent = vestibule_browser.prepare(step);
        let authjs = reference.ask(site, case.has_pages, &authjs_sent);
        let vestibule = ask(client, &sent);
        authjs_browser.receive(&authjs);
        vestibule_browser.receive(&vestibule);

        let mut all = (aspects(site, &authjs), aspects(site, &vestibule));
        if sent.method == "HEAD" {
            // The server around Auth.js takes the body away, as the Worker's runtime does.
            all.0.remove("body");
            all.1.remove("body");
        }
        let names: BTreeSet<&String> = all.0.keys().chain(all.1.keys()).collect();
        report.exchanges += 1;
        for aspect in names {
            let (authjs, vestibule) = (all.0.get(aspect), all.1.get(aspect));
            if authjs != vestibule {
                report.add(&Difference {
                    site,
                    case,
                    sent: &sent,
                    aspect,
                    authjs: authjs.map(String::as_str),
                    vestibule: vestibule.map(String::as_str),
                    all: (&all.0, &all.1),
                });
            }
        }
    }
    report.cases += 1;
}

/// What Vestibule answers.
fn ask(client: &Client, sent: &Sent) -> Answer {
    let mut request = client.request(&sent.method, &sent.url).without_cookies();
    for (name, value) in &sent.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &sent.body {
        request = request.body("", body.as_bytes());
    }
    let reply = request.send();
    let body = reply.text();
    Answer { status: reply.status, headers: reply.headers, body }
}

/// The built Worker, configured as the reference is.
fn worker(site: Site, has_pages: bool, reference: &Reference) -> Harness {
    let pages = if has_pages {
        json!({ "sign_in": "/login", "sign_out": "/bye", "error": "/oops" })
    } else {
        Value::Null
    };
    let mut auth = json!({
        "base_path": site.base_path(),
        "dialect": site.dialect_name(),
        "providers": [
            { "id": "acme", "type": "oidc", "name": "Acme", "issuer": "https://idp.example" },
            {
                "id": "credentials",
                "type": "credentials",
                "fields": [{ "name": "email", "type": "email" }, { "name": "password", "type": "password" }],
                "login": {
                    "url": "https://api.example.com/login",
                    "body": { "email": "{email}", "password": "{password}" },
                    "access_token": "body.accessToken",
                    "error": "body.error",
                },
                "user": {
                    "id": "login.user.id",
                    "name": "login.user.name",
                    "email": "login.user.email",
                    "image": "login.user.image",
                },
            },
        ],
    });
    if has_pages {
        auth["pages"] = pages;
    }
    Harness::from_wrangler(root().join("wrangler.toml"))
        .var("AUTH", auth)
        .secret("AUTH_SECRET", SECRET)
        .secret("AUTH_ACME_ID", "vestibule")
        .secret("AUTH_ACME_SECRET", "acme-secret")
        .host_at("idp.example", reference.provider)
        .host_at("api.example.com", reference.provider)
        .origin("app.example.com", |_| Response::text("the site"))
        .start()
        .unwrap_or_else(|error| panic!("{error}\nis the Worker built (`cargo xtask build`)?"))
}
