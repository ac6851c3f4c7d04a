//! Why a session is refreshed, and how long a request waits for it.

use std::time::Duration;

/// What a request needs of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The user, whom the provider confirms from time to time.
    User,
    /// A valid access token, too.
    AccessToken,
    /// What a session needs that is written anew, because a page changes it: that is a renewal, however young its cookie is. With
    /// the newest tokens, if anything uses them.
    Update,
    /// All of that, and the user confirmed now: a host that cannot ask the provider itself sent the browser.
    Confirmation,
}

/// Why a session is refreshed. A later one prevails over an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The session is about to be renewed, with which the provider confirms the user.
    Renewal,
    /// The access token expires soon, and is still valid.
    TokenExpires,
    /// `session.revalidate` has passed since the provider confirmed the user.
    RevalidationDue,
    /// The access token has expired.
    TokenExpired,
    /// Twice `session.revalidate` has passed since the provider confirmed the user.
    RevalidationOverdue,
}

/// How long a request without a valid access token waits in total. It is longer than a lease, so that the request can
/// take over from a process that died.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// How long a request waits that may go on without an answer, but should know it.
const MAX_WAIT_FOR_REVALIDATION: Duration = Duration::from_secs(5);

/// How long the leader waits for its own refresh while the current access token is still valid.
const MAX_WAIT_WITH_VALID_TOKEN: Duration = Duration::from_secs(3);

impl Reason {
    /// Whether the request can go on if the refresh fails.
    pub(super) fn is_optional(self) -> bool {
        matches!(self, Self::Renewal | Self::TokenExpires | Self::RevalidationDue)
    }

    /// Whether the request goes on at once while another request or process refreshes.
    pub(super) fn goes_on_meanwhile(self) -> bool {
        matches!(self, Self::Renewal | Self::TokenExpires)
    }

    /// How long the request waits for other requests and processes.
    pub(super) fn max_wait(self) -> Duration {
        match self {
            Self::Renewal | Self::TokenExpires => Duration::ZERO,
            Self::RevalidationDue => MAX_WAIT_FOR_REVALIDATION,
            Self::TokenExpired | Self::RevalidationOverdue => MAX_WAIT,
        }
    }

    /// How long the request waits for the refresh that it runs itself. The refresh goes on afterwards. The wait is
    /// bounded, because a refresh that crashed never completes.
    pub(super) fn max_wait_as_leader(self) -> Duration {
        match self {
            Self::Renewal | Self::TokenExpires => MAX_WAIT_WITH_VALID_TOKEN,
            Self::RevalidationDue => MAX_WAIT_FOR_REVALIDATION,
            Self::TokenExpired | Self::RevalidationOverdue => MAX_WAIT * 3,
        }
    }
}
