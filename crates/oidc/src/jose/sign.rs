//! Tokens of our own that others check: JSON Web Signatures (RFC 7515) by a private key.
//!
//! The signature is the runtime's ([`Crypto::sign`]), so no arithmetic with a secret number is here. It may be made
//! asynchronously, so jwt-compact, which wants it at once, does not put these tokens together.

use serde_json::{Value, json};

use super::base64url;
use super::crypto::{Crypto, KeyError};
use super::jws::Algorithm;
pub use super::private_key::{PrivateKey, PrivateKeyError};

/// Makes a compact serialization (RFC 7515 section 5.1) of `claims`. `typ` keeps apart tokens for different
/// purposes (RFC 8725 section 3.11), `kid` says with which of the signer's keys to check it.
pub async fn sign<C: Crypto>(
    crypto: &C,
    key: &PrivateKey,
    algorithm: Algorithm,
    typ: &str,
    kid: Option<&str>,
    claims: &Value,
) -> Result<String, KeyError> {
    let header = match kid {
        Some(kid) => json!({ "alg": algorithm.name(), "typ": typ, "kid": kid }),
        None => json!({ "alg": algorithm.name(), "typ": typ }),
    };
    let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
    let mut token = format!("{}.{}", part(&header), part(claims));
    let signature = crypto.sign(key, algorithm, token.as_bytes()).await?;
    token.push('.');
    token.push_str(&base64url::encode(&signature));
    Ok(token)
}
