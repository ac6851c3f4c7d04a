//! [`Crypto`] in Rust, for runtimes that have no cryptography of their own: ES256, EdDSA and RSA by jwt-compact, and
//! ES384 by `p384`, because jwt-compact lacks it. The tokens in `tests/vectors/jws.json` keep it consistent with
//! WebCrypto.
//!
//! Arithmetic with an RSA private key does not run in constant time (RUSTSEC-2023-0071), although it is blinded. So
//! [`SoftwareCrypto`] neither signs nor decrypts with RSA; the function [`sign`] does, for who makes tokens to test with.
//! Verifying is not affected, and neither are elliptic curves.

use std::fmt::Display;

use ed25519_compact::{KeyPair, Seed};
use jwt_compact::alg::{Ed25519, Es256, Rsa, RsaPrivateKey};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm as _, AlgorithmSignature};
use p384::ecdsa::signature::{Signer, Verifier};
use p384::pkcs8::{DecodePrivateKey, PrivateKeyInfo};
use zeroize::Zeroizing;

use super::crypto::{Crypto, KeyError};
use super::jwk::Jwk;
use super::jws::Algorithm;
use super::sign::PrivateKey;

/// The functions of this module as [`Crypto`], but for RSA's private keys. The futures are ready at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoftwareCrypto;

impl Crypto for SoftwareCrypto {
    async fn verify(
        &self,
        algorithm: Algorithm,
        key: &Jwk,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, KeyError> {
        verify(algorithm, key, message, signature)
    }

    async fn sign(
        &self,
        key: &PrivateKey,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        match private(key, algorithm)? {
            Private::Elliptic(key) => Ok(key.sign(message)),
            Private::Rsa(_) => {
                Err(unusable("RSA does not sign in software (RUSTSEC-2023-0071); use a key for ES256"))
            }
        }
    }

    async fn public_key(&self, key: &PrivateKey, algorithm: Algorithm) -> Result<Jwk, KeyError> {
        public_key(key, algorithm)
    }

    async fn agree(&self, key: &PrivateKey, public: &Jwk) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        agree(key, public)
    }

    /// Always fails.
    async fn decrypt_oaep(&self, _: &PrivateKey, _: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        Err(unusable("RSA does not decrypt in software (RUSTSEC-2023-0071)"))
    }
}

/// [`Crypto::verify`], synchronously.
///
/// The `rsa` crate supports moduli of at most 4096 bits. Larger ones give a [`KeyError`] here, unlike with WebCrypto.
pub fn verify(algorithm: Algorithm, key: &Jwk, message: &[u8], signature: &[u8]) -> Result<bool, KeyError> {
    if !key.algorithms().contains(&algorithm) {
        return Err(unusable(OTHER_ALGORITHMS));
    }
    match algorithm {
        Algorithm::Es256 => verify_with(&Es256, key, message, signature),
        Algorithm::EdDsa => verify_with(&Ed25519, key, message, signature),
        Algorithm::Es384 => verify_es384(key, message, signature),
        rsa => verify_with(&rsa.name().parse::<Rsa>().map_err(unusable)?, key, message, signature),
    }
}

/// Signs a message, with RSA too: not where an attacker can measure the time of many signatures.
pub fn sign(key: &PrivateKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    match private(key, algorithm)? {
        Private::Elliptic(key) => Ok(key.sign(message)),
        Private::Rsa(key) => {
            let algorithm: Rsa = algorithm.name().parse().map_err(unusable)?;
            Ok(bytes(&algorithm.sign(&key, message)))
        }
    }
}

/// [`Crypto::public_key`], synchronously.
pub fn public_key(key: &PrivateKey, algorithm: Algorithm) -> Result<Jwk, KeyError> {
    private(key, algorithm)?.public()
}

/// [`Crypto::agree`], synchronously.
pub fn agree(key: &PrivateKey, public: &Jwk) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let Private::Elliptic(Elliptic::Es256(key)) = private(key, Algorithm::Es256)? else {
        return Err(unusable(OTHER_ALGORITHMS));
    };
    let JsonWebKey::EllipticCurve { x, y, .. } = public.public() else {
        return Err(unusable(OTHER_ALGORITHMS));
    };
    // An uncompressed point (SEC 1 section 2.3.3); one that is not on the curve fails.
    let public = p256::PublicKey::from_sec1_bytes(&[&[4], &x[..], &y[..]].concat()).map_err(unusable)?;
    let shared = p256::ecdh::diffie_hellman(key.as_nonzero_scalar(), public.as_affine());
    Ok(Zeroizing::new((*shared.raw_secret_bytes()).into()))
}

const OTHER_ALGORITHMS: &str = "the key is for other algorithms";

