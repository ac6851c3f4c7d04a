//! Signatures in software, with counters.

use std::cell::Cell;

use vestibule_core::jose::crypto::{Crypto, KeyError, Zeroizing};
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;
use vestibule_core::jose::software::{self, SoftwareCrypto};

/// Real signatures, and counters of how many were verified and made.
#[derive(Default)]
pub struct FakeCrypto {
    verifications: Cell<usize>,
    signatures: Cell<usize>,
}

impl FakeCrypto {
    /// How many signatures were verified so far.
    pub fn verifications(&self) -> usize {
        self.verifications.get()
    }

    /// How many signatures were made so far.
    pub fn signatures(&self) -> usize {
        self.signatures.get()
    }
}

impl Crypto for FakeCrypto {
    async fn verify(
        &self,
        algorithm: Algorithm,
        key: &Jwk,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, KeyError> {
        self.verifications.set(self.verifications.get() + 1);
        SoftwareCrypto.verify(algorithm, key, message, signature).await
    }

    async fn sign(
        &self,
        key: &PrivateKey,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.signatures.set(self.signatures.get() + 1);
        software::sign(key, algorithm, message)
    }

    async fn public_key(&self, key: &PrivateKey, algorithm: Algorithm) -> Result<Jwk, KeyError> {
        SoftwareCrypto.public_key(key, algorithm).await
    }

    async fn agree(&self, key: &PrivateKey, public: &Jwk) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        SoftwareCrypto.agree(key, public).await
    }

    async fn decrypt_oaep(
        &self,
        key: &PrivateKey,
        ciphertext: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        SoftwareCrypto.decrypt_oaep(key, ciphertext).await
    }
}
