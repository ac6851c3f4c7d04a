//! Measures whether memory grows over a million requests of many users.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cases::{self, Case};
use crate::load::Load;
use crate::options::Options;
use crate::{machine, measure, report};

/// The number of requests of each case.
const REQUESTS: usize = 1_000_000;

/// The number of memory readings.
const READINGS: usize = 10;

/// The cases in which each request comes from another user. `--only` replaces them by another case.
const SOAK_CASES: [&str; 2] = ["session-many", "guard-many"];

/// Prints the memory of the runtime after every tenth of the requests. JavaScript's heap grows until the first garbage
/// collections, so the first numbers are smaller. Memory leaks if the last numbers still grow.
pub(crate) fn soak(options: &Options) -> Result<()> {
    let requests = if options.rounds == 1 { REQUESTS / 10 } else { REQUESTS };
    let mut table = String::from("| MiB after requests |");
    for reading in 1..=READINGS {
        write!(table, " {} |", requests / READINGS * reading)?;
    }
    write!(table, "\n{}|", "|---".repeat(READINGS + 1))?;
    let names: Vec<&str> = match &options.only {
        Some(only) => vec![only],
        None => SOAK_CASES.to_vec(),
    };
    for name in names {
        let case = cases::named(name).with_context(|| format!("there is no case {name}"))?;
        println!("── {name}: {requests} requests");
        let readings = memory_readings(&case, requests).context(case.name)?;
        write!(table, "\n| `{name}` |")?;
        readings.iter().try_for_each(|mebibytes| write!(table, " {mebibytes:.0} |"))?;
    }
    println!("\n{table}");
    if options.write { report::save_soak(&table) } else { Ok(()) }
}

/// The memory of a case's runtime in MiB, after every tenth of `requests`.
fn memory_readings(case: &Case, requests: usize) -> Result<Vec<f64>> {
    let sent = case.requests()?;
    let harness = case.harness().start()?;
    Load::new(harness.address(), &sent, case.status).during(|load| {
        let mut readings = Vec::new();
        for reading in 1..=READINGS {
            while load.answered() < requests / READINGS * reading && !load.has_stopped() {
                thread::sleep(Duration::from_millis(50));
            }
            let kibibytes = usize::try_from(machine::resident(harness.process_id())?)?;
            let mebibytes = measure::number(kibibytes) / 1024.0;
            println!("   {:>8} requests {mebibytes:>8.1} MiB", load.answered());
            readings.push(mebibytes);
        }
        Ok(readings)
    })
}
