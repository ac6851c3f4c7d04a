//! Origins, host patterns and cookie domains. All comparisons of hosts are made here.
//!
//! Hosts are compared as ASCII text in lower case, and international names in their `xn--` form. A host with other
//! characters is rejected, so a host has exactly one spelling.

use std::fmt;

use thiserror::Error;

use crate::http::public_suffix::{has_public_suffix_within, is_public_suffix, registrable_domain};
use crate::http::url::{Host, Url, UrlError, split_port};

/// A scheme, host and port (RFC 6454) of `http` or `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `https://app.example.com` or `http://localhost:3000`, without the scheme's default port.
    text: String,
    authority_at: usize,
    host_len: usize,
}

impl Origin {
    /// Parses `https://app.example.com`, with or without a trailing slash. Rejects credentials, everything after the
    /// authority, and a text that a URL parser would have to repair.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let url = strict_url(text)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(OriginError::NotBare);
        }
        Ok(Self::of(&url))
    }

    /// The origin of a parsed URL.
    pub fn of(url: &Url) -> Self {
        let authority_at = if url.is_secure() { "https://".len() } else { "http://".len() };
        Self { text: url.origin().to_owned(), authority_at, host_len: url.host().len() }
    }

    /// `https://app.example.com`, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host in lower case without its port; an IPv6 address includes its brackets.
    pub fn host(&self) -> &str {
        self.text.get(self.authority_at..self.authority_at + self.host_len).unwrap_or_default()
    }

    /// The host, with `:port` if it is not the scheme's default.
    pub fn authority(&self) -> &str {
        self.text.get(self.authority_at..).unwrap_or_default()
    }

    /// Whether the scheme is `https`.
    pub fn secure(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Whether both are of the same site (HTML standard, "same site"): the same scheme and registrable domain. The port
    /// does not matter. Only within a site do browsers send cookies with `SameSite=Lax` along with a script's request.
    pub fn is_same_site(&self, other: &Self) -> bool {
        self.secure() == other.secure() && is_same_site_host(self.host(), other.host())
    }
}

/// Whether two hosts, in lower case without a port, have the same registrable domain, or are the same host.
pub fn is_same_site_host(one: &str, other: &str) -> bool {
    let domain = |host| if is_address(host) { None } else { registrable_domain(host) };
    one == other || domain(one).is_some_and(|of_one| domain(other) == Some(of_one))
}

/// Why a text is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OriginError {
    /// It does not parse, or a browser would have to repair it.
    #[error("not an absolute URL: write it like \"https://app.example.com\"")]
    NotAUrl,
    /// Some other scheme than `http` or `https`.
    #[error("the scheme must be https; http is accepted for this machine only")]
    Scheme,
    /// `https://user:password@host`.
    #[error("a URL must not contain a user name or password")]
    Credentials,
    /// A path, query or fragment follows.
    #[error("only scheme, host and port are allowed here; remove the path, query and fragment")]
    NotBare,
}

/// Parses the absolute URL of a server's endpoint: `https`, or `http` on loopback; without credentials and without a
/// fragment (RFC 6749 section 3.1). A text that a parser would have to repair is rejected.
pub fn endpoint(text: &str) -> Result<Url, EndpointError> {
    let url = strict_url(text)?;
    let origin = Origin::of(&url);
    if !origin.secure() && !is_loopback(origin.host()) {
        return Err(EndpointError::Insecure);
    }
    if url.fragment().is_some() {
        return Err(EndpointError::Fragment);
    }
    Ok(url)
}

/// Why a URL is not accepted as an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// It is not an absolute `http` or `https` URL, or it has credentials.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// `http` to another machine: secrets could be read on the network.
    #[error("http is accepted for this machine only: use https")]
    Insecure,
    /// It has a fragment, which is never sent to a server.
    #[error("a URL with a fragment (#...) is not accepted")]
    Fragment,
}

