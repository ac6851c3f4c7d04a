//! Which lease keeps two requests from using one refresh token.

/// What keeps two requests, in different isolates, from using one refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseKind {
    /// Nothing beyond the isolate.
    None,
    /// Workers KV: enough where the provider takes a used refresh token for some seconds more.
    Kv,
    /// A Durable Object for each session: a real lock.
    DurableObject,
}

impl LeaseKind {
    /// The binding that it needs.
    pub fn binding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Kv => Some(KV),
            Self::DurableObject => Some(LEASE_OBJECTS),
        }
    }
}

/// The binding of the shared store.
pub const KV: &str = "AUTH_KV";
/// The binding of the lease objects.
pub const LEASE_OBJECTS: &str = "AUTH_LEASE";
