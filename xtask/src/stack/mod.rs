//! A demo, running: provider, application, and the Worker in front of both.

mod child;
mod demo;
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
use http::answers;
pub(crate) use http::fetch;
pub(crate) use ports::Ports;
use settings::Settings;

/// How long each of the three may take until it answers.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How often a starting or running process is looked at.
const POLL: Duration = Duration::from_millis(100);

/// The processes that run, ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Stack {
    children: Vec<Child>,
    ports: Ports,
    /// Whether the configuration names the demo's provider, which then runs.
    pub(crate) has_provider: bool,
}

impl Stack {
    /// Starts what the demo's configuration needs, and waits until all of it answers. The Worker has to be in
    /// `build/`. `interrupted` is asked now and then, and ends the waiting.
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
            let ready = format!("{}/.well-known/openid-configuration", ports.provider_url());
            stack.launch("provider", command, &ready, interrupted)?;
        }
        if settings.has_app() {
            let command = demo.app(project, &node, ports, settings.base_path());
            stack.launch("app", command, &ports.app_url(), interrupted)?;
        }

        let config = settings.write_for(project, demo.config(), ports, storage.rebuilds())?;
        let mut command = worker(project, &node, &config, ports, storage);
        let mut ready = format!("{}/", stack.url());
        if demo.is_https() {
            command.args(["--local-protocol", "https"]);
            ready = ready.replacen("http:", "https:", 1);
        }
        stack.launch("worker", command, &ready, interrupted)?;
        Ok(stack)
    }

    /// Where the Worker answers, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        self.ports.worker_url()
    }

    /// Returns when `until` says so, or with an error when one of the processes has ended by itself.
    pub(crate) fn watch(&mut self, until: &dyn Fn() -> bool) -> Result<()> {
        while !until() {
            self.check()?;
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Ends every process, the last started first.
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
            bail!("{ready} does not answer after {} s", START_LIMIT.as_secs())
        })
    }

    fn check(&mut self) -> Result<()> {
        for child in &mut self.children {
            if let Some(status) = child.ended()? {
                bail!("the {} has ended ({status}); its last lines above say why", child.name);
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

/// `wrangler dev`, under the supervision that ends it with this program.
fn worker(project: &Project, node: &Path, config: &Path, ports: Ports, storage: &Storage) -> Command {
    let mut command = supervised(project, node);
    command.args(["node_modules/wrangler/bin/wrangler.js", "dev", "--local", "--config"]).arg(config);
    command.args(["--ip", "localhost", "--port", &ports.worker.to_string()]);
    command.arg("--persist-to").arg(storage.directory(project));
    // The address stays the one that the browser shows, whatever `routes` says.
    command.args(["--infer-origin-from-routes=false", "--show-interactive-dev-session=false"]);
    // Named in full: wrangler looks for a relative one beside its configuration.
    command.arg("--env-file").arg(project.path("demo/dev.vars"));
    let own = project.path(".dev.vars");
    if matches!(storage, Storage::Kept) && own.is_file() {
        // A later file's values win: a developer's over the demo's.
        command.arg("--env-file").arg(own);
    }
    command.env("WRANGLER_SEND_METRICS", "false").env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
    command.env(build::FAST, "1");
    command
}

/// A Node.js program under the supervision that ends it with this program, arguments to follow.
fn supervised(project: &Project, node: &Path) -> Command {
    let mut command = project.command(node);
    command.arg(project.path("xtask/src/stack/supervise.mjs")).arg(node);
    command
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where the Worker keeps what it stores, and whether it is rebuilt.
#[derive(Debug)]
pub(crate) enum Storage {
    /// A developer's: kept between runs, the Worker rebuilt when its source changes.
    Kept,
    /// A test's: of its own, and empty.
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
