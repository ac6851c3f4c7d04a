//! Path patterns, in the syntax of Next.js's `matcher` (path-to-regexp 6).
//!
//! | pattern | matches |
//! |---|---|
//! | `/about` | `/about` and `/about/` |
//! | `/blog/:slug` | one segment: `/blog/a`, not `/blog` or `/blog/a/b` |
//! | `/blog/:slug?` | one segment or none: also `/blog` |
//! | `/blog/:path*` | any number of segments: `/blog`, `/blog/a`, `/blog/a/b` |
//! | `/blog/:path+` | one segment or more |
//! | `/file-:id.json`, `/:from-:to` | parameters within a segment, each at least one character |
//! | `/user/:id(\\d+)`, `/(en|de)/:path*` | parameters that an expression describes |
//! | `/docs{/v:version}?/intro` | optional text |
//! | `/((?!api|_next/static).*)` | everything that does not begin with one of these |
//!
//! Matching is case-sensitive, as in Next.js: it compiles a pattern with path-to-regexp, but keeps only the source of
//! the expression, so the flag that ignores case is lost. A trailing slash never matters, neither in the path nor in
//! the pattern. A backslash makes the next character literal. Literal text may be percent-encoded; patterns are
//! compared with decoded segments.
//!
//! A plain pattern is matched segment by segment. A pattern with expressions is compiled to a program of
//! `guard/regexp`. Both match in bounded time.

mod error;
mod expression;
mod segments;
mod syntax;

use std::fmt;

use crate::guard::budget::Budget;
use crate::guard::path::CanonicalPath;
pub use crate::guard::regexp::RegexpProblem;
use error::MAX_LENGTH;
pub use error::{PatternError, PatternProblem};
use expression::Expression;
pub(crate) use expression::{Case, Reading};
use segments::Segments;

/// A path pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    matcher: Matcher,
}

#[derive(Clone, Debug)]
enum Matcher {
    Segments(Segments),
    Expression(Box<Expression>),
}

/// The first segment of every path that a pattern matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstSegment<'a> {
    /// There is no segment: the pattern is `/`.
    None,
    Literal(&'a str),
    Anything,
}

/// Characters that are more than text in a pattern, or may be.
const SPECIAL: [char; 13] = [':', '(', ')', '{', '}', '[', ']', '*', '+', '?', '|', '\\', '%'];

impl Pattern {
    /// Parses a pattern.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        if source.len() > MAX_LENGTH {
            return Err(PatternError { problem: PatternProblem::TooLong, at: MAX_LENGTH });
        }
        let tokens = syntax::tokens(source)?;
        let matcher = match Segments::new(&tokens) {
            Some(segments) => Matcher::Segments(segments),
            None => Matcher::Expression(Box::new(Expression::new(&tokens).map_err(|_| PatternError {
                problem: PatternProblem::TooLarge,
                at: source.chars().count(),
            })?)),
        };
        Ok(Self { source: source.to_owned(), matcher })
    }

    /// Whether the path matches as it is written.
    pub fn matches(&self, path: &CanonicalPath) -> bool {
        self.matches_reading(&Reading::new(path.segments(), Case::Matters, &Budget::new()))
    }

    /// Whether this reading of a path matches.
    pub(crate) fn matches_reading(&self, reading: &Reading<'_>) -> bool {
        match &self.matcher {
            Matcher::Segments(segments) => segments.matches(reading),
            Matcher::Expression(expression) => expression.matches(reading),
        }
    }

    /// False if the first character shows that this reading does not match. Cheaper than matching.
    pub(super) fn may_match(&self, reading: &Reading<'_>) -> bool {
        match &self.matcher {
            Matcher::Segments(_) => true,
            Matcher::Expression(expression) => expression.may_match(reading),
        }
    }

    /// Whether it looks at the path as one text, in which a slash at the end counts.
    pub(super) fn is_expression(&self) -> bool {
        matches!(self.matcher, Matcher::Expression(_))
    }

    /// The last segment, if it is a fixed text. `None` also where only its spelling does not show that.
    pub(super) fn last_segment(&self) -> Option<&str> {
        let (_, last) = self.source.strip_suffix('/').unwrap_or(&self.source).rsplit_once('/')?;
        // What a slash in an expression or in braces begins has the end of these.
        (!last.contains(SPECIAL)).then_some(last)
    }

    pub(super) fn first_segment(&self) -> FirstSegment<'_> {
        let first = match &self.matcher {
            Matcher::Segments(segments) => segments.first(),
            Matcher::Expression(expression) => expression.first(),
        };
        match first {
            None => FirstSegment::Anything,
            Some("") => FirstSegment::None,
            Some(text) => FirstSegment::Literal(text),
        }
    }
}

/// The pattern as it was written.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests;
