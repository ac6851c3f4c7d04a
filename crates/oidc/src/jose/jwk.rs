//! JSON Web Keys (RFC 7517): the public keys that a provider publishes in its JWK Set. jwt-compact parses and writes
//! them; this module checks their use and their strength.
//!
//! A [`Jwk`] can always verify signatures; other keys are rejected. A set may also contain encryption keys, curves
//! without a supported algorithm, and weak RSA keys. They are skipped, as RFC 7517 section 5 recommends: providers
//! publish them together with usable keys.

mod material;
mod members;

use jwt_compact::jwk::JsonWebKey;
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::base64url;
use super::jws::Algorithm;
use material::Material;
pub use members::JwkError;
use members::Members;

/// A set with more keys is rejected. Large providers publish about ten.
pub const MAX_KEYS: usize = 100;

/// A key with a longer `kid` is skipped. Thumbprints have at most 86 characters.
const MAX_KID: usize = 512;

/// A public key that can verify signatures.
#[derive(Clone, Debug)]
pub struct Jwk {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    /// The public members only.
    public: JsonWebKey<'static>,
}

impl Jwk {
    /// Parses a key and reads only its public members. The error says why the key cannot verify signatures.
    pub fn parse(key: &Value) -> Result<Self, JwkError> {
        let members = Members(key.as_object().ok_or(JwkError::Malformed)?);
        let kid = members.text("kid")?;
        if kid.is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(JwkError::Malformed);
        }
        // RFC 7517 sections 4.2 and 4.3.
        if members.text("use")?.is_some_and(|usage| usage != "sig") || !members.operations_allow("verify")? {
            return Err(JwkError::OtherUse);
        }
        let material = Material::new(&members)?;
        let mut algorithms = material.algorithms.to_vec();
        // RFC 7517 section 4.4.
        if let Some(alg) = members.text("alg")? {
            algorithms.retain(|algorithm| algorithm.name() == alg);
        }
        if algorithms.is_empty() {
            return Err(JwkError::Algorithm);
        }
        Ok(Self { kid: kid.map(str::to_owned), algorithms, public: material.key })
    }

    /// `kid` (RFC 7517 section 4.5). It is unique in most sets, but it does not have to be.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithms whose signatures it may verify: its own `alg`, or all that fit its type and curve.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// The key with only its public members, in their shortest form, for WebCrypto's `importKey`. It has no `alg`,
    /// `use` or `key_ops`: they are already checked, and WebCrypto checks them by its own rules.
    pub fn to_public_json(&self) -> Value {
        // The members are strings, so this cannot fail.
        serde_json::to_value(&self.public).unwrap_or_default()
    }

    /// The key as a type of jwt-compact.
    #[cfg(feature = "software-crypto")]
    pub(super) fn public(&self) -> &JsonWebKey<'static> {
        &self.public
    }

    /// The key's thumbprint (RFC 7638) by SHA-256, which may be used as its `kid` (RFC 7638 section 4).
    pub fn thumbprint(&self) -> String {
        // jwt-compact writes the text. It is hashed here, because jwt-compact uses another version of the crate `sha2`.
        base64url::encode(&Sha256::digest(self.public.to_string()))
    }
}

/// A provider's keys.
#[derive(Clone, Debug, Default)]
pub struct JwkSet(Vec<Jwk>);

impl JwkSet {
    /// Parses a JWK Set (RFC 7517 section 5). Keys that cannot verify signatures are skipped.
    pub fn parse(text: &[u8]) -> Result<Self, JwkSetError> {
        let set: Value = serde_json::from_slice(text).map_err(|_| JwkSetError::Malformed)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(JwkSetError::Malformed)?;
        if keys.len() > MAX_KEYS {
            return Err(JwkSetError::TooManyKeys(keys.len()));
        }
        let mut usable = Vec::new();
        for key in keys {
            if let Ok(key) = Jwk::parse(key) {
                usable.push(key);
            }
        }
        Ok(Self(usable))
    }

    /// The keys in the order of the set.
    pub fn keys(&self) -> impl Iterator<Item = &Jwk> {
        self.0.iter()
    }

    /// Whether the set has no key that can verify signatures.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Jwk> for JwkSet {
    fn from_iter<I: IntoIterator<Item = Jwk>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// Why a JWK Set is invalid. The error is the provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JwkSetError {
    /// Not a JSON object with an array `keys`.
    #[error("the JWK Set is not a JSON object with an array keys (RFC 7517 section 5)")]
    Malformed,
    /// More keys than [`MAX_KEYS`].
    #[error("the JWK Set has {0} keys; {MAX_KEYS} are supported")]
    TooManyKeys(usize),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    /// RFC 7638 section 3.1.
    const RSA_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    fn rsa() -> Value {
        json!({ "kty": "RSA", "n": RSA_N, "e": "AQAB" })
    }

