//! `cargo xtask mutants`: changes the code in small ways with cargo-mutants, and runs the tests on each change. A change
//! that no test notices survives: a test is missing, or the change means the same.

mod known;
mod outcomes;
mod program;
mod report;
mod sample;
mod switch;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use self::outcomes::{Mutant, Outcome, Summary};
use crate::project::Project;
use crate::step::{run_quietly, show, step};
use crate::tools;

/// Tests that run together: those of a package, in some of its targets, without some.
#[derive(Debug, PartialEq, Eq)]
struct Tests {
    name: &'static str,
    package: &'static str,
    targets: &'static [&'static str],
    skipped: &'static [&'static str],
}

const OIDC: Tests = Tests {
    name: "vestibule-oidc",
    package: "vestibule-oidc",
    targets: &["--lib", "--test=jws"],
    skipped: &[],
};
const CORE: Tests =
    Tests { name: "vestibule-core", package: "vestibule-core", targets: &["--lib"], skipped: &[] };
const FLOWS: Tests = Tests {
    name: "flows",
    package: "vestibule-core",
    targets: &["--test=guard", "--test=flows"],
    skipped: &SLOW,
};
/// What survives everything else.
const ALL_FLOWS: Tests = Tests { name: "all flows", skipped: &[], ..FLOWS };

/// Ten of a thousand flow tests take half of their time.
const SLOW: [&str; 10] = [
    "garbage_in_the_store_counts_as_nothing",
    "a_withdrawn_key_is_accepted_for_a_day_at_most",
    "with_cached_documents_users_sign_in_during_any_outage_and_few_of_them_wait",
    "a_process_that_refreshes_more_slowly_than_others_wait_loses_no_session",
    "clocks_that_are_seconds_apart_lose_no_session",
    "unavailable_keys_lose_no_refresh",
    "a_nonsensical_response_does_not_end_the_session",
    "a_process_that_crashes_before_it_publishes_its_tokens_delays_the_others_and_turns_none_away",
    "a_flood_of_forged_tokens_costs_bounded_work_and_keeps_no_provider_out",
    "injected_text_no_page_shows_a_parameter_whatever_its_length_direction_or_number",
];

/// A room whose mutants are counted, and the tests that see them: those that notice most first, then, for what those missed,
/// the rest.
struct Room {
    name: &'static str,
    source: &'static str,
    tests: &'static [Tests],
}

const ROOMS: [Room; 6] = [
    Room { name: "session", source: "crates/core/src/session", tests: &[CORE, FLOWS, ALL_FLOWS] },
    Room { name: "oauth", source: "crates/oidc/src/oauth", tests: &[OIDC, FLOWS, ALL_FLOWS] },
    Room { name: "jose", source: "crates/oidc/src/jose", tests: &[OIDC, FLOWS, ALL_FLOWS] },
    Room { name: "guard", source: "crates/core/src/guard", tests: &[CORE, FLOWS, ALL_FLOWS] },
    Room { name: "lease", source: "crates/core/src/lease", tests: &[CORE, FLOWS, ALL_FLOWS] },
    Room { name: "flow", source: "crates/core/src/flow", tests: &[FLOWS, CORE, ALL_FLOWS] },
];

/// The tests of a mutant that is in none of the rooms.
const ELSEWHERE: &[Tests] = &[FLOWS, CORE, ALL_FLOWS];

/// Where it works: the copy of the project, what is built of it, and what cargo-mutants and this command report.
const DIRECTORY: &str = "target/mutants";
const REPORT: &str = "target/mutants/survivors.txt";

/// What became of the mutants that ran before.
const KNOWN: &str = "target/mutants/known.json";

/// The document with the table of the last sample.
const DOCUMENT: &str = "docs/mutants.md";

/// The mutants that mean the same as the code, each with the reason.
const EQUIVALENT: &str = "xtask/src/mutants/equivalent.toml";

/// The least share of mutants that the tests have to notice, in percent.
const CAUGHT: f64 = 97.0;

/// How long one mutant's tests may take, in seconds: a mutant can make an endless loop.
const TIMEOUT: &str = "300";

