//! Header fields as one string, for a runtime whose header objects are outside this program's memory: a call for each
//! field would cost more than the field itself.
//!
//! A field is written as a line break and `name,value`. A name has no comma (RFC 9110 section 5.1), and a value no line
//! break (section 5.5). A value with a line break would be read as another field, so it is rejected.

use thiserror::Error;

use crate::http::changes::{Change, Changes};
use crate::http::headers::Headers;
use crate::long_text;

/// How many fields there is room for before the first is read. Few requests have more.
const USUAL_FIELDS: usize = 24;

/// Parses lines into header fields. A line without a comma is none.
pub fn read(lines: &str) -> Headers {
    let mut headers = Headers::with_capacity(USUAL_FIELDS, lines.len());
    let mut begin = 0;
    for end in memchr::memchr_iter(b'\n', lines.as_bytes()).chain([lines.len()]) {
        if let Some((name, value)) = lines.get(begin..end).and_then(|line| line.split_once(',')) {
            headers.append(name, value);
        }
        begin = end + 1;
    }
    headers
}

/// Writes header fields as lines.
pub fn write(headers: &Headers) -> Result<String, LineBreakError> {
    let mut text = String::new();
    for (name, value) in headers.iter() {
        push(&mut text, "\n", name, value)?;
    }
    Ok(text)
}

/// Writes changes as lines: `-name,` removes a field, `=name,value` replaces all fields of that name.
pub fn changes(changes: &Changes) -> Result<String, LineBreakError> {
    // A line break, a sign and a comma for each.
    let mut text = String::with_capacity(changes.bytes() + 3 * changes.count());
    for change in changes.iter() {
        match change {
            Change::Remove(name) => push(&mut text, "\n-", name, "")?,
            Change::Set(name, value) => push(&mut text, "\n=", name, value)?,
        }
    }
    Ok(text)
}

/// A field that would be read as several fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a header field has a line break, or its name a comma")]
pub struct LineBreakError;

fn push(text: &mut String, sign: &str, name: &str, value: &str) -> Result<(), LineBreakError> {
    let has = |text: &str, byte: u8| text.as_bytes().contains(&byte);
    // One search per byte: a search for several characters decodes the text, which took a fifth of a request's time.
    let breaks = |text: &str| !long_text::is_printable_ascii(text) && (has(text, b'\n') || has(text, b'\r'));
    if breaks(value) || breaks(name) || has(name, b',') {
        return Err(LineBreakError);
    }
    text.reserve(sign.len() + name.len() + 1 + value.len());
    for part in [sign, name, ",", value] {
        text.push_str(part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        fields.iter().copied().collect()
    }

    #[test]
    fn written_fields_read_back_unchanged() {
        let fields = headers(&[("accept", "a, b"), ("set-cookie", "a=1"), ("set-cookie", "b=,"), ("x", "")]);
        let text = write(&fields).unwrap();
        assert_eq!(text, "\naccept,a, b\nset-cookie,a=1\nset-cookie,b=,\nx,");
        assert_eq!(read(&text), fields);
        assert_eq!(write(&Headers::new()).unwrap(), "");
    }

    #[test]
    fn header_smuggling_a_value_with_a_line_break_does_not_become_a_field() {
        for (name, value) in [("x", "a\nset-cookie,b"), ("x", "a\r\nb"), ("x\ny", "a"), ("x,y", "a")] {
            let fields = headers(&[(name, value)]);
            assert_eq!(write(&fields), Err(LineBreakError), "{name:?}: {value:?}");
            let mut set = Changes::default();
            set.set(name, value);
            assert_eq!(changes(&set), Err(LineBreakError), "{name:?}: {value:?}");
        }
    }

    #[test]
    fn changes_are_written_as_lines_with_a_sign() {
        let mut all = Changes::default();
        assert_eq!(changes(&all).unwrap(), "");
        all.set("authorization", "Bearer t");
        all.remove("te");
        all.set("cookie", "b=2, c");
        assert_eq!(changes(&all).unwrap(), "\n=authorization,Bearer t\n-te,\n=cookie,b=2, c");
    }
}
