//! `ambiguous_slashes = "allow"`: such paths pass where every reading of them is under the same rule.

use std::collections::BTreeMap;

use super::reach::{Reach, is_everything};
use crate::config::place::refuse;
use crate::config::schema::rules::AMBIGUOUS_SLASHES;
use crate::config::table::Table;
use vestibule_oidc::http::origin::HostPattern;

/// Whether the rule lets paths with `//` and encoded slashes pass.
pub(super) fn allows_any_slashes(rule: &Table<'_>) -> bool {
    rule.chosen("ambiguous_slashes", &AMBIGUOUS_SLASHES).unwrap_or_default()
}

/// Refuses the key where another reading of a path could be under a rule that asks for more.
pub(super) fn refuse_ambiguous(reaches: &[Reach<'_>]) {
    let by_host = ByHost::new(reaches);
    for (at, reach) in reaches.iter().enumerate().filter(|(_, reach)| allows(reach.table)) {
        let rule = reach.table;
        let place = rule.at("ambiguous_slashes");
        let narrowing = ["methods", "has", "missing"].into_iter().find(|key| rule.has(key));
        if let Some(key) = narrowing {
            refuse!(
                place,
                "with {key} the rule does not decide about every request of its host",
                "write the key in a rule without {key}"
            );
        } else if !rule.texts("match").iter().any(|pattern| is_everything(pattern.text)) {
            refuse!(
                place,
                "the rule does not match every path of its host, and servers disagree about what such a path means",
                "write match = \"/:path*\""
            );
        }
        let mut others = by_host.sharing_with(reach).into_iter().filter(|other| *other != at);
        let stricter = others.find_map(|other| {
            reaches
                .get(other)
                .filter(|other| may_share_a_host(reach, other) && asks_for_more(other.table, rule))
        });
        if let Some(stricter) = stricter {
            let other = stricter.table.place;
            refuse!(
                place,
                "{other} restricts more on a host of this rule, and servers could read such a path as one of its own",
                "write what it requires in this rule, too, or give the two rules different hosts"
            );
        }
    }
}

fn allows(rule: &Table<'_>) -> bool {
    AMBIGUOUS_SLASHES.iter().any(|(name, allowed)| *allowed && rule.str("ambiguous_slashes") == Some(name))
}

/// Keys that restrict nobody: which requests a rule is for, how it refuses, and where it sends them.
const OTHER_KEYS: [&str; 15] = [
    "match",
    "host",
    "methods",
    "has",
    "missing",
    "access",
    "deny",
    "to",
    "strip_prefix",
    "authorization",
    "headers",
    "header_encoding",
    "assertion",
    "ambiguous_slashes",
    "server_functions",
];

/// Whether `other` could refuse a request that `rule` lets pass. True wherever that is not plain to see.
fn asks_for_more(other: &Table<'_>, rule: &Table<'_>) -> bool {
    let is_public = |table: &Table<'_>| table.str("access") == Some("public");
    let loosens = |key: &str, value: &str| rule.str(key) == Some(value) && other.str(key) != Some(value);
    if loosens("cross_origin", "allow") || loosens("server_functions", "public") {
        return true;
    }
    let differs = |(key, value): &(&str, &serde_json::Value)| {
        let is_restriction = !OTHER_KEYS.contains(key) && *key != "cross_origin";
        is_restriction && rule.value(key) != Some(value)
    };
    let restricts = other.names().iter().any(differs);
    let is_for_others = other.str("access") != rule.str("access")
        && [rule, other]
            .iter()
            .any(|table| table.str("access").is_some_and(|access| access.ends_with("client")));
    restricts || is_for_others || is_public(rule) && !is_public(other)
}

/// The rules by their host, so that a rule for one host is not compared with those for all others.
struct ByHost<'a> {
    reaches: &'a [Reach<'a>],
    exact: BTreeMap<String, Vec<usize>>,
    /// Rules for all hosts, and for those below a name.
    several: Vec<usize>,
}

impl<'a> ByHost<'a> {
    fn new(reaches: &'a [Reach<'a>]) -> Self {
        let mut sorted = Self { reaches, exact: BTreeMap::default(), several: Vec::new() };
        for (at, reach) in reaches.iter().enumerate() {
            match reach.host.as_ref().and_then(HostPattern::exact) {
                Some(host) => sorted.exact.entry(host.to_owned()).or_default().push(at),
                None => sorted.several.push(at),
            }
        }
        sorted
    }

    /// All rules that may be for a host of this rule, in their order.
    fn sharing_with(&self, reach: &Reach<'_>) -> Vec<usize> {
        let Some(host) = reach.host.as_ref().and_then(HostPattern::exact) else {
            return (0..self.reaches.len()).collect();
        };
        let mut rules = self.exact.get(host).cloned().unwrap_or_default();
        rules.extend(&self.several);
        rules.sort_unstable();
        rules
    }
}

/// Whether some host could be one of both rules.
fn may_share_a_host(one: &Reach<'_>, other: &Reach<'_>) -> bool {
    let (Some(one), Some(other)) = (&one.host, &other.host) else { return true };
    match (one.exact(), other.exact()) {
        (Some(host), Some(other)) => host == other,
        (Some(host), None) => other.covers_name(host),
        (None, Some(host)) => one.covers_name(host),
        (None, None) => true,
    }
}
