//! What a session says: the claims that were sealed into its cookie.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use vestibule_oidc::data::DataPath;

use crate::session::refreshed_tokens::RefreshedTokens;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// What `error` says once the provider will give no more tokens: Auth.js's word for it.
pub const REFRESH_TOKEN_ERROR: &str = "RefreshTokenError";

/// An opened session, or one about to be sealed.
///
/// It is a JSON object, as Auth.js keeps it, so that `getToken()` behind it reads the same names.
/// What Vestibule itself needs has accessors; the rest are claims of the configuration's.
#[derive(Clone, PartialEq)]
pub struct Session {
    /// Shared with the memory of opened sessions.
    claims: Rc<Map<String, Value>>,
    is_in_other_dialect: bool,
}

impl Session {
    /// A session of these claims.
    pub fn new(claims: impl Into<Rc<Map<String, Value>>>) -> Self {
        Self { claims: claims.into(), is_in_other_dialect: false }
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
            Rc::make_mut(&mut self.claims).insert("auth_time".to_owned(), signed_in.seconds().into());
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

    /// The identifier of this sign-in (`sid`): another one has another.
    pub fn sid(&self) -> Option<&str> {
        self.text("sid")
    }

    /// The id of the provider that signed the person in.
    pub fn provider(&self) -> Option<&str> {
        self.text("provider")
    }

    /// How often the tokens were renewed since sign-in.
    pub fn generation(&self) -> u64 {
        self.claims.get("generation").and_then(Value::as_u64).unwrap_or(0)
    }

    /// What new tokens are asked for with.
    pub fn refresh_token(&self) -> Option<Secret> {
        self.text("refresh_token").filter(|token| !token.is_empty()).map(Secret::new)
    }

    /// When that ends, where it is known.
    pub fn refresh_expires_at(&self) -> Option<Timestamp> {
        self.claims.get("refresh_expires_at").and_then(Value::as_u64).map(Timestamp::from_seconds)
    }

    /// The cookies of an API of one's own that its refresh sends.
    pub(crate) fn api_cookies(&self) -> BTreeMap<String, Secret> {
        let mut cookies = BTreeMap::default();
        for (name, value) in self.claims.get("api_cookies").and_then(Value::as_object).into_iter().flatten() {
            if let Some(value) = value.as_str() {
                cookies.insert(name.clone(), Secret::new(value));
            }
        }
        cookies
    }

    /// The access token.
    pub fn access_token(&self) -> Option<&str> {
        self.text("access_token")
    }

    /// When the access token ends.
    pub fn token_expires_at(&self) -> Option<Timestamp> {
        self.claims.get("expires_at").and_then(Value::as_u64).map(Timestamp::from_seconds)
    }

    /// Why the session is over although it opens: [`REFRESH_TOKEN_ERROR`].
    pub fn error(&self) -> Option<&str> {
        self.text("error")
    }

    /// The same session with the tokens that followed its own. What else it says stays as it is here: a page
    /// may have changed it since.
    #[must_use]
    pub fn followed_by(&self, successor: &RefreshedTokens, now: Timestamp) -> Self {
        // Of the old token; the next one's end may not be known.
        let mut claims = Map::clone(&self.claims);
        claims.remove("refresh_expires_at");
        claims.extend(successor.claims());
        claims.insert("iat".to_owned(), now.seconds().into());
        Self { claims: claims.into(), ..*self }
    }

    /// The same session after its grant is gone: without tokens, and saying so.
    #[must_use]
    pub fn without_grant(&self) -> Self {
        let tokens = ["access_token", "refresh_token", "expires_at", "refresh_expires_at", "api_cookies"];
        let mut claims = Map::clone(&self.claims);
        claims.retain(|name, _| !tokens.contains(&name.as_str()));
        claims.insert("error".to_owned(), REFRESH_TOKEN_ERROR.into());
        Self { claims: claims.into(), ..*self }
    }

    /// The same session without the access token, which has ended.
    #[must_use]
    pub fn without_access_token(&self) -> Self {
        let mut claims = Map::clone(&self.claims);
        claims.remove("access_token");
        Self { claims: claims.into(), ..*self }
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

/// Whether that place in the session is the access token, or its end.
pub(crate) fn is_of_token(from: &DataPath) -> bool {
    matches!(from.root(), "access_token" | "expires_at")
}

impl std::fmt::Debug for Session {
    /// Names only: the values hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Session").field(&self.claims.keys().collect::<Vec<_>>()).finish()
    }
}
