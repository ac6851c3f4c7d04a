//! Signs tokens with any algorithm by Node.js, an implementation that is independent of the tested one.

use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::node::Script;

static SIGNER: OnceLock<(Value, Mutex<Script>)> = OnceLock::new();

/// How a token is signed.
#[derive(Clone, Debug)]
pub struct Signing {
    /// The name of the key in `signer.mjs`.
    pub key: &'static str,
    /// The algorithm of the signature, which the header may contradict.
    pub alg: &'static str,
    /// The token's header.
    pub header: Value,
}

impl Signing {
    /// The way an honest provider signs: the header names the key and the algorithm.
    pub fn honest(key: &'static str, alg: &'static str) -> Self {
        Self { key, alg, header: json!({ "alg": alg, "kid": key, "typ": "JWT" }) }
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        ask(&json!({ "key": self.key, "alg": self.alg, "header": self.header, "claims": claims }))
    }
}

/// What the script answers to an order.
pub fn ask(order: &Value) -> String {
    let mut script = signer().1.lock().unwrap_or_else(PoisonError::into_inner);
    script.write_line(&order.to_string());
    script.read_line()
}

/// The public key of this name, with the name as its `kid`.
pub fn public_key(name: &str) -> Value {
    let mut key = signer().0[name].clone();
    assert!(key.is_object(), "signer.mjs has no key {name}");
    key["kid"] = json!(name);
    key
}

fn signer() -> &'static (Value, Mutex<Script>) {
    SIGNER.get_or_init(|| {
        let mut script = Script::start("tests/worker/signer.mjs", &[], &[]);
        let keys = script.read_line();
        (serde_json::from_str(&keys).expect("the first line contains the keys"), Mutex::new(script))
    })
}
