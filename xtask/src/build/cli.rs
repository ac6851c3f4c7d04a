//! Builds what the commands of the npm package run: crates/check as WebAssembly, with the JavaScript that loads it into
//! Node.js.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use super::{OPTIMIZE, Source, bindings, compile, module};
use crate::project::Project;
use crate::step::{run_quietly, step};
use crate::tools;

/// The crate.
const CHECK: Source = Source { package: "vestibule-check", features: "", output: "target/commands" };

/// The module that the commands import, without its ending.
const NAME: &str = "core";

/// Writes `core.js` and `core_bg.wasm` into `output`, the directory of the commands.
pub(crate) fn build_cli(project: &Project, output: &Path) -> Result<()> {
    tools::ensure_target(project, tools::TARGET)?;
    tools::ensure_npm(project)?;
    bindings::check_version(project)?;
    let wasm = step(&format!("compile {}", CHECK.package), || compile::compile(project, CHECK))?;
    step("bundle the commands of the npm package", || {
        fs::create_dir_all(output).with_context(|| format!("cannot create {}", output.display()))?;
        let mut bindgen = Bindgen::new();
        bindgen.input_path(&wasm).out_name(NAME).typescript(false);
        bindgen
            .nodejs_module(true)?
            .generate(output)
            .context("wasm-bindgen cannot process the WebAssembly")?;
        // The package has its own.
        fs::remove_file(output.join("package.json")).context("wasm-bindgen wrote no package.json")?;
        optimize(project, &output.join(format!("{NAME}_bg.wasm")))
    })
}

/// Makes the module small, as the Worker's.
fn optimize(project: &Project, path: &Path) -> Result<()> {
    let mut command = project.command(tools::node(project)?);
    command.arg("node_modules/binaryen/bin/wasm-opt").args(OPTIMIZE);
    command.args([path.as_os_str(), OsStr::new("-o"), path.as_os_str()]);
    run_quietly(&mut command)?;
    let bytes = fs::read(path).context("cannot read wasm-opt's output")?;
    fs::write(path, module::without_names(&bytes)?).context("cannot write the WebAssembly without names")
}
