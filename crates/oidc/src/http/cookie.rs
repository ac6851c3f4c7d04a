//! Cookies: parses `Cookie` and writes `Set-Cookie` header fields.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::http::origin::CookieDomain;
use crate::http::percent;
use crate::http::place::Place;
use crate::time::Timestamp;

/// Further cookies are ignored. Browsers keep at most 180 for a site, so no browser sends more.
const MAX_COOKIES: usize = 400;

/// The cookies of a request (RFC 6265 section 4.2), in order of appearance. Values are decoded as Auth.js decodes them.
///
/// Several cookies may have one name: a browser keeps one for each path and domain, and sends them all, those with
/// longer paths and the older ones first (RFC 6265 section 5.4). It does not say which is which.
#[derive(Clone, Default)]
pub struct Cookies {
    text: String,
    /// Where each cookie is in the text, and its position in the request.
    cookies: Vec<(Place, usize)>,
}

impl Cookies {
    /// Parses the values of all `Cookie` fields.
    pub fn parse<'a>(fields: impl Iterator<Item = &'a str>) -> Self {
        let mut parsed = Self::default();
        let pairs = fields.flat_map(pairs).take(MAX_COOKIES);
        for (position, pair) in pairs.enumerate() {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let name = trimmed(name);
            if !name.is_empty() {
                let place = Place::append(&mut parsed.text, name, &decode(trimmed(value)));
                parsed.cookies.push((place, position));
            }
        }
        parsed
    }

    /// The value of the first cookie of that name: percent-decoded, or unchanged if it cannot be decoded. Auth.js uses
    /// the same one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// The values of all cookies of that name, in order of appearance.
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.positions(name).map(|(_, value)| value)
    }

    /// The values of all cookies of that name, each with its position as [`without`] counts it.
    pub fn positions<'a>(&'a self, name: &str) -> impl Iterator<Item = (usize, &'a str)> {
        let named = self.cookies.iter().filter(move |(place, _)| place.is_named(&self.text, name));
        named.map(|(place, position)| (*position, place.value(&self.text)))
    }

    /// Whether some cookie has a name for which `is_it` is true.
    pub fn has_any(&self, is_it: impl Fn(&str) -> bool) -> bool {
        self.cookies.iter().any(|(place, _)| is_it(place.name(&self.text)))
    }

    /// The names of all cookies, sorted, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.cookies.iter().map(|(place, _)| place.name(&self.text)).collect::<BTreeSet<_>>().into_iter()
    }
}

/// Prints the names only: the values are sessions.
impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// The values of all cookies of that name, however many there are, decoded as by [`Cookies::get`].
pub fn values<'a>(fields: impl Iterator<Item = &'a str>, name: &'a str) -> impl Iterator<Item = String> {
    fields.flat_map(pairs).filter_map(move |pair| {
        let (this, value) = pair.split_once('=')?;
        (trimmed(this) == name).then(|| decode(trimmed(value)).into_owned())
    })
}

/// The values of the `Cookie` fields without the cookies for which `drop(position, name)` is true: see
/// [`without_pairs`].
pub fn without<'a>(fields: impl Iterator<Item = &'a str>, drop: impl Fn(usize, &str) -> bool) -> Vec<String> {
    without_pairs(fields, |position, pair| drop(position, pair_name(pair)))
}

/// The name of a cookie in a `Cookie` or `Set-Cookie` field: the text before the first equals sign, or the whole text.
pub fn pair_name(pair: &str) -> &str {
    trimmed(pair.split_once('=').map_or(pair, |(name, _)| name))
}

/// The values of the `Cookie` fields without the texts between semicolons for which `drop(position, text)` is true. What
/// is left stays byte for byte; a field of which no cookie is left is dropped. Positions count from 0 through all fields,
/// and a text between semicolons that is not a cookie has a position, too.
pub fn without_pairs<'a>(
    fields: impl Iterator<Item = &'a str>,
    drop: impl Fn(usize, &str) -> bool,
) -> Vec<String> {
    let mut position = 0;
    let mut remaining = Vec::new();
    for field in fields {
        let mut left = String::new();
        for pair in pairs(field) {
            let is_dropped = drop(position, pair);
            position += 1;
            if is_dropped {
                continue;
            }
            if !left.is_empty() {
                left.push(';');
            }
            // Of most fields nothing is left, or nearly all.
            left.reserve(field.len().saturating_sub(left.len()));
            left.push_str(if left.is_empty() { pair.trim_start_matches([' ', '\t']) } else { pair });
        }
        if !left.trim_matches([' ', '\t', ';']).is_empty() {
            remaining.push(left);
        }
    }
    remaining
}

/// The texts between the semicolons of a field. A session is long, and is searched for them with every request.
fn pairs(field: &str) -> impl Iterator<Item = &str> {
    let mut begin = 0;
    memchr::memchr_iter(b';', field.as_bytes()).chain([field.len()]).map(move |end| {
        let pair = field.get(begin..end).unwrap_or_default();
        begin = end + 1;
        pair
    })
}

