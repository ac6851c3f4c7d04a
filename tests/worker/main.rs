//! The built Worker in the real runtime: real HTTP, real cryptography of the platform, a real OpenID provider.
//! One file per subject. It starts what `cargo xtask build` made, which `cargo xtask test` does first.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong, and runs where std's clock works"
)]

mod idp;
mod nginx;
mod node;
mod signer;
mod world;

mod assertion;
mod bad_input;
mod bearer;
mod concurrency;
mod configuration;
mod cookies;
mod forwarding;
mod hostile_provider;
#[cfg(target_os = "linux")]
mod memory;
mod parity;
mod proxies;
mod signatures;
mod streaming;
mod subdomains;
mod websockets;
mod whole_way;
