//! Auth.js's CSRF token: a double-submit token, in a cookie with its hash and in the form.

use sha2::{Digest, Sha256};
use thiserror::Error;

use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::secret::{Secret, constant_time_eq};

/// The CSRF token of one browser: 64 hexadecimal digits. Its cookie is `TOKEN|HEX(SHA-256(TOKEN + SECRET))`, so that a
/// token that an attacker planted in the browser is not accepted.
pub struct Csrf {
    token: String,
    is_new: bool,
}

/// Proof that a request came from a page that Vestibule sent to this browser.
#[derive(Clone, Copy, Debug)]
pub struct CsrfVerified(());

/// The CSRF token is missing, or does not match the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the CSRF token is missing or does not match the cookie")]
pub struct CsrfError;

impl Csrf {
    /// The token in the cookie if its hash is valid, otherwise a new token.
    pub fn from_cookie(cookie: Option<&str>, keys: &Keyring, random: &mut dyn FnMut(&mut [u8])) -> Self {
        let verified = cookie.and_then(|cookie| cookie.split_once('|')).filter(|(token, hash)| {
            keys.secrets()
                .any(|secret| constant_time_eq(cookie_hash(token, secret).as_bytes(), hash.as_bytes()))
        });
        if let Some((token, _)) = verified {
            return Self { token: token.to_owned(), is_new: false };
        }
        let mut bytes = [0; 32];
        random(&mut bytes);
        Self { token: hex(&bytes), is_new: true }
    }

    /// The token, for a form or for `GET /csrf`.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The cookie's value, if the token is new. `None` if the browser has the cookie already.
    pub fn new_cookie(&self, keys: &Keyring) -> Option<String> {
        let secret = keys.secrets().next().filter(|_| self.is_new)?;
        Some(format!("{}|{}", self.token, cookie_hash(&self.token, secret)))
    }

    /// Checks that `submitted`, from a request's body, is the token in the request's cookie.
    pub fn verify(&self, submitted: Option<&str>) -> Result<CsrfVerified, CsrfError> {
        match submitted {
            Some(submitted)
                if !self.is_new && constant_time_eq(self.token.as_bytes(), submitted.as_bytes()) =>
            {
                Ok(CsrfVerified(()))
            }
            _ => Err(CsrfError),
        }
    }
}

fn cookie_hash(token: &str, secret: &Secret) -> String {
    let mut hash = Sha256::new();
    hash.update(token);
    hash.update(secret.expose());
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "my-32-char-or-longer-shared-secret!!";

    fn keys(secrets: &[&str]) -> Keyring {
        Keyring::new(secrets.iter().map(|s| Secret::new(*s)).collect()).unwrap()
    }

    fn counting_random() -> impl FnMut(&mut [u8]) {
        let mut next = 0;
        move |bytes| {
            bytes.fill_with(|| {
                next += 1;
                next
            });
        }
    }

    #[test]
    fn a_new_token_does_not_verify() {
        let csrf = Csrf::from_cookie(None, &keys(&[SECRET]), &mut counting_random());
        assert_eq!(csrf.token().len(), 64);
        assert!(csrf.verify(Some(csrf.token())).is_err());
    }

    #[test]
    fn the_token_in_the_form_must_match_the_cookie() {
        let keys = keys(&[SECRET]);
        let cookie = Csrf::from_cookie(None, &keys, &mut counting_random()).new_cookie(&keys).unwrap();
        let csrf = Csrf::from_cookie(Some(&cookie), &keys, &mut counting_random());
        assert_eq!(csrf.new_cookie(&keys), None);
        assert!(csrf.verify(Some(csrf.token())).is_ok());
        for wrong in [None, Some(""), Some("x"), Some(&cookie[..63])] {
            assert!(csrf.verify(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_cookie_without_a_valid_hash_is_replaced() {
        let keys = keys(&[SECRET]);
        for planted in ["", "|", "a|", "abc|abc", &format!("{0}|{0}", "a".repeat(64))] {
            let csrf = Csrf::from_cookie(Some(planted), &keys, &mut counting_random());
            assert!(csrf.is_new, "{planted}");
        }
    }

    #[test]
    fn a_token_hashed_with_an_older_secret_is_accepted() {
        let old = keys(&["an older secret, long enough"]);
        let cookie = Csrf::from_cookie(None, &old, &mut counting_random()).new_cookie(&old).unwrap();
        let both = keys(&[SECRET, "an older secret, long enough"]);
        assert!(!Csrf::from_cookie(Some(&cookie), &both, &mut counting_random()).is_new);
        assert!(Csrf::from_cookie(Some(&cookie), &keys(&[SECRET]), &mut counting_random()).is_new);
    }
}
