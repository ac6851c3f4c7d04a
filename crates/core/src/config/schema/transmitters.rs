//! `[[vars.AUTH.event_transmitters]]`

use super::Kind::{Bool, Hidden, Text, TextOrList};
use super::{Keys, keys};

pub(in crate::config) const TRANSMITTER: Keys = &[keys! {
    /// The id of the provider whose users the events are about.
    provider: Text, unset = "the only provider", example = "okta", needs = "required with several providers";
    /// The issuer of the events, exactly as the transmitter writes it.
    issuer: Text, unset = "the provider's issuer", example = "https://transmitter.example.com",
        needs = "`https`, except on this machine; no query";
    /// What the events have as `aud`: one value, or several of which one is enough. Each has 1 to 512 characters.
    audience: TextOrList, example = "https://app.example.com/auth/security-events", needs = "required";
    /// The URL of the transmitter's keys.
    jwks: Text, unset = "the provider's keys, if the issuer is the provider's; otherwise what the transmitter's metadata says",
        example = "https://transmitter.example.com/jwks.json";
    /// Whether it may revoke everything that a user has here (Global Token Revocation, Okta's Universal Logout). A JWT that it signs
    /// for this purpose proves it; one of its audiences is the address that it calls.
    global_token_revocation: Bool, default = false, example = true;
    /// Never written here: `AUTH_<ID>_EVENTS_SECRET` is a secret of the environment.
    secret: Hidden;
}];
