//! The path of a request, checked so that the path that is matched is the path that is forwarded.
//!
//! Servers disagree about what a path means. A guard that reads a path differently from the upstream does not protect
//! it. So a path is
//! - **rejected** if some server would find other segments in it than are written: `//`, dot segments, backslashes,
//!   encoded slashes, invalid percent-encoding, bytes that are not UTF-8, control characters and line separators;
//! - **read in several ways** if some servers truncate it or decode it again, but it is also valid as it is written:
//!   `;` (parameters of a segment), an encoded `#` or `?`, double encoding. Every reading is matched against the
//!   rules, and the strictest decision applies ([`RuleSet::decide`](crate::guard::rules::RuleSet::decide));
//! - **forwarded byte for byte** as it arrived.
//!
//! Next.js serves one page under several paths: `/_next/data/BUILD/admin.json`, `/admin.rsc` and
//! `/admin.segments/….segment.rsc` all show `/admin`. These are readings too.

use thiserror::Error;

use crate::guard::regexp::fold;
use vestibule_oidc::http::percent;

/// The maximum length of a path in bytes: networks in front of a runtime do not accept URLs of more than 16 KiB.
const MAX_LENGTH: usize = 16 * 1024;

/// The maximum length of all readings of a path together: each of them is matched against the rules. It is twice the
/// maximum length of a path, so a path of any length may have two readings, and a short one all of them.
const MAX_READINGS_LENGTH: usize = 2 * MAX_LENGTH;

/// A path whose readings are all known: every server reads it in one of these ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath {
    /// The first is the path as it is written.
    readings: Vec<Vec<String>>,
    /// Whether servers disagree about where its segments begin and end, which only a rule for a whole host allows.
    has_any_slashes: bool,
    ends_with_slash: bool,
}

/// What happens to empty segments and encoded slashes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slashes {
    Rejected,
    /// They count as one slash.
    Merged,
}

impl CanonicalPath {
    /// Checks the path of a request: percent-encoded, without the query.
    pub fn new(raw: &str) -> Result<Self, PathError> {
        Self::parse(raw, Slashes::Rejected)
    }

    /// The same for a host of which one rule decides about every path: empty segments and encoded slashes are no reason to
    /// reject a path. Its readings are without them; that rule decides, whatever they say.
    pub fn with_any_slashes(raw: &str) -> Result<Self, PathError> {
        Self::parse(raw, Slashes::Merged)
    }

    fn parse(raw: &str, slashes: Slashes) -> Result<Self, PathError> {
        if raw.len() > MAX_LENGTH {
            return Err(PathError::TooLong);
        }
        if let Some(byte) = raw.bytes().find(|&byte| !is_path_byte(byte)) {
            return Err(if byte == b'\\' { PathError::Backslash } else { PathError::RawCharacter });
        }
        let inner = raw.strip_prefix('/').ok_or(PathError::Relative)?;
        let mut written = Vec::new();
        // A trailing slash does not begin a segment.
        if !inner.is_empty() {
            for segment in inner.strip_suffix('/').unwrap_or(inner).split('/') {
                written.push(percent::decode(segment).ok_or(PathError::Encoding)?);
            }
        }
        let mut readings = vec![written];
        for alternative in ALTERNATIVES {
            for at in 0..readings.len() {
                if let Some(other) = readings.get(at).and_then(|reading| alternative(reading)) {
                    readings.push(other);
                }
            }
        }
        let mut has_any_slashes = false;
        if slashes == Slashes::Merged {
            for reading in &mut readings {
                let merged = with_slashes_merged(reading);
                has_any_slashes |= merged != *reading;
                *reading = merged;
            }
        }
        readings.iter().flatten().try_for_each(|segment| check_segment(segment))?;
        let length = |reading: &Vec<String>| reading.iter().map(|segment| segment.len() + 1).sum::<usize>();
        if readings.iter().map(length).sum::<usize>() > MAX_READINGS_LENGTH {
            return Err(PathError::TooManyReadings);
        }
        Ok(Self { readings, has_any_slashes, ends_with_slash: inner.ends_with('/') })
    }

    /// Whether servers disagree about where its segments begin and end.
    pub fn has_any_slashes(&self) -> bool {
        self.has_any_slashes
    }

    /// Whether a slash follows its last segment.
    pub(crate) fn ends_with_slash(&self) -> bool {
        self.ends_with_slash
    }

