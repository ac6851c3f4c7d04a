//! What each direct dependency is for (`purposes.toml`), and the document that is made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::metadata::Metadata;
use super::{Artefact, Contents, Linked};
use crate::project::Project;
use crate::step::run_quietly;

/// The document.
pub(super) const DOCUMENT: &str = "docs/dependencies.md";

/// Manifests of npm whose packages are tools or tests. Those of `examples/` and `tests/migrating/` are applications, and
/// what they use is their own.
const NPM: [&str; 6] = [
    "package.json",
    "bench/package.json",
    "tests/frameworks/package.json",
    "tests/interop/package.json",
    "tests/npm/package.json",
    "tests/wasi/package.json",
];

/// The table.
#[derive(Deserialize)]
pub(super) struct Purposes {
    crates: BTreeMap<String, String>,
    npm: BTreeMap<String, String>,
    pypi: BTreeMap<String, String>,
    several: BTreeMap<String, String>,
    /// Why crates with the key `links` link nothing.
    pub(super) links: BTreeMap<String, String>,
}

impl Purposes {
    /// Reads the table.
    pub(super) fn read() -> Result<Self> {
        toml::from_str(include_str!("purposes.toml")).context("xtask/src/supply_chain/purposes.toml")
    }

    /// The crates that an artefact has in several versions, but for those whose reason is known.
    pub(super) fn several_versions(&self, artefact: &Artefact, crates: &[Linked]) -> Vec<String> {
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for one in crates {
            versions.entry(&one.name).or_default().insert(&one.version);
        }
        let is_unknown = |name: &str| !self.several.contains_key(name);
        let several = versions.into_iter().filter(|(name, all)| all.len() > 1 && is_unknown(name));
        let problem = |(name, all): (&str, BTreeSet<&str>)| {
            let all: Vec<&str> = all.into_iter().collect();
            format!(
                "{} has {name} in the versions {}: use one of them, or say why in xtask/src/supply_chain/purposes.toml",
                artefact.name,
                all.join(", ")
            )
        };
        several.map(problem).collect()
    }
}

/// The document, and what is wrong with the table.
pub(super) struct Document {
    pub(super) text: String,
    pub(super) problems: Vec<String>,
}

/// Whether the document is what `text` says.
pub(super) fn is_current(project: &Project, text: &str) -> Result<bool> {
    let found =
        fs::read_to_string(project.path(DOCUMENT)).with_context(|| format!("cannot read {DOCUMENT}"))?;
    Ok(found == text)
}

/// Writes the document.
pub(super) fn write(project: &Project, text: &str) -> Result<()> {
    fs::write(project.path(DOCUMENT), text).with_context(|| format!("cannot write {DOCUMENT}"))
}

/// The document as it should be.
pub(super) fn document(project: &Project, contents: &Contents) -> Result<Document> {
    let purposes = Purposes::read()?;
    let crates = direct_crates(&[&contents.metadata, &Metadata::of_fuzz(project)?]);
    let npm = direct_npm(project)?;
    let pypi = requirements(project)?;
    let mut problems = differences("crate", &crates.keys().map(String::as_str).collect(), &purposes.crates);
    problems.extend(differences("npm package", &npm.keys().map(String::as_str).collect(), &purposes.npm));
    problems.extend(differences(
        "requirements file",
        &pypi.iter().map(String::as_str).collect(),
        &purposes.pypi,
    ));
    let mut text = String::from(
        "# Dependencies\n\n\
         What the project takes from others, and what for. `cargo xtask supply-chain --write` writes this document from\n\
         `xtask/src/supply_chain/purposes.toml`; the tests fail if a direct dependency has no purpose there, if a crate\n\
         that ships has a licence that asks for more than a notice, or if it ships in two versions without a reason.\n\n\
         The exact versions with their checksums are in `Cargo.lock`, `package-lock.json` and the requirements files; a\n\
         release has a bill of materials (`vestibule.cdx.json`).\n\n\
         ## What ships\n\n\
         Crates only: the npm package is the Worker and the commands, and has no dependencies. All of them are Rust, but for\n\
         those in C, whose build scripts compile it, and the C library of the target.\n\n",
    );
    text += &contents.table();
    text += "\n## Crates\n\n| crate | for | in |\n|---|---|---|\n";
    for (name, users) in &crates {
        let purpose = purposes.crates.get(name).map_or("", String::as_str);
        let _ = writeln!(
            text,
            "| `{name}` | {purpose} | {} |",
            users.iter().cloned().collect::<Vec<_>>().join(", ")
        );
    }
    text += "\n## Several versions of one crate\n\n| crate | why |\n|---|---|\n";
    for (name, reason) in &purposes.several {
        let _ = writeln!(text, "| `{name}` | {reason} |");
    }
    text += "\n## Packages from npm\n\nThey build and test; none ships.\n\n| package | for | in |\n|---|---|---|\n";
    for (name, users) in &npm {
        let purpose = purposes.npm.get(name).map_or("", String::as_str);
        let _ = writeln!(
            text,
            "| `{name}` | {purpose} | {} |",
            users.iter().copied().collect::<Vec<_>>().join(", ")
        );
    }
    text += "\n## Packages from PyPI\n\nThey test; none ships. Each list is complete, with hashes.\n\n| list | for |\n|---|---|\n";
    for (file, purpose) in &purposes.pypi {
        let _ = writeln!(text, "| `{file}` | {purpose} |");
    }
    Ok(Document { text, problems })
}

