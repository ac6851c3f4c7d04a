//! Regular expressions as ECMAScript reads them, matched in time that is their size times the text's.
//!
//! Next.js makes a ECMAScript `RegExp` of what stands in parentheses in a matcher and of the values of
//! `has`. ECMAScript's engine backtracks, on text that clients send. This one does not: it decides for
//! every place of the text, from the last to the first, which parts of the expression match from there to
//! the end. So a lookahead costs no more than anything else, wherever it stands, and is exact.
//!
//! An expression matches a whole text. Case matters; there are no flags. What cannot be had is refused
//! with its place: backreferences, lookbehind, and whatever two engines could read differently.

mod case;
mod parse;
mod program;
pub(crate) mod states;
mod units;

pub(crate) use case::{AnyCase, fold};
pub use parse::RegexpProblem;
pub(crate) use parse::{Groups, RegexpError, parse};
pub(crate) use program::{Program, ProgramTooLargeError, Symbol};
pub(crate) use units::Units;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// One code unit of a set.
    Unit(Units),
    /// One after the other; none at all is the empty text.
    All(Vec<Node>),
    /// One of these.
    Any(Vec<Node>),
    /// So often; where there is no `max`, `node` is never empty.
    Repeat { node: Box<Node>, min: u32, max: Option<u32> },
    /// Whether what follows begins with `ahead`.
    Look { ahead: Box<Node>, wanted: bool },
    /// The beginning of the text.
    Start,
    /// The end of the text.
    End,
    /// `\b`, or `\B` where `wanted` is false.
    Boundary { wanted: bool },
}

impl Node {
    /// Exactly this text.
    pub(crate) fn text(text: &str) -> Self {
        let mut units = Vec::new();
        for unit in text.encode_utf16() {
            units.push(Self::Unit(Units::one(unit)));
        }
        Self::All(units)
    }

    /// This, or nothing.
    pub(crate) fn optional(self) -> Self {
        Self::Repeat { node: Box::new(self), min: 0, max: Some(1) }
    }

    /// With what a matching text can begin, at the most; and whether it may be empty, as far as can be seen
    /// without looking at the text.
    pub(crate) fn beginning(&self) -> (Units, bool) {
        match self {
            Self::Unit(units) => (units.clone(), false),
            Self::All(nodes) => Self::beginning_of_all(nodes),
            Self::Any(nodes) => {
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
            Self::Look { .. } | Self::Start | Self::End | Self::Boundary { .. } => (Units::none(), true),
        }
    }

    /// The same for a sequence.
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
