//! What `cargo xtask bench --runtime` needs: the servers of others, and ours, in one folder where the measuring program finds them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use xtask_arguments::component::Store;

use crate::build::{build_component_to, build_forwarder_to};
use crate::project::Project;
use crate::step::{run, run_quietly, step};
use crate::{host, server, tools, wasi};

/// Where the programs and components are.
const FOLDER: &str = "target/bench/runtime";

/// The configuration that is laid into our component. The server reads it, too.
const CONFIGURATION: &str = "bench/runtime/vestibule.toml";

/// Builds and installs everything.
pub(super) fn build(project: &Project) -> Result<()> {
    tools::ensure_nginx(project)?;
    tools::ensure_apache(project)?;
    let folder = project.path(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    copy(&server::build(project, None)?, &folder.join("vestibule-server"))?;
    step("build hyper-proxy", || {
        let what = ["build", "--quiet", "--profile", server::PROFILE, "--package", "hyper-proxy"];
        run(project.cargo().args(what))?;
        copy(&project.target().join(server::PROFILE).join("hyper-proxy"), &folder.join("hyper-proxy"))
    })?;
    build_static(project, &folder.join("vestibule-server-musl"))?;
    build_components(project, &folder)
}

/// Builds the static binary. The report says so where that is not possible, because its target or its C compiler is not there.
fn build_static(project: &Project, to: &Path) -> Result<()> {
    // Not one of an earlier commit.
    if to.exists() {
        fs::remove_file(to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    let built =
        tools::ensure_musl(project).and_then(|()| server::build(project, Some(&tools::musl_target())));
    match built {
        Ok(program) => copy(&program, to),
        Err(error) => {
            println!("   no static binary: {error:#}");
            Ok(())
        }
    }
}

/// Builds the components, and has wasmtime compile both in the same way, so that a start costs nothing.
fn build_components(project: &Project, folder: &Path) -> Result<()> {
    let host = wasi::ensure_wasmtime(project)?;
    copy(&host, &folder.join("wasmtime"))?;
    let config = project.path(CONFIGURATION);
    // The configuration has no store, so its component needs none.
    let ours = build_component_to(project, Store::None, Some(&config), &folder.join("vestibule.wasm"))?;
    let forward = build_forwarder_to(project, &folder.join("forward.wasm"))?;
    step("compile the components with wasmtime", || {
        for component in [ours, forward] {
            let mut command = project.command(&host);
            command.args(["compile", "-O", "pooling-allocator=y", "-o"]);
            run_quietly(command.arg(component.with_extension("cwasm")).arg(&component))?;
        }
        Ok(())
    })
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .and_then(|_| host::make_executable(to))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}
