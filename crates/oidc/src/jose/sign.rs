//! Creates tokens that others verify: JSON Web Signatures (RFC 7515) by a private key.
//!
//! The runtime computes the signature ([`Crypto::sign`]), so there is no arithmetic with secret numbers here. The
//! runtime may do that asynchronously. jwt-compact only signs synchronously, so it is not used for these tokens.

use serde_json::{Value, json};

use super::base64url;
use super::crypto::{Crypto, KeyError};
use super::jws::Algorithm;
pub use super::private_key::{PrivateKey, PrivateKeyError};

/// Signs `claims` and returns the compact serialization (RFC 7515 section 5.1). `typ` distinguishes tokens for
/// different purposes (RFC 8725 section 3.11). `kid` names the key of the signer that verifies the token.
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
    sign_with_header(crypto, key, algorithm, &header, claims).await
}

/// The same with the whole `header`, a JSON object whose `alg` is the name of `algorithm`.
pub async fn sign_with_header<C: Crypto>(
    crypto: &C,
    key: &PrivateKey,
    algorithm: Algorithm,
    header: &Value,
    claims: &Value,
) -> Result<String, KeyError> {
    let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
    let mut token = format!("{}.{}", part(header), part(claims));
    let signature = crypto.sign(key, algorithm, token.as_bytes()).await?;
    token.push('.');
    token.push_str(&base64url::encode(&signature));
    Ok(token)
}
