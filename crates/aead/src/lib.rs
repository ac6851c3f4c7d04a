//! Content encryption (RFC 7518 section 5): authenticated encryption. The type of a key guarantees its length.
//!
//! It is a crate of its own because the loops over blocks are generic code of its dependencies, which is compiled here: for
//! speed, where everything else in the Worker is compiled for size.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use aes::{Aes128, Aes256};
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use subtle::ConstantTimeEq;

/// A content encryption algorithm: `enc` (RFC 7518 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncryption {
    /// `A128CBC-HS256` (RFC 7518 section 5.2.3).
    A128CbcHs256,
    /// `A256CBC-HS512` (RFC 7518 section 5.2.5).
    A256CbcHs512,
    /// `A256GCM` (RFC 7518 section 5.3).
    A256Gcm,
}

impl ContentEncryption {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::A128CbcHs256, Self::A256CbcHs512, Self::A256Gcm];

    /// The value of `enc`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A256CbcHs512 => "A256CBC-HS512",
            Self::A256Gcm => "A256GCM",
        }
    }

    /// The algorithm of that name; `None` for any other name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|enc| enc.name() == name)
    }

    /// The key's length in bytes.
    pub const fn key_length(self) -> usize {
        match self {
            Self::A128CbcHs256 | Self::A256Gcm => 32,
            Self::A256CbcHs512 => 64,
        }
    }

    /// The initialization vector's length in bytes.
    pub const fn iv_length(self) -> usize {
        match self {
            Self::A128CbcHs256 | Self::A256CbcHs512 => 16,
            Self::A256Gcm => 12,
        }
    }

    /// The authentication tag's length in bytes.
    pub const fn tag_length(self) -> usize {
        match self {
            Self::A256CbcHs512 => 32,
            Self::A128CbcHs256 | Self::A256Gcm => 16,
        }
    }
}

/// A content encryption key for one algorithm, with the length that the algorithm requires.
pub enum ContentKey {
    /// For `A128CBC-HS256`: the MAC key, then the encryption key.
    A128CbcHs256(Zeroizing<[u8; 32]>),
    /// For `A256CBC-HS512`: the MAC key, then the encryption key.
    A256CbcHs512(Zeroizing<[u8; 64]>),
    /// For `A256GCM`.
    A256Gcm(Zeroizing<[u8; 32]>),
}

impl ContentKey {
    /// The key of these bytes; `None` if they do not have the algorithm's length.
    pub fn new(encryption: ContentEncryption, bytes: &[u8]) -> Option<Self> {
        Some(match encryption {
            ContentEncryption::A128CbcHs256 => Self::A128CbcHs256(Zeroizing::new(bytes.try_into().ok()?)),
            ContentEncryption::A256CbcHs512 => Self::A256CbcHs512(Zeroizing::new(bytes.try_into().ok()?)),
            ContentEncryption::A256Gcm => Self::A256Gcm(Zeroizing::new(bytes.try_into().ok()?)),
        })
    }

    /// The algorithm of the key.
    pub fn encryption(&self) -> ContentEncryption {
        match self {
            Self::A128CbcHs256(_) => ContentEncryption::A128CbcHs256,
            Self::A256CbcHs512(_) => ContentEncryption::A256CbcHs512,
            Self::A256Gcm(_) => ContentEncryption::A256Gcm,
        }
    }

    /// The key itself.
    pub fn expose(&self) -> &[u8] {
        match self {
            Self::A256CbcHs512(key) => &key[..],
            Self::A128CbcHs256(key) | Self::A256Gcm(key) => &key[..],
        }
    }

