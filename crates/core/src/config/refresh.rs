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
