//! Vestibule: Auth.js for the edge. One Cloudflare Worker in front of every host of a site signs users in, guards paths
//! and forwards the requests that it admits, with the access token where the upstream needs it.
//!
//! The behaviour is in [`vestibule_core`]. This crate is the Worker around it: the entry point, the
//! [`Platform`](vestibule_core::platform::Platform) of Cloudflare Workers, WebCrypto, and the Durable Object. Only this
//! crate uses JavaScript.
//!
//! # As a library
//!
//! Without the feature `entry` the crate exports no `fetch` handler. The `#[event(fetch)]` of an application's Worker
//! then calls `vestibule::fetch`, or `vestibule::fetch_with_hooks` with its own implementation of [`hooks::Hooks`].

#[cfg(target_arch = "wasm32")]
mod bridge;
#[cfg(target_arch = "wasm32")]
mod clock;
#[cfg(target_arch = "wasm32")]
mod console;
#[cfg(target_arch = "wasm32")]
mod convert;
#[cfg(target_arch = "wasm32")]
mod entry;
#[cfg(target_arch = "wasm32")]
#[cfg_attr(
    not(feature = "entry"),
    allow(dead_code, reason = "only the feature `entry` uses `executor::run`")
)]
mod executor;
#[cfg(target_arch = "wasm32")]
mod isolate;
#[cfg(target_arch = "wasm32")]
mod lease;
#[cfg(target_arch = "wasm32")]
mod platform;
#[cfg(target_arch = "wasm32")]
mod webcrypto;

#[cfg(all(target_arch = "wasm32", feature = "entry"))]
pub use crate::entry::{configure, entry};
#[cfg(target_arch = "wasm32")]
pub use crate::entry::{fetch, fetch_with_hooks};
#[cfg(target_arch = "wasm32")]
pub use crate::lease::RefreshLease;
pub use vestibule_core::{Vestibule, config, hooks, http, session};
/// The values that the configuration accepts on Cloudflare Workers, and the names of the bindings.
pub use vestibule_workers as runtime;
