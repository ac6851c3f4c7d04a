//! A compiled expression, and how it is matched.

use super::{Node, Units};

/// The maximum number of steps: the time to match a text is the number of steps times the text's length.
const MAX_STEPS: usize = 2048;

/// A compiled expression.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Every step comes after those that it depends on at the same position of the text.
    steps: Vec<Step>,
    entry: usize,
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

    /// Whether the whole text matches.
    pub(crate) fn matches(&self, text: &[u16]) -> bool {
        let mut current = vec![false; self.steps.len()];
        let mut following = vec![false; self.steps.len()];
        for at in (0..=text.len()).rev() {
            let unit = text.get(at).copied();
            let mut is_alive = false;
            for (number, step) in self.steps.iter().enumerate() {
                let holds = |step: usize| current.get(step) == Some(&true);
                let matches = match &step.instruction {
                    Instruction::Accept => unit.is_none(),
                    Instruction::Found => true,
                    Instruction::Unit(units, next) => {
                        following.get(*next) == Some(&true) && unit.is_some_and(|unit| units.contains(unit))
                    }
                    Instruction::Either(a, b) => holds(*a) || holds(*b),
                    Instruction::Lookahead { ahead, positive, next } => {
                        holds(*next) && holds(*ahead) == *positive
                    }
                    Instruction::Start(next) => at == 0 && holds(*next),
                    Instruction::End(next) => unit.is_none() && holds(*next),
                    Instruction::Boundary { positive, next } => {
                        holds(*next) && is_boundary(text, at) == *positive
                    }
                };
                is_alive |= matches && step.is_main;
                if let Some(slot) = current.get_mut(number) {
                    *slot = matches;
                }
            }
            if !is_alive {
                return false;
            }
            std::mem::swap(&mut current, &mut following);
        }
        following.get(self.entry) == Some(&true)
    }
}

/// `\b` (ECMA-262 section 22.2.2.4).
fn is_boundary(text: &[u16], at: usize) -> bool {
    let is_word = |at: Option<usize>| {
        at.and_then(|at| text.get(at))
            .is_some_and(|&unit| u8::try_from(unit).is_ok_and(|b| b.is_ascii_alphanumeric() || b == b'_'))
    };
    is_word(at.checked_sub(1)) != is_word(Some(at))
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
        push_after_dependencies(steps, start, &mut seen, &mut order);
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
    Program { steps: ordered, entry: to(entry) }
}

fn push_after_dependencies(steps: &[Step], at: usize, seen: &mut [bool], order: &mut Vec<usize>) {
    let (Some(step), Some(seen_here)) = (steps.get(at), seen.get_mut(at)) else { return };
    if std::mem::replace(seen_here, true) {
        return;
    }
    for dependency in step.instruction.dependencies() {
        push_after_dependencies(steps, dependency, seen, order);
    }
    order.push(at);
}
