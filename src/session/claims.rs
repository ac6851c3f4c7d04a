//! What a session says: the claims that were sealed into its cookie.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::time::Timestamp;

/// An opened session, or one about to be sealed.
///
/// It is a JSON object, as Auth.js keeps it, so that `getToken()` behind the Worker reads the same names.
/// What Vestibule itself needs has accessors; the rest are claims of the configuration's.
#[derive(Clone, PartialEq)]
pub struct Session {
    claims: Map<String, Value>,
    is_in_other_dialect: bool,
}

impl Session {
    /// A session of these claims.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self { claims, is_in_other_dialect: false }
    }

    /// The same, from a cookie of the dialect that is read only. It is due at once.
    #[must_use]
    pub fn in_other_dialect(mut self) -> Self {
        self.is_in_other_dialect = true;
        self
    }

    /// The same, saying when the person signed in. Auth.js does not say it in a session that it makes; then
    /// every renewal would begin the time of `session.absolute_max_age` anew.
    #[must_use]
    pub fn with_sign_in_time(mut self) -> Self {
        if let Some(signed_in) = self.signed_in_at() {
            self.claims.insert("auth_time".to_owned(), signed_in.seconds().into());
        }
        self
    }

    /// All claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Who signed in, as the provider identifies them.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// The name to show.
    pub fn name(&self) -> Option<&Value> {
        self.claims.get("name")
    }

    /// The e-mail address.
    pub fn email(&self) -> Option<&Value> {
        self.claims.get("email")
    }

    /// The picture's URL.
    pub fn picture(&self) -> Option<&Value> {
        self.claims.get("picture")
    }

    /// When the cookie was last sealed (`iat`).
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.claims.get("iat")?.as_u64().map(Timestamp::from_seconds)
    }

    /// When the person signed in. A session that Auth.js made does not say; then it is as old as its cookie.
    pub fn signed_in_at(&self) -> Option<Timestamp> {
        let signed_in = self.claims.get("auth_time").and_then(Value::as_u64).map(Timestamp::from_seconds);
        signed_in.or_else(|| self.issued_at())
    }

    /// When the session ends unless it is renewed (`exp`).
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.claims.get("exp")?.as_u64().map(Timestamp::from_seconds)
    }

    /// Whether the cookie is due for a new one: `update_age` has passed since it was sealed, or it is in the
    /// other dialect.
    pub fn is_due(&self, update_age: Duration, now: Timestamp) -> bool {
        self.is_in_other_dialect || self.issued_at().is_none_or(|issued| now >= issued.plus(update_age))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}

impl std::fmt::Debug for Session {
    /// Names only: the values hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Session").field(&self.claims.keys().collect::<Vec<_>>()).finish()
    }
}
