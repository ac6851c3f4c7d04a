//! Measures whether memory grows over a million requests of many users.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cases;
use crate::load::Load;
use crate::options::Options;
use crate::{machine, measure, report};

/// The number of requests of each case; a tenth of it in one round.
const REQUESTS: usize = 1_000_000;

/// The number of memory readings.
const READINGS: usize = 10;

/// The cases in which each request comes from another user. `--only` replaces them by another case.
const SOAK_CASES: [&str; 2] = ["session-many", "guard-many"];

/// Prints the memory of the runtime after every tenth of the requests. JavaScript's heap grows until the first garbage
/// collections, so the first numbers are smaller. Memory leaks if the last numbers still grow.
pub(crate) fn soak(options: &Options) -> Result<()> {
    let requests = requests(options);
    let mut table = heading(requests)?;
    let only: Vec<&str> = options.only.iter().map(String::as_str).collect();
    let names = if only.is_empty() { SOAK_CASES.to_vec() } else { only };
    for name in names {
        let case = cases::named(name).with_context(|| format!("there is no case {name}"))?;
        println!("── {name}: {requests} requests");
        let sent = case.requests()?;
        let harness = case.harness().start()?;
        let load = Load::new(harness.address(), &sent, case.expected());
        let readings = memory_readings(&load, requests, harness.process_id()).context(case.name)?;
        write_row(&mut table, name, &readings)?;
    }
    println!("\n{table}");
    if options.write { report::save_soak(&table) } else { Ok(()) }
}

/// How many requests are sent.
pub(crate) fn requests(options: &Options) -> usize {
    if options.rounds == 1 { REQUESTS / 10 } else { REQUESTS }
}

/// The heading of a table of memory.
pub(crate) fn heading(requests: usize) -> Result<String> {
    let mut table = String::from("| MiB after requests |");
    for reading in 1..=READINGS {
        write!(table, " {} |", requests / READINGS * reading)?;
    }
    write!(table, "\n{}|", "|---".repeat(READINGS + 1))?;
    Ok(table)
}

/// Adds a row to a table of memory.
pub(crate) fn write_row(table: &mut String, name: &str, readings: &[f64]) -> Result<()> {
    write!(table, "\n| `{name}` |")?;
    readings.iter().try_for_each(|mebibytes| write!(table, " {mebibytes:.0} |"))?;
    Ok(())
}

/// The memory of a process in MiB, after every tenth of `requests`.
pub(crate) fn memory_readings(load: &Load<'_>, requests: usize, process: u32) -> Result<Vec<f64>> {
    load.during(|load| {
        let mut readings = Vec::new();
        for reading in 1..=READINGS {
            while load.answered() < requests / READINGS * reading && !load.has_stopped() {
                thread::sleep(Duration::from_millis(50));
            }
            let kibibytes = usize::try_from(machine::resident(process)?)?;
            let mebibytes = measure::number(kibibytes) / 1024.0;
            println!("   {:>8} requests {mebibytes:>8.1} MiB", load.answered());
            readings.push(mebibytes);
        }
        Ok(readings)
    })
}
