//! Finds requests whose length two servers could read differently.
//!
//! hyper follows RFC 9112 section 6.3 where a request has both `Transfer-Encoding` and `Content-Length`: the former counts.
//! A proxy in front that counts the latter sees another end of the request, and what follows it as the next one (request
//! smuggling). hyper does not say that it saw both, so the bytes are watched on their way to it. Such a request is
//! refused, and its connection closed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::lingering::Lingering;

/// How many bytes of a line are kept: enough for the names and values that count.
const KEPT: usize = 64;

/// A connection whose requests are watched.
pub(crate) struct Watched<S> {
    stream: S,
    framing: Framing,
    seen: Arc<Seen>,
    end: Lingering,
}

/// What is known of the requests of a connection.
#[derive(Default)]
pub(crate) struct Seen {
    /// Whether one had a length that can be read in two ways. It is known before the server sees the end of its head.
    pub(crate) is_ambiguous: AtomicBool,
    /// Whether the connection goes on without HTTP.
    pub(crate) has_left_http: AtomicBool,
}

impl<S> Watched<S> {
    /// Watches `stream`, and says what it sees.
    pub(crate) fn new(stream: S, seen: Arc<Seen>) -> Self {
        Self { stream, framing: Framing::default(), seen, end: Lingering::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.framing.see(buffer.filled().get(before..).unwrap_or_default());
        if self.framing.is_ambiguous {
            self.seen.is_ambiguous.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Ends what the client reads. What it still sends of a request is read, so that it can read the answer.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let Self { stream, framing, seen, end } = self.get_mut();
        if !framing.expects_more() || seen.has_left_http.load(Ordering::Relaxed) {
            return Pin::new(stream).poll_shutdown(context);
        }
        end.poll(Pin::new(stream), context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}

/// Where in the requests of a connection the bytes are.
#[allow(clippy::struct_excessive_bools, reason = "each is one thing that was seen")]
#[derive(Default)]
pub(crate) struct Framing {
    is_ambiguous: bool,
    /// Bytes of a body that are still to come.
    body: u64,
    /// The request cannot be followed by another one on this connection: it is chunked, or no HTTP.
    has_ended: bool,
    /// The beginning of the current line.
    line: Vec<u8>,
    /// Whether the request line was read.
    is_in_head: bool,
    content_length: Option<u64>,
    has_length: bool,
    is_chunked: bool,
}

impl Framing {
    /// Whether a request has both lengths.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Whether the client may not have sent all of a request yet.
    fn expects_more(&self) -> bool {
        self.body > 0 || self.has_ended || self.is_in_head || !self.line.is_empty()
    }

    /// Reads the next bytes of the connection.
    pub(crate) fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.has_ended {
            if self.body > 0 {
                let skipped = usize::try_from(self.body).unwrap_or(usize::MAX).min(bytes.len());
                self.body -= skipped as u64;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let end = memchr::memchr(b'\n', bytes);
            let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            if end.is_some() && self.line.is_empty() {
                self.end_line(part);
            } else {
                self.keep(part);
                if end.is_some() {
                    let mut line = std::mem::take(&mut self.line);
                    self.end_line(&line);
                    // Its memory is for the next line.
                    line.clear();
                    self.line = line;
                }
            }
            bytes = rest;
        }
    }

    /// Keeps the beginning of a line that arrives in parts, without what may stand before a number: there can be any amount of
    /// it.
    fn keep(&mut self, mut part: &[u8]) {
        let mut colon = memchr::memchr(b':', &self.line);
        while !part.is_empty() && self.line.len() < KEPT {
            if colon.is_some_and(|colon| colon + 1 == self.line.len()) {
                let value = part.iter().position(|byte| !is_before_number(*byte));
                let Some((first, rest)) = value.and_then(|value| part.get(value..)?.split_first()) else {
                    return;
                };
                self.line.push(*first);
                part = rest;
                continue;
            }
            let room = part.len().min(KEPT - self.line.len());
            let found =
                if colon.is_some() { None } else { memchr::memchr(b':', part.get(..room).unwrap_or(part)) };
            colon = colon.or(found.map(|found| self.line.len() + found));
            let (kept, rest) = part.split_at(found.map_or(room, |found| found + 1));
            self.line.extend_from_slice(kept);
            part = rest;
        }
    }

    fn end_line(&mut self, line: &[u8]) {
        let is_empty = matches!(line, [b'\n'] | [b'\r', b'\n']);
        if is_empty {
            // Empty lines before a request are skipped (RFC 9112 section 2.2).
            if self.is_in_head {
                self.end_head();
            }
        } else if self.is_in_head {
            self.field(line);
        } else {
            self.is_in_head = true;
        }
    }

    /// Reads as much of a line as would be kept of it, so that it does not matter in which parts it arrived.
    fn field(&mut self, line: &[u8]) {
        let Some(colon) = memchr::memchr(b':', line.get(..KEPT).unwrap_or(line)) else { return };
        let (name, value) = line.split_at(colon);
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.has_length = true;
            let digits = value.iter().skip(1).position(|byte| !is_before_number(*byte));
            let digits = digits.and_then(|first| value.get(first + 1..)).unwrap_or_default();
            let digits = digits.get(..KEPT - colon - 1).unwrap_or(digits);
            self.content_length = match digits.trim_ascii() {
                // There are only zeros.
                [] => Some(0),
                digits => str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()),
            };
        }
    }

    fn end_head(&mut self) {
        // A length that is not read here could hide where the next request begins.
        let is_unread = self.has_length && self.content_length.is_none();
        self.is_ambiguous |= is_unread || (self.is_chunked && self.has_length);
        // The server closes the connection after a chunked request, so no other one follows.
        self.has_ended = self.is_chunked || is_unread;
        self.body = self.content_length.unwrap_or(0);
        (self.is_in_head, self.is_chunked, self.has_length, self.content_length) =
            (false, false, false, None);
    }
}

/// Whether a byte may stand before a number without changing it.
fn is_before_number(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a connection with these bytes is ambiguous, whatever the parts in which they arrive.
    fn is_ambiguous(bytes: &str) -> bool {
        let whole = seen(bytes.as_bytes(), bytes.len());
        for size in 1..8 {
            assert_eq!(seen(bytes.as_bytes(), size), whole, "in parts of {size}");
        }
        whole
    }

    fn seen(bytes: &[u8], size: usize) -> bool {
        let mut framing = Framing::default();
        bytes.chunks(size.max(1)).for_each(|part| framing.see(part));
        framing.is_ambiguous
    }

    #[test]
    fn request_smuggling_a_request_with_both_lengths_is_found_in_every_spelling_and_place() {
        for fields in [
            "Content-Length: 4\r\nTransfer-Encoding: chunked",
            "transfer-encoding:chunked\r\ncontent-length:4",
            "TRANSFER-ENCODING : x\r\nContent-Length:\t4",
            "Content-Length: 4\nTransfer-Encoding: chunked",
        ] {
            let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
            assert!(is_ambiguous(&request), "{fields:?}");
            assert!(is_ambiguous(&format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{request}")), "{fields:?}");
            let before = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab\r\n\r";
            assert!(is_ambiguous(&format!("{before}{request}")), "{fields:?}");
        }
    }

    #[test]
    fn request_smuggling_a_request_behind_a_length_with_much_before_its_digits_is_found() {
        let behind = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n";
        let hidden = "GET / HTTP/1.1\r\nContent-Length: 999\r\n\r\n";
        for before in [" ", "\t", "0"].map(|before| before.repeat(2 * KEPT)) {
            for (length, body) in [(3, "abc"), (hidden.len(), hidden)] {
                let request = format!("POST / HTTP/1.1\r\nContent-Length:{before}{length}\r\n\r\n{body}");
                assert!(is_ambiguous(&format!("{request}{behind}")), "{before:?} {length}");
                assert!(!is_ambiguous(&request), "{before:?} {length}");
            }
            assert!(!is_ambiguous(
                "GET / HTTP/1.1\r\n0Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
            ));
            let empty = format!("GET / HTTP/1.1\r\nContent-Length: {before}0\r\n\r\n");
            assert!(is_ambiguous(&format!("{empty}{behind}")), "{before:?}");
        }
    }

    #[test]
    fn a_line_says_the_same_whether_it_arrives_whole_or_in_parts() {
        for count in KEPT - 20..=KEPT + 1 {
            let many = " ".repeat(count);
            for field in [
                format!("Content-Length:{many}1{many}x"),
                format!("Content-Length: 1{many}x"),
                format!("{many}Content-Length: 1"),
                format!("Content-Length{many}: 1"),
                format!("Content-Length: {}", "1".repeat(count)),
            ] {
                is_ambiguous(&format!(
                    "POST / HTTP/1.1\r\n{field}\r\n\r\naGET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"
                ));
            }
        }
    }

    #[test]
    fn one_length_is_not_ambiguous_and_a_body_is_no_head() {
        let long = "x".repeat(1000);
        for bytes in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: 56\r\n\r\nx\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n".to_owned(),
            format!("GET / HTTP/1.1\r\nX: {long}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\na"),
        ] {
            assert!(!is_ambiguous(&bytes), "{bytes:?}");
        }
    }
}
