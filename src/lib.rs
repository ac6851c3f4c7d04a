//! Vestibule: Auth.js for the edge, in Rust.

pub mod http;
pub mod secret;
pub mod time;
