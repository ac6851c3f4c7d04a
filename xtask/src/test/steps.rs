//! The steps of `cargo xtask test`. Steps that are fast and fail often come first.
//!
//! The build runs beside the checks, and the walks run beside the tests (`lane`). Two cargos that build the same programs would
//! take each other's files away; so what a walk builds, it builds into directories that no test uses, and the rest comes last.

use anyhow::Result;
use xtask_arguments::component::Store;

use crate::apps;
use crate::browser;
use crate::build;
use crate::commands;
use crate::dev;
use crate::examples;
use crate::frameworks;
use crate::helpers;
use crate::interop;
use crate::layers;
use crate::package;
use crate::project::Project;
use crate::proxies;
use crate::runtime::RuntimeName;
use crate::server;
use crate::step::run;
use crate::tools::{self, TARGET, WASI};
use crate::vocabulary;
use crate::wasi;

use super::runtimes;

/// The component for wasi:http, and with it the core without JavaScript.
const COMPONENT: &str = "vestibule-wasi";

/// One step.
pub(super) struct Step<'a> {
    pub(super) name: &'static str,
    pub(super) work: Box<dyn Fn() -> Result<()> + 'a>,
}

impl<'a> Step<'a> {
    fn new(name: &'static str, work: impl Fn() -> Result<()> + 'a) -> Self {
        Step { name, work: Box::new(work) }
    }
}

/// The part before all others.
pub(super) fn tools(project: &Project) -> Vec<Step<'_>> {
    vec![Step::new("tools", || install(project))]
}

/// What looks at the source.
pub(super) fn checks(project: &Project) -> Vec<Step<'_>> {
    vec![
        Step::new("format", || cargo(project, &["fmt", "--all", "--check"])),
        Step::new("layers", || layers::check(project)),
        Step::new("vocabulary", || vocabulary::check(project)),
        Step::new("Dockerfile, manifest and unit", || server::check_deployment(project)),
        Step::new("clippy, native", || {
            cargo(project, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
            // `--all-targets` leaves out those that commands of their own run.
            let own = [
                "clippy",
                "--package",
                "vestibule",
                "--test",
                "frameworks",
                "--test",
                "interop",
                "--test",
                "proxies",
            ];
            cargo(project, &[&own[..], &["--", "-D", "warnings"]].concat())
        }),
        Step::new("clippy, wasm32", || {
            // Without the entry point it is a library for an app's own `fetch`.
            for features in [&[][..], &["--features", "entry"]] {
                let what = ["clippy", "--package", "vestibule", "--target", TARGET];
                cargo(project, &[&what[..], features, &["--", "-D", "warnings"]].concat())?;
            }
            let what = ["clippy", "--package", "vestibule-check", "--lib", "--target", TARGET];
            cargo(project, &[&what[..], &["--", "-D", "warnings"]].concat())
        }),
        Step::new("clippy, wasi", || {
            for options in
                [&[][..], &["--no-default-features"], &["--no-default-features", "--features", "keyvalue"]]
            {
                let what = ["clippy", "--package", COMPONENT, "--target", WASI];
                cargo(project, &[&what[..], options, &["--", "-D", "warnings"]].concat())?;
            }
            Ok(())
        }),
        Step::new("documentation", || {
            run(project.cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
        }),
    ]
}

/// What the tests and the walks start.
pub(super) fn built(project: &Project) -> Vec<Step<'_>> {
    vec![
        Step::new("build", || build::build_and_check(project)),
        Step::new("build, the component", || {
            build::build_component(project, Store::Redis, None, build::Effort::Fast).map(drop)
        }),
    ]
}

/// The tests of the workspace.
pub(super) fn tests(project: &Project) -> Vec<Step<'_>> {
    vec![
        Step::new("tests", || cargo(project, &["test", "--workspace", "--no-fail-fast"])),
        Step::new("the quick set on native", || runtimes::run_quick(project, RuntimeName::Native)),
        Step::new("the quick set on wasi", || runtimes::run_quick(project, RuntimeName::Wasi)),
    ]
}

/// What runs the built Worker with programs of other projects, and builds no test. `quick` leaves out what needs a browser,
/// except one example.
pub(super) fn walks(project: &Project, quick: bool) -> Vec<Step<'_>> {
    let mut steps = vec![
        Step::new("npm helpers", || helpers::run_tests(project)),
        Step::new("the npm package's commands", || commands::commands(project)),
        Step::new("dev, a site of your own", || dev::walk(project)),
        Step::new("the npm package", || package::package(project)),
        Step::new("an example in a browser", || examples::run_everywhere(project)),
    ];
    if !quick {
        let in_browser = browser::WALKS
            .into_iter()
            .map(|(name, run)| Step::new(name, move || run(project, &tools::ensure_chromium(project)?)));
        steps.extend(in_browser);
        steps.push(Step::new(wasi::STORY, || wasi::story(project, &tools::ensure_chromium(project)?)));
        let applications = apps::WALKS
            .iter()
            .map(|walk| Step::new(walk.name, || walk.run(project, &tools::ensure_chromium(project)?)));
        steps.extend(applications);
    }
    steps
}

/// Tests of their own programs, which cargo builds. `quick` leaves out the pages, the component's hosts, the frameworks and the
/// proxies.
pub(super) fn last(project: &Project, quick: bool) -> Vec<Step<'_>> {
    let mut steps = vec![Step::new("interop, oidc-provider and MCP", || interop::run_everywhere(project))];
    if !quick {
        let (name, check) = browser::PAGES;
        steps.push(Step::new(name, move || check(project, &tools::ensure_chromium(project)?)));
        steps.push(Step::new("the component in wasmtime and jco", || wasi::tests_in_hosts(project)));
        steps.push(Step::new("frameworks", || frameworks::run_tests(project, None)));
        steps.push(Step::new("proxies", || proxies::run_tests(project, None)));
        steps.push(Step::new("proxies, native", || proxies::run_native_tests(project, None)));
    }
    steps
}

/// Installs every tool that the steps need, so that a missing tool is reported before the first step.
fn install(project: &Project) -> Result<()> {
    tools::ensure_components(project)?;
    tools::ensure_target(project, TARGET)?;
    tools::ensure_target(project, WASI)?;
    tools::ensure_npm(project)?;
    tools::ensure_nginx(project)?;
    tools::ensure_redis(project)?;
    wasi::ensure_wasmtime(project)?;
    tools::ensure_chromium(project).map(drop)
}

fn cargo(project: &Project, arguments: &[&str]) -> Result<()> {
    run(project.cargo().args(arguments))
}
