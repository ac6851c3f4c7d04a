//! The command line arguments of `cargo xtask bench`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;

/// Measure the CPU time of requests and requests per second, compared with Auth.js, or with other servers
///
/// In workerd it compares the Worker with Auth.js and other Workers; with `--runtime`, vestibule-server and the component with
/// nginx, Apache and the like.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Arguments {
    /// Measure vestibule-server and the component for wasi:http, next to nginx, hyper, Apache and wasmtime alone
    #[arg(long)]
    pub runtime: bool,
    /// The number of rounds
    #[arg(long, value_name = "NUMBER", default_value = "5", conflicts_with = "quick")]
    pub rounds: NonZeroUsize,
    /// Run one short round; the numbers are rough
    #[arg(long)]
    pub quick: bool,
    /// Measure only the cases whose names start with one of these texts, and the cases that they are compared with
    #[arg(long, value_name = "CASE,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Also measure the Worker in this folder, a copy of an earlier `build/`, and print the ratio to it
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["runtime", "soak", "write"])]
    pub against: Option<PathBuf>,
    /// Measure only the time from the start to the first response
    #[arg(long, conflicts_with_all = ["runtime", "soak", "write", "only"])]
    pub starts: bool,
    /// Measure how a request's cost grows, with rules, providers, hosts and the like, and how long requests wait under 200
    /// connections
    #[arg(long, conflicts_with_all = ["runtime", "soak", "starts"])]
    pub curves: bool,
    /// Send a million requests, and print how memory use grows
    #[arg(long)]
    pub soak: bool,
    /// Write the report into docs/performance.md, and its JSON and SVG next to it; with `--runtime` into docs/runtimes.md
    #[arg(long)]
    pub write: bool,
}
