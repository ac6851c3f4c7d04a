//! `cargo xtask differential`: plays the families in turn, and repeats a case.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, thread};

use vestibule_differential::run::{repeat, run_in_parallel};
use vestibule_differential::{FAMILIES, Family, Verdict, Worker, family};

/// With fewer cases of a family, a row of its table may be without one by chance.
const ENOUGH: u64 = 20_000;

/// More processes of Node.js than that only take each other's time.
const MAX_WORKERS: usize = 4;

struct Arguments {
    cases: u64,
    seed: u64,
    families: Vec<&'static Family>,
    /// Play this case only.
    case: Option<u64>,
    /// Play the case in this file only.
    input: Option<PathBuf>,
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
    let mut arguments =
        Arguments { cases: 1_000_000, seed: 1, families: FAMILIES.iter().collect(), case: None, input: None };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let wrong = || format!("{word} {value}: not understood");
        match word.as_str() {
            "--cases" => arguments.cases = value.parse().map_err(|_| wrong())?,
            "--seed" => arguments.seed = value.parse().map_err(|_| wrong())?,
            "--family" => arguments.families = vec![family(&value).ok_or_else(|| unknown(&value))?],
            "--case" => arguments.case = Some(value.parse().map_err(|_| wrong())?),
            "--input" => arguments.input = Some(value.into()),
            _ => return Err(wrong()),
        }
    }
    Ok(arguments)
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
    format!("there is no family {name}; there are: {}", names.join(", "))
}

/// Whether nothing differs without a reason.
fn work(arguments: &Arguments) -> Result<bool, String> {
    let case = match (&arguments.input, arguments.case, arguments.families.as_slice()) {
        (Some(file), _, [family]) => {
            let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let case = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
            Some((*family, case))
        }
        (None, Some(number), [family]) => Some((*family, family.case(arguments.seed, number))),
        _ => None,
    };
    if let Some((family, case)) = case {
        let verdict = repeat(&Worker::start(), family, &case);
        println!("{case}\n{}: {verdict:?}", family.name);
        return Ok(!matches!(verdict, Verdict::Different(_)));
    }
    let count = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_WORKERS));
    let mut workers: Vec<Worker> = (0..count).map(|_| Worker::start()).collect();
    Ok(play(&mut workers, arguments))
}

fn play(workers: &mut [Worker], arguments: &Arguments) -> bool {
    println!(
        "| family | what is compared | cases | both accept | both refuse | deliberate | different |\n\
         |---|---|---:|---:|---:|---:|---:|"
    );
    let shares: usize = arguments.families.iter().map(|family| family.share).sum();
    let (mut total, mut different) = (0, 0);
    let (mut rows, mut reports, mut unused) = (String::new(), String::new(), Vec::new());
    for family in &arguments.families {
        let cases = (arguments.cases * family.share as u64).div_ceil(shares as u64);
        let tally = run_in_parallel(workers, family, arguments.seed, cases);
        println!("{}", tally.row(family));
        total += tally.cases;
        different += tally.different;
        reports += &tally.report(family, arguments.seed);
        for row in (family.deliberate)() {
            let count = tally.deliberate.get(row.name).copied().unwrap_or_default();
            let _ = writeln!(rows, "| `{}` | {} | {} | {count} |", family.name, row.name, row.reason);
            if count == 0 && cases >= ENOUGH {
                unused.push(format!("{}: no case is of the row \"{}\"", family.name, row.name));
            }
        }
    }
    println!("\n{total} cases, {different} that differ without a reason, seed {}\n", arguments.seed);
    println!("| family | what differs | why | cases |\n|---|---|---|---:|\n{rows}");
    for line in &unused {
        println!("{line}: the row is out of date, or nothing is generated for it");
    }
    print!("{reports}");
    different == 0 && unused.is_empty()
}
