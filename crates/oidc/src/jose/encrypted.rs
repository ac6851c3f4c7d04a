//! Tokens that a provider encrypted for this client: JSON Web Encryption (RFC 7516) with key agreement or with RSA. What is
//! inside is a signed token, which has to be verified as if it had come without encryption: anyone can encrypt.
//!
//! Sessions are sealed with another form of JWE ([`jwe`](super::jwe)), which shares the content encryption.

mod key;
mod management;

use aes_kw::KwAes256;
use aes_kw::cipher::KeyInit;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

pub use key::{DecryptionKey, DecryptionKeyError, MAX_KEYS};
pub use management::KeyManagement;

use super::crypto::{Crypto, KeyError};
use super::jwe::{ContentEncryption, ContentKey};
use super::jwk::Jwk;
use super::{JoseHeader, base64url};

/// Maximum length of a token in characters, checked before anything is decoded: a token that may be signed, and what
/// base64url adds to it.
pub const MAX_TOKEN: usize = 96 * 1024;

/// Maximum length of an encoded header in characters.
const MAX_HEADER: usize = 4 * 1024;

/// Maximum length of an encrypted key in bytes: that of RSA with 8192 bits.
const MAX_ENCRYPTED_KEY: usize = 1024;

/// Maximum length of `apu` and `apv` in bytes.
const MAX_PARTY_INFO: usize = 512;

/// The encryption that a response must have, as it is registered at the provider (OpenID Connect Dynamic Client
/// Registration 1.0 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// `alg`
    pub management: KeyManagement,
    /// `enc`
    pub content: ContentEncryption,
}

/// Decrypts a token that must have this encryption, with the key that it names, or else with each key that fits.
pub async fn decrypt<C: Crypto>(
    crypto: &C,
    token: &str,
    encryption: Encryption,
    keys: &[DecryptionKey],
) -> Result<String, EncryptedTokenError> {
    let token = Parts::parse(token, encryption)?;
    let fitting = || keys.iter().filter(|key| key.fits(encryption.management));
    let is_named = |key: &&DecryptionKey| token.kid.is_some() && key.kid() == token.kid.as_deref();
    let mut candidates: Vec<&DecryptionKey> = fitting().filter(is_named).collect();
    if candidates.is_empty() {
        candidates = fitting().collect();
    }
    let mut error = EncryptedTokenError::NoKey;
    for key in candidates {
        match token.open(crypto, encryption, key).await {
            Ok(plaintext) => {
                return String::from_utf8(plaintext).map_err(|_| EncryptedTokenError::NotText);
            }
            Err(why) => error = why,
        }
    }
    Err(error)
}

