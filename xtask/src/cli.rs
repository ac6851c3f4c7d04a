//! The command line: the commands, each with its help, and the groups in which `cargo xtask` lists them.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::builder::Styles;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{apps, bench, browser, dev, explain, layers, providers, race, test};

/// What a developer and CI do in this repository.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    /// Nothing: the list of commands.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A command and its options. Its first line of documentation is its line in the list, all of it its help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build the Worker as `wrangler deploy` ships it: build/index.js and build/index_bg.wasm
    ///
    /// With XTASK_BUILD_FAST in the environment wasm-opt does not run, as in the builds of `cargo xtask dev`: the
    /// Worker does the same and is larger.
    Build,

    /// Build the Worker and list what is in it: its size by crate and by function
    Size,

    /// Run the Worker, a provider and an application at http://localhost:8787, until Ctrl-C
    Dev(dev::Options),

    /// Run everything that has to hold: format, lints, documentation, build, tests, and those in a browser
    ///
    /// It says first which steps it takes, stops at the first one that fails, and prints how long each took. While
    /// you work on something, `--only NAME` runs the tests of that alone.
    Test(test::Options),

    /// Sign in with every provider, as its documentation describes it, and print the table of what passed
    Providers(providers::Options),

    /// Run the tests that need a browser: a walk through the demo, one over several hosts, a look at every page
    ///
    /// Pictures are left in target/screenshots/.
    Browser(browser::Options),

    /// Run applications written for Auth.js in a browser: next-auth's client, and the Next.js example
    Apps(apps::Options),

    Bench(bench::Arguments),

    /// Simulate many requests that need one refresh token at once, and print what becomes of their sessions
    Race(race::Options),

    Explain(explain::Arguments),

    /// Print which room of a crate uses which, and every import that runs against their order
    Layers(layers::Options),

    /// List the names and phrases that the project no longer uses, where one has come back
    Vocabulary,
}

/// The groups of the list. Every command is in exactly one.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Build and run", &["build", "dev"]),
    ("Test", &["test", "browser", "apps", "providers"]),
    ("Measure", &["bench", "race"]),
    ("Inspect", &["explain", "layers", "vocabulary", "size"]),
];

/// Reads the command line, the program's name first. Help, and what is wrong, is printed and ends the program.
pub(crate) fn parse(arguments: &[OsString]) -> Cli {
    let matches = command().get_matches_from(arguments);
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// All commands, listed by group.
pub(crate) fn command() -> clap::Command {
    let command = Cli::command();
    let list = list(&command);
    command.after_help(list).help_template("{about-with-newline}\n{usage-heading} {usage}{after-help}")
}

/// The groups with their commands and what these do.
fn list(command: &clap::Command) -> String {
    let header = Styles::styled();
    let (header, literal) = (*header.get_header(), *header.get_literal());
    let mut list = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(list, "{header}{group}:{header:#}");
        for name in names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(list, "  {literal}{name:<11}{literal:#}{about}");
        }
        list.push('\n');
    }
    list.push_str("`cargo xtask help COMMAND` says what a command takes.");
    list
}

/// Reads one command's options alone.
#[cfg(test)]
pub(crate) fn read<T: clap::Args>(words: &[&str]) -> Result<T, clap::Error> {
    let command = T::augment_args(clap::Command::new("xtask").no_binary_name(true));
    T::from_arg_matches(&command.try_get_matches_from(words)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(words: &[&str]) -> String {
        command().try_get_matches_from(words).unwrap_err().to_string()
    }

    #[test]
    fn every_command_is_in_exactly_one_group() {
        let mut commands: Vec<_> =
            Cli::command().get_subcommands().map(|it| it.get_name().to_owned()).collect();
        let mut listed: Vec<_> =
            GROUPS.iter().flat_map(|(_, names)| *names).map(ToString::to_string).collect();
        commands.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, commands);
    }

    #[test]
    fn the_list_and_every_help_say_what_a_command_does() {
        command().debug_assert();
        let help = command().render_help().to_string();
        for (group, names) in GROUPS {
            assert!(help.contains(&format!("\n{group}:\n")), "{help}");
            for name in names {
                let about = Cli::command().find_subcommand(name).unwrap().get_about().unwrap().to_string();
                assert!(!about.is_empty() && about.len() < 110, "{about}");
                assert!(help.contains(&about), "{help}");
                assert!(refused(&["xtask", "help", name]).contains(&format!("Usage: cargo xtask {name}")));
            }
        }
    }

    #[test]
    fn a_misspelt_command_or_flag_is_refused_with_the_one_that_is_like_it() {
        assert!(refused(&["xtask", "tset"]).contains("'test'"));
        assert!(refused(&["xtask", "test", "--quik"]).contains("'--quick'"));
        assert!(refused(&["xtask", "bench", "--soack"]).contains("'--soak'"));
        assert!(refused(&["xtask", "explain", "GET", "https://h/", "--claim", "{}"]).contains("'--claims"));
        refused(&["xtask", "size", "--quick"]);
    }
}
