//! The claims that neither the provider nor the configuration can change.

use crate::session::tokens::entry;

/// The claims with the provider's tokens, or with what belongs to them. None is left once the provider has ended the grant.
pub(crate) const GRANT_CLAIMS: [&str; 7] = [
    "access_token",
    "refresh_token",
    "expires_at",
    "refresh_expires_at",
    "api_cookies",
    "dpop_key",
    entry::CLAIM,
];

/// The claim with the `client_id` of a client that acts for itself, without a user. Only a session of one request has it, that
/// of an access token.
pub(crate) const CLIENT: &str = "oauth_client";

/// The claims that are about the session itself and its tokens, and not about what the provider says of the user, in
/// groups, each with what it is for.
pub(crate) const OWN_CLAIMS: [(&[&str], &str); 4] = [
    (&["iat", "nbf", "exp", "jti"], "it is set when the session is sealed"),
    (
        &[
            "sub",
            "sid",
            "provider",
            "account",
            "signed_in_at",
            "auth_time",
            "provider_sid",
            "provider_iat",
            "provider_sub",
            "revalidated_at",
            "ends_at",
            "persistent",
            "preview_host",
            "generation",
            "error",
            "hint_chunks",
            CLIENT,
        ],
        "it says whose session this is, and its state",
    ),
    (&["acr", "amr"], "every session has it from the ID token"),
    (&GRANT_CLAIMS, "it holds the provider's tokens"),
];

/// Whether a claim of this name is about the session itself.
pub(crate) fn is_own_claim(name: &str) -> bool {
    OWN_CLAIMS.iter().any(|(claims, _)| claims.contains(&name))
}
