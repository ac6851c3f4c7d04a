//! Runs the built Worker in front of real frameworks: the tests in tests/frameworks/, with what they need from npm, PyPI and
//! Debian.

use std::fs;

use anyhow::{Context, Result};
use clap::Args;

use crate::build::{self, Effort};
use crate::project::Project;
use crate::step::{run, run_quietly, step};
use crate::tools::{self, fingerprint};

/// The directory of the tests, which has the package-lock.json of the frameworks.
const DIRECTORY: &str = "tests/frameworks";

/// The Next.js applications.
const NEXT_JS: [&str; 3] = ["next", "next-i18n", "next-export"];

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Run only the tests with this text in their names, for example `django`
    #[arg(value_name = "NAME")]
    only: Option<String>,
}

/// `cargo xtask frameworks`: builds the Worker and the applications, and runs the tests.
pub(crate) fn frameworks(project: &Project, options: &Options) -> Result<()> {
    tools::ensure_npm(project)?;
    build::build(project, Effort::Optimized)?;
    run_tests(project, options.only.as_deref())
}

/// Installs and builds the applications, and runs the tests. The Worker has to be in `build/`.
pub(crate) fn run_tests(project: &Project, only: Option<&str>) -> Result<()> {
    tools::ensure_npm_of(project, DIRECTORY)?;
    tools::ensure_php(project)?;
    ensure_python(project)?;
    step("react-router build", || {
        let mut command = project.command(tools::node(project)?);
        command.current_dir(project.path(DIRECTORY).join("apps/react-router"));
        run_quietly(command.args(["../../node_modules/@react-router/dev/bin.js", "build"])).map(drop)
    })?;
    for application in NEXT_JS {
        step(&format!("next build, {application}"), || {
            let mut command = project.command(tools::node(project)?);
            command.current_dir(project.path(DIRECTORY).join("apps").join(application));
            command.args(["../../node_modules/next/dist/bin/next", "build"]);
            run_quietly(command.env("NEXT_TELEMETRY_DISABLED", "1")).map(drop)
        })?;
    }
    let mut command = project.cargo();
    command.args(["test", "--package", "vestibule", "--test", "frameworks"]).args(only);
    run(&mut command)
}

/// Makes a virtual environment with the packages of requirements.txt, unless there is one with exactly these.
fn ensure_python(project: &Project) -> Result<()> {
    let directory = project.path(DIRECTORY);
    let requirements = directory.join("requirements.txt");
    let wanted = fs::read(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))
        .map(|text| fingerprint([text.as_slice()]))?;
    let stamp = directory.join(".venv/.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    step("pip install -r tests/frameworks/requirements.txt, once", || {
        let mut command = project.command("python3");
        run_quietly(command.args(["-m", "venv", "--clear"]).arg(directory.join(".venv")))
            .context("install Python 3.10 or newer, with its module venv (Debian: python3-venv)")?;
        let mut command = project.command(directory.join(".venv/bin/python"));
        command.args(["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement"]);
        run_quietly(command.arg(&requirements))?;
        fs::write(&stamp, &wanted).with_context(|| format!("cannot write {}", stamp.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_part_of_a_test_s_name_selects_it() {
        assert_eq!(read::<Options>(&[]).unwrap(), Options { only: None });
        assert_eq!(read::<Options>(&["django"]).unwrap().only.as_deref(), Some("django"));
        assert!(read::<Options>(&["--all"]).is_err());
    }
}
