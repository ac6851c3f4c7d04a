//! `[[vars.AUTH.rules]]`: who may request which path.

mod conditions;
mod reach;
mod requirements;
mod slashes;
mod step_up;

use super::{authorization, upstreams};
use crate::config::place::refuse;
use crate::config::schema::HEADER_ENCODINGS;
use crate::config::schema::rules::{CACHE, CROSS_ORIGIN, DENY, SERVER_FUNCTIONS};
use crate::config::table::Table;
use crate::guard::matcher::Pattern;
use crate::guard::rules::{Access, Deny, Forwarding, Rule};
use crate::session::names::CookieNaming;
use reach::{Earlier, Reach};
pub(super) use requirements::claims;
use vestibule_oidc::http::origin::HostPattern;
use vestibule_oidc::http::request::Method;

pub(super) fn rules(auth: &Table<'_>, naming: &CookieNaming) -> Vec<Rule> {
    let tables = auth.tables("rules");
    let mut rules = Vec::new();
    let mut earlier = Earlier::default();
    for table in &tables {
        let patterns = patterns(table);
        let host = table.text("host").and_then(|text| text.parsed(HostPattern::parse));
        let methods = methods(table);
        let has = conditions::conditions(table, "has");
        let missing = conditions::conditions(table, "missing");
        let (principals, access) = requirements::access(table);
        let deny = deny(table);
        let forwarding = forwarding(table, naming);
        // A rule with a mistake shadows no other rule here: what it matches is not known, and the configuration is refused
        // anyway.
        if access.is_some() && host.is_some() == table.has("host") {
            earlier.add(Reach { table, host: host.clone(), methods: methods.clone() });
        }
        rules.push(Rule {
            place: table.place.to_string(),
            patterns,
            host,
            methods,
            has,
            missing,
            access: access.unwrap_or(Access::SignedIn),
            principals,
            step_up: step_up::step_up(table),
            deny,
            allows_cross_origin: table.chosen("cross_origin", &CROSS_ORIGIN).unwrap_or_default(),
            has_public_server_functions: server_functions(table),
            allows_any_slashes: slashes::allows_any_slashes(table),
            caching: table.chosen("cache", &CACHE).unwrap_or_default(),
            forwarding,
        });
    }
    slashes::refuse_ambiguous(&earlier.into_reaches());
    rules
}

fn patterns(rule: &Table<'_>) -> Vec<Pattern> {
    if rule.texts("match").is_empty() {
        refuse!(
            rule.at("match"),
            "the paths of this rule are missing",
            "write for example \"/admin/:path*\""
        );
    }
    rule.parsed("match", Pattern::parse)
}

fn methods(rule: &Table<'_>) -> Option<Vec<Method>> {
    rule.value("methods")?;
    let texts = rule.texts("methods");
    if texts.is_empty() {
        refuse!(
            rule.at("methods"),
            "the list is empty, so the rule matches nothing",
            "write a method, or remove the key for every method"
        );
    }
    let mut methods = Vec::new();
    for text in texts {
        let name = text.text;
        // RFC 9110 section 9.1: a token, case-sensitive; every registered one is in upper case.
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') {
            refuse!(text, "{text} is not a method");
        } else if name.bytes().any(|b| b.is_ascii_lowercase()) {
            let upper = name.to_ascii_uppercase();
            refuse!(text, "{text} must be in upper case", "write \"{upper}\"");
        }
        methods.push(Method::new(name));
    }
    Some(methods)
}

fn deny(rule: &Table<'_>) -> Deny {
    if rule.has("deny") && rule.str("access") == Some("public") {
        refuse!(rule.at("deny"), "deny has no effect with access = \"public\"", "remove it");
    }
    rule.chosen("deny", &DENY).unwrap_or_default()
}

/// Whether public paths run server functions for everyone.
fn server_functions(rule: &Table<'_>) -> bool {
    if rule.has("server_functions") && rule.str("access") != Some("public") {
        refuse!(
            rule.at("server_functions"),
            "a path that is not public runs server functions for those who may see it",
            "leave it out, or write it in the rule with access = \"public\""
        );
    }
    rule.chosen("server_functions", &SERVER_FUNCTIONS).unwrap_or_default()
}

fn forwarding(rule: &Table<'_>, naming: &CookieNaming) -> Forwarding {
    let target = rule.text("to").and_then(|text| upstreams::target(&text));
    let authorization = authorization::authorization(rule);
    let headers = rule.table("headers");
    let headers = headers.is_written().then(|| upstreams::headers(&headers, rule.has("authorization")));
    let cookies = rule.table("cookies");
    let cookies = cookies.is_written().then(|| upstreams::cookies(&cookies, naming));
    let header_encoding = rule.chosen("header_encoding", &HEADER_ENCODINGS);
    let strip_prefix = upstreams::strip_prefix(rule);
    if strip_prefix.is_some() && !rule.has("to") {
        refuse!(
            rule.at("strip_prefix"),
            "without `to` the same server would get the paths of other rules with the prefix",
            "add to = \"service:API\", or write strip_prefix in the upstream"
        );
    }
    Forwarding {
        target,
        strip_prefix,
        authorization,
        headers,
        cookies,
        header_encoding,
        assertion: upstreams::assertion(rule),
    }
}
