//! `cargo xtask conformance`: the built Worker against a provider that plays the OpenID Foundation's conformance modules,
//! and RFC 10017, section 6.1. The modules are in tests/conformance/, each a test.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result};
use clap::Args;

use crate::build::{self, Effort};
use crate::project::Project;
use crate::step::{run, run_quietly};
use crate::tools;

/// Where the tests write how each module ended.
const RESULTS: &str = "target/conformance";

/// The module of the tests that reads the table of modules, and compares docs/conformance.md with it.
const DOCUMENT: &str = "document::the_document_has_every_module";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Run only the modules with this text in the path of their test, for example `invalid_iss` or `basic::form_post`
    ///
    /// The document is written only if all modules pass.
    #[arg(value_name = "NAME")]
    only: Option<String>,
}

/// Builds the Worker, runs the modules, prints the table of plans, modules and results, and writes docs/conformance.md.
pub(crate) fn conformance(project: &Project, options: &Options) -> Result<()> {
    tools::ensure_npm(project)?;
    build::build(project, Effort::Optimized)?;
    match fs::remove_dir_all(project.path(RESULTS)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {RESULTS}"));
        }
        _ => {}
    }
    let mut modules = suite(project);
    modules.args(["--skip", "document::"]).args(&options.only);
    let result = run(&mut modules);
    let mut table = suite(project);
    table.args(["--ignored", "--exact", "document::table", "--nocapture"]);
    run(&mut table)?;
    result?;
    if options.only.is_none() {
        let mut document = suite(project);
        document.args(["--exact", DOCUMENT]).env("UPDATE", "1");
        run_quietly(&mut document)?;
    }
    Ok(())
}

fn suite(project: &Project) -> std::process::Command {
    let mut command = project.cargo();
    command.args(["test", "--quiet", "--package", "vestibule", "--test", "conformance", "--"]);
    command.env("CONFORMANCE_RESULTS", project.path(RESULTS));
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_part_of_a_module_s_name_selects_it() {
        assert_eq!(read::<Options>(&[]).unwrap().only, None);
        assert_eq!(read::<Options>(&["invalid_iss"]).unwrap().only.as_deref(), Some("invalid_iss"));
        assert!(read::<Options>(&["--all"]).is_err());
    }
}
