//! `cargo xtask providers`: tests sign-in with every provider against a simulation of its documented behaviour, and
//! generates docs/providers.md.

use anyhow::Result;
use clap::Args;

use crate::project::Project;
use crate::step::{run, run_quietly, step};

/// The options on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Generate docs/providers.md from the presets first
    #[arg(long)]
    write: bool,
}

/// Tests every contract in `crates/core/tests/providers`, and prints a table of the results with the failures below it.
/// With `--write` it first generates the document from the presets.
pub(crate) fn providers(project: &Project, options: Options) -> Result<()> {
    if options.write {
        let mut command = project.cargo();
        command
            .args(["test", "--package", "vestibule-core", "--test", "providers_document"])
            .env("UPDATE", "1");
        step("docs/providers.md", || run_quietly(&mut command))?;
    }
    let mut command = project.cargo();
    command.args(["test", "--quiet", "--package", "vestibule-core", "--test", "providers", "--"]);
    command.args(["--ignored", "--exact", "table", "--nocapture"]);
    run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_misspelt_flag_writes_nothing() {
        assert_eq!(read::<Options>(&["--write"]).unwrap(), Options { write: true });
        assert!(read::<Options>(&["--writ"]).unwrap_err().to_string().contains("--writ"));
    }
}
