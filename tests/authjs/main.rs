//! Compares Vestibule with the real Auth.js: the built Worker and Auth.js's own code get the same requests, and
//! `deliberate.rs` has to explain every difference between their responses. With `UPDATE_DOCS=1` this test writes
//! `docs/authjs-differences.md`; otherwise it fails if that file is out of date.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test panics at the first failure"
)]

mod aspects;
mod browser;
mod cases;
mod client;
mod cookies;
mod deliberate;
mod facts;
mod generated;
mod grammar;
mod plain;
mod reference;
mod replay;
mod report;
#[path = "../support/repository.rs"]
mod repository;
mod shrink;
mod site;
mod stories;

use std::collections::BTreeSet;

use miniflare_test_harness::{Harness, Response};
use serde_json::{Value, json};
use vestibule_core::session::dialect::Dialect;
use vestibule_test_runtimes::{Kind, vestibule};

use crate::browser::{Answer, Browser};
use crate::cases::cases;
use crate::reference::Reference;
use crate::replay::{Until, ask, play};
use crate::report::Report;
use crate::repository::root;
use crate::site::{SECRET, Site};

#[test]
fn vestibule_answers_like_authjs_except_for_documented_differences() {
    let mut reference = Reference::start();
    let mut report = Report::default();
    for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
        let secure = Site { dialect, secure: true };
        let workers = [false, true].map(|has_pages| worker(secure, has_pages, &reference));
        for site in [secure, Site { secure: false, ..secure }] {
            let mut names = BTreeSet::new();
            for case in cases(site).into_iter().filter(|case| site.secure || is_worth_http(&case.name)) {
                assert!(names.insert(case.name.clone()), "two cases are called {}", case.name);
                // Other runtimes count attempts to sign in in all their requests, so that each case of them needs one of its own.
                let is_counted = Kind::chosen() != Kind::Workers && case.name.starts_with("credentials");
                let fresh = is_counted.then(|| worker(secure, case.has_pages, &reference));
                let client = fresh.as_ref().unwrap_or(&workers[usize::from(case.has_pages)]).client();
                report.exchanges +=
                    play(site, &case, Until::End, &client, &mut reference, &mut |difference| {
                        report.add(difference);
                    });
                report.cases += 1;
            }
        }
        for worker in &workers {
            worker.assert_no_unknown_requests();
        }
    }
    report.finish(&root().join("docs/authjs-differences.md"));
}

/// A migration takes over sessions from Auth.js, and a rollback takes them back.
#[test]
fn vestibule_and_authjs_accept_each_other_s_sessions() {
    let mut reference = Reference::start();
    for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
        let site = Site { dialect, secure: true };
        let worker = worker(site, false, &reference);
        let client = worker.client();
        let all = cases(site);
        let signed_in =
            all.iter().find(|case| case.name == "story: signed in").expect("the case of a sign-in");
        let (mut authjs_browser, mut vestibule_browser) =
            (Browser::new(site, signed_in), Browser::new(site, signed_in));
        for step in &signed_in.steps {
            let authjs = reference.ask(site, false, &authjs_browser.prepare(step));
            authjs_browser.receive(&authjs);
            let vestibule = ask(&client, &vestibule_browser.prepare(step));
            vestibule_browser.receive(&vestibule);
        }
        let session = signed_in.steps.last().expect("the last step requests the session");
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

/// Whether a case also runs on `http`, where the cookies have other names. One case of each kind is enough.
fn is_worth_http(name: &str) -> bool {
    ["csrf (http)", "session: good (http)", "session in chunks (http)", "story: signed in (http)"]
        .contains(&name)
        || name.starts_with("story: in, update")
        || name == "person: the providers (http)"
}

/// The built Worker with the same configuration as the reference.
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
                "id": "hub",
                "type": "oauth2",
                "name": "Hub",
                "authorization": "https://idp.example/hub/authorize",
                "token": "https://idp.example/token",
                "userinfo": "https://idp.example/userinfo",
                "scope": "read",
                "user": {
                    "id": "profile.id",
                    "name": "profile.name",
                    "email": "profile.email",
                    "image": "profile.picture",
                },
            },
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
    vestibule()
        .var("AUTH", auth)
        .secret("AUTH_SECRET", SECRET)
        .secret("AUTH_ACME_ID", "vestibule")
        .secret("AUTH_ACME_SECRET", "acme-secret")
        .secret("AUTH_HUB_ID", "vestibule")
        .secret("AUTH_HUB_SECRET", "acme-secret")
        .host_at("idp.example", reference.provider)
        .host_at("api.example.com", reference.provider)
        .origin("app.example.com", |_| Response::text("the site"))
        .start()
        .unwrap_or_else(|error| panic!("{error}"))
}
