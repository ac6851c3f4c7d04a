//! `cargo xtask build`: makes the two files that `wrangler deploy` uploads from a crate.
//!
//! cargo compiles the crate to WebAssembly, wasm-bindgen (linked into this program) generates the JavaScript that it
//! needs, binaryen's wasm-opt makes it small, and esbuild joins the JavaScript with `shim.js` into one module. The steps
//! after cargo are skipped if their input has not changed.

mod bindings;
mod cli;
mod compile;
mod component;
mod module;
mod package;
mod shim;
mod size;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

pub(crate) use self::cli::build_cli;
pub(crate) use self::component::{build_component, build_component_to, build_forwarder_to, component_file};
pub(crate) use self::package::{checksum_line, copy_folder, write_checksums};
use crate::project::Project;
use crate::step::{run_quietly, step};
use crate::tools;

/// The Worker's JavaScript, the file that wrangler.toml names as `main`.
const SCRIPT: &str = "index.js";
/// The Worker's WebAssembly. The script imports it by this name.
const MODULE: &str = "index_bg.wasm";

/// The arguments of wasm-opt for the Worker.
const OPTIMIZE: &[&str] = &[
    "-Oz",
    // Otherwise every function with one caller becomes a part of it, so all flows together one function of 160 kB. V8 compiles
    // a function as a whole when it is first called: the first response took 11 ms of CPU time longer, and every other one
    // a tenth, until the large functions were compiled again for speed. The number counts binaryen's expressions.
    "--one-caller-inline-max-function-size=40",
    // Keeps the names of functions for `cargo xtask size`; `optimize` removes them afterwards.
    "--debuginfo",
];

/// wasm-opt rejects code with a feature that is not enabled, so these are the features that rustc and wasm-bindgen use here
/// (its abort handler uses exceptions) and that the runtimes support.
const FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-call-indirect-overlong",
    "--enable-exception-handling",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// The source of the steps after cargo: if it changes, they have to run again.
const STEPS: [&str; 7] = [
    include_str!("mod.rs"),
    include_str!("bindings.rs"),
    include_str!("module.rs"),
    include_str!("shim.rs"),
    shim::TEMPLATE,
    shim::METHODS,
    shim::CONFIGURED,
];

/// The WebAssembly with the names of its functions, for `cargo xtask size`. It is in the same directory as the output.
const NAMED: &str = ".named.wasm";

/// The environment variable for [`Effort::Fast`]. `cargo xtask dev` sets it for the builds that wrangler starts when the
/// source changes.
pub(crate) const FAST: &str = "XTASK_BUILD_FAST";

/// How much the WebAssembly is optimized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// The same as deployed.
    Optimized,
    /// Without wasm-opt, which takes longer than everything else after a small change.
    Fast,
}

impl Effort {
    /// [`Effort::Fast`] if the environment variable [`FAST`] is set, else [`Effort::Optimized`].
    pub(crate) fn from_environment() -> Effort {
        if std::env::var_os(FAST).is_some() { Effort::Fast } else { Effort::Optimized }
    }
}

/// A crate that is built into a Worker, and the directory for its two files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    package: &'static str,
    features: &'static str,
    output: &'static str,
}

/// The Worker of this project.
const WORKER: Source = Source { package: "vestibule", features: "entry", output: "build" };

/// A Worker in Rust with a constant response, for `cargo xtask bench`.
pub(crate) const CONSTANT: Source =
    Source { package: "rust-constant", features: "", output: "target/bench/rust-constant" };

/// The options on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Pack the npm package, too, into build/npm/, and print its checksums
    #[arg(long)]
    npm: bool,
}

/// `cargo xtask build`: builds the Worker, and with `--npm` the package.
pub(crate) fn run(project: &Project, options: Options) -> Result<()> {
    if options.npm { pack(project).map(drop) } else { build(project, Effort::from_environment()) }
}

/// Builds the Worker as it is deployed, and packs the npm package. Gives the tarball.
pub(crate) fn pack(project: &Project) -> Result<PathBuf> {
    build_and_check(project)?;
    package::pack(project)
}

/// Builds the Worker into `build/`.
pub(crate) fn build(project: &Project, effort: Effort) -> Result<()> {
    build_source(project, WORKER, effort).map(drop)
}

/// Builds the Worker, and fails if it is too large. Only the tests check the size: a user whose compiler makes a larger
/// Worker can still deploy it.
pub(crate) fn build_and_check(project: &Project) -> Result<()> {
    size::check_limit(build_source(project, WORKER, Effort::Optimized)?)
}

