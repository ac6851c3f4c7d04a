//! The programs that the Worker meets: how they are started, and which versions they have.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::repository::{node, root};
use crate::server::Server;

/// The application's origin.
pub const APP: &str = "https://app.example.com";

/// A program with its walks.
pub struct Program {
    pub name: &'static str,
    /// The version that is installed.
    pub version: fn() -> String,
    pub walks: &'static [Walk],
}

/// One walk.
pub struct Walk {
    /// What holds.
    pub name: &'static str,
    pub run: Run,
}

/// What a walk does. It panics if something is wrong.
#[derive(Clone, Copy)]
pub enum Run {
    Checks(fn()),
    /// Gives what it has counted, in words.
    Counts(fn() -> String),
}

/// What every provider is told of its client, and how long its access tokens live.
pub fn client_options(ttl: Duration) -> Value {
    json!({
        "redirect_uri": format!("{APP}/auth/callback/real"),
        "post_logout_redirect_uri": format!("{APP}/auth/signout/callback"),
        "backchannel_logout_uri": format!("{APP}/auth/backchannel-logout"),
        "frontchannel_logout_uri": format!("{APP}/auth/frontchannel-logout"),
        "access_token_ttl": ttl.as_secs(),
    })
}

/// Starts a script of tests/interop/apps in Node.js.
pub fn start_node(script: &str, options: &Value) -> Server {
    start(node(), script, options)
}

/// Starts a script of tests/interop/apps in Python, with the packages of requirements.txt.
pub fn start_python(script: &str, options: &Value) -> Server {
    start(python(), script, options)
}

/// Starts a script of tests/interop/apps.
pub fn start(interpreter: impl AsRef<OsStr>, script: &str, options: &Value) -> Server {
    Server::start(root(), interpreter, &[&format!("tests/interop/apps/{script}"), &options.to_string()])
}

/// The version of an npm package: of the walks' own packages, or else of the repository's.
pub fn npm_version(package: &str) -> String {
    let places = ["tests/interop/node_modules", "node_modules"];
    let manifests = places.map(|place| root().join(place).join(package).join("package.json"));
    let manifest =
        manifests.iter().find_map(|path| std::fs::read_to_string(path).ok()).expect("a package.json");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    manifest["version"].as_str().expect("a version").to_owned()
}

/// The version of a Python package.
pub fn python_version(package: &str) -> String {
    let code = format!("import importlib.metadata as m; print(m.version('{package}'))");
    let output = Command::new(python()).args(["-c", &code]).output().expect("Python");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn python() -> PathBuf {
    let python = root().join("target/interop/python/bin/python");
    assert!(python.exists(), "{} does not exist: run `cargo xtask interop`", python.display());
    python
}
