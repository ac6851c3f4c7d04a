//! docs/providers.md matches the table of presets. `cargo xtask providers --write` writes it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is wrong"
)]

use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value};
use vestibule_core::presets;

const HEAD: &str = "\
# Providers

Every provider that Auth.js has for OAuth 2 and OpenID Connect is here as a preset: `id = \"github\"` is the whole of its
configuration, and its secrets have the names that Auth.js gives them. This page is made from the table
(`crates/oidc/src/presets/presets.json`, and `presets.notes.json` beside it). [configuration.md](configuration.md) has every
key of a provider; a preset has the same keys, and yours are merged over them.

The callback URL to register at the provider is `https://HOST/BASE_PATH/callback/ID`, here with `/auth` for the base
path. A provider several times has an `id` of its own each time and `preset = \"okta\"`; the secrets have the names of
the `id` (`AUTH_OKTA_STAFF_ID` for `okta-staff`).

";

#[test]
fn the_providers_document_matches_the_presets() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
    let document = document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == document, "docs/providers.md is behind the table: cargo xtask providers --write");
}

#[test]
fn the_readme_says_how_many_presets_there_are() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let sentence = format!("{} providers are built in", presets::ids().count());
    assert!(readme.contains(&sentence), "README.md has to say \"{sentence}\"");
}

fn document() -> String {
    let notes = include_str!("../../oidc/src/presets/presets.notes.json");
    let notes: Map<String, Value> = serde_json::from_str(notes).unwrap();
    let mut text = HEAD.to_owned();
    for id in presets::ids() {
        section(id, presets::preset(id).unwrap(), &notes[id], &mut text);
    }
    text
}

fn section(id: &str, preset: &Map<String, Value>, notes: &Value, text: &mut String) {
    let kind = match preset["type"].as_str() {
        Some("oidc") => "OpenID Connect",
        _ => "OAuth 2",
    };
    let prefix = format!("AUTH_{}", id.replace('-', "_").to_ascii_uppercase());
    let mut secrets = vec![format!("`{prefix}_ID`"), format!("`{prefix}_SECRET`")];
    let whole = Value::Object(preset.clone()).to_string();
    if whole.contains("{api_key}") {
        secrets.push(format!("`{prefix}_API_KEY`"));
    }
    if preset.contains_key("client_secret_from_key") {
        secrets[1] = format!("`{prefix}_TEAM_ID`, `{prefix}_KEY_ID`, `{prefix}_PRIVATE_KEY`");
    }
    let examples = preset.get("example").and_then(Value::as_object);
    let mut lines = format!("[[vars.AUTH.providers]]\nid = \"{id}\"\n");
    for (key, example) in examples.into_iter().flatten() {
        writeln!(lines, "{key} = {example}").unwrap();
    }
    writeln!(text, "## {}\n", preset["name"].as_str().unwrap()).unwrap();
    writeln!(text, "{kind}. Callback URL: `/auth/callback/{id}`. Secrets: {}.\n", secrets.join(", "))
        .unwrap();
    writeln!(text, "```toml\n{lines}```\n").unwrap();
    match preset.get("scope").and_then(Value::as_str) {
        Some(scope) => writeln!(text, "Scope: `{scope}`.").unwrap(),
        None if kind == "OpenID Connect" => writeln!(text, "Scope: `openid profile email`.").unwrap(),
        None => writeln!(text, "No scope unless you write one.").unwrap(),
    }
    if let Some(note) = notes.get("notes").and_then(Value::as_str) {
        writeln!(text, "{note}").unwrap();
    }
    writeln!(text, "[Its documentation]({}).\n", notes["documentation"].as_str().unwrap()).unwrap();
}
