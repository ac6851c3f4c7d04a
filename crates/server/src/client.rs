//! Outgoing requests: to providers, and to upstreams.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body as _;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use crate::body::{self, Body};
use crate::egress::Egress;
use crate::fields;
use crate::upload::UploadState;
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::platform::ForwardError;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// After which silence the other end of a connection is asked whether it is still there, how often, and how many times. A server
/// that has vanished, and says nothing of it, would be waited for without an end: by the readers of a stream, by WebSockets.
const PROBES: (Duration, Duration, u32) = (Duration::from_mins(1), Duration::from_secs(15), 4);

/// How long a connection without a request is kept. Servers close theirs after a minute or so, some after five seconds; a request
/// on a connection that was closed meanwhile fails if it cannot be repeated.
const IDLE: Duration = Duration::from_secs(15);

/// How soon a request fails that meets the end of its connection. One that fails later may be the reason for it.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How many connections without a request are kept to one server, by each thread.
const MAX_IDLE: usize = 256;

/// How much of a response is read at once, and how long its head may be, in bytes.
const MAX_READ: usize = 64 * 1024;

/// How many fields the head of a response may have. An app that removes all its cookies has one for each, and for each domain.
const MAX_FIELDS: usize = 256;

/// What providers see as the client where the request does not say it. Some refuse a request without it.
const USER_AGENT: HeaderValue = HeaderValue::from_static("vestibule");

/// The HTTP client of one thread.
#[derive(Clone)]
pub(crate) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Body>,
    egress: Option<Egress>,
}

impl Client {
    /// A client that trusts what `tls` says, and asks other hosts through a gateway if there is one.
    pub(crate) fn new(tls: Arc<rustls::ClientConfig>, egress: Option<Egress>) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let (silence, interval, count) = PROBES;
        http.set_keepalive(Some(silence));
        http.set_keepalive_interval(Some(interval));
        http.set_keepalive_retries(Some(count));
        // HTTP/1.1: an upstream gets the request's own host, also where it is reached by another name.
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(Arc::unwrap_or_clone(tls))
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .http1_max_buf_size(MAX_READ)
            .http1_max_headers(MAX_FIELDS)
            .build(https);
        Self { http, egress }
    }

    /// Sends a request of Vestibule itself and reads the response.
    pub(crate) async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        let timeout = request.timeout;
        match tokio::time::timeout(timeout, self.fetch_untimed(&request)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::Timeout(timeout)),
        }
    }

    async fn fetch_untimed(&self, request: &FetchRequest) -> Result<FetchResponse, FetchError> {
        let begun = Instant::now();
        let outgoing = self.outgoing(request)?;
        let may_repeat = outgoing.method().is_safe();
        let response = match self.http.request(outgoing).await {
            Err(error) if may_repeat && is_closed(&error, begun) => {
                self.http.request(self.outgoing(request)?).await
            }
            answered => answered,
        };
        let (parts, body) = response.map_err(|error| connection(&error))?.into_parts();
        let body =
            body::read(Body::Upstream(body), request.limit).await.map_err(|error| connection(&error))?;
        let body = body.ok_or(FetchError::TooLarge(request.limit))?;
        Ok(FetchResponse { status: parts.status.as_u16(), headers: fields::read(&parts.headers), body })
    }

    fn outgoing(&self, request: &FetchRequest) -> Result<Request<Body>, FetchError> {
        let mut outgoing = Request::new(Body::Whole(request.body.clone().into()));
        *outgoing.method_mut() =
            request.method.as_str().parse::<Method>().map_err(|error| connection(&error))?;
        *outgoing.uri_mut() = request.url.parse::<Uri>().map_err(|error| connection(&error))?;
        *outgoing.headers_mut() = fields::write(&request.headers).map_err(|error| connection(&error))?;
        outgoing.headers_mut().entry(header::USER_AGENT).or_insert(USER_AGENT);
        say_length(&mut outgoing);
        self.redirect(&mut outgoing).map_err(|error| connection(&error))?;
        Ok(outgoing)
    }

    /// Lets a request to another host pass the gateway, if there is one.
    pub(crate) fn redirect(&self, request: &mut Request<Body>) -> Result<(), hyper::http::Error> {
        self.egress.as_ref().map_or(Ok(()), |egress| egress.redirect(request))
    }

    /// Sends a request to an upstream, and waits for the head of its response. The upstream may take so long for it once it has
    /// the body, and for each part of the body; what the client takes to send the body does not count.
    pub(crate) async fn send(
        &self,
        mut request: Request<Body>,
        deadline: Duration,
    ) -> Result<Response<hyper::body::Incoming>, SendError> {
        say_length(&mut request);
        let begun = Instant::now();
        let upload = request.body().upload();
        let mut response = pin!(self.http.request(request));
        loop {
            let until = match upload.state() {
                // What came before, such as a refresh, is no time of the upstream's.
                UploadState::AtUpstream(since) => since.max(begun) + deadline,
                UploadState::AtClient | UploadState::Failed(_) => Instant::now() + deadline,
            };
            if let Ok(response) = timeout_at(until, response.as_mut()).await {
                return response.map_err(|error| match upload.state() {
                    UploadState::Failed(why) => ForwardError::Incomplete(why).into(),
                    _ if is_closed(&error, begun) => SendError::Closed(causes(&error)),
                    _ => ForwardError::Unreachable(causes(&error)).into(),
                });
            }
            if matches!(upload.state(), UploadState::AtUpstream(since) if since.max(begun) + deadline <= Instant::now())
            {
                let message = format!("no response within {}s", deadline.as_secs());
                return Err(ForwardError::Unreachable(message).into());
            }
        }
    }
}

/// Why a request has no response.
pub(crate) enum SendError {
    /// The connection was closed at once, and nothing answered: the server may have closed it before it saw the request.
    Closed(String),
    /// Anything else.
    Failed(ForwardError),
}

impl From<ForwardError> for SendError {
    fn from(error: ForwardError) -> Self {
        Self::Failed(error)
    }
}

impl From<SendError> for ForwardError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed(why) => Self::Unreachable(why),
            SendError::Failed(error) => error,
        }
    }
}

/// Whether a request that was sent at `begun` has met the end of its connection. A server ends one without requests after a while
/// that is its own, and the next request may be under way already (RFC 9112 section 9.3.1).
fn is_closed(error: &legacy::Error, begun: Instant) -> bool {
    let of_hyper = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
    let io = of_hyper.and_then(|error| error.source()?.downcast_ref::<io::Error>());
    let is_reset = |error: &io::Error| {
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
        )
    };
    begun.elapsed() < AT_ONCE
        && !error.is_connect()
        && (of_hyper.is_some_and(hyper::Error::is_incomplete_message) || io.is_some_and(is_reset))
}

/// Says how long the body of a request is where hyper would not. A server may refuse a request without a length that could have a
/// body (RFC 9110 section 8.6); and of a GET hyper sends a body of unknown length only if its coding is named.
fn say_length(request: &mut Request<Body>) {
    let is_empty = request.body().is_end_stream();
    let is_known = request.body().size_hint().exact().is_some();
    let has_no_meaning = request.method().is_safe() || request.method() == Method::DELETE;
    let headers = request.headers_mut();
    if is_empty && !has_no_meaning {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    } else if !is_empty && !is_known {
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

fn connection(error: &dyn std::error::Error) -> FetchError {
    FetchError::Connection(causes(error))
}

/// An error with what caused it: hyper's own texts do not say why a connection failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
