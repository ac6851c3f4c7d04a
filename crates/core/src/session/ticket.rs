//! The ticket of a sign-in that is asked for on one host and begins on the login host: what tells the login host
//! that this browser sent a form with its csrf token a moment ago, and for which address.
//!
//! It is a sealed cookie of the shared domain, and good for one address only: the one that the form was answered
//! with, which names the login host, the provider, the return address and the authorization request's parameters.
//! - Without it, a link to that address begins nothing: whoever writes one into a page of theirs does not have the
//!   cookie in the browser of whoever follows it. So it is worth what the form's csrf token is worth.
//! - Replayed in the same browser within its minute, it begins the same sign-in once more; in another browser it is
//!   not there. It is taken away as soon as it is used.
//! - It signs nobody in. `state`, `nonce` and the PKCE verifier are made when the login host begins, and are bound to
//!   the browser by a `__Host-` cookie of that host. Another app of the domain that plants a ticket of its own in
//!   somebody's browser gets them as far as the provider's own page, and nobody else's session into it.
//! - Its key is its own: it does not open as a session or a transaction, nor one of these as a ticket.

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

/// How long it takes a browser to follow a redirect, or a script to follow an address, on a bad connection. With
/// the 15 seconds by which clocks may differ, a minute.
pub const LIFETIME: Duration = Duration::from_secs(45);

/// What the sealed claims hold the address's digest as.
const ADDRESS: &str = "address";

/// Proof that this browser asked for the sign-in that begins here, on another host and with its csrf token.
#[derive(Clone, Copy, Debug)]
pub struct Ticket(());

/// Why a ticket is none for this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TicketError {
    /// The browser brought none.
    #[error("there is no ticket: the link was not one to follow from elsewhere, or was followed before")]
    None,
    /// It does not open.
    #[error("the ticket does not open: {0}")]
    Broken(#[from] OpenError),
    /// It was given for something else.
    #[error("the ticket is for another address")]
    OtherAddress,
}

impl Ticket {
    /// The cookie's value: a ticket for `address`, a whole URL of the login host.
    pub fn seal(
        address: &str,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        // The digest, because addresses may be longer than cookies.
        let claims = vestibule_oidc::json::of(&[(ADDRESS, digest(address).into())]);
        seal::seal(keys, Dialect::AuthJsV5, names.ticket(), &claims, LIFETIME, now, random)
    }

    /// Opens the ticket that a request for `address` brought.
    pub fn open(
        cookie: Option<&str>,
        address: &str,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
    ) -> Result<Self, TicketError> {
        let sealed = cookie.filter(|sealed| !sealed.is_empty()).ok_or(TicketError::None)?;
        let claims = seal::open(keys, Dialect::AuthJsV5, names.ticket(), sealed, now)?;
        match claims.get(ADDRESS).and_then(Value::as_str) {
            Some(digest) if digest == self::digest(address) => Ok(Self(())),
            _ => Err(TicketError::OtherAddress),
        }
    }
}

fn digest(address: &str) -> String {
    base64url::encode(&Sha256::digest(address))
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use vestibule_oidc::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const ADDRESS: &str =
        "https://auth.example.com/auth/signin/okta?callbackUrl=https%3A%2F%2Fapp.example.com%2F";

    fn keys(secret: &str) -> Keyring {
        Keyring::new(vec![Secret::new(secret)]).unwrap()
    }

    fn names() -> CookieNames {
        CookieNames::new(Dialect::AuthJsV5, true)
    }

    fn sealed() -> String {
        Ticket::seal(ADDRESS, &keys("secret"), &names(), NOW, &mut |bytes| bytes.fill(7))
    }

    fn opened(sealed: &str, address: &str, now: Timestamp) -> Result<(), TicketError> {
        Ticket::open(Some(sealed), address, &keys("secret"), &names(), now).map(|_| ())
    }

    #[test]
    fn a_ticket_is_for_one_address_and_a_minute() {
        let ticket = sealed();
        assert_eq!(opened(&ticket, ADDRESS, NOW), Ok(()));
        assert_eq!(opened(&ticket, ADDRESS, NOW.plus(LIFETIME)), Ok(()));
        let late = NOW.plus(Duration::from_mins(1));
        assert_eq!(opened(&ticket, ADDRESS, late), Err(TicketError::Broken(OpenError::Expired)));
        for other in [
            "",
            "https://auth.example.com/auth/signin/okta",
            "https://auth.example.com/auth/signin/okta?callbackUrl=https%3A%2F%2Fapp.example.com%2Fx",
            "https://auth.example.com/auth/signin/acme?callbackUrl=https%3A%2F%2Fapp.example.com%2F",
            "https://login.example.com/auth/signin/okta?callbackUrl=https%3A%2F%2Fapp.example.com%2F",
            "https://auth.example.com/auth/signin/okta?callbackUrl=https%3A%2F%2Fapp.example.com%2F&prompt=none",
        ] {
            assert_eq!(opened(&ticket, other, NOW), Err(TicketError::OtherAddress), "{other}");
        }
    }

    #[test]
    fn session_confusion_a_ticket_is_nothing_else_and_nothing_else_is_a_ticket() {
        let (keys, names) = (keys("secret"), names());
        for salt in [names.session(), names.transaction_prefix(), names.csrf(), ""] {
            for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
                assert!(seal::open(&keys, dialect, salt, &sealed(), NOW).is_err(), "{salt}");
                let claims = Map::from_iter([("address".to_owned(), Value::from(digest(ADDRESS)))]);
                let other = seal::seal(&keys, dialect, salt, &claims, LIFETIME, NOW, &mut |b| b.fill(7));
                assert!(opened(&other, ADDRESS, NOW).is_err(), "{salt}");
            }
        }
    }

    #[test]
    fn what_is_altered_or_of_another_secret_does_not_open() {
        let ticket = sealed();
        for at in 0..ticket.len() {
            let mut altered = ticket.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert!(opened(&String::from_utf8(altered).unwrap(), ADDRESS, NOW).is_err(), "{at}");
        }
        assert_eq!(opened("", ADDRESS, NOW), Err(TicketError::None));
        let elsewhere = Ticket::open(Some(&ticket), ADDRESS, &keys("another"), &names(), NOW);
        assert!(matches!(elsewhere, Err(TicketError::Broken(_))));
    }
}
