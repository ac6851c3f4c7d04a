//! The names of the cookies that only Vestibule sends to upstreams, as servers may read them.

use std::borrow::Cow;

use vestibule_oidc::http::cookie::pair_name;
use vestibule_oidc::http::percent;

/// A cookie's name as the most lenient server reads it: without a name prefix, in lower case, decoded, and with `_` for
/// every character that is not a letter or digit. PHP reads `access.token` as `access_token`, and `access_token[x]` as a
/// member of it; older Rack decodes names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CookieReading(String);

impl CookieReading {
    /// The reading of a name.
    pub fn of(name: &str) -> Self {
        let decoded = if name.contains('%') { percent::decode(name) } else { None };
        let name = decoded.map_or(Cow::Borrowed(name), Cow::Owned);
        let name = name.split_once('[').map_or(name.as_ref(), |(name, _)| name);
        let name = name.trim_matches(|c: char| c.is_whitespace() || c.is_control() || c == '"');
        let name: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        // PHP also made `__Host-` of `..Host-`.
        let bare = ["__host_", "__secure_"].iter().find_map(|prefix| name.strip_prefix(prefix));
        Self(bare.map_or_else(|| name.clone(), str::to_owned))
    }

    /// The name as it is read.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The readings of a text between two semicolons of a `Cookie` field. Most servers read one cookie there. Some split it
    /// at commas or white space, and some take a cookie without a name for one with the name in its value.
    pub fn all_in_pair(pair: &str) -> impl Iterator<Item = Self> {
        let parts = pair.split([' ', '\t', ',', '"']);
        std::iter::once(pair)
            .chain(parts)
            .map(|part| Self::of(pair_name(part.trim_start_matches(['=', ' ', '\t']))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_smuggling_every_spelling_of_a_cookie_s_name_is_read_as_the_name() {
        let own = CookieReading::of("access_token");
        for pair in [
            "access_token=x",
            " access_token=x",
            "\taccess_token = x",
            "access_token",
            "Access_Token=x",
            "ACCESS-TOKEN=x",
            "access.token=x",
            "access token=x",
            "__Host-access_token=x",
            "__Secure-access_token=x",
            "__host-access_token=x",
            "..Host-access_token=x",
            "access%5Ftoken=x",
            "%61ccess_token=x",
            "access_token[0]=x",
            "\"access_token\"=x",
            "=access_token=x",
            "==access_token=x",
            "a=1, access_token=x",
            "a=1 access_token=x",
            "a=\"1\"access_token=x",
        ] {
            assert!(CookieReading::all_in_pair(pair).any(|reading| reading == own), "{pair}");
        }
        for pair in
            ["access_tokens=x", "my_access_token=x", "a=access_token", "a=b=access_token", "", "=", "a"]
        {
            assert!(!CookieReading::all_in_pair(pair).any(|reading| reading == own), "{pair}");
        }
    }
}
