//! Random bytes and numbers that follow from a seed.

use std::cell::Cell;
use std::time::Duration;

/// A random source that is the same for the same seed (splitmix64).
pub struct FakeRandom(Cell<u64>);

impl FakeRandom {
    /// Begins with that seed.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number from `least` to below `end`.
    pub fn between(&self, least: u64, end: u64) -> u64 {
        least + self.below(end - least)
    }

    /// So many milliseconds, from `least` to below `end`.
    pub fn millis(&self, least: u64, end: u64) -> Duration {
        Duration::from_millis(self.between(least, end))
    }

    /// One of them.
    pub fn one_of<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    /// Whether it is the one case in so many.
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
