//! Which requests a rule can apply to, and whether it leaves any to the rules behind it.

use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use vestibule_oidc::http::origin::HostPattern;
use vestibule_oidc::http::request::Method;

/// What a rule can apply to.
pub(super) struct Reach<'a> {
    pub(super) table: &'a Table<'a>,
    pub(super) host: Option<HostPattern>,
    pub(super) methods: Option<Vec<Method>>,
}

impl Reach<'_> {
    /// Whether every request that `later` could match by `pattern` is taken by this rule. True only where
    /// that is plain to see: the same pattern, or one for everything.
    fn takes(&self, later: &Self, pattern: &Text<'_>) -> bool {
        let host = self.host.is_none() || self.host == later.host;
        let methods = match (&self.methods, &later.methods) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => theirs.iter().all(|method| mine.contains(method)),
        };
        let any_request = !self.table.has("has") && !self.table.has("missing");
        let is_taken = |mine: &Text<'_>| mine.text == pattern.text || is_everything(mine.text);
        host && methods && any_request && self.table.texts("match").iter().any(is_taken)
    }
}

/// Whether a pattern matches every path: `/:path*`, `/(.*)`.
pub(super) fn is_everything(pattern: &str) -> bool {
    if pattern == "/(.*)" {
        return true;
    }
    let name = pattern.strip_prefix("/:").and_then(|rest| rest.strip_suffix('*'));
    name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// Refuses a pattern that an earlier rule takes every request from.
pub(super) fn refuse_shadowed(reach: &Reach<'_>, earlier: &[Reach<'_>]) {
    for pattern in reach.table.texts("match") {
        if let Some(first) = earlier.iter().find(|first| first.takes(reach, &pattern)) {
            let before = first.table.place;
            refuse!(
                pattern,
                "{pattern} is never reached, because {before} matches all of it",
                "the first match wins; put the narrower rule first"
            );
        }
    }
}
