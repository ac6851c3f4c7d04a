//! What can be wrong with a provider's document.

use thiserror::Error;

use crate::http::origin::EndpointError;
use crate::oauth::exchange::HttpResponseError;

/// Why a provider's metadata cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DiscoveryError {
    /// The response is not a successful JSON object.
    #[error("discovery: {0}")]
    Response(#[from] HttpResponseError),
    /// The document names another issuer. In most cases the configuration is wrong.
    #[error("{}", mismatch(.configured, .found))]
    IssuerMismatch {
        /// The configured issuer.
        configured: String,
        /// The issuer that the document names.
        found: String,
    },
    /// A required member is missing.
    #[error("discovery: the provider's document lacks {0:?}")]
    Missing(&'static str),
    /// A member has the wrong type, or is too long.
    #[error("discovery: {0:?} in the provider's document must be {1}")]
    Malformed(&'static str, &'static str),
    /// A member is not accepted as the URL of an endpoint.
    #[error("discovery: {member:?} in the provider's document is rejected: {cause}")]
    Endpoint {
        /// The member's name.
        member: &'static str,
        /// What is wrong with it.
        cause: EndpointError,
    },
    /// An endpoint is an IP address or `localhost`, and the issuer is not.
    #[error(
        "discovery: {member:?} in the provider's document points at {host}: an IP address or localhost is \
         accepted only where the issuer is one itself"
    )]
    InternalHost {
        /// The member's name.
        member: &'static str,
        /// The host of the endpoint.
        host: String,
    },
}

impl DiscoveryError {
    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Response(error) if error.is_temporary())
    }
}

fn mismatch(configured: &str, found: &str) -> String {
    let fix = if configured.strip_suffix('/') == Some(found) {
        format!("the configured one has a slash too many at its end: set issuer = {found:?}")
    } else if found.strip_suffix('/') == Some(configured) {
        format!("the configured one lacks the slash at its end: set issuer = {found:?}")
    } else {
        "they must be equal, byte for byte".to_owned()
    };
    format!("discovery: the provider calls itself {found:?}, the configured issuer is {configured:?}; {fix}")
}
