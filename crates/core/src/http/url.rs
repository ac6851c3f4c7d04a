//! URLs of servers: `http` and `https`, absolute, as the URL Standard has them (<https://url.spec.whatwg.org/>),
//! and fewer than those.
//!
//! What is taken is written as a browser writes it, character for character, which a test holds against another
//! parser. What a browser would have to mend is not taken: backslashes, control characters, credentials, hosts in
//! other characters than those of DNS, IPv4 addresses in other spellings than the dotted one.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use super::percent;

/// A parsed URL. Its text is ASCII without spaces and controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    text: String,
    /// Where the host begins and ends, and the path begins.
    host: (usize, usize),
    path: usize,
    /// Where `?` and `#` stand.
    query: Option<usize>,
    fragment: Option<usize>,
}

/// Why a text is no URL here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It does not parse, or only after a browser's repairs.
    #[error("not an absolute URL")]
    Malformed,
    /// Some other scheme than `http` or `https`.
    #[error("neither https nor http")]
    Scheme,
    /// `https://user:password@host`.
    #[error("a URL with a user name or password")]
    Credentials,
}

impl Url {
    /// Parses an absolute URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.contains(|c: char| c.is_control() || c == '\\') || text.ends_with(' ') {
            return Err(UrlError::Malformed);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Malformed)?;
        let (scheme, usual_port) = match scheme {
            https if https.eq_ignore_ascii_case("https") => ("https://", 443),
            http if http.eq_ignore_ascii_case("http") => ("http://", 80),
            _ => return Err(UrlError::Scheme),
        };
        let (authority, rest) = cut(rest, |c| matches!(c, '/' | '?' | '#'));
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        let (host, port) = split_port(authority);
        let host = Host::parse(host).ok_or(UrlError::Malformed)?;
        let port = match port {
            None | Some("") => usual_port,
            // Parsing also takes a plus.
            Some(digits) if digits.starts_with('+') => return Err(UrlError::Malformed),
            Some(digits) => digits.parse::<u16>().map_err(|_| UrlError::Malformed)?,
        };
        let mut url = Self {
            text: format!("{scheme}{}", host.text()),
            host: (scheme.len(), 0),
            path: 0,
            query: None,
            fragment: None,
        };
        url.host.1 = url.text.len();
        if port != usual_port {
            url.text.push(':');
            url.text.push_str(&port.to_string());
        }
        url.path = url.text.len();
        url.push_rest(rest);
        Ok(url)
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the scheme is `https`.
    pub fn is_secure(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Scheme, host, and port where it is not the scheme's own (RFC 6454 section 6.2).
    pub fn origin(&self) -> &str {
        self.part(0, self.path)
    }

    /// The host in lower case; an IPv6 address has its brackets.
    pub fn host(&self) -> &str {
        self.part(self.host.0, self.host.1)
    }

    /// The path, which begins with a slash.
    pub fn path(&self) -> &str {
        self.part(self.path, self.query.or(self.fragment).unwrap_or(self.text.len()))
    }

    /// What follows `?`.
    pub fn query(&self) -> Option<&str> {
        Some(self.part(self.query? + 1, self.fragment.unwrap_or(self.text.len())))
    }

    /// The query's pairs but for those of a name that is `set`, and those without one.
    pub fn query_without(&self, set: &dyn Fn(&str) -> bool) -> String {
        let mut kept = String::new();
        for pair in self.query().unwrap_or_default().split('&') {
            if form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(name, _)| !set(&name)) {
                if !kept.is_empty() {
                    kept.push('&');
                }
                kept.push_str(pair);
            }
        }
        kept
    }

    /// What follows `#`.
    pub fn fragment(&self) -> Option<&str> {
        Some(self.part(self.fragment? + 1, self.text.len()))
    }

    /// The same URL with that query, and without a fragment.
    #[must_use]
    pub fn with_query(&self, query: &str) -> Self {
        let mut url = Self { query: None, fragment: None, ..self.clone() };
        url.text.truncate(self.query.or(self.fragment).unwrap_or(self.text.len()));
        url.push_query(query);
        url
    }

    fn part(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Adds path, query and fragment.
    fn push_rest(&mut self, rest: &str) {
        let (rest, fragment) = cut(rest, |c| c == '#');
        let (path, query) = cut(rest, |c| c == '?');
        for segment in path_segments(path.strip_prefix('/').unwrap_or(path)) {
            self.text.push('/');
            let keep = |b: u8| b.is_ascii_graphic() && !b"\"#<>?`{}".contains(&b);
            self.text.push_str(&percent::encode(segment, keep));
        }
        if let Some(query) = query.strip_prefix('?') {
            self.push_query(query);
        }
        if let Some(fragment) = fragment.strip_prefix('#') {
            self.fragment = Some(self.text.len());
            self.text.push('#');
            let keep = |b: u8| b.is_ascii_graphic() && !b"\"<>`".contains(&b);
            self.text.push_str(&percent::encode(fragment, keep));
        }
    }

    fn push_query(&mut self, query: &str) {
        self.query = Some(self.text.len());
        self.text.push('?');
        let keep = |b: u8| b.is_ascii_graphic() && !b"\"#'<>".contains(&b);
        self.text.push_str(&percent::encode(query, keep));
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The segments of a path once `.` and `..` are resolved, in whichever way they are spelled.
fn path_segments(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut rest = path.split('/').peekable();
    while let Some(segment) = rest.next() {
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        match dots.as_str() {
            "." => {}
            ".." => {
                segments.pop();
            }
            _ => {
                segments.push(segment);
                continue;
            }
        }
        // A path that ends with dots ends with a slash.
        if rest.peek().is_none() {
            segments.push("");
        }
    }
    segments
}

/// A host in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl Host {
    /// A name of letters, digits, `-`, `_` and dots, or an address: a dotted one, or one in brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            // Of an embedded IPv4 address there are two spellings.
            return address
                .parse()
                .ok()
                .filter(|v6: &Ipv6Addr| v6.to_ipv4().is_none() || v6.is_loopback())
                .map(Self::V6);
        }
        let name = percent::decode(text)?.to_ascii_lowercase();
        let is_good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if name.is_empty() || !name.bytes().all(is_good) {
            return None;
        }
        // Whatever ends with a number is an address, or nothing.
        let last = name.strip_suffix('.').unwrap_or(&name).rsplit('.').next().unwrap_or_default();
        let hexadecimal = last.strip_prefix("0x");
        let is_number = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit())
            || hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_number { name.parse().ok().map(Self::V4) } else { Some(Self::Name(name)) }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::V4(address) => address.to_string(),
            Self::V6(address) => format!("[{address}]"),
        }
    }

    pub(super) fn is_address(&self) -> bool {
        !matches!(self, Self::Name(_))
    }

    /// This machine: `localhost` and names below it (RFC 6761 section 6.3), 127.0.0.0/8, `[::1]`.
    pub(super) fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Self::V4(address) => address.is_loopback(),
            Self::V6(address) => address.is_loopback(),
        }
    }
}

