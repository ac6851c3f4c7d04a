//! docs/events.md says what the table of events says (`crates/core/src/log/table.rs`).
//! `UPDATE=1 cargo test -p vestibule-core --test events_document` writes it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first thing that is wrong")]

use std::fmt::Write;
use std::path::Path;

use vestibule_core::log::{COLUMNS, Entry, Field, Group, LogEvent};

const HEAD: &str = "\
# Log events

Vestibule logs one JSON object for each event. Its fields:

| field | what |
|---|---|
| `event` | which event it is: one of those below |
| `level` | `info`: no action is needed; `warn`: something outside failed, and may need a look; `error`: it does not work until you act. It is also the level in the runtime's log |
| `message` | what is wrong, where, and how to fix it, in English. It may change between versions: match `event` instead |
| `error_source` | whose error it is: `client` (the browser or another client), `provider` (the identity provider or the API that signs users in), `configuration`, or `platform` (the runtime, its stores, and the servers that requests are forwarded to) |
| `provider` | the provider's id in the configuration |
| `code` | the error code that the client gets, as in Auth.js |
| `host`, `path` | which request it happened in, without its query |
| `request_id` | the request's id, if the network in front of the runtime gives one: on Cloudflare the value of `CF-Ray` |
| `trace` | the id of the trace that the request belongs to, if its `traceparent` is valid (W3C Trace Context) |
| `time` | when, in UTC |
| `audit` | which kind of line of the [audit log](operating.md#the-audit-log) it is |
| `subject` | the user: a keyed hash, which only the holder of the session secret can tell ([who it is](operating.md#who-a-hash-is)). It is who is signed in, or whom the event is about |
| `rule`, `reason` | which rule of the configuration refused, by its place, and how |

Every line has `event`, `level`, `message` and `error_source`; each of the others only where it is known. No line has a
token, an authorization code, a password, a cookie or a secret. Every value is at most 1000 characters long and has no
control characters, so that a client cannot forge a line.

A row of a dataset (`audit.sinks = \"analytics\"`) has the event's name as its index, 1 as `double1`, and these texts: COLUMNS.

This page is generated from the table in `crates/core/src/log/table.rs`.
";

#[test]
fn the_document_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md");
    let document = document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let command = "UPDATE=1 cargo test -p vestibule-core --test events_document";
    assert!(written == document, "docs/events.md is behind the table: {command}");
}

#[test]
fn every_event_of_the_table_is_logged_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut source = String::new();
    for folder in ["src", "../../src"] {
        read(&root.join(folder), &mut source);
    }
    for event in LogEvent::ALL {
        assert!(source.contains(&format!("LogEvent::{event:?}")), "nothing logs {}", event.name());
    }
}

/// All Rust code in `folder` but the log's own, without tests.
fn read(folder: &Path, source: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("log") {
            read(&path, source);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            source.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
        }
    }
}

fn document() -> String {
    let columns: Vec<String> =
        COLUMNS.iter().enumerate().map(|(n, name)| format!("`blob{}` is `{name}`", n + 1)).collect();
    let mut text = HEAD.replace("COLUMNS", &columns.join(", "));
    let mut group = None;
    for event in LogEvent::ALL {
        let entry = event.entry();
        if group.replace(entry.group) != Some(entry.group) {
            writeln!(text, "\n## {}", title(entry.group)).unwrap();
        }
        section(entry, &mut text);
    }
    text
}

fn title(group: Group) -> &'static str {
    match group {
        Group::Configuration => "Configuration",
        Group::SignIn => "Signing in and out",
        Group::Guard => "Requests to the application",
        Group::Session => "Sessions",
        Group::Refresh => "Refreshing access tokens",
        Group::Provider => "Provider metadata and keys",
    }
}

fn section(entry: &Entry, text: &mut String) {
    let cases = entry.cases().map(|case| format!("`{}` ({})", case.level.name(), case.error_source.name()));
    let cases = cases.collect::<Vec<_>>().join(", ");
    let fields = entry.fields.iter().map(|field| match field {
        Field::Provider => "`provider`",
        Field::Code => "`code`",
        Field::Rule => "`rule`, `reason`",
        Field::Request => "`host`, `path`, `request_id`, `trace`, `time`, `subject`",
    });
    let fields = fields.collect::<Vec<_>>().join(", ");
    writeln!(text, "\n### `{}`\n", entry.name).unwrap();
    writeln!(text, "- Level (error source): {cases}").unwrap();
    if !fields.is_empty() {
        writeln!(text, "- Fields: {fields}").unwrap();
    }
    if let Some(kind) = entry.audit {
        let only = if entry.is_audit_only { ", and nowhere else" } else { "" };
        writeln!(text, "- Audit log: `{}`{only}", kind.name()).unwrap();
    }
    writeln!(text, "- Meaning: {}", escaped(entry.meaning)).unwrap();
    writeln!(text, "- What to do: {}", escaped(entry.action)).unwrap();
}

/// Prose as Markdown: what is in backticks is code, and nothing else is markup.
fn escaped(prose: &str) -> String {
    let mut text = String::new();
    let mut is_code = false;
    for c in prose.chars() {
        is_code ^= c == '`';
        if !is_code && r"\*_{}[]<>#|~&".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    assert!(!is_code, "a backtick without its other half: {prose}");
    text
}

#[test]
fn markup_in_prose_is_escaped_and_code_is_left_alone() {
    assert_eq!(escaped("a_b <c> [d](e) `f_g<h>` *i* | & #"), r"a\_b \<c\> \[d\](e) `f_g<h>` \*i\* \| \& \#");
}
