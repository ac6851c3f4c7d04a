//! The states that a program has been in, kept so that each is computed once.
//!
//! A state says of every step whether it matches from one place of a text to its end. It follows from the state one
//! character further on, from the character in between, and from what stands before it; there are few of each, so a
//! text is mostly matched by looking states up (a lazily built automaton).

use std::collections::BTreeMap;

/// With more states than this, all are forgotten. A pattern has a dozen over ordinary paths; each takes a kilobyte.
const MAX_STATES: usize = 64;

/// The characters whose successors are looked up in an array.
const ASCII: usize = 128;

/// Which steps match, a bit for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State(Vec<u64>);

impl State {
    /// No step of that many.
    pub(crate) fn empty(steps: usize) -> Self {
        Self(vec![0; steps.div_ceil(64)])
    }

    pub(crate) fn contains(&self, step: usize) -> bool {
        self.0.get(step / 64).is_some_and(|bits| bits >> (step % 64) & 1 == 1)
    }

    pub(crate) fn insert(&mut self, step: usize) {
        if let Some(bits) = self.0.get_mut(step / 64) {
            *bits |= 1 << (step % 64);
        }
    }
}

/// What stands before a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Before {
    /// Nothing: it is the text's first.
    Start,
    /// A character of a word (`\w`).
    Word,
    /// Another character.
    Other,
}

/// The number of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateId(u16);

/// What follows from a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    State(StateId),
    /// No step matches that the whole match could begin with.
    Dead,
}

/// One character's step from a state: `u16::MAX` where it was not taken yet, `DEAD` where it leads nowhere.
type Row = [u16; 3 * ASCII];

const UNKNOWN: u16 = u16::MAX;
const DEAD: u16 = u16::MAX - 1;

/// The states of one program, and which follows from which.
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    all: Vec<State>,
    numbers: BTreeMap<State, u16>,
    /// What follows from each state over an ASCII character.
    rows: Vec<Row>,
    /// The same over any other.
    others: BTreeMap<(u16, u16, Before), u16>,
    /// At the end of a text.
    ends: BTreeMap<Before, u16>,
}

impl States {
    /// The state with that number.
    pub(crate) fn state(&self, id: StateId) -> Option<&State> {
        self.all.get(usize::from(id.0))
    }

    /// What follows from `from` over `unit`, where that is known. `from` is `None` at the end of the text, where there is
    /// no unit.
    pub(crate) fn find(&self, from: Option<(StateId, u16)>, before: Before) -> Option<Next> {
        let found = match from {
            None => self.ends.get(&before).copied(),
            Some((StateId(state), unit)) if usize::from(unit) < ASCII => {
                self.rows.get(usize::from(state)).and_then(|row| row.get(column(unit, before)).copied())
            }
            Some((StateId(state), unit)) => self.others.get(&(state, unit, before)).copied(),
        };
        match found {
            None | Some(UNKNOWN) => None,
            Some(DEAD) => Some(Next::Dead),
            Some(number) => Some(Next::State(StateId(number))),
        }
    }

    /// Keeps what follows; `None` where nothing does.
    pub(crate) fn keep(&mut self, from: Option<(StateId, u16)>, before: Before, next: Option<State>) -> Next {
        let mut is_kept = true;
        let number = next.map(|state| {
            if let Some(number) = self.numbers.get(&state) {
                return *number;
            }
            if self.all.len() == MAX_STATES {
                *self = Self::default();
                // The state that this one follows from is forgotten as well.
                is_kept = from.is_none();
            }
            let number = u16::try_from(self.all.len()).unwrap_or_default();
            self.all.push(state.clone());
            self.rows.push([UNKNOWN; 3 * ASCII]);
            self.numbers.insert(state, number);
            number
        });
        let written = number.unwrap_or(DEAD);
        match from {
            None => {
                self.ends.insert(before, written);
            }
            Some(_) if !is_kept => {}
            Some((StateId(state), unit)) if usize::from(unit) < ASCII => {
                let row = self.rows.get_mut(usize::from(state));
                if let Some(slot) = row.and_then(|row| row.get_mut(column(unit, before))) {
                    *slot = written;
                }
            }
            Some((StateId(state), unit)) => {
                self.others.insert((state, unit, before), written);
            }
        }
        number.map_or(Next::Dead, |number| Next::State(StateId(number)))
    }
}

fn column(unit: u16, before: Before) -> usize {
    usize::from(unit) + ASCII * before as usize
}
