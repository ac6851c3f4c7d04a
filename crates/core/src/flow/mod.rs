//! The flows: one file for each, with its effects in reading order. [`guard`] runs for every guarded path; the other
//! flows answer auth routes.

pub(crate) mod answer;
mod attempts;
mod audit;
pub(crate) mod client_log;
pub(crate) mod context;
pub(crate) mod cors;
pub(crate) mod dpop;
pub(crate) mod form_context;
pub(crate) mod guard;
pub(crate) mod health;
pub(crate) mod host_role;
pub(crate) mod hosts;
pub(crate) mod https;
pub(crate) mod pages;
pub(crate) mod path_memory;
pub(crate) mod provider;
pub(crate) mod refresh;
pub(crate) mod responses;
pub(crate) mod return_page;
pub(crate) mod session;
pub(crate) mod signin;
pub(crate) mod site_cache;
pub(crate) mod vestibule;
pub(crate) mod view;

pub(crate) use context::RequestContext;
pub(crate) use form_context::{FormContext, RouteParams};
