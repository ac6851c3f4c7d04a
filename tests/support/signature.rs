//! Signature checks for test platforms: natively what WebCrypto does on the Worker, held together with it by
//! the tokens in `tests/vectors/jws.json`.

use jwt_compact::Algorithm as _;
use jwt_compact::AlgorithmSignature as _;
use jwt_compact::alg::{Rsa, RsaPublicKey, RsaSignature};
use jwt_compact::jwk::JsonWebKey;
use p384::ecdsa::signature::Verifier;
use vestibule::jose::jwk::Jwk;
use vestibule::jose::jws::Algorithm;
use vestibule::platform::KeyError;

/// What [`Platform::verify_signature`](vestibule::platform::Platform::verify_signature) has to answer.
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
        _ => verify_rsa(algorithm, key, message, signature),
    }
}

fn verify_rsa(algorithm: Algorithm, key: &Jwk, message: &[u8], signature: &[u8]) -> Result<bool, KeyError> {
    let algorithm: Rsa = algorithm.name().parse().map_err(unusable)?;
    let jwk: JsonWebKey<'_> = serde_json::from_value(key.to_public_json()).map_err(unusable)?;
    let key = RsaPublicKey::try_from(&jwk).map_err(unusable)?;
    let signature = RsaSignature::try_from_slice(signature).map_err(unusable)?;
    Ok(algorithm.verify_signature(&signature, &key, message))
}

fn verify_es384(key: &Jwk, message: &[u8], signature: &[u8]) -> Result<bool, KeyError> {
    let key = p384::PublicKey::from_jwk_str(&key.to_public_json().to_string()).map_err(unusable)?;
    let Ok(signature) = p384::ecdsa::Signature::from_slice(signature) else { return Ok(false) };
    Ok(p384::ecdsa::VerifyingKey::from(key).verify(message, &signature).is_ok())
}

fn unusable(error: impl std::fmt::Display) -> KeyError {
    KeyError(error.to_string())
}
