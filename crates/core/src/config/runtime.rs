//! What a runtime accepts in the configuration, and what it says about it.

use crate::guard::headers::EdgeFields;
use crate::lease::kind::LeaseKind;

/// What of the configuration is the runtime's: the values that name something that it has, and the advice for whoever
/// configures it. Each runtime has one.
///
/// The texts are ends of sentences, as the reference of the configuration has them; none ends with a full stop.
#[derive(Debug)]
pub struct Runtime {
    /// The values of `AUTH.refresh.lease` that it accepts beside `none`. The first one holds where none is chosen and the
    /// runtime has what it needs.
    pub leases: &'static [Lease],
    /// The beginnings of an upstream's `to` that name something that the runtime calls by itself; the rest is the
    /// name.
    pub services: &'static [&'static str],
    /// What can stand in an upstream's `to`, for example ``write "origin" or "https://app.example.com"``.
    pub targets: &'static str,
    /// Where the name of a service is found, for example ``write the name that …``.
    pub service_name: &'static str,
    /// How to begin where there is no configuration at all.
    pub configure: &'static str,
    /// What to write in place of a text that is not read as the configuration.
    pub write_table: &'static str,
    /// In which header fields the network in front of the runtime says something. The configuration may set none of them.
    pub edge: EdgeFields,
    /// The command that sets a secret; its name stands behind it.
    pub set_secret: &'static str,
}

/// A way to keep two requests from using one refresh token.
#[derive(Debug)]
pub struct Lease {
    /// Its value in the configuration.
    pub value: &'static str,
    /// What it is.
    pub kind: LeaseKind,
    /// What it lacks where the runtime does not have it.
    pub missing: &'static str,
    /// How to get it.
    pub add: &'static str,
    /// What to say where it would be the better choice.
    pub advice: &'static str,
}

impl Runtime {
    /// The lease of that kind.
    pub(super) fn lease(&self, kind: LeaseKind) -> Option<&'static Lease> {
        self.leases.iter().find(|lease| lease.kind == kind)
    }

    /// The lease that holds where none is chosen.
    pub(super) fn default_lease(&self) -> LeaseKind {
        self.leases.first().map_or(LeaseKind::None, |lease| lease.kind)
    }
}
