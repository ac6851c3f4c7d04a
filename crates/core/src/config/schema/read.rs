//! Checks a configuration against the schema: unknown keys and wrong types. A message names the place and the types, not
//! the value, so that a secret in the wrong place does not end up in a log.
//!
//! Written by hand and not with serde: its derived code for these tables would be a quarter of the whole Worker, and it
//! stops at the first error.

use std::fmt;

use serde_json::{Map, Value};

use super::{AUTH, CLAIM_TEST, Key, Keys, Kind};
use crate::config::error::{nearest, suggestion};
use crate::config::place::{Place, ROOT, refuse};
use crate::config::table::duration;
use vestibule_oidc::presets::with_url;

/// Checks that every key of a table is known and that every value has the type of its key. A wrong value becomes `null`, so
/// that no check reports it again. So does each table around it: without that value, its other keys could mean something
/// else.
pub(in crate::config) fn read(table: &mut Map<String, Value>, keys: Keys, place: &Place<'_>) {
    let known = || keys.iter().copied().flatten();
    let (mut written, mut unknown) = (Vec::with_capacity(table.len()), Vec::new());
    // A table has a few of the keys, so they are looked for in the schema, and not the other way round.
    for (key, value) in table.iter_mut() {
        match known().enumerate().find(|(_, known)| known.name == key) {
            Some((at, known)) => written.push((at, known, value)),
            None => unknown.push(key),
        }
    }
    // Messages come in the order of the schema.
    written.sort_unstable_by_key(|(at, ..)| *at);
    for (_, Key { name, kind, .. }, value) in written {
        if !value.is_null() {
            read_value(value, kind, &place.key(name));
        }
    }
    // Found in a file that says it of itself, as a wrangler file does.
    for key in unknown {
        if place.is_root() && matches!(key.as_str(), "vars" | "AUTH") {
            refuse!(
                place.key(key),
                "the configuration is not below this table, but at the top of its own file",
                "write base_path = \"/auth\", [session], [[providers]] there, without vars.AUTH before them"
            );
            continue;
        }
        let shown = known().filter(|known| !matches!(known.kind, Kind::Hidden)).map(|known| known.name);
        let hint = hint(key, &shown.collect::<Vec<_>>());
        refuse!(place.key(key), "unknown key; {hint}");
    }
}

/// What a key could mean that is not `known` in its table: a similar one there, or the same one of another table. Keys get into
/// another table easily: in TOML all keys below a `[table]` are part of it.
fn hint(wrong: &str, known: &[&str]) -> String {
    const MAX_SHOWN: usize = 3;
    let mut elsewhere = Vec::new();
    if nearest(wrong, known).is_none() {
        places_of(wrong, AUTH, ROOT, &mut elsewhere);
    }
    if elsewhere.is_empty() || elsewhere.len() > MAX_SHOWN {
        return suggestion(wrong, known);
    }
    format!("did you mean {}?", elsewhere.join(" or "))
}

/// Adds the places of all keys with this name to `found`: `AUTH.session.expose`, `AUTH.providers[].scope`.
fn places_of(name: &str, keys: Keys, table: &str, found: &mut Vec<String>) {
    for key in keys.iter().copied().flatten() {
        let place = [table, ".", key.name].concat();
        match &key.kind {
            Kind::Hidden => continue,
            Kind::Table(keys) | Kind::UrlOrTable(keys) | Kind::WordOrTable(keys) => {
                places_of(name, keys, &place, found);
            }
            Kind::TableList(keys) | Kind::TopLevelTables(keys) => {
                places_of(name, keys, &[&place, "[]"].concat(), found);
            }
            _ => {}
        }
        if key.name == name {
            found.push(place);
        }
    }
}

