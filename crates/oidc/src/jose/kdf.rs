//! Derives keys from secrets by HKDF (RFC 5869) with SHA-256: one key for each secret and purpose.

use std::cell::RefCell;
use std::fmt;
use std::iter;
use std::rc::Rc;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::base64url;
use super::jwe::{ContentEncryption, ContentKey};
use super::sign::PrivateKey;
use crate::secret::Secret;

/// Maximum number of derived keys in the cache; the least recently used one is dropped. A deployment uses a handful:
/// the session's and the transaction's for each secret.
const MAX_CACHED_KEYS: usize = 32;

/// The secrets for sealing and opening tokens, newest first. Only the first one seals; all of them open.
pub struct Keyring {
    newest: Secret,
    older: Vec<Secret>,
    /// Derived keys, the most recently used one first.
    cached: RefCell<Vec<CachedKey>>,
}

impl Keyring {
    /// Takes the secrets, newest first. `None` if there is no secret, or if one is empty: anyone could derive the key
    /// of an empty secret.
    pub fn new(mut secrets: Vec<Secret>) -> Option<Self> {
        if secrets.is_empty() || secrets.iter().any(Secret::is_empty) {
            return None;
        }
        let older = secrets.split_off(1);
        Some(Self { newest: secrets.pop()?, older, cached: RefCell::default() })
    }

    /// The newest secret.
    pub fn newest_secret(&self) -> &Secret {
        &self.newest
    }

    /// The secrets, newest first.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        iter::once(&self.newest).chain(&self.older)
    }

    /// The key for this purpose from the newest secret: the key to seal with.
    pub fn newest(&self, purpose: &Purpose<'_>) -> Rc<DerivedKey> {
        self.key(0, &self.newest, purpose)
    }

    /// The keys for this purpose from all secrets, the newest secret's first. The iterator derives each key when it
    /// reaches it, and caches it.
    pub fn keys(&self, purpose: &Purpose<'_>) -> impl Iterator<Item = Rc<DerivedKey>> {
        self.secrets().enumerate().map(move |(index, secret)| self.key(index, secret, purpose))
    }

    fn key(&self, index: usize, secret: &Secret, purpose: &Purpose<'_>) -> Rc<DerivedKey> {
        let mut cached = self.cached.borrow_mut();
        let known = cached.iter().position(|key| key.matches(index, purpose));
        let used = match known {
            Some(at) => cached.remove(at),
            None => CachedKey::new(index, secret, purpose),
        };
        let key = Rc::clone(&used.key);
        cached.truncate(MAX_CACHED_KEYS - 1);
        cached.insert(0, used);
        key
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("newest", &self.newest)
            .field("older", &self.older)
            .finish_non_exhaustive()
    }
}

/// What a key is for. Keys for different purposes are independent of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose<'a> {
    /// The algorithm that uses the key; it determines the key's length.
    pub encryption: ContentEncryption,
    /// HKDF's salt.
    pub salt: &'a str,
    /// HKDF's info.
    pub info: &'a str,
}

/// A key derived from a secret, and its `kid`.
pub struct DerivedKey {
    /// The key.
    pub key: ContentKey,
    /// `kid` as Auth.js computes it: the key's thumbprint (RFC 7638) with the hash function that is as long as the key.
    pub kid: String,
}

impl DerivedKey {
    /// HKDF-SHA-256 of `secret` (RFC 5869 section 2).
    fn new(secret: &Secret, purpose: &Purpose<'_>) -> Self {
        let key = match purpose.encryption {
            ContentEncryption::A128CbcHs256 => {
                ContentKey::A128CbcHs256(derive(secret, purpose.salt, purpose.info))
            }
            ContentEncryption::A256CbcHs512 => {
                ContentKey::A256CbcHs512(derive(secret, purpose.salt, purpose.info))
            }
            ContentEncryption::A256Gcm => ContentKey::A256Gcm(derive(secret, purpose.salt, purpose.info)),
        };
        let kid = match purpose.encryption {
            ContentEncryption::A256CbcHs512 => thumbprint::<Sha512>(&key),
            ContentEncryption::A128CbcHs256 | ContentEncryption::A256Gcm => thumbprint::<Sha256>(&key),
        };
        Self { key, kid }
    }
}

impl DerivedKey {
    /// An identifier for `value` that only a holder of this key can compute: 128 bits in base64url. `purpose` separates
    /// the identifiers of different kinds.
    pub fn derive_id(&self, purpose: &str, value: &str) -> String {
        keyed_id(&expand::<32>(self.key.expose(), "", purpose), value.as_bytes())
    }
}

/// An identifier for `value` that only a holder of `secret` can compute: 128 bits in base64url. `purpose` separates the
/// identifiers of different kinds.
pub fn derive_id(secret: &Secret, purpose: &str, value: &[u8]) -> String {
    keyed_id(&derive::<32>(secret, "", purpose), value)
}

/// The first half of HMAC-SHA-256 (RFC 2104) with a derived key.
fn keyed_id(key: &[u8; 32], value: &[u8]) -> String {
    #[allow(clippy::expect_used, reason = "HMAC accepts keys of any length (RFC 2104 section 2)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(value);
    let digest = mac.finalize().into_bytes();
    base64url::encode(digest.first_chunk::<16>().map_or(&digest[..], |half| &half[..]))
}

/// The thumbprint of a symmetric key (RFC 7638 section 3.2). jwt-compact could compute it, but would leave copies of
/// the key in memory.
fn thumbprint<D: Digest>(key: &ContentKey) -> String {
    let k = Zeroizing::new(base64url::encode(key.expose()));
    let mut hash = D::new();
    for part in ["{\"k\":\"", &k, "\",\"kty\":\"oct\"}"] {
        hash.update(part);
    }
    base64url::encode(&hash.finalize())
}

