//! The running Worker.

use std::{
    any::Any,
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
    handler::{Request, Response},
    kv::Kv,
    logs::Logs,
    net::{Net, Route, Upstream},
    process::GuardedProcess,
    runtime::Running,
    server::Server,
};

/// A running Worker with everything that it can reach. Dropping it ends the runtime.
///
/// It is `Sync`, so threads can share it by reference.
pub struct Harness {
    // Fields are dropped in this order. The runtime ends first, so that hanging handlers see their connections close.
    process: GuardedProcess,
    _beside: Option<Box<dyn Any + Send + Sync>>,
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
    /// The Worker that a `wrangler.toml` describes: the built main module with the other modules in its directory,
    /// `[vars]`, KV namespaces, service bindings and Durable Objects. `[build]` is not run.
    pub fn from_wrangler(config: impl AsRef<Path>) -> HarnessBuilder {
        HarnessBuilder::of_wrangler(config.as_ref())
    }

    /// A Worker with one ES module, given as source. It has only the bindings that the builder adds.
    pub fn from_module(source: &str) -> HarnessBuilder {
        HarnessBuilder::of_module(source)
    }

    pub(crate) fn new(
        net: Arc<Net>,
        server: Server,
        logs: Logs,
        running: Running,
        folder: TempDir,
        locations: Vec<String>,
    ) -> Self {
        let Running { process, addresses, beside } = running;
        let isolates: Arc<[_]> = addresses.into_iter().zip(locations).collect();
        let fakes = Some((server.address, Arc::clone(&net)));
        let target = Target::new(isolates, fakes, true);
        Self { process, _beside: beside, _server: server, _folder: folder, net, logs, target }
    }

    /// A new client with an empty cookie jar.
    pub fn client(&self) -> Client {
        Client::new(self.target.clone())
    }

    /// The address on which the Worker listens, for other clients. They have to send plain HTTP, with the URL's host in
    /// `Host` and its scheme in [`SCHEME_HEADER`](crate::SCHEME_HEADER).
    pub fn address(&self) -> SocketAddr {
        self.target.worker
    }

    /// A new TCP connection to the Worker.
    ///
    /// # Panics
    /// If the runtime does not accept it.
    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address())
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.address(), self.logs.text()))
    }

    /// The process id of the runtime.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The log of the Worker.
    pub fn logs(&self) -> Logs {
        self.logs.clone()
    }

    /// The KV namespace of this binding.
    ///
    /// # Panics
    /// If the Worker has no such binding.
    pub fn kv(&self, binding: &str) -> Kv {
        self.net
            .kv
            .get(binding)
            .cloned()
            .unwrap_or_else(|| panic!("the Worker has no KV namespace {binding}"))
    }

    /// Replaces the handler of `host`, as [`HarnessBuilder::host`] sets it.
    pub fn set_host(&self, host: &str, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) {
        self.net.set_host(host, Upstream::Handler(Arc::new(handler)), false);
    }

    /// Replaces the origin of the Worker's own zone, as [`HarnessBuilder::origin`] sets it.
    pub fn set_origin(&self, host: &str, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) {
        self.net.set_host(host, Upstream::Handler(Arc::new(handler)), true);
    }

    /// Replaces the handler of a service binding. The Worker has to have the binding.
    pub fn set_service(&self, binding: &str, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) {
        self.net.set_service(binding, Upstream::Handler(Arc::new(handler)));
    }

    /// The requests to this host by global `fetch` or by the test's client, in order of arrival. `host` has to be the exact
    /// name, with the port if the request had one.
    pub fn requests_to(&self, host: &str) -> Vec<Request> {
        self.net
            .journal(|route, request| *route == Route::Internet && request.host.eq_ignore_ascii_case(host))
    }

    /// The requests to this service binding, in order of arrival.
    pub fn requests_to_service(&self, binding: &str) -> Vec<Request> {
        self.net.journal(|route, _| matches!(route, Route::Service(name) if name == binding))
    }

    /// Waits until there are `count` [requests to](Harness::requests_to) this host, for work that a Worker does after its
    /// response.
    ///
    /// # Panics
    /// If there are fewer after `timeout`.
    pub fn wait_for_requests(&self, host: &str, count: usize, timeout: Duration) -> Vec<Request> {
        let to_host =
            |route: &Route, r: &Request| *route == Route::Internet && r.host.eq_ignore_ascii_case(host);
        let requests = self.net.wait_for_journal(count, timeout, to_host);
        assert!(
            requests.len() >= count,
            "only {} of {count} requests to {host} arrived within {timeout:?}",
            requests.len()
        );
        requests
    }

    /// The requests to hosts and services without a handler. The harness answered them with 502.
    pub fn unknown_requests(&self) -> Vec<Request> {
        self.net.unknown()
    }

    /// Fails the test if the Worker called a host or service without a handler.
    ///
    /// # Panics
    /// If there are [`unknown_requests`](Harness::unknown_requests). The message lists them.
    pub fn assert_no_unknown_requests(&self) {
        let unknown: Vec<String> =
            self.unknown_requests().iter().map(|r| format!("{} {}", r.method, r.url())).collect();
        assert!(unknown.is_empty(), "the Worker called hosts or services without a handler: {unknown:#?}");
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        let panics = self.net.panics();
        assert!(panics.is_empty() || thread::panicking(), "handlers of this test panicked: {panics:#?}");
    }
}
