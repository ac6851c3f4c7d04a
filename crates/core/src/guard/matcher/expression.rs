//! Patterns that are not plain, as one expression over the whole path.

use std::cell::OnceCell;

use super::syntax::{Modifier, Token, Value};
use crate::guard::budget::Budget;
use crate::guard::regexp::{AnyCase, Node, Program, ProgramTooLargeError, Symbol, Units, fold};

const SLASH: u16 = 0x2f;

/// A pattern as an expression.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    program: Program,
    /// What the first segment is, where it is the same in every path: `""` where there is none.
    first: Option<String>,
    /// With what the first segment can begin; `None` where nobody can say, or where there may be no segment.
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
    exact: OnceCell<Vec<u16>>,
    any_case: OnceCell<Vec<AnyCase>>,
}

/// Whether the case of letters matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// `/Admin` is not `/admin`.
    Matters,
    /// It is.
    Ignored,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(segments: &'a [String], case: Case, budget: &'a Budget) -> Self {
        Self { segments, case, budget, exact: OnceCell::new(), any_case: OnceCell::new() }
    }

    /// Whether two texts are the same in this reading.
    pub(super) fn is_same(&self, a: &str, b: &str) -> bool {
        match self.case {
            Case::Matters => a == b,
            Case::Ignored if a.is_ascii() && b.is_ascii() => a.eq_ignore_ascii_case(b),
            Case::Ignored => fold(a) == fold(b),
        }
    }

    /// The whole path as ECMAScript sees text, without a slash at the end.
    fn exact(&self) -> &[u16] {
        self.exact.get_or_init(|| {
            let mut text = Vec::new();
            for segment in self.segments {
                text.push(SLASH);
                text.extend(segment.encode_utf16());
            }
            if text.is_empty() {
                text.push(SLASH);
            }
            text
        })
    }

    fn any_case(&self) -> &[AnyCase] {
        self.any_case.get_or_init(|| self.exact().iter().copied().map(AnyCase::new).collect())
    }
}

impl Expression {
    pub(super) fn new(tokens: &[Token]) -> Result<Self, ProgramTooLargeError> {
        let mut nodes = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            match token {
                // A slash at the end of a pattern never matters, like one at the end of a path.
                Token::Text(text) if index + 1 == tokens.len() => {
                    flatten(Node::text(text.strip_suffix('/').unwrap_or(text)), &mut nodes);
                }
                token => flatten(node(token), &mut nodes),
            }
        }
        // path-to-regexp's own: of the paths that come here it is for "/" alone.
        nodes.push(Node::Unit(Units::one(SLASH)).optional());
        let (first, beginning) = first_segment(&nodes);
        Ok(Self { program: Program::new(&Node::All(nodes))?, first, beginning })
    }

    /// Whether the path matches.
    pub(super) fn matches(&self, reading: &Reading<'_>) -> bool {
        self.may_match(reading)
            && match reading.case {
                Case::Matters => self.program.matches(reading.exact(), reading.budget),
                Case::Ignored => self.program.matches(reading.any_case(), reading.budget),
            }
    }

    /// Whether a look at the first character leaves it open.
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

/// The expression that path-to-regexp's `tokensToRegexp` writes for a token.
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
        // Nothing, however often, is nothing.
        (_, true) => node,
        _ => Node::Repeat { node: Box::new(node), min, max: None },
    };
    match (value, modifier) {
        (None, Modifier::Once) => Node::All(vec![prefix, suffix]),
        (None, Modifier::Optional) => Node::All(vec![prefix, suffix]).optional(),
        (None, Modifier::Any) => again(Node::All(vec![prefix, suffix]), 0),
        (None, Modifier::Some) => again(Node::All(vec![prefix, suffix]), 1),
        (Some(value), Modifier::Once) => Node::All(vec![prefix, value, suffix]),
        (Some(value), Modifier::Optional) => Node::All(vec![prefix, value, suffix]).optional(),
        (Some(value), Modifier::Any | Modifier::Some) => {
            let more = again(Node::All(vec![suffix.clone(), prefix.clone(), value.clone()]), 0);
            let some = Node::All(vec![prefix, value, more, suffix]);
            if modifier == Modifier::Any { some.optional() } else { some }
        }
    }
}

/// `[^/]+`, or with `without` before none of its characters.
fn segment(without: Option<&str>) -> Node {
    let one = Node::Unit(Units::one(SLASH).not());
    let node = match without {
        None => one,
        Some(text) => Node::All(vec![Node::Look { ahead: Box::new(Node::text(text)), wanted: false }, one]),
    };
    Node::Repeat { node: Box::new(node), min: 1, max: None }
}

fn flatten(node: Node, nodes: &mut Vec<Node>) {
    match node {
        Node::All(inner) => inner.into_iter().for_each(|node| flatten(node, nodes)),
        other => nodes.push(other),
    }
}

/// The first segment of every path that matches, and with what it can begin, as far as they are known.
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
    let mut behind = rest;
    while let Some((node, others)) = behind.split_first() {
        let Some(unit) = literal(node) else { break };
        if unit == SLASH {
            break;
        }
        segment.push(unit);
        behind = others;
    }
    // What follows the literal begins another segment, or is nothing. No path begins with two slashes.
    let ends_here = Node::beginning_of_all(behind).0.has_at_most(SLASH);
    let first = String::from_utf16(&segment).ok().filter(|segment| ends_here && !segment.is_empty());
    let beginning = match Node::beginning_of_all(rest) {
        (units, false) if !units.contains(SLASH) => Some(units),
        _ => None,
    };
    (first, beginning)
}
