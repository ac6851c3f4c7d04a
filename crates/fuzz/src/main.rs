//! What `cargo xtask fuzz` starts on a stable compiler: runs a target for a while, repeats an input, and makes one small.
//! Each result is a line of JSON.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, panic};

use serde_json::{Value, json};
use vestibule_fuzz::engine::{Engine, Finding, run, smallest};
use vestibule_fuzz::{Target, seeds, target, targets};

/// How many inputs are run between two looks at the clock.
const STEP: usize = 16;

/// What to do.
enum Work {
    /// Print the targets.
    List,
    /// Run one for so many seconds, with a random seed.
    Run(&'static Target, f64, u64),
    /// Run one once, with the input in a file.
    Repeat(&'static Target, PathBuf),
    /// Make the input in a file small.
    Reduce(&'static Target, PathBuf),
}

fn main() -> ExitCode {
    match work().and_then(|work| result(&work)) {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<Work, String> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let of_name = |name: &str| target(name).ok_or_else(|| unknown(name));
    let number = |text: &str| format!("{text}: not understood; write a number");
    match words.as_slice() {
        ["list"] => Ok(Work::List),
        ["run", name, seconds, seed] => {
            let seconds = seconds.parse().map_err(|_| number(seconds))?;
            Ok(Work::Run(of_name(name)?, seconds, seed.parse().map_err(|_| number(seed))?))
        }
        ["repeat", name, file] => Ok(Work::Repeat(of_name(name)?, file.into())),
        ["reduce", name, file] => Ok(Work::Reduce(of_name(name)?, file.into())),
        _ => {
            Err("write one of: list; run TARGET SECONDS SEED; repeat TARGET FILE; reduce TARGET FILE"
                .to_owned())
        }
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = targets().map(|target| target.name).collect();
    format!("there is no target {name}; there are: {}", names.join(", "))
}

fn result(work: &Work) -> Result<Value, String> {
    match work {
        Work::List => Ok(targets().map(described).collect()),
        Work::Run(target, seconds, seed) => {
            let time = Duration::try_from_secs_f64(*seconds).map_err(|error| error.to_string())?;
            let seeds = seeds(target).map_err(|error| format!("the seeds of {}: {error}", target.name))?;
            quietly();
            let mut engine = Engine::new(target, seeds, *seed);
            let finding = for_a_while(&mut engine, time).err().map(|finding| reported(target, &finding));
            let finding = finding.transpose()?;
            Ok(json!({ "executions": engine.executions, "shapes": engine.shapes(), "finding": finding }))
        }
        Work::Repeat(target, file) => {
            (target.run)(&read(file)?);
            Ok(json!({ "finding": null }))
        }
        Work::Reduce(target, file) => {
            quietly();
            let input = read(file)?;
            let finding = run(target, &input).err().map(|_| reported(target, &smallest(target, &input)));
            Ok(json!({ "finding": finding.transpose()? }))
        }
    }
}

/// A panic is a finding, which is printed with its input.
fn quietly() {
    panic::set_hook(Box::new(|_| {}));
}

fn described(target: &'static Target) -> Value {
    json!({ "name": target.name, "about": target.about, "reads": target.reads, "slice": target.slice })
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
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

/// Writes the input of a finding into a file of fuzz/artifacts.
fn reported(target: &Target, finding: &Finding) -> Result<Value, String> {
    let folder = Path::new("fuzz/artifacts").join(target.name);
    let file = folder.join(format!("finding-{:016x}", number(&finding.input)));
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&file, &finding.input))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(json!({
        "message": finding.message,
        "input": String::from_utf8_lossy(&finding.input),
        "file": file,
        "repeats": run(target, &finding.input).is_err(),
    }))
}

/// A number that tells inputs apart (FNV-1a).
fn number(input: &[u8]) -> u64 {
    input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
