//! Generates the JavaScript between the runtime and the WebAssembly, with wasm-bindgen as a library.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use toml::{Table, Value};
use wasm_bindgen_cli_support::Bindgen;

use crate::project::Project;

/// Checks that the crate wasm-bindgen and the generator in this program have the same version: the generator only reads
/// WebAssembly of the same version. Called before cargo compiles, which takes minutes.
pub(super) fn check_version(project: &Project) -> Result<()> {
    let lock = fs::read_to_string(project.path("Cargo.lock")).context("cannot read Cargo.lock")?;
    let lock: Table = lock.parse().context("cannot read Cargo.lock")?;
    let crates = locked(&lock, "wasm-bindgen");
    let generator = locked(&lock, "wasm-bindgen-cli-support");
    ensure!(
        crates == generator && crates.is_some(),
        "wasm-bindgen is {} in Cargo.lock, but xtask/Cargo.toml has wasm-bindgen-cli-support {}: \
         the two must be the same version",
        crates.unwrap_or("missing"),
        generator.unwrap_or("missing"),
    );
    Ok(())
}

/// Writes `index.js`, `index_bg.wasm` and the crates' own snippets of JavaScript into `staging`.
pub(super) fn generate(wasm: &Path, staging: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(wasm).out_name("index").typescript(false);
    // The shim uses `__wbg_reset_state` and the abort handler to start a new instance after a panic.
    bindgen.reset_state_function(true).force_enable_abort_handler(true);
    bindgen.module(true)?.generate(staging).context("wasm-bindgen cannot process the WebAssembly")?;

    let script = staging.join("index.js");
    let text = fs::read_to_string(&script).context("wasm-bindgen wrote no index.js")?;
    fs::write(&script, rewritten(&text)).context("cannot rewrite index.js")
}

/// wasm-bindgen's module without the keyword `source` (source phase imports), which neither esbuild nor the Workers
/// runtime supports. Workers import WebAssembly as a compiled module anyway.
///
/// wasm-bindgen also imports a crate's snippet once for each block of declarations, and lists it as often under one key in
/// the object of imports. Only the first is kept: they are the same module, and wrangler warns of a key that comes twice.
fn rewritten(text: &str) -> String {
    let mut snippets = BTreeSet::new();
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let snippet =
            line.trim().strip_prefix("\"./snippets/").and_then(|rest| rest.split_once("\": import"));
        if snippet.is_none_or(|(path, _)| snippets.insert(path)) {
            kept.push_str(line);
        }
    }
    kept.replace("import source ", "import ")
}

/// The version of a package in a parsed Cargo.lock.
fn locked<'lock>(lock: &'lock Table, name: &str) -> Option<&'lock str> {
    let packages = lock.get("package")?.as_array()?;
    let package =
        packages.iter().find(|package| package.get("name").and_then(Value::as_str) == Some(name))?;
    package.get("version")?.as_str()
}

#[cfg(test)]
mod tests {
    #[test]
    fn source_phase_imports_become_ordinary_imports() {
        let made = "import source wasm from './index_bg.wasm';\nexport class A {\n}\n";
        let rewritten = "import wasm from './index_bg.wasm';\nexport class A {\n}\n";
        assert_eq!(super::rewritten(made), rewritten);
    }

    #[test]
    fn a_snippet_is_passed_to_the_module_once() {
        let made = "import * as import1 from \"./snippets/a/b.js\"\nimport * as import2 from \"./snippets/a/b.js\"\n\
            return {\n  \"./index_bg.js\": import0,\n  \"./snippets/a/b.js\": import1,\n  \"./snippets/a/b.js\": import2,\n\
            \x20 \"./snippets/c.js\": import3,\n};\n";
        let rewritten = made.replace("  \"./snippets/a/b.js\": import2,\n", "");
        assert_eq!(super::rewritten(made), rewritten);
    }
}
