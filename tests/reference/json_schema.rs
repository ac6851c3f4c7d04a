//! The JSON Schema for editors: docs/configuration.schema.json is the value of `[vars.AUTH]`, docs/wrangler.schema.json a
//! `wrangler.toml` with it.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use vestibule::runtime::RUNTIME;
use vestibule_core::config::reference::{self, KeyReference, ValueType};

use super::{file, snippets};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

#[test]
fn the_json_schema_is_up_to_date() {
    let mut schema = whole();
    schema["$schema"] = json!(DIALECT);
    super::check_document("docs/configuration.schema.json", &written(&schema));
    let wrangler = json!({
        "$schema": DIALECT,
        "title": "wrangler.toml with Vestibule's configuration",
        "type": "object",
        "properties": {
            "vars": { "type": "object", "properties": { "AUTH": whole() } },
        },
    });
    // The schema is embedded, because Taplo does not follow a reference to another file.
    super::check_document("docs/wrangler.schema.json", &format!("{wrangler}\n"));
}

#[test]
fn the_json_schema_accepts_every_configuration_in_documents_and_examples() {
    let validator = validator();
    let mut configurations = snippets::all();
    for path in ["wrangler.toml", "tests/configuration/credentials.toml"] {
        let text = fs::read_to_string(file(path)).unwrap();
        configurations.push((path.to_owned(), toml::from_str(&text).unwrap()));
    }
    assert!(configurations.len() > 100, "{}", configurations.len());
    for (place, configuration) in configurations {
        let auth = snippets::completed(&configuration);
        let errors: Vec<String> = validator.iter_errors(&auth).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{place}: {errors:#?}");
    }
}

#[test]
fn the_json_schema_rejects_unknown_keys_wrong_types_and_unknown_words() {
    let validator = validator();
    let mut rejected = 0;
    for path in files(&file("tests/configuration/refused")) {
        let Ok(messages) = fs::read_to_string(path.with_extension("txt")) else { continue };
        let is_shape = |message: &str| {
            let words =
                ["unknown key", "expected a", "expected true", "only a provider of type", "did you mean"];
            // Only the checks know that `AUTH` may be a string with JSON, and what is inside templates and paths.
            !message.starts_with("AUTH:")
                && !message.contains('{')
                && !message.contains("source")
                && !message.contains("no preset")
                && !message.contains("no provider")
                && words.iter().any(|word| message.contains(word))
        };
        if path.extension().is_none_or(|extension| extension != "toml") || !messages.lines().any(is_shape) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let mut case: Value = toml::from_str(&text).unwrap();
        let auth = &mut case["vars"]["AUTH"];
        for provider in auth.get_mut("providers").and_then(Value::as_array_mut).into_iter().flatten() {
            // The case is completed as in tests/configuration/refused.rs.
            if provider["type"] == "credentials" && provider.get("id").is_none() {
                snippets::complete_api(provider);
            }
        }
        assert!(!validator.is_valid(auth), "{} is accepted, but: {messages}", path.display());
        rejected += 1;
    }
    assert!(rejected > 40, "{rejected}");
}

#[test]
fn every_example_of_the_reference_fits_its_key() {
    fn check(keys: &[KeyReference], path: &str) {
        for key in keys {
            let validator = jsonschema::draft202012::new(&property(key)).unwrap();
            for value in key.example.iter().chain(&key.default) {
                assert!(validator.is_valid(value), "{path}.{}: {value}", key.name);
            }
            match &key.value {
                ValueType::Table(keys)
                | ValueType::UrlOrTable(keys)
                | ValueType::WordOrTable(keys)
                | ValueType::TableList(keys) => {
                    check(keys, &format!("{path}.{}", key.name));
                }
                _ => {}
            }
        }
    }
    check(&reference::keys(&RUNTIME), "AUTH");
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&whole()).unwrap()
}

fn written(schema: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(schema).unwrap())
}

fn whole() -> Value {
    let mut schema = table(&reference::keys(&RUNTIME));
    schema["title"] = json!("Vestibule's configuration: the value of [vars.AUTH]");
    schema
}

