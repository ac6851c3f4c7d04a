//! What a check found.

use std::fmt;

use serde_json::{Value, json};

use crate::document::At;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The Worker would refuse the configuration, or the deployment would fail.
    Error,
    /// It works, and is probably not what is wanted.
    Advice,
}

impl Severity {
    /// Its name in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Advice => "advice",
        }
    }
}

/// One mistake, or one piece of advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is in the files.
    pub at: At,
    /// The place in the configuration, `AUTH.rules[1].match`, or the name of a secret. Empty for a syntax error.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// How to fix it; empty where the problem says it.
    pub fix: String,
}

impl Finding {
    /// A mistake.
    pub fn error(
        at: At,
        place: impl Into<String>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Error, at, place: place.into(), problem: problem.into(), fix: fix.into() }
    }

    /// Advice.
    pub fn advice(
        at: At,
        place: impl Into<String>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Advice, ..Self::error(at, place, problem, fix) }
    }

    /// The finding for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "severity": self.severity.name(),
            "file": self.at.file,
            "line": self.at.line,
            "column": self.at.column,
            "place": self.place,
            "problem": self.problem,
            "fix": self.fix,
        })
    }
}

/// `wrangler.toml:12:1: error: AUTH.rules[1].match: what is wrong; how to fix it`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.at, self.severity.name())?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.problem)?;
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        Ok(())
    }
}
