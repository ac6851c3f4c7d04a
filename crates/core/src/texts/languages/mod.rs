//! The languages, one file each.

mod de;
mod en;
mod es;
mod fr;
mod ja;
mod pt;

use crate::texts::Texts;

/// The built-in languages by their tags (RFC 5646). The first one is the default.
pub static BUILT_IN: [(&str, &Texts); 6] = [
    ("en", &en::TEXTS),
    ("de", &de::TEXTS),
    ("fr", &fr::TEXTS),
    ("es", &es::TEXTS),
    ("pt", &pt::TEXTS),
    ("ja", &ja::TEXTS),
];

/// The texts of a built-in language.
pub fn built_in(tag: &str) -> Option<&'static Texts> {
    BUILT_IN.iter().find(|(built_in, _)| *built_in == tag).map(|(_, texts)| *texts)
}

/// English, which has every text.
pub fn english() -> &'static Texts {
    &en::TEXTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Text;
    use crate::texts::fill::placeholders;

    #[test]
    fn every_language_has_every_text_with_its_placeholder_and_no_other() {
        for (tag, texts) in BUILT_IN {
            for text in Text::ALL {
                let written = text.of(texts);
                assert!(!written.trim().is_empty() && written.trim() == written, "{tag} {}", text.key());
                let found: Vec<&str> = placeholders(written).collect();
                assert_eq!(found, text.placeholder().into_iter().collect::<Vec<_>>(), "{tag} {}", text.key());
                assert!(
                    !written.contains(['<', '>', '\n', '"']) && !written.contains("  "),
                    "{tag} {written}"
                );
            }
        }
    }

    #[test]
    fn no_language_repeats_the_english_sentences() {
        for (tag, texts) in BUILT_IN.into_iter().filter(|(tag, _)| *tag != "en") {
            for text in Text::ALL.iter().filter(|text| text.of(english()).len() > 20) {
                assert_ne!(text.of(texts), text.of(english()), "{tag} {}", text.key());
            }
        }
    }
}