    /// The segments after `base_path`, such as `["signin", "okta"]`. `base_path` begins with `/` and does not end with
    /// one. Returns `None` for a path that is not below it, and for one with ambiguous slashes.
    pub fn below(&self, base_path: &str) -> Option<Vec<&str>> {
        if self.has_any_slashes {
            return None;
        }
        let mut segments = self.segments().iter();
        base_path
            .split('/')
            .skip(1)
            .all(|base| segments.next().is_some_and(|segment| segment == base))
            .then(|| segments.map(String::as_str).collect())
    }

    /// Whether some server reads the path as one below `base_path`, also if it ignores case.
    pub fn may_be_below(&self, base_path: &str) -> bool {
        let base: Vec<String> = base_path.split('/').skip(1).map(fold).collect();
        self.readings().any(|segments| {
            segments.len() >= base.len()
                && segments.iter().zip(&base).all(|(segment, base)| fold(segment) == *base)
        })
    }

    /// The decoded segments of the path as it is written; none for `/`. A trailing slash makes no difference.
    pub fn segments(&self) -> &[String] {
        self.readings.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// The segments in every way that a server may read them, at most 32. The first is the path as it is written.
    pub fn readings(&self) -> impl Iterator<Item = &[String]> {
        self.readings.iter().map(Vec::as_slice)
    }
}

/// Why a path is rejected, with status 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// The path is longer than 16 KiB.
    #[error("the path is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// The path is long, and servers read it in many ways.
    #[error("the path is too long for the number of ways in which servers read it")]
    TooManyReadings,
    /// The path does not begin with a slash.
    #[error("the path does not begin with a slash")]
    Relative,
    /// A character is not percent-encoded although it must be (RFC 3986 section 3.3).
    #[error("the path has a character that must be percent-encoded")]
    RawCharacter,
    /// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("the path has invalid percent-encoding")]
    Encoding,
    /// `//`, or a segment that consists of parameters only.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `.` or `..`, encoded or not.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A slash, encoded once or twice.
    #[error("the path has an encoded slash")]
    EncodedSlash,
    /// A backslash, encoded or not.
    #[error("the path has a backslash")]
    Backslash,
    /// An encoded control character, such as NUL, or a line separator.
    #[error("the path has a control character")]
    Control,
}

/// Whether URL parsers leave a byte of a path unchanged: those of RFC 3986 section 3.3, and `[`, `]` and `|`, which
/// browsers send.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/%-._~!$&'()*+,;=:@[]|".contains(&byte)
}

/// The segments of a server that decodes a path before it splits it, and takes several slashes for one.
fn with_slashes_merged(segments: &[String]) -> Vec<String> {
    let pieces = segments.iter().flat_map(|segment| segment.split('/'));
    pieces.filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
}

/// Whether a character is none of a name. No expression's `.` matches U+2028 and U+2029 (ECMA-262 section 12.3), so a rule
/// with one would not see what stands on both sides of them.
pub(super) fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn check_segment(segment: &str) -> Result<(), PathError> {
    if segment.is_empty() {
        return Err(PathError::EmptySegment);
    }
    if segment == "." || segment == ".." {
        return Err(PathError::DotSegment);
    }
    match segment.chars().find(|&c| c == '/' || c == '\\' || is_control(c)) {
        None => Ok(()),
        Some('/') => Err(PathError::EncodedSlash),
        Some('\\') => Err(PathError::Backslash),
        Some(_) => Err(PathError::Control),
    }
}

/// Another way in which a server may read segments. Returns `None` if it makes no difference. Each alternative is
/// applied to the results of those before it.
type Alternative = fn(&[String]) -> Option<Vec<String>>;

const ALTERNATIVES: [Alternative; 5] =
    [decoded_again, without_parameters, cut_at_delimiter, next_data_page, next_component_page];

/// The reading of a server behind a proxy that has already decoded the path once.
fn decoded_again(segments: &[String]) -> Option<Vec<String>> {
    if !segments.iter().any(|segment| segment.contains('%')) {
        return None;
    }
    // A segment that cannot be decoded again stays as it is.
    let mut decoded = segments.to_vec();
    for segment in &mut decoded {
        if let Some(text) = percent::decode(segment) {
            *segment = text;
        }
    }
    (decoded != segments).then_some(decoded)
}

