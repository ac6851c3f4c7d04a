//! `cargo xtask mutants`: changes the code in small ways with cargo-mutants, and runs the tests on each change. A change
//! that no test notices survives: a test is missing, or the change means the same.

mod outcomes;
mod report;
mod sample;
mod tree;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use self::outcomes::{Mutant, Outcome, Summary};
use crate::project::Project;
use crate::step::{run_quietly, show, step};
use crate::tools;

/// Tests that run together: those of a package, in some of its targets.
#[derive(Debug, PartialEq, Eq)]
struct Tests {
    package: &'static str,
    targets: &'static [&'static str],
}

const OIDC: Tests = Tests { package: "vestibule-oidc", targets: &["--lib", "--test=jws"] };
const CORE: Tests = Tests { package: "vestibule-core", targets: &["--lib"] };
const FLOWS: Tests = Tests { package: "vestibule-core", targets: &["--test=flows", "--test=guard"] };

/// A room whose mutants are counted, and the tests that see them: fast ones first, then, for what those missed, the rest.
struct Room {
    name: &'static str,
    source: &'static str,
    tests: &'static [Tests],
}

const ROOMS: [Room; 6] = [
    Room { name: "session", source: "crates/core/src/session", tests: &[CORE, FLOWS] },
    Room { name: "oauth", source: "crates/oidc/src/oauth", tests: &[OIDC, FLOWS] },
    Room { name: "jose", source: "crates/oidc/src/jose", tests: &[OIDC, FLOWS] },
    Room { name: "guard", source: "crates/core/src/guard", tests: &[CORE, FLOWS] },
    Room { name: "lease", source: "crates/core/src/lease", tests: &[FLOWS] },
    Room { name: "flow", source: "crates/core/src/flow", tests: &[FLOWS] },
];

/// The tests of a mutant that is in none of the rooms.
const ELSEWHERE: &[Tests] = &[FLOWS];

/// Where it works: the copy of the project, what is built of it, and what cargo-mutants and this command report.
const DIRECTORY: &str = "target/mutants";
const REPORT: &str = "target/mutants/survivors.txt";

/// The mutants that mean the same as the code, each with the reason.
const EQUIVALENT: &str = "xtask/src/mutants/equivalent.toml";

/// The least share of mutants that the tests have to notice, in percent.
const CAUGHT: f64 = 97.0;

/// How long one mutant's tests may take, in seconds: a mutant can make an endless loop.
const TIMEOUT: &str = "600";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Every mutant of this file
    #[arg(long, value_name = "PATH")]
    file: Vec<String>,
    /// This many mutants, evenly of every module, at random
    #[arg(long, value_name = "N", required_unless_present = "file")]
    sample: Option<usize>,
    /// Only of this module
    #[arg(long, value_name = "NAME", conflicts_with = "file", value_parser = ROOMS.map(|room| room.name))]
    module: Option<String>,
    /// Another seed is another sample
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// List the mutants, and run nothing
    #[arg(long)]
    list: bool,
}

/// Runs the mutants and prints which the tests notice. Fails if there are survivors that are not known to be equivalent.
pub(crate) fn mutants(project: &Project, options: &Options) -> Result<()> {
    let program = tools::ensure_program(project, tools::MUTANTS)?;
    let tree = project.path(DIRECTORY).join("tree");
    step("copy", || tree::renew(project, &tree))?;
    let runner = Runner { project, program, tree };
    let chosen = runner.choose(options)?;
    ensure!(!chosen.is_empty(), "there are no mutants there");
    if options.list {
        for mutant in &chosen {
            println!("{}", mutant.name);
        }
        println!("{} mutants", chosen.len());
        return Ok(());
    }
    let mut outcomes = Vec::new();
    for tests in [OIDC, CORE, FLOWS] {
        let due = |mutant: &&Mutant| {
            let first = tests_of(&mutant.file).first() == Some(&tests);
            let missed =
                |outcome: &Outcome| outcome.mutant.name == mutant.name && outcome.summary == Summary::Missed;
            first || (tests_of(&mutant.file).contains(&tests) && outcomes.iter().any(missed))
        };
        let batch: Vec<&Mutant> = chosen.iter().filter(due).collect();
        if batch.is_empty() {
            continue;
        }
        let name = format!("{} mutants, {} {}", batch.len(), tests.package, tests.targets.join(" "));
        let found = step(&name, || runner.run(&batch, &tests))?;
        outcomes
            .retain(|outcome: &Outcome| !found.iter().any(|later| later.mutant.name == outcome.mutant.name));
        outcomes.extend(found);
    }
    let equivalent = report::equivalent(&project.path(EQUIVALENT))?;
    let report = report::Report::of(&outcomes, &equivalent, room_of);
    std::fs::write(project.path(REPORT), report.survivors())
        .with_context(|| format!("cannot write {REPORT}"))?;
    print!("{}", report.survivors());
    println!("\n{}", report.table());
    println!("at least {CAUGHT} % of the viable mutants; the survivors are in {REPORT}");
    if !report.survivors().is_empty() {
        bail!("a test is missing for each survivor; if it means the same as the code, {EQUIVALENT} says why");
    }
    Ok(())
}

