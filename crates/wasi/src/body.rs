//! Bodies: read and written as streams of the host, never as a whole unless a caller asks for the whole.

use std::cell::Cell;

use wasip2::http::types::{FutureTrailers, IncomingBody, OutgoingBody};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::executor::ready;

/// How many bytes are read at once.
const CHUNK: u64 = 64 * 1024;

/// A body that arrives. What it belongs to is kept as long as it is.
pub(crate) struct Incoming {
    // In this order: a stream is dropped before its body.
    stream: InputStream,
    body: IncomingBody,
    /// How many bytes of it are still to come, if its head says how long it is.
    left: Cell<Option<u64>>,
}

/// What a body has at one moment.
enum Part {
    Bytes(Vec<u8>),
    /// Nothing yet.
    Later,
    End,
}

/// The body ended before its end, or could not be written.
#[derive(Debug)]
pub(crate) struct Broken;

impl Incoming {
    /// `None` if the host has given the stream to someone else already. `length` is what the head says of it.
    pub(crate) fn new(body: IncomingBody, length: Option<&str>) -> Option<Self> {
        let stream = body.stream().ok()?;
        Some(Self { stream, body, left: Cell::new(length.and_then(|length| length.parse().ok())) })
    }

    /// What is there now.
    fn part(&self) -> Result<Part, Broken> {
        // The host has ended a body of that length, so nothing is left to wait for.
        if self.left.get() == Some(0) {
            return Ok(Part::End);
        }
        match self.stream.read(CHUNK) {
            Ok(bytes) if bytes.is_empty() => Ok(Part::Later),
            Ok(bytes) => {
                let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.left.set(self.left.get().map(|left| left.saturating_sub(read)));
                Ok(Part::Bytes(bytes))
            }
            Err(StreamError::Closed) => Ok(Part::End),
            Err(StreamError::LastOperationFailed(_)) => Err(Broken),
        }
    }

    /// Waits until there is more, or the end.
    async fn wait(&self) {
        ready(self.stream.subscribe()).await;
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&self) -> Result<Option<Vec<u8>>, Broken> {
        loop {
            match self.part()? {
                Part::Bytes(bytes) => return Ok(Some(bytes)),
                Part::Later => self.wait().await,
                Part::End => return Ok(None),
            }
        }
    }

    /// Reads to the end. `Ok(None)` as soon as it is larger than `limit` bytes.
    pub(crate) async fn read_all(&self, limit: usize) -> Result<Option<Vec<u8>>, Broken> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > limit {
                return Ok(None);
            }
            all.extend(bytes);
        }
        Ok(Some(all))
    }

    /// The trailers, after the end was read.
    fn trailers(self) -> FutureTrailers {
        let Self { stream, body, .. } = self;
        drop(stream);
        IncomingBody::finish(body)
    }
}

/// Writes `first`, then what `rest` has, to `to`. Its trailers are left out: a client could say in them what it may not say in
/// header fields, and no one waits for them in a request.
pub(crate) async fn upload(first: &[u8], rest: Option<Incoming>, to: OutgoingBody) -> Result<(), Broken> {
    write_to(&to, first, rest.as_ref()).await?;
    drop(rest);
    OutgoingBody::finish(to, None).map_err(|_| Broken)
}

/// Writes `first`, then what `rest` has, to `to`, and its trailers, if it may have any.
pub(crate) async fn pipe(
    first: &[u8],
    rest: Option<Incoming>,
    may_have_trailers: bool,
    to: OutgoingBody,
) -> Result<(), Broken> {
    let written = write_to(&to, first, rest.as_ref()).await;
    // Without `finish`, the receiver learns that the body is incomplete.
    written?;
    let trailers = match rest.filter(|_| may_have_trailers).map(Incoming::trailers) {
        None => None,
        Some(trailers) => {
            ready(trailers.subscribe()).await;
            let trailers = trailers.get().and_then(Result::ok).and_then(Result::ok).flatten();
            // A host may give no trailers as an empty list, and still not accept one.
            trailers.filter(|trailers| !trailers.entries().is_empty())
        }
    };
    OutgoingBody::finish(to, trailers).map_err(|_| Broken)
}

async fn write_to(to: &OutgoingBody, first: &[u8], rest: Option<&Incoming>) -> Result<(), Broken> {
    let stream = to.write().map_err(|()| Broken)?;
    write(&stream, first).await?;
    let Some(rest) = rest else { return Ok(()) };
    // `splice` would be fewer calls of the host, but jco's fails.
    loop {
        match rest.part()? {
            Part::Bytes(bytes) => write(&stream, &bytes).await?,
            Part::Later => {
                // What arrived is passed on before the next wait, as server-sent events need it.
                flush(&stream)?;
                rest.wait().await;
            }
            Part::End => return Ok(()),
        }
    }
}

/// Writes everything. The host may keep it until the stream is flushed or its body is finished.
pub(crate) async fn write(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), Broken> {
    while !bytes.is_empty() {
        let room = writable(stream).await?.min(bytes.len());
        let (now, later) = bytes.split_at(room);
        stream.write(now).map_err(|_| Broken)?;
        bytes = later;
    }
    Ok(())
}

/// Passes on what was written.
pub(crate) fn flush(stream: &OutputStream) -> Result<(), Broken> {
    stream.flush().map_err(|_| Broken)
}

/// How many bytes the stream takes now, once it takes any.
async fn writable(stream: &OutputStream) -> Result<usize, Broken> {
    loop {
        match stream.check_write() {
            Ok(0) => ready(stream.subscribe()).await,
            Ok(room) => return Ok(usize::try_from(room).unwrap_or(usize::MAX)),
            Err(_) => return Err(Broken),
        }
    }
}

/// The body of a request.
pub(crate) struct Body {
    /// What was read of it already.
    pub(crate) first: Vec<u8>,
    /// What was not. `None` at its end.
    pub(crate) rest: Option<Incoming>,
}

impl Body {
    /// A body of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { first: bytes.to_vec(), rest: None }
    }

    /// The body of the request that arrived, which says how many bytes it has. Where it does not, only its beginning shows
    /// whether there is any.
    pub(crate) async fn arrived(body: Option<IncomingBody>, length: Option<&str>) -> Result<Self, Broken> {
        let incoming = body.filter(|_| length != Some("0")).and_then(|body| Incoming::new(body, length));
        let Some(incoming) = incoming else { return Ok(Self::of(&[])) };
        if length.is_some() {
            return Ok(Self { first: Vec::new(), rest: Some(incoming) });
        }
        Ok(match incoming.next().await? {
            None => Self::of(&[]),
            Some(first) => Self { first, rest: Some(incoming) },
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.rest.is_none()
    }

    /// Reads to the end. `Ok(None)` as soon as it is larger than `limit` bytes.
    pub(crate) async fn read_all(self, limit: usize) -> Result<Option<Vec<u8>>, Broken> {
        let mut all = self.first;
        if all.len() > limit {
            return Ok(None);
        }
        let Some(rest) = self.rest else { return Ok(Some(all)) };
        let rest = rest.read_all(limit - all.len()).await?;
        Ok(rest.map(|rest| {
            all.extend(rest);
            all
        }))
    }
}
