//! The least HTTP/1.1 that a test needs, on both sides of the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long anything may take before a test fails.
pub(crate) const MAX_WAIT: Duration = Duration::from_mins(1);

/// A request, or a response whose first line is that of a response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) first_line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn request(method: &str, target: &str) -> Self {
        Self { first_line: format!("{method} {target} HTTP/1.1"), ..Self::default() }
    }

    pub(crate) fn response(status: u16) -> Self {
        Self { first_line: format!("HTTP/1.1 {status} X"), ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::response(200).with("content-type", "application/json").with_body(value.to_string())
    }

    pub(crate) fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn method(&self) -> &str {
        self.first_line.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn target(&self) -> &str {
        self.first_line.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn value(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?} {}", self.text()))
    }

    /// Its bytes, with its length.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut lines = vec![self.first_line.clone()];
        lines.extend(self.fields.iter().map(|(name, value)| format!("{name}: {value}")));
        let has_length = self.field("content-length").is_some() || self.field("transfer-encoding").is_some();
        let may_have_body = self.first_line.starts_with("HTTP/") || !self.body.is_empty();
        if may_have_body && !has_length {
            lines.push(format!("content-length: {}", self.body.len()));
        }
        let text = lines.join("\r\n") + "\r\n";
        [text.as_bytes(), b"\r\n", &self.body].concat()
    }

    /// Reads one. `None` if the other end closes before. The body ends with the connection where it has no length.
    pub(crate) fn read(reader: &mut impl BufRead) -> Option<Self> {
        let line = |reader: &mut dyn BufRead| {
            let mut line = String::new();
            let length = reader.read_line(&mut line).ok()?;
            (length > 0).then(|| line.trim_end().to_owned())
        };
        let mut message = Self { first_line: line(reader)?, ..Self::default() };
        loop {
            let field = line(reader)?;
            if field.is_empty() {
                break;
            }
            let (name, value) = field.split_once(':')?;
            message.fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let is_response = message.first_line.starts_with("HTTP/");
        let length = message.field("content-length").and_then(|length| length.parse::<usize>().ok());
        if message.field("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(&line(reader)?, 16).ok()?;
                let mut chunk = vec![0; size];
                reader.read_exact(&mut chunk).ok()?;
                message.body.extend(chunk);
                line(reader)?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = length {
            message.body = vec![0; length];
            reader.read_exact(&mut message.body).ok()?;
        } else if is_response && !matches!(message.status(), 101 | 204 | 304) {
            reader.read_to_end(&mut message.body).ok()?;
        }
        Some(message)
    }
}

/// A server on loopback that runs until the process ends.
pub(crate) fn serve(handler: impl Fn(Message) -> Message + Send + Sync + 'static) -> SocketAddr {
    serve_raw(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(request) = Message::read(&mut reader) {
            if stream.write_all(&handler(request).bytes()).is_err() {
                return;
            }
        }
    })
}

/// The same, where the handler has the whole connection.
pub(crate) fn serve_raw(handler: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Arc::new(handler);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let handler = Arc::clone(&handler);
            thread::spawn(move || handler(stream));
        }
    });
    address
}

/// A connection to the server.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(MAX_WAIT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends a request on a connection of its own, and reads the response.
pub(crate) fn send(address: SocketAddr, request: &Message) -> Message {
    try_send(address, request).unwrap_or_else(|| panic!("no response to {}", request.first_line))
}

/// The same; `None` if there is no response.
pub(crate) fn try_send(address: SocketAddr, request: &Message) -> Option<Message> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(MAX_WAIT)).ok()?;
    let request = request.clone().with("connection", "close");
    stream.write_all(&request.bytes()).ok()?;
    Message::read(&mut BufReader::new(stream))
}

/// Sends raw bytes, and gives all that comes back until the server closes the connection.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A server that closes a connection with bytes that it did not read resets it.
    stream.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).into_owned()
}
