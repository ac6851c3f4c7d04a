//! Texts that the pages show.

use crate::config::place::refuse;
use crate::config::table::Text;

/// Checks that a page can show a short text: 1 to 100 bytes, not blank, no control characters.
pub(super) fn check_shown(text: &Text<'_>) {
    check_shown_up_to(text, 100);
}

/// Checks that a page can show a text of at most `max` bytes.
pub(super) fn check_shown_up_to(text: &Text<'_>, max: usize) {
    let shown = text.text;
    if shown.trim().is_empty() || shown.len() > max || shown.contains(is_control) {
        refuse!(
            text,
            "this text is shown on the sign-in page; write 1 to {max} characters without control characters"
        );
    }
}

/// Control characters, and those that write the text after them in another direction, up to the end of the paragraph: a
/// host behind them would be written backwards (Unicode Standard Annex #9, section 2).
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}
