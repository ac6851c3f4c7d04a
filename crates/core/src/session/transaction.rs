//! One attempt to sign in: what must be remembered in the browser, and nowhere else, between the
//! authorization request and its response.
//!
//! Every attempt has a sealed cookie of its own, so two tabs do not disturb each other. Its name ends in an
//! identifier that is also the beginning of `state`: the response says which cookie belongs to it, and
//! only the browser that began the attempt has that cookie.

use std::time::Duration;

use thiserror::Error;

use crate::session::dialect::Dialect;
use crate::session::names::CookieNames;
use crate::session::seal;
use vestibule_oidc::http::cookie::Cookies;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::json;
use vestibule_oidc::oauth::pkce::{self, Verifier};
use vestibule_oidc::secret::{Secret, constant_time_eq};
use vestibule_oidc::time::Timestamp;

/// How long an attempt may take. Auth.js gives its check cookies the same 15 minutes: long enough to find a
/// phone for a second factor, short enough that a forgotten tab is worth nothing.
pub const LIFETIME: Duration = Duration::from_mins(15);

/// How many attempts one browser may have open. More than a person has tabs for; fewer than would push a
/// request's headers over a server's limit (about 700 bytes each).
const MOST_OPEN: usize = 5;

/// How many surplus cookies one response expires, so that a browser stuffed with them by a neighbouring
/// subdomain costs bounded work and cleans itself up over a few requests.
const MOST_EXPIRED: usize = 20;

const TIME_DIGITS: usize = 8;
const ID_LENGTH: usize = 16;

/// One attempt to sign in.
#[derive(Clone, Debug)]
pub struct Transaction {
    id: String,
    /// The provider's id in the configuration.
    pub provider: String,
    /// `state` of the authorization request (RFC 6749 section 4.1.1): the identifier and 256 bits of chance.
    pub state: Secret,
    /// `nonce` of the authorization request (OpenID Connect Core 1.0 section 3.1.2.1).
    pub nonce: Secret,
    /// `code_verifier` (RFC 7636 section 4.1).
    pub verifier: Verifier,
    /// `max_age` of the authorization request, which the ID token then has to answer for.
    pub max_age: Option<Duration>,
    /// Where the browser goes afterwards: a checked, absolute URL.
    pub return_to: String,
}

/// Why a callback belongs to no attempt of this browser.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransactionError {
    /// There is no `state`, or it is not one of ours.
    #[error("the callback has no usable state parameter")]
    NoState,
    /// The browser has no cookie for it: it took too long, was finished before, or began elsewhere.
    #[error(
        "this browser has no open sign-in for the callback: it took over 15 minutes, was finished \
         before, or began in another browser or on another host"
    )]
    Unknown,
    /// The cookie does not open, or holds something else.
    #[error("the cookie of this sign-in does not open")]
    Broken,
    /// The callback came in for another provider than the one that was asked.
    #[error("the callback is for provider {called}, the sign-in was begun with {begun}")]
    OtherProvider {
        /// The provider in the callback's URL.
        called: String,
        /// The provider in the cookie.
        begun: String,
    },
}

impl Transaction {
    /// Begins an attempt with `provider`, after which the browser goes to `return_to`.
    pub fn begin(
        provider: &str,
        return_to: &TrustedUrl,
        max_age: Option<Duration>,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Self {
        let mut chance = [0; 6];
        random(&mut chance);
        // The time first: in order of their names, the oldest attempt is the first.
        let id = format!("{:08x}{}", now.seconds() & 0xffff_ffff, base64url::encode(&chance));
        let state = Secret::new(format!("{id}{}", pkce::unguessable(random).expose()));
        Self {
            id,
            provider: provider.to_owned(),
            state,
            nonce: pkce::unguessable(random),
            verifier: Verifier::generate(random),
            max_age,
            return_to: return_to.as_str().to_owned(),
        }
    }

    /// The name of its cookie.
    pub fn cookie_name(&self, names: &CookieNames) -> String {
        format!("{}{}", names.transaction_prefix(), self.id)
    }

    /// Its cookie's value.
    pub fn seal(
        &self,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        let claims = json::of(&[
            ("provider", self.provider.as_str().into()),
            ("state", self.state.expose().into()),
            ("nonce", self.nonce.expose().into()),
            ("verifier", self.verifier.expose().into()),
            ("max_age", self.max_age.map(|age| age.as_secs()).into()),
            ("return_to", self.return_to.as_str().into()),
        ]);
        seal::seal(keys, Dialect::AuthJsV5, names.transaction_prefix(), &claims, LIFETIME, now, random)
    }

    /// Opens the attempt that `state` names, and sees that it is one with `provider`.
    pub fn open(
        state: Option<&str>,
        provider: &str,
        cookies: &Cookies,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
    ) -> Result<Self, TransactionError> {
        let state = state.ok_or(TransactionError::NoState)?;
        let id = state.get(..ID_LENGTH).filter(|id| is_id(id)).ok_or(TransactionError::NoState)?;
        let prefix = names.transaction_prefix();
        let cookie = cookies.get(&format!("{prefix}{id}")).ok_or(TransactionError::Unknown)?;
        let claims =
            seal::open(keys, Dialect::AuthJsV5, prefix, cookie, now).map_err(|_| TransactionError::Broken)?;
        let text = |name| json::string(&claims, name).ok_or(TransactionError::Broken);
        let (begun, sealed_state) = (text("provider")?, text("state")?);
        let (nonce, verifier, return_to) = (text("nonce")?, text("verifier")?, text("return_to")?);
        if !constant_time_eq(sealed_state.as_bytes(), state.as_bytes()) {
            return Err(TransactionError::Unknown);
        }
        if begun != provider {
            return Err(TransactionError::OtherProvider { called: provider.to_owned(), begun });
        }
        Ok(Self {
            id: id.to_owned(),
            provider: begun,
            state: Secret::new(sealed_state),
            nonce: Secret::new(nonce),
            verifier: Verifier::restore(&verifier).ok_or(TransactionError::Broken)?,
            max_age: json::number(&claims, "max_age").map(Duration::from_secs),
            return_to,
        })
    }
}

/// The attempts' cookies that must go, oldest first, so that with one more there are five.
pub fn surplus(cookies: &Cookies, names: &CookieNames) -> Vec<String> {
    let prefix = names.transaction_prefix();
    // They come in their order.
    let mut open = Vec::new();
    for name in cookies.names() {
        if name.strip_prefix(prefix).is_some_and(is_id) {
            open.push(name.to_owned());
        }
    }
    open.truncate(open.len().saturating_sub(MOST_OPEN - 1).min(MOST_EXPIRED));
    open
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && text.bytes().take(TIME_DIGITS).all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
