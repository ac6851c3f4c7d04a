//! A client's body on its way to an upstream, and how far it is.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep};

/// What a client sends, which fails if nothing arrives for a time.
pub(crate) struct ClientBody {
    upload: Upload,
    max_pause: Duration,
    /// When it fails. `None` until it had to wait once.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// How far a client's body is on its way to an upstream. Clones share it.
#[derive(Clone)]
pub(crate) struct Upload(Arc<Mutex<Shared>>);

struct Shared {
    state: UploadState,
    /// The body, until all of it was read, or no one needs it any more.
    incoming: Option<Incoming>,
    /// Whether the upstream's answer has ended.
    is_answered: bool,
}

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

/// The answer to a request whose body is still on its way. It has ended where this is dropped.
pub(crate) struct Answer(Upload);

/// Why a body did not arrive.
#[derive(Debug, Error)]
pub(crate) enum BodyError {
    #[error("{0}")]
    Failed(#[from] hyper::Error),
    #[error("the client sent nothing for too long")]
    TooSlow,
    #[error("the upstream has answered and takes no more")]
    GivenUp,
}

impl Upload {
    /// Of this body, or of one that is whole.
    pub(crate) fn new(incoming: Option<Incoming>) -> Self {
        let state = UploadState::AtUpstream(Instant::now());
        Self(Arc::new(Mutex::new(Shared { state, incoming, is_answered: false })))
    }

    /// Where the body is now.
    pub(crate) fn state(&self) -> UploadState {
        self.shared().state.clone()
    }

    /// The answer to a request whose head is there. `None` where nothing of the body is left.
    ///
    /// An upstream may answer before it has the whole body, keep its connection open and take no more. The client's connection would
    /// wait with it, also if the client has left: while there is no room for what it sends, no one looks at it. So once the answer
    /// has ended, the rest is given up when nothing of it was taken for this time.
    pub(crate) fn answer(self, max_pause: Duration) -> Option<Answer> {
        self.shared().incoming.as_ref()?;
        drop(tokio::task::spawn_local(self.clone().until_given_up(max_pause)));
        Some(Answer(self))
    }

    async fn until_given_up(self, max_pause: Duration) {
        while !self.is_given_up(max_pause) {
            sleep(max_pause).await;
        }
    }

    fn is_given_up(&self, max_pause: Duration) -> bool {
        let mut shared = self.shared();
        let is_idle = matches!(shared.state, UploadState::AtUpstream(since) if since.elapsed() >= max_pause);
        if shared.is_answered && is_idle {
            shared.incoming = None;
        }
        shared.incoming.is_none()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.shared().is_answered = true;
    }
}

impl ClientBody {
    /// The body of a request, whose client may pause for so long.
    pub(crate) fn new(incoming: Incoming, max_pause: Duration) -> Self {
        Self { upload: Upload::new(Some(incoming)), max_pause, deadline: None }
    }

    /// How far it is.
    pub(crate) fn upload(&self) -> Upload {
        self.upload.clone()
    }

    /// Whether there is nothing to read.
    pub(crate) fn is_empty(&self) -> bool {
        self.upload.shared().incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.upload.shared().incoming.as_ref().map_or_else(SizeHint::default, Incoming::size_hint)
    }

    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut shared = self.upload.shared();
        let polled = match shared.incoming.as_mut().map(|incoming| Pin::new(incoming).poll_frame(context)) {
            Some(Poll::Ready(frame)) => {
                self.deadline = None;
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Failed)))
            }
            Some(Poll::Pending) => {
                let max_pause = self.max_pause;
                let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(max_pause)));
                deadline.as_mut().poll(context).map(|()| Some(Err(BodyError::TooSlow)))
            }
            None => Poll::Ready(Some(Err(BodyError::GivenUp))),
        };
        shared.state = match &polled {
            Poll::Pending => UploadState::AtClient,
            Poll::Ready(Some(Err(error))) => UploadState::Failed(error.to_string()),
            Poll::Ready(_) => UploadState::AtUpstream(Instant::now()),
        };
        polled
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        self.upload.shared().incoming = None;
    }
}
