//! The builder of a [`Harness`].

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value};

use crate::{
    error::StartError,
    handler::{Request, Response},
    harness::Harness,
    kv::Kv,
    logs::Logs,
    net::{Net, Upstream},
    runtime::{Launch, Runtime},
    server::Server,
    spec::{self, WorkerSpec},
    workerd::Workerd,
};

/// A Worker and everything that it can reach, not started yet.
///
/// Handlers are called from several threads in parallel. If an `assert!` in a handler fails, the test fails when the
/// [`Harness`] is dropped. A host is a name (`idp.example`), a name with a port, or a wildcard (`*.example`, `*`).
#[must_use = "nothing runs until `start`"]
pub struct HarnessBuilder {
    source: Source,
    without: BTreeSet<String>,
    edits: Vec<Edit>,
    isolates: Vec<String>,
    others: BTreeMap<String, WorkerSpec>,
    runtime: Arc<dyn Runtime>,
    net: Net,
}

/// A change to the configuration. Changes are applied in the order of the builder's calls.
type Edit = Box<dyn FnOnce(&mut WorkerSpec)>;

enum Source {
    Wrangler { config: PathBuf, main: Option<PathBuf> },
    Module(String),
}

impl HarnessBuilder {
    pub(crate) fn of_wrangler(config: &Path) -> Self {
        Self::new(Source::Wrangler { config: config.to_owned(), main: None })
    }

    pub(crate) fn of_module(source: &str) -> Self {
        Self::new(Source::Module(source.to_owned()))
    }

    fn new(source: Source) -> Self {
        let (without, edits, others) = Default::default();
        let (isolates, net) = (vec![String::new()], Net::default());
        Self { source, without, edits, isolates, others, runtime: Arc::new(Workerd), net }
    }

