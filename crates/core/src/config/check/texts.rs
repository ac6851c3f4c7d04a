//! `languages` and `[vars.AUTH.texts]`: what the pages say.

use super::shown::check_shown_up_to;
use crate::config::error::suggestion;
use crate::config::place::refuse;
use crate::config::table::{Table, Text as Written};
use crate::texts::fill::placeholders;
use crate::texts::languages::BUILT_IN;
use crate::texts::offered::{Language, Languages};
use crate::texts::preferred::is_tag;
use crate::texts::{Text, languages};

/// A site needs no more.
const MAX_LANGUAGES: usize = 50;
/// In bytes: three times the longest text of a built-in language.
const MAX_TEXT: usize = 1000;

/// The languages of the pages: those that are written, otherwise the built-in ones and those of `texts`.
pub(super) fn languages(auth: &Table<'_>) -> Languages {
    let texts = auth.table("texts");
    let mut tags: Vec<&str> = Vec::new();
    for (tag, _) in texts.names() {
        check_tag(&Written { text: tag, place: texts.at(tag) });
        tags.push(tag);
    }
    let known: Vec<&str> = BUILT_IN
        .iter()
        .map(|(tag, _)| *tag)
        .chain(tags.iter().copied().filter(|tag| !is_built_in(tag)))
        .collect();
    let written = auth.texts("languages");
    let mut offered: Vec<&str> = Vec::new();
    for text in &written {
        let tag = text.text;
        if !known.contains(&tag) {
            let hint = suggestion(tag, &known);
            refuse!(
                text,
                "{text} is not a language of the pages; {hint}",
                "or write its texts in AUTH.texts"
            );
        } else if offered.contains(&tag) {
            refuse!(text, "{text} is written twice");
        }
        offered.push(tag);
    }
    if !auth.has("languages") {
        offered.clone_from(&known);
    } else if written.is_empty() {
        refuse!(auth.at("languages"), "the list is empty", "write a language, or remove the key");
    }
    if offered.len() > MAX_LANGUAGES {
        refuse!(auth.at("texts"), "more than {MAX_LANGUAGES} languages");
    }
    for tag in tags.iter().filter(|tag| !offered.contains(tag)) {
        let place = texts.at(tag);
        refuse!(
            place,
            "AUTH.languages does not have this language",
            "add {tag:?} there, or remove the texts"
        );
    }
    let mut languages = offered.into_iter().map(|tag| Language::new(tag, own_texts(&texts.table(tag))));
    match languages.next() {
        Some(first) => Languages::new(first, languages.collect()),
        None => Languages::default(),
    }
}

fn is_built_in(tag: &str) -> bool {
    languages::built_in(tag).is_some()
}

/// Refuses what is no language's tag. Two letters are one of ISO 639-1; longer tags are not looked up.
fn check_tag(text: &Written<'_>) {
    let tag = text.text;
    let language = tag.split('-').next().unwrap_or_default();
    let is_known = match language.len() {
        2 => ISO_639_1.as_bytes().chunks(2).any(|code| code == language.as_bytes()),
        3 => language.bytes().all(|b| b.is_ascii_lowercase()),
        _ => false,
    };
    if !is_tag(tag) || !is_known {
        let known: Vec<&str> = BUILT_IN.iter().map(|(tag, _)| *tag).collect();
        let known = known.join(", ");
        refuse!(
            text,
            "{text} is not the tag of a language (RFC 5646)",
            "write for example \"it\" or \"pt-BR\"; built in are {known}"
        );
    }
}

fn own_texts(texts: &Table<'_>) -> Vec<(Text, String)> {
    let mut own = Vec::new();
    for written in texts.entries() {
        let Some(text) = Text::ALL.iter().find(|text| text.key() == written.name()) else {
            let keys: Vec<&str> = Text::ALL.iter().map(|text| text.key()).collect();
            let hint = suggestion(written.name(), &keys).replace("configuration.md", "pages.md");
            refuse!(written, "unknown text; {hint}");
            continue;
        };
        check_shown_up_to(&written, MAX_TEXT);
        check_placeholder(&written, *text);
        own.push((*text, written.text.to_owned()));
    }
    own
}

/// Refuses a text that does not say where a name belongs, or that has a name that the page does not know.
fn check_placeholder(written: &Written<'_>, text: Text) {
    let found: Vec<&str> = placeholders(written.text).collect();
    match text.placeholder() {
        Some(name) if found != [name] => {
            refuse!(written, "the text needs {{{name}}} once, and no other name in braces");
        }
        None if !found.is_empty() => refuse!(written, "the text cannot have a name in braces"),
        _ => {}
    }
}

/// The languages with a code of two letters (ISO 639-1).
const ISO_639_1: &str = "aaabaeafakamanarasavayazbabebgbibmbnbobrbscacechcocrcscucvcydadedvdzeeeleneoeseteufafffifjfofrfy\
                         gagdglgngugvhahehihohrhthuhyhziaidieigiiikioisitiujajvkakgkikjkkklkmknkokrkskukvkwkylalblglilnlolt\
                         lulvmgmhmimkmlmnmrmsmtmynandnengnlnnnonrnvnyocojomorospapipl\
                         psptqurmrnrorurwsascsdsesgsiskslsmsnsosqsrssstsusvswtatetgthtitktltntotrtstttwtyugukuruzvevivo\
                         wawoxhyiyozazhzu";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_sorted_and_each_is_there_once() {
        let codes: Vec<&[u8]> = ISO_639_1.as_bytes().chunks(2).collect();
        assert!(codes.is_sorted_by(|a, b| a < b));
        assert!(codes.len() > 180 && codes.iter().all(|code| code.len() == 2));
        for (tag, _) in BUILT_IN {
            assert!(codes.contains(&tag.as_bytes()), "{tag}");
        }
    }
}
