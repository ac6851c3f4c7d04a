//! What `cargo metadata` says of all crates that Cargo.lock names.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::project::Project;
use crate::step::run_quietly;

#[derive(Deserialize)]
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
}

#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// Where it is from: `None` for a package of this repository.
    pub(super) source: Option<String>,
    pub(super) links: Option<String>,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// `dev` or `build`; `None` for one that is linked.
    pub(super) kind: Option<String>,
    /// Where it is, for a package of this repository.
    pub(super) path: Option<String>,
}

impl Metadata {
    /// Of the workspace.
    pub(super) fn read(project: &Project) -> Result<Self> {
        Self::of(project, "Cargo.toml")
    }

    /// Of the workspace of cargo-fuzz, which is one of its own.
    pub(super) fn of_fuzz(project: &Project) -> Result<Self> {
        Self::of(project, "fuzz/Cargo.toml")
    }

    /// Runs `cargo metadata`, which only reads manifests, and fails where Cargo.lock does not fit them.
    fn of(project: &Project, manifest: &str) -> Result<Self> {
        let mut command = project.cargo();
        command.args([
            "metadata",
            "--manifest-path",
            manifest,
            "--format-version",
            "1",
            "--locked",
            "--quiet",
        ]);
        serde_json::from_str(&run_quietly(&mut command)?).context("cannot read cargo's metadata")
    }
}
