//! How long sessions last, and how they are sealed.

use std::time::Duration;

use crate::session::claims::is_of_token;
use crate::session::dialect::Dialect;
use vestibule_oidc::data::DataPath;
use vestibule_oidc::jose::kdf::Keyring;

/// How long a session lives and what of it is shown.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// It ends this long after it was last renewed. Default 30 days, as in Auth.js.
    pub max_age: Duration,
    /// It is renewed when this much time has passed since it last was. Default one day, as in Auth.js.
    pub update_age: Duration,
    /// It ends this long after sign-in, renewed or not.
    pub absolute_max_age: Option<Duration>,
    /// What `GET /session` shows beside name, e-mail and image: where it goes, where in the sealed
    /// session it comes from.
    pub expose: Vec<(DataPath, DataPath)>,
    /// The claims that a page may change (`update()` of Auth.js's client).
    pub updatable: Vec<String>,
}

impl SessionConfig {
    /// Whether `GET /session` shows the access token, or when it ends.
    pub fn exposes_token(&self) -> bool {
        self.expose.iter().any(|(_, from)| is_of_token(from))
    }
}

/// What it takes to seal and to open a session.
#[derive(Clone, Copy)]
pub struct Sealing<'a> {
    /// The keys made from the secrets.
    pub keys: &'a Keyring,
    /// The dialect that is written.
    pub dialect: Dialect,
    /// How long a session lives.
    pub session: &'a SessionConfig,
}
