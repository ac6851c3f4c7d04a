//! What has to hold in the package's package.json.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The package's name. The name without a scope belongs to someone else.
const NAME: &str = "@vestibule-auth/edge";

/// Reads package.json in the package's folder.
pub(super) fn read(folder: &Path) -> Result<Value> {
    let text = fs::read_to_string(folder.join("package.json")).context("cannot read package.json")?;
    serde_json::from_str(&text).context("package.json is no JSON")
}

/// Fails unless the package has this version, runs nothing when it is installed, has exact dependencies, and has every file
/// that it names.
pub(super) fn check(folder: &Path, version: &str) -> Result<()> {
    let manifest = read(folder)?;
    let mut problems = problems(&manifest, version);
    for file in files(&manifest) {
        if !folder.join(&file).is_file() {
            problems.push(format!("it names {file}, which does not exist"));
        }
    }
    ensure!(problems.is_empty(), "npm/package.json is wrong:\n  {}", problems.join("\n  "));
    Ok(())
}

fn problems(manifest: &Value, version: &str) -> Vec<String> {
    let text = |key: &str| manifest.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut problems = Vec::new();
    if text("name") != NAME {
        problems.push(format!("its name is {:?} and not {NAME:?}", text("name")));
    }
    if text("version") != version {
        problems.push(format!(
            "its version is {:?}, and that of the workspace is {version:?}: change both together",
            text("version")
        ));
    }
    if text("type") != "module" {
        problems.push("its type is not \"module\"".to_owned());
    }
    if manifest.get("scripts").is_some() {
        problems.push("it has scripts: installing the package must not run anything".to_owned());
    }
    if !manifest.get("files").is_some_and(Value::is_array) {
        problems.push("it has no list `files`".to_owned());
    }
    for key in ["dependencies", "optionalDependencies"] {
        for (name, range) in manifest.get(key).and_then(Value::as_object).into_iter().flatten() {
            if !range.as_str().is_some_and(|range| range.starts_with(|c: char| c.is_ascii_digit())) {
                problems.push(format!("{key}: {name} needs an exact version, and has {range}"));
            }
        }
    }
    problems
}

/// The files that `exports` and `bin` name, as `npm pack` writes them.
pub(super) fn files(manifest: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for key in ["exports", "bin"] {
        collect(manifest.get(key).unwrap_or(&Value::Null), &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(path) => found.push(path.trim_start_matches("./").to_owned()),
        Value::Object(table) => table.values().for_each(|value| collect(value, found)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// The name of the tarball and the files in it, from the report of `npm pack --json`.
pub(super) fn packed(report: &Value) -> Option<(String, Vec<String>)> {
    // npm 12 writes an object by package name, older ones an array.
    let package = match report {
        Value::Array(packages) => packages.first()?,
        Value::Object(packages) => packages.values().next()?,
        _ => return None,
    };
    let files = package.get("files")?.as_array()?.iter();
    let files = files.filter_map(|file| file.get("path")?.as_str()).map(str::to_owned).collect();
    let name = package.get("filename")?.as_str()?;
    // Older versions of npm wrote the scope with a slash.
    Some((name.replace('@', "").replace('/', "-"), files))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest() -> Value {
        json!({
            "name": NAME,
            "version": "1.2.3",
            "type": "module",
            "files": ["worker"],
            "exports": { ".": { "types": "./worker/index.d.ts", "default": "./worker/index.js" } },
            "bin": { "vestibule": "bin/vestibule.mjs" },
        })
    }

    #[test]
    fn a_package_that_runs_something_or_takes_any_version_is_refused() {
        assert_eq!(problems(&manifest(), "1.2.3"), [""; 0]);
        for (key, value, problem) in [
            ("name", json!("vestibule"), "its name is"),
            ("version", json!("1.2.4"), "its version is"),
            ("type", json!("commonjs"), "its type"),
            ("files", Value::Null, "no list `files`"),
            ("scripts", json!({ "postinstall": "node x.js" }), "it has scripts"),
            ("dependencies", json!({ "jose": "^6.0.0" }), "jose needs an exact version"),
            ("dependencies", json!({ "jose": "latest" }), "jose needs an exact version"),
        ] {
            let mut wrong = manifest();
            wrong[key] = value;
            let problems = problems(&wrong, "1.2.3");
            assert!(problems.len() == 1 && problems[0].contains(problem), "{key}: {problems:?}");
        }
    }

    #[test]
    fn every_file_of_the_exports_and_the_programs_is_named() {
        let expected = ["bin/vestibule.mjs", "worker/index.d.ts", "worker/index.js"];
        assert_eq!(files(&manifest()), expected);
    }

    #[test]
    fn the_report_of_npm_pack_names_the_tarball_and_its_files() {
        let package =
            json!({ "filename": "vestibule-auth-edge-1.2.3.tgz", "files": [{ "path": "package.json" }] });
        let expected = Some(("vestibule-auth-edge-1.2.3.tgz".to_owned(), vec!["package.json".to_owned()]));
        assert_eq!(packed(&json!([package])), expected);
        assert_eq!(packed(&json!({ NAME: package })), expected);
        assert_eq!(packed(&json!([])), None);
    }
}
