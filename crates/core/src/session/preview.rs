//! The session on its way to a preview host: a host of another domain, which browsers do not send the session's cookie to.
//!
//! 1. The preview host gives the browser a [`PreviewNonce`] in a `__Host-` cookie, and sends it to the login host with the
//!    nonce's digest, the challenge.
//! 2. The login host, where the user is signed in, sends the browser back with a [`PreviewCode`]: the sealed session, bound
//!    to the challenge, to the origin of the preview host and to the return address.
//! 3. The preview host opens the code. Only in the browser that has the nonce does it become a session.
//!
//! - A code that someone else's browser got does not sign anyone in: that browser has no nonce, and no other host can set a
//!   cookie whose name begins with `__Host-`. So the code is neither of use to a thief, nor can a page sign a visitor in as
//!   its author (login CSRF).
//! - The session in it has no refresh token, ends soon, and opens on that one host only: what runs on a preview host gets
//!   nothing that is of use on the site's own hosts, and after that time the login host says again who the user is.
//! - Its key is separate: a code does not open as a session, a ticket or a transaction, nor one of these as a code.

use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::session::claims::Session;
use crate::session::dialect::Dialect;
use crate::session::names::CookieNames;
use crate::session::seal::{self, OpenError};
use vestibule_oidc::http::cookie::Cookies;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::json;
use vestibule_oidc::oauth::pkce;
use vestibule_oidc::secret::{Secret, constant_time_eq};
use vestibule_oidc::time::Timestamp;

/// How long a code is valid: long enough for a browser to follow a redirect on a bad connection. With the 15 seconds by
/// which clocks may differ, it is a minute.
pub const CODE_LIFETIME: Duration = Duration::from_secs(45);

/// How long it is remembered that a code was used: until it has expired by every clock.
pub const CODE_RETENTION: Duration = Duration::from_mins(2);

/// How long a browser may take from the preview host to the login host and back. Between them people sign in.
pub const NONCE_LIFETIME: Duration = Duration::from_hours(1);

/// The longest code, in characters. It goes into a URL, of which Cloudflare and others accept 16 kB.
pub const MAX_CODE: usize = 12 * 1024;

/// The salt that codes are sealed with. No cookie has this name.
const SALT: &str = "vestibule.preview";

/// The salt of codes that sign out.
const SIGN_OUT_SALT: &str = "vestibule.preview-sign-out";

/// How many attempts one browser may have open at one host: it may open all its tabs at once.
const MAX_OPEN: usize = 8;

/// How many surplus cookies one response expires.
const MAX_EXPIRED: usize = 20;

/// How many cookies of one attempt are compared.
const MAX_DUPLICATES: usize = 8;

const TIME_DIGITS: usize = 8;
/// The part of a challenge that names the cookie.
const ID_LENGTH: usize = 16;
const CHALLENGE_LENGTH: usize = TIME_DIGITS + 43;

/// What only this browser has: 256 random bits in a cookie of the preview host.
#[derive(Debug)]
pub struct PreviewNonce {
    value: Secret,
    challenge: String,
}

impl PreviewNonce {
    /// A new one.
    pub fn generate(now: Timestamp, random: &mut dyn FnMut(&mut [u8])) -> Self {
        let value = pkce::unguessable(random);
        // The time comes first, so the names of the cookies sort from the oldest attempt to the newest.
        let challenge = format!("{:08x}{}", now.seconds() & 0xffff_ffff, digest(value.expose()));
        Self { value, challenge }
    }

    /// The value of the cookie.
    pub fn value(&self) -> &str {
        self.value.expose()
    }

    /// What the login host learns of it: the time, and the nonce's SHA-256 digest.
    pub fn challenge(&self) -> &str {
        &self.challenge
    }

    /// The name of the cookie.
    pub fn cookie_name(&self, names: &CookieNames) -> String {
        cookie_name(&self.challenge, names)
    }
}

/// Whether a text has the form of a challenge.
pub fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE_LENGTH
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && text.bytes().take(TIME_DIGITS).all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn cookie_name(challenge: &str, names: &CookieNames) -> String {
    format!("{}{}", names.preview_prefix(), challenge.get(..ID_LENGTH).unwrap_or_default())
}

