//! What an upstream gets as `Authorization: Bearer`: a token of the session, or one for which that is exchanged.

use std::fmt;

use vestibule_oidc::data::DataPath;
use vestibule_oidc::oauth::token_exchange::ExchangeTarget;

/// What an upstream gets as `Authorization: Bearer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BearerToken {
    /// The claim at this path of the session.
    Claim(DataPath),
    /// A token of its own.
    Exchanged(TokenForTarget),
}

/// A token for one target, for which the session's access token is exchanged. That one the upstream never gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenForTarget {
    /// Who shall accept the token.
    pub target: ExchangeTarget,
    /// The path in the session of the token that is exchanged for it.
    subject_token: DataPath,
}

impl BearerToken {
    /// A token for this target, in place of the session's access token.
    pub fn for_target(target: ExchangeTarget) -> Self {
        Self::Exchanged(TokenForTarget { target, subject_token: DataPath::new("access_token", []) })
    }

    /// The path of the claim that the request needs.
    pub fn path(&self) -> &DataPath {
        match self {
            Self::Claim(path) => path,
            Self::Exchanged(token) => &token.subject_token,
        }
    }

    /// The claim that is sent as it is.
    pub fn as_claim(&self) -> Option<&DataPath> {
        match self {
            Self::Claim(path) => Some(path),
            Self::Exchanged(_) => None,
        }
    }

    /// Who shall accept the token, if it is one of its own.
    pub fn target(&self) -> Option<&ExchangeTarget> {
        match self {
            Self::Claim(_) => None,
            Self::Exchanged(token) => Some(&token.target),
        }
    }
}

/// As it is named in what `explain` prints.
impl fmt::Display for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(path) => path.fmt(f),
            Self::Exchanged(TokenForTarget { subject_token, .. }) => {
                write!(f, "{subject_token} to exchange")
            }
        }
    }
}
