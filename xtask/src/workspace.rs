//! The packages of this repository and their targets, from `cargo metadata`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::project::Project;
use crate::step::run_quietly;

/// The packages of the workspace.
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

/// A library, a program or a test target.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    /// Whether `cargo test` runs it.
    pub(crate) test: bool,
    /// Whether it uses the standard test harness, so that a filter can select its tests by name. Otherwise
    /// (`harness = false`) it is a program that is one test as a whole.
    #[serde(skip, default = "yes")]
    pub(crate) has_harness: bool,
}

fn yes() -> bool {
    true
}

impl Workspace {
    /// Runs `cargo metadata`, which only reads manifests.
    pub(crate) fn read(project: &Project) -> Result<Workspace> {
        let metadata =
            run_quietly(project.cargo().args(["metadata", "--format-version", "1", "--no-deps", "--quiet"]))?;
        let mut workspace: Workspace =
            serde_json::from_str(&metadata).context("cannot read cargo's metadata")?;
        for package in &mut workspace.packages {
            let programs = without_harness(&package.manifest_path)?;
            for target in &mut package.targets {
                target.has_harness = !programs.contains(&target.name);
            }
        }
        Ok(workspace)
    }
}

/// The names of the tests with `harness = false`. The output of `cargo metadata` does not contain this key.
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
