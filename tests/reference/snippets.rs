//! Loads every configuration that README.md and docs/ show.
//!
//! A snippet is a block of TOML with a table of `[vars.AUTH]` in it, or with what `vestibule.toml` has in its place. Blocks that
//! have only keys of other tools are none. Documents show only the keys that they describe, so a snippet is completed before it
//! is loaded:
//!
//! - Without `providers` and `login_url`, it has the provider `okta`.
//! - A block that begins inside a provider (`[vars.AUTH.providers.login]`) belongs to the API of
//!   tests/configuration/credentials.toml; its tables replace those of that file.
//! - Secrets and the issuer of Okta have made-up values, and the client of `bank` has a private key. No other variable is
//!   set.
//!
//! A snippet after the line `<!-- refused -->` must be refused.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use vestibule::runtime::RUNTIME;
use vestibule_core::config::Config;
use vestibule_core::config::error::ConfigErrors;

use super::file;

#[test]
fn every_configuration_in_the_documents_can_be_loaded() {
    let mut problems = Vec::new();
    for Snippet { place, text, is_refused } in snippets() {
        match configuration_in(&text) {
            Err(why) => problems.push(format!("{place}: this is not TOML: {why}")),
            Ok(configuration) => match (load(completed(&configuration)), is_refused) {
                (Err(why), false) => problems.push(format!("{place}: {why}")),
                (Ok(_), true) => problems.push(format!("{place}: this is accepted, and marked as refused")),
                _ => {}
            },
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The place and the content of every snippet that must load.
pub(super) fn all() -> Vec<(String, Value)> {
    let parse = |snippet: Snippet| Some((snippet.place, configuration_in(&snippet.text).ok()?));
    snippets().into_iter().filter(|snippet| !snippet.is_refused).filter_map(parse).collect()
}

/// A snippet as `wrangler.toml` would have it.
fn configuration_in(text: &str) -> Result<Value, toml::de::Error> {
    let written: Value = toml::from_str(text)?;
    let is_whole = !written["vars"]["AUTH"].is_null();
    Ok(if is_whole { written } else { json!({ "vars": { "AUTH": written } }) })
}

/// What wrangler and cargo have in their files.
const OTHERS: [&str; 8] =
    ["build", "dependencies", "durable_objects", "kv_namespaces", "lib", "main", "migrations", "ratelimits"];

/// Whether a block has only keys of other tools.
fn is_of_others(text: &str) -> bool {
    let written: Value = toml::from_str(text).unwrap_or_default();
    written.as_object().is_some_and(|table| table.keys().all(|key| OTHERS.contains(&key.as_str())))
}

/// The value of `AUTH`, with the keys that a snippet leaves out.
pub(super) fn completed(configuration: &Value) -> Value {
    let mut auth = configuration["vars"]["AUTH"].clone();
    let table = auth.as_object_mut().expect("a table");
    if let Some(Value::Object(part)) = table.get("providers") {
        let mut api = Value::Object(part.clone());
        complete_api(&mut api);
        table.insert("providers".to_owned(), json!([api]));
    }
    if !table.contains_key("login_url") {
        table.entry("providers").or_insert_with(|| json!([{ "id": "okta" }]));
    }
    auth
}

/// Adds the keys that a `credentials` provider leaves out.
pub(super) fn complete_api(part: &mut Value) {
    let text = fs::read_to_string(file("tests/configuration/credentials.toml")).unwrap();
    let base: Value = toml::from_str(&text).unwrap();
    let Value::Object(mut whole) = base["vars"]["AUTH"]["providers"][0].clone() else { panic!("{base}") };
    whole.extend(part.as_object().cloned().unwrap_or_default());
    *part = Value::Object(whole);
}

fn load(auth: Value) -> Result<Config, ConfigErrors> {
    let variable = |name: &str| {
        let value = match name {
            "AUTH_SECRET" => "the-session-secret-of-the-tests",
            "AUTH_VERIFY_SECRET" => "the-secret-of-the-proxy-of-the-tests",
            // RFC 8410 section 10.3.
            "AUTH_BANK_PRIVATE_KEY" => {
                "-----BEGIN PRIVATE KEY-----MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\
                 -----END PRIVATE KEY-----"
            }
            "AUTH_OKTA_ISSUER" | "AUTH_OKTA_STAFF_ISSUER" => "https://okta.example/oauth2/default",
            name if name.starts_with("AUTH_TEMPLATE_") => "the-secret-of-a-template",
            name if name.starts_with("AUTH_SECRET_") || name.starts_with("AUTH_REVOKE_") => return None,
            "AUTH_HEALTH_SECRET" | "AUTH_AUDIT_SECRET" => return None,
            name if name.ends_with("_ID") && !name.ends_with("_KEY_ID") && !name.ends_with("_TEAM_ID") => {
                "the-client"
            }
            name if name.ends_with("_SECRET") || name.ends_with("_API_KEY") => "the-secret-of-the-client",
            _ => return None,
        };
        Some(value.to_owned())
    };
    Config::load(auth, &variable, &RUNTIME)
}

struct Snippet {
    /// File and line.
    place: String,
    text: String,
    is_refused: bool,
}

/// README.md and the pages of docs/.
pub(super) fn documents() -> Vec<PathBuf> {
    let mut paths = vec![file("README.md")];
    collect(&file("docs"), &mut paths);
    paths.sort();
    paths
}

fn snippets() -> Vec<Snippet> {
    let mut all = Vec::new();
    for path in documents() {
        let name = path.strip_prefix(file("")).unwrap().display().to_string();
        all.extend(snippets_of(&name, &fs::read_to_string(&path).unwrap()));
    }
    all
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

fn snippets_of(name: &str, text: &str) -> Vec<Snippet> {
    let mut all = Vec::new();
    let mut block: Option<Snippet> = None;
    let mut is_refused = false;
    for (i, line) in text.lines().enumerate() {
        let bare = line.trim();
        match &mut block {
            None if bare == "```toml" => {
                block = Some(Snippet { place: format!("{name}:{}", i + 1), text: String::new(), is_refused });
                is_refused = false;
            }
            None if bare == "<!-- refused -->" => is_refused = true,
            None if !bare.is_empty() => is_refused = false,
            None => {}
            Some(_) if bare == "```" => {
                all.extend(block.take().filter(|snippet| !is_of_others(&snippet.text)));
            }
            Some(snippet) => {
                snippet.text.push_str(line);
                snippet.text.push('\n');
            }
        }
    }
    all
}

#[test]
fn a_snippet_is_found_with_its_line_and_its_refused_mark() {
    let text =
        "a\n```toml\n[vars.AUTH]\n```\n\n<!-- refused -->\n\n```toml\nrules = []\n```\n```toml\n[lib]\n```\n";
    let found: Vec<(String, bool)> =
        snippets_of("x.md", text).into_iter().map(|snippet| (snippet.place, snippet.is_refused)).collect();
    assert_eq!(found, [("x.md:2".to_owned(), false), ("x.md:8".to_owned(), true)]);
}

#[test]
fn a_partial_snippet_is_completed_with_the_documented_defaults() {
    let part = json!({ "vars": { "AUTH": { "providers": { "login": { "url": "https://x.example" } } } } });
    let auth = completed(&part);
    assert_eq!(auth["providers"][0]["login"], json!({ "url": "https://x.example" }));
    assert_eq!(auth["providers"][0]["id"], "credentials");
    let rules = completed(&json!({ "vars": { "AUTH": { "rules": [] } } }));
    assert_eq!(rules["providers"], json!([{ "id": "okta" }]));
    let member =
        completed(&json!({ "vars": { "AUTH": Map::from_iter([("login_url".to_owned(), json!("x"))]) } }));
    assert!(member.get("providers").is_none());
}
