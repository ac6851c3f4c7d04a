//! Random choices that a seed decides.

use vestibule_testing::FakeRandom;

/// A random source that gives the same choices for the same seed.
pub struct Random(FakeRandom);

impl Random {
    /// The source for one case of a family.
    pub fn of(seed: u64, family: &str, number: u64) -> Self {
        // FNV-1a, so that neither neighbours nor families have the same choices.
        let parts = [&seed.to_le_bytes()[..], family.as_bytes(), &number.to_le_bytes()];
        let hash = parts.concat().into_iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(FakeRandom::new(hash))
    }

    /// A number below `bound`.
    pub fn below(&self, bound: usize) -> usize {
        usize::try_from(self.0.below(bound as u64)).unwrap()
    }

    /// One of the choices.
    pub fn one_of<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// True in one of so many cases.
    pub fn one_in(&self, cases: usize) -> bool {
        self.below(cases) == 0
    }

    /// Fills the bytes.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    /// So many pieces, one after the other.
    pub fn soup(&self, pieces: &[&str], fewer_than: usize) -> String {
        (0..self.below(fewer_than)).map(|_| self.one_of(pieces)).collect()
    }
}
