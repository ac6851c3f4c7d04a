//! The values that the configuration accepts on a server of your own, and the texts of its messages.

use std::time::Duration;

use vestibule_core::config::error::ConfigErrors;
use vestibule_core::config::{Config, Lease, Revocation, Runtime};
use vestibule_core::guard::headers::EdgeFields;
use vestibule_core::lease::kind::LeaseKind;
use vestibule_core::revocation::kind::RevocationStore;

/// The variable that overrides the configuration's file, as messages call it.
pub const VARIABLE: &str = "AUTH";

/// The field in which the server tells the core the client's address.
pub const CLIENT: &str = "vestibule-edge-client";

/// The field in which the server tells the core the request's identifier.
pub const REQUEST: &str = "vestibule-edge-request";

/// What the server itself says of a request. No client's field has such a name when the core sees it, and no upstream gets
/// them.
const EDGE: EdgeFields = EdgeFields {
    prefix: Some("vestibule-edge-"),
    headers: &[CLIENT, REQUEST],
    client_address: Some(CLIENT),
    request_id: Some(REQUEST),
};

/// The configuration with the stores that there are: in memory always, in Redis where its values are those of Redis.
///
/// # Errors
/// What needs a store that there is not.
pub fn stored(config: Config, runtime: &Runtime) -> Result<Config, ConfigErrors> {
    config
        .check_lease(runtime, &|kind| kind != LeaseKind::Store)?
        .check_tokens(runtime, &|_| true)?
        .check_revocation(runtime, &|kind| kind != RevocationStore::Store)
}

/// The advice about a checked configuration.
pub fn advice(config: &Config, runtime: &Runtime) -> Vec<String> {
    let mut advice = config.advice(runtime);
    advice.extend(config.sink_advice(runtime, &|_| false));
    advice
}

const NO_REDIS: &str = "needs the address of a Redis server, which is missing";
const SET_REDIS: &str = "set AUTH_REDIS_URL, for example \"redis://127.0.0.1:6379\"";
const HAS_REDIS: &str = "is not used where AUTH_REDIS_URL is set";
const WRITE_REDIS: &str = "write \"redis\", or remove AUTH_REDIS_URL";

/// The values for one process, which keeps everything in its memory. What is only of Redis is never available: its kind is
/// one that this runtime does not have.
pub const IN_MEMORY: Runtime = Runtime {
    leases: &[
        Lease {
            value: "memory",
            kind: LeaseKind::Lock,
            missing: "is always there",
            add: "leave it out",
            advice: "write lease = \"memory\" (docs/server.md)",
        },
        Lease {
            value: "redis",
            kind: LeaseKind::Store,
            missing: NO_REDIS,
            add: SET_REDIS,
            advice: "write lease = \"redis\" (docs/server.md)",
        },
    ],
    revocations: &[
        Revocation {
            value: "memory",
            kind: RevocationStore::Lock,
            interval: Duration::from_secs(1),
            missing: "is always there",
            add: "leave it out",
            advice: "write store = \"memory\" (docs/server.md)",
        },
        Revocation {
            value: "redis",
            kind: RevocationStore::Store,
            interval: Duration::from_secs(10),
            missing: NO_REDIS,
            add: SET_REDIS,
            advice: "write store = \"redis\" (docs/server.md)",
        },
    ],
    sinks: &[],
    metrics: &[],
    login_limits: "this never happens here",
    services: &["service:"],
    targets: "write \"origin\", \"service:NAME\" or \"https://app.example.com\"",
    service_name: "write the NAME of `--services NAME=URL`",
    configure: "write into vestibule.toml: `base_path = \"/auth\"`, `providers = [{ id = \"okta\" }]`",
    write_table: "write vestibule.toml instead",
    edge: EDGE,
    decrypts_rsa: false,
    signs_rsa: true,
    set_secret: "as the variable NAME, or in a file that NAME_FILE names",
    local_secrets: "the environment",
};

/// The values for processes that share a Redis server.
pub const IN_REDIS: Runtime = Runtime {
    leases: &[
        Lease {
            value: "redis",
            kind: LeaseKind::Lock,
            missing: NO_REDIS,
            add: SET_REDIS,
            advice: "write lease = \"redis\" (docs/server.md)",
        },
        Lease {
            value: "memory",
            kind: LeaseKind::Store,
            missing: HAS_REDIS,
            add: WRITE_REDIS,
            advice: "write lease = \"redis\" (docs/server.md)",
        },
    ],
    revocations: &[
        Revocation {
            value: "redis",
            kind: RevocationStore::Lock,
            interval: Duration::from_secs(10),
            missing: NO_REDIS,
            add: SET_REDIS,
            advice: "write store = \"redis\" (docs/server.md)",
        },
        Revocation {
            value: "memory",
            kind: RevocationStore::Store,
            interval: Duration::from_secs(1),
            missing: HAS_REDIS,
            add: WRITE_REDIS,
            advice: "write store = \"redis\" (docs/server.md)",
        },
    ],
    ..IN_MEMORY
};
