//! What stands in front of a runtime, as a load balancer does: it takes plain HTTP with the scheme in the harness's field, and
//! passes it on as that scheme asks. Bytes are not parsed beyond the first head, so requests that are no HTTP pass, too.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use miniflare_test_harness::SCHEME_HEADER;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

/// A head that is longer is passed on before its end has come.
const MAX_HEAD: usize = 256 * 1024;

/// So long a client may pause in a head that names no scheme. Then the proxy does not wait for the rest.
const PAUSE: Duration = Duration::from_millis(500);

/// Where requests go.
pub(crate) enum Behind {
    /// By TLS to one address, and without it to another one, which exists as soon as it is asked for.
    Tls {
        secure: SocketAddr,
        connector: TlsConnector,
        plain: Arc<dyn Fn() -> io::Result<SocketAddr> + Send + Sync>,
    },
    /// To a server that trusts what this proxy says in `X-Forwarded-Proto` and `X-Forwarded-For`.
    Proxied(SocketAddr),
}

/// A running proxy. Dropping it ends it.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    _end: oneshot::Sender<()>,
}

impl Proxy {
    /// Listens on a free port.
    pub(crate) fn start(behind: Behind) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = oneshot::channel();
        let behind = Arc::new(behind);
        thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    _ = ended => {}
                    () = accept(listener, behind) => {}
                }
            });
        });
        Ok(Self { address, _end: end })
    }
}

async fn accept(listener: TcpListener, behind: Arc<Behind>) {
    while let Ok((client, _)) = listener.accept().await {
        let behind = Arc::clone(&behind);
        // The one at the one end sees that the other one has gone.
        drop(tokio::spawn(async move { carry(client, &behind).await.ok() }));
    }
}

async fn carry(mut client: TcpStream, behind: &Behind) -> io::Result<()> {
    client.set_nodelay(true)?;
    let head = first_head(&mut client).await?;
    match behind {
        Behind::Tls { secure, connector, .. } if scheme(&head) == Some("https") => {
            let server = TcpStream::connect(secure).await?;
            server.set_nodelay(true)?;
            let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
            let mut server = connector.connect(name, server).await?;
            server.write_all(&head).await?;
            copy_bidirectional(&mut client, &mut server).await?;
        }
        Behind::Tls { plain, .. } => {
            let plain = Arc::clone(plain);
            let address = tokio::task::spawn_blocking(move || plain()).await.map_err(io::Error::other)??;
            let mut server = TcpStream::connect(address).await?;
            server.set_nodelay(true)?;
            server.write_all(&head).await?;
            copy_bidirectional(&mut client, &mut server).await?;
        }
        Behind::Proxied(address) => {
            let mut server = TcpStream::connect(address).await?;
            server.set_nodelay(true)?;
            server.write_all(&proxied(&head)).await?;
            pass_proxied(client, server).await?;
        }
    }
    Ok(())
}

/// The bytes of a client until its first head has ended.
async fn first_head(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while end_of_head(&head).is_none() && head.len() < MAX_HEAD {
        let mut bytes = vec![0; 16 * 1024];
        let read = client.read(&mut bytes);
        let read = if head.is_empty() { Ok(read.await) } else { tokio::time::timeout(PAUSE, read).await };
        match read {
            Ok(Ok(0)) | Err(_) => break,
            Ok(read) => head.extend_from_slice(bytes.get(..read?).unwrap_or_default()),
        }
    }
    Ok(head)
}

/// Where the first head ends, after the empty line.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// The scheme that the harness's field names in the first head.
fn scheme(head: &[u8]) -> Option<&str> {
    let head = head.get(..end_of_head(head).unwrap_or(head.len()))?;
    head.split(|byte| *byte == b'\n').find_map(|line| str::from_utf8(field(line, SCHEME_HEADER)?).ok())
}

/// The value of a line, if it is this field.
fn field<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":").filter(|_| start.eq_ignore_ascii_case(name.as_bytes()))?;
    Some(value.trim_ascii())
}

/// The first head as a proxy passes it on, which writes its own fields in place of the client's; and what follows it.
fn proxied(bytes: &[u8]) -> Vec<u8> {
    let Some(end) = end_of_head(bytes) else { return renamed(bytes) };
    let (head, rest) = bytes.split_at(end);
    let scheme = scheme(head).unwrap_or("http");
    let is_replaced = |line: &[u8]| {
        [SCHEME_HEADER, "x-forwarded-proto"].iter().any(|name| field(line, name).is_some()) || line == b"\r\n"
    };
    let mut out = Vec::with_capacity(bytes.len() + 64);
    for line in head.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_replaced(line)) {
        out.extend_from_slice(line);
    }
    out.extend_from_slice(&fields(scheme));
    out.extend_from_slice(b"\r\n");
    out.extend(renamed(rest));
    out
}

/// What the proxy says of a request.
fn fields(scheme: &str) -> Vec<u8> {
    format!("x-forwarded-proto: {scheme}\r\nx-forwarded-for: 127.0.0.1\r\n").into_bytes()
}

/// The proxy's fields in place of the harness's in later requests of a connection.
fn renamed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match field(line, SCHEME_HEADER).and_then(|value| str::from_utf8(value).ok()) {
            Some(scheme) => out.extend_from_slice(&fields(scheme)),
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// Passes bytes in both directions until both have ended.
async fn pass_proxied(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let upload = async {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            match from_client.read(&mut bytes).await? {
                0 => return to_server.shutdown().await,
                read => to_server.write_all(&renamed(bytes.get(..read).unwrap_or_default())).await?,
            }
        }
    };
    let download = async {
        tokio::io::copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(upload, download).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_head_names_the_scheme_and_a_body_does_not() {
        let request =
            b"POST / HTTP/1.1\r\nHost: a\r\nX-Harness-Scheme:  https\r\n\r\nx-harness-scheme: http\r\n";
        assert_eq!(scheme(request), Some("https"));
        assert_eq!(scheme(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), None);
    }

    #[test]
    fn the_proxy_replaces_what_a_client_says_of_the_scheme() {
        let request = b"GET / HTTP/1.1\r\nx-harness-scheme: https\r\nX-Forwarded-Proto: http\r\nX: 1\r\n\r\nGET /2 HTTP/1.1\r\nx-harness-scheme: http\r\n\r\n";
        let expected = "GET / HTTP/1.1\r\nX: 1\r\nx-forwarded-proto: https\r\nx-forwarded-for: 127.0.0.1\r\n\r\nGET /2 HTTP/1.1\r\nx-forwarded-proto: http\r\nx-forwarded-for: 127.0.0.1\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&proxied(request)), expected);
    }
}
