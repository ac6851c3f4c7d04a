//! What a refresh returns: tokens, and claims about the user.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::session::own_claims::is_own_claim;
use crate::session::step_up::AUTHENTICATION;
use crate::session::tokens::entry::{self, TokenEntry};
use vestibule_oidc::oauth::dpop::DpopKey;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// The tokens that a refresh returned, which replace those of the session.
#[derive(Clone, Debug)]
pub struct RefreshedTokens {
    pub(crate) generation: u64,
    pub(crate) access_token: Secret,
    /// `None` where the refresh token is only in the API's cookies.
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) expires_at: Timestamp,
    /// When the refresh token expires, if known.
    pub(crate) refresh_expires_at: Option<Timestamp>,
    /// The cookies that the next refresh sends to the API of a credentials provider.
    pub(crate) api_cookies: BTreeMap<String, Secret>,
    /// When the provider issued them, and so confirmed the user.
    pub(crate) issued_at: Timestamp,
    /// What the provider now says about the user. `None` if it says nothing: the claims of the session stay.
    pub(crate) claims: Option<ClaimChanges>,
    /// When the provider ends the session, if the refresh said so.
    pub(crate) ends_at: Option<Timestamp>,
    /// The private key to which they are bound, if they are (RFC 9449).
    pub(crate) dpop_key: Option<DpopKey>,
    /// The new ID token, in the process that refreshed. The other processes leave the hint for the provider's logout as it is,
    /// so the store need not keep the token.
    pub(crate) id_token: Option<Secret>,
    /// The entry in the store that has them. `None` where they are in the cookie.
    pub(crate) entry: Option<TokenEntry>,
}

/// What a refresh changes of the claims about the user. It is complete: claims that are neither set nor removed have
/// nothing to do with the user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ClaimChanges {
    /// The claims that the session has from now on.
    pub(crate) set: Map<String, Value>,
    /// The names of those that it no longer has.
    pub(crate) removed: Vec<String>,
}

impl ClaimChanges {
    /// Makes the changes. The claims that say whose session it is stay in any case.
    pub(crate) fn apply(&self, claims: &mut Map<String, Value>) {
        let may_change = |claim: &str| !is_own_claim(claim) || AUTHENTICATION.contains(&claim);
        for claim in self.removed.iter().filter(|claim| may_change(claim)) {
            claims.remove(claim);
        }
        for (claim, value) in self.set.iter().filter(|(claim, _)| may_change(claim)) {
            claims.insert(claim.clone(), value.clone());
        }
    }
}

impl RefreshedTokens {
    /// The tokens as claims of the session.
    pub(crate) fn token_claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("revalidated_at".to_owned(), self.issued_at.seconds().into());
        claims.insert("generation".to_owned(), self.generation.into());
        claims.insert("access_token".to_owned(), self.access_token.expose().into());
        if let Some(token) = &self.refresh_token {
            claims.insert("refresh_token".to_owned(), token.expose().into());
        }
        claims.insert("expires_at".to_owned(), self.expires_at.seconds().into());
        if let Some(end) = self.refresh_expires_at {
            claims.insert("refresh_expires_at".to_owned(), end.seconds().into());
        }
        if let Some(end) = self.ends_at {
            claims.insert("ends_at".to_owned(), end.seconds().into());
        }
        if let Some(key) = &self.dpop_key {
            claims.insert("dpop_key".to_owned(), key.to_text().expose().into());
        }
        if !self.api_cookies.is_empty() {
            let mut cookies = Map::new();
            for (name, value) in &self.api_cookies {
                cookies.insert(name.clone(), value.expose().into());
            }
            claims.insert("api_cookies".to_owned(), Value::Object(cookies));
        }
        if let Some(entry) = &self.entry {
            claims.insert(entry::CLAIM.to_owned(), entry.to_claim());
        }
        claims
    }
}
