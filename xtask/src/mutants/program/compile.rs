//! Compiles the tests, and reads what the compiler says of the code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::mutants::DIRECTORY;
use crate::project::Project;

/// The packages with tests: always both, because cargo compiles a crate again for other features.
const PACKAGES: [&str; 4] = ["-p", "vestibule-core", "-p", "vestibule-oidc"];

/// The targets with tests: first what compiles each crate once, in case that it has mistakes.
const TESTS: [&[&str]; 2] =
    [&["--test=guard"], &["--lib", "--test=guard", "--test=flows", "--test=providers", "--test=jws"]];

/// A program of tests, and the package's directory.
#[derive(Clone, Debug)]
pub(super) struct Executable {
    pub(super) path: PathBuf,
    pub(super) directory: PathBuf,
}

/// Where the compiler finds something wrong, and what.
pub(super) struct Mistake {
    pub(super) file: String,
    pub(super) byte: usize,
    pub(super) text: String,
}

/// A line of what cargo prints for programs.
#[derive(Deserialize)]
struct Line {
    message: Option<Diagnostic>,
    executable: Option<PathBuf>,
    target: Option<Target>,
    manifest_path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: Option<String>,
    spans: Vec<Mark>,
}

#[derive(Deserialize)]
struct Mark {
    file_name: String,
    byte_start: usize,
    is_primary: bool,
}

impl Diagnostic {
    fn mistakes(self) -> Vec<Mistake> {
        let text = self.rendered.unwrap_or_default();
        let primary = self.spans.into_iter().filter(|span| span.is_primary && self.level == "error");
        // A byte further on, it is behind the mark that begins there.
        let at = |span: Mark| Mistake { file: span.file_name, byte: span.byte_start + 1, text: text.clone() };
        primary.map(at).collect()
    }
}

/// Compiles the tests. Gives the programs, or what is wrong with the code.
pub(super) fn compile(
    project: &Project,
    directory: &Path,
) -> Result<std::result::Result<BTreeMap<String, Executable>, Vec<Mistake>>> {
    let mut executables = BTreeMap::new();
    for targets in TESTS {
        let mut command = project.cargo();
        command.current_dir(directory);
        command.env("CARGO_TARGET_DIR", project.path(DIRECTORY).join("build")).env("CARGO_INCREMENTAL", "1");
        command.args(["test", "--no-run", "--profile=mutants", "--message-format=json"]);
        let output = command.args(PACKAGES).args(targets).stdin(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut mistakes = Vec::new();
        for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
            mistakes.extend(line.message.map(Diagnostic::mistakes).unwrap_or_default());
            if let (Some(path), Some(target), Some(manifest)) =
                (line.executable, line.target, line.manifest_path)
            {
                let directory = manifest.parent().unwrap_or(directory).to_owned();
                executables.insert(target.name, Executable { path, directory });
            }
        }
        if !output.status.success() {
            ensure!(!mistakes.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
            return Ok(Err(mistakes));
        }
    }
    Ok(Ok(executables))
}
