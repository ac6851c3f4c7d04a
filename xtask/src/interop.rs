//! Runs the built Worker with real providers and a real API: the walks in tests/interop/, with what they need from npm and
//! PyPI.

use std::fs;

use anyhow::{Context, Result};
use clap::Args;

use crate::build::{self, Effort};
use crate::marked::between;
use crate::project::Project;
use crate::step::run;
use crate::tools;

/// The directory of the walks, which has the requirements.txt of the programs in Python, and the package-lock.json of those
/// in JavaScript that no other test needs.
const DIRECTORY: &str = "tests/interop";

/// Where their packages are installed. The walks know it, too.
const PYTHON: &str = "target/interop/python";

/// Debian's packages of LemonLDAP::NG, with the version that the walks know. They know the names, too.
const LEMONLDAP: [&str; 3] =
    ["liblemonldap-ng-portal-perl=2.16.1*", "libio-string-perl", "libstring-random-perl"];

/// The programs whose walks are a part of `cargo xtask test`: they need packages of npm only.
const EVERYWHERE: [&str; 2] = ["oidc-provider:", "mcp:"];

/// The document with the table, which is between the two markers.
const DOCUMENT: &str = "docs/providers-walked.md";
const BEGIN: &str = "<!-- walked: begin -->";
const END: &str = "<!-- walked: end -->";

/// Where the walks write the table.
const TABLE: &str = "target/interop/table.md";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Run only the walks with this text in `program: name`, for example `django` or `Durable Object`
    #[arg(value_name = "NAME")]
    only: Option<String>,
    /// Write the table into docs/providers-walked.md, if every walk passes
    #[arg(long, conflicts_with = "only")]
    write: bool,
}

/// `cargo xtask interop`: builds the Worker, installs the programs, and runs the walks.
pub(crate) fn interop(project: &Project, options: &Options) -> Result<()> {
    tools::ensure_npm(project)?;
    fs::create_dir_all(project.path("target/interop")).context("cannot make target/interop")?;
    tools::ensure_npm_of(project, DIRECTORY)?;
    tools::ensure_python_of(project, DIRECTORY, PYTHON)?;
    if let Err(error) = tools::ensure_debian(project, &LEMONLDAP) {
        println!("   lemonldap-ng will be skipped: {error:#}");
    }
    build::build(project, Effort::Optimized)?;
    walk(project, options.only.as_deref())?;
    if options.write {
        let read = |path: &str| {
            fs::read_to_string(project.path(path)).with_context(|| format!("cannot read {path}"))
        };
        let table = read(TABLE).context("there is no whole table: a program was skipped")?;
        let table = format!("\n{table}");
        let document = between(BEGIN, END, &read(DOCUMENT)?, &table).context(DOCUMENT)?;
        fs::write(project.path(DOCUMENT), document).with_context(|| format!("cannot write {DOCUMENT}"))?;
    }
    Ok(())
}

/// Runs the walks that need Node.js only. The Worker has to be in `build/`.
pub(crate) fn run_everywhere(project: &Project) -> Result<()> {
    tools::ensure_npm_of(project, DIRECTORY)?;
    EVERYWHERE.iter().try_for_each(|program| walk(project, Some(program)))
}

fn walk(project: &Project, only: Option<&str>) -> Result<()> {
    let mut command = project.cargo();
    command.args(["test", "--package", "vestibule", "--test", "interop", "--"]).args(only);
    if only.is_none() {
        // An old one must not pass for this run's.
        fs::remove_file(project.path(TABLE)).ok();
        command.env("INTEROP_TABLE", project.path(TABLE));
    }
    run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_part_of_a_walk_s_name_selects_it_and_only_the_whole_table_is_written() {
        assert_eq!(read::<Options>(&[]).unwrap(), Options { only: None, write: false });
        assert_eq!(read::<Options>(&["django"]).unwrap().only.as_deref(), Some("django"));
        assert!(read::<Options>(&["--write"]).unwrap().write);
        for wrong in [&["--all"][..], &["django", "--write"]] {
            assert!(read::<Options>(wrong).is_err(), "{wrong:?}");
        }
    }
}
