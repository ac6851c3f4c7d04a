//! Bytes in hexadecimal.

/// Two digits for each byte, in lower case.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Each digit by itself: the formatter would cost more than the hashes that are written so.
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_has_two_digits() {
        assert_eq!(encode(&[0, 1, 0x0f, 0x10, 0xa9, 0xff]), "00010f10a9ff");
        assert_eq!(encode(&[]), "");
    }
}
