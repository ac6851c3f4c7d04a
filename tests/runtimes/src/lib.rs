//! Vestibule on each of its runtimes, behind one [`Harness`]: the tests are the same, and
//! the variable [`VARIABLE`] says what they run. `cargo xtask test --runtime NAME` builds it and sets the variable.
//!
//! A test that needs what a runtime does not have says so in its first line, with [`needs!`]; a part of one with
//! [`part_needs!`]. It is not run there, and is listed with the reason.

#![forbid(unsafe_code)]
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "test support: it panics to fail a test"
)]

mod native;
mod need;
mod proxy;
mod wasi;

use std::path::Path;
use std::sync::Arc;

use miniflare_test_harness::{Harness, HarnessBuilder, Workerd};

pub use need::{NOT_RUN, Need, has};

/// The variable that names the runtime: `workers`, `native` or `wasi`. Without it the tests run on Workers.
pub const VARIABLE: &str = "VESTIBULE_RUNTIME";

/// The field that runtimes set for their gateway.
const EGRESS: &str = "vestibule-egress-origin";

/// A runtime of Vestibule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The Worker in workerd.
    Workers,
    /// `vestibule-server`.
    Native,
    /// The component in wasmtime.
    Wasi,
}

impl Kind {
    /// The runtime that the environment names.
    pub fn chosen() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("workers") => Self::Workers,
            Ok("native") => Self::Native,
            Ok("wasi") => Self::Wasi,
            Ok(other) => panic!("{VARIABLE} is {other:?}: write workers, native or wasi"),
        }
    }

    /// Its name, as the variable has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::Native => "native",
            Self::Wasi => "wasi",
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
        Kind::Wasi => builder.runtime(Arc::new(wasi::Wasi)),
    }
}

/// The root directory of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
