//! What a grant comes to, whatever kind of provider gave it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::Error;
use vestibule_oidc::http::client::FetchResponse;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// What a refresh gives.
pub(super) struct GrantedTokens {
    pub(super) access_token: Secret,
    /// The next one; the same where the provider gives no other (RFC 6749 section 6).
    /// `None` where it is in the API's cookies alone.
    pub(super) refresh_token: Option<Secret>,
    pub(super) expires_at: Timestamp,
    pub(super) refresh_expires_at: Option<Timestamp>,
    /// The cookies that an API of one's own wants to see the next time.
    pub(super) api_cookies: BTreeMap<String, Secret>,
}

/// Why there are no new tokens.
pub(super) enum GrantError {
    /// The refresh token is used up, expired or revoked.
    InvalidGrant(String),
    /// Not now: nothing is known of the refresh token. How long the provider wants to be left alone.
    Unavailable(String, Option<Duration>),
    /// The provider does not know this client, or not so: nobody's session is to blame.
    Misconfigured(String),
}

/// Nothing is known of the refresh token.
pub(super) fn temporary(error: &Error) -> GrantError {
    GrantError::Unavailable(error.to_string(), None)
}

/// `Retry-After`, in seconds or as a date (RFC 9110 section 10.2.3).
pub(super) fn retry_after(response: &FetchResponse, now: Timestamp) -> Option<Duration> {
    let value = response.headers.get("retry-after")?.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More than there are seconds is long enough.
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    Timestamp::parse_cookie_date(value).map(|at| at.since(now))
}
