//! The built Worker in front of real servers: each page that a rule guards is refused under every name that the server
//! has for it. The servers are asked directly which names these are. `cargo xtask frameworks` installs and builds them.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "a test has no API: pub is for its other files, and for other tests'"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong, and runs where std's clock works"
)]

#[path = "../support/clean_log.rs"]
mod clean_log;
#[path = "../worker/idp.rs"]
mod idp;
#[path = "../worker/node.rs"]
mod node;
#[path = "../support/repository.rs"]
mod repository;
#[path = "../support/server.rs"]
mod server;
#[path = "../worker/signer.rs"]
mod signer;
#[path = "../worker/test_env.rs"]
mod test_env;

mod app;
mod names;

mod django;
mod nextjs;
mod servers;
