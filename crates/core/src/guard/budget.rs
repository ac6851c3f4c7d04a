//! How much work the rules may cost one request.
//!
//! Every pattern is matched in time linear in the path, but a path can have 16 KiB, and a configuration a thousand
//! rules. The work is counted, not timed: a request that runs out of it is answered with 414, and the same request
//! always is.

use std::cell::Cell;

/// The work that one request may cost. One unit is one character that a pattern's cached states step over, some 5 ns;
/// computing a new state costs four units for each instruction of the pattern.
///
/// Thirty patterns over a path of 16 KiB cost 500 000 units. The whole is below the 10 ms of CPU time that the smallest
/// plan of a platform allows a request.
pub const MAX_WORK: u64 = 1_000_000;

/// What one instruction costs where a pattern has to compute a new state.
pub(crate) const NEW_STATE: usize = 4;

/// What is left of a request's work.
#[derive(Debug)]
pub struct Budget {
    left: Cell<u64>,
}

impl Budget {
    /// All of [`MAX_WORK`].
    pub fn new() -> Self {
        Self { left: Cell::new(MAX_WORK) }
    }

    /// Takes `units` of work. False where there are not as many left: then nothing is left.
    pub(crate) fn spend(&self, units: usize) -> bool {
        let left = self.left.get().checked_sub(units as u64);
        self.left.set(left.unwrap_or_default());
        left.is_some()
    }

    /// How many units were spent.
    pub fn spent(&self) -> u64 {
        MAX_WORK - self.left.get()
    }

    /// Whether nothing is left: what was decided since may be wrong.
    pub fn is_exhausted(&self) -> bool {
        self.left.get() == 0
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}
