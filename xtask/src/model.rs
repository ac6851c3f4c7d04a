//! `cargo xtask model`: checks the models of leases and revocations exhaustively. They are `crates/model`; this module runs
//! them optimized, and writes their table into the documentation.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::marked::between;
use crate::project::Project;
use crate::step::{run_quietly, step};

/// The document that contains the table, between the two markers.
const DOCUMENT: &str = "docs/refresh.md";
const BEGIN: &str = "<!-- model: begin -->";
const END: &str = "<!-- model: end -->";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Only the models whose names contain this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write the table into docs/refresh.md, or only the lines of these models
    #[arg(long)]
    write: bool,
}

/// Checks the models and prints the table. With `--write` also writes it into the document.
pub(crate) fn model(project: &Project, options: &Options) -> Result<()> {
    let output = step("model", || run_quietly(program(project).args(&options.only)))?;
    let lines: Vec<&str> = output.lines().filter(|line| line.starts_with('|')).collect();
    println!("{}", lines.join("\n"));
    if options.write {
        let path = project.path(DOCUMENT);
        let document = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
        let names = run_quietly(program(project).arg("--names"))?;
        let table = renewed(names.lines(), &lines, &document)?;
        let document = between(BEGIN, END, &document, &table).with_context(|| DOCUMENT)?;
        fs::write(&path, document).with_context(|| format!("cannot write {DOCUMENT}"))?;
    }
    Ok(())
}

/// The models' program.
fn program(project: &Project) -> Command {
    let mut command = project.cargo();
    command.args(["run", "--quiet", "--profile", "race", "--package", "vestibule-model", "--"]);
    command
}

/// The table with a line for each name: that of this run, whose first two lines are the heading, or else the document's.
fn renewed<'a>(names: impl Iterator<Item = &'a str>, run: &[&str], document: &str) -> Result<String> {
    let line_of = |name: &str| {
        let start = format!("| {name} |");
        let line = run.iter().copied().chain(document.lines()).find(|line| line.starts_with(&start));
        line.with_context(|| format!("{DOCUMENT} has no line of \"{name}\": --only its name, or all"))
    };
    let heading = run.iter().take(2).copied().map(Ok);
    let lines: Vec<&str> = heading.chain(names.map(line_of)).collect::<Result<_>>()?;
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_some_models_renews_their_lines_and_leaves_the_others() {
        let document = "text\n| name |\n|---|\n| a | 1 |\n| gone | 1 |\n| b | 1 |\n";
        let run = ["| name |", "|---|", "| b | 2 |", "| new | 2 |"];
        let table = renewed(["a", "new", "b"].into_iter(), &run, document).unwrap();
        assert_eq!(table, "| name |\n|---|\n| a | 1 |\n| new | 2 |\n| b | 2 |");
        let error = renewed(["c"].into_iter(), &run, document).unwrap_err();
        assert!(error.to_string().contains("no line of \"c\""), "{error}");
    }
}
