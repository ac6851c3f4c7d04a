//! Bodies of messages: ours, which are small, and those that are streamed from one side to the other.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use thiserror::Error;
use tokio::time::{Instant, Sleep};

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
    upload: Upload,
}

/// How far a client's body is on its way to an upstream. Clones share it.
#[derive(Clone)]
pub(crate) struct Upload(Arc<Mutex<UploadState>>);

/// Where a client's body is.
#[derive(Clone, Debug)]
pub(crate) enum UploadState {
    /// What was read of it by then is the upstream's to receive. It may be all.
    AtUpstream(Instant),
    /// The upstream waits for the client, which has a deadline of its own.
    AtClient,
    /// It failed, and why.
    Failed(String),
}

impl Upload {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(UploadState::AtUpstream(Instant::now()))))
    }

    /// Where the body is now.
    pub(crate) fn state(&self) -> UploadState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: UploadState) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl ClientBody {
    /// The body of a request, whose client may pause for so long.
    pub(crate) fn new(incoming: Incoming, max_pause: Duration) -> Self {
        Self { incoming, max_pause, deadline: None, upload: Upload::new() }
    }

    /// Whether there is nothing to read.
    pub(crate) fn is_empty(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.poll_in_time(context);
        self.upload.set(match &polled {
            Poll::Pending => UploadState::AtClient,
            Poll::Ready(Some(Err(error))) => UploadState::Failed(error.to_string()),
            Poll::Ready(_) => UploadState::AtUpstream(Instant::now()),
        });
        polled
    }

    fn poll_in_time(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
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

    /// How far it is on its way, if it is a client's.
    pub(crate) fn upload(&self) -> Upload {
        match self {
            Self::Client(client) => client.upload.clone(),
            Self::Whole(_) | Self::Upstream(_) => Upload::new(),
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
