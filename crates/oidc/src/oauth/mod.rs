//! The client side of OAuth 2 and OpenID Connect as pairs of pure functions: one builds a request, the other reads its
//! response. In between, a flow passes the request to the platform, which sends it.
//!
//! The pairs in the order of a sign-in:
//!
//! | pair | specification |
//! |---|---|
//! | [`discovery`] | OpenID Connect Discovery 1.0 section 4 |
//! | [`authorize`], with [`pkce`] | OpenID Connect Core 1.0 section 3.1.2, RFC 7636, RFC 9207 |
//! | [`request_object`], then [`pushed`], where the provider wants them | RFC 9101, RFC 9126 |
//! | [`jarm`], where the response is signed | JWT Secured Authorization Response Mode |
//! | [`token`], with [`authorization_details`] | RFC 6749 sections 4.1.3 and 6, OpenID Connect Core 1.0 section 3.1.3, RFC 9396 |
//! | [`token_exchange`], for an upstream that needs a token of its own | RFC 8693 |
//! | [`jwks`], then [`id_token`] | OpenID Connect Core 1.0 section 3.1.3.7 |
//! | [`userinfo`] | OpenID Connect Core 1.0 section 5.3 |
//! | [`logout`], only a request | OpenID Connect RP-Initiated Logout 1.0 |
//! | [`revocation`] | RFC 7009 |
//! | [`introspection`], then [`access_token`], of a token that a client sends; with [`dpop_proof`] if it is bound | RFC 7662, RFC 9701, RFC 9068 |
//! | [`dpop`], at the token endpoint and wherever a token is used | RFC 9449 |
//!
//! What a provider sends by itself, to end sessions:
//!
//! | token | specification |
//! |---|---|
//! | [`logout_token`] | OpenID Connect Back-Channel Logout 1.0 |
//! | [`security_event`], with [`subject_id`] and [`transmitter`] | RFC 8417, RFC 8935, RFC 9493; OpenID Shared Signals Framework 1.0, CAEP 1.0 |
//! | [`revocation_request`], with [`subject_id`] | draft-parecki-oauth-global-token-revocation |
//!
//! Each step requires the result of the step before it: a token request needs an
//! [`AuthorizationCode`](authorize::AuthorizationCode), which only a checked response gives, and a userinfo response
//! needs a [`VerifiedIdToken`](id_token::VerifiedIdToken) with the subject that it must have.

pub mod access_token;
pub mod authorization_details;
pub mod authorize;
pub mod client;
mod client_token;
pub mod discovery;
pub mod dpop;
pub mod dpop_proof;
pub mod email;
mod error_body;
pub mod exchange;
pub mod groups;
pub mod id_token;
mod identifier;
pub mod introspection;
pub mod jarm;
pub mod jwks;
pub mod logout;
pub mod logout_token;
pub mod pkce;
pub mod profile;
pub mod provider;
pub mod pushed;
pub mod request_object;
pub mod revocation;
pub mod revocation_request;
pub mod security_event;
pub mod subject_id;
pub mod token;
pub mod token_exchange;
pub mod transmitter;
pub mod userinfo;

#[cfg(test)]
mod testing;
