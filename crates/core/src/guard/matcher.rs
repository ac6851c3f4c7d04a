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
//! | `/user/:id(\\d+)`, `/(en|de)/:path*` | parameters that an expression describes |
//! | `/docs{/v:version}?/intro` | text that may be absent |
//! | `/((?!api|_next/static).*)` | everything that does not begin with one of these |
//!
//! Case matters: Next.js compiles a pattern with path-to-regexp, but keeps only the expression's source,
//! so the flag that would ignore case is lost. A slash at the end never matters, neither the path's nor the
//! pattern's: paths are compared without it, as in Next.js. A backslash takes a character's meaning away.
//! Literal text may be percent-encoded; all of a pattern is compared with decoded segments.
//!
//! A plain pattern is matched segment by segment; one with expressions becomes a program of `guard/regexp`,
//! whose time is bounded as well.

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

/// A pattern that some paths match.
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

    /// Whether the path, as it is written, matches.
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

    /// False where a look at the first character shows that this reading does not match.
    pub(super) fn may_match(&self, reading: &Reading<'_>) -> bool {
        match &self.matcher {
            Matcher::Segments(_) => true,
            Matcher::Expression(expression) => expression.may_match(reading),
        }
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
