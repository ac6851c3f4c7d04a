//! The claims that the provider cannot change.

/// The claims that are about the session itself and its tokens, and not about what the provider says of the user. A
/// refresh does not let the provider's data change them.
const OWN_CLAIMS: [&str; 23] = [
    "sub",
    "sid",
    "provider",
    "account",
    "provider_sid",
    "provider_iat",
    "signed_in_at",
    "auth_time",
    "revalidated_at",
    "ends_at",
    "persistent",
    "preview_host",
    "generation",
    "error",
    "iat",
    "nbf",
    "exp",
    "jti",
    "access_token",
    "refresh_token",
    "expires_at",
    "refresh_expires_at",
    "api_cookies",
];

/// Whether a claim of this name is about the session itself.
pub(crate) fn is_own_claim(name: &str) -> bool {
    OWN_CLAIMS.contains(&name)
}
