//! The settings for refreshing access tokens: `AUTH.refresh`.

use std::time::Duration;

use crate::lease::kind::LeaseKind;

/// How access tokens are refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshConfig {
    /// What keeps two requests from using the same refresh token.
    pub lease: LeaseKind,
    /// Whether the configuration chooses the lease. Otherwise `lease` is the default of the runtime.
    pub lease_is_chosen: bool,
    /// How long before its expiry an access token is refreshed. The default is one minute: a page with all its requests
    /// loads in less, and most access tokens are valid for an hour.
    pub leeway: Duration,
}

/// When an access token is renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RenewalTime {
    /// [`RefreshConfig::leeway`] before its end, while other requests go on with the token that is still valid.
    #[default]
    Early,
    /// In its last second, while it is no longer used. This is for a provider that ends the old access token when it gives a
    /// new one: a request that carries the old one would be refused.
    AtEnd,
}