/// The reading of Java's servlet containers, which drop `;` and the rest of the segment.
fn without_parameters(segments: &[String]) -> Option<Vec<String>> {
    if !segments.iter().any(|segment| segment.contains(';')) {
        return None;
    }
    let mut cut = segments.to_vec();
    for segment in &mut cut {
        segment.truncate(segment.find(';').unwrap_or(segment.len()));
    }
    Some(cut)
}

/// The reading of a server that decodes the URL before it splits it, and so finds a fragment or query in the path.
fn cut_at_delimiter(segments: &[String]) -> Option<Vec<String>> {
    let (at, segment) = segments.iter().enumerate().find(|(_, segment)| segment.contains(['#', '?']))?;
    let mut found = segments.get(..at)?.to_vec();
    let kept = segment.split(['#', '?']).next().unwrap_or_default();
    if !kept.is_empty() {
        found.push(kept.to_owned());
    }
    Some(found)
}

/// The page of which Next.js serves the data: `/_next/data/BUILD/admin.json` belongs to `/admin`. A base path may come
/// first.
fn next_data_page(segments: &[String]) -> Option<Vec<String>> {
    let at = segments.windows(2).position(|pair| pair == ["_next", "data"])?;
    let page = segments.get(at + 3..).filter(|page| !page.is_empty())?;
    let mut found = [segments.get(..at)?, page].concat();
    if let Some(last) = found.pop() {
        let name = last.strip_suffix(".json").unwrap_or(&last);
        if !(page.len() == 1 && name == "index") {
            found.push(name.to_owned());
        }
    }
    Some(found)
}

