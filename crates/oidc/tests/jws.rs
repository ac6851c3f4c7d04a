//! Signatures: published tokens, tokens of another implementation, and known attacks that confuse keys and algorithms.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

use serde_json::{Value, json};
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::crypto::Crypto;
use vestibule_oidc::jose::jwk::{Jwk, JwkSet};
use vestibule_oidc::jose::jws::{Algorithm, JwsError, UnverifiedJws, VerifiedPayload, verify};
use vestibule_oidc::jose::sign::{PrivateKey, sign};
use vestibule_oidc::secret::Secret;
use vestibule_testing::{FakeClock, FakeCrypto};

/// Runs a future that is ready at once.
fn run<T>(future: impl Future<Output = T>) -> T {
    FakeClock::starting_at(0).run(future)
}

fn check(token: &str, keys: &[Value], accepted: &[Algorithm]) -> Result<VerifiedPayload, JwsError> {
    check_on(&FakeCrypto::default(), token, keys, accepted)
}

fn check_on(
    platform: &FakeCrypto,
    token: &str,
    keys: &[Value],
    accepted: &[Algorithm],
) -> Result<VerifiedPayload, JwsError> {
    let keys = JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    let jws = UnverifiedJws::parse(token)?;
    run(verify(platform, &jws, &keys, accepted))
}

struct Vector {
    source: String,
    algorithm: Algorithm,
    jwk: Value,
    token: String,
    claims: Value,
}

fn vectors() -> Vec<Vector> {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("vectors/jws.json")).unwrap();
    assert_eq!(vectors.len(), 13);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    vectors
        .into_iter()
        .map(|vector| Vector {
            source: text(&vector["source"]),
            algorithm: Algorithm::from_name(vector["alg"].as_str().unwrap()).unwrap(),
            jwk: vector["jwk"].clone(),
            token: text(&vector["token"]),
            claims: vector["claims"].clone(),
        })
        .collect()
}

/// The token that the library `jose` created with that algorithm.
fn token_of(algorithm: Algorithm) -> Vector {
    vectors().into_iter().find(|v| v.algorithm == algorithm && v.source.starts_with("jose")).unwrap()
}

fn without(mut key: Value, member: &str) -> Value {
    key.as_object_mut().unwrap().remove(member);
    key
}

fn with(mut key: Value, member: &str, value: impl Into<Value>) -> Value {
    key[member] = value.into();
    key
}

/// The token with another header and its original signature.
fn with_header(token: &str, header: &str) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", base64url::encode(header.as_bytes()))
}

#[test]
fn published_tokens_and_tokens_of_the_library_jose_verify() {
    for Vector { source, algorithm, jwk, token, claims } in vectors() {
        let verified = check(&token, &[jwk], &Algorithm::ALL);
        if claims.is_null() {
            // The RFC signs a line of text. That it is not a claims set is detected after the signature is verified.
            assert_eq!(verified.unwrap_err(), JwsError::Payload, "{source}");
        } else {
            let verified = verified.unwrap();
            assert_eq!(verified.algorithm(), Some(algorithm));
            assert_eq!(Value::Object(verified.into_claims()), claims, "{source} {}", algorithm.name());
        }
    }
}

#[test]
fn no_altered_token_verifies() {
    for Vector { source, jwk, token, .. } in vectors() {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let original = base64url::decode(signature).unwrap();
        let mut flipped = original.clone();
        flipped[7] ^= 1;
        let longer = [&original[..], &[0]].concat();
        let zero = vec![0; original.len()];
        for signature in [&flipped[..], &original[1..], &longer, &zero, &[0]] {
            let altered = format!("{signed}.{}", base64url::encode(signature));
            let refused = check(&altered, std::slice::from_ref(&jwk), &Algorithm::ALL).unwrap_err();
            assert_eq!(refused, JwsError::Signature, "{source}");
        }
        let altered = format!("{header}.{payload}AAAA.{signature}");
        assert_eq!(check(&altered, &[jwk], &Algorithm::ALL).unwrap_err(), JwsError::Signature, "{source}");
    }
}

