//! Runs the same Worker under `wrangler dev`, to compare the harness's bindings with wrangler's.

use std::{
    collections::BTreeMap,
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use tempfile::TempDir;
use toml::Table;

use crate::{
    builder::private_folder,
    client::{Client, Target},
    error::StartError,
    logs::{LogLine, Logs, structured},
    process::GuardedProcess,
    runtime::{self, Command},
    spec,
};

const READY: &str = "Ready on http://";

/// A Worker that runs under `wrangler dev`. Dropping it ends wrangler and its runtime.
///
/// Use it only for a parity test with the shipped `wrangler.toml`, because it takes seconds to start. KV and Durable Objects
/// are wrangler's own and empty, and the Worker only reaches `http://127.0.0.1:PORT`. The Worker sees `https` URLs; wrangler
/// rewrites URLs of its own host in response headers to `http`.
pub struct Wrangler {
    _process: GuardedProcess,
    _folder: TempDir,
    logs: Logs,
    target: Target,
}

impl fmt::Debug for Wrangler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wrangler").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Wrangler {
    /// Runs `wrangler dev` with this configuration. `[build]` is not run, so the main module must exist.
    pub fn dev(config: impl AsRef<Path>) -> WranglerBuilder {
        WranglerBuilder { config: config.as_ref().to_owned(), patches: Vec::new(), secrets: BTreeMap::new() }
    }

    /// A new client with an empty cookie jar. Every host leads to the Worker.
    pub fn client(&self) -> Client {
        Client::new(self.target.clone())
    }

    /// The address on which wrangler listens.
    pub fn address(&self) -> SocketAddr {
        self.target.worker
    }

    /// The output of wrangler and the Worker, line by line.
    pub fn logs(&self) -> Logs {
        self.logs.clone()
    }
}

/// A configuration to start under `wrangler dev`.
#[must_use = "nothing runs until `start`"]
#[derive(Debug)]
pub struct WranglerBuilder {
    config: PathBuf,
    patches: Vec<Patch>,
    secrets: BTreeMap<String, String>,
}

#[derive(Debug)]
enum Patch {
    Set(String, Value),
    Merge(Value),
}

impl WranglerBuilder {
    /// Sets or replaces a variable of `[vars]`.
    pub fn var(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.patches.push(Patch::Set(name.to_owned(), value.into()));
        self
    }

    /// Merges `patch` into `[vars]` (RFC 7396), like [`HarnessBuilder::merge_vars`](crate::HarnessBuilder::merge_vars).
    pub fn merge_vars(mut self, patch: Value) -> Self {
        self.patches.push(Patch::Merge(patch));
        self
    }

    /// Sets a secret by `.dev.vars`.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts wrangler; returns when it is ready.
    pub fn start(self) -> Result<Wrangler, StartError> {
        let near = self.config.parent().map(Path::to_owned).unwrap_or_default();
        let node = runtime::tool("node", "NODE_BIN", ".bin/node", &near)?;
        let script = runtime::tool("wrangler", "WRANGLER_BIN", "wrangler/bin/wrangler.js", &near)?;
        let folder = private_folder()?;
        self.write(folder.path())?;
        let script = script.to_string_lossy().into_owned();
        let arguments = [
            script.as_str(),
            "dev",
            "--config=wrangler.toml",
            "--ip=127.0.0.1",
            "--port=0",
            "--inspector-port=0",
            "--upstream-protocol=https",
            "--persist-to=state",
            "--show-interactive-dev-session=false",
        ]
        .map(str::to_owned);
        let home = folder.path().to_string_lossy().into_owned();
        let environment = [
            ("CI", "1"),
            ("NO_COLOR", "1"),
            ("WRANGLER_SEND_METRICS", "false"),
            ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
            ("XDG_CONFIG_HOME", home.as_str()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let command = Command {
            name: "wrangler dev",
            program: &node,
            arguments: &arguments,
            environment: &environment,
        };
        let logs = Logs::default();
        let address =
            |line: &LogLine| line.message.split_once(READY)?.1.split_whitespace().next()?.parse().ok();
        let (process, worker) = command.start(folder.path(), &logs, structured, address)?;
        let target = Target::new([(worker, String::new())].into(), None, false);
        Ok(Wrangler { _process: process, _folder: folder, logs, target })
    }

    /// Writes a copy of the configuration that does not depend on its directory and has no build step.
    fn write(self, folder: &Path) -> Result<(), StartError> {
        let mut table = spec::read_toml(&self.config)?;
        let main = spec::main_module(&self.config, &table)?;
        let main = fs::canonicalize(&main).map_err(|_| StartError::NotBuilt { path: main })?;
        table.remove("build");
        table.insert("main".to_owned(), main.to_string_lossy().into_owned().into());
        let near = fs::canonicalize(&self.config).map_err(StartError::io("find the configuration"))?;
        if let Some(directory) = table.get_mut("assets").and_then(|assets| assets.get_mut("directory")) {
            let absolute = near.parent().unwrap_or(&near).join(directory.as_str().unwrap_or_default());
            *directory = absolute.to_string_lossy().into_owned().into();
        }
        let mut vars = table.get("vars").map_or_else(|| Value::Object(Map::new()), spec::to_json);
        for patch in self.patches {
            match patch {
                Patch::Merge(patch) => spec::merge(&mut vars, patch),
                Patch::Set(name, value) => {
                    if let Some(vars) = vars.as_object_mut() {
                        vars.insert(name, value);
                    }
                }
            }
        }
        let config = |reason: String| StartError::Config { path: self.config.clone(), reason };
        let vars = Table::try_from(vars).map_err(|error| config(format!("vars: {error}")))?;
        table.insert("vars".to_owned(), vars.into());
        let text = toml::to_string(&table).map_err(|error| config(error.to_string()))?;
        let secrets: Vec<String> = self.secrets.iter().map(|(name, value)| dotenv(name, value)).collect();
        fs::write(folder.join("wrangler.toml"), text)
            .and_then(|()| fs::write(folder.join(".dev.vars"), secrets.concat()))
            .map_err(StartError::io(format!("write to {}", folder.display())))
    }
}

/// A line of `.dev.vars`. The value is quoted by the first kind of quote that it does not contain.
fn dotenv(name: &str, value: &str) -> String {
    let quote = ['\'', '`', '"'].into_iter().find(|quote| !value.contains(*quote));
    let quote = quote.unwrap_or_else(|| {
        panic!("the secret {name} contains every kind of quote, which .dev.vars cannot represent")
    });
    format!("{name}={quote}{value}{quote}\n")
}
