//! What a request costs the runtime, in the Worker and in its peers. `cargo xtask bench` makes the Workers and
//! starts this.
//!
//! The measure is CPU time of the workerd process by request: on a machine that does other things as well it
//! moves much less than requests a second. Every round starts each case anew, one after the other, so that what
//! the machine does meanwhile meets all of them; what is reported are medians and the ratios within a round.

mod cases;
mod load;
mod machine;
mod measure;
mod options;
mod plot;
mod report;
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
    if options.soak {
        return soak::soak(options);
    }
    let cases = cases::chosen(options);
    ensure!(!cases.is_empty(), "no case has a name like that; there are: {}", cases::names().join(", "));
    let measured = measure::all(&cases, options)?;
    let started = if options.only.is_none() { start::all(options)? } else { Vec::new() };
    let report = Report::new(measured, started);
    println!("\n{}", report.markdown());
    report.keep(options.write)
}
