//! `cargo xtask race`: how sessions fare when many requests want one refresh token. The simulation is
//! `crates/core/tests/race`; this runs it fast, and puts what it printed into the documentation.

use std::fs;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::project::Project;
use crate::step::{run_quietly, step};

/// Where the table goes.
const DOCUMENT: &str = "docs/refresh.md";
const BEGIN: &str = "<!-- race: begin -->";
const END: &str = "<!-- race: end -->";

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// How many races to run
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    races: u64,
    /// The number that the first race's chances come from; each further race takes the next one
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Put the table into docs/refresh.md
    #[arg(long)]
    write: bool,
}

/// Runs the races, shows the table, and with `--write` keeps it.
pub(crate) fn race(project: &Project, options: Options) -> Result<()> {
    let (races, seed) = (options.races.to_string(), options.seed.to_string());
    let mut command = project.cargo();
    command.args(["test", "--profile", "race", "--package", "vestibule-core", "--test", "race", "--"]);
    command.args(["--races", &races, "--seed", &seed]);
    let output = step("race", || run_quietly(&mut command))?;
    let table = table(&output).context("the simulation printed no table")?;
    println!("{table}");
    if options.write {
        let path = project.path(DOCUMENT);
        let document = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
        fs::write(&path, replaced(&document, table)?).with_context(|| format!("cannot write {DOCUMENT}"))?;
    }
    Ok(())
}

/// From the line that counts the races to the table's end.
fn table(output: &str) -> Option<&str> {
    let count = output.find(" races, ")?;
    let begin = output.get(..count)?.rfind('\n').map_or(0, |line| line + 1);
    let text = output.get(begin..)?;
    let last = text.rfind("\n| ")? + 1;
    let end = text.get(last..)?.find('\n').map_or(text.len(), |length| last + length);
    text.get(..end)
}

fn replaced(document: &str, table: &str) -> Result<String> {
    let parts = document.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    ensure!(parts.is_some(), "{DOCUMENT} has no {BEGIN} … {END}");
    let (before, after) = parts.unwrap_or_default();
    Ok(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn options_are_read_and_a_misspelt_one_is_refused() {
        let options = read::<Options>(&["--races", "5", "--seed", "7", "--write"]).unwrap();
        assert_eq!(options, Options { races: 5, seed: 7, write: true });
        assert!(read::<Options>(&["--race", "5"]).is_err());
        assert!(read::<Options>(&["--races"]).is_err());
        assert!(read::<Options>(&["--races", "many"]).is_err());
    }

    #[test]
    fn the_table_takes_the_place_of_the_one_before() {
        let output = "   Compiling x\n5 races, 1 for each line\n\n| a |\n|---|\n| 1 |\n\nwarning: y\n";
        let table = table(output).unwrap();
        assert_eq!(table, "5 races, 1 for each line\n\n| a |\n|---|\n| 1 |");
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let expected = format!("before\n{BEGIN}\n{table}\n{END}\nafter\n");
        assert_eq!(replaced(&document, table).unwrap(), expected);
        assert!(replaced("nothing", table).is_err());
    }
}
