//! Patterns with expressions, as one regular expression over the whole path.

use std::cell::OnceCell;

use super::syntax::{Modifier, Token, Value};
use crate::guard::budget::Budget;
use crate::guard::regexp::{AnyCase, Node, Program, ProgramTooLargeError, Symbol, Units, fold};

const SLASH: u16 = 0x2f;

/// A pattern as a regular expression.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    program: Program,
    /// The first segment, if it is the same in every matching path; `""` if there is none.
    first: Option<String>,
    /// The code units that the first segment can begin with. `None` if they are unknown, or if there may be no segment.
    beginning: Option<Units>,
}

/// One reading of a path, in the forms that patterns are matched against.
pub(crate) struct Reading<'a> {
    /// The decoded segments.
    pub(crate) segments: &'a [String],
    /// Whether case matters.
    pub(crate) case: Case,
    /// What is left of the request's work.
    pub(crate) budget: &'a Budget,
    /// Whether expressions see a slash behind the last segment.
    ends_with_slash: bool,
    exact: OnceCell<Vec<u16>>,
    any_case: OnceCell<Vec<AnyCase>>,
}

/// Whether the case of letters matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// `/Admin` and `/admin` are different paths.
    Matters,
    /// They are the same path.
    Ignored,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(segments: &'a [String], case: Case, budget: &'a Budget) -> Self {
        let ends_with_slash = false;
        Self { segments, case, budget, ends_with_slash, exact: OnceCell::new(), any_case: OnceCell::new() }
    }

    /// The same with a slash at the end, which `(.*)` needs after the slash before it.
    pub(crate) fn with_slash(self) -> Self {
        Self { ends_with_slash: true, ..self }
    }

    /// Whether two texts are the same in this reading.
    pub(super) fn is_same(&self, a: &str, b: &str) -> bool {
        match self.case {
            Case::Matters => a == b,
            Case::Ignored if a.is_ascii() && b.is_ascii() => a.eq_ignore_ascii_case(b),
            Case::Ignored => fold(a) == fold(b),
        }
    }

    fn any_case(&self) -> &[AnyCase] {
        self.any_case.get_or_init(|| self.exact().iter().copied().map(AnyCase::new).collect())
    }

    /// The whole path in UTF-16, as ECMAScript sees it.
    fn exact(&self) -> &[u16] {
        self.exact.get_or_init(|| {
            let mut text = Vec::new();
            for segment in self.segments {
                text.push(SLASH);
                text.extend(segment.encode_utf16());
            }
            if text.is_empty() || self.ends_with_slash {
                text.push(SLASH);
            }
            text
        })
    }
}

impl Expression {
    pub(super) fn new(tokens: &[Token]) -> Result<Self, ProgramTooLargeError> {
        let mut nodes = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            match token {
                // A trailing slash in a pattern never matters, like one in a path.
                Token::Text(text) if index + 1 == tokens.len() => {
                    flatten(Node::text(text.strip_suffix('/').unwrap_or(text)), &mut nodes);
                }
                token => flatten(node(token), &mut nodes),
            }
        }
        // path-to-regexp appends this. Of the paths here, which have no trailing slash, it matters for "/" only.
        nodes.push(Node::Unit(Units::one(SLASH)).optional());
        let (first, beginning) = first_segment(&nodes);
        Ok(Self { program: Program::new(&Node::Sequence(nodes))?, first, beginning })
    }

    /// Whether the path matches.
    pub(super) fn matches(&self, reading: &Reading<'_>) -> bool {
        self.may_match(reading)
            && match reading.case {
                Case::Matters => self.program.matches(reading.exact(), reading.budget),
                Case::Ignored => self.program.matches(reading.any_case(), reading.budget),
            }
    }

    /// False if the first character shows that the path does not match.
    pub(super) fn may_match(&self, reading: &Reading<'_>) -> bool {
        let Some(beginning) = &self.beginning else { return true };
        let first = reading.segments.first().and_then(|segment| segment.encode_utf16().next());
        first.is_some_and(|unit| match reading.case {
            Case::Matters => unit.is_in(beginning),
            Case::Ignored => AnyCase::new(unit).is_in(beginning),
        })
    }

    pub(super) fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }
}

