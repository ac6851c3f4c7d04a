//! The tests with real HTTP on one runtime: `cargo xtask test --runtime NAME`, and the quick set of each other runtime, which
//! is a step of all tests.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use xtask_arguments::component::Store;

use crate::build::{self, Effort, build_component};
use crate::project::Project;
use crate::runtime::{RuntimeName, build_server};
use crate::step::{run, step};
use crate::time::Stopwatch;
use crate::tools;
use crate::wasi;

use super::only::SUITES;

/// The variable that names the runtime (`tests/runtimes`).
const RUNTIME: &str = "VESTIBULE_RUNTIME";

/// The variable with the path of the file that lists the tests that are not run.
const NOT_RUN: &str = "VESTIBULE_NOT_RUN";

/// What the tests of the quick set have in their names: the comparison with Auth.js, what attacks send, and one scene each of
/// a refresh with strict rotation and of a revocation.
const QUICK: [&str; 6] = [
    "vestibule_answers_like_authjs",
    "bad_input::",
    "forwarding::",
    "cookies::",
    "four_isolates_in_one_location_use_a_refresh_token_once",
    "a_session_that_is_signed_out_during_a_refresh_stays_signed_out",
];

/// Builds a runtime, and runs all suites on it, or the tests of them that have `name` in their path.
pub(super) fn run_all(project: &Project, runtime: RuntimeName, name: Option<&str>) -> Result<()> {
    let watch = Stopwatch::start();
    tools::ensure_npm(project)?;
    tools::ensure_nginx(project)?;
    let variables = build(project, runtime)?;
    let (suites, filters) = selected(name)?;
    let result = step(&format!("the suites on {}", runtime.name()), || {
        tests(project, runtime, &variables, &suites, &filters)
    });
    println!("\n{}", not_run(project, runtime)?);
    result?;
    println!("\npassed in {watch}");
    Ok(())
}

/// Runs the quick set. Everything is built: by the tests before it, and by the step that builds the component.
pub(super) fn run_quick(project: &Project, runtime: RuntimeName) -> Result<()> {
    let variables = match runtime {
        RuntimeName::Wasi => host_of_component(project)?,
        RuntimeName::Workers | RuntimeName::Native => Vec::new(),
    };
    tests(project, runtime, &variables, &SUITES, &QUICK)
}

/// Builds what a runtime needs, and gives the variables that its tests need.
fn build(project: &Project, runtime: RuntimeName) -> Result<Vec<(&'static str, OsString)>> {
    match runtime {
        RuntimeName::Workers => build::build(project, Effort::Optimized).map(|()| Vec::new()),
        RuntimeName::Native => build_server(project).map(|_| Vec::new()),
        RuntimeName::Wasi => {
            tools::ensure_redis(project)?;
            build_component(project, Store::Redis, None, Effort::Fast)?;
            host_of_component(project)
        }
    }
}

fn host_of_component(project: &Project) -> Result<Vec<(&'static str, OsString)>> {
    Ok(vec![(wasi::WASMTIME, wasi::ensure_wasmtime(project)?.into_os_string())])
}

/// The suites and the filter of a name such as `worker::cookies` or `worker`; all without one.
fn selected(name: Option<&str>) -> Result<(Vec<&'static str>, Vec<&str>)> {
    let Some(name) = name else { return Ok((SUITES.to_vec(), Vec::new())) };
    let (suite, rest) = name.split_once("::").unwrap_or((name, ""));
    let suite: Vec<&str> = SUITES.into_iter().filter(|it| *it == suite).collect();
    ensure!(
        !suite.is_empty(),
        "{name}: no suite of this name runs on each runtime; write one of {}, or with a part of a test's name worker::cookies",
        SUITES.join(", ")
    );
    Ok((suite, Some(rest).filter(|rest| !rest.is_empty()).into_iter().collect()))
}

fn tests(
    project: &Project,
    runtime: RuntimeName,
    variables: &[(&'static str, OsString)],
    suites: &[&str],
    filters: &[&str],
) -> Result<()> {
    let list = project.path(&list_of(runtime));
    if let Some(folder) = list.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    match fs::remove_file(&list) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", list.display()));
        }
        _ => {}
    }
    let mut command: Command = project.cargo();
    // With the features of `cargo test --workspace`, so that nothing is compiled twice.
    command.args(["test", "--quiet", "--workspace", "--no-fail-fast"]);
    for suite in suites {
        command.args(["--test", suite]);
    }
    command.arg("--").args(filters);
    command.env(RUNTIME, runtime.name()).env(NOT_RUN, &list).envs(variables.iter().cloned());
    run(&mut command)
}

/// The file in which tests write that they are not run.
fn list_of(runtime: RuntimeName) -> String {
    format!("target/runtimes/{}.txt", runtime.name())
}

/// What was not run, with the reasons.
fn not_run(project: &Project, runtime: RuntimeName) -> Result<String> {
    let list = project.path(&list_of(runtime));
    let text = match fs::read_to_string(&list) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text.with_context(|| format!("cannot read {}", list.display()))?,
    };
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    let (parts, whole): (Vec<&str>, Vec<&str>) =
        lines.into_iter().partition(|line| line.contains(": a part of "));
    let mut table = String::new();
    for line in whole.iter().chain(&parts) {
        let _ = writeln!(table, "{line}");
    }
    let _ =
        write!(table, "{} tests and a part of {} do not run on {}", whole.len(), parts.len(), runtime.name());
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_selects_a_suite_and_a_part_of_it() {
        assert_eq!(selected(None).unwrap().0, SUITES);
        assert_eq!(selected(Some("worker")).unwrap(), (vec!["worker"], vec![]));
        assert_eq!(selected(Some("worker::cookies::")).unwrap(), (vec!["worker"], vec!["cookies::"]));
        assert!(selected(Some("flows")).is_err());
    }
}
