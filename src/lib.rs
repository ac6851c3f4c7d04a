//! Vestibule: Auth.js for the edge. One Cloudflare Worker in front of every host of a site signs people in,
//! guards paths and forwards what may pass, with the access token where it is needed.
//!
//! What it does is in [`vestibule_core`]; this crate is the Worker around it: the entry point, the
//! [`Platform`](vestibule_core::platform::Platform) of Cloudflare Workers, WebCrypto, and the Durable Object. Nothing
//! outside of this crate knows JavaScript.
//!
//! # As a library
//!
//! Without the feature `entry` the crate exports no `fetch` handler of its own; a Worker's `#[event(fetch)]` calls
//! `vestibule::fetch`, or `vestibule::fetch_with_hooks` with [`hooks::Hooks`] of its own.

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
#[cfg_attr(not(feature = "entry"), allow(dead_code, reason = "an app's own entry runs its flow by itself"))]
mod executor;
#[cfg(target_arch = "wasm32")]
mod lease;
#[cfg(target_arch = "wasm32")]
mod platform;
pub mod runtime;
#[cfg(target_arch = "wasm32")]
mod webcrypto;

#[cfg(all(target_arch = "wasm32", feature = "entry"))]
pub use crate::entry::entry;
#[cfg(target_arch = "wasm32")]
pub use crate::entry::{fetch, fetch_with_hooks};
#[cfg(target_arch = "wasm32")]
pub use crate::lease::RefreshLease;
pub use vestibule_core::{Vestibule, config, hooks, http, session};
