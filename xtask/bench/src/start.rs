//! Measures the time from the start of the runtime to the first response.

use anyhow::{Context, Result};

use crate::cases::{self, Case};
use crate::load::Connection;
use crate::machine::{Reading, stopwatch};
use crate::measure::micros;
use crate::options::Options;
use crate::summary::Summary;

/// The names of the cases.
const START_CASES: [&str; 4] = ["js-constant", "rust-constant", "refusal", "session"];

/// The number of starts of each case per round.
const STARTS: usize = 4;

/// The start times of a case, in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    pub(crate) case: Case,
    /// The elapsed time. It includes the runtime's own start, which is the same for all cases.
    pub(crate) time: Summary,
    /// The CPU time.
    pub(crate) cpu: Summary,
}

/// Starts each case several times, one after the other.
pub(crate) fn all(options: &Options) -> Result<Vec<Started>> {
    println!("── from start to first response");
    let cases = START_CASES.iter().filter_map(|name| cases::named(name));
    let cases: Vec<Case> = cases.flat_map(|case| case.with_other(options)).collect();
    let requests: Vec<Vec<u8>> = cases
        .iter()
        .map(|case| case.requests()?.into_iter().next().context("the case has no requests"))
        .collect::<Result<_>>()?;
    let mut times = vec![Vec::new(); cases.len()];
    for _ in 0..options.rounds * STARTS {
        for ((case, request), times) in cases.iter().zip(&requests).zip(&mut times) {
            times.push(start(case, request).with_context(|| case.name)?);
        }
    }
    let summary = |(case, times): (Case, Vec<(f64, f64)>)| Started {
        case,
        time: Summary::of(times.iter().map(|(time, _)| *time)),
        cpu: Summary::of(times.iter().map(|(_, cpu)| *cpu)),
    };
    Ok(cases.into_iter().zip(times).map(summary).collect())
}

fn start(case: &Case, request: &[u8]) -> Result<(f64, f64)> {
    let elapsed = stopwatch();
    let harness = case.harness().start()?;
    let response = Connection::open(harness.address())?.send(request)?;
    let time = elapsed();
    case.expected().check(&response)?;
    Ok((micros(time) / 1e3, micros(Reading::of(harness.process_id())?.cpu()) / 1e3))
}
