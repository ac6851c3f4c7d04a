//! JSON Web Encryption (RFC 7516), as far as a sealed cookie needs it: compact serialization, direct encryption
//! (`alg: dir`), A256CBC-HS512 and A256GCM.
//!
//! A token is read in two steps, because its header names the key: [`SealedJwe::parse`] checks everything that needs no
//! key, [`SealedJwe::open`] authenticates and decrypts.

use thiserror::Error;

pub use vestibule_aead::{ContentEncryption, ContentKey};

use super::{JoseHeader, base64url};

/// Maximum length of a token in characters. It is checked before anything is decoded. Sixteen cookies of the largest
/// size that browsers store are shorter, and the default limits of servers for header fields are far lower.
pub const MAX_TOKEN: usize = 64 * 1024;

/// Maximum length of the encoded protected header in characters. Those of Auth.js have 63 and 192.
const MAX_HEADER: usize = 1024;

/// Encrypts `plaintext` with `key` (RFC 7516 section 5.1). The header names the key as `kid`, if there is one.
///
/// `random` fills the initialization vector. `kid` must not contain characters that JSON escapes; a thumbprint does
/// not.
pub fn seal(
    key: &ContentKey,
    kid: Option<&str>,
    plaintext: &[u8],
    random: &mut dyn FnMut(&mut [u8]),
) -> String {
    let enc = key.encryption().name();
    let header = match kid {
        Some(kid) => format!(r#"{{"alg":"dir","enc":"{enc}","kid":"{kid}"}}"#),
        None => format!(r#"{{"alg":"dir","enc":"{enc}"}}"#),
    };
    seal_with_header(key, &header, &[], plaintext, random)
}

/// The same with the whole protected header, a JSON object, and an encrypted key, which is empty with direct encryption and
/// direct key agreement.
pub fn seal_with_header(
    key: &ContentKey,
    header: &str,
    encrypted_key: &[u8],
    plaintext: &[u8],
    random: &mut dyn FnMut(&mut [u8]),
) -> String {
    let header = base64url::encode(header.as_bytes());
    let mut iv = vec![0; key.encryption().iv_length()];
    random(&mut iv);
    let (ciphertext, tag) = key.encrypt(&iv, header.as_bytes(), plaintext);
    format!(
        "{header}.{}.{}.{}.{}",
        base64url::encode(encrypted_key),
        base64url::encode(&iv),
        base64url::encode(&ciphertext),
        base64url::encode(&tag)
    )
}

/// A token that passed all checks without a key. Nothing in it is authenticated.
#[derive(Debug)]
pub struct SealedJwe<'a> {
    encryption: ContentEncryption,
    kid: Option<String>,
    protected: &'a str,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl<'a> SealedJwe<'a> {
    /// Parses a compact serialization (RFC 7516 section 5.2, steps 1 to 10).
    ///
    /// Rejects every `alg` except `dir`, every `enc` except the two that are supported, `zip` (a small token must not
    /// expand to a large one), every `crit`, and overlong parts.
    pub fn parse(token: &'a str) -> Result<Self, JweError> {
        Self::parse_up_to(token, MAX_TOKEN)
    }

    /// The same for a token of at most `max` characters, which is not in a cookie.
    pub fn parse_up_to(token: &'a str, max: usize) -> Result<Self, JweError> {
        if token.len() > max {
            return Err(JweError::TokenTooLong);
        }
        let mut parts = token.split('.');
        let (Some(protected), Some(encrypted_key), Some(iv), Some(ciphertext), Some(tag), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JweError::NotCompact);
        };
        let Header { encryption, kid } = Header::parse(protected)?;
        // Section 5.2 step 10: with `dir` there is no encrypted key.
        if !encrypted_key.is_empty() {
            return Err(JweError::EncryptedKey);
        }
        let iv = base64url::decode(iv).map_err(|_| JweError::Encoding("initialization vector"))?;
        let tag = base64url::decode(tag).map_err(|_| JweError::Encoding("authentication tag"))?;
        if iv.len() != encryption.iv_length() {
            return Err(JweError::InitializationVector);
        }
        // The length must be exact: a truncated tag would be easier to forge.
        if tag.len() != encryption.tag_length() {
            return Err(JweError::TagLength);
        }
        let ciphertext = base64url::decode(ciphertext).map_err(|_| JweError::Encoding("ciphertext"))?;
        Ok(Self { encryption, kid, protected, iv, ciphertext, tag })
    }

    /// `enc`.
    pub fn encryption(&self) -> ContentEncryption {
        self.encryption
    }

    /// `kid`: the key that the token names. It is not authenticated before the token is opened.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Authenticates and decrypts (RFC 7516 section 5.2, steps 14 to 16).
    pub fn open(&self, key: &ContentKey) -> Result<Vec<u8>, JweError> {
        if key.encryption() != self.encryption {
            return Err(JweError::Unauthentic);
        }
        key.decrypt(&self.iv, self.protected.as_bytes(), &self.ciphertext, &self.tag)
            .ok_or(JweError::Unauthentic)
    }
}

