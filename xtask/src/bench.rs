//! `cargo xtask bench`: what a request costs, beside what the same costs elsewhere. The Workers are made here;
//! a program of its own, in xtask/bench, starts them and counts.

use std::ffi::OsString;

use anyhow::Result;

pub(crate) use xtask_arguments::bench::Arguments;

use crate::build::{self, CONSTANT, Effort};
use crate::project::Project;
use crate::step::{run, run_quietly, step};
use crate::tools;

/// Where the npm packages of the peers are named.
const PEERS: &str = "bench";

/// The peers in JavaScript, `bench/peers/NAME.js`.
const SCRIPTS: [&str; 6] =
    ["js-constant", "js-forward", "js-change", "jose-session", "authjs-session", "authjs-guard"];

/// Builds all, and hands the arguments on.
pub(crate) fn bench(project: &Project, arguments: &[OsString]) -> Result<()> {
    build::build(project, Effort::Optimized)?;
    build::build_source(project, CONSTANT, Effort::Optimized)?;
    tools::ensure_npm_of(project, PEERS)?;
    step("bundle the peers", || SCRIPTS.iter().try_for_each(|name| bundle(project, name)))?;
    let mut command = project.cargo();
    // The profile of what does much work natively.
    command
        .args(["run", "--quiet", "--profile", "race", "--package", "vestibule-bench", "--"])
        .args(arguments);
    run(&mut command)
}

/// `target/bench/NAME/index.js`, as wrangler would upload it.
fn bundle(project: &Project, name: &str) -> Result<()> {
    let mut command = project.command(project.path("node_modules/esbuild/bin/esbuild"));
    command.arg(project.path(&format!("{PEERS}/peers/{name}.js")));
    command.args(["--bundle", "--format=esm", "--minify", "--target=es2024", "--log-level=warning"]);
    command.args(["--conditions=workerd,worker,browser", "--external:cloudflare:*", "--external:node:*"]);
    command.arg(format!("--outfile={}", project.path(&format!("target/bench/{name}/index.js")).display()));
    run_quietly(&mut command).map(drop)
}
