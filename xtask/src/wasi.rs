//! `cargo xtask wasi`: builds the component for wasi:http, and walks through the demo and the story with it, in a browser.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use xtask_arguments::component::Store;

use crate::browser;
use crate::build::{Effort, build_component, build_component_to, component_file};
use crate::check;
use crate::host;
use crate::project::Project;
use crate::stack::{Component, Demo, Ports, Runtime, Setup};
use crate::step::{run, run_quietly, step};
use crate::tools;

/// The directory with the requirements.txt of the host.
const DIRECTORY: &str = "tests/wasi";

/// The configuration that is laid into a component that is only tested, and that component.
const LAID_IN: &str = "tests/wasi/vestibule.toml";
const PREPARED_FILE: &str = "target/wasi/prepared.wasm";

/// Where the host is installed.
const HOST: &str = "target/wasi/host";

/// The variables in which the tests get the hosts, and the component.
pub(crate) const WASMTIME: &str = "VESTIBULE_WASMTIME";
const COMPONENT: &str = "VESTIBULE_WASI_COMPONENT";
const PREPARED: &str = "VESTIBULE_WASI_PREPARED";
const KEY_VALUE: &str = "VESTIBULE_WASI_KEYVALUE";
const JCO: &str = "VESTIBULE_JCO";
const NODE: &str = "VESTIBULE_NODE";

/// How many requests an instance answers: wasmtime's default, and as many as a browser's visit has.
const REQUESTS_OF_INSTANCE: [u32; 2] = [ONE, 10_000];

/// A new instance for each request.
const ONE: u32 = 1;

/// The name of the story's step in `cargo xtask test`.
pub(crate) const STORY: &str = "story, wasi:http";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Only build component/vestibule.wasm
    #[arg(long)]
    build: bool,
    /// Only test it in wasmtime beside vestibule-server, both with one Redis server; prints what an instance costs
    #[arg(long, conflicts_with = "build")]
    test: bool,
    /// The shared store that the component is built for
    #[arg(long, value_name = "STORE", default_value = "redis", requires = "build")]
    store: Store,
    /// Only test it in `jco serve`, a host in Node.js, which is installed for it (340 MB), and the one for wasi:keyvalue there
    /// and in wasmtime
    #[arg(long, conflicts_with_all = ["build", "test"])]
    jco: bool,
    /// The configuration that is laid into the component, as `vestibule.toml`; without it the component reads it at its start
    #[arg(long, value_name = "FILE", requires = "build")]
    config: Option<PathBuf>,
}

/// `cargo xtask wasi`.
pub(crate) fn wasi(project: &Project, options: &Options) -> Result<()> {
    let config = options.config.as_deref().map(std::path::absolute).transpose()?;
    if let Some(config) = &config {
        check_before_build(project, config, options.store)?;
    }
    let effort = if options.build { Effort::Optimized } else { Effort::Fast };
    let file = build_component(project, options.store, config.as_deref(), effort)?;
    println!("   {}", file.display());
    if options.build {
        return Ok(());
    }
    if options.test {
        return test(project, &file);
    }
    if options.jco {
        return test_in_jco(project, &file);
    }
    let chromium = tools::ensure_chromium(project)?;
    walk(project, &file, &chromium)?;
    step(STORY, || story(project, &chromium))
}

/// Checks the configuration that is laid in by the component's own rules. Prints mistakes and advice, which an instance does not
/// repeat; fails if there is a mistake.
fn check_before_build(project: &Project, config: &Path, store: Store) -> Result<()> {
    let words = ["--runtime", "wasi", "--store", store.name()].map(OsStr::new);
    let arguments: Vec<OsString> =
        [config.as_os_str()].into_iter().chain(words).map(OsStr::to_owned).collect();
    check::run(project, "check", &arguments)
}

