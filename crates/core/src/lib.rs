//! What Vestibule does, on any runtime: sessions, the guard, the configuration and the flows.
//!
//! # The flows
//!
//! Every request enters at [`Vestibule::handle`] and takes one of three paths; each can be read top to
//! bottom:
//!
//! - **Protect**: `handle` → `flow/guard/protect`: identify ([`session`]) → authorize ([`guard`]) → ensure a token →
//!   forward; or a redirect, or a refusal.
//! - **Sign in**: `flow/signin/begin` (authorization request, sealed transaction) → the provider →
//!   `flow/signin/callback` (transaction → code → tokens → ID token → session).
//! - **Session**: `flow/session/show` (open, renew when due, show).
//! - **Refresh**, on the way through protect and session: `flow/refresh` (due? → [`lease`] → grant → successor).
//!
//! Pure functions decide: [`oauth`] builds requests and reads responses, [`jose`] seals and opens, [`guard`]
//! matches. Whatever touches the world goes through [`platform::Platform`], which each runtime implements; nothing
//! here knows which one it is.

pub mod config;
pub mod error;
pub mod explain;
mod flow;
pub mod guard;
mod handle;
pub mod hooks;
pub mod lease;
pub mod platform;
pub mod reply;
pub mod session;
pub mod upstream;

pub use vestibule_oidc::{credentials, data, http, jose, json, oauth, outbound, presets, secret, time};

pub use crate::flow::vestibule::Vestibule;
#[cfg(feature = "reference")]
pub use crate::handle::routes;
