//! `cargo xtask bench`: measures what a request costs, and compares it with other Workers, or with other servers. This module
//! builds them; the program in xtask/bench starts and measures them.

mod runtime;

use std::ffi::OsString;

use anyhow::Result;

pub(crate) use xtask_arguments::bench::Arguments;

use crate::build::{self, CONSTANT, Effort};
use crate::project::Project;
use crate::step::{run, run_quietly, step};
use crate::tools;

/// The directory with the package.json of the peers, the Workers that ours is compared with.
const PEERS: &str = "bench";

/// The peers in JavaScript, in `bench/peers/NAME.js`.
const SCRIPTS: [&str; 6] =
    ["js-constant", "js-forward", "js-change", "jose-session", "authjs-session", "authjs-guard"];

/// Builds all contestants, and starts the measuring program with `rest`, which is the same arguments.
pub(crate) fn bench(project: &Project, arguments: &Arguments, rest: &[OsString]) -> Result<()> {
    if arguments.runtime {
        runtime::build(project)?;
    } else {
        build_workers(project)?;
    }
    let mut command = project.cargo();
    // The profile for native programs that compute much.
    command.args(["run", "--quiet", "--profile", "race", "--package", "vestibule-bench", "--"]).args(rest);
    run(&mut command)
}

fn build_workers(project: &Project) -> Result<()> {
    build::build(project, Effort::Optimized)?;
    build::build_source(project, CONSTANT, Effort::Optimized)?;
    tools::ensure_npm_of(project, PEERS)?;
    step("bundle the peers", || SCRIPTS.iter().try_for_each(|name| bundle(project, name)))
}

/// Writes `target/bench/NAME/index.js`, the bundle that wrangler would upload.
fn bundle(project: &Project, name: &str) -> Result<()> {
    let mut command = project.command(project.path("node_modules/esbuild/bin/esbuild"));
    command.arg(project.path(&format!("{PEERS}/peers/{name}.js")));
    command.args(["--bundle", "--format=esm", "--minify", "--target=es2024", "--log-level=warning"]);
    command.args(["--conditions=workerd,worker,browser", "--external:cloudflare:*", "--external:node:*"]);
    command.arg(format!("--outfile={}", project.path(&format!("target/bench/{name}/index.js")).display()));
    run_quietly(&mut command).map(drop)
}
