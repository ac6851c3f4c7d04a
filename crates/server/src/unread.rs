//! Answers over HTTP/2 that their clients do not read. TCP cannot tell: a client may read its connection and never open the
//! window of one stream (RFC 9113 section 5.2), and the answer, its upstream and what is kept for them would wait with it.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::{Instant, Sleep, sleep_until};

tokio::task_local! {
    static WAITING: Waiting;
}

/// Since when an answer waits until its client reads. Nothing while it waits for us.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting(Rc<Cell<Option<Instant>>>);

impl Waiting {
    /// That of the stream whose task this is, if it is one.
    pub(crate) fn of_stream() -> Option<Self> {
        WAITING.try_with(Self::clone).ok()
    }

    /// The client can read something.
    pub(crate) fn for_client(&self) {
        self.0.set(Some(Instant::now()));
    }

    /// The client has read all that there is.
    pub(crate) fn for_us(&self) {
        self.0.set(None);
    }
}

/// Runs each stream of an HTTP/2 connection on the connection's thread, and ends one whose client reads nothing for so long.
#[derive(Clone)]
pub(crate) struct Streams {
    pub(crate) max_pause: Duration,
}

impl<F: Future<Output: 'static> + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let waiting = Waiting::default();
        drop(tokio::task::spawn_local(until_unread(
            WAITING.scope(waiting.clone(), stream),
            waiting,
            self.max_pause,
        )));
    }
}

/// Runs a stream to its end, or until its client has read nothing for so long. What is dropped then resets the stream.
async fn until_unread(stream: impl Future, waiting: Waiting, max_pause: Duration) {
    let mut stream = pin!(stream);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let Some(since) = waiting.0.get() else {
            timer = None;
            return Poll::Pending;
        };
        let end = since + max_pause;
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() != end {
            timer.as_mut().reset(end);
        }
        timer.as_mut().poll(context)
    })
    .await;
}
