//! Tokens of any algorithm, signed by Node.js's cryptography: another implementation than the one under test.

use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::node::Script;

static SIGNER: OnceLock<(Value, Mutex<Script>)> = OnceLock::new();

/// What a token is signed with.
#[derive(Clone, Debug)]
pub struct Signing {
    /// The key, by its name in `signer.mjs`.
    pub key: &'static str,
    /// How it is used.
    pub alg: &'static str,
    /// The token's header.
    pub header: Value,
}

impl Signing {
    /// As an honest provider signs.
    pub fn honest(key: &'static str, alg: &'static str) -> Self {
        Self { key, alg, header: json!({ "alg": alg, "kid": key, "typ": "JWT" }) }
    }

    /// A token of these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let order =
            json!({ "key": self.key, "alg": self.alg, "header": self.header, "claims": claims }).to_string();
        let mut script = signer().1.lock().unwrap_or_else(PoisonError::into_inner);
        script.say(&order);
        script.hear()
    }
}

/// The public key of that name, its `kid` the name.
pub fn public_key(name: &str) -> Value {
    let mut key = signer().0[name].clone();
    assert!(key.is_object(), "signer.mjs has no key {name}");
    key["kid"] = json!(name);
    key
}

fn signer() -> &'static (Value, Mutex<Script>) {
    SIGNER.get_or_init(|| {
        let mut script = Script::start("tests/worker/signer.mjs", &[], &[]);
        let keys = script.hear();
        (serde_json::from_str(&keys).expect("the keys are the first line"), Mutex::new(script))
    })
}
