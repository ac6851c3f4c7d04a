//! The wire formats of Auth.js's two major versions.

/// A wire format of Auth.js: cookie names and encryption. Vestibule reads both dialects and writes the configured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Auth.js 5: `authjs.` cookies, A256CBC-HS512.
    AuthJsV5,
    /// next-auth 4: `next-auth.` cookies, A256GCM.
    NextAuthV4,
}

impl Dialect {
    /// The other dialect. If `self` is the configured one, Vestibule reads the other but does not write it.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::AuthJsV5 => Self::NextAuthV4,
            Self::NextAuthV4 => Self::AuthJsV5,
        }
    }
}
