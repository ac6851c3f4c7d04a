//! The software bill of materials: every crate whose code is in the Worker, in the format of CycloneDX 1.6.
//!
//! It is made from `cargo metadata` and Cargo.lock alone, so that the same commit gives the same file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::project::Project;
use crate::step::run_quietly;
use crate::supply_chain;
use crate::tools::TARGET;

/// The package that is the Worker.
const ROOT: &str = supply_chain::WORKER.package;

/// The bill of materials of the Worker as it is deployed, as JSON.
pub(super) fn of_the_worker(project: &Project) -> Result<String> {
    let mut command = project.cargo();
    command.args(["metadata", "--quiet", "--format-version", "1", "--locked", "--filter-platform", TARGET]);
    let metadata: Metadata = serde_json::from_str(&run_quietly(&mut command)?).context("cargo metadata")?;
    let lock = fs::read_to_string(project.path("Cargo.lock")).context("cannot read Cargo.lock")?;
    let lock: Lock = toml::from_str(&lock).context("Cargo.lock")?;
    let bill = bill(&metadata, &lock, &linked(project)?)?;
    Ok(serde_json::to_string_pretty(&bill)? + "\n")
}

/// The crates that are linked into the Worker, as package URLs.
fn linked(project: &Project) -> Result<BTreeSet<String>> {
    let crates = supply_chain::linked(project, &supply_chain::WORKER)?;
    Ok(crates.iter().map(|one| url(&one.name, &one.version)).collect())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    /// `None` for the packages of this repository.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `None` is a normal one; the others are for tests and build scripts.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

impl Package {
    fn url(&self) -> String {
        url(&self.name, &self.version)
    }
}

/// The package URL: <https://github.com/package-url/purl-spec>.
fn url(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// A crate in the bill.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    reference: String,
    name: String,
    version: String,
    purl: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<Value>,
}

fn bill(metadata: &Metadata, lock: &Lock, linked: &BTreeSet<String>) -> Result<Value> {
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let root = metadata.packages.iter().find(|package| package.source.is_none() && package.name == ROOT);
    let root = root.with_context(|| format!("there is no package `{ROOT}`"))?;
    let edges: BTreeMap<&str, Vec<&Package>> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = node.deps.iter().filter(|it| it.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            let needed = normal.filter_map(|it| packages.get(it.pkg.as_str()).copied());
            (node.id.as_str(), needed.filter(|package| linked.contains(&package.url())).collect())
        })
        .collect();
    let needs = |package: &Package| edges.get(package.id.as_str()).map_or(&[][..], Vec::as_slice);
    let is_linked = |package: &&Package| linked.contains(&package.url());
    let found: BTreeMap<String, &Package> =
        metadata.packages.iter().filter(is_linked).map(|package| (package.url(), package)).collect();
    let checksums: BTreeMap<(&str, &str), &str> = lock
        .package
        .iter()
        .filter_map(|it| Some(((it.name.as_str(), it.version.as_str()), it.checksum.as_deref()?)))
        .collect();
    let component = |package: &Package| Component {
        kind: if package.id == root.id { "application" } else { "library" },
        reference: package.url(),
        name: package.name.clone(),
        version: package.version.clone(),
        purl: package.url(),
        // Old crates separate alternatives by a slash, which is not SPDX.
        licenses: package.license.iter().map(|it| json!({ "expression": it.replace('/', " OR ") })).collect(),
        hashes: checksums
            .get(&(package.name.as_str(), package.version.as_str()))
            .map(|hash| json!({ "alg": "SHA-256", "content": hash }))
            .into_iter()
            .collect(),
        external_references: package
            .repository
            .iter()
            .map(|url| json!({ "type": "vcs", "url": url }))
            .collect(),
    };
    let others = found.values().filter(|package| package.id != root.id);
    let dependencies = found.values().map(|package| {
        let urls: BTreeSet<String> = needs(package).iter().map(|needed| needed.url()).collect();
        json!({ "ref": package.url(), "dependsOn": urls })
    });
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": component(root) },
        "components": others.map(|package| component(package)).collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_this_repository() -> Value {
        serde_json::from_str(&of_the_worker(&Project::find().unwrap()).unwrap()).unwrap()
    }

    fn names(bill: &Value) -> Vec<&str> {
        bill["components"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn it_lists_what_is_in_the_worker_and_nothing_that_only_builds_or_tests_it() {
        let bill = of_this_repository();
        let names = names(&bill);
        for wanted in
            ["vestibule-core", "vestibule-oidc", "worker", "serde", "jwt-compact", "base64", "getrandom"]
        {
            assert!(names.contains(&wanted), "{wanted} is missing in {names:?}");
        }
        for unwanted in ["vestibule-testing", "proptest", "clap", "syn", "serde_derive", "xtask"] {
            assert!(!names.contains(&unwanted), "{unwanted} is in {names:?}");
        }
    }

    #[test]
    fn each_crate_of_the_registry_has_its_license_and_its_checksum() {
        let bill = of_this_repository();
        for component in bill["components"].as_array().unwrap() {
            if component["name"].as_str().unwrap().starts_with("vestibule") {
                continue;
            }
            assert!(component["licenses"][0]["expression"].is_string(), "{component}");
            assert_eq!(component["hashes"][0]["content"].as_str().unwrap().len(), 64, "{component}");
        }
    }

    #[test]
    fn every_dependency_is_a_component() {
        let bill = of_this_repository();
        let known: BTreeSet<&str> =
            bill["dependencies"].as_array().unwrap().iter().map(|it| it["ref"].as_str().unwrap()).collect();
        assert_eq!(known.len(), names(&bill).len() + 1);
        for dependency in bill["dependencies"].as_array().unwrap() {
            for needed in dependency["dependsOn"].as_array().unwrap() {
                assert!(known.contains(needed.as_str().unwrap()), "{needed}");
            }
        }
    }

    #[test]
    fn the_same_commit_gives_the_same_bill() {
        assert_eq!(of_this_repository(), of_this_repository());
    }
}
