//! `cargo xtask test`: everything that has to hold before a change lands.

use anyhow::Result;
use clap::Args;

use crate::apps;
use crate::browser;
use crate::build;
use crate::layers;
use crate::project::Project;
use crate::step::{run, step};
use crate::time::Stopwatch;
use crate::tools::{self, TARGET, WASI};

/// What was asked for on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Leave out what needs a browser
    #[arg(long)]
    quick: bool,
}

/// The steps that need no browser, for the last line.
const WITHOUT_BROWSER: &str =
    "format, layers, clippy, the core without JavaScript, documentation, build, tests";

/// Runs all of it, and stops at the first step that fails.
pub(crate) fn test(project: &Project, options: &Options) -> Result<()> {
    let watch = Stopwatch::start();
    tools::ensure_components(project)?;
    tools::ensure_target(project, TARGET)?;
    tools::ensure_target(project, WASI)?;
    tools::ensure_npm(project)?;
    tools::ensure_nginx(project)?;
    let chromium = if options.quick { None } else { Some(tools::ensure_chromium(project)?) };

    let cargo = |arguments: &[&str]| run(project.cargo().args(arguments));
    step("format", || cargo(&["fmt", "--all", "--check"]))?;
    step("layers", || layers::check(project))?;
    step("clippy, native", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step("clippy, wasm32", || {
        cargo(&[
            "clippy",
            "--package",
            "vestibule",
            "--features",
            "entry",
            "--target",
            TARGET,
            "--",
            "-D",
            "warnings",
        ])
    })?;
    step("the core without JavaScript", || {
        cargo(&["check", "--package", "vestibule-core", "--target", WASI])
    })?;
    step("documentation", || {
        run(project.cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    // Before the tests: those in the real runtime start what was built.
    step("build", || build::build_and_check(project))?;
    step("tests", || cargo(&["test", "--workspace"]))?;
    let Some(chromium) = chromium else {
        println!("\npassed in {watch}: {WITHOUT_BROWSER}; not run: the browser");
        return Ok(());
    };
    for (name, run) in browser::STEPS {
        step(name, || run(project, &chromium))?;
    }
    apps::all(project, &chromium)?;
    println!("\npassed in {watch}: {WITHOUT_BROWSER}, browser, hosts, pages, applications");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_misspelt_flag_does_not_run_everything() {
        assert_eq!(read::<Options>(&["--quick"]).unwrap(), Options { quick: true });
        assert!(read::<Options>(&["--quik"]).unwrap_err().to_string().contains("--quik"));
    }
}
