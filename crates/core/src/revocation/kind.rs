//! The kinds of revocation stores.

/// Where it is kept which sessions were revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationStore {
    /// Nowhere: a session ends when it expires, and a sign-out only removes its cookie.
    None,
    /// In the shared store, which is eventually consistent.
    Store,
    /// In locks: one for each user, one for each session of a provider.
    Lock,
}
