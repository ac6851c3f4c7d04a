//! A proxy of hyper that decides nothing: every request goes to one server, and its response comes back.
//!
//! Usage: `hyper-proxy ADDRESS:PORT SERVER:PORT`

use std::error::Error;
use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::http::uri::{Authority, Scheme};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: hyper-proxy ADDRESS:PORT SERVER:PORT");
    let (listen, server) = (argument()?.parse()?, argument()?.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(listen, server))
}

async fn serve(listen: SocketAddr, server: Authority) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(listen).await?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<HttpConnector, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (client, server) = (client.clone(), server.clone());
        let service = service_fn(move |request| forward(client.clone(), server.clone(), request));
        spawn_local(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn forward(
    client: Client<HttpConnector, Incoming>,
    server: Authority,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(server);
    *request.uri_mut() = Uri::from_parts(parts)?;
    request.headers_mut().remove(header::CONNECTION);
    let mut response = client.request(request).await?;
    response.headers_mut().remove(header::CONNECTION);
    Ok(response)
}
