//! What is known of a session when a request uses it.

use std::time::Duration;

/// What is known of the request's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevocationStatus {
    /// It was not revoked, as of a read that is new enough for what the request may do.
    Accepted,
    /// The store does not answer. The session passes, but is neither renewed nor refreshed.
    Unconfirmed,
    /// The store does not answer, and the configuration lets no session pass then.
    Unavailable,
    /// It was revoked.
    Revoked,
}

/// The store of revocations does not answer, and `revocation.on_unavailable` lets no session pass then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RevocationUnavailable;

impl RevocationUnavailable {
    /// How long a client should wait before its next request.
    pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(5);
}
