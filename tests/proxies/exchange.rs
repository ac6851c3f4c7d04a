//! Requests as they are written, and the answers to them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take. Busy machines take seconds.
pub const MAX_WAIT: Duration = Duration::from_mins(1);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

/// Sends a request without changes, and reads the answer. `None` if there is no whole head.
pub fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    let has = |name: &str| headers.iter().any(|(this, _)| this.eq_ignore_ascii_case(name));
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    let mut add = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
    for (name, value) in [("host", "app.example.com"), ("connection", "close")] {
        if !has(name) {
            add(name, value);
        }
    }
    for (name, value) in headers {
        add(name, value);
    }
    if !body.is_empty() {
        add("content-length", &body.len().to_string());
    }
    exchange(address, method, &format!("{head}\r\n{body}"))
}

/// Sends a request as it is, and reads the answer. `None` if there is no whole head.
pub fn raw(address: SocketAddr, request: &str) -> Option<Answer> {
    exchange(address, request.split(' ').next().unwrap_or_default(), request)
}

fn exchange(address: SocketAddr, method: &str, request: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(MAX_WAIT)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    let mut part = [0; 16 * 1024];
    // A proxy may keep the connection, so the end of the answer is where its length says.
    while !is_whole(&bytes, method) {
        match stream.read(&mut part) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&part[..read]),
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

fn is_whole(bytes: &[u8], method: &str) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    if method == "HEAD" || head.contains(" 204 ") || head.contains(" 304 ") {
        return true;
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map(str::trim);
    match length.and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => head.contains("transfer-encoding: chunked") && body.ends_with("0\r\n\r\n"),
    }
}

impl Answer {
    /// All values of a header field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.filter(|(this, _)| this.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }
}
