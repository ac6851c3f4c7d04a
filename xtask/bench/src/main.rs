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

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use xtask_arguments::bench::Arguments;

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
        cases::names().join(", ")
    );
    let measured = measure::all(&cases, options)?;
    let started =
        if options.only.is_empty() && options.against.is_none() { start::all(options)? } else { Vec::new() };
    let report = Report::new(measured, started);
    println!("\n{}", report.markdown());
    report.save(options.write)
}
