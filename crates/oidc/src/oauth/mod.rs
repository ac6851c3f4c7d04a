//! The client side of OAuth 2 and OpenID Connect as pure pairs: one function builds a request, the other reads its
//! response. Nothing here performs an effect; a flow hands the request to the platform in between.
//!
//! In the order of a sign-in:
//!
//! | pair | specification |
//! |---|---|
//! | [`discovery`] | OpenID Connect Discovery 1.0 section 4 |
//! | [`authorize`], with [`pkce`] | OpenID Connect Core 1.0 section 3.1.2, RFC 7636, RFC 9207 |
//! | [`token`] | RFC 6749 sections 4.1.3 and 6, OpenID Connect Core 1.0 section 3.1.3 |
//! | [`jwks`], then [`id_token`] | OpenID Connect Core 1.0 section 3.1.3.7 |
//! | [`userinfo`] | OpenID Connect Core 1.0 section 5.3 |
//! | [`logout`], a request alone | OpenID Connect RP-Initiated Logout 1.0 |
//!
//! Each step needs what the one before it leaves behind: no token request without an
//! [`AuthorizationCode`](authorize::AuthorizationCode), which only a checked response yields; no userinfo
//! without a [`VerifiedIdToken`](id_token::VerifiedIdToken) to compare its subject with.

pub mod access_token;
pub mod authorize;
pub mod client;
pub mod discovery;
mod error_body;
pub mod exchange;
pub mod id_token;
pub mod jwks;
pub mod logout;
pub mod pkce;
pub mod provider;
pub mod token;
pub mod userinfo;

#[cfg(test)]
mod testing;
