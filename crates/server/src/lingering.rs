//! The end of a connection whose client still sends.
//!
//! A socket that is closed with bytes that no one has read resets its connection, and the client loses the answer that it has not
//! read (RFC 9112 section 9.6): who sends a large file without a session would see a broken connection, and not that it has to
//! sign in. So first only our own half is closed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may go on, and how long it may pause.
const MAX_TIME: Duration = Duration::from_secs(30);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// How many bytes are read at once.
const PART: usize = 8 * 1024;

/// How far the end of a connection is.
#[derive(Default)]
pub(crate) struct Lingering(Option<Half>);

/// A connection of which our half is closed.
struct Half {
    since: Instant,
    pause: Pin<Box<Sleep>>,
}

impl Lingering {
    /// Closes our half, and then waits until the client closes its own, or for so long. What it sends is not looked at.
    pub(crate) fn poll<S: AsyncRead + AsyncWrite>(
        &mut self,
        mut stream: Pin<&mut S>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_none() {
            ready!(stream.as_mut().poll_shutdown(context))?;
        }
        let half =
            self.0.get_or_insert_with(|| Half { since: Instant::now(), pause: Box::pin(sleep(MAX_PAUSE)) });
        let mut part = [0; PART];
        loop {
            let mut buffer = ReadBuf::new(&mut part);
            if stream.as_mut().poll_read(context, &mut buffer).is_pending() {
                return half.pause.as_mut().poll(context).map(Ok);
            }
            // A connection that is broken has ended, too.
            if buffer.filled().is_empty() || half.since.elapsed() > MAX_TIME {
                return Poll::Ready(Ok(()));
            }
            half.pause.as_mut().reset(Instant::now() + MAX_PAUSE);
        }
    }
}
