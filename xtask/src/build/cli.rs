//! Builds what the commands of the npm package run: crates/check as WebAssembly, with the JavaScript that loads it into
//! Node.js.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use super::{Source, bindings, compile, optimize};
use crate::project::Project;
use crate::step::step;
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
        let module = output.join(format!("{NAME}_bg.wasm"));
        optimize(project, &module, &module)
    })
}
