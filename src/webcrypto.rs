//! [`Crypto`] by the runtime's Web Cryptography API. Rust crates for the same algorithms would make up a third of the
//! Worker's size, and those for RSA take milliseconds in a new isolate.

use std::cell::RefCell;

use worker::js_sys::{Array, JSON, Object, Promise, Reflect, Uint8Array};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen_futures::JsFuture;

use crate::convert;
use crate::platform::Workers;
use vestibule_core::jose::crypto::{Crypto, KeyError, Zeroizing};
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;

// `worker` 0.8.7 does not declare `crypto.subtle`; of the Web Cryptography API it has only `DigestStream`.
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

    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = sign, catch)]
    fn subtle_sign(algorithm: &Object, key: &JsValue, message: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = exportKey, catch)]
    fn export_key(format: &str, key: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = deriveBits, catch)]
    fn derive_bits(algorithm: &Object, key: &JsValue, length: u32) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = decrypt, catch)]
    fn subtle_decrypt(algorithm: &Object, key: &JsValue, ciphertext: &JsValue) -> Result<Promise, JsValue>;
}

/// The maximum number of imported private keys in the cache; the least recently used one is dropped. A deployment has one
/// key, one for each provider to which it authenticates by a signed client assertion, and one for each session whose tokens
/// are bound to a key.
const MAX_IMPORTED: usize = 64;

thread_local! {
    /// The imported private keys, the last used first. Importing a key costs more than signing with it: for an elliptic
    /// curve the import computes the public key.
    static IMPORTED: RefCell<Vec<(PrivateKey, Algorithm, JsValue)>> = const { RefCell::new(Vec::new()) };
}

impl Crypto for Workers {
    async fn verify(
        &self,
        algorithm: Algorithm,
        key: &Jwk,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, KeyError> {
        verify(algorithm, key, message, signature).await.map_err(|error| unusable(&error))
    }

    async fn sign(
        &self,
        key: &PrivateKey,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        sign(key, algorithm, message).await.map_err(|error| unusable(&error))
    }

    async fn public_key(&self, key: &PrivateKey, algorithm: Algorithm) -> Result<Jwk, KeyError> {
        let exported = export(key, algorithm).await.map_err(|error| unusable(&error))?;
        let jwk = serde_json::from_str(&exported)
            .map_err(|_| KeyError("the exported public key is not JSON".to_owned()))?;
        Jwk::parse(&jwk).map_err(|error| KeyError(error.to_string()))
    }

    async fn agree(&self, key: &PrivateKey, public: &Jwk) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let shared = agree(key, public).await.map_err(|error| unusable(&error))?;
        let shared = <[u8; 32]>::try_from(&shared[..]);
        shared.map(Zeroizing::new).map_err(|_| KeyError("the shared secret has another length".to_owned()))
    }

    async fn decrypt_oaep(
        &self,
        key: &PrivateKey,
        ciphertext: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        decrypt_oaep(key, ciphertext).await.map_err(|error| unusable(&error))
    }
}

fn unusable(error: &JsValue) -> KeyError {
    KeyError(convert::error_message(error))
}

/// Whether `signature` is a valid signature of `message` by `key`.
async fn verify(algorithm: Algorithm, key: &Jwk, message: &[u8], signature: &[u8]) -> Result<bool, JsValue> {
    let algorithm = dictionary(algorithm)?;
    let jwk = JSON::parse(&key.to_public_json().to_string())?;
    let key =
        JsFuture::from(import_key("jwk", &jwk, &algorithm, false, &Array::of1(&"verify".into()))?).await?;
    let is_valid = subtle_verify(&algorithm, &key, &convert::bytes(signature), &convert::bytes(message))?;
    Ok(JsFuture::from(is_valid).await?.is_truthy())
}

