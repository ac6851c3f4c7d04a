//! Measures the cases in rounds.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use miniflare_test_harness::Harness;

use crate::cases::Case;
use crate::load::{Connection, Load};
use crate::machine::Reading;
use crate::options::Options;

/// The result of one round of one case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// The CPU time of workerd per request, in microseconds.
    pub(crate) cpu: f64,
    /// Requests per second.
    pub(crate) rate: f64,
}

/// A case with one sample per round.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) case: Case,
    pub(crate) samples: Vec<Sample>,
}

/// The number of turns of each case in a round. Other load on the machine lasts longer than a turn, so it affects all cases
/// equally.
const TURNS: u32 = 6;

/// Measures all cases in every round: starts their Workers again, warms them up, and then sends requests in turns.
pub(crate) fn all(cases: &[Case], options: &Options) -> Result<Vec<Measured>> {
    let mut measured: Vec<Measured> =
        cases.iter().map(|&case| Measured { case, samples: Vec::new() }).collect();
    let requests: Vec<Vec<Vec<u8>>> = cases.iter().map(Case::requests).collect::<Result<_>>()?;
    for round in 1..=options.rounds {
        println!("── round {round} of {}", options.rounds);
        let mut running: Vec<Running<'_>> = Vec::new();
        for (case, requests) in cases.iter().zip(&requests) {
            let one = Running::start(case, requests).with_context(|| case.name)?;
            one.send_requests(options.warm_up).with_context(|| case.name)?;
            running.push(one);
        }
        for turn in 0..TURNS {
            let mut take = |one: &mut Running<'_>| {
                one.take_turn(options.measured / TURNS).with_context(|| one.case.name)
            };
            // There and back, so that none always follows the same one.
            if turn.is_multiple_of(2) {
                running.iter_mut().try_for_each(&mut take)?;
            } else {
                running.iter_mut().rev().try_for_each(&mut take)?;
            }
        }
        for (one, running) in measured.iter_mut().zip(running) {
            let sample = running.sample();
            println!("   {:<16} {:>6.0} µs  {:>7.0} requests/s", one.case.name, sample.cpu, sample.rate);
            one.samples.push(sample);
        }
    }
    Ok(measured)
}

/// A case with a running Worker, and the sums over its turns.
struct Running<'a> {
    case: &'a Case,
    requests: &'a [Vec<u8>],
    harness: Harness,
    answered: usize,
    cpu: Duration,
    time: Duration,
}

impl<'a> Running<'a> {
    fn start(case: &'a Case, requests: &'a [Vec<u8>]) -> Result<Self> {
        let harness = case.harness().start()?;
        let request = requests.first().context("the case has no requests")?;
        let mut connection = Connection::open(harness.address())?;
        let (preparation, expected) = case.preparation();
        for request in &preparation {
            expected.check(&connection.send(request)?).with_context(|| harness.logs().text())?;
        }
        case.expected().check(&connection.send(request)?).with_context(|| harness.logs().text())?;
        Ok(Self { case, requests, harness, answered: 0, cpu: Duration::ZERO, time: Duration::ZERO })
    }

    /// Sends requests for `time`. Gives the number of responses, the CPU time and the elapsed time.
    fn send_requests(&self, time: Duration) -> Result<(usize, Duration, Duration)> {
        let process = self.harness.process_id();
        let load = Load::new(self.harness.address(), self.requests, self.case.expected());
        let before = Reading::of(process)?;
        load.during(|_| {
            thread::sleep(time);
            Ok(())
        })?;
        let (cpu, time) = Reading::of(process)?.since(before);
        ensure!(load.answered() > 0, "no request was answered");
        Ok((load.answered(), cpu, time))
    }

    fn take_turn(&mut self, time: Duration) -> Result<()> {
        let (answered, cpu, time) = self.send_requests(time)?;
        self.answered += answered;
        self.cpu += cpu;
        self.time += time;
        Ok(())
    }

    fn sample(&self) -> Sample {
        let requests = number(self.answered);
        Sample { cpu: micros(self.cpu) / requests, rate: requests / self.time.as_secs_f64() }
    }
}

/// A duration in microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}
