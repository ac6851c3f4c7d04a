//! Which e-mail addresses rules, `allow`, header fields and assertions may depend on.
//!
//! A session always has the address, as in Auth.js. The session's claim `email_verified` says whether it is proven. The
//! provider's `unverified_email` decides whether rules and upstreams see an address that is not.

use vestibule_oidc::oauth::email::{EmailStatements, EmailVerification};

/// What rules and upstreams may do with a provider's e-mail addresses.
#[derive(Clone, Debug, Default)]
pub struct EmailPolicy {
    /// Where the provider says whether an address is verified.
    pub statements: EmailStatements,
    /// Whether rules and upstreams see an address that is not verified.
    pub accepts_unverified: bool,
    /// Whether the provider is the site's own, without a preset. `email_domain` accepts its addresses even if it does not
    /// say whether they are verified.
    pub is_own: bool,
}

impl EmailPolicy {
    /// Whether rules and upstreams must not see an address of this provider.
    pub fn withholds(&self, verification: EmailVerification) -> bool {
        verification == EmailVerification::Unverified && !self.accepts_unverified
    }
}
