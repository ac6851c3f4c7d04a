//! docs/configuration.md

use std::fmt::Write;

use vestibule::runtime::RUNTIME;
use vestibule_core::config::reference::{self, Described, KeyReference, Names, ValueType};

use super::markdown::{cell, prose, toml};

const HEAD: &str = include_str!("configuration/head.md");
const PROVIDERS: &str = include_str!("configuration/providers.md");
const PROVIDERS_OAUTH: &str = include_str!("configuration/providers-oauth.md");
const PATHS: &str = include_str!("configuration/paths.md");
const TEMPLATES: &str = include_str!("configuration/templates.md");
const ENVIRONMENT: &str = include_str!("configuration/environment.md");
const BINDINGS: &str = include_str!("configuration/bindings.md");

#[test]
fn the_configuration_reference_is_up_to_date() {
    super::check_document("docs/configuration.md", &document());
}

#[test]
fn every_name_in_the_reference_has_a_description() {
    let places = reference::placeholders().into_iter().chain(reference::roots());
    let names = places.flat_map(|Names { names, .. }| names).chain(reference::variables());
    for Described { name, about } in names {
        assert!(!about.is_empty(), "{name} has no description in crates/core/src/config/reference.rs");
    }
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    section("AUTH", "", false, &reference::keys(&RUNTIME), &mut text);
    text.push_str(PATHS);
    for names in reference::roots() {
        table(&names, |name| format!("`{name}`"), &mut text);
    }
    text.push_str(TEMPLATES);
    for names in reference::placeholders() {
        table(&names, |name| format!("`{{{name}}}`"), &mut text);
    }
    text.push_str(ENVIRONMENT);
    text.push_str("| name | |\n|---|---|\n");
    for Described { name, about } in reference::variables() {
        writeln!(text, "| `{name}` | {} |", cell(about)).unwrap();
    }
    let (kv, lease) = (vestibule::runtime::KV, vestibule::runtime::LEASE_OBJECTS);
    text.push_str(&BINDINGS.replace("AUTH_KV", kv).replace("AUTH_LEASE", lease));
    text
}

fn table(names: &Names, shown: impl Fn(&str) -> String, text: &mut String) {
    writeln!(text, "\n{}:\n\n| | |\n|---|---|", prose(names.place)).unwrap();
    for Described { name, about } in &names.names {
        writeln!(text, "| {} | {} |", shown(name), cell(about)).unwrap();
    }
}

/// A table of the configuration: its keys, then the tables in it. `path` is its dotted path, empty for `AUTH` itself.
fn section(heading: &str, path: &str, is_array: bool, keys: &[KeyReference], text: &mut String) {
    let heading = if is_array { format!("[[vars.{heading}]]") } else { format!("[vars.{heading}]") };
    writeln!(text, "\n## `{heading}`\n").unwrap();
    if path == "providers" {
        text.push_str(PROVIDERS);
    }
    let mut types: &[&str] = &[];
    for of_key in keys {
        if of_key.provider_types != types {
            types = of_key.provider_types;
            let types: Vec<String> = types.iter().map(|name| format!("`type = \"{name}\"`")).collect();
            writeln!(text, "## Providers of {}\n", types.join(" and ")).unwrap();
            if types.len() > 1 {
                text.push_str(PROVIDERS_OAUTH);
            }
        }
        key(&dotted(path, of_key.name), of_key, text);
    }
    for key in keys {
        let (inner, is_array) = match &key.value {
            ValueType::Table(inner) | ValueType::UrlOrTable(inner) | ValueType::WordOrTable(inner) => {
                (inner, false)
            }
            ValueType::TableList(inner) => (inner, true),
            _ => continue,
        };
        let heading = format!("AUTH.{}", dotted(path, key.name));
        section(&heading, &dotted(path, key.name), is_array, inner, text);
    }
}

fn dotted(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn key(path: &str, key: &KeyReference, text: &mut String) {
    writeln!(text, "### `{path}`\n").unwrap();
    let mut facts = vec![type_name(key)];
    if let Some(default) = &key.default {
        facts.push(format!("default: `{}`", toml(default)));
    }
    if let Some(unset) = key.unset {
        facts.push(format!("without it: {}", prose(unset)));
    }
    if let Some(example) = &key.example {
        facts.push(format!("example: `{} = {}`", key.name, toml(example)));
    }
    writeln!(
        text,
        "{}\n\n{}\n",
        prose(&key.about),
        facts.iter().fold(String::new(), |mut list, fact| {
            write!(list, "{}- {fact}", if list.is_empty() { "" } else { "\n" }).unwrap();
            list
        })
    )
    .unwrap();
    if let Some(needs) = key.needs {
        // Without the empty line, so that this becomes the last item of the list.
        text.truncate(text.len() - 1);
        writeln!(text, "- needs: {}\n", prose(needs)).unwrap();
    }
}

fn type_name(key: &KeyReference) -> String {
    // The names of the presets: docs/providers.md lists them.
    if key.values.len() > 20 {
        return "type: one of the names in [providers.md](providers.md)".to_owned();
    }
    if !key.values.is_empty() {
        let values: Vec<String> = key.values.iter().map(|value| format!("`\"{value}\"`")).collect();
        let flag = if matches!(key.value, ValueType::BoolOrText) { "`true`, `false`, " } else { "" };
        let or_table =
            if matches!(key.value, ValueType::WordOrTable(_)) { ", or a table, see below" } else { "" };
        return format!("type: one of {flag}{}{or_table}", values.join(", "));
    }
    let name = match &key.value {
        ValueType::TableList(_) => "array of tables, see below".to_owned(),
        ValueType::Table(_) => "table, see below".to_owned(),
        ValueType::UrlOrTable(_) => "URL, or a table, see below".to_owned(),
        ValueType::WordOrTable(_) => "string, or a table, see below".to_owned(),
        value => value_name(value),
    };
    format!("type: {name}")
}

fn value_name(value: &ValueType) -> String {
    match value {
        ValueType::Text => "string".to_owned(),
        ValueType::Bool => "`true` or `false`".to_owned(),
        ValueType::Any => "any value".to_owned(),
        ValueType::Scalar => "string, number, `true` or `false`".to_owned(),
        ValueType::ScalarOrTable => "string, number, `true`, `false` or table".to_owned(),
        ValueType::Duration => "duration".to_owned(),
        ValueType::DurationOrNone => "duration, or `\"none\"`".to_owned(),
        ValueType::TextOrList => "string, or array of strings".to_owned(),
        ValueType::TextOrMap => "string, or table of strings by language".to_owned(),
        ValueType::ClaimTest(_) => "claim test".to_owned(),
        ValueType::ScalarOrList => "string, number, `true`, `false`, or an array of them".to_owned(),
        ValueType::BoolOrText => "`true`, `false` or string".to_owned(),
        ValueType::BoolOrTextOrList => "`true`, `false`, string, or array of these".to_owned(),
        ValueType::Table(_) | ValueType::UrlOrTable(_) | ValueType::WordOrTable(_) => "table".to_owned(),
        ValueType::TableList(_) => "array of tables".to_owned(),
        ValueType::Texts(_) => "table of strings".to_owned(),
        ValueType::Map(value) => {
            format!("table with names of your choice; each value: {}", value_name(value))
        }
    }
}
