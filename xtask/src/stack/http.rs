//! As much of an HTTP client as it takes to see whether a server on this machine answers, and what.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const TIMEOUT: Duration = Duration::from_secs(10);
/// More than any status line and headers that are looked at.
const LARGEST_HEAD: u64 = 64 * 1024;

/// The status and the `Location` of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// Where it redirects to.
    pub(crate) location: Option<String>,
}

/// Gets `http://HOST:PORT/PATH` as a browser that navigates there would.
pub(crate) fn fetch(url: &str) -> Result<Answer> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is no http URL"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = connect(authority)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n\
         Connection: close\r\n\r\n"
    )?;
    let mut head = Vec::new();
    stream.take(LARGEST_HEAD).read_to_end(&mut head)?;
    Answer::parse(&String::from_utf8_lossy(&head)).with_context(|| format!("{url} gave no HTTP answer"))
}

/// Whether there is an answer at this URL, or, over https, somebody who takes connections: no certificate is looked at.
pub(crate) fn answers(url: &str) -> bool {
    match url.strip_prefix("https://") {
        Some(rest) => connect(rest.split('/').next().unwrap_or(rest)).is_ok(),
        None => fetch(url).is_ok(),
    }
}

impl Answer {
    fn parse(text: &str) -> Option<Answer> {
        let mut lines = text.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
        let location = headers
            .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
            .map(|(_, value)| value.trim().to_owned())
            .next();
        Some(Answer { status, location })
    }
}

fn connect(authority: &str) -> Result<TcpStream> {
    for address in authority.to_socket_addrs()? {
        if let Ok(stream) = TcpStream::connect_timeout(&address, TIMEOUT) {
            return Ok(stream);
        }
    }
    bail!("nothing listens at {authority}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_location_are_read_and_the_body_is_not() {
        let redirect = "HTTP/1.1 302 Found\r\nlocation: /auth/signin\r\n\r\nLocation: elsewhere";
        let expected = Answer { status: 302, location: Some("/auth/signin".to_owned()) };
        assert_eq!(Answer::parse(redirect), Some(expected));
        let page = "HTTP/1.1 200 OK\r\n\r\nLocation: elsewhere";
        assert_eq!(Answer::parse(page), Some(Answer { status: 200, location: None }));
        for broken in ["", "SSH-2.0-OpenSSH", "HTTP/1.1 OK\r\n\r\n"] {
            assert_eq!(Answer::parse(broken), None, "{broken}");
        }
    }
}
