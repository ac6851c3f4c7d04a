//! The order of the functions in the module. Compression finds a repetition among the last 32 KiB alone, so functions
//! that are like each other have to stand near each other.
//!
//! From any function on, the next one is the one that has most in common with what was placed last, for its size.
//! That makes the compressed module 3% smaller than sorting by name does, which has functions of one type together and
//! those that do the same to several types apart.

#![allow(
    clippy::indexing_slicing,
    reason = "functions and pieces are counted here, and all lists are as long"
)]

use std::collections::{HashMap, VecDeque};

use anyhow::Result;

use crate::wasm::Module;

/// How far back compression looks.
const WINDOW: usize = 32 * 1024;

/// So many bytes, wherever they stand in a function, are a piece of it. Shorter ones are the same by chance.
const PIECE: usize = 6;

/// Functions with a number up to this one are called with one byte.
const NUMBERS_OF_A_BYTE: usize = 128;

/// What an order of names is to wasm-opt: `00012 vestibule::http::url::parse` is the thirteenth. Takes a module whose
/// functions are sorted by how often they are called.
pub(super) fn numbered(module: &Module<'_>) -> Result<Vec<u8>> {
    let often_called = NUMBERS_OF_A_BYTE.saturating_sub(module.imported_functions()?);
    let order = by_likeness(&module.bodies()?, often_called);
    let mut places = vec![0; order.len()];
    for (place, function) in order.into_iter().enumerate() {
        places[function] = place;
    }
    module.with_names(|function, name| format!("{:05} {name}", places[function]))
}

/// The module with its names as they were before [`numbered`].
pub(super) fn without_numbers(module: &Module<'_>) -> Result<Vec<u8>> {
    module.with_names(|_, name| name.split_once(' ').map_or(name, |(_, name)| name).to_owned())
}

/// The functions in the order in which they compress well; the first ones stay where they are.
fn by_likeness(functions: &[&[u8]], first: usize) -> Vec<usize> {
    let mut recent = Recent::new(functions);
    let mut order = Vec::new();
    let mut left: Vec<usize> = (0..functions.len()).collect();
    while !left.is_empty() {
        let chosen = if order.len() < first {
            0
        } else {
            let best = (0..left.len()).max_by_key(|at| (recent.likeness(left[*at]), std::cmp::Reverse(*at)));
            best.unwrap_or_default()
        };
        let function = left.remove(chosen);
        recent.place(function);
        order.push(function);
    }
    order
}

/// What was placed last, as much as compression looks back on, and what each function has in common with it.
struct Recent<'a> {
    functions: &'a [&'a [u8]],
    /// The pieces that each function has, each once, of those that another has too.
    pieces: Vec<Vec<usize>>,
    /// The functions that have each piece.
    having: Vec<Vec<usize>>,
    placed: VecDeque<usize>,
    bytes: usize,
    /// How many of the placed functions have each piece.
    times: Vec<usize>,
    /// What those pieces are worth that a function has in common with the placed ones.
    common: Vec<u64>,
}

impl<'a> Recent<'a> {
    fn new(functions: &'a [&'a [u8]]) -> Self {
        let mut of_bytes: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (function, body) in functions.iter().enumerate() {
            for piece in body.windows(PIECE) {
                let having = of_bytes.entry(piece).or_default();
                if having.last() != Some(&function) {
                    having.push(function);
                }
            }
        }
        let having: Vec<Vec<usize>> = of_bytes.into_values().filter(|having| having.len() > 1).collect();
        let mut pieces = vec![Vec::new(); functions.len()];
        for (piece, having) in having.iter().enumerate() {
            for function in having {
                pieces[*function].push(piece);
            }
        }
        Recent {
            functions,
            placed: VecDeque::new(),
            bytes: 0,
            times: vec![0; having.len()],
            common: vec![0; functions.len()],
            pieces,
            having,
        }
    }

    /// How much a function has in common with what was placed, for its size: large functions have something in
    /// common with anything, and small ones that are exactly the same gain little.
    fn likeness(&self, function: usize) -> u64 {
        self.common[function].pow(2) / (self.functions[function].len() as u64).max(1)
    }

    fn place(&mut self, function: usize) {
        for &piece in &self.pieces[function] {
            self.times[piece] += 1;
            if self.times[piece] == 1 {
                for &other in &self.having[piece] {
                    self.common[other] += worth(&self.having[piece]);
                }
            }
        }
        self.placed.push_back(function);
        self.bytes += self.functions[function].len();
        while self.bytes > WINDOW
            && self.placed.len() > 1
            && let Some(function) = self.placed.pop_front()
        {
            self.forget(function);
        }
    }

    fn forget(&mut self, function: usize) {
        self.bytes -= self.functions[function].len();
        for &piece in &self.pieces[function] {
            self.times[piece] -= 1;
            if self.times[piece] == 0 {
                for &other in &self.having[piece] {
                    self.common[other] -= worth(&self.having[piece]);
                }
            }
        }
    }
}

/// A piece that many functions have will be found again anyway.
fn worth(having: &[usize]) -> u64 {
    (1_000_000 / having.len() as u64).isqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that look like no others of another seed.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[4]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn functions_that_are_like_each_other_come_together() {
        let kinds: Vec<Vec<u8>> = (1..=4).map(|seed| noise(seed, 300)).collect();
        let functions: Vec<Vec<u8>> =
            (0..40).map(|at| [noise(100 + at as u64, 20), kinds[at % 4].clone()].concat()).collect();
        let bodies: Vec<&[u8]> = functions.iter().map(Vec::as_slice).collect();
        let order = by_likeness(&bodies, 0);
        let changes = order.windows(2).filter(|pair| pair[0] % 4 != pair[1] % 4).count();
        assert_eq!(changes, 3, "{order:?}");
    }

    #[test]
    fn every_function_is_placed_once_and_the_first_ones_stay() {
        let functions: Vec<Vec<u8>> = (0..50).map(|at| noise(at as u64 % 7, 4000 + at)).collect();
        let bodies: Vec<&[u8]> = functions.iter().map(Vec::as_slice).collect();
        let order = by_likeness(&bodies, 5);
        assert_eq!(order[..5], [0, 1, 2, 3, 4]);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..50));
        assert_eq!(order, by_likeness(&bodies, 5));
    }

    #[test]
    fn what_is_out_of_the_window_is_forgotten() {
        let (near, far) = (noise(1, 100), noise(2, 100));
        let wall = noise(3, WINDOW);
        let functions = [&far[..], &wall, &near, &far, &near];
        let order = by_likeness(&functions, 3);
        assert_eq!(order, [0, 1, 2, 4, 3]);
    }

    #[test]
    fn functions_too_small_for_a_piece_and_no_functions_are_placed_too() {
        assert_eq!(by_likeness(&[b"", b"a", b""], 0), [0, 1, 2]);
        assert_eq!(by_likeness(&[], 3), [0_usize; 0]);
    }
}
