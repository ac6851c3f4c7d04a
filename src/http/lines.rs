//! Header fields as one text, for a runtime that has them in a world of its own: a call for each field costs more
//! than the field.
//!
//! A field is a line break and `name,value`. A name has no comma (RFC 9110 section 5.1), and a value no line break
//! (section 5.5): a value that has one would be read as another field, and is refused.

use thiserror::Error;

use crate::http::headers::Headers;

/// The fields that those lines say.
pub fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Headers {
    lines.filter_map(|line| line.split_once(',')).collect()
}

/// The lines of those fields.
pub fn write(headers: &Headers) -> Result<String, LineBreak> {
    let mut text = String::new();
    for (name, value) in headers.iter() {
        push(&mut text, "\n", name, value)?;
    }
    Ok(text)
}

/// What has to change that a request with the fields `from` has the fields `to`. A forwarded request keeps most of
/// what it came with: only the rest crosses to JavaScript again.
pub fn changes(from: &Headers, to: &Headers) -> Result<String, LineBreak> {
    let (from, to) = (sorted(from), sorted(to));
    let by_name = |a: &(&str, &str), b: &(&str, &str)| a.0 == b.0;
    let (mut from, mut to) = (from.chunk_by(by_name).peekable(), to.chunk_by(by_name).peekable());
    let mut text = String::new();
    loop {
        let (old, new) = match (name_of(from.peek()), name_of(to.peek())) {
            (None, None) => return Ok(text),
            (Some(a), Some(b)) if a == b => (from.next(), to.next()),
            (Some(a), b) if b.is_none_or(|b| a < b) => (from.next(), None),
            _ => (None, to.next()),
        };
        if old == new {
            continue;
        }
        let mut sign = "\n=";
        for (name, value) in new.unwrap_or_default() {
            push(&mut text, sign, name, value)?;
            sign = "\n+";
        }
        if let (Some([(name, _), ..]), None) = (old, new) {
            text.push_str("\n-");
            text.push_str(name);
        }
    }
}

/// The name that these fields have in common.
fn name_of<'a>(fields: Option<&&[(&'a str, &'a str)]>) -> Option<&'a str> {
    fields.and_then(|fields| fields.first()).map(|(name, _)| *name)
}

/// A field that would be read as several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a header field has a line break, or its name a comma")]
pub struct LineBreak;

/// By name; fields of one name stay in their order.
fn sorted(headers: &Headers) -> Vec<(&str, &str)> {
    let mut fields: Vec<_> = headers.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    fields
}

fn push(text: &mut String, sign: &str, name: &str, value: &str) -> Result<(), LineBreak> {
    let has = |text: &str, byte: u8| text.as_bytes().contains(&byte);
    // A search for one byte at a time: one for several characters decodes them all, and took a fifth of the request.
    if [b'\n', b'\r'].into_iter().any(|byte| has(value, byte) || has(name, byte)) || has(name, b',') {
        return Err(LineBreak);
    }
    for part in [sign, name, ",", value] {
        text.push_str(part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        fields.iter().copied().collect()
    }

    /// As `glue.js` does it.
    fn changed(from: &Headers, changes: &str) -> BTreeMap<String, Vec<String>> {
        let mut fields = grouped(from);
        for change in changes.split('\n').skip(1) {
            let (sign, field) = change.split_at(1);
            let (name, value) = field.split_once(',').unwrap_or((field, ""));
            match sign {
                "-" => drop(fields.remove(name)),
                "=" => drop(fields.insert(name.to_owned(), vec![value.to_owned()])),
                "+" => fields.get_mut(name).unwrap().push(value.to_owned()),
                other => panic!("{other}"),
            }
        }
        fields
    }

    fn grouped(headers: &Headers) -> BTreeMap<String, Vec<String>> {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in headers.iter() {
            fields.entry(name.to_owned()).or_default().push(value.to_owned());
        }
        fields
    }

    #[test]
    fn what_is_written_is_read() {
        let fields = headers(&[("accept", "a, b"), ("set-cookie", "a=1"), ("set-cookie", "b=,"), ("x", "")]);
        let text = write(&fields).unwrap();
        assert_eq!(text, "\naccept,a, b\nset-cookie,a=1\nset-cookie,b=,\nx,");
        assert_eq!(read(text.split('\n').skip(1)), fields);
        assert_eq!(write(&Headers::new()).unwrap(), "");
    }

    #[test]
    fn header_smuggling_a_value_with_a_line_break_does_not_become_a_field() {
        for (name, value) in [("x", "a\nset-cookie,b"), ("x", "a\r\nb"), ("x\ny", "a"), ("x,y", "a")] {
            let fields = headers(&[(name, value)]);
            assert_eq!(write(&fields), Err(LineBreak), "{name:?}: {value:?}");
            assert_eq!(changes(&Headers::new(), &fields), Err(LineBreak), "{name:?}: {value:?}");
        }
    }

    #[test]
    fn only_what_differs_is_said() {
        let from = headers(&[("host", "a"), ("cookie", "s=1"), ("accept", "x"), ("te", "gzip")]);
        let to = headers(&[("host", "a"), ("accept", "x"), ("authorization", "Bearer t"), ("cookie", "b=2")]);
        assert_eq!(changes(&from, &to).unwrap(), "\n=authorization,Bearer t\n=cookie,b=2\n-te");
        assert_eq!(changes(&from, &from).unwrap(), "");
    }

    proptest! {
        #[test]
        fn the_changes_make_the_one_of_the_other(
            from in proptest::collection::vec(("[abc]", "[xy]?"), 0..6),
            to in proptest::collection::vec(("[abcd]", "[xy]?"), 0..6),
        ) {
            let (from, to): (Headers, Headers) = (from.into_iter().collect(), to.into_iter().collect());
            prop_assert_eq!(changed(&from, &changes(&from, &to).unwrap()), grouped(&to));
        }
    }
}
