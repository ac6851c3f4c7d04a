//! The values that the configuration accepts on wasi:http, and the names of the variables.

use std::time::Duration;

use vestibule_core::config::{Lease, Revocation, Runtime};
use vestibule_core::guard::headers::EdgeFields;
use vestibule_core::lease::kind::LeaseKind;
use vestibule_core::revocation::kind::RevocationStore;

/// The file with the configuration, as messages call it.
pub const FILE: &str = "vestibule.toml";

/// The variable with the configuration, as messages call it.
pub const VARIABLE: &str = "AUTH";

/// The variable that says whether a proxy in front sets `X-Forwarded-Proto` and `X-Forwarded-For`: `true` or `false`.
pub const TRUST_PROXY: &str = "AUTH_TRUST_PROXY";

/// The variable with the URL of the server behind, where an upstream, or none, says `to = "origin"`.
pub const ORIGIN: &str = "AUTH_ORIGIN_URL";

/// The variable with the servers behind `to = "service:NAME"`: `API=http://api:4000,SHOP=http://shop:4000`.
pub const SERVICES: &str = "AUTH_SERVICES";

/// The variable with the URL of the gateway that requests to other hosts pass: `https://egress.internal:8443`.
pub const EGRESS: &str = "AUTH_EGRESS_URL";

/// The field with the client's address, which this crate sets: from what the proxy in front says, or not at all.
pub const CLIENT_ADDRESS: &str = "x-real-ip";

/// The values that the configuration accepts on wasi:http, and the messages about them. The shared store is Redis, which the
/// operator has or has not.
pub const RUNTIME: Runtime = Runtime {
    leases: &[Lease {
        value: "redis",
        kind: LeaseKind::Lock,
        missing: NO_REDIS,
        add: SET_REDIS,
        advice: "there is no shared store, so two requests can use the same refresh token: set AUTH_REDIS_URL, or write \
                 lease = \"none\" (docs/wasi.md)",
    }],
    revocations: &[Revocation {
        value: "redis",
        kind: RevocationStore::Lock,
        interval: Duration::from_secs(10),
        missing: NO_REDIS,
        add: SET_REDIS,
        advice: "set AUTH_REDIS_URL, or write store = \"none\" (docs/wasi.md)",
    }],
    sinks: &[],
    metrics: &[],
    login_limits: "set AUTH_REDIS_URL, or count attempts in the proxy in front, because an instance remembers none \
                   (docs/wasi.md)",
    services: &["service:"],
    targets: "write \"origin\", \"service:NAME\" or \"https://app.example.com\"",
    service_name: "write a NAME of AUTH_SERVICES, which has NAME=URL",
    configure: "write vestibule.toml: `base_path = \"/auth\"`, `providers = [{ id = \"okta\" }]` (docs/wasi.md)",
    write_table: "write vestibule.toml, or the JSON of it into the variable AUTH",
    edge: EdgeFields {
        prefix: None,
        headers: &[CLIENT_ADDRESS],
        client_address: Some(CLIENT_ADDRESS),
        request_id: None,
    },
    decrypts_rsa: false,
    signs_rsa: false,
    set_secret: "as the variable NAME, which --env NAME hands on, or in a file secrets/NAME beside vestibule.toml",
    local_secrets: "the environment",
};

/// The same for a component whose shared store is the host's `wasi:keyvalue`.
pub const KEY_VALUE_RUNTIME: Runtime = Runtime {
    leases: &[Lease {
        value: "keyvalue",
        kind: LeaseKind::Lock,
        missing: NO_BUCKET,
        add: USE_BUCKET,
        advice: "there is no shared store, so two requests can use the same refresh token: use a host whose wasi:keyvalue \
                 keeps what is written, or write lease = \"none\" (docs/wasi.md)",
    }],
    revocations: &[Revocation {
        value: "keyvalue",
        kind: RevocationStore::Lock,
        interval: Duration::from_secs(10),
        missing: NO_BUCKET,
        add: USE_BUCKET,
        advice: "use a host whose wasi:keyvalue keeps what is written, or write store = \"none\" (docs/wasi.md)",
    }],
    login_limits: "count attempts in the proxy in front, because an instance remembers none, and wasi:keyvalue has no \
                   lifetimes (docs/wasi.md)",
    ..RUNTIME
};

/// The variable with the name of the bucket of `wasi:keyvalue`; without it the name is empty, which is wasmtime's.
pub const BUCKET: &str = "AUTH_KEYVALUE_BUCKET";

const NO_BUCKET: &str = "needs a key-value store that keeps what is written, which the host has not";
const USE_BUCKET: &str = "use another host, or the component that is built for Redis";
const NO_REDIS: &str = "needs the address of a Redis server, which is missing";
const SET_REDIS: &str = "set AUTH_REDIS_URL, for example \"redis://127.0.0.1:6379\"";
