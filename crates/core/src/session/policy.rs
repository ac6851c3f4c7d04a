//! The lifetimes of sessions, and how they are sealed.

use std::time::Duration;

use crate::session::claims::is_access_token_claim;
use crate::session::dialect::Dialect;
use crate::session::tokens::TokenStorage;
use vestibule_oidc::data::DataPath;
use vestibule_oidc::jose::kdf::Keyring;

/// The lifetimes of a session, and which of its claims are visible.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The time from the last renewal to the session's end. Default 30 days, as in Auth.js.
    pub max_age: Duration,
    /// The time from one renewal to the next. Default one day, as in Auth.js.
    pub update_age: Duration,
    /// How long a session may go on without the provider's confirmation. `None`: the provider is asked when the session is
    /// renewed.
    pub revalidate: Option<Duration>,
    /// The maximum time from sign-in to the session's end, however often it is renewed. Default 90 days; `None` if
    /// there is no such limit.
    pub absolute_max_age: Option<Duration>,
    /// Whether the cookie stays in the browser when it closes.
    pub persistence: Persistence,
    /// What `GET /session` shows in addition to the user's name, e-mail address and image: the path in the response,
    /// and the path in the sealed session.
    pub expose: Vec<(DataPath, DataPath)>,
    /// The claims that a page may change (`update()` of Auth.js's client), under their names in the session.
    pub updatable: Vec<String>,
    /// Where the tokens are kept.
    pub tokens: TokenStorage,
}

/// Whether a session's cookie stays in the browser when it closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It stays until the session ends, as in Auth.js.
    Persistent,
    /// It ends with the browser.
    UntilBrowserCloses,
    /// The person who signs in chooses. A sign-in that does not ask is persistent.
    ByUser,
}

impl SessionConfig {
    /// Whether `GET /session` shows the access token or its expiry.
    pub fn exposes_token(&self) -> bool {
        self.expose.iter().any(|(_, from)| is_access_token_claim(from))
    }
}

/// Everything that sealing and opening a session needs.
#[derive(Clone, Copy)]
pub struct Sealing<'a> {
    /// The keys, derived from the secrets.
    pub keys: &'a Keyring,
    /// The dialect to write.
    pub dialect: Dialect,
    /// The session's lifetimes.
    pub session: &'a SessionConfig,
}