/// The text without the white space that a `Cookie` field allows around names and values.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A `Set-Cookie` field (RFC 6265 section 4.1) with its attributes in Auth.js's order. It always has `HttpOnly`, and
/// `Path=/` unless another path is set. It has `SameSite=Lax`, unless it must be sent with another site's forms. It has `Secure` if the prefix
/// of its name requires that, which is the case on every `https` origin.
#[derive(Clone, PartialEq, Eq)]
pub struct SetCookie {
    name: String,
    value: String,
    max_age: Option<u64>,
    domain: Option<String>,
    path: Option<String>,
    expires: Option<Timestamp>,
    cross_site: bool,
}

impl SetCookie {
    /// A cookie that is valid until the browser closes. `name` is a token (RFC 9110 section 5.6.2). The value may be
    /// any text; it is written as by `encodeURIComponent`.
    pub fn new(name: impl Into<String>, value: &str) -> Self {
        Self {
            name: name.into(),
            value: encode(value),
            max_age: None,
            domain: None,
            path: None,
            expires: None,
            cross_site: false,
        }
    }

    /// Removes a cookie, by an empty value and `Max-Age=0`. It needs the domain with which the cookie was set.
    pub fn expired(name: impl Into<String>) -> Self {
        Self::new(name, "").max_age(Duration::ZERO)
    }

    /// Sets `Max-Age`; fractions of a second are dropped.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age.as_secs());
        self
    }

    /// Sets `Expires`.
    #[must_use]
    pub fn expires(mut self, at: Timestamp) -> Self {
        self.expires = Some(at);
        self
    }

    /// Sets `Domain`, if there is one: the cookie is sent to this domain and all names below it. A `__Host-` cookie has
    /// no `Domain`: browsers would reject it.
    #[must_use]
    pub fn domain(mut self, domain: Option<&CookieDomain>) -> Self {
        self.domain =
            domain.filter(|_| !self.name.starts_with("__Host-")).map(|domain| domain.as_str().to_owned());
        self
    }

    /// Sets `Path`, instead of `/`: the cookie is sent with requests for this path and those below it. It is the path of a
    /// URL, and has no semicolon. Browsers reject a `__Host-` cookie with it.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Sets `SameSite=None`, so that the cookie is sent with another site's form too. Browsers accept it with `Secure`
    /// only.
    #[must_use]
    pub fn cross_site(mut self) -> Self {
        self.cross_site = true;
        self
    }

    /// The cookie's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is for a domain and all names below it, and not only for the host that sets it.
    pub fn has_domain(&self) -> bool {
        self.domain.is_some()
    }

    /// The cookie as the browser will send it, `NAME=VALUE`; `None` if it removes one.
    pub fn pair(&self) -> Option<String> {
        (!self.value.is_empty()).then(|| format!("{}={}", self.name, self.value))
    }
}

/// The field's value.
impl fmt::Display for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)?;
        if let Some(seconds) = self.max_age {
            write!(f, "; Max-Age={seconds}")?;
        }
        if let Some(domain) = &self.domain {
            write!(f, "; Domain={domain}")?;
        }
        write!(f, "; Path={}", self.path.as_deref().unwrap_or("/"))?;
        if let Some(at) = self.expires {
            write!(f, "; Expires={}", at.to_imf_fixdate())?;
        }
        f.write_str("; HttpOnly")?;
        if self.cross_site || self.name.starts_with("__Secure-") || self.name.starts_with("__Host-") {
            f.write_str("; Secure")?;
        }
        f.write_str(if self.cross_site { "; SameSite=None" } else { "; SameSite=Lax" })
    }
}

/// Prints the name only: the value is a session.
impl fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetCookie").field("name", &self.name).finish_non_exhaustive()
    }
}

/// `decodeURIComponent`, or the text unchanged where that throws.
fn decode(value: &str) -> Cow<'_, str> {
    if memchr::memchr(b'%', value.as_bytes()).is_none() {
        return Cow::Borrowed(value);
    }
    percent::decode(value).map_or(Cow::Borrowed(value), Cow::Owned)
}

