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

With `logout = true`, which ends the provider's session with yours, `https://HOST/BASE_PATH/signout/callback` has to be
registered there, too, as the address to come back to: [sessions.md](sessions.md#signing-out-at-the-provider).

[guard.md](guard.md#claims) says which e-mail addresses rules and upstreams see. `email_domain` accepts a verified address
only if the provider says so with the boolean `true`; Apple, Cognito and LinkedIn also write the text `\"true\"`.

[strict-profiles.md](strict-profiles.md) says how to reach FAPI 2.0 with a provider, and how to push and sign requests.

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
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = format!("{} providers are built in", presets::ids().count());
    assert!(readme.contains(&sentence), "README.md has to say \"{sentence}\"");
}

fn document() -> String {
    let notes = include_str!("../../oidc/src/presets/presets.notes.json");
    let notes: Map<String, Value> = serde_json::from_str(notes).unwrap();
    let mut text = HEAD.to_owned();
    for id in presets::ids() {
        section(id, &presets::preset(id).unwrap(), &notes[id], &mut text);
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
    for line in refresh_lines(preset, kind) {
        writeln!(text, "{line}").unwrap();
    }
    if let Some(line) = email_line(preset) {
        writeln!(text, "{line}").unwrap();
    }
    if let Some(note) = notes.get("notes").and_then(Value::as_str) {
        writeln!(text, "{note}").unwrap();
    }
    writeln!(text, "[Its documentation]({}).\n", notes["documentation"].as_str().unwrap()).unwrap();
}

/// What brings a refresh token, and when access tokens are renewed; nothing where that is as usual.
fn refresh_lines(preset: &Map<String, Value>, kind: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(needs) = preset.get("refresh_token_needs") {
        let usual = if kind == "OpenID Connect" { "openid profile email" } else { "" };
        let scope = preset.get("scope").and_then(Value::as_str).unwrap_or(usual);
        let names: Vec<&str> = match needs.get("scope") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            name => name.and_then(Value::as_str).into_iter().collect(),
        };
        let mut missing = Vec::new();
        if !names.is_empty() && !scope.split(' ').any(|scope| names.contains(&scope)) {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            missing.push(format!("{} in the scope", names.join(" or ")));
        }
        let sent = preset.get("authorization_params");
        let params = needs.get("authorization_params").and_then(Value::as_object);
        let is_sent = |name: &str, value: &Value| sent.and_then(|sent| sent.get(name)) == Some(value);
        let params: Vec<String> = params
            .into_iter()
            .flatten()
            .filter(|(name, value)| !is_sent(name, value))
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        if !params.is_empty() {
            missing.push(format!("`authorization_params = {{ {} }}`", params.join(", ")));
        }
        if missing.is_empty() {
            lines.push("The preset asks for a refresh token.".to_owned());
        } else {
            lines.push(format!("For a refresh token, write {}.", missing.join(" and ")));
        }
    }
    if preset.get("renew").is_some_and(|renew| renew == "at-end") {
        lines.push(
            "It ends the old access token when it gives a new one, so tokens are renewed in their last second."
                .to_owned(),
        );
    }
    lines
}

/// What is known about whether an e-mail address belongs to the user; nothing where the provider gives none.
fn email_line(preset: &Map<String, Value>) -> Option<String> {
    let source = preset.get("user").and_then(|user| user.get("email"));
    if source.is_none() && preset["type"] == "oauth2" {
        return None;
    }
    let member = preset.get("emails").and_then(|emails| emails.get("verified")).and_then(Value::as_str);
    let says = match (member, preset.get("email_verified")) {
        (Some(member), _) => format!("verified if its item of the list has `{member}`"),
        (None, Some(Value::Bool(true))) => "always verified".to_owned(),
        (None, Some(Value::Bool(false))) => "never verified".to_owned(),
        (None, Some(Value::String(path))) => format!("verified if `{path}` says so"),
        (None, Some(Value::Array(items))) => {
            let paths = items.iter().filter_map(Value::as_str).map(|path| format!("`{path}`"));
            let otherwise =
                if items.last() == Some(&Value::Bool(false)) { " otherwise not verified" } else { "" };
            format!("verified if {} says so,{otherwise}", paths.collect::<Vec<_>>().join(" or "))
        }
        (None, _) if source.is_none_or(|source| source == "profile.email") => {
            "verified if `email_verified` says so; otherwise the provider does not say".to_owned()
        }
        (None, _) => "the provider does not say whether it is verified".to_owned(),
    };
    Some(format!("E-mail address: {says}."))
}
