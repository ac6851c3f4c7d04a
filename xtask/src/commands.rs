//! `cargo xtask commands`: builds the commands of the npm package and tests them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::build;
use crate::project::Project;
use crate::step::run;
use crate::tools;

/// Where they are built, with the folders that they have in the package.
const OUTPUT: &str = "target/commands";

/// The tests.
const TEST: &str = "tests/commands/commands.mjs";

/// Copies the commands beside their WebAssembly, and starts them as a user does.
pub(crate) fn commands(project: &Project) -> Result<()> {
    let output = project.path(OUTPUT);
    for folder in ["bin", "cli", "worker"] {
        copy(&project.path("npm").join(folder), &output.join(folder))?;
    }
    build::build_cli(project, &output.join("cli"))?;
    build::write_checksums(&output)?;
    run(project.command(tools::node(project)?).args(["--test", TEST]))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to).with_context(|| format!("cannot write {}", to.display()))?;
        }
    }
    Ok(())
}
