//! Starts a built Cloudflare Worker in the real runtime (`workerd`) for a Rust test.
//!
//! A test reads like the story it tells: which configuration the Worker has, what stands behind its bindings and
//! behind the host names it calls, what a browser sends, and what came of it. Plain blocking Rust; no async runtime.
//!
//! ```no_run
//! use miniflare_test_harness::{Harness, Request, Response};
//!
//! let world = Harness::from_wrangler("wrangler.toml")
//!     .merge_vars(serde_json::json!({ "AUTH": { "default_access": "public" } }))
//!     .secret("AUTH_SECRET", "a secret of at least 32 characters")
//!     .host("idp.example", |request: &Request| match request.path() {
//!         "/token" => Response::json(&serde_json::json!({ "access_token": "t" })),
//!         _ => Response::status(404),
//!     })
//!     .origin("app.example.com", |_| Response::text("the site"))
//!     .start()
//!     .expect("the Worker starts");
//!
//! let browser = world.client();
//! let reply = browser.get("https://app.example.com/dashboard").navigation().send();
//! assert_eq!(reply.status, 302);
//! assert!(world.requests_to("app.example.com").is_empty(), "nothing may pass before sign-in");
//! world.logs().wait_for("sign-in", std::time::Duration::from_secs(5));
//! ```
//!
//! # How it works
//! `workerd serve` runs with a generated configuration on an ephemeral port of 127.0.0.1, which it reports on a
//! control channel. Everything the Worker can reach (global `fetch`, service bindings to handlers, KV) is one
//! small HTTP/1.1 server in the test process ([`Harness::host`](HarnessBuilder::host) and its siblings say what it
//! answers), so `https://idp.example/…` arrives at a closure without TLS, DNS or network.
//!
//! The runtime is killed when [`Harness`] is dropped, also in a panic; a watchdog kills it when the test process
//! itself is killed.

#![forbid(unsafe_code)]
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "test support: it fails loudly, and runs only where std's clock works"
)]

mod builder;
mod capnp;
mod client;
mod error;
mod exchange;
mod harness;
mod jar;
mod kv;
mod kv_protocol;
mod logs;
mod net;
mod process;
mod reply;
mod request;
mod runtime;
mod server;
mod spec;
mod watched;
mod wire;
mod wrangler;

pub use builder::HarnessBuilder;
pub use client::{Client, RawReply};
pub use error::{ClientError, StartError};
pub use exchange::{BodyWriter, Connection, Request, Response};
pub use harness::Harness;
pub use kv::{Kv, KvCounts, KvFault, KvView};
pub use logs::{LogLine, Logs};
pub use reply::{Reply, StreamingReply};
pub use request::RequestBuilder;
/// What [`RequestBuilder::websocket`] and [`Response::websocket`] speak through.
pub use tungstenite;
pub use wrangler::{Wrangler, WranglerBuilder};

/// The request header by which the client tells the runtime the scheme (`http` or `https`) of the URL it speaks for.
/// The runtime consumes it; the Worker never sees it. Of interest only for [`Client::raw`].
pub const SCHEME_HEADER: &str = "x-harness-scheme";

/// The README's example, compiled with the documentation's own.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
