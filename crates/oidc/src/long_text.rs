//! Looks at long texts eight bytes at a time. A session and its tokens have kilobytes, and every request looks at them, where
//! some C libraries compare and search byte by byte.

const WORD: usize = size_of::<u64>();
const ONES: u64 = u64::from_ne_bytes([1; WORD]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; WORD]);

/// Whether the texts are the same. It takes the longer the more of them is the same, so it is not for secrets that a client
/// could guess piece by piece.
pub fn are_equal(one: &str, other: &str) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (one, one_rest) = one.as_bytes().as_chunks::<WORD>();
    let (other, other_rest) = other.as_bytes().as_chunks::<WORD>();
    let mut pairs = one.iter().zip(other);
    pairs.all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b)) && one_rest == other_rest
}

/// Whether the text has nothing but printable ASCII: no control character, and no character of more than one byte.
pub fn is_printable_ascii(text: &str) -> bool {
    let (whole, rest) = text.as_bytes().as_chunks::<WORD>();
    let mut last = [b' '; WORD];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    whole.iter().chain(std::iter::once(&last)).all(|word| {
        let word = u64::from_ne_bytes(*word);
        // The high bit of each byte says whether it is below 0x20, whether it is 0x7F, and whether it is not ASCII. A carry from
        // one byte to the next sets bits of a word only that has such a byte already.
        let is_low = word.wrapping_sub(ONES * 0x20);
        let is_delete = word.wrapping_add(ONES);
        (is_low | is_delete | word) & HIGH_BITS == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_equal_if_every_character_is() {
        let text = "0123456789abcdefghijk";
        for end in 0..text.len() {
            let part = &text[..end];
            let same = String::from(part);
            assert!(are_equal(part, &same), "{part:?}");
            assert!(!are_equal(part, &text[..=end]), "{part:?}");
            for at in 0..end {
                let mut other = part.to_owned();
                other.replace_range(at..=at, "X");
                assert!(!are_equal(part, &other), "{part:?}, {other:?}");
            }
        }
    }

    #[test]
    fn of_all_bytes_those_from_space_to_tilde_are_printable() {
        for length in [1, 7, 8, 9, 16, 23] {
            for at in 0..length {
                for byte in 0..=0x7f_u8 {
                    for around in [' ', '~'] {
                        let mut text = vec![around as u8; length];
                        text[at] = byte;
                        let text = String::from_utf8(text).unwrap();
                        let expected = (b' '..=b'~').contains(&byte);
                        assert_eq!(is_printable_ascii(&text), expected, "{byte} at {at} of {length}");
                    }
                }
            }
        }
        assert!(is_printable_ascii("") && !is_printable_ascii("Zoë") && !is_printable_ascii("\u{85}"));
    }
}
