//! Keys of `type = "oidc"` and `type = "oauth2"` for what goes beyond a plain authorization request.

use super::super::Kind::{Any, Bool, BoolOrUrl, Text};
use super::super::{Group, keys};
use vestibule_oidc::oauth::profile::SecurityProfile;
use vestibule_oidc::oauth::provider::AssertionAudience;

/// The security profiles.
pub(in crate::config) const PROFILES: [(&str, SecurityProfile); 1] = [("fapi2", SecurityProfile::Fapi2)];

/// The audiences of client assertions.
pub(in crate::config) const ASSERTION_AUDIENCES: [(&str, AssertionAudience); 2] =
    [("token-endpoint", AssertionAudience::TokenEndpoint), ("issuer", AssertionAudience::Issuer)];

/// The keys for authorization requests that are pushed, signed or rich, and for the profile that wants them.
pub(in crate::config) const REQUESTS: Group = keys! {
    /// Whether authorization requests are pushed to the provider (PAR), so that the browser carries only a reference: `true` for the
    /// `pushed_authorization_request_endpoint` of its metadata, or the URL of that endpoint. `false`: never, even if the metadata require
    /// it.
    pushed_authorization_requests: BoolOrUrl, unset = "`true` if the provider's metadata require it", example = true,
        needs = "OAuth 2: a URL";
    /// Whether authorization requests are signed with the client's private key (JAR): in the browser's address, or in the pushed request.
    /// `false`: never, even if the metadata require it.
    request_object: Bool, unset = "`true` if the provider's metadata require it", example = true,
        needs = "`issuer` and the secret `AUTH_<ID>_PRIVATE_KEY`";
    /// What the token is to be allowed to do (RAR): an array of tables, each with a `type`. What the provider grants is
    /// `account.authorization_details` in `claims`; more than is written here is logged.
    authorization_details: Any, unset = "no details", example = [{ "type": "account_information", "actions": ["read"] }],
        needs = "the `authorization_details_types` that the provider gives to this client";
    /// The `aud` of the assertions with which the client authenticates (`private_key_jwt`, `client_secret_jwt`).
    client_assertion_audience: Text, values = ASSERTION_AUDIENCES, default = "token-endpoint", example = "issuer",
        needs = "`\"issuer\"`: `issuer`";
};
