//! A provider's keys.

use serde_json::Value;
use vestibule_core::jose::base64url;
use vestibule_core::jose::jwk::{Jwk, JwkSet, MAX_KEYS};
use vestibule_core::jose::jws::Algorithm;

use crate::Shape;
use crate::input::{error_shape, shape};

/// A JWK Set.
pub(super) fn set(input: &[u8]) -> Shape {
    let keys = match JwkSet::parse(input) {
        Ok(keys) => keys,
        Err(error) => return error_shape(error),
    };
    let text: Value = serde_json::from_slice(input).expect("a set is JSON");
    let written = text["keys"].as_array().expect("a set has keys");
    assert!(written.len() <= MAX_KEYS && keys.keys().count() <= written.len());
    for key in keys.keys() {
        assert!(!key.algorithms().is_empty());
        assert!(key.kid().is_none_or(|kid| kid.len() <= 512));
        let public = key.to_public_json();
        let members = public.as_object().expect("an object");
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(!members.contains_key(private), "{private} is in {public}");
        }
        match public["kty"].as_str() {
            Some("RSA") => {
                let modulus = base64url::decode(public["n"].as_str().expect("n")).expect("base64url");
                let bits =
                    modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
                assert!(bits >= 2048, "a modulus of {bits} bits");
                assert!(
                    key.algorithms()
                        .iter()
                        .all(|it| it.name().starts_with("RS") || it.name().starts_with("PS"))
                );
            }
            Some("EC") => {
                let wanted = if public["crv"] == "P-256" { Algorithm::Es256 } else { Algorithm::Es384 };
                assert_eq!(key.algorithms(), [wanted], "{public}");
            }
            Some("OKP") => assert_eq!(key.algorithms(), [Algorithm::EdDsa], "{public}"),
            other => panic!("a key of type {other:?}"),
        }
        // A key that is written again is the same key.
        let again = Jwk::parse(&public).expect("its public members are a key");
        assert_eq!(again.thumbprint(), key.thumbprint());
        assert_eq!(again.to_public_json(), public);
        // It came from the set.
        let is_from =
            |written: &Value| written["kty"] == public["kty"] && written["kid"].as_str() == key.kid();
        assert!(written.iter().any(is_from));
    }
    shape((
        written.len(),
        keys.keys().flat_map(|key| key.algorithms().to_vec()).map(Algorithm::name).collect::<Vec<_>>(),
    ))
}