/// Builds a Worker. Gives its compressed size in bytes.
pub(crate) fn build_source(project: &Project, source: Source, effort: Effort) -> Result<usize> {
    tools::ensure_target(project, tools::TARGET)?;
    tools::ensure_npm(project)?;
    bindings::check_version(project)?;
    let wasm = step(&format!("compile {}", source.package), || compile::compile(project, source))?;

    let output = project.path(source.output);
    let stamp = output.join(".inputs");
    let inputs = inputs(project, &wasm, effort)?;
    let up_to_date = fs::read_to_string(&stamp).is_ok_and(|last| last == inputs)
        && [SCRIPT, MODULE].iter().all(|name| output.join(name).is_file());
    if !up_to_date {
        step(&format!("bundle {}", source.package), || bundle(project, &wasm, &output, effort))?;
        fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    size::report(source.output, &output)
}

/// The files that are deployed, after [`build`].
pub(crate) fn worker_files(project: &Project) -> [PathBuf; 2] {
    [SCRIPT, MODULE].map(|name| project.path(WORKER.output).join(name))
}

/// Builds the Worker, and prints its size by crate and by function.
pub(crate) fn size(project: &Project) -> Result<()> {
    build(project, Effort::Optimized)?;
    let named = project.path(WORKER.output).join(NAMED);
    let named = fs::read(&named).with_context(|| format!("cannot read {}", named.display()))?;
    size::print_contents(&module::contents(&named)?);
    Ok(())
}

/// A hash of everything that the bundle depends on.
fn inputs(project: &Project, wasm: &Path, effort: Effort) -> Result<String> {
    let wasm = fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let tools = fs::read(project.path("package-lock.json")).context("cannot read package-lock.json")?;
    let effort = format!("{effort:?}");
    let steps = STEPS.map(str::as_bytes);
    Ok(tools::fingerprint(steps.into_iter().chain([&wasm, &tools, effort.as_bytes()])))
}

/// Writes the two files. They are made in a staging directory and moved to `output` when all steps have succeeded, so that
/// a running `wrangler dev` never sees an incomplete Worker.
fn bundle(project: &Project, wasm: &Path, output: &Path, effort: Effort) -> Result<()> {
    let staging = output.join(".staging");
    let _ = fs::remove_dir_all(&staging);
    fs::create_dir_all(&staging).with_context(|| format!("cannot create {}", staging.display()))?;

    bindings::generate(wasm, &staging)?;
    shim::write(&staging)?;
    join(project, &staging)?;
    let mut made = vec![("bundle.js", SCRIPT), (MODULE, MODULE)];
    if effort == Effort::Optimized {
        optimize(project, &staging.join(MODULE), &staging.join(NAMED))?;
        made.push((NAMED, NAMED));
    }

    for (from, to) in made {
        fs::rename(staging.join(from), output.join(to))
            .with_context(|| format!("cannot write {to} in {}", output.display()))?;
    }
    fs::remove_dir_all(&staging).with_context(|| format!("cannot remove {}", staging.display()))
}

/// Optimizes the module in place. `named` is the path for a copy with the names of its functions, which `cargo xtask size`
/// reads; the module's own path leaves none.
fn optimize(project: &Project, path: &Path, named: &Path) -> Result<()> {
    wasm_opt(project, &[OPTIMIZE, FEATURES].concat(), path, named)?;
    let bytes = fs::read(named).context("cannot read wasm-opt's output")?;
    fs::write(path, module::without_names(&bytes)?).context("cannot write the WebAssembly without names")
}

/// Runs wasm-opt.
fn wasm_opt(project: &Project, arguments: &[&str], from: &Path, to: &Path) -> Result<()> {
    let mut command = project.command(tools::node(project)?);
    command.arg("node_modules/binaryen/bin/wasm-opt").args(arguments);
    command.args([from.as_os_str(), OsStr::new("-o"), to.as_os_str()]);
    run_quietly(&mut command).map(drop)
}

/// Joins the shim, the bindings and the snippets of crates into one minified module with esbuild. The WebAssembly and the
/// runtime's own modules stay imports.
fn join(project: &Project, staging: &Path) -> Result<()> {
    let mut command = project.command(project.path("node_modules/esbuild/bin/esbuild"));
    command.arg(staging.join("shim.js"));
    command.args(["--bundle", "--format=esm", "--minify", "--target=es2024", "--log-level=warning"]);
    command.args(["--external:*.wasm", "--external:cloudflare:*"]);
    command.arg(format!("--outfile={}", staging.join("bundle.js").display()));
    run_quietly(&mut command).map(drop)
}
