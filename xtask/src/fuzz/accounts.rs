//! What all runs together did: executions and CPU time of each target, in `fuzz/runs.json`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::program::{Finding, Target};
use crate::project::Project;

/// The file, relative to the repository.
const FILE: &str = "fuzz/runs.json";

/// A run of one target.
#[derive(Debug)]
pub(super) struct Run {
    /// How many inputs were run.
    pub(super) executions: u64,
    /// The CPU time of it.
    pub(super) cpu: Duration,
    pub(super) finding: Option<Finding>,
}

/// All runs of one target with one engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Sum {
    pub(super) executions: u64,
    pub(super) cpu_seconds: f64,
}

/// All runs: of each target, by engine.
pub(super) type Accounts = BTreeMap<String, BTreeMap<String, Sum>>;

/// Adds a run. Two commands that run at the same time wait for each other here.
pub(super) fn add(project: &Project, target: &Target, engine: &str, run: &Run) -> Result<()> {
    let mut file = open(project)?;
    let mut accounts = read(&mut file)?;
    let sum = accounts.entry(target.name.clone()).or_default().entry(engine.to_owned()).or_default();
    sum.executions += run.executions;
    sum.cpu_seconds = ((sum.cpu_seconds + run.cpu.as_secs_f64()) * 10.0).round() / 10.0;
    let text = serde_json::to_string_pretty(&accounts)?;
    file.set_len(0).and_then(|()| file.rewind()).context(FILE)?;
    file.write_all(format!("{text}\n").as_bytes()).with_context(|| format!("cannot write {FILE}"))
}

/// All runs until now.
pub(super) fn all(project: &Project) -> Result<Accounts> {
    read(&mut open(project)?)
}

/// The file, which is this command's until it is closed.
fn open(project: &Project) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(project.path(FILE)).with_context(|| format!("cannot open {FILE}"))?;
    file.lock().with_context(|| format!("cannot lock {FILE}"))?;
    Ok(file)
}

fn read(file: &mut File) -> Result<Accounts> {
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("cannot read {FILE}"))?;
    if text.is_empty() {
        return Ok(Accounts::new());
    }
    serde_json::from_str(&text).with_context(|| format!("{FILE} is not what this command writes"))
}

/// The result of `work`, and the CPU time of the processes that it started and waited for.
pub(super) fn measured<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = cpu_of_children();
    let result = work();
    (result, cpu_of_children().saturating_sub(before))
}

#[cfg(unix)]
fn cpu_of_children() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeVal;

    let time = |time: TimeVal| {
        let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
        Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or_default()) + Duration::from_micros(micros)
    };
    getrusage(UsageWho::RUSAGE_CHILDREN)
        .map(|usage| time(usage.user_time()) + time(usage.system_time()))
        .unwrap_or_default()
}

/// Windows adds it up for no one.
#[cfg(not(unix))]
fn cpu_of_children() -> Duration {
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_cpu_time_is_that_of_the_processes_that_ran_meanwhile() {
        let count = |steps: &str| {
            let script = format!("i=0; while [ $i -lt {steps} ]; do i=$((i+1)); done");
            measured(|| std::process::Command::new("sh").args(["-c", &script]).status().unwrap()).1
        };
        assert!(count("200000") > Duration::ZERO);
    }
}
