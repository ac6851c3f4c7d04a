//! Outgoing requests: to providers, and to upstreams.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use crate::body::{self, Body, UploadState};
use crate::egress::Egress;
use crate::fields;
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::platform::ForwardError;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection without a request is kept. Servers close theirs after a minute or so; a request on a connection that
/// was closed meanwhile would fail if it cannot be repeated.
const IDLE: Duration = Duration::from_secs(15);

/// How many connections without a request are kept to one server, by each thread.
const MAX_IDLE: usize = 256;

/// How much of a response is read at once, and how long its head may be, in bytes.
const MAX_READ: usize = 64 * 1024;

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
            .build(https);
        Self { http, egress }
    }

    /// Sends a request of Vestibule itself and reads the response.
    pub(crate) async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        let (timeout, limit) = (request.timeout, request.limit);
        match tokio::time::timeout(timeout, self.fetch_untimed(request, limit)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::Timeout(timeout)),
        }
    }

    async fn fetch_untimed(&self, request: FetchRequest, limit: usize) -> Result<FetchResponse, FetchError> {
        let mut outgoing = Request::new(Body::Whole(request.body.into()));
        *outgoing.method_mut() =
            request.method.as_str().parse::<Method>().map_err(|error| connection(&error))?;
        *outgoing.uri_mut() = request.url.parse::<Uri>().map_err(|error| connection(&error))?;
        *outgoing.headers_mut() = fields::write(&request.headers).map_err(|error| connection(&error))?;
        outgoing.headers_mut().entry(header::USER_AGENT).or_insert(USER_AGENT);
        self.redirect(&mut outgoing).map_err(|error| connection(&error))?;
        let response = self.http.request(outgoing).await.map_err(|error| connection(&error))?;
        let (parts, body) = response.into_parts();
        let body = body::read(Body::Upstream(body), limit).await.map_err(|error| connection(&error))?;
        let body = body.ok_or(FetchError::TooLarge(limit))?;
        Ok(FetchResponse { status: parts.status.as_u16(), headers: fields::read(&parts.headers), body })
    }

    /// Lets a request to another host pass the gateway, if there is one.
    pub(crate) fn redirect(&self, request: &mut Request<Body>) -> Result<(), hyper::http::Error> {
        self.egress.as_ref().map_or(Ok(()), |egress| egress.redirect(request))
    }

    /// Sends a request to an upstream, and waits for the head of its response. The upstream may take so long for it once it has
    /// the body, and for each part of the body; what the client takes to send the body does not count.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        deadline: Duration,
    ) -> Result<Response<hyper::body::Incoming>, ForwardError> {
        let upload = request.body().upload();
        let mut response = pin!(self.http.request(request));
        loop {
            let until = match upload.state() {
                UploadState::AtUpstream(since) => since + deadline,
                UploadState::AtClient | UploadState::Failed(_) => Instant::now() + deadline,
            };
            if let Ok(response) = timeout_at(until, response.as_mut()).await {
                return response.map_err(|error| match upload.state() {
                    UploadState::Failed(why) => ForwardError::Incomplete(why),
                    _ => ForwardError::Unreachable(causes(&error)),
                });
            }
            if matches!(upload.state(), UploadState::AtUpstream(since) if since + deadline <= Instant::now())
            {
                return Err(ForwardError::Unreachable(format!("no response within {}s", deadline.as_secs())));
            }
        }
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
