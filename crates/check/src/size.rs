//! Variables: their size, and what must not be one.

use serde_json::Value;

use crate::deployment::{Deployment, is_text};
use crate::document::{At, Member, Node};
use crate::finding::Finding;

/// The bytes that a variable may have on Cloudflare ("5 KB"); wrangler sends a table as JSON.
const MAX_VARIABLE: usize = 5 * 1024;

/// Above this share of the limit, the next rule may be one too many.
const ALMOST: usize = MAX_VARIABLE / 10 * 9;

/// What is wrong with the variables of a deployment.
pub(crate) fn findings(deployment: &Deployment<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in deployment.vars().map_or(&[][..], Node::members) {
        let place = || format!("vars.{}", member.key);
        findings.extend(of_size(member));
        if is_secret(&member.key) && is_text(&member.value) {
            findings.push(Finding::error(
                member.at.clone(),
                place(),
                "a secret must not be a plain variable, which everyone reads who can see this file or the Worker's settings",
                format!("remove it, create a new one, and set it with `wrangler secret put {}`", member.key),
            ));
        } else if member.key.starts_with("AUTH_") && !is_text(&member.value) {
            let problem = "the Worker reads only a string here";
            findings.push(Finding::error(member.at.clone(), place(), problem, "write the value in quotes"));
        }
    }
    findings
}

fn of_size(member: &Member) -> Option<Finding> {
    let size = match member.value.to_json() {
        Value::String(text) => text.len(),
        value => value.to_string().len(),
    };
    let place = if member.key == "AUTH" { "AUTH".to_owned() } else { format!("vars.{}", member.key) };
    let fix =
        "move the configuration into vestibule.toml, which is compiled into the Worker and has no such limit";
    if size > MAX_VARIABLE {
        let problem = format!("the variable has {size} bytes, and Cloudflare accepts {MAX_VARIABLE}");
        return Some(Finding::error(member.at.clone(), place, problem, fix));
    }
    (size > ALMOST).then(|| {
        let problem = format!("the variable has {size} of the {MAX_VARIABLE} bytes that Cloudflare accepts");
        Finding::advice(member.at.clone(), place, problem, fix)
    })
}

/// Whether a variable of this name is a secret.
fn is_secret(name: &str) -> bool {
    let is_of = |part: &str| name.ends_with(part) || name.contains(&format!("{part}_"));
    name.starts_with("AUTH_TEMPLATE_")
        || (name.starts_with("AUTH_")
            && ["_SECRET", "_PRIVATE_KEY", "_API_KEY", "_DECRYPTION_KEY"].into_iter().any(is_of))
}

/// A table that was probably meant to be the configuration, where there is none.
pub(crate) fn misplaced(deployment: &Deployment<'_>) -> Option<Finding> {
    let found = |node: Option<&Node>| -> Option<(String, At)> {
        let members = node?.members().iter();
        let found = members.filter(|member| member.value.is_table()).find(|member| {
            member.key.eq_ignore_ascii_case("auth") || member.key.eq_ignore_ascii_case("vestibule")
        })?;
        Some((found.key.clone(), found.at.clone()))
    };
    let (place, at) = match found(deployment.vars()) {
        Some((key, at)) => (format!("vars.{key}"), at),
        None => found(deployment.section()).or_else(|| found(deployment.own("var")))?,
    };
    Some(Finding::error(at, place, "the Worker does not read this table", "write [vars.AUTH]"))
}
