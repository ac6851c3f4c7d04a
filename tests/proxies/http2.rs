//! A client that speaks HTTP/2 without TLS (RFC 9113 section 3.3).

use std::net::SocketAddr;

use http_body_util::BodyExt;
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::exchange::MAX_WAIT;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: String,
    pub body: String,
}

/// Sends a request to the app's host on a connection of its own.
///
/// # Panics
/// If there is no whole answer in time.
pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let answer = tokio::time::timeout(MAX_WAIT, exchange(address, method, path, headers, body)).await;
        answer.unwrap_or_else(|_| panic!("no answer in time to {method} {path}"))
    })
}

async fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let stream = TcpStream::connect(address).await.expect("the proxy listens");
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(format!("http://app.example.com{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.to_owned()).expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole answer").to_bytes();
    let location = head.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
    connection.abort();
    Answer {
        status: head.status.as_u16(),
        location: location.to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}
