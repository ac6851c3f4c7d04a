//! Private signing keys in PKCS #8 (RFC 5208).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use crate::secret::{Secret, constant_time_eq};

/// Maximum length of a PEM text in characters. An RSA key of 8192 bits has about 6400.
const MAX_PEM: usize = 16 * 1024;

/// A private signing key in PKCS #8 (RFC 5208), not encrypted. Redacted when printed, wiped when dropped.
#[derive(Clone)]
pub struct PrivateKey {
    der: Zeroizing<Vec<u8>>,
    algorithms: &'static [Algorithm],
}

impl PrivateKey {
    /// Parses PEM (RFC 7468 section 10). An environment variable may have changed the line breaks: they may be `\n` in
    /// two characters, spaces, or missing.
    pub fn from_pem(pem: &Secret) -> Result<Self, PrivateKeyError> {
        const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
        const END: &str = "-----END PRIVATE KEY-----";
        let pem = pem.expose();
        if pem.len() > MAX_PEM {
            return Err(PrivateKeyError::NotPem);
        }
        let Some((_, behind)) = pem.split_once(BEGIN) else {
            // Traditional key formats, certificates, and encrypted keys.
            let is_other = pem.contains("-----BEGIN ");
            return Err(if is_other { PrivateKeyError::OtherLabel } else { PrivateKeyError::NotPem });
        };
        let (body, _) = behind.split_once(END).ok_or(PrivateKeyError::NotPem)?;
        let mut base64 = Zeroizing::new(Vec::with_capacity(body.len() + 3));
        let mut rest = body.bytes().peekable();
        while let Some(byte) = rest.next() {
            match byte {
                b'\\' if rest.next_if(|next| matches!(next, b'n' | b'r')).is_some() => {}
                byte if byte.is_ascii_whitespace() => {}
                byte => base64.push(byte),
            }
        }
        // An environment variable may have lost the padding: restore it.
        while base64.last() == Some(&b'=') {
            base64.pop();
        }
        while base64.len() % 4 != 0 {
            base64.push(b'=');
        }
        let der = STANDARD.decode(&*base64);
        Self::from_der(Zeroizing::new(der.map_err(|_| PrivateKeyError::NotPem)?))
    }

    /// Takes a `PrivateKeyInfo` (RFC 5208 section 5) and checks its algorithm identifier. Whether the key itself is
    /// valid is checked when it is used.
    pub fn from_der(der: Zeroizing<Vec<u8>>) -> Result<Self, PrivateKeyError> {
        let algorithms = content(&der).and_then(algorithms).ok_or(PrivateKeyError::Unsupported)?;
        Ok(Self { der, algorithms })
    }

    /// The private key on P-256 with this number, big-endian (RFC 5915 section 3). The public key is left out; a reader
    /// computes it. `None` if the number is zero or not below the order of the curve (FIPS 186-5 section 6.2.1).
    pub fn p256(scalar: &[u8; 32]) -> Option<Self> {
        /// NIST SP 800-186 section 3.2.1.3.
        const ORDER: [u8; 32] = [
            0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
        ];
        const BEFORE: [u8; 35] = [
            0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
            0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
            0x01, 0x04, 0x20,
        ];
        // These comparisons do not run in constant time. An accepted number can reveal by their time only how many of
        // its first bytes equal those of the order; all four `0xff` occur in one of 2^32 numbers.
        if *scalar >= ORDER || *scalar == [0; 32] {
            return None;
        }
        let mut der = Zeroizing::new(Vec::with_capacity(BEFORE.len() + scalar.len()));
        der.extend(BEFORE);
        der.extend(scalar);
        Some(Self { der, algorithms: &[Algorithm::Es256] })
    }

    /// The key itself, as PKCS #8. Every call is a place where it can leak: keep them few.
    pub fn expose(&self) -> &[u8] {
        &self.der
    }

