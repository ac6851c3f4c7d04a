//! JOSE: bytes in, bytes out. [`jwe`] seals the session, [`jws`] checks what providers signed, [`jwk`] holds
//! their keys, [`kdf`] makes ours from the secrets, [`sign`] makes tokens that others check.
//!
//! Nothing here knows cookies, claims' meanings or the network. What is supported is what the two sides
//! need and no more: direct encryption with two content encryptions, and nine asymmetric signature
//! algorithms; every other `alg` and `enc` is refused by name.

pub mod base64url;
pub mod jwe;
pub mod jwk;
pub mod jws;
pub mod kdf;
pub mod sign;

use serde::{Deserialize, Deserializer, de::IgnoredAny};

/// Whether a header parameter is there at all, `null` included: for those that are refused whatever they say.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// A header parameter that may be left out but is a string where it is there: `null` is none.
fn string<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}
