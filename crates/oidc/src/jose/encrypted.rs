//! Tokens that a provider encrypted for this client: JSON Web Encryption (RFC 7516) with key agreement or with RSA. What is
//! inside is a signed token, which has to be verified as if it had come without encryption: anyone can encrypt.
//!
//! Sessions are sealed with another form of JWE ([`jwe`](super::jwe)), which shares the content encryption.

mod key;

use std::fmt;

use aes_kw::KwAes256;
use aes_kw::cipher::KeyInit;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

pub use key::{DecryptionKey, DecryptionKeyError, MAX_KEYS};

use super::crypto::{Crypto, KeyError};
use super::jwe::{ContentEncryption, ContentKey};
use super::jwk::Jwk;
use super::{JoseHeader, base64url};

/// Maximum length of a token in characters, checked before anything is decoded: a token that may be signed, and what
/// base64url adds to it.
pub const MAX_TOKEN: usize = 96 * 1024;

/// Maximum length of an encoded header in characters.
const MAX_HEADER: usize = 4 * 1024;

/// Maximum length of an encrypted key in bytes: that of RSA with 8192 bits.
const MAX_ENCRYPTED_KEY: usize = 1024;

/// Maximum length of `apu` and `apv` in bytes.
const MAX_PARTY_INFO: usize = 512;

/// How the content encryption key is transported: `alg` (RFC 7518 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyManagement {
    /// `RSA-OAEP-256`: RSAES-OAEP with SHA-256 (RFC 7518 section 4.3).
    RsaOaep256,
    /// `ECDH-ES`: key agreement (RFC 7518 section 4.6).
    EcdhEs,
    /// `ECDH-ES+A256KW`: key agreement, and key wrapping (RFC 7518 section 4.6).
    EcdhEsA256Kw,
}

impl KeyManagement {
    /// All of them. `RSA1_5` is not among them: it is open to an oracle (RFC 8017 section 7.2).
    pub const ALL: [Self; 3] = [Self::RsaOaep256, Self::EcdhEs, Self::EcdhEsA256Kw];

    /// The value of `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
        }
    }
}

/// The encryption that a response must have, as it is registered at the provider (OpenID Connect Dynamic Client
/// Registration 1.0 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// `alg`
    pub management: KeyManagement,
    /// `enc`
    pub content: ContentEncryption,
}

/// Decrypts a token that must have this encryption, with the key that it names, or else with each key that fits.
pub async fn decrypt<C: Crypto>(
    crypto: &C,
    token: &str,
    encryption: Encryption,
    keys: &[DecryptionKey],
) -> Result<String, EncryptedTokenError> {
    let token = Parts::parse(token, encryption)?;
    let fitting = || keys.iter().filter(|key| key.fits(encryption.management));
    let is_named = |key: &&DecryptionKey| token.kid.is_some() && key.kid() == token.kid.as_deref();
    let mut candidates: Vec<&DecryptionKey> = fitting().filter(is_named).collect();
    if candidates.is_empty() {
        candidates = fitting().collect();
    }
    let mut error = EncryptedTokenError::NoKey;
    for key in candidates {
        match token.open(crypto, encryption, key).await {
            Ok(plaintext) => {
                return String::from_utf8(plaintext).map_err(|_| EncryptedTokenError::NotText);
            }
            Err(why) => error = why,
        }
    }
    Err(error)
}

