//! What a provider's metadata say of token introspection.

use crate::http::url::Url;
use crate::jose::jws::Algorithm;

/// What a provider's metadata say of token introspection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntrospectionMetadata {
    /// `introspection_endpoint` (RFC 8414 section 2).
    pub endpoint: Option<Url>,
    /// `introspection_signing_alg_values_supported` (RFC 9701 section 7): those that are supported here; `None` if the
    /// provider lists none.
    pub signing_algorithms: Option<Vec<Algorithm>>,
}

impl IntrospectionMetadata {
    /// The algorithms that a signed answer may have. Without a list each key decides.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        self.signing_algorithms.clone().unwrap_or_else(|| Algorithm::ALL.to_vec())
    }
}