fn digest(nonce: &str) -> String {
    base64url::encode(&Sha256::digest(nonce))
}

/// The names of the nonces' cookies to expire, oldest first, so that one more attempt makes `MAX_OPEN`.
pub fn surplus(cookies: &Cookies, names: &CookieNames) -> Vec<String> {
    // The names are sorted.
    let mut open: Vec<String> =
        cookies.names().filter(|name| name.starts_with(names.preview_prefix())).map(str::to_owned).collect();
    open.truncate(open.len().saturating_sub(MAX_OPEN - 1).min(MAX_EXPIRED));
    open
}

/// A session for one preview host, one browser and one return address.
#[derive(Clone, Debug)]
pub struct PreviewCode {
    /// Identifies the code, once it is sealed (`jti`).
    pub id: String,
    /// The session, which [belongs to the preview host](Session::preview_host).
    pub session: Session,
    /// The challenge of the browser's nonce.
    challenge: String,
    /// Where the browser goes then: an absolute URL on the preview host.
    pub address: String,
}

/// Why a code does not become a session.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PreviewCodeError {
    /// The request has no code.
    #[error("there is no code")]
    Missing,
    /// The code does not open.
    #[error("the code does not open: {0}")]
    Invalid(#[from] OpenError),
    /// The code opens, but what is in it is not a session for a preview host.
    #[error("the code was sealed by another version")]
    Malformed,
    /// The code is for another host, port or scheme.
    #[error("the code is for {0}")]
    OtherHost(String),
    /// The browser does not have the nonce.
    #[error(
        "this browser did not ask for the code: it took over an hour, or used the code before, or blocks cookies, or \
         the code is another browser's"
    )]
    OtherBrowser,
    /// The code was used.
    #[error("the code was used before")]
    Used,
    /// The host is reached over http, but the login host over https.
    #[error("the code came over http")]
    Insecure,
}

impl PreviewCode {
    /// The sealed code for a session [of a preview host](Session::for_preview_host).
    pub fn seal(
        session: &Session,
        challenge: &str,
        address: &TrustedUrl,
        keys: &Keyring,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        let claims = json::of(&[
            ("session", Value::Object(session.claims().clone())),
            ("challenge", challenge.into()),
            ("address", address.as_str().into()),
        ]);
        seal::seal(keys, Dialect::AuthJsV5, SALT, &claims, CODE_LIFETIME, now, random)
    }

    /// Opens a code. It says for which host and which browser it is, which the caller must
    /// [check](Self::check_host).
    pub fn open(code: &str, keys: &Keyring, now: Timestamp) -> Result<Self, PreviewCodeError> {
        if code.is_empty() {
            return Err(PreviewCodeError::Missing);
        }
        if code.len() > MAX_CODE {
            return Err(PreviewCodeError::Malformed);
        }
        let mut claims = seal::open(keys, Dialect::AuthJsV5, SALT, code, now)?;
        let session = match claims.remove("session") {
            Some(Value::Object(session)) => Session::new(session),
            _ => return Err(PreviewCodeError::Malformed),
        };
        let text =
            |claims: &Map<String, Value>, name| json::string(claims, name).ok_or(PreviewCodeError::Malformed);
        let challenge = text(&claims, "challenge")?;
        if !is_challenge(&challenge) || session.preview_host().is_none() || !session.names_user() {
            return Err(PreviewCodeError::Malformed);
        }
        Ok(Self { id: text(&claims, "jti")?, session, challenge, address: text(&claims, "address")? })
    }

    /// Checks that the code is for the preview host `host`.
    pub fn check_host(&self, host: &Origin) -> Result<(), PreviewCodeError> {
        match self.session.preview_host() {
            Some(sealed) if sealed == host.as_str() => Ok(()),
            sealed => Err(PreviewCodeError::OtherHost(sealed.unwrap_or_default().to_owned())),
        }
    }

