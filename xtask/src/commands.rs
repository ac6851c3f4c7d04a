//! `cargo xtask commands`: builds the commands of the npm package and tests them.

use anyhow::Result;

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
        build::copy_folder(&project.path("npm").join(folder), &output.join(folder))?;
    }
    build::build_cli(project, &output.join("cli"))?;
    build::write_checksums(&output)?;
    run(project.command(tools::node(project)?).args(["--test", TEST]))
}
