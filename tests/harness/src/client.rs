//! The test's client: sends requests for any host and scheme, and keeps cookies like a browser.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use url::Url;

use crate::{jar::Jar, net::Net, request::RequestBuilder, watched::lock};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Where a client's requests go.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) worker: SocketAddr,
    /// The location of that isolate; empty if it has none.
    pub(crate) location: String,
    isolates: Arc<[(SocketAddr, String)]>,
    /// The server that answers for fake hosts, if there is one.
    pub(crate) fakes: Option<(SocketAddr, Arc<Net>)>,
    /// Whether the Worker's runtime understands [`SCHEME_HEADER`].
    pub(crate) sends_scheme: bool,
}

impl Target {
    /// The target with the first of these isolates.
    pub(crate) fn new(
        isolates: Arc<[(SocketAddr, String)]>,
        fakes: Option<(SocketAddr, Arc<Net>)>,
        sends_scheme: bool,
    ) -> Self {
        let unreachable = (SocketAddr::from(([127, 0, 0, 1], 0)), String::new());
        let (worker, location) = isolates.first().cloned().unwrap_or(unreachable);
        Self { worker, location, isolates, fakes, sends_scheme }
    }
}

/// A client with a cookie jar. Clones share the jar; [`Harness::client`](crate::Harness::client) gives a client with a new
/// jar.
///
/// Every host leads to the Worker, except fake hosts ([`HarnessBuilder::host`](crate::HarnessBuilder::host)), and except
/// `http://127.0.0.1:PORT` and `http://localhost:PORT`, which lead to that port of this machine. `https` needs no TLS: a
/// header tells the runtime the scheme. Path and query are sent exactly as written in the URL. [`Client::raw`] sends bytes
/// that are not valid HTTP.
#[derive(Clone)]
pub struct Client {
    pub(crate) target: Target,
    pub(crate) jar: Arc<Mutex<Jar>>,
    pub(crate) timeout: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("worker", &self.target.worker).finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, jar: Arc::default(), timeout: TIMEOUT }
    }

    /// Sets the timeout of each wait for the server. The default is 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same client, whose requests reach the isolate with this index
    /// ([`HarnessBuilder::isolates`](crate::HarnessBuilder::isolates)) from now on.
    ///
    /// # Panics
    /// If there is no such isolate.
    #[must_use]
    pub fn at(mut self, isolate: usize) -> Self {
        let isolates = &self.target.isolates;
        let found = isolates.get(isolate).cloned();
        let found = found.unwrap_or_else(|| panic!("isolate {isolate} of {}", isolates.len()));
        (self.target.worker, self.target.location) = found;
        self
    }

    /// A `GET` request.
    pub fn get(&self, url: &str) -> RequestBuilder {
        self.request("GET", url)
    }

    /// A `POST` request.
    pub fn post(&self, url: &str) -> RequestBuilder {
        self.request("POST", url)
    }

    /// A request with any method.
    pub fn request(&self, method: &str, url: &str) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method, url)
    }

    /// The names and values of the cookies that would be sent to this URL.
    ///
    /// # Panics
    /// If `url` is not a URL.
    pub fn cookies(&self, url: &str) -> Vec<(String, String)> {
        lock(&self.jar).for_url(&parse(url))
    }

    /// The value of one cookie that would be sent to this URL.
    ///
    /// # Panics
    /// If `url` is not a URL.
    pub fn cookie(&self, url: &str, name: &str) -> Option<String> {
        self.cookies(url).into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The time at which a cookie that would be sent to this URL expires. `None` if there is no such cookie, or if it is a
    /// session cookie, which is valid until the browser closes.
    ///
    /// # Panics
    /// If `url` is not a URL.
    pub fn cookie_expires(&self, url: &str, name: &str) -> Option<SystemTime> {
        lock(&self.jar).expires(&parse(url), name)
    }

    /// Stores a cookie as if `url` had set it. `set_cookie` has the form `NAME=VALUE; attributes`.
    ///
    /// # Panics
    /// If `url` is not a URL.
    pub fn set_cookie(&self, url: &str, set_cookie: &str) {
        lock(&self.jar).receive(&parse(url), [set_cookie].into_iter());
    }

    /// Deletes all cookies.
    pub fn clear_cookies(&self) {
        lock(&self.jar).clear();
    }

    /// Another client with a copy of these cookies. It represents a thief, or a second tab that does not see later
    /// cookies.
    #[must_use]
    pub fn fork(&self) -> Self {
        let jar = lock(&self.jar).clone();
        Self { jar: Arc::new(Mutex::new(jar)), ..self.clone() }
    }

    /// Sends exactly these bytes to the Worker. Reads until the Worker closes the connection, or until `timeout` after
    /// sending. The bytes may name the scheme with [`SCHEME_HEADER`](crate::SCHEME_HEADER).
    ///
    /// # Panics
    /// If the Worker does not accept the connection.
    pub fn raw(&self, bytes: &[u8], timeout: Duration) -> RawResponse {
        let fail = |error: io::Error| -> ! { panic!("{}: {error}", self.target.worker) };
        let mut stream = TcpStream::connect(self.target.worker).unwrap_or_else(|error| fail(error));
        stream.set_write_timeout(Some(timeout)).unwrap_or_else(|error| fail(error));
        // A server may answer and close the connection before it has read everything. Its answer still counts.
        stream.write_all(bytes).ok();
        let deadline = Instant::now() + timeout;
        let mut got = Vec::new();
        let mut buffer = [0; 16 * 1024];
        let closed = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break false;
            }
            stream.set_read_timeout(Some(left)).unwrap_or_else(|error| fail(error));
            match stream.read(&mut buffer) {
                Ok(0) => break true,
                Ok(read) => got.extend_from_slice(buffer.get(..read).unwrap_or_default()),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    break false;
                }
                Err(_) => break true,
            }
        };
        RawResponse { bytes: got, closed }
    }
}

/// The bytes received on a [raw](Client::raw) connection.
#[derive(Clone, Debug)]
pub struct RawResponse {
    /// All received bytes.
    pub bytes: Vec<u8>,
    /// Whether the Worker closed the connection before the timeout.
    pub closed: bool,
}

impl RawResponse {
    /// The bytes as text; invalid UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The status codes of all responses in the bytes, found by their status lines.
    pub fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        let lines = text.match_indices("HTTP/1.1 ").filter_map(|(at, start)| text.get(at + start.len()..));
        lines.filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
    }
}

fn parse(url: &str) -> Url {
    Url::parse(url).unwrap_or_else(|error| panic!("{url:?}: {error}"))
}