/// A table with these keys and no others.
fn table(keys: &[KeyReference]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in keys {
        properties.insert(key.name.to_owned(), property(key));
        if is_required(key) && key.provider_types.is_empty() {
            required.push(key.name);
        }
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    let of = |types: &[&str]| -> Vec<&KeyReference> {
        keys.iter().filter(|key| key.provider_types == types).collect()
    };
    let none = |keys: &[&KeyReference]| -> Map<String, Value> {
        keys.iter().map(|key| (key.name.to_owned(), json!(false))).collect()
    };
    let (oauth, openid, credentials) = (of(&["oidc", "oauth2"]), of(&["oidc"]), of(&["credentials"]));
    if !credentials.is_empty() {
        // A key that both have is a word for the one, and a table for the other.
        let both: Vec<&KeyReference> =
            keys.iter().filter(|key| matches!(key.value, ValueType::WordOrTable(_))).collect();
        let typed =
            |kind: &'static str| both.iter().map(move |key| (key.name.to_owned(), json!({ "type": kind })));
        let mut of_oauth = none(&oauth);
        of_oauth.extend(none(&openid));
        of_oauth.extend(typed("object"));
        let mut of_credentials = none(&credentials);
        of_credentials.extend(typed("string"));
        let needed: Vec<&str> =
            credentials.iter().filter(|key| is_required(key)).map(|key| key.name).collect();
        let is_type =
            |types: &[&str]| json!({ "properties": { "type": { "enum": types } }, "required": ["type"] });
        schema["allOf"] = json!([
            {
                "if": is_type(&["credentials"]),
                "then": { "properties": of_oauth, "required": needed },
                "else": { "properties": of_credentials },
            },
            { "if": is_type(&["oauth2", "oauth"]), "then": { "properties": none(&openid) } },
        ]);
    }
    schema
}

fn is_required(key: &KeyReference) -> bool {
    key.needs.is_some_and(|needs| {
        needs.strip_prefix("required").is_some_and(|rest| rest.is_empty() || rest.starts_with([';', '.']))
    })
}

fn property(key: &KeyReference) -> Value {
    let mut schema = if key.values.is_empty() {
        value_schema(&key.value)
    } else {
        let word = json!({ "type": "string", "enum": key.values });
        match &key.value {
            ValueType::WordOrTable(keys) => json!({ "anyOf": [word, table(keys)] }),
            ValueType::TextOrList => json!({ "anyOf": [word, { "type": "array", "items": word }] }),
            ValueType::BoolOrText => json!({ "anyOf": [{ "type": "boolean" }, word] }),
            _ => word,
        }
    };
    let unset = key.unset.map(|unset| format!("Without it: {unset}."));
    let needs = key.needs.map(|needs| format!("Needs: {needs}."));
    let texts: Vec<String> = [Some(key.about.clone()), unset, needs].into_iter().flatten().collect();
    schema["description"] = json!(texts.join("\n\n"));
    if let Some(default) = &key.default {
        schema["default"] = default.clone();
    }
    if let Some(example) = &key.example {
        schema["examples"] = json!([example]);
    }
    schema
}

fn value_schema(value: &ValueType) -> Value {
    let scalar = json!({ "type": ["string", "number", "boolean"] });
    match value {
        ValueType::Text => json!({ "type": "string" }),
        ValueType::Bool => json!({ "type": "boolean" }),
        ValueType::Any => json!({}),
        ValueType::Scalar => scalar,
        ValueType::ScalarOrTable => json!({ "type": ["string", "number", "boolean", "object"] }),
        ValueType::Duration => json!({
            "anyOf": [{ "type": "string", "pattern": "^[0-9]+[smhd]$" }, { "type": "integer", "minimum": 0 }],
        }),
        ValueType::DurationOrNone => json!({
            "anyOf": [
                { "type": "string", "pattern": "^([0-9]+[smhd]|none)$" },
                { "type": "integer", "minimum": 0 },
            ],
        }),
        ValueType::TextOrList => {
            json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
        }
        ValueType::TextOrMap => json!({
            "anyOf": [{ "type": "string" }, { "type": "object", "additionalProperties": { "type": "string" } }],
        }),
        ValueType::ClaimTest(keys) => {
            json!({ "anyOf": [scalar, { "type": "array", "items": scalar }, table(keys)] })
        }
        ValueType::ScalarOrList => json!({ "anyOf": [scalar, { "type": "array", "items": scalar }] }),
        ValueType::BoolOrText => json!({ "type": ["boolean", "string"] }),
        ValueType::BoolOrTextOrList => json!({
            "anyOf": [
                { "type": ["boolean", "string"] },
                { "type": "array", "items": { "type": ["boolean", "string"] } },
            ],
        }),
        ValueType::Table(keys) => table(keys),
        ValueType::UrlOrTable(keys) | ValueType::WordOrTable(keys) => {
            json!({ "anyOf": [{ "type": "string" }, table(keys)] })
        }
        ValueType::TableList(keys) => json!({ "type": "array", "items": table(keys) }),
        ValueType::Texts(names) => json!({
            "type": "object",
            "propertyNames": { "enum": names },
            "additionalProperties": { "type": "string" },
        }),
        ValueType::Map(value) => json!({ "type": "object", "additionalProperties": value_schema(value) }),
    }
}
