//! `[vars.AUTH.revocation]`

use super::Kind::{Duration, Hidden, Text};
use super::{Keys, keys};
use crate::revocation::policy::OnUnavailable;

/// The stores that the runtime accepts, and `none`.
#[cfg(feature = "reference")]
struct Stores;

#[cfg(feature = "reference")]
impl super::Values for Stores {
    fn list(&self, runtime: &crate::config::Runtime) -> Vec<String> {
        runtime.revocations.iter().map(|store| store.value).chain(["none"]).map(str::to_owned).collect()
    }
}

/// What happens to sessions whose revocations cannot be read.
pub(in crate::config) const ON_UNAVAILABLE: [(&str, OnUnavailable); 2] =
    [("accept", OnUnavailable::Accept), ("refuse", OnUnavailable::Refuse)];

pub(in crate::config) const REVOCATION: Keys = &[keys! {
    /// Where it is kept which sessions were revoked: by a sign-out, by "sign out everywhere", by an operator. With `"none"`
    /// a sign-out only removes the cookie, and a copy of it stays valid until it expires.
    store: Text, values = Stores, unset = "`\"kv\"` where `AUTH_KV` is bound, otherwise `\"none\"`",
        example = "durable-object", needs = "`\"kv\"`: the binding `AUTH_KV`; `\"durable-object\"`: the binding `AUTH_LEASE`; the same store in every Worker that shares the secret";
    /// How long an isolate relies on what it read of a session, from 1 second to 1 hour. Requests that may change something,
    /// renewals and refreshes rely on a read of the last 30 seconds at most.
    interval: Duration, unset = "`\"5m\"` with `\"kv\"`, `\"10s\"` with `\"durable-object\"`", example = "1m";
    /// What happens to sessions while the store does not answer. `"accept"`: those that are not known to be revoked pass, but
    /// are neither renewed nor refreshed. `"refuse"`: every session gets 503.
    on_unavailable: Text, values = ON_UNAVAILABLE, default = "accept", example = "refuse";
    /// Never written here: `AUTH_REVOKE_SECRET` is a secret of the environment.
    secret: Hidden;
}];
