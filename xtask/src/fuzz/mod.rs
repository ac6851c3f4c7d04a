//! `cargo xtask fuzz`: runs the targets of `crates/fuzz` in turn. Where a nightly compiler and a C++ compiler are installed,
//! libFuzzer runs them with coverage and AddressSanitizer (`fuzz/`); elsewhere the engine of `crates/fuzz` does.

mod accounts;
mod corpora;
mod document;
mod lib_fuzzer;
mod program;

use anyhow::{Result, bail};
use clap::Args;

use self::lib_fuzzer::LibFuzzer;
use self::program::{Finding, Program, Target};
use crate::project::Project;

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
    /// The random seed
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Use the engine on a stable compiler, even if libFuzzer can be used
    #[arg(long)]
    stable: bool,
    /// Add what was run to fuzz/runs.json and the inputs that reach new code to fuzz/found, and write docs/fuzzing.md
    #[arg(long, conflicts_with = "input")]
    write: bool,
}

/// Runs the targets, or repeats one input. Fails if something was found.
pub(crate) fn fuzz(project: &Project, options: &Options) -> Result<()> {
    let program = Program::build(project)?;
    if let (Some(input), Some(target)) = (&options.input, &options.target) {
        program.repeat(target, input)?;
        println!("{target}: no finding");
        return Ok(());
    }
    let all = program.targets()?;
    let targets: Vec<&Target> =
        all.iter().filter(|target| options.target.as_ref().is_none_or(|name| *name == target.name)).collect();
    if targets.is_empty() {
        let names: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
        bail!(
            "there is no target {}; there are: {}",
            options.target.as_deref().unwrap_or_default(),
            names.join(", ")
        );
    }
    let lib_fuzzer = if options.stable { None } else { LibFuzzer::build(project, &targets)? };
    #[expect(clippy::cast_precision_loss, reason = "there are some dozen targets")]
    let seconds = (options.minutes * 60.0 / targets.len() as f64).max(1.0);
    let (mut executions, mut found) = (0, Vec::new());
    for target in &targets {
        let run = match &lib_fuzzer {
            Some(lib_fuzzer) => lib_fuzzer.run(target, seconds, options.seed)?,
            None => program.run(target, seconds, options.seed)?,
        };
        executions += run.executions;
        println!(
            "{:<26} {:>10} executions, {:>6.1} s of CPU",
            target.name,
            run.executions,
            run.cpu.as_secs_f64()
        );
        if let Some(finding) = &run.finding {
            report(&program, target, finding)?;
            found.push(target.name.as_str());
        }
        if options.write {
            accounts::add(project, target, if lib_fuzzer.is_some() { "coverage" } else { "stable" }, &run)?;
            if let Some(lib_fuzzer) = &lib_fuzzer {
                lib_fuzzer.keep(target)?;
            }
        }
    }
    if options.write {
        document::write(project, &all)?;
    }
    println!("{} targets, {executions} executions, {} with findings", targets.len(), found.len());
    if !found.is_empty() {
        bail!("something was found: {}", found.join(", "));
    }
    Ok(())
}

/// Prints a finding, smaller if the program finds it too, and how to repeat it.
fn report(program: &Program, target: &Target, finding: &Finding) -> Result<()> {
    let reduced = if finding.repeats { None } else { program.reduce(target, &finding.file)? };
    let finding = reduced.as_ref().unwrap_or(finding);
    println!("   found: {}", finding.message);
    println!("   input: {:?}", finding.input);
    if finding.repeats {
        println!("   repeat: cargo xtask fuzz --target {} --input {}", target.name, finding.file);
    } else {
        println!(
            "   input in {}; it repeats with libFuzzer only: {}",
            finding.file,
            lib_fuzzer::repeating(target, finding)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn an_input_belongs_to_a_target() {
        let options = read::<Options>(&["--minutes", "0.5", "--target", "jwe", "--input", "x"]).unwrap();
        assert_eq!((options.target.as_deref(), options.input.as_deref()), (Some("jwe"), Some("x")));
        assert!(read::<Options>(&["--input", "x"]).is_err());
        assert!(read::<Options>(&["--minutes", "many"]).is_err());
        assert!(read::<Options>(&["--target", "jwe", "--input", "x", "--write"]).is_err());
    }
}
