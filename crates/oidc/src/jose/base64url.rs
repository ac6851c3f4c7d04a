//! base64url without padding, the encoding of all parts of a JOSE object (RFC 7515 section 2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

/// Encodes `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes `text`.
///
/// Only the canonical encoding is accepted. Padding, whitespace, other alphabets and non-zero trailing bits are
/// rejected, so two different texts never decode to the same bytes.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64UrlError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Base64UrlError)
}

/// Text that is not base64url without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not base64url without padding (RFC 7515 section 2)")]
pub struct Base64UrlError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_rfc_7515_appendix_c_is_encoded_and_decoded() {
        assert_eq!(encode(&[3, 236, 255, 224, 193]), "A-z_4ME");
        assert_eq!(decode("A-z_4ME").unwrap(), [3, 236, 255, 224, 193]);
        assert_eq!(decode(""), Ok(vec![]));
    }

    #[test]
    fn every_other_encoding_is_rejected() {
        for text in
            ["A", "AB=", "AA==", "AB", "AAB", "A-z_4ME=", "A+z/4ME", "A-z_ 4ME", "A-z_4ME\n", "é", "A-z_4Mé"]
        {
            assert_eq!(decode(text), Err(Base64UrlError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn encoded_bytes_decode_unchanged(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), Ok(bytes));
        }

        #[test]
        fn an_accepted_text_is_the_canonical_encoding(text in "[A-Za-z0-9_=+/-]{0,12}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
