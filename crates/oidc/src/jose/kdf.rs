//! From secrets to keys: HKDF (RFC 5869) with SHA-256, one key for each secret and purpose.

use std::cell::RefCell;
use std::fmt;
use std::iter;
use std::rc::Rc;

use hkdf::Hkdf;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::base64url;
use super::jwe::{ContentEncryption, ContentKey};
use super::sign::PrivateKey;
use crate::secret::Secret;

/// So many derived keys are remembered, those used last. A deployment uses a handful: a session's and a
/// transaction's, for each secret.
const REMEMBERED: usize = 32;

/// The secrets that seal and open, newest first: the first seals, all open.
pub struct Keyring {
    newest: Secret,
    older: Vec<Secret>,
    /// The one used last comes first.
    remembered: RefCell<Vec<Remembered>>,
}

impl Keyring {
    /// Takes the secrets, the newest first. `None` where there is none, or an empty one is among them: it
    /// would seal with a key that anybody can make.
    pub fn new(mut secrets: Vec<Secret>) -> Option<Self> {
        if secrets.is_empty() || secrets.iter().any(Secret::is_empty) {
            return None;
        }
        let older = secrets.split_off(1);
        Some(Self { newest: secrets.pop()?, older, remembered: RefCell::default() })
    }

    /// The newest secret.
    pub fn newest_secret(&self) -> &Secret {
        &self.newest
    }

    /// The secrets, the newest first.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        iter::once(&self.newest).chain(&self.older)
    }

    /// The key that the newest secret gives for this purpose: the one to seal with.
    pub fn newest(&self, purpose: &Purpose<'_>) -> Rc<DerivedKey> {
        self.key(0, &self.newest, purpose)
    }

    /// The key that each secret gives for this purpose, the newest secret's first. Each is made when the
    /// iterator comes to it, and remembered.
    pub fn keys(&self, purpose: &Purpose<'_>) -> impl Iterator<Item = Rc<DerivedKey>> {
        self.secrets().enumerate().map(move |(index, secret)| self.key(index, secret, purpose))
    }

    fn key(&self, index: usize, secret: &Secret, purpose: &Purpose<'_>) -> Rc<DerivedKey> {
        let mut remembered = self.remembered.borrow_mut();
        let known = remembered.iter().position(|r| r.is(index, purpose));
        let used = match known {
            Some(at) => remembered.remove(at),
            None => Remembered::new(index, secret, purpose),
        };
        let key = Rc::clone(&used.key);
        remembered.truncate(REMEMBERED - 1);
        remembered.insert(0, used);
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

/// What a key is for. Keys for different purposes have nothing to do with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose<'a> {
    /// The algorithm it is used with; it decides the length.
    pub encryption: ContentEncryption,
    /// HKDF's salt.
    pub salt: &'a str,
    /// HKDF's info.
    pub info: &'a str,
}

/// A key made from a secret, and its name.
pub struct DerivedKey {
    /// The key.
    pub key: ContentKey,
    /// `kid` as Auth.js makes it: the key's thumbprint (RFC 7638) under the hash whose length is the key's.
    pub kid: String,
}

impl DerivedKey {
    /// HKDF-SHA-256 of `secret` (RFC 5869 section 2).
    fn new(secret: &Secret, purpose: &Purpose<'_>) -> Self {
        let key = match purpose.encryption {
            ContentEncryption::A256CbcHs512 => {
                ContentKey::A256CbcHs512(derive(secret, purpose.salt, purpose.info))
            }
            ContentEncryption::A256Gcm => ContentKey::A256Gcm(derive(secret, purpose.salt, purpose.info)),
        };
        let kid = match purpose.encryption {
            ContentEncryption::A256CbcHs512 => thumbprint::<Sha512>(&key),
            ContentEncryption::A256Gcm => thumbprint::<Sha256>(&key),
        };
        Self { key, kid }
    }
}

/// The thumbprint of a symmetric key (RFC 7638 section 3.2), for which jwt-compact would leave copies of the key in
/// memory.
fn thumbprint<D: Digest>(key: &ContentKey) -> String {
    let k = Zeroizing::new(base64url::encode(key.expose()));
    let mut hash = D::new();
    for part in ["{\"k\":\"", &k, "\",\"kty\":\"oct\"}"] {
        hash.update(part);
    }
    base64url::encode(&hash.finalize())
}

/// The private key on P-256 that `secret` gives for a purpose of that name, by rejection sampling (FIPS 186-5
/// appendix A.2.2): of numbered candidates the first that is in range, which nearly always is the first of all.
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
    let mut key = Zeroizing::new([0; N]);
    #[allow(clippy::expect_used, reason = "64 bytes at most, where HKDF-SHA-256 gives 8160")]
    Hkdf::<Sha256>::new(Some(salt.as_bytes()), secret.expose().as_bytes())
        .expand(info.as_bytes(), &mut key[..])
        .expect("a length that HKDF can give");
    key
}

struct Remembered {
    secret: usize,
    encryption: ContentEncryption,
    salt: String,
    info: String,
    key: Rc<DerivedKey>,
}

impl Remembered {
    fn new(index: usize, secret: &Secret, purpose: &Purpose<'_>) -> Self {
        Self {
            secret: index,
            encryption: purpose.encryption,
            salt: purpose.salt.to_owned(),
            info: purpose.info.to_owned(),
            key: Rc::new(DerivedKey::new(secret, purpose)),
        }
    }

    fn is(&self, index: usize, purpose: &Purpose<'_>) -> bool {
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

    /// RFC 5869 appendix A is all bytes, not text; Auth.js's own keys are the vectors that matter.
    #[test]
    fn keys_and_their_names_are_those_of_authjs() {
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
    fn no_secret_and_an_empty_secret_make_no_keyring() {
        assert!(Keyring::new(vec![]).is_none());
        assert!(Keyring::new(vec![Secret::new("")]).is_none());
        assert!(Keyring::new(vec![Secret::new("a"), Secret::new("")]).is_none());
    }

    #[test]
    fn keys_come_in_the_order_of_the_secrets_and_are_remembered() {
        let keyring = keyring(&["new", "old"]);
        let first: Vec<_> = keyring.keys(&purpose("a")).collect();
        assert_eq!(first.len(), 2);
        assert_ne!(first[0].kid, first[1].kid);
        let again: Vec<_> = keyring.keys(&purpose("a")).collect();
        assert!(first.iter().zip(&again).all(|(a, b)| Rc::ptr_eq(a, b)));
    }

    #[test]
    fn a_key_in_use_outlives_any_number_of_others() {
        let keyring = keyring(&["secret"]);
        let session = keyring.keys(&purpose("session")).next().unwrap();
        for n in 0..3 * REMEMBERED {
            let salt = n.to_string();
            let other = keyring.keys(&purpose(&salt)).next().unwrap();
            assert_ne!(other.kid, session.kid);
            assert!(Rc::ptr_eq(&session, &keyring.keys(&purpose("session")).next().unwrap()));
            assert!(keyring.remembered.borrow().len() <= REMEMBERED);
        }
    }

    #[test]
    fn each_secret_and_each_purpose_has_a_private_key_of_its_own_and_always_the_same() {
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
