//! The tokens that a refresh returns.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

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
    /// When the provider ends the session, if the refresh said so.
    pub(crate) ends_at: Option<Timestamp>,
}

impl RefreshedTokens {
    /// The tokens as claims of the session.
    pub(crate) fn claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
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
        if !self.api_cookies.is_empty() {
            let mut cookies = Map::new();
            for (name, value) in &self.api_cookies {
                cookies.insert(name.clone(), value.expose().into());
            }
            claims.insert("api_cookies".to_owned(), Value::Object(cookies));
        }
        claims
    }
}
