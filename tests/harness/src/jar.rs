//! A browser's cookie jar.

use std::{cmp::Reverse, net::IpAddr, time::SystemTime};

use cookie::{Cookie, SameSite};
use url::Url;

/// The site that causes a request. It decides which `SameSite` cookies are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    Same,
    /// A page of another site.
    Cross,
}

/// Cookies in the order of their creation. The crate cookie_store is not used, because it merges a host-only cookie and a
/// cookie of the same name for the host's domain, which are two cookies (RFC 6265bis, section 5.7).
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar {
    cookies: Vec<Stored>,
}

#[derive(Clone, Debug)]
struct Stored {
    name: String,
    value: String,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    same_site: Option<SameSite>,
    /// `None` for a session cookie, which is valid until the browser closes.
    expires: Option<SystemTime>,
}

impl Jar {
    /// Stores the cookies that a response sets, as a browser does. Ignores cookies for other domains, with violated name
    /// prefixes, and with `Secure` over http.
    pub(crate) fn receive<'a>(&mut self, url: &Url, set_cookies: impl Iterator<Item = &'a str>) {
        for cookie in set_cookies.filter_map(|text| Cookie::parse(text).ok()) {
            let Some(new) = Stored::checked(&cookie, url) else { continue };
            if !trustworthy(url) && self.cookies.iter().any(|old| old.is_shadowed_by(&new)) {
                continue;
            }
            let expired = !new.is_valid();
            match self.cookies.iter().position(|old| old.is_same_as(&new)) {
                Some(at) if expired => drop(self.cookies.remove(at)),
                Some(at) => self.cookies.splice(at..=at, [new]).for_each(drop),
                None if expired => {}
                None => self.cookies.push(new),
            }
        }
    }

    /// The `Cookie` header for a request, with the longest path first (RFC 6265, section 5.4); `None` if no cookie matches.
    pub(crate) fn header(&self, url: &Url, site: Site, method: &str) -> Option<String> {
        let mut cookies = self.matching(url);
        cookies.retain(|cookie| site == Site::Same || cookie.crosses_sites(method));
        let pairs: Vec<String> = cookies.iter().map(|c| format!("{}={}", c.name, c.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The names and values of the cookies for a same-site request to this URL.
    pub(crate) fn for_url(&self, url: &Url) -> Vec<(String, String)> {
        self.matching(url).into_iter().map(|c| (c.name.clone(), c.value.clone())).collect()
    }

    /// The time at which a cookie for this URL expires; `None` for a session cookie.
    pub(crate) fn expires(&self, url: &Url, name: &str) -> Option<SystemTime> {
        self.matching(url).into_iter().find(|cookie| cookie.name == name)?.expires
    }

    pub(crate) fn clear(&mut self) {
        self.cookies.clear();
    }

    fn matching(&self, url: &Url) -> Vec<&Stored> {
        let mut found: Vec<&Stored> = self.cookies.iter().filter(|cookie| cookie.goes_to(url)).collect();
        found.sort_by_key(|cookie| Reverse(cookie.path.len()));
        found
    }
}

impl Stored {
    /// The cookie to store, or `None` if a browser rejects it (RFC 6265bis, section 5.7).
    fn checked(cookie: &Cookie<'_>, url: &Url) -> Option<Self> {
        let host = url.host_str()?.to_owned();
        let secure = cookie.secure() == Some(true);
        if !prefix_holds(cookie, url) || (secure && !trustworthy(url)) {
            return None;
        }
        let attribute = cookie.domain().map(|domain| domain.trim_start_matches('.').to_ascii_lowercase());
        let (domain, host_only) = match attribute.filter(|domain| !domain.is_empty()) {
            None => (host, true),
            // A top-level domain is a public suffix. A host with exactly this name may still set a host-only cookie.
            Some(domain) if !domain.contains('.') => (domain == host).then_some((host, true))?,
            Some(domain) => domain_covers(&domain, &host).then_some((domain, false))?,
        };
        let path = cookie
            .path()
            .filter(|path| path.starts_with('/'))
            .map_or_else(|| default_path(url), str::to_owned);
        let max_age = cookie.max_age().map(|age| SystemTime::now() + age.unsigned_abs());
        let expires = max_age.or_else(|| cookie.expires_datetime().map(SystemTime::from));
        let (name, value) = (cookie.name().to_owned(), cookie.value().to_owned());
        Some(Self { name, value, domain, host_only, path, secure, same_site: cookie.same_site(), expires })
    }

    fn is_same_as(&self, new: &Self) -> bool {
        let key = |c: &Self| (c.name.clone(), c.domain.clone(), c.host_only, c.path.clone());
        key(self) == key(new)
    }

    /// Whether `new`, set over http, would shadow this secure cookie.
    fn is_shadowed_by(&self, new: &Self) -> bool {
        let domains = domain_covers(&self.domain, &new.domain) || domain_covers(&new.domain, &self.domain);
        self.secure && self.name == new.name && domains && path_covers(&self.path, &new.path)
    }

    fn is_valid(&self) -> bool {
        self.expires.is_none_or(|at| at > SystemTime::now())
    }

    fn goes_to(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let host_matches =
            if self.host_only { self.domain == host } else { domain_covers(&self.domain, host) };
        host_matches
            && path_covers(&self.path, url.path())
            && (!self.secure || trustworthy(url))
            && self.is_valid()
    }

    /// Whether the cookie is sent with a cross-site request. A `Lax` cookie, the default, is sent only with navigations by
    /// GET or HEAD; a cross-site request counts as a navigation here.
    fn crosses_sites(&self, method: &str) -> bool {
        match self.same_site {
            Some(SameSite::None) => self.secure,
            Some(SameSite::Strict) => false,
            Some(SameSite::Lax) | None => method == "GET" || method == "HEAD",
        }
    }
}

fn domain_covers(domain: &str, host: &str) -> bool {
    let below = |rest: &str| rest.ends_with('.') && host.parse::<IpAddr>().is_err();
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || below(rest))
}

fn path_covers(path: &str, requested: &str) -> bool {
    requested
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with('/'))
}

fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder.to_owned(),
        _ => "/".to_owned(),
    }
}

/// Whether the cookie fulfils the requirements of the name prefixes `__Secure-` and `__Host-` (RFC 6265bis, section 5.7).
fn prefix_holds(cookie: &Cookie<'_>, url: &Url) -> bool {
    let name = cookie.name().to_ascii_lowercase();
    let secure = cookie.secure() == Some(true) && url.scheme() == "https";
    if name.starts_with("__host-") {
        return secure && cookie.domain().is_none() && cookie.path() == Some("/");
    }
    !name.starts_with("__secure-") || secure
}

/// Chrome and Firefox also accept `Secure` cookies from loopback hosts.
fn trustworthy(url: &Url) -> bool {
    url.scheme() == "https" || matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `Cookie` header for `to` after `from` has set these cookies.
    fn sent(from: &str, set: &[&str], to: &str) -> String {
        let mut jar = Jar::default();
        jar.receive(&Url::parse(from).unwrap(), set.iter().copied());
        jar.header(&Url::parse(to).unwrap(), Site::Same, "GET").unwrap_or_default()
    }

    #[test]
    fn cookies_are_sent_to_the_same_urls_as_by_a_browser() {
        for (from, set, to, expected) in [
            ("https://a.example.com/", "k=v", "https://a.example.com/x", "k=v"),
            ("https://a.example.com/", "k=v", "https://b.example.com/", ""),
            ("https://a.example.com/", "k=v", "https://x.a.example.com/", ""),
            ("https://a.example.com/", "k=v; Domain=example.com", "https://b.example.com/", "k=v"),
            ("https://a.example.com/", "k=v; Domain=.example.com", "https://example.com/", "k=v"),
            ("https://a.example.com/", "k=v; Domain=other.example", "https://other.example/", ""),
            ("https://a.example.com/", "k=v; Domain=b.example.com", "https://b.example.com/", ""),
            ("https://a.com/", "k=v; Domain=com", "https://b.com/", ""),
            ("http://127.0.0.1/", "k=v; Domain=0.0.1", "http://127.0.0.1/", ""),
            ("https://a.example/", "k=v; Path=/auth", "https://a.example/auth/x", "k=v"),
            ("https://a.example/", "k=v; Path=/auth", "https://a.example/authors", ""),
            ("https://a.example/auth/x", "k=v", "https://a.example/", ""),
            ("https://a.example/", "k=v; Secure", "http://a.example/", ""),
            ("http://a.example/", "k=v; Secure", "https://a.example/", ""),
            ("http://localhost/", "k=v; Secure", "http://localhost/", "k=v"),
            ("https://a.example/", "k=v; Max-Age=0", "https://a.example/", ""),
            ("https://a.example/", "k=v; Max-Age=9", "https://a.example/", "k=v"),
            ("https://a.example/", "k=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://a.example/", ""),
            ("https://a.example/", "__Secure-k=v; Secure", "https://a.example/", "__Secure-k=v"),
            ("https://a.example/", "__Secure-k=v", "https://a.example/", ""),
            ("https://a.example/", "__Host-k=v; Secure; Path=/", "https://a.example/", "__Host-k=v"),
            ("https://a.example/", "__Host-k=v; Secure", "https://a.example/", ""),
            ("https://a.example/", "__Host-k=v; Secure; Path=/; Domain=a.example", "https://a.example/", ""),
            ("https://a.example/", "__host-k=v; Path=/", "https://a.example/", ""),
        ] {
            assert_eq!(sent(from, &[set], to), expected, "{set:?} from {from} to {to}");
        }
    }

    #[test]
    fn a_later_cookie_replaces_an_earlier_one_and_an_expired_one_removes_it() {
        let at = "https://a.example/";
        assert_eq!(sent(at, &["k=1", "k=2"], at), "k=2");
        assert_eq!(sent(at, &["k=1", "k=; Max-Age=0"], at), "");
        assert_eq!(
            sent(at, &["k=1; Domain=a.example", "k=2"], at),
            "k=1; k=2",
            "two cookies of the same name"
        );
        assert_eq!(sent(at, &["k=1; Domain=a.example", "k=2", "k=; Max-Age=0"], at), "k=1");
        assert_eq!(sent(at, &["a=1", "b=1", "a=2"], at), "a=2; b=1", "the order of creation");
    }

    #[test]
    fn a_cookie_set_over_http_cannot_shadow_a_secure_cookie() {
        let (secure, plain) =
            (Url::parse("https://a.example/").unwrap(), Url::parse("http://a.example/").unwrap());
        let mut jar = Jar::default();
        jar.receive(&secure, ["k=1; Secure"].into_iter());
        jar.receive(&plain, ["k=2", "k=3; Domain=a.example", "other=4"].into_iter());
        assert_eq!(jar.header(&secure, Site::Same, "GET").as_deref(), Some("k=1; other=4"));
    }

    #[test]
    fn longer_paths_come_first() {
        let set = ["a=1; Path=/", "b=2; Path=/x/y", "c=3; Path=/x"];
        assert_eq!(sent("https://a.example/", &set, "https://a.example/x/y"), "b=2; c=3; a=1");
    }

    #[test]
    fn same_site_decides_which_cookies_a_cross_site_request_has() {
        let url = Url::parse("https://a.example/").unwrap();
        let mut jar = Jar::default();
        let set = ["n=0; SameSite=None; Secure", "l=1; SameSite=Lax", "s=2; SameSite=Strict", "d=3"];
        jar.receive(&url, set.into_iter());
        let names = |method| {
            let header = jar.header(&url, Site::Cross, method).unwrap_or_default();
            let mut names: Vec<String> =
                header.split("; ").filter_map(|p| p.get(..1)).map(str::to_owned).collect();
            names.sort();
            names.concat()
        };
        assert_eq!((names("GET").as_str(), names("POST").as_str()), ("dln", "n"));
    }
}
