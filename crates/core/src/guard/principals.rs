//! Who a rule is for: users, or clients that act for themselves, without a user (RFC 6749 section 4.4).

use std::fmt;

/// Who may pass, if they meet the requirements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Principals {
    /// Users.
    #[default]
    Users,
    /// Clients with an access token of their own.
    Clients,
    /// Both.
    UsersAndClients,
}

impl Principals {
    /// Whether a client is among them, or if `is_client` is false, a user.
    pub fn include(self, is_client: bool) -> bool {
        match self {
            Self::Users => !is_client,
            Self::Clients => is_client,
            Self::UsersAndClients => true,
        }
    }
}

/// `a signed-in user`
impl fmt::Display for Principals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "a signed-in user",
            Self::Clients => "a client without a user",
            Self::UsersAndClients => "a signed-in user, or a client without a user",
        })
    }
}