#[test]
fn algorithm_and_key_confusion_a_key_verifies_its_own_algorithm_only() {
    for Vector { jwk, token, algorithm, .. } in vectors() {
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            // The header names another algorithm: one that the key is not for, or one for which the signature is wrong.
            let kid = jwk.get("kid").and_then(Value::as_str);
            let header = match kid {
                Some(kid) => json!({ "alg": other.name(), "kid": kid }),
                None => json!({ "alg": other.name() }),
            };
            let confused = with_header(&token, &header.to_string());
            let refused = check(&confused, std::slice::from_ref(&jwk), &Algorithm::ALL).unwrap_err();
            assert!(
                matches!(refused, JwsError::Signature | JwsError::KeyMismatch(_) | JwsError::UnknownKey),
                "{refused}"
            );
            // The caller accepts only another algorithm.
            let refused = check(&token, std::slice::from_ref(&jwk), &[other]).unwrap_err();
            assert_eq!(refused, JwsError::NotAccepted(algorithm.name()));
        }
        assert_eq!(check(&token, &[jwk], &[]).unwrap_err(), JwsError::NotAccepted(algorithm.name()));
    }
}

#[test]
fn algorithm_and_key_confusion_the_key_determines_the_rsa_padding() {
    let Vector { jwk, token, .. } = token_of(Algorithm::Ps256);
    // One RSA key signed all these tokens: without `alg` it may verify both paddings, with `alg` only one.
    assert!(check(&token, &[without(jwk.clone(), "alg")], &Algorithm::ALL).is_ok());
    let other = with(jwk, "alg", "RS256");
    assert_eq!(check(&token, &[other], &Algorithm::ALL).unwrap_err(), JwsError::KeyMismatch("PS256"));
}

#[test]
fn algorithm_and_key_confusion_none_and_symmetric_algorithms_are_rejected() {
    let Vector { jwk, token, .. } = token_of(Algorithm::Rs256);
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256","kid":"key-RS256"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"A256KW"}"#,
    ] {
        let confused = with_header(&token, header);
        let refused = check(&confused, std::slice::from_ref(&jwk), &Algorithm::ALL).unwrap_err();
        assert_eq!(refused, JwsError::Algorithm, "{header}");
    }
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(check(&format!("{signed}."), &[jwk], &Algorithm::ALL).unwrap_err(), JwsError::Unsigned);
}

#[test]
fn algorithm_and_key_confusion_keys_in_the_header_are_not_used() {
    let Vector { jwk, token, .. } = token_of(Algorithm::Es256);
    let trusted = token_of(Algorithm::EdDsa).jwk;
    let header = json!({
        "alg": "ES256", "kid": "key-ES256", "jwk": jwk, "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/cert.pem", "x5c": ["AAAA"],
    });
    let own_key = with_header(&token, &header.to_string());
    assert_eq!(check(&own_key, &[trusted], &Algorithm::ALL).unwrap_err(), JwsError::UnknownKey);
}

#[test]
fn a_kid_selects_the_key_and_an_unknown_kid_is_an_unknown_key() {
    let Vector { jwk, token, .. } = token_of(Algorithm::Es256);
    let renamed = with(jwk.clone(), "kid", "other");
    assert_eq!(
        check(&token, std::slice::from_ref(&renamed), &Algorithm::ALL).unwrap_err(),
        JwsError::UnknownKey
    );
    assert_eq!(check(&token, &[], &Algorithm::ALL).unwrap_err(), JwsError::UnknownKey);
    assert_eq!(
        check(&token, &[without(jwk.clone(), "kid")], &Algorithm::ALL).unwrap_err(),
        JwsError::UnknownKey
    );
    assert!(check(&token, &[renamed, jwk.clone()], &Algorithm::ALL).is_ok());

    // A set may have two keys with one `kid`, of different types or of the same type.
    let rsa = with(token_of(Algorithm::Rs256).jwk, "kid", "key-ES256");
    assert!(check(&token, &[rsa.clone(), jwk.clone()], &Algorithm::ALL).is_ok());
    assert_eq!(check(&token, &[rsa], &Algorithm::ALL).unwrap_err(), JwsError::KeyMismatch("ES256"));
    let published = vectors().into_iter().find(|v| v.source == "RFC 7515 appendix A.3").unwrap();
    let other_key = with(published.jwk, "kid", "key-ES256");
    assert!(check(&token, &[other_key, jwk], &Algorithm::ALL).is_ok());
}

#[test]
fn without_a_kid_every_key_that_fits_is_tried() {
    let published = vectors().into_iter().find(|v| v.source == "RFC 7515 appendix A.2").unwrap();
    let others =
        [token_of(Algorithm::Es256).jwk, token_of(Algorithm::Rs256).jwk, token_of(Algorithm::Ps256).jwk];
    let keys = [&others[..], std::slice::from_ref(&published.jwk)].concat();
    let platform = FakeCrypto::default();
    assert!(check_on(&platform, &published.token, &keys, &Algorithm::ALL).is_ok());
    assert_eq!(platform.verifications(), 2, "the key of RS256, then its own");
    assert_eq!(check(&published.token, &others, &Algorithm::ALL).unwrap_err(), JwsError::Signature);
    assert_eq!(check(&published.token, &others[..1], &Algorithm::ALL).unwrap_err(), JwsError::UnknownKey);
}

