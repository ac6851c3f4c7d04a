//! The API's own cookies (RFC 6265 section 5), kept for the duration of a sign-in.

use std::time::Duration;

use crate::http::headers::Headers;
use crate::http::url::Url;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Further cookies are dropped. RFC 6265 section 6.1 requires no more of browsers per domain either.
const MAX_COOKIES: usize = 50;
/// The maximum size of a cookie in browsers: name and value together, in bytes.
const MAX_COOKIE_SIZE: usize = 4096;

/// Cookies that the API set, stored as in a browser.
///
/// Values stay byte for byte: the API gets back exactly the value that it set. `Secure`, `HttpOnly` and `SameSite` are
/// ignored: all requests use `https` or stay on this machine, and no page is involved.
#[derive(Clone, Debug, Default)]
pub struct Jar(Vec<ApiCookie>);

/// A cookie of the API.
#[derive(Clone, Debug)]
pub struct ApiCookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
    /// When it expires, if its attributes state that.
    pub expires: Option<Timestamp>,
    host: String,
    /// Whether it is also sent to the hosts below `host`.
    include_subdomains: bool,
    path: String,
}

impl Jar {
    /// Stores, replaces and removes cookies as a response from `url` demands.
    pub fn store(&mut self, url: &Url, headers: &Headers, now: Timestamp) {
        self.store_fields(url, headers.get_all("set-cookie"), now);
    }

    /// The same for the values of `Set-Cookie` fields.
    pub fn store_fields<'a>(&mut self, url: &Url, fields: impl Iterator<Item = &'a str>, now: Timestamp) {
        for field in fields {
            let Some(cookie) = parse(field, url, now) else { continue };
            self.0.retain(|other| {
                (&other.name, &other.host, &other.path) != (&cookie.name, &cookie.host, &cookie.path)
            });
            if cookie.expires.is_none_or(|end| now < end) && self.0.len() < MAX_COOKIES {
                self.0.push(cookie);
            }
        }
    }

    /// The cookie of that name; the newest one if several paths have one.
    pub fn find(&self, name: &str) -> Option<&ApiCookie> {
        self.0.iter().rev().find(|cookie| cookie.name == name)
    }

    /// The `Cookie` field of a request to `url`; `None` if no cookie is sent there. Longer paths come first (RFC 6265
    /// section 5.4).
    pub fn field_for(&self, url: &Url) -> Option<String> {
        let mut cookies: Vec<&ApiCookie> = Vec::new();
        for cookie in self.0.iter().filter(|cookie| cookie.is_sent_to(url)) {
            let position = cookies.partition_point(|other| other.path.len() >= cookie.path.len());
            cookies.insert(position, cookie);
        }
        let mut field = String::new();
        for cookie in cookies {
            if !field.is_empty() {
                field.push_str("; ");
            }
            field.push_str(&cookie.name);
            field.push('=');
            field.push_str(cookie.value.expose());
        }
        (!field.is_empty()).then_some(field)
    }
}

/// The name of the cookie that a `Set-Cookie` field removes: it has expired already.
pub fn removed_name(field: &str, url: &Url, now: Timestamp) -> Option<String> {
    let cookie = parse(field, url, now)?;
    cookie.expires.is_some_and(|end| end <= now).then_some(cookie.name)
}

impl ApiCookie {
    fn is_sent_to(&self, url: &Url) -> bool {
        let host = url.host();
        let path_matches = url
            .path()
            .strip_prefix(self.path.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'));
        path_matches && (host == self.host || (self.include_subdomains && is_below(host, &self.host)))
    }
}

/// Parses a `Set-Cookie` field (RFC 6265 sections 5.2 and 5.3). If `Domain` does not cover the host that sets the
/// cookie, a browser drops the cookie. Here it becomes a cookie of that host alone: Vestibule may reach an API by an
/// internal name, for which the API's `Domain` is not meant.
fn parse(field: &str, url: &Url, now: Timestamp) -> Option<ApiCookie> {
    let mut parts = field.split(';').map(trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (trim(name), trim(value));
    // `Cookie` is one line of pairs: a cookie that would be read there as something else is dropped.
    let is_valid = !name.is_empty()
        && name.len() + value.len() <= MAX_COOKIE_SIZE
        && name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'"'))
        && value.bytes().all(|b| matches!(b, b' '..=b'~'));
    if !is_valid {
        return None;
    }
    let host = url.host();
    let mut cookie = ApiCookie {
        name: name.to_owned(),
        value: Secret::new(value),
        expires: None,
        host: host.to_owned(),
        include_subdomains: false,
        path: default_path(url),
    };
    let mut max_age = None;
    for attribute in parts {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = trim(value);
        match trim(name).to_ascii_lowercase().as_str() {
            "max-age" => max_age = seconds(value).or(max_age),
            "expires" => cookie.expires = Timestamp::parse_cookie_date(value).or(cookie.expires),
            "domain" => {
                let domain = value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase();
                cookie.include_subdomains = !domain.is_empty() && (host == domain || is_below(host, &domain));
                cookie.host = if cookie.include_subdomains { domain } else { host.to_owned() };
            }
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "path" => cookie.path = default_path(url),
            _ => {}
        }
    }
    // `Max-Age` has precedence over `Expires`, in whichever order they occur.
    cookie.expires = max_age.map(|age| now.plus(age)).or(cookie.expires);
    Some(cookie)
}

/// Parses `Max-Age`. Zero and negative values mean now; values that overflow mean never.
fn seconds(text: &str) -> Option<Duration> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = if negative { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Some(Duration::from_secs(seconds))
}

