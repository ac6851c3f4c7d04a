//! Vestibule: Auth.js for the edge, in Rust.

pub mod config;
pub mod guard;
pub mod http;
pub mod jose;
pub mod oauth;
pub mod platform;
pub mod providers;
pub mod secret;
pub mod session;
pub mod time;