fn read_value(value: &mut Value, kind: &Kind, place: &Place<'_>) {
    let before = place.loading.problems.count();
    let is_whole = match (kind, &mut *value) {
        (Kind::Any | Kind::Hidden, _) => return,
        (Kind::TableList(keys) | Kind::TopLevelTables(keys), Value::Array(items)) => {
            for (i, item) in items.iter_mut().enumerate() {
                read_value(item, &Kind::Table(keys), &place.index(i));
            }
            return;
        }
        (Kind::TextOrList, Value::Array(items)) => {
            for (i, item) in items.iter_mut().enumerate() {
                read_value(item, &Kind::Text, &place.index(i));
            }
            return;
        }
        (Kind::BoolOrTextOrList, Value::Array(items)) => {
            for (i, item) in items.iter_mut().enumerate() {
                read_value(item, &Kind::BoolOrText, &place.index(i));
            }
            return;
        }
        (Kind::Map(kind), Value::Object(members)) => {
            for (name, value) in members {
                read_value(value, kind, &place.key(name));
            }
            return;
        }
        (Kind::TextOrMap | Kind::Texts, Value::Object(members)) => {
            for (name, value) in members {
                read_value(value, &Kind::Text, &place.key(name));
            }
            return;
        }
        (Kind::UrlOrTable(_), Value::String(_)) => return with_url(value),
        (Kind::Table(keys) | Kind::UrlOrTable(keys) | Kind::WordOrTable(keys), Value::Object(table)) => {
            read(table, keys, place);
            place.loading.problems.count() == before
        }
        (Kind::ClaimTest, Value::Object(table)) => {
            read(table, CLAIM_TEST, place);
            place.loading.problems.count() == before
        }
        (Kind::DurationOrNone, Value::String(text)) if text == "none" => return,
        (Kind::Duration | Kind::DurationOrNone, Value::String(_)) => {
            let is_duration = duration(value).is_some();
            if !is_duration {
                let or_none = if let Kind::DurationOrNone = kind { ", or \"none\"" } else { "" };
                let text = crate::config::error::quoted(value.as_str().unwrap_or_default());
                refuse!(
                    place,
                    "{text} is not a duration",
                    "write it like \"30d\", \"12h\", \"15m\" or \"60s\", or as a number of seconds{or_none}",
                );
            }
            is_duration
        }
        (kind, value) => is_simple(value, kind, place),
    };
    if !is_whole {
        *value = Value::Null;
    }
}

/// Whether a value has a type that contains no other keys. If not, the expected type is noted.
fn is_simple(value: &Value, kind: &Kind, place: &Place<'_>) -> bool {
    let mut got = value;
    let (is_good, expected) = match kind {
        Kind::Text => (value.is_string(), "a string"),
        Kind::Bool => (value.is_boolean(), "true or false"),
        Kind::Scalar => (is_scalar(value), "a string, a number, true or false"),
        Kind::ScalarOrTable => {
            (is_scalar(value) || value.is_object(), "a string, a number, true, false or a table")
        }
        Kind::Duration => (
            value.is_u64(),
            "a duration like \"30d\", \"12h\", \"15m\" or \"60s\", or a whole number of seconds",
        ),
        Kind::DurationOrNone => {
            (value.is_u64(), "a duration like \"30d\", \"12h\", \"15m\" or \"60s\", or \"none\"")
        }
        Kind::TextOrList => (value.is_string(), "a string or an array of strings"),
        Kind::TextOrMap => (value.is_string(), "a string, or a table of strings"),
        Kind::ClaimTest if value.is_null() => (
            false,
            "a string, a number, true or false, an array of them, or { not = ... } or { exists = ... }",
        ),
        Kind::ClaimTest | Kind::ScalarOrList => {
            let other = scalars(value).iter().find(|value| !is_scalar(value));
            got = other.unwrap_or(value);
            (other.is_none(), "a string, a number, true or false, or an array of them")
        }
        Kind::BoolOrUrl => (value.is_boolean() || value.is_string(), "true, false or a URL"),
        Kind::BoolOrText => (value.is_boolean() || value.is_string(), "true, false or a string"),
        Kind::BoolOrTextOrList => {
            (value.is_boolean() || value.is_string(), "true, false, a string or an array of them")
        }
        Kind::UrlOrTable(_) => (false, "a URL or a table"),
        Kind::WordOrTable(_) => (value.is_string(), "a string or a table"),
        Kind::TableList(_) => (false, "an array of tables"),
        Kind::TopLevelTables(_) => {
            let key = place.name();
            refuse!(
                place,
                "expected an array of tables; write [[{key}]], in wrangler.toml [[vars.AUTH.{key}]]"
            );
            return false;
        }
        Kind::Table(_) | Kind::Map(_) | Kind::Texts | Kind::Any | Kind::Hidden => (false, "a table"),
    };
    if !is_good {
        let got = Type(got);
        refuse!(place, "expected {expected}, got {got}");
    }
    is_good
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

/// The values of an array; of any other value, the value alone.
pub(in crate::config) fn scalars(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        value => std::slice::from_ref(value),
    }
}

/// A value's type, in words.
struct Type<'a>(&'a Value);

impl fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "a table",
        })
    }
}
