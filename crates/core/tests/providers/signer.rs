//! The keys of these providers: one of each kind, the same in every run.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Verifier;
use serde_json::{Value, json};
use sha2::Sha256;
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;
use vestibule_core::jose::software;
use vestibule_core::secret::Secret;

const KEYS: &str = include_str!("../../../oidc/tests/vectors/private-keys.json");

/// A JWT with these claims. HS256 signs with the client secret (OpenID Connect Core 1.0 section 10.1).
pub fn sign(alg: &str, claims: &Value, client_secret: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(&json!({ "alg": alg, "kid": alg, "typ": "JWT" })), part(claims));
    let signature = if alg == "HS256" {
        let mut mac = Hmac::<Sha256>::new_from_slice(client_secret.as_bytes()).unwrap();
        mac.update(input.as_bytes());
        mac.finalize().into_bytes().to_vec()
    } else {
        let algorithm = Algorithm::from_name(alg).unwrap_or_else(|| panic!("nobody here signs with {alg}"));
        let key = PrivateKey::from_pem(&Secret::new(pem(alg))).unwrap();
        software::sign(&key, algorithm, input.as_bytes()).unwrap()
    };
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The key set at `jwks_uri`.
pub fn public_keys() -> Value {
    let named = |alg: &str| {
        let mut key = jwk(alg);
        key["kid"] = json!(alg);
        key["alg"] = json!(alg);
        key["use"] = json!("sig");
        key
    };
    json!({ "keys": [named("RS256"), named("ES256")] })
}

/// The private key for this algorithm, in the form that a client has it.
pub fn pem(alg: &str) -> String {
    key(alg)["pem"].as_str().expect("a PEM").to_owned()
}

/// Header and claims of a JWT, if the key for `alg` verifies it.
pub fn open(token: &str, alg: &str) -> Option<(Value, Value)> {
    let (input, signature) = token.rsplit_once('.')?;
    let (header, claims) = input.split_once('.')?;
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let read = |text: &str| serde_json::from_slice::<Value>(&part(text)?).ok();
    let signature = part(signature)?;
    let is_good = if alg == "ES256" {
        let public = p256::PublicKey::from_jwk_str(&jwk(alg).to_string()).ok()?;
        let signature = p256::ecdsa::Signature::from_slice(&signature).ok()?;
        p256::ecdsa::VerifyingKey::from(public).verify(input.as_bytes(), &signature).is_ok()
    } else {
        let public = Jwk::parse(&jwk(alg)).ok()?;
        software::verify(Algorithm::from_name(alg)?, &public, input.as_bytes(), &signature).ok()?
    };
    is_good.then_some((read(header)?, read(claims)?))
}

fn jwk(alg: &str) -> Value {
    key(alg)["jwk"].clone()
}

fn key(alg: &str) -> Value {
    let keys: Value = serde_json::from_str(KEYS).unwrap();
    keys[if alg == "ES256" { "P-256" } else { "RSA" }].clone()
}
