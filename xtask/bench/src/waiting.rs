//! Measures how long requests wait for their responses when many connections send them at once.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cases::{self, Case};
use crate::load::Load;
use crate::measure::micros;
use crate::options::Options;
use crate::summary::Summary;

/// The names of the cases.
const WAITING_CASES: [&str; 6] =
    ["js-change", "authjs-guard", "guard", "guard-many", "authjs-session", "session"];

/// The number of parallel connections.
const CONNECTIONS: usize = 200;

/// How long the requests of a case waited, in milliseconds: each with the median, the minimum and the maximum of the rounds.
struct Waited {
    case: Case,
    /// The time in which half of the responses came.
    half: Summary,
    /// The time in which 99 of 100 responses came.
    most: Summary,
}

/// Measures all cases, and gives the table as Markdown.
pub(crate) fn table(options: &Options) -> Result<String> {
    println!("── {CONNECTIONS} connections");
    let cases: Vec<Case> = WAITING_CASES.iter().filter_map(|name| cases::named(name)).collect();
    let requests: Vec<Vec<Vec<u8>>> = cases.iter().map(Case::requests).collect::<Result<_>>()?;
    let mut rounds = vec![Vec::new(); cases.len()];
    for _ in 0..options.rounds {
        for ((case, requests), rounds) in cases.iter().zip(&requests).zip(&mut rounds) {
            rounds.push(round(case, requests, options).with_context(|| case.name)?);
        }
    }
    let waited = cases.into_iter().zip(rounds).map(|(case, rounds)| Waited {
        case,
        half: Summary::of(rounds.iter().map(|(half, _)| *half)),
        most: Summary::of(rounds.iter().map(|(_, most)| *most)),
    });
    markdown(&waited.collect::<Vec<_>>()).context("cannot write the table")
}

/// The times in which half and 99 of 100 responses came, in milliseconds.
fn round(case: &Case, requests: &[Vec<u8>], options: &Options) -> Result<(f64, f64)> {
    let harness = case.harness().start()?;
    let send = |time: Duration| {
        let load = Load::new(harness.address(), requests, case.expected()).with_connections(CONNECTIONS);
        load.during(|_| {
            thread::sleep(time);
            Ok(())
        })?;
        Ok::<_, anyhow::Error>(load.into_times())
    };
    send(options.warm_up)?;
    let mut times = send(options.measured)?;
    ensure!(!times.is_empty(), "no request was answered");
    times.sort_unstable();
    let part = |hundredths: usize| {
        let at = (times.len() * hundredths / 100).min(times.len() - 1);
        times.get(at).copied().map_or(0.0, micros) / 1e3
    };
    Ok((part(50), part(99)))
}

fn markdown(waited: &[Waited]) -> Result<String, std::fmt::Error> {
    let mut text = format!(
        "| {CONNECTIONS} connections at once | half within, ms | 99 % within, ms | min. to max. |\n|---|---|---|---|\n"
    );
    for Waited { case, half, most } in waited {
        let (name, range) = (case.name, format!("{:.0} to {:.0}", most.min, most.max));
        writeln!(text, "| `{name}` | {:.0} | {:.0} | {range} |", half.median, most.median)?;
    }
    Ok(text)
}
