//! The built Worker with real providers and a real API: each walk signs somebody in, and follows the session through
//! expiry, rotation and revocation. The programs run in their own processes, and check the tokens themselves.
//!
//! `cargo xtask interop` installs and builds what this needs, and runs it. `cargo test --test interop -- NAME` runs the
//! walks with this text in `program: name`. With the environment variable `INTEROP_TABLE` it also writes their table, as
//! Markdown, to that file.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong, and runs where std's clock works"
)]

mod better_auth;
mod browser;
mod canaille;
mod django_oauth;
mod env;
mod form;
mod graphql;
mod idpyoidc;
mod lemonldap;
mod mcp;
mod oidc_provider;
mod oidc_provider_strict;
mod program;
mod refusals;
mod renewals;
#[path = "../support/repository.rs"]
mod repository;
#[path = "../support/server.rs"]
mod server;
mod sign_out;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{Program, Run, Walk};

static PROGRAMS: [Program; 9] = [
    oidc_provider::PROGRAM,
    oidc_provider_strict::PROGRAM,
    django_oauth::PROGRAM,
    better_auth::PROGRAM,
    canaille::PROGRAM,
    idpyoidc::PROGRAM,
    lemonldap::PROGRAM,
    graphql::PROGRAM,
    mcp::PROGRAM,
];

/// What this machine lacks for a program, in words.
type Lacks = fn() -> Option<String>;

/// The programs that are not on every machine.
const SOMEWHERE: [(&str, Lacks); 1] = [(lemonldap::PROGRAM.name, lemonldap::lacks)];

/// A walk, with its program.
type Selected = (&'static Program, &'static Walk);

/// How many walks run at the same time. Most of a walk is waiting for a token's end.
const AT_ONCE: usize = 4;

/// How long to wait for the next walk to end. Each takes some seconds, and minutes on a busy machine.
const MAX_WALK: Duration = Duration::from_mins(6);

