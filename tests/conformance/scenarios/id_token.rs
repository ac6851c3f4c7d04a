//! ID tokens with one flaw. A sign-in without it comes first.

use serde_json::{Value, json};

use crate::env::Env;
use crate::provider::Provider;

pub fn invalid_iss(keys: &Value) {
    refused(keys, "\"iss\"", |provider| {
        provider.puts("id_token", "iss", json!("https://suite.example/another"));
    });
}

pub fn missing_sub(keys: &Value) {
    refused(keys, "\"sub\" is missing", |provider| provider.omits("id_token", "sub"));
}

pub fn invalid_aud(keys: &Value) {
    refused(keys, "\"aud\"", |provider| provider.puts("id_token", "aud", json!("another-client")));
}

pub fn missing_aud(keys: &Value) {
    refused(keys, "\"aud\" is missing", |provider| provider.omits("id_token", "aud"));
}

pub fn missing_iat(keys: &Value) {
    refused(keys, "\"iat\" is missing", |provider| provider.omits("id_token", "iat"));
}

pub fn nonce_invalid(keys: &Value) {
    refused(keys, "\"nonce\"", |provider| provider.puts("id_token", "nonce", json!("of-another-sign-in")));
}

pub fn invalid_athash(keys: &Value) {
    let other = "77QmUPtjPfzWtF2AnpK9RQ";
    refused(keys, "\"at_hash\"", |provider| provider.puts("id_token", "at_hash", json!(other)));
}

fn refused(keys: &Value, cause: &str, flaw: impl FnOnce(&Provider)) {
    let env = Env::new(keys);
    env.signs_in();
    flaw(&env.provider);
    env.refuses(cause);
}