/// `encodeURIComponent`.
fn encode(value: &str) -> String {
    percent::encode(value, percent::URI_COMPONENT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_are_what_is_between_semicolons() {
        for field in ["", ";", "a", "a;b", ";;a=1; b;", "é;ü=;"] {
            assert_eq!(pairs(field).collect::<Vec<_>>(), field.split(';').collect::<Vec<_>>(), "{field}");
        }
    }

    fn parse(field: &str) -> Cookies {
        Cookies::parse([field].into_iter())
    }

    #[test]
    fn cookies_are_parsed_as_auth_js_parses_them() {
        let cookies = parse("a=1; b = x y ;c=%7C%C3%A9;d=%E0%A4%A;e=%ff; f=\"q\"; g==h=; =i; j; k=");
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("x y")),
            ("c", Some("|é")),
            ("d", Some("%E0%A4%A")),
            ("e", Some("%ff")),
            ("f", Some("\"q\"")),
            ("g", Some("=h=")),
            ("", None),
            ("i", None),
            ("j", None),
            ("k", Some("")),
            ("A", None),
        ] {
            assert_eq!(cookies.get(name), value, "{name}");
        }
        assert_eq!(cookies.names().collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f", "g", "k"]);
    }

    #[test]
    fn cookie_tossing_the_first_of_several_cookies_with_one_name_counts() {
        assert_eq!(parse("a=1; a=2; b=3; a=").get("a"), Some("1"));
        assert_eq!(Cookies::parse(["a=1", "a=2"].into_iter()).get("a"), Some("1"));
    }

    #[test]
    fn shadowing_cookies_all_cookies_of_one_name_are_there_in_order_of_appearance() {
        let cookies = Cookies::parse(["a=1; x; b=%32", "b=3; a=; a =4"].into_iter());
        assert_eq!(cookies.get_all("a").collect::<Vec<_>>(), ["1", "", "4"]);
        assert_eq!(cookies.positions("b").collect::<Vec<_>>(), [(2, "2"), (3, "3")]);
        assert_eq!(cookies.get_all("x").count(), 0);
        assert_eq!(cookies.names().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn cookies_are_cut_out_by_position_and_by_name_and_the_others_stay_byte_for_byte() {
        let fields = ["a=1; x;b=\"%32\"", "a=2; a=3", "a=4"];
        let left = |drop: &dyn Fn(usize, &str) -> bool| without(fields.into_iter(), drop);
        assert_eq!(left(&|_, _| false), fields);
        assert_eq!(left(&|_, name| name == "a"), ["x;b=\"%32\""]);
        assert_eq!(left(&|at, name| name == "a" && at != 4), ["x;b=\"%32\"", "a=3"]);
        assert_eq!(left(&|at, _| at < 5), ["a=4"]);
        assert_eq!(left(&|_, _| true), [""; 0]);
        // The positions are those of the parsed cookies.
        let cookies = Cookies::parse(fields.into_iter());
        assert_eq!(cookies.positions("a").map(|(at, _)| at).collect::<Vec<_>>(), [0, 3, 4, 5]);
    }

    #[test]
    fn a_cookie_header_is_read_up_to_the_maximum_number_of_cookies() {
        let field = (0..20_000).map(|n| format!("c{n}=1")).collect::<Vec<_>>().join("; ");
        let cookies = parse(&field);
        assert_eq!(cookies.names().count(), MAX_COOKIES);
        assert_eq!(cookies.get("c399"), Some("1"));
        assert_eq!(cookies.get("c400"), None);
        assert_eq!(parse(&"%".repeat(100_000)).names().count(), 0);
    }

    #[test]
    fn debug_output_shows_names_and_no_values() {
        assert_eq!(format!("{:?}", parse("a=hunter2")), "{\"a\"}");
        assert!(!format!("{:?}", SetCookie::new("a", "hunter2")).contains("hunter2"));
    }

    #[test]
    fn set_cookie_is_written_as_auth_js_writes_it() {
        let at = Timestamp::from_seconds(1_797_881_690);
        let domain = CookieDomain::parse("example.com").unwrap();
        for (cookie, written) in [
            (
                SetCookie::new("__Host-authjs.csrf-token", "ab|cd"),
                "__Host-authjs.csrf-token=ab%7Ccd; Path=/; HttpOnly; Secure; SameSite=Lax",
            ),
            (
                SetCookie::new("authjs.callback-url", "http://localhost:3000"),
                "authjs.callback-url=http%3A%2F%2Flocalhost%3A3000; Path=/; HttpOnly; SameSite=Lax",
            ),
            (
                SetCookie::new("__Secure-authjs.session-token", "e.y").expires(at),
                "__Secure-authjs.session-token=e.y; Path=/; Expires=Mon, 21 Dec 2026 19:34:50 GMT; HttpOnly; Secure; SameSite=Lax",
            ),
            (
                SetCookie::new("__Secure-authjs.state", "é;\r\n")
                    .max_age(Duration::from_mins(15))
                    .expires(at),
                "__Secure-authjs.state=%C3%A9%3B%0D%0A; Max-Age=900; Path=/; Expires=Mon, 21 Dec 2026 19:34:50 GMT; HttpOnly; Secure; SameSite=Lax",
            ),
            (
                SetCookie::expired("__Secure-authjs.session-token"),
                "__Secure-authjs.session-token=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax",
            ),
            (
                SetCookie::expired("__Secure-authjs.session-token.0").domain(Some(&domain)),
                "__Secure-authjs.session-token.0=; Max-Age=0; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Lax",
            ),
            (
                SetCookie::new("__Host-authjs.csrf-token", "x").domain(Some(&domain)),
                "__Host-authjs.csrf-token=x; Path=/; HttpOnly; Secure; SameSite=Lax",
            ),
        ] {
            assert_eq!(cookie.to_string(), written);
        }
    }

    proptest! {
        #[test]
        fn a_written_value_reads_back_unchanged(value in any::<String>()) {
            let written = SetCookie::new("n", &value).to_string();
            let pair = written.split(';').next().unwrap();
            let cookies = parse(pair);
            prop_assert_eq!(cookies.get("n"), Some(value.as_str()));
            prop_assert!(written.is_ascii());
        }
    }
}
