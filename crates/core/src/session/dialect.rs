//! Which of Auth.js's wire formats a site speaks.

/// Auth.js's wire format. Both are read, one is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Auth.js 5: `authjs.` cookies, A256CBC-HS512.
    AuthJsV5,
    /// next-auth 4: `next-auth.` cookies, A256GCM.
    NextAuthV4,
}

impl Dialect {
    /// The one that is read only.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::AuthJsV5 => Self::NextAuthV4,
            Self::NextAuthV4 => Self::AuthJsV5,
        }
    }
}
