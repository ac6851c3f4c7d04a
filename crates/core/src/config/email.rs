//! Which e-mail addresses rules, `allow`, header fields and assertions may depend on.
//!
//! A session always has the address, as in Auth.js. Whether it is proven is the session's claim `email_verified`, and
//! what becomes of one that is not is the provider's `unverified_email`.

use vestibule_oidc::oauth::email::{EmailStatements, EmailVerification};

/// How far a provider's e-mail addresses are believed.
#[derive(Clone, Debug, Default)]
pub struct EmailPolicy {
    /// Where the provider says whether an address is verified.
    pub statements: EmailStatements,
    /// Whether an address that is not verified counts all the same.
    pub accepts_unverified: bool,
    /// Whether it is a provider of the site's own, which knows its users by their addresses: `email_domain` goes by an
    /// address of which it says nothing.
    pub is_own: bool,
}

impl EmailPolicy {
    /// Whether rules and upstreams must not see an address of this provider.
    pub fn withholds(&self, verification: EmailVerification) -> bool {
        verification == EmailVerification::Unverified && !self.accepts_unverified
    }
}
