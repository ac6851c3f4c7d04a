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

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::{fs, io};

pub mod engine;
mod input;
mod obvious;
mod targets;

pub use crate::targets::targets;

/// Something that is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its folder in `fuzz/corpus` and of its file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// What is read, and what it is compared with.
    pub about: &'static str,
    /// The functions that it calls to read: paths in the crates `oidc`, `core`, `check` and `server`, without the crate.
    pub reads: &'static [&'static str],
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
    targets().find(|target| target.name == name)
}

/// The folder with the seeds of a target, in this repository.
pub fn corpus(target: &Target) -> PathBuf {
    repository().join("fuzz/corpus").join(target.name)
}

/// The seeds of a target, and the inputs that earlier runs found worth keeping.
///
/// # Errors
/// Where they cannot be read.
pub fn seeds(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let mut seeds = engine::read_seeds(&corpus(target))?;
    seeds.extend(found(target)?.into_iter().map(String::into_bytes));
    Ok(seeds)
}

/// The inputs that earlier runs found, each of which reaches code that the seeds do not: one JSON text a line.
///
/// # Errors
/// Where the file cannot be read.
pub fn found(target: &Target) -> io::Result<Vec<String>> {
    let path = repository().join("fuzz/found").join(format!("{}.jsonl", target.name));
    match fs::read_to_string(&path) {
        Ok(text) => text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs the target of that name, for cargo-fuzz.
pub fn fuzz(name: &str, input: &[u8]) {
    (target(name).expect("a target").run)(input);
}

/// Changes the first `size` bytes of `data` as [`engine`] does, for cargo-fuzz: it knows nothing of JSON. The result is the
/// new size, at most `max`.
pub fn mutate(name: &str, data: &mut [u8], size: usize, max: usize, seed: u32) -> usize {
    thread_local! {
        static INPUTS: OnceCell<engine::Inputs> = const { OnceCell::new() };
    }
    INPUTS.with(|inputs| {
        let of_target = || engine::Inputs::new(seeds(target(name).expect("a target")).expect("seeds"));
        let input = data.get(..size).unwrap_or_default();
        let changed = inputs.get_or_init(of_target).changed(input, seed.into());
        let size = changed.len().min(max).min(data.len());
        data[..size].copy_from_slice(&changed[..size]);
        size
    })
}
