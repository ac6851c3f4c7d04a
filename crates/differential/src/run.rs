//! Plays a family's cases, and counts what becomes of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::thread;

use serde_json::Value;

use crate::shrink::smallest;
use crate::worker::Worker;
use crate::{Family, Verdict};

/// How many cases the other implementation gets at a time.
const BATCH: u64 = 250;

/// What became of a family's cases.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many there were.
    pub cases: u64,
    /// How many both accept.
    pub accepted: u64,
    /// How many both refuse.
    pub refused: u64,
    /// How many belong to each row of the table of differences.
    pub deliberate: BTreeMap<&'static str, u64>,
    /// How many differ without a reason.
    pub different: u64,
    /// The first of these, with how to repeat it.
    pub findings: Vec<Finding>,
}

/// A difference without a reason.
#[derive(Debug)]
pub struct Finding {
    /// The number of the case.
    pub number: u64,
    /// What both say.
    pub message: String,
    /// The smallest case found with a difference.
    pub smallest: Value,
    /// What both say of that one.
    pub message_of_smallest: String,
}

/// So many differences are made smaller and shown.
const MAX_FINDINGS: usize = 5;

/// Plays so many cases with several workers at a time, each with a part of them. The result depends on the seed only.
pub fn run_in_parallel(workers: &mut [Worker], family: &Family, seed: u64, cases: u64) -> Tally {
    let part = cases.div_ceil(workers.len() as u64).max(1);
    let ranges = (0..).map(|at| at * part).map(|start| start.min(cases)..cases.min(start + part));
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter_mut()
            .zip(ranges)
            .map(|(worker, numbers)| scope.spawn(move || run(worker, family, seed, numbers)))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a part of the cases")).collect()
    });
    tallies.into_iter().fold(Tally::default(), Tally::plus)
}

/// Plays the cases of these numbers.
pub fn run(worker: &Worker, family: &Family, seed: u64, numbers: Range<u64>) -> Tally {
    let mut tally = Tally::default();
    let mut found = Vec::new();
    let mut judge = |numbers: Range<u64>, cases: Vec<Value>| {
        let answers = worker.receive();
        assert_eq!(answers.len(), cases.len(), "{}: each case has an answer", family.name);
        for ((number, case), answer) in numbers.zip(cases).zip(answers) {
            tally.cases += 1;
            match (family.judge)(&case, &answer) {
                Verdict::BothAccept => tally.accepted += 1,
                Verdict::BothRefuse => tally.refused += 1,
                Verdict::Deliberate(name) => *tally.deliberate.entry(name).or_default() += 1,
                Verdict::Different(message) => {
                    tally.different += 1;
                    if found.len() < MAX_FINDINGS {
                        found.push((number, case, message));
                    }
                }
            }
        }
    };
    // While the other implementation reads one batch, this one judges the batch before.
    let mut waiting: Option<(Range<u64>, Vec<Value>)> = None;
    let mut start = numbers.start;
    while start < numbers.end {
        let batch = start..numbers.end.min(start + BATCH);
        start = batch.end;
        let cases: Vec<Value> = batch.clone().map(|number| family.case(seed, number)).collect();
        worker.send(family, &cases);
        if let Some((numbers, cases)) = waiting.replace((batch, cases)) {
            judge(numbers, cases);
        }
    }
    if let Some((numbers, cases)) = waiting {
        judge(numbers, cases);
    }
    tally.findings = found
        .into_iter()
        .map(|(number, case, message)| shrunk(worker, family, number, &case, message))
        .collect();
    tally
}

/// What both implementations say of a case, which need not come from a generator.
pub fn repeat(worker: &Worker, family: &Family, case: &Value) -> Verdict {
    (family.judge)(case, &worker.ask(family, case))
}

fn shrunk(worker: &Worker, family: &Family, number: u64, case: &Value, message: String) -> Finding {
    let difference = |case: &Value| match repeat(worker, family, case) {
        Verdict::Different(message) => Some(message),
        _ => None,
    };
    let smallest = smallest(case, family.shrinks, |case| difference(case).is_some());
    let message_of_smallest = difference(&smallest).unwrap_or_else(|| message.clone());
    Finding { number, message, smallest, message_of_smallest }
}

impl Tally {
    /// The sum of two tallies.
    fn plus(mut self, other: Self) -> Self {
        self.cases += other.cases;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.different += other.different;
        for (name, count) in other.deliberate {
            *self.deliberate.entry(name).or_default() += count;
        }
        self.findings.extend(other.findings);
        self.findings.truncate(MAX_FINDINGS);
        self
    }

    /// A line of the table: the family, the cases, and what became of them.
    pub fn row(&self, family: &Family) -> String {
        let deliberate: u64 = self.deliberate.values().sum();
        format!(
            "| `{}` | {} | {} | {} | {} | {deliberate} | {} |",
            family.name, family.about, self.cases, self.accepted, self.refused, self.different
        )
    }

    /// The findings, with the commands that repeat them. `seed` is that of the run.
    pub fn report(&self, family: &Family, seed: u64) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let name = family.name;
            let _ = writeln!(text, "{name}, case {}: {}", finding.number, finding.message);
            let _ = writeln!(
                text,
                "  repeat: cargo xtask differential --family {name} --seed {seed} --case {}",
                finding.number
            );
            let _ = writeln!(text, "  smallest: {}", finding.smallest);
            let _ = writeln!(text, "  which differs: {}", finding.message_of_smallest);
        }
        text
    }
}
