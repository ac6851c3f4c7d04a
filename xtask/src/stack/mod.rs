//! A running demo: the provider, the application, and the Worker.

mod child;
mod demo;
mod example;
mod http;
mod native;
mod ports;
mod secrets;
mod settings;
mod setup;
mod wasi;

use std::net::{Ipv4Addr, TcpStream};
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
pub(crate) use demo::{Client, Demo, Migration, NEXT_JS};
pub(crate) use example::{Example, Purpose};
pub(crate) use http::{answers, fetch};
pub(crate) use ports::Ports;
pub(crate) use secrets::secret;
use setup::Contents;
pub(crate) use setup::{Component, Local, Runtime, Setup, origin};

/// How long each of the three processes may take until it answers.
const START_LIMIT: Duration = Duration::from_mins(1);
/// The time between two checks of a starting or running process.
const POLL: Duration = Duration::from_millis(100);

/// The running processes. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Stack {
    children: Vec<Child>,
    project: Project,
    node: PathBuf,
    setup: Setup,
    ports: Ports,
    storage: Storage,
    /// The configuration as the Worker has it, to notice a change.
    config: Contents,
    /// The developer's secrets as the Worker has them.
    secrets: Contents,
}

impl Stack {
    /// Starts the processes that the configuration needs, and waits until each answers. The Worker has to be in `build/`.
    /// Fails as soon as `interrupted` returns true.
    pub(crate) fn start(
        project: &Project,
        setup: Setup,
        ports: Ports,
        storage: Storage,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Stack> {
        let mut stack = Stack {
            children: Vec::new(),
            project: project.clone(),
            node: tools::node(project)?,
            setup,
            ports,
            storage,
            config: Contents::default(),
            secrets: Contents::default(),
        };
        let config = stack.configure(interrupted)?;
        stack.start_store(interrupted)?;
        stack.start_worker(&config, interrupted)?;
        Ok(stack)
    }

    /// Starts the provider and the application if the configuration needs them and they do not run yet, and writes the
    /// configuration for wrangler. Gives its path.
    fn configure(&mut self, interrupted: &dyn Fn() -> bool) -> Result<PathBuf> {
        self.config = Contents::of([&self.setup.config]);
        let (ports, demo) = (self.ports, self.setup.demo);
        let settings = self.setup.settings(ports)?;
        let runs = |name: &str, children: &[Child]| {
            demo.is_a_guest() || children.iter().any(|child| child.name == name)
        };
        if settings.has_provider() && !runs("provider", &self.children) {
            let mut command = self.project.command(&self.node);
            command.arg("demo/provider.mjs").arg(ports.provider.to_string());
            let mut origins = vec![demo.origin().map_or_else(|| self.url(), str::to_owned)];
            origins.extend(self.setup.local.iter().filter_map(|local| local.origin.clone()));
            if let Demo::Migrating(..) = demo {
                // Until it is moved, the application signs in by itself.
                origins.push(ports.app_url());
            }
            command.env("DEMO_IDS", settings.provider_id().unwrap_or("demo"));
            command.env("DEMO_BASE_URLS", origins.join(",")).env("DEMO_BASE_PATH", settings.base_path());
            demo.provider(&mut command);
            let ready = format!("{}/.well-known/openid-configuration", ports.provider_url());
            self.launch("provider", command, &|| answers(&ready), interrupted)?;
        }
        if settings.has_app(&ports.app_url()) && !runs("app", &self.children) {
            let command = demo.app(&self.project, &self.node, ports, settings.base_path());
            self.launch("app", command, &|| answers(&ports.app_url()), interrupted)?;
        }
        settings.write_for(&self.project, ports, self.storage.rebuilds())
    }

    /// Starts the Redis server of a component that has one.
    fn start_store(&mut self, interrupted: &dyn Fn() -> bool) -> Result<()> {
        let Runtime::Wasi(Component { redis: Some(port), .. }) = self.setup.runtime else { return Ok(()) };
        let command = wasi::redis(&self.project, &self.node, port);
        self.launch(
            "redis",
            command,
            &|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
            interrupted,
        )
    }

    fn start_worker(&mut self, config: &Path, interrupted: &dyn Fn() -> bool) -> Result<()> {
        let own = self.setup.secrets(&self.project, self.storage.rebuilds());
        // The values of a later file win, and those of the developer come last.
        let of_demo = self.setup.demo.secrets().map(|file| self.project.path(&file));
        let files: Vec<PathBuf> = of_demo.into_iter().chain(own).collect();
        self.secrets = Contents::of(&files);
        let command = match &self.setup.runtime {
            Runtime::Workers => {
                let mut command = worker(&self.project, &self.node, config, self.ports, &self.storage);
                for file in files.iter().filter(|file| file.is_file()) {
                    command.arg("--env-file").arg(file);
                }
                if self.setup.demo.is_https() {
                    command.args(["--local-protocol", "https"]);
                }
                command
            }
            Runtime::Wasi(component) => {
                wasi::command(&self.project, &self.node, component, config, self.ports)?
            }
            Runtime::Native(program) => {
                native::command(&self.project, &self.node, program, config, self.ports)?
            }
        };
        let mut ready = format!("{}/", self.url());
        if self.setup.demo.is_https() {
            ready = ready.replacen("http:", "https:", 1);
        }
        self.launch("worker", command, &|| answers(&ready), interrupted)
    }

    /// Takes up a change of the configuration or of the developer's secrets.
    fn take_up_changes(&mut self, interrupted: &dyn Fn() -> bool) -> Result<()> {
        if self.setup.local.is_none() {
            return Ok(());
        }
        let files = self.setup.secrets(&self.project, self.storage.rebuilds());
        let has_new_secrets = self.secrets != Contents::of(&files);
        if self.config == Contents::of([&self.setup.config]) && !has_new_secrets {
            return Ok(());
        }
        match self.configure(interrupted) {
            // wrangler reads secrets only when it starts.
            Ok(config) if has_new_secrets => {
                if let Some(at) = self.children.iter().position(|child| child.name == "worker") {
                    self.children.remove(at).end();
                }
                self.start_worker(&config, interrupted)
            }
            Ok(_) => Ok(()),
            Err(error) => {
                eprintln!("{error:#}\nthe Worker keeps the last configuration that could be read");
                self.secrets = Contents::of(&files);
                Ok(())
            }
        }
    }

    /// Whether the demo's provider runs, because the configuration names it.
    pub(crate) fn has_provider(&self) -> bool {
        self.children.iter().any(|child| child.name == "provider")
    }

    /// What a developer should know about the configuration: what differs from the file, and the redirect URIs to register.
    pub(crate) fn notes(&self) -> Vec<String> {
        let Ok(settings) = self.setup.settings(self.ports) else { return Vec::new() };
        let origin =
            self.setup.local.as_ref().and_then(|local| local.origin.clone()).unwrap_or_else(|| self.url());
        let register = |id: &String| {
            format!(
                "register {origin}{}/callback/{id} at {id} as a further redirect URI",
                settings.base_path()
            )
        };
        settings.notes().iter().cloned().chain(settings.other_providers().iter().map(register)).collect()
    }

    /// Whether the configuration is that of a demo, whose pages are known.
    pub(crate) fn is_demo(&self) -> bool {
        self.setup.settings(self.ports).is_ok_and(|settings| settings.other_providers().is_empty())
            && self.has_provider()
    }

    /// The address of a page of the Worker's own.
    pub(crate) fn own_page(&self, name: &str) -> String {
        let settings = self.setup.settings(self.ports);
        format!("{}{}/{name}", self.url(), settings.as_ref().map_or("/auth", |settings| settings.base_path()))
    }

    /// The Worker's origin, without a trailing slash.
    pub(crate) fn url(&self) -> String {
        self.ports.worker_url()
    }

    /// Waits until `until` returns true. Fails if one of the processes ends before that.
    pub(crate) fn watch(&mut self, until: &dyn Fn() -> bool) -> Result<()> {
        while !until() {
            self.check()?;
            match self.take_up_changes(until) {
                Err(_) if until() => return Ok(()),
                taken_up => taken_up?,
            }
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
        mut command: Command,
        is_ready: &dyn Fn() -> bool,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<()> {
        step(&format!("start the {name}"), || {
            self.children.push(Child::start(name, &mut command)?);
            let watch = Stopwatch::start();
            let mut is_second = false;
            while watch.elapsed() < START_LIMIT {
                if is_ready() {
                    return Ok(());
                }
                if interrupted() {
                    bail!("interrupted");
                }
                if !is_second && self.children.last_mut().map_or(Ok(false), Child::ended_without_port)? {
                    // wrangler chooses further ports by itself, which another program may take first.
                    is_second = true;
                    self.children.pop();
                    self.children.push(Child::start(name, &mut command)?);
                }
                self.check()?;
                thread::sleep(POLL);
            }
            bail!("the {name} did not answer within {} s", START_LIMIT.as_secs())
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
#[derive(Clone, Debug)]
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
