//! Signatures of ID tokens, and the keys that verify them.

use serde_json::{Value, json};

use super::with;
use crate::env::Env;
use crate::provider::{Provider, Signature, key, spoiled};

pub fn rs256(keys: &Value) {
    // The only algorithm that is configured to be accepted.
    let env = Env::new(&with(keys, &json!({ "id_token_signed_response_alg": "RS256" })));
    env.provider.signs(Signature::honest("RSA", "RS256"));
    env.signs_in();
}

pub fn none(keys: &Value) {
    let env = Env::new(keys);
    env.signs_in();
    env.provider.signs(Signature::None);
    env.provider.changes("discovery", |metadata| {
        metadata["id_token_signing_alg_values_supported"] = json!(["RS256", "none"]);
    });
    env.refuses("id_token");
}

pub fn kid_absent_single_jwks(keys: &Value) {
    let env = Env::new(keys);
    env.provider.signs(Signature::without_kid("RSA", "RS256"));
    env.provider.publishes(vec![nameless("RSA")]);
    env.signs_in();
}

pub fn kid_absent_multiple_jwks(keys: &Value) {
    let env = Env::new(keys);
    env.provider.signs(Signature::without_kid("RSA", "RS256"));
    env.provider.publishes(vec![nameless("P-256"), nameless("stranger"), nameless("RSA")]);
    env.signs_in();
    // A key that is not among them is none of the provider's.
    env.provider.publishes(vec![nameless("P-256"), nameless("stranger")]);
    let env = Env::new(keys);
    env.provider.signs(Signature::without_kid("RSA", "RS256"));
    env.provider.publishes(vec![nameless("P-256"), nameless("stranger")]);
    env.refuses("signature");
}

pub fn invalid_rs256(keys: &Value) {
    spoiled_is_refused(&Env::new(keys));
}

pub fn invalid_es256(keys: &Value) {
    let env = Env::new(keys);
    env.provider.signs(Signature::honest("P-256", "ES256"));
    env.provider.publishes(vec![key("P-256")]);
    spoiled_is_refused(&env);
}

pub fn invalid_hs256(keys: &Value) {
    let env = Env::new(&with(keys, &json!({ "id_token_signed_response_alg": "HS256" })));
    env.provider.signs(Signature::ClientSecret);
    spoiled_is_refused(&env);
    // Without that key in the configuration no secret signs an ID token.
    let env = Env::new(keys);
    env.provider.signs(Signature::ClientSecret);
    env.refuses("id_token");
}

fn spoiled_is_refused(env: &Env) {
    env.signs_in();
    spoil(&env.provider);
    env.refuses("signature");
}

fn spoil(provider: &Provider) {
    provider.changes("id_token_text", |token| *token = json!(spoiled(token.as_str().unwrap())));
}

/// The public key without `kid`.
fn nameless(name: &str) -> Value {
    let mut key = key(name);
    key.as_object_mut().unwrap().remove("kid");
    key
}