/// A token that passed all checks without a key.
struct Parts<'a> {
    kid: Option<String>,
    protected: &'a str,
    encrypted_key: Vec<u8>,
    /// The sender's ephemeral key, for key agreement.
    ephemeral: Option<Jwk>,
    /// `apu` and `apv`
    parties: [Vec<u8>; 2],
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// Parses a compact serialization (RFC 7516 section 5.2, steps 1 to 10).
    fn parse(token: &'a str, encryption: Encryption) -> Result<Self, EncryptedTokenError> {
        use EncryptedTokenError as Error;
        if token.len() > MAX_TOKEN {
            return Err(Error::TokenTooLong);
        }
        let parts: Vec<&str> = token.splitn(6, '.').collect();
        if parts.len() == 3 {
            return Err(Error::NotEncrypted);
        }
        let [protected, encrypted_key, iv, ciphertext, tag] = parts[..] else {
            return Err(Error::NotCompact);
        };
        if protected.len() > MAX_HEADER {
            return Err(Error::HeaderTooLong);
        }
        let decoded =
            |part: &str, name: &'static str| base64url::decode(part).map_err(|_| Error::Encoding(name));
        let header = JoseHeader::parse(&decoded(protected, "header")?).ok_or(Error::Header)?;
        let kid = header.kid().map_err(|_| Error::Header)?;
        for name in ["crit", "zip", "b64"] {
            if header.has(name) {
                return Err(Error::Unsupported(name));
            }
        }
        let expected = [("alg", encryption.management.name()), ("enc", encryption.content.name())];
        for (name, expected) in expected {
            let found = header.text(name).ok_or(Error::Header)?;
            if found != expected {
                return Err(Error::Other { name, expected });
            }
        }
        let encrypted_key = decoded(encrypted_key, "encrypted key")?;
        let key_length = encryption.content.key_length();
        let is_key_length = match encryption.management {
            KeyManagement::EcdhEs => encrypted_key.is_empty(),
            // RFC 3394 section 2.2.1.
            KeyManagement::EcdhEsA256Kw => encrypted_key.len() == key_length + 8,
            KeyManagement::RsaOaep256 => (256..=MAX_ENCRYPTED_KEY).contains(&encrypted_key.len()),
        };
        if !is_key_length {
            return Err(Error::Length("encrypted key"));
        }
        let iv = decoded(iv, "initialization vector")?;
        let tag = decoded(tag, "authentication tag")?;
        if iv.len() != encryption.content.iv_length() {
            return Err(Error::Length("initialization vector"));
        }
        // The length must be exact: a truncated tag would be easier to forge.
        if tag.len() != encryption.content.tag_length() {
            return Err(Error::Length("authentication tag"));
        }
        let (ephemeral, parties) = match encryption.management {
            KeyManagement::RsaOaep256 => (None, [Vec::new(), Vec::new()]),
            KeyManagement::EcdhEs | KeyManagement::EcdhEsA256Kw => {
                (Some(ephemeral_key(&header)?), [party(&header, "apu")?, party(&header, "apv")?])
            }
        };
        let ciphertext = decoded(ciphertext, "ciphertext")?;
        Ok(Self { kid, protected, encrypted_key, ephemeral, parties, iv, ciphertext, tag })
    }

    /// Determines the content encryption key, and decrypts (RFC 7516 section 5.2, steps 11 to 16). A wrong key and a wrong
    /// ciphertext give the same error (RFC 7516 section 11.5).
    async fn open<C: Crypto>(
        &self,
        crypto: &C,
        encryption: Encryption,
        key: &DecryptionKey,
    ) -> Result<Vec<u8>, EncryptedTokenError> {
        let length = encryption.content.key_length();
        let content_key = match (encryption.management, &self.ephemeral) {
            (KeyManagement::RsaOaep256, _) => crypto
                .decrypt_oaep(key.private(), &self.encrypted_key)
                .await
                .map_err(EncryptedTokenError::Key)?,
            (KeyManagement::EcdhEs, Some(ephemeral)) => {
                let shared =
                    crypto.agree(key.private(), ephemeral).await.map_err(EncryptedTokenError::Key)?;
                Some(self.derived(&shared, encryption.content.name(), length))
            }
            (KeyManagement::EcdhEsA256Kw, Some(ephemeral)) => {
                let shared =
                    crypto.agree(key.private(), ephemeral).await.map_err(EncryptedTokenError::Key)?;
                unwrapped(&self.derived(&shared, encryption.management.name(), 32), &self.encrypted_key)
            }
            (KeyManagement::EcdhEs | KeyManagement::EcdhEsA256Kw, None) => None,
        };
        content_key
            .and_then(|bytes| ContentKey::new(encryption.content, &bytes))
            .and_then(|key| key.decrypt(&self.iv, self.protected.as_bytes(), &self.ciphertext, &self.tag))
            .ok_or(EncryptedTokenError::Unauthentic)
    }

    /// The Concat KDF (RFC 7518 section 4.6.2): a key of `length` bytes for `algorithm`.
    fn derived(&self, shared: &[u8; 32], algorithm: &str, length: usize) -> Zeroizing<Vec<u8>> {
        let size = |length: usize| u32::try_from(length).unwrap_or_default().to_be_bytes();
        let mut info = Vec::new();
        for field in [algorithm.as_bytes(), &self.parties[0], &self.parties[1]] {
            info.extend(size(field.len()));
            info.extend(field);
        }
        info.extend(size(length * 8));
        let mut key = Zeroizing::new(Vec::new());
        let mut round = 0_u32;
        while key.len() < length {
            round += 1;
            let hash =
                Sha256::new().chain_update(round.to_be_bytes()).chain_update(shared).chain_update(&info);
            key.extend_from_slice(&hash.finalize());
        }
        key.truncate(length);
        key
    }
}

