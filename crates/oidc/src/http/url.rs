//! Absolute `http` and `https` URLs, a subset of those in the URL Standard (<https://url.spec.whatwg.org/>).
//!
//! The crate `url` parses them and serializes them as a browser does. A text that a browser would have to repair is
//! rejected: backslashes, control characters, credentials, hosts with characters outside DNS names, IPv4 addresses that
//! are not in dotted decimal. Hosts outside ASCII must not reach the parser, which has no Unicode tables for them.
//!
//! [`Url`] is for URLs from the configuration and from providers, and for return addresses: it resolves dot segments
//! and encodes characters where necessary. The URL of a request is a [`RequestUrl`](super::request::RequestUrl): its
//! path is matched and forwarded byte for byte, so it is split and never rewritten.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use idna::punycode;
use percent_encoding::{CONTROLS, utf8_percent_encode};
use thiserror::Error;
use url::Position;

use super::percent;

/// A parsed URL. Its text is ASCII without spaces and controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(url::Url);

/// Why a text is not accepted as a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It does not parse, or a browser would have to repair it.
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
        if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(UrlError::Scheme);
        }
        let (authority, rest) = cut(rest, |c| matches!(c, '/' | '?' | '#'));
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        let host = canonical(split_port(authority).0).ok_or(UrlError::Malformed)?;
        let (path, rest) = cut(rest, |c| matches!(c, '?' | '#'));
        let url = if path.contains(['.', '%']) {
            url::Url::parse(&format!("{scheme}://{authority}{}{rest}", without_dot_segments(path)))
        } else {
            // It has no dot segments.
            url::Url::parse(text)
        };
        let url = url.map_err(|_| UrlError::Malformed)?;
        // The parser turns `127.1` into an address. A host that the parser changes is rejected.
        if url.host_str() == Some(&*host) { Ok(Self(url)) } else { Err(UrlError::Malformed) }
    }

    /// The whole URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the scheme is `https`.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Scheme, host, and the port if it is not the scheme's default (RFC 6454 section 6.2).
    pub fn origin(&self) -> &str {
        &self.0[..Position::BeforePath]
    }

    /// The host in lower case; an IPv6 address includes its brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The path, which begins with a slash.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The query, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.0.query()
    }

    /// The query without the pairs whose name is `set`, and without empty pairs.
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

    /// The fragment, without its `#`.
    pub fn fragment(&self) -> Option<&str> {
        self.0.fragment()
    }

    /// The same URL with that query, and without a fragment.
    #[must_use]
    pub fn with_query(&self, query: &str) -> Self {
        let mut url = self.0.clone();
        url.set_fragment(None);
        // The parser would drop tabs and newlines: encode them.
        url.set_query(Some(&utf8_percent_encode(query, CONTROLS).to_string()));
        Self(url)
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
        f.write_str(self.as_str())
    }
}

/// The path with `.` and `..` resolved, in each of their spellings. The crate `url` would do that too, but it keeps
/// `C:` before `..`, which a browser does for files only.
fn without_dot_segments(path: &str) -> String {
    let mut segments = Vec::new();
    let mut rest = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
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
        // A path that ends with a dot segment ends with a slash.
        if rest.peek().is_none() {
            segments.push("");
        }
    }
    format!("/{}", segments.join("/"))
}

/// A host in its canonical spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host(url::Host<String>);

impl Host {
    /// Parses a name of letters, digits, `-`, `_` and dots, an IPv4 address in dotted decimal, or an IPv6 address in
    /// brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = canonical(text)?;
        let host = url::Host::parse(&text).ok()?;
        (host.to_string() == text).then_some(Self(host))
    }

    pub(super) fn text(&self) -> String {
        self.0.to_string()
    }

    pub(super) fn is_address(&self) -> bool {
        !matches!(self.0, url::Host::Domain(_))
    }

    /// Whether it is this machine: `localhost` and names below it (RFC 6761 section 6.3), 127.0.0.0/8, `[::1]`.
    pub(super) fn is_loopback(&self) -> bool {
        match &self.0 {
            url::Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        }
    }
}

/// The only spelling that the parser may give for this host, so that a host has exactly one. `None` where the text must
/// not reach the parser. Here an IPv4 address counts as a name, in each of its spellings.
fn canonical(text: &str) -> Option<String> {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        // An embedded IPv4 address has two spellings.
        let is_good = |v6: &Ipv6Addr| v6.to_ipv4().is_none() || v6.is_loopback();
        return address.parse().ok().filter(is_good).map(|v6| format!("[{v6}]"));
    }
    let is_good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let name = if text.bytes().all(is_good) {
        text.to_ascii_lowercase()
    } else {
        let decoded = percent::decode(text)?.to_ascii_lowercase();
        decoded.bytes().all(is_good).then_some(decoded)?
    };
    is_decodable(&name).then_some(name)
}