/// The expression for a token, as path-to-regexp's `tokensToRegexp` writes it.
fn node(token: &Token) -> Node {
    let (prefix, value, suffix, modifier) = match token {
        Token::Text(text) => return Node::text(text),
        Token::Parameter { prefix, value, suffix, modifier } => (prefix, value, suffix, *modifier),
    };
    let (prefix, suffix) = (Node::text(prefix), Node::text(suffix));
    let value = match value {
        Value::Nothing => None,
        Value::Segment { without } => Some(segment(without.as_deref())),
        Value::Expression(node) => Some(node.clone()),
    };
    let again = |node: Node, min| match node.beginning() {
        // Repeating an empty text makes no difference.
        (_, true) => node,
        _ => Node::Repeat { node: Box::new(node), min, max: None },
    };
    match (value, modifier) {
        (None, Modifier::Once) => Node::Sequence(vec![prefix, suffix]),
        (None, Modifier::Optional) => Node::Sequence(vec![prefix, suffix]).optional(),
        (None, Modifier::Any) => again(Node::Sequence(vec![prefix, suffix]), 0),
        (None, Modifier::Some) => again(Node::Sequence(vec![prefix, suffix]), 1),
        (Some(value), Modifier::Once) => Node::Sequence(vec![prefix, value, suffix]),
        (Some(value), Modifier::Optional) => Node::Sequence(vec![prefix, value, suffix]).optional(),
        (Some(value), Modifier::Any | Modifier::Some) => {
            let more = again(Node::Sequence(vec![suffix.clone(), prefix.clone(), value.clone()]), 0);
            let some = Node::Sequence(vec![prefix, value, more, suffix]);
            if modifier == Modifier::Any { some.optional() } else { some }
        }
    }
}

/// `[^/]+`. With `without`, no character of it begins that text.
fn segment(without: Option<&str>) -> Node {
    let one = Node::Unit(Units::one(SLASH).not());
    let node = match without {
        None => one,
        Some(text) => {
            Node::Sequence(vec![Node::Lookahead { ahead: Box::new(Node::text(text)), positive: false }, one])
        }
    };
    Node::Repeat { node: Box::new(node), min: 1, max: None }
}

fn flatten(node: Node, nodes: &mut Vec<Node>) {
    match node {
        Node::Sequence(inner) => inner.into_iter().for_each(|node| flatten(node, nodes)),
        other => nodes.push(other),
    }
}

/// The first segment of every matching path, and the code units that it can begin with, as far as they are known.
fn first_segment(nodes: &[Node]) -> (Option<String>, Option<Units>) {
    let literal = |node: &Node| match node {
        Node::Unit(units) => units.only(),
        _ => None,
    };
    let Some((slash, rest)) = nodes.split_first() else { return (None, None) };
    if literal(slash) != Some(SLASH) {
        return (None, None);
    }
    let mut segment = Vec::new();
    let mut remaining = rest;
    while let Some((node, others)) = remaining.split_first() {
        let Some(unit) = literal(node) else { break };
        if unit == SLASH {
            break;
        }
        segment.push(unit);
        remaining = others;
    }
    // Only if nothing or another segment follows the literal, the literal is the whole segment. No path begins with two
    // slashes, so it is not empty.
    let ends_here = Node::beginning_of_all(remaining).0.has_at_most(SLASH);
    let first = String::from_utf16(&segment).ok().filter(|segment| ends_here && !segment.is_empty());
    let beginning = match Node::beginning_of_all(rest) {
        (units, false) => Some(units),
        (_, true) => None,
    };
    (first, beginning)
}
