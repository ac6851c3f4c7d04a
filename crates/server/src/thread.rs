//! A thread that serves requests: its own runtime, its own listening socket, its own connections. The kernel spreads new
//! connections over the sockets (`SO_REUSEPORT`).

use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::answer::answer;
use crate::client::Client;
use crate::connection::{Connection, Open};
use crate::egress::Egress;
use crate::framing::{Seen, Watched};
use crate::jobs::Jobs;
use crate::log;
use crate::metrics::MaybeMetrics;
use crate::options::Options;
use crate::platform::Thread;
use crate::request::{Arrival, MAX_FIELDS};
use crate::serving::{self, Serving};
use crate::settings::Settings;
use crate::store::Sharing;
use crate::tls;
use crate::unread::Streams;
use crate::upstreams::Upstreams;
use vestibule_core::revocation::memory::RevocationMemory;

/// The longest head of a request, in bytes: a session of several cookies, and as much again.
const MAX_HEAD: usize = 64 * 1024;

/// How many requests of one HTTP/2 connection may be open.
const MAX_STREAMS: u32 = 128;

/// How much of an answer is kept for each of these requests until its client reads it, in bytes, besides the last part that the
/// upstream sent. A client may open all of them and read nothing.
const MAX_UNREAD: usize = 64 * 1024;

/// How often a silent HTTP/2 connection is asked whether the client is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// How HTTP/2 begins where no TLS says so (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The pauses in which the rest of [`PREFACE`] is waited for: the first, and the longest. A client may send its first byte and
/// no more.
const PREFACE_PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_secs(1)];

/// The pause after a connection could not be accepted, for example because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a new connection may be silent while the process ends.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// What the threads share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) options: Arc<Options>,
    /// The configuration. It was checked.
    pub(crate) settings: watch::Receiver<Arc<Settings>>,
    /// Whether the process is to end.
    pub(crate) ends: watch::Receiver<bool>,
    pub(crate) sharing: Sharing,
    pub(crate) revocations: RevocationMemory,
    pub(crate) upstreams: Upstreams,
    pub(crate) client_tls: Arc<rustls::ClientConfig>,
    pub(crate) egress: Option<Egress>,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) metrics: MaybeMetrics,
}

/// Serves until the process is to end, and then until its requests are answered, or the time for that is over. Gives how many
/// connections and jobs are broken off then.
pub(crate) fn run(listener: StdListener, shared: Shared) -> std::io::Result<usize> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(serve(listener, shared))
}

