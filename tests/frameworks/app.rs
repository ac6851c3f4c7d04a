//! The servers of tests/frameworks/apps.

use std::ops::Deref;
use std::path::PathBuf;

use crate::repository::{node, root};
use crate::server::Server;

/// A running server. Dropping it ends it.
pub struct App(Server);

impl App {
    /// A script of tests/frameworks/apps, in Node.js.
    pub fn node(script: &str, arguments: &[&str]) -> Self {
        Self::script(node(), script, arguments)
    }

    /// A script of tests/frameworks/apps, in Python, with the packages of requirements.txt.
    pub fn python(script: &str, arguments: &[&str]) -> Self {
        let python = std::env::var_os("FRAMEWORKS_PYTHON")
            .map_or_else(|| folder().join(".venv/bin/python"), PathBuf::from);
        assert!(python.exists(), "{} does not exist: run `cargo xtask frameworks`", python.display());
        Self::script(python, script, arguments)
    }

    /// PHP's own server with the front controller apps/php/index.php.
    pub fn php() -> Self {
        let php = std::env::var_os("PHP").unwrap_or_else(|| "php".into());
        Self(Server::start(&folder(), php, &["-S", "127.0.0.1:0", "-t", "apps/php"]))
    }

    fn script(program: PathBuf, script: &str, arguments: &[&str]) -> Self {
        let script = format!("apps/{script}");
        Self(Server::start(&folder(), program, &[&[script.as_str()], arguments].concat()))
    }
}

impl Deref for App {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

fn folder() -> PathBuf {
    root().join("tests/frameworks")
}
