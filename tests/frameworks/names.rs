//! The names under which servers are known to answer with the page `/admin`, and the check that the Worker guards each
//! of them that a server really has.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use miniflare_test_harness::{Client, HarnessBuilder};
use serde_json::{Value, json};

use crate::app::App;
use crate::test_env::{APP, TestEnv, settings_with};

/// What the guarded page says, and nothing else.
pub const GUARDED: &str = "guarded page";
/// What the public pages say.
const PUBLIC: &str = "public page";

/// Names of `/admin`, by the reading that makes them one. `BUILD` is the id of a Next.js build.
const NAMES: [(&str, &[&str]); 13] = [
    ("exact", &["/admin", "/admin/", "/admin?x=1"]),
    ("encoded", &["/%61dmin", "/admi%6E", "/%61%64%6d%69%6e"]),
    ("encoded twice", &["/%2561dmin", "/admi%256e"]),
    ("case", &["/Admin", "/ADMIN", "/admiN", "/adm%C4%B1n", "/ADM%C4%B0N", "/%41dmin"]),
    ("file name", &["/admin.", "/admin..", "/admin%20", "/admin.%20", "/admin::$DATA", "/admin%c2%a0"]),
    ("script", &["/index.php/admin", "/index.php/admin/", "/INDEX.PHP/admin", "/index.php/%61dmin"]),
    (
        "suffix",
        &[
            "/admin.data",
            "/admin/_.data",
            "/admin.json",
            "/admin.txt",
            "/admin.html",
            "/admin.htm",
            "/admin.rsc",
            "/admin.xml",
            "/admin.php",
            "/admin/index.html",
            "/admin/index.txt",
            "/admin/index.json",
            "/admin/__data.json",
            "/admin/_payload.json",
            "/admin.prefetch.rsc",
            "/admin.segments/_tree.segment.rsc",
            "/admin/__next._tree.txt",
            "/admin/__next._full.txt",
            "/admin/__next.admin.__PAGE__.txt",
            "/admin/__next.admin.txt",
        ],
    ),
    (
        "next data",
        &["/_next/data/BUILD/admin.json", "/_next/data/BUILD/admin", "/_next/data/BUILD/ADMIN.json"],
    ),
    (
        "locale",
        &[
            "/de/admin",
            "/en/admin",
            "/de/admin/",
            "/DE/admin",
            "/DE/ADMIN/",
            "/_next/data/BUILD/de/admin.json",
            "/_next/data/BUILD/en/admin.json",
        ],
    ),
    ("rewrite", &["/backoffice", "/de/backoffice", "/_next/data/BUILD/backoffice.json"]),
    ("parameters", &["/admin;x", "/admin;jsessionid=1", "/;x/admin", "/admin;/"]),
    ("cut", &["/admin%23x", "/admin%3Fx", "/admin%00", "/admin%00.css", "/admin%0a", "/admin%0d"]),
    (
        "segments",
        &[
            "//admin",
            "/admin//",
            "/./admin",
            "/about/../admin",
            "/about/%2e%2e/admin",
            "/about/..%2fadmin",
            "/about/..;/admin",
            "/%2fadmin",
            "/admin%2f",
            "/%2e/admin",
            "/%5cadmin",
            "/admin%5c",
            "/admin/.",
            "/index.php//admin",
        ],
    ),
];

/// How an app is put behind the Worker.
type Surround = fn(HarnessBuilder, SocketAddr) -> HarnessBuilder;

/// The two kinds of upstream: one gets its own host in `Host`, the other the browser's. Neither sees TLS.
pub const UPSTREAMS: [(&str, Surround); 2] = [
    ("https://backend.example.net", |builder, app| builder.host_at("backend.example.net", app)),
    ("service:APP", |builder, app| builder.service_at("APP", app)),
];

/// Settings that make everything public but `/admin`.
pub fn settings(upstream: &Value) -> Value {
    settings_with(&json!({
        "default_access": "public",
        "rules": [{ "match": ["/admin", "/backoffice"], "require": { "roles": ["admin"] } }],
        "upstreams": [upstream],
    }))
}

/// The Worker in front of `app`, a service whose upstream has these further keys.
pub fn in_front_of(app: &App, keys: &Value) -> TestEnv {
    let mut upstream = json!({ "to": "service:APP", "headers": { "X-User-Email": "email" } });
    for (key, value) in keys.as_object().expect("an object") {
        upstream[key] = value.clone();
    }
    TestEnv::with(settings(&upstream), |builder| builder.service_at("APP", app.address))
}

/// Asks `app` itself for the guarded page under every name. What it answers, the Worker must refuse to everyone without
/// the role. `expected` is by which readings the app has names for the page, so that it is noticed when that changes.
pub fn assert_every_name_is_guarded(app: &App, keys: &Value, build: &str, expected: &[&str]) {
    let env = in_front_of(app, keys);
    let (anonymous, bob, alice) = (env.client(), env.signed_in("bob"), env.signed_in("alice"));
    let mut found = BTreeSet::new();
    let mut passed = Vec::new();
    for (reading, names) in NAMES {
        for name in names {
            let name = name.replace("BUILD", build);
            if !shows(&anonymous, &app.direct(&name)) {
                continue;
            }
            println!("{reading}: {name}");
            found.insert(reading);
            for (who, browser) in [("an anonymous client", &anonymous), ("bob", &bob)] {
                let reply = browser.get(&format!("{APP}{name}")).send();
                if reply.text().contains(GUARDED) || ![400, 401, 403].contains(&reply.status) {
                    passed.push(format!("{name} for {who}: {}", reply.status));
                }
            }
        }
    }
    assert!(passed.is_empty(), "not guarded: {passed:#?}");
    assert_eq!(found, expected.iter().copied().collect(), "by which readings the page has names");

    // Public pages pass, and a user with the role gets the guarded one.
    for path in ["/", "/about"] {
        let reply = anonymous.get(&format!("{APP}{path}")).send().expect_status(200);
        assert!(reply.text().contains(PUBLIC), "{path}: {}", reply.text());
    }
    let page = alice.get(&format!("{APP}/admin")).follow().send().expect_status(200);
    assert!(page.text().contains(GUARDED), "{}", page.text());
    assert_a_preflight_brings_nothing_back(&anonymous);
    assert_a_sibling_cannot_post(&alice);
}

/// The same request as a browser of a page's script.
fn shows(browser: &Client, url: &str) -> bool {
    browser.get(url).send().text().contains(GUARDED)
}

fn assert_a_preflight_brings_nothing_back(browser: &Client) {
    let reply = browser
        .request("OPTIONS", &format!("{APP}/admin"))
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .send();
    assert!(reply.body.is_empty(), "a preflight brought back: {}", reply.text());
    for (name, _) in &reply.headers {
        let is_cors = name.starts_with("access-control-") || ["vary", "allow"].contains(&name.as_str());
        let is_of_the_connection =
            ["cache-control", "content-length", "date", "transfer-encoding", "connection"];
        assert!(is_cors || is_of_the_connection.contains(&name.as_str()), "a preflight brought back {name}");
    }
}

fn assert_a_sibling_cannot_post(alice: &Client) {
    let form = |origin: &str, site: &str| {
        alice
            .post(&format!("{APP}/admin"))
            .header("origin", origin)
            .header("sec-fetch-site", site)
            .form(&[("to", "mallory")])
            .send()
    };
    let reply = form("https://blog.example.com", "same-site").expect_status(403);
    assert_eq!(reply.json()["error"], "cross_origin");
    let reply = form(APP, "same-origin");
    assert!(reply.status != 401 && !reply.text().contains("cross_origin"), "{}", reply.text());
}
