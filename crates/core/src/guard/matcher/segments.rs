//! Plain patterns, matched segment by segment.

use super::expression::{Case, Reading};
use super::syntax::{Modifier, Token, Value};
use crate::guard::budget::NEW_STATE;
use crate::guard::regexp::fold;

/// A pattern without expressions, without braces and without a segment that has several parameters.
#[derive(Clone, Debug)]
pub(super) struct Segments(Vec<Part>);

/// A part of the pattern, which matches some segments.
#[derive(Clone, Debug)]
enum Part {
    /// Exactly one segment.
    One(Segment),
    /// One segment or none: `:name?`.
    Optional,
    /// `min` segments or more: `:name*`, `:name+`.
    Many { min: usize },
}

/// What one segment must match.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// A parameter of at least one character, with text before and after it.
    Parameter {
        before: String,
        after: String,
    },
}

impl Segments {
    /// Returns `None` for a pattern that is not plain.
    pub(super) fn new(tokens: &[Token]) -> Option<Self> {
        let mut builder = Builder { parts: Vec::new(), open: None };
        for token in tokens {
            builder.push(token)?;
        }
        // A trailing slash does not begin a segment.
        if builder.open != Some(Segment::Literal(String::new())) {
            builder.close();
        }
        Some(Self(builder.parts))
    }

    /// Whether the decoded segments match.
    pub(super) fn matches(&self, reading: &Reading<'_>) -> bool {
        let (mut parts, mut segments) = (self.0.as_slice(), reading.segments);
        while let [Part::One(wanted), rest @ ..] = parts {
            match segments {
                [segment, others @ ..] if wanted.matches(segment, reading) => {
                    (parts, segments) = (rest, others);
                }
                _ => return false,
            }
        }
        match parts {
            [] => segments.is_empty(),
            [Part::Many { min }] => segments.len() >= *min,
            _ => matches_with_optional_parts(parts, segments, reading),
        }
    }

    /// The first segment: `Some("")` if there is none, `None` if it can be any.
    pub(super) fn first(&self) -> Option<&str> {
        match self.0.first() {
            None => Some(""),
            Some(Part::One(Segment::Literal(text))) => Some(text),
            Some(_) => None,
        }
    }
}

struct Builder {
    parts: Vec<Part>,
    /// The segment that is not complete yet; the next text belongs to it.
    open: Option<Segment>,
}

impl Builder {
    fn push(&mut self, token: &Token) -> Option<()> {
        let (prefix, modifier) = match token {
            Token::Text(text) => return self.text(text),
            Token::Parameter { prefix, value: Value::Segment { without: None }, suffix, modifier }
                if suffix.is_empty() =>
            {
                (prefix.as_str(), *modifier)
            }
            Token::Parameter { .. } => return None,
        };
        let parameter = |before| Segment::Parameter { before, after: String::new() };
        match (prefix, modifier, self.open.take()) {
            ("/", Modifier::Once, open) => {
                self.open = open;
                self.close();
                self.open = Some(parameter(String::new()));
            }
            ("/", _, open) => {
                self.open = open;
                self.close();
                self.parts.push(match modifier {
                    Modifier::Optional | Modifier::Once => Part::Optional,
                    Modifier::Any => Part::Many { min: 0 },
                    Modifier::Some => Part::Many { min: 1 },
                });
            }
            ("", Modifier::Once, Some(Segment::Literal(before))) => self.open = Some(parameter(before)),
            _ => return None,
        }
        Some(())
    }

    fn text(&mut self, text: &str) -> Option<()> {
        let mut pieces = text.split('/');
        let first = pieces.next().unwrap_or_default();
        match &mut self.open {
            Some(Segment::Literal(open) | Segment::Parameter { after: open, .. }) => open.push_str(first),
            // Text that follows `/:name*`.
            None if !first.is_empty() => return None,
            None => {}
        }
        for piece in pieces {
            self.close();
            self.open = Some(Segment::Literal(piece.to_owned()));
        }
        Some(())
    }

    fn close(&mut self) {
        self.parts.extend(self.open.take().map(Part::One));
    }
}

impl Segment {
    fn matches(&self, segment: &str, reading: &Reading<'_>) -> bool {
        match self {
            Self::Literal(text) => reading.is_same(segment, text),
            Self::Parameter { before, after } if reading.case == Case::Ignored => {
                is_between(&fold(before), &fold(after), &fold(segment))
            }
            Self::Parameter { before, after } => is_between(before, after, segment),
        }
    }
}

/// Whether the segment has at least one character between those texts.
fn is_between(before: &str, after: &str, segment: &str) -> bool {
    let value = segment.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    value.is_some_and(|value| !value.is_empty())
}

/// Follows all ways through the parts at once, so the time is at most the number of parts times the number of segments.
fn matches_with_optional_parts(parts: &[Part], segments: &[String], reading: &Reading<'_>) -> bool {
    if !reading.budget.spend(NEW_STATE * parts.len() * segments.len()) {
        return false;
    }
    let mut reached = vec![false; parts.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    skip_optional_parts(parts, &mut reached);
    for segment in segments {
        let mut next = vec![false; parts.len() + 1];
        for (at, part) in parts.iter().enumerate().filter(|(at, _)| reached.get(*at) == Some(&true)) {
            let (stays, passes) = match part {
                Part::One(wanted) => (false, wanted.matches(segment, reading)),
                Part::Optional => (false, true),
                Part::Many { .. } => (true, true),
            };
            for (state, on) in next.iter_mut().skip(at).zip([stays, passes]) {
                *state |= on;
            }
        }
        reached = next;
        skip_optional_parts(parts, &mut reached);
    }
    reached.last() == Some(&true)
}

fn skip_optional_parts(parts: &[Part], reached: &mut [bool]) {
    let mut before = false;
    for (at, state) in reached.iter_mut().enumerate() {
        *state |= before;
        before = *state && matches!(parts.get(at), Some(Part::Optional | Part::Many { min: 0 }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::syntax;
    use super::*;
    use crate::guard::budget::Budget;

    /// The same by backtracking, which is slow but easy to verify.
    fn matches_slowly(parts: &[Part], segments: &[String]) -> bool {
        let Some((part, rest)) = parts.split_first() else { return segments.is_empty() };
        match part {
            Part::One(wanted) => segments.split_first().is_some_and(|(segment, others)| {
                wanted.matches(segment, &Reading::new(segments, Case::Matters, &Budget::new()))
                    && matches_slowly(rest, others)
            }),
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
        fn the_linear_matcher_agrees_with_backtracking(
            pattern in "(/(:x|:x\\*|:x\\+|:x\\?|a|b|a:x)){0,6}",
            path in proptest::collection::vec("a|b|ab|c", 1..7),
        ) {
            let tokens = syntax::tokens(&format!("{pattern}/")).unwrap();
            let segments = Segments::new(&tokens).unwrap();
            let budget = Budget::new();
            let reading = Reading::new(&path, Case::Matters, &budget);
            prop_assert_eq!(segments.matches(&reading), matches_slowly(&segments.0, &path));
        }
    }
}
