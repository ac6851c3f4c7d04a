//! Rounds of cases, one after the other.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use miniflare_test_harness::Harness;

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

/// How many turns each case has in a round. What the machine does beside lasts longer than a turn, so it meets all of
/// them alike.
const TURNS: u32 = 6;

/// Measures all cases in every round: their Workers are started anew and warmed up, then asked in turns.
pub(crate) fn all(cases: &[Case], options: &Options) -> Result<Vec<Measured>> {
    let mut measured: Vec<Measured> =
        cases.iter().map(|&case| Measured { case, samples: Vec::new() }).collect();
    let requests: Vec<Vec<Vec<u8>>> = cases.iter().map(Case::requests).collect::<Result<_>>()?;
    for round in 1..=options.rounds {
        println!("── round {round} of {}", options.rounds);
        let mut running: Vec<Running<'_>> = Vec::new();
        for (case, requests) in cases.iter().zip(&requests) {
            let one = Running::start(case, requests).with_context(|| case.name)?;
            one.ask(options.warm_up).with_context(|| case.name)?;
            running.push(one);
        }
        for _ in 0..TURNS {
            for one in &mut running {
                one.take_turn(options.counted / TURNS).with_context(|| one.case.name)?;
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

/// A case whose Worker runs, and what its turns came to.
struct Running<'a> {
    case: &'a Case,
    requests: &'a [Vec<u8>],
    world: Harness,
    answered: usize,
    cpu: Duration,
    time: Duration,
}

impl<'a> Running<'a> {
    fn start(case: &'a Case, requests: &'a [Vec<u8>]) -> Result<Self> {
        let world = case.world().start()?;
        let answer = Connection::open(world.address())?.ask(requests.first().context("a request")?)?;
        ensure!(
            answer.status == case.status && answer.body.contains(case.holds),
            "a wrong answer: {answer:?}\n{}",
            world.logs().text()
        );
        Ok(Self { case, requests, world, answered: 0, cpu: Duration::ZERO, time: Duration::ZERO })
    }

    /// Asks for so long: how many were answered, with how much CPU time, in which time.
    fn ask(&self, time: Duration) -> Result<(usize, Duration, Duration)> {
        let process = self.world.process_id();
        let load = Load::new(self.world.address(), self.requests, self.case.status);
        let before = Reading::of(process)?;
        load.during(|_| {
            thread::sleep(time);
            Ok(())
        })?;
        let (cpu, time) = Reading::of(process)?.since(before);
        ensure!(load.answered() > 0, "nothing was answered");
        Ok((load.answered(), cpu, time))
    }

    fn take_turn(&mut self, time: Duration) -> Result<()> {
        let (answered, cpu, time) = self.ask(time)?;
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

/// Microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[allow(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}
