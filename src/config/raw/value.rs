//! The small values that a configuration is made of, and how each is read.

use std::time::Duration;

use serde_json::Value;

use super::table::{expected, read_table, table};
use crate::config::error::{Place, Problems, quoted};

/// A string.
pub(super) fn text<'a>(value: &'a Value, place: &Place, problems: &mut Problems) -> Option<&'a str> {
    if !value.is_string() {
        expected("a string", value, place, problems);
    }
    value.as_str()
}

/// `true` or `false`.
pub(super) fn flag(value: &Value, place: &Place, problems: &mut Problems) -> Option<bool> {
    if !value.is_boolean() {
        expected("true or false", value, place, problems);
    }
    value.as_bool()
}

/// Anything at all.
#[allow(clippy::unnecessary_wraps, reason = "of the type of its neighbours")]
pub(super) fn any<'a>(value: &'a Value, _: &Place, _: &mut Problems) -> Option<&'a Value> {
    Some(value)
}

/// A string, a number, true or false.
pub(super) fn scalar<'a>(value: &'a Value, place: &Place, problems: &mut Problems) -> Option<&'a Value> {
    if !is_scalar(value) {
        expected("a string, a number, true or false", value, place, problems);
        return None;
    }
    Some(value)
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

/// A span of time: `"30d"`, `"12h"`, `"15m"`, `"60s"`, or a number of seconds.
pub(super) fn span(value: &Value, place: &Place, problems: &mut Problems) -> Option<Duration> {
    const EXPECTED: &str = "a duration like \"30d\", \"12h\", \"15m\" or \"60s\", or whole seconds";
    let span = match value {
        Value::String(text) => written_span(text),
        value => {
            let seconds = value.as_u64();
            if seconds.is_none() {
                expected(EXPECTED, value, place, problems);
            }
            return seconds.map(Duration::from_secs);
        }
    };
    if span.is_none() {
        let problem = format!("{} is no duration", quoted(value.as_str().unwrap_or_default()));
        let mend = "write it like \"30d\", \"12h\", \"15m\" or \"60s\", or as a number of seconds";
        problems.refuse_and_mend(place, problem, mend);
    }
    span
}

fn written_span(text: &str) -> Option<Duration> {
    let unit = match text.chars().next_back()? {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    Some(Duration::from_secs(seconds))
}

/// One string, or an array of them.
pub(in crate::config) struct Strings<'a> {
    values: Vec<&'a str>,
    is_array: bool,
}

impl<'a> Strings<'a> {
    pub(in crate::config) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Each with its place, where `place` is that of the whole.
    pub(in crate::config) fn iter(&self, place: &Place) -> impl Iterator<Item = (Place, &'a str)> {
        let place = |i| if self.is_array { place.index(i) } else { place.clone() };
        self.values.iter().enumerate().map(move |(i, value)| (place(i), *value))
    }
}

pub(super) fn strings<'a>(value: &'a Value, place: &Place, problems: &mut Problems) -> Option<Strings<'a>> {
    match value {
        Value::String(value) => Some(Strings { values: vec![value], is_array: false }),
        Value::Array(items) => {
            let item = |(i, item)| text(item, &place.index(i), problems);
            let values = items.iter().enumerate().filter_map(item).collect();
            Some(Strings { values, is_array: true })
        }
        other => {
            expected("a string or an array of strings", other, place, problems);
            None
        }
    }
}

/// What is asked of a claim.
pub(in crate::config) enum Asked<'a> {
    /// One scalar, or an array of them.
    AnyOf(&'a [Value]),
    /// `{ not = ... }`, `{ exists = ... }`
    Table(AskedTable<'a>),
}

table! {
    /// What is asked of a claim beside its values.
    AskedTable<'a> {
        not: Option<&'a [Value]> = key("not", scalars),
        exists: Option<bool> = key("exists", flag),
    }
}

pub(super) fn asked<'a>(value: &'a Value, place: &Place, problems: &mut Problems) -> Option<Asked<'a>> {
    const EXPECTED: &str =
        "a string, a number, true or false, an array of them, or { not = ... } or { exists = ... }";
    match value {
        Value::Object(_) => read_table(value, place, problems, AskedTable::of).map(Asked::Table),
        Value::Null => {
            expected(EXPECTED, value, place, problems);
            None
        }
        _ => scalars(value, place, problems).map(Asked::AnyOf),
    }
}

/// One scalar, or an array of them.
fn scalars<'a>(value: &'a Value, place: &Place, problems: &mut Problems) -> Option<&'a [Value]> {
    let values = match value {
        Value::Array(values) => values,
        value => std::slice::from_ref(value),
    };
    if let Some(other) = values.iter().find(|value| !is_scalar(value)) {
        expected("a string, a number, true or false, or an array of them", other, place, problems);
        return None;
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_number_and_one_unit() {
        for (text, seconds) in [
            ("30d", Some(2_592_000)),
            ("12h", Some(43_200)),
            ("15m", Some(900)),
            ("60s", Some(60)),
            ("0s", Some(0)),
            ("", None),
            ("d", None),
            ("30", None),
            ("30D", None),
            ("30 d", None),
            ("+30d", None),
            ("-1d", None),
            ("1.5h", None),
            ("1h30m", None),
            ("1ä", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(written_span(text).map(|span| span.as_secs()), seconds, "{text}");
        }
    }
}
