//! The real program on loopback, with a provider and an app beside it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]
#![allow(clippy::disallowed_methods, reason = "the provider of these tests has a clock")]
#![allow(clippy::needless_pass_by_value, reason = "a handler of requests owns its request")]

mod attacks;
mod browser;
mod certificates;
#[cfg(target_os = "linux")]
mod container;
mod documents;
mod http;
mod http2;
#[cfg(unix)]
mod jco;
mod lifecycle;
mod memory;
mod metrics;
mod provider;
mod recorded;
mod redis;
mod site;
mod tls;
mod tunnel;
mod upstreams;
mod walk;
mod wasi;
mod websockets;
