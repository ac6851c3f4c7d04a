//! Public-key signatures, which each runtime computes in its own way: the one thing that JOSE asks of it.

use thiserror::Error;

use super::algorithm::Algorithm;
use super::jwk::Jwk;
use super::private_key::PrivateKey;

/// The signatures of JSON Web Algorithms (RFC 7518 sections 3.3 to 3.5, RFC 8037 section 3.1).
///
/// HMAC is not among them: it is the same everywhere ([`jws::verify_hs256`](super::jws::verify_hs256)).
///
/// A signature is the bytes of a JWS signature before base64url: for RSA as long as the modulus, for ECDSA the two
/// numbers R and S one behind the other, each as long as the curve's order (64 bytes for ES256, 96 for ES384; not
/// ASN.1), for EdDSA the 64 bytes of RFC 8032.
///
/// A future that is dropped has changed nothing: nothing is kept but an imported key, and the same call may be made
/// again. Futures need not be `Send`.
#[allow(async_fn_in_trait, reason = "no executor of ours moves these futures between threads")]
pub trait Crypto {
    /// Whether `signature` is the one of `key` over `message`, the JWS signing input (RFC 7515 section 5.2 step 8).
    ///
    /// `algorithm` is one of the key's own ([`Jwk::algorithms`]). A signature of the wrong length, or one that is no
    /// signature at all, is `Ok(false)`. An error says that the key itself cannot be used, whatever the signature: a
    /// point that is not on its curve, a modulus that the runtime does not take.
    async fn verify(
        &self,
        algorithm: Algorithm,
        key: &Jwk,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, KeyError>;

    /// Signs `message`, the JWS signing input (RFC 7515 section 5.1 step 5).
    ///
    /// An error where `algorithm` is none of the key's own ([`PrivateKey::algorithms`]), or its PKCS #8 holds no key.
    async fn sign(&self, key: &PrivateKey, algorithm: Algorithm, message: &[u8])
    -> Result<Vec<u8>, KeyError>;

    /// The public key that checks what `key` signs with `algorithm`, without a `kid`. Errors as for
    /// [`sign`](Self::sign).
    async fn public_key(&self, key: &PrivateKey, algorithm: Algorithm) -> Result<Jwk, KeyError>;
}

/// A key that cannot be used for what it is asked for; the runtime's own words, which quote nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the key cannot be used: {0}")]
pub struct KeyError(pub String);
