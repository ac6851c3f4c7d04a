//! The beginning of a path that an upstream does not have: `/api` for one whose `/orders` browsers know as `/api/orders`.

use std::fmt;

use vestibule_oidc::http::percent;

/// Whole segments at the beginning of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// A prefix in unreserved characters (RFC 3986 section 2.3) with slashes between its segments, and none at its end.
    /// `None` for any other text, and for the root alone.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
        let is_segment = |s: &str| !s.is_empty() && s.bytes().all(is_plain) && !matches!(s, "." | "..");
        text.strip_prefix('/')?.split('/').all(is_segment).then(|| Self(text.to_owned()))
    }

    /// `/api`
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as the upstream gets it: what follows the prefix, byte for byte as it arrived. `None` for a path that does
    /// not begin with it.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut rest = path;
        for expected in self.segments() {
            let inner = rest.strip_prefix('/')?;
            let (segment, behind) = inner.split_at(inner.find('/').unwrap_or(inner.len()));
            if percent::decode(segment)? != expected {
                return None;
            }
            rest = behind;
        }
        Some(if rest.is_empty() { "/" } else { rest })
    }

    /// The same for decoded segments.
    pub fn strip_segments<'a>(&self, segments: &'a [String]) -> Option<&'a [String]> {
        let mut rest = segments;
        for expected in self.segments() {
            let (segment, behind) = rest.split_first()?;
            if segment != expected {
                return None;
            }
            rest = behind;
        }
        Some(rest)
    }

    /// The segments with the prefix in front of them.
    pub fn put_back(&self, segments: &[String]) -> Vec<String> {
        self.segments().map(str::to_owned).chain(segments.iter().cloned()).collect()
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_confusion_a_prefix_is_whole_segments_and_the_rest_keeps_its_bytes() {
        for (prefix, path, stripped) in [
            ("/api", "/api", Some("/")),
            ("/api", "/api/", Some("/")),
            ("/api", "/api/orders/", Some("/orders/")),
            ("/api", "/%61pi/a%2Fb;x=1/%C3%A9", Some("/a%2Fb;x=1/%C3%A9")),
            ("/api", "/api//x", Some("//x")),
            ("/api/v2", "/api/v2/x", Some("/x")),
            ("/api/v2", "/api/v1/x", None),
            ("/api/v2", "/api", None),
            ("/api", "/apis", None),
            ("/api", "/API/x", None),
            ("/api", "/api;x/y", None),
            ("/api", "/api%2Fx", None),
            ("/api", "/%2561pi/x", None),
            ("/api", "//api/x", None),
            ("/api", "/", None),
            ("/api", "api/x", None),
        ] {
            let prefix = PathPrefix::parse(prefix).unwrap();
            assert_eq!(prefix.strip(path), stripped, "{prefix} {path}");
        }
        for text in
            ["", "/", "api", "/api/", "//api", "/a/../b", "/.", "/a%62", "/a b", "/a;b", "/:a", "/a?b"]
        {
            assert_eq!(PathPrefix::parse(text), None, "{text:?}");
        }
    }
}