/// Runs all tests of crates/server that need the component that was built, in wasmtime and in jco.
pub(crate) fn tests_in_hosts(project: &Project) -> Result<()> {
    let file = component_file(project, Store::Redis);
    test(project, &file)?;
    test_in_jco(project, &file)
}

/// Runs the tests of crates/server that need the component and its host.
fn test(project: &Project, file: &Path) -> Result<()> {
    tools::ensure_redis(project)?;
    let host = ensure_wasmtime(project)?;
    let (laid_in, prepared) = (project.path(LAID_IN), project.path(PREPARED_FILE));
    let prepared = build_component_to(project, Store::Redis, Some(&laid_in), &prepared)?;
    step("vestibule-server and the component", || {
        let mut tests = tests(project, "wasi::", file);
        tests.args(["--test-threads", "2"]).env(WASMTIME, &host).env(PREPARED, &prepared);
        run(&mut tests)
    })
}

/// Runs the tests of crates/server that need the component and jco.
fn test_in_jco(project: &Project, file: &Path) -> Result<()> {
    tools::ensure_npm_of(project, DIRECTORY)?;
    let key_value = build_component(project, Store::Keyvalue, None, Effort::Fast)?;
    let host = ensure_wasmtime(project)?;
    let jco = project.path(DIRECTORY).join("node_modules/@bytecodealliance/jco/dist/jco.js");
    step("the component in jco", || {
        let mut tests = tests(project, "jco::", file);
        tests.env(NODE, tools::node(project)?).env(JCO, &jco).env(WASMTIME, &host).env(KEY_VALUE, &key_value);
        run(tests.args(["--test-threads", "1"]))
    })
}

/// The command that runs the tests of crates/server with this name, and this component.
fn tests(project: &Project, name: &str, file: &Path) -> Command {
    let mut command = project.cargo();
    command.args(["test", "--quiet", "--package", "vestibule-server", "--test", "server", name]);
    command.args(["--", "--ignored", "--nocapture"]).env(COMPONENT, file);
    command
}

/// Walks through the demo with instances of one request, and of many.
fn walk(project: &Project, file: &Path, chromium: &Path) -> Result<()> {
    let host = ensure_wasmtime(project)?;
    for requests_of_instance in REQUESTS_OF_INSTANCE {
        let (host, file, redis) = (host.clone(), file.to_owned(), None);
        let component = Component { host, file, requests_of_instance, redis };
        let setup = Setup::at(project, Demo::Bare, &Runtime::Wasi(component));
        step(&format!("the demo in wasmtime, {requests_of_instance} requests an instance"), || {
            browser::walk_through(project, setup, chromium)
        })?;
    }
    Ok(())
}

/// Walks through the story with the component that was built, a Redis server, and a new instance for each request.
pub(crate) fn story(project: &Project, chromium: &Path) -> Result<()> {
    let component = with_redis(project, component_file(project, Store::Redis), ONE)?;
    browser::story_on(project, &Runtime::Wasi(component), chromium)
}

/// A component with a Redis server of its own.
pub(crate) fn with_redis(project: &Project, file: PathBuf, requests_of_instance: u32) -> Result<Component> {
    tools::ensure_redis(project)?;
    let redis = Some(Ports::free()?.worker);
    Ok(Component { host: ensure_wasmtime(project)?, file, requests_of_instance, redis })
}

/// The path of wasmtime's program, which PyPI has.
pub(crate) fn ensure_wasmtime(project: &Project) -> Result<PathBuf> {
    tools::ensure_python_of(project, DIRECTORY, HOST)?;
    let mut command = project.command(host::python_of(&project.path(HOST)));
    command.args(["-c", "import pathlib, wasmtime_cli; print(pathlib.Path(wasmtime_cli.__file__).parent)"]);
    let folder = PathBuf::from(run_quietly(&mut command)?.trim());
    let program = folder.join(format!("wasmtime{}", std::env::consts::EXE_SUFFIX));
    host::make_executable(&program).with_context(|| format!("cannot change {}", program.display()))?;
    Ok(program)
}
