//! Path patterns, in the syntax of Next.js's `matcher` (path-to-regexp 6).
//!
//! | pattern | matches |
//! |---|---|
//! | `/about` | `/about` and `/about/` |
//! | `/blog/:slug` | one segment: `/blog/a`, not `/blog` or `/blog/a/b` |
//! | `/blog/:slug?` | that, or none: also `/blog` |
//! | `/blog/:path*` | any number of segments: `/blog`, `/blog/a`, `/blog/a/b` |
//! | `/blog/:path+` | at least one |
//! | `/file-:id.json`, `/:from-:to` | parameters within a segment, each at least one character |
//!
//! Case matters: Next.js compiles a pattern with path-to-regexp, but keeps only the expression's source,
//! so the flag that would ignore case is lost. A slash at the end never matters. A backslash takes a
//! character's meaning away. Literal text may be percent-encoded; it is compared with decoded segments.
//! Groups (`(…)`, `{…}`) are refused.

use std::fmt;

use thiserror::Error;

use crate::guard::path::CanonicalPath;
use crate::http::percent;

/// Longer patterns are refused: the time to match one grows with its length.
const MAX_LENGTH: usize = 1024;

/// A pattern that some paths match.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    parts: Vec<Part>,
}

/// What takes up segments.
#[derive(Clone, Debug)]
enum Part {
    /// Exactly one.
    One(Segment),
    /// One or none: `:name?`.
    Optional,
    /// `min` or more: `:name*`, `:name+`.
    Many { min: usize },
}

/// What one segment has to look like.
#[derive(Clone, Debug)]
enum Segment {
    Literal(String),
    /// The text around parameters, so one text more than there are parameters; only the first and the
    /// last may be empty.
    Parameters(Vec<String>),
}

/// What the first segment of every path that a pattern matches is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstSegment<'a> {
    /// There is none: the pattern is `/`.
    None,
    Literal(&'a str),
    Anything,
}

impl Pattern {
    /// Parses a pattern.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        if source.len() > MAX_LENGTH {
            return Err(PatternError { problem: PatternProblem::TooLong, at: MAX_LENGTH });
        }
        let parts = Parser { chars: source.chars().collect(), at: 0 }.pattern()?;
        Ok(Self { source: source.to_owned(), parts })
    }

    /// Whether the path, as it is written, matches.
    pub fn matches(&self, path: &CanonicalPath) -> bool {
        self.matches_segments(path.segments())
    }

    /// Whether these decoded segments match.
    pub(super) fn matches_segments(&self, segments: &[String]) -> bool {
        let (mut parts, mut segments) = (self.parts.as_slice(), segments);
        while let [Part::One(wanted), rest @ ..] = parts {
            match segments {
                [segment, others @ ..] if wanted.matches(segment) => (parts, segments) = (rest, others),
                _ => return false,
            }
        }
        match parts {
            [] => segments.is_empty(),
            [Part::Many { min }] => segments.len() >= *min,
            _ => matches_any_way(parts, segments),
        }
    }

    pub(super) fn first_segment(&self) -> FirstSegment<'_> {
        match self.parts.first() {
            None => FirstSegment::None,
            Some(Part::One(Segment::Literal(text))) => FirstSegment::Literal(text),
            Some(_) => FirstSegment::Anything,
        }
    }
}

/// The pattern as it was written.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{problem} at {at}")]
pub struct PatternError {
    /// What is wrong.
    pub problem: PatternProblem,
    /// The character where it is wrong, counted from 0.
    pub at: usize,
}

/// What can be wrong in a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PatternProblem {
    /// It does not begin with `/`.
    #[error("a pattern begins with a slash, and does not")]
    NoSlash,
    /// It is longer than 1024 bytes.
    #[error("a pattern has at most {MAX_LENGTH} bytes, and has more")]
    TooLong,
    /// `(` or `)`.
    #[error(
        "groups like \"(.*)\" are not supported: use \":name\" or \":name*\" (or \"\\(\" for the character);"
    )]
    Group,
    /// `{` or `}`.
    #[error("groups in braces are not supported (write \"\\{{\" for the character);")]
    Braces,
    /// `*`, `+` or `?` that belongs to no parameter.
    #[error("\"*\", \"+\" and \"?\" stand right behind a parameter, like \"/admin/:path*\";")]
    StrayModifier,
    /// `/a-:b*`.
    #[error("a parameter with \"*\", \"+\" or \"?\" has to be a whole segment;")]
    ModifierInText,
    /// `/:`
    #[error(
        "a parameter needs a name of letters, digits and \"_\" behind its colon (write \"\\:\" for the character);"
    )]
    NoName,
    /// `/:a:b`
    #[error("there must be text between two parameters of a segment;")]
    AdjacentParameters,
    /// `//`
    #[error("no path has an empty segment;")]
    EmptySegment,
    /// A `%` that encodes nothing.
    #[error("broken percent-encoding (write \"%25\" for the character);")]
    Encoding,
    /// Text that every path with it is refused for.
    #[error("no path has such a segment: dot segments, slashes, backslashes and controls are refused;")]
    NeverMatches,
    /// `#`
    #[error("a pattern is for the path alone: no query and no fragment (write \"%23\" for the character);")]
    NotInPath,
    /// A backslash at the end.
    #[error("a backslash takes the meaning of the character behind it, and there is none;")]
    TrailingBackslash,
}

