//! Everything that the Worker can reach: fake hosts, origins and service bindings; and the journal of its requests.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use crate::{
    handler::{Request, Response},
    kv::Kv,
    watched::{Watched, lock},
};

/// A request handler. It is called from several threads in parallel.
pub(crate) type Handler = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// The server of a host or a binding.
#[derive(Clone)]
pub(crate) enum Upstream {
    Handler(Handler),
    /// A handler that reads the body itself from the connection.
    Unread(Handler),
    Address(SocketAddr),
}

/// How a request left the Worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Global `fetch`.
    Internet,
    /// A service binding.
    Service(String),
}

/// Everything that the Worker can reach.
#[derive(Default)]
pub(crate) struct Net {
    hosts: RwLock<BTreeMap<String, Host>>,
    services: RwLock<BTreeMap<String, Upstream>>,
    pub(crate) kv: BTreeMap<String, Kv>,
    journal: Watched<Vec<(Route, Request)>>,
    unknown: Mutex<Vec<Request>>,
    panics: Mutex<Vec<String>>,
}

struct Host {
    upstream: Upstream,
    /// Whether this is the origin of the Worker's own zone: only the Worker reaches it, and browsers reach the Worker.
    origin: bool,
}

/// The destination of a request.
pub(crate) enum Destination {
    Upstream(Upstream),
    Loopback(SocketAddr),
    Unknown(String),
}

impl Net {
    pub(crate) fn set_host(&self, host: &str, upstream: Upstream, origin: bool) {
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(host.to_ascii_lowercase(), Host { upstream, origin });
    }

    pub(crate) fn set_service(&self, binding: &str, upstream: Upstream) {
        let mut services = self.services.write().unwrap_or_else(PoisonError::into_inner);
        services.insert(binding.to_owned(), upstream);
    }

    /// Whether a browser that opens this host reaches a fake host and not the Worker.
    pub(crate) fn is_fake_host(&self, host: &str) -> bool {
        self.find_host(host, |found| !found.origin).unwrap_or(false)
    }

    pub(crate) fn destination(&self, route: &Route, request: &Request) -> Destination {
        match route {
            Route::Service(binding) => {
                let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
                services.get(binding).cloned().map_or_else(
                    || {
                        Destination::Unknown(format!(
                            "the service binding {binding} has no handler in this test"
                        ))
                    },
                    Destination::Upstream,
                )
            }
            Route::Internet => self
                .find_host(&request.host, |found| Destination::Upstream(found.upstream.clone()))
                .or_else(|| loopback(&request.scheme, &request.host).map(Destination::Loopback))
                .unwrap_or_else(|| Destination::Unknown(format!("no host {:?} in this test", request.host))),
        }
    }

    /// Whether the handler of the request reads the body itself.
    pub(crate) fn reads_body_itself(&self, route: &Route, request: &Request) -> bool {
        matches!(self.destination(route, request), Destination::Upstream(Upstream::Unread(_)))
    }

    pub(crate) fn record(&self, route: Route, request: Request) {
        self.journal.change(|journal| journal.push((route, request)));
    }

    pub(crate) fn record_unknown(&self, request: Request) {
        lock(&self.unknown).push(request);
    }

    pub(crate) fn record_panic(&self, what: String) {
        lock(&self.panics).push(what);
    }

    pub(crate) fn journal(&self, wanted: impl Fn(&Route, &Request) -> bool) -> Vec<Request> {
        matching(&self.journal.lock(), wanted)
    }

    /// Waits until the journal has `count` matching requests, and gives them; after `timeout` gives those that there are.
    pub(crate) fn wait_for_journal(
        &self,
        count: usize,
        timeout: Duration,
        wanted: impl Fn(&Route, &Request) -> bool,
    ) -> Vec<Request> {
        let enough = |journal: &Vec<_>| Some(matching(journal, &wanted)).filter(|found| found.len() >= count);
        self.journal.wait_until(timeout, enough).unwrap_or_else(|| self.journal(&wanted))
    }

    pub(crate) fn unknown(&self) -> Vec<Request> {
        lock(&self.unknown).clone()
    }

    pub(crate) fn panics(&self) -> Vec<String> {
        lock(&self.panics).clone()
    }

    /// Looks for the exact name with its port, then the name without the port, then wildcards, the longest first.
    fn find_host<T>(&self, host: &str, read: impl FnOnce(&Host) -> T) -> Option<T> {
        let host = host.to_ascii_lowercase();
        let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        let wildcards =
            name.match_indices('.').map(|(at, _)| format!("*{}", name.get(at..).unwrap_or_default()));
        let candidates = [host.clone(), name.to_owned()].into_iter().chain(wildcards).chain(["*".to_owned()]);
        candidates.into_iter().find_map(|candidate| hosts.get(&candidate)).map(read)
    }
}

fn matching(journal: &[(Route, Request)], wanted: impl Fn(&Route, &Request) -> bool) -> Vec<Request> {
    journal
        .iter()
        .filter(|(route, request)| wanted(route, request))
        .map(|(_, request)| request.clone())
        .collect()
}

/// The address if `http://HOST` is a port of this machine.
pub(crate) fn loopback(scheme: &str, host: &str) -> Option<SocketAddr> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
        _ => (host, 80),
    };
    let ip = match name {
        "127.0.0.1" | "localhost" => [127, 0, 0, 1].into(),
        "[::1]" => std::net::Ipv6Addr::LOCALHOST.into(),
        _ => return None,
    };
    (scheme == "http").then_some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(hosts: &[(&str, bool)]) -> Net {
        let net = Net::default();
        for (host, origin) in hosts {
            net.set_host(host, Upstream::Handler(Arc::new(|_| Response::status(200))), *origin);
        }
        net
    }

    #[test]
    fn hosts_are_found_by_name_port_and_wildcard() {
        let net = net(&[("idp.example", false), ("other.example:8443", false), ("*.wild.example", false)]);
        for (host, found) in [
            ("idp.example", true),
            ("IDP.example", true),
            ("idp.example:8080", true),
            ("other.example", false),
            ("other.example:8443", true),
            ("wild.example", false),
            ("a.wild.example", true),
            ("a.b.wild.example", true),
            ("notidp.example", false),
        ] {
            assert_eq!(net.is_fake_host(host), found, "{host}");
        }
    }

    #[test]
    fn only_the_worker_reaches_an_origin() {
        let net = net(&[("app.example", true)]);
        assert!(!net.is_fake_host("app.example"));
    }

    #[test]
    fn only_http_to_a_loopback_host_leads_to_a_port_of_this_machine() {
        for (scheme, host, expected) in [
            ("http", "127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("http", "localhost:9", Some("127.0.0.1:9")),
            ("http", "[::1]:9", Some("[::1]:9")),
            ("http", "localhost", Some("127.0.0.1:80")),
            ("https", "localhost:9", None),
            ("http", "10.0.0.1:9", None),
            ("http", "localhost.evil.example:9", None),
        ] {
            assert_eq!(loopback(scheme, host), expected.map(|a| a.parse().unwrap()), "{scheme}://{host}");
        }
    }
}
