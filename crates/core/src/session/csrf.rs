//! Auth.js's csrf token: half of it in a cookie, the other half in the form.

use sha2::{Digest, Sha256};
use thiserror::Error;

use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::secret::{Secret, constant_time_eq};

/// The csrf token of one browser: 64 hex digits. Its cookie is `TOKEN|HEX(SHA-256(TOKEN + SECRET))`, so
/// that a token which somebody planted in the browser does not hold.
pub struct Csrf {
    token: String,
    is_new: bool,
}

/// Proof that a request came from a page that this browser got from us.
#[derive(Clone, Copy, Debug)]
pub struct CsrfVerified(());

/// The csrf token is missing, or not the one in the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the csrf token is missing or is not the one in the cookie")]
pub struct CsrfError;

impl Csrf {
    /// The token in the cookie where it holds, otherwise a new one.
    pub fn of(cookie: Option<&str>, keys: &Keyring, random: &mut dyn FnMut(&mut [u8])) -> Self {
        let held = cookie.and_then(|cookie| cookie.split_once('|')).filter(|(token, hash)| {
            keys.secrets().any(|secret| constant_time_eq(hash_of(token, secret).as_bytes(), hash.as_bytes()))
        });
        if let Some((token, _)) = held {
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

    /// The cookie's value where the browser does not have it yet.
    pub fn new_cookie(&self, keys: &Keyring) -> Option<String> {
        let secret = keys.secrets().next().filter(|_| self.is_new)?;
        Some(format!("{}|{}", self.token, hash_of(&self.token, secret)))
    }

    /// Whether `submitted`, from a request's body, is the token that was in its cookie.
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

fn hash_of(token: &str, secret: &Secret) -> String {
    let mut hash = Sha256::new();
    hash.update(token);
    hash.update(secret.expose());
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
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

    fn counting() -> impl FnMut(&mut [u8]) {
        let mut next = 0;
        move |bytes| {
            bytes.fill_with(|| {
                next += 1;
                next
            });
        }
    }

    #[test]
    fn a_new_token_is_no_proof() {
        let csrf = Csrf::of(None, &keys(&[SECRET]), &mut counting());
        assert_eq!(csrf.token().len(), 64);
        assert!(csrf.verify(Some(csrf.token())).is_err());
    }

    #[test]
    fn the_cookie_and_the_form_must_agree() {
        let keys = keys(&[SECRET]);
        let cookie = Csrf::of(None, &keys, &mut counting()).new_cookie(&keys).unwrap();
        let csrf = Csrf::of(Some(&cookie), &keys, &mut counting());
        assert_eq!(csrf.new_cookie(&keys), None);
        assert!(csrf.verify(Some(csrf.token())).is_ok());
        for wrong in [None, Some(""), Some("x"), Some(&cookie[..63])] {
            assert!(csrf.verify(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_planted_cookie_does_not_hold() {
        let keys = keys(&[SECRET]);
        for planted in ["", "|", "a|", "abc|abc", &format!("{0}|{0}", "a".repeat(64))] {
            let csrf = Csrf::of(Some(planted), &keys, &mut counting());
            assert!(csrf.is_new, "{planted}");
        }
    }

    #[test]
    fn a_token_of_an_older_secret_holds() {
        let old = keys(&["an older secret, long enough"]);
        let cookie = Csrf::of(None, &old, &mut counting()).new_cookie(&old).unwrap();
        let both = keys(&[SECRET, "an older secret, long enough"]);
        assert!(!Csrf::of(Some(&cookie), &both, &mut counting()).is_new);
        assert!(Csrf::of(Some(&cookie), &keys(&[SECRET]), &mut counting()).is_new);
    }
}
