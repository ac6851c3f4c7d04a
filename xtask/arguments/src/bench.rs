//! The command line of `cargo xtask bench`. xtask reads it too, before it builds anything.

use clap::Parser;

/// Measure what a request costs beside Auth.js and other Workers: CPU time of workerd, requests a second
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
pub(crate) struct Arguments {
    /// Run one short round; the numbers are rough
    #[arg(long)]
    pub(crate) quick: bool,
    /// Measure the cases whose name begins so, and what they are compared with
    #[arg(long, value_name = "CASE")]
    pub(crate) only: Option<String>,
    /// Send a million requests, and print how the memory grows
    #[arg(long)]
    pub(crate) soak: bool,
    /// Put the report into docs/performance.md, beside its JSON and SVG
    #[arg(long)]
    pub(crate) write: bool,
}
