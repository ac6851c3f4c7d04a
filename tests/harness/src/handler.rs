//! The request that a test's handler receives, and the response that it returns.

use std::{
    fmt,
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;
use tungstenite::{WebSocket, handshake::derive_accept_key, protocol::Role};

use crate::wire::{self, Body, Fields, Framing};

/// A request that the Worker (or the test's client) sent to a fake host or a service binding.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method as sent.
    pub method: String,
    /// `https` or `http`: the scheme of the URL that was fetched.
    pub scheme: String,
    /// The `Host` header: the URL's host, with the port if it is not the scheme's default.
    pub host: String,
    /// The path and query exactly as sent.
    pub target: String,
    /// All header fields in order, with the names as sent. The harness's own fields are removed.
    pub headers: Vec<(String, String)>,
    /// The header fields whose value is not UTF-8, byte for byte. In `headers` U+FFFD replaces the other bytes.
    pub odd_headers: Vec<(String, Vec<u8>)>,
    /// The whole body. Empty for a handler that reads the body itself
    /// ([`HarnessBuilder::service_unread`](crate::HarnessBuilder::service_unread)).
    pub body: Vec<u8>,
    /// The `cf` options that the Worker passed to `fetch`.
    pub cf: Option<Value>,
}

impl Request {
    /// The target without the query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The absolute URL that was fetched.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.host, self.target)
    }

    /// The decoded value of the first query parameter of this name.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        lookup(query.as_bytes(), name)
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        wire::field(&self.headers, name)
    }

    /// The first header of this name, in any case, byte for byte.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        let odd = self.odd_headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        odd.map(|(_, value)| value.as_slice()).or_else(|| self.header(name).map(str::as_bytes))
    }

    /// Every header of this name, in any case, in order.
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        let same = |(n, _): &&(String, String)| n.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a cookie in the `Cookie` header, undecoded.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.header("cookie")?.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The body as text; invalid UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} {}: {error} in {:?}", self.method, self.url(), self.text()))
    }

    /// The decoded value of the first parameter of this name in a URL-encoded body.
    pub fn form(&self, name: &str) -> Option<String> {
        lookup(&self.body, name)
    }
}

fn lookup(encoded: &[u8], name: &str) -> Option<String> {
    url::form_urlencoded::parse(encoded).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

type StreamFn = Box<dyn FnOnce(&mut BodyWriter<'_>) -> io::Result<()> + Send>;
type TakeoverFn = Box<dyn FnOnce(&mut Connection) + Send>;

pub(crate) enum Payload {
    Whole(Vec<u8>),
    Stream(StreamFn),
    Takeover(TakeoverFn),
}

/// The response of a handler.
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Fields,
    pub(crate) payload: Payload,
    pub(crate) delay: Duration,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl Response {
    /// An empty response with this status.
    pub fn status(status: u16) -> Self {
        Self::of(status, Payload::Whole(Vec::new()))
    }

    /// 200 with a body of type `text/plain`.
    pub fn text(body: impl Into<String>) -> Self {
        Self::bytes(body.into()).header("content-type", "text/plain;charset=utf-8")
    }

    /// 200 with a body of type `text/html`.
    pub fn html(body: impl Into<String>) -> Self {
        Self::bytes(body.into()).header("content-type", "text/html;charset=utf-8")
    }

    /// 200 with a JSON body.
    pub fn json(value: &Value) -> Self {
        Self::bytes(value.to_string()).header("content-type", "application/json")
    }

    /// 200 with a body without `Content-Type`.
    pub fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self::of(200, Payload::Whole(body.into()))
    }

    /// 302 to `location`.
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::status(302).header("location", location)
    }

    /// 200 with a chunked body that `write` produces. Each write is sent immediately. If `write` fails, the connection is
    /// closed before the end of the body.
    pub fn stream(write: impl FnOnce(&mut BodyWriter<'_>) -> io::Result<()> + Send + 'static) -> Self {
        Self::of(200, Payload::Stream(Box::new(write)))
    }

    /// Sends these bytes instead of an HTTP response, then closes the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::takeover(move |connection| {
            connection.write_all(&bytes).ok();
        })
    }

    /// Closes the connection without a response.
    pub fn close() -> Self {
        Self::raw(Vec::new())
    }

    /// Sends no response until the peer closes the connection or the harness is dropped.
    pub fn hang() -> Self {
        Self::takeover(Connection::wait_for_close)
    }

    /// Lets `run` use the connection after the request, for WebSockets and for responses that are not HTTP. The connection
    /// is closed when `run` returns.
    pub fn takeover(run: impl FnOnce(&mut Connection) + Send + 'static) -> Self {
        Self::of(0, Payload::Takeover(Box::new(run)))
    }

    /// Accepts a WebSocket (RFC 6455 section 4.2.2) with the first subprotocol that the client offers. `run` then uses the
    /// WebSocket. The connection is closed when `run` returns.
    pub fn websocket(
        request: &Request,
        run: impl FnOnce(&mut WebSocket<&mut Connection>) + Send + 'static,
    ) -> Self {
        let key = request.header("sec-websocket-key").unwrap_or_default();
        let mut fields = vec![
            ("upgrade".to_owned(), "websocket".to_owned()),
            ("connection".to_owned(), "Upgrade".to_owned()),
            ("sec-websocket-accept".to_owned(), derive_accept_key(key.as_bytes())),
        ];
        if let Some(offered) = request.header("sec-websocket-protocol") {
            let first = offered.split(',').next().unwrap_or_default().trim().to_owned();
            fields.push(("sec-websocket-protocol".to_owned(), first));
        }
        Self::takeover(move |connection| {
            if wire::write_head(connection, "HTTP/1.1 101 Switching Protocols", &fields).is_ok() {
                run(&mut WebSocket::from_raw_socket(connection, Role::Server, None));
            }
        })
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header field. Earlier fields of the same name stay.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Delays the response by this time.
    #[must_use]
    pub fn delay(mut self, by: Duration) -> Self {
        self.delay = by;
        self
    }

    fn of(status: u16, payload: Payload) -> Self {
        Self { status, headers: Vec::new(), payload, delay: Duration::ZERO }
    }
}

/// Writes the chunks of a [streamed](Response::stream) body.
pub struct BodyWriter<'a> {
    pub(crate) to: &'a mut TcpStream,
}

impl Write for BodyWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !bytes.is_empty() {
            let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
            chunk.extend_from_slice(bytes);
            chunk.extend_from_slice(b"\r\n");
            self.to.write_all(&chunk)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The connection of a [takeover](Response::takeover). Reading gives the bytes after the request; writing sends bytes to the
/// peer.
pub struct Connection {
    pub(crate) from: io::BufReader<TcpStream>,
    pub(crate) to: TcpStream,
    pub(crate) framing: Framing,
}

impl Connection {
    /// The request's body as a stream, for a handler that reads it itself
    /// ([`HarnessBuilder::service_unread`](crate::HarnessBuilder::service_unread)).
    pub fn body(&mut self) -> impl Read {
        Body::new(&mut self.from, self.framing)
    }

    /// Blocks until the peer closes the connection.
    pub fn wait_for_close(&mut self) {
        let mut sink = [0; 1024];
        while matches!(self.from.read(&mut sink), Ok(got) if got > 0) {}
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.from.read(into)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