impl Segment {
    fn matches(&self, segment: &str) -> bool {
        let texts = match self {
            Self::Literal(text) => return segment == text,
            Self::Parameters(texts) => texts,
        };
        let [first, middle @ .., last] = texts.as_slice() else { return false };
        let Some(mut rest) = segment.strip_prefix(first.as_str()) else { return false };
        // The earliest place for each text leaves the most room for those behind it.
        for text in middle {
            let Some(found) = after_one_char(rest).and_then(|rest| rest.split_once(text.as_str())) else {
                return false;
            };
            rest = found.1;
        }
        after_one_char(rest).is_some_and(|rest| rest.ends_with(last.as_str()))
    }
}

/// A parameter is at least one character.
fn after_one_char(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().map(|_| chars.as_str())
}

/// Follows all ways through the parts at once: the time is parts times segments, whatever they are.
fn matches_any_way(parts: &[Part], segments: &[String]) -> bool {
    let mut reached = vec![false; parts.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    skip_what_may_be_absent(parts, &mut reached);
    for segment in segments {
        let mut next = vec![false; parts.len() + 1];
        for (at, part) in parts.iter().enumerate().filter(|(at, _)| reached.get(*at) == Some(&true)) {
            let (stays, passes) = match part {
                Part::One(wanted) => (false, wanted.matches(segment)),
                Part::Optional => (false, true),
                Part::Many { .. } => (true, true),
            };
            for (state, on) in next.iter_mut().skip(at).zip([stays, passes]) {
                *state |= on;
            }
        }
        reached = next;
        skip_what_may_be_absent(parts, &mut reached);
    }
    reached.last() == Some(&true)
}

fn skip_what_may_be_absent(parts: &[Part], reached: &mut [bool]) {
    let mut before = false;
    for (at, state) in reached.iter_mut().enumerate() {
        *state |= before;
        before = *state && matches!(parts.get(at), Some(Part::Optional | Part::Many { min: 0 }));
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn pattern(mut self) -> Result<Vec<Part>, PatternError> {
        if self.next() != Some('/') {
            return Err(PatternError { problem: PatternProblem::NoSlash, at: 0 });
        }
        let mut parts = Vec::new();
        while self.peek().is_some() {
            let start = self.at;
            parts.push(self.part()?);
            if self.peek() == Some('/') && self.at == start {
                return Err(PatternError { problem: PatternProblem::EmptySegment, at: start });
            }
            self.next();
        }
        Ok(parts)
    }

    /// Everything up to the next slash, which stays.
    fn part(&mut self) -> Result<Part, PatternError> {
        let start = self.at;
        // Text, then for each parameter the text behind it.
        let mut texts = vec![String::new()];
        while let Some(c) = self.peek().filter(|&c| c != '/') {
            let here = self.at;
            self.at += 1;
            let problem = match c {
                ':' => {
                    if texts.len() > 1 && texts.last().is_some_and(String::is_empty) {
                        return Err(PatternError { problem: PatternProblem::AdjacentParameters, at: here });
                    }
                    self.name(here)?;
                    texts.push(String::new());
                    if let Some(part) = self.modifier(&texts)? {
                        return Ok(part);
                    }
                    continue;
                }
                '\\' => match self.next() {
                    None => PatternProblem::TrailingBackslash,
                    Some('/' | '\\') => PatternProblem::NeverMatches,
                    Some(literal) => {
                        push(&mut texts, literal);
                        continue;
                    }
                },
                '(' | ')' => PatternProblem::Group,
                '{' | '}' => PatternProblem::Braces,
                '*' | '+' | '?' => PatternProblem::StrayModifier,
                '#' => PatternProblem::NotInPath,
                literal => {
                    push(&mut texts, literal);
                    continue;
                }
            };
            return Err(PatternError { problem, at: here });
        }
        segment(texts).map(Part::One).map_err(|problem| PatternError { problem, at: start })
    }

    fn name(&mut self, colon: usize) -> Result<(), PatternError> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            self.at += 1;
        }
        if self.at == start {
            return Err(PatternError { problem: PatternProblem::NoName, at: colon });
        }
        Ok(())
    }

    /// The part that a parameter with a modifier is, if one follows.
    fn modifier(&mut self, texts: &[String]) -> Result<Option<Part>, PatternError> {
        let part = match self.peek() {
            Some('*') => Part::Many { min: 0 },
            Some('+') => Part::Many { min: 1 },
            Some('?') => Part::Optional,
            _ => return Ok(None),
        };
        let at = self.at;
        self.at += 1;
        let whole_segment = texts.iter().all(String::is_empty) && matches!(self.peek(), None | Some('/'));
        if !whole_segment {
            // `:name*(` and `:name**` are better told by what follows.
            let problem = match self.peek() {
                Some('*' | '+' | '?') => PatternProblem::StrayModifier,
                _ => PatternProblem::ModifierInText,
            };
            return Err(PatternError { problem, at });
        }
        Ok(Some(part))
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }
}

