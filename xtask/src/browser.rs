//! The tests that need a real browser: a walk through the demo (tests/browser/walk.mjs), a walk through several hosts of
//! one domain (tests/browser/hosts.mjs), sign-outs that reach another browser (tests/browser/logout.mjs), and a check of
//! every page (tests/browser/pages.mjs). Two of them run on every runtime: the walk, and one story of a sign-in, refreshes and
//! revocations (tests/browser/story.mjs).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::build::{self, Effort};
use crate::project::Project;
use crate::runtime::RuntimeName;
use crate::stack::{Demo, Ports, Runtime, Setup, Stack, Storage};
use crate::step::{run, run_quietly, step};
use crate::tools;

/// One step, with its name on the command line. The Worker has to be in `build/`.
type Step = (&'static str, fn(&Project, &Path) -> Result<()>);

/// The steps that start a site.
pub(crate) const WALKS: [Step; 4] =
    [("browser", walk), ("hosts", hosts), ("logout", logout), ("story", story)];

/// The step that lets a test write the pages.
pub(crate) const PAGES: Step = ("pages", check_pages);

/// All steps in the order in which they run.
fn steps() -> impl Iterator<Item = Step> {
    WALKS.into_iter().chain([PAGES])
}

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Run only this step
    #[arg(value_name = "STEP", value_parser = PossibleValuesParser::new(steps().map(|(name, _)| name)))]
    only: Option<String>,
    /// What runs the site in the steps `browser` and `story`, which are the only ones then
    #[arg(long, value_name = "NAME")]
    runtime: Option<RuntimeName>,
}

/// `cargo xtask browser`: builds the Worker and runs all steps, or the one that the options name.
pub(crate) fn browser(project: &Project, options: &Options) -> Result<()> {
    let chromium = tools::ensure_chromium(project)?;
    if let Some(name) = options.runtime {
        let only = options.only.as_deref();
        ensure!(
            matches!(only, None | Some("browser" | "story")),
            "only `browser` and `story` run on each runtime"
        );
        let runtime = name.build(project)?;
        if only != Some("story") {
            step("browser", || walk_through(project, Setup::at(project, Demo::Bare, &runtime), &chromium))?;
        }
        if only != Some("browser") {
            step("story", || story_on(project, &runtime, &chromium))?;
        }
        return Ok(());
    }
    build::build(project, Effort::Optimized)?;
    let wanted = |(name, _): &Step| options.only.as_ref().is_none_or(|only| only == name);
    steps().filter(wanted).try_for_each(|(name, run)| step(name, || run(project, &chromium)))
}

const SCREENSHOTS: &str = "target/screenshots";

/// Starts the demo on free ports with its own storage, and walks through it. The script writes screenshots to
/// target/screenshots/.
fn walk(project: &Project, chromium: &Path) -> Result<()> {
    walk_through(project, Setup::of(project, Demo::Bare), chromium)
}

/// The same with a setup of the demo, which another runtime may have.
pub(crate) fn walk_through(project: &Project, setup: Setup, chromium: &Path) -> Result<()> {
    let ports = Ports::free()?;
    let stack = Stack::start(project, setup, ports, Storage::fresh(project, ports)?, &|| false)?;
    let mut command = project.command(tools::node(project)?);
    command.arg("tests/browser/walk.mjs");
    command.env("WALK_URL", stack.url()).env("WALK_CHROMIUM", chromium);
    command.env("WALK_SCREENSHOTS", project.path(SCREENSHOTS));
    let result = run(&mut command);
    stack.stop();
    result
}