/// `epk` (RFC 7518 section 4.6.1.1): a public key on P-256. The runtime checks that its point is on the curve.
fn ephemeral_key(header: &JoseHeader) -> Result<Jwk, EncryptedTokenError> {
    let error = || EncryptedTokenError::EphemeralKey;
    let epk = header.0.get("epk").and_then(Value::as_object).ok_or_else(error)?;
    // Only the point counts: its `alg` and `use`, if there are any, are those of key agreement.
    let member = |name: &str| epk.get(name).cloned().unwrap_or_default();
    if member("kty") != "EC" || member("crv") != "P-256" {
        return Err(error());
    }
    let point = json!({ "kty": "EC", "crv": "P-256", "x": member("x"), "y": member("y") });
    Jwk::parse(&point).map_err(|_| error())
}

/// `apu` or `apv` (RFC 7518 section 4.6.1).
fn party(header: &JoseHeader, name: &'static str) -> Result<Vec<u8>, EncryptedTokenError> {
    if !header.has(name) {
        return Ok(Vec::new());
    }
    let text = header.text(name).ok_or(EncryptedTokenError::Header)?;
    let bytes = base64url::decode(text).map_err(|_| EncryptedTokenError::Encoding(name))?;
    if bytes.len() > MAX_PARTY_INFO { Err(EncryptedTokenError::Length(name)) } else { Ok(bytes) }
}

/// AES Key Wrap (RFC 3394 section 2.2.2). `None` if the key does not unwrap.
fn unwrapped(wrapping: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(vec![0; wrapped.len().checked_sub(8)?]);
    KwAes256::new_from_slice(wrapping).ok()?.unwrap_key(wrapped, &mut key).ok()?;
    Some(key)
}

