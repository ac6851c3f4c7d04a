//! A walk through the demo in a real browser, by tests/browser/walk.mjs.

use std::path::Path;

use anyhow::Result;

use crate::build::{self, Effort};
use crate::project::Project;
use crate::stack::{Ports, Stack, Storage};
use crate::step::{run, step};
use crate::tools;

/// `cargo xtask browser`: builds the Worker and walks.
pub(crate) fn browser(project: &Project) -> Result<()> {
    build::build(project, Effort::Optimized)?;
    let chromium = tools::ensure_chromium(project)?;
    step("browser", || walk(project, &chromium))
}

/// Starts the demo on free ports, with storage of its own, and walks through it. Pictures are left in
/// target/screenshots/.
pub(crate) fn walk(project: &Project, chromium: &Path) -> Result<()> {
    let ports = Ports::free()?;
    let stack = Stack::start(project, ports, &Storage::fresh(project, ports)?, &|| false)?;
    let mut command = project.command(tools::node(project)?);
    command.arg("tests/browser/walk.mjs");
    command.env("WALK_URL", stack.url()).env("WALK_CHROMIUM", chromium);
    command.env("WALK_SCREENSHOTS", project.path("target/screenshots"));
    let result = run(&mut command);
    stack.stop();
    result
}
