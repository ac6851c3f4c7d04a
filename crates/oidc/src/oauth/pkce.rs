//! Proof Key for Code Exchange (RFC 7636): only the client that requested a code can redeem it.

use sha2::{Digest, Sha256};

use crate::jose::base64url;
use crate::secret::Secret;

/// `code_challenge_method`. With `plain`, everyone who sees the request would know the verifier (RFC 9700 section
/// 2.1.1).
pub const CHALLENGE_METHOD: &str = "S256";

/// A code verifier (RFC 7636 section 4.1).
#[derive(Clone, Debug)]
pub struct Verifier(Secret);

impl Verifier {
    /// Creates a verifier from 32 bytes of `random`: 43 characters, as section 4.1 recommends.
    pub fn generate(random: &mut dyn FnMut(&mut [u8])) -> Self {
        Self(unguessable(random))
    }

    /// Restores a verifier from a sealed transaction. `None` unless it is 43 to 128 unreserved characters.
    pub fn restore(text: &str) -> Option<Self> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        ((43..=128).contains(&text.len()) && text.bytes().all(unreserved)).then(|| Self(Secret::new(text)))
    }

    /// `code_verifier`, for the token request and the sealed transaction.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// `code_challenge` for the authorization request, by S256 (RFC 7636 section 4.2).
    pub fn challenge(&self) -> String {
        base64url::encode(&Sha256::digest(self.0.expose().as_bytes()))
    }
}

/// A random value for `state` (RFC 6749 section 10.12) and `nonce` (OpenID Connect Core 1.0 section 15.5.2): 32 bytes
/// of `random` in base64url, 43 characters.
pub fn unguessable(random: &mut dyn FnMut(&mut [u8])) -> Secret {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    random(bytes.as_mut_slice());
    Secret::new(base64url::encode(bytes.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B: the octets, the verifier and the challenge.
    #[test]
    fn a_challenge_equals_the_vector_of_rfc_7636_appendix_b() {
        const OCTETS: [u8; 32] = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = Verifier::generate(&mut |bytes| bytes.copy_from_slice(&OCTETS));
        assert_eq!(verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn only_a_verifier_that_rfc_7636_allows_is_restored() {
        let made = Verifier::generate(&mut |bytes| bytes.fill(7));
        assert_eq!(Verifier::restore(made.expose()).unwrap().challenge(), made.challenge());
        assert!(Verifier::restore(&"~".repeat(128)).is_some());
        for bad in
            [String::new(), "a".repeat(42), "a".repeat(129), " ".repeat(43), "+".repeat(43), "é".repeat(30)]
        {
            assert!(Verifier::restore(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn debug_output_of_a_verifier_is_redacted() {
        let verifier = Verifier::generate(&mut |bytes| bytes.fill(7));
        assert_eq!(format!("{verifier:?}"), "Verifier([redacted])");
    }
}