fn verify_with<A>(algorithm: &A, key: &Jwk, message: &[u8], signature: &[u8]) -> Result<bool, KeyError>
where
    A: jwt_compact::Algorithm,
    A::VerifyingKey: for<'a> TryFrom<&'a JsonWebKey<'a>, Error: Display>,
{
    let key = A::VerifyingKey::try_from(key.public()).map_err(unusable)?;
    // Check the length first: jwt-compact's parsers assume that it is right.
    if A::Signature::LENGTH.is_some_and(|length| length.get() != signature.len()) {
        return Ok(false);
    }
    Ok(A::Signature::try_from_slice(signature)
        .is_ok_and(|signature| algorithm.verify_signature(&signature, &key, message)))
}

fn verify_es384(key: &Jwk, message: &[u8], signature: &[u8]) -> Result<bool, KeyError> {
    let JsonWebKey::EllipticCurve { x, y, .. } = key.public() else {
        return Err(unusable(OTHER_ALGORITHMS));
    };
    // An uncompressed point (SEC 1 section 2.3.3).
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&[&[4], &x[..], &y[..]].concat());
    let key = key.map_err(unusable)?;
    let signature = p384::ecdsa::Signature::from_slice(signature);
    Ok(signature.is_ok_and(|signature| key.verify(message, &signature).is_ok()))
}

/// A parsed private key.
enum Private {
    Elliptic(Elliptic),
    Rsa(RsaPrivateKey),
}

/// A private key of an elliptic curve.
enum Elliptic {
    Es256(p256::ecdsa::SigningKey),
    Es384(p384::ecdsa::SigningKey),
    EdDsa(KeyPair),
}

fn private(key: &PrivateKey, algorithm: Algorithm) -> Result<Private, KeyError> {
    if !key.algorithms().contains(&algorithm) {
        return Err(unusable(OTHER_ALGORITHMS));
    }
    let der = key.expose();
    let key = match algorithm {
        Algorithm::Es256 => DecodePrivateKey::from_pkcs8_der(der).map(Elliptic::Es256).map_err(unusable)?,
        Algorithm::Es384 => DecodePrivateKey::from_pkcs8_der(der).map(Elliptic::Es384).map_err(unusable)?,
        Algorithm::EdDsa => Elliptic::EdDsa(ed25519(der)?),
        _ => {
            let private = Private::Rsa(DecodePrivateKey::from_pkcs8_der(der).map_err(unusable)?);
            // Verifiers must support the size of the key, and jwt-compact would panic if a signature does not fit it.
            private.public()?;
            return Ok(private);
        }
    };
    Ok(Private::Elliptic(key))
}

/// In PKCS #8, an Ed25519 key is an OCTET STRING of the seed (RFC 8410 section 7).
fn ed25519(der: &[u8]) -> Result<KeyPair, KeyError> {
    let info = PrivateKeyInfo::try_from(der).map_err(unusable)?;
    let [0x04, 0x20, seed @ ..] = info.private_key else { return Err(unusable("it is not an Ed25519 key")) };
    Ok(KeyPair::from_seed(Seed::from_slice(seed).map_err(unusable)?))
}

impl Private {
    fn public(&self) -> Result<Jwk, KeyError> {
        match self {
            Self::Elliptic(key) => key.public(),
            Self::Rsa(key) => public_jwk(&JsonWebKey::from(&key.to_public_key())),
        }
    }
}

impl Elliptic {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(key) => bytes(&Es256.sign(key, message)),
            Self::Es384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Self::EdDsa(key) => bytes(&Ed25519.sign(&key.sk, message)),
        }
    }

    fn public(&self) -> Result<Jwk, KeyError> {
        match self {
            Self::Es256(key) => public_jwk(&key.verifying_key().into()),
            Self::Es384(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                let coordinate = |bytes: Option<&p384::FieldBytes>| {
                    bytes.map(|bytes| bytes.to_vec().into()).ok_or_else(|| unusable("it is not a point"))
                };
                let (x, y) = (coordinate(point.x())?, coordinate(point.y())?);
                public_jwk(&JsonWebKey::EllipticCurve { curve: "P-384".into(), x, y, secret: None })
            }
            Self::EdDsa(key) => public_jwk(&JsonWebKey::from(&key.pk)),
        }
    }
}

fn public_jwk(key: &JsonWebKey<'_>) -> Result<Jwk, KeyError> {
    Jwk::parse(&serde_json::to_value(key).map_err(unusable)?).map_err(unusable)
}

fn bytes(signature: &impl AlgorithmSignature) -> Vec<u8> {
    signature.as_bytes().into_owned()
}

