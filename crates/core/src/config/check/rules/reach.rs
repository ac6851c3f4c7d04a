//! Which requests a rule can apply to, and whether it leaves any to the rules behind it.

use std::collections::BTreeMap;

use crate::config::place::refuse;
use crate::config::table::Table;
use vestibule_oidc::http::origin::HostPattern;
use vestibule_oidc::http::request::Method;

/// What a rule can apply to.
pub(super) struct Reach<'a> {
    pub(super) table: &'a Table<'a>,
    pub(super) host: Option<HostPattern>,
    pub(super) methods: Option<Vec<Method>>,
}

impl Reach<'_> {
    /// Whether every request that `later` could match is taken by this rule, if it is one for the same hosts or for all, and
    /// one of its patterns takes every path of a pattern there.
    fn takes(&self, later: &Self) -> bool {
        let methods = match (&self.methods, &later.methods) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => theirs.iter().all(|method| mine.contains(method)),
        };
        methods && self.takes_any_request()
    }

    fn takes_any_request(&self) -> bool {
        !self.table.has("has") && !self.table.has("missing")
    }
}

/// The rules before a rule, by what they could take from it: a configuration with thousands of rules is checked in the time
/// that it takes to read them.
#[derive(Default)]
pub(super) struct Earlier<'a> {
    reaches: Vec<Reach<'a>>,
    /// The rules that take every request of a pattern on some hosts or all, if it has one of their methods.
    by_pattern: BTreeMap<String, Vec<usize>>,
}

impl<'a> Earlier<'a> {
    /// Adds a rule, which is behind all others so far. Refuses each pattern that an earlier rule takes every request from:
    /// where that is plain to see, because it is the same pattern, or one for everything.
    pub(super) fn add(&mut self, reach: Reach<'a>) {
        for pattern in reach.table.texts("match") {
            if let Some(first) = self.first_that_takes(&reach, pattern.text) {
                let before = first.table.place;
                refuse!(
                    pattern,
                    "{pattern} is never reached, because {before} matches all of it",
                    "the first match wins; put the narrower rule first"
                );
            }
        }
        if reach.takes_any_request() {
            for pattern in reach.table.texts("match") {
                let rules = self.by_pattern.entry(key(reach.host.as_ref(), pattern.text)).or_default();
                rules.push(self.reaches.len());
            }
        }
        self.reaches.push(reach);
    }

    fn first_that_takes(&self, later: &Reach<'_>, pattern: &str) -> Option<&Reach<'a>> {
        let hosts = [None, later.host.as_ref()];
        let keys = hosts.into_iter().flat_map(|host| [key(host, pattern), key(host, EVERYTHING)]);
        let first = |key: String| {
            let mut rules = self.by_pattern.get(&key)?.iter().copied();
            rules.find(|rule| self.reaches.get(*rule).is_some_and(|rule| rule.takes(later)))
        };
        self.reaches.get(keys.filter_map(first).min()?)
    }

    /// All rules.
    pub(super) fn into_reaches(self) -> Vec<Reach<'a>> {
        self.reaches
    }
}

/// The key of a pattern on a host. All patterns for everything have the same.
fn key(host: Option<&HostPattern>, pattern: &str) -> String {
    let pattern = if is_everything(pattern) { EVERYTHING } else { pattern };
    host.map_or_else(|| pattern.to_owned(), |host| format!("{host} {pattern}"))
}

/// One of the patterns that match every path.
const EVERYTHING: &str = "/(.*)";

/// Whether a pattern matches every path: `/:path*`, `/(.*)`.
pub(super) fn is_everything(pattern: &str) -> bool {
    if pattern == EVERYTHING {
        return true;
    }
    let name = pattern.strip_prefix("/:").and_then(|rest| rest.strip_suffix('*'));
    name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}
