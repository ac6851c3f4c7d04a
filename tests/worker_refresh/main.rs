//! Tests token refresh in the real runtime: the built Worker with one and with several isolates, providers and APIs that
//! revoke a grant if its refresh token is used twice, and browsers that send many requests at the same time or disconnect.
//! The tests check the guarantees in `docs/refresh.md`, "What holds".

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test panics at the first failure"
)]

#[path = "../support/clean_log.rs"]
mod clean_log;
mod credentials;
mod hostile;
mod isolates;
mod one_isolate;
mod provider;
#[path = "../support/repository.rs"]
mod repository;
mod setup;
mod token_exchange;
mod tokens;
mod users;
