//! What runs the program under test: workerd, or another runtime that a test chooses.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use crate::{
    error::StartError,
    logs::{LogLine, Logs},
    net::Route,
    process::{GuardedProcess, Streams},
    server::{Entry, Server},
    spec::WorkerSpec,
};

/// Only limits a hang. It is not a performance goal.
pub(crate) const START_TIMEOUT: Duration = Duration::from_mins(1);

/// How often a process that does not become ready is asked whether it has ended.
const POLL: Duration = Duration::from_millis(20);

/// Runs the program under test. [`Workerd`](crate::Workerd) is the one that a builder begins with;
/// [`HarnessBuilder::runtime`](crate::HarnessBuilder::runtime) sets another one.
///
/// The client sends plain HTTP/1.1 to the addresses that [`start`](Runtime::start) gives, with the URL's host in `Host` and its
/// scheme in [`SCHEME_HEADER`](crate::SCHEME_HEADER). Whatever the program reaches has to be one of the addresses that
/// [`Launch`] gives.
pub trait Runtime: Send + Sync {
    /// Its name, for messages.
    fn name(&self) -> &'static str;

    /// Whether it runs the modules of the Worker, which must be built then.
    fn runs_modules(&self) -> bool {
        false
    }

    /// Starts it. Returns when it accepts connections.
    fn start(&self, launch: &Launch<'_>) -> Result<Running, StartError>;
}

/// A started runtime.
pub struct Running {
    /// Its process, which ends with the harness.
    pub process: GuardedProcess,
    /// Where the client reaches it: an address for each of [`Launch::isolates`], in their order.
    pub addresses: Vec<SocketAddr>,
    /// What has to live as long as the process, such as a proxy in front of it.
    pub beside: Option<Box<dyn Any + Send + Sync>>,
}

/// What is to be started, and what it can reach.
pub struct Launch<'a> {
    pub(crate) spec: &'a WorkerSpec,
    pub(crate) isolates: &'a [String],
    pub(crate) others: &'a BTreeMap<String, WorkerSpec>,
    /// The directory of the wrangler.toml.
    pub(crate) near: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) logs: &'a Logs,
    pub(crate) server: &'a Server,
}

impl Launch<'_> {
    /// The variables (`[vars]`).
    pub fn vars(&self) -> &Map<String, Value> {
        &self.spec.vars
    }

    /// The secrets by name.
    pub fn secrets(&self) -> &BTreeMap<String, String> {
        &self.spec.secrets
    }

    /// The names of the service bindings.
    pub fn services(&self) -> &BTreeSet<String> {
        &self.spec.services
    }

    /// The locations of the isolates: how many addresses the client needs.
    pub fn isolates(&self) -> &[String] {
        self.isolates
    }

    /// An empty directory, which is removed with the harness. Processes start in it.
    pub fn folder(&self) -> &Path {
        self.folder
    }

    /// The log, to which the lines of processes are added.
    pub fn logs(&self) -> &Logs {
        self.logs
    }

    /// The address at which this service answers.
    pub fn service(&self, name: &str) -> Result<SocketAddr, StartError> {
        self.listen(Entry::of_route(Route::Service(name.to_owned())))
    }

    /// The address at which the origins of the site's own hosts answer. A request says in `Host`, or else in
    /// `X-Forwarded-Host`, which host it is for.
    pub fn origin(&self) -> Result<SocketAddr, StartError> {
        self.listen(Entry::of_route(Route::Internet))
    }

    /// The address at which every host answers. A request says in the field `name` which origin it is for
    /// (`https://idp.example`).
    pub fn gateway(&self, name: &str) -> Result<SocketAddr, StartError> {
        self.listen(Entry::of_gateway(name))
    }

    /// Starts a program in [`folder`](Self::folder), and returns when `ready` gives a value for a line that it has written.
    /// `parse` makes a line of the log of a text and of the stream's name, `stdout` or `stderr`.
    pub fn process<T>(
        &self,
        command: Command<'_>,
        parse: fn(&str, &str) -> LogLine,
        ready: impl Fn(&LogLine) -> Option<T>,
    ) -> Result<(GuardedProcess, T), StartError> {
        command.start(self.folder, self.logs, parse, ready)
    }

    fn listen(&self, entry: Entry) -> Result<SocketAddr, StartError> {
        self.server.listen(entry).map_err(StartError::io("listen on 127.0.0.1"))
    }
}

/// A program with its arguments and the variables that are added to its environment.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    /// The name, for messages.
    pub name: &'static str,
    /// The path.
    pub program: &'a Path,
    /// The arguments.
    pub arguments: &'a [String],
    /// The variables.
    pub environment: &'a [(String, String)],
}

impl Command<'_> {
    /// Starts it in `folder`, as [`Launch::process`] says. For a process that starts later.
    pub fn start<T>(
        self,
        folder: &Path,
        logs: &Logs,
        parse: fn(&str, &str) -> LogLine,
        ready: impl Fn(&LogLine) -> Option<T>,
    ) -> Result<(GuardedProcess, T), StartError> {
        let variables: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // Another process of the same harness may have written before.
        let before = logs.lines().len();
        let (mut process, streams) = GuardedProcess::start(self.program, self.arguments, &variables, folder)
            .map_err(StartError::io(format!("start {}", self.program.display())))?;
        let Streams { stdout, stderr, control: _control } = streams;
        let readers = [logs.follow(stdout, "stdout", parse), logs.follow(stderr, "stderr", parse)];
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let found = logs.wait_until(POLL, |lines| lines.iter().skip(before).find_map(&ready));
            if let Some(found) = found {
                return Ok((process, found));
            }
            let why = if process.has_ended() {
                "it ended".to_owned()
            } else if Instant::now() > deadline {
                format!("it was not ready after {START_TIMEOUT:?}")
            } else {
                continue;
            };
            return Err(failed(self.name, why, process, readers, logs));
        }
    }
}

/// The path of a tool: from the environment variable `variable`, or from the nearest `node_modules` at or above `from` or the
/// working directory.
pub(crate) fn tool(
    tool: &'static str,
    variable: &'static str,
    in_node_modules: &str,
    from: &Path,
) -> Result<PathBuf, StartError> {
    if let Some(path) = env::var_os(variable) {
        return Ok(path.into());
    }
    let here = env::current_dir().map_err(StartError::io("find the working directory"))?;
    let from = here.join(from);
    let places = from.ancestors().chain(here.ancestors());
    places
        .map(|place| place.join("node_modules").join(in_node_modules))
        .find(|path| path.is_file())
        .ok_or(StartError::ToolMissing { tool, from: from.clone(), variable })
}

/// The error of a process that did not become ready, with its whole output.
pub(crate) fn failed(
    what: &'static str,
    why: String,
    process: GuardedProcess,
    readers: [JoinHandle<()>; 2],
    logs: &Logs,
) -> StartError {
    drop(process);
    for reader in readers {
        reader.join().ok();
    }
    StartError::Runtime { what, why, output: logs.text() }
}
