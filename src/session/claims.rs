//! What a session says: the claims that were sealed into its cookie.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::time::Timestamp;

/// An opened session, or one about to be sealed.
///
/// It is a JSON object, as Auth.js keeps it, so that `getToken()` behind the Worker reads the same names.
/// What Vestibule itself needs has accessors; the rest are claims of the configuration's.
#[derive(Clone, PartialEq)]
pub struct Session(Map<String, Value>);

impl Session {
    /// A session of these claims.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// All claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Who signed in, as the provider identifies them.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// The name to show.
    pub fn name(&self) -> Option<&Value> {
        self.0.get("name")
    }

    /// The e-mail address.
    pub fn email(&self) -> Option<&Value> {
        self.0.get("email")
    }

    /// The picture's URL.
    pub fn picture(&self) -> Option<&Value> {
        self.0.get("picture")
    }

    /// When the cookie was last sealed (`iat`).
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.0.get("iat")?.as_u64().map(Timestamp::from_seconds)
    }

    /// When the person signed in. A session that Auth.js made does not say; then it is as old as its cookie.
    pub fn signed_in_at(&self) -> Option<Timestamp> {
        let signed_in = self.0.get("auth_time").and_then(Value::as_u64).map(Timestamp::from_seconds);
        signed_in.or_else(|| self.issued_at())
    }

    /// Whether `update_age` has passed since the cookie was sealed, so that it is due for a new one.
    pub fn is_due(&self, update_age: Duration, now: Timestamp) -> bool {
        self.issued_at().is_none_or(|issued| now >= issued.plus(update_age))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
}

impl std::fmt::Debug for Session {
    /// Names only: the values hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Session").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}
