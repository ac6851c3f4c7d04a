//! Describes the world of one test.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value};

use crate::{
    capnp,
    error::StartError,
    exchange::{Request, Response},
    harness::Harness,
    kv::Kv,
    logs::Logs,
    net::{Net, Upstream},
    runtime,
    server::Server,
    spec::{self, WorkerSpec},
};

/// A Worker and its surroundings, not yet started.
///
/// Handlers are called from many threads at once; an `assert!` that fails in one fails the test when the [`Harness`]
/// is dropped. A host is a name (`idp.example`), a name with a port, or a wildcard (`*.example`, `*`).
#[must_use = "nothing runs until `start`"]
pub struct HarnessBuilder {
    source: Source,
    without: BTreeSet<String>,
    edits: Vec<Edit>,
    isolates: Vec<String>,
    others: BTreeMap<String, WorkerSpec>,
    net: Net,
}

/// Made to what the configuration says, in the order of the builder's calls.
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
        Self { source, without, edits, isolates: vec![String::new()], others, net: Net::default() }
    }

    /// Another main module than the configuration's.
    pub fn main(mut self, path: impl Into<PathBuf>) -> Self {
        if let Source::Wrangler { main, .. } = &mut self.source {
            *main = Some(path.into());
        }
        self
    }

    /// Reads the configuration as if this top-level section were not in it.
    pub fn without_section(mut self, section: &str) -> Self {
        self.without.insert(section.to_owned());
        self
    }

    /// Another `compatibility_date` than the configuration's.
    pub fn compatibility_date(self, date: &str) -> Self {
        let date = date.to_owned();
        self.edit(move |spec| spec.compatibility_date = date)
    }

    /// One more compatibility flag.
    pub fn compatibility_flag(self, flag: &str) -> Self {
        let flag = flag.to_owned();
        self.edit(move |spec| spec.compatibility_flags.push(flag))
    }

    /// Sets one of `[vars]`, whatever it was: a string becomes text, all else JSON.
    pub fn var(self, name: &str, value: impl Into<Value>) -> Self {
        let (name, value) = (name.to_owned(), value.into());
        self.edit(move |spec| {
            spec.vars.insert(name, value);
        })
    }

    /// Merges into `[vars]` (RFC 7396): nested tables are merged, `null` removes, everything else replaces.
    ///
    /// # Panics
    /// When `patch` is not an object.
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

    /// Adds a rate limit that the configuration does not have: so many calls for a key in so many seconds.
    pub fn rate_limit(self, binding: &str, limit: u64, seconds: u64) -> Self {
        let binding = binding.to_owned();
        self.edit(move |spec| {
            spec.rate_limits.insert(binding, (limit, seconds));
        })
    }

    /// Leaves out a binding of any kind, as when an operator forgot it.
    pub fn without_binding(self, name: &str) -> Self {
        let name = name.to_owned();
        self.edit(move |spec| {
            spec.vars.remove(&name);
            spec.secrets.remove(&name);
            spec.kv.remove(&name);
            spec.services.remove(&name);
            spec.durable_objects.remove(&name);
            spec.rate_limits.remove(&name);
        })
    }

    /// Puts a handler behind `host`, for the Worker and for the test's client, with either scheme.
    pub fn host(self, host: &str, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        self.net.set_host(host, Upstream::Handler(Arc::new(handler)), false);
        self
    }

    /// Puts a real server on this machine behind `host`, for the Worker and for the test's client.
    pub fn host_at(self, host: &str, address: SocketAddr) -> Self {
        self.net.set_host(host, Upstream::Address(address), false);
        self
    }

    /// Puts a handler behind the Worker's own zone: the client reaches the Worker at `host`, and the Worker's `fetch`
    /// of `host` this origin.
    pub fn origin(self, host: &str, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        self.net.set_host(host, Upstream::Handler(Arc::new(handler)), true);
        self
    }

    /// Puts a real server on this machine behind the Worker's own zone.
    pub fn origin_at(self, host: &str, address: SocketAddr) -> Self {
        self.net.set_host(host, Upstream::Address(address), true);
        self
    }

    /// Puts a handler behind a service binding (or `assets` binding); adds the binding where the configuration has
    /// none.
    pub fn service(
        self,
        binding: &str,
        handler: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.bind_service(binding, Upstream::Handler(Arc::new(handler)))
    }

    /// Puts a handler behind a service binding that is called when a request's head is there, and answers with a
    /// [takeover](Response::takeover): it reads the body itself, as slowly as it likes, with
    /// [`Connection::body`](crate::Connection::body).
    pub fn service_unread(
        self,
        binding: &str,
        handler: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.bind_service(binding, Upstream::Unread(Arc::new(handler)))
    }

    /// Puts a real server on this machine behind a service binding.
    pub fn service_at(self, binding: &str, address: SocketAddr) -> Self {
        self.bind_service(binding, Upstream::Address(address))
    }

    /// Puts another Worker, given as the source of an ES module, behind a service binding. What it fetches goes the
    /// same ways.
    pub fn service_worker(mut self, binding: &str, source: &str) -> Self {
        self.others.insert(binding.to_owned(), WorkerSpec::of_source(source));
        self
    }

    /// Runs the Worker once for each of these locations (`["FRA", "FRA", "IAD"]`), as isolates that share nothing but
    /// their bindings: KV namespaces, Durable Objects, what they fetch. [`Client::at`](crate::Client::at) says which
    /// one a browser reaches; a request there has its location as `request.cf.colo`.
    ///
    /// # Panics
    /// When there is none.
    pub fn isolates(mut self, locations: &[&str]) -> Self {
        assert!(!locations.is_empty(), "a Worker without isolates answers nobody");
        self.isolates = locations.iter().map(|location| (*location).to_owned()).collect();
        self
    }

    /// Starts the runtime; returns when it accepts connections.
    pub fn start(self) -> Result<Harness, StartError> {
        let Self { source, without, edits, isolates, others, mut net } = self;
        let (mut spec, near) = match source {
            Source::Wrangler { config, main } => {
                let spec = WorkerSpec::of_wrangler(&config, main.as_deref(), &without)?;
                (spec, config.parent().map(Path::to_owned).unwrap_or_default())
            }
            Source::Module(source) => (WorkerSpec::of_source(&source), PathBuf::new()),
        };
        for edit in edits {
            edit(&mut spec);
        }
        let binary = runtime::workerd(&near)?;
        net.kv = spec.kv.iter().map(|name| (name.clone(), Kv::default())).collect();
        let net = Arc::new(net);
        let server = Server::start(Arc::clone(&net)).map_err(StartError::io("listening on 127.0.0.1"))?;
        let folder = private_folder()?;
        let logs = Logs::default();
        let written = capnp::write(folder.path(), &spec, &isolates, &others, server.address);
        written.map_err(StartError::io(format!("writing to {}", folder.path().display())))?;
        let (process, ports) = runtime::start(&binary, folder.path(), isolates.len(), &logs)?;
        let isolates = ports.into_iter().zip(isolates).collect();
        Ok(Harness::new(net, server, logs, process, folder, isolates))
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

/// A directory that is removed with its owner.
pub(crate) fn private_folder() -> Result<tempfile::TempDir, StartError> {
    tempfile::Builder::new()
        .prefix("worker-")
        .tempdir()
        .map_err(StartError::io("making a temporary directory"))
}
