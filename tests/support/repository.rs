//! The paths of this repository, and of the Node.js that npm has installed.

use std::path::{Path, PathBuf};

/// The root directory of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path of Node.js: the environment variable `NODE_BIN`, or else the npm package `node`.
///
/// # Panics
/// If the file does not exist.
pub fn node() -> PathBuf {
    let node =
        std::env::var_os("NODE_BIN").map_or_else(|| root().join("node_modules/.bin/node"), PathBuf::from);
    assert!(node.exists(), "{} does not exist: run `npm ci` first", node.display());
    node
}
