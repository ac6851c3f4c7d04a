//! A plain address that leads to a server with TLS, so that a test can write the bytes inside.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use crate::certificates::Authority;

/// Both ends of each connection are closed when the other one is. Dropping it ends all of them.
pub(crate) struct Tunnel {
    pub(crate) address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Tunnel {
    /// To HTTP/2 at this server, whose certificate is of this authority.
    pub(crate) fn to(server: SocketAddr, authority: &Authority) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut config =
            ClientConfig::builder().with_root_certificates(authority.roots()).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let accept = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        drop(tokio::spawn(pass(stream, server, connector.clone())));
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = ended => {}
                }
            });
        });
        Self { address, end: Some(end), thread: Some(thread) }
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, connector: TlsConnector) -> Option<()> {
    let stream = TcpStream::connect(server).await.ok()?;
    client.set_nodelay(true).ok()?;
    stream.set_nodelay(true).ok()?;
    let name = ServerName::try_from("app.example.com").ok()?;
    let mut stream = connector.connect(name, stream).await.ok()?;
    copy_bidirectional(&mut client, &mut stream).await.ok().map(drop)
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        drop(self.end.take());
        self.thread.take().map(JoinHandle::join);
    }
}
