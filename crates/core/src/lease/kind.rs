//! Which lease keeps two requests from using one refresh token.

/// What keeps two requests, in different processes or isolates, from using one refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseKind {
    /// Nothing beyond the process.
    None,
    /// A note in the shared store, which is eventually consistent: enough where the provider takes a used refresh token
    /// for some seconds more.
    Store,
    /// A lock for each session.
    Lock,
}