/// Why a token cannot be opened. Either the client sent a wrong token, or a secret was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JweError {
    /// Longer than [`MAX_TOKEN`], or than the caller allows.
    #[error("the token has more than {MAX_TOKEN} characters")]
    TokenTooLong,
    /// Not five parts.
    #[error("the token is not a compact JWE: it does not have five parts (RFC 7516 section 7.1)")]
    NotCompact,
    /// That part is not base64url.
    #[error("the token's {0} is not base64url without padding")]
    Encoding(&'static str),
    /// The protected header is too long.
    #[error("the token's protected header has more than {MAX_HEADER} characters")]
    HeaderTooLong,
    /// The protected header is not a JSON object with `alg` and `enc`, each once and a string.
    #[error("the token's protected header is not a JSON object with the strings alg and enc, each once")]
    Header,
    /// `alg` is not `dir`.
    #[error("the token's alg is not dir")]
    Algorithm,
    /// `enc` is not supported.
    #[error("the token's enc is neither A256CBC-HS512 nor A256GCM")]
    Encryption,
    /// The header has `zip`.
    #[error("the token has the header parameter zip: compressed tokens are not supported")]
    Compressed,
    /// The header has `crit`.
    #[error("the token has the header parameter crit: no extension is supported")]
    Critical,
    /// There is an encrypted key, although `alg` is `dir`.
    #[error("the token has an encrypted key, which direct encryption does not have")]
    EncryptedKey,
    /// The initialization vector does not have the length that `enc` requires.
    #[error("the token's initialization vector has the wrong length for its enc")]
    InitializationVector,
    /// The authentication tag does not have the length that `enc` requires.
    #[error("the token's authentication tag has the wrong length for its enc")]
    TagLength,
    /// The token was sealed with another key or for another purpose, or was altered.
    #[error("the token was altered, or sealed with another secret or for another cookie")]
    Unauthentic,
}

struct Header {
    encryption: ContentEncryption,
    kid: Option<String>,
}