async fn serve(listener: StdListener, shared: Shared) -> std::io::Result<usize> {
    let listener = TcpListener::from_std(listener)?;
    let Shared {
        options,
        mut settings,
        ends,
        sharing,
        revocations,
        upstreams,
        client_tls,
        egress,
        connections,
        metrics,
    } = shared;
    let jobs = Jobs::default();
    let client = Client::new(client_tls, egress);
    let store = sharing.into_store(metrics.clone());
    let thread = Thread { client, store, upstreams, jobs: jobs.clone(), metrics: metrics.clone() };
    let thread = Rc::new(thread);
    let first = Arc::clone(&settings.borrow_and_update());
    let serving = Serving::new(options, thread, revocations, &first);
    let serving = Rc::new(serving.map_err(|error| std::io::Error::other(error.to_string()))?);
    drop(tokio::task::spawn_local(serving::reload(Rc::clone(&serving), settings)));
    let spawn = |stream, peer, permit| {
        let counted = metrics.as_ref().map(|metrics| metrics.connection());
        let open = Open::new(permit, counted);
        drop(jobs.spawn(connection(Rc::clone(&serving), stream, peer, ends.clone(), open)));
    };
    let is_ending = || async {
        let mut ends = ends.clone();
        ends.wait_for(|ends| *ends).await.ok();
    };
    loop {
        tokio::select! {
            biased;
            () = is_ending() => break,
            accepted = listener.accept() => match accepted {
                // Only then: a place that is kept for no one would be missed by another thread's connections.
                Ok((stream, peer)) => tokio::select! {
                    biased;
                    permit = Arc::clone(&connections).acquire_owned() => spawn(stream, peer, permit.ok()),
                    () = is_ending() => spawn(stream, peer, None),
                },
                Err(error) => {
                    log::say(format_args!("a connection could not be accepted: {error}"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // Those that the kernel has accepted for this socket would be reset with it.
    while let Some((stream, peer)) = waiting(&listener).await {
        spawn(stream, peer, None);
    }
    drop(listener);
    tokio::time::timeout(serving.options().drain, jobs.all_done()).await.ok();
    Ok(jobs.running())
}

/// A connection that waits to be accepted, if there is one.
async fn waiting(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    poll_fn(|context| match listener.poll_accept(context) {
        Poll::Ready(Ok(accepted)) => Poll::Ready(Some(accepted)),
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn connection(
    serving: Rc<Serving>,
    stream: TcpStream,
    peer: SocketAddr,
    ends: watch::Receiver<bool>,
    open: Open,
) {
    let open = Rc::new(open);
    stream.set_nodelay(true).ok();
    let deadline = serving.options().header_timeout;
    let tls = serving.tls();
    #[allow(clippy::single_match_else, reason = "the two ways are alike")]
    match tls {
        Some(tls) => {
            let Some(stream) = begun(TlsAcceptor::from(tls).accept(stream), deadline, &ends).await else {
                return;
            };
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::H2);
            serve_on(serving, stream, Arrival::new(true, peer), open, is_http2, ends).await;
        }
        None => {
            let Some(is_http2) = begun(begins_http2(&stream), deadline, &ends).await else { return };
            serve_on(serving, stream, Arrival::new(false, peer), open, is_http2, ends).await;
        }
    }
}

/// The beginning of a connection, if it comes in time. A process that ends waits a moment for it: the client may not know yet.
async fn begun<T>(
    beginning: impl Future<Output = std::io::Result<T>>,
    deadline: Duration,
    ends: &watch::Receiver<bool>,
) -> Option<T> {
    let mut ends = ends.clone();
    let ending = async {
        ends.wait_for(|ends| *ends).await.ok();
        tokio::time::sleep(LAST_MOMENT).await;
    };
    tokio::select! {
        biased;
        begun = tokio::time::timeout(deadline, beginning) => begun.ok()?.ok(),
        () = ending => None,
    }
}

/// Whether a connection begins as HTTP/2 does. Waits until that is known.
async fn begins_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut begin = [0; PREFACE.len()];
    let [mut pause, max_pause] = PREFACE_PAUSES;
    loop {
        let length = stream.peek(&mut begin).await?;
        let begin = begin.get(..length).unwrap_or_default();
        if begin.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if begin == PREFACE || !PREFACE.starts_with(begin) {
            return Ok(begin == PREFACE);
        }
        // What arrived stays readable, so there is no event for the rest, and no end of the stream behind it.
        if stream.ready(Interest::READABLE).await?.is_read_closed() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(max_pause);
    }
}

/// Serves the requests of a connection. When the process is to end, those that have begun are still answered.
async fn serve_on(
    serving: Rc<Serving>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    arrival: Arrival,
    open: Rc<Open>,
    is_http2: bool,
    mut ends: watch::Receiver<bool>,
) {
    let seen = Arc::new(Seen::default());
    let (streams, in_flight) = watch::channel(0);
    let streams = is_http2.then_some(streams);
    let connection = Rc::new(Connection::new(arrival, open, Arc::clone(&seen), streams));
    let deadline = serving.options().header_timeout;
    let executor = Streams { max_pause: serving.options().body_timeout };
    let service = service_fn(move |request| {
        let (serving, connection) = (Rc::clone(&serving), Rc::clone(&connection));
        async move { answer(&serving, request, &connection).await }
    });
    // An error ends the connection, and its client knows why.
    if is_http2 {
        let mut builder = http2::Builder::new(executor);
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_send_buf_size(MAX_UNREAD)
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            _ = ends.wait_for(|ends| *ends) => {}
            () = idle(in_flight.clone(), deadline) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            biased;
            _ = connection.as_mut() => {}
            // It was told that it ends, and does not end: the client is not there, or means no good.
            () = idle(in_flight, deadline) => {}
        }
    } else {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(deadline)
            .max_buf_size(MAX_HEAD)
            .max_header_size(MAX_HEAD)
            .max_headers(MAX_FIELDS);
        let watched = TokioIo::new(Watched::new(stream, seen));
        let mut connection = pin!(builder.serve_connection(watched, service).with_upgrades());
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            _ = ends.wait_for(|ends| *ends) => connection.as_mut().graceful_shutdown(),
        }
        connection.await.ok();
    }
}

/// Waits until no request was in flight for so long. The head of a request counts once it is complete.
async fn idle(mut in_flight: watch::Receiver<usize>, time: Duration) {
    while in_flight.wait_for(|count| *count == 0).await.is_ok() {
        let begun = in_flight.wait_for(|count| *count > 0);
        if tokio::time::timeout(time, begun).await.is_err() {
            return;
        }
    }
    // Without a connection that could begin one, there is nothing to wait for.
}
