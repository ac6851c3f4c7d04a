//! Two implementations, one input. Cases are generated from a seed; Vestibule reads each, and so does the implementation that
//! it has to agree with: `jose`, Auth.js and path-to-regexp, in Node.js. A difference is either one of a table, each with
//! its reason, or a mistake.
//!
//! A [`Family`] generates cases of one kind and judges the other implementation's answer. [`run`](run::run) plays them in
//! batches; a difference is [made smaller](shrink::smallest) before it is shown. `cargo xtask differential` runs a million
//! cases, `cargo xtask test` some thousand.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "it is a test that is too long for one: it panics where it is broken itself"
)]

mod deliberate;
mod families;
mod random;
mod reading;
pub mod run;
pub mod shrink;
mod worker;

use serde_json::Value;
use vestibule_core::time::Timestamp;

pub use crate::deliberate::Row;
pub use crate::families::FAMILIES;
pub use crate::random::Random;
pub use crate::worker::Worker;

/// The time of every case: not a whole second.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_290_000_750);

/// Cases of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name, which is also that of its function in `node/`.
    pub name: &'static str,
    /// What is compared with what.
    pub about: &'static str,
    /// How many cases of a thousand are of this family.
    pub share: usize,
    /// How many cases the slice in the tests has.
    pub slice: usize,
    /// Makes a case. It says everything that both implementations need, so that it can be repeated alone.
    pub generate: fn(&Random) -> Value,
    /// The members of a case that may be made smaller. Tokens are not among them: they are small, and signed.
    pub shrinks: &'static [&'static str],
    /// Lets Vestibule read the case, and compares the result with the other implementation's answer.
    pub judge: fn(&Value, &Answer) -> Verdict,
    /// The differences that are meant.
    pub deliberate: fn() -> Vec<Row>,
}

/// What the other implementation says of a case: a value, or why it refuses.
pub type Answer = Result<Value, String>;

/// What becomes of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both accept the case, with the same result.
    BothAccept,
    /// Both refuse it.
    BothRefuse,
    /// They differ as the row of this name says.
    Deliberate(&'static str),
    /// They differ, and nothing says that they should: what each of them says.
    Different(String),
}

/// The family of that name.
pub fn family(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

impl Family {
    /// The case of that number, which depends on the seed and on nothing else.
    pub fn case(&self, seed: u64, number: u64) -> Value {
        (self.generate)(&Random::of(seed, self.name, number))
    }
}
