//! Public-key cryptography: RSA by ring, whose arithmetic with private keys runs in constant time; elliptic curves by
//! RustCrypto, and signatures on them are verified by ring first.
//!
//! ring's signing keys on elliptic curves need the public key, which a configured key may lack. RSA-OAEP is not there, so
//! the configuration refuses it and names the other way of encryption.

use ring::rand::SystemRandom;
use ring::signature::{
    self, KeyPair, RsaEncoding, RsaKeyPair, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Value, json};

use vestibule_core::jose::base64url;
use vestibule_core::jose::crypto::{KeyError, Zeroizing};
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;
use vestibule_core::jose::software;

/// Whether `signature` is a signature of `message` by `key`.
pub(crate) fn verify(
    algorithm: Algorithm,
    key: &Jwk,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, KeyError> {
    if !key.algorithms().contains(&algorithm) {
        return Err(unusable("it is for other algorithms"));
    }
    let public = key.to_public_json();
    let member = |name: &str| {
        let text = public.get(name).and_then(Value::as_str);
        text.and_then(|text| base64url::decode(text).ok()).ok_or_else(|| unusable("it lacks a member"))
    };
    if let Some((parameters, _)) = rsa(algorithm) {
        let components = RsaPublicKeyComponents { n: member("n")?, e: member("e")? };
        return Ok(components.verify(parameters, message, signature).is_ok());
    }
    let is_valid = match algorithm {
        Algorithm::Es256 | Algorithm::Es384 => {
            // An uncompressed point (SEC 1 section 2.3.3).
            let point = [&[4], member("x")?.as_slice(), member("y")?.as_slice()].concat();
            let curve = if algorithm == Algorithm::Es256 {
                &signature::ECDSA_P256_SHA256_FIXED
            } else {
                &signature::ECDSA_P384_SHA384_FIXED
            };
            UnparsedPublicKey::new(curve, point).verify(message, signature).is_ok()
        }
        _ => UnparsedPublicKey::new(&signature::ED25519, member("x")?).verify(message, signature).is_ok(),
    };
    // ring does not say whether the key or the signature is wrong.
    if is_valid { Ok(true) } else { software::verify(algorithm, key, message, signature) }
}

/// Signs a message.
pub(crate) fn sign(key: &PrivateKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    let Some((_, encoding)) = rsa(algorithm) else { return software::sign(key, algorithm, message) };
    let key = rsa_key(key, algorithm)?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| unusable("it does not sign"))?;
    Ok(signature)
}

/// The public key of a private key.
pub(crate) fn public_key(key: &PrivateKey, algorithm: Algorithm) -> Result<Jwk, KeyError> {
    if rsa(algorithm).is_none() {
        return software::public_key(key, algorithm);
    }
    let key = rsa_key(key, algorithm)?;
    let components = RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
    let [n, e] = [components.n, components.e].map(|number| base64url::encode(&number));
    Jwk::parse(&json!({ "kty": "RSA", "n": n, "e": e })).map_err(|error| KeyError(error.to_string()))
}

/// The secret that two keys on P-256 share.
pub(crate) fn agree(key: &PrivateKey, public: &Jwk) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    software::agree(key, public)
}

fn rsa_key(key: &PrivateKey, algorithm: Algorithm) -> Result<RsaKeyPair, KeyError> {
    if !key.algorithms().contains(&algorithm) {
        return Err(unusable("it is for other algorithms"));
    }
    RsaKeyPair::from_pkcs8(key.expose()).map_err(|error| KeyError(error.to_string()))
}

