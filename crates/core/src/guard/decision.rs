//! The decision about a request.

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request is forwarded.
    Pass,
    /// The user must sign in: a redirect to the sign-in page for a navigation, 401 for any other request.
    SignIn,
    /// The user must prove more, or again: a redirect to the session's provider for a navigation, 401 for any other request
    /// (RFC 9470). Only a rule with `acr`, `amr` or `max_age` gives this decision.
    StepUp,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
}

/// The access to a path that no rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAccess {
    /// Only signed-in users may pass.
    SignedIn,
    /// Every request may pass.
    Public,
}
