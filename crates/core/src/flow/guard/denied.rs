//! Requests that may not pass, and why.

use crate::flow::responses::TokenDenied;
use crate::flow::session::tokens::TokensError;
use crate::flow::signin::step_up::StepUpDenial;
use crate::guard::rules::TooMuchWorkError;
use crate::session::claims::Session;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::response::Response;

/// A request that may not pass.
pub(crate) struct Denied {
    pub(crate) reason: DenialReason,
    /// The user's session, if there is one.
    pub(crate) session: Option<Session>,
    /// The cookies that end the session in the browser.
    pub(crate) cookies: Vec<SetCookie>,
}

impl From<TooMuchWorkError> for Denied {
    fn from(_: TooMuchWorkError) -> Self {
        Self::new(DenialReason::PathTooLong)
    }
}

impl From<TokensError> for DenialReason {
    fn from(error: TokensError) -> Self {
        match error {
            TokensError::Unavailable(retry) => Self::Token(TokenDenied::Unavailable(retry)),
            TokensError::Lost => Self::TokenExpired,
        }
    }
}

impl Denied {
    pub(super) fn new(reason: DenialReason) -> Self {
        Self { reason, session: None, cookies: Vec::new() }
    }
}

/// Why a request may not pass.
#[derive(Clone, Debug)]
pub(crate) enum DenialReason {
    /// No one is signed in.
    SignIn,
    /// Only clients with an access token of their own may pass, and the request has none.
    ClientsOnly,
    /// The user may not pass, or the rule does not offer anonymous clients to sign in.
    Forbidden,
    /// The rule hides that the path exists.
    NotFound,
    /// A page of another origin made the browser send the request.
    CrossOrigin,
    /// The request may call a server function on a public path, and no one is signed in.
    ServerFunction,
    /// Deciding about such a long path would cost more work than a request may.
    PathTooLong,
    /// The session's access token has expired, and only this login host can refresh it.
    RefreshAtLoginHost(Origin),
    /// The session's access token has expired for good, and the upstream needs it.
    TokenExpired,
    /// The provider has to confirm the user, and this redirect sends the browser there, without a question to the user.
    AskProvider(Box<Response>),
    /// The access token, of the session or of the client, does not allow this.
    Token(TokenDenied),
    /// The user may pass, and has to prove more, or again.
    StepUp(Box<StepUpDenial>),
    /// A protected resource does not take the request; this answer says what it takes.
    Resource(Box<Response>),
}
