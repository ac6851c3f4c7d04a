//! The server of your own, `vestibule-server`, as it was built.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::configuration::SECRET;
use crate::idp::{CLIENT_ID, CLIENT_SECRET};
use crate::program::Program;
use crate::provider::Provider;
use crate::site::MAX_START;
use crate::test_env;

/// A running server.
pub struct Native {
    pub address: SocketAddr,
    pub provider: Provider,
    // The program ends before its folder is removed.
    _program: Program,
    folder: TempDir,
}

impl Native {
    /// With these settings, which name the provider of the tests, and an app behind the service `APP`.
    ///
    /// # Panics
    /// If it does not listen in time.
    pub fn start(mut settings: Value) -> Self {
        let provider = Provider::start();
        settings["providers"][0]["issuer"] = json!(provider.issuer);
        // Nothing is forwarded to it.
        settings["upstreams"][0]["to"] = json!("origin");
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("vestibule.toml"), "").expect("it is written");
        let program = std::env::var_os("PROXIES_SERVER").map_or_else(named, OsString::from);
        let settings = settings.to_string();
        let variables = [
            ("AUTH", settings.as_str()),
            ("AUTH_SECRET", test_env::SECRET),
            ("AUTH_ACME_ID", CLIENT_ID),
            ("AUTH_ACME_SECRET", CLIENT_SECRET),
            ("AUTH_VERIFY_SECRET", SECRET),
        ];
        let arguments = ["--listen", "127.0.0.1:0", "--threads", "2", "--drain", "0"];
        let mut program = Program::start(folder.path(), &program, &arguments, &variables);
        let begun = Instant::now();
        let said = || fs::read_to_string(folder.path().join("output")).unwrap_or_default();
        let address = loop {
            let said = said();
            let address = said.split_once("listening on http://").and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((address, _)) = address {
                break address.parse().expect("an address");
            }
            assert!(
                !program.has_ended() && begun.elapsed() < MAX_START,
                "the server does not listen: {said}"
            );
            thread::sleep(Duration::from_millis(5));
        };
        Self { address, provider, _program: program, folder }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }
}

fn named() -> OsString {
    panic!("PROXIES_SERVER names no program: run `cargo xtask proxies --runtime native`")
}
