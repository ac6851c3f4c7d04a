//! Starts a built Cloudflare Worker in the real runtime (`workerd`) for a Rust test.
//!
//! A test says which configuration the Worker has, which handlers answer for its bindings and for the hosts that it calls,
//! what a browser sends, and what it expects. The API is blocking Rust without an async runtime.
//!
//! ```no_run
//! use miniflare_test_harness::{Harness, Request, Response};
//!
//! let harness = Harness::from_wrangler("wrangler.toml")
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
//! let browser = harness.client();
//! let reply = browser.get("https://app.example.com/dashboard").navigation().send();
//! assert_eq!(reply.status, 302);
//! assert!(harness.requests_to("app.example.com").is_empty(), "nothing may pass before sign-in");
//! harness.logs().wait_for("sign-in", std::time::Duration::from_secs(5));
//! ```
//!
//! # How it works
//! `workerd serve` runs with a generated configuration on an ephemeral port of 127.0.0.1, and reports the port on a control
//! channel. One small HTTP/1.1 server in the test process answers everything that the Worker can reach: global `fetch`,
//! service bindings with handlers, and KV. [`HarnessBuilder::host`] and similar functions set the handlers. So a request
//! to `https://idp.example/…` reaches a closure without TLS, DNS or network.
//!
//! Dropping [`Harness`] kills the runtime, also during a panic. A watchdog kills it if the test process itself is killed.

#![forbid(unsafe_code)]
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "test support: it panics to fail a test, and never runs on wasm32"
)]

mod builder;
mod capnp;
mod client;
mod client_response;
mod error;
mod handler;
mod harness;
mod jar;
mod kv;
mod kv_protocol;
mod logs;
mod net;
mod process;
mod request;
mod runtime;
mod server;
mod spec;
mod watched;
mod wire;
mod workerd;
mod wrangler;

pub use builder::HarnessBuilder;
pub use client::{Client, RawResponse};
pub use client_response::{ClientResponse, StreamedResponse};
pub use error::{ClientError, StartError};
pub use handler::{BodyWriter, Connection, Request, Response};
pub use harness::Harness;
pub use kv::{Kv, KvCounts, KvFault, KvView};
pub use logs::{LogLine, Logs};
pub use process::GuardedProcess;
pub use request::RequestBuilder;
pub use runtime::{Command, Launch, Running, Runtime};
/// The WebSocket library of [`RequestBuilder::websocket`] and [`Response::websocket`].
pub use tungstenite;
pub use workerd::Workerd;
pub use wrangler::{Wrangler, WranglerBuilder};

/// The request header by which the client tells the runtime the scheme (`http` or `https`) of the request's URL. The runtime
/// removes it, so the Worker never sees it. Only needed for [`Client::raw`].
pub const SCHEME_HEADER: &str = "x-harness-scheme";

/// Compiles the README's example together with the documentation's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
