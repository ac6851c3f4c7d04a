//! The ticket of a sign-in that is requested on one host and begins on the login host. It proves to the login host that
//! this browser sent a form with its CSRF token a moment ago, and for which URL.
//!
//! It is a sealed cookie of the shared domain, and valid for one URL: the one in the response to the form. That URL
//! names the login host, the provider, the return URL and the authorization request's parameters.
//! - Without a ticket, a link to that URL does not begin a sign-in: an attacker who puts the link into a page cannot
//!   put the cookie into the browser of a user who follows it. So the ticket protects as well as the form's CSRF
//!   token.
//! - Replayed in the same browser within its lifetime, it begins the same sign-in again. Another browser does not have
//!   it. The login host expires it as soon as it is used.
//! - It does not sign a user in. The login host creates `state`, `nonce` and the PKCE verifier when it begins the
//!   sign-in, and binds them to the browser with its own `__Host-` cookie. Another app of the domain can plant its
//!   own ticket in a user's browser. Then the user gets to the provider's page, but another user's session does not
//!   get into the browser.
//! - Its key is separate: a ticket does not open as a session or a transaction, nor one of these as a ticket.

use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::session::dialect::Dialect;
use crate::session::names::CookieNames;
use crate::session::seal::{self, OpenError};
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::time::Timestamp;

/// How long a ticket is valid: long enough for a browser to follow a redirect, or a script a URL, on a bad connection.
/// With the 15 seconds by which clocks may differ, it is a minute.
pub const LIFETIME: Duration = Duration::from_secs(45);

/// How many cookies are opened.
const MAX_DUPLICATES: usize = 8;

/// The claim with the digest of the URL.
const URL_CLAIM: &str = "address";

/// Proof that this browser requested the sign-in on another host, with its CSRF token.
#[derive(Clone, Copy, Debug)]
pub struct Ticket(());

/// Why a ticket is not valid for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TicketError {
    /// The request has no ticket.
    #[error("there is no ticket: the link was followed before, or did not come from a sign-in form")]
    Missing,
    /// The ticket does not open.
    #[error("the ticket does not open: {0}")]
    Invalid(#[from] OpenError),
    /// The ticket is for another URL.
    #[error("the ticket is for another URL")]
    OtherUrl,
}

impl Ticket {
    /// The cookie's value: a ticket for `url`, an absolute URL of the login host.
    pub fn seal(
        url: &str,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        // A digest, because a URL may be longer than a cookie.
        let claims = vestibule_oidc::json::of(&[(URL_CLAIM, digest(url).into())]);
        seal::seal(keys, Dialect::AuthJsV5, names.ticket(), &claims, LIFETIME, now, random)
    }

    /// Opens the ticket of a request for `url`: one of its `cookies`, of which another host of the domain may have
    /// planted the others.
    pub fn open<'a>(
        cookies: impl IntoIterator<Item = &'a str>,
        url: &str,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
    ) -> Result<Self, TicketError> {
        let mut error = None;
        for sealed in cookies.into_iter().filter(|sealed| !sealed.is_empty()).take(MAX_DUPLICATES) {
            match seal::open(keys, Dialect::AuthJsV5, names.ticket(), sealed, now) {
                Ok(claims) => {
                    if claims.get(URL_CLAIM).and_then(Value::as_str) == Some(digest(url).as_str()) {
                        return Ok(Self(()));
                    }
                    error.get_or_insert(TicketError::OtherUrl);
                }
                Err(why) => {
                    error.get_or_insert(TicketError::Invalid(why));
                }
            }
        }
        Err(error.unwrap_or(TicketError::Missing))
    }
}