/// The default path (RFC 6265 section 5.1.4): the directory of the request's path.
fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        None | Some(("", _)) => "/".to_owned(),
        Some((directory, _)) => directory.to_owned(),
    }
}

/// Whether `host` is below `domain` (RFC 6265 section 5.1.3). Nothing is below an IP address.
fn is_below(host: &str, domain: &str) -> bool {
    let is_name = !host.starts_with('[') && host.parse::<std::net::Ipv4Addr>().is_err();
    is_name && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_290_000);

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn jar(fields: &[&str]) -> Jar {
        let mut jar = Jar::default();
        let headers = fields.iter().map(|field| ("set-cookie", *field)).collect();
        jar.store(&url("https://api.example.com/v1/auth/login?x"), &headers, NOW);
        jar
    }

    fn sent(fields: &[&str], to: &str) -> Option<String> {
        jar(fields).field_for(&url(to))
    }

    #[test]
    fn cookies_are_sent_where_a_browser_would_send_them() {
        let me = "https://api.example.com/v1/users/me";
        for (field, to, goes) in [
            ("a=1; Path=/", me, true),
            ("a=1; path=/v1", me, true),
            ("a=1;PATH=/v1/", me, true),
            ("a=1; Path=/v1/users/me", me, true),
            ("a=1; Path=/v", me, false),
            ("a=1; Path=/v1/auth/refresh", me, false),
            ("a=1; Path=/v1/auth/refresh", "https://api.example.com/v1/auth/refresh", true),
            // Without `Path`, the path is the directory of the login's URL.
            ("a=1", me, false),
            ("a=1; Path=", me, false),
            ("a=1", "https://api.example.com/v1/auth/refresh", true),
            ("a=1; Path=/; Domain=example.com", me, true),
            ("a=1; Path=/; Domain=.EXAMPLE.com", "https://other.example.com/", true),
            ("a=1; Path=/; Domain=example.com", "https://evilexample.com/", false),
            ("a=1; Path=/", "https://other.example.com/", false),
            ("a=1; Path=/", "https://below.api.example.com/", false),
            ("a=1; Path=/; Domain=api.example.com", "https://below.api.example.com/", true),
            ("a=1; Path=/; Domain=inner.test", me, true),
            ("a=1; Path=/; Domain=inner.test", "https://inner.test/", false),
            ("a=1; Path=/; Domain=", me, true),
        ] {
            assert_eq!(sent(&[field], to).is_some(), goes, "{field} {to}");
        }
    }

    #[test]
    fn values_stay_byte_for_byte_and_longer_paths_come_first() {
        let fields =
            ["a=\"x y\"; Path=/", "b=s%3Aab=c==; Path=/v1; SameSite=None; Priority=High", "c=; Path=/"];
        let expected = "b=s%3Aab=c==; a=\"x y\"; c=";
        assert_eq!(sent(&fields, "https://api.example.com/v1/x").as_deref(), Some(expected));
    }

    #[test]
    fn max_age_has_precedence_over_expires() {
        let in_an_hour = Some(NOW.plus(Duration::from_hours(1)));
        for (attributes, expires) in [
            ("", None),
            ("Max-Age=3600", in_an_hour),
            ("max-age = 3600 ", in_an_hour),
            ("Max-Age=3600; Expires=Thu, 01 Jan 2099 00:00:00 GMT", in_an_hour),
            ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=3600", in_an_hour),
            ("Max-Age=abc; Max-Age=3600", in_an_hour),
            ("Max-Age=1.5", None),
            ("Expires=never", None),
            ("Expires=Mon, 21 Dec 2026 19:34:50 GMT", Some(Timestamp::from_seconds(1_797_881_690))),
        ] {
            let jar = jar(&[&format!("a=1; {attributes}")]);
            assert_eq!(jar.find("a").unwrap().expires, expires, "{attributes}");
        }
        for expired in ["Max-Age=0", "Max-Age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert!(jar(&[&format!("a=1; {expired}")]).find("a").is_none(), "{expired}");
        }
        assert!(jar(&["a=1; Max-Age=99999999999999999999"]).find("a").is_some());
    }

    #[test]
    fn a_later_cookie_replaces_only_the_cookie_with_the_same_name_and_path() {
        let value = |fields: &[&str]| jar(fields).find("a").map(|cookie| cookie.value.expose().to_owned());
        assert_eq!(value(&["a=1; Path=/", "a=2; Path=/"]).as_deref(), Some("2"));
        assert_eq!(value(&["a=1; Path=/", "a=; Path=/; Max-Age=0"]), None);
        // An API that moves a cookie to another path removes the old one, before or after it sets the new one.
        assert_eq!(value(&["a=2; Path=/", "a=; Path=/old; Max-Age=0"]).as_deref(), Some("2"));
    }

    #[test]
    fn header_smuggling_an_invalid_cookie_is_dropped() {
        let long = format!("a={}", "x".repeat(MAX_COOKIE_SIZE));
        for field in ["", "=1", "a", "a b=1", "a=1\r\nx: y", "a=\u{e9}", "\"a\"=1", "a,b=1", &long] {
            assert!(jar(&[field]).0.is_empty(), "{field:.20}");
        }
        let many: Vec<String> = (0..500).map(|n| format!("a{n}=1")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(jar(&many).0.len(), MAX_COOKIES);
    }

    #[test]
    fn debug_output_shows_no_value() {
        assert!(!format!("{:?}", jar(&["a=hunter2"])).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_field_makes_the_parser_panic(field in any::<String>(), path in "[/a-z;= ,A-Z-]{0,40}") {
            let _ = sent(&[&field, &format!("a=1; {path}")], "https://api.example.com/");
        }
    }
}
