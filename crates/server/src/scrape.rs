//! The address at which the metrics are scraped. It is one of its own, so that what the site shows to the world never has
//! them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::body::Body;
use crate::metrics::Metrics;

/// Where they are: below the path that the documents name, and where Prometheus looks by itself.
const PATHS: [&str; 2] = ["/auth/metrics", "/metrics"];

/// The type of the text (OpenMetrics 1.0).
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// How many connections may be open. More wait.
const MAX_CONNECTIONS: usize = 16;

/// How long a connection may be without a request.
const IDLE: Duration = Duration::from_mins(2);

/// The pause after a connection could not be accepted, for example because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens in a thread of its own until the process has ended, also while it ends. Gives the address. The error is a message
/// for the operator.
pub(crate) fn listen(address: SocketAddr, metrics: Arc<Metrics>) -> Result<SocketAddr, String> {
    let failed = |error: std::io::Error| format!("--metrics: {address} cannot be listened on: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || runtime.block_on(accept(listener, metrics)))
        .map_err(failed)?;
    Ok(bound)
}

async fn accept(listener: TcpListener, metrics: Arc<Metrics>) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(permit) = Arc::clone(&connections).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = Arc::clone(&metrics);
                tokio::spawn(async move {
                    serve(stream, metrics).await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, metrics: Arc<Metrics>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let response = answer(&request, &metrics);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE);
    // An error ends the connection, and its client knows why.
    builder.serve_connection(TokioIo::new(stream), service).await.ok();
}

fn answer<B>(request: &Request<B>, metrics: &Metrics) -> Response<Body> {
    if !PATHS.contains(&request.uri().path()) {
        return plain(StatusCode::NOT_FOUND, "The metrics are at /auth/metrics.");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "The metrics are only read.");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let Ok(text) = metrics.text() else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "The metrics could not be written.");
    };
    let mut response = Response::new(Body::Whole(text.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, OPENMETRICS);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::Whole(text.into()));
    *response.status_mut() = status;
    response
}