    /// Checks that this browser asked for the code. The result is the name of the nonce's cookie.
    pub fn check_browser(&self, cookies: &Cookies, names: &CookieNames) -> Result<String, PreviewCodeError> {
        let name = cookie_name(&self.challenge, names);
        let expected = self.challenge.get(TIME_DIGITS..).unwrap_or_default();
        let is_it = |nonce: &str| constant_time_eq(digest(nonce).as_bytes(), expected.as_bytes());
        // Without `https` another app on the host can plant a cookie of that name.
        let has_nonce = cookies.get_all(&name).take(MAX_DUPLICATES).any(is_it);
        if has_nonce { Ok(name) } else { Err(PreviewCodeError::OtherBrowser) }
    }
}

/// A sign-out on a preview host, on its way to the login host, whose cookie the preview host cannot remove. The form of the
/// sign-out had its CSRF token, and the code ends that session only: it is of no use in another browser.
#[derive(Clone, Debug)]
pub struct PreviewSignOut {
    /// The session's `sid`.
    pub sid: String,
    /// The id of its provider, if it names one.
    pub provider: Option<String>,
    /// Where the browser goes then.
    pub next: String,
}

impl PreviewSignOut {
    /// The sealed code.
    pub fn seal(&self, keys: &Keyring, now: Timestamp, random: &mut dyn FnMut(&mut [u8])) -> String {
        let claims = json::of(&[
            ("sid", self.sid.as_str().into()),
            ("provider", self.provider.as_deref().into()),
            ("next", self.next.as_str().into()),
        ]);
        seal::seal(keys, Dialect::AuthJsV5, SIGN_OUT_SALT, &claims, CODE_LIFETIME, now, random)
    }