/// Why an encrypted token is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncryptedTokenError {
    /// It is a signed token without encryption.
    #[error("the token is not encrypted, as the configuration requires of this provider")]
    NotEncrypted,
    /// Longer than [`MAX_TOKEN`].
    #[error("the encrypted token has more than {MAX_TOKEN} characters")]
    TokenTooLong,
    /// Not five parts.
    #[error("the token is not a compact JWE: it does not have five parts (RFC 7516 section 7.1)")]
    NotCompact,
    /// The header is too long.
    #[error("the encrypted token's header has more than {MAX_HEADER} characters")]
    HeaderTooLong,
    /// That part is not base64url.
    #[error("the encrypted token's {0} is not base64url without padding")]
    Encoding(&'static str),
    /// The header is not a JSON object with `alg` and `enc`, each once and a string.
    #[error("the encrypted token's header is not a JSON object with the strings alg and enc, each once")]
    Header,
    /// A header parameter that is not supported: compression, or an extension.
    #[error("the encrypted token has the header parameter {0}, which is not supported")]
    Unsupported(&'static str),
    /// `alg` or `enc` is not the configured one.
    #[error("the encrypted token's {name} is not {expected}, which the configuration requires")]
    Other {
        /// The name of the parameter.
        name: &'static str,
        /// The configured value.
        expected: &'static str,
    },
    /// `epk` is not a public key on P-256.
    #[error("the encrypted token's epk is not a public key on P-256")]
    EphemeralKey,
    /// That part does not have the length that `alg` and `enc` require.
    #[error("the encrypted token's {0} has the wrong length for its alg and enc")]
    Length(&'static str),
    /// No key is for this `alg`.
    #[error("there is no decryption key for the encrypted token's alg")]
    NoKey,
    /// The runtime cannot use the key, or the token's `epk`.
    #[error("the encrypted token cannot be decrypted: {0}")]
    Key(#[source] KeyError),
    /// Encrypted for another key, or altered.
    #[error(
        "the encrypted token was altered, or encrypted for another key than those of AUTH_<ID>_DECRYPTION_KEY"
    )]
    Unauthentic,
    /// What is inside is not text.
    #[error("what the encrypted token has inside is not text")]
    NotText,
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;

    use super::*;
    use crate::jose::jws::{Algorithm, UnverifiedJws};
    use crate::jose::software::{self, SoftwareCrypto};
    use crate::secret::Secret;

    /// Tokens that the npm package `jose` encrypted, and the key.
    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/encrypted-tokens.json")).unwrap()
    }

    fn keys(text: &str) -> Vec<DecryptionKey> {
        DecryptionKey::parse_all(&Secret::new(text)).unwrap()
    }

    fn of_names(alg: &str, enc: &str) -> Encryption {
        let management = KeyManagement::ALL.into_iter().find(|it| it.name() == alg).unwrap();
        Encryption { management, content: ContentEncryption::from_name(enc).unwrap() }
    }

    fn opened(
        token: &str,
        encryption: Encryption,
        keys: &[DecryptionKey],
    ) -> Result<String, EncryptedTokenError> {
        let opening = pin!(decrypt(&SoftwareCrypto, token, encryption, keys));
        let Poll::Ready(opened) = opening.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it waits")
        };
        opened
    }

    fn vector(alg: &str, enc: &str) -> (String, Encryption, Vec<DecryptionKey>) {
        let vectors = vectors();
        let found =
            vectors["tokens"].as_array().unwrap().iter().find(|it| it["alg"] == alg && it["enc"] == enc);
        let token = found.unwrap()["token"].as_str().unwrap().to_owned();
        (token, of_names(alg, enc), keys(&vectors["jwk"].to_string()))
    }

    /// The token with another header, whose other parts are well-formed.
    fn with_header(token: &str, change: impl FnOnce(&mut Value)) -> String {
        let (header, rest) = token.split_once('.').unwrap();
        let mut header: Value = serde_json::from_slice(&base64url::decode(header).unwrap()).unwrap();
        change(&mut header);
        format!("{}.{rest}", base64url::encode(header.to_string().as_bytes()))
    }

    #[test]
    fn tokens_that_jose_encrypted_are_opened() {
        let vectors = vectors();
        let (jwk, pem) = (vectors["jwk"].to_string(), vectors["pem"].as_str().unwrap());
        let tokens = vectors["tokens"].as_array().unwrap();
        assert_eq!(tokens.len(), 12);
        for vector in tokens {
            let text = |name: &str| vector[name].as_str().unwrap();
            for key in [jwk.as_str(), pem] {
                let plaintext =
                    opened(text("token"), of_names(text("alg"), text("enc")), &keys(key)).unwrap();
                assert_eq!(
                    plaintext,
                    vectors["payload"].as_str().unwrap(),
                    "{} {}",
                    text("source"),
                    text("alg")
                );
            }
        }
    }

    /// RFC 7518 appendix C.
    #[test]
    fn the_derived_key_equals_that_of_rfc_7518() {
        let bob = r#"{"kty":"EC","crv":"P-256","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;
        let epk = json!({
            "kty": "EC",
            "crv": "P-256",
            "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
        });
        let shared = software::agree(keys(bob)[0].private(), &Jwk::parse(&epk).unwrap()).unwrap();
        assert_eq!(shared[..4], [158, 86, 217, 29]);
        let token = Parts {
            kid: None,
            protected: "",
            encrypted_key: Vec::new(),
            ephemeral: None,
            parties: [b"Alice".to_vec(), b"Bob".to_vec()],
            iv: Vec::new(),
            ciphertext: Vec::new(),
            tag: Vec::new(),
        };
        assert_eq!(base64url::encode(&token.derived(&shared, "A128GCM", 16)), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn a_token_with_another_algorithm_than_the_configured_one_is_refused() {
        for (alg, enc) in [("ECDH-ES", "A256GCM"), ("ECDH-ES+A256KW", "A128CBC-HS256")] {
            let (token, encryption, keys) = vector(alg, enc);
            for other in KeyManagement::ALL.into_iter().filter(|other| *other != encryption.management) {
                let refused =
                    opened(&token, Encryption { management: other, ..encryption }, &keys).unwrap_err();
                assert_eq!(refused, EncryptedTokenError::Other { name: "alg", expected: other.name() });
            }
            for other in ContentEncryption::ALL.into_iter().filter(|other| *other != encryption.content) {
                let refused = opened(&token, Encryption { content: other, ..encryption }, &keys).unwrap_err();
                assert_eq!(refused, EncryptedTokenError::Other { name: "enc", expected: other.name() });
            }
            for name in ["RSA1_5", "RSA-OAEP", "dir", "A256KW", "none", "ecdh-es"] {
                let token = with_header(&token, |header| header["alg"] = name.into());
                let refused = opened(&token, encryption, &keys).unwrap_err();
                assert!(
                    matches!(refused, EncryptedTokenError::Other { name: "alg", .. }),
                    "{name}: {refused}"
                );
            }
        }
    }

    #[test]
    fn algorithm_and_key_confusion_crooked_headers_are_refused() {
        use EncryptedTokenError as Error;
        let (token, encryption, keys) = vector("ECDH-ES", "A256GCM");
        let refused = |change: &dyn Fn(&mut Value)| {
            opened(&with_header(&token, change), encryption, &keys).unwrap_err()
        };
        for (name, value) in
            [("zip", json!("DEF")), ("zip", json!(null)), ("crit", json!(["x"])), ("b64", json!(true))]
        {
            assert_eq!(refused(&|header| header[name] = value.clone()), Error::Unsupported(name));
        }
        for (name, value) in
            [("kid", json!(1)), ("alg", json!(null)), ("enc", json!(["A256GCM"])), ("apu", json!(7))]
        {
            assert_eq!(refused(&|header| header[name] = value.clone()), Error::Header, "{name}");
        }
        for epk in [
            json!(null),
            json!("x"),
            json!({}),
            json!({ "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" }),
            json!({ "kty": "OKP", "crv": "X25519", "x": "AA" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "AAAA" }),
        ] {
            assert_eq!(refused(&|header| header["epk"] = epk.clone()), Error::EphemeralKey, "{epk}");
        }
        // A point of P-256 that counts as one of another curve, or as another kind of key.
        for (member, other) in [("crv", "P-384"), ("kty", "OKP")] {
            assert_eq!(
                refused(&|header| header["epk"][member] = other.into()),
                Error::EphemeralKey,
                "{other}"
            );
        }
        // Not on the curve: the key would leak bit by bit.
        let off = refused(&|header| header["epk"]["y"] = header["epk"]["x"].clone());
        assert!(matches!(off, Error::Key(_)), "{off}");
        assert_eq!(refused(&|header| header["apu"] = "#".into()), Error::Encoding("apu"));
        assert_eq!(refused(&|header| header["apv"] = "A".repeat(1024).into()), Error::Length("apv"));
        assert_eq!(refused(&|header| header["x"] = "a".repeat(MAX_HEADER).into()), Error::HeaderTooLong);
        // What is exactly as long as it may be is read, and then not authentic, because it was changed.
        assert_eq!(
            refused(&|header| header["apv"] = base64url::encode(&[7; MAX_PARTY_INFO]).into()),
            Error::Unauthentic
        );
        let longest = with_header(&token, |header| {
            header["x"] = "".into();
            let length = header.to_string().len();
            // Four characters stand for three bytes.
            header["x"] = "a".repeat(MAX_HEADER / 4 * 3 - length).into();
        });
        assert_eq!(longest.find('.'), Some(MAX_HEADER));
        assert_eq!(opened(&longest, encryption, &keys), Err(Error::Unauthentic));
        let twice = r#"{"alg":"ECDH-ES","alg":"ECDH-ES","enc":"A256GCM"}"#;
        let rest = token.split_once('.').unwrap().1;
        let twice = format!("{}.{rest}", base64url::encode(twice.as_bytes()));
        assert_eq!(opened(&twice, encryption, &keys), Err(Error::Header));
        // What the header says is authenticated.
        let changed = refused(&|header| header["kid"] = "enc-2".into());
        assert_eq!(changed, Error::Unauthentic);
    }

    #[test]
    fn missing_and_shortened_parts_are_refused() {
        use EncryptedTokenError as Error;
        for (alg, enc) in
            [("ECDH-ES", "A256GCM"), ("ECDH-ES", "A128CBC-HS256"), ("ECDH-ES+A256KW", "A256CBC-HS512")]
        {
            let (token, encryption, keys) = vector(alg, enc);
            let with = |at: usize, part: &str| {
                let mut parts: Vec<&str> = token.split('.').collect();
                parts[at] = part;
                opened(&parts.join("."), encryption, &keys).unwrap_err()
            };
            let part = |at: usize| token.split('.').nth(at).unwrap();
            assert_eq!(with(4, ""), Error::Length("authentication tag"));
            let tag = base64url::decode(part(4)).unwrap();
            let shorter = base64url::encode(&tag[..tag.len() - 4]);
            assert_eq!(with(4, &shorter), Error::Length("authentication tag"));
            assert_eq!(with(2, ""), Error::Length("initialization vector"));
            assert_eq!(with(3, ""), Error::Unauthentic);
            assert_eq!(with(1, "AAAA"), Error::Length("encrypted key"));
            assert_eq!(with(3, "#"), Error::Encoding("ciphertext"));
            for at in [2, 3, 4] {
                let other = if part(at).starts_with('A') { "B" } else { "A" };
                assert_eq!(with(at, &format!("{other}{}", &part(at)[1..])), Error::Unauthentic, "{at}");
            }
        }
        let (token, encryption, keys) = vector("ECDH-ES", "A256GCM");
        assert_eq!(opened("a.b.c", encryption, &keys), Err(Error::NotEncrypted));
        for text in ["", "a", "a.b.c.d", &format!("{token}.x"), &format!("{token}."), &token.replace('.', "")]
        {
            assert_eq!(opened(text, encryption, &keys), Err(Error::NotCompact), "{text}");
        }
        assert_eq!(opened(&"A".repeat(MAX_TOKEN), encryption, &keys), Err(Error::NotCompact));
        assert_eq!(opened(&"A".repeat(MAX_TOKEN + 1), encryption, &keys), Err(Error::TokenTooLong));
    }

    #[test]
    fn an_encrypted_token_inside_an_encrypted_one_is_no_signed_token() {
        let (token, _, _) = vector("ECDH-ES", "A256GCM");
        assert!(UnverifiedJws::parse(&token).is_err());
    }

    #[test]
    fn a_token_opens_with_the_key_that_it_names_and_else_with_any_that_fits() {
        let (token, encryption, right) = vector("ECDH-ES", "A256GCM");
        let other = |kid: &str| {
            let d = base64url::encode(&[7; 32]);
            keys(&json!({ "kty": "EC", "crv": "P-256", "d": d, "kid": kid }).to_string()).remove(0)
        };
        let right = right[0].clone();
        assert!(opened(&token, encryption, &[other("a"), right.clone()]).is_ok());
        assert_eq!(opened(&token, encryption, &[other("a")]), Err(EncryptedTokenError::Unauthentic));
        // The token names a key: no other one is tried.
        assert!(opened(&token, encryption, &[other("enc-1")]).is_err());
        assert!(opened(&token, encryption, &[other("enc-1"), right]).is_ok());
        let rsa = Encryption { management: KeyManagement::RsaOaep256, ..encryption };
        let for_rsa = with_header(&token, |header| header["alg"] = "RSA-OAEP-256".into());
        let (head, rest) = for_rsa.split_once("..").unwrap();
        let for_rsa = format!("{head}.{}.{rest}", "A".repeat(344));
        assert_eq!(opened(&for_rsa, rsa, &[other("a")]), Err(EncryptedTokenError::NoKey));
    }

    #[test]
    fn an_rsa_key_is_for_rsa_only_and_one_on_p_256_for_key_agreement_only() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../tests/vectors/private-keys.json")).unwrap();
        for (pem, algorithm, is_rsa) in [("RSA", Algorithm::Rs256, true), ("P-256", Algorithm::Es256, false)]
        {
            let key = keys(vectors[pem]["pem"].as_str().unwrap()).remove(0);
            assert_eq!((key.is_rsa(), key.algorithm()), (is_rsa, algorithm));
            let fitting = KeyManagement::ALL.map(|management| key.fits(management));
            assert_eq!(fitting, KeyManagement::ALL.map(|it| (it == KeyManagement::RsaOaep256) == is_rsa));
        }
    }

    #[test]
    fn a_secret_that_is_no_decryption_key_is_refused_with_the_reason() {
        use DecryptionKeyError as Error;
        let vectors = vectors();
        let (jwk, pem) = (vectors["jwk"].clone(), vectors["pem"].as_str().unwrap());
        let refused = |text: &str| DecryptionKey::parse_all(&Secret::new(text)).unwrap_err();
        let with = |name: &str, value: Value| {
            let mut jwk = jwk.clone();
            jwk[name] = value;
            jwk.to_string()
        };
        for (text, error) in [
            (String::new(), Error::None),
            ("{}".to_owned(), Error::Json),
            ("{".to_owned(), Error::Json),
            (r#"{"keys":[]}"#.to_owned(), Error::None),
            (r#"{"keys":1}"#.to_owned(), Error::Json),
            (r#"{"keys":[1]}"#.to_owned(), Error::Json),
            (json!({ "keys": vec![jwk.clone(); MAX_KEYS + 1] }).to_string(), Error::TooMany),
            ([pem; MAX_KEYS + 1].join("\n"), Error::TooMany),
            (with("d", Value::Null), Error::NoScalar),
            (with("d", "AAAA".into()), Error::NoScalar),
            (with("use", "sig".into()), Error::OtherUse),
            (with("crv", "P-384".into()), Error::OtherKind),
            (with("kty", "RSA".into()), Error::RsaAsJson),
            (with("kty", "OKP".into()), Error::OtherKind),
        ] {
            assert_eq!(refused(&text), error, "{text}");
        }
        assert!(matches!(refused("secret"), Error::Pem(_)));
        assert!(matches!(refused(&format!("{pem} secret")), Error::Pem(_)));
        for joined in ["\n", "\\n", " ", ""] {
            assert_eq!(keys(&[pem, pem].join(joined)).len(), 2, "{joined:?}");
            assert_eq!(keys(&format!("{pem}{joined}")).len(), 1, "{joined:?}");
        }
        assert_eq!(keys(&json!({ "keys": [jwk.clone(), jwk.clone()] }).to_string())[1].kid(), Some("enc-1"));
        assert_eq!(keys(&json!({ "keys": vec![jwk; MAX_KEYS] }).to_string()).len(), MAX_KEYS);
        assert_eq!(keys(&[pem; MAX_KEYS].join("\n")).len(), MAX_KEYS);
        assert!(!format!("{:?}", keys(pem)).contains("B83f"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text: String, parts in prop::collection::vec("[A-Za-z0-9_-]{0,24}", 0..7)) {
            let (_, encryption, keys) = vector("ECDH-ES", "A256GCM");
            prop_assert!(opened(&text, encryption, &keys).is_err());
            prop_assert!(opened(&parts.join("."), encryption, &keys).is_err());
            let _ = DecryptionKey::parse_all(&Secret::new(text));
        }
    }
}