impl Header {
    fn parse(protected: &str) -> Result<Self, JweError> {
        if protected.len() > MAX_HEADER {
            return Err(JweError::HeaderTooLong);
        }
        let bytes = base64url::decode(protected).map_err(|_| JweError::Encoding("protected header"))?;
        let header = JoseHeader::parse(&bytes).ok_or(JweError::Header)?;
        let alg = header.text("alg").ok_or(JweError::Header)?;
        let enc = header.text("enc").ok_or(JweError::Header)?;
        let kid = header.kid().map_err(|_| JweError::Header)?;
        if header.has("crit") {
            return Err(JweError::Critical);
        }
        if header.has("zip") {
            return Err(JweError::Compressed);
        }
        if alg != "dir" {
            return Err(JweError::Algorithm);
        }
        // Those of the two versions of Auth.js.
        let encryption = ContentEncryption::from_name(enc)
            .filter(|enc| matches!(enc, ContentEncryption::A256CbcHs512 | ContentEncryption::A256Gcm))
            .ok_or(JweError::Encryption)?;
        Ok(Self { encryption, kid })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use zeroize::Zeroizing;

    use super::*;

    fn gcm() -> ContentKey {
        ContentKey::A256Gcm(Zeroizing::new([7; 32]))
    }

    fn cbc() -> ContentKey {
        ContentKey::A256CbcHs512(Zeroizing::new(std::array::from_fn(|n| u8::try_from(n).unwrap())))
    }

    fn sealed(key: &ContentKey, plaintext: &[u8]) -> String {
        seal(key, Some("k1"), plaintext, &mut |bytes| bytes.fill(9))
    }

    /// A token with that header whose other parts are well-formed.
    fn with_header(header: &str) -> String {
        format!("{}..{}.AA.{}", base64url::encode(header.as_bytes()), "A".repeat(16), "A".repeat(22))
    }

    fn opened(token: &str, key: &ContentKey) -> Result<Vec<u8>, JweError> {
        SealedJwe::parse(token)?.open(key)
    }

    #[test]
    fn content_encryption_produces_the_published_ciphertexts() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../tests/vectors/content-encryption.json")).unwrap();
        let vectors = vectors.as_array().unwrap();
        assert_eq!(vectors.len(), 2);
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let bytes = |name: &str| base64url::decode(text(name)).unwrap();
            let key = match text("enc") {
                "A256CBC-HS512" => ContentKey::A256CbcHs512(Zeroizing::new(bytes("key").try_into().unwrap())),
                _ => ContentKey::A256Gcm(Zeroizing::new(bytes("key").try_into().unwrap())),
            };
            let (aad, plaintext) = (text("aad").as_bytes(), text("plaintext").as_bytes());
            let made = key.encrypt(&bytes("iv"), aad, plaintext);
            assert_eq!(made, (bytes("ciphertext"), bytes("tag")), "{}", text("source"));
            let read = key.decrypt(&bytes("iv"), aad, &made.0, &made.1).unwrap();
            assert_eq!(read, plaintext, "{}", text("source"));
            let other = key.decrypt(&bytes("iv"), b"other", &made.0, &made.1);
            assert_eq!(other, None, "{}", text("source"));
        }
    }

    #[test]
    fn the_header_is_written_as_authjs_writes_it() {
        for (key, kid, header) in [
            (cbc(), Some("k1"), r#"{"alg":"dir","enc":"A256CBC-HS512","kid":"k1"}"#),
            (gcm(), None, r#"{"alg":"dir","enc":"A256GCM"}"#),
        ] {
            let token = seal(&key, kid, b"", &mut |bytes| bytes.fill(0));
            let written = base64url::decode(token.split('.').next().unwrap()).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), header);
            assert_eq!(SealedJwe::parse(&token).unwrap().kid(), kid);
        }
    }

    #[test]
    fn algorithm_and_key_confusion_other_headers_are_rejected() {
        for (header, error) in [
            (r#"{"alg":"none","enc":"A256GCM"}"#, JweError::Algorithm),
            (r#"{"alg":"Dir","enc":"A256GCM"}"#, JweError::Algorithm),
            (r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, JweError::Algorithm),
            (r#"{"alg":"A256KW","enc":"A256GCM"}"#, JweError::Algorithm),
            (r#"{"alg":"ECDH-ES","enc":"A256GCM"}"#, JweError::Algorithm),
            (r#"{"alg":"dir","enc":"A128GCM"}"#, JweError::Encryption),
            (r#"{"alg":"dir","enc":"A128CBC-HS256"}"#, JweError::Encryption),
            (r#"{"alg":"dir","enc":""}"#, JweError::Encryption),
            (r#"{"alg":"dir","enc":"A256GCM","crit":["exp"]}"#, JweError::Critical),
            (r#"{"alg":"dir","enc":"A256GCM","crit":[]}"#, JweError::Critical),
            (r#"{"alg":"dir","enc":"A256GCM","crit":null}"#, JweError::Critical),
            (r#"{"enc":"A256GCM"}"#, JweError::Header),
            (r#"{"alg":"dir"}"#, JweError::Header),
            (r#"{"alg":["dir"],"enc":"A256GCM"}"#, JweError::Header),
            (r#"{"alg":"none","alg":"dir","enc":"A256GCM"}"#, JweError::Header),
            (r#"{"alg":"dir","enc":"A256GCM","kid":null}"#, JweError::Header),
            (r#"{"alg":"dir","enc":"A256GCM","kid":1}"#, JweError::Header),
            (r#"{"alg":"dir","enc":"A256GCM"}{}"#, JweError::Header),
            (r#"["dir","A256GCM"]"#, JweError::Header),
            ("", JweError::Header),
            ("null", JweError::Header),
        ] {
            assert_eq!(SealedJwe::parse(&with_header(header)).unwrap_err(), error, "{header}");
        }
        assert_eq!(opened(&sealed(&cbc(), b"a"), &gcm()), Err(JweError::Unauthentic));
    }

    #[test]
    fn decompression_and_work_bombs_are_rejected_before_any_work() {
        let long = format!("{}.", "A".repeat(MAX_TOKEN));
        assert_eq!(SealedJwe::parse(&long).unwrap_err(), JweError::TokenTooLong);
        let dots = ".".repeat(MAX_TOKEN);
        assert_eq!(SealedJwe::parse(&dots).unwrap_err(), JweError::NotCompact);
        for header in [
            r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#,
            r#"{"alg":"dir","enc":"A256GCM","zip":null}"#,
            r#"{"zip":"DEF","alg":"PBES2-HS512+A256KW","p2c":2147483647,"enc":"A256GCM"}"#,
        ] {
            assert_eq!(SealedJwe::parse(&with_header(header)).unwrap_err(), JweError::Compressed, "{header}");
        }
        let count = r#"{"alg":"PBES2-HS512+A256KW","p2c":2147483647,"p2s":"AAAA","enc":"A256GCM"}"#;
        assert_eq!(SealedJwe::parse(&with_header(count)).unwrap_err(), JweError::Algorithm);
        let large = format!(r#"{{"alg":"dir","enc":"A256GCM","x":"{}"}}"#, "a".repeat(MAX_HEADER));
        assert_eq!(SealedJwe::parse(&with_header(&large)).unwrap_err(), JweError::HeaderTooLong);
        let deep = format!(r#"{{"alg":"dir","enc":"A256GCM","x":{}"#, "[".repeat(700));
        assert_eq!(SealedJwe::parse(&with_header(&deep)).unwrap_err(), JweError::Header);
    }

    #[test]
    fn a_header_of_exactly_the_largest_size_is_read() {
        let header =
            |length: usize| format!(r#"{{"alg":"dir","enc":"A256GCM","x":"{}"}}"#, "a".repeat(length));
        // Four characters stand for three bytes.
        let longest = with_header(&header(MAX_HEADER / 4 * 3 - header(0).len()));
        assert_eq!(longest.find('.'), Some(MAX_HEADER));
        assert!(SealedJwe::parse(&longest).is_ok());
    }

    #[test]
    fn malformed_parts_are_rejected() {
        let token = sealed(&cbc(), b"a");
        let parts: Vec<&str> = token.split('.').collect();
        let swapped = |at: usize, part: &str| {
            let mut parts = parts.clone();
            parts[at] = part;
            opened(&parts.join("."), &cbc()).unwrap_err()
        };
        assert_eq!(swapped(0, "e30="), JweError::Encoding("protected header"));
        assert_eq!(swapped(1, "AA"), JweError::EncryptedKey);
        assert_eq!(swapped(2, ""), JweError::InitializationVector);
        assert_eq!(swapped(2, "AAAA"), JweError::InitializationVector);
        assert_eq!(swapped(2, "A"), JweError::Encoding("initialization vector"));
        assert_eq!(swapped(3, "!"), JweError::Encoding("ciphertext"));
        assert_eq!(swapped(3, ""), JweError::Unauthentic);
        assert_eq!(swapped(4, ""), JweError::TagLength);
        assert_eq!(swapped(4, &parts[4][..4]), JweError::TagLength);
        assert_eq!(swapped(4, "*"), JweError::Encoding("authentication tag"));
        for token in ["", ".", "...", "a.b.c", &token[..token.rfind('.').unwrap()], &format!("{token}.")] {
            assert_eq!(opened(token, &cbc()).unwrap_err(), JweError::NotCompact, "{token}");
        }
    }

    proptest! {
        #[test]
        fn a_sealed_token_opens(plaintext: Vec<u8>, iv: [u8; 16]) {
            for key in [cbc(), gcm()] {
                let token = seal(&key, None, &plaintext, &mut |bytes| bytes.copy_from_slice(&iv[..bytes.len()]));
                prop_assert_eq!(opened(&token, &key), Ok(plaintext.clone()));
            }
        }

        #[test]
        fn a_token_with_a_flipped_bit_does_not_open(plaintext in prop::collection::vec(any::<u8>(), 0..64), at: prop::sample::Index, bit in 0..7) {
            for key in [cbc(), gcm()] {
                let mut bytes = sealed(&key, &plaintext).into_bytes();
                let at = at.index(bytes.len());
                bytes[at] ^= 1u8 << bit;
                prop_assert!(opened(&String::from_utf8(bytes).unwrap(), &key).is_err());
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String, parts in prop::collection::vec("[A-Za-z0-9_-]{0,24}", 0..7)) {
            prop_assert!(opened(&text, &gcm()).is_err());
            prop_assert!(opened(&parts.join("."), &cbc()).is_err());
        }

        #[test]
        fn no_part_after_a_valid_header_makes_the_parser_panic(
            iv in "[A-Za-z0-9_-]{0,24}", ciphertext in "[A-Za-z0-9_-]{0,80}", tag in "[A-Za-z0-9_-]{0,44}",
        ) {
            for key in [cbc(), gcm()] {
                let token = sealed(&key, b"");
                let header = token.split('.').next().unwrap();
                let altered = format!("{header}..{iv}.{ciphertext}.{tag}");
                prop_assert!(opened(&altered, &key).is_err());
            }
        }
    }
}
