//! `Accept-Language` (RFC 9110 section 12.5.4).

/// The languages with a weight, the preferred one first.
pub(crate) fn languages(field: &str) -> Vec<&str> {
    let mut found: Vec<(u32, &str)> = Vec::new();
    for item in field.split(',') {
        let mut parts = item.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default();
        let weights: Vec<&str> = parts.collect();
        let weight = match weights.as_slice() {
            [] => Some(1000),
            [one] => thousandths(one),
            _ => None,
        };
        let Some(weight) = weight.filter(|weight| *weight > 0 && is_tag(tag)) else { continue };
        // Behind all that are preferred as much.
        let at = found.iter().position(|(other, _)| *other < weight).unwrap_or(found.len());
        found.insert(at, (weight, tag));
    }
    found.into_iter().map(|(_, tag)| tag).collect()
}

/// `q=0.5` in thousandths, by the grammar of section 12.4.2.
fn thousandths(text: &str) -> Option<u32> {
    let value = text.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
    (0..=1000).find(|number| {
        let whole = number / 1000;
        let decimals = format!("{:03}", number % 1000);
        (0..=3).any(|length| {
            let is_exact = decimals[length..].bytes().all(|digit| digit == b'0');
            let written = format!("{whole}.{}", &decimals[..length]);
            is_exact && (value == written || (length == 0 && value == whole.to_string()))
        })
    })
}

/// RFC 5646 section 2.1, in short.
fn is_tag(text: &str) -> bool {
    let subtags: Vec<&str> = text.split('-').collect();
    let is_of = |subtag: &str, min: usize| {
        (min..=8).contains(&subtag.len()) && subtag.chars().all(|c| c.is_ascii_alphanumeric())
    };
    text.len() <= 35
        && subtags.iter().enumerate().all(|(at, subtag)| is_of(subtag, if at == 0 { 2 } else { 1 }))
        && subtags[0].chars().all(|c| c.is_ascii_alphabetic())
}