    /// Starts this runtime instead of workerd.
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtime = runtime;
        self
    }

    /// Replaces the configuration's main module.
    pub fn main(mut self, path: impl Into<PathBuf>) -> Self {
        if let Source::Wrangler { main, .. } = &mut self.source {
            *main = Some(path.into());
        }
        self
    }

    /// Ignores a top-level section of the configuration.
    pub fn without_section(mut self, section: &str) -> Self {
        self.without.insert(section.to_owned());
        self
    }

    /// Replaces the configuration's `compatibility_date`.
    pub fn compatibility_date(self, date: &str) -> Self {
        let date = date.to_owned();
        self.edit(move |spec| spec.compatibility_date = date)
    }

    /// Adds a compatibility flag.
    pub fn compatibility_flag(self, flag: &str) -> Self {
        let flag = flag.to_owned();
        self.edit(move |spec| spec.compatibility_flags.push(flag))
    }

    /// Sets or replaces a variable of `[vars]`. A string becomes a text binding, any other value a JSON binding.
    pub fn var(self, name: &str, value: impl Into<Value>) -> Self {
        let (name, value) = (name.to_owned(), value.into());
        self.edit(move |spec| {
            spec.vars.insert(name, value);
        })
    }

    /// Merges `patch` into `[vars]` (RFC 7396): nested tables are merged, `null` removes a key, other values replace.
    ///
    /// # Panics
    /// If `patch` is not an object.
    pub fn merge_vars(self, patch: Value) -> Self {
        assert!(patch.is_object(), "merge_vars takes an object, not {patch}");
        self.edit(move |spec| {
            let mut vars = Value::Object(std::mem::take(&mut spec.vars));
            spec::merge(&mut vars, patch);
            spec.vars = if let Value::Object(vars) = vars { vars } else { Map::new() };
        })
    }

    /// Sets a secret: a text binding, as `wrangler secret put` makes it. `.dev.vars` is never read.
    pub fn secret(self, name: &str, value: &str) -> Self {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.edit(move |spec| {
            spec.secrets.insert(name, value);
        })
    }

    /// Adds a KV namespace that the configuration does not have.
    pub fn kv_namespace(self, binding: &str) -> Self {
        let binding = binding.to_owned();
        self.edit(move |spec| {
            spec.kv.insert(binding);
        })
    }

    /// Adds a Durable Object that the configuration does not have, backed by SQLite.
    pub fn durable_object(self, binding: &str, class: &str) -> Self {
        let (binding, class) = (binding.to_owned(), class.to_owned());
        self.edit(move |spec| {
            spec.classes.insert(class.clone(), true);
            spec.durable_objects.insert(binding, class);
        })
    }

    /// Adds a rate limit that the configuration does not have: `limit` calls per key in `seconds`.
    pub fn rate_limit(self, binding: &str, limit: u64, seconds: u64) -> Self {
        let binding = binding.to_owned();
        self.edit(move |spec| {
            spec.rate_limits.insert(binding, (limit, seconds));
        })
    }

    /// Adds a queue and dataset that the configuration does not have. The log has what is sent to it: a line with `queue`, the
    /// messages, or with `dataset`, a point. It is the harness's own, not the runtime's.
    pub fn sink(self, binding: &str) -> Self {
        let binding = binding.to_owned();
        self.edit(move |spec| {
            spec.sinks.insert(binding);
        })
    }

    /// Removes a binding of any kind, as if an operator had forgotten it.
    pub fn without_binding(self, name: &str) -> Self {
        let name = name.to_owned();
        self.edit(move |spec| {
            spec.vars.remove(&name);
            spec.secrets.remove(&name);
            spec.kv.remove(&name);
            spec.services.remove(&name);
            spec.durable_objects.remove(&name);
            spec.rate_limits.remove(&name);
            spec.sinks.remove(&name);
        })
    }

    /// Lets a handler answer for `host`, for the Worker and for the test's client, over http and https.
    pub fn host(self, host: &str, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        self.net.set_host(host, Upstream::Handler(Arc::new(handler)), false);
        self
    }

    /// Lets a real server on this machine answer for `host`, for the Worker and for the test's client.
    pub fn host_at(self, host: &str, address: SocketAddr) -> Self {
        self.net.set_host(host, Upstream::Address(address), false);
        self
    }

    /// Lets a handler answer as the origin of the Worker's own zone: at `host` the client reaches the Worker, and the
    /// Worker's `fetch` reaches this handler.
    pub fn origin(self, host: &str, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        self.net.set_host(host, Upstream::Handler(Arc::new(handler)), true);
        self
    }

    /// Lets a real server on this machine answer as the origin of the Worker's own zone.
    pub fn origin_at(self, host: &str, address: SocketAddr) -> Self {
        self.net.set_host(host, Upstream::Address(address), true);
        self
    }

    /// Lets a handler answer for a service binding (or `assets` binding). Adds the binding if the configuration does not
    /// have it.
    pub fn service(
        self,
        binding: &str,
        handler: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.bind_service(binding, Upstream::Handler(Arc::new(handler)))
    }

    /// Lets a handler answer for a service binding, and calls it as soon as a request's head has arrived. It has to answer
    /// with a [takeover](Response::takeover), and reads the body itself, at any speed, with
    /// [`Connection::body`](crate::Connection::body).
    pub fn service_unread(
        self,
        binding: &str,
        handler: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.bind_service(binding, Upstream::Unread(Arc::new(handler)))
    }

    /// Lets a real server on this machine answer for a service binding.
    pub fn service_at(self, binding: &str, address: SocketAddr) -> Self {
        self.bind_service(binding, Upstream::Address(address))
    }

    /// Lets another Worker, given as the source of an ES module, answer for a service binding. Its own `fetch` reaches the
    /// same hosts.
    pub fn service_worker(mut self, binding: &str, source: &str) -> Self {
        self.others.insert(binding.to_owned(), WorkerSpec::of_source(source));
        self
    }

    /// Runs one isolate of the Worker for each of these locations (`["FRA", "FRA", "IAD"]`). The isolates share only their
    /// bindings: KV namespaces, Durable Objects, and the hosts that they fetch. [`Client::at`](crate::Client::at) selects
    /// the isolate that a browser reaches; a request there has the location in `request.cf.colo`.
    ///
    /// # Panics
    /// If `locations` is empty.
    pub fn isolates(mut self, locations: &[&str]) -> Self {
        assert!(!locations.is_empty(), "the Worker needs at least one isolate");
        self.isolates = locations.iter().map(|location| (*location).to_owned()).collect();
        self
    }

    /// Starts the runtime; returns when it accepts connections.
    pub fn start(self) -> Result<Harness, StartError> {
        let Self { source, without, edits, isolates, others, runtime, mut net } = self;
        let (mut spec, near) = match source {
            Source::Wrangler { config, main } => {
                let spec =
                    WorkerSpec::of_wrangler(&config, main.as_deref(), &without, runtime.runs_modules())?;
                (spec, config.parent().map(Path::to_owned).unwrap_or_default())
            }
            Source::Module(source) => (WorkerSpec::of_source(&source), PathBuf::new()),
        };
        for edit in edits {
            edit(&mut spec);
        }
        net.kv = spec.kv.iter().map(|name| (name.clone(), Kv::default())).collect();
        let net = Arc::new(net);
        let server = Server::start(Arc::clone(&net)).map_err(StartError::io("listen on 127.0.0.1"))?;
        let folder = private_folder()?;
        let logs = Logs::default();
        let running = runtime.start(&Launch {
            spec: &spec,
            isolates: &isolates,
            others: &others,
            near: &near,
            folder: folder.path(),
            logs: &logs,
            server: &server,
        })?;
        Ok(Harness::new(net, server, logs, running, folder, isolates))
    }

    fn bind_service(self, binding: &str, upstream: Upstream) -> Self {
        self.net.set_service(binding, upstream);
        let binding = binding.to_owned();
        self.edit(move |spec| {
            spec.services.insert(binding);
        })
    }

    fn edit(mut self, edit: impl FnOnce(&mut WorkerSpec) + 'static) -> Self {
        self.edits.push(Box::new(edit));
        self
    }
}

/// A temporary directory that is removed when the value is dropped.
pub(crate) fn private_folder() -> Result<tempfile::TempDir, StartError> {
    tempfile::Builder::new()
        .prefix("worker-")
        .tempdir()
        .map_err(StartError::io("create a temporary directory"))
}