/// The private key on P-256 that `secret` gives for this purpose, by rejection sampling (FIPS 186-5 appendix A.2.2):
/// the first of the numbered candidates that is in range. That is nearly always the first candidate.
pub fn p256_key(secret: &Secret, purpose: &str) -> PrivateKey {
    let mut number = 0_u32;
    loop {
        let candidate: Zeroizing<[u8; 32]> = derive(secret, "", &format!("{purpose} {number}"));
        if let Some(key) = PrivateKey::p256(&candidate) {
            return key;
        }
        number = number.wrapping_add(1);
    }
}

fn derive<const N: usize>(secret: &Secret, salt: &str, info: &str) -> Zeroizing<[u8; N]> {
    expand(secret.expose().as_bytes(), salt, info)
}

fn expand<const N: usize>(secret: &[u8], salt: &str, info: &str) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0; N]);
    #[allow(
        clippy::expect_used,
        reason = "at most 64 bytes are requested, and HKDF-SHA-256 gives up to 8160"
    )]
    Hkdf::<Sha256>::new(Some(salt.as_bytes()), secret)
        .expand(info.as_bytes(), &mut key[..])
        .expect("HKDF-SHA-256 gives at least 64 bytes");
    key
}

struct CachedKey {
    secret: usize,
    encryption: ContentEncryption,
    salt: String,
    info: String,
    key: Rc<DerivedKey>,
}

impl CachedKey {
    fn new(index: usize, secret: &Secret, purpose: &Purpose<'_>) -> Self {
        Self {
            secret: index,
            encryption: purpose.encryption,
            salt: purpose.salt.to_owned(),
            info: purpose.info.to_owned(),
            key: Rc::new(DerivedKey::new(secret, purpose)),
        }
    }

    fn matches(&self, index: usize, purpose: &Purpose<'_>) -> bool {
        self.secret == index
            && self.encryption == purpose.encryption
            && self.salt == purpose.salt
            && self.info == purpose.info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(secrets: &[&str]) -> Keyring {
        Keyring::new(secrets.iter().copied().map(Secret::new).collect()).unwrap()
    }

    fn purpose(salt: &str) -> Purpose<'_> {
        Purpose { encryption: ContentEncryption::A256CbcHs512, salt, info: "info" }
    }

    /// The vectors of RFC 5869 appendix A are bytes and not text, so keys derived by Auth.js are the vectors.
    #[test]
    fn derived_keys_and_their_kids_equal_those_of_authjs() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/authjs-jwe.json")).unwrap();
        let vectors = vectors.as_array().unwrap();
        assert_eq!(vectors.len(), 6);
        for vector in vectors {
            let keyring = keyring(&[vector["secret"].as_str().unwrap()]);
            let encryption = match vector["dialect"].as_str().unwrap() {
                "v5" => ContentEncryption::A256CbcHs512,
                _ => ContentEncryption::A256Gcm,
            };
            let (salt, info) = (vector["salt"].as_str().unwrap(), vector["info"].as_str().unwrap());
            let derived = keyring.keys(&Purpose { encryption, salt, info }).next().unwrap();
            let key: Vec<u8> = (0..)
                .step_by(2)
                .map_while(|at| vector["key"].as_str().unwrap().get(at..at + 2))
                .map(|byte| u8::from_str_radix(byte, 16).unwrap())
                .collect();
            assert_eq!(derived.key.expose(), key);
            if let Some(kid) = vector.get("kid") {
                assert_eq!(derived.kid, kid.as_str().unwrap());
            }
        }
    }

    #[test]
    fn a_keyring_needs_secrets_that_are_not_empty() {
        assert!(Keyring::new(vec![]).is_none());
        assert!(Keyring::new(vec![Secret::new("")]).is_none());
        assert!(Keyring::new(vec![Secret::new("a"), Secret::new("")]).is_none());
    }

    #[test]
    fn keys_come_in_the_order_of_the_secrets_and_are_cached() {
        let keyring = keyring(&["new", "old"]);
        let first: Vec<_> = keyring.keys(&purpose("a")).collect();
        assert_eq!(first.len(), 2);
        assert_ne!(first[0].kid, first[1].kid);
        let again: Vec<_> = keyring.keys(&purpose("a")).collect();
        assert!(first.iter().zip(&again).all(|(a, b)| Rc::ptr_eq(a, b)));
    }

    #[test]
    fn a_key_in_use_stays_cached_among_any_number_of_others() {
        let keyring = keyring(&["secret"]);
        let session = keyring.keys(&purpose("session")).next().unwrap();
        for n in 0..3 * MAX_CACHED_KEYS {
            let salt = n.to_string();
            let other = keyring.keys(&purpose(&salt)).next().unwrap();
            assert_ne!(other.kid, session.kid);
            assert!(Rc::ptr_eq(&session, &keyring.keys(&purpose("session")).next().unwrap()));
            assert!(keyring.cached.borrow().len() <= MAX_CACHED_KEYS);
        }
    }

    #[test]
    fn each_secret_and_purpose_always_gives_the_same_private_key() {
        let key = |secret: &str, purpose: &str| p256_key(&Secret::new(secret), purpose);
        assert!(key("a", "p").matches(&key("a", "p")));
        assert!(!key("a", "p").matches(&key("b", "p")));
        assert!(!key("a", "p").matches(&key("a", "q")));
    }

    #[test]
    fn debug_output_shows_neither_secrets_nor_keys() {
        let keyring = keyring(&["hunter2"]);
        assert_eq!(keyring.keys(&purpose("a")).count(), 1);
        assert_eq!(format!("{keyring:?}"), "Keyring { newest: [redacted], older: [], .. }");
    }
}
