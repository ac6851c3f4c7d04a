//! Bodies of messages: ours, which are small, and those that are streamed from one side to the other.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use thiserror::Error;
use tokio::time::Sleep;

use crate::connection::Stream;
use crate::metrics::Counted;
use crate::unread::Waiting;

/// A body.
pub(crate) enum Body {
    /// These bytes, or none.
    Whole(Bytes),
    /// What an upstream sends. How long it pauses is its own affair.
    Upstream(Incoming),
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

/// What a client sends, which fails if nothing arrives for a time.
pub(crate) struct ClientBody {
    incoming: Incoming,
    max_pause: Duration,
    /// When it fails. `None` until it had to wait once.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl ClientBody {
    /// The body of a request, whose client may pause for so long.
    pub(crate) fn new(incoming: Incoming, max_pause: Duration) -> Self {
        Self { incoming, max_pause, deadline: None }
    }

    /// Whether there is nothing to read.
    pub(crate) fn is_empty(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) {
            self.deadline = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Failed)));
        }
        let max_pause = self.max_pause;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(max_pause)));
        deadline.as_mut().poll(context).map(|()| Some(Err(BodyError::TooSlow)))
    }
}

impl Body {
    /// No bytes.
    pub(crate) const fn empty() -> Self {
        Self::Whole(Bytes::new())
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

/// Why a body did not arrive.
#[derive(Debug, Error)]
pub(crate) enum BodyError {
    #[error("{0}")]
    Failed(#[from] hyper::Error),
    #[error("the client sent nothing for too long")]
    TooSlow,
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
            Self::Upstream(incoming) => Pin::new(incoming)
                .poll_frame(context)
                .map(|frame| frame.map(|it| it.map_err(BodyError::Failed))),
            Self::Client(client) => client.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Upstream(incoming) => incoming.is_end_stream(),
            Self::Client(client) => client.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Upstream(incoming) => incoming.size_hint(),
            Self::Client(client) => client.incoming.size_hint(),
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

/// Reads a whole body of at most `limit` bytes. `None` if it is larger.
pub(crate) async fn read(mut body: Body, limit: usize) -> Result<Option<Vec<u8>>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame?.into_data() {
            if bytes.len() + data.len() > limit {
                return Ok(None);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Some(bytes))
}
