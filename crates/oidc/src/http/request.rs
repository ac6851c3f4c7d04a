//! A request's head: what every decision is made from. The body stays with the platform.

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
    /// Whether it is a CORS preflight (Fetch standard section 4.8): `OPTIONS` with an origin and the method
    /// that is to come.
    pub fn is_preflight(&self) -> bool {
        self.method == Method::Options
            && self.headers.contains("origin")
            && self.headers.contains("access-control-request-method")
    }

    /// Whether nobody may ever look at the answer: a browser (Fetch standard, `Sec-Purpose`; `Purpose` and `X-Moz`
    /// before it) or Next.js asks ahead of time.
    pub fn is_prefetch(&self) -> bool {
        let says = |name: &str| self.headers.get(name).is_some_and(|value| value.contains("prefetch"));
        let is_next_s = |name: &str| self.headers.contains(name);
        matches!(self.method, Method::Get | Method::Head)
            && (["sec-purpose", "purpose", "x-moz"].into_iter().any(says)
                || ["next-router-prefetch", "x-middleware-prefetch"].into_iter().any(is_next_s))
    }

    /// Whether a person waits for a page: a redirect reaches them. A script's request would follow it and get
    /// a page where it wants data; a browser that asks ahead would keep where it led to, and show that to somebody who
    /// has signed in since.
    pub fn is_navigation(&self) -> bool {
        if self.headers.contains("upgrade")
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
}

/// A request method (RFC 9110 section 9). Compared exactly: methods are case-sensitive.
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
    /// Any other, as it was written.
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

/// A request's URL, split into the parts that decisions need and otherwise byte for byte as it came.
///
/// It is no [`Url`](super::url::Url), whose parser resolves dot segments and encodes: the path that rules are matched
/// against has to be the path that is forwarded. Splitting is also all that a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestUrl {
    /// Whether the scheme is `https`.
    pub secure: bool,
    /// Host in lower case, with `:port` where the URL has one.
    pub authority: String,
    /// Path, percent-encoded as it came; begins with `/`.
    pub path: String,
    /// Query without its `?`, percent-encoded as it came; `None` where the URL has no `?`.
    pub query: Option<String>,
}

impl RequestUrl {
    /// Splits an absolute `http` or `https` URL. A fragment, which no client sends, is dropped.
    /// `None` for anything else.
    pub fn parse(url: &str) -> Option<Self> {
        let (secure, rest) = match url.split_once("://")? {
            ("https", rest) => (true, rest),
            ("http", rest) => (false, rest),
            _ => return None,
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
        // Credentials never reach a server in a URL; what claims to have them is not a request's URL.
        // A request for `*` would have it at the end of its host.
        if authority.is_empty() || !authority.bytes().all(is_authority_byte) {
            return None;
        }
        Some(Self { secure, authority: authority.to_ascii_lowercase(), path: path.to_owned(), query })
    }

    /// `https://app.example.com`, without a trailing slash.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.authority)
    }

    /// The host without its port; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// Path and query as they came, for a return address.
    pub fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// The bytes of a host, as it arrives, and of its port. Not `%`: no host of a site is encoded.
fn is_authority_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split_and_not_decoded() {
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
    fn what_is_no_request_url_is_refused() {
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
