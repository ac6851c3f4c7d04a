//! `cargo xtask race`: measures what happens to sessions when many requests use one refresh token at the same time. The
//! simulation is `crates/core/tests/race`; this module runs it optimized, and writes its table into the documentation.

use std::fs;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::project::Project;
use crate::step::{run_quietly, step};

/// The document that contains the table, between the two markers.
const DOCUMENT: &str = "docs/refresh.md";
const BEGIN: &str = "<!-- race: begin -->";
const END: &str = "<!-- race: end -->";

/// The options on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// How many races to run
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    races: u64,
    /// The random seed of the first race; each further race uses the next number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the table into docs/refresh.md
    #[arg(long)]
    write: bool,
}

/// Runs the races and prints the table. With `--write` also writes it into the document.
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
        fs::write(&path, with_table(&document, DOCUMENT, (BEGIN, END), table)?)
            .with_context(|| format!("cannot write {DOCUMENT}"))?;
    }
    Ok(())
}

/// The part of the output from the line with the number of races to the end of the table.
fn table(output: &str) -> Option<&str> {
    let count = output.find(" races, ")?;
    let begin = output.get(..count)?.rfind('\n').map_or(0, |line| line + 1);
    let text = output.get(begin..)?;
    let last = text.rfind("\n| ")? + 1;
    let end = text.get(last..)?.find('\n').map_or(text.len(), |length| last + length);
    text.get(..end)
}

/// The document of that name with `table` between the two markers.
pub(crate) fn with_table(
    document: &str,
    name: &str,
    (begin, end): (&str, &str),
    table: &str,
) -> Result<String> {
    let parts = document.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    ensure!(parts.is_some(), "{name} has no markers {begin} … {end}");
    let (before, after) = parts.unwrap_or_default();
    Ok(format!("{before}{begin}\n{table}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn options_are_read_and_a_misspelt_one_is_rejected() {
        let options = read::<Options>(&["--races", "5", "--seed", "7", "--write"]).unwrap();
        assert_eq!(options, Options { races: 5, seed: 7, write: true });
        assert!(read::<Options>(&["--race", "5"]).is_err());
        assert!(read::<Options>(&["--races"]).is_err());
        assert!(read::<Options>(&["--races", "many"]).is_err());
    }

    #[test]
    fn the_new_table_replaces_the_old_one() {
        let output = "   Compiling x\n5 races, 1 for each line\n\n| a |\n|---|\n| 1 |\n\nwarning: y\n";
        let table = table(output).unwrap();
        assert_eq!(table, "5 races, 1 for each line\n\n| a |\n|---|\n| 1 |");
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let expected = format!("before\n{BEGIN}\n{table}\n{END}\nafter\n");
        assert_eq!(with_table(&document, DOCUMENT, (BEGIN, END), table).unwrap(), expected);
        assert!(with_table("nothing", DOCUMENT, (BEGIN, END), table).is_err());
    }
}