/// How RSA verifies and signs with this algorithm. `None` if it is no RSA.
fn rsa(algorithm: Algorithm) -> Option<(&'static RsaParameters, &'static dyn RsaEncoding)> {
    Some(match algorithm {
        Algorithm::Rs256 => (&signature::RSA_PKCS1_2048_8192_SHA256, &signature::RSA_PKCS1_SHA256),
        Algorithm::Rs384 => (&signature::RSA_PKCS1_2048_8192_SHA384, &signature::RSA_PKCS1_SHA384),
        Algorithm::Rs512 => (&signature::RSA_PKCS1_2048_8192_SHA512, &signature::RSA_PKCS1_SHA512),
        Algorithm::Ps256 => (&signature::RSA_PSS_2048_8192_SHA256, &signature::RSA_PSS_SHA256),
        Algorithm::Ps384 => (&signature::RSA_PSS_2048_8192_SHA384, &signature::RSA_PSS_SHA384),
        Algorithm::Ps512 => (&signature::RSA_PSS_2048_8192_SHA512, &signature::RSA_PSS_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return None,
    })
}

fn unusable(why: &str) -> KeyError {
    KeyError(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_core::secret::Secret;

    fn private_keys() -> Vec<(PrivateKey, Value)> {
        let keys = include_str!("../../oidc/tests/vectors/private-keys.json");
        let keys: Value = serde_json::from_str(keys).unwrap();
        let key = |key: &Value| {
            let pem = Secret::new(key["pem"].as_str().unwrap());
            (PrivateKey::from_pem(&pem).unwrap(), key["jwk"].clone())
        };
        keys.as_object().unwrap().values().map(key).collect()
    }

    #[test]
    fn every_algorithm_signs_what_it_and_the_software_of_the_tests_verify() {
        let mut used = Vec::new();
        for (key, jwk) in private_keys() {
            for &algorithm in key.algorithms() {
                let public = public_key(&key, algorithm).unwrap();
                assert_eq!(public.to_public_json(), jwk, "{algorithm:?}");
                let signature = sign(&key, algorithm, b"message").unwrap();
                assert_eq!(verify(algorithm, &public, b"message", &signature), Ok(true), "{algorithm:?}");
                assert_eq!(software::verify(algorithm, &public, b"message", &signature), Ok(true));
                assert_eq!(verify(algorithm, &public, b"other", &signature), Ok(false), "{algorithm:?}");
                assert_eq!(verify(algorithm, &public, b"message", b"short"), Ok(false), "{algorithm:?}");
                used.push(algorithm);
            }
        }
        assert!(Algorithm::ALL.iter().all(|algorithm| used.contains(algorithm)), "{used:?}");
    }

    #[test]
    fn tokens_of_other_implementations_verify_and_do_not_once_they_are_changed() {
        let vectors: Vec<Value> =
            serde_json::from_str(include_str!("../../oidc/tests/vectors/jws.json")).unwrap();
        for vector in vectors {
            let algorithm = Algorithm::from_name(vector["alg"].as_str().unwrap()).unwrap();
            let key = Jwk::parse(&vector["jwk"]).unwrap();
            let (message, signature) = vector["token"].as_str().unwrap().rsplit_once('.').unwrap();
            let mut signature = base64url::decode(signature).unwrap();
            assert_eq!(
                verify(algorithm, &key, message.as_bytes(), &signature),
                Ok(true),
                "{}",
                vector["source"]
            );
            signature[7] ^= 1;
            assert_eq!(
                verify(algorithm, &key, message.as_bytes(), &signature),
                Ok(false),
                "{}",
                vector["source"]
            );
        }
    }

    #[test]
    fn algorithm_and_key_confusion_a_key_is_not_used_with_other_algorithms_and_a_point_off_the_curve_is_no_key()
     {
        let key = PrivateKey::p256(&[7; 32]).unwrap();
        let public = public_key(&key, Algorithm::Es256).unwrap();
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::Es256) {
            assert!(verify(algorithm, &public, b"m", &[0; 64]).is_err(), "{algorithm:?}");
            assert!(sign(&key, algorithm, b"m").is_err(), "{algorithm:?}");
        }
        let mut off = public.to_public_json();
        off["y"] = off["x"].clone();
        assert!(verify(Algorithm::Es256, &Jwk::parse(&off).unwrap(), b"m", &[1; 64]).is_err());
    }
}
