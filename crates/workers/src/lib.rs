//! The values that the configuration accepts on Cloudflare Workers, and the names of the bindings.

use std::time::Duration;

use vestibule_core::config::{Lease, Revocation, Runtime, RuntimeSink};
use vestibule_core::guard::headers::EdgeFields;
use vestibule_core::lease::kind::LeaseKind;
use vestibule_core::log::SinkKind;
use vestibule_core::revocation::kind::RevocationStore;

/// The name of the KV namespace binding of the shared store.
pub const KV: &str = "AUTH_KV";

/// The name of the Durable Object binding of the leases.
pub const LEASE_OBJECTS: &str = "AUTH_LEASE";

/// The name of the rate limiting binding of `POST BASE_PATH/revoke`. Without it, each isolate counts by itself.
pub const RATE_LIMIT: &str = "AUTH_RATE_LIMIT";

/// The name of the tight rate limiting binding of sign-in forms: for one account from one address.
pub const LOGIN_LIMIT: &str = "AUTH_LOGIN_LIMIT";

/// The name of the loose rate limiting binding of sign-in forms: from one address, and for one account.
pub const LOGIN_LIMIT_LOOSE: &str = "AUTH_LOGIN_LIMIT_LOOSE";

/// The configuration that is a part of the bundle, as messages call it. `vestibule.config.js` is made of it.
pub const FILE: &str = "vestibule.toml";

/// The variable with the configuration, as messages call it.
pub const VARIABLE: &str = "[vars.AUTH]";

/// The maximum size of a variable in bytes: a deployment whose `AUTH` is longer, as JSON without spaces, is refused. The
/// platform's documents say 5 KB for each variable, on every plan.
pub const MAX_VARIABLE_BYTES: usize = 5 * 1024;

/// The name of the Queue binding that gets the lines of the audit log.
pub const AUDIT_QUEUE: &str = "AUTH_AUDIT";

/// The name of the Analytics Engine binding of the lines of the audit log.
pub const ANALYTICS: &str = "AUTH_ANALYTICS";

/// The name of the Analytics Engine binding of the metrics.
pub const METRICS: &str = "AUTH_METRICS";

