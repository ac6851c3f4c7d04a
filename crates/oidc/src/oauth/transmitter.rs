//! A transmitter of security events (OpenID Shared Signals Framework 1.0): who may send which users' events, and where its
//! keys are.

use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::url::Url;
use crate::oauth::discovery::{self, DiscoveryError};
use crate::oauth::exchange;
use crate::secret::Secret;

/// A transmitter, as the checked configuration describes it.
#[derive(Clone, Debug)]
pub struct EventTransmitter {
    /// Its issuer identifier, compared byte for byte.
    pub issuer: String,
    /// Where its keys are.
    pub keys: TransmitterKeys,
    /// The audiences of which an event needs one.
    pub audiences: Vec<String>,
    /// The id of the provider whose users its events are about.
    pub provider: String,
    /// What it sends as `Authorization`, if it has to (RFC 8935 section 3).
    pub authorization: Option<Secret>,
    /// Whether it may also revoke all sessions of a user by a request of its own (Global Token Revocation).
    pub may_revoke: bool,
}

/// Where the keys of a transmitter are.
#[derive(Clone, Debug)]
pub enum TransmitterKeys {
    /// At this URL.
    At(Url),
    /// They are those of the provider, which is the transmitter itself.
    OfProvider,
    /// Where its metadata say.
    Discovered,
}

/// The request for a transmitter's metadata (Shared Signals Framework 1.0 section 7.2.1): its address has the path of the
/// issuer at its end.
pub fn metadata_request(issuer: &Url) -> FetchRequest {
    let path = issuer.path().strip_suffix('/').unwrap_or(issuer.path());
    let url = format!("{}/.well-known/ssf-configuration{path}", issuer.origin());
    exchange::get(&url, discovery::TIMEOUT, discovery::LIMIT)
}

/// The address of a transmitter's keys, from its metadata (Shared Signals Framework 1.0 sections 7.1 and 7.2.3).
pub fn parse_metadata(issuer: &str, response: &FetchResponse) -> Result<Url, DiscoveryError> {
    discovery::parse_jwks_uri(issuer, response)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::json_response;

    #[test]
    fn the_metadata_are_at_a_path_before_that_of_the_issuer() {
        for (issuer, url) in [
            ("https://tr.example.com", "https://tr.example.com/.well-known/ssf-configuration"),
            ("https://tr.example.com/", "https://tr.example.com/.well-known/ssf-configuration"),
            (
                "https://tr.example.com/issuer1",
                "https://tr.example.com/.well-known/ssf-configuration/issuer1",
            ),
        ] {
            assert_eq!(metadata_request(&Url::parse(issuer).unwrap()).url, url);
        }
    }

    #[test]
    fn the_metadata_must_name_their_issuer_and_public_keys() {
        let parse = |document| parse_metadata("https://tr.example.com", &json_response(200, &document));
        let keys = "https://tr.example.com/jwks.json";
        let good =
            json!({ "issuer": "https://tr.example.com", "jwks_uri": keys, "delivery_methods_supported": [] });
        assert_eq!(parse(good).unwrap().as_str(), keys);
        let other = json!({ "issuer": "https://tr.example.com/", "jwks_uri": keys });
        assert!(matches!(parse(other), Err(DiscoveryError::IssuerMismatch { .. })));
        let without = json!({ "issuer": "https://tr.example.com" });
        assert_eq!(parse(without), Err(DiscoveryError::Missing("jwks_uri")));
        for inside in ["https://10.0.0.1/jwks", "https://localhost/jwks"] {
            let inside = json!({ "issuer": "https://tr.example.com", "jwks_uri": inside });
            assert!(matches!(parse(inside), Err(DiscoveryError::InternalHost { .. })));
        }
        let insecure =
            json!({ "issuer": "https://tr.example.com", "jwks_uri": "http://tr.example.com/jwks" });
        assert!(matches!(parse(insecure), Err(DiscoveryError::Endpoint { .. })));
    }
}
