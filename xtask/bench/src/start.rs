//! From the start of the runtime to the first answer.

use anyhow::{Context, Result, ensure};

use crate::cases::{self, Case};
use crate::load::Connection;
use crate::machine::{Reading, stopwatch};
use crate::measure::micros;
use crate::options::Options;
use crate::summary::Summary;

/// What is started, and what it is compared with.
const STARTED: [&str; 4] = ["js-constant", "rust-constant", "refusal", "session"];

/// How often for each round.
const STARTS: usize = 4;

/// How long it took, in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    pub(crate) case: Case,
    /// Of the clock: with the runtime's own start, which is the same for all.
    pub(crate) time: Summary,
    /// Of the CPU.
    pub(crate) cpu: Summary,
}

/// Starts each several times, one after the other.
pub(crate) fn all(options: &Options) -> Result<Vec<Started>> {
    println!("── from start to first answer");
    let cases: Vec<Case> = STARTED.iter().filter_map(|name| cases::named(name)).collect();
    let requests: Vec<Vec<u8>> = cases
        .iter()
        .map(|case| case.requests()?.into_iter().next().context("a request"))
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
    let world = case.world().start()?;
    let answer = Connection::open(world.address())?.ask(request)?;
    let time = elapsed();
    ensure!(answer.status == case.status, "a wrong answer: {answer:?}");
    Ok((micros(time) / 1e3, micros(Reading::of(world.process_id())?.cpu()) / 1e3))
}
