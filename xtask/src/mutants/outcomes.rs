//! Reads what cargo-mutants writes.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A change of the code.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Mutant {
    /// `FILE:LINE:COLUMN: replace … with … in FUNCTION`.
    pub(super) name: String,
    /// The path from the project's root.
    pub(super) file: String,
}

impl Mutant {
    /// The name without the line and the column, which other changes move.
    pub(super) fn description(&self) -> String {
        let rest = self.name.splitn(4, ':').nth(3).unwrap_or_default();
        format!("{}:{rest}", self.file)
    }
}

/// What the tests say of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Summary {
    /// A test failed.
    Caught,
    /// The tests did not end, which counts as caught.
    Timeout,
    /// Every test passed.
    Missed,
    /// It does not compile.
    Unviable,
}

/// A mutant, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) mutant: Mutant,
    pub(super) summary: Summary,
}

/// The output of `cargo mutants --list --json`.
pub(super) fn list(text: &str) -> Result<Vec<Mutant>> {
    serde_json::from_str(text).context("cannot read cargo-mutants' list")
}

/// The file `outcomes.json`. Fails if the tests do not pass without a mutant.
pub(super) fn read(path: &Path) -> Result<Vec<Outcome>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Outcome>> {
    #[derive(Deserialize)]
    struct File {
        outcomes: Vec<Written>,
    }
    #[derive(Deserialize)]
    struct Written {
        scenario: Value,
        summary: String,
    }
    let file: File = serde_json::from_str(text).context("cannot read cargo-mutants' outcomes")?;
    let mut outcomes = Vec::new();
    for Written { scenario, summary } in file.outcomes {
        let Some(mutant) = scenario.get("Mutant") else {
            ensure!(summary == "Success", "the tests fail without any mutant: {summary}");
            continue;
        };
        let summary = match summary.as_str() {
            "CaughtMutant" => Summary::Caught,
            "Timeout" => Summary::Timeout,
            "MissedMutant" => Summary::Missed,
            "Unviable" => Summary::Unviable,
            other => anyhow::bail!("cargo-mutants says {other} of {mutant}"),
        };
        outcomes.push(Outcome { mutant: serde_json::from_value(mutant.clone())?, summary });
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_is_written() {
        let mutant = r#"{"Mutant": {"name": "a/b.rs:3:7: replace f -> bool with true", "file": "a/b.rs"}}"#;
        let outcomes = |summary: &str| {
            parse(&format!(
                r#"{{"outcomes": [{{"scenario": "Baseline", "summary": "Success"}}, {{"scenario": {mutant}, "summary": "{summary}"}}]}}"#
            ))
        };
        let [outcome] = outcomes("Timeout").unwrap().try_into().unwrap();
        assert_eq!(outcome.summary, Summary::Timeout);
        assert_eq!(outcome.mutant.description(), "a/b.rs: replace f -> bool with true");
        assert_eq!(outcomes("CaughtMutant").unwrap()[0].summary, Summary::Caught);
        assert_eq!(outcomes("MissedMutant").unwrap()[0].summary, Summary::Missed);
        assert!(outcomes("Failure").is_err());
    }

    #[test]
    fn tests_that_fail_without_a_mutant_say_nothing_of_mutants() {
        let error = parse(r#"{"outcomes": [{"scenario": "Baseline", "summary": "Failure"}]}"#).unwrap_err();
        assert!(error.to_string().contains("without any mutant"), "{error}");
    }
}
