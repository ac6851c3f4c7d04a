//! `--health`: asks the server at the same address whether it answers. An image without a shell has no other program for
//! its health check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::client::Client;
use crate::options::Options;
use crate::pinned;
use crate::settings::Settings;
use crate::tls;
use vestibule_core::http::client::FetchRequest;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::Method;

/// How long the answer may take.
const LIMIT: Duration = Duration::from_secs(3);

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 1024;

/// Whether the server answers `GET BASE_PATH/health` with 200. The error says what it answers instead.
pub(crate) fn ask(options: &Options) -> Result<(), String> {
    let (scheme, tls) = match options.tls_certificate.as_deref() {
        Some(certificate) => ("https", pinned::client(certificate).map_err(|error| error.to_string())?),
        None => ("http", tls::client(None).map_err(|error| error.to_string())?),
    };
    let url = format!("{scheme}://{}{}/health", reachable(options.listen), Settings::base_path(options));
    let request = FetchRequest {
        method: Method::Get,
        url: url.clone(),
        headers: Headers::default(),
        body: Vec::new(),
        timeout: LIMIT,
        limit: MAX_ANSWER,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    match runtime.block_on(async { Client::new(Arc::new(tls), None).fetch(request).await }) {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(format!("{url} answers with {}", answer.status)),
        Err(error) => Err(format!("{url} does not answer: {error}")),
    }
}

/// The address at which a server that listens there is reached from the same machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("127.0.0.1:1", "127.0.0.1:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
