//! The head of a request, on which every decision is based. The body stays with the platform.

use std::net::{IpAddr, SocketAddr};

use super::headers::Headers;

/// The head of a request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The URL, split but not decoded.
    pub url: RequestUrl,
    /// The header fields.
    pub headers: Headers,
}

impl Request {
    /// The media type of the body in lower case, without its parameters (RFC 9110 section 8.3.1). Empty without one. Of several
    /// fields it is none that anyone accepts.
    pub fn media_type(&self) -> String {
        let content_type = self.headers.joined("content-type");
        content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Whether it is a CORS preflight (Fetch standard section 4.8): `OPTIONS` with the origin and the method of the
    /// request that will follow.
    pub fn is_preflight(&self) -> bool {
        self.method == Method::Options
            && self.headers.contains("origin")
            && self.headers.contains("access-control-request-method")
    }

    /// Whether it is a prefetch, whose response may never be shown: by a browser (Fetch standard, `Sec-Purpose`;
    /// earlier `Purpose` and `X-Moz`) or by Next.js.
    pub fn is_prefetch(&self) -> bool {
        let says = |name: &str| self.headers.get(name).is_some_and(|value| value.contains("prefetch"));
        let has_field = |name: &str| self.headers.contains(name);
        matches!(self.method, Method::Get | Method::Head)
            && (["sec-purpose", "purpose", "x-moz"].into_iter().any(says)
                || ["next-router-prefetch", "x-middleware-prefetch"].into_iter().any(has_field))
    }

    /// Whether a user waits for a page, so that a redirect works. A script would follow a redirect and get a page
    /// instead of data. A browser that prefetches would keep the page behind the redirect, and show it even after the
    /// user has signed in.
    pub fn is_navigation(&self) -> bool {
        if self.opens_websocket()
            || self.is_prefetch()
            || !matches!(self.method, Method::Get | Method::Head | Method::Post)
        {
            return false;
        }
        if let Some(mode) = self.headers.get("sec-fetch-mode") {
            return mode == "navigate";
        }
        let accepts_html = |accept: &str| accept.to_ascii_lowercase().contains("text/html");
        !self.headers.contains("x-requested-with") && self.headers.get("accept").is_some_and(accepts_html)
    }

    /// Whether the request opens a WebSocket, or may: it asks for another protocol, or has a field of a WebSocket's handshake
    /// (RFC 6455 section 4.1). Proxies take `Upgrade` out of a request that they ask about, but not these fields, which no
    /// script can set.
    pub fn opens_websocket(&self) -> bool {
        ["upgrade", "sec-websocket-key", "sec-websocket-version"]
            .iter()
            .any(|name| self.headers.contains(name))
            || self.headers.get_all("sec-fetch-mode").any(|mode| mode == "websocket")
    }
}

/// A request method (RFC 9110 section 9). Methods are case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `OPTIONS`
    Options,
    /// Any other method.
    Other(Box<str>),
}

impl Method {
    /// The method of that name.
    pub fn new(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "OPTIONS" => Self::Options,
            other => Self::Other(other.into()),
        }
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Options => "OPTIONS",
            Self::Other(name) => name,
        }
    }
}

/// Whether a text can be a host with its port, as a request names it: nothing in it begins a path, a query or a user's name.
pub fn may_be_authority(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

/// The address in an element of `X-Forwarded-For`. Some proxies write the port of the client behind it, and brackets around an IPv6
/// address, as `Forwarded` has them (RFC 7239 section 6). `None` for any other text.
pub fn forwarded_address(element: &str) -> Option<IpAddr> {
    let element = element.trim();
    let bracketed = || element.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    // A zone is of the proxy's own machine.
    let with_port =
        || element.parse::<SocketAddr>().ok().filter(|_| !element.contains('%')).map(|it| it.ip());
    let address = element.parse().ok().or_else(bracketed).or_else(with_port)?;
    Some(address.to_canonical())
}

/// A request's URL, split into the parts that decisions need. Each part keeps its bytes as they arrived, except that
/// the authority is in lower case.
///
/// It is not a [`Url`](super::url::Url), because that parser resolves dot segments and encodes characters: the path
/// that is matched against the rules must be the path that is forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestUrl {
    /// Whether the scheme is `https`.
    pub secure: bool,
    /// Host in lower case, with `:port` if the URL has one.
    pub authority: String,
    /// Path, percent-encoded as it arrived; begins with `/`.
    pub path: String,
    /// Query without its `?`, percent-encoded as it arrived; `None` if the URL has no `?`.
    pub query: Option<String>,
}