/// A pattern for hosts in a configuration: `example.com`, or `*.example.com` for all names below it at any depth, but
/// not `example.com` itself. A pattern with a port (`localhost:3000`) matches that port only, otherwise every port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    name: HostName,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostName {
    Exact(String),
    /// `.example.com`
    Below(String),
}

/// As a configuration writes it.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            HostName::Exact(name) => f.write_str(name)?,
            HostName::Below(suffix) => write!(f, "*{suffix}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl HostPattern {
    /// Parses a pattern.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        if text.contains(['/', '@', '?', '#', '\\']) {
            return Err(HostPatternError::NotAHost);
        }
        let (host, port) = split_port(text);
        let port = match port {
            Some(digits) => Some(digits.parse().map_err(|_| HostPatternError::Port)?),
            None => None,
        };
        let name = match host.strip_prefix("*.") {
            Some(domain) => {
                let domain = registered_name(domain).ok_or(HostPatternError::NotAHost)?;
                if !domain.contains('.') && domain != "localhost" {
                    return Err(HostPatternError::TooWide);
                }
                HostName::Below(format!(".{domain}"))
            }
            None if host.contains('*') => return Err(HostPatternError::Wildcard),
            None => HostName::Exact(exact_host(host).ok_or(HostPatternError::NotAHost)?),
        };
        Ok(Self { name, port })
    }

    /// Whether the pattern matches this host. `authority` is a host as [`Origin::authority`] and
    /// `RequestUrl::authority` return it, with or without a port. Case is ignored, and so is one trailing dot, because
    /// DNS treats the name as the same. An authority without a port matches a pattern with port 80 or 443.
    pub fn matches(&self, authority: &str) -> bool {
        let (host, port) = split_port(authority);
        let port_matches = match (self.port, port) {
            (None, _) => true,
            (Some(wanted), Some(port)) => port.parse() == Ok(wanted),
            (Some(wanted), None) => matches!(wanted, 80 | 443),
        };
        let host = without_trailing_dot(host);
        port_matches
            && match &self.name {
                HostName::Exact(name) => host.eq_ignore_ascii_case(name),
                HostName::Below(suffix) => is_below(host, suffix),
            }
    }

    /// Whether the pattern matches this name, without a port, on some port.
    pub fn covers_name(&self, name: &str) -> bool {
        match &self.name {
            HostName::Exact(exact) => exact == name,
            HostName::Below(suffix) => is_below(name, suffix),
        }
    }

    /// The name below which all hosts match, in lower case; `None` for a single host.
    pub fn parent(&self) -> Option<&str> {
        match &self.name {
            HostName::Exact(_) => None,
            HostName::Below(suffix) => suffix.strip_prefix('.'),
        }
    }

    /// Whether the pattern is a wildcard that covers sites of other people, by the Public Suffix List: `*.co.uk`.
    pub fn covers_several_sites(&self) -> bool {
        self.parent().is_some_and(|parent| parent != "localhost" && has_public_suffix_within(parent))
    }

    /// The only host that the pattern matches, in lower case without a port; `None` for a wildcard.
    pub fn exact(&self) -> Option<&str> {
        match &self.name {
            HostName::Exact(name) => Some(name),
            HostName::Below(_) => None,
        }
    }
}

/// Why a text is not a host pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HostPatternError {
    /// It is not a host name or address, or it contains more than that.
    #[error(
        "this is not a host name; write it like \"app.example.com\" or \"*.example.com\", without scheme and path"
    )]
    NotAHost,
    /// A star that is not the whole first label.
    #[error("a wildcard must be the whole first label, like \"*.example.com\"")]
    Wildcard,
    /// `*.com`.
    #[error(
        "this wildcard covers sites of other people; name at least your own domain, like \"*.example.com\""
    )]
    TooWide,
    /// The port is not a number from 0 to 65535.
    #[error("the port must be a number up to 65535")]
    Port,
}

/// A cookie's `Domain` (RFC 6265 section 5.2.3): the name itself and all names below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieDomain(String);

