//! Which languages a person prefers: `ui_locales` of OpenID Connect, and the header field `Accept-Language`.

/// How many languages are looked at. Browsers list fewer than ten.
const MAX_RANGES: usize = 20;

/// How many bytes of a list are looked at.
const MAX_LENGTH: usize = 500;

/// How many bytes a language's tag may have (RFC 5646 section 4.4.1 recommends room for 35).
const MAX_TAG: usize = 35;

/// The languages of `ui_locales`: tags with spaces between them, the preferred one first (OpenID Connect Core 1.0 section
/// 3.1.2.1). None at all if the value is anything else.
pub fn of_ui_locales(value: &str) -> Vec<&str> {
    let tags: Vec<&str> = value.split(' ').filter(|tag| !tag.is_empty()).collect();
    let is_good = value.len() <= MAX_LENGTH && tags.len() <= MAX_RANGES && tags.iter().all(|tag| is_tag(tag));
    if is_good { tags } else { Vec::new() }
}

/// The languages of `Accept-Language`, the preferred one first (RFC 9110 section 12.5.4). Those with the weight 0, what is
/// no language, and what follows after 20 of them are left out. `*` is left out as well: any language is the default one.
pub fn of_accept_language(value: &str) -> Vec<&str> {
    let start =
        value.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= MAX_LENGTH).last();
    let value = value.get(..start.unwrap_or(0)).unwrap_or_default();
    let mut weighted = Vec::new();
    for range in value.split(',').take(MAX_RANGES) {
        let (tag, parameters) = range.split_once(';').map_or((range, None), |(tag, rest)| (tag, Some(rest)));
        let weight = match parameters {
            None => Some(1000),
            Some(parameters) => weight(parameters.trim()),
        };
        if let (tag, Some(weight @ 1..)) = (tag.trim(), weight)
            && is_tag(tag)
        {
            weighted.push((weight, tag));
        }
    }
    // A stable sort: of languages with the same weight the first one is preferred.
    weighted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    weighted.into_iter().map(|(_, tag)| tag).collect()
}

/// The weight in thousandths: `q=0.8` (RFC 9110 section 12.4.2).
fn weight(parameter: &str) -> Option<u16> {
    let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let is_good = matches!(whole, "0" | "1") && decimals.len() <= 3;
    if !is_good || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    let weight = if whole == "1" { 1000 + thousandths } else { thousandths };
    (weight <= 1000).then_some(weight)
}

/// Whether a text has the form of a language's tag (RFC 5646 section 2.1): letters, then letters and digits in groups.
pub fn is_tag(text: &str) -> bool {
    let mut subtags = text.split('-');
    let is_language = |tag: &str| matches!(tag.len(), 2..=8) && tag.bytes().all(|b| b.is_ascii_alphabetic());
    let is_subtag = |tag: &str| matches!(tag.len(), 1..=8) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    text.len() <= MAX_TAG && subtags.next().is_some_and(is_language) && subtags.all(is_subtag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_language_is_sorted_by_weight() {
        for (value, expected) in [
            ("de", &["de"][..]),
            ("de-CH, fr;q=0.9, en;q=0.8, *;q=0.5", &["de-CH", "fr", "en"]),
            ("en;q=0.5,de;q=0.75,ja", &["ja", "de", "en"]),
            ("en;q=0, de;q=0.000, fr;q=0.001", &["fr"]),
            ("en; q=0.5 , de ;q=1.000", &["de", "en"]),
            ("pt-BR,pt;q=0.9,en-US;q=0.8,en;q=0.7", &["pt-BR", "pt", "en-US", "en"]),
            ("", &[]),
            ("*", &[]),
            (",,;,de", &["de"]),
        ] {
            assert_eq!(of_accept_language(value), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_language_is_left_out() {
        for hostile in [
            "<script>",
            "de\"onload=",
            "../de",
            "d",
            "deutschland",
            "de_DE",
            "de-",
            "-de",
            "de--ch",
            "dé",
            "\u{202e}de",
            "de;q=2",
            "de;q=1.001",
            "de;q=-1",
            "de;q=0.0001",
            "de;q=",
            "de;level=1",
            "12",
            "de-toolongsubtag",
        ] {
            assert!(of_accept_language(hostile).is_empty(), "{hostile}");
            assert!(of_ui_locales(hostile).is_empty(), "{hostile}");
        }
        assert_eq!(of_accept_language(&format!("{},de", "x,".repeat(30))), [""; 0]);
        assert!(of_accept_language(&"ä".repeat(1000)).is_empty());
        assert_eq!(of_accept_language(&format!("de,{}", "ä".repeat(1000))), ["de"]);
    }

    #[test]
    fn ui_locales_are_tags_with_spaces_between_them() {
        assert_eq!(of_ui_locales("de-CH  fr en"), ["de-CH", "fr", "en"]);
        assert!(of_ui_locales("de <b>").is_empty(), "one bad tag is not sent on to a provider");
        assert!(of_ui_locales(&"de ".repeat(21)).is_empty());
        assert!(of_ui_locales("").is_empty());
    }
}
