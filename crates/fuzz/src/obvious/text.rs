//! Percent-encoding and forms.

/// `decodeURIComponent`; `None` where that throws.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            decoded.push(hexadecimal(bytes, at + 1)?);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok()
}

/// The bytes that a text with `%XX` stands for. What is no `%XX` stays.
pub(crate) fn unescaped(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut unescaped, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let escaped = if bytes[at] == b'%' { hexadecimal(bytes, at + 1) } else { None };
        unescaped.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    unescaped
}

fn hexadecimal(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(at)? * 16 + digit(at + 1)?).ok()
}

/// The names and values of a form (URL Standard section 5.1).
pub(crate) fn form(body: &[u8]) -> Vec<(String, String)> {
    let decoded = |part: &[u8]| {
        let mut bytes = Vec::new();
        let mut at = 0;
        while at < part.len() {
            match (part[at], hexadecimal(part, at + 1)) {
                (b'%', Some(byte)) => {
                    bytes.push(byte);
                    at += 2;
                }
                (b'+', _) => bytes.push(b' '),
                (byte, _) => bytes.push(byte),
            }
            at += 1;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let mut found = Vec::new();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        found.push((decoded(&pair[..at]), decoded(pair.get(at + 1..).unwrap_or_default())));
    }
    found
}
