//! The parts of HTTP/1.1 (RFC 9112) that the harness implements itself.

use std::io::{self, BufRead, Read, Write};

/// Header fields in order, with the names as sent.
pub(crate) type Fields = Vec<(String, String)>;

const HEAD_LIMIT: usize = 1 << 20;
const FIELDS_LIMIT: usize = 1024;

/// A request's start line and fields.
pub(crate) struct RequestHead {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Fields,
    /// The values of the fields whose value is not UTF-8, which `fields` has with U+FFFD.
    pub(crate) odd_fields: Vec<(String, Vec<u8>)>,
}

/// Reads a request head; `None` if the peer closed the connection before the first byte.
pub(crate) fn read_request_head(from: &mut impl BufRead) -> io::Result<Option<RequestHead>> {
    let Some(bytes) = head_bytes(from)? else { return Ok(None) };
    let mut slots = vec![httparse::EMPTY_HEADER; FIELDS_LIMIT];
    let mut parsed = httparse::Request::new(&mut slots);
    parsed.parse(&bytes).map_err(invalid)?;
    Ok(Some(RequestHead {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        fields: owned(parsed.headers),
        odd_fields: odd(parsed.headers),
    }))
}

/// The first field of this name, in any case.
pub(crate) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// How the end of a message body is determined (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

impl Framing {
    pub(crate) fn of_request(fields: &[(String, String)]) -> Self {
        Self::declared(fields).unwrap_or(Self::Length(0))
    }

    pub(crate) fn of_response(fields: &[(String, String)]) -> Self {
        Self::declared(fields).unwrap_or(Self::UntilClose)
    }

    fn declared(fields: &[(String, String)]) -> Option<Self> {
        if field(fields, "transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().contains("chunked")) {
            return Some(Self::Chunked);
        }
        field(fields, "content-length").and_then(|v| v.trim().parse().ok()).map(Self::Length)
    }
}

/// Reads a message body up to the end that the framing determines. Fails if the connection is closed before that.
pub(crate) struct Body<R> {
    from: R,
    framing: Framing,
    /// The remaining bytes of the body or of the current chunk.
    left: u64,
    done: bool,
}

impl<R: BufRead> Body<R> {
    pub(crate) fn new(from: R, framing: Framing) -> Self {
        let left = if let Framing::Length(length) = framing { length } else { 0 };
        Self { from, framing, left, done: false }
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let line = line(&mut self.from)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        self.left = u64::from_str_radix(size, 16).map_err(invalid)?;
        if self.left == 0 {
            while !self::line(&mut self.from)?.is_empty() {}
            self.done = true;
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.done || into.is_empty() {
            return Ok(0);
        }
        match self.framing {
            Framing::UntilClose => return self.from.read(into),
            Framing::Chunked if self.left == 0 => self.next_chunk()?,
            Framing::Length(_) if self.left == 0 => self.done = true,
            _ => {}
        }
        if self.done {
            return Ok(0);
        }
        let got = (&mut self.from).take(self.left).read(into)?;
        if got == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was closed before the end of the body",
            ));
        }
        self.left -= u64::try_from(got).unwrap_or(u64::MAX);
        if self.left == 0 && matches!(self.framing, Framing::Chunked) {
            line(&mut self.from)?;
        }
        Ok(got)
    }
}

/// Writes a message head: start line, fields and an empty line.
pub(crate) fn write_head(to: &mut impl Write, start: &str, fields: &[(String, String)]) -> io::Result<()> {
    let mut text = format!("{start}\r\n");
    for (name, value) in fields {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    to.write_all(text.as_bytes())
}

fn head_bytes(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        let limit = u64::try_from(HEAD_LIMIT - before).unwrap_or(0);
        from.by_ref().take(limit).read_until(b'\n', &mut head)?;
        let line = head.get(before..).unwrap_or_default();
        match line {
            [] if before == 0 => return Ok(None),
            b"\r\n" | b"\n" if before > 0 => return Ok(Some(head)),
            b"\r\n" | b"\n" => head.clear(),
            [.., b'\n'] => {}
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the head is incomplete or too long",
                ));
            }
        }
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.by_ref().take(HEAD_LIMIT as u64).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection was closed before the end of a chunk",
        ));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(invalid)
}

fn owned(parsed: &[httparse::Header<'_>]) -> Fields {
    parsed.iter().map(|f| (f.name.to_owned(), String::from_utf8_lossy(f.value).into_owned())).collect()
}

fn odd(parsed: &[httparse::Header<'_>]) -> Vec<(String, Vec<u8>)> {
    let odd = parsed.iter().filter(|field| std::str::from_utf8(field.value).is_err());
    odd.map(|field| (field.name.to_owned(), field.value.to_vec())).collect()
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