/// A token that passed all checks without a key.
struct Parts<'a> {
    kid: Option<String>,
    protected: &'a str,
    encrypted_key: Vec<u8>,
    /// The sender's ephemeral key, for key agreement.
    ephemeral: Option<Jwk>,
    /// `apu` and `apv`
    parties: [Vec<u8>; 2],
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// Parses a compact serialization (RFC 7516 section 5.2, steps 1 to 10).
    fn parse(token: &'a str, encryption: Encryption) -> Result<Self, EncryptedTokenError> {
        use EncryptedTokenError as Error;
        if token.len() > MAX_TOKEN {
            return Err(Error::TokenTooLong);
        }
        let parts: Vec<&str> = token.splitn(6, '.').collect();
        if parts.len() == 3 {
            return Err(Error::NotEncrypted);
        }
        let [protected, encrypted_key, iv, ciphertext, tag] = parts[..] else { return Err(Error::NotCompact) };
        if protected.len() > MAX_HEADER {
            return Err(Error::HeaderTooLong);
        }
        let decoded =
            |part: &str, name: &'static str| base64url::decode(part).map_err(|_| Error::Encoding(name));
        let header = JoseHeader::parse(&decoded(protected, "header")?).ok_or(Error::Header)?;
        let kid = header.kid().map_err(|_| Error::Header)?;
        for name in ["crit", "zip", "b64"] {
            if header.has(name) {
                return Err(Error::Unsupported(name));
            }
        }
        let expected = [("alg", encryption.management.name()), ("enc", encryption.content.name())];
        for (name, expected) in expected {
            let found = header.text(name).ok_or(Error::Header)?;
            if found != expected {
                return Err(Error::Other { name, expected });
            }
        }
        let encrypted_key = decoded(encrypted_key, "encrypted key")?;
        let key_length = encryption.content.key_length();
        let is_key_length = match encryption.management {
            KeyManagement::EcdhEs => encrypted_key.is_empty(),
            // RFC 3394 section 2.2.1.
            KeyManagement::EcdhEsA256Kw => encrypted_key.len() == key_length + 8,
            KeyManagement::RsaOaep256 => (256..=MAX_ENCRYPTED_KEY).contains(&encrypted_key.len()),
        };
        if !is_key_length {
            return Err(Error::Length("encrypted key"));
        }
        let iv = decoded(iv, "initialization vector")?;
        let tag = decoded(tag, "authentication tag")?;
        if iv.len() != encryption.content.iv_length() {
            return Err(Error::Length("initialization vector"));
        }
        // The length must be exact: a truncated tag would be easier to forge.
        if tag.len() != encryption.content.tag_length() {
            return Err(Error::Length("authentication tag"));
        }
        let (ephemeral, parties) = match encryption.management {
            KeyManagement::RsaOaep256 => (None, [Vec::new(), Vec::new()]),
            KeyManagement::EcdhEs | KeyManagement::EcdhEsA256Kw => {
                (Some(ephemeral_key(&header)?), [party(&header, "apu")?, party(&header, "apv")?])
            }
        };
        let ciphertext = decoded(ciphertext, "ciphertext")?;
        Ok(Self { kid, protected, encrypted_key, ephemeral, parties, iv, ciphertext, tag })
    }

    /// Determines the content encryption key, and decrypts (RFC 7516 section 5.2, steps 11 to 16). A wrong key and a wrong
    /// ciphertext give the same error (RFC 7516 section 11.5).
    async fn open<C: Crypto>(
        &self,
        crypto: &C,
        encryption: Encryption,
        key: &DecryptionKey,
    ) -> Result<Vec<u8>, EncryptedTokenError> {
        let length = encryption.content.key_length();
        let content_key = match (encryption.management, &self.ephemeral) {
            (KeyManagement::RsaOaep256, _) => {
                crypto.decrypt_oaep(key.private(), &self.encrypted_key).await.map_err(EncryptedTokenError::Key)?
            }
            (KeyManagement::EcdhEs, Some(ephemeral)) => {
                let shared = crypto.agree(key.private(), ephemeral).await.map_err(EncryptedTokenError::Key)?;
                Some(self.derived(&shared, encryption.content.name(), length))
            }
            (KeyManagement::EcdhEsA256Kw, Some(ephemeral)) => {
                let shared = crypto.agree(key.private(), ephemeral).await.map_err(EncryptedTokenError::Key)?;
                unwrapped(&self.derived(&shared, encryption.management.name(), 32), &self.encrypted_key)
            }
            (KeyManagement::EcdhEs | KeyManagement::EcdhEsA256Kw, None) => None,
        };
        content_key
            .and_then(|bytes| ContentKey::new(encryption.content, &bytes))
            .and_then(|key| key.decrypt(&self.iv, self.protected.as_bytes(), &self.ciphertext, &self.tag))
            .ok_or(EncryptedTokenError::Unauthentic)
    }

    /// The Concat KDF (RFC 7518 section 4.6.2): a key of `length` bytes for `algorithm`.
    fn derived(&self, shared: &[u8; 32], algorithm: &str, length: usize) -> Zeroizing<Vec<u8>> {
        let size = |length: usize| u32::try_from(length).unwrap_or_default().to_be_bytes();
        let mut info = Vec::new();
        for field in [algorithm.as_bytes(), &self.parties[0], &self.parties[1]] {
            info.extend(size(field.len()));
            info.extend(field);
        }
        info.extend(size(length * 8));
        let mut key = Zeroizing::new(Vec::new());
        let mut round = 0_u32;
        while key.len() < length {
            round += 1;
            let hash = Sha256::new().chain_update(round.to_be_bytes()).chain_update(shared).chain_update(&info);
            key.extend_from_slice(&hash.finalize());
        }
        key.truncate(length);
        key
    }
}