/// The room of a file, or the file.
fn room_of(file: &str) -> &str {
    room(file).map_or(file, |room| room.name)
}

fn tests_of(file: &str) -> &'static [Tests] {
    room(file).map_or(ELSEWHERE, |room| room.tests)
}

fn room(file: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| {
        let rest = file.strip_prefix(room.source);
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    })
}

/// cargo-mutants, and the copy of the project that it changes.
struct Runner<'a> {
    project: &'a Project,
    program: PathBuf,
    tree: PathBuf,
}

impl Runner<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.project.command(&self.program);
        command.arg("mutants").args(words).arg("--dir").arg(&self.tree);
        command
            .env("CARGO_TARGET_DIR", self.project.path(DIRECTORY).join("build"))
            .env("CARGO_INCREMENTAL", "1");
        command
    }

    /// The mutants that the options name.
    fn choose(&self, options: &Options) -> Result<Vec<Mutant>> {
        let files = if options.file.is_empty() {
            let rooms =
                ROOMS.iter().filter(|room| options.module.as_deref().is_none_or(|name| name == room.name));
            rooms
                .flat_map(|room| [format!("{}.rs", room.source), format!("{}/**/*.rs", room.source)])
                .collect()
        } else {
            options.file.clone()
        };
        let mut list =
            self.command(&["--list", "--json", "--package=vestibule-oidc", "--package=vestibule-core"]);
        list.args(files.iter().flat_map(|file| ["--file", file]));
        let all = outcomes::list(&run_quietly(&mut list)?)?;
        Ok(match options.sample {
            Some(number) => sample::take(all, number, options.seed, |file| room_of(file).to_owned()),
            None => all,
        })
    }

    /// Runs these tests on each of the mutants.
    fn run(&self, mutants: &[&Mutant], tests: &Tests) -> Result<Vec<Outcome>> {
        let names: Vec<String> = mutants.iter().map(|mutant| sample::literal(&mutant.name)).collect();
        let output = self.project.path(DIRECTORY);
        let mut command =
            self.command(&["--in-place", "--profile=mutants", "--no-shuffle", "--colors=never"]);
        command.args(["--timeout", TIMEOUT, "--build-timeout", TIMEOUT, "--package=vestibule-oidc"]);
        command.args(["--package=vestibule-core", "--re", &format!("^({})$", names.join("|")), "--output"]);
        // cargo-mutants also runs what deletes a field in these files, whatever its name is.
        let files: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.file.as_str()).collect();
        command.arg(&output).args(files.iter().flat_map(|file| ["--file", file]));
        command.args(["--test-package", tests.package]);
        // Not as arguments of the tests alone: those would be left out of the build.
        command.args(tests.targets.iter().map(|target| format!("--cargo-arg={target}")));
        let shown = show(&command);
        let result = run_quietly(&mut command);
        // It fails, too, if a mutant survives.
        let outcomes = outcomes::read(&output.join("mutants.out/outcomes.json"));
        let outcomes = outcomes.with_context(|| match result {
            Err(error) => format!("{error:#}"),
            Ok(output) => format!("`{shown}` printed:\n{output}"),
        })?;
        let is_asked_for = |outcome: &Outcome| mutants.contains(&&outcome.mutant);
        Ok(outcomes.into_iter().filter(is_asked_for).collect())
    }
}
