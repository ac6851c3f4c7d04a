//! `access`, `require` and `email_domain` of a rule: who may pass.

use serde_json::Value;

use super::step_up;
use crate::config::place::{Place, refuse};
use crate::config::schema::rules::{RULE_ACCESS, RuleAccess};
use crate::config::schema::scalars;
use crate::config::table::{Table, Text};
use crate::guard::principals::Principals;
use crate::guard::rules::{Access, ClaimRequirement, ClaimTest, Requirement};
use vestibule_oidc::data::DataPath;

/// Whom the rule is for, and what they need.
pub(super) fn access(rule: &Table<'_>) -> (Principals, Option<Access>) {
    let written = RULE_ACCESS.iter().find(|(name, _)| rule.str("access") == Some(name));
    let principals = match written {
        Some((_, RuleAccess::Of(principals))) => *principals,
        Some((_, RuleAccess::Public)) | None => Principals::Users,
    };
    if principals == Principals::Users {
        return (principals, access_of_users(rule));
    }
    if principals == Principals::Clients && rule.has("email_domain") {
        refuse!(
            rule.at("email_domain"),
            "a client without a user has no e-mail address, so none could pass",
            "remove it, or write access = \"signed-in-or-client\""
        );
    }
    let requires = rule.has("require") || rule.has("email_domain");
    (principals, Some(if requires { Access::Claims(requirements(rule)) } else { Access::SignedIn }))
}

fn access_of_users(rule: &Table<'_>) -> Option<Access> {
    if rule.has("access") {
        for key in ["require", "email_domain"] {
            if rule.has(key) {
                refuse!(
                    rule.place,
                    "access and {key} exclude each other",
                    "remove access; {key} applies to signed-in users"
                );
                return None;
            }
        }
        return rule.chosen("access", &RULE_ACCESS).map(|access| match access {
            RuleAccess::Public => Access::Public,
            RuleAccess::Of(_) => Access::SignedIn,
        });
    }
    if !rule.has("require") && !rule.has("email_domain") {
        if step_up::KEYS.iter().any(|key| rule.has(key)) {
            return Some(Access::SignedIn);
        }
        refuse!(
            rule.place,
            "the rule does not say who may pass",
            "write access = \"public\", access = \"signed-in\", or require = {{ claim = \"value\" }}"
        );
        return None;
    }
    Some(Access::Claims(requirements(rule)))
}

fn requirements(rule: &Table<'_>) -> Vec<Requirement> {
    let require = rule.table("require");
    if require.is_written() && require.names().is_empty() {
        refuse!(require.place, "the table is empty", "write a claim, or access = \"signed-in\" instead");
    }
    let mut requirements = Vec::new();
    for claim in claims(&require) {
        requirements.push(Requirement::Claim(claim));
    }
    requirements.extend(email_domains(rule));
    requirements
}

/// The requirements of a table whose keys are paths of claims and whose values are claim tests.
pub(in crate::config::check) fn claims(table: &Table<'_>) -> Vec<ClaimRequirement> {
    let mut requirements = Vec::new();
    for (name, value) in table.names() {
        let text = Text { text: name, place: table.at(name) };
        let tests = tests(value, &text.place);
        let Some(claim) = text.parsed(DataPath::parse) else { continue };
        for test in tests {
            requirements.push(ClaimRequirement::new(claim.clone(), test));
        }
    }
    requirements
}

fn tests(value: &Value, place: &Place<'_>) -> Vec<ClaimTest> {
    let mut tests = Vec::new();
    let Value::Object(members) = value else {
        let values = scalars(value);
        if values.is_empty() {
            refuse!(place, "the list is empty, so no one could pass; write a value");
        }
        tests.push(ClaimTest::AnyOf(values.to_vec()));
        return tests;
    };
    let table = Table::new(Some(members), *place);
    if let Some(values) = table.value("not").map(scalars) {
        if values.is_empty() {
            refuse!(table.at("not"), "the list is empty, so everyone would pass; write a value");
        }
        tests.push(ClaimTest::NoneOf(values.to_vec()));
    }
    tests.extend(table.flag("exists").map(ClaimTest::Exists));
    if tests.is_empty() {
        refuse!(place, "the table is empty", "write {{ exists = true }} or {{ not = \"value\" }}");
    }
    tests
}

fn email_domains(rule: &Table<'_>) -> Option<Requirement> {
    rule.value("email_domain")?;
    let mut domains = Vec::new();
    for text in rule.texts("email_domain") {
        let is_label =
            |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !text.text.split('.').all(is_label) {
            refuse!(
                text,
                "{text} is not a domain",
                "write it like \"example.com\"; list each subdomain, and write an international domain as \"xn--...\""
            );
        }
        domains.push(text.text.to_ascii_lowercase());
    }
    if domains.is_empty() {
        refuse!(rule.at("email_domain"), "the list is empty, so no one could pass; write a domain");
    }
    Some(Requirement::EmailDomain(domains))
}
