//! What may pass, and as what: a request's path is made unambiguous ([`path`]), matched ([`matcher`])
//! against the rules ([`rules`]), and what is forwarded is cleaned of what only Vestibule may say
//! ([`headers`]).

pub mod headers;
pub mod matcher;
pub mod path;
pub mod rules;
