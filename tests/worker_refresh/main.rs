//! Refreshing in the real runtime: the built Worker as one isolate and as several, providers and APIs that revoke a
//! grant whose refresh token is used twice, and browsers that send everything at once or hang up. A test that bears
//! a number holds the Worker to that point of `docs/refresh.md`.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong"
)]

mod api;
mod hostile;
mod isolates;
mod one_isolate;
mod provider;
#[path = "../support/repository.rs"]
mod repository;
mod setup;
mod users;
