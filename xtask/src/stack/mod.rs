//! A running demo: the provider, the application, and the Worker.

mod child;
mod demo;
mod example;
mod http;
mod ports;
mod settings;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::project::Project;
use crate::step::step;
use crate::time::Stopwatch;
use crate::tools;

use child::Child;
pub(crate) use demo::{Client, Demo, NEXT_JS};
pub(crate) use example::{Example, Purpose};
use http::answers;
pub(crate) use http::fetch;
pub(crate) use ports::Ports;
use settings::Settings;

/// How long each of the three processes may take until it answers.
const START_LIMIT: Duration = Duration::from_mins(1);
/// The time between two checks of a starting or running process.
const POLL: Duration = Duration::from_millis(100);

/// The running processes. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Stack {
    children: Vec<Child>,
    ports: Ports,
    /// Whether the demo's provider runs, because the configuration names it.
    pub(crate) has_provider: bool,
}

impl Stack {
    /// Starts the processes that the demo's configuration needs, and waits until each answers. The Worker has to be in
    /// `build/`. Fails as soon as `interrupted` returns true.
    pub(crate) fn start(
        project: &Project,
        demo: Demo,
        ports: Ports,
        storage: &Storage,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Stack> {
        let node = tools::node(project)?;
        let settings = Settings::read(project, demo.config())?;
        let mut stack = Stack { children: Vec::new(), ports, has_provider: settings.has_provider() };

        if settings.has_provider() {
            let mut command = project.command(&node);
            command.arg("demo/provider.mjs").arg(ports.provider.to_string());
            let origin = demo.origin().map_or_else(|| stack.url(), str::to_owned);
            command.env("DEMO_BASE_URLS", origin).env("DEMO_BASE_PATH", settings.base_path());
            demo.provider(&mut command);
            let ready = format!("{}/.well-known/openid-configuration", ports.provider_url());
            stack.launch("provider", command, &ready, interrupted)?;
        }
        if settings.has_app() {
            let command = demo.app(project, &node, ports, settings.base_path());
            stack.launch("app", command, &ports.app_url(), interrupted)?;
        }

        let config = settings.write_for(project, demo.config(), ports, storage.rebuilds())?;
        let mut command = worker(project, &node, &config, ports, storage);
        // The values of a later file win, and those of the developer come last.
        let secrets = demo.secrets().map(|file| project.path(&file)).filter(|file| file.is_file());
        let own = Some(project.path(".dev.vars")).filter(|file| file.is_file() && storage.rebuilds());
        for file in secrets.into_iter().chain(own) {
            command.arg("--env-file").arg(file);
        }
        let mut ready = format!("{}/", stack.url());
        if demo.is_https() {
            command.args(["--local-protocol", "https"]);
            ready = ready.replacen("http:", "https:", 1);
        }
        stack.launch("worker", command, &ready, interrupted)?;
        Ok(stack)
    }

    /// The Worker's origin, without a trailing slash.
    pub(crate) fn url(&self) -> String {
        self.ports.worker_url()
    }

    /// Waits until `until` returns true. Fails if one of the processes ends before that.
    pub(crate) fn watch(&mut self, until: &dyn Fn() -> bool) -> Result<()> {
        while !until() {
            self.check()?;
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Ends every process, in the reverse order of their start.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn launch(
        &mut self,
        name: &'static str,
        command: Command,
        ready: &str,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<()> {
        step(&format!("start the {name}"), || {
            self.children.push(Child::start(name, command)?);
            let watch = Stopwatch::start();
            while watch.elapsed() < START_LIMIT {
                if answers(ready) {
                    return Ok(());
                }
                if interrupted() {
                    bail!("interrupted");
                }
                self.check()?;
                thread::sleep(POLL);
            }
            bail!("{ready} did not answer within {} s", START_LIMIT.as_secs())
        })
    }

    fn check(&mut self) -> Result<()> {
        for child in &mut self.children {
            if let Some(status) = child.ended()? {
                bail!("the {} ended unexpectedly ({status}): see its last output lines above", child.name);
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        while let Some(child) = self.children.pop() {
            child.end();
        }
    }
}

/// The command that runs `wrangler dev` under supervision.
fn worker(project: &Project, node: &Path, config: &Path, ports: Ports, storage: &Storage) -> Command {
    let mut command = supervised(project, node, node);
    command.args(["node_modules/wrangler/bin/wrangler.js", "dev", "--local", "--config"]).arg(config);
    command.args(["--ip", "localhost", "--port", &ports.worker.to_string()]);
    command.arg("--persist-to").arg(storage.directory(project));
    // The Worker sees the address that the browser uses, and not one from `routes`.
    command.args(["--infer-origin-from-routes=false", "--show-interactive-dev-session=false"]);
    // An absolute path, because wrangler resolves a relative one against the directory of its configuration.
    command.arg("--env-file").arg(project.path("demo/dev.vars"));
    command.env("WRANGLER_SEND_METRICS", "false").env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
    command.env(build::FAST, "1");
    command
}

/// A command that runs a program under supervise.mjs, which ends it when this program ends. The caller adds the program's
/// arguments.
fn supervised(project: &Project, node: &Path, program: &Path) -> Command {
    let mut command = project.command(node);
    command.arg(project.path("xtask/src/stack/supervise.mjs")).arg(program);
    command
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.end();
    }
}

/// The directory for the data that the Worker stores, and whether the Worker is rebuilt when its source changes.
#[derive(Debug)]
pub(crate) enum Storage {
    /// For a developer: kept between runs, and the Worker is rebuilt.
    Kept,
    /// For a test: an empty directory, and the Worker is not rebuilt.
    Fresh(PathBuf),
}

impl Storage {
    /// A new empty directory below `.wrangler/`.
    pub(crate) fn fresh(project: &Project, ports: Ports) -> Result<Storage> {
        let directory = project.path(&format!(".wrangler/xtask/{}/state", ports.worker));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        Ok(Storage::Fresh(directory))
    }

    fn directory(&self, project: &Project) -> PathBuf {
        match self {
            Storage::Kept => project.path(".wrangler/state"),
            Storage::Fresh(directory) => directory.clone(),
        }
    }

    fn rebuilds(&self) -> bool {
        matches!(self, Storage::Kept)
    }
}
