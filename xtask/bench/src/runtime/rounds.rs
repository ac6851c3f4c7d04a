//! Measures the contestants in rounds. A round starts all of them again, and measures them in turns, so that other load on the
//! machine meets all alike.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::load::{Connection, Load};
use crate::machine::Reading;
use crate::measure::{Sample, micros, number};
use crate::options::Options;
use crate::runtime::contestants::{Contestant, Running};
use crate::runtime::nginx;

/// A contestant with one sample per round; none if its program is not there.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) contestant: Contestant,
    pub(crate) samples: Vec<Sample>,
}

/// The number of turns of each contestant in a round.
const TURNS: u32 = 8;

/// Measures all of them in every round.
pub(crate) fn all(contestants: &[Contestant], options: &Options) -> Result<Vec<Measured>> {
    let mut measured: Vec<Measured> =
        contestants.iter().map(|&contestant| Measured { contestant, samples: Vec::new() }).collect();
    let origin = nginx::origin()?;
    for round in 1..=options.rounds {
        println!("── round {round} of {}", options.rounds);
        let mut all = Vec::new();
        for one in &mut measured {
            let name = one.contestant.name;
            let Some(running) = one.contestant.start(origin.address()).context(name)? else {
                println!("   {name:<18} is not there");
                continue;
            };
            let turns = Turns { running, contestant: one.contestant, total: Total::default() };
            turns.take(options.warm_up)?;
            all.push((one, turns));
        }
        for _ in 0..TURNS {
            for (_, turns) in &mut all {
                let turn = turns.take(options.measured / TURNS)?;
                turns.total.add(turn);
            }
        }
        for (one, turns) in all {
            let sample = turns.total.sample();
            println!(
                "   {:<18} {:>6.1} µs  {:>7.0} requests/s",
                one.contestant.name, sample.cpu, sample.rate
            );
            one.samples.push(sample);
        }
    }
    Ok(measured)
}

/// A running contestant, and the sums over its turns.
struct Turns {
    running: Running,
    contestant: Contestant,
    total: Total,
}

impl Turns {
    /// Sends requests for `time`, and reads the CPU time of all processes before and after.
    fn take(&self, time: Duration) -> Result<Total> {
        let name = self.contestant.name;
        let turn = self.send(time).with_context(|| format!("{name}\n{}", self.running.output()))?;
        ensure!(turn.answered > 0, "{name}: no request was answered");
        Ok(turn)
    }

    fn send(&self, time: Duration) -> Result<Total> {
        let (address, expected) = (self.running.address(), self.contestant.expected());
        let requests = self.running.requests()?;
        let first = requests.first().context("there are no requests")?;
        expected.check(&Connection::open(address)?.send(first)?)?;
        let load = Load::new(address, &requests, expected);
        let processes = self.running.processes();
        let before = Reading::of_all(&processes)?;
        load.during(|_| {
            thread::sleep(time);
            Ok(())
        })?;
        let (cpu, time) = Reading::of_all(&processes)?.since(before);
        Ok(Total { answered: load.answered(), cpu, time })
    }
}

/// What was sent, and what it took.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    answered: usize,
    cpu: Duration,
    time: Duration,
}

impl Total {
    fn add(&mut self, turn: Self) {
        self.answered += turn.answered;
        self.cpu += turn.cpu;
        self.time += turn.time;
    }

    fn sample(self) -> Sample {
        let requests = number(self.answered);
        Sample { cpu: micros(self.cpu) / requests, rate: requests / self.time.as_secs_f64() }
    }
}