/// `host:port` cut at the port; brackets of an IPv6 address are respected.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// What stands before the first such character, and the rest.
fn cut(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at_checked(text.find(is_end).unwrap_or(text.len())).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_found() {
        let url = Url::parse("HTTPS://A.Example:8443/b/%2e%2E/c d?e='#f g").unwrap();
        assert_eq!(url.as_str(), "https://a.example:8443/c%20d?e=%27#f%20g");
        assert_eq!((url.origin(), url.host()), ("https://a.example:8443", "a.example"));
        assert_eq!((url.path(), url.query(), url.fragment()), ("/c%20d", Some("e=%27"), Some("f%20g")));
        assert_eq!(url.with_query("x").as_str(), "https://a.example:8443/c%20d?x");
        let bare = Url::parse("http://a.example#").unwrap();
        assert_eq!((bare.path(), bare.query(), bare.fragment()), ("/", None, Some("")));
        assert_eq!(bare.with_query("").as_str(), "http://a.example/?");
    }

    #[test]
    fn what_a_browser_would_have_to_mend_is_refused() {
        for text in [
            "",
            "https:",
            "https://",
            "https:///",
            "https:a.example",
            "https:/a.example",
            "https:\\\\a.example",
            "https://a.example\\b",
            "https://a.example/\t",
            "https://a.example/ ",
            "https://a.example:x",
            "https://a.example:+1",
            "https://a.example:65536",
            "https://a b",
            "https://exämple.com",
            "https://a%2fb",
            "https://a%00b",
            "https://a%zz",
            "https://127.1",
            "https://0x7f.0.0.1",
            "https://2130706433",
            "https://127.0.0.1.",
            "https://127.0.0.01",
            "https://1.2.3.256",
            "https://a.0x",
            "https://[::1",
            "https://[::1]a",
            "https://[::ffff:127.0.0.1]",
            "https://[::1%25eth0]",
            "https://?x",
        ] {
            assert_eq!(Url::parse(text), Err(UrlError::Malformed), "{text}");
        }
        assert_eq!(Url::parse("ftp://a.example"), Err(UrlError::Scheme));
        for text in ["https://a@b.example", "https://@b.example", "https://a:b@c.example", "https://a@b@c"] {
            assert_eq!(Url::parse(text), Err(UrlError::Credentials), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// What is taken is what another implementation of the standard makes of it.
        #[test]
        fn what_is_taken_is_what_a_browser_takes(
            scheme in "https?://|HTTP://|https:/?",
            host in "([a-cA-C]|[0-9]|[-_.%:@]|%6[1-9]|%2e|0x|\\[|\\]|::1|127\\.0\\.0\\.1|localhost|é){1,5}(:[0-9]{0,6})?",
            rest in "(/|\\.|%2e|%2E|\\?|#|[ -~]|a|é|\u{10efc}|\\PC){0,12}",
        ) {
            let text = format!("{scheme}{host}{rest}");
            if let Ok(url) = Url::parse(&text) {
                let other = url::Url::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
                prop_assert_eq!(url.as_str(), other.as_str());
                prop_assert_eq!(Some(url.host()), other.host_str());
                prop_assert_eq!(url.origin(), other.origin().ascii_serialization());
                prop_assert_eq!(url.path(), other.path());
                prop_assert_eq!(url.query(), other.query());
                prop_assert_eq!(url.fragment(), other.fragment());
                prop_assert!(url.as_str().bytes().all(|b| b.is_ascii_graphic()));
                prop_assert_eq!(Url::parse(url.as_str()), Ok(url));
            }
        }

        /// And ordinary URLs are taken.
        #[test]
        fn ordinary_urls_are_taken(
            host in "[a-z]{1,8}(\\.[a-z]{2,5}){1,3}|localhost|10\\.0\\.0\\.[1-9]|\\[::1\\]|\\[2001:db8::[1-9a-f]\\]",
            port in "(:[1-9][0-9]{0,3})?",
            rest in "(/[a-z0-9~._%é -]{0,8}[a-z]){0,4}/?(\\?[a-z=&+%'/?é]{0,12})?(#[a-z/?]{0,8})?",
        ) {
            let text = format!("https://{host}{port}{rest}");
            prop_assert_eq!(Url::parse(&text).map(|url| url.text), Ok(url::Url::parse(&text).unwrap().to_string()));
        }
    }
}
