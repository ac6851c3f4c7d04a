//! How cookies are named, and which hosts share the session.

use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use crate::session::names::CookieNaming;
use vestibule_oidc::http::origin::CookieDomain;

/// The longest prefix. A browser accepts 4096 bytes for name and value, and a session's cookie has up to 3936 of them as
/// its value.
const MAX_PREFIX: usize = 32;

/// What the names begin with that belong to Auth.js.
const AUTH_JS: [&str; 2] = ["authjs", "next-auth"];

pub(super) fn cookie_domain(cookies: &Table<'_>) -> Option<CookieDomain> {
    cookies.text("domain")?.parsed(CookieDomain::parse)
}

pub(super) fn cookie_naming(cookies: &Table<'_>) -> CookieNaming {
    let prefix = cookies.text("prefix");
    if let Some(prefix) = &prefix {
        check_prefix(prefix);
    }
    let host_prefix = cookies.flag("host_prefix").unwrap_or(false);
    if host_prefix && cookies.text("domain").is_some() {
        refuse!(
            cookies.at("host_prefix"),
            "a __Host- cookie belongs to one host, and cookies.domain shares the session among several",
            "remove one of the two keys",
        );
    }
    CookieNaming { prefix: prefix.map(|prefix| prefix.text.to_owned()), host_prefix }
}

/// A cookie's name is a token (RFC 6265 section 4.1.1). Without the token's other characters, no name has two readings:
/// a dot separates the prefix from what follows, and some servers decode or split names.
fn check_prefix(prefix: &Text<'_>) {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let text = prefix.text;
    if text.is_empty() || text.len() > MAX_PREFIX || !text.bytes().all(is_plain) {
        refuse!(
            prefix,
            "{prefix} cannot begin the name of a cookie: it has 1 to 32 letters, digits, \"-\" and \"_\"",
            "write for example \"acme\"; the dot before \"session-token\" is added",
        );
    } else if text.starts_with("__") {
        refuse!(
            prefix,
            "{prefix}: names that begin with \"__\" are for browsers, which reject many of them",
            "leave \"__\" out; on https the name begins with \"__Secure-\" anyway, or with \"__Host-\" if \
             cookies.host_prefix is true",
        );
    } else if AUTH_JS.iter().any(|name| text.eq_ignore_ascii_case(name)) {
        refuse!(
            prefix,
            "{prefix} is the prefix of Auth.js, and with a prefix those cookies belong to the app",
            "choose another, or remove the key: `dialect` decides between these two",
        );
    }
}