/// How many mutants cargo-mutants runs at once. What became of them is kept after each such batch.
const BATCH: usize = 3;

/// How many of those that one program contains. What became of them is kept after each such batch.
const TOGETHER: usize = 20;

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Every mutant of this file
    #[arg(long, value_name = "PATH")]
    file: Vec<String>,
    /// This many mutants, evenly of every module, at random
    #[arg(long, value_name = "N", required_unless_present_any = ["file", "tested"])]
    sample: Option<usize>,
    /// The mutants that ran before, on the code as it is, of all or of the sample; runs nothing
    #[arg(long, conflicts_with_all = ["file", "list"])]
    tested: bool,
    /// Only of this module
    #[arg(long, value_name = "NAME", conflicts_with = "file", value_parser = ROOMS.map(|room| room.name))]
    module: Option<String>,
    /// Another seed is another sample
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// List the mutants, and run nothing
    #[arg(long)]
    list: bool,
    /// Write the table into docs/mutants.md
    #[arg(long, conflicts_with_all = ["file", "module", "list"])]
    write: bool,
}

/// Runs the mutants and prints which the tests notice. Fails if there are survivors that are not known to be equivalent.
pub(crate) fn mutants(project: &Project, options: &Options) -> Result<()> {
    let program = tools::ensure_program(project, tools::MUTANTS)?;
    let tree = project.path(DIRECTORY).join("tree");
    step("copy", || tree::renew(project, &tree, &BTreeMap::new()))?;
    let runner = Runner { project, program, tree };
    let listed = runner.list(options)?;
    let all = outcomes::list(&listed)?;
    let chosen = match options.sample {
        Some(number) => sample::take(all.clone(), number, options.seed, |file| room_of(file).to_owned()),
        None => all.clone(),
    };
    ensure!(!chosen.is_empty(), "there are no mutants there");
    if options.list {
        for mutant in &chosen {
            println!("{}", mutant.name);
        }
        println!("{} mutants of {}", chosen.len(), all.len());
        return Ok(());
    }
    let mut known = known::Known::read(project, &all)?;
    let apart = if options.tested {
        BTreeSet::new()
    } else {
        together(project, &switch::list(&listed)?, &chosen, &mut known)?
    };
    let turns =
        if options.tested { 0 } else { ROOMS.map(|room| room.tests.len()).into_iter().max().unwrap_or(0) };
    for turn in 0..turns {
        for tests in [OIDC, CORE, FLOWS, ALL_FLOWS] {
            let is_due = |mutant: &&Mutant| {
                apart.contains(&mutant.name)
                    && tests_of(&mutant.file).get(turn) == Some(&tests)
                    && known.is_open(mutant, turn)
            };
            let due: Vec<Mutant> = chosen.iter().filter(is_due).cloned().collect();
            for (number, batch) in due.chunks(BATCH).enumerate() {
                let (from, until) = (number * BATCH + 1, number * BATCH + batch.len());
                let name = format!("{from} to {until} of {} mutants, {}", due.len(), tests.name);
                known.extend(step(&name, || runner.run(batch, &tests, number == 0))?)?;
            }
        }
    }
    let equivalent = report::equivalent(&project.path(EQUIVALENT))?;
    let report = report::Report::of(
        &known.of(&chosen),
        &equivalent,
        &all,
        options.sample.map(|_| options.seed),
        room_of,
    );
    std::fs::write(project.path(REPORT), report.survivors())
        .with_context(|| format!("cannot write {REPORT}"))?;
    print!("{}", report.survivors());
    println!("\n{}", report.table());
    println!("at least {CAUGHT} % of the viable mutants; the survivors are in {REPORT}");
    if options.write {
        report.write(&project.path(DOCUMENT))?;
    }
    if !report.survivors().is_empty() {
        bail!("a test is missing for each survivor; if it means the same as the code, {EQUIVALENT} says why");
    }
    Ok(())
}

