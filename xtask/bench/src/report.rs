//! Writes the report as Markdown tables, as JSON and as a chart.

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

/// The document in docs/ that contains the tables.
const DOCUMENT: &str = "performance.md";
/// The comments in the document that enclose each table.
const BENCH: (&str, &str) = ("<!-- bench: begin -->", "<!-- bench: end -->");
const CURVES: (&str, &str) = ("<!-- curves: begin -->", "<!-- curves: end -->");
const SOAK: (&str, &str) = ("<!-- soak: begin -->", "<!-- soak: end -->");

/// The most that a start may cost, as a multiple of the CPU time of `rust-constant`.
const START_LIMIT: f64 = 1.35;

/// All measurements.
pub(crate) struct Report {
    measured: Vec<Measured>,
    started: Vec<Started>,
    machine: String,
}

/// A comparison of two cases: the ratio of their CPU times within each round.
struct Comparison {
    case: &'static str,
    peer: &'static str,
    ratio: Summary,
    limit: f64,
}

impl Report {
    pub(crate) fn new(measured: Vec<Measured>, started: Vec<Started>) -> Self {
        Self { measured, started, machine: machine::description() }
    }

    /// The whole report as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}.\n\n", self.machine);
        self.write(&mut text).ok();
        text
    }

    /// The table of the starts as Markdown.
    pub(crate) fn starts(&self) -> String {
        let mut text = String::new();
        self.write_starts(&mut text).ok();
        text
    }

    /// Writes target/bench/report.json and report.svg, and with `to_docs` also the files in docs/.
    pub(crate) fn save(&self, to_docs: bool) -> Result<()> {
        let root = root();
        self.save_to(&root.join("target/bench/report"))?;
        if to_docs {
            self.save_to(&root.join("docs/performance"))?;
            update(DOCUMENT, BENCH, &self.markdown())?;
        }
        Ok(())
    }

    fn save_to(&self, stem: &Path) -> Result<()> {
        let at = |extension: &str| -> PathBuf { stem.with_extension(extension) };
        fs::write(at("json"), format!("{:#}\n", self.json()))
            .with_context(|| format!("cannot write {}", at("json").display()))?;
        fs::write(at("svg"), plot::bars(&self.bars()))
            .with_context(|| format!("cannot write {}", at("svg").display()))?;
        Ok(())
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "| CPU time of a request | µs | min. to max. | requests/s |\n|---|---|---|---|")?;
        for one in self.measured.iter().filter(|one| one.case.grows.is_none()) {
            let (cpu, rate) = (one.cpu(), one.rate());
            let (name, description) = (one.case.name, one.case.description);
            let range = format!("{:.0} to {:.0}", cpu.min, cpu.max);
            writeln!(text, "| `{name}`: {description} | {:.0} | {range} | {:.0} |", cpu.median, rate.median)?;
        }
        let ratios = self.ratios();
        if !ratios.is_empty() {
            writeln!(text, "\n| ratio | measured | min. to max. | limit |\n|---|---|---|---|")?;
        }
        for Comparison { case, peer, ratio, limit } in ratios {
            let range = format!("{:.2} to {:.2}", ratio.min, ratio.max);
            let verdict = if ratio.median <= limit { "" } else { " (exceeded)" };
            writeln!(text, "| `{case}` to `{peer}` | {:.2}{verdict} | {range} | {limit} |", ratio.median)?;
        }
        self.write_starts(text)
    }

    /// The tables of growth as Markdown.
    pub(crate) fn curves(&self) -> String {
        let mut text = format!("{}.\n", self.machine);
        self.write_curves(&mut text).ok();
        text
    }

    fn write_curves(&self, text: &mut String) -> std::fmt::Result {
        for growth in Growth::ALL {
            let points = self.growth(growth);
            if points.len() < 2 {
                continue;
            }
            let row = |of: fn(&(f64, f64)) -> f64| {
                points.iter().map(|point| format!("{:.0}", of(point))).collect::<Vec<_>>().join(" | ")
            };
            let (title, lines) = (growth.title(), "|---".repeat(points.len() + 1));
            writeln!(text, "\n| {title} | {} |\n{lines}|\n| µs | {} |", row(|p| p.0), row(|p| p.1))?;
            if growth == Growth::Cookie {
                writeln!(text, "\n{:.1} µs per kB.", slope(&points))?;
            } else {
                let all = Summary::of(points.iter().map(|point| point.1));
                writeln!(text, "\nThe slowest takes {:.2} times as long as the fastest.", all.max / all.min)?;
            }
        }
        Ok(())
    }

    fn write_starts(&self, text: &mut String) -> std::fmt::Result {
        let Some(hello) = self.started.iter().find(|one| one.case.name == "rust-constant") else {
            return Ok(());
        };
        writeln!(
            text,
            "\n| from start to first response | ms | to `rust-constant` | CPU ms | to `rust-constant`, limit {START_LIMIT} |\n\
             |---|---|---|---|---|"
        )?;
        for one in &self.started {
            let (time, cpu) = (one.time.median, one.cpu.median);
            let (of_time, of_cpu) = (time / hello.time.median, cpu / hello.cpu.median);
            let verdict = if of_cpu <= START_LIMIT { "" } else { " (exceeded)" };
            let name = one.case.name;
            writeln!(text, "| `{name}` | {time:.0} | {of_time:.2} | {cpu:.1} | {of_cpu:.2}{verdict} |")?;
        }
        Ok(())
    }

    fn ratios(&self) -> Vec<Comparison> {
        let mut ratios = Vec::new();
        for one in &self.measured {
            for &(peer, limit) in one.case.targets {
                let Some(other) = self.measured.iter().find(|other| other.case.name == peer) else {
                    continue;
                };
                let rounds = one.samples.iter().zip(&other.samples).map(|(a, b)| a.cpu / b.cpu);
                ratios.push(Comparison { case: one.case.name, peer, ratio: Summary::of(rounds), limit });
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
        let of =
            |summary: Summary| json!({ "median": summary.median, "min": summary.min, "max": summary.max });
        let cases = self.measured.iter().map(|one| {
            let samples: Vec<f64> = one.samples.iter().map(|sample| sample.cpu).collect();
            json!({
                "name": one.case.name,
                "description": one.case.description,
                "cpu_microseconds": of(one.cpu()),
                "requests_per_second": of(one.rate()),
                "samples": samples,
            })
        });
        let ratios = self.ratios();
        let ratios = ratios
            .iter()
            .map(|r| json!({ "case": r.case, "peer": r.peer, "ratio": of(r.ratio), "limit": r.limit }));
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

/// Writes the tables of growth and of waiting into the document.
pub(crate) fn save_curves(tables: &str) -> Result<()> {
    update(DOCUMENT, CURVES, tables)
}

/// Writes the table of memory use into the document.
pub(crate) fn save_soak(table: &str) -> Result<()> {
    update(DOCUMENT, SOAK, table)
}

/// Writes a table into a document in docs/, between two markers.
pub(crate) fn update(document: &str, markers: (&str, &str), table: &str) -> Result<()> {
    let path = root().join("docs").join(document);
    let old = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let new = with_table(&old, markers, table).with_context(|| path.display().to_string())?;
    Ok(fs::write(&path, new)?)
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn with_table(document: &str, (begin, end): (&str, &str), table: &str) -> Result<String> {
    let (before, rest) = document.split_once(begin).with_context(|| format!("there is no {begin}"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("there is no {end}"))?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", table.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_table_replaces_the_old_one() {
        let (begin, end) = SOAK;
        let document = format!("before\n{begin}\nold\n{end}\nafter\n");
        let expected = format!("before\n{begin}\nnew\n{end}\nafter\n");
        assert_eq!(with_table(&document, SOAK, "new\n").unwrap(), expected);
        assert!(with_table(&document, BENCH, "new").is_err());
    }
}
