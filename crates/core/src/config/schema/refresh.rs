//! `[vars.AUTH.refresh]`

use super::Kind::{Duration, Text};
use super::{Keys, keys};

/// The leases that the runtime accepts, and `none`.
#[cfg(feature = "reference")]
struct Leases;

#[cfg(feature = "reference")]
impl super::Values for Leases {
    fn list(&self, runtime: &crate::config::Runtime) -> Vec<String> {
        runtime.leases.iter().map(|lease| lease.value).chain(["none"]).map(str::to_owned).collect()
    }
}

pub(in crate::config) const REFRESH: Keys = &[keys! {
    /// What keeps two requests from using the same refresh token. `"kv"` is enough where a used refresh token works for some
    /// seconds more; `"durable-object"` is for providers that end the sign-in when a refresh token is used twice; `"none"`
    /// only keeps apart the requests of one isolate.
    lease: Text, values = Leases, unset = "`\"kv\"` where `AUTH_KV` is bound, otherwise `\"none\"`",
        example = "durable-object", needs = "`\"kv\"`: the binding `AUTH_KV`; `\"durable-object\"`: the binding `AUTH_LEASE`";
    /// How long before its end an access token is refreshed, from 0 seconds to 1 hour. A token that is valid for less than
    /// twice as long is refreshed in the second half of its life.
    leeway: Duration, default = "60s", example = "2m";
}];
