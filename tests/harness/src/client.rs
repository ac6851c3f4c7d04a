//! The browser of a test: speaks for any host name and scheme, keeps cookies.

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
    /// Where that is; nowhere in particular where it is empty.
    pub(crate) location: String,
    isolates: Arc<[(SocketAddr, String)]>,
    /// The server behind fake hosts, where there is one.
    pub(crate) world: Option<(SocketAddr, Arc<Net>)>,
    /// Whether it understands [`SCHEME_HEADER`].
    pub(crate) tells_scheme: bool,
}

impl Target {
    /// The first of these isolates.
    pub(crate) fn new(
        isolates: Arc<[(SocketAddr, String)]>,
        world: Option<(SocketAddr, Arc<Net>)>,
        tells_scheme: bool,
    ) -> Self {
        let nowhere = (SocketAddr::from(([127, 0, 0, 1], 0)), String::new());
        let (worker, location) = isolates.first().cloned().unwrap_or(nowhere);
        Self { worker, location, isolates, world, tells_scheme }
    }
}

/// A client with a cookie jar. Clones share the jar; [`Harness::client`](crate::Harness::client) makes another browser.
///
/// Every host is the Worker's, but those with a fake ([`HarnessBuilder::host`](crate::HarnessBuilder::host)) and
/// `http://127.0.0.1:PORT` or `http://localhost:PORT`, which is that port of this machine. `https` needs no TLS: the
/// Worker is told the scheme. Path and query go out exactly as they stand in the URL; [`Client::raw`] sends what is no
/// HTTP.
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

    /// With this bound on each wait for the other side, instead of 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same browser, whose requests reach that isolate
    /// ([`HarnessBuilder::isolates`](crate::HarnessBuilder::isolates)) from now on.
    ///
    /// # Panics
    /// When there are not so many.
    #[must_use]
    pub fn at(mut self, isolate: usize) -> Self {
        let isolates = &self.target.isolates;
        let found = isolates.get(isolate).cloned();
        let found = found.unwrap_or_else(|| panic!("isolate {isolate} of {}", isolates.len()));
        (self.target.worker, self.target.location) = found;
        self
    }

    /// `GET`.
    pub fn get(&self, url: &str) -> RequestBuilder {
        self.request("GET", url)
    }

    /// `POST`.
    pub fn post(&self, url: &str) -> RequestBuilder {
        self.request("POST", url)
    }

    /// Any method.
    pub fn request(&self, method: &str, url: &str) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method, url)
    }

    /// Name and value of every cookie that would be sent to this URL.
    ///
    /// # Panics
    /// When it is not a URL.
    pub fn cookies(&self, url: &str) -> Vec<(String, String)> {
        lock(&self.jar).for_url(&parse(url))
    }

    /// The value of one cookie that would be sent to this URL.
    ///
    /// # Panics
    /// When it is not a URL.
    pub fn cookie(&self, url: &str, name: &str) -> Option<String> {
        self.cookies(url).into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// When a cookie that would be sent to this URL expires; `None` for none, or one that lives until the browser
    /// closes.
    ///
    /// # Panics
    /// When it is not a URL.
    pub fn cookie_expires(&self, url: &str, name: &str) -> Option<SystemTime> {
        lock(&self.jar).expires(&parse(url), name)
    }

    /// Stores a cookie as if `url` had set it (`NAME=VALUE; attributes`).
    ///
    /// # Panics
    /// When it is not a URL.
    pub fn set_cookie(&self, url: &str, set_cookie: &str) {
        lock(&self.jar).receive(&parse(url), [set_cookie].into_iter());
    }

    /// Forgets all cookies.
    pub fn clear_cookies(&self) {
        lock(&self.jar).clear();
    }

    /// Another browser with a copy of these cookies: what a thief has, or a second tab that knows no later ones.
    #[must_use]
    pub fn fork(&self) -> Self {
        let jar = lock(&self.jar).clone();
        Self { jar: Arc::new(Mutex::new(jar)), ..self.clone() }
    }

    /// Sends exactly these bytes to the Worker and reads until it closes, or until `timeout` after the sending. The
    /// bytes may name the scheme with [`SCHEME_HEADER`](crate::SCHEME_HEADER).
    ///
    /// # Panics
    /// When the Worker does not accept the connection.
    pub fn raw(&self, bytes: &[u8], timeout: Duration) -> RawReply {
        let fail = |error: io::Error| -> ! { panic!("{}: {error}", self.target.worker) };
        let mut stream = TcpStream::connect(self.target.worker).unwrap_or_else(|error| fail(error));
        stream.set_write_timeout(Some(timeout)).unwrap_or_else(|error| fail(error));
        // A server may answer and close before it has read all: what it said counts.
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
        RawReply { bytes: got, closed }
    }
}

/// What came back on a [raw](Client::raw) connection.
#[derive(Clone, Debug)]
pub struct RawReply {
    /// Everything, from the first byte.
    pub bytes: Vec<u8>,
    /// Whether the Worker closed the connection within the time.
    pub closed: bool,
}

impl RawReply {
    /// The bytes as text; those that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The status codes of all responses in it, found by their status lines.
    pub fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        let lines = text.match_indices("HTTP/1.1 ").filter_map(|(at, start)| text.get(at + start.len()..));
        lines.filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
    }
}

fn parse(url: &str) -> Url {
    Url::parse(url).unwrap_or_else(|error| panic!("{url:?}: {error}"))
}
