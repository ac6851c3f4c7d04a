//! Texts that the sign-in page shows.

use crate::config::place::refuse;
use crate::config::table::Text;

/// Checks that the sign-in page can show a text: 1 to 100 bytes, not blank, no control characters.
pub(super) fn check_shown(text: &Text<'_>) {
    let shown = text.text;
    if shown.trim().is_empty() || shown.len() > 100 || shown.contains(char::is_control) {
        refuse!(
            text,
            "this text is shown on the sign-in page; write 1 to 100 characters without control characters"
        );
    }
}
