//! `cargo xtask fuzz` on a stable compiler: runs the targets in turn, and repeats a finding.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, panic};

use vestibule_fuzz::engine::{Engine, Finding, read_seeds, run};
use vestibule_fuzz::{TARGETS, Target, corpus, target};

/// How many inputs are run between two looks at the clock.
const STEP: usize = 16;

struct Arguments {
    minutes: f64,
    seed: u64,
    targets: Vec<&'static Target>,
    /// Run this input only.
    input: Option<PathBuf>,
    /// Where findings are written.
    artifacts: PathBuf,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| work(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments {
        minutes: 1.0,
        seed: 1,
        targets: TARGETS.iter().collect(),
        input: None,
        artifacts: PathBuf::from("fuzz/artifacts"),
    };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let wrong = || format!("{word} {value}: not understood");
        match word.as_str() {
            "--minutes" => arguments.minutes = value.parse().map_err(|_| wrong())?,
            "--seed" => arguments.seed = value.parse().map_err(|_| wrong())?,
            "--target" => arguments.targets = vec![target(&value).ok_or_else(|| unknown(&value))?],
            "--input" => arguments.input = Some(value.into()),
            "--artifacts" => arguments.artifacts = value.into(),
            _ => return Err(wrong()),
        }
    }
    Ok(arguments)
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    format!("there is no target {name}; there are: {}", names.join(", "))
}

/// Whether nothing was found.
fn work(arguments: &Arguments) -> Result<bool, String> {
    if let (Some(input), [target]) = (&arguments.input, arguments.targets.as_slice()) {
        let bytes = fs::read(input).map_err(|error| format!("{}: {error}", input.display()))?;
        (target.run)(&bytes);
        println!("{}: no finding", target.name);
        return Ok(true);
    }
    // A panic is a finding, which is printed with its input.
    panic::set_hook(Box::new(|_| {}));
    let time = Duration::try_from_secs_f64(arguments.minutes * 60.0).map_err(|error| error.to_string())?;
    let share = time / u32::try_from(arguments.targets.len()).map_err(|error| error.to_string())?;
    let (mut total, mut findings) = (0, 0);
    println!(
        "| target | what is read, and what it is compared with | executions | shapes |\n|---|---|---:|---:|"
    );
    for target in &arguments.targets {
        let seeds =
            read_seeds(&corpus(target)).map_err(|error| format!("the seeds of {}: {error}", target.name))?;
        let mut engine = Engine::new(target, seeds, arguments.seed);
        let found = for_a_while(&mut engine, share).err();
        total += engine.executions;
        println!("| `{}` | {} | {} | {} |", target.name, target.about, engine.executions, engine.shapes());
        if let Some(finding) = found {
            findings += 1;
            report(target, &finding, &arguments.artifacts)?;
        }
    }
    println!(
        "\n{} targets, {total} executions, {findings} findings, seed {}",
        arguments.targets.len(),
        arguments.seed
    );
    Ok(findings == 0)
}

#[allow(
    clippy::disallowed_methods,
    reason = "the program runs on a machine with a clock, and stops when its time is over"
)]
fn for_a_while(engine: &mut Engine, time: Duration) -> Result<(), Finding> {
    let start = Instant::now();
    engine.seeds()?;
    while start.elapsed() < time {
        engine.generated(STEP)?;
    }
    Ok(())
}

fn report(target: &Target, finding: &Finding, artifacts: &Path) -> Result<(), String> {
    let folder = artifacts.join(target.name);
    let name = format!("finding-{:016x}", number(&finding.input));
    let file = folder.join(name);
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&file, &finding.input))
        .map_err(|error| error.to_string())?;
    let repeats = run(target, &finding.input).is_err();
    println!("  found: {}", finding.message);
    println!("  input: {:?}", String::from_utf8_lossy(&finding.input));
    println!("  repeat: cargo xtask fuzz --target {} --input {}", target.name, file.display());
    if !repeats {
        println!("  it does not repeat: the target depends on more than its input");
    }
    Ok(())
}

/// A number that tells inputs apart (FNV-1a).
fn number(input: &[u8]) -> u64 {
    input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
