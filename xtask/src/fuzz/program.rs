//! The program in `crates/fuzz`: its list of targets, and its engine for a stable compiler.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::accounts::{Run, measured};
use crate::project::Project;
use crate::step::{run_quietly, step};

/// A target, as the program lists it.
#[derive(Debug, Deserialize)]
pub(super) struct Target {
    pub(super) name: String,
    /// What is read, and what it is compared with.
    pub(super) about: String,
    /// The functions that it calls to read.
    pub(super) reads: Vec<String>,
    /// How many inputs its slice in the tests has.
    pub(super) slice: usize,
}

/// What was found.
#[derive(Debug, Deserialize)]
pub(super) struct Finding {
    pub(super) message: String,
    pub(super) input: String,
    /// Where the input is, relative to the repository.
    pub(super) file: String,
    /// Whether the program finds it too.
    pub(super) repeats: bool,
}

/// The built program.
pub(super) struct Program<'a> {
    project: &'a Project,
    path: PathBuf,
}

#[derive(Deserialize)]
struct Ran {
    #[serde(default)]
    executions: u64,
    finding: Option<Finding>,
}

impl<'a> Program<'a> {
    /// Builds it, optimized.
    pub(super) fn build(project: &'a Project) -> Result<Self> {
        let mut command = project.cargo();
        command.args(["build", "--profile", "race", "--package", "vestibule-fuzz"]);
        command.arg("--message-format=json-render-diagnostics");
        let output = step("build the targets", || run_quietly(&mut command))?;
        let path = output.lines().find_map(executable).context("cargo names no program vestibule-fuzz")?;
        Ok(Self { project, path })
    }

    /// All targets.
    pub(super) fn targets(&self) -> Result<Vec<Target>> {
        self.result(&mut self.command(&["list"]))
    }

    /// Runs a target with the engine of the program.
    pub(super) fn run(&self, target: &Target, seconds: f64, seed: u32) -> Result<Run> {
        let mut command = self.command(&["run", &target.name, &seconds.to_string(), &seed.to_string()]);
        let (ran, cpu) = measured(|| self.result::<Ran>(&mut command));
        let Ran { executions, finding } = ran?;
        Ok(Run { executions, cpu, finding })
    }

    /// Runs a target once, with the input in a file. Fails if something is found, with what the program prints.
    pub(super) fn repeat(&self, target: &str, file: &str) -> Result<()> {
        run_quietly(&mut self.command(&["repeat", target, file])).map(drop)
    }

    /// A smaller input that finds something in place of that in a file; `None` where the program finds nothing.
    pub(super) fn reduce(&self, target: &Target, file: &str) -> Result<Option<Finding>> {
        self.result::<Ran>(&mut self.command(&["reduce", &target.name, file])).map(|ran| ran.finding)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.project.command(&self.path);
        command.args(words);
        command
    }

    fn result<T: DeserializeOwned>(&self, command: &mut Command) -> Result<T> {
        let output = run_quietly(command)?;
        let line = output.lines().last().unwrap_or_default();
        serde_json::from_str(line).with_context(|| format!("{} printed {line:?}", self.path.display()))
    }
}

/// The program, if a message of cargo is about it.
fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_it = message.pointer("/target/name")? == "vestibule-fuzz";
    message.get("executable")?.as_str().filter(|_| is_it).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_that_cargo_names() {
        let message =
            r#"{"reason":"compiler-artifact","target":{"name":"vestibule-fuzz"},"executable":"/t/x"}"#;
        assert_eq!(executable(message), Some(PathBuf::from("/t/x")));
        assert_eq!(executable(&message.replace("-fuzz", "-core")), None);
        assert_eq!(executable("warning: unused"), None);
    }
}