/// The signature of `message` by `key`.
async fn sign(key: &PrivateKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, JsValue> {
    let dictionary = dictionary(algorithm)?;
    let key = if let Some(imported) = cached(key, algorithm) {
        imported
    } else {
        let imported = import_private(key, &dictionary, false).await?;
        cache(key, algorithm, &imported);
        imported
    };
    let signature = JsFuture::from(subtle_sign(&dictionary, &key, &convert::bytes(message))?).await?;
    Ok(Uint8Array::new(&signature).to_vec())
}

/// The public key of `key`, as the JSON text of a JSON Web Key.
async fn export(key: &PrivateKey, algorithm: Algorithm) -> Result<String, JsValue> {
    let key = import_private(key, &dictionary(algorithm)?, true).await?;
    let whole = JsFuture::from(export_key("jwk", &key)?).await?;
    let members = ["kty", "crv", "x", "y", "n", "e"];
    let members = members.map(|name| Ok((name, Reflect::get(&whole, &JsValue::from_str(name))?)));
    let public = object(&members.into_iter().collect::<Result<Vec<_>, JsValue>>()?)?;
    Ok(String::from(JSON::stringify(&public)?))
}

async fn import_private(key: &PrivateKey, algorithm: &Object, extractable: bool) -> Result<JsValue, JsValue> {
    let usages = Array::of1(&"sign".into());
    let imported = import_key("pkcs8", &convert::bytes(key.expose()), algorithm, extractable, &usages)?;
    JsFuture::from(imported).await
}

/// The secret that the keys share on P-256. The runtime checks, when it imports it, that the public key is a point of the
/// curve.
async fn agree(key: &PrivateKey, public: &Jwk) -> Result<Zeroizing<Vec<u8>>, JsValue> {
    let curve = [("name", "ECDH".into()), ("namedCurve", "P-256".into())];
    let algorithm = object(&curve)?;
    let usages = Array::of1(&"deriveBits".into());
    let private = import_key("pkcs8", &convert::bytes(key.expose()), &algorithm, false, &usages)?;
    let private = JsFuture::from(private).await?;
    let jwk = JSON::parse(&public.to_public_json().to_string())?;
    let public = JsFuture::from(import_key("jwk", &jwk, &algorithm, false, &Array::new())?).await?;
    let agreement = object(&[("name", "ECDH".into()), ("public", public)])?;
    let bits = JsFuture::from(derive_bits(&agreement, &private, 256)?).await?;
    Ok(Zeroizing::new(Uint8Array::new(&bits).to_vec()))
}

/// The plaintext of RSAES-OAEP. `None` if the runtime does not decrypt the ciphertext; it does not say why.
async fn decrypt_oaep(key: &PrivateKey, ciphertext: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, JsValue> {
    let algorithm = object(&[("name", "RSA-OAEP".into()), ("hash", "SHA-256".into())])?;
    let usages = Array::of1(&"decrypt".into());
    let private = import_key("pkcs8", &convert::bytes(key.expose()), &algorithm, false, &usages)?;
    let private = JsFuture::from(private).await?;
    let decrypted = subtle_decrypt(&algorithm, &private, &convert::bytes(ciphertext))?;
    let plaintext = JsFuture::from(decrypted).await.ok();
    Ok(plaintext.map(|bytes| Zeroizing::new(Uint8Array::new(&bytes).to_vec())))
}

fn cached(key: &PrivateKey, algorithm: Algorithm) -> Option<JsValue> {
    IMPORTED.with_borrow_mut(|imported| {
        let at = imported.iter().position(|(known, for_, _)| *for_ == algorithm && known.matches(key))?;
        let used = imported.remove(at);
        let found = used.2.clone();
        imported.insert(0, used);
        Some(found)
    })
}

fn cache(key: &PrivateKey, algorithm: Algorithm, handle: &JsValue) {
    IMPORTED.with_borrow_mut(|imported| {
        imported.truncate(MAX_IMPORTED - 1);
        imported.insert(0, (key.clone(), algorithm, handle.clone()));
    });
}

/// The `AlgorithmIdentifier` of the Web Cryptography API for an algorithm.
fn dictionary(algorithm: Algorithm) -> Result<Object, JsValue> {
    let (name, hash, parameter) = parameters(algorithm);
    object(&[("name", name.into()), ("hash", hash.into()), parameter])
}

/// Name, hash and one more member of the algorithm's dictionary (RFC 7518 sections 3.3 to 3.5, RFC 8037 section
/// 3.1).
fn parameters(algorithm: Algorithm) -> (&'static str, &'static str, (&'static str, JsValue)) {
    // `object` leaves this member out. Web Cryptography ignores the members that an algorithm does not define, such as
    // the hash of Ed25519.
    let none = ("", JsValue::UNDEFINED);
    match algorithm {
        Algorithm::Rs256 => ("RSASSA-PKCS1-v1_5", "SHA-256", none),
        Algorithm::Rs384 => ("RSASSA-PKCS1-v1_5", "SHA-384", none),
        Algorithm::Rs512 => ("RSASSA-PKCS1-v1_5", "SHA-512", none),
        Algorithm::Ps256 => ("RSA-PSS", "SHA-256", ("saltLength", 32.into())),
        Algorithm::Ps384 => ("RSA-PSS", "SHA-384", ("saltLength", 48.into())),
        Algorithm::Ps512 => ("RSA-PSS", "SHA-512", ("saltLength", 64.into())),
        Algorithm::Es256 => ("ECDSA", "SHA-256", ("namedCurve", "P-256".into())),
        Algorithm::Es384 => ("ECDSA", "SHA-384", ("namedCurve", "P-384".into())),
        Algorithm::EdDsa => ("Ed25519", "", none),
    }
}

fn object(members: &[(&str, JsValue)]) -> Result<Object, JsValue> {
    let object = Object::new();
    for (name, value) in members.iter().filter(|(name, value)| !name.is_empty() && !value.is_undefined()) {
        Reflect::set(&object, &JsValue::from_str(name), value)?;
    }
    Ok(object)
}
