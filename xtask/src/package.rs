//! `cargo xtask package`: uses the npm package as a stranger would.

use anyhow::Result;

use crate::build;
use crate::project::Project;
use crate::step::run;
use crate::tools;

/// The tests of the Worker's entry point.
const SHIM: &str = "tests/package/shim.mjs";

/// The walk, which starts in empty folders.
const WALK: &str = "tests/package/walk.mjs";

/// Packs the package, installs it without a network, and signs in under `wrangler dev`.
pub(crate) fn package(project: &Project) -> Result<()> {
    tools::ensure_npm(project)?;
    run(project.command(tools::node(project)?).arg(SHIM))?;
    let tarball = build::pack(project)?;
    run(project.command(tools::node(project)?).arg(WALK).arg(tarball))
}
