//! Vestibule's core, which runs on any runtime: sessions, the guard, the configuration and the flows.
//!
//! # The flows
//!
//! Every request enters at [`Vestibule::handle`] and takes one of three paths, each of which reads from top to bottom:
//!
//! - **Protect**: `flow/guard/protect`: identify the user ([`session`]) → authorize ([`guard`]) → ensure a valid access
//!   token → forward; or respond with a redirect or a denial.
//! - **Sign in**: `flow/signin/begin` (authorization request, sealed transaction) → the provider →
//!   `flow/signin/callback` (transaction → code → tokens → ID token → session).
//! - **Session**: `flow/session/show` (open the session, renew it if needed, show it).
//!
//! Protect and session refresh the access token if needed: `flow/refresh` ([`lease`] → grant → refreshed tokens).
//!
//! Pure functions decide: [`oauth`] builds requests and reads responses, [`jose`] seals and opens, [`guard`] matches.
//! All input and output goes through [`platform::Platform`], which each runtime implements. The core does not depend
//! on any runtime.

pub mod config;
pub mod error;
pub mod explain;
mod flow;
pub mod guard;
mod handle;
pub mod hooks;
pub mod lease;
pub mod log;
pub mod outcome;
pub mod platform;
pub mod revocation;
pub mod session;
pub mod texts;
pub mod upstream;

pub use vestibule_oidc::{credentials, data, http, jose, json, oauth, outbound, presets, secret, time};

pub use crate::flow::vestibule::Vestibule;
#[cfg(feature = "reference")]
pub use crate::handle::routes;
