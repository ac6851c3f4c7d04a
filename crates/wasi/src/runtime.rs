//! The values that the configuration accepts on wasi:http.

use vestibule_core::config::Runtime;
use vestibule_core::guard::headers::EdgeFields;

/// The file with the configuration, as messages call it.
pub(crate) const FILE: &str = "vestibule.toml";

/// The variable with the configuration, as messages call it.
pub(crate) const VARIABLE: &str = "AUTH";

/// The field with the client's address, which this crate sets: from what the proxy in front says, or not at all.
pub(crate) const CLIENT_ADDRESS: &str = "x-real-ip";

/// The values that the configuration accepts on wasi:http, and the messages about them. There is no shared store: what hosts
/// have for `wasi:keyvalue` forgets writes, and has no compare-and-swap.
pub(crate) const RUNTIME: Runtime = Runtime {
    leases: &[],
    revocations: &[],
    sinks: &[],
    metrics: &[],
    login_limits: "count attempts in the proxy in front, because an instance remembers none (docs/wasi.md)",
    services: &["service:"],
    targets: "write \"origin\", \"service:NAME\" or \"https://app.example.com\"",
    service_name: "write the NAME of AUTH_SERVICES, which has NAME=URL",
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
    set_secret: "export, and name with --env,",
    local_secrets: "the environment",
};
