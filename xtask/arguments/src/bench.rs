//! The command line of `cargo xtask bench`.

use clap::Parser;

/// Measure what a request costs beside Auth.js and other Workers: CPU time of workerd, requests a second
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
pub struct Arguments {
    /// Run one short round; the numbers are rough
    #[arg(long)]
    pub quick: bool,
    /// Measure the cases whose name begins so, and what they are compared with
    #[arg(long, value_name = "CASE")]
    pub only: Option<String>,
    /// Send a million requests, and print how the memory grows
    #[arg(long)]
    pub soak: bool,
    /// Put the report into docs/performance.md, beside its JSON and SVG
    #[arg(long)]
    pub write: bool,
}
