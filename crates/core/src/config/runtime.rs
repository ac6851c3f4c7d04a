//! What a runtime accepts in the configuration, and its texts for messages.

use std::time::Duration;

use crate::guard::headers::EdgeFields;
use crate::lease::kind::LeaseKind;
use crate::log::SinkKind;
use crate::revocation::kind::RevocationStore;

/// The part of the configuration that depends on the runtime: values that name a feature of the runtime, and the texts
/// that tell an operator how to set it up. Each runtime has one of these.
///
/// Each text is the end of a sentence of a message, without a full stop.
#[derive(Debug)]
pub struct Runtime {
    /// The values of `AUTH.refresh.lease` in addition to `none`. The first one is the default, where what it needs is
    /// available.
    pub leases: &'static [Lease],
    /// The values of `AUTH.revocation.store` in addition to `none`. The first one is the default, where what it needs is
    /// available.
    pub revocations: &'static [Revocation],
    /// The values of `AUTH.audit.sinks` in addition to `log` and URLs.
    pub sinks: &'static [RuntimeSink],
    /// The values of `AUTH.metrics.sink` in addition to `none`.
    pub metrics: &'static [RuntimeSink],
    /// The advice where the runtime does not count attempts to sign in.
    pub login_limits: &'static str,
    /// The prefixes of an upstream's `to` that select a service of the runtime, for example `service:`. What follows the
    /// prefix is the name of the service.
    pub services: &'static [&'static str],
    /// Which values an upstream's `to` can have, for example ``write "origin" or "https://app.example.com"``.
    pub targets: &'static str,
    /// Where to find the name of a service, for example ``write the name that …``.
    pub service_name: &'static str,
    /// How to start, where there is no configuration.
    pub configure: &'static str,
    /// What to write in place of a string that is not a valid configuration.
    pub write_table: &'static str,
    /// The header fields that the network in front of the runtime sets. An upstream's `headers` must not name them.
    pub edge: EdgeFields,
    /// Whether [`Crypto::decrypt_oaep`](vestibule_oidc::jose::crypto::Crypto::decrypt_oaep) works: the runtime's own cryptography
    /// decrypts with RSA keys.
    pub decrypts_rsa: bool,
    /// Whether [`Crypto::sign`](vestibule_oidc::jose::crypto::Crypto::sign) signs with RSA keys.
    pub signs_rsa: bool,
    /// How the operator sets a secret, whose name stands for `NAME`: ``with `wrangler secret put NAME` ``.
    pub set_secret: &'static str,
    /// The file that holds the secrets while a developer runs the site.
    pub local_secrets: &'static str,
}

/// A lease: a way to keep two requests from using the same refresh token.
#[derive(Debug)]
pub struct Lease {
    /// The value of `AUTH.refresh.lease` that selects it.
    pub value: &'static str,
    /// Which kind of lease it is.
    pub kind: LeaseKind,
    /// What is missing where the lease is not available.
    pub missing: &'static str,
    /// How to make it available.
    pub add: &'static str,
    /// The advice where it would be the better choice.
    pub advice: &'static str,
}

/// A store of revocations.
#[derive(Debug)]
pub struct Revocation {
    /// The value of `AUTH.revocation.store` that selects it.
    pub value: &'static str,
    /// Which kind of store it is.
    pub kind: RevocationStore,
    /// How long a process relies on what it read, where the configuration does not say it.
    pub interval: Duration,
    /// What is missing where the store is not available.
    pub missing: &'static str,
    /// How to make it available.
    pub add: &'static str,
    /// The advice where it would be the better choice.
    pub advice: &'static str,
}

/// Where lines of the audit log, or metrics, can go.
#[derive(Debug)]
pub struct RuntimeSink {
    /// The value of `AUTH.audit.sinks` or `AUTH.metrics.sink` that selects it.
    pub value: &'static str,
    /// What it is.
    pub kind: SinkKind,
    /// What is missing where it is not available.
    pub missing: &'static str,
    /// How to make it available.
    pub add: &'static str,
}

impl Runtime {
    /// The revocation store of that kind.
    pub(super) fn revocation(&self, kind: RevocationStore) -> Option<&'static Revocation> {
        self.revocations.iter().find(|store| store.kind == kind)
    }

    /// The kind of the revocation store that is used where the configuration chooses none.
    pub(super) fn default_revocation(&self) -> RevocationStore {
        self.revocations.first().map_or(RevocationStore::None, |store| store.kind)
    }

    /// The lease of that kind.
    pub(super) fn lease(&self, kind: LeaseKind) -> Option<&'static Lease> {
        self.leases.iter().find(|lease| lease.kind == kind)
    }

    /// The kind of the lease that is used where the configuration chooses none.
    pub(super) fn default_lease(&self) -> LeaseKind {
        self.leases.first().map_or(LeaseKind::None, |lease| lease.kind)
    }
}
