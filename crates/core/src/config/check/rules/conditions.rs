//! `has` and `missing` of a rule: conditions on header fields, cookies, the query and the host.

use crate::config::check::upstreams::is_token;
use crate::config::place::refuse;
use crate::config::schema::rules::{CONDITION_TYPES, ConditionType};
use crate::config::table::Table;
use crate::guard::conditions::{Condition, Source, ValuePattern};

pub(super) fn conditions(rule: &Table<'_>, key: &str) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for table in rule.tables(key) {
        conditions.extend(condition(&table));
    }
    conditions
}

fn condition(table: &Table<'_>) -> Option<Condition> {
    if !table.has("type") {
        refuse!(
            table.place,
            "the condition has no type",
            "write type = \"header\", \"cookie\", \"query\" or \"host\""
        );
    }
    let kind = table.chosen("type", &CONDITION_TYPES)?;
    let value = match table.text("value") {
        Some(text) if text.text.is_empty() => {
            refuse!(
                text,
                "the value is empty",
                "write an expression, or remove the key for any value that is not empty"
            );
            None
        }
        text => text.and_then(|text| text.parsed(ValuePattern::parse)),
    };
    let key = table.str("key").unwrap_or_default();
    if kind == ConditionType::Host {
        if table.has("key") {
            refuse!(table.at("key"), "a condition on the host has no key", "remove it");
        }
        if !table.has("value") {
            refuse!(
                table.place,
                "the condition has no value, and every request has a host",
                "add value = \"app\\\\.example\\\\.com\""
            );
        }
    } else if key.is_empty() {
        refuse!(table.place, "the condition has no key", "add key = \"name\"");
    } else if kind != ConditionType::Query && !is_token(key) {
        // A query parameter may have any name.
        let key = table.text("key")?;
        refuse!(key, "{key} cannot be the name of a header field or cookie");
    }
    let source = match kind {
        ConditionType::Header => Source::Header(key.to_ascii_lowercase()),
        ConditionType::Cookie => Source::Cookie(key.to_owned()),
        ConditionType::Query => Source::Query(key.to_owned()),
        ConditionType::Host => Source::Host,
    };
    Some(Condition { source, value })
}
