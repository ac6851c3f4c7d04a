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
    /// Runs `cargo metadata`, which only reads manifests.
    pub(super) fn read(project: &Project) -> Result<Self> {
        let mut command = project.cargo();
        command.args(["metadata", "--format-version", "1", "--locked", "--quiet"]);
        serde_json::from_str(&run_quietly(&mut command)?).context("cannot read cargo's metadata")
    }
}
