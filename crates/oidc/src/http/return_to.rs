//! Return addresses: where a browser may be redirected after a sign-in or sign-out.
//!
//! A candidate comes from a query, a form or a cookie, so an attacker may have written it. It is accepted as
//! - `/…`: a path on the request's own origin, but not a text that browsers read as `//host`;
//! - `https://…` of the own origin, of a trusted host, or of a host that the cookie domain covers;
//! - `http://…` of the own origin, or of such a host if the own origin is `http` too.
//!
//! Everything else is rejected, and the caller uses [`ReturnPolicy::default`]. An accepted address is emitted as the
//! URL parser serializes it, so a browser cannot read it differently from how it was checked.

use std::fmt;

use crate::http::origin::{CookieDomain, HostPattern, Origin};
use crate::http::url::Url;

/// The most bytes that path, query and fragment of an accepted address have, as it is emitted. The address travels in a
/// sealed cookie while the user is at the provider.
pub const MAX_LENGTH: usize = 4096;

/// Longer candidates are not even parsed. No browser's address has so many bytes on its way through a network.
const MAX_CANDIDATE: usize = 64 * 1024;

/// An absolute URL to which a browser may be redirected. Only [`ReturnPolicy`] creates one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedUrl(String);

impl TrustedUrl {
    /// The URL: ASCII without spaces and control characters, so it fits a `Location` header field.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rules that the return address of a request is checked against.
#[derive(Clone, Copy, Debug)]
pub struct ReturnPolicy<'a> {
    /// The origin to which the request was sent.
    pub own_origin: &'a Origin,
    /// Hosts that a return address may name.
    pub trusted_hosts: &'a [HostPattern],
    /// The domain that shares the session. Its hosts are trusted too.
    pub cookie_domain: Option<&'a CookieDomain>,
}

impl ReturnPolicy<'_> {
    /// Checks a candidate. `None` if it is not accepted.
    pub fn resolve(&self, candidate: &str) -> Option<TrustedUrl> {
        self.resolve_any_length(candidate).filter(|url| length(url) <= MAX_LENGTH)
    }

    /// Whether a candidate would be accepted if it were shorter.
    pub fn is_too_long(&self, candidate: &str) -> bool {
        // Most candidates are short, and nothing that is emitted is longer than three times the candidate.
        candidate.len() > MAX_LENGTH / 3
            && self.resolve_any_length(candidate).is_some_and(|url| length(&url) > MAX_LENGTH)
    }

    fn resolve_any_length(&self, candidate: &str) -> Option<TrustedUrl> {
        // Browsers drop tabs and newlines, trim spaces, and read `\` as `/`: a candidate with any of these is an
        // attack.
        let is_suspicious = |c: char| c.is_control() || c == '\\';
        let is_too_much = candidate.len() > MAX_CANDIDATE;
        if is_too_much || candidate.contains(is_suspicious) || candidate.trim() != candidate {
            return None;
        }
        if candidate.starts_with('/') {
            return self.resolve_path(candidate);
        }
        // The parser rejects credentials, so `https://app.example.com@evil` fails here.
        let url = Url::parse(candidate).ok()?;
        let origin = Origin::of(&url);
        if !self.trusts(&origin) {
            return None;
        }
        // Auth.js writes an origin without a trailing slash. The parser would add one.
        let bare = candidate.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?', '#']));
        Some(TrustedUrl(if bare { url.origin() } else { url.as_str() }.to_owned()))
    }

    /// The own origin without a trailing slash, as Auth.js writes it.
    pub fn default(&self) -> TrustedUrl {
        TrustedUrl(self.own_origin.as_str().to_owned())
    }

    /// The result of [`resolve`](Self::resolve), or the default.
    pub fn resolve_or_default(&self, candidate: &str) -> TrustedUrl {
        self.resolve(candidate).unwrap_or_else(|| self.default())
    }

    fn resolve_path(&self, path: &str) -> Option<TrustedUrl> {
        if path.starts_with("//") {
            return None;
        }
        let url = Url::parse(&format!("{}{path}", self.own_origin.as_str())).ok()?;
        // `/..//evil` has become `//evil`: a reader of the path alone would take `evil` for a host.
        let stays = url.origin() == self.own_origin.as_str();
        (stays && !url.path().starts_with("//")).then(|| TrustedUrl(url.as_str().to_owned()))
    }

    /// Whether a browser may be redirected to any URL on that origin.
    pub fn trusts(&self, origin: &Origin) -> bool {
        if origin == self.own_origin {
            return true;
        }
        // A pattern with a port needs the port even if it is the scheme's default.
        let authority = if origin.authority() == origin.host() {
            format!("{}:{}", origin.host(), if origin.secure() { 443 } else { 80 })
        } else {
            origin.authority().to_owned()
        };
        // A host with a trailing dot is the same host, but browsers keep separate cookies for it.
        (origin.secure() || !self.own_origin.secure())
            && !origin.host().ends_with('.')
            && (self.trusted_hosts.iter().any(|pattern| pattern.matches(&authority))
                || self.cookie_domain.is_some_and(|domain| domain.covers(origin.host())))
    }
}

