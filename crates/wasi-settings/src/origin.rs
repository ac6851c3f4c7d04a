//! The origin of a server that a variable names.

use std::net::Ipv4Addr;

use vestibule_core::http::url::Url;
use vestibule_core::upstream::Target;

/// The scheme, the host, and the port if it is not the scheme's (RFC 6454 section 6.2), as one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The origin of a URL.
    pub fn of(url: &Url) -> Self {
        Self(url.origin().to_owned())
    }

    /// Reads a URL that is an origin. The error is the problem.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // Every instance reads it, and may be of one request.
        if is_serialized(text) {
            return Ok(Self(text.to_owned()));
        }
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if url.path() == "/" && url.query().is_none() && url.fragment().is_none() {
            Ok(Self::of(&url))
        } else {
            Err("the URL must not have a path, a query or a fragment, which are those of the request"
                .to_owned())
        }
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the scheme is `https`.
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// The host and the port.
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The same server as a target of the configuration.
    pub fn target(&self) -> Option<Target> {
        Url::parse(&self.0).ok().map(Target::Url)
    }
}

/// Whether the text is an origin as [`Url::origin`] gives it. False also for some that are: a name with international labels, an
/// IPv6 address.
fn is_serialized(text: &str) -> bool {
    let (rest, default) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (rest, "80"),
        (_, Some(rest)) => (rest, "443"),
        _ => return false,
    };
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let is_port = |port: &str| {
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        is_number && port != default && (port == "0" || !port.starts_with('0'))
    };
    (is_name(host) || host.parse::<Ipv4Addr>().is_ok()) && port.is_none_or(is_port)
}

/// Whether the host is a name in small letters that no one takes for an address.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_plain) && !label.starts_with("xn--")
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253
        && host.split('.').all(is_label)
        && last.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_url_says_of_it_however_it_is_read() {
        let hosts = [
            "app",
            "a-1.b2",
            "localhost",
            "127.0.0.1",
            "10.0.0.7",
            "127.1",
            "1.2.3.04",
            "0x7f.1",
            "1.2.3.256",
            "a.1",
            "a.0x1",
            "1a",
            "a.1a",
            "A",
            "a_b",
            "a..b",
            ".a",
            "a.",
            "xn--a",
            "xn--nxasmq6b",
            "a.xn--nxasmq6b",
            "[::1]",
            "[::1",
            "",
            "a b",
            "é",
            "a%41",
            "-",
            "-a",
            "a-",
            "a@b",
            "a\\b",
            "a:b",
        ];
        let ports = [
            "", ":", ":80", ":443", ":3000", ":0", ":00", ":080", ":65535", ":65536", ":+1", ":1:2", ": 1",
            ":1/", ":1?a", ":1#",
        ];
        let mut plain = 0;
        for scheme in ["http", "https", "HTTP", "ftp"] {
            for (host, port) in hosts.iter().flat_map(|host| ports.iter().map(move |port| (host, port))) {
                let text = format!("{scheme}://{host}{port}");
                let url = Url::parse(&text)
                    .ok()
                    .filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none());
                let origin = Origin::parse(&text).ok();
                assert_eq!(origin.as_ref().map(Origin::as_str), url.as_ref().map(Url::origin), "{text}");
                let Some((origin, url)) = origin.zip(url) else { continue };
                assert_eq!(origin.is_secure(), url.is_secure(), "{text}");
                assert_eq!(Some(origin.authority()), url.origin().split("://").nth(1), "{text}");
                assert_eq!(origin.target(), Some(Target::Url(url)), "{text}");
                plain += usize::from(is_serialized(&text));
            }
        }
        assert!(plain > 50, "{plain} were read without a parser");
    }
}
