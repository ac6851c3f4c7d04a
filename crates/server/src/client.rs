//! Outgoing requests: to providers, and to upstreams.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{self, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::body::{self, Body};
use crate::egress::Egress;
use crate::fields;
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection without a request is kept. Servers close theirs after a minute or so; a request on a connection that
/// was closed meanwhile would fail if it cannot be repeated.
const IDLE: Duration = Duration::from_secs(15);

/// How many connections without a request are kept to one server, by each thread.
const MAX_IDLE: usize = 256;

/// What providers see as the client where the request does not say it. Some refuse a request without it.
const USER_AGENT: HeaderValue = HeaderValue::from_static("vestibule");

/// The HTTP client of one thread.
#[derive(Clone)]
pub(crate) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Body>,
    egress: Option<Egress>,
}

impl Client {
    /// A client that trusts what `tls` says, and asks other hosts through a gateway if there is one.
    pub(crate) fn new(tls: Arc<rustls::ClientConfig>, egress: Option<Egress>) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        // HTTP/1.1: an upstream gets the request's own host, also where it is reached by another name.
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(Arc::unwrap_or_clone(tls))
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(https);
        Self { http, egress }
    }

    /// Sends a request of Vestibule itself and reads the response.
    pub(crate) async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        let (timeout, limit) = (request.timeout, request.limit);
        match tokio::time::timeout(timeout, self.fetch_untimed(request, limit)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::Timeout(timeout)),
        }
    }

    async fn fetch_untimed(&self, request: FetchRequest, limit: usize) -> Result<FetchResponse, FetchError> {
        let mut outgoing = Request::new(Body::Whole(request.body.into()));
        *outgoing.method_mut() =
            request.method.as_str().parse::<Method>().map_err(|error| connection(&error))?;
        *outgoing.uri_mut() = request.url.parse::<Uri>().map_err(|error| connection(&error))?;
        *outgoing.headers_mut() = fields::write(&request.headers).map_err(|error| connection(&error))?;
        outgoing.headers_mut().entry(header::USER_AGENT).or_insert(USER_AGENT);
        self.redirect(&mut outgoing).map_err(|error| connection(&error))?;
        let response = self.http.request(outgoing).await.map_err(|error| connection(&error))?;
        let (parts, body) = response.into_parts();
        let body = body::read(Body::Upstream(body), limit).await.map_err(|error| connection(&error))?;
        let body = body.ok_or(FetchError::TooLarge(limit))?;
        Ok(FetchResponse { status: parts.status.as_u16(), headers: fields::read(&parts.headers), body })
    }

    /// Lets a request to another host pass the gateway, if there is one.
    pub(crate) fn redirect(&self, request: &mut Request<Body>) -> Result<(), hyper::http::Error> {
        self.egress.as_ref().map_or(Ok(()), |egress| egress.redirect(request))
    }

    /// Sends a request to an upstream, and waits so long for the head of its response. The error is a text for the log.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        deadline: Duration,
    ) -> Result<Response<hyper::body::Incoming>, String> {
        match tokio::time::timeout(deadline, self.http.request(request)).await {
            Ok(response) => response.map_err(|error| causes(&error)),
            Err(_) => Err(format!("no response within {}s", deadline.as_secs())),
        }
    }
}

/// A server that requests are sent to, and the `Host` that they get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    scheme: hyper::http::uri::Scheme,
    authority: Authority,
}

impl Server {
    /// Reads an origin: `http://127.0.0.1:3000`. `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts = text.parse::<Uri>().ok()?.into_parts();
        let has_path = parts.path_and_query.is_some_and(|path| path.as_str() != "/");
        let scheme = parts.scheme.filter(|scheme| matches!(scheme.as_str(), "http" | "https"))?;
        let authority = parts.authority.filter(|authority| !authority.as_str().contains('@'))?;
        (!has_path && is_host(&authority)).then_some(Self { scheme, authority })
    }

    /// Whether it is reached by https.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == hyper::http::uri::Scheme::HTTPS
    }

    /// Its host, without the port.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    /// The address of a path and its query there.
    pub(crate) fn at(&self, path_and_query: &str) -> Result<Uri, hyper::http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path_and_query)
            .build()
    }
}

/// Whether it is a host, with a port or without: hyper also takes what no URL has, such as `[app]` and `[::1]x`.
fn is_host(authority: &Authority) -> bool {
    let host = authority.host();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_good = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_name),
    };
    let port = authority.as_str().strip_prefix(host).unwrap_or_default();
    is_good && (port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
}

fn connection(error: &dyn std::error::Error) -> FetchError {
    FetchError::Connection(causes(error))
}

/// An error with what caused it: hyper's own texts do not say why a connection failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_origin_and_nothing_else() {
        let server = Server::parse("http://app:3000").unwrap();
        assert_eq!(server.at("/a%2F?b").unwrap(), "http://app:3000/a%2F?b");
        assert_eq!(Server::parse("https://app.example.com/"), Server::parse("https://app.example.com"));
        for text in [
            "",
            "app:3000",
            "/",
            "ftp://app",
            "http://u@app",
            "http://app/path",
            "http://app?q",
            "http://[]",
            "http://[app]",
            "http://[::1]x",
        ] {
            assert_eq!(Server::parse(text), None, "{text}");
        }
    }
}
