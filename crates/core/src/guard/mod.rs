//! What may pass, and as what: a request's path is made unambiguous ([`path`]), matched ([`matcher`])
//! against the rules ([`rules`]), and what is forwarded ([`route`]) is cleaned of what only Vestibule may say
//! ([`headers`]).

pub mod budget;
pub mod conditions;
pub mod cross_origin;
pub mod decision;
pub mod forward_auth;
pub mod headers;
pub mod matcher;
pub mod path;
pub mod readings;
mod regexp;
pub mod requirements;
pub mod route;
pub mod rules;
pub mod server_function;
