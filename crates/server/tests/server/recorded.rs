//! What proxies ask, as `cargo xtask proxies` has recorded it of real ones, is decided here as it was there.

use std::fs;
use std::io::{BufReader, Write};
use std::path::Path;

use serde_json::Value;

use crate::browser::Browser;
use crate::http::{self, Message};
use crate::site::Site;

/// The origin where users sign in.
const LOGIN: &str = "https://auth.example.com";

/// The secret that the proxies say.
const SECRET: &str = "0123456789abcdef-of-the-proxy";

/// What the recorded sites have and the others here have not.
const BEGIN: &str = r#"
login_url = "https://auth.example.com"
cookies = { domain = "example.com" }
verify = { headers = "{headers}" }
"#;

const RULES: &str = r#"
[[rules]]
match = "/about"
access = "public"

[[rules]]
match = "/admin/:path*"
require = { roles = ["admin"] }
"#;

#[test]
fn what_real_proxies_have_asked_is_decided_as_it_was_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let mut asked = 0;
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let recorded: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let site = Site::new(3600);
        site.configure(&BEGIN.replace("{headers}", recorded["verify.headers"].as_str().unwrap()), RULES);
        fs::write(site.file("secrets").join("AUTH_VERIFY_SECRET"), SECRET).unwrap();
        let server = site.start();
        let mut browser = Browser { origin: Some(LOGIN), ..Browser::default() };
        browser.sign_in(server.address, &site.provider);
        for question in recorded["questions"].as_array().unwrap() {
            let lines: Vec<&str> =
                question["head"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
            let head = lines.join("\r\n").replace("{session}", &browser.cookie());
            // What differs from run to run, and decides nothing.
            let head = ["{address}", "{proxy}", "{decider}"]
                .iter()
                .fold(head, |head, name| head.replace(name, "127.0.0.1"))
                .replace("{id}", "1")
                .replace("{host}", "proxy")
                .replace("{port}", "80");
            let mut stream = http::connect(server.address);
            write!(stream, "{head}\r\n\r\n").unwrap();
            let answer = Message::read(&mut BufReader::new(stream)).unwrap();
            assert_eq!(question["status"], answer.status(), "{}: {head}: {answer:?}", file.display());
            asked += 1;
        }
    }
    assert!(asked >= 5 * 11, "{asked}");
}
