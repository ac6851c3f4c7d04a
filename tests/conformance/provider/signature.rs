//! How the provider signs. Node.js signs with its keys, which is independent of the tested code.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::provider::CLIENT_SECRET;
use crate::signer::{self, Signing};

/// How a token is signed.
#[derive(Clone, Debug)]
pub enum Signature {
    /// With a key of `signer.mjs`.
    Key(Signing),
    /// With the client secret, HS256.
    ClientSecret,
    /// Not at all: `alg` is `none`.
    None,
}

impl Signature {
    /// The way an honest provider signs: the header names the key and the algorithm.
    pub fn honest(key: &'static str, alg: &'static str) -> Self {
        Self::Key(Signing::honest(key, alg))
    }

    /// The same, and the header names no key.
    pub fn without_kid(key: &'static str, alg: &'static str) -> Self {
        Self::Key(Signing { key, alg, header: json!({ "alg": alg }) })
    }

    /// The same, with this `typ` in the header.
    #[must_use]
    pub fn with_type(mut self, typ: &str) -> Self {
        if let Self::Key(signing) = &mut self {
            signing.header["typ"] = json!(typ);
        }
        self
    }

    /// The compact serialization of a token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        match self {
            Self::Key(signing) => signing.sign(claims),
            Self::ClientSecret => {
                let input = format!("{}.{}", part(&json!({ "alg": "HS256" })), part(claims));
                let signature = hmac_sha256(CLIENT_SECRET.as_bytes(), input.as_bytes());
                format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
            }
            Self::None => format!("{}.{}.", part(&json!({ "alg": "none" })), part(claims)),
        }
    }
}

/// The public key of this name, with the name as its `kid`.
pub fn key(name: &str) -> Value {
    signer::public_key(name)
}

/// The token with one flipped bit in its signature.
pub fn spoiled(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').expect("a signature");
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// RFC 2104, for keys of at most 64 bytes.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |with: u8| {
        let mut block = [with; 64];
        key.iter().enumerate().for_each(|(at, byte)| block[at] ^= byte);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}
