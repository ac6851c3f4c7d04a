//! The packages of this repository and what cargo makes of each, as `cargo metadata` has it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::project::Project;
use crate::step::run_quietly;

/// The packages.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
}

/// A package.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) targets: Vec<Target>,
    manifest_path: PathBuf,
}

/// A library, a program or a file of tests.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    /// Whether `cargo test` runs it.
    pub(crate) test: bool,
    /// Whether it has tests with names. Otherwise it is a program that is a test as a whole.
    #[serde(skip, default = "yes")]
    pub(crate) has_names: bool,
}

fn yes() -> bool {
    true
}

impl Workspace {
    /// Asks cargo, which reads manifests only.
    pub(crate) fn read(project: &Project) -> Result<Workspace> {
        let metadata =
            run_quietly(project.cargo().args(["metadata", "--format-version", "1", "--no-deps", "--quiet"]))?;
        let mut workspace: Workspace =
            serde_json::from_str(&metadata).context("cannot read cargo's metadata")?;
        for package in &mut workspace.packages {
            let programs = without_harness(&package.manifest_path)?;
            for target in &mut package.targets {
                target.has_names = !programs.contains(&target.name);
            }
        }
        Ok(workspace)
    }
}

/// The tests with `harness = false`, which cargo's metadata does not tell.
fn without_harness(manifest: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(default)]
        test: Vec<Test>,
    }
    #[derive(Deserialize)]
    struct Test {
        name: String,
        #[serde(default = "yes")]
        harness: bool,
    }
    let text = fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let manifest: Manifest =
        toml::from_str(&text).with_context(|| format!("cannot read {}", manifest.display()))?;
    Ok(manifest.test.into_iter().filter(|test| !test.harness).map(|test| test.name).collect())
}