/// What only one of the two lists has.
fn differences(kind: &str, used: &BTreeSet<&str>, table: &BTreeMap<String, String>) -> Vec<String> {
    let table: BTreeSet<&str> = table.keys().map(String::as_str).collect();
    let missing = used.difference(&table).map(|name| {
        format!("the {kind} {name} has no purpose: write one into xtask/src/supply_chain/purposes.toml")
    });
    let unused = table.difference(used).map(|name| {
        format!("there is no {kind} {name}: take its purpose out of xtask/src/supply_chain/purposes.toml")
    });
    missing.chain(unused).collect()
}

/// The direct dependencies of every package of this repository: with the packages that use each, those in parentheses for
/// tests or building only.
fn direct_crates(workspaces: &[&Metadata]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    let packages = workspaces.iter().flat_map(|workspace| &workspace.packages);
    for package in packages.filter(|package| package.source.is_none()) {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_none()) {
            let users = found.entry(dependency.name.clone()).or_default();
            *users.entry(package.name.clone()).or_default() |= dependency.kind.is_none();
        }
    }
    let user = |(name, is_normal): (String, bool)| if is_normal { name } else { format!("({name})") };
    found.into_iter().map(|(name, users)| (name, users.into_iter().map(user).collect())).collect()
}

/// The direct dependencies of [`NPM`], with the manifests.
fn direct_npm(project: &Project) -> Result<BTreeMap<String, BTreeSet<&'static str>>> {
    let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for file in NPM {
        let text = fs::read_to_string(project.path(file)).with_context(|| format!("cannot read {file}"))?;
        let manifest: Value = serde_json::from_str(&text).with_context(|| file.to_owned())?;
        for kind in ["dependencies", "devDependencies"] {
            for name in manifest.get(kind).and_then(Value::as_object).into_iter().flat_map(|all| all.keys()) {
                found.entry(name.clone()).or_default().insert(file);
            }
        }
    }
    Ok(found)
}

/// The requirements files that are committed.
fn requirements(project: &Project) -> Result<BTreeSet<String>> {
    let mut command = project.command("git");
    command.args(["ls-files", "*requirements.txt"]);
    Ok(run_quietly(&mut command)?.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_purpose_and_a_purpose_without_a_dependency_are_problems() {
        let table =
            BTreeMap::from([("used".to_owned(), "x".to_owned()), ("unused".to_owned(), "y".to_owned())]);
        let problems = differences("crate", &BTreeSet::from(["used", "new"]), &table);
        assert_eq!(problems.len(), 2);
        assert!(problems.iter().any(|problem| problem.contains("new has no purpose")), "{problems:?}");
        assert!(problems.iter().any(|problem| problem.contains("there is no crate unused")), "{problems:?}");
    }

    #[test]
    fn no_purpose_is_empty() {
        let purposes = Purposes::read().unwrap();
        for (name, purpose) in purposes.crates.iter().chain(&purposes.npm).chain(&purposes.pypi) {
            assert!(purpose.len() >= 4 && !purpose.contains('|'), "{name}: {purpose:?}");
        }
    }
}
