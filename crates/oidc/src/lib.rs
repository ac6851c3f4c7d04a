//! OAuth 2.0, OpenID Connect, and APIs that issue tokens, without any I/O.
//!
//! Everything here is a function of what it is given: it builds requests, reads responses, seals and opens tokens. Who
//! sends the requests, reads the clock and draws random numbers is the caller; signatures are made and checked by what
//! implements [`jose::crypto::Crypto`].
//!
//! From the ground up, and nothing imports what stands to its right: [`secret`], [`time`], [`json`] → [`data`] → [`http`]
//! → [`jose`] → [`outbound`] → [`oauth`] → [`credentials`] → [`presets`].

pub mod credentials;
pub mod data;
pub mod http;
pub mod jose;
pub mod json;
pub mod oauth;
pub mod outbound;
pub mod presets;
pub mod secret;
pub mod time;
