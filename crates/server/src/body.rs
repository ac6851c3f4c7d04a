//! Bodies of messages: ours, which are small, and those that are streamed from one side to the other.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use crate::connection::Stream;
use crate::metrics::Counted;
use crate::unread::Waiting;
use crate::upload::{Answer, BodyError, ClientBody, Upload};

/// A body.
pub(crate) enum Body {
    /// These bytes, or none.
    Whole(Bytes),
    /// What an upstream sends. How long it pauses is its own affair.
    Upstream(Incoming),
    /// The same, while the client still sends what it answers.
    Early(Incoming, #[expect(dead_code, reason = "it counts when it is dropped")] Answer),
    /// What a client sends.
    Client(ClientBody),
}

/// The body of an answer. Its request is in flight until all of it is sent.
pub(crate) struct AnswerBody {
    body: Body,
    waiting: Option<Waiting>,
    _in_flight: InFlight,
}

/// What is held until all of an answer is sent.
pub(crate) type InFlight = (Option<Counted>, Option<Stream>);

impl Body {
    /// No bytes.
    pub(crate) const fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    /// How far it is on its way, if it is a client's.
    pub(crate) fn upload(&self) -> Upload {
        match self {
            Self::Client(client) => client.upload(),
            Self::Whole(_) | Self::Upstream(_) | Self::Early(..) => Upload::new(None),
        }
    }
}

impl AnswerBody {
    /// The body of an answer to a request that counts as in flight.
    pub(crate) fn new(body: Body, in_flight: InFlight) -> Self {
        let waiting = Waiting::of_stream();
        if let Some(waiting) = &waiting {
            waiting.for_client();
        }
        Self { body, waiting, _in_flight: in_flight }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Upstream(incoming) | Self::Early(incoming, _) => Pin::new(incoming)
                .poll_frame(context)
                .map(|frame| frame.map(|it| it.map_err(BodyError::Failed))),
            Self::Client(client) => client.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Upstream(incoming) | Self::Early(incoming, _) => incoming.is_end_stream(),
            Self::Client(client) => client.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Upstream(incoming) | Self::Early(incoming, _) => incoming.size_hint(),
            Self::Client(client) => client.size_hint(),
        }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Some(waiting) = &self.waiting {
            // The next frame is asked for once the client has room for it.
            if matches!(polled, Poll::Ready(Some(Ok(_)))) { waiting.for_client() } else { waiting.for_us() }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How much of a client's body is still read after it was found too large. A connection that is closed with unread bytes is
/// reset, and the client may lose the answer that says why.
const MAX_DISCARDED: usize = 256 * 1024;

/// Reads a whole body of at most `limit` bytes. `None` if it is larger.
pub(crate) async fn read(mut body: Body, limit: usize) -> Result<Option<Vec<u8>>, BodyError> {
    let (mut bytes, mut discarded) = (Vec::new(), 0);
    let is_of_client = matches!(body, Body::Client(_));
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = match frame {
            Err(_) if discarded > 0 => return Ok(None),
            frame => frame?,
        };
        let Ok(data) = frame.into_data() else { continue };
        if discarded > 0 || bytes.len() + data.len() > limit {
            discarded += data.len();
            if !is_of_client || discarded > MAX_DISCARDED {
                return Ok(None);
            }
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((discarded == 0).then_some(bytes))
}