    /// The algorithms with which the key can sign.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        self.algorithms
    }

    /// Whether `other` is the same key, in a time that depends on the lengths only.
    pub fn matches(&self, other: &Self) -> bool {
        constant_time_eq(&self.der, &other.der)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The content of the outermost SEQUENCE, if nothing follows it (ITU-T X.690 section 8.1).
fn content(der: &[u8]) -> Option<&[u8]> {
    let (length, content) = match der {
        [0x30, 0x82, high, low, content @ ..] => (usize::from(*high) << 8 | usize::from(*low), content),
        [0x30, 0x81, length, content @ ..] | [0x30, length @ ..=0x7f, content @ ..] => {
            (usize::from(*length), content)
        }
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

/// The algorithms that the key's version and AlgorithmIdentifier allow (RFC 3279 section 2.3, RFC 5480 section 2.1, RFC
/// 8410 section 3).
fn algorithms(info: &[u8]) -> Option<&'static [Algorithm]> {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    const KINDS: [(&[u8], &[Algorithm]); 4] = [
        (
            b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01",
            &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512],
        ),
        (b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", &[Es256]),
        (b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22", &[Es384]),
        (b"\x30\x05\x06\x03\x2b\x65\x70", &[EdDsa]),
    ];
    let [0x02, 0x01, 0x00 | 0x01, identifier @ ..] = info else { return None };
    KINDS.iter().find(|(kind, _)| identifier.starts_with(kind)).map(|(_, algorithms)| *algorithms)
}

/// Why a private key cannot be used. The configuration must be changed. No message quotes the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PrivateKeyError {
    /// The text is not valid PEM.
    #[error(
        "not a PEM file: it must begin with -----BEGIN PRIVATE KEY----- and end with -----END PRIVATE KEY-----"
    )]
    NotPem,
    /// The PEM has another label.
    #[error(
        "a PEM file, but not an unencrypted PKCS #8 key: convert it with `openssl pkcs8 -topk8 -nocrypt`"
    )]
    OtherLabel,
    /// It is not PKCS #8, or the key fits no supported algorithm.
    #[error("not a private key in PKCS #8 for RSA, P-256, P-384 or Ed25519")]
    Unsupported,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 8410 section 10.3.
    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";

    fn pem(body: &str) -> Secret {
        Secret::new(format!("-----BEGIN PRIVATE KEY-----{body}-----END PRIVATE KEY-----"))
    }

    fn refused(pem: impl Into<String>) -> PrivateKeyError {
        PrivateKey::from_pem(&Secret::new(pem)).unwrap_err()
    }

    #[test]
    fn pem_is_parsed_with_every_form_of_line_breaks_in_variables() {
        let (head, tail) = ED25519.split_at(40);
        for body in [
            format!("\n{ED25519}\n"),
            format!("\r\n{head}\r\n{tail}\r\n"),
            format!("\\n{head}\\n{tail}\\n"),
            format!("\\r\\n{head}\\r\\n{tail}\\r\\n"),
            format!(" {head} {tail} "),
            ED25519.to_owned(),
        ] {
            let key = PrivateKey::from_pem(&pem(&body)).unwrap();
            assert_eq!(key.algorithms(), [Algorithm::EdDsa], "{body}");
            assert_eq!(key.expose().len(), 48);
        }
        let among = format!("  Bag Attributes\n{}\n", pem(ED25519).expose());
        assert!(PrivateKey::from_pem(&Secret::new(among)).is_ok());
    }

    #[test]
    fn a_text_that_is_not_a_private_key_is_rejected_with_the_reason() {
        for text in ["", "secret", ED25519, "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----AAAA"]
        {
            assert_eq!(refused(text), PrivateKeyError::NotPem, "{text}");
        }
        for label in
            ["RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE"]
        {
            let text = format!("-----BEGIN {label}-----\n{ED25519}\n-----END {label}-----");
            assert_eq!(refused(text), PrivateKeyError::OtherLabel, "{label}");
        }
        for body in ["#", "A", "\\t", "\\", "é"] {
            assert_eq!(refused(pem(body).expose()), PrivateKeyError::NotPem, "{body}");
        }
        // An X25519 key, a truncated key, and a key with trailing bytes.
        let x25519 = ED25519.replace("K2Vw", "K2Vu");
        for body in ["", "AAAA", &x25519, &ED25519[..60], &format!("{ED25519}AAAA")] {
            assert_eq!(refused(pem(body).expose()), PrivateKeyError::Unsupported, "{body}");
        }
        assert_eq!(refused(pem(&"A".repeat(MAX_PEM)).expose()), PrivateKeyError::NotPem);
        let valid = pem(ED25519);
        let padded =
            |length: usize| format!("{}{}", " ".repeat(length - valid.expose().len()), valid.expose());
        assert!(PrivateKey::from_pem(&Secret::new(padded(MAX_PEM))).is_ok());
        assert_eq!(refused(padded(MAX_PEM + 1)), PrivateKeyError::NotPem);
    }

    #[test]
    fn a_number_becomes_a_private_key_in_pkcs_8() {
        let key = PrivateKey::p256(&[7; 32]).unwrap();
        let read = PrivateKey::from_der(Zeroizing::new(key.expose().to_vec())).unwrap();
        assert_eq!(read.algorithms(), [Algorithm::Es256]);
        assert!(read.matches(&key) && !read.matches(&PrivateKey::p256(&[8; 32]).unwrap()));
    }

    #[test]
    fn a_number_outside_the_range_of_private_keys_is_rejected() {
        let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
        let order: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&order[2 * at..2 * at + 2], 16).unwrap()).collect();
        let order: [u8; 32] = order.try_into().unwrap();
        let with_last = |last| {
            let mut number = order;
            number[31] = last;
            PrivateKey::p256(&number)
        };
        assert!(with_last(0x50).is_some());
        assert!(with_last(0x51).is_none() && with_last(0x52).is_none());
        assert!(PrivateKey::p256(&[0xff; 32]).is_none() && PrivateKey::p256(&[0; 32]).is_none());
        let mut one = [0; 32];
        one[31] = 1;
        assert!(PrivateKey::p256(&one).is_some());
    }

    #[test]
    fn debug_output_is_redacted() {
        assert_eq!(format!("{:?}", PrivateKey::p256(&[7; 32]).unwrap()), "[redacted]");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parsers_panic(bytes: Vec<u8>, text: String) {
            let begun = [&[0x30, u8::try_from(bytes.len() % 128).unwrap()][..], &bytes].concat();
            prop_assert!(PrivateKey::from_der(Zeroizing::new(bytes)).is_err());
            prop_assert!(PrivateKey::from_der(Zeroizing::new(begun)).is_err());
            prop_assert!(PrivateKey::from_pem(&pem(&text)).is_err());
        }
    }
}
