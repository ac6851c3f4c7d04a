//! `[vars.AUTH.audit]`

use super::Kind::{Hidden, TextOrList};
use super::{Keys, keys};
#[cfg(feature = "reference")]
use crate::log::AuditKind;

/// The kinds of events.
#[cfg(feature = "reference")]
struct Kinds;

#[cfg(feature = "reference")]
impl super::Values for Kinds {
    fn list(&self, _: &crate::config::Runtime) -> Vec<String> {
        AuditKind::NAMES.iter().map(|(name, _)| (*name).to_owned()).collect()
    }
}

pub(in crate::config) const AUDIT: Keys = &[keys! {
    /// Where the lines of the audit log go: `"log"`, the log of the Worker; `"queue"`; `"analytics"`, a dataset of Analytics Engine;
    /// or the URL of an HTTP endpoint, which gets them by POST, one JSON object in a line. Several in an array; `"none"`: there is
    /// no audit log. No request waits for any of them (docs/operating.md).
    sinks: TextOrList, default = "log", example = ["log", "https://logs.example.com/vestibule"],
        needs = "`\"queue\"`: the binding `AUTH_AUDIT`; `\"analytics\"`: the binding `AUTH_ANALYTICS`; a URL: `https`, except on this machine";
    /// Which events have a line there. `"anonymous"` is each request without a session that a rule does not let pass.
    kinds: TextOrList, values = Kinds, unset = "all but `\"anonymous\"`", example = ["sign-in", "refusal", "sign-out", "revocation"];
    /// Never written here: `AUTH_AUDIT_SECRET` is a secret of the environment.
    secret: Hidden;
}];