#[test]
fn decompression_and_work_bombs_many_keys_of_one_name_are_rejected() {
    let Vector { jwk, token, .. } = token_of(Algorithm::Rs256);
    let keys_with_same_kid = |count| vec![with(without(jwk.clone(), "alg"), "kid", "key-RS256"); count];
    let nameless = with_header(&token, r#"{"alg":"RS256"}"#);
    let platform = FakeCrypto::default();
    let refused = check_on(&platform, &nameless, &keys_with_same_kid(6), &Algorithm::ALL);
    assert_eq!(refused.unwrap_err(), JwsError::TooManyCandidates(6));
    assert_eq!(platform.verifications(), 0);
    assert!(check(&token, &keys_with_same_kid(5), &Algorithm::ALL).is_ok());
}

#[test]
fn a_key_that_the_platform_cannot_use_is_a_separate_error() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        let Vector { jwk, token, .. } = token_of(algorithm);
        let off_curve = with(jwk.clone(), "y", jwk["x"].clone());
        let refused = check(&token, std::slice::from_ref(&off_curve), &Algorithm::ALL).unwrap_err();
        assert!(matches!(refused, JwsError::Key(_)), "{refused}");
        assert!(check(&token, &[off_curve, jwk], &Algorithm::ALL).is_ok());
    }
}

/// The private keys of the tests by name, with their public keys; node:crypto created them.
fn private_keys() -> Vec<(String, PrivateKey, Value)> {
    let keys: Value = serde_json::from_str(include_str!("vectors/private-keys.json")).unwrap();
    let keys = keys.as_object().unwrap().iter();
    keys.map(|(name, key)| {
        let pem = Secret::new(key["pem"].as_str().unwrap());
        (name.clone(), PrivateKey::from_pem(&pem).unwrap(), key["jwk"].clone())
    })
    .collect()
}

#[test]
fn a_signed_token_verifies_with_every_algorithm() {
    let platform = FakeCrypto::default();
    let mut used = Vec::new();
    for (name, key, jwk) in private_keys() {
        for &algorithm in key.algorithms() {
            assert_eq!(run(platform.public_key(&key, algorithm)).unwrap().to_public_json(), jwk, "{name}");
            let claims = json!({ "sub": "Zoë", "n": 7 });
            let token = run(sign(&platform, &key, algorithm, "JWT", Some("k"), &claims)).unwrap();
            let header = base64url::decode(token.split('.').next().unwrap()).unwrap();
            let header: Value = serde_json::from_slice(&header).unwrap();
            assert_eq!(header, json!({ "alg": algorithm.name(), "typ": "JWT", "kid": "k" }));
            let checked = check(&token, &[with(jwk.clone(), "kid", "k")], &[algorithm]).unwrap();
            assert_eq!(Value::Object(checked.into_claims()), claims, "{algorithm:?}");

            let nameless = run(sign(&platform, &key, algorithm, "JWT", None, &claims)).unwrap();
            assert_eq!(UnverifiedJws::parse(&nameless).unwrap().kid(), None);
            used.push(algorithm);
        }
    }
    assert!(Algorithm::ALL.iter().all(|algorithm| used.contains(algorithm)), "{used:?}");
}

/// The key of RFC 7515 appendix A.3.
#[test]
fn a_private_key_from_a_number_has_the_published_public_key() {
    let scalar = base64url::decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").unwrap();
    let key = PrivateKey::p256(&scalar.try_into().unwrap()).unwrap();
    let public = run(FakeCrypto::default().public_key(&key, Algorithm::Es256)).unwrap();
    let published = vectors().into_iter().find(|v| v.source == "RFC 7515 appendix A.3").unwrap();
    let published = Jwk::parse(&published.jwk).unwrap().to_public_json();
    assert_eq!(public.to_public_json(), published);
}

#[test]
fn algorithm_and_key_confusion_a_key_signs_with_its_own_algorithms_only() {
    let platform = FakeCrypto::default();
    for (name, key, _) in private_keys() {
        for algorithm in Algorithm::ALL {
            let fits = key.algorithms().contains(&algorithm);
            assert_eq!(run(platform.sign(&key, algorithm, b"m")).is_ok(), fits, "{name} {algorithm:?}");
        }
    }
}
