//! The keys that sign the cases. They are in `keys.json`, are for these tests only, and protect nothing.

use std::cell::LazyCell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use vestibule_core::jose::crypto::Zeroizing;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;

/// A key with its public half.
pub(super) struct Key {
    pub(super) name: String,
    /// The public key.
    pub(super) jwk: Value,
    /// `None` for a type that Vestibule does not sign with.
    pub(super) private: Option<PrivateKey>,
}

thread_local! {
    static KEYS: LazyCell<Vec<&'static Key>> = LazyCell::new(|| {
        let keys: Vec<Value> = serde_json::from_str(include_str!("../../keys.json")).expect("keys.json");
        keys.into_iter().map(|key| &*Box::leak(Box::new(parse(&key)))).collect()
    });
}

fn parse(key: &Value) -> Key {
    let der = STANDARD.decode(key["pkcs8"].as_str().unwrap_or_default()).expect("base64");
    Key {
        name: key["name"].as_str().unwrap_or_default().to_owned(),
        jwk: key["jwk"].clone(),
        private: PrivateKey::from_der(Zeroizing::new(der)).ok(),
    }
}

/// The key of that name.
pub(super) fn key(name: &str) -> &'static Key {
    KEYS.with(|keys| keys.iter().copied().find(|key| key.name == name)).expect("a key of keys.json")
}

/// The names of all keys.
pub(super) fn names() -> Vec<&'static str> {
    KEYS.with(|keys| keys.iter().map(|key| key.name.as_str()).collect())
}

/// A name of a key that can sign with an algorithm, the strong ones first.
pub(super) fn names_for(algorithm: Algorithm) -> &'static [&'static str] {
    match algorithm {
        Algorithm::Es256 => &["p256-1", "p256-2"],
        Algorithm::Es384 => &["p384-1", "p384-2"],
        Algorithm::EdDsa => &["ed25519-1", "ed25519-2"],
        _ => &["rsa-1", "rsa-2", "rsa-3072"],
    }
}
