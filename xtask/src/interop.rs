//! Runs the built Worker with real providers and a real API: the walks in tests/interop/, with what they need from npm and
//! PyPI.

use anyhow::Result;
use clap::Args;

use crate::build::{self, Effort};
use crate::project::Project;
use crate::step::run;
use crate::tools;

/// The directory of the walks, which has the requirements.txt of the programs in Python.
const DIRECTORY: &str = "tests/interop";

/// The program whose walks are a part of `cargo xtask test`: it needs no package that the other tests do not need.
const EVERYWHERE: &str = "oidc-provider:";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Run only the walks with this text in `program: name`, for example `django` or `Durable Object`
    #[arg(value_name = "NAME")]
    only: Option<String>,
}

/// `cargo xtask interop`: builds the Worker, installs the programs, and runs the walks.
pub(crate) fn interop(project: &Project, options: &Options) -> Result<()> {
    tools::ensure_npm(project)?;
    tools::ensure_python_of(project, DIRECTORY)?;
    build::build(project, Effort::Optimized)?;
    walk(project, options.only.as_deref())
}

/// Runs the walks that need Node.js only. The Worker has to be in `build/`.
pub(crate) fn run_everywhere(project: &Project) -> Result<()> {
    walk(project, Some(EVERYWHERE))
}

fn walk(project: &Project, only: Option<&str>) -> Result<()> {
    let mut command = project.cargo();
    command.args(["test", "--package", "vestibule", "--test", "interop", "--"]).args(only);
    run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_part_of_a_walk_s_name_selects_it() {
        assert_eq!(read::<Options>(&[]).unwrap(), Options { only: None });
        assert_eq!(read::<Options>(&["django"]).unwrap().only.as_deref(), Some("django"));
        assert!(read::<Options>(&["--all"]).is_err());
    }
}
