//! Configurations that are refused, one per file, and the messages for each.
//!
//! `refused/rules/match-is-missing.toml` is a piece of a `wrangler.toml`, and `match-is-missing.txt` next to it has the
//! messages, one per line. After a change of the messages, `VESTIBULE_BLESS=1 cargo test --test configuration` writes them:
//! review the diff before you commit it.
//!
//! A case contains only what its mistake needs. Three rules complete it:
//!
//! - Without `providers`, it has the provider `okta`.
//! - A provider of `type = "credentials"` without an `id` is that of `credentials.toml`; the written keys replace those
//!   there.
//! - Secrets are [`SECRETS`](super::SECRETS). `[secrets]` sets others; `NAME = false` unsets one.
//!
//! The Worker has no bindings.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{RUNTIME, credentials, load_with_okta};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/configuration/refused");

#[test]
fn every_mistake_is_reported_with_its_place_and_how_to_fix_it() {
    if std::env::var_os("VESTIBULE_BLESS").is_some() {
        write_messages(Path::new(FOLDER));
    }
    let differences = differences(Path::new(FOLDER));
    assert!(
        differences.is_empty(),
        "in {FOLDER}:\n\n{}\n\nVESTIBULE_BLESS=1 writes the messages of each case that is refused",
        differences.join("\n\n")
    );
}

#[test]
fn no_message_contains_a_secret() {
    for case in cases(Path::new(FOLDER)) {
        let messages = messages(&case).unwrap();
        for secret in ["hunter2", "clientsecret", "the-session-secret", "fifteen-chars"] {
            assert!(!messages.contains(secret), "{}: {messages}", case.display());
        }
    }
}

#[test]
fn a_case_that_is_accepted_or_has_no_messages_fails_the_test() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let refused = "[vars.AUTH]\nbase_path = 7\n";
    let message = "AUTH.base_path: expected a string, got a number\n";
    write("good.toml", refused);
    write("good.txt", message);
    assert_eq!(differences(folder.path()), Vec::<String>::new());

    write("accepted.toml", "[vars.AUTH]\n");
    write("accepted.txt", message);
    write("no-messages.toml", refused);
    write("no-case.txt", message);
    write("other-messages.toml", refused);
    write("other-messages.txt", "AUTH: something else\n");
    write("unread.toml", "[var.AUTH]\n");
    write("unread.txt", message);
    write("forgotten.tml", refused);
    let expected = [
        "accepted.toml is accepted",
        "forgotten.tml is neither a case (.toml) nor its messages (.txt)",
        "no-case.txt has no case",
        "no-messages.toml has no .txt with its messages:",
        "other-messages.toml must report\nAUTH: something else\nbut reports\nAUTH.base_path: ",
        "unread.toml is not a case:",
    ];
    let found = differences(folder.path());
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

/// All cases whose messages differ from their file, and all files that belong to no case.
fn differences(folder: &Path) -> Vec<String> {
    let difference = |path: PathBuf| {
        let problem = match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => compare(&path).err()?,
            Some("txt") if path.with_extension("toml").exists() => return None,
            Some("txt") => "has no case (.toml)".to_owned(),
            _ => "is neither a case (.toml) nor its messages (.txt)".to_owned(),
        };
        let name = path.strip_prefix(folder).unwrap_or(&path).display();
        Some(format!("{name} {}", problem.trim_end()))
    };
    files(folder).into_iter().filter_map(difference).collect()
}

fn compare(case: &Path) -> Result<(), String> {
    let messages = messages(case)?;
    match fs::read_to_string(case.with_extension("txt")) {
        Ok(expected) if expected == messages => Ok(()),
        Ok(expected) => Err(format!("must report\n{expected}but reports\n{messages}")),
        Err(_) => Err(format!("has no .txt with its messages:\n{messages}")),
    }
}

fn write_messages(folder: &Path) {
    for case in cases(folder) {
        if let Ok(messages) = messages(&case) {
            fs::write(case.with_extension("txt"), messages).unwrap();
        }
    }
}

/// The messages for a case, one per line. The error says why there are none.
fn messages(case: &Path) -> Result<String, String> {
    let text = fs::read_to_string(case).unwrap();
    let Case { vars, secrets } = toml::from_str(&text).map_err(|why| format!("is not a case: {why}"))?;
    let loaded = load_with_okta(with_api(vars.auth), &Value::Object(secrets))
        .and_then(|config| config.check_lease(&RUNTIME, &|_| false));
    let errors = loaded.err().ok_or("is accepted")?;
    let messages = format!("{errors}\n");
    assert_eq!(messages.lines().count(), errors.iter().count(), "a message is one line: {messages}");
    Ok(messages)
}

/// A piece of a `wrangler.toml`, and the secrets of the environment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    vars: Vars,
    #[serde(default)]
    secrets: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vars {
    #[serde(default, rename = "AUTH")]
    auth: Value,
}

/// Completes each credentials provider that has no id with the keys of `credentials.toml`.
fn with_api(mut auth: Value) -> Value {
    let providers = auth.get_mut("providers").and_then(Value::as_array_mut);
    for provider in providers.into_iter().flatten().filter_map(Value::as_object_mut) {
        if provider.get("type") == Some(&json!("credentials")) && !provider.contains_key("id") {
            let Value::Object(mut whole) = credentials::api() else { continue };
            whole.append(provider);
            *provider = whole;
        }
    }
    auth
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| path.extension().is_some_and(|it| it == "toml")).collect()
}

/// All files in a folder and its subfolders, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}
