//! The values that the configuration accepts on wasi:http, and the names of the variables.

use vestibule_core::config::Runtime;
use vestibule_core::guard::headers::EdgeFields;

/// The file with the configuration, as messages call it.
pub const FILE: &str = "vestibule.toml";

/// The variable with the configuration, as messages call it.
pub const VARIABLE: &str = "AUTH";

/// The variable that says whether a proxy in front sets `X-Forwarded-Proto` and `X-Forwarded-For`: `true` or `false`.
pub const TRUST_PROXY: &str = "AUTH_TRUST_PROXY";

/// The variable with the URL of the server behind, where an upstream, or none, says `to = "origin"`.
pub const ORIGIN: &str = "AUTH_ORIGIN_URL";

/// The field with the client's address, which this crate sets: from what the proxy in front says, or not at all.
pub const CLIENT_ADDRESS: &str = "x-real-ip";

/// The values that the configuration accepts on wasi:http, and the messages about them. There is no shared store: what hosts
/// have for `wasi:keyvalue` forgets writes, and has no compare-and-swap.
pub const RUNTIME: Runtime = Runtime {
    leases: &[],
    revocations: &[],
    sinks: &[],
    metrics: &[],
    login_limits: "count attempts in the proxy in front, because an instance remembers none (docs/wasi.md)",
    services: &[],
    targets: "write \"origin\" or \"https://app.example.com\"",
    service_name: "write the URL of the server",
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
