//! The guard: which requests may pass, and what is forwarded.
//!
//! A request's path is checked to be unambiguous ([`path`]) and matched ([`matcher`]) against the rules ([`rules`]).
//! The [`route`] says where the request goes. Headers that only Vestibule may set are removed from it ([`headers`]).

pub mod budget;
pub mod challenge;
pub mod client_headers;
pub mod conditions;
pub mod cors;
pub mod cross_origin;
pub mod decision;
pub mod forward_auth;
pub mod headers;
pub mod hops;
pub mod matcher;
mod method;
pub mod path;
pub mod principals;
pub mod readings;
mod regexp;
pub mod requirements;
pub mod resource;
pub mod route;
pub mod rules;
pub mod server_function;
mod step_up;
pub mod trace;
