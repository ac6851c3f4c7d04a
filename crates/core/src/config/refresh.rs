//! How access tokens are renewed, and what that takes.

use std::time::Duration;

use crate::lease::kind::LeaseKind;

/// How access tokens are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshConfig {
    /// What keeps two requests from using one refresh token.
    pub lease: LeaseKind,
    /// Whether the configuration names the lease; otherwise it is what the runtime has.
    pub lease_is_chosen: bool,
    /// How long before an access token's end it is renewed. Default a minute: longer than a page takes with all
    /// its requests, little beside the hour that most tokens live.
    pub leeway: Duration,
}