impl CookieDomain {
    /// Parses `example.com`. A leading dot is dropped; browsers ignore it. Rejects names for which no browser accepts a
    /// cookie: addresses and public suffixes.
    pub fn parse(text: &str) -> Result<Self, CookieDomainError> {
        let text = text.strip_prefix('.').unwrap_or(text);
        let name = registered_name(text).ok_or(CookieDomainError::NotADomain)?;
        if is_address(&name) {
            return Err(CookieDomainError::Address);
        }
        if is_public_suffix(&name) {
            return Err(CookieDomainError::Shared);
        }
        Ok(Self(name))
    }

    /// The domains that `host`, without a port, is in and that browsers accept its cookies for, the widest first.
    pub fn all_of(host: &str) -> impl Iterator<Item = Self> {
        let widest = registrable_domain(host).map_or(usize::MAX, str::len);
        let starts = host.rmatch_indices('.').map(|(dot, _)| dot + 1).chain([0]);
        let names = starts.filter_map(move |start| host.get(start..).filter(|name| name.len() >= widest));
        names.filter_map(registered_name).filter(|name| !is_address(name)).map(Self)
    }

    /// `example.com`
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a browser sends a cookie of this domain to `host`, which has no port. A browser does not send it to a
    /// host with a trailing dot.
    pub fn covers(&self, host: &str) -> bool {
        host.eq_ignore_ascii_case(&self.0) || is_below(host, &format!(".{}", self.0))
    }
}

/// Why a text is not a cookie domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CookieDomainError {
    /// It is not a domain name.
    #[error("not a domain name: write it like \"example.com\"")]
    NotADomain,
    /// It is an IP address.
    #[error("browsers share no cookies between IP addresses: leave the domain out")]
    Address,
    /// A name below which unrelated sites have their domains.
    #[error("browsers reject cookies for this name, because unrelated sites share it: set your own domain")]
    Shared,
}

/// Whether `host`, without its port, is this machine: `localhost` and names below it (RFC 6761 section 6.3),
/// 127.0.0.0/8, `[::1]`.
pub fn is_loopback(host: &str) -> bool {
    Host::parse(without_trailing_dot(host)).is_some_and(|host| host.is_loopback())
}

/// The ends of names that no public DNS has (RFC 6761, RFC 6762, RFC 8375 and what ICANN keeps free for private use).
const PRIVATE_ENDS: [&str; 9] =
    ["localhost", "local", "internal", "test", "invalid", "lan", "home", "corp", "home.arpa"];

/// Whether `host`, without its port, is known in a network of its own only: this machine, an IP address, a name without a
/// dot, or a name that public DNS does not have. No certificate is expected there.
pub fn is_private(host: &str) -> bool {
    let host = without_trailing_dot(host);
    let is_address = host.starts_with('[') || host.rsplit('.').next().is_some_and(is_number);
    let has_end = |end: &&str| host.strip_suffix(*end).is_some_and(|rest| rest.ends_with('.'));
    is_loopback(host) || is_address || !host.contains('.') || PRIVATE_ENDS.iter().any(has_end)
}

fn is_number(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit())
}

/// Parses an absolute `http` or `https` URL that needs no repair. A browser would also accept `https:host`,
/// `https:\\\\host` and text that contains tabs or spaces.
fn strict_url(text: &str) -> Result<Url, OriginError> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(OriginError::NotAUrl);
    }
    Url::parse(text).map_err(|error| match error {
        UrlError::Malformed => OriginError::NotAUrl,
        UrlError::Scheme => OriginError::Scheme,
        UrlError::Credentials => OriginError::Credentials,
    })
}

/// A host name or address in its canonical spelling. `None` where `text` differs from that in more than case, like
/// `127.1` for `127.0.0.1`.
fn exact_host(text: &str) -> Option<String> {
    if text.starts_with('[') {
        return Some(Host::parse(text)?.text());
    }
    registered_name(text)
}

