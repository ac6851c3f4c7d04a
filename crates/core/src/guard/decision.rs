//! What the rules say of a request.

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is forwarded.
    Pass,
    /// The way to sign in: a redirect for a navigation, 401 for anything else.
    SignIn,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
}

/// What holds for a path that no rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAccess {
    /// Only who is signed in may pass.
    SignedIn,
    /// Everybody may pass.
    Public,
}
