//! The running Worker.

use std::{
    fmt,
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    builder::HarnessBuilder,
    client::{Client, Target},
    exchange::{Request, Response},
    kv::Kv,
    logs::Logs,
    net::{Net, Route, Upstream},
    process::Guarded,
    server::Server,
};

/// A Worker that runs, with the world around it. Dropping it ends the runtime.
///
/// It is `Sync`: tests share it among threads by reference.
pub struct Harness {
    // In this order they are dropped: the runtime first, so that hanging handlers see their connections close.
    process: Guarded,
    _server: Server,
    _folder: TempDir,
    net: Arc<Net>,
    logs: Logs,
    target: Target,
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Harness {
    /// The Worker that a `wrangler.toml` describes: its built main module with what lies beside it, `[vars]`, KV
    /// namespaces, service bindings, Durable Objects. `[build]` is not run.
    pub fn from_wrangler(config: impl AsRef<Path>) -> HarnessBuilder {
        HarnessBuilder::of_wrangler(config.as_ref())
    }

    /// A Worker of one ES module given as its source; it has the bindings that the builder is told.
    pub fn from_module(source: &str) -> HarnessBuilder {
        HarnessBuilder::of_module(source)
    }

    pub(crate) fn new(
        net: Arc<Net>,
        server: Server,
        logs: Logs,
        process: Guarded,
        folder: TempDir,
        isolates: Vec<(u16, String)>,
    ) -> Self {
        let at = |(port, location)| (SocketAddr::from(([127, 0, 0, 1], port)), location);
        let isolates: Arc<[_]> = isolates.into_iter().map(at).collect();
        let world = Some((server.address, Arc::clone(&net)));
        let target = Target::new(isolates, world, true);
        Self { process, _server: server, _folder: folder, net, logs, target }
    }

    /// A browser of its own, with an empty cookie jar.
    pub fn client(&self) -> Client {
        Client::new(self.target.clone())
    }

    /// Where the Worker listens, for clients of other kinds. They speak plain HTTP, name the host in `Host`, and the
    /// URL's scheme in [`SCHEME_HEADER`](crate::SCHEME_HEADER).
    pub fn address(&self) -> SocketAddr {
        self.target.worker
    }

    /// A bare connection to the Worker.
    ///
    /// # Panics
    /// When the runtime does not accept it.
    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address())
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.address(), self.logs.text()))
    }

    /// The runtime's process id.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// What the Worker logged.
    pub fn logs(&self) -> Logs {
        self.logs.clone()
    }

    /// The KV namespace behind this binding.
    ///
    /// # Panics
    /// When the Worker has none of that name.
    pub fn kv(&self, binding: &str) -> Kv {
        self.net
            .kv
            .get(binding)
            .cloned()
            .unwrap_or_else(|| panic!("the Worker has no KV namespace {binding}"))
    }

    /// From now on another handler behind `host`, of the same kind as [`HarnessBuilder::host`].
    pub fn set_host(&self, host: &str, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) {
        self.net.set_host(host, Upstream::Handler(Arc::new(handler)), false);
    }

    /// From now on another handler behind the Worker's own zone, as [`HarnessBuilder::origin`].
    pub fn set_origin(&self, host: &str, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) {
        self.net.set_host(host, Upstream::Handler(Arc::new(handler)), true);
    }

    /// From now on another handler behind a service binding that the Worker has.
    pub fn set_service(&self, binding: &str, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) {
        self.net.set_service(binding, Upstream::Handler(Arc::new(handler)));
    }

    /// What was requested of this host (exactly this name, with its port where it has one) by global `fetch` or by
    /// the test's client, in order of arrival.
    pub fn requests_to(&self, host: &str) -> Vec<Request> {
        self.net
            .journal(|route, request| *route == Route::Internet && request.host.eq_ignore_ascii_case(host))
    }

    /// What was requested of this service binding.
    pub fn requests_to_service(&self, binding: &str) -> Vec<Request> {
        self.net.journal(|route, _| matches!(route, Route::Service(name) if name == binding))
    }

    /// [`requests_to`](Harness::requests_to), as soon as there are `count`: for what a Worker does after its response.
    ///
    /// # Panics
    /// When there are fewer after `timeout`.
    pub fn wait_for_requests(&self, host: &str, count: usize, timeout: Duration) -> Vec<Request> {
        let to_host =
            |route: &Route, r: &Request| *route == Route::Internet && r.host.eq_ignore_ascii_case(host);
        let requests = self.net.await_journal(count, timeout, to_host);
        assert!(
            requests.len() >= count,
            "{} of {count} requests to {host} within {timeout:?}",
            requests.len()
        );
        requests
    }

    /// Requests to hosts and services that this test has not; they were answered 502.
    pub fn unknown_requests(&self) -> Vec<Request> {
        self.net.unknown()
    }

    /// Fails the test when the Worker called a host or service that this test has not.
    ///
    /// # Panics
    /// When there are [`unknown_requests`](Harness::unknown_requests); it names them.
    pub fn assert_no_unknown_requests(&self) {
        let unknown: Vec<String> =
            self.unknown_requests().iter().map(|r| format!("{} {}", r.method, r.url())).collect();
        assert!(unknown.is_empty(), "the Worker called what this test does not have: {unknown:#?}");
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        let panics = self.net.panics();
        assert!(panics.is_empty() || thread::panicking(), "handlers of this test panicked: {panics:#?}");
    }
}
