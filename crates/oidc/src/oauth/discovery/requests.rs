//! What a provider's metadata say of authorization requests and responses.

use crate::http::url::Url;
use crate::jose::jws::Algorithm;

/// What a provider's metadata say of authorization requests and responses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestMetadata {
    /// `pushed_authorization_request_endpoint` (RFC 9126 section 5).
    pub pushed_authorization_request_endpoint: Option<Url>,
    /// `require_pushed_authorization_requests` (RFC 9126 section 5).
    pub require_pushed_authorization_requests: bool,
    /// `require_signed_request_object` (RFC 9101 section 10.5).
    pub require_signed_request_object: bool,
    /// `authorization_signing_alg_values_supported` (JWT Secured Authorization Response Mode section 4): those that are
    /// supported here; `None` if the provider lists none.
    pub authorization_signing_algorithms: Option<Vec<Algorithm>>,
}

impl RequestMetadata {
    /// The algorithms that an authorization response may be signed with. Without a list each key decides.
    pub fn authorization_algorithms(&self) -> Vec<Algorithm> {
        self.authorization_signing_algorithms.clone().unwrap_or_else(|| Algorithm::ALL.to_vec())
    }
}

/// The algorithms among these names that are supported here.
pub(super) fn supported(names: &[String]) -> Vec<Algorithm> {
    names.iter().filter_map(|name| Algorithm::from_name(name)).collect()
}