/// The page of which Next.js serves the server components: `/admin.rsc`, `/admin.prefetch.rsc` and
/// `/admin.segments/….segment.rsc` belong to `/admin`, and `/index.rsc` to `/`.
fn next_component_page(segments: &[String]) -> Option<Vec<String>> {
    let last = segments.last()?.strip_suffix(".rsc")?;
    let (at, name) = if last.ends_with(".segment") {
        let ends =
            |(at, segment): (usize, &'_ String)| Some((at, segment.strip_suffix(".segments")?.to_owned()));
        segments.iter().enumerate().find_map(ends)?
    } else {
        (segments.len() - 1, last.strip_suffix(".prefetch").unwrap_or(last).to_owned())
    };
    let mut found = segments.get(..at)?.to_vec();
    if !(at == 0 && name == "index") {
        found.push(name);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use percent_encoding::NON_ALPHANUMERIC;
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn readings(raw: &str) -> Vec<String> {
        let path = CanonicalPath::new(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        path.readings().map(|segments| format!("/{}", segments.join("/"))).collect()
    }

    #[test]
    fn an_ordinary_path_has_one_reading_with_decoded_segments() {
        for (raw, segments) in [
            ("/", &[][..]),
            ("/a", &["a"]),
            ("/a/", &["a"]),
            ("/a/b.c/", &["a", "b.c"]),
            ("/%61dmin", &["admin"]),
            ("/a%20b/%C3%A9", &["a b", "é"]),
            ("/@a:b+c,d~e!f'g(h)i*j$k&l=m|[n]", &["@a:b+c,d~e!f'g(h)i*j$k&l=m|[n]"]),
            ("/100%25", &["100%"]),
            ("/100%25zz", &["100%zz"]),
            ("/...", &["..."]),
            ("/.well-known/x", &[".well-known", "x"]),
            ("/a%2Eb", &["a.b"]),
            ("/%40%3A%2B", &["@:+"]),
            ("/%22%3C%7B%5E%60", &["\"<{^`"]),
        ] {
            let path = CanonicalPath::new(raw).unwrap();
            assert_eq!(path.segments(), segments, "{raw}");
            assert_eq!(path.readings().count(), 1, "{raw}");
        }
    }

    #[test]
    fn path_confusion_paths_that_servers_split_differently_are_rejected() {
        use PathError::{
            Backslash, Control, DotSegment, EmptySegment, EncodedSlash, Encoding, RawCharacter, Relative,
        };
        for (raw, error) in [
            ("", Relative),
            ("admin", Relative),
            ("*", Relative),
            ("//", EmptySegment),
            ("//admin", EmptySegment),
            ("/a//b", EmptySegment),
            ("/a//", EmptySegment),
            ("/.", DotSegment),
            ("/..", DotSegment),
            ("/a/./b", DotSegment),
            ("/public/../admin", DotSegment),
            ("/public/../", DotSegment),
            ("/public/%2e%2e/admin", DotSegment),
            ("/public/.%2E/admin", DotSegment),
            ("/public/%2e/admin", DotSegment),
            ("/public/%252e%252e/admin", DotSegment),
            ("/public/.%252e/admin", DotSegment),
            ("/public/..;/admin", DotSegment),
            ("/public/..;a=b/admin", DotSegment),
            ("/public/%2e%2e%3b/admin", DotSegment),
            ("/public/.%2e%253b/admin", DotSegment),
            ("/public/..%23/admin", DotSegment),
            ("/;/admin", EmptySegment),
            ("/;a=b", EmptySegment),
            ("/public%2fadmin", EncodedSlash),
            ("/public%2Fadmin", EncodedSlash),
            ("/public%252fadmin", EncodedSlash),
            ("/public\\admin", Backslash),
            ("/public%5cadmin", Backslash),
            ("/public%255Cadmin", Backslash),
            ("/a%00", Control),
            ("/a%2500", Control),
            ("/a%0d%0ab", Control),
            ("/a%7f", Control),
            ("/a%C2%85", Control),
            ("/a%E2%80%A8b", Control),
            ("/a%E2%80%A9", Control),
            ("/a%25E2%2580%25A8", Control),
            ("/a%", Encoding),
            ("/a%4", Encoding),
            ("/a%zz", Encoding),
            ("/a%u002f", Encoding),
            ("/a%ff", Encoding),
            ("/a%c0%af", Encoding),
            ("/a%ed%a0%80", Encoding),
            ("/a b", RawCharacter),
            ("/a\t", RawCharacter),
            ("/a\0", RawCharacter),
            ("/a#b", RawCharacter),
            ("/a?b", RawCharacter),
            ("/é", RawCharacter),
            ("/a\"", RawCharacter),
            ("/<a>", RawCharacter),
            ("/{a}", RawCharacter),
        ] {
            assert_eq!(CanonicalPath::new(raw), Err(error), "{raw:?}");
        }
        assert_eq!(CanonicalPath::new(&format!("/{}", "a".repeat(MAX_LENGTH))), Err(PathError::TooLong));
        assert!(CanonicalPath::new(&format!("/{}", "a".repeat(MAX_LENGTH - 1))).is_ok());
    }

    #[test]
    fn path_confusion_with_any_slashes_all_else_is_rejected_still() {
        for (raw, expected) in [
            ("/group%2Fproject", "/group/project"),
            ("/@scope%2fname", "/@scope/name"),
            ("/queues/%2F/orders", "/queues/orders"),
            ("/a%252Fb", "/a%2Fb"),
            ("//a///b//", "/a/b"),
            ("//", "/"),
            ("/;/a", "/a"),
        ] {
            let path = CanonicalPath::with_any_slashes(raw).unwrap();
            assert!(path.has_any_slashes() && path.below("/a").is_none(), "{raw}");
            let readings: Vec<_> =
                path.readings().map(|segments| format!("/{}", segments.join("/"))).collect();
            assert!(readings.contains(&expected.to_owned()), "{raw}: {readings:?}");
        }
        for raw in [
            "/a%2F..%2Fb",
            "/a/..%2fb",
            "/a%2F%2e%2e",
            "/..%252Fb",
            "/a%252F..%252Fb",
            "/a//../b",
            "/a%2F.",
            "/a%2F..;x%2Fb",
            "/a%2F%00",
            "/a%5cb",
            "/a%2F%5c",
            "/%",
            "/a%2F%ff",
        ] {
            assert!(CanonicalPath::with_any_slashes(raw).is_err(), "{raw}");
        }
        let ordinary = CanonicalPath::with_any_slashes("/a/b;c").unwrap();
        assert_eq!(ordinary, CanonicalPath::new("/a/b;c").unwrap());
        assert!(CanonicalPath::with_any_slashes("//auth%2Fsession").unwrap().may_be_below("/auth"));
    }

    #[test]
    fn path_confusion_paths_that_some_servers_truncate_or_decode_again_have_several_readings() {
        for (raw, expected) in [
            ("/admin;x=1/b", &["/admin;x=1/b", "/admin/b"][..]),
            ("/admin%3Bx", &["/admin;x", "/admin"]),
            ("/admin%23.css", &["/admin#.css", "/admin"]),
            ("/admin/%23/b", &["/admin/#/b", "/admin"]),
            ("/admin%3f/b", &["/admin?/b", "/admin"]),
            ("/%2561dmin", &["/%61dmin", "/admin"]),
            ("/a%252eb", &["/a%2eb", "/a.b"]),
            ("/%2561;b%2523c", &["/%61;b%23c", "/a;b#c", "/%61", "/a", "/a;b"]),
            ("/_next/data/BUILD/admin/x.json", &["/_next/data/BUILD/admin/x.json", "/admin/x"]),
            ("/_next/data/BUILD/admin", &["/_next/data/BUILD/admin", "/admin"]),
            ("/_next/data/BUILD/index.json", &["/_next/data/BUILD/index.json", "/"]),
            ("/docs/_next/data/BUILD/admin.json", &["/docs/_next/data/BUILD/admin.json", "/docs/admin"]),
            ("/_next/data/BUILD", &["/_next/data/BUILD"]),
            ("/_next/static/x.js", &["/_next/static/x.js"]),
            ("/a/admin.rsc", &["/a/admin.rsc", "/a/admin"]),
            ("/admin.prefetch.rsc", &["/admin.prefetch.rsc", "/admin"]),
            ("/index.rsc", &["/index.rsc", "/"]),
            ("/a/admin.segments/_tree.segment.rsc", &["/a/admin.segments/_tree.segment.rsc", "/a/admin"]),
        ] {
            let found = readings(raw);
            for reading in expected {
                assert!(found.iter().any(|r| r == reading), "{raw}: {reading} is not in {found:?}");
            }
            assert_eq!(found.first().map(String::as_str), expected.first().copied(), "{raw}");
        }
    }

    #[test]
    fn work_bombs_the_number_of_readings_is_bounded() {
        let bomb = |times| format!("/_next/data/B/{}%2561;x%23y.rsc", "a%2541;b%23/".repeat(times));
        let raw = bomb(50);
        assert!((8..=32).contains(&readings(&raw).len()));
        assert_eq!(CanonicalPath::new(&bomb(1000)), Err(PathError::TooManyReadings));
        let long = format!("/admin;x/{}", "a".repeat(MAX_LENGTH - 10));
        assert_eq!(readings(&long).len(), 2);
        // Of four readings, one has five characters more, one three more, and two one more.
        let four = |length: usize| CanonicalPath::new(&format!("/{};b%2562", "a".repeat(length - 1)));
        let longest = (MAX_READINGS_LENGTH - 5 - 3) / 4;
        assert_eq!(
            four(longest).unwrap().readings().map(|reading| reading[0].len() + 1).sum::<usize>(),
            MAX_READINGS_LENGTH
        );
        assert_eq!(four(longest + 1), Err(PathError::TooManyReadings));
        assert_eq!(CanonicalPath::new(&"/%2e%2e;".repeat(131_072)), Err(PathError::TooLong));
    }

    proptest! {
        #[test]
        fn a_url_parser_does_not_change_an_accepted_path(
            raw in "(/|%2[fFeE35]|%3[bBfF]|%5[cC]|%25|%00|%C3%A9|%ff|%[0-9a-fA-F]{2}|[a-z.;]|[!-~]|\\PC){0,12}"
        ) {
            let raw = format!("/{raw}");
            let Ok(path) = CanonicalPath::new(&raw) else { return Ok(()) };
            let url = Url::parse(&format!("http://x{raw}")).unwrap();
            prop_assert_eq!(url.path(), &raw);
            prop_assert_eq!((url.query(), url.fragment(), url.host_str()), (None, None, Some("x")));

            // Encoding the segments again gives a path with the same segments.
            let encode = |segment: &String| percent::encode(segment, NON_ALPHANUMERIC);
            let encoded: Vec<_> = path.segments().iter().map(encode).collect();
            let again = CanonicalPath::new(&format!("/{}", encoded.join("/")));
            let again = again.unwrap();
            prop_assert_eq!(again.segments(), path.segments());

            // No reading has a segment that a server could resolve, split or drop.
            for segment in path.readings().flatten() {
                prop_assert!(!segment.is_empty() && segment != "." && segment != "..");
                prop_assert!(!segment.contains(['/', '\\']) && !segment.contains(is_control));
            }
        }
    }
}