    /// Opens a code.
    pub fn open(code: &str, keys: &Keyring, now: Timestamp) -> Result<Self, PreviewCodeError> {
        if code.is_empty() {
            return Err(PreviewCodeError::Missing);
        }
        let claims = seal::open(keys, Dialect::AuthJsV5, SIGN_OUT_SALT, code, now)?;
        let text = |name| json::string(&claims, name).ok_or(PreviewCodeError::Malformed);
        let provider = json::string(&claims, "provider");
        Ok(Self { sid: text("sid")?, provider, next: text("next")? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::session::names::CookieNaming;
    use vestibule_oidc::http::return_to::ReturnPolicy;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn keys() -> Keyring {
        Keyring::new(vec![Secret::new("secret")]).unwrap()
    }

    fn names() -> CookieNames {
        CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true)
    }

    fn host() -> Origin {
        Origin::parse("https://pr-1.preview.example.dev").unwrap()
    }

    fn nonce() -> PreviewNonce {
        PreviewNonce::generate(NOW, &mut |bytes| bytes.fill(7))
    }

    fn sealed(claims: &Value) -> String {
        let (session, host) = (Session::new(claims.as_object().unwrap().clone()), host());
        let policy = ReturnPolicy { own_origin: &host, trusted_hosts: &[], cookie_domain: None };
        let address = policy.resolve("/page?x=1").unwrap();
        let session = session.for_preview_host(&host, NOW.plus(Duration::from_hours(1)));
        let random = &mut |bytes: &mut [u8]| bytes.fill(1);
        PreviewCode::seal(&session, nonce().challenge(), &address, &keys(), NOW, random)
    }

    #[test]
    fn a_code_is_for_one_host_one_browser_and_less_than_a_minute() {
        let code = sealed(&json!({ "sub": "bob" }));
        let opened = PreviewCode::open(&code, &keys(), NOW).unwrap();
        assert_eq!(opened.address, "https://pr-1.preview.example.dev/page?x=1");
        assert_eq!(opened.check_host(&host()), Ok(()));
        for other in [
            "http://pr-1.preview.example.dev",
            "https://pr-2.preview.example.dev",
            "https://pr-1.preview.example.dev:8443",
        ] {
            let error = opened.check_host(&Origin::parse(other).unwrap());
            assert!(matches!(error, Err(PreviewCodeError::OtherHost(_))), "{other}");
        }
        let name = nonce().cookie_name(&names());
        assert!(name.starts_with("__Host-authjs.preview.6b49d200"), "{name}");
        let with = |value: &str| Cookies::parse([format!("{name}={value}").as_str()].into_iter());
        assert_eq!(opened.check_browser(&with(nonce().value()), &names()), Ok(name.clone()));
        for other in ["", "x", nonce().challenge(), &nonce().value()[1..]] {
            let checked = opened.check_browser(&with(other), &names());
            assert_eq!(checked, Err(PreviewCodeError::OtherBrowser), "{other}");
        }
        let late = NOW.plus(Duration::from_mins(1));
        let error = PreviewCode::open(&code, &keys(), late).unwrap_err();
        assert_eq!(error, PreviewCodeError::Invalid(OpenError::Expired));
    }

    #[test]
    fn the_session_in_a_code_has_no_refresh_token_and_no_copy_of_one() {
        let code = sealed(&json!({
            "sub": "bob", "access_token": "at", "refresh_token": "rt-1", "refresh_expires_at": 9, "copy": ["x rt-1 y"],
            "api_cookies": { "session": "secret" }, "roles": ["a"], "sid": "s",
        }));
        let session = PreviewCode::open(&code, &keys(), NOW).unwrap().session;
        let expected = json!({
            "sub": "bob", "access_token": "at", "roles": ["a"], "sid": "s",
            "preview_host": "https://pr-1.preview.example.dev", "ends_at": NOW.seconds() + 3600,
        });
        assert_eq!(Value::Object(session.claims().clone()), expected);
    }

    #[test]
    fn session_confusion_what_is_not_a_code_does_not_open_as_one() {
        let random = &mut |bytes: &mut [u8]| bytes.fill(1);
        let claims = json!({ "sub": "bob", "session": { "sub": "bob" }, "challenge": nonce().challenge(), "address": "/" });
        let claims = claims.as_object().unwrap();
        for salt in [names().session(), names().ticket(), names().preview_prefix(), "vestibule.tokens"] {
            let other = seal::seal(&keys(), Dialect::AuthJsV5, salt, claims, CODE_LIFETIME, NOW, random);
            let error = PreviewCode::open(&other, &keys(), NOW).unwrap_err();
            assert!(matches!(error, PreviewCodeError::Invalid(_)), "{salt}");
        }
        // A session that belongs to no preview host, and one of no one.
        let other = seal::seal(&keys(), Dialect::AuthJsV5, SALT, claims, CODE_LIFETIME, NOW, random);
        assert_eq!(PreviewCode::open(&other, &keys(), NOW).unwrap_err(), PreviewCodeError::Malformed);
        let nobody = sealed(&json!({ "name": "x" }));
        assert_eq!(PreviewCode::open(&nobody, &keys(), NOW).unwrap_err(), PreviewCodeError::Malformed);
        assert_eq!(PreviewCode::open("", &keys(), NOW).unwrap_err(), PreviewCodeError::Missing);
        let of_length = |length: usize| PreviewCode::open(&"x".repeat(length), &keys(), NOW).unwrap_err();
        assert!(matches!(of_length(MAX_CODE), PreviewCodeError::Invalid(_)));
        assert_eq!(of_length(MAX_CODE + 1), PreviewCodeError::Malformed);
    }

    #[test]
    fn unlimited_state_cookies_the_oldest_nonces_are_expired() {
        let mut field = String::new();
        for second in 0..30 {
            let nonce =
                PreviewNonce::generate(NOW.plus(Duration::from_secs(second)), &mut |bytes| bytes.fill(3));
            field = format!("{field}{}=x; ", nonce.cookie_name(&names()));
        }
        let surplus = surplus(&Cookies::parse([field.as_str()].into_iter()), &names());
        assert_eq!(surplus.len(), MAX_EXPIRED);
        assert!(surplus[0].starts_with("__Host-authjs.preview.6b49d200"), "{surplus:?}");
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_no_code_and_a_challenge_has_one_form(text: String) {
            prop_assert!(PreviewCode::open(&text, &keys(), NOW).is_err());
            prop_assert!(!is_challenge(&text) || text.is_ascii());
        }
    }
}
