//! A compiled expression, and how it is matched.

use std::cell::RefCell;

use super::case::AnyCase;
use super::states::{Before, Next, State, States};
use super::{Node, Units};
use crate::guard::budget::{Budget, NEW_STATE};

/// The maximum number of steps: computing one state takes time for each.
const MAX_STEPS: usize = 2048;

/// A compiled expression.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Every step comes after those that it depends on at the same position of the text.
    steps: Vec<Step>,
    entry: usize,
    known: Known,
}

/// The expression has more than 2048 steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProgramTooLargeError;

/// A step matches at a position if the text from there to its end matches.
#[derive(Clone, Debug)]
struct Step {
    instruction: Instruction,
    /// Whether the step is outside of all lookaheads. If no such step matches at a position, none matches at an
    /// earlier one.
    is_main: bool,
}

/// What a step matches. The numbers are indices of other steps.
#[derive(Clone, Debug)]
enum Instruction {
    /// Matches at the end of the text.
    Accept,
    /// Matches everywhere: the end of a lookahead.
    Found,
    /// Matches a unit of the set, followed by the other step.
    Unit(Units, usize),
    /// Matches if one of the two steps does.
    Either(usize, usize),
    /// Matches if `next` does, and `ahead` does (or does not, if `positive` is false).
    Lookahead {
        ahead: usize,
        positive: bool,
        next: usize,
    },
    Start(usize),
    End(usize),
    Boundary {
        positive: bool,
        next: usize,
    },
}

impl Program {
    /// Compiles a program for the texts that `node` matches from beginning to end.
    pub(crate) fn new(node: &Node) -> Result<Self, ProgramTooLargeError> {
        let mut writer = Writer { steps: Vec::new(), lookaheads: 0 };
        let accept = writer.push(Instruction::Accept)?;
        let entry = writer.write(node, accept)?;
        Ok(in_order(&writer.steps, entry))
    }

    /// Whether the whole text matches. False, too, where `budget` has nothing left.
    pub(crate) fn matches<S: Symbol>(&self, text: &[S], budget: &Budget) -> bool {
        let mut states = S::states(&self.known).borrow_mut();
        let mut from = None;
        for at in (0..=text.len()).rev() {
            let unit = text.get(at).copied();
            let before = before(text, at);
            let key = from.zip(unit.map(Symbol::unit));
            let next = match states.find(key, before) {
                Some(next) if budget.spend(1) => next,
                None if budget.spend(NEW_STATE * self.steps.len()) => {
                    let behind = from.and_then(|id| states.state(id));
                    let next = self.state(unit, before, behind);
                    states.keep(key, before, next)
                }
                _ => return false,
            };
            match next {
                Next::State(id) => from = Some(id),
                Next::Dead => return false,
            }
        }
        from.and_then(|id| states.state(id)).is_some_and(|state| state.contains(self.entry))
    }

    /// Which steps match from one place of a text, where `behind` matches from the next one. `None` where the whole
    /// text cannot match any more.
    fn state<S: Symbol>(&self, unit: Option<S>, before: Before, behind: Option<&State>) -> Option<State> {
        let mut here = State::empty(self.steps.len());
        let mut is_alive = false;
        for (number, step) in self.steps.iter().enumerate() {
            let holds = |step: usize| here.contains(step);
            let matches = match &step.instruction {
                Instruction::Accept => unit.is_none(),
                Instruction::Found => true,
                Instruction::Unit(units, next) => {
                    behind.is_some_and(|behind| behind.contains(*next))
                        && unit.is_some_and(|unit| unit.is_in(units))
                }
                Instruction::Either(a, b) => holds(*a) || holds(*b),
                Instruction::Lookahead { ahead, positive, next } => {
                    holds(*next) && holds(*ahead) == *positive
                }
                Instruction::Start(next) => before == Before::Start && holds(*next),
                Instruction::End(next) => unit.is_none() && holds(*next),
                Instruction::Boundary { positive, next } => {
                    let is_boundary = unit.is_some_and(is_word) != (before == Before::Word);
                    holds(*next) && is_boundary == *positive
                }
            };
            if matches {
                here.insert(number);
                is_alive |= step.is_main;
            }
        }
        is_alive.then_some(here)
    }
}

/// A character of a text, as sets of code units contain it.
pub(crate) trait Symbol: Copy {
    fn is_in(self, units: &Units) -> bool;

    /// The code unit that it is written with. Two symbols with the same unit are the same.
    fn unit(self) -> u16;

    /// The states of texts of such symbols.
    fn states(known: &Known) -> &RefCell<States>;
}

/// A code unit: case matters.
impl Symbol for u16 {
    fn is_in(self, units: &Units) -> bool {
        units.contains(self)
    }

    fn unit(self) -> u16 {
        self
    }

    fn states(known: &Known) -> &RefCell<States> {
        &known.exact
    }
}

impl Symbol for AnyCase {
    fn is_in(self, units: &Units) -> bool {
        self.spellings().any(|unit| units.contains(unit))
    }

    fn unit(self) -> u16 {
        self.written()
    }

    fn states(known: &Known) -> &RefCell<States> {
        &known.any_case
    }
}

/// The states that a program has been in, over both kinds of symbols.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    exact: RefCell<States>,
    any_case: RefCell<States>,
}

fn before<S: Symbol>(text: &[S], at: usize) -> Before {
    match at.checked_sub(1).and_then(|at| text.get(at)) {
        None => Before::Start,
        Some(&symbol) if is_word(symbol) => Before::Word,
        Some(_) => Before::Other,
    }
}

