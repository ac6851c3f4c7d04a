//! `cargo xtask fuzz`: runs the targets of `crates/fuzz` in turn. Where a nightly compiler and cargo-fuzz are installed,
//! they run with coverage and a sanitizer (`fuzz/`); elsewhere the engine of `crates/fuzz` runs them.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::marked::between;
use crate::project::Project;
use crate::step::{run, run_quietly, step};

/// The document that contains the table, between the two markers.
const DOCUMENT: &str = "docs/fuzzing.md";
const BEGIN: &str = "<!-- fuzz: begin -->";
const END: &str = "<!-- fuzz: end -->";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Args)]
pub(crate) struct Options {
    /// How long to run, all targets together
    #[arg(long, value_name = "N", default_value_t = 5.0)]
    minutes: f64,
    /// Only this target
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Run the target once, with the input in this file: it repeats a finding
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<String>,
    /// The random seed of the engine on a stable compiler
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Use the engine on a stable compiler, even if cargo-fuzz is installed
    #[arg(long)]
    stable: bool,
    /// Write the table of executions into docs/fuzzing.md; with the engine on a stable compiler
    #[arg(long, conflicts_with_all = ["target", "input"])]
    write: bool,
}

/// Runs the targets, or repeats one input. Fails if something was found.
pub(crate) fn fuzz(project: &Project, options: &Options) -> Result<()> {
    let uses_cargo_fuzz =
        options.input.is_none() && !options.stable && !options.write && has_cargo_fuzz(project);
    if uses_cargo_fuzz { with_cargo_fuzz(project, options) } else { on_stable(project, options) }
}

fn on_stable(project: &Project, options: &Options) -> Result<()> {
    let mut command = project.cargo();
    command.args(["run", "--quiet", "--profile", "race", "--package", "vestibule-fuzz", "--"]);
    command.args(arguments(options));
    if !options.write {
        return run(&mut command);
    }
    let output = step("fuzz", || run_quietly(&mut command))?;
    let table = output.split_once("| target |").map(|(_, rest)| format!("| target |{rest}"));
    let table = table.context("the program printed no table")?;
    println!("{table}");
    let path = project.path(DOCUMENT);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
    let text = between(BEGIN, END, &text, table.trim()).with_context(|| DOCUMENT)?;
    fs::write(&path, text).with_context(|| format!("cannot write {DOCUMENT}"))
}

/// The arguments of the program in `crates/fuzz`.
fn arguments(options: &Options) -> Vec<String> {
    let mut arguments: Vec<String> = ["--minutes", &options.minutes.to_string()].map(str::to_owned).into();
    arguments.extend(["--seed".to_owned(), options.seed.to_string()]);
    for (name, value) in [("--target", &options.target), ("--input", &options.input)] {
        arguments.extend(value.iter().flat_map(|value| [name.to_owned(), value.clone()]));
    }
    arguments
}

/// Whether `cargo +nightly fuzz` can be run. `cargo` must be rustup's for that.
fn has_cargo_fuzz(project: &Project) -> bool {
    run_quietly(nightly(project).args(["fuzz", "--version"])).is_ok()
}

fn nightly(project: &Project) -> Command {
    let mut command = project.command("cargo");
    // Those of the compiler that runs this program.
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command.arg("+nightly");
    command
}

fn with_cargo_fuzz(project: &Project, options: &Options) -> Result<()> {
    let targets = match &options.target {
        Some(name) => vec![name.clone()],
        None => names(project)?,
    };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a number of seconds for each target; the cast saturates"
    )]
    let seconds = (options.minutes * 60.0 / targets.len() as f64).max(1.0) as u64;
    let (mut found, mut total) = (Vec::new(), 0);
    for target in &targets {
        // What is found in a run is kept out of the committed seeds.
        let kept = format!("target/fuzz-corpus/{target}");
        fs::create_dir_all(project.path(&kept)).with_context(|| format!("cannot create {kept}"))?;
        let seeds = format!("fuzz/corpus/{target}");
        let limit = format!("-max_total_time={seconds}");
        let artifacts = format!("-artifact_prefix=fuzz/artifacts/{target}/");
        fs::create_dir_all(project.path("fuzz/artifacts").join(target))
            .context("cannot create fuzz/artifacts")?;
        let mut command = nightly(project);
        command.args(["fuzz", "run", target, &kept, &seeds, "--", &limit, &artifacts]);
        command.args(["-print_final_stats=1", "-max_len=4096", "-timeout=20"]);
        match step(target, || run_quietly(&mut command)) {
            Ok(output) => {
                let executions = executions(&output);
                total += executions;
                println!("   {executions} executions");
            }
            Err(error) => {
                println!("{error:#}");
                println!(
                    "   repeat: cargo xtask fuzz --target {target} --input fuzz/artifacts/{target}/FILE"
                );
                found.push(target.as_str());
            }
        }
    }
    println!("{} targets, {total} executions, {} with findings", targets.len(), found.len());
    if !found.is_empty() {
        bail!("something was found: {}", found.join(", "));
    }
    Ok(())
}

/// The targets, by their files.
fn names(project: &Project) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(project.path("fuzz/fuzz_targets")).context("cannot read fuzz/fuzz_targets")? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

/// How many inputs libFuzzer ran.
fn executions(output: &str) -> u64 {
    let line = output.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn an_input_belongs_to_a_target() {
        let options = read::<Options>(&["--minutes", "0.5", "--target", "jwe", "--input", "x"]).unwrap();
        assert_eq!(
            arguments(&options),
            ["--minutes", "0.5", "--seed", "1", "--target", "jwe", "--input", "x"]
        );
        assert!(read::<Options>(&["--input", "x"]).is_err());
        assert!(read::<Options>(&["--minutes", "many"]).is_err());
    }

    #[test]
    fn the_executions_are_those_of_libfuzzers_statistics() {
        assert_eq!(executions("Done 7 runs\nstat::number_of_executed_units: 70123\nstat::x: 1\n"), 70123);
        assert_eq!(executions(""), 0);
    }

    #[test]
    fn every_target_has_a_file() {
        let project = Project::find().unwrap();
        let names = names(&project).unwrap();
        assert!(names.len() >= 18 && names.contains(&"jwe".to_owned()), "{names:?}");
    }
}
