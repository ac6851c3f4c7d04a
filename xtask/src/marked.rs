//! A part of a document that a command writes, between two markers.

use anyhow::{Context, Result};

/// The document with `text` between the two markers.
pub(crate) fn between(begin: &str, end: &str, document: &str, text: &str) -> Result<String> {
    let (before, after) = document
        .split_once(begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)))
        .with_context(|| format!("the document has no markers {begin} … {end}"))?;
    Ok(format!("{before}{begin}\n{text}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_text_replaces_the_old_one() {
        let document = |text: &str| format!("before\n<b>\n{text}\n<e>\nafter\n");
        assert_eq!(between("<b>", "<e>", &document("old"), "new").unwrap(), document("new"));
        for wrong in ["nothing", "<b> only", "<e> before <b>"] {
            assert!(between("<b>", "<e>", wrong, "new").is_err(), "{wrong}");
        }
    }
}
