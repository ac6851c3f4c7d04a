//! The configuration, as an operator writes it.

use serde_json::{Map, Value, json};
use vestibule_check::ConfigFiles;
use vestibule_check::document::File;
use vestibule_core::config::Config;
use vestibule_testing::RUNTIME;

use crate::input::{check_line, error_shape, shape, text};
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[Target {
    name: "configuration",
    about: "the configuration: each mistake has its place, one line, and no secret",
    reads: &["config::Config::load", "check::check"],
    run: configuration,
    slice: 300,
}];

/// What every secret is here.
const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-";

fn environment(name: &str) -> Option<String> {
    let is_secret = ["SECRET", "KEY"].iter().any(|end| name.contains(end));
    name.starts_with("AUTH_")
        .then(|| if is_secret { format!("{SECRET}{name}") } else { format!("a value of {name}") })
}

/// A configuration in TOML or JSON: that of `[vars.AUTH]`.
fn configuration(input: &[u8]) -> Shape {
    let text = text(input);
    let of_file = check_file(&text);
    let value = if text.trim_start().starts_with('{') {
        serde_json::from_str::<Value>(&text).ok()
    } else {
        toml::from_str::<Map<String, Value>>(&text).ok().map(Value::Object)
    };
    let Some(value) = value else { return of_file };
    let auth = match value.get("vars").and_then(|vars| vars.get("AUTH")) {
        Some(auth) => auth.clone(),
        None => value,
    };
    let found = load(&auth);
    // A string with the same JSON is the same configuration.
    if auth.is_object() {
        assert_eq!(load(&json!(auth.to_string())), found);
    }
    match found {
        None => shape("accepted"),
        Some(errors) => shape(errors.iter().take(2).map(error_shape).collect::<Vec<_>>()),
    }
}

/// The mistakes, each one checked.
fn load(auth: &Value) -> Option<Vec<String>> {
    match Config::load(auth.clone(), &environment, &RUNTIME) {
        Ok(config) => {
            config.advice(&RUNTIME).iter().for_each(|advice| check(advice));
            if let Err(errors) = config.check_lease(&RUNTIME, &|_| false) {
                errors.iter().for_each(|error| check(&error.to_string()));
            }
            None
        }
        Err(errors) => {
            assert!(errors.iter().next().is_some(), "refused without a reason");
            let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
            for (error, message) in errors.iter().zip(&messages) {
                assert!(error.place.starts_with("AUTH"), "{message}");
                assert!(!error.problem.trim().is_empty(), "{message}");
                assert!(!error.fix.is_empty() || error.problem.len() >= 10, "no fix: {message}");
                check(message);
            }
            assert_eq!(errors.to_string().lines().count(), messages.len(), "each mistake is one line");
            Some(messages)
        }
    }
}

fn check(message: &str) {
    check_line(message);
    assert!(!message.contains("hunter2-hunter2"), "a secret is quoted: {message}");
}

/// The same as `vestibule.toml` or as a wrangler file, for the commands: each finding is at a place in the file.
fn check_file(text: &str) -> Shape {
    let is_json = text.trim_start().starts_with('{');
    let name = if is_json { "wrangler.jsonc" } else { "vestibule.toml" };
    let file = File::new(name, text);
    let (wrangler, vestibule) = if is_json { (Some(file), None) } else { (None, Some(file)) };
    let files = ConfigFiles { wrangler, vestibule, may_lack_secrets: true, ..ConfigFiles::default() };
    let report = vestibule_check::check(&files);
    let lines: Vec<&str> = text.split('\n').collect();
    for finding in &report.findings {
        if finding.at.file == name {
            let line = finding.at.line.checked_sub(1).and_then(|at| lines.get(at));
            let line = line.unwrap_or_else(|| panic!("there is no line {}: {finding}", finding.at.line));
            let columns = line.chars().count() + 1;
            assert!(
                (1..=columns).contains(&finding.at.column),
                "there is no column {}: {finding}",
                finding.at.column
            );
        }
        assert!(!finding.problem.is_empty());
        check_line(&finding.to_string());
    }
    shape(report.findings.iter().take(2).map(|finding| error_shape(&finding.problem)).collect::<Vec<_>>())
}
