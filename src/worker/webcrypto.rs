//! Signatures by the platform's own cryptography (Web Cryptography API), for RSA and P-384: there the Rust
//! crates cost milliseconds in a cold isolate, or do not exist.

use worker::js_sys::{Array, JSON, Object, Promise, Reflect};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen_futures::JsFuture;

use crate::jose::jwk::Jwk;
use crate::jose::jws::Algorithm;
use crate::worker::convert;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = importKey, catch)]
    fn import_key(
        format: &str,
        key: &JsValue,
        algorithm: &Object,
        extractable: bool,
        usages: &Array,
    ) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = verify, catch)]
    fn subtle_verify(
        algorithm: &Object,
        key: &JsValue,
        signature: &JsValue,
        message: &JsValue,
    ) -> Result<Promise, JsValue>;
}

/// Whether `signature` is the key's over `message`.
pub(super) async fn verify(
    algorithm: Algorithm,
    key: &Jwk,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, JsValue> {
    let (name, hash, parameter) = parameters(algorithm)
        .ok_or_else(|| JsValue::from_str("this algorithm is not one of the platform's"))?;
    let algorithm = object(&[("name", name.into()), ("hash", hash.into()), parameter])?;
    let jwk = JSON::parse(&key.to_public_json().to_string())?;
    let key =
        JsFuture::from(import_key("jwk", &jwk, &algorithm, false, &Array::of1(&"verify".into()))?).await?;
    let good = subtle_verify(&algorithm, &key, &convert::bytes(signature), &convert::bytes(message))?;
    Ok(JsFuture::from(good).await?.is_truthy())
}

/// Name, hash and one more member of the algorithm's dictionary (RFC 7518 sections 3.3 to 3.5).
fn parameters(algorithm: Algorithm) -> Option<(&'static str, &'static str, (&'static str, JsValue))> {
    // A member that an algorithm does not know is not looked at.
    let none = ("", JsValue::UNDEFINED);
    Some(match algorithm {
        Algorithm::Rs256 => ("RSASSA-PKCS1-v1_5", "SHA-256", none),
        Algorithm::Rs384 => ("RSASSA-PKCS1-v1_5", "SHA-384", none),
        Algorithm::Rs512 => ("RSASSA-PKCS1-v1_5", "SHA-512", none),
        Algorithm::Ps256 => ("RSA-PSS", "SHA-256", ("saltLength", 32.into())),
        Algorithm::Ps384 => ("RSA-PSS", "SHA-384", ("saltLength", 48.into())),
        Algorithm::Ps512 => ("RSA-PSS", "SHA-512", ("saltLength", 64.into())),
        Algorithm::Es384 => ("ECDSA", "SHA-384", ("namedCurve", "P-384".into())),
        Algorithm::Es256 | Algorithm::EdDsa => return None,
    })
}

fn object(members: &[(&str, JsValue)]) -> Result<Object, JsValue> {
    let object = Object::new();
    for (name, value) in members.iter().filter(|(name, _)| !name.is_empty()) {
        Reflect::set(&object, &JsValue::from_str(name), value)?;
    }
    Ok(object)
}
