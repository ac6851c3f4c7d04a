//! The built Worker in the real runtime, against a provider that plays the modules of the OpenID Foundation's conformance
//! suite for relying parties: each plan is a file in `plans/`, each module of it a test with the module's name (`-` and `.`
//! as `_`). RFC 10017, section 6.1, is a plan, too: a test for each requirement.
//!
//! `cargo xtask conformance` runs them, prints the table of the results, and writes docs/conformance.md from the same table
//! that the tests are made of ([`table`]).

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test panics at the first failure, and never runs on wasm32"
)]

#[path = "../support/clean_log.rs"]
mod clean_log;
mod document;
mod env;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../worker/node.rs"]
mod node;
mod plans;
mod provider;
#[path = "../support/repository.rs"]
mod repository;
mod scenarios;
#[path = "../worker/signer.rs"]
mod signer;
mod table;
