//! What the requests of a connection have in common.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::framing::Seen;
use crate::metrics::Counted;
use crate::request::Arrival;

/// A connection of a client.
pub(crate) struct Connection {
    pub(crate) arrival: Arrival,
    pub(crate) open: Rc<Open>,
    /// What is known of its requests, if it is HTTP/1.1.
    pub(crate) seen: Arc<Seen>,
    /// How many of its requests are in flight, if it is HTTP/2.
    streams: Option<watch::Sender<usize>>,
}

/// What is held as long as a connection is open, also after it has left HTTP.
pub(crate) struct Open {
    _permit: Option<OwnedSemaphorePermit>,
    _counted: Option<Counted>,
}

/// A request of an HTTP/2 connection, which is in flight until this is dropped.
pub(crate) struct Stream(watch::Sender<usize>);

impl Connection {
    /// A connection without a request. `streams` counts those in flight.
    pub(crate) fn new(
        arrival: Arrival,
        open: Rc<Open>,
        seen: Arc<Seen>,
        streams: Option<watch::Sender<usize>>,
    ) -> Self {
        Self { arrival, open, seen, streams }
    }

    /// One more request is in flight.
    pub(crate) fn stream(&self) -> Option<Stream> {
        let streams = self.streams.clone()?;
        streams.send_modify(|count| *count += 1);
        Some(Stream(streams))
    }
}

impl Open {
    /// Holds one of the connections that may be open, and counts it.
    pub(crate) const fn new(permit: Option<OwnedSemaphorePermit>, counted: Option<Counted>) -> Self {
        Self { _permit: permit, _counted: counted }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