fn push(texts: &mut [String], literal: char) {
    if let Some(text) = texts.last_mut() {
        text.push(literal);
    }
}

/// Decodes the texts once, as paths are decoded.
fn segment(texts: Vec<String>) -> Result<Segment, PatternProblem> {
    let mut decoded = Vec::with_capacity(texts.len());
    for text in texts {
        let text = percent::decode(&text).ok_or(PatternProblem::Encoding)?;
        if text.contains(['/', '\\']) || text.contains(char::is_control) {
            return Err(PatternProblem::NeverMatches);
        }
        decoded.push(text);
    }
    match decoded.as_slice() {
        [text] if text == "." || text == ".." => Err(PatternProblem::NeverMatches),
        [text] => Ok(Segment::Literal(text.clone())),
        _ => Ok(Segment::Parameters(decoded)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let pattern = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        pattern.matches(&CanonicalPath::new(path).unwrap_or_else(|error| panic!("{path}: {error}")))
    }

    #[test]
    fn patterns_match_what_next_js_s_matcher_matches() {
        for (pattern, yes, no) in [
            ("/", &["/"][..], &["/a", "/index"][..]),
            ("/about", &["/about", "/about/", "/%61bout"], &["/", "/About", "/about/x", "/aboutx"]),
            ("/about/", &["/about", "/about/"], &["/about/x"]),
            ("/blog/:slug", &["/blog/a", "/blog/a/", "/blog/%C3%A9"], &["/blog", "/blog/", "/blog/a/b"]),
            ("/blog/:slug?", &["/blog", "/blog/", "/blog/a"], &["/blog/a/b", "/"]),
            (
                "/admin/:path*",
                &["/admin", "/admin/", "/admin/a", "/admin/a/b/c/"],
                &["/administrator", "/", "/x/admin"],
            ),
            ("/admin/:path+", &["/admin/a", "/admin/a/b"], &["/admin", "/admin/"]),
            ("/:path*", &["/", "/a", "/a/b"], &[]),
            ("/:path+", &["/a", "/a/b"], &["/"]),
            ("/:a", &["/a"], &["/", "/a/b"]),
            ("/:a*/edit", &["/edit", "/a/edit", "/a/b/edit", "/edit/edit"], &["/", "/edit/x"]),
            ("/:a*/x/:b*", &["/x", "/a/x", "/x/b", "/x/x/x", "/a/b/x/c/d"], &["/", "/a/b"]),
            ("/:a?/:b?/c", &["/c", "/a/c", "/a/b/c"], &["/a/b/d/c", "/"]),
            ("/a/:x+/b/:y+", &["/a/1/b/2", "/a/1/2/b/3/4", "/a/b/b/b"], &["/a/b/2", "/a/1/b", "/a/b/b"]),
            ("/file-:id", &["/file-1", "/file--"], &["/file-", "/file", "/xfile-1"]),
            ("/:id.json", &["/a.json", "/a.json.json", "/%C3%A9.json"], &["/.json", "/a.jsonx"]),
            ("/:from-:to", &["/a-b", "/a-b-c", "/--b"], &["/-b", "/a-", "/ab", "/--", "/-"]),
            ("/v:major.:minor.:patch", &["/v1.2.3", "/v1..2.3"], &["/v1.2", "/v.1.2", "/v1..2"]),
            ("/aXb:x1b", &["/aXb-"], &["/aXb"]),
            ("/caf%C3%A9", &["/caf%C3%A9", "/caf%c3%a9"], &["/cafe"]),
            ("/café", &["/caf%C3%A9"], &["/cafe"]),
            ("/\\(app\\)/\\:id", &["/(app)/:id"], &["/app/id"]),
            ("/a%20b", &["/a%20b"], &["/a+b"]),
            ("/%2561", &["/%2561"], &["/a"]),
        ] {
            for path in yes {
                assert!(matches(pattern, path), "{pattern} {path}");
            }
            for path in no {
                assert!(!matches(pattern, path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn a_refused_pattern_names_the_place() {
        use PatternProblem::{
            AdjacentParameters, Braces, EmptySegment, Encoding, Group, ModifierInText, NeverMatches, NoName,
            NoSlash, NotInPath, StrayModifier, TrailingBackslash,
        };
        for (pattern, problem, at) in [
            ("", NoSlash, 0),
            ("admin", NoSlash, 0),
            (":path*", NoSlash, 0),
            ("*", NoSlash, 0),
            ("https://x/a", NoSlash, 0),
            ("/admin/(", Group, 7),
            ("/admin/(.*)", Group, 7),
            ("/((?!api).*)", Group, 1),
            ("/:id(\\d+)", Group, 4),
            ("/a)", Group, 2),
            ("/é{/b}?", Braces, 2),
            ("/*", StrayModifier, 1),
            ("/admin/*", StrayModifier, 7),
            ("/a?x=1", StrayModifier, 2),
            ("/:a**", StrayModifier, 3),
            ("/a-:b*", ModifierInText, 5),
            ("/:b?.json", ModifierInText, 3),
            ("/:", NoName, 1),
            ("/a/:/b", NoName, 3),
            ("/:é", NoName, 1),
            ("/:a:b", AdjacentParameters, 3),
            ("//", EmptySegment, 1),
            ("/a//b", EmptySegment, 3),
            ("/100%", Encoding, 1),
            ("/a/..", NeverMatches, 3),
            ("/a/%2e", NeverMatches, 3),
            ("/a%2fb", NeverMatches, 1),
            ("/a\\\\b", NeverMatches, 2),
            ("/a%00", NeverMatches, 1),
            ("/a#b", NotInPath, 2),
            ("/a\\", TrailingBackslash, 2),
        ] {
            assert_eq!(Pattern::parse(pattern).err(), Some(PatternError { problem, at }), "{pattern}");
        }
        let long = format!("/{}", "a".repeat(MAX_LENGTH));
        assert_eq!(Pattern::parse(&long).unwrap_err().problem, PatternProblem::TooLong);
        let text = Pattern::parse("/admin/(").unwrap_err().to_string();
        assert_eq!(
            text,
            "groups like \"(.*)\" are not supported: use \":name\" or \":name*\" (or \"\\(\" for the character); at 7"
        );
    }

    #[test]
    fn work_bombs_many_repetitions_are_matched_in_linear_time() {
        let pattern = Pattern::parse(&format!("{}/end", "/:a*".repeat(200))).unwrap();
        let path = CanonicalPath::new(&"/a".repeat(8000)).unwrap();
        assert!(!pattern.matches(&path));
        let pattern = Pattern::parse(&format!("/{}x", ":a-".repeat(200))).unwrap();
        let path = CanonicalPath::new(&format!("/{}", "-".repeat(16_000))).unwrap();
        assert!(!pattern.matches(&path));
    }

    /// Backtracks, so it is obviously right and slow.
    fn matches_slowly(parts: &[Part], segments: &[String]) -> bool {
        let Some((part, rest)) = parts.split_first() else { return segments.is_empty() };
        match part {
            Part::One(wanted) => segments
                .split_first()
                .is_some_and(|(segment, others)| wanted.matches(segment) && matches_slowly(rest, others)),
            Part::Optional => {
                matches_slowly(rest, segments)
                    || segments.split_first().is_some_and(|(_, others)| matches_slowly(rest, others))
            }
            Part::Many { min } => {
                (*min..=segments.len()).any(|taken| matches_slowly(rest, &segments[taken..]))
            }
        }
    }

    proptest! {
        #[test]
        fn all_ways_at_once_is_the_same_as_one_after_the_other(
            pattern in "(/(:x|:x\\*|:x\\+|:x\\?|a|b|a:x)){0,6}",
            path in "(/(a|b|ab|c)){1,7}",
        ) {
            let pattern = Pattern::parse(&format!("{pattern}/")).unwrap();
            let path = CanonicalPath::new(&path).unwrap();
            prop_assert_eq!(pattern.matches(&path), matches_slowly(&pattern.parts, path.segments()));
        }

        #[test]
        fn any_text_is_a_pattern_or_refused_at_a_place_within_it(text in "/?([:*+?(){}\\\\/%#]|[a-z]|\\PC){0,12}") {
            if let Err(error) = Pattern::parse(&text) {
                prop_assert!(error.at <= text.chars().count());
            }
        }
    }
}
