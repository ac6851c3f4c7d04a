//! Percent-encoding (RFC 3986 section 2.1) with the character sets that are used here. The crate `form_urlencoded`
//! encodes forms, and the URL parser encodes paths, queries and fragments.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The characters that ECMAScript's `encodeURIComponent` encodes (ECMA-262 section 19.2.6.4): for cookies, as in
/// Auth.js.
pub const URI_COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// All but the unreserved characters of RFC 3986 section 2.3: for a value that is one segment of a path or one value in
/// a query, so that it contains no delimiter.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Decodes every `%XX` once. `None` where a `%` is not followed by two digits, or where the bytes are not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    // The decoder would keep an incomplete `%` unchanged.
    let is_complete =
        |rest: &[u8]| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if !text.as_bytes().split(|&byte| byte == b'%').skip(1).all(is_complete) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

/// Encodes every byte of `text` in UTF-8 that is in `set` or outside ASCII, with upper-case digits.
pub fn encode(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_is_strict_and_happens_once() {
        for (text, decoded) in [
            ("", Some("")),
            ("a+b", Some("a+b")),
            ("%41%2f%2F", Some("A//")),
            ("%C3%A9é", Some("éé")),
            ("%2541", Some("%41")),
            ("%", None),
            ("%4", None),
            ("%4g", None),
            ("%+1", None),
            ("%ff", None),
            ("%c0%af", None),
            ("%4é", None),
            ("%é4", None),
            ("%%", None),
            ("%%41", None),
            ("%25%", None),
            ("a%2", None),
            ("% 1", None),
            ("%-1", None),
            ("%u0041", None),
            ("%00", Some("\0")),
            ("%F0%9F%98%80", Some("😀")),
            ("%f0%9f%98", None),
            ("%ed%a0%80", None),
            ("%c3é", None),
            ("é%a9", None),
        ] {
            assert_eq!(decode(text).as_deref(), decoded, "{text}");
        }
    }
    #[test]
    fn each_set_encodes_exactly_the_characters_of_its_specification() {
        for (set, others) in [(URI_COMPONENT, "!'()*-._~"), (RESERVED, "-._~")] {
            for byte in 0..=0x7f_u8 {
                let text = char::from(byte).to_string();
                let is_kept = byte.is_ascii_alphanumeric() || others.contains(&text);
                let expected = if is_kept { text.clone() } else { format!("%{byte:02X}") };
                assert_eq!(encode(&text, set), expected);
            }
            assert_eq!(encode("é😀\u{80}", set), "%C3%A9%F0%9F%98%80%C2%80");
            assert_eq!(encode("", set), "");
        }
    }
}
