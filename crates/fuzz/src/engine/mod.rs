//! The engine for a stable compiler: it changes the seeds, and keeps what gave a new [`Shape`].
//!
//! The same seed gives the same inputs. No clock is read here.

mod mutate;
mod random;

use std::collections::{BTreeSet, HashSet};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::{fs, io};

pub use self::random::Random;
use crate::{Shape, Target};

/// Inputs are cut to this length, in bytes. More of the same finds nothing new.
const MAX_LENGTH: usize = 4096;

/// At most so many inputs are kept.
const MAX_KEPT: usize = 4096;

/// Inputs, and the words in them.
pub struct Inputs {
    inputs: Vec<Vec<u8>>,
    dictionary: Vec<Vec<u8>>,
}

impl Inputs {
    /// These inputs.
    pub fn new(inputs: Vec<Vec<u8>>) -> Self {
        Self { dictionary: mutate::dictionary(&inputs), inputs }
    }

    /// Another input, changed once with what is in these. The same seed changes it alike.
    pub fn changed(&self, input: &[u8], seed: u64) -> Vec<u8> {
        mutate::changed(input, &self.inputs, &self.dictionary, &mut Random::new(seed))
    }
}

/// A run of one target.
pub struct Engine {
    target: &'static Target,
    random: Random,
    inputs: Vec<Vec<u8>>,
    dictionary: Vec<Vec<u8>>,
    shapes: HashSet<Shape>,
    /// How many inputs were run.
    pub executions: u64,
}

/// An input for which a target panicked.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The smallest one that was found.
    pub input: Vec<u8>,
    /// What the panic says.
    pub message: String,
}

impl Engine {
    /// A run with these seeds. They have not been run yet: see [`Engine::seeds`].
    pub fn new(target: &'static Target, seeds: Vec<Vec<u8>>, seed: u64) -> Self {
        let dictionary = mutate::dictionary(&seeds);
        Self {
            target,
            random: Random::new(seed),
            inputs: seeds,
            dictionary,
            shapes: HashSet::new(),
            executions: 0,
        }
    }

    /// Runs every seed as it is.
    ///
    /// # Errors
    /// The first one for which the target panics.
    pub fn seeds(&mut self) -> Result<(), Finding> {
        for seed in self.inputs.clone() {
            self.execute(&seed)?;
        }
        Ok(())
    }

    /// Runs so many generated inputs.
    ///
    /// # Errors
    /// The first one for which the target panics.
    pub fn generated(&mut self, count: usize) -> Result<(), Finding> {
        for _ in 0..count {
            let mut input = mutate::mutated(&self.inputs, &self.dictionary, &mut self.random);
            input.truncate(MAX_LENGTH);
            let is_new = self.execute(&input)?;
            if is_new && self.inputs.len() < MAX_KEPT {
                self.inputs.push(input);
            }
        }
        Ok(())
    }

    /// How many different shapes came out.
    pub fn shapes(&self) -> usize {
        self.shapes.len()
    }

    fn execute(&mut self, input: &[u8]) -> Result<bool, Finding> {
        self.executions += 1;
        match run(self.target, input) {
            Ok(shape) => Ok(self.shapes.insert(shape)),
            Err(_) => Err(smallest(self.target, input)),
        }
    }
}

/// Runs a target once. The error is what its panic says.
///
/// # Errors
/// Where the target panics.
pub fn run(target: &Target, input: &[u8]) -> Result<Shape, String> {
    panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    })
}

/// Removes of a finding what it does not need: halves, then smaller and smaller pieces.
pub fn smallest(target: &Target, input: &[u8]) -> Finding {
    let mut input = input.to_vec();
    let mut size = input.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < input.len() {
            let end = (at + size).min(input.len());
            let shorter = [&input[..at], &input[end..]].concat();
            if run(target, &shorter).is_err() {
                input = shorter;
            } else {
                at = end;
            }
        }
        size /= 2;
    }
    let message = run(target, &input).err().unwrap_or_default();
    Finding { input, message }
}

/// The seeds in a folder, in the order of their names.
///
/// # Errors
/// Where the folder or a file cannot be read.
pub fn read_seeds(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let files: BTreeSet<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.iter().filter(|path| path.is_file()).map(fs::read).collect()
}
