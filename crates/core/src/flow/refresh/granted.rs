//! The result of a refresh, whatever kind of provider gave it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::Error;
use crate::session::refreshed_tokens::ClaimChanges;
use vestibule_oidc::oauth::dpop::DpopKey;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// How long everything may take that follows the token response: fetching the provider's keys, and asking what it says
/// about the user. At that point the refresh token is redeemed, and other requests wait for the new tokens.
pub(super) const MAX_CLAIMS_WAIT: Duration = Duration::from_secs(2);

/// The tokens that a refresh returns.
pub(super) struct GrantedTokens {
    pub(super) access_token: Secret,
    /// The next refresh token: the same one if the provider does not rotate it (RFC 6749 section 6). `None` if an API
    /// keeps it in a cookie.
    pub(super) refresh_token: Option<Secret>,
    pub(super) expires_at: Timestamp,
    pub(super) refresh_expires_at: Option<Timestamp>,
    /// The cookies that the next refresh at your own API must send.
    pub(super) api_cookies: BTreeMap<String, Secret>,
    /// When they came.
    pub(super) issued_at: Timestamp,
    /// What came with them about the user.
    pub(super) claims: Option<ClaimChanges>,
    /// When the provider ends the session, if its new ID token says so.
    pub(super) ends_at: Option<Timestamp>,
    /// The key to which they are bound, if they are.
    pub(super) dpop_key: Option<DpopKey>,
    /// The new ID token, if there is one and it is the provider's.
    pub(super) id_token: Option<Secret>,
}

/// Why there are no new tokens.
pub(super) enum GrantError {
    /// The refresh token is used up, expired or revoked.
    InvalidGrant(String),
    /// A temporary failure: the refresh token may still be valid. With the provider's `Retry-After`.
    Unavailable(String, Option<Duration>),
    /// There are new tokens, but their user may no longer have a session.
    NotAllowed(String),
    /// The store no longer has the session's refresh token.
    Lost,
    /// The provider rejects this client's configuration. The refresh token may still be valid.
    Misconfigured(String),
}

/// A temporary failure, without a `Retry-After`.
pub(super) fn temporary(error: &Error) -> GrantError {
    GrantError::Unavailable(error.to_string(), None)
}
