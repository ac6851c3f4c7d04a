//! libFuzzer, as cargo-fuzz builds it: with coverage and AddressSanitizer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use super::accounts::{Run, measured};
use super::corpora;
use super::program::{Finding, Target};
use crate::project::Project;
use crate::step::{run_quietly, show, step};

/// The version of cargo-fuzz that is installed, and where.
const VERSION: &str = "0.13.2";
const TOOLS: &str = "target/tools";

/// Where cargo-fuzz builds.
const BUILT: &str = "target/fuzz";

/// The longest input in bytes, and the longest run of one in seconds: by the clock, so that a busy machine is no finding.
const LIMITS: [&str; 2] = ["-max_len=4096", "-timeout=300"];

/// The programs, one for each target.
pub(super) struct LibFuzzer<'a> {
    project: &'a Project,
}

impl<'a> LibFuzzer<'a> {
    /// Builds them; `None` where there is no nightly compiler or no C++ compiler.
    pub(super) fn build(project: &'a Project, targets: &[&Target]) -> Result<Option<Self>> {
        let cxx = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
        if run_quietly(nightly(project, "cargo").arg("--version")).is_err() {
            println!("   without coverage: `rustup toolchain install nightly` adds it");
            return Ok(None);
        }
        if run_quietly(project.command(cxx).arg("--version")).is_err() {
            println!("   without coverage: it needs a C++ compiler (Debian: g++)");
            return Ok(None);
        }
        let cargo_fuzz = ensure_cargo_fuzz(project)?;
        let mut command = nightly(project, cargo_fuzz);
        // Without `--release` every crate would have its assertions; the manifest says which have.
        command.args(["build", "--release", "--target-dir", BUILT]);
        if let [target] = targets {
            command.arg(&target.name);
        }
        step("cargo fuzz build", || run_quietly(&mut command))?;
        Ok(Some(Self { project }))
    }

    /// Runs a target.
    pub(super) fn run(&self, target: &Target, seconds: f64, seed: u32) -> Result<Run> {
        let kept = corpora::folder(self.project, target)?;
        let mut command = self.command(target)?;
        command.arg(kept).arg(seeds(target));
        command.args([format!("-max_total_time={seconds:.0}"), format!("-seed={seed}")]);
        command.arg("-print_final_stats=1");
        let (output, cpu) = measured(|| command.output());
        let output = output.with_context(|| format!("cannot start {}", show(&command)))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let finding = self.finding(&output, &text).with_context(|| show(&command))?;
        Ok(Run { executions: executions(&text), cpu, finding })
    }

    /// Makes the inputs that were kept few again, and writes the best of them into `fuzz/found`.
    pub(super) fn keep(&self, target: &Target) -> Result<()> {
        let kept = corpora::folder(self.project, target)?;
        let merge = |option: &str, into: &Path, from: &[&Path]| {
            let mut command = self.command(target)?;
            run_quietly(command.arg(option).arg(into).args(from)).map(drop)
        };
        let seeds = self.project.path(&seeds(target));
        corpora::replace(&kept, |few| merge("-merge=1", few, &[&kept, &seeds]))?;
        corpora::write(self.project, target, &seeds, |chosen| merge("-set_cover_merge=1", chosen, &[&kept]))
    }

