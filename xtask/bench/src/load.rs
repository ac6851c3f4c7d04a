//! Sends requests over several connections in parallel. Each connection sends the next request after the response to the
//! previous one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::machine::stopwatch;

/// The number of parallel connections unless a measurement says otherwise, the same as `wrk -c 8`.
pub(crate) const CONNECTIONS: usize = 8;

/// A response that takes longer than this counts as a failure.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The header fields, with names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    /// The values of a field.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(this, _)| this == name).map(|(_, value)| value.as_str())
    }
}

/// What every response has to be: a wrong one could be fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    /// A text that the body has to contain.
    pub(crate) body: &'static str,
}

impl Expected {
    /// Fails if the response is another one.
    pub(crate) fn check(self, response: &Response) -> Result<()> {
        let is_expected = response.status == self.status && response.body.contains(self.body);
        ensure!(is_expected, "unexpected response: {response:?}\nexpected: {self:?}");
        Ok(())
    }
}

/// Load on a server. It runs until it is stopped.
pub(crate) struct Load<'a> {
    address: SocketAddr,
    requests: &'a [Vec<u8>],
    expected: Expected,
    connections: usize,
    answered: AtomicUsize,
    stop: AtomicBool,
    /// How long each request waited for its response.
    times: Mutex<Vec<Duration>>,
}

impl<'a> Load<'a> {
    pub(crate) fn new(address: SocketAddr, requests: &'a [Vec<u8>], expected: Expected) -> Self {
        Self {
            address,
            requests,
            expected,
            connections: CONNECTIONS,
            answered: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            times: Mutex::default(),
        }
    }

    /// The same over this number of connections.
    pub(crate) fn with_connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// How long each request waited for its response.
    pub(crate) fn into_times(self) -> Vec<Duration> {
        self.times.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the load until `watch` returns. Gives its result.
    pub(crate) fn during<T>(&self, watch: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        thread::scope(|scope| {
            let senders: Vec<_> =
                (0..self.connections).map(|number| scope.spawn(move || self.send(number))).collect();
            let result = watch(self);
            self.stop.store(true, Ordering::Relaxed);
            for sender in senders {
                match sender.join() {
                    Ok(sent) => sent.context("cannot send the requests")?,
                    Err(_) => bail!("a thread that sends requests panicked"),
                }
            }
            result
        })
    }

    /// The number of requests that have been answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether the load has ended, because a connection failed or the load was stopped.
    pub(crate) fn has_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn send(&self, number: usize) -> Result<()> {
        let result = self.send_all(number);
        if result.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        result
    }

    fn send_all(&self, number: usize) -> Result<()> {
        let mut connection = Connection::open(self.address)?;
        let mut times = Vec::new();
        // Each connection starts at another request, and skips those of the others. So all connections together send the
        // requests in order.
        for request in self.requests.iter().cycle().skip(number).step_by(self.connections) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let waited = stopwatch();
            let response = connection.send(request)?;
            times.push(waited());
            self.expected.check(&response)?;
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        self.times.lock().unwrap_or_else(PoisonError::into_inner).append(&mut times);
        Ok(())
    }
}

/// One persistent connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("cannot connect to the server")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and reads the whole response.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<Response> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = self.stream.read(&mut chunk).context("cannot read a response")?;
            ensure!(read > 0, "the server closed the connection");
            self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if let Some(response) = complete(&self.buffer)? {
                return Ok(response);
            }
        }
    }
}

/// The response in `bytes`, or `None` if it is incomplete.
fn complete(bytes: &[u8]) -> Result<Option<Response>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    let body = bytes.get(end + 4..).unwrap_or_default();
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("a response has no status")?;
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let response = Response { status, fields, body: String::from_utf8_lossy(body).into_owned() };
    let is_chunked = response.all("transfer-encoding").any(|coding| coding.eq_ignore_ascii_case("chunked"));
    let is_complete = match response.all("content-length").next() {
        Some(length) => {
            body.len() >= length.parse::<usize>().context("a response has an invalid Content-Length")?
        }
        None if is_chunked => body.ends_with(b"0\r\n\r\n"),
        None if status == 204 => true,
        None => bail!("a response has neither Content-Length nor chunked encoding:\n{head}"),
    };
    Ok(is_complete.then_some(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_when_it_is_complete() {
        let full = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let fields = vec![("content-length".to_owned(), "5".to_owned())];
        let response = Response { status: 200, fields, body: "hello".to_owned() };
        assert_eq!(complete(full).unwrap(), Some(response));
        for cut in 0..full.len() {
            assert_eq!(complete(&full[..cut]).unwrap(), None, "{cut}");
        }
        let chunked = b"HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(complete(chunked).unwrap().unwrap().status, 302);
        assert!(complete(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
