//! Requests over some connections at once, each sending the next when it has the answer to the last.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// So many ask at once, as with `wrk -c 8`.
pub(crate) const CONNECTIONS: usize = 8;

/// Longer without an answer is no slowness.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Load that runs until it is told to stop.
pub(crate) struct Load<'a> {
    address: SocketAddr,
    requests: &'a [Vec<u8>],
    /// What every answer's status has to be.
    status: u16,
    answered: AtomicUsize,
    stop: AtomicBool,
}

impl<'a> Load<'a> {
    pub(crate) fn new(address: SocketAddr, requests: &'a [Vec<u8>], status: u16) -> Self {
        let (answered, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { address, requests, status, answered, stop }
    }

    /// Runs the load while `watch` looks on; ends with it.
    pub(crate) fn during<T>(&self, watch: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        thread::scope(|scope| {
            let workers: Vec<_> =
                (0..CONNECTIONS).map(|number| scope.spawn(move || self.send(number))).collect();
            let seen = watch(self);
            self.stop.store(true, Ordering::Relaxed);
            for worker in workers {
                match worker.join() {
                    Ok(sent) => sent.context("sending requests")?,
                    Err(_) => bail!("a thread that sends requests panicked"),
                }
            }
            seen
        })
    }

    /// How many requests are answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether nothing more is to be expected: a connection failed.
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
        // Each begins elsewhere and takes every eighth, so that all together take one after the other.
        for request in self.requests.iter().cycle().skip(number).step_by(CONNECTIONS) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let status = connection.ask(request)?.status;
            ensure!(status == self.status, "answered {status}, where {} is due", self.status);
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// One connection, kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connecting to workerd")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = self.stream.read(&mut chunk).context("reading an answer")?;
            ensure!(read > 0, "workerd closed the connection");
            self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if let Some(answer) = whole(&self.buffer)? {
                return Ok(answer);
            }
        }
    }
}

/// The answer, where all of it is there.
fn whole(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let body = bytes.get(end + 4..).unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    let field = |name: &str| {
        let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(this, _)| *this == name).map(|(_, value)| value.trim().to_owned())
    };
    let is_whole = match field("content-length") {
        Some(length) => body.len() >= length.parse::<usize>().context("no length")?,
        None if field("transfer-encoding").as_deref() == Some("chunked") => body.ends_with(b"0\r\n\r\n"),
        None => bail!("an answer whose end nobody can see:\n{head}"),
    };
    Ok(is_whole.then(|| Answer { status, body: String::from_utf8_lossy(body).into_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let full = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let answer = Answer { status: 200, body: "hello".to_owned() };
        assert_eq!(whole(full).unwrap(), Some(answer));
        for cut in 0..full.len() {
            assert_eq!(whole(&full[..cut]).unwrap(), None, "{cut}");
        }
        let chunked = b"HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(whole(chunked).unwrap().unwrap().status, 302);
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
