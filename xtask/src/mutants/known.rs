//! What became of the mutants that ran before. So a run that was interrupted continues, and after a new test only the
//! survivors run again.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::KNOWN;
use super::outcomes::{Mutant, Outcome, Summary};
use crate::project::Project;
use crate::tools::fingerprint;

/// The outcomes by the mutant's name.
pub(super) struct Known {
    path: PathBuf,
    /// The fingerprint of each file's code.
    code: BTreeMap<String, String>,
    outcomes: BTreeMap<String, Kept>,
    /// Which of them this run has got itself.
    new: BTreeMap<String, Summary>,
}

#[derive(Deserialize, Serialize)]
struct Kept {
    code: String,
    summary: Summary,
}

impl Known {
    /// What is known of these mutants, where the code of their files is as it was.
    pub(super) fn read(project: &Project, mutants: &[Mutant]) -> Result<Known> {
        let path = project.path(KNOWN);
        let mut code = BTreeMap::new();
        for Mutant { file, .. } in mutants {
            let text = fs::read_to_string(project.path(file));
            let text = text.with_context(|| format!("cannot read {file}"))?;
            code.insert(file.clone(), fingerprint([code_of(&text).as_bytes()]));
        }
        let outcomes = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| format!("remove {KNOWN}"))?,
            Err(_) => BTreeMap::new(),
        };
        Ok(Known { path, code, outcomes, new: BTreeMap::new() })
    }

    /// Whether the tests of this turn have to say something of the mutant: nothing is known of it, or it survived those
    /// of the turns before.
    pub(super) fn is_open(&self, mutant: &Mutant, turn: usize) -> bool {
        match self.new.get(&mutant.name) {
            Some(summary) => *summary == Summary::Missed,
            None => turn == 0 && matches!(self.summary(mutant), None | Some(Summary::Missed)),
        }
    }

    /// Keeps these outcomes, here and in the file.
    pub(super) fn extend(&mut self, outcomes: Vec<Outcome>) -> Result<()> {
        for Outcome { mutant, summary } in outcomes {
            let code = self.code.get(&mutant.file).cloned().unwrap_or_default();
            self.outcomes.insert(mutant.name.clone(), Kept { code, summary });
            self.new.insert(mutant.name, summary);
        }
        let text = serde_json::to_string_pretty(&self.outcomes)?;
        fs::write(&self.path, text).with_context(|| format!("cannot write {KNOWN}"))
    }

    /// The outcomes of these mutants.
    pub(super) fn of(&self, mutants: &[Mutant]) -> Vec<Outcome> {
        let outcome =
            |mutant: &Mutant| Some(Outcome { mutant: mutant.clone(), summary: self.summary(mutant)? });
        mutants.iter().filter_map(outcome).collect()
    }

    fn summary(&self, mutant: &Mutant) -> Option<Summary> {
        let kept = self.outcomes.get(&mutant.name)?;
        (self.code.get(&mutant.file) == Some(&kept.code)).then_some(kept.summary)
    }
}

/// A file without its unit tests, which change what is noticed of the code, and not the code.
pub(super) fn code_of(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod ").map_or(text, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(name: &str) -> Mutant {
        Mutant { name: name.to_owned(), file: "a.rs".to_owned() }
    }

    fn known(code: &str, outcomes: &[(&str, Summary)]) -> Known {
        let kept = |(name, summary): &(&str, Summary)| {
            ((*name).to_owned(), Kept { code: "1".to_owned(), summary: *summary })
        };
        Known {
            path: std::env::temp_dir().join(format!("vestibule-mutants-{}-{code}", std::process::id())),
            code: [("a.rs".to_owned(), code.to_owned())].into(),
            outcomes: outcomes.iter().map(kept).collect(),
            new: BTreeMap::new(),
        }
    }

    #[test]
    fn a_survivor_runs_again_and_what_was_caught_does_not() {
        let mut known = known("1", &[("caught", Summary::Caught), ("missed", Summary::Missed)]);
        let is_open = |known: &Known, turn| {
            ["caught", "missed", "other"].map(|name| known.is_open(&mutant(name), turn))
        };
        assert_eq!(is_open(&known, 0), [false, true, true]);
        assert_eq!(is_open(&known, 1), [false; 3]);
        let outcome = |name, summary| Outcome { mutant: mutant(name), summary };
        let found = vec![outcome("missed", Summary::Caught), outcome("other", Summary::Missed)];
        known.extend(found).unwrap();
        fs::remove_file(&known.path).unwrap();
        assert_eq!(is_open(&known, 1), [false, false, true]);
        assert_eq!(known.of(&[mutant("other"), mutant("unknown")]), [outcome("other", Summary::Missed)]);
    }

    #[test]
    fn what_is_known_of_other_code_counts_no_longer() {
        let known = known("2", &[("caught", Summary::Caught)]);
        assert!(known.is_open(&mutant("caught"), 0) && known.of(&[mutant("caught")]).is_empty());
        assert_eq!(code_of("fn a() {}\n\n#[cfg(test)]\nmod tests;\n"), "fn a() {}\n");
    }
}
