//! The settings of revocation: `AUTH.revocation`.

use std::time::Duration;

use crate::revocation::MAX_AGE_TO_RENEW;
use crate::revocation::kind::RevocationStore;
use vestibule_oidc::secret::Secret;

/// How sessions are revoked.
#[derive(Clone, Debug)]
pub struct RevocationConfig {
    /// Where revocations are kept.
    pub store: RevocationStore,
    /// Whether the configuration chooses the store. Otherwise it is the default of the runtime.
    pub store_is_chosen: bool,
    /// How long a process relies on what it read.
    pub interval: Duration,
    /// What happens to sessions whose revocations cannot be read.
    pub on_unavailable: OnUnavailable,
    /// The secrets of `POST BASE_PATH/revoke`. Without one, the route does not exist.
    pub operator: OperatorSecrets,
}

impl RevocationConfig {
    /// How old what is known of a session's revocation may be. `renews` is for renewals, refreshes, and requests that
    /// may change something.
    pub(crate) fn max_age(&self, renews: bool) -> Duration {
        if renews { self.interval.min(MAX_AGE_TO_RENEW) } else { self.interval }
    }
}

/// What happens to sessions whose revocations cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnavailable {
    /// Those that are not known to be revoked pass, but are neither renewed nor refreshed.
    Accept,
    /// No session passes.
    Refuse,
}

/// The secrets with which an operator revokes sessions. Each list may have two, so that one can be replaced while the
/// other is in use.
#[derive(Clone, Debug, Default)]
pub struct OperatorSecrets {
    /// Revoke a session or a user's sessions (`AUTH_REVOKE_SECRET`, `AUTH_REVOKE_SECRET_1`).
    pub one: Vec<Secret>,
    /// Revoke everything (`AUTH_REVOKE_ALL_SECRET`, `AUTH_REVOKE_ALL_SECRET_1`).
    pub everything: Vec<Secret>,
}

impl OperatorSecrets {
    /// Whether an operator can revoke anything.
    pub fn are_set(&self) -> bool {
        !self.one.is_empty() || !self.everything.is_empty()
    }
}
