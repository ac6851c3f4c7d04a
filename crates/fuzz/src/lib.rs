//! What is fuzzed: everything that reads what others write.
//!
//! A [`Target`] reads an input and compares the result with an *oracle*: an obvious implementation, another parser, or a
//! property that must hold whatever the input is. It panics where they differ. The inputs are texts, so that a seed in
//! `fuzz/corpus` can be read and written by hand.
//!
//! Two engines run the targets: cargo-fuzz's (`fuzz/`, with coverage, on a nightly compiler), and [`engine`] on the stable
//! one, of which `cargo xtask test` runs a slice.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target panics where it finds something"
)]

pub mod engine;
mod input;
mod obvious;
mod targets;

pub use crate::targets::TARGETS;

/// Something that is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its folder in `fuzz/corpus` and of its file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// What is read, and what it is compared with.
    pub about: &'static str,
    /// Reads an input and panics where the oracle differs. The result is the [`Shape`] of what came out.
    pub run: fn(&[u8]) -> Shape,
    /// How many generated inputs the slice in the tests has.
    pub slice: usize,
}

/// What came out of an input, in short: which error, how many items. An input with a new shape is worth changing further,
/// which takes the place of coverage where the compiler has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(pub u64);

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// The folder with the seeds of a target, in this repository.
pub fn corpus(target: &Target) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target.name)
}

/// Runs the target of that name, for cargo-fuzz.
pub fn fuzz(name: &str, input: &[u8]) {
    (target(name).expect("a target").run)(input);
}
