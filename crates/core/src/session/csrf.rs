//! Auth.js's CSRF token: a double-submit token, in a cookie with its hash and in the form.

use sha2::{Digest, Sha256};
use thiserror::Error;

use vestibule_oidc::hex;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::secret::{Secret, constant_time_eq};

/// The CSRF token of one browser: 64 hexadecimal digits. Its cookie is `TOKEN|HEX(SHA-256(TOKEN + SECRET))`, so that a
/// token that an attacker planted in the browser is not accepted.
pub struct Csrf {
    /// The tokens of the request's cookies whose hash is valid, in order of appearance; otherwise the new token.
    tokens: Vec<String>,
    is_new: bool,
}

/// How many cookies are checked. Each costs a hash.
const MAX_COOKIES: usize = 8;

/// Proof that a request came from a page that Vestibule sent to this browser.
#[derive(Clone, Copy, Debug)]
pub struct CsrfVerified(());

/// The CSRF token is missing, or does not match the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the CSRF token is missing or does not match the cookie")]
pub struct CsrfError;

impl Csrf {
    /// The tokens in the cookies whose hash is valid, otherwise a new token. Without `https` a browser may have several
    /// cookies, and the first one may be of another app on the host.
    pub fn from_cookies<'a>(
        cookies: impl IntoIterator<Item = &'a str>,
        keys: &Keyring,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Self {
        let verified = |cookie: &'a str| {
            cookie.split_once('|').filter(|(token, hash)| {
                keys.secrets()
                    .any(|secret| constant_time_eq(cookie_hash(token, secret).as_bytes(), hash.as_bytes()))
            })
        };
        let tokens = cookies.into_iter().take(MAX_COOKIES).filter_map(verified);
        let tokens: Vec<String> = tokens.map(|(token, _)| token.to_owned()).collect();
        if !tokens.is_empty() {
            return Self { tokens, is_new: false };
        }
        let mut bytes = [0; 32];
        random(&mut bytes);
        Self { tokens: vec![hex::encode(&bytes)], is_new: true }
    }

    /// The token, for a form or for `GET /csrf`.
    pub fn token(&self) -> &str {
        self.tokens.first().map(String::as_str).unwrap_or_default()
    }

    /// The cookie's value, if the token is new. `None` if the browser has the cookie already.
    pub fn new_cookie(&self, keys: &Keyring) -> Option<String> {
        let secret = keys.secrets().next().filter(|_| self.is_new)?;
        Some(format!("{}|{}", self.token(), cookie_hash(self.token(), secret)))
    }

    /// Checks that `submitted`, from a request's body, is the token in one of the request's cookies.
    pub fn verify(&self, submitted: Option<&str>) -> Result<CsrfVerified, CsrfError> {
        let submitted = submitted.filter(|_| !self.is_new).ok_or(CsrfError)?;
        let is_submitted = |token: &String| constant_time_eq(token.as_bytes(), submitted.as_bytes());
        self.tokens.iter().any(is_submitted).then_some(CsrfVerified(())).ok_or(CsrfError)
    }
}

fn cookie_hash(token: &str, secret: &Secret) -> String {
    let mut hash = Sha256::new();
    hash.update(token);
    hash.update(secret.expose());
    hex::encode(&hash.finalize())
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
        let csrf = Csrf::from_cookies(None, &keys(&[SECRET]), &mut counting_random());
        assert_eq!(csrf.token().len(), 64);
        assert!(csrf.verify(Some(csrf.token())).is_err());
    }

    #[test]
    fn the_token_in_the_form_must_match_the_cookie() {
        let keys = keys(&[SECRET]);
        let cookie = Csrf::from_cookies(None, &keys, &mut counting_random()).new_cookie(&keys).unwrap();
        let csrf = Csrf::from_cookies([cookie.as_str()], &keys, &mut counting_random());
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
            let csrf = Csrf::from_cookies([planted], &keys, &mut counting_random());
            assert!(csrf.is_new, "{planted}");
        }
    }

    #[test]
    fn shadowing_cookies_a_csrf_cookie_that_verifies_is_found_behind_others() {
        let keys = keys(&[SECRET]);
        let mut random = counting_random();
        let [one, two] =
            [(); 2].map(|()| Csrf::from_cookies(None, &keys, &mut random).new_cookie(&keys).unwrap());
        let token = |cookie: &str| cookie[..64].to_owned();
        let csrf = Csrf::from_cookies(["", "a|a", &one, "x", &two], &keys, &mut random);
        assert_eq!((csrf.token(), csrf.new_cookie(&keys)), (token(&one).as_str(), None));
        assert!(csrf.verify(Some(&token(&one))).is_ok() && csrf.verify(Some(&token(&two))).is_ok());
        assert!(csrf.verify(Some("a")).is_err() && csrf.verify(Some("")).is_err());
        let many = std::iter::repeat_n("a|a", MAX_COOKIES).chain([one.as_str()]);
        assert!(Csrf::from_cookies(many, &keys, &mut random).is_new, "bounded work");
    }

    #[test]
    fn a_token_hashed_with_an_older_secret_is_accepted() {
        let old = keys(&["an older secret, long enough"]);
        let cookie = Csrf::from_cookies(None, &old, &mut counting_random()).new_cookie(&old).unwrap();
        let both = keys(&[SECRET, "an older secret, long enough"]);
        assert!(!Csrf::from_cookies([cookie.as_str()], &both, &mut counting_random()).is_new);
        assert!(Csrf::from_cookies([cookie.as_str()], &keys(&[SECRET]), &mut counting_random()).is_new);
    }
}
