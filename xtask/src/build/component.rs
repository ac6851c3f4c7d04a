//! Builds the component for wasi:http: crates/wasi for wasm32-wasip2, which is whole as cargo writes it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xtask_arguments::component::Store;

use super::{Effort, FEATURES, Source, compile, module, wasm_opt};
use crate::project::Project;
use crate::step::{run_quietly, step};
use crate::tools::{self, WASI};
use crate::wasi;

/// The crate. It is not written into `build`, whose modules are all the Worker's.
const COMPONENT: Source = Source { package: "vestibule-wasi", features: "", output: "component" };

/// The profile of Cargo.toml that it is built by.
const PROFILE: &str = "component";

/// The name of the component for a store.
fn file_name(store: Store) -> &'static str {
    match store {
        Store::Redis => "vestibule.wasm",
        Store::Keyvalue => "vestibule-keyvalue.wasm",
        Store::None => "vestibule-without-store.wasm",
    }
}

/// The options of cargo that choose it.
fn options(store: Store) -> &'static [&'static str] {
    match store {
        Store::Redis => &[],
        Store::Keyvalue => &["--no-default-features", "--features", "keyvalue"],
        Store::None => &["--no-default-features"],
    }
}

/// The arguments of wasm-opt. The names of functions stay, for profiles and traces of the stack.
const OPTIMIZE: &[&str] = &["-O3", "--debuginfo"];

/// The feature of the crate with the function that prepares a component, and the name of that function.
const PREPARATION: (&str, &str) = ("preparation", "run");

/// The variable from which the crate takes the configuration that is laid in, as JSON; empty for none.
const CONFIGURATION: &str = "VESTIBULE_WASI_CONFIGURATION";

/// A component that only forwards, for `cargo xtask bench --runtime`.
const FORWARD: Source = Source { package: "wasi-forward", features: "", output: "target/bench/runtime" };

/// The component, after [`build_component`].
pub(crate) fn component_file(project: &Project, store: Store) -> PathBuf {
    project.path(COMPONENT.output).join(file_name(store))
}

/// Builds the component for a store, with a configuration laid in if there is one. Gives its path.
pub(crate) fn build_component(
    project: &Project,
    store: Store,
    config: Option<&Path>,
    effort: Effort,
) -> Result<PathBuf> {
    build_to(project, COMPONENT, options(store), config, effort, &component_file(project, store))
}

/// Builds it as it is deployed, and writes it to `output`.
pub(crate) fn build_component_to(
    project: &Project,
    store: Store,
    config: Option<&Path>,
    output: &Path,
) -> Result<PathBuf> {
    build_to(project, COMPONENT, options(store), config, Effort::Optimized, output)
}

/// Builds the component that only forwards in the same way.
pub(crate) fn build_forwarder_to(project: &Project, output: &Path) -> Result<PathBuf> {
    build_to(project, FORWARD, &[], None, Effort::Optimized, output)
}

fn build_to(
    project: &Project,
    source: Source,
    options: &[&str],
    config: Option<&Path>,
    effort: Effort,
    output: &Path,
) -> Result<PathBuf> {
    tools::ensure_target(project, WASI)?;
    let configuration = config.map(read).transpose()?.unwrap_or_default();
    let variables = [(CONFIGURATION, configuration)];
    let (feature, function) = PREPARATION;
    let options: Vec<&str> =
        options.iter().copied().chain(config.iter().flat_map(|_| ["--features", feature])).collect();
    let built = step(&format!("compile {}", source.package), || {
        compile::compile_for(project, source, (WASI, PROFILE), &variables, &options)
    })?;
    if let Some(directory) = output.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let built = match effort {
        Effort::Optimized => {
            tools::ensure_npm(project)?;
            step(&format!("optimize {}", source.package), || optimize(project, &built))?
        }
        Effort::Fast => built,
    };
    if config.is_some() {
        step("prepare the component with its configuration", || prepare(project, &built, function, output))?;
    } else {
        fs::copy(&built, output).with_context(|| format!("cannot write {}", output.display()))?;
    }
    Ok(output.to_owned())
}

/// Optimizes the module in a component as one whole, which neither rustc nor wasmtime does: a request to an instance of its own
/// takes a twentieth less. Gives the path of the new component, which stays until the component or the arguments are others.
fn optimize(project: &Project, component: &Path) -> Result<PathBuf> {
    let (optimized, stamp) = (component.with_extension("optimized.wasm"), component.with_extension("inputs"));
    let bytes = fs::read(component).with_context(|| format!("cannot read {}", component.display()))?;
    let tools = fs::read(project.path("package-lock.json")).context("cannot read package-lock.json")?;
    let arguments = [OPTIMIZE, FEATURES].concat();
    let inputs = tools::fingerprint([&bytes[..], &tools, arguments.join(" ").as_bytes()]);
    if optimized.is_file() && fs::read_to_string(&stamp).is_ok_and(|last| last == inputs) {
        return Ok(optimized);
    }
    let [from, to] =
        ["core.wasm", "core.optimized.wasm"].map(|extension| component.with_extension(extension));
    let made = module::with_core(&bytes, |core| {
        fs::write(&from, core).with_context(|| format!("cannot write {}", from.display()))?;
        wasm_opt(project, &arguments, &from, &to)?;
        fs::read(&to).context("cannot read wasm-opt's output")
    })?;
    fs::write(&optimized, made).with_context(|| format!("cannot write {}", optimized.display()))?;
    fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(optimized)
}

/// Runs a function of a component, and writes the component with the memory that it leaves. A call of the host ends it, so
/// nothing of this machine gets into the memory.
fn prepare(project: &Project, component: &Path, function: &str, output: &Path) -> Result<()> {
    let mut command = project.command(wasi::ensure_wasmtime(project)?);
    command.args(["wizer", "-W", "unknown-imports-trap=y", "--init-func", function, "-o"]);
    run_quietly(command.arg(output).arg(component))?;
    Ok(())
}

/// A configuration as JSON.
fn read(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let table: toml::Table =
        toml::from_str(&text).with_context(|| format!("{} is not valid TOML", file.display()))?;
    Ok(serde_json::to_string(&table)?)
}