fn main() -> ExitCode {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let all = PROGRAMS.iter().flat_map(|program| program.walks.iter().map(move |walk| (program, walk)));
    let walks: Vec<_> = all.filter(|(program, walk)| name(program, walk).contains(&only)).collect();
    if walks.is_empty() {
        eprintln!("no walk has `{only}` in its name; the walks are:");
        for program in &PROGRAMS {
            program.walks.iter().for_each(|walk| eprintln!("  {}", name(program, walk)));
        }
        return ExitCode::from(2);
    }
    let (walks, skipped) = without_missing(walks);
    let Some(results) = run(&walks) else { return ExitCode::FAILURE };
    println!("\n{}", table(&walks, &results));
    for line in &skipped {
        println!("{line}");
    }
    // A table without a program that was walked before says less than the one that there is.
    if let Some(path) = std::env::var_os("INTEROP_TABLE").filter(|_| skipped.is_empty()) {
        std::fs::write(path, markdown(&walks, &results)).expect("the table's file");
    }
    if walks.is_empty() {
        return ExitCode::FAILURE;
    }
    if results.iter().all(|result| result.passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The walks whose programs are on this machine, and a line for each other program.
fn without_missing(walks: Vec<Selected>) -> (Vec<Selected>, Vec<String>) {
    let missing = SOMEWHERE.iter().filter_map(|(name, lacks)| lacks().map(|lack| (*name, lack)));
    let missing: BTreeMap<_, _> = missing.collect();
    let (skipped, walks): (Vec<_>, Vec<_>) =
        walks.into_iter().partition(|(program, _)| missing.contains_key(program.name));
    let count = |name| skipped.iter().filter(|(program, _)| program.name == name).count();
    let lines = missing.iter().map(|(name, lack)| (count(*name), name, lack)).filter(|line| line.0 > 0);
    (
        walks,
        lines
            .map(|(count, name, lack)| format!("SKIPPED: {count} walks of {name}, because {lack}"))
            .collect(),
    )
}

fn name(program: &Program, walk: &Walk) -> String {
    format!("{}: {}", program.name, walk.name)
}

#[derive(Clone)]
struct WalkResult {
    passed: bool,
    /// What was counted, in words, or nothing.
    counted: String,
    took: Duration,
}

impl WalkResult {
    /// In words.
    fn said(&self) -> String {
        let result = if self.passed { "passed" } else { "failed" };
        let link = if self.counted.is_empty() { "" } else { ": " };
        format!("{result}{link}{}", self.counted)
    }
}

/// Runs the walks, some at a time. A failure's message goes to standard error when it happens. `None` if a walk hangs.
fn run(walks: &[Selected]) -> Option<Vec<WalkResult>> {
    let queue: Mutex<Vec<_>> = Mutex::new(walks.iter().copied().enumerate().rev().map(owned).collect());
    let queue: &'static Mutex<_> = Box::leak(Box::new(queue));
    let (sender, ended) = mpsc::channel();
    for _ in 0..AT_ONCE.min(walks.len()) {
        let sender = sender.clone();
        thread::spawn(move || {
            while let Some((index, name, run)) = { queue.lock().unwrap().pop() } {
                let begun = Instant::now();
                // A thread of its own, whose name is in the message of a panic.
                let walk = thread::Builder::new().name(name.clone());
                let ended = walk.spawn(move || done(run)).expect("a thread").join();
                let (passed, counted) = (ended.is_ok(), ended.unwrap_or_default());
                let result = WalkResult { passed, counted, took: begun.elapsed() };
                println!("{name} … {} ({:.1} s)", result.said(), result.took.as_secs_f64());
                sender.send((index, result)).ok();
            }
        });
    }
    drop(sender);
    let mut results = vec![None; walks.len()];
    while results.iter().any(Option::is_none) {
        let Ok((index, result)) = ended.recv_timeout(MAX_WALK) else {
            let open = results.iter().zip(walks).filter(|(result, _)| result.is_none());
            let names: BTreeSet<_> = open.map(|(_, (program, walk))| name(program, walk)).collect();
            eprintln!("no walk has ended for {MAX_WALK:?}; open are {names:#?}");
            return None;
        };
        results[index] = Some(result);
    }
    results.into_iter().collect()
}

/// What a thread needs to know about a walk.
fn owned((index, (program, walk)): (usize, (&Program, &Walk))) -> (usize, String, Run) {
    (index, name(program, walk), walk.run)
}

/// Does a walk, and gives what it has counted.
fn done(run: Run) -> String {
    match run {
        Run::Checks(checks) => {
            checks();
            String::new()
        }
        Run::Counts(counts) => counts(),
    }
}

/// A line for each walk: the program and its version, the name and the result.
fn table(walks: &[Selected], results: &[WalkResult]) -> String {
    let mut rows = vec![["program", "version", "walk", "result"].map(str::to_owned)];
    for ((program, walk), result) in walks.iter().zip(results) {
        let result = format!("{}, {:.1} s", result.said(), result.took.as_secs_f64());
        rows.push([program.name.to_owned(), (program.version)(), walk.name.to_owned(), result]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let [program, version, walk] = [width(0), width(1), width(2)];
    let mut table = String::new();
    for row in &rows {
        let _ = writeln!(table, "{:program$}  {:version$}  {:walk$}  {}", row[0], row[1], row[2], row[3]);
    }
    let passed = results.iter().filter(|result| result.passed).count();
    let _ = write!(table, "{passed} of {} walks passed", results.len());
    table
}

/// The table for a document: without times, which differ from machine to machine.
fn markdown(walks: &[Selected], results: &[WalkResult]) -> String {
    let mut table = "| program | version | walk | result |\n|---|---|---|---|\n".to_owned();
    for ((program, walk), result) in walks.iter().zip(results) {
        let version = (program.version)();
        let _ = writeln!(table, "| {} | {version} | {} | {} |", program.name, walk.name, result.said());
    }
    table
}
