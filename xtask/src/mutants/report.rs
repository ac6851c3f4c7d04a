//! What became of the mutants, for a reader.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::outcomes::{Mutant, Outcome, Summary};
use crate::marked::between;

/// How many survivors the document lists.
const MAX_LISTED: usize = 60;

/// A mutant that means the same as the code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Equivalent {
    /// As in the list of survivors, without line and column: `FILE: replace … with … in FUNCTION`.
    mutant: String,
    /// Why no test can tell them apart.
    reason: String,
}

/// The list in this file.
pub(super) fn equivalent(path: &Path) -> Result<Vec<Equivalent>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        equivalent: Vec<Equivalent>,
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: File = toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    let without = file.equivalent.iter().find(|entry| entry.reason.trim().is_empty());
    ensure!(without.is_none(), "{}: an entry has no reason", path.display());
    Ok(file.equivalent)
}

/// The numbers of a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Numbers {
    /// All mutants there are.
    all: usize,
    /// Those whose tests failed or did not end.
    caught: usize,
    /// Those of `caught` whose tests did not end.
    timeouts: usize,
    survived: usize,
    equivalent: usize,
    unviable: usize,
}

impl Numbers {
    fn plus(self, other: Numbers) -> Numbers {
        Numbers {
            all: self.all + other.all,
            caught: self.caught + other.caught,
            timeouts: self.timeouts + other.timeouts,
            survived: self.survived + other.survived,
            equivalent: self.equivalent + other.equivalent,
            unviable: self.unviable + other.unviable,
        }
    }
}

/// The outcomes by room, the survivors, and the equivalent mutants.
pub(super) struct Report {
    rooms: BTreeMap<String, Numbers>,
    survivors: String,
    /// That of the sample; `None` if it is none, and says nothing of the mutants that are not in it.
    seed: Option<u64>,
    /// Mutant and reason.
    equivalent: BTreeSet<(String, String)>,
}

impl Report {
    /// Sorts the outcomes of some of `all` mutants, which are a sample of this `seed`.
    pub(super) fn of<'a>(
        outcomes: &'a [Outcome],
        equivalent: &[Equivalent],
        all: &'a [Mutant],
        seed: Option<u64>,
        room_of: impl Fn(&'a str) -> &'a str,
    ) -> Report {
        let mut report =
            Report { rooms: BTreeMap::new(), survivors: String::new(), seed, equivalent: BTreeSet::new() };
        for mutant in all {
            report.rooms.entry(room_of(&mutant.file).to_owned()).or_default().all += 1;
        }
        for Outcome { mutant, summary } in outcomes {
            let room = report.rooms.entry(room_of(&mutant.file).to_owned()).or_default();
            let description = mutant.description();
            match summary {
                Summary::Caught => room.caught += 1,
                Summary::Timeout => {
                    room.caught += 1;
                    room.timeouts += 1;
                }
                Summary::Unviable => room.unviable += 1,
                Summary::Missed => {
                    if let Some(entry) = equivalent.iter().find(|entry| entry.mutant == description) {
                        room.equivalent += 1;
                        report.equivalent.insert((description, entry.reason.clone()));
                    } else {
                        room.survived += 1;
                        let _ = writeln!(report.survivors, "{}", mutant.name);
                    }
                }
            }
        }
        report
    }

    /// A line for each mutant that survived and is not known to be equivalent.
    pub(super) fn survivors(&self) -> &str {
        &self.survivors
    }

    /// A row for each room and one for all: of the viable mutants that are not equivalent, how many the tests noticed.
    pub(super) fn table(&self) -> String {
        let mut table = "| room | mutants | tested | do not compile | mean the same | caught | of them without an end | survived | caught, in percent | of all, with a confidence of 95 % |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n".to_owned();
        let sum = self.rooms.values().fold(Numbers::default(), |sum, room| sum.plus(*room));
        let rows = self.rooms.iter().map(|(name, numbers)| (format!("`{name}`"), *numbers));
        for (name, numbers) in rows.chain([("all".to_owned(), sum)]) {
            let Numbers { all, caught, timeouts, survived, equivalent, unviable } = numbers;
            let tested = caught + survived + equivalent + unviable;
            let (share, [low, high]) = interval(caught, caught + survived);
            let share = if caught + survived == 0 { "–".to_owned() } else { format!("{share:.1}") };
            let of_all = self.seed.map_or("–".to_owned(), |_| format!("{low:.1} to {high:.1}"));
            let _ = writeln!(
                table,
                "| {name} | {all} | {tested} | {unviable} | {equivalent} | {caught} | {timeouts} | {survived} | {share} | {of_all} |"
            );
        }
        table
    }

