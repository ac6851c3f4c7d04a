//! `cargo xtask providers`: whether sign-in goes with every provider as its documentation has it, and what
//! docs/providers.md says of them.

use anyhow::{Result, bail};

use crate::project::Project;
use crate::step::{run, run_quietly, step};

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    write: bool,
}

impl Options {
    /// Reads `[--write]`.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Options> {
        match arguments {
            [] => Ok(Options { write: false }),
            ["--write"] => Ok(Options { write: true }),
            [other, ..] => bail!("`cargo xtask providers` knows no `{other}`"),
        }
    }
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

    #[test]
    fn a_misspelt_flag_writes_nothing() {
        assert_eq!(Options::parse(&["--write"]).unwrap(), Options { write: true });
        assert!(Options::parse(&["--writ"]).unwrap_err().to_string().contains("--writ"));
    }
}