/// Starts the two Workers of one domain, and walks through its hosts.
fn hosts(project: &Project, chromium: &Path) -> Result<()> {
    let site = Ports::free()?;
    let stack =
        Stack::start(project, Setup::of(project, Demo::Site), site, Storage::fresh(project, site)?, &|| {
            false
        })?;
    // The second application calls the provider of the first: its userinfo endpoint serves as an API.
    let docs = Ports { provider: site.provider, ..Ports::free()? };
    let other =
        Stack::start(project, Setup::of(project, Demo::Docs), docs, Storage::fresh(project, docs)?, &|| {
            false
        })?;
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

/// Starts two Workers of one site that share nothing but their store, and signs out in one browser while another is at the
/// other Worker. The script writes screenshots to target/screenshots/.
fn logout(project: &Project, chromium: &Path) -> Result<()> {
    let here = Ports::free()?;
    let storage = Storage::fresh(project, here)?;
    let stack = Stack::start(project, Setup::of(project, Demo::Logout), here, storage.clone(), &|| false)?;
    let elsewhere = Ports { worker: Ports::free()?.worker, ..here };
    let other =
        Stack::start(project, Setup::of(project, Demo::LogoutElsewhere), elsewhere, storage, &|| false)?;
    let mut command = project.command(tools::node(project)?);
    command.arg("tests/browser/logout.mjs");
    command.env("LOGOUT_ELSEWHERE", other.url()).env("LOGOUT_PROVIDER", here.provider_url());
    command.env("WALK_URL", stack.url()).env("WALK_CHROMIUM", chromium);
    command.env("WALK_SCREENSHOTS", project.path(SCREENSHOTS));
    let result = run(&mut command);
    other.stop();
    stack.stop();
    result
}

/// One person's story with the Worker.
fn story(project: &Project, chromium: &Path) -> Result<()> {
    story_on(project, &Runtime::Workers, chromium)
}

/// Starts the site of the story in this runtime, and walks through it.
pub(crate) fn story_on(project: &Project, runtime: &Runtime, chromium: &Path) -> Result<()> {
    let ports = Ports::free()?;
    let setup = Setup::at(project, Demo::Strict, runtime);
    let stack = Stack::start(project, setup, ports, Storage::fresh(project, ports)?, &|| false)?;
    let mut command = project.command(tools::node(project)?);
    command.arg("tests/browser/story.mjs").env("STORY_RUNTIME", runtime.name());
    command.env("STORY_PROVIDER", ports.provider_url()).env("STORY_REVOKES", runtime.revokes().to_string());
    command.env("WALK_URL", stack.url()).env("WALK_CHROMIUM", chromium);
    command.env("WALK_SCREENSHOTS", project.path(SCREENSHOTS));
    let result = run(&mut command);
    stack.stop();
    result
}

/// Lets the flow tests write every page to a file, and checks the pages: valid HTML, accessibility, layout at several
/// widths, and what the browser's password manager fills in. The first script writes screenshots to target/screenshots/.
fn check_pages(project: &Project, chromium: &Path) -> Result<()> {
    let directory = project.path("target/pages");
    // Otherwise the pages of an earlier run could hide that a page was not written.
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
        "pages::every_page_is_written_for_the_browser_tests",
    ]);
    run_quietly(write.env("PAGES_FILE", &pages))?;
    if !pages.is_file() {
        bail!("the flow test that writes the pages did not run: has it another name now?");
    }
    let mut command = project.command(tools::node(project)?);
    command.arg("tests/browser/pages.mjs");
    command.env("PAGES_FILE", &pages).env("PAGES_CHROMIUM", chromium);
    command.env("PAGES_SCREENSHOTS", project.path(SCREENSHOTS));
    run(&mut command)?;
    let mut command = project.command(tools::node(project)?);
    command.args(["--no-warnings", "tests/browser/passwords.mjs"]);
    command.env("PAGES_FILE", &pages).env("PAGES_CHROMIUM", chromium);
    command.env("PAGES_PROFILE", directory.join("profile"));
    run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn an_unknown_step_is_rejected_with_the_list_of_steps() {
        let error = read::<Options>(&["host"]).unwrap_err().to_string();
        assert!(error.contains("'host'"), "{error}");
        assert!(steps().all(|(name, _)| error.contains(name)), "{error}");
    }
}
