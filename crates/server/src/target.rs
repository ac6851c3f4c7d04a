//! The origin of a server that requests are sent to.

use std::net::Ipv6Addr;

use hyper::Uri;
use hyper::http::uri::{Authority, Scheme};

/// A server that requests are sent to, and the `Host` that they get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    scheme: Scheme,
    authority: Authority,
}

impl Server {
    /// Reads an origin: `http://127.0.0.1:3000`. `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts = text.parse::<Uri>().ok()?.into_parts();
        let has_path = parts.path_and_query.is_some_and(|path| path.as_str() != "/");
        let scheme = parts.scheme.filter(|scheme| matches!(scheme.as_str(), "http" | "https"))?;
        let authority = parts.authority.filter(|authority| !authority.as_str().contains('@'))?;
        (!has_path && is_host(&authority)).then_some(Self { scheme, authority })
    }

    /// Whether it is reached by https.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Its host, without the port.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    /// The address of a path and its query there.
    pub(crate) fn at(&self, path_and_query: &str) -> Result<Uri, hyper::http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path_and_query)
            .build()
    }
}

/// Whether it is a host, with a port or without: hyper also takes what no URL has, such as `[app]` and `[::1]x`.
fn is_host(authority: &Authority) -> bool {
    let host = authority.host();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_good = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_name),
    };
    let port = authority.as_str().strip_prefix(host).unwrap_or_default();
    is_good && (port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_origin_and_nothing_else() {
        let server = Server::parse("http://app:3000").unwrap();
        assert_eq!(server.at("/a%2F?b").unwrap(), "http://app:3000/a%2F?b");
        assert_eq!(Server::parse("https://app.example.com/"), Server::parse("https://app.example.com"));
        for text in [
            "",
            "app:3000",
            "/",
            "ftp://app",
            "http://u@app",
            "http://app/path",
            "http://app?q",
            "http://[]",
            "http://[app]",
            "http://[::1]x",
        ] {
            assert_eq!(Server::parse(text), None, "{text}");
        }
    }
}
