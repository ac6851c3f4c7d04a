//! Tokens that a provider encrypts for the client (RFC 7516), by key agreement on P-256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vestibule_core::jose::jwe::{ContentEncryption, ContentKey, seal_with_header};
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;
use vestibule_core::jose::software;

/// The client's private key, as the secret has it.
pub fn decryption_key() -> String {
    json!({ "kty": "EC", "crv": "P-256", "kid": "enc-1", "d": URL_SAFE_NO_PAD.encode([11_u8; 32]) })
        .to_string()
}

/// Encrypts `plaintext` for the public half of [`decryption_key`], with `ECDH-ES` and this `enc`.
///
/// # Panics
/// If `enc` is unknown.
pub fn encrypted(enc: &str, plaintext: &str) -> String {
    encrypted_as(&json!({ "alg": "ECDH-ES", "enc": enc, "kid": "enc-1", "cty": "JWT" }), plaintext)
}

/// The same with this header; `epk` is added. The key is derived for its `enc`.
///
/// # Panics
/// If `enc` is unknown.
pub fn encrypted_as(header: &Value, plaintext: &str) -> String {
    let client = PrivateKey::p256(&[11; 32]).unwrap();
    let ephemeral = PrivateKey::p256(&[13; 32]).unwrap();
    let public = |key: &PrivateKey| -> Jwk { software::public_key(key, Algorithm::Es256).unwrap() };
    let shared = software::agree(&ephemeral, &public(&client)).unwrap();
    let encryption = ContentEncryption::from_name(header["enc"].as_str().unwrap()).unwrap();
    let key = derived(&shared[..], encryption.name(), encryption.key_length());
    let key = ContentKey::new(encryption, &key).unwrap();
    let mut header = header.clone();
    header["epk"] = public(&ephemeral).to_public_json();
    seal_with_header(&key, &header.to_string(), &[], plaintext.as_bytes(), &mut |bytes| bytes.fill(3))
}

/// The Concat KDF of RFC 7518 section 4.6.2, without party information.
fn derived(shared: &[u8], algorithm: &str, length: usize) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap().to_be_bytes();
    let mut key = Vec::new();
    for round in 1..=length.div_ceil(32) {
        let mut input = number(round).to_vec();
        input.extend(shared);
        input.extend(number(algorithm.len()));
        input.extend(algorithm.as_bytes());
        input.extend([0; 8]);
        input.extend(number(length * 8));
        key.extend(Sha256::digest(&input));
    }
    key.truncate(length);
    key
}
