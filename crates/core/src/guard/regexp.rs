//! ECMAScript's regular expressions, matched in time proportional to the size of the expression times that of the text.
//!
//! Next.js compiles the parentheses of a matcher, and the values of `has`, to an ECMAScript `RegExp`. ECMAScript's
//! engines backtrack, and clients choose the text. This engine does not backtrack: for every position of the text,
//! from the last to the first, it computes which parts of the expression match from there to the end. So a lookahead
//! is exact and costs no more than any other part.
//!
//! An expression matches a whole text, is case-sensitive and has no flags. Backreferences, lookbehind, and syntax
//! that two engines could read differently are rejected, with their position.

mod case;
mod parse;
mod program;
pub(crate) mod states;
mod units;

pub(crate) use case::{AnyCase, fold};
pub use parse::RegexpProblem;
pub(crate) use parse::{RegexpError, parse};
pub(crate) use program::{Program, ProgramTooLargeError, Symbol};
pub(crate) use units::Units;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// One code unit of a set.
    Unit(Units),
    /// These nodes, one after the other. Without any, the empty text.
    Sequence(Vec<Node>),
    /// One of these nodes.
    Alternatives(Vec<Node>),
    /// `node`, from `min` to `max` times. Without a `max`, `node` never matches the empty text.
    Repeat { node: Box<Node>, min: u32, max: Option<u32> },
    /// `(?=…)`, or `(?!…)` if `positive` is false.
    Lookahead { ahead: Box<Node>, positive: bool },
    /// The beginning of the text.
    Start,
    /// The end of the text.
    End,
    /// `\b`, or `\B` if `positive` is false.
    Boundary { positive: bool },
}

impl Node {
    /// A node that matches exactly this text.
    pub(crate) fn text(text: &str) -> Self {
        let mut units = Vec::new();
        for unit in text.encode_utf16() {
            units.push(Self::Unit(Units::one(unit)));
        }
        Self::Sequence(units)
    }

    /// This node, or the empty text.
    pub(crate) fn optional(self) -> Self {
        Self::Repeat { node: Box::new(self), min: 0, max: Some(1) }
    }

    /// A superset of the units that a matching text can begin with, and whether a matching text may be empty.
    /// Assertions count as empty.
    pub(crate) fn beginning(&self) -> (Units, bool) {
        match self {
            Self::Unit(units) => (units.clone(), false),
            Self::Sequence(nodes) => Self::beginning_of_all(nodes),
            Self::Alternatives(nodes) => {
                let mut all = (Units::none(), false);
                for (units, may_be_empty) in nodes.iter().map(Self::beginning) {
                    all = (all.0.or(&units), all.1 | may_be_empty);
                }
                all
            }
            Self::Repeat { node, min, .. } => {
                let (units, may_be_empty) = node.beginning();
                (units, may_be_empty || *min == 0)
            }
            Self::Lookahead { .. } | Self::Start | Self::End | Self::Boundary { .. } => (Units::none(), true),
        }
    }

    /// [`beginning`](Self::beginning) of a sequence.
    pub(crate) fn beginning_of_all(nodes: &[Self]) -> (Units, bool) {
        let mut all = Units::none();
        for node in nodes {
            let (units, may_be_empty) = node.beginning();
            all = all.or(&units);
            if !may_be_empty {
                return (all, false);
            }
        }
        (all, true)
    }
}

#[cfg(test)]
mod tests;
