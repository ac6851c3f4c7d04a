//! The way on of a person who signs out at the provider: where the browser goes when it comes back from there.
//!
//! Providers send people back to registered addresses only, so there is one for all, and the page that they were going to is
//! in a sealed cookie. `state` of the logout request names it (OpenID Connect RP-Initiated Logout 1.0 section 3): only the
//! answer to this browser's own request leads to that page.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::session::dialect::Dialect;
use crate::session::names::CookieNames;
use crate::session::seal;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::json;
use vestibule_oidc::oauth::pkce;
use vestibule_oidc::secret::{Secret, constant_time_eq};
use vestibule_oidc::time::Timestamp;

/// How long a person may take at the provider, which may ask whether they mean it.
pub const LIFETIME: Duration = Duration::from_mins(15);

/// The longest sealed value, in characters, that fits into one cookie.
const MAX_SEALED: usize = 3800;

/// How many cookies are opened.
const MAX_DUPLICATES: usize = 4;

/// A sign-out at the provider that this browser began.
#[derive(Clone, Debug)]
pub struct LogoutState {
    /// `state` of the logout request: 256 random bits. `None` at a provider that does not return it.
    pub state: Option<Secret>,
    /// Where the browser goes then: a checked, absolute URL.
    pub return_to: String,
}

/// Why a return from the provider does not lead to the page that the person was going to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LogoutStateError {
    /// The browser has no cookie, or it does not open.
    #[error(
        "this browser has no open sign-out at a provider: it took over 15 minutes, was finished before, or began in \
         another browser or on another host"
    )]
    Unknown,
    /// The provider did not return `state`.
    #[error("the provider returned no state")]
    Missing,
    /// The provider returned another `state`, or several.
    #[error("the state is not that of the sign-out that this browser began")]
    Other,
}

impl LogoutState {
    /// Begins a sign-out after which the browser goes to `return_to`.
    pub fn begin(return_to: &TrustedUrl, random: &mut dyn FnMut(&mut [u8])) -> Self {
        Self { state: Some(pkce::unguessable(random)), return_to: return_to.as_str().to_owned() }
    }

    /// The same at a provider that does not return `state`.
    #[must_use]
    pub fn without_state(mut self) -> Self {
        self.state = None;
        self
    }

    /// The value of the cookie. `None` if the address is too long for one.
    pub fn seal(
        &self,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Option<String> {
        let state = self.state.as_ref().map(Secret::expose);
        let claims = json::of(&[("state", state.into()), ("return_to", self.return_to.as_str().into())]);
        let (dialect, name) = (Dialect::AuthJsV5, names.logout_state());
        let sealed = seal::seal(keys, dialect, name, &claims, LIFETIME, now, random);
        (sealed.len() <= MAX_SEALED).then_some(sealed)
    }

    /// Where the browser goes that comes back with this `state`: by one of its `cookies`, of which another host of the domain
    /// may have planted the others.
    pub fn open<'a>(
        cookies: impl IntoIterator<Item = &'a str>,
        state: Option<&str>,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
    ) -> Result<String, LogoutStateError> {
        let mut error = LogoutStateError::Unknown;
        for sealed in cookies.into_iter().filter(|sealed| !sealed.is_empty()).take(MAX_DUPLICATES) {
            let opened = seal::open_up_to(MAX_SEALED, keys, names.logout_state(), sealed, now);
            let Ok(claims) = opened else { continue };
            let Some(return_to) = json::string(&claims, "return_to") else { continue };
            match (claims.get("state").and_then(Value::as_str), state) {
                (None, None) => return Ok(return_to),
                (Some(sent), Some(state)) if constant_time_eq(sent.as_bytes(), state.as_bytes()) => {
                    return Ok(return_to);
                }
                (Some(_), None) => error = LogoutStateError::Missing,
                (_, Some(_)) => error = LogoutStateError::Other,
            }
        }
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::names::CookieNaming;
    use vestibule_oidc::http::origin::Origin;
    use vestibule_oidc::http::return_to::ReturnPolicy;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn keys() -> Keyring {
        Keyring::new(vec![Secret::new("secret")]).unwrap()
    }

    fn names() -> CookieNames {
        CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true)
    }

    fn begun(path: &str, random: u8) -> LogoutState {
        let own_origin = Origin::parse("https://app.example.com").unwrap();
        let policy = ReturnPolicy { own_origin: &own_origin, trusted_hosts: &[], cookie_domain: None };
        LogoutState::begin(&policy.resolve(path).unwrap(), &mut |bytes| bytes.fill(random))
    }

    fn sealed(begun: &LogoutState) -> Option<String> {
        begun.seal(&keys(), &names(), NOW, &mut |bytes| bytes.fill(1))
    }

    fn opened(cookies: &[&str], state: Option<&str>, now: Timestamp) -> Result<String, LogoutStateError> {
        LogoutState::open(cookies.iter().copied(), state, &keys(), &names(), now)
    }

    #[test]
    fn only_the_state_of_the_sign_out_leads_to_its_page() {
        let begun = begun("/bye", 7);
        let (cookie, state) = (sealed(&begun).unwrap(), begun.state.clone().unwrap());
        let (cookies, state) = (&["x", "", cookie.as_str()], state.expose());
        let bye = || Ok("https://app.example.com/bye".to_owned());
        assert_eq!(opened(cookies, Some(state), NOW), bye());
        assert_eq!(opened(cookies, None, NOW), Err(LogoutStateError::Missing));
        for other in ["", "x", &state[1..], &format!("{state}x")] {
            assert_eq!(opened(cookies, Some(other), NOW), Err(LogoutStateError::Other), "{other}");
        }
        assert_eq!(opened(&["x", ""], Some(state), NOW), Err(LogoutStateError::Unknown));
        let late = NOW.plus(LIFETIME + Duration::from_secs(15));
        assert_eq!(opened(cookies, Some(state), late), Err(LogoutStateError::Unknown));
        // A provider without `state` returns none, and one that was not sent is not the provider's.
        let cookie = sealed(&begun.without_state()).unwrap();
        assert_eq!(opened(&[&cookie], None, NOW), bye());
        assert_eq!(opened(&[&cookie], Some(state), NOW), Err(LogoutStateError::Other));
    }

    #[test]
    fn shadowing_cookies_the_page_is_found_behind_that_of_another_sign_out() {
        let (mine, other) = (begun("/mine", 7), begun("/other", 8));
        let (cookie, planted) = (sealed(&mine).unwrap(), sealed(&other).unwrap());
        let state = mine.state.unwrap();
        let found = opened(&[&planted, &cookie], Some(state.expose()), NOW);
        assert_eq!(found.as_deref(), Ok("https://app.example.com/mine"));
    }

    #[test]
    fn an_address_that_is_too_long_for_a_cookie_is_not_kept() {
        assert!(sealed(&begun(&format!("/{}", "a".repeat(2000)), 7)).is_some());
        assert!(sealed(&begun(&format!("/{}", "a".repeat(3500)), 7)).is_none());
    }

    #[test]
    fn session_confusion_the_cookie_does_not_open_as_another_one() {
        let (names, cookie) = (names(), sealed(&begun("/bye", 7)).unwrap());
        for salt in [names.session(), names.transaction_prefix(), names.ticket(), names.logout_hint(), ""] {
            for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
                assert!(seal::open(&keys(), dialect, salt, &cookie, NOW).is_err(), "{salt}");
            }
        }
    }
}
