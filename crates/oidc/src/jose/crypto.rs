//! Public-key signatures, which each runtime computes in its own way. This is the only part of JOSE that depends on the
//! runtime.

use thiserror::Error;
pub use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::jwk::Jwk;
use super::private_key::PrivateKey;

/// The signatures of JSON Web Algorithms (RFC 7518 sections 3.3 to 3.5, RFC 8037 section 3.1).
///
/// HMAC is not part of the trait, because its implementation is the same on every runtime
/// ([`jws::verify_hs256`](super::jws::verify_hs256)).
///
/// A signature is the bytes of a JWS signature before they are encoded as base64url. For RSA it is as long as the
/// modulus. For ECDSA it is the numbers R and S, concatenated, each as long as the order of the curve (64 bytes for
/// ES256, 96 for ES384; not ASN.1). For EdDSA it is the 64 bytes of RFC 8032.
///
/// A caller may drop a future at any time and call again: an implementation keeps no state except imported keys.
/// Futures need not be `Send`.
#[allow(async_fn_in_trait, reason = "no executor used here moves these futures between threads")]
pub trait Crypto {
    /// Whether `signature` is the signature of `message` by `key`. `message` is the JWS signing input (RFC 7515 section
    /// 5.2 step 8).
    ///
    /// `algorithm` is one of [`Jwk::algorithms`]. A signature of the wrong length, or one that is malformed, gives
    /// `Ok(false)`. An error means that the key itself cannot be used with any signature: a point that is not on its
    /// curve, or a modulus that the runtime does not support.
    async fn verify(
        &self,
        algorithm: Algorithm,
        key: &Jwk,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, KeyError>;

    /// Signs `message`, the JWS signing input (RFC 7515 section 5.1 step 5).
    ///
    /// Fails if `algorithm` is not one of [`PrivateKey::algorithms`], or if the PKCS #8 does not contain a valid key.
    async fn sign(&self, key: &PrivateKey, algorithm: Algorithm, message: &[u8])
    -> Result<Vec<u8>, KeyError>;

    /// The public key that verifies the signatures of `key` with `algorithm`, without a `kid`. Fails like
    /// [`sign`](Self::sign).
    async fn public_key(&self, key: &PrivateKey, algorithm: Algorithm) -> Result<Jwk, KeyError>;

    /// The secret that `key`, on P-256, shares with a public key on the same curve: the x-coordinate of the product (RFC 7518
    /// section 4.6, NIST SP 800-56A section 5.7.1.2).
    ///
    /// Fails if the point is not on the curve, which must be checked, or if a key is on another one.
    async fn agree(&self, key: &PrivateKey, public: &Jwk) -> Result<Zeroizing<[u8; 32]>, KeyError>;

    /// Decrypts with RSAES-OAEP, SHA-256 and an empty label (RFC 8017 section 7.1.2). `None` if the ciphertext does not
    /// decrypt.
    ///
    /// Only a runtime whose own cryptography does it in constant time has this: one that fails says so with
    /// `Runtime::decrypts_rsa` of the configuration.
    async fn decrypt_oaep(
        &self,
        key: &PrivateKey,
        ciphertext: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError>;
}

/// What has its cryptography from another value, such as a runtime that is around another one.
pub trait WithCrypto {
    /// Its type.
    type Crypto: Crypto;

    /// It.
    fn crypto(&self) -> &Self::Crypto;
}

impl<T: WithCrypto> Crypto for T {
    async fn verify(
        &self,
        algorithm: Algorithm,
        key: &Jwk,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, KeyError> {
        self.crypto().verify(algorithm, key, message, signature).await
    }

    async fn sign(
        &self,
        key: &PrivateKey,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.crypto().sign(key, algorithm, message).await
    }

    async fn public_key(&self, key: &PrivateKey, algorithm: Algorithm) -> Result<Jwk, KeyError> {
        self.crypto().public_key(key, algorithm).await
    }

    async fn agree(&self, key: &PrivateKey, public: &Jwk) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        self.crypto().agree(key, public).await
    }

    async fn decrypt_oaep(
        &self,
        key: &PrivateKey,
        ciphertext: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        self.crypto().decrypt_oaep(key, ciphertext).await
    }
}

/// The key cannot be used. The text is the runtime's own message, which quotes nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the key cannot be used: {0}")]
pub struct KeyError(pub String);
