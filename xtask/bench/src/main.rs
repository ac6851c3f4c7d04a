//! Measures what a request costs in the Worker and in its peers. `cargo xtask bench` builds the Workers and starts this
//! program.
//!
//! The main number is the CPU time of the server's processes per request. On a machine with other load it varies much less
//! than requests per second. Every round starts each case again and measures the cases in turns, so that other load on
//! the machine affects all of them. The report contains medians, and ratios within the same round.

mod cases;
mod load;
mod machine;
mod measure;
mod options;
mod page;
mod plot;
mod report;
mod runtime;
mod sessions;
mod soak;
mod start;
mod summary;
mod waiting;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use xtask_arguments::bench::Arguments;

use crate::cases::{Case, Growth};
use crate::options::Options;
use crate::report::Report;

fn main() -> ExitCode {
    match run(&Options::from(Arguments::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if options.runtime {
        return runtime::run(options);
    }
    if options.soak {
        return soak::soak(options);
    }
    if options.starts {
        println!("\n{}", Report::new(Vec::new(), start::all(options)?).starts());
        return Ok(());
    }
    let cases = cases::selected(options);
    ensure!(
        !cases.is_empty(),
        "no case has a name that starts so; the cases are: {}",
        cases::names(options).join(", ")
    );
    if options.curves {
        return curves(&cases, options);
    }
    let measured = measure::all(&cases, options)?;
    let started =
        if options.only.is_empty() && options.against.is_none() { start::all(options)? } else { Vec::new() };
    let report = Report::new(measured, started);
    println!("\n{}", report.markdown());
    report.save(options.write)
}

/// Measures and prints how costs grow, and how long requests wait.
fn curves(cases: &[Case], options: &Options) -> Result<()> {
    let mut measured = Vec::new();
    for growth in Growth::ALL {
        let of_growth = |case: &&Case| case.grows.is_some_and(|(grows, _)| grows == growth);
        let cases: Vec<Case> = cases.iter().filter(of_growth).copied().collect();
        if !cases.is_empty() {
            println!("── by {}", growth.title());
            measured.extend(measure::all(&cases, options)?);
        }
    }
    let mut tables = Report::new(measured, Vec::new()).curves();
    if options.only.is_empty() {
        tables = format!("{tables}\n{}", waiting::table(options)?);
    }
    println!("\n{tables}");
    if options.write { report::save_curves(&tables) } else { Ok(()) }
}