fn digest(url: &str) -> String {
    base64url::encode(&Sha256::digest(url))
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::session::names::CookieNaming;
    use vestibule_oidc::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const URL: &str =
        "https://auth.example.com/auth/signin/okta?callbackUrl=https%3A%2F%2Fapp.example.com%2F";

    fn keys(secret: &str) -> Keyring {
        Keyring::new(vec![Secret::new(secret)]).unwrap()
    }

    fn names() -> CookieNames {
        CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true)
    }

    fn sealed() -> String {
        Ticket::seal(URL, &keys("secret"), &names(), NOW, &mut |bytes| bytes.fill(7))
    }

    fn opened(sealed: &str, url: &str, now: Timestamp) -> Result<(), TicketError> {
        Ticket::open(Some(sealed), url, &keys("secret"), &names(), now).map(|_| ())
    }

    #[test]
    fn a_ticket_is_valid_for_one_url_and_less_than_a_minute() {
        let ticket = sealed();
        assert_eq!(opened(&ticket, URL, NOW), Ok(()));
        assert_eq!(opened(&ticket, URL, NOW.plus(LIFETIME)), Ok(()));
        let late = NOW.plus(Duration::from_mins(1));
        assert_eq!(opened(&ticket, URL, late), Err(TicketError::Invalid(OpenError::Expired)));
        for other in [
            "",
            "https://auth.example.com/auth/signin/okta",
            "https://auth.example.com/auth/signin/okta?callbackUrl=https%3A%2F%2Fapp.example.com%2Fx",
            "https://auth.example.com/auth/signin/acme?callbackUrl=https%3A%2F%2Fapp.example.com%2F",
            "https://login.example.com/auth/signin/okta?callbackUrl=https%3A%2F%2Fapp.example.com%2F",
            "https://auth.example.com/auth/signin/okta?callbackUrl=https%3A%2F%2Fapp.example.com%2F&prompt=none",
        ] {
            assert_eq!(opened(&ticket, other, NOW), Err(TicketError::OtherUrl), "{other}");
        }
    }

    #[test]
    fn shadowing_cookies_the_ticket_for_the_url_is_found_behind_others() {
        let ticket = sealed();
        let random = &mut |bytes: &mut [u8]| bytes.fill(8);
        let other = Ticket::seal("https://auth.example.com/", &keys("secret"), &names(), NOW, random);
        let open = |cookies: &[&str]| {
            let cookies = cookies.iter().copied();
            Ticket::open(cookies, URL, &keys("secret"), &names(), NOW).map(|_| ())
        };
        assert_eq!(open(&["", "x", &other, &ticket]), Ok(()));
        assert_eq!(open(&[&other, "x"]), Err(TicketError::OtherUrl));
        assert_eq!(open(&[""]), Err(TicketError::Missing));
        assert!(open(&[["x"; MAX_DUPLICATES].as_slice(), &[ticket.as_str()]].concat()).is_err());
    }

    #[test]
    fn session_confusion_a_ticket_does_not_open_as_another_cookie_nor_one_as_a_ticket() {
        let (keys, names) = (keys("secret"), names());
        for salt in [names.session(), names.transaction_prefix(), names.csrf(), ""] {
            for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
                assert!(seal::open(&keys, dialect, salt, &sealed(), NOW).is_err(), "{salt}");
                let claims = Map::from_iter([("address".to_owned(), Value::from(digest(URL)))]);
                let other = seal::seal(&keys, dialect, salt, &claims, LIFETIME, NOW, &mut |b| b.fill(7));
                assert!(opened(&other, URL, NOW).is_err(), "{salt}");
            }
        }
    }

    #[test]
    fn a_ticket_that_is_altered_or_sealed_with_another_secret_does_not_open() {
        let ticket = sealed();
        for at in 0..ticket.len() {
            let mut altered = ticket.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert!(opened(&String::from_utf8(altered).unwrap(), URL, NOW).is_err(), "{at}");
        }
        assert_eq!(opened("", URL, NOW), Err(TicketError::Missing));
        let elsewhere = Ticket::open(Some(ticket.as_str()), URL, &keys("another"), &names(), NOW);
        assert!(matches!(elsewhere, Err(TicketError::Invalid(_))));
    }
}
