//! Chooses mutants at random: the same for the same seed, on every machine.

use std::collections::BTreeMap;

use super::outcomes::Mutant;
use crate::tools::fingerprint;

/// `number` mutants, as evenly over the rooms as there are any. A mutant's rank depends on the seed and on what it changes,
/// so that a change elsewhere in the code leaves the rest of the sample as it is.
pub(super) fn take(
    mutants: Vec<Mutant>,
    number: usize,
    seed: u64,
    room_of: impl Fn(&str) -> String,
) -> Vec<Mutant> {
    let mut rooms: BTreeMap<String, Vec<(String, Mutant)>> = BTreeMap::new();
    for mutant in mutants {
        let rank =
            fingerprint([&seed.to_le_bytes(), mutant.description().as_bytes(), mutant.name.as_bytes()]);
        rooms.entry(room_of(&mutant.file)).or_default().push((rank, mutant));
    }
    let mut rooms: Vec<_> = rooms.into_values().collect();
    // The largest rank first, because they are taken from the end.
    for room in &mut rooms {
        room.sort_unstable_by(|one, other| other.0.cmp(&one.0));
    }
    let mut taken = Vec::new();
    while taken.len() < number && rooms.iter().any(|room| !room.is_empty()) {
        let next = rooms.iter_mut().filter_map(Vec::pop).map(|(_, mutant)| mutant);
        taken.extend(next.take(number - taken.len()));
    }
    taken
}

/// A regular expression for exactly this text.
pub(super) fn literal(text: &str) -> String {
    let escaped = text.chars().flat_map(|c| {
        let is_special = c.is_ascii_punctuation()
            && !matches!(
                c,
                '/' | '_' | ':' | '"' | '\'' | ',' | '<' | '>' | '=' | '%' | '@' | '`' | ';' | '!'
            );
        is_special.then_some('\\').into_iter().chain([c])
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants() -> Vec<Mutant> {
        let of = |room: &str, count: usize| -> Vec<Mutant> {
            let mutant = |line| Mutant { name: format!("{room}:{line}:1: replace f"), file: room.to_owned() };
            (0..count).map(mutant).collect()
        };
        [of("a", 20), of("b", 2), of("c", 20)].concat()
    }

    #[test]
    fn a_sample_is_even_and_depends_on_the_seed_only() {
        let sample = take(mutants(), 12, 1, str::to_owned);
        let count = |room: &str| sample.iter().filter(|mutant| mutant.file == room).count();
        assert_eq!([count("a"), count("b"), count("c")], [5, 2, 5]);
        let mut reversed = mutants();
        reversed.reverse();
        assert_eq!(take(reversed, 12, 1, str::to_owned), sample);
        assert_ne!(take(mutants(), 12, 2, str::to_owned), sample);
        assert_eq!(take(mutants(), 100, 1, str::to_owned).len(), 42);
    }

    #[test]
    fn a_mutants_name_is_matched_as_it_is_written() {
        assert_eq!(
            literal("a/b.rs:1:2: replace && with || in f"),
            r"a/b\.rs:1:2: replace \&\& with \|\| in f"
        );
        assert_eq!(literal("-> Option<u8> with Some(1)"), r"\-> Option<u8> with Some\(1\)");
    }
}
