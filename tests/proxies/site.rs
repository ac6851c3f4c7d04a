//! An app behind a proxy that asks the Worker, or the server of your own.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use vestibule_ports::free_address;

use crate::app::App;
use crate::browser::Browser;
use crate::configuration::{Addresses, Proxy, SECRET};
use crate::decider::Decider;
use crate::exchange::{self, Answer};
use crate::program::Program;
use crate::tap::Tap;
use crate::test_env::settings_with;

/// Where users sign in.
pub const LOGIN: &str = "auth.example.com";

/// Where the app is.
pub const APP: &str = "app.example.com";

/// How long a program may take until it answers. Busy machines take seconds.
pub const MAX_START: Duration = Duration::from_mins(2);

/// A running site.
pub struct Site {
    pub proxy: Proxy,
    pub at: Addresses,
    pub app: App,
    pub tap: Tap,
    pub decider: Decider,
    // The program ends before its folder is removed.
    _program: Program,
    _folder: TempDir,
}

/// How a site is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// With a host for signing in, and a session that is not due.
    Usual,
    /// With a session that is renewed by every request, and may have many claims.
    Renewed,
    /// With the pages of Vestibule on the app's own host.
    OwnHost,
}

impl Kind {
    fn settings(self, proxy: Proxy) -> Value {
        let mut settings = settings_with(&match self {
            Self::Renewed => json!({
                "session": { "update_age": "0s" },
                "claims": { "padding": "profile.padding", "roles": "profile.roles" },
            }),
            Self::Usual | Self::OwnHost => json!({}),
        });
        settings["verify"] = json!({ "headers": proxy.headers() });
        let nobody = json!({ "match": "/forbidden", "require": { "roles": ["nobody"] } });
        settings["rules"].as_array_mut().expect("rules").push(nobody);
        if self == Self::OwnHost {
            settings["origin"] = json!(format!("https://{APP}"));
        } else {
            settings["login_url"] = json!(format!("https://{LOGIN}"));
            settings["cookies"] = json!({ "domain": "example.com" });
        }
        settings
    }
}

impl Site {
    /// A site behind this proxy.
    ///
    /// # Panics
    /// If the proxy does not let a request for a public page pass in time. The message has its output.
    pub fn behind(proxy: Proxy, kind: Kind) -> Self {
        let decider = Decider::start(kind.settings(proxy));
        let app = App::start();
        let tap = Tap::to(decider.address());
        // Not every proxy can say which port it was given.
        let own = free_address().expect("a port");
        let http2 = if proxy == Proxy::Nginx { free_address().expect("a port") } else { own };
        let at = Addresses { proxy: own, http2, app: app.address, decider: tap.address };
        let folder = TempDir::new().expect("a folder");
        let (program, arguments) = proxy.configure(folder.path(), at, kind == Kind::OwnHost);
        let mut program =
            Program::start(folder.path(), &program, &arguments, &[("AUTH_VERIFY_SECRET", SECRET)]);
        let begun = Instant::now();
        while exchange::ask(at.proxy, "GET", "/about", &[], "").is_none_or(|answer| answer.status != 200) {
            let output = || std::fs::read_to_string(folder.path().join("output")).unwrap_or_default();
            assert!(!program.has_ended(), "{proxy:?} has ended: {}", output());
            assert!(begun.elapsed() < MAX_START, "{proxy:?} does not forward: {}{}", output(), decider.log());
            thread::sleep(Duration::from_millis(20));
        }
        Self { proxy, at, app, tap, decider, _program: program, _folder: folder }
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
    pub fn signed_in(&self, user: &str) -> Browser {
        let mut browser = Browser::default();
        browser.sign_in(&self.decider, self.decider.address(), LOGIN, user);
        browser
    }
}
