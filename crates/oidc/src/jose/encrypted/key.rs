//! The private keys for which a provider encrypts: PKCS #8 in PEM, a JSON Web Key, or a set of those.

use serde_json::{Map, Value};
use thiserror::Error;
use zeroize::Zeroizing;

use super::management::KeyManagement;
use crate::jose::base64url;
use crate::jose::jws::Algorithm;
use crate::jose::private_key::{PrivateKey, PrivateKeyError};
use crate::json;
use crate::secret::Secret;

/// More keys are refused: a new key, and the old one until the provider no longer uses it, are enough.
pub const MAX_KEYS: usize = 4;

const END: &str = "-----END PRIVATE KEY-----";

/// A private key that decrypts: RSA, or P-256.
#[derive(Clone, Debug)]
pub struct DecryptionKey {
    kid: Option<String>,
    key: PrivateKey,
}

impl DecryptionKey {
    /// The keys in `text`: one or more PEM blocks, a JSON Web Key, or a JSON Web Key Set.
    pub fn parse_all(text: &Secret) -> Result<Vec<Self>, DecryptionKeyError> {
        let trimmed = text.expose().trim();
        let keys = if trimmed.starts_with('{') { of_json(trimmed)? } else { of_pem(trimmed)? };
        match keys.len() {
            0 => Err(DecryptionKeyError::None),
            1..=MAX_KEYS => Ok(keys),
            _ => Err(DecryptionKeyError::TooMany),
        }
    }

    /// `kid`, if the key has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key.
    pub fn private(&self) -> &PrivateKey {
        &self.key
    }

    /// The algorithm under which the runtime knows the key, for
    /// [`Crypto::public_key`](crate::jose::crypto::Crypto::public_key).
    pub fn algorithm(&self) -> Algorithm {
        if self.is_rsa() { Algorithm::Rs256 } else { Algorithm::Es256 }
    }

    /// Whether it is an RSA key. Such keys are used by a runtime's own cryptography only.
    pub fn is_rsa(&self) -> bool {
        self.key.algorithms().contains(&Algorithm::Rs256)
    }

    /// Whether the key is of the type that this algorithm needs.
    pub fn fits(&self, management: KeyManagement) -> bool {
        match management {
            KeyManagement::RsaOaep256 => self.is_rsa(),
            KeyManagement::EcdhEs | KeyManagement::EcdhEsA256Kw => !self.is_rsa(),
        }
    }

    fn new(kid: Option<String>, key: PrivateKey) -> Result<Self, DecryptionKeyError> {
        let is_usable = [Algorithm::Rs256, Algorithm::Es256].iter().any(|it| key.algorithms().contains(it));
        if is_usable { Ok(Self { kid, key }) } else { Err(DecryptionKeyError::OtherKind) }
    }
}

fn of_pem(text: &str) -> Result<Vec<DecryptionKey>, DecryptionKeyError> {
    let mut keys = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        // A text without another end is not a whole key.
        let end = rest.find(END).map_or(rest.len(), |at| at + END.len());
        let (pem, behind) = rest.split_at(end);
        keys.push(DecryptionKey::new(None, PrivateKey::from_pem(&Secret::new(pem))?)?);
        rest = behind.trim_start_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '\\' | 'n' | 'r'));
    }
    Ok(keys)
}

fn of_json(text: &str) -> Result<Vec<DecryptionKey>, DecryptionKeyError> {
    let object = json::unambiguous_object(text.as_bytes()).ok_or(DecryptionKeyError::Json)?;
    match object.get("keys") {
        None => Ok(vec![of_jwk(&object)?]),
        Some(Value::Array(keys)) => {
            keys.iter().map(|key| of_jwk(key.as_object().ok_or(DecryptionKeyError::Json)?)).collect()
        }
        Some(_) => Err(DecryptionKeyError::Json),
    }
}

/// A private JSON Web Key (RFC 7518 section 6.2.2) on P-256.
fn of_jwk(key: &Map<String, Value>) -> Result<DecryptionKey, DecryptionKeyError> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    match (text("kty"), text("crv")) {
        (Some("EC"), Some("P-256")) => {}
        (Some("RSA"), _) => return Err(DecryptionKeyError::RsaAsJson),
        (Some(_), _) => return Err(DecryptionKeyError::OtherKind),
        (None, _) => return Err(DecryptionKeyError::Json),
    }
    if text("use").is_some_and(|usage| usage != "enc") {
        return Err(DecryptionKeyError::OtherUse);
    }
    let scalar = Zeroizing::new(text("d").and_then(|d| base64url::decode(d).ok()).unwrap_or_default());
    let scalar =
        <[u8; 32]>::try_from(&scalar[..]).map(Zeroizing::new).map_err(|_| DecryptionKeyError::NoScalar)?;
    let key = PrivateKey::p256(&scalar).ok_or(DecryptionKeyError::NoScalar)?;
    DecryptionKey::new(text("kid").map(str::to_owned), key)
}

/// Why the keys cannot be used. The configuration must be changed. No message quotes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecryptionKeyError {
    /// There is no key.
    #[error("there is no key in it")]
    None,
    /// More than [`MAX_KEYS`].
    #[error(
        "there are more than {MAX_KEYS} keys in it: keep the newest, and the one before until the provider no longer uses it"
    )]
    TooMany,
    /// It is not PEM, or not PKCS #8.
    #[error("{0}")]
    Pem(#[from] PrivateKeyError),
    /// It is JSON, but not a private key.
    #[error("it begins like JSON, but it is neither a JSON Web Key (RFC 7517) nor a set of them")]
    Json,
    /// An RSA key in JSON.
    #[error(
        "write an RSA key as PKCS #8 in PEM: `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072`"
    )]
    RsaAsJson,
    /// The JSON Web Key has no private part.
    #[error("the JSON Web Key has no valid d: it is not a private key")]
    NoScalar,
    /// The JSON Web Key is for signatures.
    #[error("the JSON Web Key is not for encryption: its use is not enc")]
    OtherUse,
    /// Another curve or type.
    #[error(
        "a decryption key is RSA, or on the curve P-256: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"
    )]
    OtherKind,
}
