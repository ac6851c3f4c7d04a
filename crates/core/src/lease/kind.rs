//! The kinds of refresh leases.

/// Where a refresh lease is kept, which keeps two processes from using one refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseKind {
    /// Nowhere: processes do not coordinate.
    None,
    /// In the shared store, which is eventually consistent. This is enough where the provider accepts a used refresh
    /// token for some more seconds.
    Store,
    /// In a lock for each session.
    Lock,
}
