//! Where a session's tokens are kept: in its cookie, nowhere, or in the store that all processes share.
//!
//! In the store a session has an *entry* for each generation of its tokens. The cookie has the key that opens the entry,
//! so neither the store alone nor a cookie alone gives the tokens.

pub(crate) mod entry;
pub(crate) mod exchanged;
pub(crate) mod memory;

use serde_json::{Map, Value};

use crate::session::claims::{Session, holds_text};

/// Where a session's tokens are kept: `session.tokens`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenStorage {
    /// In the sealed cookie.
    #[default]
    Cookie,
    /// Nowhere: the access token is dropped after the sign-in. A refresh token stays in the cookie where something needs
    /// it.
    None,
    /// In the store that all processes share, sealed by a key that only the cookie has.
    Store,
}

/// The claims that are secrets of the provider.
const TOKENS: [&str; 3] = ["access_token", "refresh_token", "api_cookies"];

/// The claims that say when tokens expire.
const EXPIRIES: [&str; 2] = ["expires_at", "refresh_expires_at"];

impl Session {
    /// The claims that hold tokens: the tokens themselves, those that `is_token_claim` names, and every other one with a
    /// copy of a token in it. `stays` names claims that something decides by, so that they must be in the cookie.
    pub(crate) fn token_claims(
        &self,
        is_token_claim: impl Fn(&str) -> bool,
        stays: impl Fn(&str) -> bool,
    ) -> Map<String, Value> {
        let access_token = self.access_token().filter(|token| !token.is_empty());
        let refresh_token = self.refresh_token();
        let is_copy = |value: &Value| {
            access_token.is_some_and(|token| holds_text(value, token))
                || refresh_token.as_ref().is_some_and(|token| holds_text(value, token.expose()))
        };
        let holds_token = |name: &str, value: &Value| {
            TOKENS.contains(&name) || (is_token_claim(name) || is_copy(value)) && !stays(name)
        };
        let mut tokens = Map::new();
        for (name, value) in self.claims().iter().filter(|(name, value)| holds_token(name, value)) {
            // The key of the entry is random, and never a token.
            if name != entry::CLAIM {
                tokens.insert(name.clone(), value.clone());
            }
        }
        tokens
    }

    /// The same session as its cookie holds it where the tokens are in an entry: without those that the entry holds.
    #[must_use]
    pub(crate) fn without_entry_claims(&self) -> Self {
        let held = self.entry_claims();
        self.retaining(|name, _| !held.contains(&name))
    }

    /// The same session with the claims of its entry.
    #[must_use]
    pub(crate) fn with_entry_claims(&self, tokens: &Map<String, Value>) -> Self {
        let mut claims = self.claims().clone();
        claims.extend(tokens.iter().map(|(name, value)| (name.clone(), value.clone())));
        self.with_claims(claims)
    }

    /// The same session without what its entry holds, and without what says where that is: for someone who gets no tokens.
    #[must_use]
    pub(crate) fn without_entry(&self) -> Self {
        let held = self.entry_claims();
        self.retaining(|name, _| name != entry::CLAIM && !held.contains(&name))
    }

    /// Whether a claim of this session is in its entry, and was not read.
    pub(crate) fn lacks(&self, claim: &str) -> bool {
        self.entry_claims().contains(&claim) && !self.claims().contains_key(claim)
    }

    /// Whether any claim of this session is in its entry, and was not read.
    pub(crate) fn lacks_any(&self) -> bool {
        self.entry_claims().into_iter().any(|claim| self.lacks(claim))
    }

    /// The same session as its cookie holds it where no tokens are kept. `keeps_grant`: except what refreshes it.
    #[must_use]
    pub(crate) fn without_any_tokens(
        &self,
        is_token_claim: impl Fn(&str) -> bool,
        keeps_grant: bool,
    ) -> Self {
        let tokens = self.token_claims(is_token_claim, |_| false);
        let of_grant = ["refresh_token", "refresh_expires_at", "api_cookies"];
        self.retaining(|name, _| {
            let is_token = tokens.contains_key(name) || EXPIRIES.contains(&name);
            !is_token || keeps_grant && of_grant.contains(&name)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session() -> Session {
        let claims = json!({
            "sub": "alice", "roles": ["a"], "access_token": "at-1234", "refresh_token": "rt-1234", "expires_at": 7,
            "api_cookies": { "sid": "x" }, "id_token": "eyJ.e.s", "nested": { "copy": ["Bearer at-1234"] },
        });
        Session::new(claims.as_object().unwrap().clone())
    }

    #[test]
    fn a_copy_of_a_token_is_a_token_unless_something_decides_by_it() {
        let names = |stays: &str| {
            let tokens = session().token_claims(|name| name == "id_token", |name| name == stays);
            tokens.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(""), ["access_token", "api_cookies", "id_token", "nested", "refresh_token"]);
        assert_eq!(names("nested"), ["access_token", "api_cookies", "id_token", "refresh_token"]);
        assert_eq!(names("access_token").len(), 5);
    }

    #[test]
    fn a_session_that_keeps_no_tokens_keeps_a_grant_only_where_it_is_needed() {
        let left = |keeps_grant| {
            let session = session().without_any_tokens(|name| name == "id_token", keeps_grant);
            session.claims().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(left(false), ["roles", "sub"]);
        assert_eq!(left(true), ["api_cookies", "refresh_token", "roles", "sub"]);
    }

    #[test]
    fn what_a_session_lacks_is_in_its_entry_and_was_not_read() {
        let with = |claims: Value| {
            let mut session = session().claims().clone();
            session.extend(claims.as_object().unwrap().clone());
            Session::new(session)
        };
        let entry =
            |holds: &[&str]| json!({ "token_entry": { "key": "k", "id": "i", "at": 1, "holds": holds } });
        let (read, unread) = (with(entry(&["access_token"])), with(entry(&["access_token", "profile"])));
        let lacked =
            |session: &Session| ["access_token", "profile", "elsewhere"].map(|claim| session.lacks(claim));
        assert_eq!((lacked(&read), read.lacks_any()), ([false; 3], false));
        assert_eq!((lacked(&unread), unread.lacks_any()), ([false, true, false], true));
        assert_eq!((lacked(&session()), session().lacks_any()), ([false; 3], false));
    }

    #[test]
    fn a_session_without_its_entry_has_no_claim_of_it_and_says_nothing_of_it() {
        let mut claims = session().claims().clone();
        let holds = ["access_token", "refresh_token", "nested"];
        claims.insert("token_entry".to_owned(), json!({ "key": "k", "id": "i", "at": 1, "holds": holds }));
        let session = Session::new(claims);
        let names = |session: Session| session.claims().keys().cloned().collect::<Vec<_>>();
        let left = ["api_cookies", "expires_at", "id_token", "roles", "sub"];
        assert_eq!(names(session.without_entry()), left);
        assert_eq!(names(session.without_entry_claims()), [&left[..], &["token_entry"]].concat());
    }
}
