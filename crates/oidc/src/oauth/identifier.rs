//! Identifiers that others choose: of users, clients, sessions and tokens.

/// Whether a text can be one: 1 to `limit` bytes without control characters.
pub(super) fn is_identifier(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_printable_text_of_at_most_so_many_bytes() {
        for (text, is_one) in [
            ("a", true),
            ("ä b/c", true),
            (&*"a".repeat(255), true),
            ("", false),
            (&*"a".repeat(256), false),
            (&*"ä".repeat(128), false),
            ("a\n", false),
            ("\u{7f}", false),
            ("\u{85}", false),
        ] {
            assert_eq!(is_identifier(text, 255), is_one, "{text:?}");
        }
    }
}
