//! An app behind a proxy that asks the Worker.

use std::thread;
use std::time::{Duration, Instant};

use miniflare_test_harness::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::App;
use crate::configuration::{Addresses, Proxy, SECRET};
use crate::exchange::{self, Answer};
use crate::program::{Program, free_address};
use crate::test_env::{APP, TestEnv, begin, echo, settings_with};

/// Where users sign in.
pub const LOGIN: &str = "https://auth.example.com";

/// How long a proxy may take until it forwards. Busy machines take seconds.
const MAX_START: Duration = Duration::from_mins(2);

/// A running site.
pub struct Site {
    pub at: Addresses,
    pub app: App,
    pub env: TestEnv,
    // The program ends before its folder is removed.
    pub program: Program,
    pub folder: TempDir,
}

impl Site {
    /// A site behind this proxy, with these changes of the Worker's settings.
    ///
    /// # Panics
    /// If the proxy does not let a request for a public page pass in time. The message has its output.
    pub fn behind(proxy: Proxy, patch: &Value) -> Self {
        let mut settings = settings_with(patch);
        settings["verify"] = json!({ "headers": proxy.headers() });
        settings["login_url"] = json!(LOGIN);
        settings["cookies"] = json!({ "domain": "example.com" });
        let env = TestEnv::with(settings, |builder| {
            builder.service("APP", echo).secret("AUTH_VERIFY_SECRET", SECRET)
        });
        let app = App::start();
        let at = Addresses { proxy: free_address(), app: app.address, worker: env.address() };
        let folder = TempDir::new().expect("a folder");
        let (program, arguments) = proxy.configure(folder.path(), at);
        let mut program =
            Program::start(folder.path(), &program, &arguments, &[("AUTH_VERIFY_SECRET", SECRET)]);
        let begun = Instant::now();
        while exchange::ask(at.proxy, "GET", "/about", &[], "").is_none_or(|answer| answer.status != 200) {
            let output = || std::fs::read_to_string(folder.path().join("output")).unwrap_or_default();
            assert!(!program.has_ended(), "{proxy:?} has ended: {}", output());
            assert!(
                begun.elapsed() < MAX_START,
                "{proxy:?} does not forward: {}{}",
                output(),
                env.logs().text()
            );
            thread::sleep(Duration::from_millis(20));
        }
        Self { at, app, env, program, folder }
    }

    /// Sends a request to the proxy.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        exchange::ask(self.at.proxy, method, target, headers, body)
            .unwrap_or_else(|| panic!("no answer to {method} {target} {headers:?}"))
    }

    /// A browser in which this user has signed in.
    pub fn signed_in(&self, user: &str) -> Client {
        let browser = self.env.client();
        let page = begin(&browser, LOGIN, user, &format!("{APP}/about")).follow().send();
        assert_eq!((page.status, page.url.as_str()), (200, "https://app.example.com/about"));
        browser
    }
}

/// The field `Cookie` that a browser sends to the app.
pub fn cookies(browser: &Client) -> String {
    let cookies = browser.cookies(APP);
    cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}
