//! The command line arguments of `cargo xtask bench`.

use clap::Parser;

/// Measure the CPU time of requests in workerd and requests per second, compared with Auth.js and other Workers
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
pub struct Arguments {
    /// Run one short round; the numbers are rough
    #[arg(long)]
    pub quick: bool,
    /// Measure only the cases whose names start with this text, and the cases that they are compared with
    #[arg(long, value_name = "CASE")]
    pub only: Option<String>,
    /// Send a million requests, and print how memory use grows
    #[arg(long)]
    pub soak: bool,
    /// Write the report into docs/performance.md, and its JSON and SVG next to it
    #[arg(long)]
    pub write: bool,
}
