//! Runs the built Worker in front of real frameworks: the tests in tests/frameworks/, with what they need from npm, PyPI and
//! Debian.

use anyhow::Result;
use clap::Args;

use crate::build::{self, Effort};
use crate::project::Project;
use crate::step::{run, run_quietly, step};
use crate::tools;

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
    tools::ensure_python_of(project, DIRECTORY, "tests/frameworks/.venv")?;
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