    /// Writes the table, the survivors and the equivalent mutants into the document.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let document = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = between("<!-- mutants: begin -->", "<!-- mutants: end -->", &document, &self.text())?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn text(&self) -> String {
        let chosen = self.seed.map_or_else(
            || "All that ran on the code as it is.".to_owned(),
            |seed| format!("Chosen at random, with the seed {seed}."),
        );
        let mut text = format!("{}\n{chosen}", self.table());
        let survivors = self.survivors.lines().count();
        if survivors > MAX_LISTED {
            let _ = write!(
                text,
                "\n\nThe survivors are too many for a document: `cargo xtask mutants --tested` prints them."
            );
        } else if survivors > 0 {
            let _ = write!(text, "\n\nSurvivors:\n");
            for survivor in self.survivors.lines() {
                let _ = write!(text, "\n- `{survivor}`");
            }
        }
        if !self.equivalent.is_empty() {
            let _ = write!(text, "\n\n| mutant that means the same | why |\n|---|---|");
            for (mutant, reason) in &self.equivalent {
                // A bar would end the cell.
                let _ = write!(text, "\n| `{}` | {reason} |", mutant.replace('|', "\\|"));
            }
        }
        text
    }
}

/// The share in percent of `part` of `all`, and Wilson's interval of the share in the population for a confidence of 95 %.
#[allow(clippy::cast_precision_loss, reason = "numbers of mutants")]
fn interval(part: usize, all: usize) -> (f64, [f64; 2]) {
    /// The standard normal distribution's quantile for 95 %, two-sided.
    const Z: f64 = 1.959_964;
    if all == 0 {
        return (100.0, [0.0, 100.0]);
    }
    let (n, share) = (all as f64, part as f64 / all as f64);
    let scale = 1.0 / (1.0 + Z * Z / n);
    let middle = scale * (share + Z * Z / (2.0 * n));
    let half = scale * Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    (100.0 * share, [100.0 * (middle - half).max(0.0), 100.0 * (middle + half).min(1.0)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;

    fn outcome(line: u32, what: &str, summary: Summary) -> Outcome {
        Outcome {
            mutant: Mutant { name: format!("a.rs:{line}:1: {what}"), file: "a.rs".to_owned() },
            summary,
        }
    }

    #[test]
    fn an_equivalent_mutant_is_no_survivor_wherever_it_moves() {
        let equivalent =
            [Equivalent { mutant: "a.rs: replace < with <=".to_owned(), reason: "never equal".to_owned() }];
        let outcomes = [
            outcome(3, "replace < with <=", Summary::Missed),
            outcome(9, "replace < with ==", Summary::Missed),
            outcome(9, "replace < with >", Summary::Caught),
            outcome(9, "replace g", Summary::Timeout),
            outcome(9, "replace f", Summary::Unviable),
        ];
        let all: Vec<Mutant> = outcomes.iter().map(|outcome| outcome.mutant.clone()).collect();
        let report = Report::of(&outcomes, &equivalent, &all, Some(7), |file| file);
        assert_eq!(report.survivors(), "a.rs:9:1: replace < with ==\n");
        let numbers = Numbers { all: 5, caught: 2, timeouts: 1, survived: 1, equivalent: 1, unviable: 1 };
        assert_eq!(report.rooms["a.rs"], numbers);
        let text = report.text();
        assert!(text.contains("| `a.rs` | 5 | 5 | 1 | 1 | 2 | 1 | 1 | 66.7 |"), "{text}");
        assert!(text.contains("| `a.rs: replace < with <=` | never equal |"), "{text}");
    }

    #[test]
    fn the_interval_is_wilsons() {
        let (share, [low, high]) = interval(97, 100);
        assert!(
            (share - 97.0).abs() < 1e-9 && (low - 91.55).abs() < 0.01 && (high - 98.97).abs() < 0.01,
            "{low} {high}"
        );
        let (_, [low, high]) = interval(0, 0);
        assert!(low.abs() < 1e-9 && (high - 100.0).abs() < 1e-9);
        assert!((interval(60, 60).1[1] - 100.0).abs() < 1e-9);
    }

    #[test]
    fn every_equivalent_mutant_has_a_reason() {
        let project = Project::find().unwrap();
        let entries = equivalent(&project.path(crate::mutants::EQUIVALENT)).unwrap();
        for Equivalent { mutant, .. } in entries {
            let (file, _) = mutant.split_once(": ").unwrap();
            assert!(project.path(file).is_file(), "{mutant}: there is no such file");
        }
    }
}