impl RequestUrl {
    /// Splits an absolute `http` or `https` URL. A fragment is dropped; clients do not send one. `None` for any other
    /// text.
    pub fn parse(url: &str) -> Option<Self> {
        let (secure, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (before_query, query) = match rest.split_once('?') {
            Some((before, query)) => (before, Some(query.to_owned())),
            None => (rest, None),
        };
        let (authority, path) = match before_query.find('/') {
            Some(slash) => before_query.split_at(slash),
            None => (before_query, "/"),
        };
        // A client never sends credentials in a request's URL, so a URL with an `@` is rejected. Of a request for `*`,
        // the star would be the end of the host.
        if authority.is_empty() || !authority.bytes().all(is_authority_byte) {
            return None;
        }
        Some(Self { secure, authority: authority.to_ascii_lowercase(), path: path.to_owned(), query })
    }

    /// `https://app.example.com`, without a trailing slash.
    pub fn origin(&self) -> String {
        [if self.secure { "https://" } else { "http://" }, &self.authority].concat()
    }

    /// The host without its port; an IPv6 address includes its brackets.
    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// Path and query as they arrived, for a return address.
    pub fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => [&self.path, "?", query].concat(),
            None => self.path.clone(),
        }
    }
}

/// Whether a host and its port may contain this byte. `%` is not among them: the host of a site is not encoded.
fn is_authority_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_may_write_an_address_with_its_port() {
        for (element, address) in [
            ("192.0.2.7", Some("192.0.2.7")),
            (" 192.0.2.7:4711\t", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("[::ffff:192.0.2.7]:1", Some("192.0.2.7")),
            ("", None),
            ("unknown", None),
            ("192.0.2.7:", None),
            ("192.0.2.7:65536", None),
            ("[192.0.2.7]", None),
            ("[2001:db8::1]4711", None),
            ("192.0.2.7 4711", None),
            ("[fe80::1%1]:4711", None),
        ] {
            assert_eq!(forwarded_address(element), address.map(|it| it.parse().unwrap()), "{element:?}");
        }
    }

    #[test]
    fn a_request_url_is_split_and_not_decoded() {
        let url = RequestUrl::parse("https://App.example.com:8443/a%2Fb/?x=%20&y?#z").unwrap();
        assert!(url.secure);
        assert_eq!(url.authority, "app.example.com:8443");
        assert_eq!(url.host(), "app.example.com");
        assert_eq!(url.path, "/a%2Fb/");
        assert_eq!(url.query.as_deref(), Some("x=%20&y?"));
        assert_eq!(url.origin(), "https://app.example.com:8443");
        assert_eq!(url.path_and_query(), "/a%2Fb/?x=%20&y?");

        let bare = RequestUrl::parse("http://[::1]").unwrap();
        assert_eq!((bare.host(), bare.path.as_str(), &bare.query), ("[::1]", "/", &None));
    }

    #[test]
    fn a_text_that_is_not_a_request_url_is_rejected() {
        for url in [
            "",
            "/a",
            "ftp://a/",
            "https://",
            "https:///a",
            "https://u@a/",
            "https://a*",
            "https://a,b/",
            "javascript:1",
        ] {
            assert_eq!(RequestUrl::parse(url), None, "{url}");
        }
    }
}
