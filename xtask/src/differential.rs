//! `cargo xtask differential`: compares Vestibule with `jose`, Auth.js and path-to-regexp on generated cases. The comparison
//! is `crates/differential`; this module runs it optimized, and writes its tables into the documentation.

use std::fs;

use anyhow::{Context, Result};
use clap::Args;

use crate::marked::between;
use crate::project::Project;
use crate::step::{run, run_quietly, step};
use crate::tools;

/// The document that contains the tables, between the two markers.
const DOCUMENT: &str = "docs/differential.md";
const BEGIN: &str = "<!-- differential: begin -->";
const END: &str = "<!-- differential: end -->";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// How many cases to run, all families together
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    cases: u64,
    /// The random seed: the same one gives the same cases
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Only this family
    #[arg(long, value_name = "NAME")]
    family: Option<String>,
    /// Run the case of this number only, and show it: it repeats a difference
    #[arg(long, value_name = "N", requires = "family")]
    case: Option<u64>,
    /// Run the case in this file only, as it was printed
    #[arg(long, value_name = "FILE", requires = "family", conflicts_with = "case")]
    input: Option<String>,
    /// Write the tables into docs/differential.md
    #[arg(long, conflicts_with_all = ["family"])]
    write: bool,
}

/// Runs the cases and prints the tables. Fails if something differs without a reason.
pub(crate) fn differential(project: &Project, options: &Options) -> Result<()> {
    tools::ensure_npm(project)?;
    let mut command = project.cargo();
    command.args(["run", "--quiet", "--profile", "race", "--package", "vestibule-differential", "--"]);
    command.args(arguments(options));
    if !options.write {
        return run(&mut command);
    }
    let output = step("differential", || run_quietly(&mut command))?;
    let tables = output.split_once("| family |").map(|(_, rest)| format!("| family |{rest}"));
    let tables = tables.context("the program printed no table")?;
    println!("{tables}");
    let path = project.path(DOCUMENT);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
    let text = between(BEGIN, END, &text, tables.trim()).with_context(|| DOCUMENT)?;
    fs::write(&path, text).with_context(|| format!("cannot write {DOCUMENT}"))
}

/// The arguments of the program in `crates/differential`.
fn arguments(options: &Options) -> Vec<String> {
    let mut arguments: Vec<String> = vec!["--cases".to_owned(), options.cases.to_string()];
    arguments.extend(["--seed".to_owned(), options.seed.to_string()]);
    let case = options.case.map(|case| case.to_string());
    for (name, value) in [("--family", &options.family), ("--case", &case), ("--input", &options.input)] {
        arguments.extend(value.iter().flat_map(|value| [name.to_owned(), value.clone()]));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_case_belongs_to_a_family() {
        let options = read::<Options>(&["--family", "jwe", "--seed", "7", "--case", "12"]).unwrap();
        assert_eq!(
            arguments(&options),
            ["--cases", "1000000", "--seed", "7", "--family", "jwe", "--case", "12"]
        );
        assert!(read::<Options>(&["--case", "12"]).is_err());
        assert!(read::<Options>(&["--write", "--family", "jwe"]).is_err());
    }
}
