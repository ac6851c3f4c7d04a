//! A provider's keys.

use std::sync::LazyLock;

use serde_json::Value;
use vestibule_core::jose::base64url;
use vestibule_core::jose::encrypted::{DecryptionKey, Encryption, KeyManagement, decrypt};
use vestibule_core::jose::jwe::ContentEncryption;
use vestibule_core::jose::jwk::{Jwk, JwkSet, MAX_KEYS};
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::software::SoftwareCrypto;
use vestibule_core::secret::Secret;

use crate::input::{at_once, check_line, error_shape, first_line, shape, text};
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "jwk_set",
        about: "a provider's keys: public, strong, for signatures, and the same when they are written again",
        reads: &["jose::jwk::JwkSet::parse", "jose::jwk::Jwk::parse"],
        run: set,
        slice: 800,
    },
    Target {
        name: "encrypted_token",
        about: "tokens that a provider encrypted: none opens that was changed, or with another key or algorithm",
        reads: &[
            "jose::encrypted::decrypt",
            "jose::encrypted::key::DecryptionKey::parse_all",
            "jose::private_key::PrivateKey::from_pem",
            "jose::private_key::PrivateKey::from_der",
        ],
        run: encrypted,
        slice: 200,
    },
];

/// A JWK Set.
fn set(input: &[u8]) -> Shape {
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

/// Tokens that the npm package `jose` encrypted, and the key.
static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../oidc/tests/vectors/encrypted-tokens.json")).expect("JSON")
});

/// The first line is the number of a token and an edit (`NUMBER POSITION CHARACTER`), the second one a token as it is, the
/// rest the text of keys.
fn encrypted(input: &[u8]) -> Shape {
    let text = text(input);
    let (edit, rest) = first_line(&text);
    let (raw, keys) = first_line(rest);
    let tokens = VECTORS["tokens"].as_array().expect("a list");
    let mut words = edit.split(' ');
    let number =
        words.next().and_then(|number| number.parse::<usize>().ok()).unwrap_or_default() % tokens.len();
    let token = tokens[number]["token"].as_str().expect("a token");
    let mut edited = token.to_owned();
    if let (Some(Ok(position)), Some(new)) = (words.next().map(str::parse::<usize>), words.next())
        && let (at, Some(new)) = (position % edited.len(), new.chars().next())
        && new.is_ascii()
    {
        edited.replace_range(at..=at, &new.to_string());
    }
    let own = DecryptionKey::parse_all(&Secret::new(VECTORS["jwk"].to_string())).expect("a key");
    let mut opened = 0;
    for management in KeyManagement::ALL {
        for content in ["A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM"] {
            let Some(content) = ContentEncryption::from_name(content) else { continue };
            let is_its =
                tokens[number]["alg"] == management.name() && tokens[number]["enc"] == content.name();
            let open = |token: &str| {
                at_once(decrypt(&SoftwareCrypto, token, Encryption { management, content }, &own))
            };
            match open(&edited) {
                Ok(inside) => {
                    assert!(is_its && edited == token, "a changed token opens: {edited}");
                    assert_eq!(VECTORS["payload"], inside.as_str());
                    opened += 1;
                }
                Err(error) => assert!(!is_its || edited != token, "{error}"),
            }
            if open(raw).is_ok() {
                let is_it = |token: &Value| {
                    token["token"] == raw
                        && token["alg"] == management.name()
                        && token["enc"] == content.name()
                };
                assert!(tokens.iter().any(is_it), "{raw}");
            }
        }
    }
    match DecryptionKey::parse_all(&Secret::new(keys)) {
        Ok(found) => {
            assert!((1..=4).contains(&found.len()));
            for key in &found {
                let fitting =
                    KeyManagement::ALL.into_iter().filter(|management| key.fits(*management)).count();
                assert_eq!(fitting, if key.is_rsa() { 1 } else { 2 });
                assert!(format!("{key:?}").contains("redacted"));
                assert!(!key.private().algorithms().is_empty());
            }
            shape((opened, found.len(), found.iter().filter(|key| key.kid().is_some()).count()))
        }
        Err(error) => {
            check_line(&error.to_string());
            shape((opened, error_shape(error)))
        }
    }
}
