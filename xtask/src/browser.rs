//! What only a real browser can tell: a walk through the demo, by tests/browser/walk.mjs, and a look at every
//! page, by tests/browser/pages.mjs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::build::{self, Effort};
use crate::project::Project;
use crate::stack::{Ports, Scene, Stack, Storage};
use crate::step::{run, run_quietly, step};
use crate::tools;

/// `cargo xtask browser`: builds the Worker, walks and looks.
pub(crate) fn browser(project: &Project) -> Result<()> {
    build::build(project, Effort::Optimized)?;
    let chromium = tools::ensure_chromium(project)?;
    step("browser", || walk(project, &chromium))?;
    step("pages", || look(project, &chromium))
}

const SCREENSHOTS: &str = "target/screenshots";

/// Starts the demo on free ports, with storage of its own, and walks through it. Pictures are left in
/// target/screenshots/.
pub(crate) fn walk(project: &Project, chromium: &Path) -> Result<()> {
    let ports = Ports::free()?;
    let stack = Stack::start(project, Scene::Demo, ports, &Storage::fresh(project, ports)?, &|| false)?;
    let mut command = project.command(tools::node(project)?);
    command.arg("tests/browser/walk.mjs");
    command.env("WALK_URL", stack.url()).env("WALK_CHROMIUM", chromium);
    command.env("WALK_SCREENSHOTS", project.path(SCREENSHOTS));
    let result = run(&mut command);
    stack.stop();
    result
}

/// Has the flows' tests write down every page, and looks at them: whether they fit, are valid, and are for
/// everybody. Pictures are left beside those of the walk.
pub(crate) fn look(project: &Project, chromium: &Path) -> Result<()> {
    let directory = project.path("target/pages");
    // Pages of an earlier run must not stand in for those that were not written.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).context("cannot create target/pages/")?;
    let pages = directory.join("pages.json");
    let mut write = project.cargo();
    write.args([
        "test",
        "--quiet",
        "--package",
        "vestibule",
        "--test",
        "flows",
        "pages::every_page_is_there",
    ]);
    run_quietly(write.env("PAGES_FILE", &pages))?;
    let mut command = project.command(tools::node(project)?);
    command.arg("tests/browser/pages.mjs");
    command.env("PAGES_FILE", &pages).env("PAGES_CHROMIUM", chromium);
    command.env("PAGES_SCREENSHOTS", project.path(SCREENSHOTS));
    run(&mut command)
}