    /// The program of a target, with what every run of it has.
    fn command(&self, target: &Target) -> Result<Command> {
        let artifacts = format!("fuzz/artifacts/{}/", target.name);
        fs::create_dir_all(self.project.path(&artifacts))
            .with_context(|| format!("cannot make {artifacts}"))?;
        let mut command = self.project.command(program(self.project, target)?);
        command.args(LIMITS).arg(format!("-artifact_prefix={artifacts}"));
        // Rust has no leaks that are faults, and the search for them needs ptrace.
        command.arg("-detect_leaks=0").env("ASAN_OPTIONS", "detect_odr_violation=0:detect_leaks=0");
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// What a run found. An error where it failed otherwise.
    fn finding(&self, output: &Output, text: &str) -> Result<Option<Finding>> {
        if output.status.success() {
            return Ok(None);
        }
        let Some(file) =
            text.lines().find_map(|line| line.split_once("Test unit written to ")).map(|it| it.1)
        else {
            let lines: Vec<&str> = text.lines().collect();
            bail!(
                "it ended with {}\n{}",
                output.status,
                lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
            );
        };
        let input = fs::read(self.project.path(file)).with_context(|| format!("cannot read {file}"))?;
        let input = String::from_utf8_lossy(&input).into_owned();
        Ok(Some(Finding { message: message(text), input, file: file.to_owned(), repeats: false }))
    }
}

/// The command that repeats a finding with libFuzzer.
pub(super) fn repeating(target: &Target, finding: &Finding) -> String {
    format!(
        "RUSTUP_TOOLCHAIN=nightly {TOOLS}/bin/cargo-fuzz run --release --target-dir {BUILT} {} {}",
        target.name, finding.file
    )
}

/// Where the seeds of a target are, relative to the repository.
fn seeds(target: &Target) -> String {
    format!("fuzz/corpus/{}", target.name)
}

/// A program that uses the nightly compiler. `cargo` must be rustup's for that.
fn nightly(project: &Project, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = project.command(program);
    // Those of the compiler that runs this program.
    for variable in ["CARGO", "RUSTC", "CARGO_TARGET_DIR"] {
        command.env_remove(variable);
    }
    command.env("RUSTUP_TOOLCHAIN", "nightly");
    command
}

/// The path of cargo-fuzz, which is installed if it is missing.
fn ensure_cargo_fuzz(project: &Project) -> Result<PathBuf> {
    let path =
        project.path(TOOLS).join("bin").join(if cfg!(windows) { "cargo-fuzz.exe" } else { "cargo-fuzz" });
    let is_installed = |version: String| version.trim() == format!("cargo-fuzz {VERSION}");
    if !run_quietly(project.command(&path).arg("--version")).is_ok_and(is_installed) {
        step(&format!("cargo install cargo-fuzz@{VERSION}, once"), || {
            let mut command = project.cargo();
            command.args(["install", "--locked", "--force", "--root", TOOLS]);
            run_quietly(command.arg(format!("cargo-fuzz@{VERSION}"))).map(drop)
        })?;
    }
    Ok(path)
}

/// The program of a target, in the folder of whatever system this is.
fn program(project: &Project, target: &Target) -> Result<PathBuf> {
    let systems = fs::read_dir(project.path(BUILT)).with_context(|| format!("cannot read {BUILT}"))?;
    let programs = systems.flatten().map(|system| system.path().join("release").join(&target.name));
    programs.into_iter().find(|path| path.is_file()).with_context(|| {
        format!("cargo-fuzz built no program {}: has fuzz/Cargo.toml a [[bin]] for it?", target.name)
    })
}

/// How many inputs libFuzzer ran.
fn executions(output: &str) -> u64 {
    let line = output.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

/// What a panic or a sanitizer says.
fn message(output: &str) -> String {
    let mut lines = output.lines().skip_while(|line| !line.contains("panicked at "));
    let of_panic = lines.nth(1);
    let summary =
        || output.lines().find(|line| line.starts_with("SUMMARY: ") || line.contains("ERROR: libFuzzer"));
    of_panic.or_else(summary).unwrap_or("it ended").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executions_are_those_of_libfuzzers_statistics() {
        assert_eq!(executions("Done 7 runs\nstat::number_of_executed_units: 70123\nstat::x: 1\n"), 70123);
        assert_eq!(executions(""), 0);
    }

    #[test]
    fn the_message_is_that_of_the_panic_or_of_the_sanitizer() {
        let panic = "INFO: x\n\nthread '<unnamed>' (1) panicked at a.rs:1:2:\na session opens\nnote: x\nSUMMARY: libFuzzer: deadly signal";
        assert_eq!(message(panic), "a session opens");
        assert_eq!(message("#1\nSUMMARY: libFuzzer: timeout\n"), "SUMMARY: libFuzzer: timeout");
        assert_eq!(message(""), "it ended");
    }
}
