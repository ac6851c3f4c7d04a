//! The guard. [`protect`] decides about a request and forwards it; [`forward_auth`] takes the same steps and gives the
//! decision to another proxy, which forwards.

mod access;
pub(crate) mod admission;
pub(crate) mod assertion;
pub(crate) mod assertion_keys;
mod audit;
pub(crate) mod bearer;
mod bound_token;
pub(crate) mod denied;
pub(crate) mod forward;
pub(crate) mod forward_auth;
pub(crate) mod icon;
mod metrics;
pub(crate) mod protect;
mod upstream_cookies;