    /// Returns ciphertext and tag. `iv` was never used with this key before.
    ///
    /// # Panics
    /// If `iv` does not have the algorithm's length ([`ContentEncryption::iv_length`]).
    pub fn encrypt(&self, iv: &[u8], aad: &[u8], plaintext: &[u8]) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::A128CbcHs256(key) => {
                let (mac_key, enc_key) = key.split_at(16);
                let ciphertext =
                    cbc::Encryptor::<Aes128>::new(&fixed::<16>(enc_key).into(), &fixed::<16>(iv).into())
                        .encrypt_padded_vec::<Pkcs7>(plaintext);
                let tag = cbc_tag_128(mac_key, aad, iv, &ciphertext);
                (ciphertext, tag.to_vec())
            }
            Self::A256CbcHs512(key) => {
                let (mac_key, enc_key) = halves(key);
                let ciphertext = cbc::Encryptor::<Aes256>::new(&enc_key.into(), &fixed::<16>(iv).into())
                    .encrypt_padded_vec::<Pkcs7>(plaintext);
                let tag = cbc_tag(&mac_key, aad, iv, &ciphertext);
                (ciphertext, tag.to_vec())
            }
            Self::A256Gcm(key) => {
                let cipher = Aes256Gcm::new((&**key).into());
                #[allow(clippy::expect_used, reason = "it fails only above 64 GiB")]
                let mut sealed = cipher
                    .encrypt(&fixed::<12>(iv).into(), Payload { msg: plaintext, aad })
                    .expect("a plaintext that fits into memory");
                let tag = sealed.split_off(sealed.len() - 16);
                (sealed, tag)
            }
        }
    }

    /// Returns the plaintext; `None` if the tag does not authenticate it, or if `iv` or `tag` does not have the algorithm's
    /// length.
    pub fn decrypt(&self, iv: &[u8], aad: &[u8], ciphertext: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
        let encryption = self.encryption();
        if iv.len() != encryption.iv_length() || tag.len() != encryption.tag_length() {
            return None;
        }
        match self {
            Self::A128CbcHs256(key) => {
                let (mac_key, enc_key) = key.split_at(16);
                // As below: first the MAC, then the padding.
                if !bool::from(cbc_tag_128(mac_key, aad, iv, ciphertext).ct_eq(tag)) {
                    return None;
                }
                cbc::Decryptor::<Aes128>::new(&fixed::<16>(enc_key).into(), &fixed::<16>(iv).into())
                    .decrypt_padded_vec::<Pkcs7>(ciphertext)
                    .ok()
            }
            Self::A256CbcHs512(key) => {
                let (mac_key, enc_key) = halves(key);
                // The MAC is verified before the padding is read (RFC 7518 section 5.2.2.2). Otherwise the padding
                // would be an oracle for an attacker.
                if !bool::from(cbc_tag(&mac_key, aad, iv, ciphertext).ct_eq(tag)) {
                    return None;
                }
                cbc::Decryptor::<Aes256>::new(&enc_key.into(), &fixed::<16>(iv).into())
                    .decrypt_padded_vec::<Pkcs7>(ciphertext)
                    .ok()
            }
            Self::A256Gcm(key) => {
                let cipher = Aes256Gcm::new((&**key).into());
                let sealed = [ciphertext, tag].concat();
                cipher.decrypt(&fixed::<12>(iv).into(), Payload { msg: &sealed, aad }).ok()
            }
        }
    }
}

/// The MAC key and the encryption key (RFC 7518 section 5.2.2.1 step 1).
fn halves(key: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let (mac_key, enc_key) = key.split_at(32);
    (fixed(mac_key), fixed(enc_key))
}

/// The first half of the HMAC-SHA-512 of AAD, IV, ciphertext and the length of the AAD in bits (RFC 7518 section
/// 5.2.2.1 steps 4 to 6).
fn cbc_tag(mac_key: &[u8; 32], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> [u8; 32] {
    #[allow(clippy::expect_used, reason = "HMAC accepts keys of every length")]
    let mut mac = Hmac::<Sha512>::new_from_slice(mac_key).expect("a key");
    mac.update(aad);
    mac.update(iv);
    mac.update(ciphertext);
    mac.update(&(aad.len() as u64 * 8).to_be_bytes());
    fixed(mac.finalize().into_bytes().split_at(32).0)
}

/// The same with HMAC-SHA-256, for `A128CBC-HS256`.
fn cbc_tag_128(mac_key: &[u8], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> [u8; 16] {
    #[allow(clippy::expect_used, reason = "HMAC accepts keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(mac_key).expect("a key");
    mac.update(aad);
    mac.update(iv);
    mac.update(ciphertext);
    mac.update(&(aad.len() as u64 * 8).to_be_bytes());
    fixed(mac.finalize().into_bytes().split_at(16).0)
}

/// `bytes` as an array. The lengths are those of the algorithm: constants here, or checked before.
fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    #[allow(clippy::expect_used, reason = "only this file calls it, with checked lengths")]
    bytes.try_into().expect("the algorithm's length")
}
