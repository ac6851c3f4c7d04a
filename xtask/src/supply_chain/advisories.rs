//! What the registries say of the versions in use: crates that were withdrawn (yanked), and advisories. What cannot be
//! asked is said.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use super::Linked;
use crate::project::Project;
use crate::step::run_quietly;

/// The result of one question.
pub(super) enum Finding {
    /// Nothing is wrong.
    Fine(String),
    /// Nobody could be asked.
    Unknown(String),
    /// Something is wrong.
    Problem(String),
}

/// Asks about everything that ships, and about the packages of npm. `offline` asks nobody.
pub(super) fn ask(project: &Project, shipped: &BTreeSet<&Linked>, offline: bool) -> Vec<Finding> {
    if offline {
        return vec![Finding::Unknown(
            "not asked: what was withdrawn, and advisories (--offline)".to_owned(),
        )];
    }
    let crates: Vec<&Linked> = shipped.iter().copied().filter(|one| !is_ours(one)).collect();
    let mut findings = match yanked(project, &crates) {
        Ok(yanked) if yanked.is_empty() => {
            vec![Finding::Fine(format!(
                "none of the {} crates that ship was withdrawn (yanked)",
                crates.len()
            ))]
        }
        Ok(yanked) => yanked.into_iter().map(Finding::Problem).collect(),
        Err(error) => vec![Finding::Unknown(format!("not known whether a crate was withdrawn: {error:#}"))],
    };
    findings.push(match cargo_audit(project) {
        Ok(text) => Finding::Fine(text),
        Err(Unanswered::Problem(text)) => Finding::Problem(text),
        Err(Unanswered::Unknown(text)) => Finding::Unknown(text),
    });
    findings.push(match npm_audit(project) {
        Ok(0) => Finding::Fine("npm audit: no advisory for the packages that build and test".to_owned()),
        // They do not ship; the number is for the next update.
        Ok(count) => Finding::Fine(format!(
            "npm audit: {count} advisories for packages that build and test: `npm audit`"
        )),
        Err(error) => {
            Finding::Unknown(format!("not known whether packages of npm have advisories: {error:#}"))
        }
    });
    findings.push(Finding::Unknown(
        "not asked: PyPI, whose packages only test (`pip-audit --requirement FILE` asks)".to_owned(),
    ));
    findings
}

fn is_ours(one: &Linked) -> bool {
    one.name.starts_with("vestibule")
}

/// The crates that were withdrawn. Cargo asks the registry, and what it was told is read from its cache.
fn yanked(project: &Project, crates: &[&Linked]) -> Result<Vec<String>> {
    // Resolving the newest versions makes cargo ask about every crate in Cargo.lock; nothing is changed.
    run_quietly(project.cargo().args(["update", "--dry-run", "--quiet"]))?;
    let caches = caches()?;
    let mut found = Vec::new();
    for one in crates {
        let entry = caches
            .iter()
            .find_map(|cache| entry(&fs::read(cache.join(place(&one.name))).ok()?, &one.version))
            .with_context(|| format!("cargo's cache does not have {} {}", one.name, one.version))?;
        if entry.yanked {
            found.push(format!("{} {} was withdrawn (yanked): update it", one.name, one.version));
        }
    }
    Ok(found)
}

/// The folders in which cargo keeps what it knows of crates.io.
fn caches() -> Result<Vec<PathBuf>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let index = home.context("there is no home directory")?.join("registry/index");
    let entries = fs::read_dir(&index).with_context(|| format!("cannot read {}", index.display()))?;
    Ok(entries
        .filter_map(|entry| Some(entry.ok()?.path().join(".cache")))
        .filter(|path| path.is_dir())
        .collect())
}

/// Where the index has a crate: <https://doc.rust-lang.org/cargo/reference/registry-index.html#index-files>.
fn place(name: &str) -> PathBuf {
    let name = name.to_lowercase();
    let part = |from: usize, to: usize| name.get(from..to).unwrap_or_default();
    match name.len() {
        length @ 1..=2 => Path::new(&length.to_string()).join(&name),
        3 => Path::new("3").join(part(0, 1)).join(&name),
        _ => Path::new(part(0, 2)).join(part(2, 4)).join(&name),
    }
}

/// A version of a crate in the index.
#[derive(Deserialize)]
struct Entry {
    vers: String,
    yanked: bool,
}

/// The version in a file of cargo's cache: among other things, the index's lines of JSON, each before a zero byte.
fn entry(file: &[u8], version: &str) -> Option<Entry> {
    let texts = file.split(|byte| *byte == 0).filter(|text| text.first() == Some(&b'{'));
    // What comes after `+` is not part of the version.
    let bare = |version: &str| version.split('+').next().unwrap_or_default().to_owned();
    texts
        .filter_map(|text| serde_json::from_slice(text).ok())
        .find(|entry: &Entry| bare(&entry.vers) == bare(version))
}

enum Unanswered {
    Unknown(String),
    Problem(String),
}

/// RustSec's advisories, if `cargo audit` is installed and has them.
fn cargo_audit(project: &Project) -> Result<String, Unanswered> {
    if run_quietly(project.cargo().args(["audit", "--version"])).is_err() {
        let text =
            "not known whether crates have advisories: `cargo install cargo-audit`, which needs github.com";
        return Err(Unanswered::Unknown(text.to_owned()));
    }
    match run_quietly(project.cargo().args(["audit", "--quiet"])) {
        Ok(_) => Ok("cargo audit: no advisory of RustSec for Cargo.lock".to_owned()),
        Err(error) if format!("{error:#}").contains("couldn't fetch advisory database") => {
            Err(Unanswered::Unknown(format!("not known whether crates have advisories: {error:#}")))
        }
        Err(error) => Err(Unanswered::Problem(format!("cargo audit: {error:#}"))),
    }
}

/// How many advisories npm's registry has for the packages of package-lock.json.
fn npm_audit(project: &Project) -> Result<u64> {
    // It exits with an error both if there are advisories and if it could not ask.
    let mut command = project.command("npm");
    let output = command.args(["audit", "--json"]).output().context("npm does not start")?;
    let answer: Value = serde_json::from_slice(&output.stdout).context("npm audit printed no JSON")?;
    match answer.pointer("/metadata/vulnerabilities/total").and_then(Value::as_u64) {
        Some(total) => Ok(total),
        None => bail!(
            "npm audit: {}",
            answer.get("message").and_then(Value::as_str).unwrap_or("the registry did not answer")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_found_where_the_index_has_it() {
        for (name, path) in [
            ("a", "1/a"),
            ("ab", "2/ab"),
            ("url", "3/u/url"),
            ("serde", "se/rd/serde"),
            ("MixedCase", "mi/xe/mixedcase"),
        ] {
            assert_eq!(place(name), Path::new(path));
        }
    }

    #[test]
    fn a_withdrawn_version_is_found_in_cargos_cache() {
        let file =
            b"\x03\x02\0\0\0etag: x\x001.0.0\0{\"name\":\"a\",\"vers\":\"1.0.0\",\"yanked\":false}\x00\
                     1.0.1+b\0{\"name\":\"a\",\"vers\":\"1.0.1+b\",\"yanked\":true}\0";
        assert!(!entry(file, "1.0.0").unwrap().yanked);
        assert!(entry(file, "1.0.1").unwrap().yanked);
        assert!(entry(file, "2.0.0").is_none());
    }
}