/// The bytes of an address without its origin.
fn length(url: &TrustedUrl) -> usize {
    let authority = url.0.find("://").map_or(0, |at| at + 3);
    let rest = url.0.get(authority..).unwrap_or_default();
    rest.find(['/', '?', '#']).map_or(0, |at| rest.len() - at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::{CookieDomain, HostPattern, MAX_LENGTH, Origin, ReturnPolicy};

    struct Site {
        own: Origin,
        trusted: Vec<HostPattern>,
        domain: Option<CookieDomain>,
    }

    impl Site {
        fn new(own: &str) -> Self {
            Self {
                own: Origin::parse(own).unwrap(),
                trusted: ["*.trusted.example", "partner.example:8443"]
                    .iter()
                    .map(|pattern| HostPattern::parse(pattern).unwrap())
                    .collect(),
                domain: Some(CookieDomain::parse("example.com").unwrap()),
            }
        }

        fn resolve(&self, candidate: &str) -> Option<String> {
            self.policy().resolve(candidate).map(|url| url.as_str().to_owned())
        }

        fn policy(&self) -> ReturnPolicy<'_> {
            ReturnPolicy {
                own_origin: &self.own,
                trusted_hosts: &self.trusted,
                cookie_domain: self.domain.as_ref(),
            }
        }
    }

    #[test]
    fn accepted_return_addresses_become_absolute() {
        let site = Site::new("https://app.example.com");
        for (candidate, resolved) in [
            ("/", "https://app.example.com/"),
            ("/d?x=1&y=%2F#z", "https://app.example.com/d?x=1&y=%2F#z"),
            ("/a b/é", "https://app.example.com/a%20b/%C3%A9"),
            ("/a/../b", "https://app.example.com/b"),
            ("/?next=//evil.example", "https://app.example.com/?next=//evil.example"),
            ("/a//b", "https://app.example.com/a//b"),
            ("/%2f%2fevil.example", "https://app.example.com/%2f%2fevil.example"),
            ("/https://evil.example", "https://app.example.com/https://evil.example"),
            ("/@evil.example", "https://app.example.com/@evil.example"),
            ("https://app.example.com", "https://app.example.com"),
            ("https://app.example.com/", "https://app.example.com/"),
            ("HTTPS://APP.example.com:443", "https://app.example.com"),
            ("https://app.example.com?x", "https://app.example.com/?x"),
            ("https://app.example.com//evil.example", "https://app.example.com//evil.example"),
            ("https://%61pp.example.com/x", "https://app.example.com/x"),
            ("https://example.com/x", "https://example.com/x"),
            ("https://other.example.com:8443/x", "https://other.example.com:8443/x"),
            ("https://a.b.trusted.example/x", "https://a.b.trusted.example/x"),
            ("https://partner.example:8443", "https://partner.example:8443"),
        ] {
            assert_eq!(site.resolve(candidate).as_deref(), Some(resolved), "{candidate}");
        }
        assert_eq!(site.policy().default().as_str(), "https://app.example.com");
        assert_eq!(site.policy().resolve_or_default("//evil").as_str(), "https://app.example.com");
    }

    const REJECTED: &[&str] = &[
        "HTTPS://A\u{10efc}",
        "https://A%F0%90%BB%BC/",
        "",
        " ",
        "foo",
        "./foo",
        "../foo",
        "?x",
        "#x",
        ".",
        "..",
        ".//evil.example",
        "@evil.example",
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "//app.example.com",
        "//",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "/\\/evil.example",
        "\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\n/evil.example",
        "\t//evil.example",
        "/\u{0}/evil.example",
        " //evil.example",
        " https://evil.example",
        "\u{1}https://app.example.com",
        "/ok\u{85}",
        "/ok\r\nSet-Cookie: a=b",
        "/ok ",
        " /ok",
        "\u{a0}/ok",
        "\u{feff}//evil.example",
        "/..//evil.example",
        "/.//evil.example",
        "/a/..//evil.example",
        "/%2e%2e//evil.example",
        "/%2e//evil.example",
        "/a/../..//evil.example",
        "/./%2E/..//evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "https:\\\\evil.example",
        "http:\\\\evil.example",
        "https:app.example.com",
        "https:/app.example.com",
        "https:///app.example.com",
        "https://\\evil.example",
        "https://app.example.com\\@evil.example",
        "https://app.example.com\\.evil.example",
        "javascript:alert(1)",
        "JavaScript://app.example.com/%0aalert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "blob:https://app.example.com/x",
        "file:///x",
        "ftp://app.example.com",
        "ws://app.example.com",
        "view-source:https://app.example.com",
        "about:blank",
        "intent://app.example.com",
        "https://evil.example",
        "https://evil.example/app.example.com",
        "https://evil.example?app.example.com",
        "https://evil.example#app.example.com",
        "https://evil.example#@app.example.com",
        "https://app.example.com@evil.example",
        "https://app.example.com:443@evil.example",
        "https://app.example.com%40evil.example",
        "https://u:p@app.example.com",
        "https://@app.example.com@evil.example",
        "https://u@app.example.com/",
        "https://app.example.com.evil.example",
        "https://evil-example.com",
        "https://evilexample.com",
        "https://example.com.evil",
        "https://app.example.comevil",
        "https://trusted.example",
        "https://xtrusted.example",
        "https://app.example.com\u{3002}evil.example",
        "https://app\u{ff0e}example.com",
        "https://ａpp.example.com",
        "https://evil.example\u{ff0f}.example.com",
        "https://app.example.com\u{2024}evil",
        "https://exämple.com",
        "https://evil.example%2f.example.com",
        "https://evil.example%00.example.com",
        "https://evil.example%5c.example.com",
        "https://evil.example%23.example.com",
        "https://evil.example%3f.example.com",
        "https://[::1].example.com",
        "https://",
        "https://:443",
        "https://app.example.com:99999",
        "https://app.example.com:x",
        "https://[",
        "http://app.example.com",
        "http://app.example.com/x",
        "http://a.trusted.example",
        "https://partner.example",
        "https://partner.example:443",
        "https://app.example.com./",
        "%2f%2fevil.example",
        "%68ttps://evil.example",
        "https%3a//evil.example",
        "https://%zz.example.com",
    ];

    #[test]
    fn open_redirect_through_the_return_address_is_rejected_in_every_spelling() {
        let site = Site::new("https://app.example.com");
        for candidate in REJECTED {
            assert_eq!(site.resolve(candidate), None, "{candidate:?}");
        }
        assert_eq!(site.resolve(&format!("/{}", "a".repeat(MAX_LENGTH))), None);
        assert!(site.resolve(&format!("/{}", "a".repeat(MAX_LENGTH - 1))).is_some());
    }

    #[test]
    fn the_length_of_a_return_address_counts_as_it_is_emitted_and_without_its_origin() {
        let site = Site::new("https://app.example.com");
        for (candidate, is_accepted, is_too_long) in [
            ("/x".to_owned(), true, false),
            (format!("https://app.example.com/{}", "a".repeat(MAX_LENGTH - 1)), true, false),
            (format!("https://app.example.com/{}", "a".repeat(MAX_LENGTH)), false, true),
            // Each of them is six bytes in the address.
            (format!("/{}", "\u{e9}".repeat((MAX_LENGTH - 1) / 6)), true, false),
            (format!("/{}", "\u{e9}".repeat(MAX_LENGTH / 6 + 1)), false, true),
            (format!("/{}", "./".repeat(MAX_LENGTH)), true, false),
            (format!("https://evil.example/{}", "a".repeat(MAX_LENGTH)), false, false),
            (format!("//evil.example/{}", "a".repeat(MAX_LENGTH)), false, false),
            (format!("/{}", "a".repeat(64 * 1024)), false, false),
        ] {
            let name: String = candidate.chars().take(24).collect();
            assert_eq!(site.resolve(&candidate).is_some(), is_accepted, "{name}");
            assert_eq!(site.policy().is_too_long(&candidate), is_too_long, "{name}");
        }
    }

    #[test]
    fn a_plain_http_origin_in_development_may_return_to_plain_http() {
        let site = Site::new("http://localhost:3000");
        for (candidate, resolved) in [
            ("/x", Some("http://localhost:3000/x")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://localhost:3001", None),
            ("https://localhost:3000", None),
            ("http://a.trusted.example/", Some("http://a.trusted.example/")),
            ("https://a.trusted.example/", Some("https://a.trusted.example/")),
        ] {
            assert_eq!(site.resolve(candidate).as_deref(), resolved, "{candidate}");
        }
    }

    proptest! {
        /// A browser, by its own parsing rules, resolves every accepted address to a trusted origin.
        #[test]
        fn an_accepted_address_leads_to_a_trusted_origin(
            candidate in "(/|//|\\\\|https?:|HTTPS://|https://|javascript:)?(/|//|\\\\|@|\\.\\.|%2e|evil\\.example|app\\.example\\.com|example\\.com|trusted\\.example|x\\.|:443|:8443|[#?@:/\\\\.\t\n ;é%]|\\PC){0,6}"
        ) {
            let site = Site::new("https://app.example.com");
            if let Some(emitted) = site.resolve(&candidate) {
                prop_assert!(emitted.bytes().all(|b| (0x21..0x7f).contains(&b)), "{}", emitted);
                let url = Url::parse(&emitted).unwrap();
                let base = Url::parse("https://evil.example/").unwrap();
                prop_assert_eq!(&base.join(&emitted).unwrap(), &url);
                let host = url.host_str().unwrap();
                prop_assert_eq!(url.scheme(), "https");
                prop_assert!(
                    host == "example.com" || host.ends_with(".example.com") || host.ends_with(".trusted.example"),
                    "{}", emitted
                );
                prop_assert_eq!((url.username(), url.password()), ("", None));
                // An emitted address is accepted again, and stays unchanged.
                prop_assert_eq!(site.resolve(&emitted), Some(emitted.clone()));
            }
        }
    }
}
