//! The members of a key (RFC 7517 section 4), before they are interpreted.

use serde_json::{Map, Value};
use thiserror::Error;

/// The members of a key. Private members are never read.
pub(super) struct Members<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Members<'a> {
    /// A member that must be a string if it is present; `null` counts as absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, JwkError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(JwkError::Malformed),
        }
    }

    /// Whether `key_ops` contains that operation, or is absent.
    pub(super) fn operations_allow(&self, operation: &str) -> Result<bool, JwkError> {
        match self.0.get("key_ops") {
            None | Some(Value::Null) => Ok(true),
            Some(Value::Array(all)) if all.iter().all(Value::is_string) => {
                Ok(all.iter().any(|one| one == operation))
            }
            Some(_) => Err(JwkError::Malformed),
        }
    }
}

/// Why a key cannot verify signatures. It need not be an error of the provider: most such keys are for other uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JwkError {
    /// A member is missing, not of its type, or not base64url of the right length.
    #[error("the key is malformed: a member is missing, of another type, or has the wrong length")]
    Malformed,
    /// `use` or `key_ops` says that the key is for another use.
    #[error("the key is not for verifying signatures: its use is not sig, or its key_ops lack verify")]
    OtherUse,
    /// No supported algorithm fits its type, its curve and its `alg`.
    #[error("no supported algorithm fits the key's kty, crv and alg")]
    Algorithm,
    /// An RSA modulus that is too short to be secure, or so long that verifying takes too much time.
    #[error("the key's RSA modulus has {0} bits; 2048 to 8192 are supported")]
    ModulusSize(usize),
    /// An RSA exponent that is not valid for signatures.
    #[error("the key's RSA exponent is not an odd number from 3 to 2^32")]
    Exponent,
}
