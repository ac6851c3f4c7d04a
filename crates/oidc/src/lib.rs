//! OAuth 2.0, OpenID Connect, and login APIs that issue tokens, without any I/O.
//!
//! Every function depends on its arguments only: it builds requests, reads responses, seals and opens tokens. The
//! caller sends the requests, reads the clock and draws the random numbers. An implementation of
//! [`jose::crypto::Crypto`] makes and verifies the signatures.
//!
//! The modules in their layers; none imports a module to its right: [`secret`], [`time`], [`json`], [`hex`], [`long_text`] → [`data`] →
//! [`http`] → [`jose`] → [`outbound`] → [`oauth`] → [`credentials`] → [`presets`].

pub mod credentials;
pub mod data;
pub mod hex;
pub mod http;
pub mod jose;
pub mod json;
pub mod long_text;
pub mod oauth;
pub mod outbound;
pub mod presets;
pub mod secret;
pub mod time;
