//! The rules as a table: what each lets through, and for whom.

use std::fmt;

use serde::Serialize;

use crate::config::Config;
use crate::guard::principals::Principals;
use crate::guard::rules::{Access, Deny, Rule};
use crate::upstream::{Target, Upstream};
use vestibule_oidc::http::request::Method;
use vestibule_oidc::time::Timestamp;

/// The rules in their order, and what applies where none matches. The first row that matches a request decides.
///
/// Its `Display` is a table for people. A request whose path servers read in several ways gets the strictest of their rows:
/// [`explain`](super::explain) says it.
pub fn access_table(config: &Config) -> AccessTable {
    let rules = config.rules.rules().iter().map(|rule| row(config, rule));
    let otherwise = AccessRow {
        rule: "AUTH.default_access".to_owned(),
        paths: vec!["any other path".to_owned()],
        only: Vec::new(),
        signed_out: signed_out(config.rules.default_access(), Deny::SignIn),
        signed_in: "passes",
        requires: Vec::new(),
        goes_to: targets(&config.upstreams),
    };
    AccessTable { rows: rules.chain([otherwise]).collect() }
}

/// See [`access_table`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessTable {
    /// The rows in the order in which they are tried.
    pub rows: Vec<AccessRow>,
}

/// A rule, and what it does with whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessRow {
    /// Its place in the configuration.
    pub rule: String,
    /// Its patterns.
    pub paths: Vec<String>,
    /// What else a request needs for the rule to apply.
    pub only: Vec<String>,
    /// What happens to someone who is not signed in.
    pub signed_out: &'static str,
    /// What happens to a signed-in user who lacks something that it requires, or if it requires nothing, to every user.
    pub signed_in: &'static str,
    /// What it requires of a user.
    pub requires: Vec<String>,
    /// Where requests go that pass.
    pub goes_to: String,
}

fn row(config: &Config, rule: &Rule) -> AccessRow {
    let mut only = Vec::new();
    only.extend(rule.host.as_ref().map(|host| format!("host {host}")));
    if let Some(methods) = &rule.methods {
        only.push(methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", "));
    }
    only.extend(rule.has.iter().map(|condition| format!("has {condition}")));
    only.extend(rule.missing.iter().map(|condition| format!("lacks {condition}")));
    let mut requires: Vec<String> = Vec::new();
    requires.extend((rule.principals != Principals::Users).then(|| rule.principals.to_string()));
    requires.extend(rule.access.requirements().iter().map(ToString::to_string));
    let step_up = rule.step_up.checks(|_| None, Timestamp::from_seconds(0));
    let must_step_up = !step_up.is_empty();
    requires.extend(step_up.into_iter().map(|check| check.requirement));
    let lacks_claims = !rule.access.requirements().is_empty() || rule.principals == Principals::Clients;
    AccessRow {
        rule: rule.place.clone(),
        paths: rule.patterns.iter().map(ToString::to_string).collect(),
        only,
        signed_out: match (rule.principals, rule.deny) {
            (Principals::Clients, Deny::SignIn) => "401",
            _ => signed_out(&rule.access, rule.deny),
        },
        signed_in: match rule.deny {
            Deny::NotFound if lacks_claims => "404",
            _ if lacks_claims => "403",
            _ if must_step_up => "proves more",
            _ => "passes",
        },
        requires,
        goes_to: rule.forwarding.target.as_ref().map_or_else(|| targets(&config.upstreams), name),
    }
}

fn signed_out(access: &Access, deny: Deny) -> &'static str {
    match (access, deny) {
        (Access::Public, _) => "passes",
        (_, Deny::SignIn) => "signs in",
        (_, Deny::Forbidden) => "403",
        (_, Deny::NotFound) => "404",
    }
}

/// The upstreams of all hosts.
fn targets(upstreams: &[Upstream]) -> String {
    let of = |upstream: &Upstream| match &upstream.host {
        Some(host) => format!("{} ({host})", name(&upstream.target)),
        None => name(&upstream.target),
    };
    let mut names: Vec<String> = upstreams.iter().map(of).collect();
    if upstreams.iter().all(|upstream| upstream.host.is_some()) {
        names.push("origin".to_owned());
    }
    names.join(", ")
}

fn name(target: &Target) -> String {
    match target {
        Target::Origin => "origin".to_owned(),
        Target::Service(name) => format!("service {name}"),
        Target::Url(url) => url.origin().to_owned(),
    }
}

impl fmt::Display for AccessTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: [&str; 6] = ["rule", "paths", "signed out", "signed in", "requires", "goes to"];
        let cells = |row: &AccessRow| {
            let mut paths = row.paths.join(", ");
            if !row.only.is_empty() {
                paths = format!("{paths} [{}]", row.only.join("; "));
            }
            let requires = if row.requires.is_empty() { "-".to_owned() } else { row.requires.join(" and ") };
            let (out, inside) = (row.signed_out.to_owned(), row.signed_in.to_owned());
            [row.rule.clone(), paths, out, inside, requires, row.goes_to.clone()]
        };
        let rows: Vec<[String; 6]> =
            std::iter::once(HEAD.map(str::to_owned)).chain(self.rows.iter().map(cells)).collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &rows {
            let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}
