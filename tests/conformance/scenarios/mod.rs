//! What the modules do, by subject. Each takes the keys that the provider has in the configuration, where it is run with
//! several.

use serde_json::{Value, json};

pub mod channels;
pub mod code;
pub mod discovery;
pub mod fapi2;
pub mod id_token;
pub mod initiated;
pub mod logout;
pub mod refresh;
pub mod rfc10017;
pub mod shared_signals;
pub mod signatures;
pub mod userinfo;

/// The key for the response mode `form_post`.
pub fn form_post() -> Value {
    json!({ "response_mode": "form_post" })
}

/// Runs it with the response modes `query` and `form_post`.
pub fn both_modes(scenario: fn(&Value)) {
    scenario(&json!({}));
    scenario(&form_post());
}

/// `keys` with `more`.
pub fn with(keys: &Value, more: &Value) -> Value {
    let mut keys = keys.clone();
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    keys
}
