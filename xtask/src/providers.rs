//! `cargo xtask providers`: whether sign-in goes with every provider as its documentation has it, and what
//! docs/providers.md says of them.

use anyhow::Result;
use clap::Args;

use crate::project::Project;
use crate::step::{run, run_quietly, step};

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Make docs/providers.md from the presets first
    #[arg(long)]
    write: bool,
}

/// Walks through every contract in `crates/core/tests/providers`, and prints the table; what failed is said below it. With
/// `--write` the document follows the presets first.
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