/// Whether the parser may decode the international labels of a name (RFC 5890 section 2.3.2.1). Decoding takes
/// quadratic time, so a name with such a label must not be longer than DNS allows. Without its tables, `idna` would
/// fail an assertion at a right-to-left mark, which no host name contains.
fn is_decodable(name: &str) -> bool {
    name.split('.').filter_map(|label| label.strip_prefix("xn--")).all(|label| {
        name.len() <= 253 && punycode::decode_to_string(label).is_some_and(|text| !text.contains('\u{200f}'))
    })
}

/// Splits `host:port`. The colons inside an IPv6 address's brackets do not count.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Splits `text` before the first character for which `is_end` is true.
fn cut(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at_checked(text.find(is_end).unwrap_or(text.len())).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[test]
    fn a_url_is_split_into_its_parts() {
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
    fn a_text_that_a_browser_would_have_to_repair_is_rejected() {
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

    /// Texts that are accepted or rejected, and the spelling of each part. They were recorded from the parser that the
    /// crate `url` replaced, so a release of `url` that reads or writes one of them differently fails a test.
    #[derive(Deserialize)]
    struct Expected {
        /// The text, then the origin, host, path, query and fragment of its URL.
        accepted: Vec<[Option<String>; 6]>,
        /// A URL, a query, and the URL with that query.
        with_query: Vec<[String; 3]>,
        malformed: Vec<String>,
        scheme: Vec<String>,
        credentials: Vec<String>,
    }

    fn expected() -> Expected {
        serde_json::from_str(include_str!("url/expected.json")).unwrap()
    }

    #[test]
    fn accepted_urls_keep_their_recorded_spelling() {
        for case in expected().accepted {
            let [text, origin, host, path, query, fragment] = case.each_ref().map(Option::as_deref);
            let (text, origin, path) = (text.unwrap(), origin.unwrap(), path.unwrap());
            let url = Url::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!((url.origin(), Some(url.host()), url.path()), (origin, host, path), "{text:?}");
            assert_eq!((url.query(), url.fragment()), (query, fragment), "{text:?}");
            let rest =
                [("?", query), ("#", fragment)].map(|(mark, part)| part.map(|part| format!("{mark}{part}")));
            assert_eq!(url.as_str(), [origin, path].concat() + &rest.map(Option::unwrap_or_default).concat());
            assert_eq!(url.is_secure(), origin.starts_with("https:"), "{text:?}");
            assert_eq!(Url::parse(url.as_str()), Ok(url), "{text:?}");
        }
        for [text, query, written] in expected().with_query {
            let url = Url::parse(&text).unwrap().with_query(&query);
            assert_eq!(url.as_str(), written, "{text:?} {query:?}");
        }
    }

    #[test]
    fn recorded_invalid_urls_stay_rejected() {
        let Expected { malformed, scheme, credentials, .. } = expected();
        for (texts, error) in [
            (malformed, UrlError::Malformed),
            (scheme, UrlError::Scheme),
            (credentials, UrlError::Credentials),
        ] {
            for text in texts {
                assert_eq!(Url::parse(&text), Err(error), "{text:?}");
            }
        }
    }

    #[test]
    fn an_international_label_that_cannot_be_decoded_is_rejected() {
        let with_labels = |last| format!("{0}.{0}.{0}.{1}.xn--p1ai", "a".repeat(63), "a".repeat(last));
        let long = with_labels(53);
        let endless = format!("xn--{}", "a".repeat(100_000));
        for label in [
            "xn--",
            "XN--",
            "xn---",
            "xn--a-",
            "xn--0",
            "xn--_",
            "xn--999999999",
            "%78n--a-",
            "xn--ab-s1t",
            "xn--3ug",
            &long,
            &endless,
        ] {
            for host in [label.to_owned(), format!("{label}.example"), format!("a.{label}.")] {
                assert_eq!(Url::parse(&format!("https://{host}")), Err(UrlError::Malformed), "{host}");
                assert_eq!(Host::parse(&host), None, "{host}");
            }
        }
        let longest = format!("https://{}/", with_labels(52));
        assert_eq!(longest.len(), "https:///".len() + 253);
        assert_eq!(Url::parse(&longest).unwrap().as_str(), longest);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// The crate `url` alone reads an accepted text in the same way: the text is not repaired before it is parsed.
        #[test]
        fn an_accepted_url_is_read_as_a_browser_reads_it(
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

        /// The counterpart of the test above: the parser does not reject ordinary URLs.
        #[test]
        fn ordinary_urls_are_accepted(
            host in "[a-z]{1,8}(\\.[a-z]{2,5}){1,3}|localhost|10\\.0\\.0\\.[1-9]|\\[::1\\]|\\[2001:db8::[1-9a-f]\\]",
            port in "(:[1-9][0-9]{0,3})?",
            rest in "(/[a-z0-9~._%é -]{0,8}[a-z]){0,4}/?(\\?[a-z=&+%'/?é]{0,12})?(#[a-z/?]{0,8})?",
        ) {
            let text = format!("https://{host}{port}{rest}");
            prop_assert_eq!(Url::parse(&text).map(|url| url.to_string()), Ok(url::Url::parse(&text).unwrap().to_string()));
        }
    }
}