/// `\w`, of which `\b` is the boundary (ECMA-262 section 22.2.2.4).
fn is_word<S: Symbol>(symbol: S) -> bool {
    u8::try_from(symbol.unit()).is_ok_and(|b| b.is_ascii_alphanumeric() || b == b'_')
}

struct Writer {
    steps: Vec<Step>,
    /// How many lookaheads surround the current node.
    lookaheads: usize,
}

impl Writer {
    fn push(&mut self, instruction: Instruction) -> Result<usize, ProgramTooLargeError> {
        if self.steps.len() == MAX_STEPS {
            return Err(ProgramTooLargeError);
        }
        self.steps.push(Step { instruction, is_main: self.lookaheads == 0 });
        Ok(self.steps.len() - 1)
    }

    /// Writes the steps of `node`, which step `next` follows, and returns the first of them.
    fn write(&mut self, node: &Node, next: usize) -> Result<usize, ProgramTooLargeError> {
        match node {
            Node::Unit(units) => self.push(Instruction::Unit(units.clone(), next)),
            Node::Sequence(nodes) => nodes.iter().rev().try_fold(next, |next, node| self.write(node, next)),
            Node::Alternatives(nodes) => {
                let mut entry = None;
                for node in nodes.iter().rev() {
                    let this = self.write(node, next)?;
                    entry = Some(match entry {
                        None => this,
                        Some(others) => self.push(Instruction::Either(this, others))?,
                    });
                }
                Ok(entry.unwrap_or(next))
            }
            Node::Repeat { node, min, max } => self.repeat(node, *min, *max, next),
            Node::Lookahead { ahead, positive } => {
                self.lookaheads += 1;
                let found = self.push(Instruction::Found)?;
                let ahead = self.write(ahead, found)?;
                self.lookaheads -= 1;
                self.push(Instruction::Lookahead { ahead, positive: *positive, next })
            }
            Node::Start => self.push(Instruction::Start(next)),
            Node::End => self.push(Instruction::End(next)),
            Node::Boundary { positive } => self.push(Instruction::Boundary { positive: *positive, next }),
        }
    }

    fn repeat(
        &mut self,
        node: &Node,
        min: u32,
        max: Option<u32>,
        exit: usize,
    ) -> Result<usize, ProgramTooLargeError> {
        let mut entry = exit;
        let mut copies = min;
        if let Some(max) = max {
            for _ in min..max {
                let body = self.write(node, entry)?;
                entry = self.push(Instruction::Either(body, exit))?;
            }
        } else {
            let again = self.push(Instruction::Either(exit, exit))?;
            let body = self.write(node, again)?;
            if let Some(step) = self.steps.get_mut(again) {
                step.instruction = Instruction::Either(body, exit);
            }
            entry = if min == 0 { again } else { body };
            copies = min.saturating_sub(1);
        }
        for _ in 0..copies {
            entry = self.write(node, entry)?;
        }
        Ok(entry)
    }
}

impl Instruction {
    /// The steps that this one depends on at the same position of the text.
    fn dependencies(&self) -> impl Iterator<Item = usize> {
        let (a, b) = match *self {
            Self::Accept | Self::Found | Self::Unit(..) => (None, None),
            Self::Either(a, b) | Self::Lookahead { ahead: a, next: b, .. } => (Some(a), Some(b)),
            Self::Start(next) | Self::End(next) | Self::Boundary { next, .. } => (Some(next), None),
        };
        a.into_iter().chain(b)
    }

    fn renumbered(&self, to: &dyn Fn(usize) -> usize) -> Self {
        match *self {
            Self::Accept => Self::Accept,
            Self::Found => Self::Found,
            Self::Unit(ref units, next) => Self::Unit(units.clone(), to(next)),
            Self::Either(a, b) => Self::Either(to(a), to(b)),
            Self::Lookahead { ahead, positive, next } => {
                Self::Lookahead { ahead: to(ahead), positive, next: to(next) }
            }
            Self::Start(next) => Self::Start(to(next)),
            Self::End(next) => Self::End(to(next)),
            Self::Boundary { positive, next } => Self::Boundary { positive, next: to(next) },
        }
    }
}

/// Puts every step after those that it depends on. Such an order exists: only an unlimited repetition leads back to an
/// earlier step, and as it never matches the empty text, it does so at another position.
fn in_order(steps: &[Step], entry: usize) -> Program {
    let mut order = Vec::with_capacity(steps.len());
    let mut seen = vec![false; steps.len()];
    for start in 0..steps.len() {
        visit(steps, start, &mut seen, &mut order);
    }
    let mut places = vec![0; steps.len()];
    for (place, &step) in order.iter().enumerate() {
        if let Some(slot) = places.get_mut(step) {
            *slot = place;
        }
    }
    let to = |step: usize| places.get(step).copied().unwrap_or_default();
    let mut ordered = Vec::with_capacity(order.len());
    for step in order {
        if let Some(step) = steps.get(step) {
            ordered.push(Step { instruction: step.instruction.renumbered(&to), is_main: step.is_main });
        }
    }
    Program { steps: ordered, entry: to(entry), known: Known::default() }
}

fn visit(steps: &[Step], at: usize, seen: &mut [bool], order: &mut Vec<usize>) {
    let (Some(step), Some(seen_here)) = (steps.get(at), seen.get_mut(at)) else { return };
    if std::mem::replace(seen_here, true) {
        return;
    }
    for dependency in step.instruction.dependencies() {
        visit(steps, dependency, seen, order);
    }
    order.push(at);
}
