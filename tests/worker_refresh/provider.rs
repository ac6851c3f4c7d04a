//! Runs `demo/provider.mjs`, a real OpenID provider that rotates refresh tokens and revokes the grant if one is reused.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use miniflare_test_harness::{Client, Harness};
use serde_json::Value;

use crate::repository::{node, root};

/// A provider in its own process. It ends when this is dropped, or when the test process ends.
pub struct Provider {
    child: Child,
    issuer: String,
}

impl Provider {
    /// Starts a provider for a Worker at `base`.
    pub fn start(base: &str) -> Self {
        let port = vestibule_ports::free_address().unwrap().port();
        let mut child = Command::new(node())
            .args([root().join("demo/provider.mjs").to_str().unwrap(), &port.to_string()])
            .env("DEMO_BASE_URLS", base)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.contains("listens on"), "unexpected output of the provider: {line:?}");
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { child, issuer: format!("http://localhost:{port}") }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The number of accepted refresh tokens, and the number of rejected token requests.
    pub fn refreshed(&self) -> (u64, u64) {
        let harness = Harness::from_module("export default { fetch() { return new Response() } }");
        let harness = harness.start().unwrap();
        let stats: Value = harness.client().get(&format!("{}/__stats", self.issuer)).send().json();
        (stats["refresh_token"].as_u64().unwrap(), stats["refused"].as_u64().unwrap())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Signs bob in, through the provider's login page.
pub fn sign_in(browser: &Client, app: &str) {
    let csrf: Value = browser.get(&format!("{app}/auth/csrf")).send().json()["csrfToken"].clone();
    let form = [("csrfToken", csrf.as_str().unwrap()), ("callbackUrl", "/api")];
    let begun = browser.post(&format!("{app}/auth/signin/demo")).form(&form).send().expect_status(302);
    let login = browser.get(begun.location()).send();
    let login = origin(begun.location()) + login.location();
    browser.get(&login).send().expect_status(200);
    let form = [("email", "bob@example.com"), ("password", "bob")];
    browser.post(&login).form(&form).follow().send().expect_status(200);
}

fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    format!("{scheme}://{}", rest.split('/').next().unwrap())
}
