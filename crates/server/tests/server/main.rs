//! The real program on loopback, with a provider and an app beside it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod attacks;
mod browser;
mod documents;
mod http;
mod lifecycle;
mod provider;
mod redis;
mod site;
mod walk;
mod websockets;
