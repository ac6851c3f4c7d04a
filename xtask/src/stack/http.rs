//! A minimal HTTP client that checks whether a server on this machine answers, with which status and `Location`.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of response bytes that are read. No status line and headers of these servers are larger.
const MAX_RESPONSE: u64 = 64 * 1024;

/// The status, the `Location` and the body of a response. The body is not decoded, so with `Transfer-Encoding: chunked` it
/// contains the sizes of its chunks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

/// Sends a GET request to `http://HOST:PORT/PATH`, with the headers of a browser's navigation.
pub(crate) fn fetch(url: &str) -> Result<Response> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is not an http URL"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = connect(authority)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n\
         Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    )?;
    let mut head = Vec::new();
    stream.take(MAX_RESPONSE).read_to_end(&mut head)?;
    Response::parse(&String::from_utf8_lossy(&head))
        .with_context(|| format!("{url} did not give an HTTP response"))
}

/// Whether a server answers at this URL. Over https: whether it accepts connections, without TLS.
pub(crate) fn answers(url: &str) -> bool {
    match url.strip_prefix("https://") {
        Some(rest) => connect(rest.split('/').next().unwrap_or(rest)).is_ok(),
        None => fetch(url).is_ok(),
    }
}

impl Response {
    fn parse(text: &str) -> Option<Response> {
        let (text, body) = text.split_once("\r\n\r\n")?;
        let mut lines = text.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
        let location = headers
            .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
            .map(|(_, value)| value.trim().to_owned())
            .next();
        Some(Response { status, location, body: body.to_owned() })
    }
}

fn connect(authority: &str) -> Result<TcpStream> {
    for address in authority.to_socket_addrs()? {
        if let Ok(stream) = TcpStream::connect_timeout(&address, TIMEOUT) {
            return Ok(stream);
        }
    }
    bail!("no server listens at {authority}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_location_and_body_are_read_and_the_body_has_no_location() {
        let redirect = "HTTP/1.1 302 Found\r\nlocation: /auth/signin\r\n\r\nLocation: elsewhere";
        let body = "Location: elsewhere".to_owned();
        let location = Some("/auth/signin".to_owned());
        let expected = Response { status: 302, location, body: body.clone() };
        assert_eq!(Response::parse(redirect), Some(expected));
        let page = "HTTP/1.1 200 OK\r\n\r\nLocation: elsewhere";
        assert_eq!(Response::parse(page), Some(Response { status: 200, location: None, body }));
        for broken in ["", "SSH-2.0-OpenSSH", "HTTP/1.1 OK\r\n\r\n"] {
            assert_eq!(Response::parse(broken), None, "{broken}");
        }
    }
}