/// Runs those of the chosen mutants that one program can contain. Gives the names of the others.
fn together(
    project: &Project,
    changes: &[switch::Change],
    chosen: &[Mutant],
    known: &mut known::Known,
) -> Result<BTreeSet<String>> {
    let numbered: BTreeMap<u32, switch::Change> = (1..).zip(changes.iter().cloned()).collect();
    let of: BTreeMap<&str, u32> =
        numbered.iter().map(|(number, change)| (change.name.as_str(), *number)).collect();
    let all: Vec<Mutant> = numbered.values().map(switch::Change::mutant).collect();
    let unviable = known.of(&all).into_iter().filter(|outcome| outcome.summary == Summary::Unviable);
    let unviable = unviable.filter_map(|outcome| of.get(outcome.mutant.name.as_str()).copied()).collect();
    let program = program::Program::build(project, &numbered, unviable)?;
    let outcome = |number: u32, summary| Some(Outcome { mutant: numbered.get(&number)?.mutant(), summary });
    known
        .extend(program.unviable.iter().filter_map(|number| outcome(*number, Summary::Unviable)).collect())?;
    // The survivors of earlier runs come last: most tests run for them.
    let (missed, new): (Vec<&Mutant>, Vec<&Mutant>) = chosen
        .iter()
        .filter(|mutant| known.is_open(mutant, 0))
        .partition(|mutant| !known.of(std::slice::from_ref(mutant)).is_empty());
    let open = new.into_iter().chain(missed);
    let (mut due, mut apart) = (Vec::new(), BTreeSet::new());
    for mutant in open {
        match of.get(mutant.name.as_str()) {
            Some(number) if program.numbers.contains(number) => {
                due.extend(numbered.get(number).map(|change| (*number, change.clone())));
            }
            _ => drop(apart.insert(mutant.name.clone())),
        }
    }
    for (number, batch) in due.chunks(TOGETHER).enumerate() {
        let (from, until) = (number * TOGETHER + 1, number * TOGETHER + batch.len());
        let found = step(&format!("{from} to {until} of {} mutants", due.len()), || program.run(batch))?;
        known.extend(found.into_iter().filter_map(|(number, summary)| outcome(number, summary)).collect())?;
    }
    Ok(apart)
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

    /// The mutants of the files or rooms that the options name, as cargo-mutants writes them.
    fn list(&self, options: &Options) -> Result<String> {
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
        run_quietly(&mut list)
    }

    /// Runs these tests on each of the mutants, `first` on none, so that it is known that they pass.
    fn run(&self, mutants: &[Mutant], tests: &Tests, first: bool) -> Result<Vec<Outcome>> {
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
        command.args((!first).then_some("--baseline=skip"));
        // Not as arguments of the tests alone: those would be left out of the build.
        command.args(tests.targets.iter().map(|target| format!("--cargo-arg={target}")));
        // One failure is enough. The test harness stops there only where it may use what is not stable.
        let runner = r#"--cargo-arg=--config=target."cfg(all())".runner=["env", "RUSTC_BOOTSTRAP=1"]"#;
        command.args([runner, "--", "--", "-Zunstable-options", "--fail-fast"]);
        command.args(tests.skipped.iter().flat_map(|test| ["--skip", test]));
        let shown = show(&command);
        let result = run_quietly(&mut command);
        // It fails, too, if a mutant survives.
        let outcomes = outcomes::read(&output.join("mutants.out/outcomes.json"));
        let outcomes = outcomes.with_context(|| match result {
            Err(error) => format!("{error:#}"),
            Ok(output) => format!("`{shown}` printed:\n{output}"),
        })?;
        let is_asked_for = |outcome: &Outcome| mutants.contains(&outcome.mutant);
        Ok(outcomes.into_iter().filter(is_asked_for).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slow_test_exists() {
        let project = Project::find().unwrap();
        let mut list = project.command("git");
        list.args([
            "grep",
            "--untracked",
            "-hE",
            "^ *(async )?fn [a-z0-9_]+\\(\\)",
            "--",
            "crates/core/tests/flows",
        ]);
        let functions = run_quietly(&mut list).unwrap();
        for test in SLOW {
            assert!(functions.contains(&format!("fn {test}(")), "{test}");
        }
    }
}
