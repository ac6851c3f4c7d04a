//! `cargo xtask memory`: how much memory the server of your own takes while it answers a million requests. The requests are
//! those of `crates/server/tests/server/memory.rs`; this module gives them the server as it is shipped.

use anyhow::Result;
use clap::Args;

use crate::project::Project;
use crate::server;
use crate::step::run;

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// How many requests are sent
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    requests: usize,
    /// Of how many sessions they are
    #[arg(long, value_name = "NUMBER", default_value_t = 5000)]
    sessions: usize,
}

/// Prints the memory after each tenth of the requests, and fails if it grows.
pub(crate) fn memory(project: &Project, options: &Options) -> Result<()> {
    let program = server::build(project, None)?;
    let mut command = project.cargo();
    command
        .args(["test", "--quiet", "--package", "vestibule-server", "--test", "server", "--"])
        .args(["memory_of_a_million_requests", "--ignored", "--nocapture"])
        .env("VESTIBULE_SERVER", program)
        .env("MEMORY_REQUESTS", options.requests.to_string())
        .env("MEMORY_SESSIONS", options.sessions.to_string());
    run(&mut command)
}
