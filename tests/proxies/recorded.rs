//! The questions that each proxy really sends, and the status of their answers, which are kept in crates/server/tests/recorded/:
//! a new version of a proxy that asks in another way is seen. `UPDATE=1` writes them.

use std::fs;

use serde_json::{Value, json};

use crate::configuration::Proxy;
use crate::exchange;
use crate::repository::root;
use crate::site::Site;

const FOLDER: &str = "crates/server/tests/recorded";

/// A request to the proxy.
struct Original {
    name: &'static str,
    is_signed_in: bool,
    method: &'static str,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
}

/// What a client sends that it must not.
const FORGED: &[(&str, &str)] = &[
    ("x-forwarded-method", "OPTIONS"),
    ("x-forwarded-uri", "/about"),
    ("x-forwarded-host", "open.example.com"),
    ("x-original-url", "https://app.example.com/about"),
    ("x-original-method", "OPTIONS"),
    ("x-envoy-original-path", "/about"),
    ("x-vestibule-verify", "guessed"),
    ("x-user-email", "root@example.com"),
    ("authorization", "Bearer root"),
];

const fn of(name: &'static str, is_signed_in: bool, method: &'static str, target: &'static str) -> Original {
    Original { name, is_signed_in, method, target, headers: &[], body: "" }
}

const ORIGINALS: [Original; 12] = [
    of("a public page", false, "GET", "/about"),
    Original {
        headers: &[("sec-fetch-mode", "navigate"), ("accept", "text/html")],
        ..of("a navigation without a session", false, "GET", "/dashboard?x=1&y=%20%2F")
    },
    Original {
        headers: &[("accept", "application/json")],
        ..of("a script without a session", false, "GET", "/dashboard")
    },
    Original { headers: FORGED, ..of("a forged request without a session", false, "GET", "/dashboard") },
    of("a page with a session", true, "GET", "/dashboard/x%20y?x=%2F"),
    Original { headers: FORGED, ..of("a forged request with a session", true, "GET", "/forbidden") },
    of("a page of a role that the user has", true, "GET", "/admin/x"),
    of("a page of a role that the user does not have", true, "GET", "/forbidden"),
    Original {
        headers: &[
            ("origin", "https://app.example.com"),
            ("content-type", "application/x-www-form-urlencoded"),
        ],
        body: "a=1&b=2",
        ..of("a form of the site", true, "POST", "/dashboard")
    },
    Original {
        headers: &[("origin", "https://evil.example"), ("content-type", "application/x-www-form-urlencoded")],
        body: "a=1&b=2",
        ..of("a form of another site", true, "POST", "/dashboard")
    },
    Original {
        headers: &[
            ("origin", "https://evil.example"),
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
        ..of("a WebSocket of another site", true, "GET", "/dashboard")
    },
    of("a path that servers read differently", true, "GET", "/public/..%2fadmin"),
];

/// Compares what the proxy sends with what was recorded.
pub fn compare(site: &Site) {
    let session = site.signed_in("alice").cookies();
    let mut questions = Vec::new();
    for original in &ORIGINALS {
        let mut headers = original.headers.to_vec();
        if original.is_signed_in {
            headers.push(("cookie", &session));
        }
        site.tap.heads();
        site.ask(original.method, original.target, &headers, original.body);
        let heads = site.tap.heads();
        // Some refuse a path themselves.
        assert!(heads.len() <= 1, "{}: {heads:#?}", original.name);
        if let [head] = &heads[..] {
            let answer = exchange::raw(site.decider.address(), &format!("{head}\r\n\r\n"));
            let answer = answer.unwrap_or_else(|| panic!("no answer to {head}"));
            let head = written(site, head, &session);
            questions.push(json!({ "original": original.name, "head": head, "status": answer.status }));
        }
    }
    assert!(questions.len() >= ORIGINALS.len() - 1, "{questions:#?}");
    let recorded = json!({ "verify.headers": site.proxy.headers(), "questions": questions });
    let file = root().join(FOLDER).join(format!("{}.json", site.proxy.name()));
    let text = serde_json::to_string_pretty(&recorded).expect("JSON") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(root().join(FOLDER)).expect("a folder");
        fs::write(file, text).expect("it is written");
        return;
    }
    let before = fs::read_to_string(&file).unwrap_or_default();
    assert!(before == text, "{} is out of date (`UPDATE=1` writes it): {text}", file.display());
}

/// The lines of a head, without what differs from run to run.
fn written(site: &Site, head: &str, session: &str) -> Vec<Value> {
    let line = |line: &str| {
        let line = line
            .replace(session, "{session}")
            .replace(&site.at.proxy.to_string(), "{proxy}")
            .replace(&site.at.decider.to_string(), "{decider}");
        match line.split_once(": ") {
            // The machine's own address, which Envoy adds between its two listeners.
            Some((name, _)) if site.proxy == Proxy::Envoy && name == "x-forwarded-for" => {
                format!("{name}: {{address}}")
            }
            Some((name, _)) if name.eq_ignore_ascii_case("x-request-id") => format!("{name}: {{id}}"),
            Some((name, _)) if name.eq_ignore_ascii_case("x-forwarded-server") => format!("{name}: {{host}}"),
            Some((name, value))
                if name.eq_ignore_ascii_case("x-forwarded-port")
                    && value == site.at.proxy.port().to_string() =>
            {
                format!("{name}: {{port}}")
            }
            _ => line,
        }
    };
    let mut lines: Vec<String> = head.split("\r\n").map(line).collect();
    // Neither Lua nor Envoy keeps an order.
    if matches!(site.proxy, Proxy::Haproxy | Proxy::Envoy) {
        lines[1..].sort();
    }
    lines.into_iter().map(Value::String).collect()
}
