//! `cargo xtask model`: checks the models of leases and revocations exhaustively. They are `crates/model`; this module runs
//! them optimized, and writes their table into the documentation.

use std::fs;

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
    #[arg(long, value_name = "TEXT", conflicts_with = "write")]
    only: Option<String>,
    /// Write the table into docs/refresh.md
    #[arg(long)]
    write: bool,
}

/// Checks the models and prints the table. With `--write` also writes it into the document.
pub(crate) fn model(project: &Project, options: &Options) -> Result<()> {
    let mut command = project.cargo();
    command.args(["run", "--profile", "race", "--package", "vestibule-model", "--"]);
    command.args(&options.only);
    let output = step("model", || run_quietly(&mut command))?;
    let lines: Vec<&str> = output.lines().filter(|line| line.starts_with('|')).collect();
    let table = lines.join("\n");
    println!("{table}");
    if options.write {
        let path = project.path(DOCUMENT);
        let document = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
        let document = between(BEGIN, END, &document, &table).with_context(|| DOCUMENT)?;
        fs::write(&path, document).with_context(|| format!("cannot write {DOCUMENT}"))?;
    }
    Ok(())
}