/// The values that the configuration accepts on Workers, and the messages about them.
pub const RUNTIME: Runtime = Runtime {
    leases: &[
        Lease {
            value: "kv",
            kind: LeaseKind::Store,
            missing: "needs a KV namespace bound as AUTH_KV, which is missing",
            add: "add to wrangler.toml: `[[kv_namespaces]]`, `binding = \"AUTH_KV\"`; or write \"none\", if your \
                  providers accept a refresh token that is used twice",
            advice: "no KV namespace is bound as AUTH_KV, so requests of two isolates can use the same \
                     refresh token: add it, or write lease = \"none\" (docs/refresh.md)",
        },
        Lease {
            value: "durable-object",
            kind: LeaseKind::Lock,
            missing: "needs a Durable Object bound as AUTH_LEASE, which is missing",
            add: "add to wrangler.toml: `[[durable_objects.bindings]]`, `name = \"AUTH_LEASE\"`, \
                  `class_name = \"RefreshLease\"`, and `[[migrations]]`, `tag = \"v1\"`, \
                  `new_sqlite_classes = [\"RefreshLease\"]`",
            advice: "only a Durable Object prevents that between two locations: write lease = \"durable-object\" \
                     (docs/refresh.md)",
        },
    ],
    revocations: &[
        Revocation {
            value: "kv",
            kind: RevocationStore::Store,
            // A session costs two reads an interval, and KV remembers each of them for half a minute anyway.
            interval: Duration::from_mins(5),
            missing: "needs a KV namespace bound as AUTH_KV, which is missing",
            add: "add to wrangler.toml: `[[kv_namespaces]]`, `binding = \"AUTH_KV\"`; or write \"none\", if a copy of a \
                  session may outlive the sign-out",
            advice: "bind a KV namespace as AUTH_KV, or write store = \"none\" (docs/sessions.md)",
        },
        Revocation {
            value: "durable-object",
            kind: RevocationStore::Lock,
            interval: Duration::from_secs(10),
            missing: "needs a Durable Object bound as AUTH_LEASE, which is missing",
            add: "add to wrangler.toml: `[[durable_objects.bindings]]`, `name = \"AUTH_LEASE\"`, \
                  `class_name = \"RefreshLease\"`, and `[[migrations]]`, `tag = \"v1\"`, \
                  `new_sqlite_classes = [\"RefreshLease\"]`",
            advice: "write store = \"durable-object\" (docs/sessions.md)",
        },
    ],
    sinks: &[
        RuntimeSink {
            value: "queue",
            kind: SinkKind::Queue,
            missing: "needs a Queue bound as AUTH_AUDIT, which is missing",
            add: "add to wrangler.toml: `[[queues.producers]]`, `binding = \"AUTH_AUDIT\"`, `queue = \"vestibule-audit\"`",
        },
        RuntimeSink {
            value: "analytics",
            kind: SinkKind::Dataset,
            missing: "needs a dataset of Analytics Engine bound as AUTH_ANALYTICS, which is missing",
            add: "add to wrangler.toml: `[[analytics_engine_datasets]]`, `binding = \"AUTH_ANALYTICS\"`",
        },
    ],
    metrics: &[RuntimeSink {
        value: "analytics",
        kind: SinkKind::Dataset,
        missing: "needs a dataset of Analytics Engine bound as AUTH_METRICS, which is missing",
        add: "add to wrangler.toml: `[[analytics_engine_datasets]]`, `binding = \"AUTH_METRICS\"`, \
              `dataset = \"vestibule_metrics\"`",
    }],
    login_limits: "bind two rate limiters as AUTH_LOGIN_LIMIT and AUTH_LOGIN_LIMIT_LOOSE (docs/credentials.md)",
    services: &["service:", "assets:"],
    targets: "write \"origin\", \"service:BINDING\", \"assets:BINDING\" or \"https://app.example.com\"",
    service_name: "write the name in `binding = …` of wrangler.toml",
    configure: "add to wrangler.toml: `[vars.AUTH]`, `base_path = \"/auth\"`, `providers = [{ id = \"okta\" }]`",
    write_table: "write a [vars.AUTH] table in wrangler.toml instead",
    edge: EdgeFields {
        prefix: Some("cf-"),
        // What Cloudflare sets in every request, in place of a client's own copy. Others (Cf-Ipcity, Cf-Cert-Verified,
        // Cf-Access-Jwt-Assertion, …) are only set where the zone is configured so: `edge_headers` names them.
        headers: &[
            "cf-connecting-ip",
            "cf-ray",
            "cf-ipcountry",
            "cf-visitor",
            "cf-ew-via",
            "cf-worker",
            "cdn-loop",
        ],
        client_address: Some("cf-connecting-ip"),
        request_id: Some("cf-ray"),
    },
    decrypts_rsa: true,
    signs_rsa: true,
    set_secret: "with `wrangler secret put NAME` (on your own machine: in .dev.vars)",
    local_secrets: ".dev.vars",
};

/// The name of the binding that a lease of this kind needs; `None` if it needs none.
pub fn binding(kind: LeaseKind) -> Option<&'static str> {
    match kind {
        LeaseKind::None => None,
        LeaseKind::Store => Some(KV),
        LeaseKind::Lock => Some(LEASE_OBJECTS),
    }
}

/// The name of the binding that a revocation store of this kind needs; `None` if it needs none.
pub fn revocation_binding(kind: RevocationStore) -> Option<&'static str> {
    match kind {
        RevocationStore::None => None,
        RevocationStore::Store => Some(KV),
        RevocationStore::Lock => Some(LEASE_OBJECTS),
    }
}

/// The name of the binding that a sink of this kind needs.
pub fn sink_binding(kind: SinkKind) -> &'static str {
    match kind {
        SinkKind::Queue => AUDIT_QUEUE,
        SinkKind::Dataset => ANALYTICS,
    }
}
