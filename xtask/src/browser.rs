//! What only a real browser can tell: a walk through the demo, by tests/browser/walk.mjs, one over the hosts of a
//! domain, by tests/browser/hosts.mjs, and a look at every page, by tests/browser/pages.mjs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::build::{self, Effort};
use crate::project::Project;
use crate::stack::{Demo, Ports, Stack, Storage};
use crate::step::{run, run_quietly, step};
use crate::tools;

/// One step, by its name on the command line. The Worker has to be in `build/`.
type Step = (&'static str, fn(&Project, &Path) -> Result<()>);

/// The steps, in their order.
pub(crate) const STEPS: [Step; 3] = [("browser", walk), ("hosts", hosts), ("pages", look)];

/// What was asked for on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Run this step alone
    #[arg(value_name = "STEP", value_parser = PossibleValuesParser::new(STEPS.map(|(name, _)| name)))]
    only: Option<String>,
}

/// `cargo xtask browser`: builds the Worker, walks and looks; or one step of it.
pub(crate) fn browser(project: &Project, options: &Options) -> Result<()> {
    build::build(project, Effort::Optimized)?;
    let chromium = tools::ensure_chromium(project)?;
    let wanted = |(name, _): &&Step| options.only.as_ref().is_none_or(|only| only == name);
    STEPS.iter().filter(wanted).try_for_each(|(name, run)| step(name, || run(project, &chromium)))
}

const SCREENSHOTS: &str = "target/screenshots";

/// Starts the demo on free ports, with storage of its own, and walks through it. Pictures are left in
/// target/screenshots/.
fn walk(project: &Project, chromium: &Path) -> Result<()> {
    let ports = Ports::free()?;
    let stack = Stack::start(project, Demo::Bare, ports, &Storage::fresh(project, ports)?, &|| false)?;
    let mut command = project.command(tools::node(project)?);
    command.arg("tests/browser/walk.mjs");
    command.env("WALK_URL", stack.url()).env("WALK_CHROMIUM", chromium);
    command.env("WALK_SCREENSHOTS", project.path(SCREENSHOTS));
    let result = run(&mut command);
    stack.stop();
    result
}

/// Starts the two Workers of a domain, and walks over its hosts.
fn hosts(project: &Project, chromium: &Path) -> Result<()> {
    let site = Ports::free()?;
    let stack = Stack::start(project, Demo::Site, site, &Storage::fresh(project, site)?, &|| false)?;
    // Its API is the provider's, too.
    let docs = Ports { provider: site.provider, ..Ports::free()? };
    let other = Stack::start(project, Demo::Docs, docs, &Storage::fresh(project, docs)?, &|| false)?;
    let mut command = project.command(tools::node(project)?);
    command.arg("tests/browser/hosts.mjs");
    command.env("HOSTS_SITE", site.worker.to_string()).env("HOSTS_DOCS", docs.worker.to_string());
    command.env("WALK_URL", stack.url()).env("WALK_CHROMIUM", chromium);
    command.env("WALK_SCREENSHOTS", project.path(SCREENSHOTS));
    let result = run(&mut command);
    other.stop();
    stack.stop();
    result
}

/// Has the flows' tests write down every page, and looks at them: whether they fit, are valid, and are for
/// everybody. Pictures are left beside those of the walk.
fn look(project: &Project, chromium: &Path) -> Result<()> {
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
        "vestibule-core",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_step_that_is_none_is_named_before_anything_is_built() {
        let error = read::<Options>(&["host"]).unwrap_err().to_string();
        assert!(error.contains("'host'"), "{error}");
        assert!(STEPS.iter().all(|(name, _)| error.contains(name)), "{error}");
    }
}
