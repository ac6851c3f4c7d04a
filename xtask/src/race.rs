//! `cargo xtask race`: measures what happens to sessions when many requests use one refresh token at the same time, and
//! when a user signs out meanwhile. The simulation is `crates/core/tests/race`; this module runs it optimized, and writes
//! its tables into the documentation.

use std::fs;

use anyhow::{Context, Result};
use clap::Args;

use crate::marked::between;
use crate::project::Project;
use crate::step::{run_quietly, step};

/// The tables: their names in the markers that begin and end them, in the output and in a document.
const TABLES: [(&str, &str); 2] = [("race", "docs/refresh.md"), ("sign-outs", "docs/sessions.md")];

/// The options on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// How many races for a refresh token to run, all lines of the table together; 0 for none
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    races: u64,
    /// How many races with a sign-out to run, for each line of the table; 0 for none
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    sign_outs: u64,
    /// The random seed of the first race; each further race uses the next number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the tables into docs/refresh.md and docs/sessions.md
    #[arg(long)]
    write: bool,
}

/// Runs the races and prints the tables. With `--write` also writes them into the documents.
pub(crate) fn race(project: &Project, options: Options) -> Result<()> {
    let [races, sign_outs, seed] =
        [options.races, options.sign_outs, options.seed].map(|number| number.to_string());
    let mut command = project.cargo();
    command.args(["test", "--profile", "race", "--package", "vestibule-core", "--test", "race", "--"]);
    command.args(["--races", &races, "--sign-outs", &sign_outs, "--seed", &seed]);
    let output = step("race", || run_quietly(&mut command))?;
    let wanted = [options.races, options.sign_outs];
    for ((name, document), _) in TABLES.iter().zip(wanted).filter(|(_, races)| *races > 0) {
        let table =
            table(&output, name).with_context(|| format!("the simulation printed no table {name}"))?;
        println!("{table}");
        if options.write {
            let path = project.path(document);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {document}"))?;
            let text =
                between(&begin(name), &end(name), &text, table).with_context(|| document.to_owned())?;
            fs::write(&path, text).with_context(|| format!("cannot write {document}"))?;
        }
    }
    Ok(())
}

fn begin(name: &str) -> String {
    format!("<!-- {name}: begin -->")
}

fn end(name: &str) -> String {
    format!("<!-- {name}: end -->")
}

/// What is between the markers of this name.
fn table<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&begin(name))?;
    Some(rest.split_once(&end(name))?.0.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn options_are_read_and_a_misspelt_one_is_rejected() {
        let options =
            read::<Options>(&["--races", "5", "--sign-outs", "3", "--seed", "7", "--write"]).unwrap();
        assert_eq!(options, Options { races: 5, sign_outs: 3, seed: 7, write: true });
        assert!(read::<Options>(&["--race", "5"]).is_err());
        assert!(read::<Options>(&["--races"]).is_err());
        assert!(read::<Options>(&["--races", "many"]).is_err());
    }

    #[test]
    fn the_table_of_each_name_is_found_in_the_output() {
        let output = "   Compiling x\n<!-- race: begin -->\n5 races\n\n| 1 |\n<!-- race: end -->\n\
                      <!-- sign-outs: begin -->\n| 2 |\n<!-- sign-outs: end -->\nwarning: y\n";
        assert_eq!(table(output, "race"), Some("5 races\n\n| 1 |"));
        assert_eq!((table(output, "sign-outs"), table(output, "other")), (Some("| 2 |"), None));
    }
}
