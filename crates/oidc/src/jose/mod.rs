//! JOSE: bytes in, bytes out. [`jwe`] seals the session, [`jws`] checks what providers signed, [`jwk`] holds
//! their keys, [`kdf`] makes ours from the secrets, [`sign`] makes tokens that others check. The arithmetic
//! of public keys is the runtime's ([`crypto`]).
//!
//! Nothing here knows cookies, claims' meanings or the network. What is supported is what the two sides
//! need and no more: direct encryption with two content encryptions, and nine asymmetric signature
//! algorithms; every other `alg` and `enc` is refused by name.

mod algorithm;
pub mod base64url;
pub mod crypto;
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

/// A JOSE header (RFC 7515 section 4): an object without a name that is there twice, of which two readers could
/// understand different things.
struct JoseHeader(Map<String, Value>);

impl JoseHeader {
    fn parse(json: &[u8]) -> Option<Self> {
        json::unambiguous_object(json).map(Self)
    }

    /// A parameter that must be there and a string.
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// `kid`, which may be left out but is a string where it is there: `null` is none.
    fn kid(&self) -> Result<Option<String>, NotAStringError> {
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(NotAStringError);
        self.0.get("kid").map(text).transpose()
    }

    /// `typ` (RFC 7515 section 4.1.9). What is no string stands for its JSON, which is no type that anybody expects;
    /// `null` is none.
    fn typ(&self) -> Option<String> {
        let typ = self.0.get("typ").filter(|typ| !typ.is_null())?;
        Some(typ.as_str().map_or_else(|| typ.to_string(), str::to_owned))
    }

    /// Whether a parameter is there at all, `null` included: for those that are refused whatever they say.
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// A header parameter that is there and not a string.
struct NotAStringError;
