//! What only the session of an access token has that a client sends: it is for one request, and is never sealed.

use crate::session::claims::Session;
use crate::session::own_claims::CLIENT;
use crate::session::scope::SCOPE;

impl Session {
    /// The same session as that of such a client.
    #[must_use]
    pub(crate) fn of_client(&self, id: &str) -> Self {
        let mut claims = self.claims().clone();
        claims.insert(CLIENT.to_owned(), id.into());
        self.with_claims(claims)
    }

    /// The same session with the scopes of its access token, unless the configuration takes the claim from somewhere else.
    #[must_use]
    pub(crate) fn with_scope(&self, scope: Option<String>) -> Self {
        let mut claims = self.claims().clone();
        if let Some(scope) = scope {
            claims.entry(SCOPE).or_insert_with(|| scope.into());
        }
        self.with_claims(claims)
    }
}
