//! Vestibule on each of its runtimes, behind one [`Harness`](miniflare_test_harness::Harness): the tests are the same, and
//! the variable [`VARIABLE`] says what they run, which has to be built.

#![forbid(unsafe_code)]
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "test support: it panics to fail a test"
)]

mod front;
mod native;

use std::path::Path;
use std::sync::Arc;

use miniflare_test_harness::{Harness, HarnessBuilder, Workerd};

/// The variable that names the runtime: `workers` or `native`. Without it the tests run on Workers.
pub const VARIABLE: &str = "VESTIBULE_RUNTIME";

/// A runtime of Vestibule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The Worker in workerd.
    Workers,
    /// `vestibule-server`.
    Native,
}

impl Kind {
    /// The runtime that the environment names.
    pub fn chosen() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("workers") => Self::Workers,
            Ok("native") => Self::Native,
            Ok(other) => panic!("{VARIABLE} is {other:?}: write workers or native"),
        }
    }

    /// Its name, as the variable has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::Native => "native",
        }
    }
}

/// Vestibule with the configuration in `wrangler.toml`, on the chosen runtime. It has to be built.
pub fn vestibule() -> HarnessBuilder {
    let builder = Harness::from_wrangler(root().join("wrangler.toml"));
    match Kind::chosen() {
        Kind::Workers => {
            let built = root().join("build/index.js");
            assert!(built.exists(), "{} does not exist: run `cargo xtask build` first", built.display());
            builder.runtime(Arc::new(Workerd))
        }
        Kind::Native => builder.runtime(Arc::new(native::Native)),
    }
}

/// The root directory of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
