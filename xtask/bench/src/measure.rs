//! Rounds of cases, one after the other.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cases::Case;
use crate::load::{Connection, Load};
use crate::machine::Reading;
use crate::options::Options;

/// What one round of one case came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// CPU microseconds of workerd for one request.
    pub(crate) cpu: f64,
    /// Requests in a second.
    pub(crate) rate: f64,
}

/// A case, and a sample for each round.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) case: Case,
    pub(crate) samples: Vec<Sample>,
}

/// Measures all cases in every round.
pub(crate) fn all(cases: &[Case], options: &Options) -> Result<Vec<Measured>> {
    let mut measured: Vec<Measured> =
        cases.iter().map(|&case| Measured { case, samples: Vec::new() }).collect();
    let requests: Vec<Vec<Vec<u8>>> = cases.iter().map(Case::requests).collect::<Result<_>>()?;
    for round in 1..=options.rounds {
        println!("── round {round} of {}", options.rounds);
        for (one, requests) in measured.iter_mut().zip(&requests) {
            let sample = sample(&one.case, requests, options).with_context(|| one.case.name)?;
            println!("   {:<16} {:>6.0} µs  {:>7.0} requests/s", one.case.name, sample.cpu, sample.rate);
            one.samples.push(sample);
        }
    }
    Ok(measured)
}

fn sample(case: &Case, requests: &[Vec<u8>], options: &Options) -> Result<Sample> {
    let world = case.world().start()?;
    let answer = Connection::open(world.address())?.ask(requests.first().context("a request")?)?;
    ensure!(
        answer.status == case.status && answer.body.contains(case.holds),
        "a wrong answer: {answer:?}\n{}",
        world.logs().text()
    );
    let load = Load::new(world.address(), requests, case.status);
    load.during(|load| {
        thread::sleep(options.warm_up);
        let (answered, before) = (load.answered(), Reading::of(world.process_id())?);
        thread::sleep(options.counted);
        let (answered, after) = (load.answered() - answered, Reading::of(world.process_id())?);
        ensure!(answered > 0, "nothing was answered");
        let (cpu, time) = after.since(before);
        let requests = number(answered);
        Ok(Sample { cpu: micros(cpu) / requests, rate: requests / time.as_secs_f64() })
    })
}

/// Microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[allow(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}