fn unusable(error: impl Display) -> KeyError {
    KeyError(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use serde_json::Value;

    use super::*;
    use crate::jose::base64url;
    use crate::jose::crypto::WithCrypto;
    use crate::secret::Secret;

    /// The key of RFC 8410 section 10.3: the seed alone.
    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
    /// The same key with an attribute and the public key, also from RFC 8410 section 10.3.
    const ED25519_WITH_PUBLIC: &str = "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\
                                       oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\
                                       Z9w7lshQhqowtrbLDFw4rXAxZuE=";
    /// A modulus of 512 bits, which is too short for a signature of RS512.
    const RSA_512: &str = "MIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7AgEAAkEAtah6FcKrjrYJpg0z\
                           66v3e02ertC/xMsiNVhddL/HXZGcG5I4pSOK+unEnjCKXlkcJWmNGgrmakXHObHe\
                           RPt7hQIDAQABAkBhY3xoNCCDdwZ/Nm7SdzRLr5ZWBGX7HCgvzzrzP2mjuGc/nDsa\
                           9ShSHKnRiM7F0xcrTHicvS2QMR+3kyFzdPphAiEA7pGGrWp/o8L4BzrWriKxi6HH\
                           jsl4SmOZUis+lRz91DkCIQDC7m48va4o/SqyRnTtHEndP9ogdqqX6BxDriDMeIWZ\
                           rQIhAJdxlEAT4jEP/KmCRXPHnFOagHb5GD6I2XSa9SBthgipAiEAwgxIgP7x2Kvt\
                           TPsGeuOmRDHEGn0G5aGSQW2eCO4RUSECIGh7oP/HuDB7K7QouSKT0aDOLs5dz3zy\
                           xUHDu5+kzFJ5";

    fn key(body: &str) -> PrivateKey {
        let pem = format!("-----BEGIN PRIVATE KEY-----{body}-----END PRIVATE KEY-----");
        PrivateKey::from_pem(&Secret::new(pem)).unwrap()
    }

    #[test]
    fn an_ed25519_key_is_read_from_its_seed_and_the_rest_is_ignored() {
        for body in [ED25519, ED25519_WITH_PUBLIC] {
            let public = public_key(&key(body), Algorithm::EdDsa).unwrap();
            let JsonWebKey::KeyPair { x, .. } = public.public() else { panic!("{public:?}") };
            assert_eq!(base64url::encode(x), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
            let signature = sign(&key(body), Algorithm::EdDsa, b"m").unwrap();
            assert!(verify(Algorithm::EdDsa, &public, b"m", &signature).unwrap());
            assert!(!verify(Algorithm::EdDsa, &public, b"n", &signature).unwrap());
        }
    }

    #[test]
    fn an_rsa_key_that_verifiers_must_reject_does_not_sign() {
        let key = key(RSA_512);
        for &algorithm in key.algorithms() {
            assert!(sign(&key, algorithm, b"m").is_err(), "{algorithm:?}");
            assert!(public_key(&key, algorithm).is_err(), "{algorithm:?}");
        }
    }

    #[test]
    fn no_rsa_key_decrypts_or_signs_in_software() {
        let keys: Value =
            serde_json::from_str(include_str!("../../tests/vectors/private-keys.json")).unwrap();
        let pem = keys.pointer("/RSA/pem").and_then(Value::as_str).unwrap();
        let key = PrivateKey::from_pem(&Secret::new(pem)).unwrap();
        let decrypted = ready(SoftwareCrypto.decrypt_oaep(&key, &[1; 256])).map(drop);
        let signed =
            key.algorithms().iter().map(|rsa| ready(SoftwareCrypto.sign(&key, *rsa, b"m")).map(drop));
        for result in signed.chain([decrypted]) {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("RUSTSEC-2023-0071"), "{error}");
        }
    }

    #[test]
    fn what_has_its_cryptography_from_another_value_decrypts_as_that_one_does() {
        struct Around(SoftwareCrypto);

        impl WithCrypto for Around {
            type Crypto = SoftwareCrypto;

            fn crypto(&self) -> &SoftwareCrypto {
                &self.0
            }
        }

        let key = key(RSA_512);
        let [own, around] = [
            ready(SoftwareCrypto.decrypt_oaep(&key, &[1; 64])),
            ready(Around(SoftwareCrypto).decrypt_oaep(&key, &[1; 64])),
        ]
        .map(|decrypted| decrypted.map(drop).unwrap_err());
        assert_eq!(own, around);
    }

    fn ready<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn algorithm_and_key_confusion_a_key_does_not_verify_other_algorithms() {
        let public = public_key(&PrivateKey::p256(&[7; 32]).unwrap(), Algorithm::Es256).unwrap();
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::Es256) {
            assert!(verify(algorithm, &public, b"m", &[0; 64]).is_err(), "{algorithm:?}");
        }
    }

    #[test]
    fn a_signature_of_another_length_is_invalid_and_not_an_error() {
        let key = PrivateKey::p256(&[7; 32]).unwrap();
        let public = public_key(&key, Algorithm::Es256).unwrap();
        let signature = sign(&key, Algorithm::Es256, b"m").unwrap();
        for length in [0, 1, 63, 65, 96] {
            let mut other = signature.clone();
            other.resize(length, 0);
            assert_eq!(verify(Algorithm::Es256, &public, b"m", &other), Ok(false), "{length}");
        }
    }
}
