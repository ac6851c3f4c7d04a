//! The report: as a table, as JSON, as a picture.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cases::Growth;
use crate::machine;
use crate::measure::Measured;
use crate::plot;
use crate::start::Started;
use crate::summary::{Summary, slope};

/// Where the tables go.
const DOCUMENT: &str = "performance.md";
/// Between these comments.
const BENCH: (&str, &str) = ("<!-- bench: begin -->", "<!-- bench: end -->");
const SOAK: (&str, &str) = ("<!-- soak: begin -->", "<!-- soak: end -->");

/// What was measured.
pub(crate) struct Report {
    measured: Vec<Measured>,
    started: Vec<Started>,
    machine: String,
}

/// A comparison: what a case costs in terms of another, within each round.
struct Ratio {
    case: &'static str,
    peer: &'static str,
    times: Summary,
    limit: f64,
}

impl Report {
    pub(crate) fn new(measured: Vec<Measured>, started: Vec<Started>) -> Self {
        Self { measured, started, machine: machine::description() }
    }

    /// All of it as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}.\n\n", self.machine);
        self.write(&mut text).ok();
        text
    }

    /// Writes target/bench/report.json and report.svg, and with `document` also docs/.
    pub(crate) fn keep(&self, document: bool) -> Result<()> {
        let root = root();
        self.keep_in(&root.join("target/bench/report"))?;
        if document {
            self.keep_in(&root.join("docs/performance"))?;
            document_with(BENCH, &self.markdown())?;
        }
        Ok(())
    }

    fn keep_in(&self, stem: &Path) -> Result<()> {
        let at = |extension: &str| -> PathBuf { stem.with_extension(extension) };
        fs::write(at("json"), format!("{:#}\n", self.json()))
            .with_context(|| format!("{}", at("json").display()))?;
        fs::write(at("svg"), plot::bars(&self.bars())).with_context(|| format!("{}", at("svg").display()))?;
        Ok(())
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "| CPU time of a request | µs | least to most | requests/s |\n|---|---|---|---|")?;
        for one in self.measured.iter().filter(|one| one.case.grows.is_none()) {
            let (cpu, rate) = (one.cpu(), one.rate());
            let (name, what) = (one.case.name, one.case.what);
            let spread = format!("{:.0} to {:.0}", cpu.least, cpu.most);
            writeln!(text, "| `{name}`: {what} | {:.0} | {spread} | {:.0} |", cpu.median, rate.median)?;
        }
        let ratios = self.ratios();
        if !ratios.is_empty() {
            writeln!(text, "\n| ratio | measured | least to most | at most |\n|---|---|---|---|")?;
        }
        for Ratio { case, peer, times, limit } in ratios {
            let spread = format!("{:.2} to {:.2}", times.least, times.most);
            let verdict = if times.median <= limit { "" } else { " (missed)" };
            writeln!(text, "| `{case}` to `{peer}` | {:.2}{verdict} | {spread} | {limit} |", times.median)?;
        }
        for (growth, title) in [(Growth::Cookie, "cookie, kB"), (Growth::Rules, "rules")] {
            let points = self.growth(growth);
            if points.len() < 2 {
                continue;
            }
            let row = |of: fn(&(f64, f64)) -> f64| {
                points.iter().map(|point| format!("{:.0}", of(point))).collect::<Vec<_>>().join(" | ")
            };
            let lines = "|---".repeat(points.len() + 1);
            writeln!(text, "\n| {title} | {} |\n{lines}|\n| µs | {} |", row(|p| p.0), row(|p| p.1))?;
            if growth == Growth::Cookie {
                writeln!(text, "\n{:.1} µs for each kB.", slope(&points))?;
            } else {
                let all = Summary::of(points.iter().map(|point| point.1));
                writeln!(
                    text,
                    "\nThe slowest takes {:.2} times as long as the fastest.",
                    all.most / all.least
                )?;
            }
        }
        self.write_starts(text)
    }

    fn write_starts(&self, text: &mut String) -> std::fmt::Result {
        let Some(hello) = self.started.iter().find(|one| one.case.name == "rust-constant") else {
            return Ok(());
        };
        writeln!(
            text,
            "\n| from start to first answer | ms | CPU ms | to `rust-constant` |\n|---|---|---|---|"
        )?;
        for one in &self.started {
            let (time, cpu) = (one.time.median, one.cpu.median);
            let ratio = time / hello.time.median;
            writeln!(text, "| `{}` | {time:.0} | {cpu:.0} | {ratio:.2} |", one.case.name)?;
        }
        Ok(())
    }

    fn ratios(&self) -> Vec<Ratio> {
        let mut ratios = Vec::new();
        for one in &self.measured {
            for &(peer, limit) in one.case.targets {
                let Some(other) = self.measured.iter().find(|other| other.case.name == peer) else {
                    continue;
                };
                let rounds = one.samples.iter().zip(&other.samples).map(|(a, b)| a.cpu / b.cpu);
                ratios.push(Ratio { case: one.case.name, peer, times: Summary::of(rounds), limit });
            }
        }
        ratios
    }

    fn growth(&self, wanted: Growth) -> Vec<(f64, f64)> {
        let point = |one: &Measured| {
            let (growth, size) = one.case.grows?;
            (growth == wanted).then(|| (f64::from(size), one.cpu().median))
        };
        self.measured.iter().filter_map(point).collect()
    }

    fn bars(&self) -> Vec<(String, Summary)> {
        let named = self.measured.iter().filter(|one| one.case.grows.is_none());
        named.map(|one| (one.case.name.to_owned(), one.cpu())).collect()
    }

    fn json(&self) -> Value {
        let of = |summary: Summary| json!({ "median": summary.median, "least": summary.least, "most": summary.most });
        let cases = self.measured.iter().map(|one| {
            let samples: Vec<f64> = one.samples.iter().map(|sample| sample.cpu).collect();
            json!({
                "name": one.case.name,
                "what": one.case.what,
                "cpu_microseconds": of(one.cpu()),
                "requests_per_second": of(one.rate()),
                "samples": samples,
            })
        });
        let ratios = self.ratios();
        let ratios = ratios
            .iter()
            .map(|r| json!({ "case": r.case, "peer": r.peer, "ratio": of(r.times), "at_most": r.limit }));
        let starts = self.started.iter().map(|one| {
            json!({ "name": one.case.name, "milliseconds": of(one.time), "cpu_milliseconds": of(one.cpu) })
        });
        json!({
            "machine": self.machine,
            "cases": cases.collect::<Vec<_>>(),
            "ratios": ratios.collect::<Vec<_>>(),
            "starts": starts.collect::<Vec<_>>(),
        })
    }
}

impl Measured {
    fn cpu(&self) -> Summary {
        Summary::of(self.samples.iter().map(|sample| sample.cpu))
    }

    fn rate(&self) -> Summary {
        Summary::of(self.samples.iter().map(|sample| sample.rate))
    }
}

/// Writes the table of memory into docs/.
pub(crate) fn document_soak(table: &str) -> Result<()> {
    document_with(SOAK, table)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document_with(place: (&str, &str), report: &str) -> Result<()> {
    let path = root().join("docs").join(DOCUMENT);
    let before = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(fs::write(&path, replaced(&before, place, report)?)?)
}

fn replaced(document: &str, (begin, end): (&str, &str), report: &str) -> Result<String> {
    let (before, rest) = document.split_once(begin).with_context(|| format!("{DOCUMENT} has no {begin}"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("{DOCUMENT} has no {end}"))?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", report.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_takes_the_place_of_the_one_before() {
        let (begin, end) = SOAK;
        let document = format!("before\n{begin}\nold\n{end}\nafter\n");
        let expected = format!("before\n{begin}\nnew\n{end}\nafter\n");
        assert_eq!(replaced(&document, SOAK, "new\n").unwrap(), expected);
        assert!(replaced(&document, BENCH, "new").is_err());
    }
}