/// A name in lower case: labels of letters, digits, `-` and `_`, at most 253 characters. An IPv4 address in dotted
/// decimal counts as a name; its other spellings do not.
fn registered_name(text: &str) -> Option<String> {
    let label_is_good = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if text.len() > 253 || !text.split('.').all(label_is_good) {
        return None;
    }
    let name = text.to_ascii_lowercase();
    (Host::parse(&name)?.text() == name).then_some(name)
}

/// Whether `name` is an IP address, or not a host at all.
pub fn is_address(name: &str) -> bool {
    Host::parse(name).is_none_or(|host| host.is_address())
}

/// The name in an authority: in lower case, without the port and one trailing dot. A pattern for one host matches authorities
/// with its name only.
pub fn host_name(authority: &str) -> String {
    without_trailing_dot(split_port(authority).0).to_ascii_lowercase()
}

fn without_trailing_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether `host` ends with `suffix` (`.example.com`) and has whole labels before that.
fn is_below(host: &str, suffix: &str) -> bool {
    let Some(at) = host.len().checked_sub(suffix.len()) else { return false };
    match (host.get(..at), host.get(at..)) {
        (Some(labels), Some(end)) => {
            end.eq_ignore_ascii_case(suffix) && labels.split('.').all(|label| !label.is_empty())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_host_is_one_that_public_dns_does_not_have() {
        for host in [
            "localhost",
            "app.localhost",
            "127.0.0.1",
            "10.0.0.7",
            "[fd00::1]",
            "app",
            "nas.local",
            "a.home.arpa",
        ] {
            assert!(is_private(host), "{host}");
        }
        for host in [
            "app.example.com",
            "example.com.",
            "x.ngrok.app",
            "localhost.example.com",
            "home.example",
            "a1.io",
        ] {
            assert!(!is_private(host), "{host}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_without_the_default_port() {
        for (text, written, host, authority, secure) in [
            (
                "https://app.example.com",
                "https://app.example.com",
                "app.example.com",
                "app.example.com",
                true,
            ),
            (
                "https://APP.example.com:443/",
                "https://app.example.com",
                "app.example.com",
                "app.example.com",
                true,
            ),
            ("http://localhost:3000", "http://localhost:3000", "localhost", "localhost:3000", false),
            ("HTTP://[::1]:8787/", "http://[::1]:8787", "[::1]", "[::1]:8787", false),
        ] {
            let origin = Origin::parse(text).unwrap();
            assert_eq!(
                (origin.as_str(), origin.host(), origin.authority(), origin.secure()),
                (written, host, authority, secure)
            );
        }
    }

    #[test]
    fn a_text_that_is_not_a_bare_origin_is_rejected() {
        for (text, error) in [
            ("", OriginError::NotAUrl),
            ("app.example.com", OriginError::NotAUrl),
            ("//app.example.com", OriginError::NotAUrl),
            ("https:app.example.com", OriginError::NotAUrl),
            ("https:///app.example.com", OriginError::NotAUrl),
            ("https:\\\\app.example.com", OriginError::NotAUrl),
            ("https://app.exa\tmple.com", OriginError::NotAUrl),
            (" https://app.example.com", OriginError::NotAUrl),
            ("https://äpp.example.com", OriginError::NotAUrl),
            ("https://app%2eexample.com%00", OriginError::NotAUrl),
            ("https://", OriginError::NotAUrl),
            ("javascript://app.example.com", OriginError::Scheme),
            ("ws://app.example.com", OriginError::Scheme),
            ("https://u@app.example.com", OriginError::Credentials),
            ("https://:p@app.example.com", OriginError::Credentials),
            ("https://app.example.com/a", OriginError::NotBare),
            ("https://app.example.com?", OriginError::NotBare),
            ("https://app.example.com/#", OriginError::NotBare),
        ] {
            assert_eq!(Origin::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn server_side_request_forgery_by_discovery_plain_http_and_malformed_endpoints_are_rejected() {
        for text in [
            "https://idp.example/token",
            "https://idp.example:8443/a?b=c",
            "http://localhost:9000/t",
            "http://127.0.0.1/t",
            "http://[::1]:1/t",
            "http://idp.localhost/t",
        ] {
            assert_eq!(endpoint(text).map(|url| url.to_string()).as_deref(), Ok(text));
        }
        for (text, error) in [
            ("http://idp.example/token", EndpointError::Insecure),
            ("http://10.0.0.1/token", EndpointError::Insecure),
            ("http://127.0.0.1.example/token", EndpointError::Insecure),
            ("http://localhost.example/token", EndpointError::Insecure),
            ("https://idp.example/token#", EndpointError::Fragment),
            ("file:///etc/passwd", EndpointError::Origin(OriginError::Scheme)),
            ("/token", EndpointError::Origin(OriginError::NotAUrl)),
            ("https://u:p@idp.example/", EndpointError::Origin(OriginError::Credentials)),
            ("https:idp.example/", EndpointError::Origin(OriginError::NotAUrl)),
        ] {
            assert_eq!(endpoint(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_host_pattern_matches_one_host_or_all_names_below_a_name() {
        for (pattern, yes, no) in [
            (
                "example.com",
                &["example.com", "EXAMPLE.com", "example.com.", "example.com:8443"][..],
                &["a.example.com", "example.com.evil", "xexample.com", "example.co", "example.com..", ""][..],
            ),
            (
                "*.Example.com",
                &["a.example.com", "a.b.EXAMPLE.COM:1", "a.example.com."],
                &["example.com", ".example.com", "a..example.com", "aexample.com", "a.example.com.evil"],
            ),
            ("localhost:3000", &["localhost:3000"], &["localhost", "localhost:3001", "localhost:"]),
            ("example.com:443", &["example.com", "example.com:443"], &["example.com:8443"]),
            ("*.localhost", &["app.localhost:8787"], &["localhost"]),
            ("[::1]:8787", &["[::1]:8787"], &["[::1]", "[::2]:8787"]),
            ("127.0.0.1", &["127.0.0.1:8787"], &["127.0.0.2"]),
        ] {
            let parsed = HostPattern::parse(pattern).unwrap();
            for host in yes {
                assert!(parsed.matches(host), "{pattern} {host}");
            }
            for host in no {
                assert!(!parsed.matches(host), "{pattern} {host}");
            }
        }
    }

    #[test]
    fn a_host_pattern_that_is_invalid_or_too_broad_is_rejected() {
        for (pattern, error) in [
            ("", HostPatternError::NotAHost),
            ("https://example.com", HostPatternError::NotAHost),
            ("example.com/", HostPatternError::NotAHost),
            ("u@example.com", HostPatternError::NotAHost),
            (".example.com", HostPatternError::NotAHost),
            ("exämple.com", HostPatternError::NotAHost),
            ("exa mple.com", HostPatternError::NotAHost),
            ("0x7f.1", HostPatternError::NotAHost),
            ("*.", HostPatternError::NotAHost),
            ("*", HostPatternError::Wildcard),
            ("a.*.com", HostPatternError::Wildcard),
            ("*example.com", HostPatternError::Wildcard),
            ("*.*.com", HostPatternError::NotAHost),
            ("*.com", HostPatternError::TooWide),
            ("example.com:", HostPatternError::Port),
            ("example.com:70000", HostPatternError::Port),
        ] {
            assert_eq!(HostPattern::parse(pattern), Err(error), "{pattern}");
        }
    }

    #[test]
    fn origins_are_of_the_same_site_by_scheme_and_registrable_domain() {
        for (one, other, same) in [
            ("https://app.example.com", "https://api.example.com", true),
            ("https://app.example.com", "https://example.com:8443", true),
            ("https://app.example.com", "http://api.example.com", false),
            ("https://app.example.com", "https://api.example.org", false),
            ("https://a.co.uk", "https://b.co.uk", false),
            ("https://a.github.io", "https://b.github.io", false),
            ("https://one.pages.dev", "https://two.pages.dev", false),
            ("https://one.project.pages.dev", "https://project.pages.dev", true),
            ("https://one.workers.dev", "https://two.workers.dev", false),
            ("https://github.io", "https://github.io:444", true),
            ("https://github.io", "https://a.github.io", false),
            ("http://localhost:3000", "http://localhost:8787", true),
            ("http://app.localhost", "http://api.localhost", false),
            ("http://app.site.localhost", "http://api.site.localhost:8787", true),
            ("http://127.0.0.1:1", "http://127.0.0.1:2", true),
            ("http://127.0.0.1", "http://1.0.0.1", false),
            ("http://[::1]:1", "http://[::1]:2", true),
            // Browsers keep separate cookies for a host with a dot at its end.
            ("https://app.example.com.", "https://api.example.com", false),
        ] {
            let (one, other) = (Origin::parse(one).unwrap(), Origin::parse(other).unwrap());
            assert_eq!(one.is_same_site(&other), same, "{one:?} {other:?}");
            assert_eq!(other.is_same_site(&one), same, "{other:?} {one:?}");
        }
    }

    #[test]
    fn a_host_has_cookies_of_its_registrable_domain_and_of_the_names_below_it() {
        for (host, domains) in [
            ("a.b.example.com", &["example.com", "b.example.com", "a.b.example.com"][..]),
            ("example.co.uk", &["example.co.uk"]),
            ("a.b.s3.amazonaws.com", &["b.s3.amazonaws.com", "a.b.s3.amazonaws.com"]),
            ("app.site.localhost", &["site.localhost", "app.site.localhost"]),
            ("localhost", &[]),
            ("example.com.", &[]),
            ("192.168.1.5", &[]),
            ("[::1]", &[]),
            ("", &[]),
        ] {
            let found: Vec<CookieDomain> = CookieDomain::all_of(host).collect();
            assert_eq!(found.iter().map(CookieDomain::as_str).collect::<Vec<_>>(), domains, "{host}");
        }
    }

    #[test]
    fn a_wildcard_on_or_above_a_public_suffix_covers_several_sites() {
        for (pattern, several) in [
            ("*.co.uk", true),
            ("*.workers.dev", true),
            ("*.amazonaws.com", true),
            ("*.example.com", false),
            ("*.project.pages.dev", false),
            ("*.localhost", false),
            ("project.pages.dev", false),
            ("workers.dev", false),
        ] {
            assert_eq!(HostPattern::parse(pattern).unwrap().covers_several_sites(), several, "{pattern}");
        }
    }

    #[test]
    fn a_cookie_domain_covers_itself_and_the_names_below_it() {
        let domain = CookieDomain::parse(".Example.com").unwrap();
        assert_eq!(domain.as_str(), "example.com");
        for host in ["example.com", "app.example.com", "a.b.example.com", "APP.EXAMPLE.COM"] {
            assert!(domain.covers(host), "{host}");
        }
        for host in [
            "example.com.evil",
            "notexample.com",
            "com",
            "",
            ".example.com",
            "evil",
            "app.example.com.",
            "app.example.com.evil",
        ] {
            assert!(!domain.covers(host), "{host}");
        }
    }

    #[test]
    fn a_cookie_domain_that_browsers_reject_is_rejected() {
        for (text, error) in [
            ("", CookieDomainError::NotADomain),
            ("..example.com", CookieDomainError::NotADomain),
            ("example.com:443", CookieDomainError::NotADomain),
            ("https://example.com", CookieDomainError::NotADomain),
            ("example.com; Secure", CookieDomainError::NotADomain),
            ("127.0.0.1", CookieDomainError::Address),
            ("com", CookieDomainError::Shared),
            ("localhost", CookieDomainError::Shared),
            ("workers.dev", CookieDomainError::Shared),
            ("Pages.dev", CookieDomainError::Shared),
            (".co.uk", CookieDomainError::Shared),
            ("github.io", CookieDomainError::Shared),
        ] {
            assert_eq!(CookieDomain::parse(text), Err(error), "{text}");
        }
        assert!(CookieDomain::parse("name.workers.dev").is_ok());
    }
}
