//! The access tokens that clients may send.

use std::time::Duration;

use serde_json::Value;

use crate::http::url::Url;

/// Which access tokens clients may send instead of a session.
#[derive(Clone, Debug, Default)]
pub struct AcceptBearer {
    /// The audiences of which a token needs one.
    pub audiences: Vec<String>,
    /// Claims, and values of each of which a token needs one. They distinguish access tokens from the provider's other
    /// tokens.
    pub access_token_claims: Vec<(String, Vec<Value>)>,
    /// How the provider is asked about tokens that are no JWTs; `None` if such tokens are not accepted.
    pub introspection: Option<IntrospectionConfig>,
    /// Whether proofs of possession need a nonce of this site (RFC 9449 section 9).
    pub dpop_nonce: bool,
    /// Whether a client without a user counts as a user; `None` if that depends on the rules.
    pub clients_are_users: Option<bool>,
    /// Claims, and values of each of which a token needs one, that mark a token of a client without a user.
    pub client_claims: Vec<(String, Vec<Value>)>,
}

/// How a provider is asked about access tokens (RFC 7662).
#[derive(Clone, Debug)]
pub struct IntrospectionConfig {
    /// The endpoint; `None` if it comes from the metadata.
    pub endpoint: Option<Url>,
    /// How long an answer counts, at most.
    pub cached_for: Duration,
    /// Whether answers must be signed (RFC 9701), or must not be; `None` if that depends on the metadata.
    pub is_signed: Option<bool>,
}
