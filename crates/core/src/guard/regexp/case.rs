//! Text in which case does not matter.

/// A code unit in all its cases. More than one server agrees on is in it: the Kelvin sign is a `k` to some, the long `ſ`
/// an `s`, the dotless `ı` an `i`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyCase {
    written: u16,
    lower: u16,
    upper: u16,
    /// The lower case of the upper case: `s` for `ſ`.
    lower_of_upper: u16,
}

impl AnyCase {
    pub(crate) fn new(written: u16) -> Self {
        let upper = upper(written);
        Self { written, lower: lower(written), upper, lower_of_upper: lower(upper) }
    }

    pub(super) fn written(self) -> u16 {
        self.written
    }

    pub(super) fn spellings(self) -> impl Iterator<Item = u16> {
        [self.written, self.lower, self.upper, self.lower_of_upper].into_iter()
    }
}

/// A text as it is compared where case does not matter.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        for upper in c.to_uppercase() {
            folded.extend(upper.to_lowercase());
        }
    }
    folded
}

fn lower(unit: u16) -> u16 {
    single(unit, |c| c.to_lowercase().next())
}

fn upper(unit: u16) -> u16 {
    single(unit, |c| c.to_uppercase().next())
}

/// A unit's other case, where both are one code unit.
fn single(unit: u16, other: impl Fn(char) -> Option<char>) -> u16 {
    let changed = char::from_u32(u32::from(unit)).and_then(other);
    changed.and_then(|c| u16::try_from(u32::from(c)).ok()).unwrap_or(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_some_server_takes_for_another_case_are_folded_alike() {
        for (a, b) in [("Admin", "aDMIN"), ("ſ", "S"), ("\u{212a}", "k"), ("É", "é"), ("ı", "I"), ("ß", "SS")]
        {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        assert_ne!(fold("é"), fold("e"));
        let spellings =
            |c: char| AnyCase::new(u16::try_from(u32::from(c)).unwrap()).spellings().collect::<Vec<_>>();
        for (written, other) in
            [('A', 'a'), ('a', 'A'), ('ſ', 's'), ('\u{212a}', 'k'), ('ı', 'i'), ('1', '1')]
        {
            assert!(spellings(written).contains(&u16::try_from(u32::from(other)).unwrap()), "{written}");
        }
    }
}
