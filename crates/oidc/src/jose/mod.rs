//! JOSE (RFC 7515 to RFC 7519), without I/O. [`jwe`] seals sessions, [`encrypted`] opens what providers encrypt, [`jws`] verifies what providers sign, [`jwk`]
//! parses their keys, [`kdf`] derives our keys from the secrets, [`sign`] creates tokens that others verify. The
//! runtime computes public-key signatures ([`crypto`]).
//!
//! This module knows nothing of cookies, of the meaning of claims, or of the network. It supports only the algorithms
//! that are needed: direct encryption, key agreement and RSA-OAEP with three content encryptions, and nine asymmetric
//! signature algorithms. Every other `alg` and `enc` is rejected.

mod algorithm;
pub mod base64url;
pub mod crypto;
pub mod encrypted;
pub mod jwe;
pub mod jwk;
pub mod jws;
pub mod kdf;
mod private_key;
pub mod sign;
#[cfg(feature = "software-crypto")]
pub mod software;
pub mod times;

use serde_json::{Map, Value};

use crate::json;

/// A JOSE header (RFC 7515 section 4): a JSON object without duplicate names, which two parsers could read differently.
struct JoseHeader(Map<String, Value>);

impl JoseHeader {
    fn parse(json: &[u8]) -> Option<Self> {
        json::unambiguous_object(json).map(Self)
    }

    /// A parameter that must be present and a string.
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// `kid`, which is optional but must be a string; `null` is an error.
    fn kid(&self) -> Result<Option<String>, NotAStringError> {
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(NotAStringError);
        self.0.get("kid").map(text).transpose()
    }

    /// `typ` (RFC 7515 section 4.1.9). A value that is not a string is returned as JSON, which equals no expected type;
    /// `null` counts as absent.
    fn typ(&self) -> Option<String> {
        let typ = self.0.get("typ").filter(|typ| !typ.is_null())?;
        Some(typ.as_str().map_or_else(|| typ.to_string(), str::to_owned))
    }

    /// Whether a parameter is present, even as `null`: for parameters that are rejected with any value.
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// A header parameter is present and not a string.
struct NotAStringError;
