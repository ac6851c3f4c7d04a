//! Sends a request with `ureq` or `tungstenite` to the server that answers for the URL's host.

use std::{
    io::{self, BufReader, Cursor, Read},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use tungstenite::{HandshakeError, WebSocket, handshake::client::generate_key};
use ureq::http;
use url::Url;

use super::RequestBuilder;
use crate::{
    SCHEME_HEADER,
    capnp::CF_HEADER,
    client_response::{ClientResponse, StreamedResponse},
    error::ClientError,
    jar::Site,
    net::loopback,
    watched::lock,
    wire::{self, Body, Fields, Framing},
};

/// The maximum size of a response's head in bytes.
const HEAD_LIMIT: usize = 1 << 20;

impl RequestBuilder {
    /// Sends it and reads the whole response, without following a redirect.
    pub(super) fn once(&self) -> Result<ClientResponse, ClientError> {
        let StreamedResponse { status, headers, body: mut from } = self.clone().stream()?;
        let mut body = Vec::new();
        from.read_to_end(&mut body).map_err(|error| self.failed(error))?;
        Ok(ClientResponse { status, headers, body, url: self.url.clone(), redirects: Vec::new() })
    }

    /// Sends it and returns when the response's head has arrived. The body is read as it arrives. Redirects are not
    /// followed.
    pub fn stream(self) -> Result<StreamedResponse, ClientError> {
        let url = self.parsed()?;
        let head = self.head("http", &url)?;
        let agent = agent(self.client.timeout);
        let response =
            if self.has_body() { agent.run(head.map(|()| self.body.as_slice())) } else { agent.run(head) };
        let (head, body) = response.map_err(|error| self.failed(error.into_io()))?.into_parts();
        let headers = self.received(&url, &head.headers);
        Ok(StreamedResponse { status: head.status.as_u16(), headers, body: body.into_reader() })
    }

    /// Opens a WebSocket (RFC 6455 section 4.1) with this request's headers and cookies. Gives the server's response if it
    /// rejects the WebSocket.
    pub fn websocket(mut self) -> Result<Result<WebSocket<TcpStream>, ClientResponse>, ClientError> {
        for (name, value) in [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", &generate_key()),
        ] {
            self = self.header(name, value);
        }
        let url = self.parsed()?;
        let head = self.head("ws", &url)?;
        let stream = self.connect(&url).map_err(|error| self.failed(error))?;
        let rest = stream.try_clone().map_err(|error| self.failed(error))?;
        let rejected = match tungstenite::client(head, stream) {
            Ok((socket, head)) => {
                self.received(&url, head.headers());
                return Ok(Ok(socket));
            }
            Err(HandshakeError::Failure(tungstenite::Error::Http(rejected))) => rejected,
            Err(HandshakeError::Failure(error)) => return Err(self.failed(io::Error::other(error))),
            Err(HandshakeError::Interrupted(_)) => return Err(self.failed(io::ErrorKind::TimedOut.into())),
        };
        let (head, body_start) = rejected.into_parts();
        let headers = self.received(&url, &head.headers);
        let from = BufReader::new(Cursor::new(body_start.unwrap_or_default()).chain(rest));
        let mut body = Vec::new();
        let read = Body::new(from, Framing::of_response(&headers)).read_to_end(&mut body);
        read.map_err(|error| self.failed(error))?;
        Ok(Err(ClientResponse {
            status: head.status.as_u16(),
            headers,
            body,
            url: self.url,
            redirects: Vec::new(),
        }))
    }

    fn parsed(&self) -> Result<Url, ClientError> {
        let url = Url::parse(&self.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.ok_or_else(|| ClientError::Url { url: self.url.clone() })
    }

    /// The address that the request is sent to.
    fn address(&self, url: &Url) -> SocketAddr {
        let target = &self.client.target;
        let authority = authority(&self.url);
        match &target.fakes {
            Some((fakes, net)) if net.is_fake_host(authority) => *fakes,
            _ => loopback(url.scheme(), authority).unwrap_or(target.worker),
        }
    }

    fn connect(&self, url: &Url) -> io::Result<TcpStream> {
        let timeout = self.client.timeout;
        let stream = TcpStream::connect_timeout(&self.address(url), timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(stream)
    }

    /// The head as the libraries take it: the URI says where to connect, and `Host` whom the request is for.
    fn head(&self, scheme: &str, url: &Url) -> Result<http::Request<()>, ClientError> {
        let uri = format!("{scheme}://{}{}", self.address(url), origin_form(&self.url));
        let mut head = http::Request::builder().method(self.method.as_str()).uri(uri);
        for (name, value) in self.fields(url) {
            head = head.header(name, value);
        }
        head.body(()).map_err(|source| {
            let (method, url) = (self.method.clone(), self.url.clone());
            ClientError::NotHttp { method, url, source }
        })
    }

    fn fields(&self, url: &Url) -> Fields {
        let given = |name: &str| wire::field(&self.headers, name).is_some();
        let mut fields = Fields::new();
        let mut add = |name: &str, value: &str| {
            if !given(name) {
                fields.push((name.to_owned(), value.to_owned()));
            }
        };
        add("host", authority(&self.url));
        if self.client.target.sends_scheme {
            add(SCHEME_HEADER, url.scheme());
        }
        if !self.client.target.location.is_empty() {
            let cf = serde_json::json!({ "colo": self.client.target.location });
            add(CF_HEADER, &cf.to_string());
        }
        if self.navigation {
            let site = if self.site == Site::Cross { "cross-site" } else { "none" };
            for (name, value) in [
                ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
                ("upgrade-insecure-requests", "1"),
                ("sec-fetch-site", site),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-user", "?1"),
                ("sec-fetch-dest", "document"),
            ] {
                add(name, value);
            }
        } else if self.site == Site::Cross {
            add("sec-fetch-site", "cross-site");
        }
        if let Some(cookies) =
            lock(&self.client.jar).header(url, self.site, &self.method).filter(|_| self.jar)
        {
            add("cookie", &cookies);
        }
        if self.has_body() {
            add("content-length", &self.body.len().to_string());
        }
        add("connection", "close");
        fields.extend(self.headers.iter().cloned());
        fields
    }

    /// Whether the request is sent with a body. POST, PUT and PATCH always have one, even an empty one.
    fn has_body(&self) -> bool {
        !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH")
    }

    /// The fields of a response. Stores its cookies in the jar.
    fn received(&self, url: &Url, headers: &http::HeaderMap) -> Fields {
        let fields = owned(headers);
        if self.jar {
            let sets = fields.iter().filter(|(name, _)| name == "set-cookie");
            lock(&self.client.jar).receive(url, sets.map(|(_, value)| value.as_str()));
        }
        fields
    }

    fn failed(&self, source: io::Error) -> ClientError {
        let (method, url) = (self.method.clone(), self.url.clone());
        ClientError::Io { method, url, timeout: self.client.timeout, source }
    }
}

/// An agent that sends only the given headers, uses a new connection for each request, and accepts every status. `timeout`
/// limits each wait.
fn agent(timeout: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .user_agent("")
        .accept("")
        .accept_encoding("")
        .allow_non_standard_methods(true)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(0)
        .max_response_header_size(HEAD_LIMIT)
        .timeout_connect(Some(timeout))
        .timeout_per_write(Some(timeout))
        .timeout_per_read(Some(timeout));
    config.build().new_agent()
}

/// The fields in our representation.
fn owned(headers: &http::HeaderMap) -> Fields {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

/// The host and port as written in the URL, without credentials.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// The path and query as written in the URL. Nothing is normalized, so that tests can send paths that a browser would not.
fn origin_form(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let from = rest.find(['/', '?', '#']).map_or("", |at| rest.get(at..).unwrap_or_default());
    let target = from.split('#').next().unwrap_or_default();
    if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_sent_without_normalization() {
        for (url, host, target) in [
            ("https://a.example", "a.example", "/"),
            ("https://a.example?x=1", "a.example", "/?x=1"),
            ("https://u:p@a.example:8443/%2e%2e//b;c?d#e", "a.example:8443", "/%2e%2e//b;c?d"),
        ] {
            assert_eq!((authority(url), origin_form(url).as_str()), (host, target), "{url}");
        }
    }
}
