//! The runtimes by their names on the command line, and what has to be built for each.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use xtask_arguments::component::Store;

use crate::build::{self, Effort, build_component};
use crate::project::Project;
use crate::stack::Runtime;
use crate::step::{run, step};
use crate::wasi;

/// A runtime on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimeName {
    /// The Worker, in wrangler
    Workers,
    /// `vestibule-server`
    Native,
    /// The component for wasi:http, in wasmtime
    Wasi,
}

/// How many requests an instance of the component answers, where many come from one browser.
const REQUESTS_OF_INSTANCE: u32 = 10_000;

impl RuntimeName {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RuntimeName::Workers => "workers",
            RuntimeName::Native => "native",
            RuntimeName::Wasi => "wasi",
        }
    }

    /// Builds it for a test.
    pub(crate) fn build(self, project: &Project) -> Result<Runtime> {
        Ok(match self {
            RuntimeName::Workers => {
                build::build(project, Effort::Optimized)?;
                Runtime::Workers
            }
            RuntimeName::Native => Runtime::Native(build_server(project)?),
            RuntimeName::Wasi => {
                let file = build_component(project, Store::Redis, None, Effort::Fast)?;
                Runtime::Wasi(wasi::with_redis(project, file, REQUESTS_OF_INSTANCE)?)
            }
        })
    }
}

/// Builds `vestibule-server` without optimizations, and gives its path.
pub(crate) fn build_server(project: &Project) -> Result<PathBuf> {
    step("build vestibule-server", || run(project.cargo().args(["build", "--package", "vestibule-server"])))?;
    let target = project.target();
    Ok(target.join("debug").join(format!("vestibule-server{}", std::env::consts::EXE_SUFFIX)))
}
