//! The API's own cookies (RFC 6265 section 5), for the length of a sign-in.

use std::time::Duration;

use crate::http::headers::Headers;
use crate::http::url::Url;
use crate::secret::Secret;
use crate::time::Timestamp;

/// More cookies than this an API does not need; browsers promise no more for a site either.
const MAX_COOKIES: usize = 50;
/// What a browser keeps of one: name and value together.
const LONGEST_COOKIE: usize = 4096;

/// Cookies that the API set, as a browser would keep them.
///
/// Values stay byte for byte: what comes back to the API is what it set. `Secure`, `HttpOnly` and `SameSite`
/// say nothing here: every request goes over `https` or stays on this machine, and no page is involved.
#[derive(Clone, Debug, Default)]
pub struct Jar(Vec<ApiCookie>);

/// One of them.
#[derive(Clone, Debug)]
pub struct ApiCookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
    /// When it ends, where its attributes say.
    pub expires: Option<Timestamp>,
    host: String,
    /// Whether it goes to the hosts below `host`, too.
    and_below: bool,
    path: String,
}

impl Jar {
    /// Takes in what an answer from `url` sets, changes and takes away.
    pub fn store(&mut self, url: &Url, headers: &Headers, now: Timestamp) {
        for field in headers.get_all("set-cookie") {
            let Some(cookie) = parse(field, url, now) else { continue };
            self.0.retain(|other| {
                (&other.name, &other.host, &other.path) != (&cookie.name, &cookie.host, &cookie.path)
            });
            if cookie.expires.is_none_or(|end| now < end) && self.0.len() < MAX_COOKIES {
                self.0.push(cookie);
            }
        }
    }

    /// The cookie of that name; the newest where several paths have one.
    pub fn find(&self, name: &str) -> Option<&ApiCookie> {
        self.0.iter().rev().find(|cookie| cookie.name == name)
    }

    /// The `Cookie` field of a request to `url`; `None` where no cookie goes there. Longer paths come first
    /// (RFC 6265 section 5.4).
    pub fn field_for(&self, url: &Url) -> Option<String> {
        let mut cookies: Vec<&ApiCookie> = Vec::new();
        for cookie in self.0.iter().filter(|cookie| cookie.goes_to(url)) {
            let place = cookies.partition_point(|other| other.path.len() >= cookie.path.len());
            cookies.insert(place, cookie);
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

impl ApiCookie {
    fn goes_to(&self, url: &Url) -> bool {
        let host = url.host();
        let path_matches = url
            .path()
            .strip_prefix(self.path.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'));
        path_matches && (host == self.host || (self.and_below && is_below(host, &self.host)))
    }
}

/// Reads a `Set-Cookie` field (RFC 6265 sections 5.2 and 5.3). A `Domain` that does not cover the host that
/// sets it, for which a browser drops the cookie, makes it that host's own: an API may be asked by an inner
/// name, and its cookies are not less its own for that.
fn parse(field: &str, url: &Url, now: Timestamp) -> Option<ApiCookie> {
    let mut parts = field.split(';').map(trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (trim(name), trim(value));
    // `Cookie` is one line of pairs: what would be read there as something else is not kept.
    let is_good = !name.is_empty()
        && name.len() + value.len() <= LONGEST_COOKIE
        && name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'"'))
        && value.bytes().all(|b| matches!(b, b' '..=b'~'));
    if !is_good {
        return None;
    }
    let host = url.host();
    let mut cookie = ApiCookie {
        name: name.to_owned(),
        value: Secret::new(value),
        expires: None,
        host: host.to_owned(),
        and_below: false,
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
                cookie.and_below = !domain.is_empty() && (host == domain || is_below(host, &domain));
                cookie.host = if cookie.and_below { domain } else { host.to_owned() };
            }
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "path" => cookie.path = default_path(url),
            _ => {}
        }
    }
    // `Max-Age` goes before `Expires`, whichever comes first in the field.
    cookie.expires = max_age.map(|age| now.plus(age)).or(cookie.expires);
    Some(cookie)
}

/// `Max-Age`: zero and less is now; more than there are seconds is never.
fn seconds(text: &str) -> Option<Duration> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = if negative { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Some(Duration::from_secs(seconds))
}

/// RFC 6265 section 5.1.4: the directory of the request's path.
fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        None | Some(("", _)) => "/".to_owned(),
        Some((directory, _)) => directory.to_owned(),
    }
}

/// RFC 6265 section 5.1.3. An IP address has nothing below it.
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
    fn cookies_go_where_a_browser_would_send_them() {
        let me = "https://api.example.com/v1/users/me";
        for (field, to, goes) in [
            ("a=1; Path=/", me, true),
            ("a=1; path=/v1", me, true),
            ("a=1;PATH=/v1/", me, true),
            ("a=1; Path=/v1/users/me", me, true),
            ("a=1; Path=/v", me, false),
            ("a=1; Path=/v1/auth/refresh", me, false),
            ("a=1; Path=/v1/auth/refresh", "https://api.example.com/v1/auth/refresh", true),
            // Without a path: the directory of the login.
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
    fn values_come_back_byte_for_byte_and_longer_paths_first() {
        let fields =
            ["a=\"x y\"; Path=/", "b=s%3Aab=c==; Path=/v1; SameSite=None; Priority=High", "c=; Path=/"];
        let expected = "b=s%3Aab=c==; a=\"x y\"; c=";
        assert_eq!(sent(&fields, "https://api.example.com/v1/x").as_deref(), Some(expected));
    }

    #[test]
    fn the_end_of_a_cookie_is_max_age_before_expires() {
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
        for gone in ["Max-Age=0", "Max-Age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert!(jar(&[&format!("a=1; {gone}")]).find("a").is_none(), "{gone}");
        }
        assert!(jar(&["a=1; Max-Age=99999999999999999999"]).find("a").is_some());
    }

    #[test]
    fn a_later_cookie_replaces_and_removes_its_namesake_of_the_same_path_only() {
        let value = |fields: &[&str]| jar(fields).find("a").map(|cookie| cookie.value.expose().to_owned());
        assert_eq!(value(&["a=1; Path=/", "a=2; Path=/"]).as_deref(), Some("2"));
        assert_eq!(value(&["a=1; Path=/", "a=; Path=/; Max-Age=0"]), None);
        // An API that moves a cookie takes the old one away, before or after.
        assert_eq!(value(&["a=2; Path=/", "a=; Path=/old; Max-Age=0"]).as_deref(), Some("2"));
    }

    #[test]
    fn header_smuggling_what_is_no_cookie_is_not_kept() {
        let long = format!("a={}", "x".repeat(LONGEST_COOKIE));
        for field in ["", "=1", "a", "a b=1", "a=1\r\nx: y", "a=\u{e9}", "\"a\"=1", "a,b=1", &long] {
            assert!(jar(&[field]).0.is_empty(), "{field:.20}");
        }
        let many: Vec<String> = (0..500).map(|n| format!("a{n}=1")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(jar(&many).0.len(), MAX_COOKIES);
    }

    #[test]
    fn a_debug_print_shows_no_value() {
        assert!(!format!("{:?}", jar(&["a=hunter2"])).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_field_is_read_or_dropped(field in any::<String>(), path in "[/a-z;= ,A-Z-]{0,40}") {
            let _ = sent(&[&field, &format!("a=1; {path}")], "https://api.example.com/");
        }
    }
}
