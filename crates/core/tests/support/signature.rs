//! Signatures for test platforms, checked and made: natively what WebCrypto does on the Worker, held together with it by
//! the tokens in `tests/vectors/jws.json`.

use jwt_compact::Algorithm as _;
use jwt_compact::AlgorithmSignature as _;
use jwt_compact::alg::{Ed25519, Es256, Rsa, RsaPrivateKey};
use jwt_compact::jwk::JsonWebKey;
use p384::ecdsa::signature::{Signer, Verifier};
use p384::pkcs8::DecodePrivateKey;
use serde_json::{Value, json};
use vestibule_core::jose::base64url;
use vestibule_core::jose::crypto::KeyError;
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;

/// What [`Crypto::verify`](vestibule_core::jose::crypto::Crypto::verify) has to answer.
///
/// The `rsa` crate takes moduli of 4096 bits at most; larger ones are a [`KeyError`] here, unlike on the Worker.
pub(crate) fn verify(
    algorithm: Algorithm,
    key: &Jwk,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, KeyError> {
    match algorithm {
        Algorithm::Es384 => verify_es384(key, message, signature),
        Algorithm::Es256 => verify_with(&Es256, key, message, signature),
        Algorithm::EdDsa => verify_with(&Ed25519, key, message, signature),
        rsa => verify_with(&rsa.name().parse::<Rsa>().map_err(unusable)?, key, message, signature),
    }
}

fn verify_with<A>(algorithm: &A, key: &Jwk, message: &[u8], signature: &[u8]) -> Result<bool, KeyError>
where
    A: jwt_compact::Algorithm,
    A::VerifyingKey: for<'a> TryFrom<&'a JsonWebKey<'a>, Error: std::fmt::Display>,
{
    let jwk: JsonWebKey<'_> = serde_json::from_value(key.to_public_json()).map_err(unusable)?;
    let key = A::VerifyingKey::try_from(&jwk).map_err(unusable)?;
    // The length comes first: jwt-compact's parsers take it for granted.
    if A::Signature::LENGTH.is_some_and(|length| length.get() != signature.len()) {
        return Ok(false);
    }
    Ok(A::Signature::try_from_slice(signature)
        .is_ok_and(|signature| algorithm.verify_signature(&signature, &key, message)))
}

fn verify_es384(key: &Jwk, message: &[u8], signature: &[u8]) -> Result<bool, KeyError> {
    let key = p384::PublicKey::from_jwk_str(&key.to_public_json().to_string()).map_err(unusable)?;
    let Ok(signature) = p384::ecdsa::Signature::from_slice(signature) else { return Ok(false) };
    Ok(p384::ecdsa::VerifyingKey::from(key).verify(message, &signature).is_ok())
}

/// What [`Crypto::sign`](vestibule_core::jose::crypto::Crypto::sign) has to answer.
pub(crate) fn sign(key: &PrivateKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    let der = key.expose();
    if !key.algorithms().contains(&algorithm) {
        return Err(unusable("the key is for other algorithms"));
    }
    Ok(match algorithm {
        Algorithm::Es256 => {
            let key = p256::ecdsa::SigningKey::from_pkcs8_der(der).map_err(unusable)?;
            let signature: p256::ecdsa::Signature = key.sign(message);
            signature.to_bytes().to_vec()
        }
        Algorithm::Es384 => {
            let key = p384::ecdsa::SigningKey::from_pkcs8_der(der).map_err(unusable)?;
            let signature: p384::ecdsa::Signature = key.sign(message);
            signature.to_bytes().to_vec()
        }
        Algorithm::EdDsa => ed25519(der)?.sk.sign(message, None).to_vec(),
        _ => {
            let algorithm: Rsa = algorithm.name().parse().map_err(unusable)?;
            let key = RsaPrivateKey::from_pkcs8_der(der).map_err(unusable)?;
            algorithm.sign(&key, message).as_bytes().into_owned()
        }
    })
}

/// What [`Crypto::public_key`](vestibule_core::jose::crypto::Crypto::public_key) has to answer.
pub(crate) fn public_key(key: &PrivateKey) -> Result<Jwk, KeyError> {
    let der = key.expose();
    let jwk: Value = match key.algorithms() {
        [Algorithm::Es256] => {
            let key = p256::SecretKey::from_pkcs8_der(der).map_err(unusable)?;
            serde_json::from_str(&key.public_key().to_jwk_string()).map_err(unusable)?
        }
        [Algorithm::Es384] => {
            let key = p384::SecretKey::from_pkcs8_der(der).map_err(unusable)?;
            serde_json::from_str(&key.public_key().to_jwk_string()).map_err(unusable)?
        }
        [Algorithm::EdDsa] => {
            json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url::encode(&*ed25519(der)?.pk) })
        }
        _ => {
            let key = RsaPrivateKey::from_pkcs8_der(der).map_err(unusable)?.to_public_key();
            serde_json::to_value(JsonWebKey::from(&key)).map_err(unusable)?
        }
    };
    Jwk::parse(&jwk).map_err(unusable)
}

/// RFC 8410 section 7: the seed is the last thing in it.
fn ed25519(der: &[u8]) -> Result<ed25519_compact::KeyPair, KeyError> {
    let seed = der.last_chunk().ok_or_else(|| unusable("too short"))?;
    Ok(ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new(*seed)))
}

fn unusable(error: impl std::fmt::Display) -> KeyError {
    KeyError(error.to_string())
}