    fn p256() -> Value {
        json!({ "kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y })
    }

    fn ed25519() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519_X })
    }

    fn with(mut key: Value, name: &str, value: impl Into<Value>) -> Value {
        key[name] = value.into();
        key
    }

    fn modulus(bits: usize) -> String {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] >>= bytes.len() * 8 - bits;
        base64url::encode(&bytes)
    }

    #[test]
    fn thumbprints_equal_those_in_rfc_7638_and_rfc_8037() {
        let thumbprint = |key: Value| Jwk::parse(&key).unwrap().thumbprint();
        assert_eq!(thumbprint(with(rsa(), "alg", "RS256")), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(thumbprint(with(ed25519(), "kid", "a")), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_verifies_the_algorithms_that_its_type_and_its_alg_allow() {
        use Algorithm::{EdDsa, Es256, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        for (key, algorithms) in [
            (rsa(), &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512][..]),
            (with(rsa(), "alg", "PS256"), &[Ps256]),
            (with(rsa(), "use", "sig"), &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512]),
            (p256(), &[Es256]),
            (with(p256(), "key_ops", vec!["sign", "verify"]), &[Es256]),
            (ed25519(), &[EdDsa]),
        ] {
            assert_eq!(Jwk::parse(&key).unwrap().algorithms(), algorithms, "{key}");
        }
    }

    #[test]
    fn algorithm_and_key_confusion_keys_for_other_uses_are_rejected() {
        for (key, error) in [
            (with(rsa(), "use", "enc"), JwkError::OtherUse),
            (with(rsa(), "key_ops", vec!["encrypt"]), JwkError::OtherUse),
            (with(rsa(), "key_ops", Vec::<String>::new()), JwkError::OtherUse),
            (with(rsa(), "key_ops", json!(["verify", 1])), JwkError::Malformed),
            (with(rsa(), "key_ops", "verify"), JwkError::Malformed),
            (with(rsa(), "alg", "RSA-OAEP"), JwkError::Algorithm),
            (with(rsa(), "alg", "HS256"), JwkError::Algorithm),
            (with(rsa(), "alg", "none"), JwkError::Algorithm),
            (with(rsa(), "alg", "ES256"), JwkError::Algorithm),
            (with(p256(), "alg", "ES384"), JwkError::Algorithm),
            (json!({ "kty": "oct", "k": "AAAA", "alg": "HS256" }), JwkError::Algorithm),
            (with(p256(), "crv", "P-521"), JwkError::Algorithm),
            (with(p256(), "crv", "secp256k1"), JwkError::Algorithm),
            (with(ed25519(), "crv", "X25519"), JwkError::Algorithm),
            (with(p256(), "crv", "Ed25519"), JwkError::Algorithm),
            (with(p256(), "crv", "P-384"), JwkError::Malformed),
            (with(p256(), "x", "AAAA"), JwkError::Malformed),
            (with(p256(), "x", Value::Null), JwkError::Malformed),
            (with(ed25519(), "x", "AAAA"), JwkError::Malformed),
            (with(ed25519(), "x", format!("{ED25519_X}=")), JwkError::Malformed),
            (with(rsa(), "kid", 7), JwkError::Malformed),
            (with(rsa(), "kid", "k".repeat(MAX_KID + 1)), JwkError::Malformed),
            (with(rsa(), "n", Value::Null), JwkError::Malformed),
            (with(rsa(), "e", ""), JwkError::Exponent),
            (with(rsa(), "e", "AQ"), JwkError::Exponent),
            (with(rsa(), "e", "AQAA"), JwkError::Exponent),
            (with(rsa(), "e", "AQAAAAE"), JwkError::Exponent),
            (with(rsa(), "n", modulus(1024)), JwkError::ModulusSize(1024)),
            (with(rsa(), "n", modulus(2047)), JwkError::ModulusSize(2047)),
            (with(rsa(), "n", modulus(8193)), JwkError::ModulusSize(8193)),
            (with(rsa(), "n", modulus(100_000)), JwkError::Malformed),
            (with(rsa(), "n", ""), JwkError::ModulusSize(0)),
            (json!({}), JwkError::Malformed),
            (json!([]), JwkError::Malformed),
            (json!("RSA"), JwkError::Malformed),
        ] {
            assert_eq!(Jwk::parse(&key).unwrap_err(), error, "{key}");
        }
        for bits in [2048, 2049, 8192] {
            assert!(Jwk::parse(&with(rsa(), "n", modulus(bits))).is_ok(), "{bits}");
        }
        for e in ["Aw", "AQAB", "AAEAAQ", "_____w"] {
            assert!(Jwk::parse(&with(rsa(), "e", e)).is_ok(), "{e}");
        }
    }

    #[test]
    fn a_member_that_the_type_of_a_key_does_not_have_is_ignored_whatever_it_is() {
        for name in ["crv", "x", "y", "d", "k", "oth", "ext", "x5c", "new"] {
            for value in [Value::Null, json!(7), json!(["a"]), json!({})] {
                assert!(Jwk::parse(&with(rsa(), name, value.clone())).is_ok(), "{name}: {value}");
            }
        }
        for name in ["n", "e", "k", "d"] {
            assert!(
                Jwk::parse(&with(p256(), name, 7)).is_ok() && Jwk::parse(&with(ed25519(), name, 7)).is_ok()
            );
        }
    }

    #[test]
    fn a_key_keeps_only_public_members_in_their_shortest_form() {
        let padded = base64url::encode(&[&[0, 0][..], &base64url::decode(RSA_N).unwrap()].concat());
        let key = with(with(with(rsa(), "n", padded), "d", "AAAA"), "alg", "RS256");
        assert_eq!(Jwk::parse(&key).unwrap().to_public_json(), rsa());
        let key = with(with(p256(), "d", "AAAA"), "kid", "a");
        assert_eq!(Jwk::parse(&key).unwrap().to_public_json(), p256());
        assert_eq!(Jwk::parse(&with(ed25519(), "x5c", vec!["a"])).unwrap().to_public_json(), ed25519());
    }

    #[test]
    fn a_set_keeps_the_keys_that_can_verify_signatures() {
        let set = json!({ "keys": [
            with(rsa(), "use", "enc"), with(rsa(), "kid", "a"), { "kty": "new" }, 7, with(p256(), "kid", "a"),
        ] });
        let set = JwkSet::parse(set.to_string().as_bytes()).unwrap();
        assert_eq!(set.keys().map(Jwk::kid).collect::<Vec<_>>(), [Some("a"), Some("a")]);
        assert!(!set.is_empty() && JwkSet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
    }

    #[test]
    fn an_invalid_or_too_large_set_is_rejected() {
        for json in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, "<html>"] {
            assert_eq!(JwkSet::parse(json.as_bytes()).unwrap_err(), JwkSetError::Malformed, "{json}");
        }
        let set = json!({ "keys": vec![rsa(); MAX_KEYS + 1] }).to_string();
        assert_eq!(JwkSet::parse(set.as_bytes()).unwrap_err(), JwkSetError::TooManyKeys(MAX_KEYS + 1));
    }

    #[test]
    fn a_set_and_a_name_of_exactly_the_largest_size_are_accepted() {
        let set = json!({ "keys": vec![rsa(); MAX_KEYS] }).to_string();
        assert_eq!(JwkSet::parse(set.as_bytes()).unwrap().keys().count(), MAX_KEYS);
        assert!(Jwk::parse(&with(rsa(), "kid", "k".repeat(MAX_KID))).is_ok());
    }

    proptest! {
        /// jwt-compact reads the members, and accepts exactly the texts that our own base64url decoder accepts.
        #[test]
        fn only_the_canonical_encoding_of_a_member_is_accepted(text in "[A-Za-z0-9_-]{42,44}|[A-Za-z0-9_=+/. -]{0,48}") {
            let bytes = base64url::decode(&text).ok();
            let is_coordinate = bytes.as_ref().is_some_and(|bytes| bytes.len() == 32);
            for (key, member) in [(p256(), "x"), (p256(), "y"), (ed25519(), "x")] {
                let key = Jwk::parse(&with(key, member, text.as_str()));
                prop_assert_eq!(key.is_ok(), is_coordinate);
                if let Ok(key) = key {
                    prop_assert_eq!(&key.to_public_json()[member], &Value::from(text.as_str()));
                }
            }
            let refused = Jwk::parse(&with(rsa(), "n", text.as_str())).unwrap_err();
            prop_assert_eq!(bytes.is_some(), matches!(refused, JwkError::ModulusSize(_)));
        }
    }
}