/// `epk` (RFC 7518 section 4.6.1.1): a public key on P-256. The runtime checks that its point is on the curve.
fn ephemeral_key(header: &JoseHeader) -> Result<Jwk, EncryptedTokenError> {
    let error = || EncryptedTokenError::EphemeralKey;
    let epk = header.0.get("epk").and_then(Value::as_object).ok_or_else(error)?;
    // Only the point counts: its `alg` and `use`, if there are any, are those of key agreement.
    let member = |name: &str| epk.get(name).cloned().unwrap_or_default();
    if member("kty") != "EC" || member("crv") != "P-256" {
        return Err(error());
    }
    let point = json!({ "kty": "EC", "crv": "P-256", "x": member("x"), "y": member("y") });
    Jwk::parse(&point).map_err(|_| error())
}

/// `apu` or `apv` (RFC 7518 section 4.6.1).
fn party(header: &JoseHeader, name: &'static str) -> Result<Vec<u8>, EncryptedTokenError> {
    if !header.has(name) {
        return Ok(Vec::new());
    }
    let text = header.text(name).ok_or(EncryptedTokenError::Header)?;
    let bytes = base64url::decode(text).map_err(|_| EncryptedTokenError::Encoding(name))?;
    if bytes.len() > MAX_PARTY_INFO { Err(EncryptedTokenError::Length(name)) } else { Ok(bytes) }
}

/// AES Key Wrap (RFC 3394 section 2.2.2). `None` if the key does not unwrap.
fn unwrapped(wrapping: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(vec![0; wrapped.len().checked_sub(8)?]);
    KwAes256::new_from_slice(wrapping).ok()?.unwrap_key(wrapped, &mut key).ok()?;
    Some(key)
}

/// Why an encrypted token is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncryptedTokenError {
    /// It is a signed token without encryption.
    #[error("the token is not encrypted, as the configuration requires of this provider")]
    NotEncrypted,
    /// Longer than [`MAX_TOKEN`].
    #[error("the encrypted token has more than {MAX_TOKEN} characters")]
    TokenTooLong,
    /// Not five parts.
    #[error("the token is not a compact JWE: it does not have five parts (RFC 7516 section 7.1)")]
    NotCompact,
    /// The header is too long.
    #[error("the encrypted token's header has more than {MAX_HEADER} characters")]
    HeaderTooLong,
    /// That part is not base64url.
    #[error("the encrypted token's {0} is not base64url without padding")]
    Encoding(&'static str),
    /// The header is not a JSON object with `alg` and `enc`, each once and a string.
    #[error("the encrypted token's header is not a JSON object with the strings alg and enc, each once")]
    Header,
    /// A header parameter that is not supported: compression, or an extension.
    #[error("the encrypted token has the header parameter {0}, which is not supported")]
    Unsupported(&'static str),
    /// `alg` or `enc` is not the configured one.
    #[error("the encrypted token's {name} is not {expected}, which the configuration requires")]
    Other {
        /// The name of the parameter.
        name: &'static str,
        /// The configured value.
        expected: &'static str,
    },
    /// `epk` is not a public key on P-256.
    #[error("the encrypted token's epk is not a public key on P-256")]
    EphemeralKey,
    /// That part does not have the length that `alg` and `enc` require.
    #[error("the encrypted token's {0} has the wrong length for its alg and enc")]
    Length(&'static str),
    /// No key is for this `alg`.
    #[error("there is no decryption key for the encrypted token's alg")]
    NoKey,
    /// The runtime cannot use the key, or the token's `epk`.
    #[error("the encrypted token cannot be decrypted: {0}")]
    Key(#[source] KeyError),
    /// Encrypted for another key, or altered.
    #[error("the encrypted token was altered, or encrypted for another key than those of AUTH_<ID>_DECRYPTION_KEY")]
    Unauthentic,
    /// What is inside is not text.
    #[error("what the encrypted token has inside is not text")]
    NotText,
}

impl fmt::Display for KeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
