//! The languages that a site offers, with the configuration's own texts, and the choice of one for a person.

use std::borrow::Cow;

use crate::texts::languages::{BUILT_IN, built_in, english};
use crate::texts::{Text, Texts};

/// The languages of a site. There is always one, the default.
#[derive(Clone, Debug)]
pub struct Languages {
    default: Language,
    others: Vec<Language>,
}

/// A language of a site.
#[derive(Clone, Debug)]
pub struct Language {
    /// Its tag (RFC 5646), for example `de` or `pt-BR`.
    pub tag: Cow<'static, str>,
    /// The texts that the configuration writes in place of the built-in ones.
    own: Vec<(Text, String)>,
    built_in: &'static Texts,
}

/// In which direction a language is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From left to right.
    Ltr,
    /// From right to left.
    Rtl,
}

impl Default for Languages {
    /// All built-in languages.
    fn default() -> Self {
        let mut all = BUILT_IN.iter().map(|(tag, texts)| Language::of(Cow::Borrowed(tag), texts, Vec::new()));
        let default = all.next().unwrap_or_else(|| Language::of("en".into(), english(), Vec::new()));
        Self { default, others: all.collect() }
    }
}

impl Languages {
    /// These languages. The first one is the default.
    pub fn new(first: Language, others: Vec<Language>) -> Self {
        Self { default: first, others }
    }

    /// The first of the preferred languages that the site offers; otherwise the default.
    pub fn choose<'p>(&self, preferred: impl IntoIterator<Item = &'p str>) -> &Language {
        preferred.into_iter().find_map(|range| self.lookup(range)).unwrap_or(&self.default)
    }

    /// All of them, the default first.
    pub fn iter(&self) -> impl Iterator<Item = &Language> {
        std::iter::once(&self.default).chain(&self.others)
    }

    /// The language for a range (RFC 4647 section 3.4, "Lookup"): `de-CH` finds `de`. In addition, `pt` finds `pt-BR`.
    fn lookup(&self, range: &str) -> Option<&Language> {
        let mut prefix = range;
        loop {
            if let Some(found) = self.iter().find(|language| language.tag.eq_ignore_ascii_case(prefix)) {
                return Some(found);
            }
            match prefix.rsplit_once('-') {
                Some((shorter, _)) => prefix = shorter,
                None => break,
            }
        }
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        self.iter().find(|language| primary(&language.tag) == primary(range))
    }
}

impl Language {
    /// The language of this tag. What `own` does not have is built in; in a language that is not, it is English.
    pub fn new(tag: &str, own: Vec<(Text, String)>) -> Self {
        Self::of(Cow::Owned(tag.to_owned()), built_in(tag).unwrap_or_else(english), own)
    }

    fn of(tag: Cow<'static, str>, built_in: &'static Texts, own: Vec<(Text, String)>) -> Self {
        Self { tag, own, built_in }
    }

    /// What a text says.
    pub fn text(&self, text: Text) -> &str {
        let own = self.own.iter().find(|(other, _)| *other == text);
        own.map_or_else(|| text.of(self.built_in), |(_, written)| written)
    }

    /// The texts that are neither built in nor written, and so in English.
    pub fn missing(&self) -> impl Iterator<Item = Text> {
        let is_built_in = built_in(&self.tag).is_some();
        let is_written = |text: Text| self.own.iter().any(|(own, _)| *own == text);
        Text::ALL.iter().copied().filter(move |text| !is_built_in && !is_written(*text))
    }

    /// In which direction it is written.
    pub fn direction(&self) -> Direction {
        // The languages that are usually written in the Arabic, Hebrew, Syriac or Thaana script.
        const RTL: [&str; 13] =
            ["ar", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "syr", "ug", "ur", "yi", "azb"];
        const RTL_SCRIPTS: [&str; 5] = ["Arab", "Hebr", "Syrc", "Thaa", "Nkoo"];
        let mut subtags = self.tag.split('-');
        let language = subtags.next().unwrap_or_default();
        let script = subtags.next().filter(|tag| tag.len() == 4);
        let is_rtl = match script {
            Some(script) => RTL_SCRIPTS.iter().any(|rtl| rtl.eq_ignore_ascii_case(script)),
            None => RTL.iter().any(|rtl| rtl.eq_ignore_ascii_case(language)),
        };
        if is_rtl { Direction::Rtl } else { Direction::Ltr }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(languages: &Languages, preferred: &[&str]) -> String {
        languages.choose(preferred.iter().copied()).tag.clone().into_owned()
    }

    #[test]
    fn the_first_preferred_language_that_is_offered_is_chosen() {
        let all = Languages::default();
        for (preferred, expected) in [
            (&["de-CH", "en"][..], "de"),
            (&["it", "fr-CA"], "fr"),
            (&["zh-Hant-TW", "JA-jp"], "ja"),
            (&["it", "zh"], "en"),
            (&[], "en"),
            (&["pt-BR"], "pt"),
            (&["deu"], "en"),
        ] {
            assert_eq!(chosen(&all, preferred), expected, "{preferred:?}");
        }
        let own = Languages::new(Language::new("pt-BR", Vec::new()), vec![Language::new("fr", Vec::new())]);
        assert_eq!(chosen(&own, &["en"]), "pt-BR");
        assert_eq!(chosen(&own, &["fr"]), "fr");
        assert_eq!(chosen(&own, &["pt-PT", "fr"]), "pt-BR");
    }

    #[test]
    fn a_text_of_the_configuration_comes_before_the_built_in_one() {
        let own = Language::new("de", vec![(Text::SignIn, "Los".to_owned())]);
        assert_eq!((own.text(Text::SignIn), own.text(Text::Or)), ("Los", "oder"));
        assert_eq!(own.missing().count(), 0);
        let other = Language::new("it", vec![(Text::SignIn, "Accedi".to_owned())]);
        assert_eq!((other.text(Text::SignIn), other.text(Text::Or)), ("Accedi", "or"));
        assert_eq!(other.missing().count(), Text::ALL.len() - 1);
    }

    #[test]
    fn the_direction_is_that_of_the_script() {
        for (tag, direction) in [
            ("ar", Direction::Rtl),
            ("ar-EG", Direction::Rtl),
            ("he", Direction::Rtl),
            ("az-Arab", Direction::Rtl),
            ("ar-Latn", Direction::Ltr),
            ("en", Direction::Ltr),
            ("ja", Direction::Ltr),
        ] {
            assert_eq!(Language::new(tag, Vec::new()).direction(), direction, "{tag}");
        }
    }
}
