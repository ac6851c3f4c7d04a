//! Tests the built Worker in the real runtime, with real HTTP, the platform's cryptography and an OpenID provider. There is
//! one file per subject. The tests start the Worker that `cargo xtask build` has built; `cargo xtask test` builds it first.

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
mod idp;
mod nginx;
mod node;
#[path = "../support/repository.rs"]
mod repository;
mod signer;
mod test_env;

mod assertion;
mod audit;
mod bad_input;
mod bearer;
mod concurrency;
mod configuration;
mod cookies;
mod cors;
mod cross_origin;
mod forwarding;
mod health;
mod hostile_provider;
mod login_limit;
#[cfg(target_os = "linux")]
mod memory;
mod metrics;
mod parity;
mod previews;
mod provider_logout;
mod proxies;
mod signatures;
mod streaming;
mod subdomains;
mod upstream_cookies;
mod upstreams;
mod websockets;
mod whole_way;
