//! Random bytes and numbers from a seed.

use std::cell::Cell;
use std::time::Duration;

/// A random source (splitmix64). The same seed gives the same numbers.
pub struct FakeRandom(Cell<u64>);

impl FakeRandom {
    /// A source with this seed.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number of at least `start` and below `end`.
    pub fn between(&self, start: u64, end: u64) -> u64 {
        start + self.below(end - start)
    }

    /// A duration of at least `start` and below `end` milliseconds.
    pub fn millis(&self, start: u64, end: u64) -> Duration {
        Duration::from_millis(self.between(start, end))
    }

    /// One of the choices.
    pub fn one_of<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    /// True in one of so many cases.
    pub fn one_in(&self, cases: u64) -> bool {
        self.below(cases) == 0
    }

    /// Fills `bytes`, for [`Random::fill_random`](vestibule_core::platform::Random::fill_random).
    pub fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = u8::try_from(self.below(256)).unwrap();
        }
    }

    fn next(&self) -> u64 {
        let next = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
