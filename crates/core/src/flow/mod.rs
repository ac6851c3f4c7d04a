//! One file per flow, its effects in reading order. [`guard`] is what every page passes; the others are the auth
//! routes.

pub(crate) mod answer;
pub(crate) mod asked;
pub(crate) mod client_log;
pub(crate) mod exchange;
pub(crate) mod guard;
pub(crate) mod hosts;
pub(crate) mod pages;
pub(crate) mod provider;
pub(crate) mod refresh;
pub(crate) mod responses;
pub(crate) mod session;
pub(crate) mod signin;
pub(crate) mod standing;
pub(crate) mod vestibule;
pub(crate) mod visit;

pub(crate) use exchange::Exchange;
pub(crate) use visit::{Input, Visit};
